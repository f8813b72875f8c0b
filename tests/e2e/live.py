# SPDX-License-Identifier: MIT OR Apache-2.0
"""Running targets and the tool beside each other, and comparing what the one did with what the other says.

Nothing here relies on how fast the machine is: whoever waits, waits until it is there or WAIT_S have passed.
"""
import dataclasses
import importlib.util
import io
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_S = 40
MS = 1_000_000
# The machine's fault, not the program's: a loaded test machine may show them at any time.
MACHINE_CAUSES = {"starved", "throttled"}


def load_tool_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


validate_ndjson = load_tool_script("validate_ndjson")
SCHEMA = jsonschema.Draft202012Validator(json.loads(validate_ndjson.SCHEMA.read_text()))


def bad_lines(raw, is_complete=True):
    """How many lines break doc/ndjson.schema.json or, for a whole run, the order of hello and bye."""
    return validate_ndjson.check(io.BytesIO(raw), "output", SCHEMA, is_complete)


def wait_until(condition, what, limit_s=WAIT_S):
    """Returns the condition's first true value."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {limit_s} s: {what}"
        time.sleep(0.01)


class SecondClock:
    """Knows when the machine itself stood still: a block then is nobody's fault. Runs beside all tests."""

    def __init__(self, command):
        self.process = Process(command)

    def stalled_ns(self, start, end):
        """How long a CPU stood still between these times; stalls of several CPUs add up."""
        total = 0
        for _, raw in list(self.process.lines):
            words = raw.split()
            if words[0].isdigit():
                total += max(0, min(end, int(words[2])) - max(start, int(words[1])))
        return total


