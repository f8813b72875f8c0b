/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a session says: hello, blocks, stats, validation, bye. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "cli/session_parts.h"
#include "model/callsite.h"

static const char *symbols_name(enum symbol_kind k)
{
	return k == SYMBOLS_V0 ? "v0" : k == SYMBOLS_LEGACY ? "legacy" : "none";
}

static const char *debuginfo_name(enum debuginfo_kind k)
{
	static const char *const names[] = {
		[DEBUGINFO_NONE] = "none",
		[DEBUGINFO_LINES] = "lines",
		[DEBUGINFO_LIMITED] = "limited",
		[DEBUGINFO_FULL] = "full",
	};

	return names[k];
}

static const char *mode_name(const struct session *s)
{
	/* with the types that blocked alone, the others are sampled; each block says how it was timed */
	return s->probing == PROBE_ALL ? "exact" : "sampled";
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static void keep_error(struct session *s, int r)
{
	if (r < 0 && !s->sink_error)
		s->sink_error = r;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Poll functions: several vtables may share one, where the linker folded identical code. */
static uint32_t count_types_of(const struct tokio_copy *c)
{
	_cleanup_free_
	uint64_t *polls = calloc(c->n_vtables + 1, sizeof(*polls));
	uint32_t n = 0;

	if (!polls)
		return c->n_vtables;
	for (size_t i = 0; i < c->n_vtables; i++)
		polls[i] = c->vtables[i].poll;
	qsort(polls, c->n_vtables, sizeof(*polls), compare_addresses);
	for (size_t i = 0; i < c->n_vtables; i++)
		n += i == 0 || polls[i] != polls[i - 1];
	return n;
}

static uint32_t count_types(const struct session *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->n_copies; i++)
		n += count_types_of(&s->copies[i]);
	return n;
}

void report_hello(struct session *s, uint64_t now)
{
	const struct tokio_copy *c = &s->copies[0];
	struct hello h = {
		.at_ns = now,
		.pid = s->process->pid,
		.exe = s->process->exe,
		.build_id = or_null(c->module->build_id),
		.tokio = or_null(c->version),
		.rustc = or_null(c->rustc),
		.mode = mode_name(s),
		.threshold_ns = s->options->threshold_ns,
		.freq = s->freq,
		.future_types = count_types(s),
		.symbols = symbols_name(c->symbols),
		.debuginfo = debuginfo_name(c->debuginfo),
		.unwinder = "eh_frame",
		.warnings = s->warnings,
	};
	char gap[160];

	if (learn_gap(s, gap, sizeof(gap)))
		session_warn(s, "%s", gap);
	if (s->probing != PROBE_NONE)
		session_warn(
			s,
			"exact mode puts return probes on poll functions; the target's own back traces end there");
	h.n_warnings = s->n_warnings;
	s->has_hello = true;
	s->decoder.hello_ns = now;
	if (s->sink->hello)
		keep_error(s, s->sink->hello(s->out, &h));
}

/* Formats for people are spared what they cannot read, unless they ask for it. */
static bool is_told(struct session *s, const struct block *b)
{
	return !s->sink->repeats || s->options->all_blocks || sites_tell(s->sites, b, now_ns());
}

void report_block(struct session *s, struct block *b)
{
	callsite_find(b);
	b->advice = catalogue_find(s->catalogue, b);
	if (!b->is_ongoing) {
		s->blocks++;
		s->blocked_ns += b->duration_ns;
		s->slow += b->severity == SEVERITY_SLOW;
		s->critical += b->severity == SEVERITY_CRITICAL;
		sites_add(s->sites, b);
	}
	if (is_told(s, b))
		keep_error(s, s->sink->block(s->out, b));
}

static void report_repeats(struct session *s, uint64_t now)
{
	struct repeats repeats[SITES_REPEATS];
	size_t n = s->sink->repeats ? sites_repeats(s->sites, now, repeats) : 0;

	for (size_t i = 0; i < n; i++)
		keep_error(s, s->sink->repeats(s->out, &repeats[i]));
}

void report_ended(struct session *s, const struct rs_event_block *e)
{
	struct block b;

	if (decode_block(&s->decoder, e, sizeof(*e), &b) < 0)
		return;
	stacks_attach(s, &e->poll, &b);
	if (markers_add_block(s->markers, &b))
		b.detection = DETECTION_BOTH;
	auto_note_block(s, &e->poll);
	report_block(s, &b);
}

static void on_marker(struct session *s, const struct rs_event_marker *e)
{
	if (e->head.kind == RS_EVENT_TASK_ID)
		markers_check_id(s->markers, e->id, e->arg);
	else if (e->marker == RS_MARKER_START)
		markers_start(s->markers, e->head.tid, e->head.at_ns);
	else if (e->marker == RS_MARKER_END)
		markers_end(s->markers, e->head.tid, e->head.at_ns, s->options->threshold_ns);
}

void report_record(void *session, const void *record, size_t size)
{
	const struct rs_event_head *head = record;
	struct session *s = session;

	if (size < sizeof(*head))
		return;
	if (head->kind == RS_EVENT_BLOCK && size >= sizeof(struct rs_event_block)) {
		details_of_ended(s, record);
		stacks_hold(s, record);
	} else if (head->kind == RS_EVENT_STACK)
		stacks_add_record(s, record, size);
	else if (head->kind == RS_EVENT_SUSPECT)
		s->alert_ns = s->stepped_ns + RS_SUSPECTS_APART_NS;
	else if (head->kind == RS_EVENT_EXEC)
		s->has_exec = true;
	else if ((head->kind == RS_EVENT_MARKER || head->kind == RS_EVENT_TASK_ID) &&
		 size >= sizeof(struct rs_event_marker))
		on_marker(s, record);
}

/* The counters that are losses, by the names readers see, and what follows from them. */
static const struct {
	enum rs_counter counter;
	const char *name, *consequence;
} losses[] = {
	{ RS_COUNT_RING_FULL, "ring_full",
	  "blocks are missing, they came faster than they could be read" },
	{ RS_COUNT_NO_SLOT, "threads_over_limit", "blocks of further threads are missing" },
	{ RS_COUNT_UNREADABLE, "unreadable_looks", NULL },
	{ RS_COUNT_DEPTH, "nested_too_deep", "polls nested deeper than four are not told apart" },
	{ RS_COUNT_SPELLS, "sleeps_merged", NULL },
	{ RS_COUNT_INDEX, "index_full", "some threads are not watched" },
	{ RS_COUNT_BUSY, "looks_during_probe", NULL },
	{ RS_COUNT_SKIPPED, "switches_skipped", NULL },
	{ RS_COUNT_VAGUE, "vague_waits", NULL },
	{ RS_COUNT_NO_STACK, "stacks_skipped", NULL },
	{ RS_COUNT_STACKS, "stacks_over_limit", "blocks may lack their stacks" },
};
#define N_LOSSES (sizeof(losses) / sizeof(losses[0]))

static void list_losses(const uint64_t now[RS_COUNT_MAX], const uint64_t then[RS_COUNT_MAX],
			struct loss ret[N_LOSSES])
{
	for (size_t i = 0; i < N_LOSSES; i++)
		ret[i] = (struct loss){ .name = losses[i].name,
					.count = now[losses[i].counter],
					.recent = now[losses[i].counter] - then[losses[i].counter],
					.consequence = losses[i].consequence };
}

static uint64_t own_cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ULL +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ULL;
}

