/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a session learns of LocalSets: where their thread-local lies, from tasks found on stacks. */
#include "cli/session_parts.h"

static struct local_target target_of(struct session *s, const struct rs_thread *t, size_t copy)
{
	return (struct local_target){
		.pid = s->process->pid,
		.copy = &s->copies[copy],
		.calibration = &s->state[copy].calibration,
		.block = t->context - s->state[copy].calibration.layout.context,
	};
}

/* `h` is the header of the task that is polled on the thread, as its id says. */
void local_inspect(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
		   const struct found_header *h)
{
	struct local_search *search = &s->state[p->copy].local;
	struct rs_layout *l = &watch_config(s->watch)->copies[p->copy];
	struct local_target target = target_of(s, t, p->copy);

	if (s->copies[p->copy].vtables[h->vtable].blocking || !p->handle ||
	    (h->state & (TASK_RUNNING | TASK_COMPLETE)) != TASK_RUNNING)
		return;
	if (p->local.set && p->local.set != h->scheduler)
		local_search_doubt(search, l, h->scheduler == p->handle);
	if (h->scheduler == p->handle)
		return;
	local_search_feed(search, &target, h->scheduler);
	local_search_publish(search, &target, l);
}

/* Reads once more whether the thread is inside a set, and makes sure that it has slept until then. */
static void check_asleep(struct session *s, size_t slot, const struct rs_thread *t,
			 const struct local_target *target, struct rs_layout *l)
{
	struct local_search *search = &s->state[t->idle_copy].local;
	struct rs_thread later;
	uint64_t set;

	if (!t->out_ns || !local_search_wants_asleep(search, l) ||
	    process_read(target->pid, target->block + l->local, &set, sizeof(set)))
		return;
	if (watch_row(s->watch, slot, &later) && later.tid == t->tid && later.out_ns == t->out_ns)
		local_search_asleep(search, l, set);
}

void local_rest(struct session *s, size_t slot, const struct rs_thread *t)
{
	struct rs_layout *l = &watch_config(s->watch)->copies[t->idle_copy % RS_COPIES];
	struct local_search *search = &s->state[t->idle_copy % RS_COPIES].local;
	struct local_target target;

	if (t->idle_copy >= s->n_copies || !search->n_candidates || !t->context)
		return;
	target = target_of(s, t, t->idle_copy);
	if (!search->has_queues) {
		local_search_rest(search, &target);
		local_search_publish(search, &target, l);
	}
	check_asleep(s, slot, t, &target, l);
}
