use super::*;
use crate::ui::pulse::{MINUTES, Spread};

fn squeezed(svg: &impl ToString) -> String {
    svg.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_hour_is_drawn_and_said() {
    let (mut good, mut bad) = ([0; MINUTES], [0; MINUTES]);
    (good[0], good[59], bad[59]) = (1, 60, 20);
    insta::assert_snapshot!(squeezed(&Sparkline::new(("events", &good), ("refused", &bad))));
    insta::assert_snapshot!(squeezed(&Sparkline::new(("events", &[0; MINUTES]), ("refused", &[0; MINUTES]))));
}

#[test]
fn a_distribution_is_drawn_and_said() {
    assert!(Histogram::new("Commits", &Spread::default()).is_none());
    let spread = Spread::of([400, 900, 1_500, 1_700, 8_000, 40_000_000]);
    insta::assert_snapshot!(squeezed(&Histogram::new("Commits", &spread).unwrap()));
}

#[test]
fn a_share_and_a_budget_are_drawn_and_said() {
    assert!(Share::new(0, 0, "verified").is_none());
    insta::assert_snapshot!(squeezed(&Share::new(1, 400, "verified").unwrap()));
    insta::assert_snapshot!(squeezed(&Meter::new(21, 28, (60, 90), "21 of 28 <hours>".to_owned())));
}
