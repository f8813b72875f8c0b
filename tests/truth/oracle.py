#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A profiler that cheats: it reports what the program has logged. For testing the harness itself.

Takes the profiler's command line. The environment variable ORACLE_FLAW makes it wrong in one way.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import floors
import paths
import truthlog
from match import Settings, own_times

ROLE_OF_BIT = {bit: name for name, bit in truthlog.ROLES.items()}


def truth_folder(pid):
    for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if entry.startswith(b"TRUTH_DIR="):
            return Path(os.fsdecode(entry.partition(b"=")[2]))
    raise SystemExit("the target logs nothing")


def block(truth, span, pid, noise):
    off, cause = span.offcpu, span.true_cause() or "other"
    duration = span.duration + noise
    known = bool(span.flags & truthlog.PARTS)
    return {
        "v": 1, "type": "block", "pid": pid, "tid": span.tid,
        "role": ROLE_OF_BIT[span.roles & -span.roles], "task_id": truth.task_id(span),
        "start_ns": span.start, "duration_ns": duration, "error_ns": max(abs(noise), 1000),
        "phase": "drop" if span.kind == truthlog.DROP else "poll", "polls": 1,
        "cause": cause if known else "starved",
        "oncpu_ns": span.cpu + noise, "offcpu_ns": off, "runq_ns": span.runq,
        **place(truth.answers.get(span.answer)), "task": future(truth.future_of(span)),
    }


def place(answer):
    if answer is None:
        return {"frames": [{"fn": None, "file": None, "line": None}], "culprit": None, "complete": True}
    frame = {"fn": answer.path, "file": answer.file, "line": answer.line}
    return {"frames": [frame], "culprit": 0, "complete": True}


def future(answer):
    if answer is None or answer.body is None:
        return {"name": None, "file": None, "line": None, "name_source": None}
    (first, _last), *_more = answer.lines()
    name = "::".join(part for part in answer.body if part != paths.CLOSURE)
    return {"name": name, "file": answer.source_file(), "line": first, "name_source": "v0"}


def ongoing(report):
    """One for each level that was passed."""
    for level in floors.LEVELS:
        age = level * Settings("exact").threshold + floors.MS
        if report["duration_ns"] > age:
            rest = {name: value for name, value in report.items() if name != "duration_ns"}
            yield {**rest, "type": "ongoing", "age_ns": age}


def flawed(reports, flaw):
    long = [one for one in reports if one["duration_ns"] > 7 * floors.MS]
    middle = long[len(long) // 2]
    if flaw == "missed":
        reports.remove(middle)
    elif flaw == "invented":
        reports.append({**middle, "start_ns": middle["start_ns"] + 10**12})
    elif flaw == "wrong-id":
        middle["task_id"] = 10**9
    elif flaw == "bound":
        middle["duration_ns"] += 20 * floors.MS
    elif flaw == "culprit":
        for report in reports:
            report["frames"][0]["fn"] = "truth::other"
    elif flaw == "name":
        reports[-1]["task"]["name"] = "truth::other"
    elif flaw == "stack":
        for report in reports:
            report["complete"] = False
    return reports


def reports_of(pid, mode, end_ns):
    truth, settings = truthlog.read(truth_folder(pid)), Settings(mode)
    rng = random.Random(1)
    reports = []
    for span in truth.spans(settings.threshold, until=end_ns):
        is_over = span.end < end_ns and span.kind != truthlog.IN_PLACE
        if is_over and own_times(span, settings)[0] >= settings.threshold:
            is_exact = settings.timing(span) == "exact"
            noise = 0 if is_exact else rng.randrange(-100, 100) * floors.US
            reports.append(block(truth, span, pid, noise))
    return reports


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["watch"])
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--format", choices=["ndjson"], required=True)
    parser.add_argument("-o", dest="output", required=True)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    with open(options.output, "w") as out:
        def say(event):
            print(json.dumps(event), file=out, flush=True)

        say({"v": 1, "type": "hello", "mode": options.mode, "at_ns": time.monotonic_ns()})
        signal.sigwait([signal.SIGINT])
        end_ns = time.monotonic_ns()
        reports = reports_of(options.pid, options.mode, end_ns)
        if reports:
            reports = flawed(reports, os.environ.get("ORACLE_FLAW"))
        for report in reports:
            for event in ongoing(report):
                say(event)
            say(report)
        say({"v": 1, "type": "bye", "at_ns": time.monotonic_ns()})


if __name__ == "__main__":
    sys.exit(main())
