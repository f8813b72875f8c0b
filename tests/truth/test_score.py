# SPDX-License-Identifier: MIT OR Apache-2.0
"""The scorer on made-up runs: that it accepts what is right, and refuses each kind of wrong."""

import json
import struct

import pytest

import run
import score
import table
import truthlog
from floors import MS, US
from match import Settings

TID = 700
WORKER, CURRENT, LOCAL, BLOCK_ON = 1, 2, 4, 8
CAUSE = {name: number for number, name in enumerate(truthlog.CAUSES)}


class Log:
    """Writes a thread's file as programs/truthlog does. Times in ms."""

    def __init__(self, tid=TID):
        self.tid = tid
        self.records = []
        self.lost = 0

    def spawn(self, task, task_id, answer=0):
        return self._add(task_id, 1, task, -1, truthlog.SPAWN, 0, answer=(answer, 0))

    def poll(self, start, duration, task=1, parent=-1, kind=truthlog.POLL, roles=WORKER,
             cause="sleep", off=None, runq=0.0, has_parts=True, answer=(0, 0)):
        off = duration if off is None else off
        times = (int(start * MS), int((start + duration) * MS) if duration else 0)
        cpu = max(0.0, duration - off - runq)
        more = (int(cpu * MS), int(runq * MS), int(off * MS))
        return self._add(*times, task, parent, kind, roles, CAUSE[cause],
                         truthlog.PARTS if has_parts else 0, more, answer)

    def _add(self, start, end, task, parent, kind, roles, cause=0, flags=0, more=(0, 0, 0), answer=(0, 0)):
        record = struct.pack("<QQIIBBBBHHQQQII", start, end, task, parent + 1, kind, roles, cause,
                             flags, 0, 0, *more, answer[0], int(answer[1] * 1000))
        self.records.append(record)
        return len(self.records) - 1

    def write(self, folder):
        counts = (self.tid, 600, 1000, len(self.records), self.lost)
        head = truthlog.HEADER.pack(truthlog.MAGIC, *counts)
        path = folder / f"p600.t{self.tid}.truth"
        path.write_bytes(head + b"".join(self.records))
        return path


def block(start, duration, task_id=7, **more):
    """A report that is right about a sleep; times in ms."""
    start_ns, duration_ns = int(start * MS), int(duration * MS)
    return {
        "type": "block", "pid": 600, "tid": TID, "role": "worker", "task_id": task_id,
        "start_ns": start_ns, "duration_ns": duration_ns, "error_ns": 10 * US, "phase": "poll",
        "polls": 1, "cause": "sleep", "oncpu_ns": 0, "offcpu_ns": duration_ns, "runq_ns": 0, **more,
    }


def ongoing(start, age, **more):
    event = block(start, 0, **more)
    del event["duration_ns"]
    return {**event, "type": "ongoing", "age_ns": int(age * MS)}


class Case:
    """A made-up run; by default task 1 has id 7, and nothing is reported."""

    def __init__(self, folder):
        self.folder = folder
        self.log = Log()
        self.log.spawn(1, 7)
        self.log.spawn(2, 8)

    def score(self, *reports, mode="exact", **more):
        self.log.write(self.folder)
        ends = {"type": "hello", "mode": mode, "at_ns": 0}, {"type": "bye"}
        one = score.Run(truthlog.read(self.folder), [ends[0], *reports, ends[1]], Settings(mode),
                        since=0, until=10_000 * MS, **more)
        return score.score(one)


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def failed(tallies):
    """Names of the floors that do not hold."""
    return {
        sentence.split()[0]
        for tally in tallies.values()
        for is_total in (False, True)
        for sentence in tally.failures(is_total)
    }


def test_what_is_right_passes(case):
    case.log.poll(100, 20)
    case.log.poll(200, 4)
    tallies = case.score(block(100, 20))
    assert failed(tallies) == set()
    assert tallies["exact"].metrics()["recall"] == 100
    assert tallies["exact"].metrics()["cause"] == 100


