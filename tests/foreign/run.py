#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Points the profiler at programs that carry Tokio and were written elsewhere, delays system calls of theirs with
strace, and checks that the delays in polls are reported and nothing else is.

Exit codes: 0 every program that could be had is right; 1 one is not; 2 usage; 77 this kernel or these privileges do
not let the profiler work, or no program could be had.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import verdict as judge
from loads import LoadError
from programs import PROGRAMS, Unavailable
from stalls import Clock
from tracer import Tracer
from verdict import MS, Verdict

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
EXIT_LACKING = 5
MODES = {"default": [], "exact": ["--mode", "exact"]}

HELLO_SECONDS = 60
WARM_UP_SECONDS = 2
SETTLE_SECONDS = 1.5
ENDING_NS = 10**9  # what is going on so shortly before the end may end after it
DELAY_MS = 30


class Failed(Exception):
    """The profiler or the load did what it must not do."""


class Lacking(Exception):
    """The profiler says that something is missing here."""


class Profiler:
    """`runtime-scope watch` on one process; its lines are read as they come."""

    def __init__(self, tool, pid, options, folder):
        self.lines = []
        self.greeted = threading.Event()
        self.errors = folder / "profiler.err"
        self.started = time.monotonic()
        with open(self.errors, "wb") as errors:
            self.child = subprocess.Popen([tool, "watch", "--pid", str(pid), "--format", "ndjson", *options],
                                          stdout=subprocess.PIPE, stderr=errors)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.append(json.loads(line))
            if self.lines[-1]["type"] == "hello":
                self.attach_seconds = time.monotonic() - self.started
                self.greeted.set()
        self.greeted.set()

    def hello(self):
        self.greeted.wait(HELLO_SECONDS)
        found = [line for line in self.lines if line["type"] == "hello"]
        if found:
            return found[0]
        code = self.stop()
        said = self.errors.read_text(errors="replace").strip()[-300:]
        raise (Lacking if code == EXIT_LACKING else Failed)(f"no hello (exit code {code}): {said}")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        try:
            code = self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            code = "did not stop"
        self.reader.join(5)
        return code

    def blocks(self, since, until):
        found = [line for line in self.lines if line["type"] == "block"]
        return [one for one in found if one["start_ns"] < until and one["start_ns"] + one["duration_ns"] > since]


class Load(threading.Thread):
    """Asks for one thing after another until it is stopped."""

    def __init__(self, load):
        super().__init__(daemon=True)
        self.load, self.ended = load, threading.Event()
        self.answered, self.errors = 0, []

    def run(self):
        due = time.monotonic()
        while not self.ended.is_set() and len(self.errors) < 20:
            try:
                self.load.request()
                self.answered += 1
            except (OSError, LoadError) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            due = max(due + 1 / self.load.rate, time.monotonic() - 0.1)
            self.ended.wait(max(0, due - time.monotonic()))

    def stop(self):
        self.ended.set()
        self.join(30)


def watch_delays(program, profiler, pid, seconds, folder):
    """Delays calls for a while; (threads with their delays, when it began and ended)."""
    logs = folder / "strace"
    logs.mkdir()
    since = time.monotonic_ns()
    tracer = Tracer(pid, program.in_polls | program.in_blocking | program.in_either, DELAY_MS, program.every, logs)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tracer.look()
        time.sleep(0.1)
    threads = tracer.stop()
    time.sleep(SETTLE_SECONDS)
    return threads, since, time.monotonic_ns()


def check_hello(program, hello, problems):
    version, (types, how) = program.expected_version(), program.expected_types()
    if hello["tokio"] != version:
        problems.append(f"hello says Tokio {hello['tokio']}, it is {version}")
    if hello["future_types"] != types:
        problems.append(f"hello says {hello['future_types']} future types, {how} finds {types}")
    return f"{hello['tokio']}/{version}", f"{hello['future_types']}/{types} ({how})"


def one_run(program, mode, options, folder):
    """One program in one mode; a row of the table."""
    row = {"program": program.name, "source": program.source, "mode": mode, "problems": []}
    with program.start(folder) as (pid, requests):
        load = Load(requests)
        load.start()
        time.sleep(WARM_UP_SECONDS)
        profiler = Profiler(options.tool, pid, MODES[mode], folder)
        try:
            hello = profiler.hello()
            row["attach"] = profiler.attach_seconds
            row["tokio"], row["types"] = check_hello(program, hello, row["problems"])
            row["hello"] = hello
            if program.supported:
                measure(program, profiler, pid, options, folder, row)
            elif not any("1.22" in one or "1.23" in one for one in hello["warnings"]):
                row["problems"].append(f"hello does not say that this Tokio is too old: {hello['warnings']}")
        finally:
            code = profiler.stop()
            (folder / "watch.ndjson").write_text("".join(json.dumps(line) + "\n" for line in profiler.lines))
            load.stop()
        if code:
            row["problems"].append(f"the profiler ended with {code}")
        if load.errors or not load.answered:
            row["problems"].append(f"{len(load.errors)} of {load.answered + len(load.errors)} requests failed: "
                                   f"{load.errors[:1]}")
    return row


