#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A second clock: says when a processor of this machine stood still, whoever stopped it.

A thread of the highest priority on each processor sleeps half a millisecond at a time; when it wakes late, nothing
else ran there as it should either. Virtual machines stand still now and then, and the programs in them cannot tell.
"""

import os
import subprocess
import sys
import time

SLEEP_SECONDS = 0.0005
LATE_NS = 1_000_000


def watch(processor):
    os.sched_setaffinity(0, {processor})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except OSError:
        pass  # without the right to it the clock sees the other processes' doing as well
    while os.getppid() != 1:
        before = time.monotonic_ns()
        time.sleep(SLEEP_SECONDS)
        after = time.monotonic_ns()
        if after - before > LATE_NS:
            print(before, after, flush=True)


class Clock:
    def __init__(self):
        self.children = [subprocess.Popen([sys.executable, __file__, str(processor)], stdout=subprocess.PIPE,
                                          text=True) for processor in sorted(os.sched_getaffinity(0))]

    def stop(self):
        """(start, end) of each time that a processor stood still, of each processor."""
        found = []
        for child in self.children:
            child.terminate()
            out, _ = child.communicate()
            found.append([tuple(map(int, line.split())) for line in out.splitlines()])
        return found


if __name__ == "__main__":
    watch(int(sys.argv[1]))
