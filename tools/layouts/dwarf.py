# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads Rust types and thread-locals from DWARF, flattened to (path, offset, size)."""

import re
from dataclasses import dataclass

from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

MAX_DEPTH = 24
# Only these are walked: the rest of the standard library is most of the DWARF.
NAMESPACES = ("tokio", "alloc", "alloc::sync", "alloc::rc")
# The program and Tokio: parsing the standard library's units takes most of the time.
OUR_UNITS = re.compile(r"/tokio(-1\.\d+\.\d+)?/src/|/program/main\.rs")
CONTAINERS = (
    "DW_TAG_structure_type",
    "DW_TAG_union_type",
    "DW_TAG_enumeration_type",
)


@dataclass(frozen=True)
class Field:
    """One member of a flattened type. `path` joins names with '.', variants are '<Name=value>'."""

    path: str
    offset: int
    size: int
    type: str


@dataclass(frozen=True)
class ThreadLocal:
    name: str  # namespace path of the static
    linkage: str
    die: object  # its type


def _text(die, attribute):
    value = die.attributes.get(attribute)
    return value.value.decode(errors="replace") if value else ""


def _number(die, attribute, default=0):
    value = die.attributes.get(attribute)
    return value.value if value else default


def _wanted(namespace):
    return namespace.startswith("tokio::") or namespace in NAMESPACES


class Types:
    """All named types and thread-locals of one executable."""

    def __init__(self, path):
        self._file = open(path, "rb")
        self._elf = ELFFile(self._file)
        self._dwarf = self._elf.get_dwarf_info()
        self.by_name = {}
        self.thread_locals = []
        for unit in self._dwarf.iter_CUs():
            top = unit.get_top_DIE()
            if OUR_UNITS.search(_text(top, "DW_AT_name")):
                self._index(top, "")
        self.tls_sizes = self._tls_symbols()

    def close(self):
        self._file.close()

    def _tls_symbols(self):
        sizes = {}
        for section in self._elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    if symbol["st_info"]["type"] == "STT_TLS":
                        sizes[symbol.name] = symbol["st_size"]
        return sizes

    def _index(self, die, space):
        for child in die.iter_children():
            name = _text(child, "DW_AT_name")
            full = f"{space}::{name}" if space else name
            if child.tag in CONTAINERS:
                if "DW_AT_declaration" not in child.attributes:
                    self.by_name.setdefault(full, child)
                self._index(child, full)
            elif child.tag == "DW_TAG_namespace" and _wanted(full):
                self._index(child, full)
            elif child.tag == "DW_TAG_variable":
                self._add_variable(child, full)

    def _add_variable(self, die, full):
        linkage = _text(die, "DW_AT_linkage_name")
        location = die.attributes.get("DW_AT_location")
        if not linkage or not location or not isinstance(location.value, list):
            return
        parser = DWARFExprParser(die.cu.structs)
        names = [op.op_name for op in parser.parse_expr(location.value)]
        if any("tls" in n for n in names):
            self.thread_locals.append(ThreadLocal(full, linkage, self.type_of(die)))

    @staticmethod
    def type_of(die):
        return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None

    def size(self, die):
        while die is not None and "DW_AT_byte_size" not in die.attributes:
            if die.tag == "DW_TAG_pointer_type":
                return 8
            die = self.type_of(die)
        return _number(die, "DW_AT_byte_size") if die is not None else 0

    def find(self, *names):
        for name in names:
            if name in self.by_name:
                return self.by_name[name]
        return None

    def flatten(self, die):
        """All members of `die`, itself first; pointers are not followed."""
        out = [Field("", 0, self.size(die), _text(die, "DW_AT_name"))]
        self._members(die, "", 0, 0, out)
        return out

    def _members(self, die, path, base, depth, out):
        if depth > MAX_DEPTH or die is None or die.tag not in CONTAINERS:
            return
        for child in die.iter_children():
            if child.tag == "DW_TAG_member":
                self._member(child, path, base, depth, out)
            elif child.tag == "DW_TAG_variant_part":
                self._variants(child, path, base, depth, out)
            elif child.tag == "DW_TAG_enumerator":
                name, value = _text(child, "DW_AT_name"), _number(child, "DW_AT_const_value")
                out.append(Field(f"{path}<{name}={value}>", base, 0, ""))

    def _member(self, die, path, base, depth, out):
        member_type = self.type_of(die)
        offset = base + _number(die, "DW_AT_data_member_location")
        name = _text(die, "DW_AT_name") or "?"
        full = f"{path}.{name}" if path else name
        type_name = _text(member_type, "DW_AT_name") if member_type is not None else ""
        out.append(Field(full, offset, self.size(member_type), type_name))
        self._members(member_type, full, offset, depth + 1, out)

    def _variants(self, die, path, base, depth, out):
        tag = die.get_DIE_from_attribute("DW_AT_discr") if "DW_AT_discr" in die.attributes else None
        if tag is not None:
            offset = base + _number(tag, "DW_AT_data_member_location")
            out.append(Field(f"{path}.<tag>", offset, self.size(self.type_of(tag)), ""))
        for variant in die.iter_children():
            if variant.tag != "DW_TAG_variant":
                continue
            value = _number(variant, "DW_AT_discr_value", "*")
            for member in variant.iter_children():
                if member.tag != "DW_TAG_member":
                    continue
                name = _text(member, "DW_AT_name")
                full = f"{path}<{name}={value}>"
                inner = self.type_of(member)
                offset = base + _number(member, "DW_AT_data_member_location")
                out.append(Field(full, offset, self.size(inner), ""))
                self._members(inner, full, offset, depth + 1, out)
