/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_TARGET_DEMANGLE_H
#define RS_TARGET_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for any symbol worth showing; longer ones are refused. */
#define DEMANGLE_MAX 16384

/*
 * Demangles a Rust symbol (legacy or v0; a suffix like ".llvm.123" is ignored) into ret. False when
 * it is not one, or when the result does not fit: a v0 symbol of a few hundred bytes can stand for
 * gigabytes.
 */
bool demangle(const char *symbol, char *ret, size_t size);
/* The same for C++, with the parameters. Symbols over 1 KiB are left alone: libiberty's use of stack grows with them. */
bool demangle_cpp(const char *symbol, char *ret, size_t size);

#endif
