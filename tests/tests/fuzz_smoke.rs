//! Every fuzz target, briefly and the same way each time: its seeds, all their beginnings, and mutations of them.

use std::collections::BTreeSet;
use std::path::Path;

use corecast_tests::fuzz::{TARGETS, Target, mutated};

/// Takes a few seconds for all targets together.
const MUTATIONS: usize = 50_000;

/// Tells which input broke a target.
struct Shown<'a>(&'a Target, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {} failed on b\"{}\"", self.0.name, self.1.escape_ascii());
        }
    }
}

fn feed(target: &Target, input: &[u8]) {
    let _shown = Shown(target, input);
    (target.run)(input);
}

#[test]
fn no_input_breaks_a_target() {
    for target in TARGETS {
        for seed in target.seeds {
            (0..=seed.len()).for_each(|end| feed(target, &seed[..end]));
        }
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..MUTATIONS {
            feed(target, &mutated(&mut rng, target.seeds));
        }
    }
}

#[test]
fn every_target_can_be_fuzzed_by_coverage() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let files = std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    let files: BTreeSet<_> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(files, names, "files in tests/fuzz/fuzz_targets and names in TARGETS");
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "tests/fuzz/Cargo.toml has no [[bin]] {name}"
        );
        let wrapper = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(wrapper.contains(&format!("fuzz::{name}::TARGET")), "{name}.rs runs another target");
    }
}
