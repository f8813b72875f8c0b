#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What unwinding a stack costs in the kernel: polls that spin at different depths, and the run time of the tick's program.

Prints the time of a whole tick (with the look, the stack, and what is told) by depth, and what a frame adds. As root.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import bpf  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "e2e" / "programs"
BUILT = ROOT / "build" / "e2e" / "target"
DEPTHS = (0, 24, 60, 90)
FRAMES = 40
LIMIT_US = 4.0
SPIN_MS = 3000


def tick_program(held):
    shown = bpf.listing("prog")
    return [i for i in held["prog"] if shown[i].get("name") == "on_tick"]


class Depth:
    """A poll that spins `depth` frames deeper than the first, while its ticks are counted."""

    def __init__(self, target, tool, programs, depth):
        target.stdin.write(f"block deep{depth} {SPIN_MS} 1\n".encode())
        target.stdin.flush()
        time.sleep(0.5)
        before = bpf.run_totals(programs)
        time.sleep(SPIN_MS / 1000 - 1)
        self.runs = bpf.run_totals(programs)
        self.ns = (self.runs.ns - before.ns) / max(1, self.runs.runs - before.runs)
        while True:
            event = json.loads(tool.stdout.readline())
            if event["type"] == "block" and event["duration_ns"] > 2e9:
                break
        if not event["complete"]:
            raise SystemExit("the stack is not complete: nothing to measure")
        # Inlined functions share an address; so do the frames of the recursion, whose number is known.
        self.frames = len({frame["addr"] for frame in event["frames"]}) + max(0, depth - 1)


def least_squares(points):
    n, sx, sy = len(points), sum(p.frames for p in points), sum(p.ns for p in points)
    slope = (n * sum(p.frames * p.ns for p in points) - sx * sy) / (n * sum(p.frames ** 2 for p in points) - sx * sx)
    return slope, (sy - slope * sx) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", default=str(ROOT / "build" / "runtime-scope"))
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(BUILT)], cwd=PROGRAMS,
                   check=True)
    target = subprocess.Popen([str(BUILT / "release" / "e2e-target"), "multi"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL)
    tool = subprocess.Popen([options.tool, "watch", "--pid", str(target.pid), "--mode", "sampled", "--format", "ndjson"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        tool.stdout.readline()
        time.sleep(1)
        with bpf.RunTime():
            programs = tick_program(bpf.held_by_tool(tool.pid))
            points = [Depth(target, tool, programs, depth) for depth in DEPTHS]
    finally:
        target.kill()
        tool.terminate()
        tool.wait()
    for p in points:
        print(f"{p.frames:>4} frames: {p.ns / 1000:.2f} us a tick, all of it")
    slope, rest = least_squares(points)
    print(f"{FRAMES} frames take {slope * FRAMES / 1000:.2f} us, {slope / 1000:.3f} each; the rest of the tick {rest / 1000:.2f} us")
    return 0 if slope * FRAMES / 1000 <= LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