def measure(program, profiler, pid, options, folder, row):
    found = row["verdict"] = Verdict()
    clock = Clock()
    since = time.monotonic_ns()
    time.sleep(options.seconds)
    until = time.monotonic_ns()
    stalls = clock.stop()
    threads, begin, end = watch_delays(program, profiler, pid, options.delay_seconds, folder)
    judge.judge_healthy(found, program, profiler.blocks(since, until), stalls)
    judge.judge_delays(found, program, threads, profiler.blocks(begin, end))
    since_hello = profiler.blocks(0, end)
    judge.judge_ongoing(found, [one for one in profiler.lines if one["type"] == "ongoing"], since_hello,
                        end - ENDING_NS)
    row["calls"] = Counter(delay.call for thread in threads.values() for delay in thread.delays)
    if not found.delays:
        row["problems"].append("no call of a poll was delayed: nothing was tested")
    for name in ("missed", "wrong", "unbound", "outside_reported", "false", "healthy", "lone"):
        if getattr(found, name):
            row["problems"].append(f"{len(getattr(found, name))} {name}")


def in_ms(ns):
    return "?" if ns is None else f"{ns / MS:.1f}"


def describe(block):
    task = (block["task"] or {}).get("name")
    calls = ", ".join(f"{one['name']} {in_ms(one['ns'])}" for one in block["syscalls"] or [])
    lasted = block["duration_ns"] if block["type"] == "block" else block["age_ns"]
    return (f"tid {block['tid']} {block['thread']} {block['role']} task {block['task_id']} {task}: "
            f"{lasted / MS:.2f} ms ± {in_ms(block['error_ns'])} from {block['start_ns']}, "
            f"{block['cause']}: cpu {in_ms(block['oncpu_ns'])}, off {in_ms(block['offcpu_ns'])}, run queue "
            f"{in_ms(block['runq_ns'])} [{calls}]")


def details(row):
    found = row.get("verdict")
    for problem in row["problems"]:
        yield f"problem: {problem}"
    for warning in row.get("hello", {}).get("warnings", []):
        yield f"warning in hello: {warning}"
    if not found:
        return
    yield "delayed: " + ", ".join(f"{name} {count}" for name, count in sorted(row["calls"].items()))
    for delay, near in found.missed:
        others = "".join(f"; near: {describe(one)}" for one in near)
        yield f"missed: {delay.call} on tid {delay.tid} at {delay.start}{others}"
    for name in ("wrong", "unbound", "outside_reported"):
        for delay, block in getattr(found, name):
            yield f"{name}: {delay.call} at {delay.start}: {describe(block)}"
    for name in ("false", "healthy", "lone", "own", "slowed"):
        for block in getattr(found, name):
            yield f"{name}: {describe(block)}"


HEAD = ("program", "from", "mode", "Tokio found/is", "types found/are", "attach", "delays in polls found",
        "wrong cause", "bound not kept", "outside polls reported", "slowed by strace", "false", "ongoing only",
        "undisturbed", "own", "by the machine")


def cells(row):
    found = row.get("verdict")
    counts = ["–"] * 10
    if found:
        counts = [f"{found.found}/{found.delays}", len(found.wrong), len(found.unbound),
                  f"{len(found.outside_reported)}/{found.outside}", len(found.slowed), len(found.false),
                  len(found.lone), len(found.healthy), len(found.own), found.machine]
    return [row["program"], row["source"], row["mode"], row.get("tokio", "–"), row.get("types", "–"),
            f"{row['attach']:.1f} s" if "attach" in row else "–", *map(str, counts)]


def print_table(rows):
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for row in rows:
        print("| " + " | ".join(cells(row)) + " |")


@contextmanager
def work_folder(keep, name):
    if keep:
        folder = Path(keep) / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="foreign-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run_program(program, options):
    """Rows of one program; raises Unavailable."""
    program.get()
    rows = []
    for mode in options.modes:
        with work_folder(options.keep, f"{program.name}.{mode}") as folder:
            try:
                row = one_run(program, mode, options, folder)
            except (Failed, RuntimeError) as error:
                row = {"program": program.name, "source": program.source, "mode": mode, "problems": [str(error)]}
        rows.append(row)
        print(f"{program.name}, {mode}: " + ("ok" if not row["problems"] else "NOT OK"), flush=True)
        for line in details(row):
            print(f"    {line}", flush=True)
    return rows


def parse(arguments):
    names = [one.name for one in PROGRAMS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--programs", nargs="+", choices=names, default=names, metavar="NAME",
                        help="some of: " + ", ".join(names))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--seconds", type=float, default=10, help="undisturbed, where nothing may be reported")
    parser.add_argument("--delay-seconds", type=float, default=6, help="with delayed calls")
    parser.add_argument("--tool", default=os.environ.get("RUNTIME_SCOPE", ROOT / "build/runtime-scope"))
    parser.add_argument("--cache", type=Path, default=ROOT / "build/foreign", help="where programs are kept")
    parser.add_argument("--keep", help="keep the logs of each run in this folder")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    if not shutil.which("strace"):
        print("strace is not installed; it makes the delays", file=sys.stderr)
        return SKIPPED
    if not shutil.which(options.tool):
        print(f"no profiler at {options.tool}; build it, or name it with --tool", file=sys.stderr)
        return 2
    rows, skipped = [], []
    options.cache = options.cache.resolve()
    for kind in PROGRAMS:
        if kind.name not in options.programs:
            continue
        try:
            rows += run_program(kind(options.cache), options)
        except Unavailable as reason:
            skipped.append(kind.name)
            print(f"{kind.name}: skipped: {reason}", flush=True)
        except Lacking as reason:
            print(reason, file=sys.stderr)
            return SKIPPED
    if rows:
        print()
        print_table(rows)
    bad = sum(bool(row["problems"]) for row in rows)
    print(f"\n{len(rows) - bad} passed, {bad} failed, {len(skipped)} skipped")
    return 1 if bad else 0 if rows else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