#define SWITCH_NS \
	80 /* of a switch that is not looked at: the tracepoint and the filter (measured) */

static uint64_t count_hits(const uint64_t counters[RS_COUNT_MAX])
{
	return counters[RS_COUNT_POLLS] + counters[RS_COUNT_RETURNS];
}

/* Mean of the timed runs, times all runs. */
static uint64_t bpf_cost_ns(const uint64_t now[RS_COUNT_MAX], const uint64_t then[RS_COUNT_MAX])
{
	uint64_t timed = now[RS_COUNT_TIMED_RUNS] - then[RS_COUNT_TIMED_RUNS];
	uint64_t runs = now[RS_COUNT_RUNS] - then[RS_COUNT_RUNS];

	return timed ? (now[RS_COUNT_TIMED_NS] - then[RS_COUNT_TIMED_NS]) / timed * runs : 0;
}

/* What the target pays: programs, interrupts, traps. */
static uint64_t target_cost_ns(const struct session *s, const uint64_t now[RS_COUNT_MAX],
			       const uint64_t then[RS_COUNT_MAX])
{
	return bpf_cost_ns(now, then) + (now[RS_COUNT_TICKS] - then[RS_COUNT_TICKS]) * s->tick_ns +
	       (now[RS_COUNT_SWITCHES] - then[RS_COUNT_SWITCHES]) * SWITCH_NS +
	       (count_hits(now) - count_hits(then)) * s->price_ns;
}

