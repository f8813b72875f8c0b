/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/mappings.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "target/target.h"

#define PAGE 4096

size_t unwind_vdso(void **ret_image)
{
	const Elf64_Ehdr *header = (const void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Phdr *segments;
	size_t size = 0;

	if (!header)
		return 0;
	segments = (const void *)((const char *)header + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			size = segments[i].p_offset + segments[i].p_filesz;
	}
	*ret_image = (void *)header;
	return size;
}

struct list {
	struct rs_mappings *out;
	size_t n, n_left_out;
};

static void add(struct list *l, const struct rs_mapping *m)
{
	if (l->n < RS_MAPPINGS)
		l->out->at[l->n++] = *m;
	else
		l->n_left_out++;
}

static int by_start(const void *a, const void *b)
{
	const struct rs_mapping *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

size_t unwind_mappings(const struct process *p, const uint32_t *tables, uint32_t vdso_table,
		       struct rs_mappings *ret)
{
	struct list l = { .out = ret };
	size_t vdso_size;
	void *image;

	memset(ret, 0xff, sizeof(*ret));
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		for (size_t k = 0; k < m->n_maps && tables[i] != UNWIND_NO_TABLE; k++) {
			if (m->maps[k].perms[2] == 'x')
				add(&l, &(struct rs_mapping){ m->maps[k].start, m->maps[k].end,
							      m->bias, tables[i] });
		}
	}
	vdso_size = p->vdso && vdso_table != UNWIND_NO_TABLE ? unwind_vdso(&image) : 0;
	if (vdso_size)
		add(&l, &(struct rs_mapping){ p->vdso,
					      p->vdso + ((vdso_size + PAGE - 1) & -(size_t)PAGE),
					      p->vdso, vdso_table });
	qsort(ret->at, l.n, sizeof(ret->at[0]), by_start);
	return l.n_left_out;
}
