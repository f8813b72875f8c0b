# SPDX-License-Identifier: MIT OR Apache-2.0
"""Frames of random code addresses: this project's beside those of binutils' addr2line and of gimli's tool.

Each difference has to be one of those that are known, and to show what that one is known by; else it is a defect of one of
the three. What is known:

symbol      gimli's tool calls the outermost function what the symbol table calls it, which for code that several functions
            share (folded by the linker or by LLVM), or that was cut in parts (".cold", ".304"), may be another name than
            DWARF's. We take DWARF's, unless that is without crate and module and the symbol is the same function's.
innermost   binutils puts the symbol's name on the innermost frame, or on several, when DWARF has no linkage name for it
            (line tables alone): but that is the name of the function that the others were inlined into, which it then gives
            DWARF's shorter name.
caller      We complete the name of an async body or a closure, "{async_fn#0}", by the type arguments of who it is inlined into,
            "poll<app::load::{async_fn_env#0}>". Another reader, or DWARF's names, must have that
            argument in that function's name.
gap         Between functions binutils names the nearest one before; and code without debuginfo of a local symbol it gives a
            "file", the STT_FILE symbol, with no line ("std.e28293b1aa0f68bd-cgu.0").
lost        binutils 2.40 loses the inlined functions of clang's DWARF 5: it does not read their address ranges
            (DW_FORM_rnglistx). Where it finds fewer frames than the two others, which agree.
unit        binutils 2.40 mistakes the files of DWARF 5's line tables: where only the file differs, and its own is the unit's.
"""
import re
from collections import Counter
from dataclasses import dataclass, field

import readers


@dataclass
class Result:
    count: int = 0
    same: Counter = field(default_factory=Counter)  # by reader
    known: Counter = field(default_factory=Counter)  # by (reader, what)
    strange: list = field(default_factory=list)  # (reader, address, ours, theirs)


def differing(mine, other):
    """Pairs of frames that are not the same, each with its place; None when there are not as many."""
    if len(mine) != len(other):
        return None
    return [(i, a, b) for i, (a, b) in enumerate(zip(mine, other)) if a != b]


def only_names(pairs):
    return all(a[1:] == b[1:] for _, a, b in pairs)


def uncompleted(mine, others, texts):
    """Our frames with the names that the caller's completed (see above) as DWARF has them.

    By what the other readers call the caller; or, as both may call it by its symbol, by the names that DWARF has at all.
    """
    frames = list(mine)
    for i, (name, *rest) in enumerate(mine[:-1]):
        path, _, short = name.rpartition("::")
        callers = [other[i + 1][0] for other in others if other and len(other) == len(mine)]
        argument = f"{path}::{short.replace('#', '_env#', 1)}"
        if i == len(mine) - 2:
            head = mine[-1][0].rpartition("::")[2].split("<")[0]
            callers += [text for text in texts.get(head, ()) if argument in text]
        if short.startswith("{") and any(argument in caller for caller in callers):
            frames[i] = (short, *rest)
    return frames


def is_short_for(plain, whole):
    """"set_stage<…>" for "tokio::…::Core<T,S>::set_stage"; all closures and async blocks are one to old symbols."""
    head = plain.split("<")[0]
    return head in whole or (plain.startswith("{") and "{{closure}}" in whole)


def explain_gimli(mine, other, names):
    pairs = differing(mine, other)
    if pairs == []:
        return "caller"
    if not pairs or len(pairs) > 1 or pairs[0][0] != len(mine) - 1 or not only_names(pairs):
        return None
    name = other[-1][0]
    return "symbol" if name in names or re.sub(r"\.\d+$", "", name) == mine[-1][0] else None


def explain_gap(mine, other, names, is_inside):
    if len(mine) != 1 or len(other) != 1 or other[0][2] or "/" in other[0][1]:
        return False
    if mine == readers.NOTHING:
        return not is_inside and other[0][0] in names | {readers.UNKNOWN}
    return mine[0][1] == readers.UNKNOWN and mine[0][0] in names and other[0][0] in names


def explain_innermost(pairs, names, last):
    if not pairs or not only_names(pairs):
        return False
    return all(b in names or (i == last and a in names and is_short_for(b, a)) for i, (a, *_), (b, *_) in pairs)


def explain_binutils(mine, other, agreed, names, is_inside, units):
    """`agreed`: the third reader says the same as we do. `units`: the files that were compiled."""
    pairs = differing(mine, other)
    if pairs == []:
        return "caller"
    if explain_gap(mine, other, names, is_inside):
        return "gap"
    if explain_innermost(pairs, names, len(mine) - 1):
        return "innermost"
    if agreed and pairs is None and len(other) < len(mine):
        return "lost"
    if pairs and all(a[0] == b[0] and a[2] == b[2] and b[1] in units for _, a, b in pairs):
        return "unit"
    return None


def compare(path, found):
    """`found`: {"ours": frames, "binutils": …, "gimli": …} of the same addresses, with "addresses"; gimli may be missing."""
    symbols, units, result = readers.Symbols(path), readers.units(path), Result(len(found["addresses"]))
    texts = readers.generic_names(path)
    gimli = found.get("gimli", [None] * result.count)
    for address, mine, binutils, third in zip(found["addresses"], found["ours"], found["binutils"], gimli, strict=True):
        names, is_inside = symbols.around(address)
        why, short = {}, uncompleted(mine, [binutils, third], texts)
        if third is not None:
            why["gimli"] = None if third == mine else explain_gimli(short, third, names) or "?"
        agreed = why.get("gimli", "?") in (None, "symbol", "caller")
        why["binutils"] = (None if binutils == mine
                           else explain_binutils(short, binutils, agreed, names, is_inside, units) or "?")
        for reader, reason in why.items():
            if reason is None:
                result.same[reader] += 1
            elif reason == "?":
                result.strange.append((reader, address, mine, third if reader == "gimli" else binutils))
            else:
                result.known[reader, reason] += 1
    return result


def lines_of(name, result):
    """For people: one line a reader, and what is strange."""
    for reader in sorted({*result.same, *(reader for reader, _ in result.known)}):
        known = ", ".join(f"{count} {why}" for (of, why), count in sorted(result.known.items()) if of == reader)
        strange = sum(of == reader for of, *_ in result.strange)
        yield (f"{name:<12}{reader:<10}{result.count:>7} addresses {result.same[reader]:>7} same"
               f"   explained: {known or 'none'}   unexplained: {strange}")
    for reader, address, mine, other in result.strange[:10]:
        yield f"  {reader} {address:#x}\n    ours   {mine}\n    theirs {other}"
