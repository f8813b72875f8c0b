# SPDX-License-Identifier: MIT OR Apache-2.0
"""The whole harness with a profiler that cheats (oracle.py): right passes, each flaw fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import builds

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("TRUTH_FOLDER", builds.DEFAULT_FOLDER))

pytestmark = pytest.mark.skipif(
    not (FOLDER / "target" / "release" / "truth").exists(),
    reason="the truth programs are not built yet: tests/truth/builds.py release",
)


def run(tmp_path, tool, program="sweep", flaw=""):
    arguments = ["--builds", "release", "--programs", program, "--modes", "exact", "--seconds", "2"]
    places = ["--tool", str(tool), "--folder", str(FOLDER), "--json", str(tmp_path / "out.json")]
    done = subprocess.run(
        [sys.executable, str(HERE / "run.py"), *arguments, *places],
        capture_output=True, text=True, env={**os.environ, "ORACLE_FLAW": flaw}, check=False,
    )
    return done


def test_a_right_profiler_passes(tmp_path):
    done = run(tmp_path, HERE / "oracle.py")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert rows[0]["culprit"] == rows[0]["name"] == 100 and rows[0]["line"] is None
    assert rows[0]["expected"] > 20 and rows[0]["found"] == rows[0]["expected"]
    assert max(len(line) for line in done.stdout.splitlines()) <= 120


@pytest.mark.parametrize("flaw, floor", [("missed", "recall"), ("invented", "precision"),
                                         ("wrong-id", "task_id"), ("bound", "bound_kept"),
                                         ("culprit", "culprit"), ("name", "wrong_names"), ("stack", "complete")])
def test_each_flaw_fails(tmp_path, flaw, floor):
    done = run(tmp_path, HERE / "oracle.py", flaw=flaw)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"below its floor: {floor}" in done.stdout


def script(tmp_path, body):
    path = tmp_path / "tool"
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return path


def test_a_profiler_that_lacks_privileges_is_a_skip(tmp_path):
    done = run(tmp_path, script(tmp_path, "echo needs CAP_BPF >&2; exit 5\n"))
    assert done.returncode == 77
    assert "SKIPPED" in done.stdout and "needs CAP_BPF" in done.stdout


def test_a_profiler_that_crashes_is_a_failure(tmp_path):
    done = run(tmp_path, script(tmp_path, "echo oh >&2; exit 1\n"))
    assert done.returncode == 1
    assert "ended with 1 and said: oh" in done.stdout
