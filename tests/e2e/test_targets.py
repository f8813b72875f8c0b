# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a target may be and what may become of it while it is watched."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from live import Target, child_of, wait_until

MODES = ["sampled", "exact"]


def named_copy(programs, tmp_path, name):
    """The program under another name; its threads and its file are called so."""
    path = tmp_path / name
    shutil.copy(programs.exe, path)
    return path


@pytest.mark.parametrize("args, code, words", [
    (["--pid", "2147483647"], 3, "2147483647"),
    (["--pid", "1000000000"], 3, "1000000000"),
    (["--name", "rs-no-such-name"], 3, "rs-no-such-name"),
])
def test_no_target(run, args, code, words):
    for options in ([], ["--mode", "exact"]):
        done = run(*args, *options)
        assert done.returncode == code
        assert words in done.stderr
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


def test_not_tokio(target, run):
    sleeper = target(argv=["sleep", "60"], is_ready=False)
    done = run("--pid", sleeper.pid)
    assert done.returncode == 4
    assert f"Process {sleeper.pid}" in done.stderr
    assert "not a Tokio program" in done.stderr
    assert sleeper.is_running()


def test_kernel_thread_and_ended_process(target, run):
    assert run("--pid", 2).returncode in (3, 4)
    ended = target(argv=["true"], is_ready=False)
    ended.wait()
    assert run("--pid", ended.pid).returncode == 3


def test_zombie(run):
    """Ended, but not waited for."""
    zombie = subprocess.Popen(["true"])
    wait_until(lambda: b") Z" in open(f"/proc/{zombie.pid}/stat", "rb").read(), "a zombie")
    done = run("--pid", zombie.pid)
    zombie.wait()
    assert done.returncode in (3, 4)
    assert len(done.stderr.splitlines()) == 1


def test_ambiguous_name(target, programs, run, tmp_path):
    exe = named_copy(programs, tmp_path, "rs-two")
    both = [target(exe=exe), target(exe=exe)]
    done = run("--name", "rs-two")
    assert done.returncode == 3
    assert all(str(t.pid) in done.stderr for t in both)
    assert "--pid" in done.stderr


def test_name(target, programs, watch, tmp_path):
    program = target(exe=named_copy(programs, tmp_path, "rs-one"))
    w = watch("--name", "rs-one")
    assert w.hello()["pid"] == program.pid
    w.expect_blocks(program.block("sleep", 30))
    w.finish()


@pytest.mark.parametrize("binary, code", [("/no/such/file", 3), ("/bin/sh", 2)])
@pytest.mark.parametrize("command", ["watch", "doctor"])
def test_wrong_file_of_symbols(target, run, command, binary, code):
    program = target("multi")
    done = run(command, "--pid", program.pid, "--target", binary)
    assert done.returncode == code
    assert binary in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("mode", MODES)
def test_target_exits(target, watch, mode):
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("sleep", 30, 2)
    program.send("exit 5")
    assert program.wait() == 5
    assert w.finish(0)["reason"] == "target_exited"
    w.expect_blocks(held)


@pytest.mark.parametrize("mode", MODES)
def test_target_is_killed_in_a_block(target, watch, mode):
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    held = program.block("sleep", 30)
    program.send("block sleep 30000")
    w.expect("ongoing")
    program.signal(signal.SIGKILL)
    program.wait()
    assert w.finish(0)["reason"] == "target_exited"
    w.expect_blocks(held)


@pytest.mark.parametrize("mode", MODES)
def test_target_becomes_another_tokio_program(target, programs, watch, tmp_path, mode):
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    first = program.block("sleep", 30, 2)
    other = named_copy(programs, tmp_path, "rs-other")
    program.send(f"exec {other} current")
    program.expect("ready", 2)
    hello = w.hello(2)
    assert (hello["pid"], hello["exe"]) == (program.pid, str(other))
    second = program.block("sleep", 30, 2)
    pairs = w.expect_blocks(second)
    assert {b["role"] for _, b in pairs} == {"current_thread"}
    w.expect_blocks(first)
    assert [b["reason"] for b in w.events("bye")] == ["target_exec"]
    assert w.finish()["reason"] == "interrupted"


@pytest.mark.parametrize("mode", MODES)
def test_target_becomes_another_program(target, watch, mode):
    """Nothing is left to watch, then: it says so and ends."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    w.expect_blocks(program.block("sleep", 30))
    program.send("exec /bin/sleep 60")
    w.finish(0)
    assert w.events("bye")[0]["reason"] == "target_exec"
    assert "not a Tokio program" in w.stderr()
    assert program.is_running()


@pytest.mark.parametrize("mode", MODES)
def test_fork_without_exec(target, watch, mode):
    """The child has the parent's memory and one thread: it is not the target, and does it no harm."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    for _ in range(3):
        assert program.ask("fork 30", "forked").endswith("status=0")
    held = program.block("sleep", 30, 3)
    w.expect_blocks(held)
    assert {b["pid"] for b in w.events("block")} == {program.pid}
    assert w.unexplained(held) == []
    w.finish()


