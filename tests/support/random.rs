//! Numbers that a seed decides.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};

/// SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators", 2014).
pub struct Random(pub u64);

impl Random {
    /// From `RUNNER_SEED`, else from nowhere. The seed is printed, so that the run can be repeated.
    pub fn new() -> Self {
        let given = env::var("RUNNER_SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().build_hasher().finish() % 1_000_000,
            |seed| seed.parse().expect("RUNNER_SEED is a number"),
        );
        eprintln!("RUNNER_SEED={seed}");
        Self(seed)
    }

    /// The generator for the `i`th case.
    pub fn of_case(&self, i: u64) -> Self {
        Self(self.0.wrapping_add(i * 7919))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for n in (1..all.len()).rev() {
            all.swap(n, self.below(n as u64 + 1) as usize);
        }
    }
}
