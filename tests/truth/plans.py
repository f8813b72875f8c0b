# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which programs of which builds are run, in which mode and for how long."""

from dataclasses import dataclass

import builds

MODES = ("sampled", "exact")
PROGRAMS = (
    "multi", "current", "localset", "sets", "runtimes", "nested", "migrate", "pressure", "sweep",
    "storm", "root", "long", "unconstrained", "healthy",
)
# Here the profiler itself has to wait for a CPU.
WITH_HOGS = ("pressure", "healthy")

SHORT_SECONDS = 3
LONG_SECONDS = 8
# An hour of healthy programs, as many short runs.
HEALTHY_SECONDS = 3600
HEALTHY_RUN_SECONDS = 10


@dataclass(frozen=True)
class Case:
    build: str
    program: str
    mode: str
    seconds: float
    seed: int = 1


# What matters most, in three minutes: all programs, and the hardest builds.
_SHORT = (
    ("release", "sampled", PROGRAMS),
    ("release", "exact",
     ("multi", "localset", "nested", "sweep", "storm", "root", "healthy")),
    ("lto-abort", "sampled", ("multi", "current")),
    ("lto-abort", "exact", ("multi",)),
    ("object", "sampled", ("multi",)),
    ("object", "exact", ("multi",)),
)


def short():
    return [
        Case(build, program, mode, SHORT_SECONDS)
        for build, mode, programs in _SHORT
        for program in programs
    ]


def long():
    cases = [
        Case(build, program, mode, LONG_SECONDS)
        for build in builds.BUILDS
        for mode in MODES
        for program in PROGRAMS
    ]
    return cases + healthy()


def healthy(seconds=HEALTHY_SECONDS):
    """Short runs, one after the other, over all builds and both modes, each with its own seed."""
    ways = [(build, mode) for build in builds.BUILDS for mode in MODES]
    return [
        Case(*ways[number % len(ways)][:1], "healthy", ways[number % len(ways)][1],
             HEALTHY_RUN_SECONDS, seed=100 + number)
        for number in range(int(seconds // HEALTHY_RUN_SECONDS))
    ]


def chosen(build_names, programs, modes, seconds, seed):
    return [
        Case(build, program, mode, seconds, seed)
        for build in build_names
        for mode in modes
        for program in programs
    ]
