#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checks the #include lines of src/ against the layers of doc/ARCHITECTURE.md.

Each folder may include headers of the folders named beside it here, and of itself. The libraries
that touch the kernel or read ELF and DWARF belong to few folders, so that everything behind the
model can be tested, fuzzed and replayed without privileges.

usage: tools/check_layers.py [SOURCE_DIR]      (default: src beside this script)
"""

import re
import sys
from pathlib import Path

# "" is the folder of main.c itself.
MAY_INCLUDE = {
    "base": set(),
    "model": {"base", "target", "symbol"},  # decoding needs the learned task types, blocks have frames
    "sink": {"base", "model"},
    "analysis": {"base", "model"},
    "store": {"base", "model"},
    "tui": {"base", "model", "analysis"},
    "target": {"base"},
    "symbol": {"base", "target"},
    "unwind": {"base", "target"},
    "plan": {"base", "target", "symbol"},
    "probe": {"base", "target", "plan", "unwind", "model"},
    "bpf": set(),
    "cli": {
        "base", "model", "sink", "analysis", "store", "tui",
        "target", "symbol", "unwind", "plan", "probe",
    },
    "": {"cli", "base"},
}

# The headers that the kernel side shares, and who fills or decodes them.
WIRE = {"bpf/wire.h", "bpf/wire_unwind.h"}
MAY_INCLUDE_WIRE = {"model", "plan", "probe", "unwind"}

# Library headers that only some folders may include. A file may be named where a folder may not.
LIBRARIES = [
    ("libbpf", re.compile(r"<bpf/[^>]+>|\"[^\"]*\.skel\.h\""),
     {"probe", "bpf", "unwind/table.c"}),
    ("libelf, libdw or capstone",
     re.compile(r"<(libelf|gelf|elf|dwarf|elfutils/.+|capstone/.+)(\.h)?>"),
     {"target", "plan", "symbol", "unwind"}),
]

INCLUDE = re.compile(r"^\s*#\s*include\s*(<[^>]+>|\"[^\"]+\")")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def includes_of(path):
    """Yields (line number, '<name>' or '"name"')."""
    text = path.read_text(encoding="utf-8", errors="replace")
    # Comments go, their line breaks stay: the line numbers must still be right.
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def check_library(folder, name, include):
    for library, pattern, allowed in LIBRARIES:
        if pattern.fullmatch(include) and not {folder, name} & allowed:
            return f"only {', '.join(sorted(allowed))} may include {library}"
    return None


def check_project(source, folder, path, include):
    """The rule that a quoted include breaks, or None."""
    header = include.strip('"')
    if header.endswith(".skel.h") or header == "cli/version.h":
        return None  # made by the build
    if (path.parent / header).is_file() and "/" not in header:
        return f'write "{folder}/{header}": includes are relative to src/'
    target = header.split("/")[0] if "/" in header else ""
    if not (source / header).is_file():
        return None  # the compiler says that better
    if target == folder:
        return None
    if header in WIRE:
        if folder in MAY_INCLUDE_WIRE:
            return None
        return f"only {', '.join(sorted(MAY_INCLUDE_WIRE))} may include {header}"
    if target == "bpf":
        return f"{' and '.join(sorted(WIRE))} are the only headers of bpf/ for user space"
    if target not in MAY_INCLUDE[folder]:
        allowed = ", ".join(sorted(MAY_INCLUDE[folder])) or "nothing of the project"
        return f"{folder or 'main.c'} may include only {allowed}"
    return None


def check_file(source, path):
    name = path.relative_to(source).as_posix()
    folder = name.split("/")[0] if "/" in name else ""
    if folder not in MAY_INCLUDE:
        yield f"{source.name}/{name}: the folder {folder} has no row in {Path(__file__).name}"
        return
    for number, include in includes_of(path):
        problem = check_library(folder, name, include)
        if not problem and include.startswith('"'):
            problem = check_project(source, folder, path, include)
        if problem:
            yield f"{source.name}/{name}:{number}: {include}: {problem}"


def main(arguments):
    default = Path(__file__).resolve().parent.parent / "src"
    source = Path(arguments[0]) if arguments else default
    files = sorted(p for p in source.rglob("*.[ch]"))
    if not files:
        print(f"check_layers: no C files in {source}", file=sys.stderr)
        return 2
    problems = [problem for path in files for problem in check_file(source, path)]
    for problem in problems:
        print(problem)
    verdict = f"{len(problems)} violations" if problems else "all includes follow the layers"
    print(f"check_layers: {len(files)} files, {verdict}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
