/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int unwind_table_build(const struct unwind_rows *rows, struct unwind_table *ret)
{
	size_t n = 1 + (rows->n + RS_CHUNK_ROWS - 1) / RS_CHUNK_ROWS;
	union rs_unwind_part *parts;

	if (!rows->n || n > RS_CHUNKS)
		return -ENOENT;
	parts = malloc(n * sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	memset(parts, 0xff, n * sizeof(*parts)); /* RS_PC_NONE */
	for (size_t i = 0; i < rows->n; i++) {
		size_t chunk = i / RS_CHUNK_ROWS, place = i % RS_CHUNK_ROWS;

		if (!place)
			parts[0].firsts[chunk] = rows->rows[i].pc;
		parts[1 + chunk].rows[place] = rows->rows[i];
	}
	*ret = (struct unwind_table){ parts, n };
	return 0;
}

void unwind_table_clear(struct unwind_table *t)
{
	free(t->parts);
	*t = (struct unwind_table){};
}
