# SPDX-License-Identifier: MIT OR Apache-2.0
"""An old cargo is a reason to skip that is named, not a failure."""
import os
import pathlib
import subprocess
import sys

import pytest

from live import load_tool_script

HERE = pathlib.Path(__file__).resolve().parent
rust_version = load_tool_script("rust_version")


@pytest.mark.parametrize("text, version", [
    ("cargo 1.75.0", (1, 75)),
    ("cargo 1.75.0 (1d8b05cdd 2023-11-20)", (1, 75)),
    ("rustc 1.63.0 (4b91a6ea7 2022-08-08) (built from a source tarball)", (1, 63)),
    ("cargo 1.84.0-nightly (0310497822 2024-11-01)", (1, 84)),
    ("cargo 2.0.0", (2, 0)),
    ("cargo-1.75.0", None),
    ("error: no default toolchain", None),
    ("", None),
])
def test_version_of(text, version):
    assert rust_version.version_of(text) == version


def old_cargo(folder, says):
    """A cargo that says so; like an old one it cannot read the lock file."""
    path = folder / "cargo"
    path.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{says}' && exit\n"
                    "echo 'lock file version `4` was found, but this version of Cargo does not understand it' >&2\n"
                    "exit 101\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("says, why", [
    ("cargo 1.77.2 (e52e36006 2024-03-26)", "needs cargo >= 1.78, this is cargo 1.77.2 (e52e36006 2024-03-26)"),
    ("cargo 1.78.0", None),
    ("cargo 2.0.0", None),
    ("oh", "needs cargo >= 1.78, this is oh"),
])
def test_too_old(tmp_path, says, why):
    assert rust_version.too_old(old_cargo(tmp_path, says), rust_version.LOCK_FILE_4) == why


def test_no_cargo(tmp_path):
    assert rust_version.too_old(tmp_path / "cargo", (1, 0)) == "there is no cargo that works"


def test_the_programs_are_skipped_by_name(tmp_path):
    old_cargo(tmp_path, "cargo 1.75.0")
    (tmp_path / "test_inner.py").write_text("def test_a(programs): pass\n")
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "-p", "conftest", "-p", "no:cacheprovider",
                           tmp_path], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "needs cargo >= 1.78, this is cargo 1.75.0" in done.stdout, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
