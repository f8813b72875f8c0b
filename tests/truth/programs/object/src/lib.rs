// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs as a shared object with a C interface, Tokio inside: what plugins look like.

use std::ffi::{c_char, c_double, c_int, CStr};

/// # Safety
/// `name` is a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn truth_run(name: *const c_char, seconds: c_double, seed: u64) -> c_int {
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    truth::run(&name.to_string_lossy(), seconds, seed)
}
