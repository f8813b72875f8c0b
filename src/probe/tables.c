/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "base/cleanup.h"

int tables_put(struct watch *w, uint32_t number, const union rs_unwind_part *parts, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	_cleanup_close_
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_part", sizeof(uint32_t), sizeof(*parts),
				n, &opts);

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < n; i++) {
		int r = bpf_map_update_elem(fd, &i, &parts[i], BPF_ANY);

		if (r < 0)
			return r;
	}
	/* The map of maps keeps it from here on. */
	return bpf_map_update_elem(watch_map_fd(w, "unwind_tables"), &number, &fd, BPF_ANY);
}

int tables_set_mappings(struct watch *w, const struct rs_mappings *m)
{
	struct rs_config *config = watch_config(w);
	uint32_t other = !config->unwind_maps;
	int r = bpf_map_update_elem(watch_map_fd(w, "unwind_maps"), &other, m, BPF_ANY);

	if (r < 0)
		return r;
	__atomic_store_n(&config->unwind_maps, other, __ATOMIC_RELEASE);
	__atomic_store_n(&config->has_tables, 1, __ATOMIC_RELEASE);
	return 0;
}
