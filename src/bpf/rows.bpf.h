/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* The rows of the shared table: whose they are, who may change one, and what is noted in it beside polls. */
#ifndef RS_BPF_ROWS_H
#define RS_BPF_ROWS_H

static __always_inline bool is_target(struct task_struct *task)
{
	return config.tgid && task->tgid == config.tgid;
}

__noinline int clear_row(struct rs_thread *t)
{
	if (!t)
		return 0;
	for (__u32 i = 0; i < sizeof(*t) / sizeof(__u64); i++)
		((volatile __u64 *)t)[i] = 0; /* too large for the compiler's memset */
	return 0;
}

static __always_inline void give_row(__u32 row)
{
	__u32 place = __sync_fetch_and_add(&slots_given, 1) & (RS_THREADS - 1);
	__u32 *given = bpf_map_lookup_elem(&free_slots, &place);

	if (given)
		*given = row + 1;
}

/* A row that was given back, + 1; 0: none, or whoever gives the next one is still at it. */
static __always_inline __u32 take_row(void)
{
	for (int i = 0; i < 4; i++) {
		__u32 taken = *(volatile __u32 *)&slots_taken, place = taken & (RS_THREADS - 1);
		__u32 *given = bpf_map_lookup_elem(&free_slots, &place), row;

		row = given ? *(volatile __u32 *)given : 0;
		if (!row)
			return 0;
		if (__sync_val_compare_and_swap(&slots_taken, taken, taken + 1) != taken)
			continue; /* taken on another CPU */
		*given = 0;
		return row;
	}
	return 0;
}

static __noinline struct rs_thread *claim_slot(struct task_struct *task, struct slot *slot)
{
	struct rs_thread *t;
	__u32 row = take_row();

	if (row) {
		row--;
	} else {
		row = __sync_fetch_and_add(&n_slots, 1);
		if (row >= RS_THREADS) {
			__sync_fetch_and_sub(&n_slots, 1);
			count_one(RS_COUNT_NO_SLOT);
			slot->tid = 0;
			return NULL;
		}
	}
	t = bpf_map_lookup_elem(&threads, &row);
	if (!t)
		return NULL;
	clear_row(t);
	t->run_delay = task->sched_info.run_delay;
	if (task->start_time > config.attached_ns)
		t->last_ns = task->start_time; /* it did not poll before that */
	t->row = row;
	t->tid = pid_at_level(task, config.pid_level);
	slot->number = row + 1;
	return t;
}

static __always_inline struct slot *slot_at(__u32 tid, __u32 try)
{
	__u32 key = (tid + try) & (RS_INDEX - 1);

	return bpf_map_lookup_elem(&slots, &key);
}

static __always_inline struct slot *slot_of(struct task_struct *task)
{
	__u32 tid = task->pid;

	for (__u32 i = 0; i < RS_INDEX_TRIES; i++) {
		struct slot *slot = slot_at(tid, i);

		if (slot && slot->tid == tid)
			return slot;
	}
	return NULL;
}

static __always_inline struct rs_thread *thread_of(struct task_struct *task)
{
	struct slot *slot = slot_of(task);
	__u32 row;

	if (!slot || !slot->number)
		return NULL;
	row = slot->number - 1;
	return bpf_map_lookup_elem(&threads, &row);
}

/* A walk and the thread itself may come at the same time: whoever takes the place first makes the row. */
static __noinline struct rs_thread *new_thread(struct task_struct *task)
{
	__u32 tid = task->pid;

	if (task->flags & RS_PF_EXITING) /* on_exit has been here, nobody would free the row */
		return NULL;
	for (__u32 i = 0; i < RS_INDEX_TRIES; i++) {
		struct slot *slot = slot_at(tid, i);

		if (!slot)
			continue;
		if (slot->tid == tid)
			return NULL;
		if (!__sync_val_compare_and_swap(&slot->tid, 0, tid))
			return claim_slot(task, slot);
	}
	count_one(RS_COUNT_INDEX);
	return NULL;
}

static __always_inline struct rs_thread *thread_of_or_new(struct task_struct *task)
{
	struct rs_thread *t = thread_of(task);

	return t ? t : new_thread(task);
}

/* Takes the own time of one run in 64. */
static __always_inline __u64 timer_start(struct rs_cpu *cpu, __u64 now)
{
	return (++cpu->counts[RS_COUNT_RUNS] & 63) == 0 ? now : 0;
}

static __always_inline void timer_stop(struct rs_cpu *cpu, __u64 started)
{
	if (!started)
		return;
	cpu->counts[RS_COUNT_TIMED_RUNS]++;
	cpu->counts[RS_COUNT_TIMED_NS] += bpf_ktime_get_ns() - started;
}

/*
 * `seq` is odd while a row is being changed: a tick may interrupt a probe's program on the same thread, which it cannot wait
 * for, and a walk on another CPU may just be putting back what it found.
 */
static __always_inline bool row_lock(struct rs_thread *t)
{
	if (t->seq & 1) {
		count_one(RS_COUNT_BUSY);
		return false;
	}
	t->seq++;
	barrier();
	return true;
}

/* Waits for a walk, some 100 ns: not for ticks. */
static __always_inline bool row_lock_after_walk(struct rs_thread *t)
{
	for (int i = 0; i < RS_LOCK_TRIES && *(volatile __u32 *)&t->seq & 1; i++)
		barrier();
	return row_lock(t);
}

