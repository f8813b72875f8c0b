# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is scored of stacks, culprits, lines and names: that right passes, and each kind of wrong fails."""

import pytest

import answers
import builds
import paths
import score
import truthlog
import where
from answers import Answer
from floors import MS
from match import Settings
from test_score import BLOCK_ON, Log, block

FILE = "truth/src/places/helpers.rs"
FUNCTION = "truth::places::helpers::sleep_apart"
TASK = "truth::places::calls_apart::{{closure}}"
TASK_FILE = "truth/src/places.rs"


def line_of(file, text, after=""):
    """Of the first line with `text`, behind the one with `after`."""
    lines = (answers.PROGRAMS / file).read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if after in line)
    return next(n for n, line in enumerate(lines, 1) if n > first and text in line)


LINE = line_of(FILE, "std::thread::sleep", "fn sleep_apart")
TASK_LINE = line_of(TASK_FILE, "async fn calls_apart")
# Far from the first moments, which are not judged.
AT = 2000


def frame(fn, file=None, line=None, kind="user"):
    return {"fn": fn, "file": file, "line": line, "module": "truth", "addr": 1, "inlined": False, "kind": kind}


def right(**more):
    """A report that is right about a block of 20 ms in sleep_apart, called by the task calls_apart."""
    frames = [
        frame("std::thread::functions::sleep", kind="std"),
        frame(FUNCTION, "/home/me/" + FILE, LINE),
        frame("truth::places::calls_apart::{closure#0}", "/home/me/" + TASK_FILE, TASK_LINE + 3),
    ]
    task = {"name": "truth::places::calls_apart", "file": TASK_FILE, "line": TASK_LINE, "name_source": "v0"}
    return {**block(AT, 20), "frames": frames, "culprit": 1, "complete": True, "task": task, **more}


def task(**more):
    return {"task": {**right()["task"], **more}}


class Case:
    def __init__(self, folder):
        self.folder = folder
        self.log = Log()
        self.log.spawn(1, 7, answer=2)
        self.answers = [("block", FUNCTION, FILE, LINE), ("task", TASK, TASK_FILE, 1)]

    def score(self, report, build="limited", functions=(FUNCTION,), hello=0, **poll):
        """Names of the floors of the build that do not hold."""
        self.log.poll(AT, 20, **{"answer": (1, 19), **poll})
        self.log.write(self.folder)
        rows = ["\t".join((str(n), *map(str, row))) for n, row in enumerate(self.answers, 1)]
        (self.folder / "p600.answers").write_text("\n".join(rows) + "\n")
        build = builds.BUILDS[build]
        known = frozenset(map(paths.normal, functions)) if build.has_functions else None
        events = [{"type": "hello", "mode": "exact", "at_ns": hello * MS}, report, {"type": "bye"}]
        run = score.Run(truthlog.read(self.folder), events, Settings.of("exact", events), 0, 10_000 * MS,
                        binary=where.Binary(build.has_lines, build.only_lines, known))
        whole = score.Tally("exact")
        for tally in score.score(run).values():
            whole.add(tally)
        self.tally = whole
        return {sentence.split()[0] for sentence in whole.build_failures(build)}

    def judged(self, what):
        return self.tally.right[what] + self.tally.wrong[what]


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


@pytest.mark.parametrize("build", builds.BUILDS)
def test_what_is_right_passes(case, build):
    assert case.score(right(), build) == set()
    told = builds.BUILDS[build]
    wanted = {"culprit": told.has_functions, "line": told.has_lines, "name": told.has_functions,
              "task_line": True, "stack": True, "complete": True, "unmarked": True}
    assert {what: bool(case.judged(what)) for what in wanted} == wanted


