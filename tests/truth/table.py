# SPDX-License-Identifier: MIT OR Apache-2.0
"""Scores as a table of at most 120 columns, as JSON and as Markdown."""

import json

# (heading, width, metric or attribute of a Tally, format)
COLUMNS = (
    ("blocks", 6, "expected", "d"),
    ("recall", 7, "recall", ".1f"),
    ("prec.", 6, "precision", ".1f"),
    ("p50ms", 6, "error_p50_ms", ".3f"),
    ("p99ms", 6, "error_p99_ms", ".3f"),
    ("maxms", 6, "error_max_ms", ".3f"),
    ("bound", 6, "bound_kept", ".1f"),
    ("id", 6, "task_id", ".1f"),
    ("role", 6, "role", ".1f"),
    ("cause", 6, "cause", ".1f"),
    ("phase", 6, "phase", ".1f"),
    ("ongo.", 6, "ongoing", ".1f"),
    ("offp", 6, "offcpu_sleep_p99_ms", ".3f"),
    ("mrg", 4, "merged", "d"),
    ("stl", 4, "disturbed", "d"),
)
WIDTHS = (11, 14, 8)

LEGEND = """\
blocks: that had to be found; recall, prec.(ision), bound kept, task id, role, cause, phase, ongo.(ing) in %;
p50, p99, max: error of the duration in ms; offp: p99 error of the off-CPU part of blocks that sleep, in ms;
mrg: blocks that say they may be several polls; stl: blocks left out of errors because the machine stalled at an
edge. exact*: root futures, and polls that began before the probes were there."""


def header():
    return _line("build", "program", "mode", [name for name, *_rest in COLUMNS])


def _line(build, program, mode, cells):
    names = zip((build, program, mode), WIDTHS)
    left = "".join(f"{text:<{width}.{width}}" for text, width in names)
    return left + "".join(f"{cell:>{column[1]}}" for cell, column in zip(cells, COLUMNS))


def _cells(tally):
    values = {**vars(tally), **tally.metrics()}
    return [_cell(values[name], width, form) for _heading, width, name, form in COLUMNS]


def _cell(value, width, form):
    """Fewer decimals rather than columns that run together."""
    if value is None:
        return "-"
    texts = (format(value, some) for some in (form, ".0f", ".0e"))
    return next((text for text in texts if len(text) < width), "?")


def mode_name(mode, tally):
    """In exact mode, what no probe can see is timed by samples; it has rows of its own."""
    return mode if mode == tally.timing else mode + "*"


def row(build, program, mode, tally):
    return _line(build, program, mode_name(mode, tally), _cells(tally))


def as_dict(build, program, mode, tally):
    return {
        "build": build,
        "program": program,
        "mode": mode,
        "timing": tally.timing,
        "expected": tally.expected,
        "found": tally.found,
        "reported": tally.reported,
        "false": tally.false,
        "near_threshold": tally.near,
        "merged": tally.merged,
        "merged_polls": tally.merged_polls,
        "disturbed": tally.disturbed,
        "stalls": tally.stalls,
        "stalled_ms": tally.stalled_ns / 1e6,
        **tally.metrics(),
        "problem_texts": tally.problems,
        "notes": tally.notes[:50],
    }


def write_json(path, rows, stalls, failures):
    scores = [as_dict(*row_) for row_ in rows]
    text = json.dumps({"rows": scores, "stalls": stalls, "failures": failures}, indent=1)
    path.write_text(text + "\n")


def markdown(rows):
    """One line per build, program and mode, for doc/ACCURACY.md."""
    names = ["build", "program", "mode", *(name for name, *_rest in COLUMNS)]
    lines = ["| " + " | ".join(names) + " |", "|---|---|---|" + "---:|" * len(COLUMNS)]
    for build, program, mode, tally in rows:
        cells = [build, program, mode_name(mode, tally), *_cells(tally)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"


def write_between_markers(path, text):
    """Replaces what is between the markers; a file without them gets them at its end."""
    whole = path.read_text() if path.exists() else "# Accuracy\n"
    before, marker, rest = whole.partition(BEGIN)
    if not marker:
        before = whole.rstrip("\n") + "\n\n"
    after = rest.partition(END)[2] if marker else "\n"
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
