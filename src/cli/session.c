/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/turns.h"
#include "cli/session_parts.h"

#define STEP_LEAST_NS 1000000 /* no two steps without a reason from outside are closer */
#define STEP_ALERT_LEAST_NS 2500000
#define STEP_OVER_BUDGET_NS 4000000 /* a poll of 5 ms that nobody told of can still be inspected */
#define LEARN_SOON_NS 50000000ULL
#define LEARN_LATER_NS 500000000ULL
/* Looking for a runtime where there is none yet reads all thread-local memory: one part of the time in so many. */
#define LEARN_SOON_SHARE 5
#define LEARN_LATER_SHARE 50
#define HELLO_PATIENCE_NS 2000000000ULL
#define SECOND_NS 1000000000ULL

static void add_news(struct session *s, const char *format, va_list args)
{
	size_t used = strlen(s->news), room = sizeof(s->news) - used;

	if (used && room > 2) {
		strcpy(s->news + used, "; ");
		used += 2;
		room -= 2;
	}
	vsnprintf(s->news + used, room, format, args);
}

void session_tell(struct session *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_news(s, format, args);
	va_end(args);
}

void session_warn(struct session *s, const char *format, ...)
{
	size_t max = sizeof(s->warnings) / sizeof(s->warnings[0]);
	va_list args;

	va_start(args, format);
	if (s->has_hello) {
		add_news(s, format, args);
	} else if (s->n_warnings < max) {
		char *text = s->warning_text[s->n_warnings];

		vsnprintf(text, sizeof(s->warning_text[0]), format, args);
		s->warnings[s->n_warnings++] = text;
	}
	va_end(args);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Polls that began after a step are met at the next one before they have lasted the threshold. */
static uint64_t alert_step(const struct session *s)
{
	uint64_t step = s->options->threshold_ns / 4 * 3;

	return step > STEP_ALERT_LEAST_NS ? least(step, RS_SUSPECTS_APART_NS) : STEP_ALERT_LEAST_NS;
}

/*
 * Nothing needs the tool between blocks: the kernel side wakes it when a poll gets long, when a thread falls asleep inside
 * one, and after a block. From then on it knows itself when something is due.
 */
uint64_t session_due(const struct session *s)
{
	uint64_t due = least(s->next_learn_ns, s->next_stats_ns), rows = UINT64_MAX;
	uint64_t pause = s->cpu_percent > s->options->budget_percent ? STEP_OVER_BUDGET_NS
								     : STEP_LEAST_NS;

	if (s->has_hello) {
		due = least(due, least(switches_due(s), auto_due(s)));
		due = least(due, stacks_due(s));
		rows = s->rows_due_ns;
		if (s->stepped_ns < s->alert_ns)
			due = least(due, s->stepped_ns + alert_step(s));
	}
	/* A poll that lasts is looked at in time whatever it costs: there are never many. */
	if (rows < s->stepped_ns + STEP_LEAST_NS)
		rows = s->stepped_ns + STEP_LEAST_NS;
	return least(rows, due > s->stepped_ns + pause ? due : s->stepped_ns + pause);
}

int session_fd(const struct session *s)
{
	return watch_fd(s->watch);
}

static int open_model(struct session *s)
{
	s->sites = sites_new();
	s->spawns = spawns_new();
	s->markers = markers_new();
	s->decoder.tasks = tasks_new();
	s->decoder.copies = s->copies;
	if (!s->sites || !s->spawns || !s->markers || !s->decoder.tasks || stacks_open(s) < 0)
		return -ENOMEM;
	s->decoder.places = places_new(s->copies, stacks_symbolizer(s));
	if (!s->decoder.places || details_open(s) < 0)
		return -ENOMEM;
	s->decoder.pid = s->process->pid;
	s->decoder.slow_ns = s->options->slow_ns;
	s->decoder.critical_ns = s->options->critical_ns;
	return 0;
}

static int open_kernel_side(struct session *s, struct rs_error *err)
{
	struct watch_options o = { .threshold_ns = s->options->threshold_ns };
	int r;

	auto_choose_freq(s);
	o.freq = s->freq;
	s->decoder.period_ns = SECOND_NS / s->freq;
	r = watch_new(&o, report_record, s, &s->watch, err);

	if (r >= 0)
		r = thread_lister_new(s->process->pid, &s->lister, err);
	if (r >= 0)
		r = watch_attach(s->watch, err);
	return r;
}

static int open_parts(struct session *s, pid_t pid, struct rs_error *err)
{
	int r = process_open(pid, s->options->target, &s->process, err);

	if (r >= 0)
		r = open_model(s);
	if (r >= 0)
		r = learn_open(s, err);
	if (r >= 0)
		r = open_kernel_side(s, err);
	if (r >= 0) {
		learn_step(s, now_ns());
		learn_settle(s);
		auto_start(s);
		if (s->options->mode == MODE_EXACT) {
			s->probing = PROBE_ALL;
			r = learn_attach_exact(s, err);
		}
		if (r >= 0 && s->options->marker_validation)
			r = learn_attach_markers(s, err);
	}
	return r;
}

int session_open(const struct session_setup *setup, pid_t pid, struct session **ret,
		 struct rs_error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->options = setup->options;
	s->sink = setup->sink;
	s->out = &setup->out;
	s->catalogue = setup->catalogue;
	for (size_t i = 0; i < RS_THREADS; i++)
		s->rows[i].watch_fd = -1;
	s->watch_tokens = WATCHES_PER_SECOND;
	s->inspect_tokens = INSPECTIONS_PER_SECOND;
	s->opened_ns = s->stats_ns = now_ns();
	s->next_stats_ns = s->opened_ns + SECOND_NS;
	r = open_parts(s, pid, err);
	if (r < 0) {
		session_free(s);
		return r;
	}
	turns_ask(false); /* what lasts is told while it lasts, on a busy machine, too */
	*ret = s;
	return 0;
}

static void step_learning(struct session *s, uint64_t now)
{
	bool is_young = now < s->opened_ns + HELLO_PATIENCE_NS;
	uint64_t pause = is_young ? LEARN_SOON_NS : LEARN_LATER_NS, cost;

	if (now >= s->next_learn_ns) {
		learn_step(s, now);
		cost = (now_ns() - now) * (is_young ? LEARN_SOON_SHARE : LEARN_LATER_SHARE);
		s->next_learn_ns = now + (cost > pause ? cost : pause);
	}
	if (!s->has_hello && (learn_is_complete(s) || !is_young))
		report_hello(s, now);
}

int session_step(struct session *s, enum session_state *ret_state)
{
	uint64_t now = now_ns();

	s->stepped_ns = now;
	step_learning(s, now);
	if (s->has_hello) {
		watch_consume(s->watch);
		switches_step(s, now);
		rows_step(s, now);
		details_hook_wakes(s, now);
		auto_step(s, now);
		stacks_step(s, now);
		if (now >= s->next_stats_ns) {
			report_stats(s, now);
			s->next_stats_ns += SECOND_NS;
		}
	}
	*ret_state = s->has_exec ? SESSION_EXEC : SESSION_RUNNING;
	return s->sink_error;
}

int session_bye(struct session *s, const char *reason)
{
	uint64_t now = now_ns();

	if (!s->has_hello)
		report_hello(s, now);
	s->ongoing = rows_count_ongoing(s, now);
	watch_config(s->watch)->tgid = 0; /* what is in the ring now is all there is */
	watch_consume(s->watch);
	stacks_finish(s);
	report_stats(s, now);
	if (s->options->marker_validation)
		report_validation(s, now);
	report_bye(s, now, reason);
	return s->sink_error;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	rows_close(s);
	details_close(s);
	stacks_stop(s);
	places_free(s->decoder.places);
	stacks_close(s);
	for (size_t i = 0; i < s->n_marker_probes; i++)
		probe_group_free(s->marker_probes[i]);
	for (size_t i = 0; i < RS_COPIES; i++) {
		probe_group_free(s->state[i].polls);
		vtable_index_free(s->state[i].vtables);
	}
	watch_free(s->watch);
	thread_lister_free(s->lister);
	for (size_t i = 0; i < s->n_copies; i++)
		tokio_copy_done(&s->copies[i]);
	process_free(s->process);
	tasks_free(s->decoder.tasks);
	spawns_free(s->spawns);
	markers_free(s->markers);
	sites_free(s->sites);
	free(s);
	return NULL;
}
