# SPDX-License-Identifier: MIT OR Apache-2.0
"""The stack of each block: whole, with names, and with the user's own function as the culprit."""
import re
import signal
import subprocess
import time

import pytest

from live import Target

MODES = ["sampled", "exact"]
READY_S = 1  # the tables of a small program are there long before
CULPRITS = {"sleep": "e2e_target::executor::block", "spin": "e2e_target::work::spin"}


def names(block):
    return [frame["fn"] or "" for frame in block["frames"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["multi", "current", "local"])
def test_blocks_have_whole_stacks_and_the_right_culprit(target, watch, shape, mode):
    t = target(shape)
    w = watch("--pid", t.pid, "--mode", mode)
    assert w.hello()["unwinder"] == "eh_frame"
    time.sleep(READY_S)
    for kind, culprit in CULPRITS.items():
        for held, block in w.expect_blocks(t.block(kind, 30, 3)):
            assert block["complete"] and block["stack_end"] == "start", names(block)
            frames = block["frames"]
            assert frames[block["culprit"]]["kind"] == "user"
            assert frames[block["culprit"]]["fn"].startswith(culprit), names(block)
            # the kernel's part where it slept, then the program's; the runtime's poll of the task below the culprit
            kinds = [frame["kind"] for frame in frames]
            assert (kinds[0] == "kernel") == (kind == "sleep"), kinds
            assert "kernel" not in kinds[kinds.index("user"):]
            assert any(name.startswith("tokio::runtime") for name in names(block)[block["culprit"]:])
            assert all(frame["addr"] is None for frame in frames if frame["kind"] == "kernel")
            for stack in block["stacks"] or []:
                assert stack["ns"] <= block["duration_ns"] + block["error_ns"]
    w.finish()


def test_an_ongoing_block_has_its_stack(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    t.block("sleep", 700)
    late = w.expect("ongoing", 1, lambda e: e["age_ns"] > 400_000_000)
    assert late["complete"] and late["frames"][late["culprit"]]["fn"].startswith(CULPRITS["sleep"])
    w.finish()


def test_the_first_block_waits_for_its_names_a_second_at_most(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid)
    w.hello()
    (_, block), = w.expect_blocks(t.block("sleep", 300))
    told = next(at for at, raw in w.lines if b'"type":"block"' in raw)
    assert told - (block["start_ns"] + block["duration_ns"]) < 1_200_000_000
    w.finish()


def test_a_long_sleep_has_its_stack_after_many_short_ones(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    for held, block in w.expect_blocks(t.block("naps", 40, 5)):
        stacks = block["stacks"] or [block]
        long = [s for s in stacks if any("e2e_target::work::rest" in (f["fn"] or "") for f in s["frames"])]
        assert len(long) == 1 and "e2e_target::work::rest" in names(block)[block["culprit"]], names(block)
        assert block["complete"]
    w.finish()


def is_long(block):
    return block["duration_ns"] > 40_000_000


def test_sleeps_have_their_stacks_in_a_storm_of_switches(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    for _ in range(4):
        t.send("switches 20000")
    end = time.monotonic() + 5
    while not any(b"too fast to be traced" in raw for _, raw in list(w.lines)):
        if time.monotonic() > end:
            pytest.skip("this machine does not switch often enough")
        time.sleep(0.05)
    t.block("sleep", 60, 5)
    w.expect("block", 5, is_long)  # where it began may not have been seen
    for block in filter(is_long, w.events("block")):
        assert block["complete"], names(block)
        assert block["frames"][block["culprit"]]["fn"].startswith(CULPRITS["sleep"]), names(block)
    w.finish()


def test_a_stripped_stack_ends_where_the_runtime_polls(target, programs, tool, tmp_path):
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, programs.exe], check=True)
    t = target("multi", exe=stripped)
    text = Target([tool, "--pid", t.pid, "--stack-depth", 100])
    try:
        text.expect("          mode")
        time.sleep(READY_S)
        t.block("sleep", 30, 3)
        text.expect("● BLOCKING", 3)
        text.signal(signal.SIGINT)
        assert text.wait() == 0
    finally:
        text.close()
    # the task's frames, then those by which the runtime got there
    shown = [int(n) for n in re.findall(r"^ +(?:stack +)?#(\d+) ", text.text(), re.M)]
    left_out = [int(n) for n in re.findall(r"^ +… (\d+) more$", text.text(), re.M)]
    assert len(left_out) == 3, text.text()
    assert max(shown) < 10 and min(left_out) > 5, text.text()


def test_what_sleeps_since_before_attach_has_its_stack(target, watch):
    t = target("multi")
    t.send("block sleep 4000 1")
    time.sleep(READY_S)
    w = watch("--pid", t.pid)
    late = w.expect("ongoing", 1, lambda e: e["age_ns"] > 400_000_000)
    assert late["complete"], late
    assert late["frames"][late["culprit"]]["fn"].startswith(CULPRITS["sleep"])
    w.finish()
