# SPDX-License-Identifier: MIT OR Apache-2.0
"""The comparison itself, on output made up for it."""
import json

import pytest

from seen import MS, judge

FINE = ["exit code 0"]


def app(*held):
    return [f"block kind={kind} task={task} ms={ms}" for kind, task, ms in held]


def block(task, at_ms, ms, cause="sleep", complete=True):
    return {"type": "block", "task_id": task, "start_ns": at_ms * MS, "duration_ns": ms * MS, "cause": cause,
            "frames": [{}], "complete": complete}


def report(*blocks):
    return [json.dumps(line) for line in ({"type": "hello", "at_ns": 0}, *blocks, {"type": "bye", "at_ns": 1000 * MS})]


HELD = app(("sleep", 6, 80.2), ("sleep", 6, 80.4), ("spin", 7, 40.0))
SEEN = [block(6, 600, 81), block(6, 700, 81), block(7, 800, 41, "cpu")]


def test_all_is_well():
    verdict = judge(HELD, report(*SEEN), FINE)
    assert (verdict.held, verdict.found, verdict.stacks, verdict.complete, verdict.complaints) == (3, 3, 3, 3, [])


def test_what_was_before_the_tool_came_is_not_missed():
    verdict = judge(HELD, report(*SEEN[1:]), FINE)
    assert (verdict.held, verdict.found, verdict.complaints) == (2, 2, [])


@pytest.mark.parametrize("seen, complaint", [
    ([SEEN[0], SEEN[2]], ""),  # either of the two may be the one it is
    ([block(6, 600, 81), block(6, 700, 30), SEEN[2]], ""),
    (SEEN[:2], "no block found of: spin"),
    ([SEEN[0], SEEN[1], block(8, 800, 41, "cpu")], "no block found of: spin"),
    ([SEEN[0], SEEN[1], block(7, 800, 90, "cpu")], "no block found of: spin"),
    ([SEEN[0], SEEN[1], block(7, 800, 41, "lock")], "no block found of: spin"),
    ([SEEN[0], SEEN[1], block(7, 800, 41, "cpu", complete=False)], "only 2 of 3 stacks are complete"),
    ([], "no block found of: "),
])
def test_what_is_wrong_is_said(seen, complaint):
    found = judge(HELD, report(*seen), FINE).complaints
    assert bool(found) == bool(complaint), found
    assert not complaint or complaint in found[0]


def test_a_block_in_between_is_missed():
    held = app(*[("sleep", 6, ms) for ms in (10, 200, 10, 200)])
    found = judge(held, report(block(6, 600, 11), block(6, 900, 201)), FINE)
    assert (found.held, found.found) == (2, 2)  # the last two: so nothing says that it was there before
    held = app(*[("sleep", 6, ms) for ms in (10, 200, 500, 10)])
    found = judge(held, report(block(6, 600, 201), block(6, 900, 11)), FINE)
    assert (found.held, found.found) == (3, 2)
    assert "1 of 3 blocks missed" in found.complaints[0]


def test_a_failure_is_told_in_its_own_words():
    said = judge(HELD, [], ["runtime-scope: Cannot load the kernel programs: Invalid argument.", "exit code 1"])
    assert "Invalid argument" in said.complaints[0]
    assert judge(HELD, [], []).complaints == ["no exit code"]


def test_half_a_report_is_noticed():
    assert "no bye" in judge(HELD, report(*SEEN)[:-1], FINE).complaints[0]
