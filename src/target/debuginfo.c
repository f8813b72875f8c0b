/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/debuginfo.h"

#include <dwarf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define UNIT_BYTES 65536
#define ABBREV_BYTES 65536
#define MAX_ABBREVS 4096
#define MAX_UNITS 256
/* Units of the program's own that are looked into. */
#define OWN_UNITS 16

struct cursor {
	const uint8_t *p, *end;
	bool failed;
};

struct abbrev {
	uint32_t tag;
	const uint8_t *attrs; /* pairs of attribute and form, in the abbreviation table */
	bool children;
};

struct unit {
	const struct elf_file *file;
	const struct elf_section *str, *line_str;
	uint16_t version;
	uint8_t address_size;
	const uint8_t *abbrev_end;
	struct abbrev *abbrevs; /* by code; tag 0: unused */
	uint64_t language;
	char name[64], dir[64];
};

static uint64_t take(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->failed = true;
		c->p = c->end;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (i < 8)
			v |= (uint64_t)c->p[i] << (8 * i);
	}
	c->p += n;
	return v;
}

static uint64_t take_leb(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		uint8_t byte = (uint8_t)take(c, 1);

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->failed = true;
	return 0;
}

static void skip(struct cursor *c, uint64_t n)
{
	if ((uint64_t)(c->end - c->p) < n) {
		c->failed = true;
		c->p = c->end;
	} else {
		c->p += n;
	}
}

static void skip_string(struct cursor *c)
{
	const uint8_t *nul = memchr(c->p, 0, (size_t)(c->end - c->p));

	skip(c, nul ? (uint64_t)(nul - c->p) + 1 : UINT64_MAX);
}

/* Passes over an attribute's value; returns it when it is a number or an offset. */
static uint64_t take_form(struct cursor *c, const struct unit *u, uint64_t form)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return take(c, 1);
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return take(c, 2);
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return take(c, 3);
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_ref_addr:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
		return take(c, 4);
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
		return take(c, 8);
	case DW_FORM_data16:
		return take(c, 16);
	case DW_FORM_addr:
		return take(c, u->address_size);
	case DW_FORM_udata:
	case DW_FORM_sdata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
		return take_leb(c);
	case DW_FORM_string:
		skip_string(c);
		return 0;
	case DW_FORM_block1:
		skip(c, take(c, 1));
		return 0;
	case DW_FORM_block2:
		skip(c, take(c, 2));
		return 0;
	case DW_FORM_block4:
		skip(c, take(c, 4));
		return 0;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		skip(c, take_leb(c));
		return 0;
	default:
		c->failed = true;
		return 0;
	}
}

static void read_text(const struct unit *u, uint64_t form, uint64_t offset, char *ret, size_t size)
{
	const struct elf_section *s = form == DW_FORM_strp	  ? u->str
				      : form == DW_FORM_line_strp ? u->line_str
								  : NULL;
	size_t n;

	if (!s || offset >= s->size || (s->flags & SHF_COMPRESSED))
		return;
	n = s->size - offset < size - 1 ? (size_t)(s->size - offset) : size - 1;
	if (elf_file_read(u->file, s->offset + offset, ret, n) < 0)
		n = 0;
	ret[n] = '\0';
}

/* One abbreviation: code, tag, children, then (attribute, form) pairs up to (0, 0). */
static bool parse_abbrevs(struct unit *u, const uint8_t *table, size_t len)
{
	struct cursor c = { table, table + len, false };

	u->abbrev_end = table + len;
	for (;;) {
		uint64_t code = take_leb(&c), at, form;
		struct abbrev a;

		if (c.failed || !code)
			return !c.failed;
		a.tag = (uint32_t)take_leb(&c);
		a.children = take(&c, 1);
		a.attrs = c.p;
		do {
			at = take_leb(&c);
			form = take_leb(&c);
			if (form == DW_FORM_implicit_const)
				take_leb(&c);
		} while (!c.failed && (at || form));
		/* A table cut off at ABBREV_BYTES is still good for the units' first entries. */
		if (c.failed)
			return true;
		if (code < MAX_ABBREVS)
			u->abbrevs[code] = a;
	}
}

/* One DIE behind its code. */
static void take_attributes(struct cursor *c, struct unit *u, const struct abbrev *a)
{
	struct cursor spec = { a->attrs, u->abbrev_end, false };

	for (;;) {
		uint64_t at = take_leb(&spec), form = take_leb(&spec), value;

		if (spec.failed || c->failed || (!at && !form))
			return;
		if (form == DW_FORM_implicit_const) {
			value = take_leb(&spec);
		} else {
			if (form == DW_FORM_indirect)
				form = take_leb(c);
			value = take_form(c, u, form);
		}
		if (a->tag != DW_TAG_compile_unit)
			continue;
		if (at == DW_AT_language)
			u->language = value;
		else if (at == DW_AT_name)
			read_text(u, form, value, u->name, sizeof(u->name));
		else if (at == DW_AT_comp_dir)
			read_text(u, form, value, u->dir, sizeof(u->dir));
	}
}