def test_two_targets(target, watch):
    first, second = target("multi"), target("current")
    w = watch("--pid", first.pid, "--pid", second.pid)
    w.hello(2)
    assert {h["pid"] for h in w.events("hello")} == {first.pid, second.pid}
    for program in (first, second):
        w.expect_blocks(program.block("sleep", 30, 2))
    first.send("exit")
    first.wait()
    assert w.expect("bye")["pid"] == first.pid
    held = second.block("sleep", 40, 2)
    w.expect_blocks(held)
    assert {b["pid"] for b in w.events("block") if any(h.overlaps(b) for h in held)} == {second.pid}
    assert w.finish()["pid"] == second.pid


def test_two_tools(target, watch):
    """In both modes at once, and one of them leaves before the other."""
    program = target("multi")
    exact = watch("--pid", program.pid, "--mode", "exact")
    sampled = watch("--pid", program.pid, "--mode", "sampled")
    again = watch("--pid", program.pid, "--mode", "exact")
    held = program.block("sleep", 30, 4)
    for w in (exact, sampled, again):
        w.expect_blocks(held)
    exact.finish()
    held = program.block("spin", 30, 4)
    for w in (sampled, again):
        w.expect_blocks(held)
        w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_restart_by_name(target, programs, watch, tmp_path, mode):
    exe = named_copy(programs, tmp_path, "rs-again")
    first = target(exe=exe)
    w = watch("--name", "rs-again", "--mode", mode)
    w.expect_blocks(first.block("sleep", 30))
    first.send("exit 1")
    first.wait()
    w.expect("bye")
    assert w.is_running()
    second = target(exe=exe)
    assert w.hello(2)["pid"] == second.pid
    w.expect_blocks(second.block("sleep", 30, 2))
    second.close()
    w.expect("bye", 2)
    w.signal(signal.SIGINT)
    w.finish()
    assert [b["reason"] for b in w.events("bye")] == ["target_exited"] * 2


def test_ambiguous_restart(target, programs, watch, tmp_path):
    exe = named_copy(programs, tmp_path, "rs-back-twice")
    first = target(exe=exe)
    w = watch("--name", "rs-back-twice")
    w.signal(signal.SIGSTOP)  # both are there when it looks
    first.close()
    both = [target(exe=exe), target(exe=exe)]
    w.signal(signal.SIGCONT)
    assert w.finish(0, code=3)["reason"] == "target_exited"
    assert all(str(t.pid) in w.stderr() for t in both)
    assert len(w.stderr().splitlines()) == 1


def test_restart_as_another_program(target, programs, watch, tmp_path):
    """It is said once that it cannot be watched, and the next one is waited for."""
    exe = named_copy(programs, tmp_path, "rs-changing")
    first = target(exe=exe)
    w = watch("--name", "rs-changing")
    first.close()
    (tmp_path / "other").mkdir()
    other = target(argv=[shutil.copy("/bin/sleep", tmp_path / "other" / "rs-changing"), "60"], is_ready=False)
    wait_until(w.stderr, "a word about the other program")
    time.sleep(1)
    assert f"Process {other.pid}" in w.stderr() and len(w.stderr().splitlines()) == 1
    other.close()
    second = target(exe=exe)
    assert w.hello(2)["pid"] == second.pid
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_runtime_starts_later(target, watch, mode):
    """A Tokio program that has no runtime yet, and gets three."""
    program = target("none")
    w = watch("--pid", program.pid, "--mode", mode, is_ready=False)
    warnings = w.hello()["warnings"]
    assert any("no runtime is seen" in text for text in warnings), warnings
    for number, (shape, role) in enumerate([("multi", "worker"), ("current", "current_thread"),
                                            ("local", "local_set")]):
        program.ask(f"runtime {shape}", "ready")
        # The first blocks teach the tool what it could not know before there was a runtime.
        program.block("sleep", 50, 3 if number == 0 else 1)
        pairs = w.expect_blocks(program.block("sleep", 30, 3))
        assert {b["role"] for _, b in pairs} == {role}
        assert {b["tid"] for _, b in pairs} <= {h.tid for h, _ in pairs}
    assert w.finish()["note"] is None
    assert any("a runtime has started" in (s["note"] or "") for s in w.events("stats"))


def test_nothing_to_watch_is_said_at_the_end(target, watch, tool):
    program = target("none")
    w = watch("--pid", program.pid, is_ready=False)
    text = Target([tool, "--pid", program.pid, "--duration", "3s"])
    assert text.wait() == 0
    assert "not watched: no runtime is seen" in text.text()
    text.close()
    assert "no runtime is seen" in w.finish()["note"]


