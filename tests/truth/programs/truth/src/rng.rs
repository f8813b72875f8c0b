// SPDX-License-Identifier: MIT OR Apache-2.0
//! SplitMix64: the same seed gives the same program.

use std::time::Duration;

#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn fork(&mut self) -> Rng {
        Rng(self.next())
    }

    /// Between the two, in milliseconds, to the microsecond.
    pub fn millis(&mut self, low: f64, high: f64) -> Duration {
        let part = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        Duration::from_micros(((low + (high - low) * part) * 1000.0) as u64)
    }
}
