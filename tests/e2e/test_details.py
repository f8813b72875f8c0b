# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a block's system calls are about: exactly what the program gave them, or null."""
import os
import re
import socket
import time

import pytest

READY_S = 0.3
MS_EACH = 120


@pytest.fixture
def watched(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    yield t, w
    w.finish()


def detail_of(watched, kind, syscall, ms=MS_EACH):
    """Of the longest call of the block; and the block."""
    t, w = watched
    (_, block), = w.expect_blocks(t.block(kind, ms))
    call = block["syscalls"][0]
    assert call["name"] == syscall, block["syscalls"]
    return call["detail"], block


def encode(path):
    return "".join(c if c.isalnum() or c in "/._-" else "".join(f"%{b:02x}" for b in c.encode())
                   for c in str(path))


@pytest.mark.parametrize("name", ["plain", "with space", "e\x1b[31mscape\n", "ünï", "x" * 250, "bracket [socket:[1]"])
def test_the_path_behind_a_descriptor(watched, tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    assert detail_of(watched, f"read-fifo:{encode(path)}", "read")[0] == str(path)


def test_the_path_of_a_deleted_file_says_so(watched, tmp_path):
    path = tmp_path / "gone"
    os.mkfifo(path)
    assert detail_of(watched, f"read-deleted:{encode(path)}", "read")[0] == f"{path} (deleted)"


def test_a_very_long_path_loses_its_middle(watched, tmp_path):
    path = tmp_path / "/".join(["d" * 200] * 4) / "end"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    detail, _ = detail_of(watched, f"read-fifo:{encode(path)}", "read")
    begin, end = detail.split("…")
    assert str(path).startswith(begin) and str(path).endswith(end) and end.endswith("/end")
    assert 400 < len(detail.encode()) < 512


def test_a_descriptor_that_became_another_file_has_no_path(watched, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert detail_of(watched, f"read-replaced:{encode(path)}", "read")[0] is None


def test_the_path_in_another_mount_namespace_is_the_programs(target, watch, programs):
    script = f"mount -t tmpfs none /mnt && mkfifo /mnt/fifo && exec {programs.exe} multi"
    t = target(argv=["unshare", "-m", "sh", "-c", script])
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    assert detail_of((t, w), "read-fifo:/mnt/fifo", "read")[0] == "/mnt/fifo"
    w.finish()


def test_the_path_that_is_opened(watched, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert detail_of(watched, f"open-fifo:{encode(path)}", "openat")[0] == str(path)


def test_the_file_that_is_locked(watched, tmp_path):
    path = tmp_path / "lock"
    assert detail_of(watched, f"flock:{encode(path)}", "flock")[0] == str(path)


def test_pipes(watched):
    t, _ = watched
    assert detail_of(watched, "read-pipe", "read")[0] == "pipe"
    assert detail_of(watched, "poll-pipes", "poll")[0] == "pipe and 1 more"
    detail, _ = detail_of(watched, "read-child", "read")
    child = t.expect("child").split("=")[1]
    assert detail == f"pipe from sleep (pid {child})"


def test_the_child_that_is_waited_for(watched):
    t, _ = watched
    detail, block = detail_of(watched, "child", "wait4")
    child = t.expect("child").split("=")[1]
    assert detail == f"sleep (pid {child})"
    assert block["cause"] == "process"


def test_numbers_of_another_pid_namespace_are_the_readers(target, watch, programs):
    outer = target(argv=["unshare", "-p", "-f", "--mount-proc", programs.exe, "multi"])
    own, = map(int, open(f"/proc/{outer.pid}/task/{outer.pid}/children").read().split())
    w = watch("--pid", own)
    time.sleep(READY_S)

    def block(kind, cause):
        outer.ask(f"block {kind} {MS_EACH} 1", "done")
        return w.expect("block", 1, lambda b: b["cause"] == cause)

    detail = block("child", "process")["syscalls"][0]["detail"]
    child = int(re.fullmatch(r"sleep \(pid (\d+)\)", detail)[1])
    assert child > own and child != int(outer.expect("child").split("=")[1])
    told = block("lock-pthread", "lock")
    holder = int(re.fullmatch(r"held by thread helper \(tid (\d+)\)", told["syscalls"][0]["detail"])[1])
    assert holder > own and holder != int(outer.expect("helper").split("=")[1])
    if told["woken_by"]:
        assert told["woken_by"]["tid"] == holder
    w.finish()


def test_peers_of_sockets(watched, tmp_path):
    t, _ = watched
    detail, _ = detail_of(watched, "read-tcp", "recvfrom")
    assert detail == "tcp 127.0.0.1:" + t.expect("peer").split("=")[1]
    detail, _ = detail_of(watched, "connect-tcp", "connect")
    assert detail == "tcp 127.0.0.1:" + t.expect("peer", 2).split("=")[1]
    assert detail_of(watched, "read-udp", "recvfrom")[0] == "udp 127.0.0.1:9"
    path = tmp_path / "socket"
    assert detail_of(watched, f"read-unix:{encode(path)}", "recvfrom")[0] == f"unix {path}"


def test_an_abstract_name_begins_with_an_at_sign(watched):
    name = f"rs\x01{os.getpid()}"
    assert detail_of(watched, f"read-abstract:{encode(name)}", "recvfrom")[0] == f"unix @{name}"


def test_how_long_a_sleep_was_to_last(watched):
    assert detail_of(watched, "sleep", "clock_nanosleep")[0] == f"{MS_EACH}.00 ms asked for"


def test_who_holds_a_lock_where_it_says_so(watched):
    t, _ = watched
    detail, _ = detail_of(watched, "lock-pthread", "futex")
    holder = t.expect("helper").split("=")[1]
    assert detail == f"held by thread helper (tid {holder})"
    assert detail_of(watched, "lock-std", "futex")[0] is None  # its word has no owner
    assert detail_of(watched, "lock-lookalike", "futex")[0] is None


def woken_by(watched, kind, syscall):
    """Of the second block: the first long sleep is what makes the tool look."""
    detail_of(watched, kind, syscall)
    return detail_of(watched, kind, syscall)[1]["woken_by"]


@pytest.mark.parametrize("kind,syscall", [("lock-std", "futex"), ("lock-pthread", "futex"), ("read-pipe", "read")])
def test_who_ended_the_wait(watched, kind, syscall):
    waker = woken_by(watched, kind, syscall)
    helper = int(watched[0].expect("helper", 2).split("=")[1])
    assert waker == {"tid": helper, "thread": "helper", "task_id": None}


def test_a_timer_is_nobody(watched):
    assert woken_by(watched, "sleep", "clock_nanosleep") is None
    assert woken_by(watched, "read-udp", "recvfrom") is None


def test_a_child_that_ended_is_who_ended_the_wait(watched):
    waker = woken_by(watched, "child", "wait4")
    assert waker["thread"] == "sleep" and waker["tid"] == int(watched[0].expect("child", 2).split("=")[1])


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_the_task_that_holds_the_lock_and_wakes(target, watch, mode):
    t = target("multi")
    w = watch("--pid", t.pid, "--mode", mode)
    time.sleep(READY_S)
    for count in (1, 2):
        t.send(f"block lock-of-task {MS_EACH} 1")
        holder = dict(word.split("=") for word in t.expect("holder", count).split()[1:])
        waiter = t.expect("block", count)
        block = w.expect("block", 1, lambda b: f"task={b['task_id']} " in waiter)
        assert block["syscalls"][0]["detail"] == f"held by task {holder['task']} (tid {holder['tid']})"
    assert block["woken_by"]["tid"] == int(holder["tid"])
    assert block["woken_by"]["task_id"] == int(holder["task"])
    w.finish()


def test_the_mapping_of_a_page_fault(watched):
    assert detail_of(watched, "fault", "page_fault")[0] == "anonymous memory"
    assert detail_of(watched, "fault-file", "page_fault")[0] == "/memfd:late (deleted)"


def test_name_resolution(target, watch, programs, tmp_path):
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        silent.bind(("127.0.0.9", 53))
    except OSError as e:
        pytest.skip(f"no port 53 to be silent on: {e}")
    config = tmp_path / "resolv.conf"
    config.write_text("nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
    names = tmp_path / "nsswitch.conf"
    names.write_text("hosts: dns\n")
    script = (f"mount --bind {config} /etc/resolv.conf && "
              f"{{ [ ! -e /etc/nsswitch.conf ] || mount --bind {names} /etc/nsswitch.conf; }} && "
              f"exec {programs.exe} multi")
    t = target(argv=["unshare", "-m", "sh", "-c", script])
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    detail, _ = detail_of((t, w), "resolve", "poll")
    assert detail == "name resolution, udp 127.0.0.9:53"
    w.finish()


def test_short_sleeps_at_one_file_have_its_path(watched, tmp_path):
    """None of them lasts half the threshold; all of them together are the block."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert detail_of(watched, f"read-often:{encode(path)}", "read")[0] == str(path)


def test_the_text_has_it_beside_the_call(target, run, tmp_path):
    path = tmp_path / ("long" * 30) / "fifo"
    path.parent.mkdir()
    os.mkfifo(path)
    t = target("multi")
    t.send(f"block read-fifo:{encode(path)} 300 6")
    done = run("--pid", t.pid, "--duration", "2s", "--format", "text", "--color", "never")
    cause = next(line for line in done.stdout.splitlines() if re.match(r"\s+cause ", line) and "read" in line)
    assert len(cause) <= 80 and cause.endswith("/fifo") and "…" in cause, done.stdout
