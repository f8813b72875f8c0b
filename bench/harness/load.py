# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts the loads and reads their counters."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import proc

LOADS_DIR = Path(__file__).resolve().parent.parent / "loads"
WARM_UP_S = 0.7


@dataclass(frozen=True)
class Spec:
    """A load. `polls_per_unit` is set where the number of polls follows from the number of units."""

    name: str
    program: str
    args: tuple
    unit: str
    polls_per_unit: float = 0
    saturating: bool = False  # uses all the CPU it can get, so wall time per unit is a cost as well
    debuginfo: bool = False


SPECS = {s.name: s for s in (
    Spec("storm", "load", ("storm",), "poll", polls_per_unit=1, saturating=True),
    Spec("pingpong", "load", ("pingpong",), "switch", saturating=True),
    Spec("echo", "load", ("echo",), "request", saturating=True),
    Spec("spawn", "load", ("spawn",), "task", saturating=True),
    Spec("idle50", "load", ("idle50",), "timer"),
    Spec("blocks", "load", ("blocks",), "1/1000 block"),
    Spec("types500", "types500", (), "timer", polls_per_unit=1),
    Spec("big", "big", (), "round", debuginfo=True),
)}


class LoadError(Exception):
    pass


def target_dir():
    return Path(os.environ.get("CARGO_TARGET_DIR", LOADS_DIR / "target"))


def binary(program):
    profile = "fat" if program == "big" else "release"
    return target_dir() / profile / program


def build(programs, jobs=2):
    """Builds what is asked for; cargo does nothing when all is there."""
    for profile, wanted in (("release", {"load", "types500"}), ("fat", {"big"})):
        packages = [a for p in sorted(wanted & set(programs)) for a in ("-p", p)]
        if not packages:
            continue
        command = ["cargo", "build", "--locked", "-q", "--profile", profile, f"-j{jobs}", *packages]
        try:
            subprocess.run(command, cwd=LOADS_DIR, check=True)
        except FileNotFoundError:
            raise LoadError("the loads need cargo: install Rust, then run again") from None
        except subprocess.CalledProcessError as e:
            raise LoadError(f"{' '.join(command)} failed with {e.returncode}") from None


class Load:
    """A running load. Close it (or leave its `with` block) and it ends."""

    def __init__(self, program, args=(), warm_up=WARM_UP_S):
        self.path = binary(program)
        try:
            self.process = subprocess.Popen([self.path, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as e:
            raise LoadError(f"{self.path} does not start: {e.strerror}") from None
        ready = self._read("ready")
        self.pid, self.port = ready["pid"], ready["port"]
        time.sleep(warm_up)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, expected):
        line = self.process.stdout.readline()
        if not line:
            raise LoadError(f"{self.path.name} ended with {self.process.wait()}")
        message = json.loads(line)
        if message["type"] != expected:
            raise LoadError(f"{self.path.name}: {message['type']} instead of {expected}")
        return message

    def sample(self):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise LoadError(f"{self.path.name} ended with {self.process.wait()}") from None
        return self._read("report")

    def window(self, seconds, tool_pid=None):
        """Over the next `seconds`: differences of all the report holds, of interrupts and of the tool's CPU."""
        before = self._counters(tool_pid)
        time.sleep(seconds)
        after = self._counters(tool_pid)
        return {k: None if before[k] is None else after[k] - before[k] for k in before}

    def _counters(self, tool_pid):
        tool = proc.tree_cpu_ns(tool_pid) if tool_pid else None
        report = self.sample()
        return {"wall_ns": report["at_ns"], "cpu_ns": report["cpu_ns"], "units": report["units"],
                "switches": report["switches"], "errors": report["errors"],
                "interrupts": proc.interrupts(), "tool_cpu_ns": tool}

    def close(self):
        """Ends the load and returns its last report, or None if it was gone already."""
        out, _ = self.process.communicate()
        lines = out.splitlines()
        return json.loads(lines[-1]) if lines else None
