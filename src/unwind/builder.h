/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiles tables in a thread of its own: hundreds of milliseconds for a large program, which attaching does not wait for. */
#ifndef RS_UNWIND_BUILDER_H
#define RS_UNWIND_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/table.h"

struct table_builder;

#define TABLE_BYTES_MAX (64u << 20) /* kernel memory; an executable of 80 MB takes some 5 MB */

/* Called by that thread for each table, which may take its time, too. 0 if it has been put in place. */
typedef int (*table_builder_put)(void *context, uint32_t number, const struct unwind_table *t);

/* NULL: out of memory. */
struct table_builder *table_builder_new(table_builder_put put, void *context);
struct table_builder *table_builder_free(struct table_builder *b);
/* Asks for the table of a file (path NULL: of the vDSO), to be known by that number. 0 or -ENOMEM. */
int table_builder_want(struct table_builder *b, uint32_t number, const char *path);
/* The next one that is done, in the order they were asked for: its number, and whether it is in place. False: none. */
bool table_builder_take(struct table_builder *b, uint32_t *ret_number, bool *ret_is_put);
/* Bytes of the tables that are in place, and how many files have none because that is bounded (TABLE_BYTES_MAX). */
size_t table_builder_bytes(struct table_builder *b, size_t *ret_n_left_out);
/* Tables asked for and not taken. */
size_t table_builder_pending(const struct table_builder *b);

#endif
