# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rounds of windows with and without each tool on one running load, and what follows from them."""

import os
import random
import tempfile
import time
from dataclasses import dataclass, field

from . import bpf, proc, stats
from .load import Load
from .tools import Nothing, ToolError

SETTLE_S = 0.3  # after attach: learning is over, and its cost is attach cost
BPF_WINDOW_S = 0.4
STRIKES = 2  # an arm that failed this often in a row is left out


@dataclass
class Arm:
    """All that was seen of one tool on one load."""

    tool: type
    skipped: str = ""
    failures: list = field(default_factory=list)
    cpu: list = field(default_factory=list)  # relative extra CPU time per unit
    wall: list = field(default_factory=list)
    extra_ns: list = field(default_factory=list)  # CPU ns per unit more
    tool_cpu: list = field(default_factory=list)  # ns per second
    interrupts: list = field(default_factory=list)  # more per second, all CPUs
    hits: list = field(default_factory=list)  # of these, how many hit the running target
    bpf: list = field(default_factory=list)  # ns per second, less the floor
    switches: list = field(default_factory=list)  # per second, of the load
    attach: list = field(default_factory=list)  # s
    attach_cpu: list = field(default_factory=list)  # s
    detach: list = field(default_factory=list)
    peak_kb: list = field(default_factory=list)
    own: dict = field(default_factory=dict)


def attached(arm, load, seconds, floor_ns):
    """One attachment: the window, and the arm's lists filled. Returns the window, None when the tool failed.
    floor_ns: what an empty BPF program shows a run; None where BPF run times cannot be had."""
    with tempfile.TemporaryDirectory(prefix="rs-bench-") as workdir:
        tool = arm.tool(load, workdir)
        try:
            tool.start()
            window = watch(arm, tool, load, seconds, floor_ns)
            tool.stop()
        except ToolError as e:
            arm.failures.append(str(e))
            return None
        finally:
            # A failure on the way must not leave the tool running into the next window.
            if tool.process is not None and tool.process.poll() is None:
                tool.process.kill()
                tool.process.wait()
        if tool.attach_s is not None:
            arm.attach.append(tool.attach_s)
            arm.detach.append(tool.detach_s)
        if tool.ours:
            arm.own = tool.own_figures()
            if tool.exit_code != 0:
                arm.failures.append(f"exit code {tool.exit_code} after SIGINT")
        return window


def watch(arm, tool, load, seconds, floor_ns):
    if tool.pid is not None:
        arm.attach_cpu.append(proc.tree_cpu_ns(tool.pid) / 1e9)
    time.sleep(SETTLE_S)
    window = load.window(seconds, tool.pid)
    if floor_ns is not None and tool.has_bpf:
        arm.bpf.append(bpf_rate(tool, floor_ns))
    if tool.pid is not None:
        if tool.process.poll() is not None:
            raise ToolError(f"ended by itself with {tool.process.returncode}")
        arm.peak_kb.append(proc.tree_peak_kb(tool.pid))
    return window


def bpf_rate(tool, floor_ns):
    """ns of BPF run time per second, in a window of its own: the statistics cost something themselves."""
    programs = bpf.held_by_tool(tool.pid)["prog"]
    with bpf.RunTime():
        begin, before = time.monotonic(), bpf.run_totals(programs)
        time.sleep(BPF_WINDOW_S)
        after, end = bpf.run_totals(programs), time.monotonic()
    return bpf.net_ns(before, after, floor_ns) / (end - begin)


def account(arm, before, window, after):
    """Adds what one window says, given the bare ones beside it."""
    relative, absolute = stats.difference(before, window, after, "cpu_ns")
    arm.cpu.append(relative)
    arm.extra_ns.append(absolute)
    arm.wall.append(stats.difference(before, window, after, "wall_ns")[0])
    more = stats.extra_rate(before, window, after, "interrupts")
    arm.interrupts.append(more)
    arm.hits.append(None if more is None else more * running_share(window))
    arm.tool_cpu.append(stats.rate(window, "tool_cpu_ns"))
    arm.switches.append(stats.rate(window, "switches"))


def running_share(window):
    """How much of all the CPUs' time the target was running: an interrupt of an idle CPU costs it nothing."""
    return min(window["cpu_ns"] / (window["wall_ns"] * os.cpu_count()), 1.0)


