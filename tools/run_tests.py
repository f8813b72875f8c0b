#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs every test of the project, part by part, and ends with one line:

    N passed, N failed, N skipped

The lines before name what failed, and say how many tests needed a second try, if any did. Output is
streamed. A part that gives no counts of its own counts as one test. Parts that load BPF programs are run through
sudo for an ordinary user, or skip themselves where that is impossible.

usage: tools/run_tests.py [--build DIR] [--only PART]... [--list]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, List, Optional
from xml.etree import ElementTree

from rust_version import NEWEST_TOKIO, too_old

ROOT = Path(__file__).resolve().parent.parent
TIMED_OUT = 124  # exit code of timeout(1)
SKIPPED = 77  # a part's own exit code for "this machine does not let me"
SECOND_TRIES = re.compile(r"^(\d+) tests needed a second try$", re.MULTILINE)
SCORES = re.compile(r"^(\d+) scores, (\d+) below their floors\b", re.MULTILINE)
BELOW = re.compile(r"^BELOW .+$", re.MULTILINE)


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    second_tries: int = 0  # of those that passed or failed
    names: List[str] = field(default_factory=list)  # of what failed

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.second_tries += other.second_tries
        self.names += other.names

    def total(self):
        return self.passed + self.failed + self.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Part:
    name: str
    command: List[str]
    count: Optional[Callable[[str], Counts]] = None  # from the part's output
    limit_s: int = 600
    is_root: bool = False  # loads BPF programs
    is_fatal: bool = False  # nothing after it can succeed
    skip_reason: Optional[str] = None
    junit: Optional[Path] = None


def count_junit(path):
    """Counts of a JUnit file, or None when there is none that can be read."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return None
    counts = Counts()
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            counts.failed += 1
            counts.names.append(f"FAILED {case.get('classname')} {case.get('name')}")
        elif "skipped" in kinds:
            counts.skipped += 1
        else:
            counts.passed += 1
    return counts


def count_scores(output):
    """Counts of the accuracy run: one a program, build and mode. None when it gave no result."""
    found = SCORES.search(output)
    if not found:
        return None
    scores, failed = int(found.group(1)), int(found.group(2))
    return Counts(passed=max(scores - failed, 0), failed=failed, names=BELOW.findall(output))


def sudo(command, build):
    """The command as root, with what the tests need of this user's surroundings."""
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return command
    keep = [f"{name}={os.environ[name]}"
            for name in ("PATH", "HOME", "PYTHON", "RUSTUP_HOME", "RUNTIME_SCOPE",
                         "PYTHONDONTWRITEBYTECODE")
            if name in os.environ]
    # Root must not write into this user's own.
    keep.append(f"CARGO_HOME={build / 'cargo-home-root'}")
    return ["sudo", "env", *keep, *command]


def give_back(paths):
    """Hands what root wrote in the build directories to this user, or make clean would fail."""
    if os.geteuid() != 0 and shutil.which("sudo"):
        present = [str(p) for p in paths if p.exists()]
        subprocess.run(["sudo", "chown", "-R", f"{os.getuid()}:{os.getgid()}", *present],
                       check=False)


def stream(command, environment):
    """Runs a command, copies its output to ours as it comes. Returns (exit code, output)."""
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        code = process.wait()
    return code, "".join(lines)


def run_part(part, build, environment):
    """Returns the part's counts; its exit code counts when it gives none, or contradicts them."""
    if part.skip_reason:
        print(f"SKIPPED: {part.skip_reason}")
        return Counts(skipped=1)
    if part.junit:
        part.junit.unlink(missing_ok=True)
    command = ["timeout", "--kill-after=10", str(part.limit_s), *part.command]
    code, output = stream(sudo(command, build) if part.is_root else command, environment)
    if code == SKIPPED:
        return Counts(skipped=1)
    if code == TIMED_OUT:
        print(f"run_tests: stopped after {part.limit_s} s")
    counts = count_junit(part.junit) if part.junit else None
    if counts is None and part.count:
        counts = part.count(output)
    if counts is None:
        counts = Counts(passed=int(code == 0), failed=int(code != 0))
    if code != 0 and counts.failed == 0:
        counts.failed = 1
    if counts.failed and not counts.names:
        counts.names.append(f"FAILED {part.name}")
    counts.second_tries = sum(int(n) for n in SECOND_TRIES.findall(output))
    return counts


