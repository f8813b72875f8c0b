/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any file as an ELF file: headers, notes, sections, symbol tables, versions, the level of its debuginfo. */
#include <string.h>

#include "base/cleanup.h"
#include "sections.h"
#include "symbol/crates.h"
#include "symbol/symtab.h"
#include "target/debuginfo.h"
#include "target/demangle.h"
#include "target/elf_file.h"
#include "target/image.h"
#include "target/symbols.h"
#include "target/target.h"
#include "target/version.h"
#include "target/vtable.h"

static void read_symbols(const struct elf_file *f)
{
	const uint64_t addrs[] = { SECTION_ADDR(SECTION_TEXT), SECTION_ADDR(SECTION_TEXT) + 16 };
	struct tokio_symbols symbols;

	if (!symbols_read(f, NULL, 0, &symbols))
		symbols_clear(&symbols);
	if (!symbols_read(f, addrs, 2, &symbols)) {
		symbols_name(&symbols, addrs[0]);
		symbols_clear(&symbols);
	}
}

static void read_symtab(const struct elf_file *f)
{
	struct symtab symbols;
	char name[256];

	if (symtab_load(f, &symbols))
		return;
	for (size_t i = 0; i < symbols.n && i < 256; i++) {
		FUZZ_CHECK(!i || symbols.rows[i - 1].addr < symbols.rows[i].addr);
		symtab_name(&symbols, symbols.rows[i].addr, name, sizeof(name));
	}
	symtab_clear(&symbols);
}

static void read_image(const struct elf_file *f)
{
	struct raw_vtable *vtables = NULL;
	struct image img;

	if (image_load(f, &img))
		return;
	if (vtables_find(&img, &vtables) >= 0)
		free(vtables);
	image_clear(&img);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	struct rs_error err = { "" };
	char id[41], version[16], rustc[32];

	if (elf_file_open(sections_file(data, size), &f, &err)) {
		FUZZ_CHECK(err.text[0]);
		return 0;
	}
	elf_file_build_id(f, id);
	FUZZ_CHECK(strlen(id) <= 40);
	version_tokio(f, version);
	version_rustc(f, rustc);
	debuginfo_level(f);
	read_symbols(f);
	read_symtab(f);
	read_image(f);
	free(crates_of_file(f));
	return 0;
}
