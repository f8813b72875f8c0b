/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>

#include "base/cleanup.h"

/* A function without unwind entry is a thunk: a jump, perhaps behind a few instructions. */
#define THUNK_BYTES 64
#define MAX_FUNCTION (1u << 20)

struct target_function {
	uint64_t addr;
	uint64_t from; /* the instruction that refers to it first */
	size_t caller; /* that is in; index in the queue */
	unsigned int depth;
};

struct walk {
	const struct image *img;
	const struct unwind_index *functions;
	const struct code_limits *limits;
	int (*see)(const struct code_refs *refs, void *arg);
	void *arg;
	csh cs;
	cs_insn *insn;
	struct target_function *queue; /* limits->functions rows */
	size_t n_queue, running; /* running: index of the function being read */
	uint64_t bytes;
	uint64_t start, end; /* of the function being read */
	struct code_refs refs;
};

void code_file_clear(struct code_file *c)
{
	image_clear(&c->img);
	unwind_index_clear(&c->functions);
	c->file = elf_file_close(c->file);
}

int code_file_open(const char *path, struct code_file *ret)
{
	int r;

	r = elf_file_open(path, &ret->file, NULL);
	if (!r)
		r = image_load(ret->file, &ret->img);
	if (!r)
		r = unwind_index_load(ret->file, &ret->functions);
	return r;
}

static void walk_clear(struct walk *w)
{
	if (w->insn)
		cs_free(w->insn, 1);
	if (w->cs)
		cs_close(&w->cs);
	free(w->queue);
}

static void enqueue(struct walk *w, uint64_t addr, unsigned int depth, uint64_t from)
{
	if (depth > w->limits->depth || w->n_queue == w->limits->functions ||
	    !image_is_code(w->img, addr))
		return;
	for (size_t i = 0; i < w->n_queue; i++) {
		if (w->queue[i].addr == addr)
			return;
	}
	w->queue[w->n_queue++] = (struct target_function){
		.addr = addr,
		.from = from,
		.caller = w->running,
		.depth = depth,
	};
}

/* Ends the running group of references. */
static int flush(struct walk *w, uint64_t callee)
{
	int r = 0;

	w->refs.callee = callee;
	if (w->refs.n)
		r = w->see(&w->refs, w->arg);
	w->refs.n = 0;
	return r;
}

static void add_ref(struct walk *w, uint64_t addr)
{
	if (image_is_code(w->img, addr)) {
		/* a function pointer handed on: what catches panics calls the poll through one */
		if (unwind_index_has(w->functions, addr))
			enqueue(w, addr, w->refs.depth + 1, w->insn->address);
		return;
	}
	if (w->refs.n == CODE_MAX_REFS) {
		memmove(w->refs.addrs, w->refs.addrs + 1,
			(CODE_MAX_REFS - 1) * sizeof(w->refs.addrs[0]));
		memmove(w->refs.at, w->refs.at + 1, (CODE_MAX_REFS - 1) * sizeof(w->refs.at[0]));
		w->refs.n--;
	}
	w->refs.at[w->refs.n] = w->insn->address;
	w->refs.addrs[w->refs.n++] = addr;
}

/* lea reg, [rip + x]; in code for a fixed address also mov reg, imm. */
static void take_operands(struct walk *w)
{
	const cs_x86 *x = &w->insn->detail->x86;

	if (x->op_count != 2 || x->operands[0].type != X86_OP_REG)
		return;
	if (w->insn->id == X86_INS_LEA && x->operands[1].mem.base == X86_REG_RIP)
		add_ref(w, w->insn->address + w->insn->size + (uint64_t)x->operands[1].mem.disp);
	else if (w->img->file->fixed &&
		 (w->insn->id == X86_INS_MOV || w->insn->id == X86_INS_MOVABS) &&
		 x->operands[1].type == X86_OP_IMM && x->operands[1].imm > 0xfff)
		add_ref(w, (uint64_t)x->operands[1].imm);
}

/* Where a call or jump leads: a direct one, or one through a word known at link time (the GOT). 0:
 * not known. */
static uint64_t branch_target(const struct walk *w)
{
	const cs_x86 *x = &w->insn->detail->x86;
	uint64_t to = 0;

	if (x->op_count != 1)
		return 0;
	if (x->operands[0].type == X86_OP_IMM)
		return (uint64_t)x->operands[0].imm;
	if (x->operands[0].type == X86_OP_MEM && x->operands[0].mem.base == X86_REG_RIP &&
	    x->operands[0].mem.index == X86_REG_INVALID)
		image_word(w->img,
			   w->insn->address + w->insn->size + (uint64_t)x->operands[0].mem.disp,
			   &to);
	return to;
}

