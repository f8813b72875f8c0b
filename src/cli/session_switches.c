/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Context switches of the target: traced while that is cheap. A program that switches hundreds of thousands of times a
 * second pays 0.1 us for each even if nothing is done about it; then only ticks look at its running threads, and walks
 * at those that sleep.
 */
#include "base/turns.h"
#include "cli/session_parts.h"

#define SECOND_NS 1000000000ULL
#define CHECK_NS 100000000
#define WALK_NS 4000000 /* twice that: the longest sleep that may go unseen */
#define SWITCHES_DEAR 100000 /* a second, in and out counted alike: 0.8 % of a CPU */
#define SWITCHES_CHEAP 25000
#define CALM_CHECKS 10

static void walk_all(struct session *s)
{
	for (size_t i = 0; i < s->n_copies; i++)
		if (s->state[i].is_calibrated)
			watch_walk(s->watch, s->process->pid, i);
}

/* Switches a second since the last check; 0 on the first. */
static uint64_t switch_rate(struct session *s, const uint64_t counters[RS_COUNT_MAX], uint64_t now)
{
	uint64_t count = s->is_unhooked ? watch_walked_switches(s->watch)
					: counters[RS_COUNT_SWITCHES];
	uint64_t then = s->switches, elapsed = now - s->switches_ns;

	s->switches = count;
	s->switches_ns = now;
	/* the first count of its kind; or threads have ended and taken theirs with them */
	return !then || count < then ? 0 : (count - then) * SECOND_NS / elapsed;
}

static void hook(struct session *s, bool is_on)
{
	if (watch_hook_switches(s->watch, is_on) < 0)
		return;
	/* Beside a storm of switches each wake-up of this tool would throw a thread of the program off its CPU. */
	turns_ask(!is_on);
	s->is_unhooked = !is_on;
	session_tell(
		s,
		is_on ? "context switches are traced again"
		      : "context switches come too fast to be traced within the budget: parts of blocks "
			"may be unknown, and sleeps below 10 ms missed, until they calm down");
	s->switches = 0; /* counted in another way from now on */
	s->switch_calm = 0;
}

static void check_rate(struct session *s, uint64_t rate)
{
	if (!s->is_unhooked) {
		if (rate > SWITCHES_DEAR && s->can_walk)
			hook(s, false);
		return;
	}
	s->switch_calm = rate && rate < SWITCHES_CHEAP ? s->switch_calm + 1 : 0;
	if (s->switch_calm >= CALM_CHECKS)
		hook(s, true);
}

/* Sleepers that there was no ration for are found by walking for as long as they may last. */
static void note_skipped(struct session *s, uint64_t skipped, uint64_t now)
{
	if (skipped > s->skipped)
		s->walk_until_ns = now + CHECK_NS;
	s->skipped = skipped;
}

/* They get one half way to the threshold: two walks in the time that it takes see each sleep that reaches it. */
void switches_want_stacks(struct session *s, uint64_t now)
{
	if (s->can_walk)
		s->stacks_until_ns = now + s->options->threshold_ns + WALK_NS;
}

static void note_rationed(struct session *s, uint64_t rationed, uint64_t now)
{
	if (rationed != s->rationed)
		switches_want_stacks(s, now);
	s->rationed = rationed;
}

static bool is_blind(const struct session *s, uint64_t now)
{
	return s->is_unhooked || now < s->walk_until_ns;
}

static bool must_walk(const struct session *s, uint64_t now)
{
	return is_blind(s, now) || now < s->stacks_until_ns;
}

static uint64_t time_to_walk(const struct session *s, uint64_t now)
{
	uint64_t half = s->options->threshold_ns / 2;

	return is_blind(s, now) || half < WALK_NS ? WALK_NS : half;
}

void switches_step(struct session *s, uint64_t now)
{
	uint64_t counters[RS_COUNT_MAX];

	note_skipped(s, watch_skipped(s->watch), now);
	note_rationed(s, watch_rationed(s->watch), now);
	if (now >= s->switches_ns + CHECK_NS && watch_counters(s->watch, counters) >= 0)
		check_rate(s, switch_rate(s, counters, now));
	if (must_walk(s, now) && now >= s->next_walk_ns) {
		watch_walk_for_stacks(s->watch, !is_blind(s, now));
		walk_all(s);
		watch_walk_for_stacks(s->watch, false);
		s->next_walk_ns = now + time_to_walk(s, now);
	}
}

uint64_t switches_due(const struct session *s)
{
	return must_walk(s, s->stepped_ns) ? s->next_walk_ns : s->switches_ns + CHECK_NS;
}
