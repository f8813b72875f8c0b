# SPDX-License-Identifier: MIT OR Apache-2.0
"""Delays system calls of a running program from outside, and says which, where and when: strace and its log."""

import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

LINE = re.compile(rb"^(\d+\.\d+) (\w+)\(")
LASTED = re.compile(rb"<(\d+\.\d+)>$")
# Tokio reads the pipe of its signal handlers while it waits for I/O: between polls, 128 bytes at a time.
SIGNALS = re.compile(rb"^\d+\.\d+ recvfrom\(\d+, [^,]+, 128, 0, NULL, NULL\)")
NEVER = float("inf")


@dataclass
class Delay:
    """One injected delay: the thread stood still at least from `start` to `end`, both ns of CLOCK_MONOTONIC."""

    tid: int
    call: str
    start: int
    end: int
    in_driver: bool = False
    cut: bool = False  # strace let go before its end: known, but not judged


@dataclass
class Thread:
    tid: int
    delays: list = field(default_factory=list)
    # (start, end) of the calls in which an executor parks; end may be NEVER.
    waits: list = field(default_factory=list)
    calls: set = field(default_factory=set)


def clock_offset():
    """CLOCK_REALTIME less CLOCK_MONOTONIC, ns: strace writes the one, the profiler the other."""
    best = None
    for _ in range(20):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, wall - (before + after) // 2)
    return best[1]


def in_ns(text):
    whole, _, part = text.decode().partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0")[:9])


PARKS = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll"}


def read_thread(tid, text, offset, delay_ns):
    """One thread's log (-ff -ttt -T). The delay begins when strace has seen the call's end."""
    thread = Thread(tid)
    for line in text.splitlines():
        head = LINE.match(line)
        if not head:
            continue
        call = head[2].decode()
        lasted = LASTED.search(line)
        entry = in_ns(head[1]) - offset
        leave = entry + in_ns(lasted[1]) if lasted else NEVER
        thread.calls.add(call)
        if call in PARKS:
            thread.waits.append((entry, leave))
        if b" (DELAYED)" in line and lasted:
            thread.delays.append(Delay(tid, call, leave, leave + delay_ns, bool(SIGNALS.match(line))))
    return thread


def read_logs(folder, tids, offset, delay_ns):
    """The threads of the target; processes that it started meanwhile have logs too, and are left out."""
    threads = {}
    for path in Path(folder).glob("log.*"):
        tid = int(path.suffix[1:])
        if tid in tids:
            threads[tid] = read_thread(tid, path.read_bytes(), offset, delay_ns)
    return threads


class Tracer:
    """strace on a running process, for a while."""

    def __init__(self, pid, calls, delay_ms, every, folder):
        self.pid, self.folder, self.delay_ns = pid, Path(folder), delay_ms * 10**6
        first, step = every
        inject = f"inject={','.join(sorted(calls))}:delay_exit={delay_ms * 1000}:when={first}+{step}"
        self.tids = set()
        self.child = subprocess.Popen(
            ["strace", "-ff", "-q", "-ttt", "-T", "-s", "0", "-o", str(self.folder / "log"), "-e", inject,
             "-p", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def look(self):
        """The threads of now; those of a short life may be missed, and with them what happened to them."""
        try:
            self.tids |= {int(entry.name) for entry in Path(f"/proc/{self.pid}/task").iterdir()}
        except OSError:
            pass

    def stop(self):
        """Lets go of the process; the threads and their delays."""
        stopped = time.monotonic_ns()
        self.look()
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        try:
            _, said = self.child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            _, said = self.child.communicate()
        threads = read_logs(self.folder, self.tids, clock_offset(), self.delay_ns)
        if not threads:
            raise RuntimeError("strace: " + said.decode(errors="replace").strip()[-200:])
        for thread in threads.values():
            for delay in thread.delays:
                delay.cut = delay.end >= stopped
        return threads