class Session:
    """One load with all its arms. Own tools and the control take part in every round, peers in every third."""

    def __init__(self, spec, tools, binary, window_s, seed=1, floor_ns=0.0):
        self.spec, self.window_s = spec, window_s
        self.floor_ns = floor_ns if bpf.missing() is None else None
        self.rng = random.Random(seed)
        self.arms = [Arm(Nothing)] + [Arm(t, t.missing(binary) or "") for t in tools]
        self.bare = []
        self.rounds = 0
        self.errors = 0

    def due(self):
        for arm in self.arms:
            recent = arm.failures[-STRIKES:]
            if not arm.skipped and len(recent) == STRIKES and not arm.cpu:
                arm.skipped = recent[-1]
        peers = self.rounds % 3 == 0
        arms = [a for a in self.arms if not a.skipped and (peers or a.tool.ours or a.tool is Nothing)]
        self.rng.shuffle(arms)
        return arms

    def run_round(self, load):
        """Every arm that is due once, in random order, a bare window before, between and after."""
        before = load.window(self.window_s)
        for arm in self.due():
            window = attached(arm, load, self.window_s, self.floor_ns)
            time.sleep(0.1)
            after = load.window(self.window_s)
            if window is not None:
                account(arm, before, window, after)
            self.bare.append(after)
            before = after
        self.rounds += 1

    def run(self, seconds, least_rounds=2):
        """Rounds until the next one would not fit into `seconds`."""
        begin = time.monotonic()
        with Load(self.spec.program, self.spec.args) as load:
            longest = 0.0
            while True:
                start = time.monotonic()
                self.run_round(load)
                longest = max(longest, time.monotonic() - start)
                used = time.monotonic() - begin
                if self.rounds >= least_rounds and used + longest > seconds:
                    break
            self.errors = load.sample()["errors"]
        return self

    def result(self, interrupt_ns):
        return {
            "load": self.spec.name, "unit": self.spec.unit, "rounds": self.rounds, "errors": self.errors,
            "window_s": self.window_s, "saturating": self.spec.saturating, "debuginfo": self.spec.debuginfo,
            "units_per_s": plain(stats.estimate([stats.rate(w, "units") for w in self.bare])),
            "switches_per_s": plain(stats.estimate([stats.rate(w, "switches") for w in self.bare])),
            "cpu_ns_per_unit": plain(stats.estimate([stats.per_unit(w, "cpu_ns") for w in self.bare])),
            "cpu_percent": plain(scaled([stats.rate(w, "cpu_ns") for w in self.bare], 1e-7)),
            "arms": [row(a, self.spec, interrupt_ns) for a in self.arms],
        }


def plain(estimated):
    return None if estimated is None else estimated.as_dict()


def scaled(values, factor):
    return stats.estimate([None if v is None else v * factor for v in values])


def price_per_poll(arm, spec):
    if not spec.polls_per_unit or arm.tool.name not in ("exact", "bpftrace"):
        return None
    return plain(scaled(arm.extra_ns, 1 / spec.polls_per_unit))


def paid_percent(arm, interrupt_ns):
    """What the target pays for probes and interrupts, as % of one CPU: needs no difference of noisy CPU times. None for
    a tool without BPF, whose handlers cannot be timed."""
    run_time, more = stats.estimate(arm.bpf), stats.estimate(arm.hits)
    if run_time is None:
        return None

    def paid(ns, count):
        return (ns + max(count, 0.0) * (interrupt_ns or 0.0)) / 1e7

    more = more or stats.Estimate(0.0, 0.0, 0.0, run_time.n)
    return stats.Estimate(paid(run_time.median, more.median), paid(run_time.low, more.low),
                          paid(run_time.high, more.high), min(run_time.n, more.n))


def row(arm, spec, interrupt_ns):
    return {
        "tool": arm.tool.name, "label": arm.tool.label, "ours": arm.tool.ours, "windows": len(arm.cpu),
        "skipped": arm.skipped or None, "failures": arm.failures,
        "cpu_percent": plain(stats.percent(stats.estimate(arm.cpu))),
        "wall_percent": plain(stats.percent(stats.estimate(arm.wall))) if spec.saturating else None,
        "extra_ns_per_unit": plain(stats.estimate(arm.extra_ns)),
        "price_per_poll_ns": price_per_poll(arm, spec),
        "bpf_percent": plain(scaled(arm.bpf, 1e-7)),
        "interrupts_per_s": plain(stats.estimate(arm.interrupts)),
        "paid_percent": plain(paid_percent(arm, interrupt_ns)),
        "tool_cpu_percent": plain(scaled(arm.tool_cpu, 1e-7)),
        "switches_per_s": plain(stats.estimate(arm.switches)),
        "peak_rss_mb": max(arm.peak_kb) / 1024 if arm.peak_kb else None,
        "attach_s": plain(stats.estimate(arm.attach)), "attach_cpu_s": plain(stats.estimate(arm.attach_cpu)),
        "detach_s": plain(stats.estimate(arm.detach)), "own": arm.own or None,
    }
