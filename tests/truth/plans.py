# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which programs of which builds are run, in which mode and for how long."""

import math
from dataclasses import dataclass
from itertools import product

import builds

MODES = ("sampled", "exact")
SCORED = (
    "multi", "current", "localset", "sets", "runtimes", "nested", "places", "migrate", "pressure", "sweep",
    "storm", "root", "long", "unconstrained", "healthy",
)
# Nothing in them blocks; `calm` has no hogs beside it, and so no blocks of its own to be scored.
HEALTHY = ("healthy", "calm")
PROGRAMS = (*SCORED, "calm")
# These builds differ from others in what they say of themselves only, and these programs show that.
SAYING = ("stripped", "lines", "limited", "lto-debug")
SHOWING = ("multi", "nested", "places")
# Its runtimes end while tasks use them, which makes those tasks panic.
PANICKING = ("runtimes",)
# Here the profiler itself has to wait for a CPU.
WITH_HOGS = ("pressure", "healthy")

SHORT_SECONDS = 3
# All of it in 36 minutes: a second more a run is spent around it.
LONG_SECONDS = 4
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
    ("release", "sampled", SCORED),
    ("release", "exact",
     ("multi", "localset", "nested", "places", "sweep", "storm", "root", "healthy")),
    ("limited", "sampled", ("places",)),
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
    return [
        Case(build, program, mode, LONG_SECONDS)
        for build in builds.BUILDS
        for mode in MODES
        for program in (SHOWING if build in SAYING else SCORED)
        if not (builds.BUILDS[build].panics_abort and program in PANICKING)
    ]


def healthy(minutes, build_names, seed):
    """Short runs, one after the other, each with its own seed."""
    ways = list(product(build_names, HEALTHY, MODES))
    return [
        Case(*ways[number % len(ways)], HEALTHY_RUN_SECONDS, seed=seed + number)
        for number in range(math.ceil(minutes * 60 / HEALTHY_RUN_SECONDS))
    ]


def chosen(build_names, programs, modes, seconds, seed):
    return [
        Case(build, program, mode, seconds, seed)
        for build in build_names
        for mode in modes
        for program in programs
    ]
