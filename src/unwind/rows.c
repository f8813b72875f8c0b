/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/rows.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "target/eh_frame.h"
#include "unwind/harmless.h"
#include "unwind/starts.h"

/* DWARF numbers of x86-64 registers (System V ABI, figure 3.36). */
enum { DW_RBP = 6, DW_RSP = 7, DW_RETURN = 16 };

#define SLOT 8 /* offsets are counted in words of the stack */
#define FRAMES_MAX (256u << 20) /* bytes of .eh_frame; programs of a gigabyte have 60 MB */
#define WHOLE_MAX (128u << 20)
/* libdw executes a function's instructions from its start for each of its rows: megabytes of them would take days. The
 * largest honest files take a second or two. */
#define CPU_S_MAX 10
#define LOOKS_BETWEEN_TIMES 256

struct builder {
	Dwarf_CFI *eh_frame, *debug_frame; /* NULL: there is none */
	struct unwind_rows out;
	size_t capacity;
	time_t until_s; /* of this thread's own time */
	unsigned int looks;
	bool is_late;
};

static void dwarf_endp(Dwarf **dwarf)
{
	dwarf_end(*dwarf);
}

static void cfi_endp(Dwarf_CFI **cfi)
{
	if (*cfi)
		dwarf_cfi_end(*cfi);
}

static void elf_endp(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

static bool is_same_rule(const struct rs_unwind_row *a, const struct rs_unwind_row *b)
{
	return a->cfa == b->cfa && a->bp == b->bp && a->offset == b->offset;
}

static time_t cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec;
}

/* From then on nothing more is known of the file. */
static bool is_late(struct builder *b)
{
	if (!b->is_late && ++b->looks % LOOKS_BETWEEN_TIMES == 0)
		b->is_late = cpu_s() >= b->until_s;
	return b->is_late;
}

static int add_row(struct builder *b, const struct rs_unwind_row *row)
{
	struct unwind_rows *x = &b->out;

	if (x->n && x->rows[x->n - 1].pc == row->pc)
		x->n--; /* a gap before a function that follows at once */
	if (x->n && is_same_rule(&x->rows[x->n - 1], row))
		return 0;
	if (x->n >= RS_UNWIND_ROWS_MAX)
		return -EFBIG;
	if (x->n == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 4096;
		struct rs_unwind_row *rows = realloc(x->rows, capacity * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		x->rows = rows;
		b->capacity = capacity;
	}
	x->rows[x->n++] = *row;
	return 0;
}

/* Stores a byte offset in words of the stack. False when it is none. */
static bool put_offset(struct rs_unwind_row *row, int64_t bytes)
{
	if (bytes % SLOT || bytes / SLOT > INT16_MAX || bytes / SLOT < INT16_MIN)
		return false;
	row->offset = bytes / SLOT;
	return true;
}

/* A register plus an offset: which of the two kinds, or 0. */
static uint8_t based_on(const Dwarf_Op *op, uint8_t sp_kind, uint8_t bp_kind, int64_t *ret_offset)
{
	unsigned int reg;

	if (op->atom == DW_OP_bregx) {
		reg = op->number;
		*ret_offset = op->number2;
	} else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		reg = op->atom - DW_OP_breg0;
		*ret_offset = op->number;
	} else {
		return 0;
	}
	return reg == DW_RSP ? sp_kind : reg == DW_RBP ? bp_kind : 0;
}

/* The linker's rule for its PLT: two pushes, told apart by the low bits of the address. */
static bool put_plt(struct rs_unwind_row *row, const Dwarf_Op *ops, size_t n)
{
	static const uint8_t atoms[] = { DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0,
					 DW_OP_ge,    DW_OP_lit3,   DW_OP_shl,	 DW_OP_plus };

	if (n != sizeof(atoms) || ops[0].number != SLOT || ops[1].number)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (atoms[i] && ops[i].atom != atoms[i])
			return false;
	}
	if (ops[4].atom < DW_OP_lit0 || ops[4].atom > DW_OP_lit15)
		return false;
	row->cfa = RS_CFA_PLT;
	row->offset = ops[4].atom - DW_OP_lit0;
	return true;
}