def pytest_part(name, folder, python, build, is_root):
    junit = build / f"junit-{folder.name}.xml"
    command = [python, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider",
               f"--junitxml={junit}", str(folder)]
    return Part(name, command, junit=junit, is_root=is_root, limit_s=900)


def meson_part(name, directory):
    return Part(name, ["meson", "test", "-C", str(directory), "--no-rebuild", "--print-errorlogs"],
                junit=directory / "meson-logs" / "testlog.junit.xml")


def all_parts(build, python):
    asan = ROOT / "build-asan"
    truth, tools = ROOT / "tests" / "truth", ROOT / "tools"
    make = ["make", "--no-print-directory"]
    no_truth = too_old("rustc", NEWEST_TOKIO)
    return [
        Part("build", [*make, "build", f"BUILD={build}"], is_fatal=True),
        Part("build, sanitizers", [*make, "asan"]),
        Part("build, examples", [str(tools / "build_examples.sh"), str(build / "examples")]),
        Part("build, truth programs", [python, str(truth / "builds.py"), "release"],
             skip_reason=no_truth),
        Part("build, light loads", ["nice", "cargo", "build", "--quiet", "--locked", "--release",
                                    "--manifest-path", str(ROOT / "bench" / "loads" / "Cargo.toml"),
                                    "--package", "load", "--package", "types500"],
             skip_reason=no_truth),
        Part("layers", [python, str(tools / "check_layers.py")]),
        Part("documentation", [python, str(tools / "check_docs.py")]),
        Part("formatting", [str(tools / "check_format.sh")]),
        meson_part("unit tests", build),
        meson_part("unit tests, sanitizers", asan),
        pytest_part("truth harness", truth, python, build, is_root=False),
        pytest_part("vm harness", ROOT / "tests/vm", python, build, is_root=False),
        pytest_part("cost harness", ROOT / "bench", python, build, is_root=True),
        pytest_part("end to end", ROOT / "tests" / "e2e", python, build, is_root=True),
        Part("unwinder, short", [python, str(ROOT / "tests" / "unwind" / "run.py"), "--short"],
             is_root=True, skip_reason=no_truth),
        Part("truth, short", [python, str(truth / "run.py"), "--short"],
             count=count_scores, is_root=True, limit_s=900, skip_reason=no_truth),
    ]


def print_table(rows):
    print(f"\n{'part':<26}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}")
    for name, counts, seconds in rows:
        print(f"{name:<26}{counts.passed:>8}{counts.failed:>8}{counts.skipped:>9}{seconds:>10.1f}")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Runs every test of the project.")
    parser.add_argument("--build", default="build", help="build directory (default: build)")
    parser.add_argument("--only", action="append", default=[], metavar="PART",
                        help="run only this part; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the names of the parts")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    build = (ROOT / options.build).resolve()
    parts = all_parts(build, os.environ.get("PYTHON") or sys.executable)
    if options.list:
        print("\n".join(part.name for part in parts))
        return 0
    unknown = set(options.only) - {part.name for part in parts}
    if unknown:
        print(f"run_tests: no such part: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    environment = {"RUNTIME_SCOPE": str(build / "runtime-scope"), **os.environ,
                   "PYTHONDONTWRITEBYTECODE": "1"}
    os.environ.update(environment)

    total, rows = Counts(), []
    for part in parts:
        if options.only and part.name not in options.only:
            continue
        print(f"\n== {part.name}", flush=True)
        started = time.monotonic()
        counts = run_part(part, build, environment)
        rows.append((part.name, counts, time.monotonic() - started))
        total.add(counts)
        if part.is_fatal and counts.failed:
            print(f"run_tests: {part.name} failed, so nothing else can be run")
            break
    give_back([build, ROOT / "build-asan"])
    print_table(rows)
    print("".join(f"{name}\n" for name in total.names), end="")
    if total.second_tries:
        print(f"{total.second_tries} tests needed a second try")
    print(total)
    return 1 if total.failed or not total.total() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
