/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libdw reads DWARF; only its searches are not used: dwarf_getscopes walks a whole unit for each address. Here a unit is
 * walked once, see scopes.h, and its lines are copied, see line_table.h.
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

#include "symbol/body.h"
#include "symbol/named_files.h"
#include "symbol/problems.h"
#include "symbol/units.h"

struct lines {
	struct units units;
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

/* The file became shorter, see above. */
static void give_up(struct lines *l)
{
	l->is_broken = true;
	problems_tell(l->units.from.problems,
		      "%s became shorter while it was read; its lines are not used any more",
		      l->units.from.name);
}

int lines_open(const struct lines_source *from, struct lines **ret)
{
	struct lines *l = calloc(1, sizeof(*l));
	sigjmp_buf here;
	volatile int r = -ENOENT; /* survives the jump */

	if (!l)
		return -ENOMEM;
	catch_bus_errors();
	reading = &here;
	if (!sigsetjmp(here, 0))
		r = units_open(&l->units, from);
	else
		give_up(l);
	reading = NULL;
	if (r == -EFBIG)
		problems_tell(from->problems,
			      "%s: its debuginfo is not read: it would take too much memory",
			      from->name);
	if (r < 0) {
		lines_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct lines *lines_close(struct lines *l)
{
	if (l)
		units_clear(&l->units);
	free(l);
	return NULL;
}

static void find_name(Dwarf_Die *die, struct line_frame *ret)
{
	static const unsigned int linkage[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute at;

	ret->function = NULL;
	for (size_t i = 0; i < 2 && !ret->function; i++) {
		if (dwarf_attr_integrate(die, linkage[i], &at))
			ret->function = dwarf_formstring(&at);
	}
	ret->is_plain = !ret->function;
	if (ret->is_plain)
		ret->function = dwarf_diename(die);
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
	return file && file[0] != '/' ? entry_text(&u->die, DW_AT_comp_dir) : NULL;
}

/* In a .dwo file they are numbered otherwise than in the program's own. */
static const char *file_of(struct unit *u, uint32_t index)
{
	Dwarf_Files *files;
	size_t n;

	if (u->functions.addr == u->die.addr)
		return index < u->lines.n_files ? u->lines.files[index] : NULL;
	if (!u->has_lines || dwarf_getsrcfiles(&u->functions, &files, &n) || index >= n)
		return NULL;
	return dwarf_filesrc(files, index, NULL, NULL);
}

/* From where an inlined function is called. */
static void find_call(struct unit *u, Dwarf_Die *die, struct line_frame *ret)
{
	ret->line = number_of(die, DW_AT_call_line);
	ret->file = file_of(u, number_of(die, DW_AT_call_file));
	ret->directory = directory_of(u, ret->file);
}

static void find_line(struct unit *u, uint64_t addr, struct line_frame *ret)
{
	const struct line_row *row = line_table_at(&u->lines, addr - u->scopes.base);

	if (!row)
		return;
	ret->line = row->line;
	ret->file = u->lines.files[row->file];
	ret->directory = directory_of(u, ret->file);
}

static bool entry_of(struct unit *u, const struct scope *scope, Dwarf_Die *ret)
{
	return dwarf_die_addr_die(dwarf_cu_getdwarf(u->functions.cu),
				  (char *)u->functions.addr + scope->entry, ret);
}

static size_t find(struct lines *l, uint64_t addr, struct line_frame ret[LINES_DEPTH])
{
	struct unit *u = units_at(&l->units, addr);
	const struct scope *chain[LINES_DEPTH];
	struct line_frame place = {};
	size_t n = 0;

	if (!u)
		return 0;
	while (n < LINES_DEPTH && (chain[n] = scopes_at(&u->scopes, n, addr)))
		n++;
	find_line(u, addr, &place);
	for (size_t i = 0; i < n; i++) {
		Dwarf_Die die;

		ret[i] = place;
		if (!entry_of(u, chain[n - 1 - i], &die))
			return i;
		find_name(&die, &ret[i]);
		ret[i].nth = nth_closure(&die);
		find_call(u, &die, &place);
	}
	if (!n && place.file)
		ret[n++] = place;
	return n;
}

static const char *generic_name(struct lines *l, uint64_t addr)
{
	struct unit *u = units_at(&l->units, addr);
	const struct scope *function = u ? scopes_at(&u->scopes, 0, addr) : NULL;
	Dwarf_Die die;

	if (!function || !entry_of(u, function, &die))
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
	struct unit *u = units_at(&l->units, addr);
	Dwarf_Die next;

	if (!u || !body_find(&u->functions, type, len, &next))
		return false;
	*ret = (struct line_frame){
		.file = file_of(u, number_of(&next, DW_AT_decl_file)),
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
	if (sigsetjmp(here, 0))
		give_up(l);
	else
		n = find(l, addr, ret);
	reading = NULL;
	return l->is_broken ? 0 : n;
}
