# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds the polls that reported blocks are about. Judges nothing: score.py does."""

from bisect import bisect_left
from dataclasses import dataclass, field

import floors
from truthlog import DROP, IN_PLACE, ROLES, SPAWN


@dataclass
class Settings:
    mode: str
    threshold: int = 5 * floors.MS
    freq: int = 997
    hello_ns: int = 0

    @staticmethod
    def of(mode, events):
        """Those of a run: the profiler says in its hello how often it sampled."""
        settings = Settings(mode)
        for event in events:
            if event.get("type") == "hello":
                settings.freq = event.get("freq") or settings.freq
                settings.hello_ns = max(settings.hello_ns, event.get("at_ns") or 0)
        return settings

    @property
    def period(self):
        return 1_000_000_000 // self.freq

    def timing(self, span):
        """Root futures have no poll function, and what began before the profiler watched has not met its probes: neither is
        timed better than by samples."""
        is_probed = self.mode == "exact" and not span.is_root and span.start >= self.hello_ns
        return "exact" if is_probed else "sampled"

    def margin(self, span):
        """Above threshold + this a block must be found."""
        return floors.NEAR_NS if self.timing(span) == "exact" else 2 * self.period


def own_times(span, settings):
    """(least, most) time of a span outside its inner blocks and block_in_place windows.

    An inner poll near the threshold may count as a block or not; hence two answers.
    """
    least = most = span.duration
    for inner in span.inner:
        if inner.kind == IN_PLACE:
            least -= inner.duration
            most -= inner.duration
            continue
        inner_least, inner_most = own_times(inner, settings)
        margin = settings.margin(inner)
        # What an inner span does not take for itself may hold blocks further in.
        if inner_most >= settings.threshold - margin:
            least -= inner.duration
        else:
            least -= inner.duration - inner_least
        if inner_least >= settings.threshold + margin:
            most -= inner.duration
        else:
            most -= inner.duration - inner_most
    return max(0, least), max(0, most)


def has_window(span):
    return any(inner.kind == IN_PLACE or has_window(inner) for inner in span.inner)


@dataclass(eq=False)
class Candidate:
    """A span with what follows from its nesting."""

    span: object
    least: int
    most: int
    is_expected: bool
    report: dict = None

    @property
    def is_optional(self):
        """Inside block_in_place, or only partly outside of it: may be reported, need not be."""
        return self.span.inside_in_place or has_window(self.span)


@dataclass
class Match:
    """A report and the spans it is about; several where polls were rightly merged."""

    report: dict
    candidates: list
    spans: list
    is_merged: bool = False
    is_completion: bool = False
    durations: list = field(default_factory=list)

    @property
    def span(self):
        return self.candidates[0].span

    @property
    def most(self):
        if self.is_merged or self.is_completion:
            return self.spans[-1].end - self.spans[0].start
        return self.candidates[0].most

    def error(self):
        """Of an outer poll each inner one near the threshold may count as a block or not: anything between will do."""
        told, outer = self.report["duration_ns"], self.candidates[0]
        if len(outer.span.inner) > 1 and outer.least < told < outer.most:
            return 0
        return min(abs(told - duration) for duration in self.durations)


