# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a task is called: by debuginfo, by symbols, by places in the code; and never wrong without a mark."""
import re
import shutil
import subprocess
import time

import pytest

from conftest import BUILT, PROGRAMS, build

READY_S = 1  # the tables of a small program are there long before
NAMED = "e2e_target::named::"
DOUBT = "\u2248"
SOURCE = (PROGRAMS / "src" / "named.rs").read_text().splitlines()


def line_of(text):
    return next(i for i, line in enumerate(SOURCE, 1) if text in line)


# which: (name with debuginfo, name without generic arguments, where its body begins)
FUTURES = {
    "upload": ("upload", "upload", "async fn upload()"),
    "outer": ("outer", "outer", "async fn outer()"),
    "generic": ("generic<Vec<String>>", "generic", "async fn generic<"),
    "method": ("Service::call", "Service::call", "async fn call("),
    "by-hand": ("ByHand", "ByHand", None),
    "boxed": ("boxed", "boxed", None),
    "timeout": ("upload", "upload", "async fn upload()"),
}


@pytest.fixture(scope="module")
def builds(programs):
    """One program, as cargo builds it by default, with debuginfo, and with nothing."""
    cargo = shutil.which("cargo") or "cargo"
    limited = build(cargo, "limited", "--config", "profile.release.debug=1") / "e2e-target"
    stripped = BUILT / "e2e-target-stripped"
    subprocess.run(["strip", "-o", stripped, programs.exe], check=True)
    return {"symbols": programs.exe, "debuginfo": limited, "stripped": stripped}


def tasks_of(target, watch, exe):
    """{which: the task of its block}"""
    t = target("multi", exe=exe)
    w = watch("--pid", t.pid)
    time.sleep(READY_S)
    found = {}
    for which in FUTURES:
        number = int(re.search(r"task=(\d+)", t.ask(f"named {which}", "named"))[1])
        found[which] = w.expect("block", 1, lambda e: e["task_id"] == number)["task"]
    w.finish()
    return found


def check_place(task, text):
    if text is None:
        assert task["file"] is None and task["line"] is None, task
    else:
        assert task["file"].endswith("src/named.rs") and task["line"] == line_of(text), task


def test_with_debuginfo(target, watch, builds):
    tasks = tasks_of(target, watch, builds["debuginfo"])
    for which, (name, _, place) in FUTURES.items():
        assert tasks[which]["name"] == NAMED + name, (which, tasks[which])
        assert tasks[which]["name_source"] == ("stack" if which == "boxed" else "dwarf"), which
        check_place(tasks[which], place)
    assert tasks["timeout"]["type"] == (
        f"tokio::time::timeout::Timeout<{NAMED}upload::{{async_fn_env#0}}>")


def test_with_symbols(target, watch, builds):
    tasks = tasks_of(target, watch, builds["symbols"])
    for which, (_, name, place) in FUTURES.items():
        task = tasks[which]
        assert task["type"] is None
        check_place(task, place)
        if which == "by-hand":  # inlined; what drops it may be the code of other types, too
            assert task["name"].startswith(DOUBT) or task["name_source"] == "address", task
            continue
        if task["name_source"] == "location":  # the body is inlined into Tokio's function
            assert task["name"] == f"src/named.rs:{line_of(place)}", (which, task)
            continue
        assert task["name"].lstrip(DOUBT) == NAMED + name, (which, task)
        assert task["name_source"] == ("stack" if which == "boxed" else "symbol"), (which, task)
        assert which == "boxed" or not task["name"].startswith(DOUBT), (which, task)


def test_with_nothing(target, watch, builds):
    tasks = tasks_of(target, watch, builds["stripped"])
    for which, (_, _, place) in FUTURES.items():
        task = tasks[which]
        check_place(task, place)
        if place:
            assert task["name"] == f"src/named.rs:{line_of(place)}", (which, task)
            assert task["name_source"] == "location"
        else:
            assert task["name"].startswith(DOUBT) or task["name_source"] == "address", (which, task)


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_where_it_was_spawned(target, watch, programs, mode):
    flags = 'build.rustflags=["--cfg", "tokio_unstable"]'
    exe = build(shutil.which("cargo") or "cargo", "unstable", "--config", flags) / "e2e-target"
    t = target("multi", exe=exe)
    w = watch("--pid", t.pid, "--mode", mode)
    time.sleep(READY_S)
    for which in ("upload", "method"):
        t.ask(f"named {which}", "named")
    places = [w.expect("block", i + 1)["spawned_at"] for i in range(2)]
    lines = [line_of(f'"{which}" => say') for which in ("upload", "method")]
    assert [place["line"] for place in places] == lines
    assert all(place["file"] == "src/named.rs" for place in places)
    w.finish()


def test_stable_builds_do_not_keep_where(target, watch, builds):
    t = target("multi", exe=builds["symbols"])
    w = watch("--pid", t.pid)
    t.ask("named upload", "named")
    assert w.expect("block", 1)["spawned_at"] is None
    w.finish()
