# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pairs the delays that were made with the blocks that were reported."""

from dataclasses import dataclass, field

MS = 10**6
# The clocks of the two logs are read some microseconds apart, and strace writes microseconds.
CLOCKS_NS = MS // 5

SOCKET = {"recvfrom", "recvmsg", "sendto", "sendmsg", "writev", "accept4", "accept", "connect", "shutdown"}


def plausible(call):
    """Causes that are right for a thread that sleeps at the end of this call."""
    if call in SOCKET:
        return {"socket"}
    if call in ("read", "write"):
        return {"file", "pipe", "socket"}
    return {"file"}


@dataclass
class Verdict:
    delays: int = 0  # in polls
    found: int = 0
    missed: list = field(default_factory=list)
    wrong: list = field(default_factory=list)  # found, with something not right
    unbound: list = field(default_factory=list)  # found, but wrong by more than the error it states
    outside: int = 0  # delays outside of polls: in other threads, or while waiting for I/O
    outside_reported: list = field(default_factory=list)
    slowed: list = field(default_factory=list)  # blocks without a delay of ours, while strace stopped each call
    false: list = field(default_factory=list)
    healthy: list = field(default_factory=list)  # blocks while nothing was delayed, other than `starved`
    own: list = field(default_factory=list)  # likewise, by a call that this program is known to block with
    lone: list = field(default_factory=list)  # `ongoing` lines that no `block` followed
    machine: int = 0  # blocks of the machine's making: `starved`, or a processor that stood still


def span(block):
    return block["start_ns"], block["start_ns"] + block["duration_ns"]


def overlap(block, start, end):
    a, b = span(block)
    return min(b, end) - max(a, start)


def is_starved(block):
    return block["cause"] in ("starved", "throttled")


def covers(block, delay):
    return block["tid"] == delay.tid and overlap(block, delay.start, delay.end) >= (delay.end - delay.start) / 2


def keeps_bound(block, delay):
    """The delay was inside the poll, so the poll began before it and ended after it."""
    start, end = span(block)
    slack = CLOCKS_NS + (block["error_ns"] or 0)
    return block["error_ns"] is None or (start <= delay.start + slack and end >= delay.end - slack)


def polls_here(thread, delay, program):
    """Is this delay in a poll? Some calls say it; of others, whether the thread is one that waits for I/O."""
    if delay.in_driver:
        return False
    if delay.call in program.in_polls:
        return True
    if delay.call in program.in_blocking:
        return False
    return bool(thread.waits)


def judge_delay(verdict, delay, blocks, longest):
    mine = [one for one in blocks if covers(one, delay)]
    verdict.delays += 1
    if not mine:
        verdict.missed.append((delay, [one for one in blocks if one["tid"] == delay.tid and
                                       overlap(one, delay.start, delay.end) > 0]))
        return
    verdict.found += 1
    block = min(mine, key=lambda one: one["duration_ns"])
    if not keeps_bound(block, delay):
        verdict.unbound.append((delay, block))
    # One poll may hold several delays of different kinds; then its cause is that of the longest.
    kinds = plausible(delay.call).union(*(plausible(other.call) for other in longest if
                                          other.tid == delay.tid and overlap(block, other.start, other.end) > 0))
    if block["cause"] not in kinds and not is_starved(block):
        verdict.wrong.append((delay, block))


def is_false(block, thread):
    """A block on a thread that does not poll, or of a thread that was waiting for I/O then."""
    if thread is None:
        return True
    polls = bool(thread.waits) or "recvfrom" in thread.calls or "accept4" in thread.calls
    waited = sum(max(0, overlap(block, start, end)) for start, end in thread.waits)
    return not polls or waited > (block["error_ns"] or 0) + CLOCKS_NS + MS


def judge_delays(verdict, program, threads, blocks):
    """Blocks that touch the traced time, against strace's log of it."""
    every = [delay for thread in threads.values() for delay in thread.delays]
    for thread in threads.values():
        for delay in thread.delays:
            if delay.cut:
                continue
            if polls_here(thread, delay, program):
                judge_delay(verdict, delay, blocks, every)
                continue
            verdict.outside += 1
            verdict.outside_reported += [(delay, one) for one in blocks if covers(one, delay)]
    reported = [id(one) for _, one in verdict.outside_reported]
    for block in blocks:
        mine = [one for one in every if one.tid == block["tid"] and overlap(block, one.start, one.end) > 0]
        if mine or is_starved(block) or id(block) in reported:
            continue
        (verdict.false if is_false(block, threads.get(block["tid"])) else verdict.slowed).append(block)


def own_time(block, stalls):
    """What is left of a block without waiting for a processor, and without the time a processor stood still."""
    stalled = [sum(max(0, overlap(block, start, end)) for start, end in one) for one in stalls]
    return block["duration_ns"] - (block["runq_ns"] or 0) - max(stalled, default=0)


def judge_healthy(verdict, program, blocks, stalls=(), threshold=5 * MS):
    for block in blocks:
        calls = block["syscalls"]
        if is_starved(block) or own_time(block, stalls) < threshold:
            verdict.machine += 1
        elif calls and calls[0]["name"] in program.own_blocks and block["cause"] != "cpu":
            verdict.own.append(block)
        else:
            verdict.healthy.append(block)


def judge_ongoing(verdict, ongoing, blocks, until):
    """What was told as going on must be told as a block when it has ended; `until`: it had to, by then."""
    for one in ongoing:
        slack = MS + (one["error_ns"] or 0)
        if one["start_ns"] + one["age_ns"] < until and not any(
                block["tid"] == one["tid"] and abs(block["start_ns"] - one["start_ns"]) <= slack +
                (block["error_ns"] or 0) for block in blocks):
            verdict.lone.append(one)
