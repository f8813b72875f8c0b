// SPDX-License-Identifier: MIT OR Apache-2.0
//! libe2e_object.so: a Tokio of its own inside whatever program loads it.

mod executor;
mod named;
mod waits;
mod work;

use std::ffi::{c_char, CStr};
use std::sync::Mutex;

use executor::{Executor, Shape};

static EXECUTOR: Mutex<Option<Executor>> = Mutex::new(None);

/// Runs one command of e2e-target; the first call starts the runtime.
///
/// # Safety
///
/// `command` is a string that ends with NUL.
#[no_mangle]
pub unsafe extern "C" fn e2e_submit(command: *const c_char) {
    let command = CStr::from_ptr(command).to_string_lossy();
    let mut executor = EXECUTOR.lock().expect("no panic while it is held");
    let start = || Executor::start(Shape::parse("multi").expect("it is one of the shapes"));
    executor.get_or_insert_with(start).submit(&command);
}
