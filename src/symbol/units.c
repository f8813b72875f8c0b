/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/units.h"

#include <dwarf.h>
#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "symbol/debug_size.h"
#include "symbol/named_files.h"
#include "symbol/problems.h"
#include "target/elf_section.h"

/* Entries of a hostile file may share one long list of ranges: more than these, empty ones included, are not looked at. */
#define UNITS_MAX (1u << 19)
#define SCOPES_MAX (1u << 22) /* of all units together that are kept */
#define RANGES_MAX (1u << 22)
/* Bytes of line programs, of one unit and of all that are read. libdw takes 100 times as much memory while it reads one; a unit
 * has 8 MB hardly ever, in an honest file. */
#define PROGRAM_MAX (8u << 20)
#define PROGRAMS_MAX (256u << 20)
#define UNPACKED_MAX (512u << 20) /* bytes of compressed sections */
/* Bytes of sections that libdw makes lists of, 4 to 10 times as large. */
#define ARANGES_MAX (64u << 20)
#define ABBREVS_MAX (64u << 20)
#define INDEX_MAX (32u << 20) /* bytes of scopes and lines */

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

/* Functions that the linker has left out are listed all the same, at 0 or another place where no code is. */
static bool is_code(const struct units *l, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < l->n_code; i++) {
		if (start >= l->code[i].start && end <= l->code[i].end)
			return true;
	}
	return !l->n_code && start;
}

static bool add_range(struct units *l, uint64_t start, uint64_t end, uint32_t unit)
{
	if (start >= end || !is_code(l, start, end) || l->n_ranges >= RANGES_MAX)
		return true;
	if (!make_room((void **)&l->ranges, &l->ranges_capacity, l->n_ranges, sizeof(*l->ranges)))
		return false;
	l->ranges[l->n_ranges++] = (struct range){ start, end, 0, unit };
	return true;
}

/* The number of a new unit; -ENOMEM; -EFBIG: there are more than any program has. */
static ssize_t add_unit(struct units *l, const Dwarf_Die *die, const Dwarf_Die *functions)
{
	if (l->n >= UNITS_MAX)
		return -EFBIG;
	if (!make_room((void **)&l->rows, &l->capacity, l->n, sizeof(*l->rows)))
		return -ENOMEM;
	l->rows[l->n] = (struct unit){ .die = *die, .functions = *functions };
	return l->n++;
}

/* The unit that has the functions: of a skeleton, the one in its .dwo file where that is at hand. False: not to be asked for. */
static bool find_split(struct units *l, Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die cu, split;
	const char *name;
	bool is_harmless;
	uint8_t type;

	*ret = *die;
	if (dwarf_cu_info(die->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) ||
	    type != DW_UT_skeleton)
		return true;
	name = named_dwo(die);
	is_harmless = named_dwo_is_harmless(die, l->from.fd);
	if (is_harmless && !dwarf_cu_info(die->cu, NULL, &type, &cu, &split, NULL, NULL, NULL) &&
	    split.addr) {
		*ret = split;
		return true;
	}
	if (!l->n_split_missing++)
		problems_tell(
			l->from.problems,
			"%s: inlined functions are not known where they are in a file that cannot be used: %.40s",
			l->from.name, name ? name : "(no name)");
	return is_harmless;
}

static int sort_ranges(struct units *l)
{
	uint64_t reach = 0;

	if (l->n_ranges)
		qsort(l->ranges, l->n_ranges, sizeof(*l->ranges), by_start);
	for (size_t i = 0; i < l->n_ranges; i++) {
		if (l->ranges[i].end > reach)
			reach = l->ranges[i].end;
		l->ranges[i].reach = reach;
	}
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	Dwarf_Off x = *(const Dwarf_Off *)a, y = *(const Dwarf_Off *)b;

	return x < y ? -1 : x > y;
}

/* Adds each unit that the table names once, in their order: sorted by address, it names most of them many times. */
static int add_units_of(struct units *l, Dwarf_Aranges *table, size_t n)
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
static ssize_t unit_of(struct units *l, Dwarf_Off offset)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (dwarf_dieoffset(&l->rows[mid].die) < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n && dwarf_dieoffset(&l->rows[low].die) == offset ? (ssize_t)low : -ENOENT;
}

/* The linker's own list (.debug_aranges), where there is one: reading it is much faster than asking each unit. */
static int list_by_table(struct units *l)
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
static int list_all(struct units *l)
{
	Dwarf_Die die = {}, split;
	Dwarf_CU *cu = NULL;
	size_t looks = 0;
	uint8_t type;
	int r = 0;

	l->is_listed = true;
	while (looks < RANGES_MAX &&
	       !(r = dwarf_get_units(l->dwarf, cu, &cu, NULL, &type, &die, NULL))) {
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
	if (r < 0)
		problems_tell(l->from.problems,
			      "%s: .debug_info cannot be read behind the unit at %#" PRIx64 ": %s",
			      l->from.name, l->n ? (uint64_t)dwarf_dieoffset(&die) : 0,
			      dwarf_errmsg(-1));
	return sort_ranges(l);
}

static void find_code(struct units *l)
{
	size_t n = 0;

	if (elf_getphdrnum(l->elf, &n))
		return;
	for (size_t i = 0; i < n && l->n_code < UNITS_CODE; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(l->elf, (int)i, &p))
			return;
		if (p.p_type == PT_LOAD && p.p_flags & PF_X) {
			l->code[l->n_code].start = p.p_vaddr;
			l->code[l->n_code++].end = p.p_vaddr + p.p_memsz;
		}
	}
}