/* What was saved in memory at the CFA: code that aligns its stack keeps it there. Some add the return address's size. */
static bool put_saved_cfa(struct rs_unwind_row *row, const Dwarf_Op *ops, size_t n)
{
	bool adds = n == 3 && ops[2].atom == DW_OP_plus_uconst && ops[2].number == SLOT;
	int64_t offset;

	if (n < 2 || ops[1].atom != DW_OP_deref || (n != 2 && !adds))
		return false;
	row->cfa = based_on(&ops[0], adds ? RS_CFA_AT_SP_8 : RS_CFA_AT_SP,
			    adds ? RS_CFA_AT_BP_8 : RS_CFA_AT_BP, &offset);
	return row->cfa && put_offset(row, offset);
}

static bool put_cfa(struct rs_unwind_row *row, Dwarf_Frame *frame)
{
	int64_t offset;
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) || !n)
		return false;
	if (n > 1)
		return put_plt(row, ops, n) || put_saved_cfa(row, ops, n);
	row->cfa = based_on(&ops[0], RS_CFA_SP, RS_CFA_BP, &offset);
	return row->cfa && put_offset(row, offset);
}

/* Saved in memory at CFA + *ret_offset. */
static bool is_saved_at_cfa(const Dwarf_Op *ops, size_t n, int64_t *ret_offset)
{
	if (!n || ops[0].atom != DW_OP_call_frame_cfa || n > 2)
		return false;
	*ret_offset = n == 2 ? (int64_t)ops[1].number : 0;
	return n == 1 || ops[1].atom == DW_OP_plus_uconst;
}

static uint8_t bp_rule(Dwarf_Frame *frame)
{
	Dwarf_Op memory[3], *ops;
	int64_t offset;
	size_t n;

	if (dwarf_frame_register(frame, DW_RBP, memory, &ops, &n))
		return RS_BP_LOST;
	if (!n)
		return ops ? RS_BP_LOST : RS_BP_SAME;
	if (n == 1 && ops[0].atom == DW_OP_breg6 && !ops[0].number)
		return RS_BP_AT_BP;
	if (!is_saved_at_cfa(ops, n, &offset) || offset >= 0 || offset % SLOT ||
	    offset / -SLOT >= RS_BP_AT_BP)
		return RS_BP_LOST;
	return offset / -SLOT;
}

enum return_rule { RETURN_SAVED, RETURN_NONE, RETURN_ELSEWHERE };

static enum return_rule return_rule(Dwarf_Frame *frame)
{
	Dwarf_Op memory[3], *ops;
	int64_t offset;
	size_t n;

	if (dwarf_frame_register(frame, DW_RETURN, memory, &ops, &n))
		return RETURN_ELSEWHERE;
	if (!n)
		return ops ? RETURN_NONE : RETURN_ELSEWHERE;
	return is_saved_at_cfa(ops, n, &offset) && offset == -SLOT ? RETURN_SAVED
								   : RETURN_ELSEWHERE;
}

static void describe(struct rs_unwind_row *row, Dwarf_Frame *frame, bool is_signal)
{
	enum return_rule at = return_rule(frame);

	if (is_signal) {
		row->cfa = RS_CFA_SIGNAL;
	} else if (at == RETURN_NONE) {
		row->cfa = RS_CFA_END;
	} else if (at == RETURN_ELSEWHERE || !put_cfa(row, frame)) {
		*row = (struct rs_unwind_row){ .pc = row->pc, .cfa = RS_CFA_UNSUPPORTED };
	} else {
		row->bp = bp_rule(frame);
	}
}

static int find_frame(const struct builder *b, uint64_t at, Dwarf_Frame **ret)
{
	if (b->eh_frame && !dwarf_cfi_addrframe(b->eh_frame, at, ret))
		return 0;
	return b->debug_frame ? dwarf_cfi_addrframe(b->debug_frame, at, ret) : -1;
}

