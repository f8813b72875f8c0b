# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the profiler must reach: one table, and the tolerances the scorer works with."""

from dataclasses import dataclass
from typing import Callable

MS = 1_000_000
US = 1_000

# Polls this near to the threshold may be reported or not.
NEAR_NS = MS // 10
# An error may exceed its stated bound by the resolution of the programs' own logs.
BOUND_SLACK_NS = US
# The runtime's own work around a poll, which a profiler cannot tell from it.
RUNTIME_NS = 100 * US
# Two polls of one task this near to each other are "polled again at once".
AT_ONCE_NS = MS // 10
# A drop this soon after a poll of the same task belongs to the completion of that poll.
COMPLETION_NS = 50 * US
# An ongoing block is to be noticed this late at most.
ONGOING_LATE_NS = 10 * MS
# Stacks begin this long after the hello at the latest: the tables to walk them by are made meanwhile.
STACKS_READY_NS = 1000 * MS
# A stall of the machine this near to an edge of a poll excuses the error of that edge.
STALL_NEAR_NS = 2 * MS

LEVELS = (1, 10, 100)


@dataclass(frozen=True)
class Floor:
    """`metric` must be at least (or, if is_most, at most) `exact` / `sampled`; None: not judged.

    per_row: every program of every build must reach it; otherwise the total of a mode must, since
    a percentile of a few blocks says little.
    """

    metric: str
    exact: float
    sampled: float
    is_most: bool = False
    per_row: bool = True

    def value(self, timing):
        return self.exact if timing == "exact" else self.sampled

    def holds(self, value, timing):
        wanted = self.value(timing)
        if wanted is None or value is None:
            return True
        return value <= wanted if self.is_most else value >= wanted


@dataclass(frozen=True)
class BuildFloor:
    """`metric` of all runs of a build must be at least `least` (if is_most: at most), where the build has what it takes."""

    metric: str
    least: float
    is_for: Callable
    is_most: bool = False

    def holds(self, value):
        return value is None or (value <= self.least if self.is_most else value >= self.least)


# Percentages, milliseconds and counts, as named in score.py `Tally.metrics`.
FLOORS = (
    Floor("recall", 100, 100),
    Floor("precision", 100, 100),
    Floor("bound_kept", 100, 100),
    Floor("bound_max_over_ms", None, 0.1, is_most=True),
    Floor("task_id", 100, 100),
    Floor("role", 100, 100),
    Floor("cause", 98, 98, per_row=False),
    Floor("phase", 100, 100, per_row=False),
    Floor("parts_add_up", 100, 100, per_row=False),
    Floor("error_p50_ms", None, 0.1, is_most=True, per_row=False),
    Floor("error_p99_ms", 0.05, 0.9, is_most=True, per_row=False),
    Floor("offcpu_sleep_p99_ms", None, 0.1, is_most=True, per_row=False),
    Floor("ongoing", 100, 100),
    Floor("healthy_false", 0, 0, is_most=True),
    Floor("problems", 0, 0, is_most=True),
)

BUILD_FLOORS = (
    BuildFloor("stack", 99.5, lambda build: True),
    BuildFloor("complete", 99.5, lambda build: True),
    BuildFloor("culprit", 99, lambda build: build.has_functions),
    # Or a profiler that tells none would pass.
    BuildFloor("hidden_percent", 5, lambda build: build.has_functions, is_most=True),
    BuildFloor("line", 99, lambda build: build.has_lines),
    BuildFloor("name", 100, lambda build: build.has_types),
    BuildFloor("name", 95, lambda build: build.has_functions),
    BuildFloor("task_line", 95, lambda build: True),
    BuildFloor("wrong_names", 0, lambda build: True, is_most=True),
)

# For `make test`: a few seconds on a machine that does other things meanwhile. Totals only; what a regression breaks
# shows here, what the profiler promises is measured by the long run.
SHORT_FLOORS = (
    Floor("recall", 98.5, 98.5, per_row=False),
    Floor("precision", 97, 97, per_row=False),
    Floor("bound_kept", 95, 95, per_row=False),
    Floor("task_id", 99, 99, per_row=False),
    Floor("role", 98, 98, per_row=False),
    Floor("cause", 95, 95, per_row=False),
    Floor("parts_add_up", 99, 99, per_row=False),
    Floor("error_p50_ms", 0.5, 0.2, is_most=True, per_row=False),
    Floor("error_p99_ms", 10, 5, is_most=True, per_row=False),
    Floor("problems", 0, 0, is_most=True),
)
SHORT_BUILD_FLOORS = (
    BuildFloor("complete", 98, lambda build: True),
    BuildFloor("culprit", 96, lambda build: build.has_functions),
    BuildFloor("hidden_percent", 5, lambda build: build.has_functions, is_most=True),
    BuildFloor("line", 96, lambda build: build.has_lines),
    BuildFloor("wrong_names", 0, lambda build: True, is_most=True),
)
