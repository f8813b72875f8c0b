#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checks each line of runtime-scope's NDJSON output against doc/ndjson.schema.json.

Exit code 0: every line is valid; 1: some line is not (its number and the reason are printed), or there is none;
2: a file cannot be read.
"""

import argparse
import collections
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "doc" / "ndjson.schema.json"


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def unique_keys(pairs):
    counts = collections.Counter(key for key, _ in pairs)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"field twice: {twice[0]}")
    return dict(pairs)


def parse(raw):
    """One line of bytes as strict JSON; ValueError when it is not."""
    if not raw.endswith(b"\n"):
        raise ValueError("the line does not end with a newline")
    return json.loads(raw.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=unique_keys)


def innermost(error):
    """The error that says most: of the branches of anyOf and if/then, the deepest."""
    while error.context:
        error = max(error.context, key=lambda e: len(e.absolute_path))
    return error


def complaints(validator, line):
    for error in validator.iter_errors(line):
        error = innermost(error)
        where = ".".join(str(part) for part in error.absolute_path) or "line"
        yield f"{where}: {error.message}"


def order_complaints(types):
    """For a complete run: hello first, bye last, one of each for every process watched."""
    if types[0] != "hello":
        yield "hello has to be the first line"
    if types[-1] != "bye":
        yield "bye has to be the last line"
    if types.count("hello") != types.count("bye"):
        yield f"{types.count('hello')} hello, but {types.count('bye')} bye"


def check(source, name, validator, is_complete):
    """Prints what is wrong; returns the number of bad lines."""
    bad = 0
    types = []
    for number, raw in enumerate(source, 1):
        try:
            line = parse(raw)
            reasons = list(complaints(validator, line))
            types.append(line.get("type") if isinstance(line, dict) else None)
        except ValueError as error:
            reasons = [str(error)]
        for reason in reasons:
            print(f"{name}:{number}: {reason[:300]}", file=sys.stderr)
        bad += bool(reasons)
    if not types and not bad:
        print(f"{name}: no lines", file=sys.stderr)
        return 1
    for reason in order_complaints(types) if is_complete and types else ():
        print(f"{name}: {reason}", file=sys.stderr)
        bad += 1
    if not bad:
        kinds = ", ".join(f"{n} {kind}" for kind, n in collections.Counter(types).items())
        print(f"{name}: {len(types)} valid lines: {kinds}")
    return bad


def main():
    parser = argparse.ArgumentParser(description="Validates NDJSON lines of runtime-scope.")
    parser.add_argument("files", nargs="*", default=["-"], help="'-' or nothing: standard input")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA)
    parser.add_argument("--complete", action="store_true", help="also: hello is the first line, bye the last")
    options = parser.parse_args()
    bad = 0
    try:
        validator = jsonschema.Draft202012Validator(json.loads(options.schema.read_text(encoding="utf-8")))
        for name in options.files:
            if name == "-":
                bad += check(sys.stdin.buffer, "stdin", validator, options.complete)
            else:
                with open(name, "rb") as source:
                    bad += check(source, name, validator, options.complete)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
