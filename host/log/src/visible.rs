//! Text of unknown origin, made fit to be shown.

use unicode_width::UnicodeWidthChar;

/// Most characters of one text that are shown.
const MOST: usize = 4_000;

/// Marks that may stand on one letter; more of them hide the lines above and below.
const MARKS: usize = 2;

/// The text with everything escaped that is not seen as what it is: controls and ANSI sequences, line
/// ends, characters that turn the direction of text, that take no room, that look like a space, or that
/// mean something in one font only. Cut after 4,000 characters.
///
/// A backslash is left alone: what was escaped before is shown as it is, and the SQL of a strategy reads
/// as it was written. So an escape shown here may also have been spelled out by the author.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MOST));
    let mut marks = 0;
    for (index, character) in text.chars().enumerate() {
        if index == MOST {
            let rest = text.chars().count() - MOST;
            shown.push_str(&format!(" … ({rest} characters more)"));
            break;
        }
        let is_mark = character.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        let mark_on_nothing = is_mark && shown.is_empty();
        if is_deceptive(character) || mark_on_nothing || marks > MARKS {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text made [`visible`] line by line: line ends are kept, a tabulator becomes spaces.
pub fn visible_lines(text: &str) -> Vec<String> {
    text.lines().map(|line| visible(&line.replace('\t', "    "))).collect()
}

fn is_deceptive(character: char) -> bool {
    if character == ' ' {
        return false;
    }
    character.is_control()
        || character.is_whitespace()
        || matches!(u32::from(character),
            // Direction.
            0x061C | 0x200E..=0x200F | 0x202A..=0x202E | 0x2066..=0x2069
            // No width, or fillers that look like a space.
            | 0x00AD | 0x034F | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200D
            | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFB | 0x1_3430..=0x1_345F | 0x1_BCA0..=0x1_BCA3 | 0x1_D173..=0x1_D17A
            | 0xE_0000..=0xE_0FFF
            // Private use, and what is no character at all.
            | 0xE000..=0xF8FF | 0xF_0000..=0x10_FFFF)
        || u32::from(character) & 0xFFFE == 0xFFFE
}
