/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/debug_size.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

#include "target/elf_section.h"

/* The older form has no flag, but a name (.zdebug_info), and "ZLIB" and a big-endian number in front. */
static uint64_t unpacked_by_name(Elf_Scn *scn)
{
	const Elf_Data *data = elf_rawdata(scn, NULL);
	uint64_t size;

	if (!data || !data->d_buf || data->d_size < 12 || memcmp(data->d_buf, "ZLIB", 4))
		return 0;
	memcpy(&size, (const char *)data->d_buf + 4, sizeof(size));
	return __builtin_bswap64(size);
}

uint64_t unpacked_size(Elf *elf)
{
	Elf_Scn *scn = NULL;
	uint64_t sum = 0;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr h;
		GElf_Chdr c;
		uint64_t size;

		if (!gelf_getshdr(scn, &h) || h.sh_type == SHT_NOBITS)
			continue;
		size = h.sh_flags & SHF_COMPRESSED && gelf_getchdr(scn, &c) ? c.ch_size
									    : unpacked_by_name(scn);
		if (__builtin_add_overflow(sum, size, &sum))
			return UINT64_MAX;
	}
	return sum;
}

/* Unpacked, since libdw has opened the file. NULL: there is none. */
static const Elf_Data *section_of(Elf *elf, const char *name)
{
	GElf_Shdr h;
	Elf_Scn *scn = elf_section_named(elf, name, &h);

	return scn ? elf_getdata(scn, NULL) : NULL;
}

uint64_t debug_section_size(Elf *elf, const char *name)
{
	const Elf_Data *data = section_of(elf, name);

	return data ? data->d_size : 0;
}

uint64_t line_program_size(Dwarf_Die *die, bool is_split)
{
	const Elf_Data *data = section_of(dwarf_getelf(dwarf_cu_getdwarf(die->cu)),
					  is_split ? ".debug_line.dwo" : ".debug_line");
	Dwarf_Attribute attribute;
	uint32_t size;
	Dwarf_Word at;

	if (!data || !data->d_buf || is_split)
		return data ? data->d_size : 0;
	if (!dwarf_attr(die, DW_AT_stmt_list, &attribute) || dwarf_formudata(&attribute, &at) ||
	    data->d_size < sizeof(size) || at > data->d_size - sizeof(size))
		return 0;
	memcpy(&size, (const char *)data->d_buf + at, sizeof(size));
	/* In 64-bit DWARF that is no size, but a very large number: at most what is left. */
	return size < data->d_size - at ? size : data->d_size - at;
}
