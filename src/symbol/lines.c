/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libdw reads DWARF; only its searches are not used: dwarf_getscopes walks a whole unit for each address. Here a unit is
 * walked once, and its functions, inlined ones too, are sorted by how deep they are and where they begin.
 */
#include "symbol/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbol/body.h"
#include "symbol/debug_size.h"
#include "symbol/named_files.h"

#define NESTING_MAX 200 /* of entries: a hostile file must not use up the stack */
/* Entries of a hostile file may share one long list of ranges: more than these, empty ones included, are not looked at. */
#define UNITS_MAX (1u << 19)
#define SCOPES_MAX (1u << 22) /* of all units together */
#define RANGES_MAX (1u << 22)
/* Bytes of line programs, of one unit and of all that are read. libdw takes 100 times as much memory; a unit has 8 MB hardly
 * ever, in an honest file. */
#define PROGRAM_MAX (8u << 20)
#define PROGRAMS_MAX (32u << 20)
#define UNPACKED_MAX (512u << 20) /* bytes of compressed sections */
/* Bytes of sections that libdw makes lists of, 4 to 10 times as large. */
#define ARANGES_MAX (64u << 20)
#define ABBREVS_MAX (64u << 20)

/* The code of a function, or of a copy of it that was inlined. */
struct scope {
	uint64_t start, end;
	void *die;
	uint32_t depth; /* 0: a function of its own */
};

struct unit {
	Dwarf_Die die; /* of the file itself: lines */
	Dwarf_Die functions; /* the same, or of a .dwo */
	struct scope *scopes;
	size_t n, capacity;
	size_t scopes_left; /* while it is being read */
	bool is_read;
	bool has_lines; /* that may be read */
};

struct range {
	uint64_t start, end;
	uint32_t unit;
};

struct lines {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	struct unit *units;
	size_t n_units, units_capacity;
	struct range *ranges;
	size_t n_ranges, ranges_capacity;
	size_t scopes_left; /* of SCOPES_MAX */
	uint64_t programs_left; /* of PROGRAMS_MAX */
	bool is_listed; /* by all units, not by the table alone */
	bool is_broken; /* the file became shorter than it was */
};

/*
 * Debuginfo is mapped: there may be hundreds of megabytes of it, of which little is read. Where a file is truncated meanwhile,
 * reading it raises SIGBUS; the file is given up then. (Nothing is held by libdw in the middle of reading but what belongs to
 * this file.)
 */
static _Thread_local sigjmp_buf *reading;

static void on_bus_error(int number)
{
	if (reading)
		siglongjmp(*reading, 1);
	signal(SIGBUS, SIG_DFL); /* someone else's: comes again */
}

static void catch_bus_errors(void)
{
	struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
}

