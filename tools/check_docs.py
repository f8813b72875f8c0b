#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checks what the documentation points at: files that links name, make targets, paths in code
spans; and that every source file states its licence.

usage: tools/check_docs.py
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PAGES = ["*.md", "doc/*.md", "tests/*/*.md", "bench/*.md"]
LICENSED = {".c", ".h", ".py", ".sh", ".rs", ".yml"}

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SPAN = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"^(?:src|tools|tests|bench|doc|examples|\.ci)/[\w./-]+$")
MAKE = re.compile(r"\bmake ([a-z]+)")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def source_files():
    """The files that git would commit; all files where there is no git (an unpacked archive)."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.splitlines()]
    else:
        paths = [p for p in ROOT.rglob("*")
                 if not any(part in ("target", ".git") or part.startswith("build")
                            for part in p.relative_to(ROOT).parts)]
    return [p for p in paths if p.is_file()]


def check_page(page, targets):
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT)
    for link in LINK.findall(text):
        if "://" not in link and not (page.parent / link).exists():
            yield f"{name}: link to {link}, which does not exist"
    for span in SPAN.findall(text):
        if PATH.match(span) and not (ROOT / span).exists():
            yield f"{name}: names {span}, which does not exist"
    for code in CODE.findall(text):
        for target in MAKE.findall(code):
            if target not in targets:
                yield f"{name}: make {target}, which the Makefile does not have"


def check_licence(path):
    if path.suffix in LICENSED or path.name in ("Makefile", "run"):
        head = path.read_text(encoding="utf-8", errors="replace")[:400]
        if "SPDX-License-Identifier: " not in head:
            yield f"{path.relative_to(ROOT)}: no SPDX-License-Identifier line"


def main():
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    pages = sorted(page for pattern in PAGES for page in ROOT.glob(pattern))
    files = source_files()
    problems = [p for page in pages for p in check_page(page, targets)]
    problems += [p for path in files for p in check_licence(path)]
    for problem in problems:
        print(problem)
    verdict = f"{len(problems)} problems" if problems else "no problem"
    print(f"check_docs: {len(pages)} pages, {len(files)} files, {verdict}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
