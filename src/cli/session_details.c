/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What long polls sleep for: asked while the thread still sleeps, once for each sleep that lasts half the threshold, and
 * once for each file that it spends its time with. Nothing is kept that was not the same before and after it was read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/session_parts.h"
#include "model/detail.h"

#define FILE_TRIES_MAX 8 /* in one poll */
#define WAKES_NS 10000000000ULL /* after a long sleep the next one is not far */

int details_open(struct session *s)
{
	s->decoder.details = details_new();
	if (!s->decoder.details)
		return -ENOMEM;
	if (sleeper_new(s->process->pid, &s->sleeper) < 0)
		session_warn(s, "this kernel does not show what threads sleep for: no details of "
				"system calls");
	s->detail_tokens = DETAILS_PER_SECOND;
	return 0;
}

void details_close(struct session *s)
{
	s->sleeper = sleeper_free(s->sleeper);
	s->decoder.details = details_free(s->decoder.details);
}

static bool is_sleeping(const struct rs_thread *t)
{
	return t->out_ns && t->out_kind == RS_OUT_ASLEEP;
}

/* Still in the sleep that the row is about. */
static bool is_same_sleep(const struct rs_thread *t, const struct rs_sleep *now)
{
	return now->is_asleep && now->switches == t->switches && now->nr == t->out_nr;
}

/* The task that a thread polls is certain while it sleeps. 0: not known, or none. */
static uint64_t task_of_sleeper(struct session *s, uint32_t tid)
{
	struct rs_thread t;
	struct rs_sleep now;

	for (size_t slot = 0; slot < watch_n_slots(s->watch); slot++) {
		if (!watch_row(s->watch, slot, &t) || t.tid != tid)
			continue;
		if (!t.depth || !is_sleeping(&t) || rows_is_in_doubt(&t) ||
		    sleeper_look(s->sleeper, tid, -1, &now) < 0 || !is_same_sleep(&t, &now))
			return 0;
		return t.polls[t.depth - 1].id;
	}
	return 0;
}

static int holder_text(struct session *s, const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	pid_t owner = detail_lock_owner(from);
	uint64_t task;
	char comm[16];

	if (!owner)
		return -ENODATA;
	task = task_of_sleeper(s, owner);
	rows_read_comm(from->pid, owner, comm);
	if (task)
		snprintf(ret, BLOCK_DETAIL, "held by task %llu (tid %d)", (unsigned long long)task,
			 owner);
	else
		snprintf(ret, BLOCK_DETAIL, "held by thread %s (tid %d)", comm, owner);
	return 0;
}

/* The descriptor may have become another file's since the thread fell asleep. */
static int64_t fd_of_sleep(const struct rs_thread *t)
{
	return t->out_object ? (int64_t)t->out_fd : -1;
}

static bool is_same_file(uint64_t object, const struct rs_sleep *now)
{
	return !object || (object & ~RS_OBJECT_PART) == now->object;
}

static void look_at_sleep(struct session *s, const struct rs_thread *t, uint64_t now)
{
	struct rs_sleep before, after;
	struct detail_source from = { s->process->pid, t->tid, fd_of_sleep(t), &before };
	char text[BLOCK_DETAIL];

	if (sleeper_look(s->sleeper, t->tid, from.fd, &before) < 0 || !is_same_sleep(t, &before) ||
	    !is_same_file(t->out_object, &before))
		return;
	if (detail_of_sleep(&from, text) < 0 && holder_text(s, &from, text) < 0)
		return;
	if (sleeper_look(s->sleeper, t->tid, from.fd, &after) < 0 || !is_same_sleep(t, &after) ||
	    !is_same_file(t->out_object, &after))
		return;
	details_add(s->decoder.details, t->tid, t->out_nr, t->out_object, now, text);
}

/* It is the file that counts here, whatever the thread does by now. */
static void look_at_file(struct session *s, uint32_t tid, const struct rs_spell *spell,
			 uint64_t now)
{
	struct rs_sleep before, after;
	struct detail_source from = { s->process->pid, tid, spell->fd, &before };
	char text[BLOCK_DETAIL];

	if (sleeper_look(s->sleeper, tid, from.fd, &before) < 0 ||
	    !is_same_file(spell->object, &before) || detail_of_file(&from, text) < 0 ||
	    sleeper_look(s->sleeper, tid, from.fd, &after) < 0 ||
	    !is_same_file(spell->object, &after))
		return;
	details_add(s->decoder.details, tid, spell->nr, spell->object, now, text);
}

static bool take_token(struct session *s)
{
	if (!s->sleeper || s->detail_tokens <= 0)
		return false;
	s->detail_tokens--;
	return true;
}

static bool is_unknown_file(const struct session *s, uint32_t tid, const struct rs_poll *p,
			    const struct rs_spell *spell)
{
	return spell->object & RS_OBJECT_FILE && !(spell->object & RS_OBJECT_PART) &&
	       spell->object_ns >= s->options->threshold_ns / 4 &&
	       !details_find(s->decoder.details, tid, spell, p->start_lo);
}

static void look_at_files(struct session *s, uint32_t tid, const struct rs_poll *p, uint32_t *tries,
			  uint64_t now)
{
	for (size_t i = 0; i < RS_SPELLS && *tries < FILE_TRIES_MAX; i++) {
		if (!is_unknown_file(s, tid, p, &p->spells[i]) || !take_token(s))
			continue;
		(*tries)++;
		look_at_file(s, tid, &p->spells[i], now);
	}
}

void details_hook_wakes(struct session *s, uint64_t now)
{
	/* Where switches are too many to be traced, wakeups are, too. */
	bool is_wanted = now < s->wakes_until_ns && !s->is_unhooked;

	if (is_wanted != s->has_wakes && watch_hook_wakes(s->watch, is_wanted) >= 0)
		s->has_wakes = is_wanted;
}

void details_step(struct session *s, const struct rs_thread *t, struct row_state *r, uint64_t now)
{
	if (now >= details_due(s, t, r) && take_token(s)) {
		s->wakes_until_ns = now + WAKES_NS;
		r->detailed_ns = t->out_ns;
		look_at_sleep(s, t, now);
	}
	look_at_files(s, t->tid, &t->polls[t->depth - 1], &r->file_tries, now);
}

uint64_t details_due(const struct session *s, const struct rs_thread *t, const struct row_state *r)
{
	bool is_due = s->sleeper && s->detail_tokens > 0 && is_sleeping(t) &&
		      t->out_ns != r->detailed_ns;

	return is_due ? t->out_ns + s->options->threshold_ns / 2 : UINT64_MAX;
}

void details_of_ended(struct session *s, const struct rs_event_block *e)
{
	uint32_t tries = 0;

	look_at_files(s, e->head.tid, &e->poll, &tries, e->end_lo);
}
