use super::super::chart::{Scale, ScaleKind};
use super::*;

fn plot(points: &[(f64, f64)]) -> Plot {
    Plot {
        title: "service <time>".to_owned(),
        x: Scale { label: "page number".to_owned(), kind: ScaleKind::Log },
        y: Scale { label: "µs".to_owned(), kind: ScaleKind::Log },
        series: vec![Series { name: "key\u{202e}set".to_owned(), colour: 11, points: points.to_vec() }],
    }
}

#[test]
fn a_plot_says_its_values_where_they_are_pointed_at_and_holds_no_markup_of_others() {
    let mut out = String::new();
    write_plot(&mut out, &plot(&[(1.0, 20.0), (1_000.0, 25.5)])).unwrap();
    assert!(out.contains("service &lt;time&gt;") && !out.contains("<time>"), "{out}");
    assert!(out.contains("key\\u{202e}set: 25.5 µs at page number 1,000"), "{out}");
    assert_eq!(out.matches("<polyline class=\"line c1\"").count(), 2, "for wide and for narrow: {out}");
    assert_eq!(out.matches("<circle").count(), 4, "{out}");
    assert!(!out.contains("style=") && !out.contains("<script") && !out.contains("NaN"), "{out}");
}

#[test]
fn a_plot_of_nothing_says_so() {
    for points in [&[][..], &[(0.0, 0.0)], &[(f64::NAN, 1.0)]] {
        let mut out = String::new();
        write_plot(&mut out, &plot(points)).unwrap();
        assert!(out.contains("Nothing was measured.") && !out.contains("<svg"), "{out}");
    }
}

#[test]
fn stacks_show_shares_or_sizes() {
    let stack = |label: &str, sizes: &[f64]| Stack {
        label: label.to_owned(),
        sizes: sizes.iter().copied().zip(0..).collect(),
        words: format!("{label} in all"),
    };
    let parts = vec![("queue".to_owned(), 0), ("guest".to_owned(), 1)];
    let stacks = vec![stack("slow", &[30.0, 10.0]), stack("fast", &[1.0, f64::NAN])];
    let draw = |shares| {
        let stacks =
            Stacks { title: "phases".to_owned(), parts: parts.clone(), stacks: stacks.clone(), shares };
        let mut out = String::new();
        write_stacks(&mut out, &stacks).unwrap();
        out
    };
    let (shares, sizes) = (draw(true), draw(false));
    for out in [&shares, &sizes] {
        assert!(out.contains("x=\"75.00%\" width=\"25.00%\"") && !out.contains("NaN%"), "{out}");
        assert!(out.contains("guest: 10.0 (25 %)"), "{out}");
    }
    assert!(shares.contains("x=\"0.00%\" width=\"100.00%\""), "{shares}");
    assert!(sizes.contains("x=\"0.00%\" width=\"2.50%\""), "{sizes}");
}
