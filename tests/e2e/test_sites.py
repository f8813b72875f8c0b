# SPDX-License-Identifier: MIT OR Apache-2.0
"""The same call site has the same string in every build, and no other call site has it: doc/SITES.md."""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from conftest import BUILT, PROGRAMS
from live import load_tool_script

CORPUS = PROGRAMS.parent / "corpus"
KEPT = 0.98
LINES = {"CARGO_PROFILE_RELEASE_DEBUG": "1"}
V0 = {"RUSTFLAGS": "-Csymbol-mangling-version=v0"}
# Methods that a trait provides: legacy names do not say for which type.
PROVIDED = {"busy-trait-provided", "sleep-provided"}
rust_version = load_tool_script("rust_version")


def edited(folder):
    """A copy of the corpus with changes that have nothing to do with its call sites."""
    copy = folder / "corpus-edited"
    shutil.copytree(CORPUS, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    for source in (copy / "src").glob("*.rs"):
        text = (CORPUS / "src" / source.name).read_text()
        head, rest = re.split(r"\n\n", text, maxsplit=1)
        added = "// A comment.\n" * 20 + "#[allow(dead_code)]\nfn added(x: u64) -> u64 {\n    x + 1\n}\n\n"
        last = added.replace("added", "added_last")
        # Behind the inner attributes and comments of the file's beginning, and between its functions.
        rest = rest.replace("\n#[inline(never)]\nfn plain", "\n" + added + "#[inline(never)]\nfn plain", 1)
        rest = rest.replace("\nasync fn lock_mutex", "\n" + added + "async fn lock_mutex", 1)
        source.write_text(head + "\n\n" + rest.replace("\nuse ", "\n// Another line.\nuse ", 1) + "\n" + last)
    return copy


def build(cargo, name, variables, source=CORPUS):
    out = BUILT / ("corpus-" + name)
    done = subprocess.run([*cargo, "build", "--release", "--locked", "--target-dir", out], cwd=source,
                          env={**os.environ, **variables}, capture_output=True, text=True)
    if done.returncode != 0 and "crates.io" in done.stderr:
        pytest.skip("the corpus needs crates.io: " + done.stderr[-300:])
    assert done.returncode == 0, done.stderr
    return out / "release" / "corpus"


class Run:
    """What the tool says of each call site of one build."""

    def __init__(self, target, watch, exe):
        t = target(argv=[exe, "2"])
        w = watch("--pid", t.pid)
        time.sleep(1)  # the tables of a small program are there long before
        t.send("go")
        t.expect("done")
        time.sleep(1.3)  # a block waits for its names a second at most
        w.finish()
        self.blocks = w.events("block")
        self.bye = w.events("bye")[-1]
        self.sites = collections.defaultdict(set)
        for line in t.replies("site "):
            name = line.split()[1]
            start, end = (int(n) for n in re.findall(r"=(\d+)", line))
            found = {b["site"] for b in self.blocks if b["task_id"] and self.is_of(b, start, end)}
            # A block without a stack, or one that was sampled in the runtime only, is named by its task.
            self.sites[name].update(site for site in found if not site.startswith("~"))
        assert len(self.sites) >= 50

    @staticmethod
    def is_of(block, start, end):
        shared = min(end, block["start_ns"] + block["duration_ns"]) - max(start, block["start_ns"])
        return shared > 0.5 * (end - start)

    def shared(self):
        """Call sites that have a string in common."""
        names = collections.defaultdict(set)
        for name, strings in self.sites.items():
            for string in strings:
                names[string].add(name)
        return {string: found for string, found in names.items() if len(found) > 1}

    def check(self):
        missing = [name for name, strings in self.sites.items() if not strings]
        assert len(missing) <= 2, missing  # the machine may have been away
        several = {name: strings for name, strings in self.sites.items() if len(strings) > 1}
        assert not several, "one call site, several strings"
        assert not self.shared()

    def check_summary(self):
        rows = [row for row in self.bye["by_site"] if row["cause"] not in ("starved", "throttled")]
        assert len({row["site"] for row in rows}) == len(rows)
        counts = collections.Counter(b["site"] for b in self.blocks)
        assert sum(row["count"] for row in self.bye["by_site"]) == len(self.blocks) == sum(counts.values())
        for row in self.bye["by_site"]:
            assert row["count"] <= counts[row["site"]]
            assert row["advice"]["text"]
            if row["site"] and not row["site"].startswith("~"):
                assert row["site"].startswith(row["culprit"]["fn"].split("::{")[0])


def check_kept(before, after, excused=(), least=48):
    names = {name for name in before.sites if before.sites[name] and after.sites[name]} - set(excused)
    changed = {name: (before.sites[name], after.sites[name]) for name in names
               if before.sites[name] != after.sites[name]}
    assert len(names) >= least
    assert len(names) - len(changed) >= KEPT * len(names), changed


@pytest.fixture(scope="module")
def cargo(tool):
    path = shutil.which("cargo") or shutil.which(str(pathlib.Path.home() / ".cargo/bin/cargo"))
    if not path:
        pytest.skip("no cargo to build the corpus with")
    too_old = rust_version.too_old(path, rust_version.LOCK_FILE_4)
    if too_old:
        pytest.skip("the corpus: " + too_old)
    return path


RUNS = {}  # what one test has found out, the others need not


def run_of(name, cargo, target, watch, variables, source=CORPUS):
    if name not in RUNS:
        run = Run(target, watch, build([cargo] if isinstance(cargo, str) else cargo, name, variables, source))
        run.check()
        RUNS[name] = run
    return RUNS[name]


def test_sites_are_told_apart_and_ranked(cargo, target, watch):
    run_of("lines", cargo, target, watch, LINES).check_summary()


def test_sites_stay_the_same_after_an_unrelated_change(cargo, target, watch):
    before = run_of("lines", cargo, target, watch, LINES)
    after = run_of("edited", cargo, target, watch, LINES, edited(BUILT))
    check_kept(before, after)


@pytest.mark.long
def test_sites_stay_the_same_when_other_functions_are_inlined(cargo, target, watch):
    before = run_of("lines", cargo, target, watch, LINES)
    after = run_of("small", cargo, target, watch, {**LINES, "CARGO_PROFILE_RELEASE_OPT_LEVEL": "z"})
    check_kept(before, after)


@pytest.mark.long
def test_sites_stay_the_same_with_the_other_mangling(cargo, target, watch):
    before = run_of("lines", cargo, target, watch, LINES)
    after = run_of("v0", cargo, target, watch, {**LINES, **V0})
    check_kept(before, after, PROVIDED)


@pytest.mark.long
def test_waits_keep_their_sites_without_debuginfo(cargo, target, watch):
    before = run_of("lines", cargo, target, watch, LINES)
    after = Run(target, watch, build([cargo], "plain", {}))
    # What was inlined into its caller cannot be seen.
    inlined = {name for name in before.sites if name.startswith("busy")} | {"sleep-inlined", "sleep-drop"}
    check_kept(before, after, inlined, least=25)


def other_toolchains():
    """Of rustup, if it is there: all but the one in use."""
    if not shutil.which("rustup"):
        return []
    listed = subprocess.run(["rustup", "toolchain", "list"], capture_output=True, text=True).stdout
    used = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout
    names = [line.split()[0] for line in listed.splitlines() if line.split()]
    versions = {name: subprocess.run(["rustc", "+" + name, "--version"], capture_output=True, text=True).stdout
                for name in names}
    return sorted({version: name for name, version in versions.items() if version not in ("", used)}.values())


@pytest.mark.skipif(not other_toolchains(), reason="there is one compiler only")
@pytest.mark.long
def test_sites_stay_the_same_with_another_compiler(cargo, target, watch):
    before = run_of("v0", cargo, target, watch, {**LINES, **V0})
    for name in other_toolchains():
        after = run_of(name, [cargo, "+" + name], target, watch, {**LINES, **V0})
        check_kept(before, after)
