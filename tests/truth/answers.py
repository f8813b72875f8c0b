# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a profiler should say of a block's place and task: what the programs logged, and their sources."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import paths

PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Answer:
    """kind `block`: path of the function that blocks, and where. Kind `task`: type of the future, and where it was spawned."""

    kind: str
    path: str
    file: str
    line: int

    @property
    def function(self):
        return paths.normal(self.path)

    @property
    def body(self):
        """Path of the async function or block the type is made of; None where it says none (a boxed future)."""
        return next(iter(paths.bodies(self.path)), None)

    def lines(self, sources=PROGRAMS):
        """Those that are right: the call's statement, or everything of the future. ((first, last), …)"""
        if self.kind == "task":
            return _lines_of_task(self, sources)
        return _lines_at(_text(sources / self.file), self.line)

    def is_never_inlined(self, sources=PROGRAMS):
        """Whether the source says so."""
        names = [part for part in self.function if part != paths.CLOSURE]
        declared = re.compile(rf" *(?:pub )?(?:async )?fn {names[-1]}\b")
        text = _text(sources / self.file)
        before = (line for line, after in zip(text, text[1:]) if declared.match(after))
        return self.function[-1] != paths.CLOSURE and any("#[inline(never)]" in line for line in before)

    def is_at(self, file, line, sources=PROGRAMS):
        """Whether that is right; a program tells paths as its compiler was given them, so their end decides."""
        if not file or not line:
            return False
        wanted = self.source_file(sources)
        is_file = file == wanted or file.endswith("/" + wanted)
        return is_file and any(first <= line <= last for first, last in self.lines(sources))

    def source_file(self, sources=PROGRAMS):
        found = self.kind == "task" and _async_function(self, sources)
        return found[0] if found else self.file


@lru_cache
def _text(path):
    return tuple(path.read_text().splitlines()) if path.is_file() else ()


def _lines_of_task(answer, sources):
    found = _async_function(answer, sources)
    return (found[1],) if found else _lines_at(_text(sources / answer.file), answer.line)


def _async_function(answer, sources):
    """(file, (first, last line)) of the async fn that is the whole body; None when that is an async block."""
    body = answer.body
    if body is None or body[-2:-1] == (paths.CLOSURE,):
        return None
    *modules, name = body[:-1]
    while modules:
        file = "/".join([modules[0], "src", *modules[1:]]) + ".rs"
        text = _text(sources / file)
        for number, line in enumerate(text, 1):
            found = re.match(rf"( *)(?:pub )?async fn {name}\b", line)
            if found:
                return file, (number, _end(text, number, found[1]))
        modules.pop()
    return None


def _end(text, first, indent):
    """The line that closes what the line `first` opens."""
    closing = re.compile(re.escape(indent) + r"[)}\]]")
    return next((n for n in range(first + 1, len(text) + 1) if closing.match(text[n - 1])), first)


def _lines_at(text, line):
    """Those of the statement that begins there; where it calls a macro of the same file, those of the macro as well."""
    if not 0 < line <= len(text):
        return ((line, line),)
    first = text[line - 1]
    is_whole = sum(first.count(c) for c in "([{") == sum(first.count(c) for c in ")]}")
    last = line if is_whole else _end(text, line, first[: len(first) - len(first.lstrip())])
    made = [_macro(text, name) for name in re.findall(r"(\w+)!", first)]
    return ((line, last), *(one for one in made if one))


def _macro(text, name):
    for number, line in enumerate(text, 1):
        if re.match(rf"macro_rules! {name}\b", line):
            return number, _end(text, number, "")
    return None


def read(folder):
    """{number: Answer} of one run."""
    found = {}
    for path in sorted(folder.glob("*.answers")):
        for line in path.read_text().splitlines():
            number, kind, told, file, at = line.split("\t")
            found[int(number)] = Answer(kind, told, file, int(at))
    return found
