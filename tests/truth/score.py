#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Scores what the profiler reported about one run against what the program logged."""

import argparse
import json
import sys
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import builds
import floors
import table
import truthlog
import where
from match import Matcher, Settings, candidates, overlap

# Fields a `block` line must have with a number in it, or it cannot be scored.
NUMBERS = ("pid", "tid", "start_ns", "duration_ns")


def _joined(times):
    """Stalls of several CPUs as one row of times that do not overlap."""
    joined = []
    for start, end in sorted(times):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


class Stalls:
    """Times when the machine stood still, by the second clock."""

    def __init__(self, times=()):
        self.times = _joined(times)
        self.ends = [end for _start, end in self.times]
        self.longest = max((end - start for start, end in self.times), default=0)

    def within(self, start, end):
        """How long the machine stood still in that time."""
        at = bisect_left(self.ends, start)
        inside = 0
        for first, last in self.times[at:]:
            if first >= end:
                break
            inside += max(0, min(end, last) - max(start, first))
        return inside

    def near_edges(self, spans):
        """How long the stalls that touch the neighbourhood of either edge lasted."""
        near = floors.STALL_NEAR_NS
        edges = (spans[0].start, spans[-1].end)
        return sum(
            end - start
            for start, end in self.times
            if any(start < edge + near and edge - near < end for edge in edges)
        )

    def between(self, since, until):
        return Stalls(time for time in self.times if time[0] < until and since < time[1])


def percentile(values, part):
    """Nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def share(right, wrong):
    return 100.0 * right / (right + wrong) if right + wrong else None


# What is counted as right and wrong; each becomes a percentage.
PAIRS = ("bound_kept", "task_id", "role", "cause", "phase", "parts_add_up", "ongoing",
         "stack", "complete", "culprit", "line", "name", "task_line", "unmarked")


@dataclass
class Tally:
    """Counts of one kind of timing; adds up over runs."""

    timing: str
    expected: int = 0
    found: int = 0
    reported: int = 0
    false: int = 0
    near: int = 0
    merged: int = 0
    merged_polls: int = 0
    disturbed: int = 0
    healthy_false: int = 0
    hidden: int = 0
    stalls: int = 0
    stalled_ns: int = 0
    right: dict = field(default_factory=lambda: dict.fromkeys(PAIRS, 0))
    wrong: dict = field(default_factory=lambda: dict.fromkeys(PAIRS, 0))
    errors: list = field(default_factory=list)
    disturbed_errors: list = field(default_factory=list)
    bounds_over: list = field(default_factory=list)
    offcpu: list = field(default_factory=list)
    offcpu_sleep: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    places: Counter = field(default_factory=Counter)

    def count(self, what, is_right):
        (self.right if is_right else self.wrong)[what] += 1

    def note(self, text):
        self.notes.append(text)

    def add(self, other):
        for name, value in vars(other).items():
            if isinstance(value, dict):
                mine = getattr(self, name)
                for key, number in value.items():
                    mine[key] += number
            elif name != "timing":
                setattr(self, name, getattr(self, name) + value)

    def metrics(self):
        ms = floors.MS
        percentages = {name: share(self.right[name], self.wrong[name]) for name in PAIRS}
        return {
            "recall": share(self.found, self.expected - self.found),
            "precision": share(self.reported - self.false, self.false),
            **percentages,
            "error_p50_ms": _in_ms(percentile(self.errors, 0.50)),
            "error_p99_ms": _in_ms(percentile(self.errors, 0.99)),
            "error_max_ms": _in_ms(max(self.errors, default=None)),
            "error_max_disturbed_ms": _in_ms(max(self.disturbed_errors, default=None)),
            "bound_max_over_ms": _in_ms(max(self.bounds_over, default=None)),
            "offcpu_p99_ms": _in_ms(percentile(self.offcpu, 0.99)),
            "offcpu_sleep_p99_ms": _in_ms(percentile(self.offcpu_sleep, 0.99)),
            "hidden_percent": share(self.hidden, self.right["culprit"] + self.wrong["culprit"]),
            "wrong_names": self.wrong["unmarked"],
            "healthy_false": self.healthy_false,
            "problems": len(self.problems),
        }

    def failures(self, is_total, table=floors.FLOORS):
        """The floors of that table that do not hold, as sentences."""
        return [
            self._failure(floor, floor.value(self.timing))
            for floor in table
            if floor.per_row != is_total and not floor.holds(self.metrics()[floor.metric], self.timing)
        ]

    def build_failures(self, build, table=floors.BUILD_FLOORS):
        """The same of all runs of one build."""
        return [
            self._failure(floor, floor.least)
            for floor in table
            if floor.is_for(build) and not floor.holds(self.metrics()[floor.metric])
        ]

    def _failure(self, floor, wanted):
        value = self.metrics()[floor.metric]
        return f"{floor.metric} {value:.4g} ({'at most' if floor.is_most else 'at least'} {wanted:g})"


def _in_ms(ns):
    return None if ns is None else ns / floors.MS


@dataclass
class Run:
    """One run to be scored. Times are the program's `go` and `done`."""

    truth: object
    events: list
    settings: Settings
    since: int
    until: int
    stalls: Stalls = field(default_factory=Stalls)
    is_healthy: bool = False
    has_hogs: bool = False
    bad_lines: list = field(default_factory=list)
    binary: where.Binary = where.Binary()

    @property
    def hello_ns(self):
        """When the profiler says that it watches."""
        return max((line.get("at_ns") or 0 for line in self.of_type("hello")), default=0)

    def of_type(self, kind):
        return [event for event in self.events if event.get("type") == kind]