def test_silence_about_a_quiet_program_passes(case):
    case.log.poll(100, 4.8)
    assert failed(case.score()) == set()


@pytest.mark.parametrize(
    "change, floor",
    [
        ({"task_id": 8}, "task_id"),
        ({"task_id": None}, "task_id"),
        ({"role": "local_set"}, "role"),
        ({"role": None}, "role"),
        ({"cause": "cpu"}, "cause"),
        ({"phase": "drop"}, "phase"),
        ({"oncpu_ns": 5 * MS}, "parts_add_up"),
        ({"duration_ns": 20 * MS + 12 * US}, "bound_kept"),
        ({"duration_ns": 20 * MS + 60 * US, "error_ns": 70 * US}, "error_p99_ms"),
        ({"tid": TID + 1}, "precision"),
        ({"tid": TID + 1}, "recall"),
        ({"start_ns": None}, "problems"),
    ],
)
def test_a_wrong_field_fails(case, change, floor):
    case.log.poll(100, 20)
    assert floor in failed(case.score({**block(100, 20), **change}))


def test_a_missed_block_fails(case):
    case.log.poll(100, 20)
    case.log.poll(200, 20)
    assert failed(case.score(block(100, 20))) == {"recall"}


def test_an_invented_block_fails(case):
    case.log.poll(100, 20)
    assert failed(case.score(block(100, 20), block(500, 20))) == {"precision"}


def test_one_poll_reported_twice_fails(case):
    case.log.poll(100, 20)
    assert failed(case.score(block(100, 20), block(100, 20))) == {"precision"}


def test_a_poll_below_the_threshold_fails(case):
    case.log.poll(100, 4.5)
    assert "precision" in failed(case.score(block(100, 4.5)))


def test_near_the_threshold_both_are_right(case):
    case.log.poll(100, 4.95)
    case.log.poll(200, 5.05)
    assert failed(case.score()) == set()
    assert failed(case.score(block(100, 4.95), block(200, 5.05))) == set()


def test_just_above_the_margin_must_be_found(case):
    case.log.poll(100, 5.11)
    assert failed(case.score()) == {"recall"}


def test_sampled_mode_must_find_two_periods_above(case):
    case.log.poll(100, 6.9)
    assert failed(case.score(mode="sampled")) == set()
    case.log.poll(200, 7.1)
    assert failed(case.score(mode="sampled")) == {"recall"}


def test_sampled_mode_may_err_within_its_bound_only(case):
    case.log.poll(100, 20)
    near = block(100, 20.05, error_ns=900 * US, offcpu_ns=20 * MS)
    assert failed(case.score(near, mode="sampled")) == set()
    wide = block(100, 20.05, error_ns=1200 * US, offcpu_ns=20 * MS)
    assert failed(case.score(wide, mode="sampled")) == {"bound_max_over_ms"}
    far = block(100, 20.95, error_ns=900 * US, offcpu_ns=20 * MS)
    assert "bound_kept" in failed(case.score(far, mode="sampled"))


def test_a_wait_for_a_cpu_may_be_in_the_bound(case):
    case.log.poll(100, 20, cause="cpu", off=2, runq=2)
    bound = 2 * MS + 900 * US  # a period is 1.003 ms
    report = block(100, 20, cause="cpu", oncpu_ns=18 * MS, offcpu_ns=0, runq_ns=2 * MS)
    assert failed(case.score({**report, "error_ns": bound}, mode="sampled")) == set()
    assert failed(case.score({**report, "error_ns": bound + MS}, mode="sampled")) == {"bound_max_over_ms"}


def test_the_off_cpu_part_of_a_sleep_is_scored(case):
    case.log.poll(100, 20)
    off = block(100, 20, error_ns=500 * US, oncpu_ns=200 * US, offcpu_ns=19_800 * US)
    assert failed(case.score(off, mode="sampled")) == {"offcpu_sleep_p99_ms"}


