# SPDX-License-Identifier: MIT OR Apache-2.0
"""The second try of conftest.py: a new run of what the test looks at, and nothing hidden."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RUNS = """
import itertools
import pytest

counter = itertools.count(1)

@pytest.fixture(scope="module")
def run():
    return next(counter)

@pytest.fixture(scope="session")
def machine():
    return next(counter) * 100

"""


def run_pytest(tmp_path, tests):
    (tmp_path / "test_inner.py").write_text(RUNS + tests)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", tmp_path],
                          env={**os.environ, "PYTHONPATH": str(HERE)}, cwd=tmp_path, capture_output=True, text=True)
    return done.stdout


def test_second_try_has_a_new_run(tmp_path):
    out = run_pytest(tmp_path, "def test_a(machine, run): assert (machine, run) == (100, 3)\n"
                               "def test_b(run): assert run == 3\n")
    assert "1 tests needed a second try\n2 passed" in out, out
    assert "assert (100, 2) == (100, 3)" in out, out


def test_defect_fails_twice(tmp_path):
    out = run_pytest(tmp_path, "def test_a(run): assert False\n"
                               "def test_b(): pass\n")
    assert "1 tests needed a second try" in out and "1 failed, 1 passed" in out, out


def test_nothing_is_said_of_nothing(tmp_path):
    out = run_pytest(tmp_path, "def test_a(run): pass\n")
    assert "second try" not in out and "1 passed" in out, out