@pytest.mark.parametrize(
    "change, wrong",
    [
        ({"culprit": 2}, {"culprit", "line"}),
        ({"culprit": 0}, {"culprit", "line"}),
        ({"culprit": None}, {"culprit", "line"}),
        ({"culprit": 99}, {"culprit", "line"}),
        ({"frames": [frame(FUNCTION, FILE, LINE + 1)], "culprit": 0}, {"line"}),
        ({"frames": [frame(FUNCTION, FILE, None)], "culprit": 0}, {"line"}),
        ({"frames": [frame(FUNCTION, TASK_FILE, LINE)], "culprit": 0}, {"line"}),
        ({"frames": [frame("truth::places::helpers::spin_apart", FILE, LINE)], "culprit": 0}, {"culprit"}),
        ({"frames": [frame("sleep_apart", FILE, LINE)], "culprit": 0}, {"culprit"}),
        ({"frames": [frame(None, FILE, LINE)], "culprit": 0}, {"culprit"}),
        ({"frames": None, "culprit": None, "complete": None}, {"stack"}),
        ({"complete": False}, {"complete"}),
        ({"complete": None}, {"complete"}),
        (task(name="truth::places::calls_deep"), {"name", "wrong_names"}),
        (task(name="other::calls_apart"), {"name", "wrong_names"}),
        (task(name="truth::places::calls_deep", name_source="dwarf"), {"name", "wrong_names"}),
        (task(name="truth::places::calls_deep", name_source=None), {"name", "wrong_names"}),
        (task(name="truth::places::calls_deep", name_source="symbol"), {"name"}),
        (task(name="truth/src/places.rs:109", name_source="location"), {"name"}),
        (task(name="poll@truth+0x1234", name_source="address"), {"name"}),
        (task(name=None, name_source=None), {"name"}),
        (task(name="truthlog::future::Logged"), {"name"}),
        (task(line=TASK_LINE - 1), {"task_line"}),
        (task(line=None, file=None), {"task_line"}),
        (task(file="truth/src/load.rs"), {"task_line"}),
        ({"task": None}, {"name", "task_line"}),
    ],
)
def test_each_wrong_field_fails(case, change, wrong):
    assert case.score(right(**change)) == wrong


@pytest.mark.parametrize("name", ["truthlog::future::Logged<calls_apart>", "calls_apart", "≈ truth::…::calls_apart"])
def test_names_may_be_short_or_told_with_their_wrapper(case, name):
    assert case.score(right(**task(name=name))) == set()


def test_a_wrong_name_in_a_stripped_program_fails(case):
    assert case.score(right(**task(name="truth::places::calls_deep")), "stripped") == {"wrong_names"}
    assert not case.judged("name")


def test_a_line_of_the_task_is_right_anywhere_inside(case):
    assert case.score(right(**task(line=TASK_LINE + 4))) == set()


def test_without_lines_an_inlined_function_is_one_of_ours_that_blocks_nowhere_else(case):
    case.answers.append(("block", "truth::places::helpers::sleep_deep", FILE, 1))
    case.answers[0] = ("block", "truth::places::helpers::sleep_inlined", FILE, LINE)

    def of(fn):
        return right(frames=[frame(fn)], culprit=0)

    assert case.score(of("truth::places::calls_apart::{{closure}}"), "release", ()) == set()
    assert case.score(of("<truthlog::future::Logged<F> as core::future::future::Future>::poll"), "release", ()) == set()
    assert case.score(of("truth::places::helpers::sleep_deep"), "release", ()) == {"culprit"}
    assert case.score(of("idle::rest"), "release", ()) == {"culprit"}


def test_without_lines_what_says_nothing_is_not_judged_but_counted(case):
    case.answers[0] = ("block", "truth::places::helpers::sleep_inlined", FILE, LINE)
    assert case.score(right(culprit=None), "release", ()) == {"hidden_percent"}
    assert (case.judged("culprit"), case.tally.hidden) == (0, 1)


def test_without_lines_a_function_that_is_there_must_be_told(case):
    body = [frame("truth::places::calls_apart::{{closure}}")]
    assert case.score(right(frames=body, culprit=0), "release") == {"culprit"}
    assert case.score(right(culprit=2), "v0") == {"culprit"}


def test_line_tables_know_names_without_paths(case):
    def of(fn):
        return right(frames=[frame(fn, FILE, LINE)], culprit=0)

    assert case.score(of("sleep_apart"), "lines") == set()
    assert case.score(of("apart"), "lines") == {"culprit"}
    case.answers[0] = ("block", TASK, FILE, LINE)
    assert case.score(of("{async_fn#0}"), "lines") == {"culprit"}


def test_first_moments_are_not_judged(case):
    wrong = right(frames=None, culprit=None, complete=None)
    assert case.score(wrong, hello=AT - 900) == set()
    assert case.score(wrong, hello=AT - 1100) == {"stack"}


def test_what_waited_for_a_cpu_needs_no_stack(case):
    assert case.score(right(frames=None, culprit=None, complete=None), runq=15, off=1) == set()


