// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sites that compute.

use crate::clock::{keep, now_ns, HELD};
use crate::Task;

/// Computing, in the function that names it; each place differently, or they would become one function.
macro_rules! burn {
    ($different:expr) => {{
        let end = now_ns() + HELD.as_nanos() as u64;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 + $different;
        let mut rounds = 0_u64;
        while rounds % 4096 != 0 || now_ns() < end {
            state = keep((state ^ (state >> (10 + $different))).wrapping_mul(0x2545_f491_4f6c_dd1d));
            rounds += 1;
        }
        state
    }};
}

#[inline(never)]
fn plain() -> u64 {
    burn!(1)
}

#[inline(always)]
fn inlined() -> u64 {
    burn!(2)
}

#[inline(never)]
fn generic<T: Default + Into<u64>>() -> u64 {
    burn!(3) + T::default().into()
}

mod left {
    use super::*;

    #[inline(never)]
    pub fn same_name() -> u64 {
        burn!(4)
    }
}

mod right {
    use super::*;

    #[inline(never)]
    pub fn same_name() -> u64 {
        burn!(5) + 1
    }
}

pub struct Pool<T> {
    item: T,
}

pub struct Other;

impl<T: Copy + Into<u64>> Pool<T> {
    #[inline(never)]
    fn work(&self) -> u64 {
        burn!(6) + self.item.into()
    }
}

impl Other {
    #[inline(never)]
    fn work(&self) -> u64 {
        burn!(7) + 2
    }
}

pub trait Job {
    fn job(&self) -> u64;

    #[inline(never)]
    fn provided(&self) -> u64 {
        burn!(8) + 3
    }
}

impl<T: Copy + Into<u64>> Job for Pool<T> {
    #[inline(never)]
    fn job(&self) -> u64 {
        burn!(9) + self.item.into() + 4
    }
}

impl Job for Other {
    #[inline(never)]
    fn job(&self) -> u64 {
        burn!(10) + 5
    }
}

impl Job for [u8; 4] {
    #[inline(never)]
    fn job(&self) -> u64 {
        burn!(11) + 6
    }
}

mod far {
    use super::*;

    impl Other {
        #[inline(never)]
        pub fn elsewhere(&self) -> u64 {
            burn!(12) + 7
        }
    }

    impl Job for &'static str {
        #[inline(never)]
        fn job(&self) -> u64 {
            burn!(13) + self.len() as u64
        }
    }
}

#[inline(never)]
fn with_closures(which: u32) -> u64 {
    let first = |x: u64| burn!(14) + x;
    let second = |x: u64| burn!(15) + x * 3;
    if which == 0 {
        first(1)
    } else {
        second(2)
    }
}

#[inline(never)]
fn in_iterator() -> u64 {
    (0..keep(1)).map(|x| burn!(16) + x).sum()
}

#[inline(never)]
fn recursive(depth: u32) -> u64 {
    if depth == 0 {
        burn!(17)
    } else {
        recursive(depth - 1) + keep(1)
    }
}

async fn directly() {
    keep(burn!(18));
}

async fn in_async_helper() {
    async fn helper() {
        keep(burn!(19) + 11);
    }
    helper().await;
}

async fn in_blocks() {
    async { keep(burn!(20) + 12) }.await;
}

fn block_in_function(which: u32) -> Task {
    if which == 0 {
        Box::pin(async { keep(burn!(21) + 13); })
    } else {
        Box::pin(async { keep(burn!(22) + 14); })
    }
}

/// An async function that calls another one which blocks.
async fn through_another() {
    directly_called().await;
    keep(1);
}

async fn directly_called() {
    keep(burn!(23) + 15);
}

#[inline(never)]
fn sort_of_library() -> u64 {
    let end = now_ns() + HELD.as_nanos() as u64;
    let mut items: Vec<u64> = (0..20_000).map(|x: u64| x.wrapping_mul(0x2545_f491_4f6c_dd1d)).collect();
    while now_ns() < end {
        items.iter_mut().for_each(|x| *x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        items.sort_unstable();
    }
    items[keep(0) as usize]
}

pub type Site = (&'static str, fn(u32) -> Task);

/// Each in an async function of its own, as handlers are.
macro_rules! task {
    ($name:ident, $work:expr) => {{
        async fn $name() {
            keep($work);
        }
        |_| Box::pin($name())
    }};
}

pub fn sites() -> Vec<Site> {
    vec![
        ("busy-plain", task!(call_plain, plain())),
        ("busy-inlined", task!(call_inlined, inlined())),
        ("busy-generic", task!(call_generic, generic::<u32>())),
        ("busy-left", task!(call_left, left::same_name())),
        ("busy-right", task!(call_right, right::same_name())),
        ("busy-method", task!(call_method, Pool { item: 1_u32 }.work())),
        ("busy-other-method", task!(call_other, Other.work())),
        ("busy-trait-generic", task!(call_job, Pool { item: 1_u32 }.job())),
        ("busy-trait", task!(call_other_job, Other.job())),
        ("busy-trait-provided", task!(call_provided, Other.provided())),
        ("busy-trait-array", task!(call_array, [1_u8, 2, 3, 4].job())),
        ("busy-trait-foreign", task!(call_foreign, "text".job())),
        ("busy-impl-elsewhere", task!(call_elsewhere, Other.elsewhere())),
        ("busy-closure-0", task!(call_first, with_closures(0))),
        ("busy-closure-1", task!(call_second, with_closures(1))),
        ("busy-iterator", task!(call_iterator, in_iterator())),
        ("busy-recursive", task!(call_recursive, recursive(3))),
        ("busy-async-fn", |_| Box::pin(directly())),
        ("busy-async-helper", |_| Box::pin(in_async_helper())),
        ("busy-async-other", |_| Box::pin(through_another())),
        ("busy-async-block", |_| Box::pin(in_blocks())),
        ("busy-block-0", |_| block_in_function(0)),
        ("busy-block-1", |_| block_in_function(1)),
        ("busy-sort", task!(call_sort, sort_of_library())),
    ]
}
