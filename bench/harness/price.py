# SPDX-License-Identifier: MIT OR Apache-2.0
"""What one timer interrupt costs on this machine: a counted number of them against a thread that only computes."""

import ctypes
import fcntl
import os
import struct

from . import stats
from .load import Load

SYSCALLS = {"x86_64": 298, "aarch64": 241}
TYPE_SOFTWARE, COUNT_CPU_CLOCK = 1, 0
ATTR_SIZE = 128
FLAG_DISABLED = 1
IOC_ENABLE, IOC_DISABLE = 0x2400, 0x2401
RATE_HZ = 10000
PAIRS = 15
WINDOW_S = 0.12


def open_cpu_clock(cpu):
    """A sampling cpu-clock event on one CPU for everything that runs there, not yet running."""
    libc = ctypes.CDLL(None, use_errno=True)
    attr = struct.pack("<IIQQQQQ", TYPE_SOFTWARE, ATTR_SIZE, COUNT_CPU_CLOCK, 1_000_000_000 // RATE_HZ, 0, 0,
                       FLAG_DISABLED).ljust(ATTR_SIZE, b"\0")
    number = SYSCALLS.get(os.uname().machine)
    if number is None:
        raise OSError(38, "no system call number for this machine")
    fd = libc.syscall(number, ctypes.c_char_p(attr), -1, cpu, -1, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd


def interrupt_ns():
    """stats.Estimate of ns per interrupt, or None where it cannot be measured."""
    cpu = os.cpu_count() - 1
    try:
        fd = open_cpu_clock(cpu)
    except OSError:
        return None
    prices = []
    try:
        with Load("load", ("spin", "--cpu", str(cpu))) as load:
            before = load.window(WINDOW_S)
            for _ in range(PAIRS):
                fcntl.ioctl(fd, IOC_ENABLE, 0)
                arm = load.window(WINDOW_S)
                fcntl.ioctl(fd, IOC_DISABLE, 0)
                after = load.window(WINDOW_S)
                prices.append(price(before, arm, after))
                before = after
    finally:
        os.close(fd)
    return stats.estimate(prices)


def price(before, arm, after):
    """ns of CPU time lost per interrupt more."""
    _, extra = stats.difference(before, arm, after, "cpu_ns")
    more = stats.extra_rate(before, arm, after, "interrupts")
    if extra is None or not more or more < RATE_HZ / 2:
        return None
    # Interrupts that hit while something else ran on this CPU were charged to that.
    return extra * arm["units"] / (more * arm["cpu_ns"] / 1e9)