def score(run):
    """Returns {"exact": Tally, "sampled": Tally}: in sampled mode the first stays empty."""
    tallies = {timing: Tally(timing) for timing in ("exact", "sampled")}
    main = tallies[run.settings.mode]
    main.problems.extend(run.bad_lines)
    main.stalls = len(run.stalls.times)
    main.stalled_ns = run.stalls.within(run.since, run.until)
    _check_frame(run, main)
    since = max(run.since, run.hello_ns)
    found = candidates(run.truth, run.settings, since, run.until)
    blocks = _usable(run.of_type("block"), main)
    matches, invented = Matcher(run.truth, found, run.settings).match(blocks)
    for report in invented:
        _score_invented(run, report, main)
    for match in matches:
        _score_match(run, match, tallies[run.settings.timing(match.span)])
    for one in found:
        if one.is_expected:
            _score_expected(run, one, tallies[run.settings.timing(one.span)])
    _score_ongoing(run, found, tallies)
    return tallies


def _check_frame(run, tally):
    """The run as a whole: first and last line."""
    if not run.events or run.events[0].get("type") != "hello":
        tally.problems.append("no hello line")
    if not run.events or run.events[-1].get("type") != "bye":
        tally.problems.append("no bye line: the profiler did not end well")
    modes = {line.get("mode") for line in run.of_type("hello")}
    if modes - {run.settings.mode}:
        tally.problems.append(f"asked for {run.settings.mode}, got {modes}")


def _usable(blocks, tally):
    """A bound that is null (unknown) is 0 from here on, and the report marked as of no bound."""
    usable = []
    for block in blocks:
        missing = [name for name in NUMBERS if not isinstance(block.get(name), int)]
        if missing:
            tally.problems.append(f"a block line without {', '.join(missing)}: {block}"[:300])
            continue
        is_bounded = isinstance(block.get("error_ns"), int)
        error = block["error_ns"] if is_bounded else 0
        usable.append({**block, "error_ns": error, "is_bounded": is_bounded})
    return usable


def _describe(report):
    return (
        f"tid {report['tid']} task {report.get('task_id')} {report.get('role')} "
        f"{report.get('phase')} {report['duration_ns'] / floors.MS:.3f} ms "
        f"±{report['error_ns'] / floors.MS:.3f} {report.get('cause')} at {report['start_ns']}"
    )


def _count_report(run, report, tally, is_true):
    tally.reported += 1
    tally.false += not is_true
    stalled = run.stalls.within(report["start_ns"], report["start_ns"] + report["duration_ns"])
    is_stall = report["duration_ns"] - stalled < run.settings.threshold
    if run.is_healthy and report.get("cause") != "starved" and not is_stall:
        tally.healthy_false += 1
        tally.note("reported on a healthy program: " + _describe(report))


def _score_invented(run, report, tally):
    """About no poll at all, or about one that another report has already told of."""
    _count_report(run, report, tally, False)
    tally.note("invented: " + _describe(report))


