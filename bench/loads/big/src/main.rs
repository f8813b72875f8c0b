// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program of more than 80 MB with complete debuginfo: the standard collections instantiated for many element types,
//! the way a large service has them, with all the inlined frames this brings. Built with the `fat` profile.
//! One unit is one round of one task.

use load::{answer, option, ready, Work};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// As many element types as it takes for 80 MB and some.
const INSTANCES: usize = 50;

/// An element type of its own for each N, so that nothing is shared between instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Item<const N: usize>([u16; N]);

impl<const N: usize> Item<N> {
    fn new(seed: usize) -> Self {
        Item(std::array::from_fn(|i| (seed * 31 + i * N) as u16))
    }
}

fn ordered<const N: usize>(seed: usize) -> usize {
    let mut map: BTreeMap<Item<N>, u32> = (0..20).map(|i| (Item::new(seed + i), i as u32)).collect();
    let cut = Item::new(seed + 9);
    let upper = map.split_off(&cut);
    map.retain(|_, v| *v % 3 != 0);
    map.extend(upper.range(cut..).map(|(k, v)| (k.clone(), v + 1)));
    map.entry(Item::new(seed)).and_modify(|v| *v += 1).or_insert(7);
    map.iter().rev().filter(|(k, _)| k.0[0] % 2 == 0).count() + map.len()
}

fn hashed<const N: usize>(seed: usize) -> usize {
    let mut map: HashMap<Item<N>, Vec<Item<N>>> = HashMap::new();
    for i in 0..16 {
        map.entry(Item::new(seed + i % 5)).or_default().push(Item::new(i));
    }
    map.remove(&Item::new(seed));
    map.values_mut().for_each(|v| v.sort());
    map.iter().map(|(k, v)| k.0.len() + v.len()).sum()
}

fn queued<const N: usize>(seed: usize) -> usize {
    let mut queue: VecDeque<Item<N>> = (0..12).map(|i| Item::new(seed ^ i)).collect();
    queue.rotate_left(3);
    queue.make_contiguous().sort_by(|a, b| b.cmp(a));
    let mut rest: Vec<Item<N>> = queue.drain(2..8).chain([Item::new(seed)]).collect();
    rest.sort_unstable();
    rest.dedup();
    format!("{:?}", rest.first()).len() + queue.len()
}

async fn rounds<const N: usize>(work: &'static Work) {
    for seed in 0usize.. {
        let sum = ordered::<N>(seed) + hashed::<N>(seed) + queued::<N>(seed);
        std::hint::black_box(sum);
        work.slot(N).add(1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn start<const N: usize>(rt: &Runtime, work: &'static Work) {
    rt.spawn(rounds::<N>(work));
}

fn start_all(rt: &Runtime, work: &'static Work) {
    macro_rules! instances {
        ($($tens:literal)*) => {
            $(
                start::<{ $tens * 10 + 1 }>(rt, work);
                start::<{ $tens * 10 + 2 }>(rt, work);
                start::<{ $tens * 10 + 3 }>(rt, work);
                start::<{ $tens * 10 + 4 }>(rt, work);
                start::<{ $tens * 10 + 5 }>(rt, work);
                start::<{ $tens * 10 + 6 }>(rt, work);
                start::<{ $tens * 10 + 7 }>(rt, work);
                start::<{ $tens * 10 + 8 }>(rt, work);
                start::<{ $tens * 10 + 9 }>(rt, work);
                start::<{ $tens * 10 + 10 }>(rt, work);
            )*
        };
    }
    instances!(0 1 2 3 4);
}

fn main() {
    let work = Work::new(INSTANCES + 1);
    let rt = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    start_all(&rt, work);
    ready("big", None);
    answer(work, option("--seconds"));
}
