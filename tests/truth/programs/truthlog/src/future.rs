// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wrapper around futures, and ways to spawn them that also log their Tokio ids.

use std::fmt::Debug;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::answers::{number_of, Answer};
use crate::clock;
use crate::log::{Record, ThreadLog};
use crate::span::{Kind, Role, Span};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// With CPU, run-queue time and faults: about 8 µs a poll, for futures that may block.
    Full,
    /// Start and end only: about 0.17 µs a poll.
    Light,
}

/// A future every poll and drop of which is logged.
pub struct Logged<F> {
    inner: ManuallyDrop<F>,
    task: u32,
    kind: Kind,
    roles: Role,
    detail: Detail,
}

impl<F> Logged<F> {
    fn new(inner: F, kind: Kind, roles: Role, detail: Detail) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let task = NEXT.fetch_add(1, Ordering::Relaxed);
        Logged { inner: ManuallyDrop::new(inner), task, kind, roles, detail }
    }

    fn span(&self, kind: Kind) -> Option<Span> {
        Span::begin(kind, self.task, self.roles, self.detail == Detail::Full)
    }
}

impl<F: Future> Future for Logged<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _span = self.span(self.kind);
        // SAFETY: structural pinning: `inner` is never moved, and dropped in place by `drop`.
        let inner = unsafe { self.map_unchecked_mut(|this| &mut *this.inner) };
        inner.poll(context)
    }
}

impl<F> Drop for Logged<F> {
    fn drop(&mut self) {
        // A root future is dropped by its owner, not by the runtime: that is no block.
        let _span = (self.kind == Kind::Poll).then(|| self.span(Kind::Drop));
        // SAFETY: dropped once, here, where it lies.
        unsafe { ManuallyDrop::drop(&mut self.inner) }
    }
}

/// Wraps the future given to `block_on`. `roles`: every role a reader may rightly give it.
pub fn root<F: Future>(future: F, roles: Role) -> Logged<F> {
    Logged::new(future, Kind::Root, roles, Detail::Full)
}

/// `block_in_place`, with its window logged as not being a block.
pub fn in_place<R>(body: impl FnOnce() -> R) -> R {
    tokio::task::block_in_place(|| {
        let _span = Span::begin(Kind::InPlace, 0, Role(0), false);
        body()
    })
}

/// Where tasks are spawned: a runtime, or the `LocalSet` around the caller.
#[derive(Clone)]
pub enum Spawner {
    Runtime(Handle, Role),
    Local,
}

impl Spawner {
    pub fn worker(handle: &Handle) -> Spawner {
        Spawner::Runtime(handle.clone(), Role::WORKER)
    }

    pub fn current_thread(handle: &Handle) -> Spawner {
        Spawner::Runtime(handle.clone(), Role::CURRENT_THREAD)
    }

    /// A task that may block.
    #[track_caller]
    pub fn slow<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Debug + Send + 'static,
    {
        self.spawn(future, Detail::Full)
    }

    /// A task that never does, and may be polled very often.
    #[track_caller]
    pub fn light<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Debug + Send + 'static,
    {
        self.spawn(future, Detail::Light)
    }

    #[track_caller]
    fn spawn<F>(&self, future: F, detail: Detail) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Debug + Send + 'static,
    {
        let answer = answer_of::<F>();
        let (number, handle) = match self {
            Spawner::Runtime(runtime, role) => {
                let logged = Logged::new(future, Kind::Poll, *role, detail);
                (logged.task, runtime.spawn(logged))
            }
            Spawner::Local => {
                let logged = Logged::new(future, Kind::Poll, Role::LOCAL_SET, detail);
                (logged.task, tokio::task::spawn_local(logged))
            }
        };
        log_id(number, &handle, answer);
        handle
    }
}

/// Spawns a task that may block into the set, on the runtime around the caller, whose workers it is for.
#[track_caller]
pub fn spawn_into<F>(set: &mut JoinSet<F::Output>, future: F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let logged = Logged::new(future, Kind::Poll, Role::WORKER, Detail::Full);
    let number = logged.task;
    log_id(number, &set.spawn(logged), answer_of::<F>());
}

#[track_caller]
fn answer_of<F>() -> Answer {
    let spawned_at = Location::caller();
    let (file, line) = (spawned_at.file(), spawned_at.line());
    Answer { kind: "task", path: std::any::type_name::<F>(), file, line }
}

/// `tokio::task::id()` is unstable before 1.40, but a handle prints its id in every version from
/// 1.19 on: `JoinHandle { id: Id(7) }`. tests/ids.rs checks it against `task::id()`.
fn log_id(task: u32, handle: &impl Debug, answer: Answer) {
    let Some(log) = ThreadLog::current() else { return };
    let text = format!("{handle:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let id = digits.parse().unwrap_or(0);
    let (parent, end_ns) = (log.open, clock::now_ns());
    let (kind, answer) = (Kind::Spawn as u8, number_of(answer));
    log.push(Record { start_ns: id, end_ns, task, parent, kind, answer, ..Record::EMPTY });
}
