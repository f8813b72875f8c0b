# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads what a truth program logged (the layout is that of programs/truthlog/src/log.rs)."""

import struct
from array import array
from dataclasses import dataclass, field

import answers

HEADER = struct.Struct("<8sIIQQQ24x")
MAGIC = b"TRUTHLG1"
RECORD_BYTES = 64
WORDS = RECORD_BYTES // 8

POLL, DROP, IN_PLACE, SPAWN, ROOT = 1, 2, 3, 4, 5
PANICKED, PARTS = 1, 2
ROLES = {"worker": 1, "current_thread": 2, "local_set": 4, "block_on": 8}
CAUSES = [None, "cpu", "sleep", "lock", "file", "socket", "pipe", "process", "page_fault"]
# A cause or a place is only scored where it is clear: at least this part of the block.
CLEAR = 0.6


@dataclass(eq=False)
class Span:
    """A poll, a drop or a block_in_place window, on one thread."""

    tid: int
    index: int
    start: int
    end: int
    task: int
    kind: int
    parent: int = -1
    roles: int = 0
    cause: str = None
    flags: int = 0
    cpu: int = 0
    runq: int = 0
    cause_ns: int = 0
    answer: int = 0
    answer_ns: int = 0
    inner: list = field(default_factory=list, repr=False)
    inside_in_place: bool = False

    @property
    def duration(self):
        return self.end - self.start

    @property
    def is_root(self):
        return self.kind == ROOT

    @property
    def has_parts(self):
        """Whether its CPU and run-queue time are its own: known, and nothing nested."""
        return bool(self.flags & PARTS) and not self.inner

    @property
    def offcpu(self):
        return max(0, self.duration - self.cpu - self.runq)

    def true_cause(self):
        """What most of it was, or None where that is not clear."""
        if not self.has_parts:
            return None
        parts = {"cpu": self.cpu, "starved": self.runq}
        if self.cause not in (None, "cpu"):
            parts[self.cause] = min(self.cause_ns, self.offcpu)
        cause = max(parts, key=parts.get)
        return cause if is_clear(parts[cause], self.duration) else None


def is_clear(part, whole):
    return part >= CLEAR * whole


class LogError(Exception):
    pass


class ThreadLog:
    """The records of one thread, in the order they began."""

    def __init__(self, tid, data):
        words = memoryview(data).cast("Q")
        self.tid = tid
        self.start = array("Q", words[0::WORDS])
        self.end = array("Q", words[1::WORDS])
        self._who = array("Q", words[2::WORDS])
        self._what = array("Q", words[3::WORDS])
        self._more = (words[4::WORDS], words[5::WORDS], words[6::WORDS])
        self._answer = words[7::WORDS]

    def __len__(self):
        return len(self.start)

    def kind(self, index):
        return self._what[index] & 0xFF

    def task(self, index):
        return self._who[index] & 0xFFFFFFFF

    def parent(self, index):
        return (self._who[index] >> 32) - 1

    def answer(self, index):
        """(number of the answer, how long the call took that it is about)."""
        return self._answer[index] & 0xFFFFFFFF, (self._answer[index] >> 32) * 1000

    def span(self, index):
        what = self._what[index]
        cpu, runq, cause_ns = (words[index] for words in self._more)
        answer, answer_ns = self.answer(index)
        return Span(
            tid=self.tid, index=index, start=self.start[index], end=self.end[index],
            task=self.task(index), kind=what & 0xFF, parent=self.parent(index),
            roles=what >> 8 & 0xFF, cause=CAUSES[what >> 16 & 0xFF], flags=what >> 24 & 0xFF,
            cpu=cpu, runq=runq, cause_ns=cause_ns, answer=answer, answer_ns=answer_ns,
        )

    def after(self, index):
        """The next record beside this one (not inside it) under the same parent, or None."""
        parent = self.parent(index)
        for other in range(index + 1, len(self)):
            if self.parent(other) <= parent and self.kind(other) != SPAWN:
                return other if self.parent(other) == parent else None
        return None


def read_header(path, file):
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise LogError(f"{path}: too short")
    magic, tid, _pid, capacity, count, lost = HEADER.unpack(header)
    if magic != MAGIC or count > capacity:
        raise LogError(f"{path}: not a truth log")
    return tid, count, lost


def written_bytes(path):
    """How much of the file is in use: it is sparse, and far longer."""
    with open(path, "rb") as file:
        return HEADER.size + read_header(path, file)[1] * RECORD_BYTES


def read_thread(path):
    with open(path, "rb") as file:
        tid, count, lost = read_header(path, file)
        if lost:
            raise LogError(f"{path}: full, {lost} records lost: run it for a shorter time")
        data = file.read(count * RECORD_BYTES)
    return ThreadLog(tid, data[: len(data) // RECORD_BYTES * RECORD_BYTES])


class Truth:
    """Everything one program logged."""

    def __init__(self, threads, known_answers):
        self.threads = {thread.tid: thread for thread in threads}
        self.answers = known_answers
        self.ids, self._futures = {}, {}
        for thread in threads:
            for index in range(len(thread)):
                if thread.kind(index) == SPAWN:
                    self.ids[thread.task(index)] = thread.start[index]
                    self._futures[thread.task(index)] = thread.answer(index)[0]

    def task_id(self, span):
        """Tokio's id; None for a root future; 0 when it is not known."""
        return None if span.is_root else self.ids.get(span.task, 0)

    def future_of(self, span):
        """The answer about the kind of future that is polled or dropped; None for a root future."""
        return None if span.is_root else self.answers.get(self._futures.get(span.task))

    def spans(self, at_least, until):
        """All that lasted `at_least`, nested as they were; what had not ended ends at `until`."""
        return [
            span
            for thread in self.threads.values()
            for span in _long_spans(thread, at_least, until)
        ]


def _long_spans(thread, at_least, until):
    found = {}
    for index in range(len(thread)):
        kind = thread.kind(index)
        end = thread.end[index] or until
        if kind == SPAWN or (kind != IN_PLACE and end - thread.start[index] < at_least):
            continue
        span = thread.span(index)
        span.end = max(end, span.start)
        found[index] = span
        # What encloses a long span is long itself, and began before it.
        outer = found.get(span.parent)
        if outer:
            outer.inner.append(span)
            span.inside_in_place = outer.inside_in_place or outer.kind == IN_PLACE
    return list(found.values())


def read(folder):
    threads = [read_thread(path) for path in sorted(folder.glob("*.truth"))]
    return Truth(threads, answers.read(folder))
