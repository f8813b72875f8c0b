# SPDX-License-Identifier: MIT OR Apache-2.0
"""What readers of ELF and DWARF say of addresses, in one form: [(function, file, line), …], innermost first."""
import bisect
import posixpath
import random
import re
import subprocess

UNKNOWN = "??"
NOTHING = [(UNKNOWN, UNKNOWN, 0)]


def run(command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, errors="surrogateescape", check=True)
    return done.stdout


def asked(addresses):
    return "".join(f"{address:#x}\n" for address in addresses)


def plain(file):
    return file if file == UNKNOWN else posixpath.normpath(file)


def ours(print_frames, path, addresses):
    found = []
    for line in run([print_frames, path], asked(addresses)).splitlines():
        row = line.split("\t")
        if len(row) == 1:
            found.append([])
        else:
            found[-1].append((row[0], plain(row[1]), int(row[2])))
    return [frames or NOTHING for frames in found]


def place(text):
    """("file", line) of "file:line (discriminator 3)"."""
    file, line = re.sub(r" \(discriminator \d+\)$", "", text).rsplit(":", 1)
    return plain(file), int(line) if line.isdigit() else 0


def addr2line(command, path, addresses, is_cpp=False):
    """binutils' addr2line and gimli's tool: they take the same options and print the same form."""
    text = run([*command, "-a", "-i", "-f", "-e", path], asked(addresses))
    if is_cpp:  # each demangler spells C++ in its own way; what is compared here is the rest
        text = run(["c++filt", "-i"], text)
    found = []
    for line in text.splitlines():
        if re.fullmatch("0x[0-9a-f]+", line):
            found.append([])
        else:
            found[-1].append(line)
    return [[(name, *place(where)) for name, where in zip(lines[::2], lines[1::2])] for lines in found]


def code_addresses(path, count, seed):
    """Random ones, all over the sections with code, gaps between functions included."""
    rows = []
    for line in run(["readelf", "-W", "-S", path]).splitlines():
        found = re.match(r"\s*\[ *\d+\] \S+ +PROGBITS +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+) \S+ +W?AX", line)
        if found:
            rows.append((int(found[1], 16), int(found[2], 16)))
    chance = random.Random(seed)
    chosen = chance.choices(rows, weights=[size for _, size in rows], k=count)
    return [start + chance.randrange(size) for start, size in chosen]


def units(path):
    """The source files that were compiled."""
    text = run(["readelf", "-W", "--debug-dump=info", "--dwarf-depth=1", path])
    names = re.findall(r"DW_AT_name +: (?:\(.*?\): )?(.*)", text)
    folders = re.findall(r"DW_AT_comp_dir +: (?:\(.*?\): )?(.*)", text)
    return {plain(posixpath.join(folder.strip(), name.strip())) for name in set(names) for folder in set(folders)}


def generic_names(path):
    """DWARF's names of functions with arguments, by what is before those: {"poll": {"poll<…>", …}}."""
    found = {}
    for text in run(["strings", "-n", "8", path]).splitlines():
        head, arguments, _ = text.partition("<")
        if arguments and "_env#" in text:
            found.setdefault(head, set()).add(text)
    return found


class Symbols:
    """The functions of the symbol table."""

    def __init__(self, path):
        self.at = {}  # start -> names
        self.ends = {}
        for line in run(["nm", "-S", "-C", "--defined-only", path]).splitlines():
            found = re.match(r"([0-9a-f]+)(?: ([0-9a-f]+))? [tTwWiuV] (.*)", line)
            if found:
                start, size = int(found[1], 16), int(found[2] or "0", 16)
                self.at.setdefault(start, set()).add(found[3])
                self.ends[start] = max(self.ends.get(start, 0), start + size)
        self.starts = sorted(self.at)

    def around(self, address):
        """(names of the last that begins before, whether the address is inside)"""
        i = bisect.bisect_right(self.starts, address) - 1
        if i < 0:
            return set(), False
        start = self.starts[i]
        return self.at[start], address < self.ends[start]
