# SPDX-License-Identifier: MIT OR Apache-2.0
"""Names and lines of addresses all over a program with debuginfo, against binutils' addr2line, which reads DWARF itself."""
import os
import random
import re
import shutil
import subprocess

import pytest

PRINT_FRAMES = os.environ["TEST_PRINT_FRAMES"]
COUNT = 3000


def functions(path):
    """[(address, size)] of its code."""
    lines = subprocess.run(["nm", "-S", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in lines.splitlines()]
    return [(int(row[0], 16), int(row[1], 16)) for row in rows if len(row) == 4 and row[2] in "tTwW" and int(row[1], 16)]


def ours(path, text):
    out = subprocess.run([PRINT_FRAMES, path], input=text, capture_output=True, text=True, check=True).stdout
    blocks = out.split("\n\n")[:-1]
    return [[tuple(line.split("\t")) for line in block.splitlines() if line] for block in blocks]


def theirs(path, text):
    command = ["addr2line", "-a", "-i", "-f", "-C", "-e", path]
    found = []
    for line in subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines():
        if re.fullmatch("0x[0-9a-f]+", line):
            found.append([])
        else:
            found[-1].append(line)
    return [list(zip(lines[::2], lines[1::2])) for lines in found]


def line_of(text):
    """Not the file: of some DWARF 5 line tables addr2line 2.40 names the unit's own file for a header's line."""
    line = re.sub(r" \(discriminator \d+\)", "", text).rsplit(":", 1)[1]
    return 0 if line == "?" else int(line)


@pytest.mark.skipif(not shutil.which("addr2line"), reason="addr2line (binutils) is not installed")
def test_lines_are_those_of_addr2line():
    # This tool's own debuginfo: C, with inlined functions, from the compiler at hand.
    path = PRINT_FRAMES
    random.seed(1)
    rows = functions(path)
    addresses = [start + random.randrange(size) for start, size in random.choices(rows, k=COUNT)]
    text = "\n".join(map(hex, addresses)) + "\n"
    for address, mine, other in zip(addresses, ours(path, text), theirs(path, text), strict=True):
        assert [function for function, _, _ in mine] == [function for function, _ in other], hex(address)
        assert [int(line) for _, _, line in mine] == [line_of(text) for _, text in other], hex(address)


def test_no_file_makes_it_crash(tmp_path):
    """Truncated and scribbled copies: an answer, or none."""
    whole = open(PRINT_FRAMES, "rb").read()
    addresses = "".join(f"{start:#x}\n" for start, _ in functions(PRINT_FRAMES)[::40])
    random.seed(2)
    for turn in range(40):
        data = bytearray(whole[: random.randrange(len(whole))] if turn % 2 else whole)
        for _ in range(turn * 20):
            data[random.randrange(len(data))] = random.randrange(256)
        path = tmp_path / "file"
        path.write_bytes(data)
        done = subprocess.run([PRINT_FRAMES, path], input=addresses.encode(), capture_output=True, timeout=60)
        assert done.returncode in (0, 1), (turn, done)
