# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every kind of block of test-async-app, plain and stripped, in both modes; long blocks; blocks older than the tool."""
import re
import statistics
import time
import types

import pytest

from live import MS, Target, Watch, bad_lines, is_cause

KINDS = {"marker": "cpu", "sleep": "sleep", "spin": "cpu", "lock": "lock", "file": "file", "pipe": "pipe",
         "socket": "socket", "process": "process", "drop": "sleep"}
# What each kind really calls and waits in. Which of a file's two takes longer depends on the disk.
SLEEPS = {"nanosleep", "clock_nanosleep"}
SYSCALLS = {"sleep": SLEEPS, "drop": SLEEPS, "lock": {"futex"}, "pipe": {"read"}, "socket": {"recvfrom"},
            "process": {"wait4", "waitid"}, "file": {"write", "fdatasync"}}
SECONDS = 11  # two of the rarest kind
MODES = ["sampled", "exact"]
# Blocks or parts of them, never to be lost here.
REAL_LOSSES = ["ring_full", "threads_over_limit", "nested_too_deep", "index_full"]
BUILDS = ["plain", "stripped"]


@pytest.fixture(scope="module")
def runs(app, tool, clock, tmp_path_factory):
    """One run of the app and of its stripped copy, each watched by a tool in each mode, all at once."""
    report = tmp_path_factory.mktemp("blocks") / "report.txt"
    programs = {"plain": "test-async-app", "stripped": "test-async-app-stripped"}
    targets = {build: Target([app / name, "--seconds", SECONDS]) for build, name in programs.items()}
    for target in targets.values():
        target.expect("test-async-app: pid")
    watches = {(build, mode): Watch(tool, ["--pid", str(targets[build].pid), "--mode", mode], clock)
               for build in BUILDS for mode in MODES}
    watches["markers"] = Watch(tool, ["--pid", str(targets["plain"].pid), "--enable-marker-validation"],
                               clock)
    text = Target([tool, "--pid", targets["plain"].pid, "--all-blocks", "-o", report])
    everything = [*targets.values(), *watches.values(), text]
    try:
        for watch in watches.values():
            watch.hello()
        codes = {key: watch.wait() for key, watch in watches.items()}
        yield types.SimpleNamespace(targets=targets, watches=watches, codes=codes, text=text,
                                    text_code=text.wait(), report=report)
    finally:
        for process in everything:
            process.close()


def held_since_hello(runs, build, key):
    """What the app printed of blocks that began when the tool was there, and ended while it was."""
    hello, bye = (runs.watches[key].events(kind)[0]["at_ns"] for kind in ("hello", "bye"))
    return [h for h in runs.targets[build].held() if h.start > hello and h.start + h.ns < bye - 50 * MS]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build", BUILDS)
