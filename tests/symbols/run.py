#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Frames of 10 000 random code addresses of each of five programs, against two other readers of DWARF; see compare.py.

Builds into build/symbols: gimli's tool (crate addr2line), the truth programs in three ways, a C++ program in two.
"""
import argparse
import subprocess
import sys
from pathlib import Path

import compare
import readers

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "truth" / "programs"
SHAPES = Path(__file__).resolve().parent / "programs" / "shapes.cpp"
GIMLI_VERSION = "0.27.1"

# How the truth programs are built: where cargo puts them, and its arguments.
RUST = {
    "lines": ("release", ["--release", "--config", "profile.release.debug='line-tables-only'"]),
    "debug": ("debug", []),
    "lto": ("lto-abort", ["--profile", "lto-abort", "--config", "profile.lto-abort.debug=2",
                          "--config", "profile.lto-abort.strip=false"]),
}
CPP = {"gcc": ["g++"], "clang": ["clang++", "-gdwarf-4"]}


def run(command, **options):
    subprocess.run(["nice", *map(str, command)], check=True, **options)


def gimli_tool(folder):
    tool = folder / "bin" / "addr2line"
    if not tool.exists():
        run(["cargo", "install", "--quiet", "--locked", "addr2line", "--version", GIMLI_VERSION, "--features", "bin",
             "--root", folder, "--target-dir", folder / "target-addr2line"], cwd=folder)
    return tool


def rust_program(folder, way):
    where, arguments = RUST[way]
    run(["cargo", "build", "--quiet", "--locked", *arguments, "--package", "truth", "--target-dir", folder / "target"],
        cwd=PROGRAMS)
    return folder / "target" / where / "truth"


def cpp_program(folder, way):
    path = folder / f"shapes-{way}"
    run([*CPP[way], "-std=c++17", "-O2", "-g", "-o", path, SHAPES])
    return path


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=ROOT / "build", help="build folder (default: build)")
    p.add_argument("--count", type=int, default=10000, help="addresses of each program (default: 10000)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", choices=[*RUST, *CPP], action="append", help="programs; may be repeated")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    folder = args.build.resolve() / "symbols"
    folder.mkdir(parents=True, exist_ok=True)
    print_frames, gimli = args.build.resolve() / "tests" / "unit" / "print_frames", gimli_tool(folder)
    is_fine = True
    for way in args.only or [*RUST, *CPP]:
        is_cpp = way in CPP
        path = cpp_program(folder, way) if is_cpp else rust_program(folder, way)
        addresses = readers.code_addresses(path, args.count, args.seed)
        demangled = [] if is_cpp else ["-C"]
        result = compare.compare(path, {
            "addresses": addresses,
            "ours": readers.ours(print_frames, path, addresses),
            "binutils": readers.addr2line(["addr2line", *demangled], path, addresses, is_cpp),
            "gimli": readers.addr2line([gimli, *demangled], path, addresses, is_cpp),
        })
        print("\n".join(compare.lines_of(way, result)), flush=True)
        is_fine = is_fine and not result.strange
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
