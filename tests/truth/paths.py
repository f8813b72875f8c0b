# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rust paths as compilers, demanglers and `type_name` write them, brought into one form."""

import re
import subprocess

CLOSURE = "{closure}"
# {closure#0}, {{closure}}, {async_fn#0}, {async_block_env#1}, …: one body inside a function.
_BODIES = re.compile(r"\{\{?(?:closure|async_fn|async_block|async_closure|coroutine)(?:_env)?(?:#\d+)?\}?\}")
# Not names, but how types and futures are written.
_SAID = {"async", "closure", "dyn", "impl", "as", "mut", "const", "fn", "for"}


def _matching(text, at, step):
    """Index of the bracket that belongs to the one at `at`; "->" is none. -1: there is none."""
    depth = 0
    while 0 <= at < len(text):
        if text[at] == "<":
            depth += 1
        elif text[at] == ">" and text[at - 1 : at] != "-":
            depth -= 1
        if depth == 0:
            return at
        at += step
    return -1


def _without_generics(text):
    """Less all "<…>" that follow a name; "<T as Trait>" at the begin of a path stays."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "<" and re.search(r"(\w|\}|::)$", out):
            end = _matching(text, at, +1)
            out = out.removesuffix("::")
            at = len(text) if end < 0 else end + 1
            continue
        out += text[at]
        at += 1
    return out


def _split(text):
    """Segments of a path without generics; a qualified type is one."""
    if not text.startswith("<"):
        return text.split("::")
    end = _matching(text, 0, +1)
    inside, rest = text[1:end], text[end + 1 :].removeprefix("::")
    head = [inside] if " as " in inside else _split(inside)
    return [*head, *rest.split("::")] if rest else head


def _qualified(text):
    """The compilers' older "module::<impl Trait for T>::f" as "<T as Trait>::f"."""
    found = re.search(r"<impl (.*)>::", text)
    if not found:
        return text
    trait, is_trait, of = found[1].partition(" for ")
    return (f"<{of} as {trait}>::" if is_trait else f"<{trait}>::") + text[found.end() :]


def normal(text):
    """A tuple of segments, without generics, numbers of closures and hashes: equal where the functions are."""
    text = re.sub(r"::h[0-9a-f]{16}$", "", text)
    text = _BODIES.sub(CLOSURE, text)
    return tuple(part for part in _split(_without_generics(_qualified(text))) if part)


def bodies(type_text):
    """Paths of the async functions and blocks that a type is made of, outermost first, as normal() has them."""
    text = _BODIES.sub(CLOSURE, type_text)
    run = "::" + CLOSURE
    found, at = [], text.find(run)
    while at >= 0:
        begin, end = at, at
        while text.startswith(run, end):
            end += len(run)
        begin = _begin_of_path(text, begin)
        found.append(normal(text[begin:end]))
        at = text.find(run, end)
    return found


def _begin_of_path(text, end):
    at = end
    while at > 0:
        if text[at - 1] == ">":
            begin = _matching(text, at - 1, -1)
            if begin < 0:
                return at
            at = begin
        elif re.match(r"[\w:]", text[at - 1]):
            at -= 1
        else:
            break
    return at


def words(text):
    """The names in a type or path: all that it can be wrong about."""
    return {word for word in re.findall(r"[^\W\d]\w*", text) if word not in _SAID}


def of_binary(path):
    """normal() of every function in a symbol table."""
    done = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=False)
    rows = (line.split(" ", 2) for line in done.stdout.splitlines())
    return {normal(row[2]) for row in rows if len(row) == 3 and row[1] in "tTwW"}