def test_every_kind_is_found(runs, build, mode):
    held = held_since_hello(runs, build, (build, mode))
    assert {h.kind for h in held} == set(KINDS)
    for h, block in runs.watches[build, mode].expect_blocks(held):
        assert is_cause(block, KINDS[h.kind]), (h, block)
        assert block["phase"] == ("drop" if h.kind == "drop" else "poll"), (h, block)
        assert block["role"] == "worker"
        assert block["detection"] == mode
        assert block["severity"] == ("CRITICAL" if block["duration_ns"] >= 100 * MS else "SLOW")
        assert (block["pid"], block["thread"]) == (runs.targets[build].pid, "tokio-runtime-w")
        if h.kind in SYSCALLS and block["cause"] == KINDS[h.kind]:
            assert block["syscalls"][0]["name"] in SYSCALLS[h.kind], block
            assert block["syscalls"][0]["ns"] <= block["duration_ns"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build", BUILDS)
def test_nothing_else_is_found(runs, build, mode):
    """The app's other tasks do everything right. (At its end it closes a big file: that is a block, and not logged.)"""
    watch = runs.watches[build, mode]
    held = runs.targets[build].held()
    writers = {h.task for h in held if h.kind == "file"}
    closing = re.compile(rf"task ({'|'.join(map(str, writers))}) .* drop$")
    assert [text for text in watch.unexplained(held) if not closing.match(text)] == []


@pytest.mark.parametrize("key", [*((b, m) for b in BUILDS for m in MODES), "markers"])
def test_every_line_is_valid(runs, key):
    watch = runs.watches[key]
    assert bad_lines(watch.raw()) == 0
    assert runs.codes[key] == 0, watch.stderr()
    bye = watch.events("bye")[0]
    blocks = watch.events("block")
    assert bye["reason"] == "target_exited"
    assert bye["totals"]["blocks"] == len(blocks)
    assert bye["totals"]["blocked_ns"] == sum(b["duration_ns"] for b in blocks)
    assert sum(site["count"] for site in bye["by_site"]) == len(blocks)
    assert len(watch.events("stats")) >= SECONDS / 2
    lost = watch.events("stats")[-1]["lost"]
    assert {name: lost[name] for name in REAL_LOSSES if lost[name]} == {}


@pytest.mark.parametrize("build, names", [("plain", "legacy"), ("stripped", "none")])
def test_hello_knows_the_program(runs, build, names):
    for mode in MODES:
        hello = runs.watches[build, mode].hello()
        assert re.fullmatch(r"1\.\d+\.\d+", hello["tokio"])
        assert re.fullmatch(r"1\.\d+\.\d+", hello["rustc"])
        assert re.fullmatch(r"[0-9a-f]{40}", hello["build_id"])
        assert hello["mode"] == mode
        assert hello["threshold_ns"] == 5 * MS
        assert hello["future_types"] >= len(KINDS)
        assert hello["symbols"] in (names, "v0" if names == "legacy" else names)


def test_exact_mode_counts_polls(runs):
    """Healthy tasks of the app tick: hundreds of polls a second, in the plain and in the stripped one."""
    counts = [runs.watches[build, "exact"].events("stats")[-1]["polls"] for build in BUILDS]
    assert min(counts) > 100 * (SECONDS - 2)
    assert max(counts) < 2 * min(counts)


def test_markers_agree(runs):
    markers = [h for h in held_since_hello(runs, "plain", "markers") if h.kind == "marker"]
    result = runs.watches["markers"].events("validation")[0]
    assert not [text for text in runs.watches["markers"].hello()["warnings"] if "trace_blocking" in text]
    assert result["matched"] == result["markers"]
    assert len(markers) <= result["markers"] <= len(markers) + 1
    assert result["missed"] == 0
    blocks = runs.watches["markers"].events("block")
    assert result["detected"] == len(blocks)
    assert result["matched"] == sum(b["detection"] == "both" for b in blocks)
    assert result["extra"] == result["detected"] - result["matched"]
    assert result["duration_diff_ns"]["p50"] < 5 * MS
    assert result["task_ids_differ"] == 0
    assert result["task_ids_agree"] > 0


def test_text_report(runs):
    """One paragraph a block, then the ranking and one line of totals."""
    assert runs.text_code == 0, runs.text.stderr()
    assert runs.text.text() == ""
    text = runs.report.read_text()
    assert "\x1b" not in text
    paragraphs = len(re.findall(r"^● [A-Z]+ +[\d.]+ m?s", text, re.M))
    body, _, table = text.rpartition("\n\n  count ")
    assert body.count("● ") == paragraphs
    rows = re.findall(r"^ +(\d+) +[\d.]+ m?s +[\d.]+ m?s +[\d.]+ m?s +(\w+)", table, re.M)
    assert sum(int(count) for count, _ in rows) == paragraphs
    assert {cause for _, cause in rows} >= set(KINDS.values()) - {"file", "cpu"}
    assert re.search(rf"^{paragraphs} blocks in [\d.]+ s: \d+ CRITICAL, \d+ SLOW", table, re.M)
    for h in runs.targets["plain"].held()[-5:-1]:
        assert re.search(rf"^  task +{h.task} ", text, re.M), h


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["sleep", "spin"])
def test_long_block_is_told_while_it_lasts(target, watch, kind, mode):
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block(kind, 2000)
    (_, block), = w.expect_blocks(held)
    ongoing = [e for e in w.events("ongoing") if e["task_id"] == held[0].task]
    assert len(ongoing) == 3
    for event, age_ms in zip(ongoing, (5, 50, 500)):
        assert age_ms * MS <= event["age_ns"] < 10 * age_ms * MS
        assert all(event[name] == block[name] for name in ("tid", "task_id", "role"))
        assert abs(event["start_ns"] - block["start_ns"]) <= event["error_ns"] + block["error_ns"]
    told = [at for at, raw in w.lines if b'"type":"ongoing"' in raw]
    end = block["start_ns"] + block["duration_ns"]
    assert all(at < end for at in told[:3]), "told only when it was over"
    w.finish()


