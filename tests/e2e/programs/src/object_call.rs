// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shared object with a Tokio of its own, loaded when asked for.

use std::ffi::{c_char, CString};

pub struct Object {
    submit: extern "C" fn(*const c_char),
}

impl Object {
    pub fn open(path: &str) -> Object {
        let path = CString::new(path).expect("no NUL in a line");
        // SAFETY: the object is libe2e_object.so, whose function has this type.
        unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            assert!(!handle.is_null(), "cannot load the object");
            let address = libc::dlsym(handle, c"e2e_submit".as_ptr());
            assert!(!address.is_null(), "the object has no e2e_submit");
            Object {
                submit: std::mem::transmute::<*mut libc::c_void, extern "C" fn(*const c_char)>(
                    address,
                ),
            }
        }
    }

    pub fn submit(&self, command: &str) {
        let command = CString::new(command).expect("no NUL in a line");
        (self.submit)(command.as_ptr());
    }
}
