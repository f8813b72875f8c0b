#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the profiler on programs that log their own polls, and scores what it says.

Exit codes: 0 every floor of floors.py holds; 1 one does not; 2 usage; 77 this kernel or these
privileges do not let the profiler work (it says why).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import builds
import floors
import plans
import score
import table
import truthlog
import where
from match import Settings

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
EXIT_LACKING = 5

READY_SECONDS = 15
HELLO_SECONDS = 30
# Between the end of the scored time and the profiler's end: what is late is still taken.
GRACE_SECONDS = 0.3
STOP_SECONDS = 10


class RunError(Exception):
    """A run that cannot be scored."""


class Lacking(Exception):
    """The profiler says that something is missing here."""


def log_folder():
    """Logs go to memory where there is some: the disk would disturb what is measured."""
    memory = Path("/dev/shm")
    usable = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    return tempfile.mkdtemp(prefix="truth-", dir=memory if usable else None)


@contextmanager
def process(*arguments, **options):
    """A child that is gone afterwards, whatever happens."""
    child = subprocess.Popen(*arguments, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream:
                stream.close()


class Program:
    """A truth program, as programs/truth/src/control.rs talks."""

    def __init__(self, child):
        self.child = child

    def expect(self, word, seconds):
        """The rest of the line that starts with `word`; a program that hangs is killed."""
        with alarm(seconds, f"the program did not say '{word}'"):
            line = self.child.stdout.readline().split()
        if line[:1] != [word]:
            raise RunError(f"the program said {line} instead of '{word}'")
        return line[1:]

    def tell(self, word):
        try:
            self.child.stdin.write(word + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise RunError("the program is gone") from None


@contextmanager
def alarm(seconds, message):
    def late(_signal, _frame):
        raise RunError(f"{message} within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def copy_written(source, target):
    """A log is a sparse file of 1 GiB: only what was written is copied."""
    size = os.path.getsize(source)
    if source.endswith(".truth"):
        size = truthlog.written_bytes(source)
    with open(source, "rb") as origin, open(target, "wb") as copy:
        copy.write(origin.read(size))


def complaint(path):
    return " / ".join(path.read_text(errors="replace").split("\n"))[-400:].strip(" /") or "nothing"


def wait_for_hello(tool, folder):
    """Until the first line is there: then every probe is live."""
    deadline = time.monotonic() + HELLO_SECONDS
    output = folder / "blocks.ndjson"
    while time.monotonic() < deadline:
        if output.exists() and b"\n" in output.read_bytes()[:1 << 16]:
            return
        if tool.poll() is not None:
            said = complaint(folder / "tool.err")
            if tool.returncode == EXIT_LACKING:
                raise Lacking(said)
            raise RunError(f"the profiler ended with {tool.returncode} and said: {said}")
        time.sleep(0.02)
    raise RunError(f"no hello within {HELLO_SECONDS} s; it said: {complaint(folder / 'tool.err')}")


def stop(tool, folder):
    tool.send_signal(signal.SIGINT)
    try:
        code = tool.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise RunError(f"the profiler did not end {STOP_SECONDS} s after SIGINT") from None
    if code != 0:
        said = complaint(folder / "tool.err")
        raise RunError(f"the profiler ended with {code} and said: {said}")


def tool_command(options, case, pid, folder):
    return [
        str(options.tool), "watch", "--pid", str(pid), "--mode", case.mode, "--format", "ndjson",
        "-o", str(folder / "blocks.ndjson"),
    ]


def record(case, command, options, folder):
    """Runs program and profiler together. Returns (go, done) in ns."""
    # For score.py, should the logs be kept: the build, and the file with the code.
    (folder / "build").write_text(f"{case.build}\n{command[-1]}\n")
    environment = {**os.environ, "TRUTH_DIR": str(folder), "TRUTH_SCRATCH": str(options.folder)}
    arguments = [*command, case.program, str(case.seconds), str(case.seed)]
    pipe = subprocess.PIPE
    with process(arguments, stdin=pipe, stdout=pipe, text=True, env=environment) as child:
        program = Program(child)
        program.expect("ready", READY_SECONDS)
        watch = tool_command(options, case, child.pid, folder)
        with open(folder / "tool.err", "w") as err:
            with process(watch, stdin=subprocess.DEVNULL, stdout=err, stderr=err) as tool:
                wait_for_hello(tool, folder)
                program.tell("go")
                since = int(program.expect("go", READY_SECONDS)[0])
                until = int(program.expect("done", case.seconds + READY_SECONDS)[0])
                # For score.py, should the logs be kept.
                (folder / "times").write_text(f"{since} {until}\n")
                time.sleep(GRACE_SECONDS)
                stop(tool, folder)
        program.tell("exit")
        with alarm(STOP_SECONDS, "the program did not end"):
            code = child.wait()
        if code != 0:
            raise RunError(f"the program ended with {code}")
    return since, until


def score_case(case, since, until, stalls, binary, folder):
    events, bad = score.read_events(folder / "blocks.ndjson")
    run = score.Run(
        truth=truthlog.read(folder), events=events, settings=Settings.of(case.mode, events), since=since,
        until=until, stalls=stalls.between(since, until), bad_lines=bad,
        is_healthy=case.program in plans.HEALTHY, has_hogs=case.program in plans.WITH_HOGS, binary=binary,
    )
    return score.score(run)


class Session:
    """All runs of one call, and what came of them."""

    def __init__(self, options, commands, clock_output):
        self.options = options
        self.commands = commands
        self.clock_output = clock_output
        self.rows = []
        self.totals = {}
        self.of_builds = {}
        self.binaries = {}
        self.failures = []
        is_chosen = (options.long or options.healthy or options.builds or options.programs
                     or options.modes)
        self.is_short = not is_chosen
        self.second_tries = 0
        self.floors = floors.SHORT_FLOORS if self.is_short else floors.FLOORS
        self.build_floors = floors.SHORT_BUILD_FLOORS if self.is_short else floors.BUILD_FLOORS
        self.started = time.monotonic()

    def run(self, case):
        folder = Path(log_folder())
        try:
            since, until = record(case, self.commands[case.build], self.options, folder)
            stalls, _is_first = score.read_stalls(self.clock_output)
            tallies = score_case(case, since, until, stalls, self._binary(case.build), folder)
        except (RunError, truthlog.LogError, OSError) as error:
            tallies = {case.mode: score.Tally(case.mode, problems=[str(error)])}
        finally:
            self._keep(case, folder)
        for tally in tallies.values():
            if tally.expected or tally.reported or tally.problems or tally.timing == case.mode:
                self._add(case, tally)

    def _binary(self, build):
        if build not in self.binaries:
            self.binaries[build] = where.Binary.of(builds.BUILDS[build], self.commands[build][-1])
        return self.binaries[build]

    def _keep(self, case, folder):
        if self.options.keep:
            shutil.copy2(self.clock_output, folder / "stalls")
            name = f"{case.build}.{case.program}.{case.mode}.{case.seed}"
            shutil.rmtree(self.options.keep / name, ignore_errors=True)
            shutil.copytree(folder, self.options.keep / name, copy_function=copy_written)
        shutil.rmtree(folder, ignore_errors=True)

    def _add(self, case, tally):
        self.rows.append((case.build, case.program, case.mode, tally))
        self.totals.setdefault((case.mode, tally.timing), score.Tally(tally.timing)).add(tally)
        self.of_builds.setdefault((case.build, case.mode), score.Tally(case.mode)).add(tally)
        print(table.row(case.build, case.program, case.mode, tally), flush=True)
        for problem in tally.problems[:5]:
            print(f"    problem: {problem}")
        for note in tally.notes[: self.options.notes]:
            print(f"    {note}")
        for failure in tally.failures(False, self.floors):
            self._fail(case.mode, f"{case.build} {case.program} {case.mode}", failure)

    def _fail(self, mode, where, failure):
        self.failures.append((mode, f"{where}: {failure}"))
        print(f"    below its floor: {failure}", flush=True)

    def judge_totals(self):
        print("\ntotals")
        print(table.header())
        for row in self.total_rows():
            print(table.row(*row))
            for failure in row[3].failures(True, self.floors):
                self._fail(row[2], f"all {table.mode_name(row[2], row[3])}", failure)

        self._judge_builds()

    def _judge_builds(self):
        print("\nplaces and names")
        print(table.header(table.BUILD_COLUMNS))
        for build, mode, tally in self.build_rows():
            print(table.build_row(build, mode, tally))
            for text, count in tally.places.most_common(self.options.notes):
                print(f"    {count} times {text}")
            for failure in tally.build_failures(builds.BUILDS[build], self.build_floors):
                self._fail(mode, f"{build} {mode}", failure)

    def build_rows(self):
        return [(build, mode, tally) for (build, mode), tally in self.of_builds.items()]

    def second_try(self, cases):
        """Forgets and repeats the modes in which something failed. For the short run, whose few blocks do not tell a
        disturbed machine from a regression: that one fails twice."""
        modes = {mode for mode, _failure in self.failures}
        if not modes:
            return
        print(f"\nonce more: {', '.join(sorted(modes))}")
        self.second_tries = len(self.failures)
        self.failures.clear()
        self.rows = [row for row in self.rows if row[2] not in modes]
        self.totals = {key: tally for key, tally in self.totals.items() if key[0] not in modes}
        self.of_builds = {key: tally for key, tally in self.of_builds.items() if key[1] not in modes}
        for case in cases:
            if case.mode in modes:
                self.run(case)
        self.judge_totals()

    def total_rows(self):
        return [("all", "all", mode, tally) for (mode, _timing), tally in self.totals.items()]

    def finish(self):
        """Prints what came of it, writes what was asked for, returns the exit code."""
        stalls, is_first = score.read_stalls(self.clock_output)
        self._tell_healthy()
        summary = stall_summary(stalls, is_first)
        print(f"\n{table.LEGEND}\n{summary}")
        self._write(summary)
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        for _mode, failure in self.failures:
            print(f"BELOW {failure}")
        if self.second_tries:
            print(f"{self.second_tries} tests needed a second try")
        print(f"{len(self.rows)} scores, {len(self.failures)} below their floors"
              f" ({minutes} min {seconds} s without the builds)")
        return 1 if self.failures else 0

    def _tell_healthy(self):
        """What was said of programs in which nothing blocks."""
        rows = [row for row in self.rows if row[1] in plans.HEALTHY]
        if rows:
            runs = sum(mode == tally.timing for *_, mode, tally in rows)
            reports = sum(row[3].reported for row in rows)
            false = sum(row[3].healthy_false for row in rows)
            print(f"\nhealthy programs: {runs} runs, {reports} reports, {false} of them false"
                  " (the others are marked starved, or the machine stood still)")

    def _write(self, summary):
        rows = self.rows + self.total_rows()
        if self.options.json:
            failures = [text for _mode, text in self.failures]
            table.write_json(self.options.json, rows, self.build_rows(), summary, failures)
        if self.options.accuracy:
            tables = (table.build_markdown(self.build_rows()), table.markdown(self.total_rows() + self.rows))
            text = "\n\n".join([*tables, table.LEGEND, summary])
            table.write_between_markers(self.options.accuracy, text)


def stall_summary(stalls, is_first):
    longest = stalls.longest / floors.MS
    text = f"second clock: {len(stalls.times)} stalls over 0.2 ms, the longest {longest:.2f} ms"
    return text if is_first else text + " (without real-time priority: load counts as a stall)"


@contextmanager
def second_clock(options):
    """Runs beside everything; yields the file it writes to."""
    path = Path(log_folder()) / "stalls"
    with open(path, "w") as out:
        command = builds.make_second_clock(options.folder)
        with process(command, stdin=subprocess.PIPE, stdout=out):
            yield path
    shutil.rmtree(path.parent)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--short", action="store_true", help="what `make test` runs (the default)")
    what.add_argument("--long", action="store_true", help="everything; writes doc/ACCURACY.md")
    what.add_argument("--healthy", type=float, metavar="MINUTES",
                      help="healthy programs in short runs, with and without CPU hogs beside them")
    parser.add_argument("--builds", nargs="+", choices=builds.BUILDS, metavar="BUILD")
    parser.add_argument("--programs", nargs="+", choices=plans.PROGRAMS, metavar="PROGRAM")
    parser.add_argument("--modes", nargs="+", choices=plans.MODES, metavar="MODE")
    parser.add_argument("--seconds", type=float, default=plans.SHORT_SECONDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tool", type=Path, default=ROOT / "build" / "runtime-scope")
    parser.add_argument("--folder", type=Path, default=builds.DEFAULT_FOLDER, help="of the builds")
    parser.add_argument("--json", type=Path, help="write the scores there, too")
    parser.add_argument("--accuracy", type=Path, help="write the table between this file's markers")
    parser.add_argument("--keep", type=Path, help="copy every run's logs into this folder")
    parser.add_argument("--notes", type=int, default=5, help="lines about single blocks per run")
    options = parser.parse_args()
    # Programs and profiler are started by path, from wherever this was called.
    options.tool, options.folder = options.tool.resolve(), options.folder.resolve()
    return options


def choose_cases(options):
    if options.long:
        options.accuracy = options.accuracy or ROOT / "doc" / "ACCURACY.md"
        return plans.long()
    if options.healthy:
        return plans.healthy(options.healthy, options.builds or builds.BUILDS, options.seed)
    if options.builds or options.programs or options.modes:
        return plans.chosen(
            options.builds or ["release"], options.programs or plans.PROGRAMS,
            options.modes or plans.MODES, options.seconds, options.seed,
        )
    return plans.short()


def main():
    options = parse_arguments()
    if not os.access(options.tool, os.X_OK):
        print(f"run.py: no profiler at {options.tool}: build it, or name it with --tool",
              file=sys.stderr)
        return 2
    cases = choose_cases(options)
    commands = builds.make_all(dict.fromkeys(case.build for case in cases), options.folder)
    with second_clock(options) as clock_output:
        session = Session(options, commands, clock_output)
        print(table.header())
        try:
            for case in cases:
                session.run(case)
            session.judge_totals()
            if session.is_short:
                session.second_try(cases)
        except Lacking as why:
            print(f"SKIPPED, the profiler cannot work here: {why}")
            return SKIPPED
        return session.finish()


if __name__ == "__main__":
    sys.exit(main())
