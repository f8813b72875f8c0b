/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* NDJSON, schema version 1: doc/JSON.md and doc/ndjson.schema.json describe each line. */
#include <stdio.h>

#include "sink/formats.h"
#include "sink/json.h"

static void put_origin(struct json_line *l, uint64_t at_ns, int32_t pid)
{
	json_put(l, "at_ns", json_count(at_ns));
	json_put(l, "pid", json_id(pid));
}

static int ndjson_hello(const struct sink_options *o, const struct hello *h)
{
	struct json_line l = json_line_begin("hello");
	json_t *warnings;

	put_origin(&l, h->at_ns, h->pid);
	json_put(&l, "exe", json_text(h->exe));
	json_put(&l, "build_id", json_text(h->build_id));
	json_put(&l, "tokio", json_text(h->tokio));
	json_put(&l, "rustc", json_text(h->rustc));
	json_put(&l, "mode", json_text(h->mode));
	json_put(&l, "threshold_ns", json_count(h->threshold_ns));
	json_put(&l, "freq", json_count(h->freq));
	json_put(&l, "future_types", json_count(h->future_types));
	json_put(&l, "symbols", json_text(h->symbols));
	json_put(&l, "debuginfo", json_text(h->debuginfo));
	json_put(&l, "unwinder", json_text(h->unwinder));
	warnings = json_put_array(&l, "warnings");
	for (size_t i = 0; i < h->n_warnings; i++)
		json_append(&l, warnings, json_text(h->warnings[i]));
	return json_line_end(&l, o->out);
}

static void put_task(struct json_line *l, const struct task_name *t)
{
	json_t *task = json_put_object(l, "task");

	json_set(l, task, "name", json_text(t->name));
	json_set(l, task, "file", json_text(t->file));
	json_set(l, task, "line", t->file && t->line ? json_count(t->line) : json_null());
	json_set(l, task, "name_source", json_text(t->name ? t->source : NULL));
	json_set(l, task, "type", json_text(t->type));
}

static void put_spawn(struct json_line *l, const struct block *b)
{
	json_t *place;

	if (!b->spawn_file) {
		json_put(l, "spawned_at", json_null());
		return;
	}
	place = json_put_object(l, "spawned_at");
	json_set(l, place, "file", json_text(b->spawn_file));
	json_set(l, place, "line", json_count(b->spawn_line));
}

static void put_place(struct json_line *l, const struct block *b)
{
	char thread[sizeof(b->thread) + 1];

	/* The kernel's name fills the array to the last byte when it is long. */
	snprintf(thread, sizeof(thread), "%.*s", (int)sizeof(b->thread), b->thread);
	json_put(l, "pid", json_id(b->pid));
	json_put(l, "tid", json_id(b->tid));
	json_put(l, "thread", json_text(thread[0] ? thread : NULL));
	json_put(l, "role", json_text(role_name(b->role)));
	json_put(l, "runtime", json_id(b->runtime));
	json_put(l, "worker", json_id(b->worker));
	json_put(l, "task_id", b->task_id ? json_count(b->task_id) : json_null());
	put_task(l, &b->task);
	put_spawn(l, b);
}

static void put_timing(struct json_line *l, const struct block *b)
{
	json_put(l, "start_ns", json_count(b->start_ns));
	json_put(l, b->is_ongoing ? "age_ns" : "duration_ns", json_count(b->duration_ns));
	json_put(l, "error_ns",
		 b->error_ns == BLOCK_ERROR_UNKNOWN ? json_null() : json_count(b->error_ns));
	json_put(l, "phase", json_text(phase_name(b->phase)));
	json_put(l, "polls", b->polls ? json_count(b->polls) : json_null());
	json_put(l, "oncpu_ns", b->parts_known ? json_count(b->oncpu_ns) : json_null());
	json_put(l, "offcpu_ns", b->parts_known ? json_count(b->offcpu_ns) : json_null());
	json_put(l, "runq_ns", b->parts_known ? json_count(b->runq_ns) : json_null());
}

static void put_syscalls(struct json_line *l, const struct block *b)
{
	json_t *syscalls = json_put_array(l, "syscalls");

	for (size_t i = 0; i < b->n_syscalls && i < BLOCK_SYSCALLS; i++) {
		const struct syscall_use *use = &b->syscalls[i];
		json_t *row = json_append_object(l, syscalls);

		json_set(l, row, "name", json_text(use->name));
		json_set(l, row, "ns", json_count(use->ns));
		json_set(l, row, "count", json_count(use->count));
		json_set(l, row, "detail", json_text(use->detail[0] ? use->detail : NULL));
	}
}

