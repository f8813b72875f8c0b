/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any text as /proc/PID/maps. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "target/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_
	char *text = fuzz_text(data, size);
	_cleanup_fclose_
	FILE *in = size ? fmemopen(text, size, "r") : NULL;
	struct file_maps maps;

	if (!in || maps_read(in, &maps))
		return 0;
	for (size_t i = 0; i < maps.n; i++) {
		struct file_map *m = &maps.rows[i];
		size_t n = strlen(m->path);

		FUZZ_CHECK(m->path[0] == '/' && m->map.start < m->map.end && m->inode);
		FUZZ_CHECK(strlen(m->map.perms) <= 4);
		maps_unescape(m->path);
		FUZZ_CHECK(strlen(m->path) <= n);
		maps_cut_deleted(m->path);
	}
	file_maps_free(&maps);
	return 0;
}
