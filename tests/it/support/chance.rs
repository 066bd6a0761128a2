//! Chance that can be repeated: every random test takes its seed from here and says it.

use proptest::test_runner::{Config, RngSeed};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// The seeds of a test's cases. MILEPOST_TEST_SEED runs one case with that seed only.
pub(crate) fn seeds(cases: u64) -> Vec<u64> {
    match std::env::var("MILEPOST_TEST_SEED") {
        Ok(seed) => vec![seed.parse().expect("MILEPOST_TEST_SEED is a number")],
        Err(_) => (1..=cases).collect(),
    }
}

/// Randomness from a seed, which is printed; the output of a test is shown when it fails.
pub(crate) fn chance(seed: u64) -> StdRng {
    eprintln!("to repeat this case: MILEPOST_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// So many cases of a property, the same in each run. PROPTEST_RNG_SEED makes them others.
pub(crate) fn cases(cases: u32) -> Config {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    match config.rng_seed {
        RngSeed::Random => Config { rng_seed: RngSeed::Fixed(1), ..config },
        RngSeed::Fixed(_) => config,
    }
}
