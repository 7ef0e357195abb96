//! What is printed, as text and as JSON.

use super::*;

#[test]
fn the_bound_is_the_rule_of_three_over_non_empty_pages() {
    assert_eq!(verdict::rule_of_three(0), None);
    assert_eq!(verdict::rule_of_three(3), None);
    assert_eq!(verdict::rule_of_three(300), Some(0.01));
    let log = log_of(300);
    let mut asked = vec![everything(3); 61];
    asked.push(PageRequest { position: Position::Page(101), ..everything(3) });
    let text = render(&run(&log, Twist::Not, &stream(asked), &[]).unwrap());
    let wanted = "\
keyset against baseline
  stream     pages  non-empty      events  outcome
  dense         62         61         183  equal; under 3/61 = 4.9 % of such pages differ (95 %)
equal: 62 pages, 61 of them non-empty, 183 events; under 3/61 = 4.9 % of such pages differ (95 %)
";
    assert_eq!(text, wanted);
    let text = render(&run(&log, Twist::Not, &stream(vec![everything(3)]), &[]).unwrap());
    assert!(text.contains("equal; too few non-empty pages to bound anything"), "{text}");
    assert!(render(&run(&log, Twist::Not, &[], &[]).unwrap()).ends_with("nothing compared\n"));
}

#[test]
fn a_difference_is_printed_with_both_sides_and_how_to_repeat_it() {
    let log = log_of(40);
    let names = Names { subject: "./it's new.wasm", reference: "baseline", options: &[] };
    let mut subject = Fake::new(&log, Twist::EarlyEnd);
    let mut reference = Fake::new(&log, Twist::Not);
    let streams = stream(vec![everything(10)]);
    let report = verify(&mut subject, &mut reference, names, &streams, &[], &mut |_, _, _| Ok(())).unwrap();
    assert_eq!(serde_json::to_string_pretty(&report).unwrap(), include_str!("golden.json").trim_end());
    assert_eq!(render(&report), include_str!("golden.txt"));
}

#[test]
fn a_failure_is_a_side_with_its_code() {
    let log = log_of(40);
    let report = run(&log, Twist::Traps, &stream(vec![everything(10)]), &[]).unwrap();
    let found = &report.streams[0].differences[0];
    assert_eq!(found.what, "the strategy trapped: unreachable");
    assert_eq!(
        found.subject,
        Side::Failed { error: "trapped", message: "the strategy trapped: unreachable".into() }
    );
    assert!(render(&report).ends_with("differs: trapped\n"));
}
