# SPDX-License-Identifier: MIT OR Apache-2.0
"""BPF objects in the kernel: whose they are, what they cost, whether they are gone."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

from . import proc

STATS = "/proc/sys/kernel/bpf_stats_enabled"
UPROBE_EVENTS = "/sys/kernel/tracing/uprobe_events"
KINDS = ("prog", "link", "map")


def missing():
    """Why BPF objects cannot be listed here, or None."""
    if shutil.which("bpftool") is None:
        return "bpftool is not installed"
    try:
        listing("prog")
    except (subprocess.CalledProcessError, ValueError) as e:
        return f"bpftool does not work here: {e}"
    return None


def listing(kind):
    """{id: object} as bpftool shows them."""
    out = subprocess.run(["bpftool", kind, "show", "-j"], check=True, capture_output=True).stdout
    shown = json.loads(out or b"[]")
    return {o["id"]: o for o in shown if isinstance(o, dict) and "id" in o}


def held_by(pids):
    """{"prog": ids, "link": ids, "map": ids} these processes have open, from their fdinfo."""
    held = {kind: set() for kind in KINDS}
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fdinfo")
        except OSError:
            continue
        for name in names:
            try:
                with open(f"/proc/{pid}/fdinfo/{name}") as f:
                    lines = f.read().splitlines()
            except OSError:
                continue
            for line in lines:
                key, _, value = line.partition(":")
                kind = key.removesuffix("_id")
                if key.endswith("_id") and kind in held and value.strip().isdigit():
                    held[kind].add(int(value))
    return held


def held_by_tool(pid):
    return held_by(proc.descendants(pid))


def still_there(held):
    """Those of the ids that the kernel still has: {"prog": {…}, …}, only kinds with any."""
    left = {}
    for kind in KINDS:
        if held[kind]:
            ids = held[kind] & listing(kind).keys()
            if ids:
                left[kind] = sorted(ids)
    return left


def everything():
    return {kind: set(listing(kind)) for kind in KINDS}


def unowned_since(before):
    """Objects that are new since `before` and that no living process has open: left behind by someone who is gone."""
    new = {kind: ids - before[kind] for kind, ids in everything().items()}
    owned = held_by(int(n) for n in os.listdir("/proc") if n.isdigit())
    left = {kind: sorted(ids - owned[kind]) for kind, ids in new.items()}
    return {kind: ids for kind, ids in left.items() if ids}


@dataclass(frozen=True)
class Runs:
    """Runs of programs while statistics were on, and the time they took."""

    ns: int
    runs: int


def run_totals(prog_ids):
    shown = listing("prog")
    there = [shown[i] for i in prog_ids if i in shown]
    return Runs(sum(p.get("run_time_ns", 0) for p in there), sum(p.get("run_cnt", 0) for p in there))


def net_ns(before, after, floor_ns):
    """Run time between two totals without what the statistics add to each run."""
    return max(0.0, after.ns - before.ns - floor_ns * (after.runs - before.runs))


class RunTime:
    """Switches the kernel's BPF statistics on for a `with` block and puts the old value back."""

    def __enter__(self):
        with open(STATS) as f:
            self.old = f.read().strip()
        self._write("1")
        return self

    def __exit__(self, *_):
        self._write(self.old)

    @staticmethod
    def _write(value):
        with open(STATS, "w") as f:
            f.write(value)


def uprobe_events():
    """Uprobes made through tracefs, or None where tracefs is not mounted."""
    try:
        with open(UPROBE_EVENTS) as f:
            return set(f.read().splitlines())
    except OSError:
        return None
