# SPDX-License-Identifier: MIT OR Apache-2.0
"""Time that the machine takes from a poll: a CPU quota that is used up, and CPUs that others use."""
import os
import pathlib
import subprocess

import pytest

from live import wait_until

MODES = ["sampled", "exact"]
PERIOD_US = 100_000
SPIN_MS = 450


def mounted(kind, controller):
    """Where a hierarchy of this kind that has the controller is mounted, or None."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, found, options, *_ = line.split()
        if found != kind:
            continue
        offered = (pathlib.Path(place) / "cgroup.controllers").read_text() if kind == "cgroup2" else options
        if controller in offered.replace(",", " ").split():
            return pathlib.Path(place)
    return None


class Group:
    """A cgroup with a CPU quota, of version 2 or 1."""

    def __init__(self):
        two, one = mounted("cgroup2", "cpu"), mounted("cgroup", "cpu")
        self.is_two = two is not None
        self.place = (two or one or pathlib.Path("/nowhere")) / f"runtime-scope-test-{os.getpid()}"
        try:
            if self.is_two:
                (two / "cgroup.subtree_control").write_text("+cpu")
            self.place.mkdir()
        except OSError as e:
            pytest.skip(f"no cgroup with a CPU quota can be made here: {e}")

    def limit(self, percent):
        quota = PERIOD_US * percent // 100
        if self.is_two:
            (self.place / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (self.place / "cpu.cfs_quota_us").write_text(str(quota))

    def make_unimportant(self):
        """A quarter of the usual weight: what else runs on its CPU gets most of that."""
        if self.is_two:
            (self.place / "cpu.weight").write_text("25")
        else:
            (self.place / "cpu.shares").write_text("256")

    def take(self, pid):
        (self.place / "cgroup.procs").write_text(str(pid))

    def throttled_ns(self):
        stat = dict(line.split() for line in (self.place / "cpu.stat").read_text().splitlines())
        return int(stat["throttled_usec"]) * 1000 if self.is_two else int(stat["throttled_time"])

    def close(self):
        wait_until(lambda: not (self.place / "cgroup.procs").read_text(), "an empty cgroup")
        self.place.rmdir()


@pytest.fixture
def group(tool):
    made = Group()
    yield made
    made.close()


@pytest.fixture
def program(group, target):
    """In a cgroup, on one CPU. Ends before its group."""
    process = target("multi")
    group.take(process.pid)
    for tid in os.listdir(f"/proc/{process.pid}/task"):
        os.sched_setaffinity(int(tid), {0})
    yield process
    process.close()


@pytest.fixture
def hogs():
    """Four others that want the same CPU."""
    started = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(4)]
    for hog in started:
        os.sched_setaffinity(hog.pid, {0})
    yield started
    for hog in started:
        hog.kill()
        hog.wait()


def blocks_of(program, watch, mode, count):
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("spin", SPIN_MS, count)
    found = [block for _, block in w.expect_blocks(held)]
    w.finish()
    return found


@pytest.mark.parametrize("mode", MODES)
def test_used_up_quota_is_throttled(group, program, watch, mode):
    """A fifth of a CPU: four fifths of a spinning poll are waiting for the next period."""
    group.limit(20)
    before = group.throttled_ns()
    blocks = blocks_of(program, watch, mode, 2)
    throttled = group.throttled_ns() - before
    assert throttled > 0.5 * sum(b["runq_ns"] for b in blocks), "the kernel says it is something else"
    assert [b["cause"] for b in blocks] == ["throttled"] * 2, blocks
    for b in blocks:
        assert b["runq_ns"] > 0.6 * b["duration_ns"], b


@pytest.mark.parametrize("mode", MODES)
def test_overloaded_machine_is_starved(group, program, hogs, watch, mode):
    """A quota as well, but nobody uses it up: the CPU goes to others."""
    group.limit(100)
    group.make_unimportant()
    blocks = blocks_of(program, watch, mode, 2)
    assert group.throttled_ns() == 0, "this was to be the other test"
    assert [b["cause"] for b in blocks] == ["starved"] * 2, blocks
    for b in blocks:
        assert b["runq_ns"] > 0.6 * b["duration_ns"], b
