//! Reports as HTML: what another parser makes of them.

use std::io::Write;
use std::process::{Command, Stdio};

use keyhole::report::{Block, Cell, Document, Level, Section, Verdict, html};

/// Walks the page with Python's parser: every element closed in order, no element or attribute that
/// could run or fetch anything, and the text as one line.
const CHECK: &str = r#"
import sys
from html.parser import HTMLParser
VOID = {"meta", "br", "hr", "rect"}
class Check(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.tags = [], [], []
    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert tag not in {"script", "iframe", "img", "link", "object", "embed", "base", "form", "a"}, tag
        for name, value in attributes:
            assert not name.startswith("on") and name not in {"src", "href", "style", "action"}, name
        if tag not in VOID:
            self.open.append(tag)
    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open.pop() == tag, tag
    def handle_comment(self, data):
        raise AssertionError("a comment: " + data)
    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style"}:
            self.text.append(data)
page = sys.stdin.buffer.read().decode("utf-8", "strict")
check = Check()
check.feed(page)
check.close()
assert check.open == [], check.open
assert {"html", "head", "body", "h1", "h2", "table"} <= set(check.tags)
sys.stdout.buffer.write("".join(check.text).encode())
"#;

fn parsed(page: &str) -> String {
    let mut python = Command::new("python3")
        .args(["-c", CHECK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "the page is not well formed: {page}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_page_with_hostile_text_everywhere_is_well_formed_and_shows_the_text() {
    for hostile in [
        "</title><script>alert(1)</script>",
        "</style><img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>",
        "'--><!-- <![CDATA[ ]]> &lt; &#x3c; &bogus;",
        "</bdi></td></tr></table></main></body></html>",
        "<?php ?> <%= %> <!doctype html>",
    ] {
        let cell = || Cell::warn(hostile);
        let document = Document {
            title: hostile.to_owned(),
            verdict: Some(Verdict { level: Level::Bad, words: hostile.to_owned(), reasons: vec![cell()] }),
            sections: vec![
                Section::new(hostile)
                    .with(Block::text(cell()))
                    .with(Block::List(vec![cell(), cell()]))
                    .with(Block::table(&[hostile, "#n"], vec![vec![cell(), cell()], vec![]]))
                    .with(Block::KeyValues(vec![(hostile.to_owned(), cell())]))
                    .with(Block::Code(format!("{hostile}\n{hostile}"))),
            ],
        };
        let text = parsed(&html(&document));
        // Title twice, verdict and its reason, heading, paragraph, list, table, pairs, code.
        assert_eq!(text.matches(hostile).count(), 15, "{hostile}: {text}");
    }
}
