/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel side's unwinder, compiled for the host, with the tables of a process. Whoever includes this defines
 * unwind_read and unwind_original (bpf/unwind.bpf.h says what they do).
 */
#ifndef RS_TESTS_HOST_H
#define RS_TESTS_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/wire_unwind.h"
#include "target/elf_file.h"
#include "target/target.h"
#include "unwind/mappings.h"
#include "unwind/rows.h"
#include "unwind/table.h"

#define HOST_TABLES 256

static struct unwind_table host_tables[HOST_TABLES];
static struct rs_mappings host_mappings;

static const struct rs_mappings *unwind_mappings_now(void)
{
	return &host_mappings;
}

static const union rs_unwind_part *unwind_part(__u32 table, __u32 index)
{
	return table < HOST_TABLES && index < host_tables[table].n
		       ? &host_tables[table].parts[index]
		       : NULL;
}

struct rs_memory {};

static int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret);
static __u64 unwind_original(__u64 *returns, __u64 ip);

#include "bpf/unwind.bpf.h"

static uint32_t host_add_table(struct unwind_rows *rows, size_t *n)
{
	int r = *n == HOST_TABLES - 1 ? -1 : unwind_table_build(rows, &host_tables[*n]);

	unwind_rows_clear(rows);
	return r < 0 ? UNWIND_NO_TABLE : (uint32_t)(*n)++;
}

/* Tables of all modules of a process. -1: it cannot be read, and that has been said. */
static int host_open(pid_t pid)
{
	uint32_t of_module[HOST_TABLES], vdso = UNWIND_NO_TABLE;
	struct process *p = NULL;
	struct unwind_rows rows;
	struct rs_error err;
	size_t n = 0, size;
	void *image;

	if (process_open(pid, NULL, &p, &err) < 0 || p->n_modules > HOST_TABLES) {
		fprintf(stderr, "%s\n", p ? "too many modules" : err.text);
		process_free(p);
		return -1;
	}
	for (size_t i = 0; i < p->n_modules; i++) {
		struct elf_file *f = NULL;

		of_module[i] = UNWIND_NO_TABLE;
		if (!p->modules[i].open_path || elf_file_open(p->modules[i].open_path, &f, &err))
			continue;
		if (!unwind_rows_read(f, &rows))
			of_module[i] = host_add_table(&rows, &n);
		elf_file_close(f);
	}
	size = unwind_vdso(&image);
	if (size && !unwind_rows_of_image(image, size, &rows))
		vdso = host_add_table(&rows, &n);
	unwind_mappings(p, of_module, vdso, &host_mappings);
	process_free(p);
	return 0;
}

static void host_close(void)
{
	for (size_t i = 0; i < HOST_TABLES; i++)
		unwind_table_clear(&host_tables[i]);
}

static int unwind_step(struct rs_unwind *u)
{
	return unwind_frame(u, (struct rs_memory){});
}

static void host_unwind(uint64_t ip, uint64_t sp, uint64_t bp, struct rs_unwind *ret)
{
	*ret = (struct rs_unwind){ .ip = ip, .sp = sp, .bp = bp, .is_exact = 1 };
	while (!unwind_step(ret))
		continue;
}

#endif
