# SPDX-License-Identifier: MIT OR Apache-2.0
"""The lines of test_ndjson against doc/ndjson.schema.json, and the schema against lines that are wrong.

The environment variable TEST_NDJSON names the built test_ndjson.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "validate_ndjson.py"
SCHEMA = json.loads((ROOT / "doc" / "ndjson.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Lines that no sink prints yet.
FUTURE_LINES = [
    {"v": 1, "type": "wedge", "at_ns": 1, "pid": 2, "state": "begin", "kind": "io_driver_blocked", "culprits": []},
    {
        "v": 1, "type": "health", "at_ns": 1, "pid": 2, "runtime": 0,
        "workers": [{"index": 0, "tid": 3, "busy": 0.5, "blocked": 0.1, "parked": 0.4, "queue": 0, "lifo": None}],
        "alive_tasks": 5, "injection_queue": 0, "blocking_threads": 1, "blocking_queue": 0, "polls_per_s": 100.5,
    },
    {
        "v": 1, "type": "edge", "at_ns": 1, "pid": 2, "from": "thread:12", "to": 7, "count": 3,
        "wake_to_poll_ns": {"p50": 1, "p99": 2, "max": 3},
    },
]
FRAME = {"fn": "main", "file": None, "line": None, "module": "app", "addr": 4096, "inlined": False, "kind": "user"}


def printed():
    """The bytes that the sink of the build prints."""
    return subprocess.run([os.environ["TEST_NDJSON"], "--print"], check=True, stdout=subprocess.PIPE).stdout


def lines():
    return [json.loads(line) for line in printed().splitlines()]


def run_tool(data, *options):
    return subprocess.run([sys.executable, TOOL, *options], input=data, capture_output=True, check=False)


def block():
    return next(line for line in lines() if line["type"] == "block")


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_printed_line_is_valid():
    result = run_tool(printed())
    assert result.returncode == 0, result.stderr.decode()


def test_every_line_type_has_a_schema():
    types = {line["type"] for line in lines()} | {line["type"] for line in FUTURE_LINES}
    assert types == set(SCHEMA["properties"]["type"]["enum"])


@pytest.mark.parametrize("line", FUTURE_LINES, ids=lambda line: line["type"])
def test_lines_to_come(line):
    VALIDATOR.validate(line)


def test_stacks_and_impact_to_come():
    line = block()
    line.update(
        frames=[FRAME], stacks=[{"frames": [FRAME], "ns": 5, "asleep": False}], culprit=0, complete=True, stack_end="start", site="a1b2",
        spawned_at={"file": "src/main.rs", "line": 3},
        impact={"tasks_delayed": 1, "task_seconds": 0.5, "io_driver_held": True, "wedge": False,
                "victims": [{"task_id": 4, "name": None, "delay_ns": 9}]},
    )
    VALIDATOR.validate(line)


def test_no_field_may_be_left_out():
    for line in lines() + FUTURE_LINES:
        for field in line:
            less = {key: value for key, value in line.items() if key != field}
            assert not VALIDATOR.is_valid(less), f"{line['type']} without {field}"


def test_fields_may_be_added():
    for line in lines():
        VALIDATOR.validate({**line, "added_later": [1]})


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"type": "blok"}, {"cause": "magic"}, {"cause": None}, {"severity": "slow"}, {"polls": 0},
        {"duration_ns": -1}, {"duration_ns": 1.5}, {"duration_ns": None}, {"task_id": "42"}, {"frames": [{}]},
        {"task": None}, {"type": "ongoing", "age_ns": 1}, {"detection": None}, {"syscalls": None},
    ],
    ids=str,
)
def test_wrong_values_are_refused(change):
    line = copy.deepcopy(block())
    line.update(change)
    assert not VALIDATOR.is_valid(line)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "no lines"),
        (b"\n", ":1: "),
        (b"[]\n", "stdin:1: "),
        (b'{"v":1,"v":1}\n', "field twice: v"),
        (b'{"v":NaN}\n', "NaN is not JSON"),
        (b'{"v":1,"type":"bye\xff"}\n', "stdin:1: "),
        (b'{"v":1', "does not end with a newline"),
    ],
)
def test_tool_names_what_is_wrong(data, reason):
    result = run_tool(data)
    assert result.returncode == 1
    assert reason in result.stderr.decode()


def test_tool_names_the_line():
    good = printed().splitlines(keepends=True)
    bad = good[0] + good[2] + good[3].replace(b'"phase":"poll"', b'"phase":"nap"')
    result = run_tool(bad)
    assert result.returncode == 1
    assert result.stderr.decode().startswith("stdin:3: phase: 'nap' is not one of")


def test_tool_checks_the_order_of_a_complete_run():
    good = printed().splitlines(keepends=True)
    assert run_tool(good[0] + good[2] + good[-1], "--complete").returncode == 0
    assert run_tool(good[0] + good[2], "--complete").returncode == 1
    assert run_tool(good[-1] + good[0], "--complete").returncode == 1
    assert run_tool(good[0] + good[0] + good[-1], "--complete").returncode == 1


def test_tool_without_its_file():
    assert run_tool(b"", "/nonexistent/file").returncode == 2