def candidates(truth, settings, since, until):
    """Every span that may have been reported; `is_expected` those that must have been."""
    made = []
    for span in truth.spans(at_least=settings.threshold // 5, until=until):
        if span.kind == IN_PLACE:
            continue
        least, most = own_times(span, settings)
        one = Candidate(span, least, most, False)
        one.is_expected = (
            least >= settings.threshold + settings.margin(span)
            and not one.is_optional
            and since <= span.start
            and span.end < until
        )
        made.append(one)
    return made


def overlap(report, span):
    start, end = report["start_ns"], report["start_ns"] + report["duration_ns"]
    return min(end, span.end) - max(start, span.start)


def _rank(report, candidate, truth, settings):
    """How well the two fit: None when they do not overlap by half of the shorter one."""
    span, common = candidate.span, overlap(report, candidate.span)
    shorter = min(report["duration_ns"], span.duration)
    if common <= 0 or common * 2 < shorter:
        return None
    union = report["duration_ns"] + span.duration - common
    allowed = candidate.most >= settings.threshold - (report["error_ns"] or 0) - floors.NEAR_NS
    known = truth.task_id(span)
    return allowed, known == report["task_id"], common / union


class Matcher:
    """Pairs reports with spans of the same thread, best pairs first, each used once."""

    def __init__(self, truth, found, settings):
        self.truth = truth
        self.settings = settings
        self.by_thread = {}
        for candidate in found:
            self.by_thread.setdefault(candidate.span.tid, []).append(candidate)
        self.by_place = {(one.span.tid, one.span.index): one for one in found}
        for thread in self.by_thread.values():
            thread.sort(key=lambda one: one.span.end)
        self.ends = {tid: [one.span.end for one in some] for tid, some in self.by_thread.items()}

    def match(self, reports):
        """Returns (matches, reports that are about nothing)."""
        pairs = []
        for number, report in enumerate(reports):
            pairs.extend(self._pairs(number, report))
        pairs.sort(key=lambda pair: pair[0], reverse=True)
        matches, done = [], set()
        for _rank_, number, candidate in pairs:
            if number in done or candidate.report is not None:
                continue
            done.add(number)
            matches.append(self._claim(reports[number], candidate))
        return matches, [one for number, one in enumerate(reports) if number not in done]

    def _near(self, report):
        """Candidates of its thread that end after its start, and begin before its end."""
        tid, end = report["tid"], report["start_ns"] + report["duration_ns"]
        some = self.by_thread.get(tid, [])
        first = bisect_left(self.ends.get(tid, []), report["start_ns"])
        return [one for one in some[first:] if one.span.start < end]

    def _pairs(self, number, report):
        for candidate in self._near(report):
            rank = _rank(report, candidate, self.truth, self.settings)
            if rank:
                yield rank, number, candidate

    def _claim(self, report, candidate):
        match = Match(report, [candidate], [candidate.span])
        self._add_completion(match)
        if report.get("polls") != 1:
            self._add_merged(match)
        for span in match.spans:
            other = self.by_place.get((span.tid, span.index))
            if other and other is not candidate:
                match.candidates.append(other)
        for claimed in match.candidates:
            claimed.report = report
        match.durations = _durations(match, candidate)
        return match

    def _beside(self, span, step):
        """The span just after (+1) or before (-1), under the same parent."""
        thread = self.truth.threads[span.tid]
        index = thread.after(span.index) if step > 0 else _before(thread, span.index)
        if index is None or not thread.end[index]:
            return None
        place = self.by_place.get((span.tid, index))
        return place.span if place else thread.span(index)

    def _neighbour(self, span, step):
        """That one, if it is of the same task."""
        other = self._beside(span, step)
        return other if other and other.task == span.task else None

    def _at_once(self, edge, step):
        """The next poll of the same task (or the one before), not long after. Of a LocalSet's task there may be others
        between: the set takes many in one turn."""
        other = self._beside(edge, step)
        while other and other.task != edge.task and edge.roles & ROLES["local_set"]:
            if _gap(edge, other, step) > floors.AT_ONCE_NS:
                return None
            other = self._beside(other, step)
        is_soon = other and _gap(edge, other, step) <= floors.AT_ONCE_NS
        return other if is_soon and other.task == edge.task else None

    def _is_free(self, span):
        place = self.by_place.get((span.tid, span.index))
        return place is None or place.report is None

    def _add_completion(self, match):
        """A completing poll and the drop of its future are one call of the executor."""
        span = match.span
        other = self._neighbour(span, -1 if span.kind == DROP else +1)
        if other is None or (other.kind == DROP) == (span.kind == DROP):
            return
        first, second = sorted((span, other), key=lambda one: one.start)
        is_soon = second.start - first.end <= floors.COMPLETION_NS
        is_covered = overlap(match.report, other) * 2 >= other.duration
        is_short = other.duration < floors.MS
        if is_soon and (is_covered or is_short) and self._is_free(other):
            match.is_completion = True
            match.spans = [first, second]

    def _add_merged(self, match):
        """Neighbours that the report covers, when it says that it may be several polls."""
        for step in (+1, -1):
            while True:
                edge = match.spans[-1 if step > 0 else 0]
                other = self._at_once(edge, step)
                if other is None or not self._is_free(other):
                    break
                if overlap(match.report, other) * 2 < other.duration:
                    break
                match.spans.insert(len(match.spans) if step > 0 else 0, other)
                match.is_merged = True


def _gap(edge, other, step):
    return other.start - edge.end if step > 0 else edge.start - other.end


def _before(thread, index):
    """The record just before this one and beside it, or None."""
    parent = thread.parent(index)
    for other in range(index - 1, parent, -1):
        if thread.parent(other) == parent and thread.kind(other) != SPAWN:
            return other
    return None


def _durations(match, candidate):
    """The durations that would be right. What an outer poll's is, product.md leaves open."""
    whole = match.spans[-1].end - match.spans[0].start
    if match.is_merged:
        return [whole]
    if match.is_completion:
        return [whole, *(span.duration for span in match.spans)]
    return [whole, candidate.least, candidate.most]
