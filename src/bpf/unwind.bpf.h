/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * Unwinds the user stack of a thread by tables. Plain C on purpose: the tests compile it for the host, under sanitizers.
 * Whoever includes this says how memory and tables are read:
 *
 *   struct rs_memory                                                     whose memory
 *   int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret)              0, or it cannot be read
 *   __u64 unwind_original(__u64 *returns, __u64 trampoline)                what a return probe has replaced by that
 *   const struct rs_mappings *unwind_mappings_now(void)                         NULL: none
 *   const union rs_unwind_part *unwind_part(__u32 table, __u32 index)       NULL: there is none
 *
 * Searches have no branches in their loops: the verifier of the kernel would look at each way through them.
 */
#ifndef RS_BPF_UNWIND_BPF_H
#define RS_BPF_UNWIND_BPF_H

/* An address on the stack. It is the caller's next instruction, unless it was interrupted or signalled there. */
struct rs_unwind {
	__u64 ip, sp, bp;
	__u64 hash; /* of all return addresses, and of the rows of those that were executing */
	__u64 exact[2]; /* bits: ips[i] is the instruction itself */
	__u64 trampoline,
		returns; /* of return probes: its address, and what unwind_original knows of them; 0 = none */
	__u32 n;
	__u32 mapping; /* where the last one was found */
	__u8 end; /* enum rs_unwind_end */
	__u8 is_exact; /* ip is the instruction itself, not a return address */
	__u8 is_bp_lost;
	/* The first caller that was guessed, from here on: why (0: none was), and what was known before. */
	__u8 guess;
	__u32 n_known;
	__u64 hash_known;
	__u64 ips[RS_FRAMES + 1]; /* + 1: a power of two */
};

#define RS_INLINE static inline __attribute__((always_inline))

/* One round of a multiplicative hash: the high bits, where a product is best, come down. */
RS_INLINE __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* All ones if a <= b, else 0; both below 2^63. The compiler must not see that this is a condition: it would branch. */
RS_INLINE __u64 mask_if_le(__u64 a, __u64 b)
{
	__u64 difference = b - a;

	__asm__ volatile("" : "+r"(difference));
	return ~(__u64)((__s64)difference >> 63);
}

/* step if a <= b, else 0. That the bits of such a sum are disjoint must not be seen either: it would be an OR, of which
 * the verifier of Linux 6.1 knows no bounds. */
RS_INLINE __u64 step_if_le(__u64 step, __u64 a, __u64 b)
{
	step &= mask_if_le(a, b);
	__asm__ volatile("" : "+r"(step));
	return step;
}

RS_INLINE bool is_in_mapping(const struct rs_mapping *m, __u64 ip)
{
	return ip >= m->start && ip < m->end;
}

/* A caller mostly is in the same file: *last is where the last one was found. */
RS_INLINE const struct rs_mapping *mapping_of(const struct rs_mappings *maps, __u64 ip, __u32 *last)
{
	const struct rs_mapping *m = &maps->at[*last & (RS_MAPPINGS - 1)];
	__u64 at = 0;

	if (is_in_mapping(m, ip))
		return m;
#pragma GCC unroll 16
	for (__u64 step = RS_MAPPINGS / 2; step; step /= 2) {
		__u64 start = maps->at[(at + step) & (RS_MAPPINGS - 1)].start;

		at += step_if_le(step, start >> 1, ip >> 1); /* unused: ~0 */
	}
	*last = at;
	m = &maps->at[at & (RS_MAPPINGS - 1)];
	return is_in_mapping(m, ip) ? m : NULL;
}

RS_INLINE const struct rs_unwind_row *row_of(const struct rs_mapping *m, __u64 ip)
{
	const union rs_unwind_part *directory = unwind_part(m->table, 0), *part;
	const struct rs_unwind_row *row;
	__u64 pc = ip - m->bias, chunk = 0, at = 0;

	if (!directory || pc >= RS_PC_NONE)
		return NULL;
#pragma GCC unroll 16
	for (__u64 step = RS_CHUNKS / 2; step; step /= 2)
		chunk += step_if_le(step, directory->firsts[(chunk + step) & (RS_CHUNKS - 1)], pc);
	part = unwind_part(m->table, chunk + 1);
	if (!part)
		return NULL;
#pragma GCC unroll 16
	for (__u64 step = RS_CHUNK_ROWS / 2; step; step /= 2)
		at += step_if_le(step, part->rows[(at + step) & (RS_CHUNK_ROWS - 1)].pc, pc);
	row = &part->rows[at & (RS_CHUNK_ROWS - 1)];
	return row->pc <= pc && row->cfa != RS_CFA_GAP ? row : NULL;
}

/* What was guessed is believed only if it has led to the thread's start. */
RS_INLINE int unwind_stop(struct rs_unwind *u, __u8 end)
{
	if (!u->guess) {
		u->hash = mix(u->hash, end > RS_UNWIND_DEEP ? u->ip : 0);
		u->end = end;
	} else if (end == RS_UNWIND_COMPLETE) {
		u->end = RS_UNWIND_GUESSED;
	} else {
		u->hash = u->hash_known;
		u->n = u->n_known;
		u->end = u->guess;
	}
	return 1;
}

/*
 * Code without a table, such as a JIT's, mostly keeps frame pointers. A new thread has its parent's in the register at first:
 * of another stack, thus far away.
 */