static const struct abbrev *take_die(struct cursor *c, struct unit *u)
{
	uint64_t code = take_leb(c);

	if (c->failed || code >= MAX_ABBREVS)
		return NULL;
	return &u->abbrevs[code];
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* The standard library and the crates built into it come with fixed paths. */
static bool is_own(const struct unit *u)
{
	return u->language == DW_LANG_Rust && !has_prefix(u->dir, "/rustc/") &&
	       !has_prefix(u->name, "/rustc/") && !has_prefix(u->dir, "/rust/deps/") &&
	       !has_prefix(u->name, "library/");
}

/* Walks the unit until it is clear. NONE: not the program's own, or not readable. */
static enum debuginfo_kind classify(struct cursor *c, struct unit *u)
{
	enum debuginfo_kind level = DEBUGINFO_LINES;
	const struct abbrev *a = take_die(c, u);

	if (!a || a->tag != DW_TAG_compile_unit)
		return DEBUGINFO_NONE;
	take_attributes(c, u, a);
	if (c->failed || !is_own(u))
		return DEBUGINFO_NONE;
	while (c->p < c->end && (a = take_die(c, u))) {
		if (!a->tag) {
			if (c->p[-1])
				break;
			continue;
		}
		if (a->tag == DW_TAG_variable || a->tag == DW_TAG_formal_parameter)
			return DEBUGINFO_FULL;
		if (a->tag == DW_TAG_namespace)
			level = DEBUGINFO_LIMITED;
		take_attributes(c, u, a);
		if (c->failed)
			break;
	}
	return level;
}

/* Header of the unit at c: version, type, address size, offset of its abbreviations. */
static bool take_unit_header(struct cursor *c, struct unit *u, uint64_t *ret_abbrevs)
{
	u->version = (uint16_t)take(c, 2);
	if (u->version >= 5) {
		uint8_t type = (uint8_t)take(c, 1);

		u->address_size = (uint8_t)take(c, 1);
		*ret_abbrevs = take(c, 4);
		return !c->failed && type == DW_UT_compile;
	}
	*ret_abbrevs = take(c, 4);
	u->address_size = (uint8_t)take(c, 1);
	return !c->failed && u->version >= 2;
}

static enum debuginfo_kind unit_level(struct unit *u, const uint8_t *bytes, size_t len,
				      const struct elf_section *abbrev_section, uint8_t *abbrevs)
{
	struct cursor c = { bytes + 4, bytes + len, false };
	uint64_t offset, n;

	if (!take_unit_header(&c, u, &offset) || offset >= abbrev_section->size)
		return DEBUGINFO_NONE;
	n = abbrev_section->size - offset < ABBREV_BYTES ? abbrev_section->size - offset
							 : ABBREV_BYTES;
	memset(u->abbrevs, 0, MAX_ABBREVS * sizeof(*u->abbrevs));
	u->language = 0;
	u->name[0] = u->dir[0] = '\0';
	if (elf_file_read(u->file, abbrev_section->offset + offset, abbrevs, n) < 0 ||
	    !parse_abbrevs(u, abbrevs, n))
		return DEBUGINFO_NONE;
	return classify(&c, u);
}

static enum debuginfo_kind walk_units(const struct elf_file *f, const struct elf_section *info,
				      const struct elf_section *abbrev)
{
	_cleanup_free_
	struct abbrev *table = malloc(MAX_ABBREVS * sizeof(*table));
	_cleanup_free_
	uint8_t *bytes = malloc(UNIT_BYTES + ABBREV_BYTES);
	struct unit u = { .file = f, .abbrevs = table };
	enum debuginfo_kind best = DEBUGINFO_NONE;
	uint64_t at = 0;
	int own = 0;

	if (!table || !bytes)
		return DEBUGINFO_NONE;
	u.str = elf_file_section(f, ".debug_str");
	u.line_str = elf_file_section(f, ".debug_line_str");
	for (int i = 0;
	     i < MAX_UNITS && own < OWN_UNITS && best < DEBUGINFO_FULL && info->size - at > 12;
	     i++) {
		enum debuginfo_kind level;
		uint32_t length;
		uint64_t n;

		if (elf_file_read(f, info->offset + at, &length, sizeof(length)) < 0 || !length ||
		    length >= 0xfffffff0 || length > info->size - at - 4)
			break;
		n = (uint64_t)length + 4 < UNIT_BYTES ? (uint64_t)length + 4 : UNIT_BYTES;
		if (elf_file_read(f, info->offset + at, bytes, n) < 0)
			break;
		level = unit_level(&u, bytes, n, abbrev, bytes + UNIT_BYTES);
		own += level > DEBUGINFO_NONE;
		if (level > best)
			best = level;
		at += (uint64_t)length + 4;
	}
	return best;
}

enum debuginfo_kind debuginfo_level(const struct elf_file *f)
{
	const struct elf_section *info = elf_file_section(f, ".debug_info");
	const struct elf_section *abbrev = elf_file_section(f, ".debug_abbrev");
	const struct elf_section *lists;

	if (!info || !abbrev || info->type != SHT_PROGBITS || abbrev->type != SHT_PROGBITS)
		return elf_file_section(f, ".zdebug_info") ? DEBUGINFO_LIMITED : DEBUGINFO_NONE;
	if (!((info->flags | abbrev->flags) & SHF_COMPRESSED))
		return walk_units(f, info, abbrev);
	lists = elf_file_section(f, ".debug_loc");
	if (!lists)
		lists = elf_file_section(f, ".debug_loclists");
	return lists && lists->size ? DEBUGINFO_FULL : DEBUGINFO_LIMITED;
}