def _score_match(run, match, tally):
    report, settings = match.report, run.settings
    least = settings.threshold - report["error_ns"] - floors.NEAR_NS
    is_true = match.most >= least
    _count_report(run, report, tally, is_true)
    if not is_true:
        tally.note(f"too short ({match.most / floors.MS:.3f} ms): " + _describe(report))
    if settings.threshold > match.most >= least:
        tally.near += 1
    if match.is_merged:
        tally.merged += 1
        tally.merged_polls += len(match.spans)
    _score_who(run, match, tally)
    where.judge(run, match, tally)
    if not report["is_bounded"]:
        _score_unbounded(run, match, tally)
        return
    if any(one.is_optional for one in match.candidates):
        return
    stalled = run.stalls.near_edges(match.spans)
    # A stall excuses no more than its own length.
    if stalled and match.error() <= report["error_ns"] + stalled:
        tally.disturbed += 1
        tally.disturbed_errors.append(match.error())
        return
    _score_duration(match, tally, settings)
    _score_parts(match, tally)


def _score_who(run, match, tally):
    report, span = match.report, match.span
    known = run.truth.task_id(span)
    if known != 0:
        tally.count("task_id", report.get("task_id") == known)
        if report.get("task_id") != known:
            tally.note(f"task is {known}: " + _describe(report))
    role_bit = truthlog.ROLES.get(report.get("role"), 0)
    tally.count("role", bool(role_bit & span.roles))
    if not role_bit & span.roles:
        tally.note(f"role bits are {span.roles:#x}: " + _describe(report))
    if not (match.is_completion or match.is_merged):
        wanted = "drop" if span.kind == truthlog.DROP else "poll"
        tally.count("phase", report.get("phase") == wanted)
        if report.get("phase") != wanted:
            tally.note(f"phase is {wanted}: " + _describe(report))


def _score_unbounded(run, match, tally):
    """Right only for what began before the profiler watched: the part it saw is no more than all."""
    began = match.spans[0].start
    most = max(match.durations) + floors.RUNTIME_NS
    is_right = began < run.hello_ns and match.report["duration_ns"] <= most
    tally.count("bound_kept", is_right)
    if not is_right:
        tally.note("without a bound: " + _describe(match.report))


def _score_duration(match, tally, settings):
    error, bound = match.error(), match.report["error_ns"]
    tally.errors.append(error)
    is_kept = error <= bound + floors.BOUND_SLACK_NS
    tally.count("bound_kept", is_kept)
    # Whether the future or the runtime waited for a CPU at the very edge, nobody can tell: that wait may be in the bound.
    waited = match.report.get("runq_ns") or 0
    tally.bounds_over.append(max(0, bound - settings.period - waited))
    if not is_kept:
        durations = sorted(set(match.durations))
        right = " or ".join(f"{duration / floors.MS:.3f}" for duration in durations)
        tally.note(f"is {right} ms, outside the bound: " + _describe(match.report))


def _score_parts(match, tally):
    report, span = match.report, match.span
    parts = [report.get(name) for name in ("oncpu_ns", "offcpu_ns", "runq_ns")]
    if all(isinstance(part, int) for part in parts):
        slack = report["error_ns"] + floors.BOUND_SLACK_NS
        does = abs(sum(parts) - report["duration_ns"]) <= slack
        tally.count("parts_add_up", does)
        if not does:
            tally.note(f"parts {parts} do not add up: " + _describe(report))
    if not span.has_parts or len(match.spans) > 1:
        return
    if isinstance(report.get("offcpu_ns"), int):
        off = abs(report["offcpu_ns"] - span.offcpu)
        tally.offcpu.append(off)
        if span.true_cause() == "sleep":
            tally.offcpu_sleep.append(off)
    wanted = span.true_cause()
    if wanted:
        tally.count("cause", report.get("cause") == wanted)
        if report.get("cause") != wanted:
            tally.note(f"cause is {wanted}: " + _describe(report))


def _score_expected(run, one, tally):
    tally.expected += 1
    if one.report is not None:
        tally.found += 1
        return
    span = one.span
    tally.note(
        f"missed: tid {span.tid} task {run.truth.task_id(span)} roles {span.roles:#x} "
        f"kind {span.kind} {span.duration / floors.MS:.3f} ms {span.cause} at {span.start}"
    )