static bool make_room(void **rows, size_t *capacity, size_t n, size_t size)
{
	size_t more = *capacity ? 2 * *capacity : 64;
	void *p;

	if (n < *capacity)
		return true;
	p = reallocarray(*rows, more, size);
	if (!p)
		return false;
	*rows = p;
	*capacity = more;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static bool add_range(struct lines *l, uint64_t start, uint64_t end, uint32_t unit)
{
	if (start >= end || l->n_ranges >= RANGES_MAX)
		return true;
	if (!make_room((void **)&l->ranges, &l->ranges_capacity, l->n_ranges, sizeof(*l->ranges)))
		return false;
	l->ranges[l->n_ranges++] = (struct range){ start, end, unit };
	return true;
}

/* The number of a new unit; -ENOMEM; -EFBIG: there are more than any program has. */
static ssize_t add_unit(struct lines *l, const Dwarf_Die *die, const Dwarf_Die *functions)
{
	if (l->n_units >= UNITS_MAX)
		return -EFBIG;
	if (!make_room((void **)&l->units, &l->units_capacity, l->n_units, sizeof(*l->units)))
		return -ENOMEM;
	l->units[l->n_units] = (struct unit){ .die = *die, .functions = *functions };
	return l->n_units++;
}

/* The unit that has the functions: of a skeleton, the one in its .dwo file where that is at hand. False: not to be asked for. */
static bool find_split(const struct lines *l, Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die cu, split;
	uint8_t type;

	*ret = *die;
	if (dwarf_cu_info(die->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) ||
	    type != DW_UT_skeleton)
		return true;
	if (!named_dwo_is_harmless(die, l->fd))
		return false;
	if (!dwarf_cu_info(die->cu, NULL, &type, &cu, &split, NULL, NULL, NULL) && split.addr)
		*ret = split;
	return true;
}

static int sort_ranges(struct lines *l)
{
	if (l->n_ranges)
		qsort(l->ranges, l->n_ranges, sizeof(*l->ranges), by_start);
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	Dwarf_Off x = *(const Dwarf_Off *)a, y = *(const Dwarf_Off *)b;

	return x < y ? -1 : x > y;
}

/* Adds each unit that the table names once, in their order: sorted by address, it names most of them many times. */
static int add_units_of(struct lines *l, Dwarf_Aranges *table, size_t n)
{
	_cleanup_free_
	Dwarf_Off *offsets = reallocarray(NULL, n, sizeof(*offsets));
	size_t n_offsets = 0;

	if (!offsets)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!dwarf_getarangeinfo(dwarf_onearange(table, i), NULL, NULL,
					 &offsets[n_offsets]))
			n_offsets++;
	}
	qsort(offsets, n_offsets, sizeof(*offsets), compare_offsets);
	for (size_t i = 0; i < n_offsets; i++) {
		Dwarf_Die die, split;

		if ((i && offsets[i] == offsets[i - 1]) ||
		    !dwarf_offdie(l->dwarf, offsets[i], &die))
			continue;
		if (find_split(l, &die, &split) && add_unit(l, &die, &split) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

/* Of those that add_units_of has added. -ENOENT: none. */
static ssize_t unit_of(struct lines *l, Dwarf_Off offset)
{
	size_t low = 0, high = l->n_units;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (dwarf_dieoffset(&l->units[mid].die) < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n_units && dwarf_dieoffset(&l->units[low].die) == offset ? (ssize_t)low
										 : -ENOENT;
}

/* The linker's own list (.debug_aranges), where there is one: reading it is much faster than asking each unit. */
static int list_by_table(struct lines *l)
{
	Dwarf_Aranges *table;
	size_t n;
	int r;

	if (debug_section_size(l->elf, ".debug_aranges") > ARANGES_MAX ||
	    dwarf_getaranges(l->dwarf, &table, &n) || !n)
		return 0;
	r = add_units_of(l, table, n);
	for (size_t i = 0; i < n && !r; i++) {
		Dwarf_Word length;
		Dwarf_Addr start;
		Dwarf_Off offset;
		ssize_t unit;

		if (dwarf_getarangeinfo(dwarf_onearange(table, i), &start, &length, &offset))
			continue;
		unit = unit_of(l, offset);
		if (unit >= 0 && !add_range(l, start, start + length, unit))
			r = -ENOMEM;
	}
	return r ? r : sort_ranges(l);
}

/* What each unit says of itself: for addresses that the table does not have. */
static int list_all(struct lines *l)
{
	Dwarf_Die die, split;
	Dwarf_CU *cu = NULL;
	size_t looks = 0;
	uint8_t type;

	l->is_listed = true;
	while (looks < RANGES_MAX && !dwarf_get_units(l->dwarf, cu, &cu, NULL, &type, &die, NULL)) {
		Dwarf_Addr base, start, end;
		ptrdiff_t at = 0;
		ssize_t unit;

		if ((type != DW_UT_compile && type != DW_UT_skeleton) ||
		    !find_split(l, &die, &split))
			continue;
		unit = add_unit(l, &die, &split);
		if (unit == -EFBIG)
			break;
		while (looks++ < RANGES_MAX &&
		       (at = dwarf_ranges(&die, at, &base, &start, &end)) > 0) {
			if (unit < 0 || !add_range(l, start, end, unit))
				return -ENOMEM;
		}
	}
	return sort_ranges(l);
}

static int open_file(struct lines *l, int fd)
{
	int r;

	l->fd = fd;
	elf_version(EV_CURRENT);
	l->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (l->elf && unpacked_size(l->elf) > UNPACKED_MAX)
		return -EFBIG;
	l->dwarf = l->elf ? dwarf_begin_elf(l->elf, DWARF_C_READ, NULL) : NULL;
	if (l->dwarf && debug_section_size(l->elf, ".debug_abbrev") > ABBREVS_MAX)
		return -EFBIG;
	if (l->dwarf && !named_alt_is_harmless(l->dwarf, fd))
		return -ENOENT;
	r = l->dwarf ? list_by_table(l) : -ENOENT;
	if (!r && !l->n_ranges)
		r = list_all(l);
	return r || l->n_ranges ? r : -ENOENT;
}

int lines_open(int fd, struct lines **ret)
{
	struct lines *l = calloc(1, sizeof(*l));
	sigjmp_buf here;
	volatile int r = -ENOENT; /* survives the jump */

	if (!l)
		return -ENOMEM;
	l->scopes_left = SCOPES_MAX;
	l->programs_left = PROGRAMS_MAX;
	catch_bus_errors();
	reading = &here;
	if (!sigsetjmp(here, 0))
		r = open_file(l, fd);
	reading = NULL;
	if (r < 0) {
		lines_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct lines *lines_close(struct lines *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n_units; i++)
		free(l->units[i].scopes);
	free(l->units);
	free(l->ranges);
	dwarf_end(l->dwarf);
	elf_end(l->elf);
	free(l);
	return NULL;
}

static bool is_function(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* What functions are found in. */
static bool is_container(int tag)
{
	switch (tag) {
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_variant_part:
	case DW_TAG_variant:
		return true;
	default:
		return false;
	}
}

/* False when the function has no code here: a declaration, or one that is inlined everywhere. */
static bool add_scopes(struct unit *u, Dwarf_Die *die, uint32_t depth)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	bool has_code = false;

	while (u->scopes_left && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		u->scopes_left--;
		if (start >= end ||
		    !make_room((void **)&u->scopes, &u->capacity, u->n, sizeof(*u->scopes)))
			continue;
		u->scopes[u->n++] = (struct scope){ start, end, die->addr, depth };
		has_code = true;
	}
	return has_code;
}

static void walk(struct unit *u, Dwarf_Die *parent, uint32_t inside, int nesting)
{
	Dwarf_Die die;

	if (nesting > NESTING_MAX || dwarf_child(parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);
		/* One that is written inside another one has code of its own nevertheless. */
		uint32_t depth = tag == DW_TAG_subprogram ? 0 : inside;

		if (is_container(tag))
			walk(u, &die, depth, nesting + 1);
		else if (is_function(tag) && add_scopes(u, &die, depth))
			walk(u, &die, depth + 1, nesting + 1);
	} while (u->scopes_left && !dwarf_siblingof(&die, &die));
}

static int by_depth(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* The unit of the range around addr, or NULL. Ranges listed twice are the same. */
static struct unit *listed_unit(struct lines *l, uint64_t addr)
{
	size_t low = 0, high = l->n_ranges;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->ranges[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr >= l->ranges[low - 1].end)
		return NULL;
	return &l->units[l->ranges[low - 1].unit];
}

static bool may_read_lines(struct lines *l, struct unit *u)
{
	uint64_t size = line_program_size(&u->die, false);

	if (u->functions.addr != u->die.addr)
		size += line_program_size(&u->functions, true);
	if (size > PROGRAM_MAX || size > l->programs_left)
		return false;
	l->programs_left -= size;
	return true;
}

static struct unit *unit_at(struct lines *l, uint64_t addr)
{
	struct unit *u = listed_unit(l, addr);

	if (!u && !l->is_listed && !list_all(l))
		u = listed_unit(l, addr);
	if (u && !u->is_read) {
		u->is_read = true;
		u->scopes_left = l->scopes_left;
		walk(u, &u->functions, 0, 0);
		l->scopes_left = u->scopes_left;
		u->has_lines = may_read_lines(l, u);
		if (u->n)
			qsort(u->scopes, u->n, sizeof(*u->scopes), by_depth);
	}
	return u;
}

/* The scope of that depth around addr, or NULL. Those of one depth do not overlap. */
static const struct scope *scope_at(const struct unit *u, uint32_t depth, uint64_t addr)
{
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct scope *s = &u->scopes[mid];

		if (s->depth < depth || (s->depth == depth && s->start <= addr))
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || u->scopes[low - 1].depth != depth || addr >= u->scopes[low - 1].end)
		return NULL;
	return &u->scopes[low - 1];
}

static const char *function_name(Dwarf_Die *die)
{
	static const unsigned int linkage[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute at;

	for (size_t i = 0; i < 2; i++) {
		if (dwarf_attr_integrate(die, linkage[i], &at))
			return dwarf_formstring(&at);
	}
	return dwarf_diename(die);
}

/* 2 of "{closure#2}" or "{async_block#2}". */
static uint32_t nth_closure(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die),
		   *number = name && *name == '{' ? strchr(name, '#') : NULL;
	unsigned long n = number ? strtoul(number + 1, NULL, 10) : 0;

	return n <= UINT32_MAX ? n : 0;
}

static uint32_t number_of(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute at;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &at) || dwarf_formudata(&at, &value) || value > UINT32_MAX)
		return 0;
	return value;
}

static const char *directory_of(struct unit *u, const char *file)
{
	Dwarf_Attribute at;

	if (!file || file[0] == '/')
		return NULL;
	return dwarf_formstring(dwarf_attr(&u->die, DW_AT_comp_dir, &at));
}

/* From where an inlined function is called. */
static void find_call(struct unit *u, Dwarf_Die *die, struct line_frame *ret)
{
	uint32_t index = number_of(die, DW_AT_call_file);
	Dwarf_Files *files;
	size_t n;

	ret->line = number_of(die, DW_AT_call_line);
	ret->file = NULL;
	if (u->has_lines && !dwarf_getsrcfiles(&u->functions, &files, &n) && index < n)
		ret->file = dwarf_filesrc(files, index, NULL, NULL);
	ret->directory = directory_of(u, ret->file);
}

static void find_line(struct unit *u, uint64_t addr, struct line_frame *ret)
{
	Dwarf_Line *line = u->has_lines ? dwarf_getsrc_die(&u->die, addr) : NULL;
	int number;

	if (!line || dwarf_lineno(line, &number) || number < 0)
		return;
	ret->line = number;
	ret->file = dwarf_linesrc(line, NULL, NULL);
	ret->directory = directory_of(u, ret->file);
}

static size_t find(struct lines *l, uint64_t addr, struct line_frame ret[LINES_DEPTH])
{
	struct unit *u = unit_at(l, addr);
	const struct scope *chain[LINES_DEPTH];
	struct line_frame place = {};
	size_t n = 0;

	if (!u)
		return 0;
	while (n < LINES_DEPTH && (chain[n] = scope_at(u, n, addr)))
		n++;
	find_line(u, addr, &place);
	for (size_t i = 0; i < n; i++) {
		Dwarf_Die die;

		ret[i] = place;
		if (!dwarf_die_addr_die(dwarf_cu_getdwarf(u->functions.cu), chain[n - 1 - i]->die,
					&die))
			return i;
		ret[i].function = function_name(&die);
		ret[i].nth = nth_closure(&die);
		find_call(u, &die, &place);
	}
	if (!n && place.file)
		ret[n++] = place;
	return n;
}

static const char *generic_name(struct lines *l, uint64_t addr)
{
	struct unit *u = unit_at(l, addr);
	const struct scope *function = u ? scope_at(u, 0, addr) : NULL;
	Dwarf_Die die;

	if (!function ||
	    !dwarf_die_addr_die(dwarf_cu_getdwarf(u->functions.cu), function->die, &die))
		return NULL;
	return dwarf_diename(&die);
}

const char *lines_generic_name(struct lines *l, uint64_t addr)
{
	sigjmp_buf here;
	const char *volatile name = NULL;

	if (l->is_broken)
		return NULL;
	reading = &here;
	if (!sigsetjmp(here, 0))
		name = generic_name(l, addr);
	else
		l->is_broken = true;
	reading = NULL;
	return l->is_broken ? NULL : name;
}

static bool find_body(struct lines *l, uint64_t addr, const char *type, size_t len,
		      struct line_frame *ret)
{
	struct unit *u = unit_at(l, addr);
	Dwarf_Files *files;
	Dwarf_Die next;
	uint32_t index;
	size_t n;

	if (!u || !body_find(&u->functions, type, len, &next))
		return false;
	index = number_of(&next, DW_AT_decl_file);
	if (!u->has_lines || dwarf_getsrcfiles(&u->functions, &files, &n) || index >= n)
		return false;
	*ret = (struct line_frame){
		.file = dwarf_filesrc(files, index, NULL, NULL),
		.line = number_of(&next, DW_AT_decl_line),
	};
	ret->directory = directory_of(u, ret->file);
	return ret->file && ret->line;
}

bool lines_body(struct lines *l, uint64_t addr, const char *type, size_t len,
		struct line_frame *ret)
{
	volatile bool is_found = false;
	sigjmp_buf here;

	if (l->is_broken)
		return false;
	reading = &here;
	if (!sigsetjmp(here, 0))
		is_found = find_body(l, addr, type, len, ret);
	else
		l->is_broken = true;
	reading = NULL;
	return is_found && !l->is_broken;
}

size_t lines_find(struct lines *l, uint64_t addr, struct line_frame ret[LINES_DEPTH])
{
	sigjmp_buf here;
	size_t n = 0;

	if (l->is_broken)
		return 0;
	reading = &here;
	if (!sigsetjmp(here, 0))
		n = find(l, addr, ret);
	else
		l->is_broken = true;
	reading = NULL;
	return l->is_broken ? 0 : n;
}
