/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where debuginfo declares the body of an async fn or block. */
#ifndef RS_SYMBOL_BODY_H
#define RS_SYMBOL_BODY_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The entry that has the file and line, by the path of the body's type ("app::f::{async_fn_env#0}<u8>"). Costs walking the unit.
 * False where the unit does not have it.
 */
bool body_find(Dwarf_Die *unit, const char *type, size_t len, Dwarf_Die *ret);

#endif
