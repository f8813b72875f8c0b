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

# Of all programs of a build; the programs' column is left empty.
BUILD_COLUMNS = (
    ("stack", 7, "stack", ".1f"),
    ("compl.", 7, "complete", ".1f"),
    ("culpr.", 7, "culprit", ".1f"),
    ("line", 7, "line", ".1f"),
    ("name", 7, "name", ".1f"),
    ("task@", 7, "task_line", ".1f"),
    ("wrong", 7, "wrong_names", "d"),
    ("hid", 6, "hidden", "d"),
)

LEGEND = """\
blocks: that had to be found; recall, prec.(ision), bound kept, task id, role, cause, phase, ongo.(ing) in %;
p50, p99, max: error of the duration in ms; offp: p99 error of the off-CPU part of blocks that sleep, in ms;
mrg: blocks that say they may be several polls; stl: blocks left out of errors because the machine stalled at an
edge. exact*: root futures, and polls that began before the probes were there.
By build: stack: blocks with one; compl.(ete): of these, those to the thread's start; culpr.(it): its function is right;
line: its file and line are; name: the async fn's; task@: its file and line, in %; wrong: names that are wrong and say
so nowhere; hid: culprits inlined where nothing in the program says so, not judged."""


def header(columns=COLUMNS):
    program = "program" if columns is COLUMNS else ""
    return _line("build", program, "mode", [name for name, *_rest in columns], columns)


def _line(build, program, mode, cells, columns):
    names = zip((build, program, mode), WIDTHS)
    left = "".join(f"{text:<{width}.{width}}" for text, width in names)
    return left + "".join(f"{cell:>{column[1]}}" for cell, column in zip(cells, columns))


def _cells(tally, columns):
    values = {**vars(tally), **tally.metrics()}
    return [_cell(values[name], width, form) for _heading, width, name, form in columns]


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
    return _line(build, program, mode_name(mode, tally), _cells(tally, COLUMNS), COLUMNS)


def build_row(build, mode, tally):
    return _line(build, "", mode, _cells(tally, BUILD_COLUMNS), BUILD_COLUMNS)


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
        "hidden": tally.hidden,
        "disturbed": tally.disturbed,
        "stalls": tally.stalls,
        "stalled_ms": tally.stalled_ns / 1e6,
        **tally.metrics(),
        "problem_texts": tally.problems,
        "notes": tally.notes[:50],
        "places": dict(tally.places.most_common(50)),
    }


def write_json(path, rows, build_rows, stalls, failures):
    scores = [as_dict(*row_) for row_ in rows]
    builds = [as_dict(build, "all", mode, tally) for build, mode, tally in build_rows]
    whole = {"rows": scores, "builds": builds, "stalls": stalls, "failures": failures}
    text = json.dumps(whole, indent=1)
    path.write_text(text + "\n")


def markdown(rows):
    """One line per build, program and mode, for doc/ACCURACY.md."""
    cells = [[build, program, mode_name(mode, tally), *_cells(tally, COLUMNS)] for build, program, mode, tally in rows]
    return _markdown(["build", "program", "mode"], COLUMNS, cells)


def build_markdown(rows):
    cells = [[build, mode, *_cells(tally, BUILD_COLUMNS)] for build, mode, tally in rows]
    return _markdown(["build", "mode"], BUILD_COLUMNS, cells)


def _markdown(names, columns, rows):
    heads = [*names, *(name for name, *_rest in columns)]
    ruler = "|" + "---|" * len(names) + "---:|" * len(columns)
    return "\n".join([_markdown_row(heads), ruler, *map(_markdown_row, rows)])


def _markdown_row(cells):
    return "| " + " | ".join(cells) + " |"


BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"


def write_between_markers(path, text):
    """Replaces what is between the markers; a file without them gets them at its end."""
    whole = path.read_text() if path.exists() else "# Accuracy\n"
    before, marker, rest = whole.partition(BEGIN)
    if not marker:
        before = whole.rstrip("\n") + "\n\n"
    after = rest.partition(END)[2] if marker else "\n"
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
