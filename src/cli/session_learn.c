/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a session learns of the process: copies of Tokio, their layouts, the scheduler's ticks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/session_parts.h"

#define REFRESH_NS 1000000000ULL
/* Looked at on each CPU in the long run, beside threads that go to sleep where they did before; at 0.3-0.8 us each
 * (measured) that is 0.2 % of it. */
#define SWITCHES_PER_SECOND 4000

/* Takes over the copies found in the modules from `first_module` on. */
static int add_copies(struct session *s, size_t first_module, struct rs_error *err)
{
	struct tokio_copy *found = NULL;
	int n = tokio_find(s->process, first_module, &found, err), r = 0;
	int room = RS_COPIES - (int)s->n_copies, taken = n < room ? n : room;

	if (n <= 0)
		return n;
	if (taken < n)
		session_warn(
			s,
			"more than %d copies of Tokio in the process; the later ones are not watched",
			RS_COPIES);
	for (int i = 0; i < taken && r >= 0; i++) {
		s->copies[s->n_copies] = found[i];
		r = vtable_index_new(&found[i], &s->state[s->n_copies].vtables);
		s->n_copies++;
	}
	s->decoder.n_copies = s->n_copies;
	for (int i = taken; i < n; i++)
		tokio_copy_done(&found[i]);
	free(found);
	return r < 0 ? r : taken;
}

int learn_open(struct session *s, struct rs_error *err)
{
	struct rs_error unread = { 0 }; /* the last module that could not be read */
	int found = add_copies(s, 0, &unread), r = process_check_program(s->process, err);

	if (r < 0)
		return r;
	if (found < 0) {
		*err = unread;
		return found;
	}
	if (!s->n_copies) {
		snprintf(
			err->text, sizeof(err->text),
			"Process %d (%s) is not a Tokio program%s%.250s%s: no task vtables and no Tokio version string in its "
			"executable or shared objects. Check the pid; runtime-scope doctor --pid %d says what was looked for.",
			s->process->pid, s->process->comm,
			unread.text[0] ? " as far as it can be read (" : "", unread.text,
			unread.text[0] ? ")" : "", s->process->pid);
		return -ENOEXEC;
	}
	if (unread.text[0])
		session_warn(s, "%s", unread.text);
	s->next_refresh_ns = now_ns() + REFRESH_NS;
	return 0;
}

static void publish(struct session *s, size_t i)
{
	struct rs_config *config = watch_config(s->watch);
	struct copy_state *state = &s->state[i];

	config->copies[i] = state->calibration.layout;
	config->epoch++;
	if (config->n_copies < s->n_copies)
		config->n_copies = s->n_copies;
	config->token_ns = 1000000000 / SWITCHES_PER_SECOND;
	config->tokens_max = SWITCHES_PER_SECOND / 2;
	tick_watch_init(&state->ticks_mt, &state->calibration, s->copies[i].version, true);
	tick_watch_init(&state->ticks_ct, &state->calibration, s->copies[i].version, false);
	tick_watch_prior(&state->ticks_mt, config->copies[i].ticks_mt);
	tick_watch_prior(&state->ticks_ct, config->copies[i].ticks_ct);
}

static void walk(struct session *s, size_t copy)
{
	s->can_walk = watch_walk(s->watch, s->process->pid, copy) >= 0;
	if (!s->can_walk && !s->has_hello)
		session_warn(
			s, "this kernel cannot show threads that were asleep in a block before the "
			   "tool came (needs Linux 5.18)");
}