@pytest.mark.parametrize("mode", MODES)
def test_worker_starts_later(target, watch, mode):
    """block_in_place hands its worker's core to a new thread; that one is watched, the old one is not."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    before = set(os.listdir(f"/proc/{program.pid}/task"))
    program.ask("in-place 400", "done")
    after = set(os.listdir(f"/proc/{program.pid}/task"))
    assert after - before
    held = program.block("sleep", 30, 6)
    w.expect_blocks(held)
    assert w.unexplained(held) == []
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_object_loaded_later(target, programs, watch, mode):
    """A second Tokio, in a shared object, in a process that is being watched already."""
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode)
    w.expect_blocks(program.block("sleep", 30))
    time.sleep(1)
    program.send(f"dlopen {programs.object}")
    program.ask("object ping", "pong")
    program.expect("ready", 2)
    # Loaded objects are looked for once a second; its first blocks are for calibration.
    end = time.monotonic() + 10
    while not any(found for _, found in w.matches(program.held()[1:])):
        assert time.monotonic() < end, "no block of the object's Tokio within 10 s"
        program.block("sleep", 60, 2, via="object ")
    held = program.block("sleep", 30, 3, via="object ")
    pairs = w.expect_blocks(held)
    assert {b["role"] for _, b in pairs} == {"worker"}
    w.expect_blocks(program.block("sleep", 35, 2))
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_object_in_a_program_without_tokio(target, programs, watch, mode):
    """As an extension module of Python or Node is."""
    script = ("import ctypes, sys\n"
              f"o = ctypes.CDLL({str(programs.object)!r})\n"
              "for line in sys.stdin: o.e2e_submit(line.strip().encode())\n")
    program = target(argv=["/usr/bin/env", "python3", "-c", script], is_ready=False)
    program.ask("ping", "pong")
    w = watch("--pid", program.pid, "--mode", mode)
    pairs = w.expect_blocks(program.block("sleep", 30, 3))
    assert {b["role"] for _, b in pairs} == {"worker"}
    w.finish()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_file_changed_on_disk(target, programs, watch, tmp_path, change, mode):
    exe = named_copy(programs, tmp_path, "rs-changed")
    program = target(exe=exe)
    if change == "deleted":
        exe.unlink()
    else:
        shutil.copy("/bin/sleep", tmp_path / "new")
        (tmp_path / "new").rename(exe)
    w = watch("--pid", program.pid, "--mode", mode)
    w.expect_blocks(program.block("sleep", 30, 3))
    w.finish()
    program.ask("ping", "pong")


@pytest.mark.parametrize("mode", MODES)
def test_target_in_a_pid_namespace(target, programs, watch, mode):
    outer = target(argv=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", programs.exe, "multi"])
    assert outer.expect("ready") == "ready pid=1"
    pid = child_of(outer.pid)
    w = watch("--pid", pid, "--mode", mode)
    pairs = w.expect_blocks(outer.block("sleep", 30, 3))
    assert {b["pid"] for _, b in pairs} == {pid}
    # Ids are those of the reader's namespace, not of the target's.
    assert {str(b["tid"]) for _, b in pairs} <= set(os.listdir(f"/proc/{pid}/task"))
    outer.send("exit 0")
    outer.wait()
    assert w.finish(0)["reason"] == "target_exited"


@pytest.mark.parametrize("mode", MODES)
def test_target_in_a_mount_namespace(target, programs, watch, tmp_path, mode):
    """The path of its program exists only in its own namespace; outside there is another file."""
    decoy = tmp_path / "rs-inner"
    shutil.copy("/bin/sleep", decoy)
    script = f'mount -t tmpfs none {tmp_path} && cp "$0" {decoy} && exec {decoy} multi'
    program = target(argv=["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
                           "sh", "-c", script, programs.exe])
    w = watch("--pid", child_of(program.pid), "--mode", mode)
    w.expect_blocks(program.block("sleep", 30, 3))
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_target_in_a_chroot(target, programs, watch, tmp_path, mode):
    shutil.copy(programs.exe, tmp_path / "rs-rooted")
    listing = subprocess.run(["ldd", programs.exe], capture_output=True, text=True, check=True).stdout
    for library in {word for word in listing.split() if word.startswith("/")}:
        copy = tmp_path / library.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copy)
    program = target(argv=["chroot", tmp_path, "/rs-rooted", "multi"])
    w = watch("--pid", program.pid, "--mode", mode)
    w.expect_blocks(program.block("sleep", 30, 3))
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_tool_in_a_pid_namespace(target, programs, tool, tmp_path, watch, mode):
    """Both in a container: the ids are the container's."""
    report = tmp_path / "report"
    script = f'exec 3<&0; {programs.exe} multi <&3 & sleep 0.5; exec "$0" --pid $! "$@"'
    w = watch("--mode", mode, output=report,
              prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script])
    pid = w.hello()["pid"]
    assert 1 < pid < 10
    # The target writes to the tool's standard output; the tool to its file.
    reader = target(argv=["true"], is_ready=False)
    reader.lines = w.lines
    w.send("block sleep 30 3")
    wait_until(lambda: len(reader.held()) == 3, "three blocks")
    pairs = w.expect_blocks(reader.held())
    assert [(b["pid"], b["tid"]) for _, b in pairs] == [(pid, h.tid) for h, _ in pairs]
    w.send("exit 0")
    assert w.finish(0)["reason"] == "target_exited"