/*
 * When the current thread was last switched in. The kernel keeps that anyway, by the scheduler's clock (sched_clock), so
 * that nothing has to be done at most switch-ins; what turns it into CLOCK_MONOTONIC is found by tracing one now and then.
 */
static __always_inline __u64 arrived_at(struct task_struct *task, __u64 now, __u64 otherwise)
{
	__u64 at = task->sched_info.last_arrival + clock_offset;

	if (!clock_jiffies || config.is_unhooked)
		return otherwise;
	return at < now ? at : now; /* the two clocks differ by some us */
}

static __always_inline void compare_clocks(struct rs_thread *t, struct task_struct *task,
					   bool is_same_stay)
{
	if (t->traced_in_ns && is_same_stay) {
		clock_offset = t->traced_in_ns - task->sched_info.last_arrival;
		clock_jiffies = bpf_jiffies64();
	}
	t->traced_in_ns = 0;
}

/* The thread was seen to park and has run since: it woke up when it arrived last, if that was its only stay. */
static __always_inline void resolve_park(struct rs_thread *t, struct task_struct *task, __u64 now,
					 bool is_only_stay)
{
	if (t->is_parked && is_only_stay) {
		t->in_ns = t->last_ns = arrived_at(task, now, t->last_ns);
		t->turn_seen_ns = t->last_ns;
		t->turn_sched = 0;
	}
	t->is_parked = 0;
}

/*
 * It was only preempted meanwhile: the kernel has counted how long it waited. A sleep that is still to be booked has had
 * its own wait at its end; what came after it fits into the time since.
 */
static __always_inline void note_preemptions(struct rs_thread *t, struct task_struct *task,
					     __u64 now)
{
	__u64 waited = minus(task->sched_info.run_delay, t->run_delay);

	if (t->pending_off && waited > now - t->in_ns)
		waited = now - t->in_ns;
	t->pending_off += waited;
}

/* After a sleep that nobody looked at, the same task again need not be in the same poll; unless the thread would have been
 * noticed to park. */
static __always_inline bool may_be_another(const struct rs_thread *t, const struct rs_poll *p)
{
	bool notices_park = t->parks_epoch == config.epoch && t->parks[0].ip && !config.is_unhooked;

	return !(p->flags & RS_POLL_EXACT_START) && p->flags & RS_POLL_NO_TICK && !notices_park;
}

/* Were there switches of the current thread that nobody looked at? `own`: those that this look itself is about. */
static __always_inline void note_gap(struct rs_thread *t, __u64 now, __u64 own)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 switches = task->nvcsw + task->nivcsw;
	bool is_gap = switches != t->switches + own, has_slept = task->nvcsw > t->sleeps + own;
	struct rs_poll *p = poll_top(t);

	resolve_park(t, task, now, !is_gap);
	if (t->out_ns) {
		/* Its switch-in was not traced (seen after some tasks of a host's agent). */
		if (!is_gap) {
			t->pending_off += arrived_at(task, now, now) - t->out_ns;
			if (p) /* nothing changes while asleep */
				p->seen = arrived_at(task, now, p->seen);
		}
		t->out_ns = 0;
	}
	if (is_gap) {
		if (!has_slept)
			note_preemptions(t, task, now);
		else if (p && may_be_another(t, p))
			close_poll(t, p->seen, now);
		else if (p)
			p->flags |= RS_POLL_GAPS;
		t->in_ns = arrived_at(task, now, now);
	}
	compare_clocks(t, task, !is_gap);
	t->sleeps = task->nvcsw;
	t->switches = switches;
}

static __always_inline void row_unlock(struct rs_thread *t)
{
	barrier();
	t->seq++;
}

static __always_inline bool takes_fd(__u64 nr)
{
	return nr < RS_SYSCALLS && fd_syscalls[(nr / 64) & (RS_SYSCALLS / 64 - 1)] >> (nr & 63) & 1;
}

/* What explains a sleep: the syscall and the file behind its first argument. Only for sleeps inside polls. */
static __always_inline void describe_sleep(struct rs_memory m, struct rs_thread *t)
{
	struct task_struct *task = m.task;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = BPF_CORE_READ(regs, orig_ax), fd = BPF_CORE_READ(regs, di), n = 1;
	bool is_about = takes_fd(nr);
	struct file *file;
	__s32 polled;

	t->out_nr = (__s32)nr < 0 ? -1 : (__s32)nr;
	t->out_mode = 0;
	t->out_fd = 0;
	t->out_object = 0;
	if (t->out_nr < 0)
		return;
	/* poll and ppoll: the first descriptor of the set stands for it */
	if (t->out_nr == RS_NR_POLL || t->out_nr == RS_NR_PPOLL) {
		n = BPF_CORE_READ(regs, si);
		if (read_user(m, &polled, sizeof(polled), fd) || polled < 0 || !n)
			return;
		fd = polled;
		is_about = true;
	}
	file = file_of_fd(task, fd);
	if (!file)
		return;
	t->out_fd = fd;
	t->out_mode = BPF_CORE_READ(file, f_inode, i_mode);
	t->out_object = identity_of(file) | (is_about && n == 1 ? 0 : RS_OBJECT_PART);
}

__noinline int note_syscall(struct rs_thread *t)
{
	if (t)
		describe_sleep(own_memory(), t);
	return 0;
}

#endif
