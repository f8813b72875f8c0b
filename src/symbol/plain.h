/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of functions as the source has them, all that line tables alone say: "set_stage<T, S>", "{async_fn#0}". What they are
 * part of is written elsewhere: in the symbol, if the function has one; in the type arguments of who calls it.
 */
#ifndef RS_SYMBOL_PLAIN_H
#define RS_SYMBOL_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a readable symbol is that function's: code that several functions share goes by the name of any of them. */
bool plain_is_in(const char *plain, const char *symbol);
/*
 * Of a closure or an async body that is inlined into `caller`, also a plain name: poll<app::api::load::{async_fn_env#0}> calls
 * app::api::load::{async_fn#0}. False: the caller has no such argument, or several.
 */
bool plain_from_caller(const char *plain, const char *caller, char *ret, size_t size);

#endif
