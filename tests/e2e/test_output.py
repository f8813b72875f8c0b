# SPDX-License-Identifier: MIT OR Apache-2.0
"""How the tool ends, and where its output goes: signals, closed pipes, full disks; nothing stays behind."""
import os
import re
import signal
import subprocess
import time

import pytest

from live import WAIT_S, Process, Target, bad_lines, bench_harness, changed_code, wait_until

MODES = ["sampled", "exact"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number, reason", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_signal_ends_it_well(target, watch, number, reason, mode):
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("sleep", 30, 4)
    w.expect_blocks(held)
    bye = w.finish(number)
    assert bye["reason"] == reason
    assert bye["totals"]["blocks"] == len(w.events("block"))
    assert w.stderr() == ""
    program.ask("ping", "pong")


def test_signal_loses_nothing_that_is_over(target, watch):
    """The signal comes at the moment the last block ends: whatever has ended is in the output."""
    program = target("multi")
    w = watch("--pid", program.pid)
    held = program.block("sleep", 30, 3)
    w.finish()
    w.expect_blocks(held)


def test_signal_before_anything_is_learned(target, watch):
    """At whatever point of attaching it comes, it ends the tool soon and the target is well."""
    program = target("multi")
    for delay in (0.0, 0.02, 0.1, 0.3):
        w = watch("--pid", program.pid, is_ready=False)
        time.sleep(delay)
        w.signal(signal.SIGINT)
        assert w.wait() in (0, -signal.SIGINT)
    program.ask("ping", "pong")


def test_second_signal_does_no_harm(target, watch):
    program = target("multi")
    w = watch("--pid", program.pid)
    for _ in range(3):
        w.signal(signal.SIGINT)
    assert w.finish()["reason"] == "interrupted"


def test_duration(target, watch):
    program = target("multi")
    w = watch("--pid", program.pid, "--duration", "1s")
    held = program.block("sleep", 30, 2)
    assert w.finish(0)["reason"] == "duration"
    assert all(w.matches(held))
    program.ask("ping", "pong")


def test_summary_after_signal(target, tool):
    program = target("multi")
    text = Target([tool, "--pid", program.pid])
    try:
        text.expect("          mode")
        held = program.block("sleep", 30, 3)
        text.expect("● BLOCKING", 3)
        text.signal(signal.SIGINT)
        assert text.wait() == 0
    finally:
        text.close()
    assert re.search(r"^  count +total +max +p99 +cause", text.text(), re.M)
    totals = re.search(r"^(\d+) blocks in", text.text(), re.M)
    assert int(totals.group(1)) >= len(held)
    assert re.search(r"^cost: the target paid \d+\.\d\d % of a CPU; the tool itself took [\d.]+ m?s of CPU time$",
                     text.text(), re.M)


def test_a_site_that_blocks_again_and_again_is_told_a_few_times(target, tool):
    program = target("multi")
    text = Target([tool, "--pid", program.pid])
    try:
        text.expect("          mode")
        time.sleep(1)  # from here on, blocks have stacks
        program.block("sleep", 20, 60)
        text.expect("… and ")
        text.signal(signal.SIGINT)
        assert text.wait() == 0
    finally:
        text.close()
    assert text.text().count("● BLOCKING") <= 8  # three of the site, and what the machine did
    assert re.search(r"^… and \d+ more at e2e_target::\S+: [\d.]+ m?s, longest [\d.]+ m?s$", text.text(), re.M)
    assert int(re.search(r"^(\d+) blocks in", text.text(), re.M).group(1)) >= 60
    assert "  advice    std::thread::sleep: use tokio::time::sleep(..).await" in text.text()


def test_a_bad_file_of_advice_is_an_error_of_usage(run, tmp_path):
    bad = tmp_path / "advice"
    bad.write_text("# ours\nstd::fs::* | files\n")
    done = run("--pid", 1, "--advice", bad)
    assert done.returncode == 2
    assert done.stderr == (f"runtime-scope: {bad}:2: Not three texts with bars between. "
                           "Write PATTERN | KIND | ADVICE.\n")


def test_cost_of_the_whole_run(target, watch):
    program = target("multi")
    w = watch("--pid", program.pid)
    program.block("spin", 2500)
    cost = w.finish()["overhead"]
    parts = [s["overhead"] for s in w.events("stats")]
    assert len(parts) >= 3
    assert cost["user_ns"] >= sum(p["user_ns"] for p in parts) > 0
    assert 0 < max(p["bpf_ns"] for p in parts) < cost["bpf_ns"] < 2 * sum(p["bpf_ns"] for p in parts)


def test_absent_marker_functions_are_told(target, watch):
    program = target("multi")
    w = watch("--pid", program.pid, "--enable-marker-validation")
    assert [text for text in w.hello()["warnings"] if "trace_blocking_start" in text]
    w.expect_blocks(program.block("sleep", 30))
    w.finish()
    assert w.events("validation")[0]["markers"] == 0


def test_file_is_written_as_it_happens(target, watch, tmp_path):
    program = target("multi")
    report = tmp_path / "report.ndjson"
    w = watch("--pid", program.pid, output=report)
    w.expect_blocks(program.block("sleep", 30, 2))
    assert w.is_running()
    w.finish()
    assert w.text() == ""


@pytest.mark.parametrize("is_busy", [False, True])
def test_closed_pipe(target, tool, is_busy):
    """As `| head -1` does: it ends by itself, also when it has nothing to say."""
    program = target("multi")
    head = subprocess.Popen([tool, "--pid", str(program.pid), "--format", "ndjson"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert b'"hello"' in head.stdout.readline()
        head.stdout.close()
        if is_busy:
            program.block("sleep", 20, 3)
        assert head.wait(WAIT_S) == 0
        assert head.stderr.read() == b""
    finally:
        head.kill()
        head.wait()
    assert changed_code(program.pid) == 0
    program.ask("ping", "pong")


@pytest.mark.parametrize("form", [[], ["--format", "ndjson"]])
def test_full_disk(target, run, form):
    program = target("multi")
    done = run("--pid", program.pid, "-o", "/dev/full", *form)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert changed_code(program.pid) == 0
    program.ask("ping", "pong")


def test_output_not_writable(target, run, tmp_path):
    """Said before attaching: also when there is nothing to attach to."""
    program = target("multi")
    for pid in (program.pid, 2**31 - 1):
        done = run("--pid", pid, "-o", tmp_path / "no" / "such" / "report", "--mode", "exact")
        assert done.returncode == 1
        assert "No such file or directory" in done.stderr
        assert "-o" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert changed_code(program.pid) == 0


def test_older_report_goes_when_there_is_a_new_one(target, run, tmp_path):
    report = tmp_path / "report"
    older = "older\n" * 1000
    report.write_text(older)
    assert run("--pid", 2**31 - 1, "-o", report).returncode == 3
    assert run("-o", report, "--", "true").returncode == 4
    assert report.read_text() == older
    done = run("--pid", target("multi").pid, "--duration", "1s", "--format", "ndjson", "-o", report)
    assert done.returncode == 0
    assert bad_lines(report.read_bytes()) == 0


def test_output_to_what_is_no_file(target, run, tmp_path):
    program = target("multi")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = Process(["cat", fifo])
    args = ["--pid", program.pid, "--duration", "1s", "--format", "ndjson", "-o"]
    assert run(*args, fifo).returncode == 0
    reader.wait()
    assert bad_lines(reader.text().encode()) == 0
    assert bad_lines(run(*args, "/dev/stdout").stdout.encode()) == 0


@pytest.mark.parametrize("mode", MODES)
def test_kill_leaves_nothing(target, watch, mode):
    bpf = bench_harness("bpf")
    if bpf.missing():
        pytest.skip(bpf.missing())
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("sleep", 30, 2)
    w.expect_blocks(held)
    objects = bpf.held_by_tool(w.pid)
    assert objects["prog"] and objects["map"] and objects["link"]
    assert (changed_code(program.pid) > 0) == (mode == "exact")
    program.send("block sleep 300")
    time.sleep(0.1)
    w.signal(signal.SIGKILL)
    assert w.wait() == -signal.SIGKILL
    wait_until(lambda: not bpf.still_there(objects), "BPF objects gone", 10)
    wait_until(lambda: changed_code(program.pid) == 0, "breakpoints gone", 10)
    # The block that was being watched when the tool died ends like any other.
    program.expect("done", 2)
    program.ask("ping", "pong")
    assert program.ask("panic 3", "panics") == "panics caught=3"


@pytest.mark.parametrize("mode", MODES)
def test_end_leaves_nothing(target, watch, mode):
    bpf = bench_harness("bpf")
    if bpf.missing():
        pytest.skip(bpf.missing())
    program = target("multi")
    fds = len(os.listdir(f"/proc/{program.pid}/fd"))
    for _ in range(3):
        w = watch("--pid", program.pid, "--mode", mode)
        objects = bpf.held_by_tool(w.pid)
        w.finish()
        wait_until(lambda o=objects: not bpf.still_there(o), "BPF objects gone", 10)
        assert changed_code(program.pid) == 0
    assert len(os.listdir(f"/proc/{program.pid}/fd")) == fds
    program.ask("ping", "pong")
