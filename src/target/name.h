/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Short names of futures, out of the demangled v0 symbol of their poll function. */
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
 * Pin, Box, Instrumented and BlockingTask around F are left out. False when the symbol has no type
 * in it (legacy mangling) or is not well-formed.
 */
bool future_name(const char *symbol, char ret[FUTURE_NAME_SIZE]);

#endif