static int take_instruction(struct walk *w)
{
	uint64_t to;

	if (cs_insn_group(w->cs, w->insn, CS_GRP_CALL)) {
		to = branch_target(w);
		enqueue(w, to, w->refs.depth + 1, w->insn->address);
		return flush(w, to);
	}
	if (cs_insn_group(w->cs, w->insn, CS_GRP_JUMP)) {
		to = branch_target(w);
		if (!to || (to >= w->start && to < w->end))
			return 0;
		/* A tail call is a call; a thunk's jump is the same function still. */
		enqueue(w, to, w->refs.depth + (w->end - w->start > THUNK_BYTES), w->insn->address);
		return flush(w, to);
	}
	if (cs_insn_group(w->cs, w->insn, CS_GRP_RET) || w->insn->id == X86_INS_UD2)
		return flush(w, 0);
	take_operands(w);
	return 0;
}

static int read_function(struct walk *w, const struct target_function *fn)
{
	_cleanup_free_
	uint8_t *code = NULL;
	const uint8_t *p;
	bool thunk = false;
	uint64_t at;
	size_t left;
	int r = 0;

	w->start = fn->addr;
	if (unwind_index_function(w->functions, fn->addr, &at, &w->end) < 0) {
		thunk = true;
		w->end = w->start + THUNK_BYTES;
	}
	left = (size_t)(w->end - w->start);
	if (left > MAX_FUNCTION || w->bytes + left > w->limits->bytes)
		return 0;
	code = malloc(left);
	if (!code)
		return -ENOMEM;
	if (elf_file_read_at(w->img->file, fn->addr, code, left) < 0)
		return 0;
	w->bytes += left;
	w->refs = (struct code_refs){ .depth = fn->depth, .function = fn->addr, .walk = w };
	p = code;
	at = fn->addr;
	r = w->see(&w->refs, w->arg);
	while (!r && left && cs_disasm_iter(w->cs, &p, &left, &at, w->insn)) {
		r = take_instruction(w);
		if (thunk && (w->insn->id == X86_INS_JMP || w->insn->id == X86_INS_RET))
			break;
	}
	return r ? r : flush(w, 0);
}

int code_walk(const struct image *img, const struct unwind_index *functions, uint64_t entry,
	      const struct code_limits *limits, int (*see)(const struct code_refs *refs, void *arg),
	      void *arg)
{
	_cleanup_(walk_clear) struct walk w = {
		.img = img,
		.functions = functions,
		.limits = limits,
		.see = see,
		.arg = arg,
	};
	int r;

	w.queue = calloc(limits->functions, sizeof(*w.queue));
	if (!w.queue || cs_open(CS_ARCH_X86, CS_MODE_64, &w.cs) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(w.cs, CS_OPT_DETAIL, CS_OPT_ON);
	w.insn = cs_malloc(w.cs);
	if (!w.insn)
		return -ENOMEM;
	enqueue(&w, entry, 0, 0);
	for (; w.running < w.n_queue; w.running++) {
		r = read_function(&w, &w.queue[w.running]);
		if (r)
			return r;
	}
	return 0;
}

size_t code_callers(const struct code_refs *refs, uint64_t *ret, size_t max)
{
	const struct walk *w = refs->walk;
	size_t n = 0;

	for (size_t i = w->running; i && n < max; i = w->queue[i].caller)
		ret[n++] = w->queue[i].from;
	return n;
}

bool code_read_location(const struct image *img, uint64_t addr, struct code_location *ret)
{
	uint64_t file, len, place;
	size_t n;

	/* Most references are to plain strings or numbers: the cheap tests first. */
	if (!image_word(img, addr, &file) || !image_word(img, addr + 8, &len) ||
	    !image_word(img, addr + 16, &place))
		return false;
	n = (size_t)len;
	/* Since Rust 1.89 the text is a C string as well: its length may count the NUL or not. */
	if (len < 4 || len >= sizeof(ret->file) || !(uint32_t)place || (uint32_t)place > 10000000 ||
	    !(place >> 32) || (place >> 32) > 100000)
		return false;
	if (elf_file_read_at(img->file, file, ret->file, n) < 0)
		return false;
	ret->file[n] = '\0';
	n = strlen(ret->file);
	if (n + 1 < len || n < 4 || strcmp(ret->file + n - 3, ".rs"))
		return false;
	ret->line = (uint32_t)place;
	ret->column = (uint32_t)(place >> 32);
	return true;
}
