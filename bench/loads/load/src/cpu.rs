// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads that need no network.

use load::{chew, option, Work};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

type Started = (&'static Work, Option<u16>);

/// A multi-thread runtime that lives as long as the process.
pub fn runtime(workers: usize) -> &'static Runtime {
    let rt = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    Box::leak(Box::new(rt.expect("runtime")))
}

/// Returns once to the scheduler and is woken at once. Not `yield_now`: that one is woken only when the worker has
/// been through its driver, which would be most of the work.
struct Again(bool);

impl Future for Again {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// One unit is one poll.
pub fn storm() -> Started {
    let workers = option("--workers").unwrap_or(1);
    let tasks = workers * option("--tasks").unwrap_or(8usize);
    let work = Work::new(tasks);
    let rt = runtime(workers);
    for i in 0..tasks {
        rt.spawn(async move {
            loop {
                work.slot(i).add(1);
                Again(false).await;
            }
        });
    }
    (work, None)
}

fn pin_to(cpu: usize) {
    // SAFETY: cpu_set_t is plain bits; CPU_SET bounds the index itself.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}

/// The last CPU, unless the command line says otherwise: the harness itself then stays on the others.
fn chosen_cpu() -> usize {
    // SAFETY: plain call.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize;
    option("--cpu").unwrap_or(online - 1)
}

/// One unit is one message, which is one context switch: both threads share one CPU.
pub fn pingpong() -> Started {
    let work = Work::new(2);
    let cpu = chosen_cpu();
    let (to_b, from_a) = mpsc::unbounded_channel::<u64>();
    let (to_a, from_b) = mpsc::unbounded_channel::<u64>();
    to_a.send(0).expect("open channel");
    for (i, (tx, mut rx)) in [(to_b, from_b), (to_a, from_a)].into_iter().enumerate() {
        std::thread::spawn(move || {
            pin_to(cpu);
            // No driver: parking is a futex wait, the shortest way from one thread to the other.
            let rt = Builder::new_current_thread().build().expect("runtime");
            let bounce = async move {
                while let Some(n) = rx.recv().await {
                    work.slot(i).add(1);
                    if tx.send(n + 1).is_err() {
                        break;
                    }
                }
            };
            let _ = rt.block_on(async move { tokio::spawn(bounce).await });
        });
    }
    (work, None)
}

/// One unit is one task: spawned, polled, joined, freed.
pub fn spawn() -> Started {
    let workers = option("--workers").unwrap_or(2);
    let work = Work::new(workers);
    let rt = runtime(workers);
    for i in 0..workers {
        rt.spawn(async move {
            loop {
                let batch: Vec<_> = (0..64u64).map(|n| tokio::spawn(async move { chew(4, n) })).collect();
                for task in batch {
                    let _ = task.await;
                    work.slot(i).add(1);
                }
            }
        });
    }
    (work, None)
}

/// One unit is one timer tick.
pub fn idle50() -> Started {
    const TIMERS: usize = 100;
    let work = Work::new(TIMERS);
    let rt = runtime(50);
    for i in 0..TIMERS {
        rt.spawn(async move {
            // Started one after the other, so that they do not all fire in the same millisecond.
            tokio::time::sleep(Duration::from_millis(i as u64)).await;
            let mut tick = tokio::time::interval(Duration::from_millis(100));
            loop {
                tick.tick().await;
                chew(2_000, i as u64);
                work.slot(i).add(1);
            }
        });
    }
    (work, None)
}

/// One unit is a thousandth of a computing block, so that windows of a second hold many of them.
pub fn blocks() -> Started {
    let work = Work::new(1);
    let rt = runtime(2);
    rt.spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for n in 0u64.. {
            tick.tick().await;
            if n % 2 == 0 {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            for _ in 0..1_000 {
                chew(10_000, n);
                work.slot(0).add(1);
            }
        }
    });
    (work, None)
}

/// One unit is 10 000 rounds of arithmetic: the ruler for what an interrupt costs.
pub fn spin() -> Started {
    let work = Work::new(1);
    let cpu = chosen_cpu();
    std::thread::spawn(move || {
        pin_to(cpu);
        loop {
            chew(10_000, 1);
            work.slot(0).add(1);
        }
    });
    (work, None)
}
