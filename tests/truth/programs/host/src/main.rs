// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program without Tokio that loads libtruth_object.so and runs a truth program in it:
//! `host OBJECT PROGRAM SECONDS SEED`.

use std::ffi::{c_char, c_double, c_int, CStr, CString};

type Run = unsafe extern "C" fn(*const c_char, c_double, u64) -> c_int;

fn load(path: &str) -> Result<Run, String> {
    let path = CString::new(path).map_err(|error| error.to_string())?;
    // SAFETY: both strings are NUL-terminated, and the symbol has the type of `truth_run`.
    unsafe {
        let object = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        if object.is_null() {
            return Err(CStr::from_ptr(libc::dlerror()).to_string_lossy().into_owned());
        }
        let symbol = libc::dlsym(object, c"truth_run".as_ptr());
        if symbol.is_null() {
            return Err("no truth_run in it".into());
        }
        Ok(std::mem::transmute::<*mut libc::c_void, Run>(symbol))
    }
}

fn run(arguments: &[String]) -> Result<i32, String> {
    let [object, name, seconds, seed] = arguments else {
        return Err("usage: host OBJECT PROGRAM SECONDS SEED".into());
    };
    let run = load(object)?;
    let name = CString::new(name.as_str()).map_err(|error| error.to_string())?;
    let seconds = seconds.parse().map_err(|_| "SECONDS is a number")?;
    let seed = seed.parse().map_err(|_| "SEED is a number")?;
    // SAFETY: `name` is NUL-terminated.
    Ok(unsafe { run(name.as_ptr(), seconds, seed) })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    std::process::exit(run(&arguments).unwrap_or_else(|why| {
        eprintln!("host: {why}");
        2
    }));
}
