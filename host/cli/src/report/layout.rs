//! Text in lines of a given width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Narrowest column that a table is squeezed to.
const NARROWEST: usize = 8;

/// The text in lines of at most `width` columns, broken between words where that is possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width.saturating_sub(line.width() + usize::from(!line.is_empty()));
        if !line.is_empty() && word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while line.width() > width {
            let rest = line.split_off(fitting(&line, width));
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines
}

/// How many bytes of the text fit; at least one character's.
fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width && at > 0 {
            return at;
        }
    }
    text.len()
}

/// Widths for columns whose widest cells are these, so that they fit into `room`: the widest gives way
/// first.
pub(super) fn squeeze(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    loop {
        let all: usize = widths.iter().sum();
        let widest = widths.iter_mut().max();
        match widest {
            Some(widest) if all > room && *widest > NARROWEST => *widest -= 1,
            _ => return widths,
        }
    }
}

/// The text with spaces to the given width, before it or after it.
pub(super) fn pad(text: &str, width: usize, at_right: bool) -> String {
    let spaces = " ".repeat(width.saturating_sub(text.width()));
    if at_right { format!("{spaces}{text}") } else { format!("{text}{spaces}") }
}
