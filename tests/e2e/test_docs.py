# SPDX-License-Identifier: MIT OR Apache-2.0
"""Help, man page and README must name the same options, values, defaults and exit codes."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAN = ROOT / "doc/man/runtime-scope.1"
README = ROOT / "README.md"


def find_tool():
    """The binary under test: RUNTIME_SCOPE, else the one built last."""
    if "RUNTIME_SCOPE" in os.environ:
        return os.environ["RUNTIME_SCOPE"]
    built = sorted([*ROOT.glob("build*/runtime-scope"), *ROOT.glob("build*/src/runtime-scope")],
                   key=lambda p: p.stat().st_mtime)
    if not built:
        pytest.fail("runtime-scope is not built: run make")
    return str(built[-1])


def run(*args):
    return subprocess.run([find_tool(), *args], capture_output=True, text=True, timeout=20)


def commands():
    out = run("--help").stdout
    part = out.split("Commands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\S+) ", part, re.M)


def default_in(text):
    found = re.search(r"\(default: ([^)]*)\)", " ".join(text.split()))
    return found.group(1) if found else None


def options_of_help(command):
    """{"--threshold": ("-x" or None, "DUR", "5ms")} as printed by COMMAND --help."""
    entries, current = {}, None
    for line in run(command, "--help").stdout.splitlines():
        head = re.match(r"  (?:(-\w), |    )(--[\w-]+)(?: (\S+))?(.*)$", line)
        if head:
            current = head.group(2)
            entries[current] = [head.group(1), head.group(3), head.group(4)]
        elif current and line.startswith(" " * 10):
            entries[current][2] += " " + line.strip()
        else:
            current = None
    return {name: (letter, arg, default_in(text)) for name, (letter, arg, text) in entries.items()}


def exit_codes_of_help(command):
    part = run(command, "--help").stdout.split("Exit codes:\n")[1]
    return {int(c): m for c, m in re.findall(r"^  (\d+)\s+(.+)$", part, re.M)}


def man_section(title):
    parts = re.split(r"^\.Sh (.+)$", MAN.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))[title]


def options_of_man(command):
    """Subsections say in brackets which commands have their options; without brackets all have."""
    entries = {}
    parts = re.split(r"^\.Ss (.+)$", man_section("OPTIONS"), flags=re.M)
    for title, body in zip(parts[1::2], parts[2::2]):
        owners = re.search(r"\((.*)\)", title)
        if owners and command not in owners.group(1).split(", "):
            continue
        for item in re.split(r"^\.It ", body, flags=re.M)[1:]:
            head, text = item.split("\n", 1)
            found = re.fullmatch(r"(?:Fl (\w) , )?Fl -([\w-]+)(?: Ar (\S+))?", head)
            assert found, "odd item in the man page: " + head
            letter, name, arg = found.groups()
            entries["--" + name] = ("-" + letter if letter else None, arg, default_in(text))
    return entries


def exit_codes_of_man():
    return {int(c): m for c, m in re.findall(r"^\.It (\d+)\n(.+)$", man_section("EXIT STATUS"), re.M)}


def readme_rows(header):
    """Rows of the table whose first cell of the header is `header`; pipes in cells are written \\|."""
    lines = README.read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(r"\|\s*%s\s*\|" % header, line)]
    assert starts, "README has no table headed '%s'" % header
    rows = []
    for line in lines[starts[0] + 2:]:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        rows.append([cell.replace("\\|", "|").strip() for cell in cells])
    return rows


def options_of_readme():
    entries = {}
    for option, _, default in readme_rows("Option"):
        found = re.fullmatch(r"`(?:(-\w), )?(--[\w-]+)(?: (\S+))?`", option)
        assert found, "odd option in README: " + option
        letter, name, arg = found.groups()
        entries[name] = (letter, arg, default.strip("`") or None)
    return entries


def test_commands_in_man():
    assert commands()[0] == "watch"
    assert set(re.findall(r"^\.It Cm (\w+)", man_section("COMMANDS"), re.M)) == set(commands())


@pytest.mark.parametrize("command", ["watch", "doctor"])
def test_man_has_the_options_of_help(command):
    assert command in commands()
    assert options_of_man(command) == options_of_help(command)


def test_readme_has_the_options_of_help():
    every = {}
    for command in commands():
        every.update(options_of_help(command))
    assert options_of_readme() == every


def test_exit_codes_agree():
    readme = {int(row[0].strip("`")): row[1].rstrip(".") for row in readme_rows("Exit code")}
    for command in commands():
        assert exit_codes_of_man() == exit_codes_of_help(command)
        assert readme == exit_codes_of_help(command)


@pytest.mark.parametrize("args", [["--help"], ["watch", "--help"], ["doctor", "--help"], ["--version"]])
def test_help_fits_a_terminal(args):
    done = run(*args)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_man_page_is_installed():
    lists = sorted(ROOT.glob("build*/meson-info/intro-installed.json"), key=lambda p: p.stat().st_mtime)
    if not lists:
        pytest.skip("not built here")
    assert any(place.endswith("/man1/" + MAN.name) for place in json.loads(lists[-1].read_text()).values())


@pytest.mark.parametrize("target, command", [
    ("truth", "tests/truth/run.py --long"), ("healthy", "tests/truth/run.py --healthy 60"),
    ("foreign", "tests/foreign/run.py"), ("unwind", "tests/unwind/run.py --gdb"),
    ("bench", "bench/bench.py --write --check"), ("cycle", "bench/cycle.py --count 200"),
])
def test_long_runs_have_their_make_target(target, command):
    assert f"#   make {target} " in (ROOT / "Makefile").read_text()
    done = subprocess.run(["make", "--no-print-directory", "-n", target], cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tools/bootstrap.sh")
    assert lines[-1].endswith(command)


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_man_page_is_clean():
    done = subprocess.run(["groff", "-mandoc", "-ww", "-z", str(MAN)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert done.stderr == ""
