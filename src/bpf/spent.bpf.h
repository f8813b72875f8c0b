/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* What the time of a poll was spent in: system calls, and stacks. */
#ifndef RS_BPF_SPENT_H
#define RS_BPF_SPENT_H

/* Adds time to the row of that reason. When all rows are taken, the shortest makes room: it explains least. */
__noinline int add_spell(struct rs_poll *p, const struct rs_spell *add)
{
	if (!p || !add)
		return 0;

	__u64 least = ~0ULL;
	__u32 row = 0;

	for (__u32 i = 0; i < RS_SPELLS; i++) {
		const struct rs_spell *s = &p->spells[i];
		bool is_free = !s->count && !s->cpu_ns;

		if (is_free || (s->nr == add->nr && s->mode == add->mode)) {
			row = i;
			least = 0;
			break;
		}
		if (s->ns + s->cpu_ns < least) {
			least = s->ns + s->cpu_ns;
			row = i;
		}
	}
	barrier_var(row);
	struct rs_spell *s = &p->spells[row & (RS_SPELLS - 1)];

	if (least) {
		count_one(RS_COUNT_SPELLS);
		s->ns = s->cpu_ns = s->count = s->object_ns = 0;
	}
	if (add->object_ns > s->object_ns && s->object != add->object)
		s->object_ns = 0;
	if (!s->object_ns)
		s->object = add->object;
	if (s->object == add->object) {
		s->object_ns += add->object_ns;
		s->fd = add->fd;
	}
	s->nr = add->nr;
	s->mode = add->mode;
	s->ns += add->ns;
	s->cpu_ns += add->cpu_ns;
	s->count += add->count;
	return 0;
}

/* Adds time to the row of that stack. When all rows are taken, the one with the least time makes room. */
__noinline int add_stack(struct rs_poll *p, __u64 hash, __u64 ns, __u32 is_asleep)
{
	if (!p || !hash)
		return 0;

	__u64 least = ~0ULL;
	__u32 row = 0;

	for (__u32 i = 0; i < RS_STACKS; i++) {
		const struct rs_stack_use *s = &p->stacks[i];

		if (s->hash == hash || !s->hash) {
			row = i;
			least = 0;
			break;
		}
		if (s->ns < least) {
			least = s->ns;
			row = i;
		}
	}
	barrier_var(row);
	struct rs_stack_use *s = &p->stacks[row & (RS_STACKS - 1)];

	if (least)
		s->ns = s->count = 0;
	s->hash = hash;
	s->is_asleep = is_asleep;
	s->ns += ns;
	s->count++;
	return 0;
}

/* What an inner poll that was no block of its own spent belongs to the outer one. */
__noinline int give_to_outer(struct rs_poll *outer, const struct rs_poll *inner)
{
	if (!outer || !inner)
		return 0;

	outer->off_ns += inner->off_ns;
	outer->runq_ns += inner->runq_ns;
	outer->throttled_ns += inner->throttled_ns;
	for (int i = 0; i < RS_SPELLS; i++) {
		const struct rs_spell *s = &inner->spells[i];

		if (s->count || s->cpu_ns)
			add_spell(outer, s);
	}
	if (inner->longest_ns > outer->longest_ns) {
		outer->longest_ns = inner->longest_ns;
		outer->waker = inner->waker;
	}
	for (int i = 0; i < RS_STACKS; i++)
		add_stack(outer, inner->stacks[i].hash, inner->stacks[i].ns,
			  inner->stacks[i].is_asleep);
	return 0;
}

#endif