def test_the_table_shows_the_off_cpu_part_that_is_judged(case):
    case.log.poll(100, 20)
    case.log.poll(200, 20, cause="lock")
    lock = block(200, 20, cause="lock", oncpu_ns=8 * MS, offcpu_ns=12 * MS)
    tally = case.score(block(100, 20), lock)["exact"]
    head, _, row = (line.split(" | ") for line in table.markdown([("b", "p", "exact", tally)]).splitlines())
    assert row[head.index("offp")] == "0.000"


def test_merged_polls_are_accepted_when_said(case):
    case.log.poll(100, 8)
    case.log.poll(108.01, 9)
    tallies = case.score(block(100, 17.01, polls=None), mode="sampled")
    assert failed(tallies) == set()
    assert (tallies["sampled"].merged, tallies["sampled"].found) == (1, 2)
    unsaid = failed(case.score(block(100, 17.01, polls=1), mode="sampled"))
    assert unsaid >= {"recall", "bound_kept"}


def test_polls_of_two_tasks_are_never_merged(case):
    case.log.poll(100, 8)
    case.log.poll(108.01, 9, task=2)
    assert "recall" in failed(case.score(block(100, 17.01, polls=None), mode="sampled"))


def test_a_local_sets_turn_may_hold_others_between_merged_polls(case):
    for roles, wrong in ((LOCAL, set()), (WORKER, {"recall"})):
        case.log = Log()
        case.log.spawn(1, 7)
        case.log.spawn(2, 8)
        for task, start, duration in ((1, 100, 8), (2, 108.01, 0.01), (1, 108.03, 9)):
            case.log.poll(start, duration, task=task, roles=roles)
        role = "local_set" if roles == LOCAL else "worker"
        report = block(100, 17.03, polls=None, role=role)
        assert wrong <= failed(case.score(report, mode="sampled"))
        assert wrong or not failed(case.score(report, mode="sampled"))


def test_polls_apart_are_never_merged(case):
    case.log.poll(100, 8)
    case.log.poll(109, 9)
    assert "recall" in failed(case.score(block(100, 18, polls=2), mode="sampled"))


def test_many_short_polls_merged_are_true_as_a_whole(case):
    for number in range(4):
        case.log.poll(100 + number * 3.01, 3)
    assert failed(case.score(block(100, 12.03, polls=4), mode="sampled")) == set()


def test_a_drop_is_a_block_of_its_own_phase(case):
    case.log.poll(100, 20, kind=truthlog.DROP)
    assert failed(case.score(block(100, 20, phase="drop"))) == set()
    assert failed(case.score(block(100, 20))) == {"phase"}
    assert failed(case.score()) == {"recall"}


def test_the_drop_at_completion_belongs_to_its_poll(case):
    case.log.poll(100, 2)
    case.log.poll(102.001, 10, kind=truthlog.DROP)
    assert failed(case.score(block(100, 12.001))) == set()
    assert failed(case.score(block(102.001, 10, phase="drop"))) == set()


def nested(log, outer, inner):
    parent = log.poll(100, outer, kind=truthlog.ROOT, task=9, roles=BLOCK_ON)
    log.poll(101, inner, parent=parent, roles=LOCAL)


def test_a_nested_block_belongs_to_the_inner_poll(case):
    nested(case.log, 12, 10)
    inner = block(101, 10, role="local_set")
    outer = block(100, 12, task_id=None, role="block_on")
    assert failed(case.score(inner)) == set()
    assert "precision" in failed(case.score(inner, outer))
    assert {"task_id", "role"} <= failed(case.score(outer))


@pytest.mark.parametrize("duration", [30, 20])
def test_an_outer_poll_long_on_its_own_is_a_block_too(case, duration):
    nested(case.log, 30, 10)
    inner = block(101, 10, role="local_set")
    outer = block(100, duration, task_id=None, role="block_on")
    assert failed(case.score(inner, outer)) == set()
    assert "recall" in failed(case.score(inner))


