# SPDX-License-Identifier: MIT OR Apache-2.0
"""Judges what is said of a block's place: its stack, the culprit and its line, the task's name and line."""

from dataclasses import dataclass, field

import floors
import paths
from truthlog import is_clear

# Sources of names that are no promise; any other name has to be right.
MARKED = ("location", "symbol", "stack", "address")
# The programs' own crates: where nothing says which function is inlined, one that it may be inlined into.
OWN = ("truth", "truthlog")


@dataclass(frozen=True)
class Binary:
    """What a program's file can tell: its functions, less those inlined; None where it has no symbols."""

    has_lines: bool = True
    only_lines: bool = False
    functions: frozenset = field(default=None, repr=False)

    @staticmethod
    def of(build, path):
        functions = frozenset(paths.of_binary(path)) if build.has_functions else None
        return Binary(build.has_lines, build.only_lines, functions)


def culprit_of(report):
    frames, index = report.get("frames"), report.get("culprit")
    is_index = isinstance(index, int) and frames and 0 <= index < len(frames)
    return frames[index] if is_index else None


def judge(run, match, tally):
    """Counts for one report; the first moments, while the profiler prepares, are left out."""
    report = match.report
    if report["start_ns"] < run.hello_ns + floors.STACKS_READY_NS:
        return
    _judge_stack(match, report, tally)
    answer = _block_answer(run, match)
    if answer and report.get("frames"):
        _judge_culprit(run, answer, report, tally)
    _judge_task(run, match, tally)


def _judge_stack(match, report, tally):
    if match.span.true_cause() == "starved":
        return
    has_stack = bool(report.get("frames"))
    _count(tally, "stack", has_stack, report, "no stack")
    if has_stack:
        _count(tally, "complete", report.get("complete") is True, report, "the stack is not complete")


def _block_answer(run, match):
    """Where the block is, if one place was most of it."""
    span = max(match.spans, key=lambda one: one.answer_ns)
    whole = match.spans[-1].end - match.spans[0].start
    return run.truth.answers.get(span.answer) if is_clear(span.answer_ns, whole) else None


def _judge_culprit(run, answer, report, tally):
    culprit = culprit_of(report) or {}
    told = paths.normal(culprit.get("fn") or "")
    if run.binary.has_lines:
        right = _is_right_with_lines(run, answer, told)
        is_line = answer.is_at(culprit.get("file"), culprit.get("line"))
        at = f"{culprit.get('file')}:{culprit.get('line')}"
        _count(tally, "line", is_line, report, f"at {at}, not {answer.file}:{answer.line}")
    elif run.binary.functions is None:
        return
    else:
        right = _is_right_without_lines(run, answer, told, report["frames"])
    if right is None:
        tally.hidden += 1
        return
    _count(tally, "culprit", right, report, f"culprit {'::'.join(told) or None}, not {answer.path}")


def _is_right_with_lines(run, answer, told):
    """Line tables have no path of what is inlined; its name alone will do then, but a mere "{closure}" will not."""
    is_end = told and answer.function[-len(told) :] == told and set(told) != {paths.CLOSURE}
    return told == answer.function or bool(run.binary.only_lines and is_end)


def _is_right_without_lines(run, answer, told, frames):
    """None: it is inlined into the runtime, say, and nothing in the program says so."""
    function = answer.function
    if function in run.binary.functions:
        # It may still be inlined there; but not if it is on the stack, or never is.
        if answer.is_never_inlined() or any(function == paths.normal(one.get("fn") or "") for one in frames):
            return told == function
    if not told:
        return None
    # Inlined: into a function of ours, but not into another that blocks.
    is_other = any(told == one.function for one in run.truth.answers.values() if one.kind == "block")
    crate = told[0].lstrip("<&").partition("::")[0]
    return crate in OWN and not is_other


def _judge_task(run, match, tally):
    report, answer = match.report, run.truth.future_of(match.span)
    task = report.get("task") or {}
    name, source = task.get("name"), task.get("name_source")
    if not answer:
        return
    is_other = bool(name and source not in MARKED and not _names_no_other(name, answer))
    _count(tally, "unmarked", not is_other, report, f"called {name} ({source}), but is {answer.path}")
    if not answer.body:
        return
    at = f"{task.get('file')}:{task.get('line')}"
    is_there = answer.is_at(task.get("file"), task.get("line"))
    _count(tally, "task_line", is_there, report, f"task at {at}, not in {answer.path}")
    if run.binary.functions is not None:
        is_named = bool(name and source != "location" and _is_name(name, answer))
        _count(tally, "name", is_named, report, f"called {name} ({source}), is {answer.path}")


def _names_no_other(name, answer):
    """Wrappers may be told or left out, generics may be cut; but no word may be there that the type does not have."""
    return paths.words(name) <= paths.words(answer.path) | {"truthlog", "future", "Logged"}


def _is_name(name, answer):
    function = [part for part in answer.body if part != paths.CLOSURE][-1]
    return _names_no_other(name, answer) and function in paths.words(name)


def _count(tally, what, is_right, report, note):
    """Many blocks share a place, and what is wrong about it: that is told once, with their number."""
    tally.count(what, is_right)
    if not is_right:
        tally.places[f"{what}: {note} ({report.get('phase')})"] += 1
