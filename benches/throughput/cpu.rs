//! CPU time of other processes, from /proc; zero where there is none.

use std::path::Path;

/// Clock ticks per second of /proc on every Linux that we meet.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system seconds of a process; with its ended children where it has waited for them.
pub(crate) fn seconds(pid: u32, with_children: bool) -> f64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return 0.0;
    };
    // The name in parentheses may contain blanks; the fields after it do not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let tick = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    let own = tick(11) + tick(12);
    let children = if with_children { tick(13) + tick(14) } else { 0.0 };
    (own + children) / TICKS_PER_SECOND
}

/// The same for a whole family: the process, its ended children and its living ones.
pub(crate) fn family_seconds(pid: u32) -> f64 {
    let living = Path::new("/proc").join(pid.to_string()).join("task").join(pid.to_string()).join("children");
    let living = std::fs::read_to_string(living).unwrap_or_default();
    let of_living: f64 =
        living.split_whitespace().filter_map(|pid| pid.parse().ok()).map(|pid| seconds(pid, true)).sum();
    seconds(pid, true) + of_living
}
