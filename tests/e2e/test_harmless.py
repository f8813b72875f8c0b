# SPDX-License-Identifier: MIT OR Apache-2.0
"""What watching does to the target: in sampled mode nothing, in exact mode nothing it could notice."""
import re
import time

import pytest

from live import MS, changed_code, code_mappings, has_probe_area, wait_until

MODES = ["sampled", "exact"]


def back_trace(program):
    """Function names, innermost first. Where the worker found the task may differ by a frame or two."""
    return program.ask("backtrace", "backtrace").split("names=")[1].split("|")


def functions(names):
    return [re.sub(r"^\d+:_", "", name) for name in names]


@pytest.mark.parametrize("mode", ["sampled", "auto"])
def test_not_one_byte_is_changed(target, watch, mode):
    program = target("multi")
    code = code_mappings(program.pid)
    assert len(code) >= 2 and changed_code(program.pid) == 0
    w = watch("--pid", program.pid, "--mode", mode)
    for kind in ("sleep", "spin"):
        w.expect_blocks(program.block(kind, 30, 2))
        assert changed_code(program.pid) == 0
    assert w.hello()["mode"] == "sampled"
    w.finish()
    assert changed_code(program.pid) == 0
    assert code_mappings(program.pid) == code
    assert not has_probe_area(program.pid)


def test_not_one_byte_is_changed_while_learning(target, watch):
    """Looked at again and again while the tool attaches, to a program that has been idle."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", "sampled", is_ready=False)
    while not w.events("hello"):
        assert changed_code(program.pid) == 0
    w.finish()
    assert not has_probe_area(program.pid)


def test_exact_mode_changes_only_its_target(target, watch):
    """Both run the same file."""
    program, other = target("multi"), target("multi")
    w = watch("--pid", program.pid, "--mode", "exact")
    assert changed_code(program.pid) > 0
    assert changed_code(other.pid) == 0
    held = program.block("sleep", 30, 2)
    other.block("sleep", 30, 2)
    w.expect_blocks(held)
    assert {b["pid"] for b in w.events("block")} == {program.pid}
    w.finish()
    wait_until(lambda: changed_code(program.pid) == 0, "breakpoints gone", 10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["multi", "current", "local"])
def test_panics_are_caught(target, watch, shape, mode):
    """Also those whose message comes with a back trace, which walks over the tool's return probes."""
    program = target(shape, env={"RUST_BACKTRACE": "1", "PATH": "/usr/bin:/bin"})
    w = watch("--pid", program.pid, "--mode", mode)
    assert program.ask("panic 20", "panics") == "panics caught=20"
    assert program.ask("pool-panic 20", "panics") == "panics caught=20"
    held = program.block("sleep", 30, 2)
    w.expect_blocks(held)
    w.finish()
    assert program.ask("panic 20", "panics") == "panics caught=20"


def test_back_trace_is_as_before(target, watch):
    program = target("current")
    before = back_trace(program)
    assert len(before) > 10
    w = watch("--pid", program.pid, "--mode", "sampled")
    program.block("sleep", 30)
    assert back_trace(program) == before
    w.finish()
    assert back_trace(program) == before


def test_back_trace_after_exact_mode(target, watch):
    """While return probes are there it may end early, which hello says; afterwards it is whole again."""
    program = target("current")
    before = functions(back_trace(program))
    w = watch("--pid", program.pid, "--mode", "exact")
    during = functions(back_trace(program))
    assert during[0] == before[0]
    assert during == before or any("back trace" in text for text in w.hello()["warnings"])
    w.finish()
    wait_until(lambda: changed_code(program.pid) == 0, "breakpoints gone", 10)
    assert functions(back_trace(program)) == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape, role", [("multi", "worker"), ("current", "current_thread"),
                                         ("local", "local_set"), ("busy", "current_thread")])
def test_calibration(target, watch, shape, role, mode):
    """Idle, or busy to the last cycle: the first blocks after hello are right."""
    program = target(shape)
    time.sleep(0.2)
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("sleep", 30, 2) + program.block("spin", 30, 6)
    pairs = w.expect_blocks(held)
    assert {(b["role"], b["tid"] == h.tid) for h, b in pairs} == {(role, True)}
    assert w.unexplained(held) == []
    w.finish()


@pytest.mark.parametrize("shape", ["healthy", "busy", "multi"])
def test_healthy_program(target, watch, shape):
    """Parks, timers, spawn_blocking, block_in_place, a thread of its own that spins: no block in 5 s."""
    program = target(shape)
    both = [watch("--pid", program.pid, "--mode", mode) for mode in MODES]
    program.send("pool 200" if shape != "multi" else "in-place 300")
    time.sleep(5 if shape == "healthy" else 2)
    for w in both:
        assert w.unexplained([]) == []
        bye = w.finish()
        assert bye["totals"]["ongoing"] == 0
        stats = w.events("stats")[-1]
        assert stats["samples"] > 0 or shape == "multi"
        assert stats["lost"]["ring_full"] == 0
        assert bye["totals"]["watched_ns"] > 1000 * MS