def test_root_futures_are_held_to_sampled_floors_in_exact_mode(case):
    case.log.poll(100, 6.5, kind=truthlog.ROOT, task=9, roles=BLOCK_ON)
    case.log.poll(200, 20, kind=truthlog.ROOT, task=9, roles=BLOCK_ON)
    root = block(200, 20.08, task_id=None, role="block_on", error_ns=MS, offcpu_ns=20 * MS)
    tallies = case.score(root)
    assert failed(tallies) == set()
    assert (tallies["exact"].expected, tallies["sampled"].expected) == (0, 1)


def test_block_in_place_is_no_block(case):
    parent = case.log.poll(100, 50.2)
    window = case.log.poll(100.1, 50, task=0, parent=parent, kind=truthlog.IN_PLACE, roles=0)
    assert failed(case.score()) == set()
    assert "precision" in failed(case.score(block(100, 50.2)))
    case.log.poll(110, 20, task=9, parent=window, kind=truthlog.ROOT, roles=BLOCK_ON)
    assert failed(case.score()) == set()
    inside = block(110, 20, task_id=None, role="block_on")
    assert failed(case.score(inside)) == set()


def test_an_unended_poll_need_not_be_found(case):
    case.log.poll(100, 0)
    assert failed(case.score()) == set()


def test_polls_before_hello_need_not_be_found_but_may(case):
    case.log.poll(100, 20)
    events = [{"type": "hello", "mode": "exact", "at_ns": 110 * MS}, {"type": "bye"}]
    case.log.write(case.folder)
    truth = truthlog.read(case.folder)
    for extra in ([], [block(100, 20)]):
        one = score.Run(truth, [events[0], *extra, events[1]], Settings("exact"), 0, 1000 * MS)
        assert failed(score.score(one)) == set()


def test_an_unknown_bound_is_right_only_for_what_began_before(case):
    case.log.poll(100, 20)
    case.log.write(case.folder)
    truth = truthlog.read(case.folder)

    def score_at(hello_ms, duration):
        hello = {"type": "hello", "mode": "exact", "at_ns": hello_ms * MS}
        events = [hello, block(120 - duration, duration, error_ns=None), {"type": "bye"}]
        return failed(score.score(score.Run(truth, events, Settings("exact"), 0, 1000 * MS)))

    assert score_at(110, 10) == set()
    assert score_at(90, 20) == {"bound_kept"}
    assert "bound_kept" in score_at(110, 25)


def test_an_unknown_id_is_not_scored(case):
    case.log.poll(100, 20, task=5)
    assert failed(case.score(block(100, 20, task_id=99))) == set()


def test_starved_is_told_from_the_run_queue(case):
    case.log.poll(100, 20, cause="cpu", off=0, runq=15)
    right = block(100, 20, cause="starved", oncpu_ns=5 * MS, offcpu_ns=0, runq_ns=15 * MS)
    assert failed(case.score(right)) == set()
    assert failed(case.score({**right, "cause": "cpu"})) == {"cause"}


def test_an_unclear_cause_is_not_scored(case):
    case.log.poll(100, 20, off=10)
    assert case.score(block(100, 20))["exact"].metrics()["cause"] is None


def test_only_starved_may_be_reported_on_a_healthy_program(case):
    case.log.poll(100, 20, cause="cpu", off=0, runq=20)
    starved = block(100, 20, cause="starved", offcpu_ns=0, runq_ns=20 * MS)
    assert failed(case.score(starved, is_healthy=True)) == set()
    assert "healthy_false" in failed(case.score({**starved, "cause": "cpu"}, is_healthy=True))
    stalls = score.Stalls([(101 * MS, 118 * MS)])
    blamed = {**starved, "cause": "cpu"}
    assert "healthy_false" not in failed(case.score(blamed, is_healthy=True, stalls=stalls))


