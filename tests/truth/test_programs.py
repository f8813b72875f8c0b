# SPDX-License-Identifier: MIT OR Apache-2.0
"""That the programs do what the harness counts on, without any profiler."""

import os
import subprocess

import pytest

import plans
import truthlog
from floors import MS
from match import Settings, candidates
from test_run import FOLDER, pytestmark  # noqa: F401  (skips without the builds)

SECONDS = "1.5"


class Result:
    def __init__(self, program, folder):
        environment = {**os.environ, "TRUTH_DIR": str(folder), "TRUTH_SCRATCH": str(FOLDER)}
        done = subprocess.run(
            [FOLDER / "target" / "release" / "truth", program, SECONDS, "1"], env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=30,
        )
        ready, go, end = done.stdout.splitlines()
        assert ready == "ready" and go.startswith("go ") and end.startswith("done ")
        self.since, self.until = int(go.split()[1]), int(end.split()[1])
        self.truth = truthlog.read(folder)
        self.spans = [s for s in self.truth.spans(MS // 2, self.until) if s.end < self.until]
        self.blocks = [s for s in self.spans if s.duration >= 5 * MS]

    def polls(self):
        """(task, tid) of every poll."""
        for thread in self.truth.threads.values():
            for index in range(len(thread)):
                if thread.kind(index) in (truthlog.POLL, truthlog.ROOT):
                    yield thread.task(index), thread.tid


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Runs each program once."""
    known = {}

    def get(program):
        if program not in known:
            known[program] = Result(program, tmp_path_factory.mktemp(program))
        return known[program]

    return get


@pytest.mark.parametrize("program", plans.PROGRAMS)
def test_every_program_logs_sound_polls(result, program):
    one = result(program)
    assert sum(len(thread) for thread in one.truth.threads.values()) > 10
    assert all(id_ > 0 for id_ in one.truth.ids.values())
    for span in one.spans:
        assert span.kind == truthlog.IN_PLACE or span.roles
        if span.flags & truthlog.PARTS and span.duration > MS:
            # The counters are read just inside the edges; a preemption there is not in them.
            assert span.cpu + span.runq <= span.duration + MS // 10
        for inner in span.inner:
            assert span.start <= inner.start <= inner.end <= span.end


@pytest.mark.parametrize("program", ["multi", "current", "localset", "runtimes"])
def test_every_cause_occurs_and_shows(result, program):
    declared = {span.cause for span in result(program).blocks}
    assert declared >= set(truthlog.CAUSES[1:])
    for span in result(program).blocks:
        # The declared cause is the true one, unless the machine was busy.
        assert span.true_cause() in (span.cause, "starved", "cpu", None)


@pytest.mark.parametrize("program", plans.PROGRAMS)
def test_every_block_and_task_says_what_is_right_of_it(result, program):
    one = result(program)
    for span in (block for block in one.blocks if block.kind != truthlog.IN_PLACE):
        answer = one.truth.answers.get(span.answer)
        if span.true_cause() == span.cause is not None:
            assert answer.kind == "block" and span.answer_ns <= span.duration
            assert answer.lines()[0][0] == answer.line
        future = one.truth.future_of(span)
        assert span.is_root or future.kind == "task"
        if future and future.body:
            assert future.lines()[0][1] > future.lines()[0][0] or len(future.lines()) > 1, future


def test_places_are_many(result):
    one = result("places")
    places = {one.truth.answers[span.answer].path for span in one.blocks if span.answer}
    assert len(places) > 15
    assert {answer.kind for answer in one.truth.answers.values()} == {"block", "task"}


def test_polls_last_as_long_as_asked(result):
    sleeps = [s for s in result("sweep").spans if s.cause == "sleep" and s.duration > 2 * MS]
    assert min(span.duration for span in sleeps) >= 3 * MS
    # On a busy machine they last longer, and the log says why.
    steps = {span.offcpu * 10 // MS for span in sleeps}
    assert len(steps & set(range(30, 85))) > 20


def test_roles_kinds_and_panics(result):
    nested = result("nested").spans
    kinds = {span.kind for span in nested}
    assert kinds >= {truthlog.POLL, truthlog.DROP, truthlog.IN_PLACE, truthlog.ROOT}
    assert any(span.flags & truthlog.PANICKED for span in nested)
    assert any(span.inside_in_place for span in nested)
    assert any(inner.inner for span in nested for inner in span.inner)
    roles = {role for name in ("localset", "runtimes") for role in roles_of(result(name))}
    assert roles >= {1, 2, 4}


def roles_of(one):
    return {span.roles for span in one.blocks}


def test_tasks_migrate(result):
    threads = {}
    for task, tid in result("migrate").polls():
        threads.setdefault(task, set()).add(tid)
    assert sum(len(tids) > 1 for tids in threads.values()) > 10


def test_the_storm_is_one(result):
    one = result("storm")
    assert sum(1 for _poll in one.polls()) > 50_000 * float(SECONDS)


def test_pressure_starves(result):
    assert any(span.true_cause() == "starved" for span in result("pressure").blocks)


@pytest.mark.parametrize("program", plans.HEALTHY)
def test_nothing_of_a_healthy_program_blocks(result, program):
    one = result(program)
    found = candidates(one.truth, Settings("exact"), one.since, one.until)
    must = [candidate.span for candidate in found if candidate.is_expected]
    # What the hogs did to it is not its fault; a few polls have no parts to tell by.
    assert all(s.runq > s.cpu or not s.flags & truthlog.PARTS for s in must)
    assert any(span.kind == truthlog.IN_PLACE and span.duration > 5 * MS for span in one.spans)
