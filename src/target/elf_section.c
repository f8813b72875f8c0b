/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/elf_section.h"

#include <string.h>

Elf_Scn *elf_section_named(Elf *elf, const char *name, GElf_Shdr *ret)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *found = gelf_getshdr(scn, ret) ? elf_strptr(elf, names, ret->sh_name)
							   : NULL;

		if (found && !strcmp(found, name))
			return scn;
	}
	return NULL;
}