def test_text_tells_a_long_block_at_a_long_threshold(target, tool):
    program = target("multi")
    text = Target([tool, "--pid", program.pid, "--threshold", "1s"])
    try:
        text.expect("          mode")
        program.send("block sleep 5000")
        text.expect("◐ ONGOING")
        assert program.held() == [], "told only when it was over"
    finally:
        text.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["sleep", "spin"])
def test_block_older_than_the_tool(target, watch, kind, mode):
    program = target("multi")
    program.send(f"block {kind} 3000")
    time.sleep(0.3)
    w = watch("--pid", program.pid, "--mode", mode)
    program.expect("done")
    held = program.held()[0]
    assert held.start < w.hello()["at_ns"] < held.start + held.ns, "the machine was too slow for this test"
    block = w.expect("block", condition=lambda b: b["task_id"] == held.task)
    assert block["tid"] == held.tid
    assert abs(block["start_ns"] + block["duration_ns"] - held.start - held.ns) < (block["error_ns"] or 0) + 20 * MS
    if block["error_ns"] is None:
        assert block["start_ns"] >= held.start - MS, "a minimum that is too long"
    else:
        assert held.ns - block["duration_ns"] <= block["error_ns"] + MS, "longer than its bound admits"
    assert w.expect("ongoing")["task_id"] == held.task
    assert len([b for b in w.events("block") if b["task_id"] == held.task]) == 1
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_root_future_blocks(target, watch, mode):
    """No task, so no id: `root`, in the thread that called block_on."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    for kind in ("sleep", "spin", "sleep"):
        program.ask(f"root {kind} 40", "block kind=" + kind)
    pairs = w.expect_blocks(program.held())
    assert {(b["task_id"], b["role"]) for _, b in pairs} == {(None, "block_on")}
    assert all(b["tid"] == h.tid for h, b in pairs)
    w.finish()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["multi", "current", "local"])
def test_drop_of_another_task_does_not_end_a_poll(target, watch, shape, mode):
    """Meanwhile Tokio's current task is that other one: its id is written over, and comes back."""
    program = target(shape)
    w = watch("--pid", program.pid, "--mode", mode)
    program.block("sleep", 20, 2)  # so that turns and ids have been learned
    before = len(program.held())
    program.ask("drops 24 9", "done")
    w.expect_blocks(program.held()[before:])
    w.finish()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape, role", [("current", "current_thread"), ("local", "local_set")])
def test_tokio_without_its_multi_thread_scheduler(target, programs, watch, shape, role, mode):
    """The enums of schedulers have one variant there, and no tag."""
    program = target(shape, exe=programs.solo)
    w = watch("--pid", program.pid, "--mode", mode)
    program.block("sleep", 20, 2)
    held = program.block("sleep", 20, 3) + program.block("spin", 20, 3)
    pairs = w.expect_blocks(held)
    assert {b["role"] for _, b in pairs} == {role}
    program.ask("root spin 40", "block kind=spin")
    w.expect_blocks(program.held()[-1:])
    assert not w.unexplained(program.held())
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_threshold(target, watch, mode):
    program = target("current")
    w = watch("--pid", program.pid, "--mode", mode, "--threshold", "60ms")
    short = program.block("sleep", 30, 5)
    long = program.block("sleep", 90, 2)
    w.expect_blocks(long)
    assert w.hello()["threshold_ns"] == 60 * MS
    # A machine that stalls may have made a short one long.
    reported = [h for h, found in w.matches(short) if found]
    assert all(h.ns > 58 * MS for h in reported)
    w.finish()


def test_a_block_after_quiet_is_told_in_time(target, watch):
    """The kernel's first event of a task after a second without any waits for all CPUs: nobody may wait with it."""
    t = target("multi")
    w = watch("--pid", t.pid)
    ages = []
    for count in range(1, 4):
        time.sleep(2.2)
        t.block("sleep", 60)
        ages.append(w.expect("ongoing", count, lambda e: e["age_ns"] < 50 * MS)["age_ns"])
    assert statistics.median(ages) < 7 * MS, ages
    w.finish()


def test_ongoing_at_the_end_is_counted(target, watch):
    program = target("multi")
    w = watch("--pid", program.pid)
    program.send("block sleep 20000")
    w.expect("ongoing", 2)
    bye = w.finish()
    assert (bye["totals"]["blocks"], bye["totals"]["ongoing"]) == (0, 1)
