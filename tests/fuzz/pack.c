/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From an ELF file to the input of sections.h that makes it again.
 * usage: fuzz_pack --link           options for the linker that put each section where sections.h has it
 *        fuzz_pack FILE OUT [NAME…] only the sections so named
 */
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

#include "sections.h"

static void print_link_options(void)
{
	for (size_t i = 0; section_name(i); i++) {
		if (section_is_loaded(i))
			printf("-Wl,--section-start=%s=0x%zx ", section_name(i),
			       (size_t)SECTION_ADDR(i));
	}
}

static int kind_of(const char *name)
{
	for (size_t i = 0; section_name(i); i++) {
		if (!strcmp(section_name(i), name))
			return (int)i;
	}
	return -1;
}

static bool is_wanted(const char *name, char **names)
{
	bool is_listed = !*names;

	for (; *names && !is_listed; names++)
		is_listed = !strcmp(*names, name);
	return is_listed;
}

static void put_chunk(FILE *out, int kind, const Elf_Data *data)
{
	size_t n = data->d_size < SECTION_ROOM ? data->d_size : SECTION_ROOM;

	putc(kind, out);
	putc((int)(n & 0xff), out);
	putc((int)(n >> 8), out);
	fwrite(data->d_buf, 1, n, out);
}

int main(int argc, char **argv)
{
	Elf_Scn *section = NULL;
	size_t names;
	FILE *out;
	Elf *elf;

	if (argc == 2 && !strcmp(argv[1], "--link")) {
		print_link_options();
		return 0;
	}
	elf_version(EV_CURRENT);
	elf = argc > 2 ? elf_begin(open(argv[1], O_RDONLY), ELF_C_READ, NULL) : NULL;
	out = argc > 2 ? fopen(argv[2], "w") : NULL;
	if (!elf || !out || elf_getshdrstrndx(elf, &names))
		return 1;
	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data = elf_rawdata(section, NULL);
		const char *name;
		GElf_Shdr h;
		int kind;

		if (!gelf_getshdr(section, &h) || h.sh_type == SHT_NOBITS || !data || !data->d_buf)
			continue;
		name = elf_strptr(elf, names, h.sh_name);
		kind = name ? kind_of(name) : -1;
		if (kind >= 0 && is_wanted(name, argv + 3))
			put_chunk(out, kind | (h.sh_flags & SHF_COMPRESSED ? CHUNK_COMPRESSED : 0),
				  data);
	}
	elf_end(elf);
	return fclose(out) ? 1 : 0;
}