def test_a_place_that_was_not_most_of_the_block_is_not_judged(case):
    assert case.score(right(culprit=0), answer=(1, 11)) == set()
    assert not case.judged("culprit") and not case.judged("line")


def test_root_futures_have_no_names_to_judge(case):
    report = right(role="block_on", task_id=None, **task(name="root"))
    assert case.score(report, kind=truthlog.ROOT, roles=BLOCK_ON, task=9) == set()
    assert case.judged("culprit") and not case.judged("name")


@pytest.mark.parametrize(
    "text, same",
    [
        ("truth::block::cpu::h0123456789abcdef", "truth::block::cpu"),
        ("truth::places::f::{closure#0}", "truth::places::f::{{closure}}"),
        ("truth::places::f::{async_fn#0}", "truth::places::f::{{closure}}"),
        ("truth::load::g::<std::fs::File>::{closure#3}", "truth::load::g::{{closure}}"),
        ("truth::load::g<fn() -> u8>", "truth::load::g"),
        ("<truth::block::Blocker>::block", "truth::block::Blocker::block"),
        ("<truth::S<u8> as truth::T<A, B>>::go::{closure#0}", "<truth::S as truth::T>::go::{{closure}}"),
        ("truth::places::<impl truth::T for u32>::go", "<u32 as truth::T>::go"),
        ("core::ptr::drop_in_place::<alloc::vec::Vec<u8>>", "core::ptr::drop_in_place"),
    ],
)
def test_paths_of_one_function_are_equal(text, same):
    assert paths.normal(text) == paths.normal(same)


@pytest.mark.parametrize(
    "text, other",
    [
        ("truth::f::{{closure}}", "truth::f"),
        ("truth::f::{{closure}}", "truth::f::{{closure}}::{{closure}}"),
        ("truth::a::f", "truth::b::f"),
        ("<truth::S as truth::T>::go", "<truth::R as truth::T>::go"),
    ],
)
def test_paths_of_two_functions_differ(text, other):
    assert paths.normal(text) != paths.normal(other)


@pytest.mark.parametrize("text", ["", "<", "<<", "a<b", "::", "<a as b", "{closure#0}", "a::{closure", ">"])
def test_broken_paths_are_no_error(text):
    assert isinstance(paths.normal(text), tuple)
    assert isinstance(paths.bodies(text), list)


def test_bodies_of_types():
    closure = "{closure}"
    assert paths.bodies("a::b::{{closure}}") == [("a", "b", closure)]
    assert paths.bodies("w::W<a::b<a::T>::{{closure}}::{{closure}}>") == [("a", "b", closure, closure)]
    assert paths.bodies("core::pin::Pin<alloc::boxed::Box<dyn core::future::Future>>") == []


SOURCE = """\
macro_rules! made {
    () => {
        one()
    };
}

#[inline(never)]
fn one() {}

pub async fn two() {
    call(
        1,
    );
    made!();
}
"""


def test_lines_of_sources(tmp_path):
    (tmp_path / "app" / "src").mkdir(parents=True)
    (tmp_path / "app" / "src" / "m.rs").write_text(SOURCE)

    def lines(kind, path, line):
        return Answer(kind, path, "app/src/m.rs", line).lines(tmp_path)

    assert lines("block", "app::m::two::{{closure}}", 11) == ((11, 13),)
    assert lines("block", "app::m::two::{{closure}}", 12) == ((12, 12),)
    assert lines("block", "app::m::two::{{closure}}", 14) == ((14, 14), (1, 5))
    assert lines("task", "w::W<app::m::two::{{closure}}>", 1) == ((10, 15),)
    assert lines("task", "app::m::two::{{closure}}::{{closure}}", 11) == ((11, 13),)
    assert lines("block", "app::gone", 99) == ((99, 99),)
    assert Answer("block", "app::m::one", "app/src/m.rs", 8).is_never_inlined(tmp_path)
    assert not Answer("block", "app::m::two", "app/src/m.rs", 11).is_never_inlined(tmp_path)
    here = Answer("block", "app::m::two", "app/src/m.rs", 11)
    assert here.is_at("/x/app/src/m.rs", 13, tmp_path) and here.is_at("app/src/m.rs", 11, tmp_path)
    assert not here.is_at("/x/bapp/src/m.rs", 13, tmp_path) and not here.is_at("app/src/m.rs", 14, tmp_path)
