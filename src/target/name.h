/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Short names of futures, out of the name of their poll function or of the function that is their body. */
#ifndef RS_TARGET_NAME_H
#define RS_TARGET_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define FUTURE_NAME_SIZE 128 /* room for FUTURE_NAME_CHARS and the ellipsis */
#define FUTURE_NAME_CHARS 120

/*
 * `symbol` is "tokio::runtime::task::raw::poll::<F, S>"; writes what a reader calls F:
 *   app::api::handle_upload::{closure#0}              app::api::handle_upload  (an async fn)
 *   app::main::{closure#1}                            app::main::{async#1}
 *   app::main::{closure#0}::{closure#2}               app::main::{async#0.2}  (a block in a block)
 *   <app::Svc>::call::{closure#0}                     app::Svc::call
 *   <app::Svc as app::Handler>::go::{closure#0}       <app::Svc as Handler>::go
 *   app::generic::<alloc::vec::Vec<u8>>::{closure#0}  app::generic<Vec<u8>>
 *   Pin<Box<dyn Future<Output = ()> + Send>>          dyn Future
 *   BlockingTask<app::work::{closure#0}>              app::work::{closure#0}  (a plain closure)
 *   tokio::time::timeout::Timeout<app::f::{closure#0}>  app::f
 *   app::Both<app::f::{closure#0}, app::g::{closure#0}>  app::Both<f, g>
 * Pin, Box, Instrumented and BlockingTask around F are left out, and whatever else there is around a single async body. False when the symbol has no type
 * in it (legacy mangling) or is not well-formed.
 */
bool future_name(const char *symbol, char ret[FUTURE_NAME_SIZE]);
/*
 * The same of F alone, also as debuginfo and legacy symbols write it:
 *   app::f::{async_fn_env#0}<u8>                      app::f<u8>
 *   app::main::{async_fn#0}::{async_block_env#2}      app::main::{async#0.2}
 *   app::f::{{closure}}                               app::f
 *   app::f::{{closure}}::{{closure}}                  app::f::{async}  (which one is not told)
 */
bool future_type_name(const char *text, size_t len, char ret[FUTURE_NAME_SIZE]);
/* The async fn or block alone, where it is one, in wrappers or not; else NULL. */
const char *future_type_body(const char *text, size_t len, size_t *ret_len);
/* F in the name of a function that drops a task of Tokio ("core::ptr::drop_in_place<tokio::…::Cell<F, S>>"); else NULL. */
const char *future_type_dropped(const char *function, size_t *ret_len);
/* F in the name of a function of Tokio that polls it, as a symbol or debuginfo ("poll<F, S>") has it; else NULL. */
const char *future_type(const char *function, size_t *ret_len);

#endif