class Process:
    """A child whose output is kept line by line, with the time each line came."""

    def __init__(self, argv, **options):
        self.argv = [str(a) for a in argv]
        self.lines = []  # (monotonic ns, bytes with the newline)
        self.errors = []
        options.setdefault("stdin", subprocess.PIPE)
        options.setdefault("stdout", subprocess.PIPE)
        self.popen = subprocess.Popen(self.argv, stderr=subprocess.PIPE, **options)
        self.pid = self.popen.pid
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.popen.stdout, self.lines), (self.popen.stderr, self.errors))
                         if pair[0]]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for raw in stream:
            lines.append((time.monotonic_ns(), raw))

    def send(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def text(self):
        return b"".join(raw for _, raw in list(self.lines)).decode()

    def stderr(self):
        return b"".join(raw for _, raw in list(self.errors)).decode()

    def signal(self, number):
        self.popen.send_signal(number)

    def is_running(self):
        return self.popen.poll() is None

    def wait(self, limit_s=WAIT_S):
        """The exit code, when all of the output has been read."""
        try:
            code = self.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {limit_s} s: {self.argv}\n{self.stderr()}") from None
        for reader in self._readers:
            reader.join(5)  # a grandchild may hold the pipe open for longer
        return code

    def close(self):
        if self.is_running():
            self.popen.kill()
        self.popen.wait()
        if self.popen.stdin:
            try:
                self.popen.stdin.close()
            except BrokenPipeError:
                pass


@dataclasses.dataclass(frozen=True)
class Held:
    """A block as the target itself saw it; a bit shorter than the poll it happened in."""

    kind: str
    task: int
    tid: int  # 0 unknown
    start: int
    ns: int
    is_estimate: bool = False  # the start is only known from when the line came, which may have been late

    def overlaps(self, block):
        """The block is about this one: the same task, and most of the time in common."""
        if (block["task_id"] or 0) != self.task:
            return False
        if self.is_estimate:
            return -50 * MS < self.start - block["start_ns"] < 500 * MS
        begin = max(self.start, block["start_ns"])
        end = min(self.start + self.ns, block["start_ns"] + block["duration_ns"])
        return end - begin > self.ns / 2


class Target(Process):
    """A program that says `ready`, and `block kind=… task=…` for every block of its own."""

    def replies(self, prefix):
        return [line for line in self.text().splitlines() if line.startswith(prefix)]

    def expect(self, prefix, count=1):
        """Waits for the count-th line with this prefix and returns it."""
        def there():
            return len(self.replies(prefix)) >= count or not self.is_running()

        wait_until(there, f"{count} lines '{prefix}' of {self.argv}")
        found = self.replies(prefix)
        assert len(found) >= count, f"ended without {count} lines '{prefix}': {self.text()}{self.stderr()}"
        return found[count - 1]

    def ask(self, command, reply):
        """Sends a command and returns the line it is answered with."""
        before = len(self.replies(reply))
        self.send(command)
        return self.expect(reply, before + 1)

    def block(self, kind, ms, count=1, via=""):
        """Lets tasks of the target block; returns what it says of them."""
        before = len(self.held())
        self.ask(f"{via}block {kind} {ms} {count}", "done")
        held = self.held()[before:]
        assert len(held) == count
        return held

    def held(self):
        found = []
        for at, raw in list(self.lines):
            fields = dict(re.findall(r"(\w+)=(\S+)", raw.decode()))
            if not raw.startswith(b"block "):
                continue
            ns = int(fields["ns"]) if "ns" in fields else int(float(fields["ms"]) * MS)
            task = 0 if fields["task"] == "none" else int(fields["task"])
            found.append(Held(fields["kind"], task, int(fields.get("tid", 0)),
                              int(fields.get("start", at - ns)), ns, "start" not in fields))
        return found


class Watch(Process):
    """runtime-scope with NDJSON on its standard output, or in `output` when that is a file."""

    def __init__(self, tool, args, clock, output=None, prefix=(), **options):
        self.output = output
        self.clock = clock
        where = ["-o", output] if output else []
        split = args.index("--") if "--" in args else len(args)
        argv = [*prefix, tool, *args[:split], "--format", "ndjson", *where, *args[split:]]
        super().__init__(argv, **options)

    def raw(self):
        if self.output:
            return self.output.read_bytes() if self.output.exists() else b""
        return b"".join(raw for _, raw in list(self.lines))

    def events(self, kind=None):
        whole = [raw for raw in self.raw().splitlines(keepends=True) if raw.endswith(b"\n")]
        events = [json.loads(raw) for raw in whole]
        return [e for e in events if kind in (None, e["type"])]

    def expect(self, kind, count=1, condition=lambda event: True):
        """Waits for the count-th such event and returns it."""
        def found():
            return [e for e in self.events(kind) if condition(e)]

        wait_until(lambda: len(found()) >= count or not self.is_running(), f"{count} {kind}")
        events = found()
        assert len(events) >= count, f"ended with {self.popen.poll()} without {count} {kind}: {self.stderr()}"
        return events[count - 1]

    def hello(self, count=1):
        return self.expect("hello", count)

    def matches(self, held):
        """[(held, its blocks)]"""
        blocks = self.events("block")
        return [(h, [b for b in blocks if h.overlaps(b)]) for h in held]

    def expect_blocks(self, held):
        """Waits until each is reported, checks that it is once and right. Returns [(held, block)]."""
        assert held
        try:
            wait_until(lambda: all(found for _, found in self.matches(held)), "blocks", 10)
        except AssertionError:
            missing = [h for h, found in self.matches(held) if not found]
            near = [b for b in self.events("block")
                    if any(abs(b["start_ns"] - h.start) < 500 * MS for h in missing)]
            raise AssertionError(f"{len(missing)} of {len(held)} not reported: {missing}; "
                                 f"reported near: {summary(near)}") from None
        pairs = self.matches(held)
        twice = [(h, summary(found)) for h, found in pairs if len(found) > 1]
        assert not twice, f"reported more than once: {twice}"
        pairs = [(h, found[0]) for h, found in pairs]
        check_durations(pairs)
        return pairs

    def is_machine(self, block):
        """The machine's fault: the tool says so of a task, or the second clock of the whole machine."""
        if block["cause"] in MACHINE_CAUSES:
            return True
        start, ns = block["start_ns"], block["duration_ns"]
        return self.clock.stalled_ns(start - MS, start + ns) >= 0.3 * ns

    def unexplained(self, held):
        """Blocks of nobody's that are not the machine's fault either."""
        return summary(b for b in self.events("block")
                       if not any(h.overlaps(b) for h in held) and not self.is_machine(b))

    def finish(self, number=signal.SIGINT, code=0):
        """Stops the tool, checks its exit code and every line of it; returns the last bye."""
        if self.is_running():
            self.signal(number)
        assert self.wait() == code, self.stderr()
        assert bad_lines(self.raw()) == 0
        return self.events("bye")[-1]


def summary(blocks):
    return [f"task {b['task_id']} tid {b['tid']} at {b['start_ns']} {b['duration_ns'] / MS:.2f} ms "
            f"±{(b['error_ns'] or 0) / MS:.2f} {b['cause']} {b['role']} {b['phase']}" for b in blocks]


def check_durations(pairs):
    """No block is shorter than what the target saw of it; most are hardly longer. (A poll is longer when its thread has
    to wait for a CPU before or after what is measured in the target.)"""
    close = 0
    for held, block in pairs:
        assert block["error_ns"] is not None, ("begun before the tool looked", held, summary([block]))
        longer = block["duration_ns"] - held.ns
        assert longer >= -block["error_ns"] - MS, (held, summary([block]))
        close += longer <= block["error_ns"] + 2 * MS + (block["runq_ns"] or 0)
        parts = [block[name] for name in ("oncpu_ns", "offcpu_ns", "runq_ns")]
        if None not in parts:
            assert abs(sum(parts) - block["duration_ns"]) <= block["error_ns"] + 1000, summary([block])
    assert close >= 0.8 * len(pairs), [(h, summary([b])) for h, b in pairs]


def is_cause(block, wanted):
    """What the target did, unless the machine had more to do with it: then it has to say so."""
    parts = {"starved": block["runq_ns"], "cpu": block["oncpu_ns"], wanted: block["offcpu_ns"]}
    if wanted == "cpu":
        parts["cpu"] = block["oncpu_ns"]
    if block["cause"] == wanted and wanted in {"file", "socket", "pipe", "process"}:
        return True  # such calls work on the CPU as well, and that is theirs
    largest = max(parts.values())
    near = {cause for cause, ns in parts.items() if ns >= 0.8 * largest}
    return block["cause"] in near


def code_mappings(pid):
    """[(start, end, file offset, path)] of every executable mapping of a file."""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if "x" in fields[1] and len(fields) == 6 and fields[5].startswith("/"):
            start, end = (int(x, 16) for x in fields[0].split("-"))
            found.append((start, end, int(fields[2], 16), fields[5]))
    return found


def changed_code(pid):
    """How many bytes of the process's code are not those of its files."""
    changed = 0
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for start, end, offset, _ in code_mappings(pid):
            with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as file:
                file.seek(offset)
                then = file.read(end - start)
            memory.seek(start)
            now = memory.read(end - start)[:len(then)]
            if now != then:
                changed += sum(a != b for a, b in zip(now, then))
    return changed


def has_probe_area(pid):
    """The kernel maps this into a process at its first uprobe, and never takes it away again."""
    return "[uprobes]" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def child_of(pid):
    """The one child of a process, once it has one."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return int(wait_until(lambda: children.read_text().split(), f"a child of {pid}")[0])


def bench_harness(name):
    """A module of the cost harness, which knows BPF objects and whose they are."""
    return import_from("bench", "harness." + name)


def import_from(folder, name):
    folder = str(ROOT / folder)
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
