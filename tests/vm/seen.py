# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether the tool has seen what the example says it has done."""
import collections
import dataclasses
import json
import re

MS = 1_000_000
KINDS = {"marker": {"cpu"}, "sleep": {"sleep"}, "spin": {"cpu"}, "lock": {"lock"}, "file": {"file", "cpu"},
         "pipe": {"pipe"}, "socket": {"socket"}, "process": {"process"}, "drop": {"sleep"}}
# A slow machine without hardware help: what is asked is whether it works, not how exact it is.
TOLERANCE_NS = 30 * MS
FOUND_AT_LEAST = 0.9
COMPLETE_AT_LEAST = 0.95


@dataclasses.dataclass
class Verdict:
    held: int = 0  # blocks of the example, from the first one on that the tool can have seen
    found: int = 0
    stacks: int = 0  # of those found in the second half, when the tables for unwinding are there
    complete: int = 0  # of these, down to the thread's start
    complaints: list = dataclasses.field(default_factory=list)


def held_of(app):
    """Task -> its blocks in order, each (kind, ns)."""
    held = collections.defaultdict(list)
    for line in app:
        match = re.fullmatch(r"block kind=(\w+) task=(\d+) ms=([\d.]+)", line)
        if match:
            held[int(match[2])].append((match[1], int(float(match[3]) * MS)))
    return held


def is_same(block, kind, ns):
    near = ns - TOLERANCE_NS / 10 <= block["duration_ns"] <= ns * 1.2 + TOLERANCE_NS
    return near and block["cause"] in KINDS[kind] | {"starved"}


def match_task(held, blocks):
    """Both in order. The tool comes when the program already runs: what it has not seen must lie before what it has."""
    matched, at = [], len(held)
    for block in reversed(blocks):
        for i in range(at - 1, -1, -1):
            if is_same(block, *held[i]):
                matched.append((i, block))
                at = i
                break
    first = min((i for i, _ in matched), default=len(held))
    return matched, len(held) - first


def judge(app, report, errors):
    verdict = Verdict()
    if errors[-1:] != ["exit code 0"]:
        verdict.complaints.append(" / ".join(errors) or "no exit code")
        return verdict
    lines = [json.loads(line) for line in report]
    if [line["type"] for line in lines[:1] + lines[-1:]] != ["hello", "bye"]:
        verdict.complaints.append("the report has no hello or no bye")
        return verdict
    blocks = collections.defaultdict(list)
    for line in lines:
        if line["type"] == "block":
            blocks[line["task_id"]].append(line)
    middle = (lines[0]["at_ns"] + lines[-1]["at_ns"]) / 2
    kinds = set()
    for task, held in held_of(app).items():
        matched, seen = match_task(held, blocks[task])
        if not matched:
            continue  # one drop each, perhaps before the tool came; the kinds are counted below
        verdict.held += seen
        verdict.found += len(matched)
        late = [block for _, block in matched if block["start_ns"] > middle and block["frames"]]
        verdict.stacks += len(late)
        verdict.complete += sum(block["complete"] for block in late)
        kinds |= {held[i][0] for i, _ in matched}
    missing = {kind for blocks in held_of(app).values() for kind, _ in blocks} - kinds
    if missing or not kinds:
        verdict.complaints.append(f"no block found of: {', '.join(sorted(missing or KINDS))}")
    if verdict.found < FOUND_AT_LEAST * verdict.held:
        verdict.complaints.append(f"{verdict.held - verdict.found} of {verdict.held} blocks missed")
    if verdict.complete < COMPLETE_AT_LEAST * verdict.stacks or not verdict.stacks:
        verdict.complaints.append(f"only {verdict.complete} of {verdict.stacks} stacks are complete")
    return verdict
