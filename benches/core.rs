//! The core alone: decoding and validating one event of each type, without any server.

use std::collections::BTreeMap;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use milepost::cli::generate;
use milepost::decode::decode;
use milepost::domain::{Domain, Source};

/// A generated log by event type.
fn by_type() -> BTreeMap<String, Vec<Bytes>> {
    let args = generate::Args {
        events: 20_000,
        seed: 7,
        people: None,
        duplicates: 0.0,
        shuffle: 0.0,
        poison: 0.0,
        retellings: 0.0,
    };
    let mut log = Vec::new();
    generate::run(&args, &mut log).expect("a log");
    let mut types: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: serde_json::Value = serde_json::from_slice(line).expect("an event");
        let name = event["type"].as_str().expect("a type").to_owned();
        types.entry(name).or_default().push(Bytes::copy_from_slice(line));
    }
    types
}

fn decoding(criterion: &mut Criterion) {
    let domain = Domain::load(&Source::BuiltIn).expect("the domain compiles");
    let mut group = criterion.benchmark_group("decode");
    for (name, lines) in by_type() {
        assert!(lines.iter().all(|line| decode(&domain, &name, line).is_ok()), "every event of {name} decodes");
        let mut next = lines.iter().cycle();
        group.throughput(Throughput::Elements(1));
        group.bench_function(&name, |bencher| {
            bencher.iter(|| decode(&domain, &name, black_box(next.next().expect("endless"))));
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
