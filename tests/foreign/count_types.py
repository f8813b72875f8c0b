# SPDX-License-Identifier: MIT OR Apache-2.0
"""How many future types a file must have, found in ways of its own: by nm, and by reading its relocations."""

import re
import struct
import subprocess
from collections import namedtuple

Section = namedtuple("Section", "name kind flags addr offset size")

RELA, RELR = 4, 19
EXECUTABLE = 4
RELATIVE = 8
FUNCTIONS = 7
VERSION = re.compile(rb"[/\\]tokio-(1\.\d+\.\d+)[/\\]src[/\\]")


def versions(path):
    """Versions of Tokio that the panic locations in the file name."""
    return sorted({found.decode() for found in VERSION.findall(path.read_bytes())})


def poll_symbols(path):
    """Distinct addresses of tokio::runtime::task::raw::poll: (all, of async tasks where names say it), or None."""
    done = subprocess.run(["nm", str(path)], capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        address, _, symbol = line.partition(" ")
        symbol = symbol[2:]
        if "5tokio7runtime4task3raw4poll" in symbol:
            found.setdefault(address, symbol)
    if not found:
        return None
    return len(found), sum("BlockingSchedule" not in symbol for symbol in found.values())


class File:
    def __init__(self, path):
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is not a 64-bit ELF file")
        offset, = struct.unpack_from("<Q", self.data, 0x28)
        size, count, names = struct.unpack_from("<HHH", self.data, 0x3A)
        raw = [struct.unpack_from("<IIQQQQ", self.data, offset + i * size) for i in range(count)]
        strings = raw[names][4]
        self.sections = []
        for name, kind, flags, addr, off, length in raw:
            end = self.data.index(b"\0", strings + name)
            self.sections.append(Section(self.data[strings + name:end].decode(), kind, flags, addr, off, length))

    def word(self, addr):
        for s in self.sections:
            if s.addr and s.addr <= addr and addr + 8 <= s.addr + s.size and s.kind != 8:
                return struct.unpack_from("<Q", self.data, s.offset + addr - s.addr)[0]
        return None

    def is_code(self, addr):
        return any(s.flags & EXECUTABLE and s.addr <= addr < s.addr + s.size for s in self.sections)

    def relr(self, section):
        """Addresses in a compressed table: an even word is one, an odd one a bitmap of the next 63."""
        at = 0
        for (word,) in struct.iter_unpack("<Q", self.data[section.offset:section.offset + section.size]):
            if not word & 1:
                yield word
                at = word + 8
                continue
            for bit in range(1, 64):
                if word >> bit & 1:
                    yield at + (bit - 1) * 8
            at += 63 * 8

    def pointers(self):
        """Every word that is a pointer after loading: address -> value."""
        found = {}
        for s in self.sections:
            if s.kind == RELA:
                for at, info, addend in struct.iter_unpack("<QQq", self.data[s.offset:s.offset + s.size // 24 * 24]):
                    if info == RELATIVE:
                        found[at] = addend
            elif s.kind == RELR:
                found.update((at, self.word(at)) for at in self.relr(s))
        return found


def vtables(path):
    """Task vtables of Tokio >= 1.23 in a relocatable file: (vtables, distinct poll functions among them)."""
    file = File(path)
    pointers = file.pointers()
    polls = []
    for at in sorted(pointers):
        functions = [pointers.get(at + 8 * i) for i in range(FUNCTIONS)]
        if None in functions:
            continue
        offsets = [file.word(at + 8 * (FUNCTIONS + i)) for i in range(3)]
        if None in offsets or any(at + 8 * (FUNCTIONS + i) in pointers for i in range(3)):
            continue
        trailer, scheduler, task_id = offsets
        shaped = 32 <= scheduler <= 512 and scheduler <= task_id <= scheduler + 64 and task_id < trailer < 1 << 26
        if shaped and not (trailer | scheduler | task_id) & 7 and all(map(file.is_code, functions)):
            polls.append(functions[0])
    return len(polls), len(set(polls))
