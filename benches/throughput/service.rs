//! A service that runs, and what its metrics say of the time from publication to commit.

use std::io::BufRead;
use std::process::Child;

pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// A service that was just started, with its log in a pipe.
    pub(crate) fn of(mut child: Child) -> Self {
        let mut lines = std::io::BufReader::new(child.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("address=")).expect("it says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: line.split("address=").nth(1).unwrap_or_default().trim().to_owned() }
    }

    pub(crate) fn latencies(&self) -> Latencies {
        let address = format!("http://{}/metrics", self.address);
        let text = ureq::get(address).call().expect("metrics").body_mut().read_to_string().expect("a text");
        Latencies::of(&text)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// From publication to commit: upper bounds of histogram buckets in seconds, and how many were faster.
pub(crate) struct Latencies(Vec<(f64, f64)>);

impl Latencies {
    fn of(metrics: &str) -> Self {
        let bucket = |line: &str| {
            let (bound, count) =
                line.strip_prefix("milepost_commit_latency_seconds_bucket{le=\"")?.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
        };
        Self(metrics.lines().filter_map(bucket).collect())
    }

    /// Those after an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.0.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|(bound, count)| (*bound, count - before(*bound))).collect())
    }

    /// How many.
    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The upper bound of the bucket in which a quantile lies.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let bucket = self.0.iter().find(|(_, count)| *count >= share * self.count());
        bucket.map_or(f64::NAN, |(bound, _)| *bound)
    }
}