#define RS_GUESS_MAX 65536 /* bytes of one frame */
RS_INLINE int guess_caller(struct rs_unwind *u, struct rs_memory m, __u8 why)
{
	__u64 ip = 0, bp = 0;

	if (u->is_bp_lost || u->bp % 8 || u->bp - u->sp > RS_GUESS_MAX ||
	    unwind_read(m, u->bp + 8, &ip) || !ip || unwind_read(m, u->bp, &bp))
		return unwind_stop(u, why);
	if (!u->guess) {
		u->guess = why;
		u->n_known = u->n;
		u->hash_known = mix(u->hash, u->ip);
	}
	u->hash = mix(u->hash, u->is_exact ? 0 : u->ip);
	u->ip = ip;
	u->sp = u->bp + 16;
	u->bp = bp;
	u->is_exact = 0;
	return 0;
}

/* What the kernel pushed for a signal handler: struct ucontext at rsp, registers from byte 40 on. */
RS_INLINE int leave_signal(struct rs_unwind *u, struct rs_memory m)
{
	__u64 at = u->sp + 40, ip, sp, bp;

	if (unwind_read(m, at + 16 * 8, &ip) || unwind_read(m, at + 15 * 8, &sp) ||
	    unwind_read(m, at + 10 * 8, &bp))
		return unwind_stop(u, RS_UNWIND_MEMORY);
	u->ip = ip;
	u->sp = sp;
	u->bp = bp;
	u->is_exact = 1;
	u->is_bp_lost = 0;
	return 0;
}

/* 0, or why it is not known. */
RS_INLINE int find_cfa(const struct rs_unwind *u, struct rs_memory m,
		       const struct rs_unwind_row *row, __u64 *ret)
{
	__s64 offset = 8 * (__s64)row->offset;
	bool by_bp = row->cfa == RS_CFA_BP || row->cfa == RS_CFA_AT_BP ||
		     row->cfa == RS_CFA_AT_BP_8;
	__u64 cfa = (by_bp ? u->bp : u->sp) + offset;

	if (by_bp && u->is_bp_lost)
		return RS_UNWIND_BP;
	if (row->cfa == RS_CFA_PLT)
		cfa = u->sp + ((u->ip & 15) >= (__u64)row->offset ? 16 : 8);
	else if (row->cfa >= RS_CFA_AT_SP && row->cfa <= RS_CFA_AT_BP_8 &&
		 unwind_read(m, cfa, &cfa))
		return RS_UNWIND_MEMORY;
	if (row->cfa == RS_CFA_AT_SP_8 || row->cfa == RS_CFA_AT_BP_8)
		cfa += 8;
	*ret = cfa;
	return cfa > u->sp ? 0 : RS_UNWIND_LOOP;
}

RS_INLINE int enter_caller(struct rs_unwind *u, struct rs_memory m, const struct rs_unwind_row *row)
{
	__u64 cfa = 0, ip = 0, bp = u->bp;
	int end = find_cfa(u, m, row, &cfa);

	if (end)
		return unwind_stop(u, end);
	if (unwind_read(m, cfa - 8, &ip))
		return unwind_stop(u, RS_UNWIND_MEMORY);
	/* At a return, where it has just been popped, it may lie below the stack: mostly nobody needs it any more. */
	if (row->bp != RS_BP_SAME)
		u->is_bp_lost =
			row->bp == RS_BP_LOST || (row->bp == RS_BP_AT_BP && u->is_bp_lost) ||
			unwind_read(m, row->bp == RS_BP_AT_BP ? u->bp : cfa - 8 * (__u64)row->bp,
				    &bp);
	if (u->trampoline && ip == u->trampoline)
		ip = unwind_original(&u->returns, ip);
	u->ip = ip;
	u->sp = cfa;
	u->bp = bp;
	u->is_exact = 0;
	return ip ? 0 : unwind_stop(u, RS_UNWIND_COMPLETE);
}

/* Notes the frame that u stands at, and moves on to its caller. 1 when there is none: u->end says why. */
RS_INLINE int unwind_frame(struct rs_unwind *u, struct rs_memory m)
{
	const struct rs_mappings *maps = unwind_mappings_now();
	const struct rs_mapping *map;
	const struct rs_unwind_row *row;
	__u64 at;

	if (u->n >= RS_FRAMES)
		return unwind_stop(u, RS_UNWIND_DEEP);
	u->ips[u->n & RS_FRAMES] = u->ip;
	u->exact[u->n / 64 & 1] |= (__u64)u->is_exact << (u->n & 63);
	u->n++;
	at = u->is_exact ? u->ip : u->ip - 1;
	map = maps ? mapping_of(maps, at, &u->mapping) : NULL;
	if (!map)
		return guess_caller(u, m, RS_UNWIND_NO_MAPPING);
	row = row_of(map, at);
	if (!row)
		return guess_caller(u, m, RS_UNWIND_NO_TABLE);
	/* A loop is interrupted at another instruction each time: that makes no other stack. */
	u->hash = mix(u->hash, u->is_exact ? map->bias + row->pc : u->ip);
	if (row->cfa == RS_CFA_END)
		return unwind_stop(u, RS_UNWIND_COMPLETE);
	if (row->cfa == RS_CFA_UNSUPPORTED)
		return unwind_stop(u, RS_UNWIND_RULE);
	return row->cfa == RS_CFA_SIGNAL ? leave_signal(u, m) : enter_caller(u, m, row);
}

#endif
