/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Debuginfo from a server that the user has named in DEBUGINFOD_URLS: nobody else decides that something is downloaded. */
#ifndef RS_SYMBOL_DEBUGINFOD_H
#define RS_SYMBOL_DEBUGINFOD_H

#include <stdatomic.h>

/*
 * The path, to be freed, of the debuginfo of a build (hexadecimal id), in the cache that libdebuginfod keeps for the user. Takes
 * as long as the server does; ends soon after *stop becomes true. NULL: no server is named, the library is not installed, or
 * the server has none.
 */
char *debuginfod_path(const char *build_id, const atomic_bool *stop);

#endif