void report_stats(struct session *s, uint64_t now)
{
	uint64_t counters[RS_COUNT_MAX], cpu = own_cpu_ns(), elapsed = now - s->stats_ns;
	struct loss lost[N_LOSSES];
	struct stats st = {
		.at_ns = now,
		.pid = s->process->pid,
		.blocks = s->blocks,
		.lost = lost,
		.n_lost = N_LOSSES,
		.mode = mode_name(s),
		.note = or_null(s->news),
	};

	if (watch_counters(s->watch, counters) < 0 || !elapsed)
		return;
	counters[RS_COUNT_VAGUE] = s->decoder.vague;
	counters[RS_COUNT_STACKS] = stacks_lost(s);
	list_losses(counters, s->counters, lost);
	st.polls = counters[RS_COUNT_POLLS];
	st.table_bytes = stacks_table_bytes(s);
	st.polls_known = s->probing == PROBE_ALL;
	st.samples = counters[RS_COUNT_LOOKS];
	st.bpf_ns = target_cost_ns(s, counters, s->counters);
	st.user_ns = cpu - s->cpu_ns;
	st.percent = 100.0 * (st.bpf_ns + st.user_ns) / elapsed;
	memcpy(s->counters, counters, sizeof(counters));
	s->cpu_ns = cpu;
	s->stats_ns = now;
	s->cpu_percent = 100.0 * st.user_ns / elapsed;
	s->watch_tokens = WATCHES_PER_SECOND;
	s->inspect_tokens = INSPECTIONS_PER_SECOND;
	report_repeats(s, now);
	s->detail_tokens = DETAILS_PER_SECOND;
	if (s->sink->stats)
		keep_error(s, s->sink->stats(s->out, &st));
	s->news[0] = 0;
}

void report_validation(struct session *s, uint64_t now)
{
	struct validation v = { .at_ns = now, .pid = s->process->pid };

	markers_result(s->markers, &v);
	if (s->sink->validation)
		keep_error(s, s->sink->validation(s->out, &v));
}

void report_bye(struct session *s, uint64_t now, const char *reason)
{
	static const uint64_t none[RS_COUNT_MAX];
	struct loss lost[N_LOSSES];
	struct bye b = {
		.at_ns = now,
		.pid = s->process->pid,
		.reason = reason,
		.blocks = s->blocks,
		.ongoing = s->ongoing,
		.slow = s->slow,
		.critical = s->critical,
		.blocked_ns = s->blocked_ns,
		.watched_ns = now - s->opened_ns,
		.user_ns = own_cpu_ns(),
		.lost = lost,
		.n_lost = N_LOSSES,
	};
	char gap[160];

	if (learn_gap(s, gap, sizeof(gap)))
		b.note = gap;
	list_losses(s->counters, none, lost); /* these last words are about all of the run */
	b.bpf_ns = target_cost_ns(s, s->counters, none);
	b.n_sites = sites_rank(s->sites, &b.sites);
	if (s->sink->bye)
		keep_error(s, s->sink->bye(s->out, &b));
}
