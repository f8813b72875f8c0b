// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program with 500 spawned future types: one function, 500 instances of it, each with code of its own.
//! One unit is one timer tick of one task.

use load::{answer, chew, option, ready, Work};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

async fn tick<const N: u64>(work: &'static Work) {
    let mut state = N;
    tokio::time::sleep(Duration::from_micros(N * 20)).await;
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        // N is in the code, so that no two instances are the same function.
        state = chew(20 + N % 7, state ^ (N * 0x9e37_79b9));
        work.slot(N as usize).add(1);
    }
}

fn start<const N: u64>(rt: &Runtime, work: &'static Work) {
    rt.spawn(tick::<N>(work));
}

macro_rules! ten {
    ($rt:expr, $work:expr, $base:expr) => {
        ten!(@ $rt, $work, $base, 0 1 2 3 4 5 6 7 8 9)
    };
    (@ $rt:expr, $work:expr, $base:expr, $($n:literal)*) => {
        $(start::<{ $base * 10 + $n }>($rt, $work);)*
    };
}

macro_rules! hundred {
    ($rt:expr, $work:expr, $($base:literal)*) => {
        $(
            ten!($rt, $work, $base * 10);
            ten!($rt, $work, $base * 10 + 1);
            ten!($rt, $work, $base * 10 + 2);
            ten!($rt, $work, $base * 10 + 3);
            ten!($rt, $work, $base * 10 + 4);
            ten!($rt, $work, $base * 10 + 5);
            ten!($rt, $work, $base * 10 + 6);
            ten!($rt, $work, $base * 10 + 7);
            ten!($rt, $work, $base * 10 + 8);
            ten!($rt, $work, $base * 10 + 9);
        )*
    };
}

fn main() {
    let work = Work::new(500);
    let rt = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    hundred!(&rt, work, 0 1 2 3 4);
    ready("types500", None);
    answer(work, option("--seconds"));
}