/* Debuginfo that is there and cannot be read is no reason to be silent. */
static void tell_unreadable(const struct units *l)
{
	static const char *const names[] = { ".debug_info", ".zdebug_info" };
	const char *why = l->elf ? dwarf_errmsg(-1) : elf_errmsg(-1);

	for (size_t i = 0; l->elf && i < 2; i++) {
		GElf_Shdr h;

		if (elf_section_named(l->elf, names[i], &h))
			problems_tell(l->from.problems,
				      "%s: %s at %#" PRIx64 " cannot be read%s: %s", l->from.name,
				      names[i], (uint64_t)h.sh_offset,
				      h.sh_flags & SHF_COMPRESSED ? " (it is compressed)" : "",
				      why ? why : "it is malformed");
	}
}

int units_open(struct units *l, const struct lines_source *from)
{
	int r;

	*l = (struct units){
		.from = *from,
		.scopes_left = SCOPES_MAX,
		.programs_left = PROGRAMS_MAX,
	};
	elf_version(EV_CURRENT);
	l->elf = elf_begin(l->from.fd, ELF_C_READ_MMAP, NULL);
	if (l->elf)
		find_code(l);
	if (l->elf && unpacked_size(l->elf) > UNPACKED_MAX)
		return -EFBIG;
	l->dwarf = l->elf ? dwarf_begin_elf(l->elf, DWARF_C_READ, NULL) : NULL;
	if (l->dwarf && debug_section_size(l->elf, ".debug_abbrev") > ABBREVS_MAX)
		return -EFBIG;
	if (l->dwarf && !named_alt_is_harmless(l->dwarf, l->from.fd))
		return -ENOENT;
	r = l->dwarf ? list_by_table(l) : -ENOENT;
	if (!r && !l->n_ranges)
		r = list_all(l);
	if (!r && !l->n_ranges)
		r = -ENOENT;
	if (r == -ENOENT && !l->n_split_missing)
		tell_unreadable(l);
	return r;
}

void units_clear(struct units *l)
{
	for (size_t i = 0; i < l->n; i++) {
		scopes_clear(&l->rows[i].scopes);
		line_table_clear(&l->rows[i].lines);
	}
	free(l->rows);
	free(l->ranges);
	dwarf_end(l->dwarf);
	elf_end(l->elf);
}

/* The unit of the range around addr, or NULL. Ranges listed twice are the same. */
static struct unit *listed_unit(struct units *l, uint64_t addr)
{
	size_t low = 0, high = l->n_ranges;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->ranges[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low && addr < l->ranges[low - 1].reach; low--) {
		if (addr < l->ranges[low - 1].end)
			return &l->rows[l->ranges[low - 1].unit];
	}
	return NULL;
}

/* What libdw has read of the file is in the page cache, and need not count as this process's. */
static void give_back_pages(const struct units *l)
{
	size_t size;
	char *start = elf_rawfile(l->elf, &size);

	if (start && !((uintptr_t)start % (size_t)sysconf(_SC_PAGESIZE)))
		madvise(start, size, MADV_DONTNEED);
}

static size_t bytes_of(const struct unit *u)
{
	return u->scopes.n * sizeof(*u->scopes.rows) + u->lines.bytes;
}

/* Makes room for others, as far as there is more than `keep`. */
static void forget_oldest(struct units *l, const struct unit *keep)
{
	while (l->used > INDEX_MAX) {
		struct unit *oldest = NULL;

		for (size_t i = 0; i < l->n; i++) {
			struct unit *u = &l->rows[i];

			if (u->is_read && u != keep && (!oldest || u->asked < oldest->asked))
				oldest = u;
		}
		if (!oldest)
			return;
		l->used -= bytes_of(oldest);
		l->scopes_left += oldest->scopes.n;
		scopes_clear(&oldest->scopes);
		line_table_clear(&oldest->lines);
		oldest->is_read = false;
	}
}

static bool may_read_lines(struct units *l, struct unit *u)
{
	uint64_t size = line_program_size(&u->die, false);

	if (u->functions.addr != u->die.addr)
		size += line_program_size(&u->functions, true);
	if (size > PROGRAM_MAX || size > l->programs_left)
		return false;
	l->programs_left -= size;
	return true;
}

static void read_lines(struct units *l, struct unit *u)
{
	Dwarf_Off offset = dwarf_dieoffset(&u->die);
	const char *why = NULL;

	u->has_lines = may_read_lines(l, u);
	if (!u->has_lines)
		why = "they are too many";
	else if (line_table_read(l->elf, offset, u->scopes.base, &u->lines) == -EBADMSG)
		why = dwarf_errmsg(-1);
	if (why)
		problems_tell(l->from.problems,
			      "%s: no lines for the unit at %#" PRIx64 " in .debug_info: %s",
			      l->from.name, (uint64_t)offset, why);
}

static void read_unit(struct units *l, struct unit *u)
{
	u->is_read = true;
	u->scopes.base = l->n_code ? l->code[0].start : 0;
	u->scopes.left = l->scopes_left;
	scopes_read(&u->scopes, &u->functions);
	l->scopes_left = u->scopes.left;
	read_lines(l, u);
	l->used += bytes_of(u);
	forget_oldest(l, u);
	give_back_pages(l);
	malloc_trim(0); /* what reading took beside */
}

struct unit *units_at(struct units *l, uint64_t addr)
{
	struct unit *u = listed_unit(l, addr);

	if (!u && !l->is_listed && !list_all(l))
		u = listed_unit(l, addr);
	if (!u)
		return NULL;
	u->asked = ++l->n_asked;
	if (!u->is_read)
		read_unit(l, u);
	return u;
}
