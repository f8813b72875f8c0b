/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Auto mode: exact timing where sampling is too coarse for the threshold, as long as its price times the poll rate
 * stays below the budget. Above it, only the future types that were seen to block keep their probes, then none.
 */
#include "cli/session_parts.h"
#include "probe/price.h"

#define SECOND_NS 1000000000ULL
#define CHECK_NS 100000000ULL
#define PERIODS_TO_SAMPLE 4 /* a threshold of so many periods needs no probes */
#define PERIODS_TO_SEE 2 /* a poll of so many is surely seen by ticks */
#define CALM_CHECKS \
	30 /* below half the budget for so long: exact again; doubles each time it was too dear */

/*
 * The target pays for each sampling interrupt that hits it: 1-2 us on bare metal, but 10 us and more where a virtual
 * machine runs inside another. So much of the budget may go there; the rest is for looks at switches and the tool itself.
 */
#define TICKS_SHARE 0.6
#define TICK_HANDLER_NS 1000 /* what the kernel side does at one (measured) */

/*
 * Who asks for exact mode pays for each poll; a few hundred ticks a second more are less than the returns of all polls,
 * which have to be awaited where ticks may miss a block.
 */
static unsigned int least_freq(const struct options *o)
{
	uint64_t freq = (PERIODS_TO_SEE * SECOND_NS + o->threshold_ns - 1) / o->threshold_ns;

	return o->mode == MODE_EXACT && freq <= o->freq ? freq : 1;
}

void auto_choose_freq(struct session *s)
{
	const struct options *o = s->options;
	size_t targets = o->n_pids > 1 ? o->n_pids : 1;
	unsigned int least = least_freq(o);
	double affordable;

	s->freq = o->freq;
	s->tick_ns = tick_price_ns();
	if (!s->tick_ns)
		return;
	affordable = o->budget_percent / 100 * TICKS_SHARE * SECOND_NS /
		     (s->tick_ns + TICK_HANDLER_NS) / targets;
	if (affordable >= o->freq)
		return;
	s->freq = affordable > least ? affordable : least;
	session_warn(
		s,
		"sampling %u times a second instead of %u: an interrupt costs %.1f us here, and the budget is %g %%",
		s->freq, o->freq, s->tick_ns / 1000.0, o->budget_percent);
}

bool auto_wants_exact(const struct options *o)
{
	if (o->mode != MODE_AUTO)
		return o->mode == MODE_EXACT;
	return o->threshold_ns * o->freq < PERIODS_TO_SAMPLE * SECOND_NS;
}

/* Turns of all schedulers, from the counters that the last looks left in the rows: polls in any mode. */
static uint64_t count_turns(struct session *s)
{
	size_t n = watch_n_slots(s->watch);
	uint64_t turns = 0;

	for (size_t slot = 0; slot < n; slot++) {
		struct rs_thread t;
		struct row_state *r = &s->rows[slot];

		if (!watch_row(s->watch, slot, &t) || !learn_knows_tick(s, &t.polls[0]))
			continue;
		turns += t.polls[0].tick - r->tick;
		r->tick = t.polls[0].tick;
	}
	return turns;
}

static double cost_percent(const struct session *s, uint64_t polls, uint64_t elapsed_ns)
{
	return 100.0 * polls * s->price_ns / elapsed_ns;
}

static void use(struct session *s, enum probing probing)
{
	static const char *const news[] = {
		[PROBE_NONE] = "polls are sampled: timing each would cost more than the budget",
		[PROBE_OFFENDERS] =
			"polls are sampled, but those of types that blocked timed exactly",
		[PROBE_ALL] = "polls are timed exactly: the budget has room for it",
	};
	enum probing before = s->probing;
	struct rs_error err = { 0 };

	learn_detach_exact(s);
	s->probing = probing;
	s->calm_checks = 0;
	if (probing != PROBE_NONE && learn_attach_exact(s, &err) < 0) {
		learn_detach_exact(s);
		s->probing = PROBE_NONE;
		s->is_auto = false;
		session_tell(s, "polls are sampled from now on. %s", err.text);
		return;
	}
	/* The types that block come one by one: only the first is news. */
	if (probing != before)
		session_tell(s, "%s", news[probing]);
}

void auto_start(struct session *s)
{
	watch_config(s->watch)->is_fine = s->options->threshold_ns * s->freq <
					  PERIODS_TO_SEE * SECOND_NS;
	if (!auto_wants_exact(s->options))
		return;
	s->price_ns = sites_typical_price(s);
	if (s->options->mode != MODE_AUTO)
		return;
	if (!s->price_ns)
		session_warn(s, "the price of a probe could not be measured; polls are sampled");
	s->is_auto = s->price_ns > 0;
	s->calm_needed = 2;
}

/* Over the budget with all types: keep the offenders. Over it with those alone: they are polled too often for that. */
static void step_down(struct session *s)
{
	if (s->probing == PROBE_ALL && s->n_offenders) {
		use(s, PROBE_OFFENDERS);
		return;
	}
	use(s, PROBE_NONE);
	s->n_offenders = 0;
	s->calm_needed = s->calm_needed < CALM_CHECKS ? CALM_CHECKS : s->calm_needed * 2;
}

static void step_up(struct session *s)
{
	if (++s->calm_checks < s->calm_needed)
		return;
	use(s, PROBE_ALL);
}

/* Every 100 ms. The first decision for exact is made on the rate seen while sampling, so its price is known before. */
void auto_step(struct session *s, uint64_t now)
{
	uint64_t counters[RS_COUNT_MAX], probed, turns, elapsed = now - s->auto_ns;

	if (!s->is_auto || elapsed < CHECK_NS || watch_counters(s->watch, counters) < 0)
		return;
	/* a return costs about what an entry does */
	probed = counters[RS_COUNT_POLLS] + counters[RS_COUNT_RETURNS];
	turns = count_turns(s);
	probed -= s->auto_probed;
	s->auto_probed += probed;
	if (s->auto_ns && s->probing != PROBE_NONE &&
	    cost_percent(s, probed, elapsed) > s->options->budget_percent)
		step_down(s);
	else if (s->auto_ns && s->probing != PROBE_ALL &&
		 cost_percent(s, turns, elapsed) < s->options->budget_percent / 2)
		step_up(s);
	else
		s->calm_checks = 0;
	s->auto_ns = now;
}

uint64_t auto_due(const struct session *s)
{
	return s->is_auto ? s->auto_ns + CHECK_NS : UINT64_MAX;
}

/* A type that blocks is worth a probe of its own even when the others cannot have one: it is rarely polled. */
void auto_note_block(struct session *s, const struct rs_poll *p)
{
	struct task_type type;

	if (!s->is_auto || s->probing == PROBE_ALL || s->n_offenders == OFFENDERS_MAX ||
	    s->calm_needed > CALM_CHECKS)
		return;
	if (p->flags & RS_POLL_EXACT_START)
		type = site_decode(p->site);
	else if (!p->id || !tasks_find(s->decoder.tasks, p->copy, p->id, &type))
		return;
	for (size_t i = 0; i < s->n_offenders; i++)
		if (s->offenders[i].copy == type.copy && s->offenders[i].vtable == type.vtable)
			return;
	s->offenders[s->n_offenders++] = type;
	use(s, PROBE_OFFENDERS);
}
