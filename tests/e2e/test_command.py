# SPDX-License-Identifier: MIT OR Apache-2.0
"""-- COMMAND: the tool starts the program, and ends as it ends."""
import os
import signal
import subprocess

import pytest

from live import Target, bad_lines, wait_until

MODES = ["sampled", "exact"]


@pytest.fixture
def start(watch, tmp_path):
    """start("--", command…) -> the tool, whose standard input and output are the program's."""
    def start_command(*args):
        w = watch(*args, is_ready=False, output=tmp_path / "report.ndjson")
        w.held = lambda: Target.held(w)
        return w

    return start_command


def block(w, kind, ms, count):
    before = len(w.held())
    w.send(f"block {kind} {ms} {count}")
    wait_until(lambda: len(w.held()) == before + count, "blocks of the program")
    return w.held()[before:]


@pytest.mark.parametrize("mode", MODES)
def test_blocks_of_a_command(start, programs, mode):
    w = start("--mode", mode, "--", programs.exe, "multi")
    pid = w.hello()["pid"]
    assert w.text().startswith(f"ready pid={pid}")
    w.expect_blocks(block(w, "sleep", 30, 3))
    w.send("exit 0")
    assert w.finish(0)["reason"] == "target_exited"


@pytest.mark.parametrize("command, code", [("exit 7", 7), ("kill 9", 128 + 9), ("kill 15", 128 + 15), ("exit 0", 0)])
def test_exit_code_is_passed_through(start, programs, command, code):
    w = start("--", programs.exe, "multi")
    w.hello()
    w.send(command)
    assert w.finish(0, code=code)["reason"] == "target_exited"


def test_exit_code_of_a_short_command(start, programs):
    """It may end at any point of attaching."""
    for number in range(5):
        w = start("--", programs.exe, "multi")
        w.send(f"exit {40 + number}")
        assert w.wait() == 40 + number, w.stderr()
        assert not w.raw() or bad_lines(w.raw()) == 0


def test_command_not_found(run):
    done = run("--", "rs-no-such-command")
    assert done.returncode == 3
    assert "rs-no-such-command" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_command_without_tokio(run):
    """There was nothing to watch; the command's own failure comes first."""
    done = run("--", "sh", "-c", "exit 9")
    assert done.returncode == 9
    for command in (["sleep", "0.5"], ["true"]):  # the one ends while it is looked at
        done = run("--", *command)
        assert done.returncode == 4
        assert "Tokio" in done.stderr


@pytest.mark.parametrize("script", ["exec {exe} current", "{exe} current; exit $?", "sleep 0.3; {exe} current; exit $?"])
def test_command_behind_a_shell(start, programs, script):
    w = start("--", "sh", "-c", script.format(exe=programs.exe))
    assert w.hello()["exe"] == str(programs.exe)
    pairs = w.expect_blocks(block(w, "sleep", 30, 3))
    assert {b["role"] for _, b in pairs} == {"current_thread"}
    w.send("exit 6")
    w.finish(0, code=6)


def test_arguments_are_not_options(start, programs):
    w = start("--", "sh", "-c", f'echo "$0 $1"; exec {programs.exe} multi', "--pid", "--duration")
    w.hello()
    assert w.text().startswith("--pid --duration\n")
    w.send("exit 0")
    w.finish(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_command_too(start, programs, number):
    w = start("--", programs.exe, "multi")
    pid = w.hello()["pid"]
    w.finish(number)
    gone = subprocess.run(["kill", "-0", str(pid)], capture_output=True).returncode
    assert gone != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_leaves_the_command(start, programs, number):
    """One that SIGTERM does not end: it runs on, and the tool says so."""
    w = start("--", "sh", "-c", f"trap '' TERM; exec {programs.exe} multi")
    pid = w.hello()["pid"]
    w.signal(signal.SIGINT)
    w.expect("bye")
    assert w.is_running()
    w.signal(number)
    try:
        wait_until(lambda: not w.is_running(), "the end of the tool", 5)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert w.finish()["reason"] == "interrupted"
    assert f"still runs, as process {pid}" in w.stderr()


def test_command_has_the_niceness_of_the_caller(tool):
    done = subprocess.run(["nice", "-n", "3", tool, "--", "sh", "-c", "nice; exit 9"],
                          capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == (f"{os.nice(0) + 3}\n", 9)


def test_duration_ends_the_command_too(start, programs):
    w = start("--duration", "1s", "--", programs.exe, "multi")
    pid = w.hello()["pid"]
    assert w.finish(0)["reason"] == "duration"
    assert subprocess.run(["kill", "-0", str(pid)], capture_output=True).returncode != 0
