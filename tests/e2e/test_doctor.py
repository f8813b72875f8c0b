# SPDX-License-Identifier: MIT OR Apache-2.0
"""doctor: exit codes, what it finds in programs, what it says without privileges."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from test_docs import ROOT, find_tool

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="sets file capabilities, changes user")


def doctor(*args, tool=None, prefix=()):
    return subprocess.run([*prefix, tool or find_tool(), "doctor", *map(str, args)],
                          capture_output=True, text=True, timeout=60)


def example():
    """test-async-app of the examples: a Tokio program that runs until it is stopped."""
    found = sorted(ROOT.glob("build*/examples/test-async-app"), key=lambda p: p.stat().st_mtime)
    if not found:
        pytest.skip("the examples are not built: make examples")
    return found[-1]


def kernel_allows():
    return doctor().returncode == 0


def test_kernel_alone():
    done = doctor()
    assert done.returncode in (0, 5)
    assert done.stdout.startswith("Kernel ")
    assert len(re.findall(r"^  [✓✗–] ", done.stdout, re.M)) >= 15
    # Whatever is missing has a remedy with it.
    assert ("✗" in done.stdout) == ("→" in done.stdout)


@pytest.mark.parametrize("args, code, words", [
    (["--pid", "2147483647"], 3, "no process 2147483647"),
    (["--name", "no-such-program-runs"], 3, "No process is called 'no-such-program-runs'"),
    (["/no/such/file"], 3, "/no/such/file"),
    ([ROOT / "meson.build"], 4, "not a well-formed"),
    (["/bin/sh"], 4, "not a Tokio program"),
    (["--", "sh", "-c", "exit 1"], 4, "not a Tokio program"),
    (["a", "b"], 2, "Unexpected argument 'b'"),
])
def test_errors(args, code, words):
    done = doctor(*args)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_not_a_tokio_process():
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        done = doctor("--pid", sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert done.returncode == 4
    assert "not a Tokio program" in done.stderr


def test_ambiguous_name(tmp_path):
    program = tmp_path / "rs-two-of-these"
    shutil.copy("/bin/sleep", program)
    sleepers = [subprocess.Popen([program, "60"]) for _ in range(2)]
    try:
        done = doctor("--name", "rs-two-of-these")
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
    assert done.returncode == 3
    assert all(str(s.pid) in done.stderr for s in sleepers)
    assert "--pid" in done.stderr


def test_hostile_name(tmp_path):
    """Terminal sequences in a path are shown, not sent."""
    program = tmp_path / "evil\x1b[31m\nname"
    shutil.copy("/bin/sleep", program)
    done = doctor(program)
    assert done.returncode == 4
    assert "\x1b" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_file():
    done = doctor(example())
    assert done.returncode == (0 if kernel_allows() else 5)
    assert re.search(r"^Tokio 1\.\d+\.\d+, rustc 1\.\d+\.\d+$", done.stdout, re.M)
    assert int(re.search(r"task types\s+(\d+)", done.stdout).group(1)) > 0
    for title in ("module", "build id", "symbols", "debuginfo", "CONTEXT", "layout", "Exact", "Approximate"):
        assert re.search(r"^  %s " % title, done.stdout, re.M), title


def test_stripped_file(tmp_path):
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, example()], check=True)
    done = doctor(stripped)
    assert done.returncode == (0 if kernel_allows() else 5)
    assert "symbols      none (stripped)" in done.stdout
    assert "CONTEXT      no symbol; watch looks for it in the running process" in done.stdout
    # watch names the futures of a stripped program by the place of their code
    missing = done.stdout.partition("  Missing ")[2]
    assert "names of tasks" in done.stdout and "names of tasks" not in missing
    assert "source files" in done.stdout and "source files" not in missing
    assert re.search(r"^Tokio 1\.\d+", done.stdout, re.M)


def test_old_tokio(tmp_path):
    """The example, made to say that its Tokio is an old one: nothing is promised that watch cannot keep."""
    raw = example().read_bytes()
    old = tmp_path / "old"
    old.write_bytes(re.sub(rb"/tokio-1\.\d\d\.", b"/tokio-1.20.", raw))
    done = doctor(old)
    assert re.search(r"^Tokio 1\.20\.", done.stdout, re.M)
    verdict = done.stdout.partition("task types")[2]
    assert "Missing      blocks of its tasks" in verdict and "Use Tokio 1.23 or newer." in verdict
    assert "Exact" not in verdict and "works" not in verdict and "table row" not in verdict


def as_nobody(tmp_path, capabilities):
    """A copy of the tool with these file capabilities, and the prefix that runs it as another user."""
    tool = tmp_path / "runtime-scope"
    shutil.copy(find_tool(), tool)
    tool.chmod(0o755)
    for directory in (tmp_path, *tmp_path.parents):
        if directory != pathlib.Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    if capabilities:
        subprocess.run(["setcap", capabilities + "+ep", tool], check=True)
    return str(tool), ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@needs_root
@pytest.mark.parametrize("capabilities, target_code", [
    ("", 5),
    ("cap_bpf", 5),
    ("cap_perfmon", 5),
    ("cap_bpf,cap_perfmon", 5),  # may run BPF, may not read another user's process
    ("cap_bpf,cap_perfmon,cap_sys_ptrace", 0),
])
def test_capabilities(tmp_path, capabilities, target_code):
    if not kernel_allows() or not shutil.which("setcap") or not shutil.which("setpriv"):
        pytest.skip("needs a kernel that allows BPF, setcap and setpriv")
    tool, prefix = as_nobody(tmp_path, capabilities)
    target = subprocess.Popen([example()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        done = doctor("--pid", target.pid, tool=tool, prefix=prefix)
    finally:
        target.kill()
        target.wait()
    assert done.returncode == target_code
    if target_code == 5:
        assert f"sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep {tool}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    else:
        assert "✗" not in done.stdout
