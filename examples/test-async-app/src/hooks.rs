// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a profiler may hook, and how a task learns its own id.

use std::fmt::Debug;

use tokio::sync::oneshot;

/// Makes the optimizer believe that `value` is needed. (`std::hint::black_box` is stable only since
/// Rust 1.66.)
#[inline(always)]
pub fn keep(value: u64) {
    // SAFETY: a reference is always valid for reads.
    unsafe {
        std::ptr::read_volatile(&value);
    }
}

/// A block begins here. A profiler finds this function by its name.
#[no_mangle]
#[inline(never)]
pub extern "C" fn trace_blocking_start(task_id: u64) {
    keep(task_id);
}

/// The block that `trace_blocking_start` announced ends here.
#[no_mangle]
#[inline(never)]
pub extern "C" fn trace_blocking_end(task_id: u64) {
    keep(task_id ^ 1);
}

/// Says which task the calling thread polls now.
#[no_mangle]
#[inline(never)]
pub extern "C" fn set_current_task_id(id: u64) {
    keep(id ^ 2);
}

/// A task's own id, once it has been told. `tokio::task::id()` would be simpler, but it is stable
/// only since Tokio 1.44; the debug text of a join handle shows the id in all versions.
pub struct TaskId {
    receiver: oneshot::Receiver<u64>,
}

pub struct TaskIdSender {
    sender: oneshot::Sender<u64>,
}

impl TaskId {
    pub fn promise() -> (TaskId, TaskIdSender) {
        let (sender, receiver) = oneshot::channel();
        (TaskId { receiver }, TaskIdSender { sender })
    }

    /// The id, or 0 when this Tokio does not show it.
    pub async fn get(self) -> u64 {
        self.receiver.await.unwrap_or(0)
    }
}

impl TaskIdSender {
    pub fn tell(self, handle: &impl Debug) {
        // The task may have ended already; then nobody wants to know.
        let _ = self.sender.send(id_in_debug_text(handle));
    }
}

/// `JoinHandle { id: Id(42) }` -> 42, and 0 when there is no number.
pub fn id_in_debug_text(handle: &impl Debug) -> u64 {
    let text = format!("{:?}", handle);
    let digits = text.chars().skip_while(|c| !c.is_ascii_digit());
    let digits: String = digits.take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