def test_an_error_beside_a_stall_is_set_apart(case):
    case.log.poll(100, 20)
    late = block(100, 21)
    assert "bound_kept" in failed(case.score(late))
    tallies = case.score(late, stalls=score.Stalls([(119 * MS, 121 * MS)]))
    assert failed(tallies) == set()
    assert tallies["exact"].metrics()["error_max_disturbed_ms"] == 1
    assert "bound_kept" in failed(case.score(late, stalls=score.Stalls([(108 * MS, 109 * MS)])))
    brief = score.Stalls([(119 * MS, 119 * MS + 300 * US)])
    assert "bound_kept" in failed(case.score(late, stalls=brief))


def test_ongoing_blocks_must_be_told_at_each_level(case):
    case.log.poll(100, 90)
    told = [ongoing(100, 6), ongoing(100, 52)]
    assert failed(case.score(*told, block(100, 90))) == set()
    assert failed(case.score(told[0], block(100, 90))) == {"ongoing"}
    assert failed(case.score(told[0], ongoing(100, 75), block(100, 90))) == {"ongoing"}


def test_ongoing_blocks_must_be_true(case):
    case.log.poll(100, 20)
    right = block(100, 20)
    assert failed(case.score(ongoing(100, 6), right)) == set()
    assert failed(case.score(ongoing(300, 6), right)) == {"ongoing"}
    assert failed(case.score(ongoing(100, 6, task_id=8), right)) == {"ongoing"}


def test_what_is_told_when_the_scored_time_is_over_is_not_judged(case):
    """A poll that begins then may still be under way when the program is ended, and has no end in the log."""
    assert failed(case.score(ongoing(9994, 5))) == {"ongoing"}
    assert failed(case.score(ongoing(9994, 6))) == set()


def test_a_run_that_broke_off_fails(case, tmp_path):
    case.log.poll(100, 20)
    case.log.write(tmp_path)
    truth = truthlog.read(tmp_path)
    hello = {"type": "hello", "mode": "sampled", "at_ns": 0}
    for events in ([], [block(100, 20)], [hello, block(100, 20)]):
        one = score.Run(truth, events, Settings("exact"), 0, 1000 * MS)
        assert "problems" in failed(score.score(one))


def test_totals_add_up(case):
    case.log.poll(100, 20)
    tally = case.score(block(100, 20))["exact"]
    total = score.Tally("exact")
    total.add(tally)
    total.add(tally)
    assert (total.expected, total.found, total.right["task_id"]) == (2, 2, 2)
    assert len(total.errors) == 2


def test_lines_that_are_no_json_are_complaints(tmp_path):
    path = tmp_path / "blocks.ndjson"
    path.write_text(json.dumps({"type": "hello"}) + '\n{"type": "blo\n[1]\n')
    events, bad = score.read_events(path)
    assert len(events) == 1 and len(bad) == 2


def test_second_clock_output(tmp_path):
    path = tmp_path / "stalls"
    path.write_text("cpu 0 first\ncpu 1 first\n0 100 200\n1 150 300\n0 900 950\n")
    stalls, is_first = score.read_stalls(path)
    assert (stalls.times, stalls.longest, is_first) == ([(100, 300), (900, 950)], 200, True)
    assert stalls.within(250, 910) == 60
    path.write_text("cpu 0 not-first\n")
    assert not score.read_stalls(path)[1]


@pytest.mark.parametrize("spoil", ["short", "magic", "lost"])
def test_a_broken_log_is_refused(tmp_path, spoil):
    log = Log()
    log.lost = spoil == "lost"
    path = log.write(tmp_path)
    if spoil != "lost":
        path.write_bytes(path.read_bytes()[:20] if spoil == "short" else b"x" * 64)
    with pytest.raises(truthlog.LogError):
        truthlog.read(tmp_path)


def test_a_kept_log_is_no_longer_than_what_was_written(case, tmp_path):
    case.log.poll(100, 20)
    path = case.log.write(tmp_path)
    whole = path.read_bytes()
    with open(path, "ab") as file:
        file.truncate(1 << 30)
    run.copy_written(str(path), str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == whole