static void put_frames(struct json_line *l, json_t *frames, const struct block_stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct frame *f = &s->frames[i];
		json_t *row = json_append_object(l, frames);

		json_set(l, row, "fn", json_text(f->function));
		json_set(l, row, "file", json_text(f->file));
		json_set(l, row, "line", f->file && f->line ? json_count(f->line) : json_null());
		json_set(l, row, "module", json_text(f->module));
		/* Where the kernel lies is nobody's business. */
		json_set(l, row, "addr",
			 f->kind == FRAME_KERNEL ? json_null() : json_count(f->addr));
		json_set(l, row, "inlined", json_boolean(f->is_inlined));
		json_set(l, row, "kind", json_text(frame_kind_name(f->kind)));
	}
}

/* Only where there are several: one alone is `frames`. */
static void put_stacks(struct json_line *l, const struct block *b)
{
	json_t *stacks;

	if (b->n_stacks < 2) {
		json_put(l, "stacks", json_null());
		return;
	}
	stacks = json_put_array(l, "stacks");
	for (size_t i = 0; i < b->n_stacks; i++) {
		json_t *row = json_append_object(l, stacks);

		json_set(l, row, "ns", json_count(b->stacks[i].ns));
		json_set(l, row, "asleep", json_boolean(b->stacks[i].is_asleep));
		put_frames(l, json_set_array(l, row, "frames"), &b->stacks[i]);
	}
}

static void put_advice(struct json_line *l, json_t *object, const struct advice *a)
{
	json_t *row;

	json_set(l, object, "advice", a ? json_object() : json_null());
	if (!a || l->failed)
		return;
	row = json_object_get(object, "advice");
	json_set(l, row, "kind", json_text(a->kind));
	json_set(l, row, "text", json_text(a->text));
}

static void put_stack_fields(struct json_line *l, const struct block *b)
{
	const struct block_stack *heaviest = b->n_stacks ? &b->stacks[0] : NULL;

	if (heaviest)
		put_frames(l, json_put_array(l, "frames"), heaviest);
	else
		json_put(l, "frames", json_null());
	put_stacks(l, b);
	json_put(l, "culprit", heaviest ? json_id(b->culprit) : json_null());
	json_put(l, "complete", heaviest ? json_boolean(heaviest->is_complete) : json_null());
	json_put(l, "stack_end", heaviest ? json_text(stack_end_name(heaviest->end)) : json_null());
	json_put(l, "site", json_text(b->site[0] ? b->site : NULL));
	put_advice(l, l->object, b->advice);
	json_put(l, "impact", json_null());
}

static void put_waker(struct json_line *l, const struct waker *w)
{
	json_t *waker;

	if (!w->tid) {
		json_put(l, "woken_by", json_null());
		return;
	}
	waker = json_put_object(l, "woken_by");
	json_set(l, waker, "tid", json_id(w->tid));
	json_set(l, waker, "thread", json_text(w->thread[0] ? w->thread : NULL));
	json_set(l, waker, "task_id", w->task_id ? json_count(w->task_id) : json_null());
}

static int ndjson_block(const struct sink_options *o, const struct block *b)
{
	struct json_line l = json_line_begin(b->is_ongoing ? "ongoing" : "block");

	put_place(&l, b);
	put_timing(&l, b);
	json_put(&l, "cause", json_text(cause_name(b->cause)));
	json_put(&l, "severity", json_text(severity_name(b->severity)));
	put_syscalls(&l, b);
	put_waker(&l, &b->woken_by);
	put_stack_fields(&l, b);
	json_put(&l, "detection", json_text(detection_name(b->detection)));
	return json_line_end(&l, o->out);
}

static void put_lost(struct json_line *l, const struct loss *losses, size_t n)
{
	json_t *lost = json_put_object(l, "lost");

	for (size_t i = 0; i < n; i++)
		json_set(l, lost, losses[i].name, json_count(losses[i].count));
}

static int ndjson_stats(const struct sink_options *o, const struct stats *s)
{
	struct json_line l = json_line_begin("stats");
	json_t *overhead;

	put_origin(&l, s->at_ns, s->pid);
	json_put(&l, "blocks", json_count(s->blocks));
	json_put(&l, "polls", s->polls_known ? json_count(s->polls) : json_null());
	json_put(&l, "samples", json_count(s->samples));
	put_lost(&l, s->lost, s->n_lost);
	overhead = json_put_object(&l, "overhead");
	json_set(&l, overhead, "bpf_ns", json_count(s->bpf_ns));
	json_set(&l, overhead, "user_ns", json_count(s->user_ns));
	json_set(&l, overhead, "percent", json_number(s->percent));
	json_set(&l, overhead, "table_bytes", json_count(s->table_bytes));
	json_put(&l, "mode", json_text(s->mode));
	json_put(&l, "note", json_text(s->note));
	return json_line_end(&l, o->out);
}

