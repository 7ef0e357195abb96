use super::*;

/// What a strategy, a file or a user may send to harm whoever reads a report.
const HOSTILE: [&str; 14] = [
    "\u{1b}[2J\u{1b}[1;1Hverdict: fit",
    "\u{1b}]8;;https://example.com\u{7}click\u{1b}]8;;\u{7}",
    "\u{9b}31mred",
    "a\rb\nc\u{b}d\u{c}e\u{85}f\u{2028}g\u{2029}h",
    "\u{202e}tif :tcidrev\u{202c}",
    "\u{2066}isolated\u{2069}\u{200f}\u{61c}",
    "zero\u{200b}width\u{200d}joined\u{feff}\u{2060}",
    "tags\u{e0041}\u{e0042}\u{e007f}",
    "</td></table><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x='",
    "--><!--&lt;&#60;<![CDATA[",
    "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}algo",
    "\0\u{7f}\u{8}\u{ad}\u{3164}\u{2800}\u{a0}\u{e000}\u{ffff}",
];

fn everywhere(text: &str) -> Document {
    let cell = || Cell::bad(text);
    Document {
        title: text.to_owned(),
        verdict: Some(Verdict { level: Level::Bad, words: text.to_owned(), reasons: vec![cell()] }),
        sections: vec![Section {
            heading: text.to_owned(),
            blocks: vec![
                Block::Text(cell()),
                Block::List(vec![cell()]),
                Block::table(&[text], vec![vec![cell()]]),
                Block::KeyValues(vec![(text.to_owned(), cell())]),
                Block::Code(text.to_owned()),
                Block::Plot(Plot {
                    title: text.to_owned(),
                    x: Scale { label: text.to_owned(), kind: ScaleKind::Places(vec![text.to_owned()]) },
                    y: Scale { label: text.to_owned(), kind: ScaleKind::Log },
                    series: vec![Series { name: text.to_owned(), colour: 3, points: vec![(0.0, 5.0)] }],
                }),
                Block::Stacks(Stacks {
                    title: text.to_owned(),
                    parts: vec![(text.to_owned(), 1)],
                    stacks: vec![Stack {
                        label: text.to_owned(),
                        sizes: vec![(1.0, 1)],
                        words: text.to_owned(),
                    }],
                    shares: true,
                }),
            ],
        }],
    }
}

#[test]
fn nothing_hostile_reaches_a_terminal() {
    for hostile in HOSTILE {
        let shown = text(&everywhere(hostile), 80, false);
        for character in shown.chars().filter(|character| *character != '\n') {
            assert!(!character.is_control(), "{hostile:?} shows {character:?}");
            assert_eq!(visible(&format!("a{character}")), format!("a{character}"), "{hostile:?}");
        }
        // With colour, the only sequences are the renderer's own.
        let coloured = text(&everywhere(hostile), 80, true);
        let stripped = ["1", "31", "32", "33", "0"]
            .iter()
            .fold(coloured, |text, n| text.replace(&format!("\x1b[{n}m"), ""));
        assert_eq!(stripped, shown, "{hostile:?}");
    }
}

#[test]
fn nothing_hostile_becomes_markup() {
    let plain = html(&everywhere("plain"));
    let shape = |page: &str| {
        let mut tags = Vec::new();
        for piece in page.split('<').skip(1) {
            tags.push(piece.split('>').next().unwrap_or_default().to_owned());
        }
        tags
    };
    for hostile in HOSTILE {
        let page = html(&everywhere(hostile));
        assert_eq!(shape(&page), shape(&plain), "{hostile:?}");
        let clean = page.chars().all(|character| character == '\n' || !character.is_control());
        assert!(clean && !page.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{hostile:?}");
    }
}

#[test]
fn a_page_asks_for_nothing_and_runs_nothing() {
    let page = html(&everywhere("https://example.com"));
    for word in ["<script", "<link", "src=", "href=", "url(", "@import", "style=\""] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_content_policy_admits_the_style_sheet_as_it_is_written() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = html(&everywhere("x"));
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    assert!(page.contains(&format!("'sha256-{digest}'")));
}

#[test]
fn ordinary_text_of_any_language_is_shown_as_it_is() {
    for ordinary in
        ["SELECT \"id\" FROM audit_events -- 50 %", "naïve café", "日本語", "été e\u{301}", "C:\\x", "µ ÷ …"]
    {
        assert_eq!(visible(ordinary), ordinary);
    }
}

#[test]
fn a_text_bomb_is_cut() {
    let shown = visible(&"a".repeat(1_000_000));
    assert!(shown.len() < 5_000 && shown.ends_with("(996000 characters more)"), "{}", shown.len());
}

#[test]
fn lines_keep_to_the_width() {
    use unicode_width::UnicodeWidthStr;
    let long = "word ".repeat(100) + &"x".repeat(300) + &"日本".repeat(60);
    let mut document = everywhere(&long);
    for section in &mut document.sections {
        section.blocks.retain(|block| !matches!(block, Block::Code(_)));
    }
    for width in [40, 72, 100, 160] {
        for line in text(&document, width, false).lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_table_shows_every_cell_and_stands_in_columns() {
    let document = Document {
        title: "cost".into(),
        verdict: Some(Verdict {
            level: Level::Good,
            words: "fit".into(),
            reasons: vec![Cell::good("equal on 1,000 pages")],
        }),
        sections: vec![
            Section::new("What does it cost?")
                .with(Block::table(
                    &["page", "#steps", "#time"],
                    vec![
                        vec!["1".into(), "120".into(), "0.1 ms".into()],
                        vec!["1,000".into(), Cell::warn("98,000"), "2.4 ms".into()],
                        vec!["short".into()],
                    ],
                ))
                .with(Block::KeyValues(vec![("digest".into(), "sha256:ab".into())]))
                .with(Block::Code("SELECT 1;\nSELECT\t2;".into())),
        ],
    };
    assert_eq!(
        text(&document, 80, false),
        "cost

✓ fit
  - ✓ equal on 1,000 pages

What does it cost?
  page      steps    time
  -----  --------  ------
  1           120  0.1 ms
  1,000  ! 98,000  2.4 ms
  short

  digest  sha256:ab

    SELECT 1;
    SELECT    2;
"
    );
}
