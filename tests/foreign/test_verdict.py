# SPDX-License-Identifier: MIT OR Apache-2.0
"""The runner's own judgement, on logs and reports made up for it: no program, no strace, no profiler."""

import struct
from types import SimpleNamespace

import pytest

import count_types
import tracer
import verdict
from verdict import MS, Verdict

PROGRAM = SimpleNamespace(in_polls={"recvfrom"}, in_blocking={"openat"}, in_either={"statx"}, own_blocks={"clone"})

WORKER = b"""\
100.000000 epoll_wait(3, [...], 1024, -1) = 1 <0.001000>
100.002000 recvfrom(9, ""..., 8192, 0, NULL, NULL) = 55 (DELAYED) <0.000024>
100.040000 recvfrom(9, 0x7fde79426b28, 24, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable) <0.000100>
100.041000 recvfrom(10, 0x7fa439988630, 128, 0, NULL, NULL) = -1 EAGAIN (...) (DELAYED) <0.000012>
100.080000 epoll_wait(3, <detached ...>
"""
POOL = b"100.500000 openat(AT_FDCWD, \"/a\", O_RDONLY) = 3 (DELAYED) <0.000010>\n"
START = 100_002_024_000


def block(tid=1, start=START - MS, ms=32, cause="socket", **more):
    return {"tid": tid, "start_ns": start, "duration_ns": ms * MS, "error_ns": 50_000, "cause": cause,
            "runq_ns": 0, "syscalls": [{"name": "recvfrom", "ns": 30 * MS, "count": 1}], **more}


def judged(*blocks):
    threads = {1: tracer.read_thread(1, WORKER, 0, 30 * MS), 2: tracer.read_thread(2, POOL, 0, 30 * MS)}
    found = Verdict()
    verdict.judge_delays(found, PROGRAM, threads, list(blocks))
    return found


def test_log_of_a_thread():
    thread = tracer.read_thread(1, WORKER, 0, 30 * MS)
    assert [(one.call, one.start, one.in_driver) for one in thread.delays] == [
        ("recvfrom", START, False), ("recvfrom", 100_041_012_000, True)]
    assert thread.waits == [(100 * 10**9, 100 * 10**9 + MS), (100_080_000_000, tracer.NEVER)]


def test_found():
    found = judged(block())
    assert (found.delays, found.found, found.outside) == (1, 1, 2)
    assert not (found.missed or found.wrong or found.outside_reported or found.false or found.slowed)


@pytest.mark.parametrize("reports", [[], [block(tid=2)], [block(start=START - 20 * MS)], [block(ms=12)]])
def test_missed(reports):
    assert len(judged(*reports).missed) == 1


def test_bound_not_kept():
    assert not judged(block(error_ns=MS, start=START + MS)).unbound
    assert len(judged(block(start=START + MS)).unbound) == 1
    assert len(judged(block(ms=28)).unbound) == 1


def test_wrong_cause():
    assert len(judged(block(cause="file")).wrong) == 1
    assert not judged(block(cause="starved")).wrong


def test_reported_outside_polls():
    pool = block(tid=2, start=100_500_000_000, cause="file")
    assert len(judged(block(), pool).outside_reported) == 1
    driver = block(start=100_041_000_000)
    assert len(judged(block(), driver).outside_reported) == 1


def test_false():
    parked = block(start=100_090_000_000)
    assert judged(block(), parked).false == [parked]
    foreign = block(tid=7)
    assert judged(block(), foreign).false == [foreign]
    slowed = block(start=100_072_000_000, ms=6)
    assert judged(block(), slowed).slowed == [slowed]


def test_undisturbed():
    found = Verdict()
    own = block(syscalls=[{"name": "clone", "ns": 30 * MS, "count": 1}], cause="process")
    verdict.judge_healthy(found, PROGRAM, [block(), block(cause="starved"), own])
    assert (len(found.healthy), found.machine, found.own) == (1, 1, [own])


def test_of_the_machines_making():
    found = Verdict()
    stalls = [[(START - 2 * MS, START + 30 * MS)], [(START + 10 * MS, START + 20 * MS)]]
    verdict.judge_healthy(found, PROGRAM, [block(cause="cpu")], stalls)
    verdict.judge_healthy(found, PROGRAM, [block(cause="cpu", runq_ns=28 * MS)])
    assert (len(found.healthy), found.machine) == (0, 2)
    verdict.judge_healthy(found, PROGRAM, [block(cause="cpu")], [[], stalls[1]])
    assert len(found.healthy) == 1


def test_ongoing_without_a_block():
    found = Verdict()
    one = {"tid": 1, "start_ns": START, "age_ns": 5 * MS, "error_ns": 0}
    verdict.judge_ongoing(found, [one], [block(start=START)], START + 50 * MS)
    verdict.judge_ongoing(found, [one], [], START + 4 * MS)
    assert not found.lone
    verdict.judge_ongoing(found, [one], [block(tid=2, start=START)], START + 50 * MS)
    assert found.lone == [one]


def test_packed_relocations():
    file = count_types.File.__new__(count_types.File)
    file.data = struct.pack("<3Q", 0x1000, 0b1011, 0x3000)
    section = count_types.Section("", 19, 0, 0, 0, len(file.data))
    assert list(file.relr(section)) == [0x1000, 0x1008, 0x1018, 0x3000]
