# SPDX-License-Identifier: MIT OR Apache-2.0
"""Names and lines of addresses: against binutils' addr2line, which reads DWARF itself, and where they are known.

The same over more programs, and against a third reader: `make symbols`.
"""
import ctypes
import http.server
import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SYMBOLS = Path(__file__).resolve().parents[1] / "symbols"
sys.path.insert(0, str(SYMBOLS))

import compare  # noqa: E402
import readers  # noqa: E402

PRINT_FRAMES = os.environ["TEST_PRINT_FRAMES"]
PROGRAMS = SYMBOLS / "programs"
COUNT = 2000


def needs(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def run(folder, *command):
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_same(path, is_cpp=False):
    addresses = readers.code_addresses(path, COUNT, 1)
    command = ["addr2line"] if is_cpp else ["addr2line", "-C"]
    result = compare.compare(path, {
        "addresses": addresses,
        "ours": readers.ours(PRINT_FRAMES, path, addresses),
        "binutils": readers.addr2line(command, path, addresses, is_cpp),
    })
    assert not result.strange, "\n".join(compare.lines_of(Path(path).name, result))
    assert result.same["binutils"] > COUNT // 5  # the rest is explained


@needs("addr2line")
def test_c():
    assert_same(PRINT_FRAMES)  # this tool's own debuginfo


@needs("addr2line", "g++")
def test_cpp(tmp_path):
    run(tmp_path, "g++", "-std=c++17", "-O1", "-g", "-o", "it", PROGRAMS / "shapes.cpp")
    assert_same(tmp_path / "it", is_cpp=True)


@needs("addr2line", "rustc")
def test_rust_with_its_library(tmp_path):
    run(tmp_path, "rustc", "--edition=2021", "-g", "-O", "-o", "it", PROGRAMS / "nested.rs")
    assert_same(tmp_path / "it")


# Where the debuginfo is, and in what form. Each makes "it" of nested.c or nested.rs.
WAYS = {
    "gcc-dwarf4": ["gcc -gdwarf-4"],
    "gcc-dwarf5": ["gcc -gdwarf-5"],
    "gcc-lines": ["gcc -g1"],
    "clang-dwarf4": ["clang -gdwarf-4"],
    "clang-dwarf5": ["clang -gdwarf-5"],
    "clang-lines": ["clang -gline-tables-only"],
    "zlib": ["gcc -g -gz=zlib"],
    "zlib-of-old": ["gcc -g -gz=zlib-gnu"],
    "split-dwarf4": ["gcc -gdwarf-4 -gsplit-dwarf"],
    "split-dwarf5": ["gcc -gdwarf-5 -gsplit-dwarf"],
    "clang-split-dwarf4": ["clang -gdwarf-4 -gsplit-dwarf"],
    "clang-split-dwarf5": ["clang -gdwarf-5 -gsplit-dwarf"],
    "debug-link": ["gcc -g", "objcopy --only-keep-debug it it.debug", "strip it",
                   "objcopy --add-gnu-debuglink=it.debug it"],
    "rust": ["rustc -g"],
    "rust-lines": ["rustc -Cdebuginfo=line-tables-only"],
    "rust-split": ["rustc -g -Csplit-debuginfo=unpacked"],
    "rust-debug-link": ["rustc -g", "objcopy --only-keep-debug it it.debug", "strip it",
                        "objcopy --add-gnu-debuglink=it.debug it"],
}


def line_of(source, mark):
    return next(n for n, line in enumerate(source.read_text().splitlines(), 1) if line.endswith((f"// {mark}", f"/* {mark} */")))


def build(folder, commands):
    """The source, and the address inside of the three functions."""
    compiler, *more = commands
    source = PROGRAMS / ("nested.rs" if compiler.startswith("rustc") else "nested.c")
    run(folder, *compiler.split(), "-O" if source.suffix == ".rs" else "-O2", "-o", "it", source)
    here = next(line.split()[0] for line in run(folder, "nm", "it").splitlines() if line.endswith(" here"))
    for command in more:
        run(folder, *command.split())
    return source, int(here, 16)


@pytest.mark.parametrize("way", WAYS)
def test_inlined_functions(way, tmp_path):
    missing = [c.split()[0] for c in WAYS[way] if not shutil.which(c.split()[0])]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    source, here = build(tmp_path, WAYS[way])
    frames, = readers.ours(PRINT_FRAMES, tmp_path / "it", [here])
    names = ["innermost", "middle", "outermost"]
    assert [name.rpartition("::")[2] for name, _, _ in frames] == names
    assert [(file, line) for _, file, line in frames] == [(str(source), line_of(source, name)) for name in names]


def frames_and_problems(path, address):
    done = subprocess.run([PRINT_FRAMES, path], input=f"{address:#x}\n", capture_output=True, text=True, timeout=20, check=True)
    names = [line.split("\t")[0] for line in done.stdout.splitlines()[1:]]
    return names, [line.partition(": ")[2] for line in done.stderr.splitlines() if line.startswith("problem: ")]


def section(path, name):
    """(number, offset, size)"""
    row = next(row for row in run(".", "readelf", "-W", "-S", path).split("\n  [") if f"] {name} " in row)
    fields = row.partition("] ")[2].split()
    return int(row.partition("]")[0]), int(fields[3], 16), int(fields[4], 16)


def scribble(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def header_of(path, number):
    return int.from_bytes(path.read_bytes()[0x28:0x30], "little") + 64 * number


def with_debugdata(folder, damage=0):
    """As Fedora does it: the symbol table of the unstripped file, compressed, in the stripped one. The address in it."""
    _, here = build(folder, ["gcc -g0"])
    run(folder, "objcopy", "-S", "--keep-symbol=outermost", "--keep-symbol=main", "it", "inner")
    run(folder, "xz", "inner")
    data = bytearray((folder / "inner.xz").read_bytes())
    if damage:
        data[len(data) // 2] ^= 0xff
    (folder / "inner.xz").write_bytes(data)
    run(folder, "strip", "it")
    run(folder, "objcopy", "--add-section", ".gnu_debugdata=inner.xz", "it")
    return here


@needs("xz")
def test_symbols_inside_of_a_stripped_file(tmp_path):
    here = with_debugdata(tmp_path)
    assert frames_and_problems(tmp_path / "it", here) == (["outermost"], [])


@needs("xz")
def test_damaged_symbols_inside_are_told(tmp_path):
    here = with_debugdata(tmp_path, damage=1)
    assert frames_and_problems(tmp_path / "it", here) == ([], ["it: .gnu_debugdata cannot be used: it is damaged"])


@needs("xz")
def test_a_bomb_inside_is_told(tmp_path):
    _, here = build(tmp_path, ["gcc -g0", "strip it"])
    with open(tmp_path / "inner", "wb") as file:
        file.truncate(200 << 20)
    run(tmp_path, "xz", "-1", "inner")
    run(tmp_path, "objcopy", "--add-section", ".gnu_debugdata=inner.xz", "it")
    assert frames_and_problems(tmp_path / "it", here) == ([], ["it: .gnu_debugdata cannot be used: it is too large"])


class Server(http.server.BaseHTTPRequestHandler):
    """A debuginfod server with one file, which it may be slow to give."""
    file, asked = b"", []

    def do_GET(self):  # noqa: N802
        self.asked.append(self.path)
        self.send_response(200 if self.file else 404)
        self.end_headers()
        self.wfile.write(self.file)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    try:
        ctypes.CDLL("libdebuginfod.so.1")
    except OSError:
        pytest.skip("libdebuginfod is not installed")
    Server.file, Server.asked = b"", []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        monkeypatch.setenv("DEBUGINFOD_URLS", f"http://127.0.0.1:{it.server_port}")
        monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "cache"))
        yield it
        it.shutdown()


def test_debuginfo_from_a_server(tmp_path, server, monkeypatch):
    _, here = build(tmp_path, ["gcc -g -Wl,--build-id", "objcopy --only-keep-debug it it.debug", "strip it"])
    Server.file = (tmp_path / "it.debug").read_bytes()
    (tmp_path / "it.debug").unlink()
    assert frames_and_problems(tmp_path / "it", here) == (["innermost", "middle", "outermost"], [])
    assert len(Server.asked) == 1 and Server.asked[0].endswith("/debuginfo")
    monkeypatch.delenv("DEBUGINFOD_URLS")
    assert frames_and_problems(tmp_path / "it", here) == ([], [])  # nothing is asked, nor taken from the cache
    assert len(Server.asked) == 1


def test_a_server_with_the_file_of_another_build(tmp_path, server):
    _, here = build(tmp_path, ["gcc -g -Wl,--build-id=0x12345678", "strip it"])
    Server.file = Path(PRINT_FRAMES).read_bytes()
    assert frames_and_problems(tmp_path / "it", here) == ([], [])
    assert Server.asked == ["/buildid/12345678/debuginfo"]


def test_a_section_beyond_the_end_is_told(tmp_path):
    _, here = build(tmp_path, WAYS["gcc-dwarf5"])
    number, offset, _ = section(tmp_path / "it", ".symtab")
    scribble(tmp_path / "it", header_of(tmp_path / "it", number) + 32, (1 << 40).to_bytes(8, "little"))
    names, problems = frames_and_problems(tmp_path / "it", here)
    assert names == ["innermost", "middle", "outermost"]
    assert problems == [f"it: section .symtab at {offset:#x} reaches beyond the file's end, and is not read"]


def test_broken_lines_are_told(tmp_path):
    _, here = build(tmp_path, WAYS["gcc-dwarf5"])
    _, offset, _ = section(tmp_path / "it", ".debug_line")
    scribble(tmp_path / "it", offset, b"\xff\xff")
    names, problems = frames_and_problems(tmp_path / "it", here)
    assert names == ["innermost", "middle", "outermost"]
    assert len(problems) == 1 and problems[0].startswith("it: no lines for the unit at 0x")


def test_broken_debuginfo_is_told(tmp_path):
    _, here = build(tmp_path, WAYS["gcc-dwarf5"])
    _, offset, _ = section(tmp_path / "it", ".debug_info")
    scribble(tmp_path / "it", offset + 4, b"\xff\xff")  # the version
    names, problems = frames_and_problems(tmp_path / "it", here)
    assert names == ["outermost"]  # from the symbol table
    assert problems and ".debug_info" in problems[0]


@pytest.mark.parametrize("instead", [None, os.mkfifo, os.mkdir])
def test_a_dwo_file_that_is_not_there_is_told(tmp_path, instead):
    _, here = build(tmp_path, WAYS["split-dwarf5"])
    (tmp_path / "it-nested.dwo").unlink()
    if instead:
        instead(tmp_path / "it-nested.dwo")
    names, problems = frames_and_problems(tmp_path / "it", here)
    assert names == ["outermost"]
    assert problems == ["it: inlined functions are not known where they are in a file that cannot be used: it-nested.dwo"]


def test_what_is_no_code_has_no_name(tmp_path):
    """Functions that the linker left out are listed at 0; assembler's symbols have no size and do not reach into .plt."""
    (tmp_path / "it.c").write_text(
        "static __attribute__((noinline, used)) int left_out(int i) { return i * 3; }\n"
        "void start(void); int puts(const char *);\n"
        '__asm__(".section .init\\n.globl start\\n.type start, @function\\nstart: nop\\n.text");\n'
        'int main(void) { start(); return puts("x"); }\n')
    run(tmp_path, "gcc", "-O1", "-g", "-ffunction-sections", "-Wl,--gc-sections", "-Wl,-z,lazy", "-fno-plt", "-fplt",
        "-o", "it", "it.c")
    sections = run(tmp_path, "readelf", "-W", "-S", "it").split("] ")
    plt = next(int(row.split()[2], 16) for row in sections if row.startswith(".plt "))
    start = next(int(row.split()[0], 16) for row in run(tmp_path, "nm", "it").splitlines() if row.endswith(" start"))
    found = readers.ours(PRINT_FRAMES, tmp_path / "it", [1, start, plt + 0x11])
    assert found == [readers.NOTHING, [("start", readers.UNKNOWN, 0)], readers.NOTHING]


def function_starts(path):
    return sorted(readers.Symbols(path).at)


def test_no_file_makes_it_crash(tmp_path):
    """Truncated and scribbled copies: an answer, or none."""
    whole = Path(PRINT_FRAMES).read_bytes()
    addresses = readers.asked(function_starts(PRINT_FRAMES)[::40])
    random.seed(2)
    for turn in range(40):
        data = bytearray(whole[: random.randrange(len(whole))] if turn % 2 else whole)
        for _ in range(turn * 20):
            data[random.randrange(len(data))] = random.randrange(256)
        path = tmp_path / "file"
        path.write_bytes(data)
        done = subprocess.run([PRINT_FRAMES, path], input=addresses.encode(), capture_output=True, timeout=60, check=False)
        assert done.returncode in (0, 1), (turn, done)
