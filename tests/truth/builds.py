#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the truth programs in every way they are scored, into a folder outside the source."""

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
# Beside the workspace, as paths in the programs are to be as those of dependencies.
VENDOR = PROGRAMS.parent / "vendor"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "build" / "truth"
NEWEST = "Cargo.lock"


@dataclass(frozen=True)
class Build:
    """One way to build. `lock` is the lock file that chooses the Tokio version; `mangling` is None for a program without
    symbols, `has_lines` says that there is debuginfo, and with it the names of inlined functions: with their paths, unless
    there are `only_lines`."""

    profile: str = "release"
    flags: str = ""
    lock: str = NEWEST
    is_object: bool = False
    panics_abort: bool = False
    mangling: str = "legacy"
    has_lines: bool = False
    only_lines: bool = False

    @property
    def has_functions(self):
        return self.has_lines or self.mangling is not None

    @property
    def has_types(self):
        """Whether it says of each function for which types it was made."""
        return self.has_lines or self.mangling == "v0"


TOKIO_VERSIONS = ("1.23.1", "1.28.2", "1.38.2", "1.44.2", "1.47.1")

BUILDS = {
    "release": Build(),
    "lto-abort": Build(profile="lto-abort", panics_abort=True, mangling=None),
    "small": Build(profile="small", mangling=None),
    "stripped": Build(profile="stripped", mangling=None),
    "debug": Build(profile="dev", has_lines=True),
    "lines": Build(profile="lines", has_lines=True, only_lines=True),
    "limited": Build(profile="limited", has_lines=True),
    "lto-debug": Build(profile="lto-debug", has_lines=True),
    "v0": Build(flags="-Csymbol-mangling-version=v0", mangling="v0"),
    "static-pie": Build(flags="-Ctarget-feature=+crt-static -Crelocation-model=pie"),
    "no-pie": Build(flags="-Crelocation-model=static"),
    "object": Build(is_object=True),
    **{
        "tokio-" + version.rpartition(".")[0]: Build(lock=f"locks/tokio-{version}.lock")
        for version in TOKIO_VERSIONS
    },
}


def cargo(arguments, folder, **environment):
    subprocess.run(
        ["nice", "cargo", *arguments], cwd=folder, check=True, env={**os.environ, **environment}
    )


def host_triple():
    text = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in text.splitlines() if line.startswith("host:"))


def source_for(build, folder):
    """The workspace itself, or a copy of it with the other lock file."""
    if build.lock == NEWEST:
        return PROGRAMS
    copy = copy_of_sources(folder, Path(build.lock).stem)
    shutil.copy2(PROGRAMS / build.lock, copy / NEWEST)
    return copy


def copy_of_sources(folder, name):
    # copy2 keeps the times: what did not change is not built again.
    for source, copy in ((PROGRAMS, folder / "source" / name), (VENDOR, folder / "source" / VENDOR.name)):
        shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    return folder / "source" / name


def target_folder(build, folder):
    """Builds that differ by profile alone share one; cargo keeps them apart."""
    if build.lock != NEWEST:
        return folder / ("target-" + Path(build.lock).stem)
    if build.flags:
        return folder / ("target-" + build.flags.rpartition("=")[2] + "-" + build.profile)
    return folder / "target"


def make(name, folder):
    """Builds `name`. Returns the command that runs it, less the arguments of a program."""
    build = BUILDS[name]
    target = target_folder(build, folder)
    arguments = ["build", "--quiet", "--locked", "--profile", build.profile]
    made = target / ("debug" if build.profile == "dev" else build.profile)
    environment = {"CARGO_TARGET_DIR": str(target)}
    if build.flags:
        # With --target, the flags do not reach build scripts.
        triple = host_triple()
        arguments += ["--target", triple]
        made = target / triple / made.name
        environment["RUSTFLAGS"] = build.flags
    packages = ["object", "host"] if build.is_object else ["truth"]
    for package in packages:
        arguments += ["--package", package]
    cargo(arguments, source_for(build, folder), **environment)
    if build.is_object:
        return [str(made / "host"), str(made / "libtruth_object.so")]
    return [str(made / "truth")]


def make_second_clock(folder):
    target = target_folder(BUILDS["release"], folder)
    arguments = ["build", "--quiet", "--locked", "--release", "--package", "host"]
    cargo(arguments, PROGRAMS, CARGO_TARGET_DIR=str(target))
    return [str(target / "release" / "second-clock")]


def make_all(names, folder):
    folder.mkdir(parents=True, exist_ok=True)
    commands = {}
    for name in names:
        print(f"building {name} …", file=sys.stderr, flush=True)
        commands[name] = make(name, folder)
    return commands


def relock(folder):
    """Renews every lock file: the newest of everything, and then each older Tokio."""
    cargo(["update", "--quiet"], PROGRAMS)
    for version in TOKIO_VERSIONS:
        lock = PROGRAMS / "locks" / f"tokio-{version}.lock"
        copy = copy_of_sources(folder, lock.stem)
        cargo(["update", "--quiet", "--package", "tokio", "--precise", version], copy)
        shutil.copy2(copy / NEWEST, lock)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="BUILD", help=", ".join(BUILDS))
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--relock", action="store_true", help="renew the lock files instead")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BUILDS]
    if unknown:
        parser.error(f"no build {unknown[0]!r}")
    if options.relock:
        return relock(options.folder)
    for name, command in make_all(options.names or list(BUILDS), options.folder).items():
        print(name, *command)
    print("second-clock", *make_second_clock(options.folder))


if __name__ == "__main__":
    main()
