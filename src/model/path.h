/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Function names as they are compared and shown: the same function has the same path, whoever compiled it. */
#ifndef RS_MODEL_PATH_H
#define RS_MODEL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_TEXT_SIZE 1024

/*
 * `name` is demangled, legacy or v0, or the name that DWARF gives. Generic arguments and lifetimes go, and closures are written
 * in one way:
 *   app::pool::Pool<T>::get, <app::pool::Pool<u32>>::get              app::pool::Pool::get
 *   app::far::<impl app::Job for app::Pool<T>>::run                   <app::Pool as app::Job>::run
 *   app::run::<u32>                                                   app::run
 *   app::api::upload::{{closure}}, app::api::upload::{closure#0}      app::api::upload::{closure}
 *   app::main::{closure#2}, {async_block#2}                           app::main::{closure#2}, {closure#2}
 * (legacy names do not number their closures). What is no Rust name is left as it is. Returns false when it did not fit and was
 * cut; valid UTF-8 may be cut in a character then.
 */
bool path_of_name(const char *name, char ret[PATH_TEXT_SIZE]);

/* Of such a path: the name of the function itself, less closures and the inner functions that std has for its generic ones
 * ("read" of "std::fs::read::inner", "lock_contended" of "std::sys::sync::mutex::futex::Mutex::lock_contended"). */
void path_last(const char *path, char *ret, size_t size);

/* "<app::T as app::Trait>::f" becomes "app::T::f". */
void path_leave_out_trait(char *path);

/* Whether it is the body of an async block or function, or a closure. */
bool path_is_closure(const char *path);

#endif
