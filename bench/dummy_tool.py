#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Speaks like runtime-scope and measures nothing: with it the harness itself is tested, and its own cost seen.

DUMMY_FAULT=exit|late|silent|mute makes it misbehave: a wrong exit code, a slow end, no hello, nothing at all."""

import argparse
import json
import os
import signal
import sys
import time


def fault(name):
    return os.environ.get("DUMMY_FAULT") == name


def line(out, kind, **fields):
    out.write(json.dumps({"v": 1, "type": kind, "at_ns": time.monotonic_ns(), **fields}) + "\n")
    out.flush()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False


def refuse(pid):
    """The exit code when this pid cannot be watched, else None."""
    if not alive(pid):
        return 3
    with open(f"/proc/{pid}/exe", "rb") as f:
        return None if b"/tokio-1." in f.read() else 4


def main():
    p = argparse.ArgumentParser()
    p.add_argument("command", choices=["watch"])
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--mode", choices=["sampled", "auto", "exact"], default="auto")
    p.add_argument("--format", choices=["text", "ndjson"])
    p.add_argument("-o", dest="output", required=True)
    args = p.parse_args()
    code = refuse(args.pid)
    if code is not None:
        return code
    stop = []
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: stop.append(1))
    with open(args.output, "w") as out:
        if not fault("silent") and not fault("mute"):
            line(out, "hello", pid=args.pid, mode="exact" if args.mode == "exact" else "sampled", future_types=0)
        while not stop and alive(args.pid):
            time.sleep(0.05)
            if fault("mute"):
                continue
            line(out, "stats", blocks=0, polls=0, overhead={"bpf_ns": 0, "user_ns": 0, "percent": 0.0})
        if fault("late"):
            time.sleep(1)
        line(out, "bye", reason="signal" if stop else "target ended")
    return 1 if fault("exit") else 0


if __name__ == "__main__":
    sys.exit(main())