/* The rows of one function, from its start until another begins or nothing is known any more. */
static int add_function(struct builder *b, uint64_t start, uint64_t next)
{
	uint64_t at = start;
	int r = 0;

	while (at < next && !r && !is_late(b)) {
		struct rs_unwind_row row = { .pc = at };
		Dwarf_Addr from, to;
		Dwarf_Frame *frame;
		bool is_signal;

		if (find_frame(b, at, &frame))
			break;
		if (dwarf_frame_info(frame, &from, &to, &is_signal) < 0 || from > at || to <= at) {
			free(frame);
			break;
		}
		describe(&row, frame, is_signal);
		free(frame);
		b->out.n_unsupported += row.cfa == RS_CFA_UNSUPPORTED;
		r = add_row(b, &row);
		at = to;
	}
	if (r || at >= next || at > UINT32_MAX)
		return r;
	return add_row(b, &(struct rs_unwind_row){ .pc = at, .cfa = RS_CFA_GAP });
}

static int read_rows(Elf *elf, const struct unwind_index *functions, struct unwind_rows *ret)
{
	_cleanup_(cfi_endp) Dwarf_CFI *eh_frame = NULL;
	_cleanup_(dwarf_endp) Dwarf *dwarf = NULL;
	_cleanup_free_
	uint64_t *starts = NULL;
	struct builder b = { .until_s = cpu_s() + CPU_S_MAX };
	size_t n = 0;
	int r = 0;

	if (!frames_are_harmless(elf, functions))
		return -EBADMSG;
	if (unwind_has_debug_frame(elf))
		dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	b.eh_frame = eh_frame = dwarf_getcfi_elf(elf);
	b.debug_frame = dwarf ? dwarf_getcfi(dwarf) : NULL;
	if (!b.eh_frame && !b.debug_frame)
		return 0;
	starts = unwind_starts(elf, functions, &n);
	if (!starts)
		return -ENOMEM;
	for (size_t i = 0; i < n && !r && !b.is_late; i++)
		r = add_function(&b, starts[i], i + 1 < n ? starts[i + 1] : UINT32_MAX);
	if (r < 0)
		unwind_rows_clear(&b.out);
	else
		*ret = b.out;
	return r;
}

/* 1; 0 when there is nothing to read; -EFBIG. Where libdw finds no .eh_frame section it reads the whole file. */
static int is_worth_reading(const struct elf_file *file)
{
	const struct elf_section *frames = elf_file_section(file, ".eh_frame");

	if (!file->n_sections || (!frames && elf_file_section(file, ".debug_frame")))
		return file->size <= WHOLE_MAX ? 1 : -EFBIG;
	if (!frames)
		return 0;
	return frames->size <= FRAMES_MAX ? 1 : -EFBIG;
}

int unwind_rows_read(const struct elf_file *file, struct unwind_rows *ret)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	_cleanup_(unwind_index_clear) struct unwind_index functions = {};
	int r = is_worth_reading(file);

	*ret = (struct unwind_rows){};
	if (r <= 0)
		return r;
	if (unwind_index_load(file, &functions) == -ENOMEM)
		return -ENOMEM;
	elf_version(EV_CURRENT);
	elf = elf_begin(file->fd, ELF_C_READ, NULL);
	return elf ? read_rows(elf, &functions, ret) : 0;
}

/* The same table, in an image. */
static int find_functions(Elf *elf, struct unwind_index *ret)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;
		Elf_Data *data;

		if (!gelf_getphdr(elf, i, &p) || p.p_type != PT_GNU_EH_FRAME)
			continue;
		data = elf_getdata_rawchunk(elf, p.p_offset, p.p_filesz, ELF_T_BYTE);
		return data ? unwind_index_parse(data->d_buf, data->d_size, p.p_vaddr, ret) : 0;
	}
	return 0;
}

int unwind_rows_of_image(void *image, size_t size, struct unwind_rows *ret)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	_cleanup_(unwind_index_clear) struct unwind_index functions = {};
	int r;

	*ret = (struct unwind_rows){};
	elf_version(EV_CURRENT);
	elf = elf_memory(image, size);
	r = elf ? find_functions(elf, &functions) : 0;
	return elf && !r ? read_rows(elf, &functions, ret) : r;
}

void unwind_rows_clear(struct unwind_rows *x)
{
	free(x->rows);
	*x = (struct unwind_rows){};
}