def _score_ongoing(run, found, tallies):
    """Each level that a block passed clearly must have been told in time."""
    events, by_thread = [], {}
    for event in run.of_type("ongoing"):
        if all(isinstance(event.get(name), int) for name in ("tid", "start_ns", "age_ns")):
            events.append(event)
            by_thread.setdefault(event["tid"], []).append(event)
        else:
            tallies[run.settings.mode].problems.append("an ongoing line without its numbers")
    for one in found:
        tally = tallies[run.settings.timing(one.span)]
        for level in floors.LEVELS if one.is_expected else ():
            at = level * run.settings.threshold
            if one.least >= at + 2 * floors.ONGOING_LATE_NS and not one.span.inner:
                told = _was_told(run, one.span, at, by_thread.get(one.span.tid, []))
                tally.count("ongoing", told)
                if not told:
                    tally.note(
                        f"not told while it lasted for {at / floors.MS:g} ms: tid {one.span.tid} "
                        f"{one.span.duration / floors.MS:.1f} ms {one.span.cause}"
                    )
    for event in events:
        # What was told later may be about a poll that the end of the program left without an end.
        if event["start_ns"] + event["age_ns"] < run.until:
            _score_told(run, event, found, tallies[run.settings.mode])


def _was_told(run, span, at, events):
    """Under hogs the profiler, too, waits for a CPU: there, any time before the end will do."""
    near = 2 * run.settings.period
    stalled = run.stalls.within(span.start, span.end)
    latest = span.duration if run.has_hogs else at + floors.ONGOING_LATE_NS + near + stalled
    return any(
        abs(event["start_ns"] - span.start) <= near
        and at - near <= event["start_ns"] + event["age_ns"] - span.start <= latest
        for event in events
    )


def _score_told(run, event, found, tally):
    """An ongoing event must be about a poll that was long by then, and name its task."""
    error = event.get("error_ns") or 0
    as_report = {**event, "duration_ns": event["age_ns"], "error_ns": error}
    least = run.settings.threshold - error - floors.NEAR_NS
    about = [
        one
        for one in found
        if one.span.tid == event["tid"]
        and one.most >= least
        and overlap(as_report, one.span) * 2 >= event["age_ns"]
    ]
    ids = {run.truth.task_id(one.span) for one in about}
    if not about or not ids & {event.get("task_id"), 0}:
        tally.count("ongoing", False)
        tally.note(f"ongoing, but not so (tasks {ids or 'none'}): " + _describe(as_report))


def read_events(path):
    """(events, complaints about lines that are no JSON objects)."""
    events, bad = [], []
    for number, line in enumerate(Path(path).read_text(errors="replace").splitlines(), 1):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            events.append(event)
        else:
            bad.append(f"line {number} is no JSON object: {line[:60]!r}")
    return events, bad


def read_stalls(path):
    """(stalls, whether the clock came before all other threads)."""
    times, is_first = [], True
    for line in Path(path).read_text().splitlines():
        words = line.split()
        if words[:1] == ["cpu"]:
            is_first &= words[2:] == ["first"]
        elif len(words) == 3:
            times.append((int(words[1]), int(words[2])))
    return Stalls(times), is_first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what run.py --keep kept of one run")
    parser.add_argument("--mode", choices=("exact", "sampled"), required=True)
    options = parser.parse_args()
    events, bad = read_events(options.folder / "blocks.ndjson")
    stalls = read_stalls(options.folder / "stalls")[0]
    since, until = map(int, (options.folder / "times").read_text().split())
    name, path = (options.folder / "build").read_text().splitlines()
    build = builds.BUILDS[name]
    run = Run(truthlog.read(options.folder), events, Settings.of(options.mode, events), since, until,
              stalls.between(since, until), bad_lines=bad, binary=where.Binary.of(build, path))
    tallies, whole = score(run), Tally(options.mode)
    print(table.header())
    failures = 0
    for tally in tallies.values():
        whole.add(tally)
        if tally.expected or tally.reported or tally.problems:
            print(table.row(name, "-", options.mode, tally))
            print("".join(f"  {note}\n" for note in tally.notes), end="")
            failures += len(tally.failures(False) + tally.failures(True))
    print(table.header(table.BUILD_COLUMNS), table.build_row(name, options.mode, whole), sep="\n")
    print("".join(f"  {count} times {text}\n" for text, count in whole.places.most_common()), end="")
    return 1 if failures or whole.build_failures(build) else 0


if __name__ == "__main__":
    sys.exit(main())