static bool calibrate_copies(struct session *s)
{
	_cleanup_free_
	struct rs_thread_info *threads = NULL;
	struct rs_config *config = watch_config(s->watch);
	bool is_new = false, is_new_copy[RS_COPIES] = { false };
	int n;

	if (learn_is_complete(s) && config->tgid)
		return false;
	n = thread_list(s->lister, &threads);
	if (n <= 0)
		return false;
	for (size_t i = 0; i < s->n_copies; i++) {
		struct copy_state *state = &s->state[i];
		int r = state->is_calibrated || tokio_is_too_old(&s->copies[i])
				? -EALREADY
				: calibrate(s->process->pid, &s->copies[i], state->vtables, threads,
					    n, &state->calibration);

		state->is_strange = r == -ENOENT;
		if (r < 0)
			continue;
		state->is_calibrated = is_new = is_new_copy[i] = true;
		publish(s, i);
		if (s->has_hello)
			session_tell(s, "a runtime has started: it is watched from now on");
	}
	config->pid_level = threads[0].level;
	if (!config->attached_ns)
		config->attached_ns = now_ns();
	config->tgid = threads[0].tgid_global;
	for (size_t i = 0; i < s->n_copies; i++)
		if (is_new_copy[i])
			walk(s, i);
	return is_new;
}

static void withdraw(struct session *s, size_t i)
{
	struct rs_config *config = watch_config(s->watch);

	config->copies[i].valid = 0;
	config->epoch++;
	s->state[i].is_calibrated = s->state[i].has_tick_mt = s->state[i].has_tick_ct = false;
	session_tell(
		s,
		"what was taken for Tokio's thread-local data is not: reports so far may be wrong; "
		"learning again");
}

/* Measures again what the first calibration said. Nothing changes when no thread shows a runtime now. */
static void check_calibration(struct session *s, size_t i)
{
	_cleanup_free_
	struct rs_thread_info *threads = NULL;
	int n = thread_list(s->lister, &threads), r;
	struct calibration again;

	if (n <= 0)
		return;
	r = calibrate(s->process->pid, &s->copies[i], s->state[i].vtables, threads, n, &again);
	if (r == -ENOENT ||
	    (!r && memcmp(&again.layout, &s->state[i].calibration.layout, sizeof(again.layout))))
		withdraw(s, i);
}

void learn_note_inspection(struct session *s, size_t copy, bool is_found)
{
	if (s->state[copy].is_calibrated && doubt_note(&s->state[copy].doubt, is_found))
		check_calibration(s, copy);
}

static uint64_t core_of(const struct session *s, const struct rs_layout *l, const struct rs_poll *p,
			bool *ret_is_mt)
{
	uint64_t ctx[RS_SCHED / 8];

	if (!p->sched || process_read(s->process->pid, p->sched, ctx, sizeof(ctx)))
		return 0;
	*ret_is_mt = l->ctx_tag < 0 ? p->role == RS_ROLE_WORKER
				    : (ctx[l->ctx_tag / 8] & 0xff) == l->tag_mt;
	return ctx[l->ctx_core / 8];
}

/* Settled, that is: before, a worker's tick is the prior's. */
static bool has_tick(const struct copy_state *state, uint8_t role)
{
	return (role == RS_ROLE_WORKER && state->has_tick_mt) ||
	       (role == RS_ROLE_CURRENT_THREAD && state->has_tick_ct);
}

/* The kernel side reads meanwhile: it takes nothing for sure while the epoch is odd, or has moved. */
static void write_ticks(struct rs_layout *l, int16_t ticks[RS_TICKS], const int16_t now[RS_TICKS])
{
	__atomic_add_fetch(&l->epoch, 1, __ATOMIC_SEQ_CST);
	memcpy(ticks, now, RS_TICKS * sizeof(*now));
	__atomic_add_fetch(&l->epoch, 1, __ATOMIC_SEQ_CST);
}

static void use_tick(struct rs_layout *l, int16_t ticks[RS_TICKS], int16_t tick)
{
	int16_t now[RS_TICKS] = { tick };

	for (size_t i = 1; i < RS_TICKS; i++)
		now[i] = RS_UNKNOWN;
	write_ticks(l, ticks, now);
}

/* What is known so far, if that is more than before. */
static void use_prior(struct rs_layout *l, const struct tick_watch *w, int16_t ticks[RS_TICKS])
{
	int16_t prior[RS_TICKS];

	tick_watch_prior(w, prior);
	if (memcmp(prior, ticks, sizeof(prior)))
		write_ticks(l, ticks, prior);
}

