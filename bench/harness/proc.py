# SPDX-License-Identifier: MIT OR Apache-2.0
"""What /proc says about a process: CPU time, memory, open files, code in memory."""

import os
import time


def descendants(pid):
    """`pid` and every process below it, as far as they are alive now."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                stat = f.read()
        except OSError:
            continue
        # comm may hold spaces and parentheses; what follows the last one is numbers.
        ppid = int(stat[stat.rindex(b")") + 2:].split()[1])
        children.setdefault(ppid, []).append(int(name))
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        queue.extend(children.get(current, []))
    return found


def cpu_ns(pid):
    """User and system time of a process with its dead threads, in ns (its CPU clock; /proc/PID/stat has only ticks)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def tree_cpu_ns(pid):
    total = 0
    for member in descendants(pid):
        try:
            total += cpu_ns(member)
        except OSError:
            continue  # ended between the two looks
    return total


def status_kb(pid, field):
    """A `VmHWM: 123 kB` field of /proc/PID/status, or None."""
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


def tree_peak_kb(pid):
    peaks = [status_kb(member, "VmHWM") for member in descendants(pid)]
    return sum(p for p in peaks if p is not None)


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def fd_links(pid):
    """What each open file of a process tree is, as readlink gives it."""
    links = []
    for member in descendants(pid):
        try:
            names = os.listdir(f"/proc/{member}/fd")
        except OSError:
            continue
        for name in names:
            try:
                links.append(os.readlink(f"/proc/{member}/fd/{name}"))
            except OSError:
                continue
    return links


def code_mappings(pid):
    """(start, end, file offset, path) of the executable mappings of the program's own file."""
    exe = os.readlink(f"/proc/{pid}/exe")
    found = []
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            fields = line.split(None, 5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].rstrip("\n") == exe:
                start, end = (int(x, 16) for x in fields[0].split("-"))
                found.append((start, end, int(fields[2], 16), exe))
    return found


def changed_code(pid, limit=16):
    """Addresses where the code in memory differs from the file: breakpoints. Empty when nothing was changed."""
    changed = []
    with open(f"/proc/{pid}/mem", "rb") as memory, open(f"/proc/{pid}/exe", "rb") as file:
        for start, end, offset, _ in code_mappings(pid):
            memory.seek(start)
            now = memory.read(end - start)
            file.seek(offset)
            then = file.read(end - start)
            if now[:len(then)] == then:
                continue
            changed += [start + i for i, (a, b) in enumerate(zip(now, then)) if a != b]
    return changed[:limit]


def interrupts():
    """Local timer interrupts of all CPUs since boot, or None where there is no such line."""
    with open("/proc/interrupts") as f:
        for line in f:
            fields = line.split()
            if fields and fields[0] == "LOC:":
                return sum(int(x) for x in fields[1:] if x.isdigit())
    return None


def stolen_ns():
    """Time the hypervisor gave to others, all CPUs together."""
    with open("/proc/stat") as f:
        fields = f.readline().split()
    ticks = int(fields[8]) if len(fields) > 8 else 0
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
