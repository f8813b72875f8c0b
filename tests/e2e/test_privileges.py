# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ordinary users: with the capabilities everything works, without them they are named."""
import os
import shutil
import subprocess

import pytest

from test_doctor import NOBODY, as_nobody

MODES = ["sampled", "exact"]
needed = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setcap") or not shutil.which("setpriv"),
                            reason="needs root, setcap and setpriv")
pytestmark = needed
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def public_copy(path, folder):
    """A copy that everybody may run."""
    copy = folder / path.name
    shutil.copy(path, copy)
    copy.chmod(0o755)
    return copy


@pytest.mark.parametrize("mode", MODES)
def test_with_capabilities(target, watch, tool, tmp_path, mode):
    """Somebody else's program: one of root's."""
    program = target("multi")
    private, prefix = as_nobody(tmp_path, "cap_bpf,cap_perfmon,cap_sys_ptrace")
    w = watch("--pid", program.pid, "--mode", mode, tool=private, prefix=prefix)
    held = program.block("sleep", 30, 3)
    w.expect_blocks(held)
    assert w.hello()["mode"] == mode
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_ambient_capabilities(target, watch, tool, tmp_path, mode):
    """As a systemd service has them."""
    private, _ = as_nobody(tmp_path, "")
    caps = "+bpf,+perfmon,+sys_ptrace"
    program = target("multi")
    w = watch("--pid", program.pid, "--mode", mode, tool=private,
              prefix=[*AS_NOBODY, "--inh-caps", caps, "--ambient-caps", caps])
    w.expect_blocks(program.block("sleep", 30, 3))
    w.finish()


@pytest.mark.parametrize("mode", MODES)
def test_own_program(target, watch, programs, tool, tmp_path, mode):
    """One's own programs need no CAP_SYS_PTRACE."""
    scope = "/proc/sys/kernel/yama/ptrace_scope"
    if os.path.exists(scope) and open(scope).read().strip() != "0":
        pytest.skip("kernel.yama.ptrace_scope forbids it")
    private, prefix = as_nobody(tmp_path, "cap_bpf,cap_perfmon")
    program = target(argv=[*prefix, public_copy(programs.exe, tmp_path), "multi"])
    w = watch("--pid", program.pid, "--mode", mode, tool=private, prefix=prefix)
    w.expect_blocks(program.block("sleep", 30, 3))
    w.finish()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("capabilities", ["", "cap_bpf", "cap_perfmon", "cap_bpf,cap_perfmon"])
def test_without(target, tool, tmp_path, capabilities, mode):
    """What is missing is named, with the command that grants it, and nothing has been attached."""
    program = target("multi")
    private, prefix = as_nobody(tmp_path, capabilities)
    done = subprocess.run([*prefix, private, "--pid", str(program.pid), "--mode", mode],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 5, done.stderr
    assert f"setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep {private}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("capabilities", ["", "cap_bpf", "cap_perfmon"])
def test_own_program_without(target, programs, tool, tmp_path, capabilities, mode):
    """Its memory may be read; BPF is what is refused."""
    private, prefix = as_nobody(tmp_path, capabilities)
    program = target(argv=[*prefix, public_copy(programs.exe, tmp_path), "multi"])
    done = subprocess.run([*prefix, private, "--pid", str(program.pid), "--mode", mode],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 5, done.stderr
    assert f"setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep {private}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    program.ask("ping", "pong")


def test_command_without(tool, tmp_path):
    """Said at once: the command is not even started."""
    private, prefix = as_nobody(tmp_path, "")
    trace = tmp_path / "started"
    tmp_path.chmod(0o777)
    done = subprocess.run([*prefix, private, "--", "sh", "-c", f"echo > {trace}; sleep 2"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 5, done.stderr
    assert "cap_bpf" in done.stderr
    assert not trace.exists()