static void settle_tick(struct session *s, const struct rs_poll *p)
{
	struct copy_state *state = &s->state[p->copy];
	struct rs_layout *l = &watch_config(s->watch)->copies[p->copy];
	const struct tick_candidate *tick;
	struct tick_watch *w;
	uint64_t core;
	bool is_mt;

	core = core_of(s, l, p, &is_mt);
	if (!core || (is_mt ? state->has_tick_mt : state->has_tick_ct))
		return;
	w = is_mt ? &state->ticks_mt : &state->ticks_ct;
	tick_watch_feed(w, s->process->pid, core);
	tick = tick_watch_settled(w);
	if (!tick) {
		use_prior(l, w, is_mt ? l->ticks_mt : l->ticks_ct);
		return;
	}
	if (is_mt) {
		l->batch_mt = tick->batch;
		l->started_mt = tick->started;
		use_tick(l, l->ticks_mt, tick->tick);
		state->has_tick_mt = true;
	} else {
		l->started_ct = tick->started;
		use_tick(l, l->ticks_ct, tick->tick);
		state->has_tick_ct = true;
	}
}

#define SETTLE_NS 1500000
#define SETTLE_TRIES 8

/* Watches the counters of some schedulers until it is clear which word is the turn's number. */
static void settle_ticks(struct session *s)
{
	size_t n = watch_n_slots(s->watch), fed = 0;

	for (size_t slot = 0; slot < n && fed < TICK_CORES; slot++) {
		struct rs_thread t;
		uint8_t copy;

		if (!watch_row(s->watch, slot, &t))
			continue;
		copy = t.polls[0].copy; /* of its last poll */
		if (copy < s->n_copies && s->state[copy].is_calibrated && t.polls[0].sched &&
		    !has_tick(&s->state[copy], t.polls[0].role)) {
			settle_tick(s, &t.polls[0]);
			fed++;
		}
	}
}

/*
 * Until the turns are known, a word that moves inside a poll may be taken for their number, which cuts blocks short. A busy
 * program shows in some ms which one it is; an idle one has no blocks either.
 */
void learn_settle(struct session *s)
{
	for (int i = 0; i < SETTLE_TRIES; i++) {
		usleep(SETTLE_NS / 1000);
		settle_ticks(s);
	}
}

/* Shared objects loaded meanwhile. */
static bool refresh_modules(struct session *s)
{
	size_t known = s->process->n_modules;
	struct rs_error err = { 0 };

	if (process_refresh(s->process) <= 0 || add_copies(s, known, &err) <= 0)
		return false;
	session_tell(s, "another copy of Tokio was loaded");
	if (s->probing != PROBE_NONE && learn_attach_exact(s, &err) < 0)
		session_tell(s, "its polls are sampled. %s", err.text);
	return true;
}

bool learn_step(struct session *s, uint64_t now)
{
	bool is_new = calibrate_copies(s);

	settle_ticks(s);
	if (now < s->next_refresh_ns)
		return is_new;
	s->next_refresh_ns = now + REFRESH_NS;
	return refresh_modules(s) || is_new;
}

bool learn_knows_tick(const struct session *s, const struct rs_poll *p)
{
	return p->copy < s->n_copies && has_tick(&s->state[p->copy], p->role);
}

