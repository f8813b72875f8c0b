# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tests on the real kernel share: the tool, the programs to watch, and the end of all of them."""
import os
import pathlib
import shutil
import subprocess
import types

import pytest
from _pytest.runner import runtestprotocol

from live import ROOT, SecondClock, Target, Watch, import_from, load_tool_script
from test_docs import find_tool

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
BUILT = ROOT / "build" / "e2e"
rust_version = load_tool_script("rust_version")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also what takes many builds: make sites")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: only with --long")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def tool():
    """The tool, where it may do what it needs."""
    path = find_tool()
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if subprocess.run([path, "doctor"], capture_output=True, timeout=60).returncode != 0:
        pytest.skip("this kernel does not allow BPF; runtime-scope doctor says why")
    return path


@pytest.fixture(scope="session")
def programs():
    """exe: a Tokio program that obeys its standard input; object: the same in a shared object; solo: the program
    with a Tokio that has no multi-thread scheduler."""
    cargo = shutil.which("cargo") or shutil.which(str(pathlib.Path.home() / ".cargo/bin/cargo"))
    if not cargo:
        pytest.skip("no cargo to build the test programs with")
    too_old = rust_version.too_old(cargo, rust_version.LOCK_FILE_4)
    if too_old:
        pytest.skip("the test programs: " + too_old)
    release = build(cargo, "target")
    solo = build(cargo, "solo", "--no-default-features")
    return types.SimpleNamespace(exe=release / "e2e-target", object=release / "libe2e_object.so",
                                 solo=solo / "e2e-target")


def build(cargo, name, *options):
    done = subprocess.run([cargo, "build", "--release", "--locked", "--target-dir", BUILT / name, *options],
                          cwd=PROGRAMS, capture_output=True, text=True)
    if done.returncode != 0 and "crates.io" in done.stderr:
        pytest.skip("the test programs need crates.io: " + done.stderr[-300:])
    assert done.returncode == 0, done.stderr
    return BUILT / name / "release"


@pytest.fixture(scope="session")
def clock(programs):
    """The accuracy harness's second clock."""
    builds = import_from("tests/truth", "builds")
    second_clock = SecondClock(builds.make_second_clock(builds.DEFAULT_FOLDER))
    yield second_clock
    second_clock.process.close()


@pytest.fixture(scope="session")
def app(programs):
    """The folder with test-async-app and its stripped copy, built now when nobody has built them yet."""
    folder = ROOT / "build" / "examples"
    if not (folder / "test-async-app-stripped").exists():
        subprocess.run([ROOT / "tools" / "build_examples.sh", folder], check=True, capture_output=True)
    return folder


@pytest.fixture
def target(programs):
    """target("multi") starts a program of that shape; target(argv=[…]) any other command."""
    running = []

    def start(shape="multi", exe=None, argv=None, is_ready=True, **options):
        process = Target(argv or [exe or programs.exe, shape], **options)
        running.append(process)
        if is_ready:
            process.expect("ready")
        return process

    yield start
    for process in running:
        process.close()


@pytest.fixture
def watch(tool, clock):
    """watch("--pid", 1) starts the tool and waits for its hello."""
    running = []

    def start(*args, is_ready=True, tool=tool, **options):
        process = Watch(tool, [str(a) for a in args], clock, **options)
        running.append(process)
        if is_ready:
            process.hello()
        return process

    yield start
    for process in running:
        process.close()


@pytest.fixture
def run(tool):
    """run("--pid", 1) runs the tool to its end."""
    def run_tool(*args, **options):
        return subprocess.run([tool, *map(str, args)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, **options)

    return run_tool


RETRIED = []  # (test, why)


def why(report):
    """The lines that pytest marks as the error."""
    lines = report.longreprtext.splitlines()
    return "\n".join([line for line in lines if line.startswith("E ")] or lines[-1:])


def has_module_fixture(item):
    """pytest would give it to the second try as it is, failed run and all."""
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(found[-1].scope == "module" for found in definitions)


def pytest_runtest_protocol(item, nextitem):
    """A test that fails is given one more try, and says so: these machines stand still for tens of milliseconds now
    and then, and a stall in the wrong place looks like a defect. A defect fails twice."""
    place = item.location
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=place)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = [report for report in reports if report.failed]
    if failed:
        print(f"\nfailed at first, tried again: {item.nodeid}")
        RETRIED.append((item.nodeid, why(failed[0])))
        if has_module_fixture(item):
            item.session._setupstate.teardown_exact(item.getparent(pytest.Module).parent)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=place)
    return True


def pytest_terminal_summary(terminalreporter):
    if RETRIED:
        terminalreporter.section("second tries")
        for test, reason in RETRIED:
            terminalreporter.write_line(f"{test}\n{reason}")
        terminalreporter.write_line(f"{len(RETRIED)} tests needed a second try")
