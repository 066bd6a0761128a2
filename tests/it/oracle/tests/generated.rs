//! A whole generated log: the judge is quick enough for it, and does not care in what order and how often it is told.

use std::collections::BTreeMap;

use super::*;
use crate::support::milepost;

fn generated(arguments: &[&str]) -> Oracle {
    let output = milepost().arg("generate").args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Oracle::read(output.stdout.split(|byte| *byte == b'\n'))
}

#[test]
fn a_log_repeated_shuffled_and_with_broken_lines_says_the_same() {
    let size = ["--events", "20000", "--people", "1000"];
    let usual = generated(&size);
    let troubled = generated(&[&size[..], &["--duplicates", "0.2", "--shuffle", "0.5", "--poison", "0.05"]].concat());
    for now in [day(-200), day(-20), day(0), day(500)] {
        assert_eq!(troubled.expected(now), usual.expected(now));
    }
    let expected = usual.expected(day(-20));
    let mut people = BTreeMap::new();
    for (_, name) in expected.flags.keys().chain(expected.milestones.keys()) {
        *people.entry(name.as_str()).or_insert(0) += 1;
    }
    eprintln!("{people:#?}");
    for name in ["buddy_match_active", "buddy_active", "buddy_checkin_due", "buddy_feedback_pending"] {
        assert!(people.get(name).is_some_and(|count| *count > 10), "{name} is held by some: {people:?}");
    }
}