bool learn_gap(const struct session *s, char *ret, size_t size)
{
	for (size_t i = 0; i < s->n_copies; i++) {
		const struct tokio_copy *c = &s->copies[i];
		const char *version = c->version[0] ? c->version : "of unknown version";

		if (s->state[i].is_calibrated)
			continue;
		if (tokio_is_too_old(c))
			snprintf(
				ret, size,
				"Tokio %s is too old: its tasks are not watched (1.23 and newer are)",
				version);
		else if (!c->n_vtables || !c->tls_memsz)
			snprintf(
				ret, size,
				"Tokio %s keeps no task vtables or ids where they can be found from outside: "
				"nothing can be watched (1.23 and newer can)",
				version);
		else if (s->state[i].is_strange)
			snprintf(
				ret, size,
				"no known layout of thread-local data fits Tokio %s as it runs here: its blocks cannot "
				"be seen (1.23 and newer can, as built for x86-64)",
				version);
		else
			snprintf(
				ret, size,
				"no runtime is seen in %s yet: none is running, or Tokio %s is laid out in a way "
				"not known here; trying again",
				s->n_copies == 1 ? "the program" : "every copy of Tokio", version);
		return true;
	}
	return false;
}

bool learn_is_complete(const struct session *s)
{
	for (size_t i = 0; i < s->n_copies; i++)
		if (!s->state[i].is_calibrated && !tokio_is_too_old(&s->copies[i]))
			return false;
	return true;
}

static int attach_polls(struct session *s, size_t copy, struct rs_error *err)
{
	struct copy_state *state = &s->state[copy];
	const struct tokio_copy *c = &s->copies[copy];
	_cleanup_free_
	struct probe_site *sites = calloc(2 * c->n_vtables + 1, sizeof(*sites));
	size_t n;

	if (!sites)
		return -ENOMEM;
	n = sites_list(s, copy, sites);
	if (!n || state->polls)
		return 0;
	return watch_probe_polls(s->watch, s->process->pid, c->module->probe_path, sites, n,
				 &state->polls, err);
}

static int attach_marker(struct session *s, const struct tokio_copy *c, enum probe_program program,
			 bool at_return, uint64_t offset, uint64_t cookie, struct rs_error *err)
{
	struct probe_site site = { offset, cookie };
	int r;

	if (!offset || s->n_marker_probes == sizeof(s->marker_probes) / sizeof(s->marker_probes[0]))
		return 0;
	r = watch_probe(s->watch, program, at_return, s->process->pid, c->module->probe_path, &site,
			1, &s->marker_probes[s->n_marker_probes], err);
	if (r >= 0)
		s->n_marker_probes++;
	return r;
}

static int attach_markers(struct session *s, const struct tokio_copy *c, struct rs_error *err)
{
	int r = attach_marker(s, c, PROBE_MARKER, true, c->marker_start, RS_MARKER_START, err);

	if (r >= 0)
		r = attach_marker(s, c, PROBE_MARKER, false, c->marker_end, RS_MARKER_END, err);
	if (r >= 0)
		r = attach_marker(s, c, PROBE_SET_TASK_ID, false, c->set_task_id, 0, err);
	return r;
}

int learn_attach_exact(struct session *s, struct rs_error *err)
{
	struct rs_config *config = watch_config(s->watch);

	s->n_left_out = 0;
	for (size_t i = 0; i < s->n_copies; i++) {
		int r = attach_polls(s, i, err);

		if (r < 0)
			return r;
	}
	if (!config->is_exact)
		config->exact_ns = now_ns();
	config->is_exact = s->probing == PROBE_ALL && !s->n_left_out ? RS_EXACT_ALL : true;
	return 0;
}

void learn_detach_exact(struct session *s)
{
	watch_config(s->watch)->is_exact = false;
	for (size_t i = 0; i < s->n_copies; i++) {
		s->state[i].polls = probe_group_free(s->state[i].polls);
	}
}

int learn_attach_markers(struct session *s, struct rs_error *err)
{
	bool has_markers = false;

	for (size_t i = 0; i < s->n_copies; i++) {
		const struct tokio_copy *c = &s->copies[i];
		int r = attach_markers(s, c, err);

		if (r < 0)
			return r;
		has_markers |= c->marker_start && c->marker_end;
	}
	if (!has_markers)
		session_warn(
			s,
			"no trace_blocking_start and trace_blocking_end among the symbols of the program: "
			"there is nothing to compare blocks with");
	return 0;
}
