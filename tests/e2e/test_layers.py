# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of the include layers must find what it is there to find."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

spec = importlib.util.spec_from_file_location("check_layers", ROOT / "tools" / "check_layers.py")
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)

HEADERS = ["base/fmt.h", "model/block.h", "sink/sink.h", "target/target.h", "plan/plan.h",
           "probe/watch.h", "cli/options.h", "bpf/wire.h", "bpf/kern.h", "unwind/table.h"]


@pytest.fixture
def check(tmp_path, capsys):
    """check(file, text) -> the complaints about a tree that has this file beside some headers."""
    source = tmp_path / "src"

    def run(name, text):
        for header in HEADERS + [name]:
            path = source / header
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (source / name).write_text(text)
        code = check_layers.main([str(source)])
        *problems, verdict = capsys.readouterr().out.splitlines()
        assert code == (1 if problems else 0), verdict
        return problems

    return run


@pytest.mark.parametrize("name, include", [
    ("base/a.c", '"model/block.h"'),
    ("model/a.c", '"sink/sink.h"'),
    ("model/a.c", '"bpf/kern.h"'),
    ("sink/a.c", '"bpf/wire.h"'),
    ("model/a.c", "<bpf/libbpf.h>"),
    ("sink/a.c", '"probe/watch.h"'),
    ("sink/a.c", "<elfutils/libdw.h>"),
    ("target/a.c", '"plan/plan.h"'),
    ("target/a.c", "<bpf/bpf.h>"),
    ("plan/a.c", '"probe/watch.h"'),
    ("plan/a.c", '"watch.skel.h"'),
    ("probe/a.c", '"cli/options.h"'),
    ("probe/a.c", "<gelf.h>"),
    ("probe/a.c", '"bpf/kern.h"'),
    ("cli/a.c", "<bpf/libbpf.h>"),
    ("cli/a.c", "<capstone/capstone.h>"),
    ("unwind/a.c", "<bpf/libbpf.h>"),
    ("bpf/a.bpf.c", '"base/fmt.h"'),
    ("main.c", '"probe/watch.h"'),
])
def test_forbidden_include_is_found(check, name, include):
    problems = check(name, f"#include <stdio.h>\n\n#  include {include}\n")
    assert len(problems) == 1
    assert problems[0].startswith(f"src/{name}:3: {include}: ")


@pytest.mark.parametrize("name, include", [
    ("base/a.c", '"base/fmt.h"'),
    ("sink/a.c", '"model/block.h"'),
    ("model/a.c", '"bpf/wire.h"'),
    ("plan/a.c", "<capstone/capstone.h>"),
    ("probe/a.c", '"bpf/wire.h"'),
    ("probe/a.c", '"watch.skel.h"'),
    ("unwind/table.c", "<bpf/bpf.h>"),
    ("bpf/a.bpf.c", "<bpf/bpf_helpers.h>"),
    ("bpf/a.bpf.c", '"bpf/kern.h"'),
    ("cli/a.c", '"probe/watch.h"'),
    ("main.c", '"cli/options.h"'),
])
def test_allowed_include_passes(check, name, include):
    assert check(name, f"#include {include}\n") == []


def test_include_in_a_comment_is_none(check):
    assert check("base/a.c", '/*\n#include "model/block.h"\n*/\n#include <stdio.h>\n') == []


def test_unknown_folder_is_found(check):
    assert "no row" in check("misc/a.c", "")[0]


def test_include_relative_to_its_own_folder_is_found(check):
    assert "relative to src/" in check("model/a.c", '#include "block.h"\n')[0]


def test_empty_tree_is_an_error(tmp_path):
    assert check_layers.main([str(tmp_path)]) == 2