static int ndjson_validation(const struct sink_options *o, const struct validation *v)
{
	struct json_line l = json_line_begin("validation");
	json_t *diff;

	put_origin(&l, v->at_ns, v->pid);
	json_put(&l, "markers", json_count(v->markers));
	json_put(&l, "detected", json_count(v->detected));
	json_put(&l, "matched", json_count(v->matched));
	json_put(&l, "missed", json_count(v->missed));
	json_put(&l, "extra", json_count(v->extra));
	diff = json_put_object(&l, "duration_diff_ns");
	json_set(&l, diff, "p50",
		 v->diff_known ? json_count(v->duration_diff_p50_ns) : json_null());
	json_set(&l, diff, "p99",
		 v->diff_known ? json_count(v->duration_diff_p99_ns) : json_null());
	json_put(&l, "task_ids_agree", json_count(v->task_ids_agree));
	json_put(&l, "task_ids_differ", json_count(v->task_ids_differ));
	return json_line_end(&l, o->out);
}

static void put_totals(struct json_line *l, const struct bye *b)
{
	json_t *totals = json_put_object(l, "totals");

	json_set(l, totals, "blocks", json_count(b->blocks));
	json_set(l, totals, "ongoing", json_count(b->ongoing));
	json_set(l, totals, "slow", json_count(b->slow));
	json_set(l, totals, "critical", json_count(b->critical));
	json_set(l, totals, "blocked_ns", json_count(b->blocked_ns));
	json_set(l, totals, "watched_ns", json_count(b->watched_ns));
}

static void put_culprit(struct json_line *l, json_t *site, const struct site *s)
{
	json_t *culprit;

	json_set(l, site, "culprit", s->function[0] ? json_object() : json_null());
	if (!s->function[0] || l->failed)
		return;
	culprit = json_object_get(site, "culprit");
	json_set(l, culprit, "fn", json_text(s->function));
	json_set(l, culprit, "file", json_text(s->file[0] ? s->file : NULL));
	json_set(l, culprit, "line", s->line ? json_count(s->line) : json_null());
}

static void append_site(struct json_line *l, json_t *by_site, const struct site *s)
{
	json_t *row = json_append_object(l, by_site);

	json_set(l, row, "task", json_text(s->task[0] ? s->task : NULL));
	json_set(l, row, "cause", json_text(cause_name(s->cause)));
	json_set(l, row, "syscall", json_text(s->syscall));
	json_set(l, row, "count", json_count(s->count));
	json_set(l, row, "total_ns", json_count(s->total_ns));
	json_set(l, row, "max_ns", json_count(s->max_ns));
	json_set(l, row, "p99_ns", json_count(s->p99_ns));
	json_set(l, row, "severity", json_text(severity_name(s->severity)));
	json_set(l, row, "site", json_text(s->site[0] ? s->site : NULL));
	put_culprit(l, row, s);
	put_advice(l, row, s->advice);
}

/* Without a percentage: the tool may have watched other programs, before this one and beside it. */
static void put_cost(struct json_line *l, const struct bye *b)
{
	json_t *overhead = json_put_object(l, "overhead");

	json_set(l, overhead, "bpf_ns", json_count(b->bpf_ns));
	json_set(l, overhead, "user_ns", json_count(b->user_ns));
}

static int ndjson_bye(const struct sink_options *o, const struct bye *b)
{
	struct json_line l = json_line_begin("bye");
	json_t *by_site;

	put_origin(&l, b->at_ns, b->pid);
	json_put(&l, "reason", json_text(b->reason));
	put_totals(&l, b);
	put_lost(&l, b->lost, b->n_lost);
	put_cost(&l, b);
	json_put(&l, "note", json_text(b->note));
	by_site = json_put_array(&l, "by_site");
	for (size_t i = 0; i < b->n_sites; i++)
		append_site(&l, by_site, &b->sites[i]);
	return json_line_end(&l, o->out);
}

const struct sink ndjson_sink = {
	.name = "ndjson",
	.shows_kernel = true,
	.hello = ndjson_hello,
	.block = ndjson_block,
	.stats = ndjson_stats,
	.validation = ndjson_validation,
	.bye = ndjson_bye,
};
