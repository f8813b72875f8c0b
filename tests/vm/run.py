#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The tool under other kernels than this machine's: does it load, watch and find what the example does?"""
import argparse
import pathlib
import sys
import tempfile

import guest
import seen

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ["6.1", "6.12"]  # Debian 12's own, and the newest it offers
MODES = ["sampled", "exact", "auto"]


def check_kernel(version, modes, options, folder):
    """Prints a row for each mode. True when all is well."""
    image = guest.kernel(version, options.cache)
    programs = [options.tool, options.examples / "test-async-app"]
    initrd = folder / "initrd"
    initrd.write_bytes(guest.pack(programs, folder / "root"))
    said = guest.boot(image, initrd, f"MODES={','.join(modes)} SECONDS={options.seconds}", folder)
    is_well = said["doctor"][-1:] == ["doctor: exit code 0"]
    if not is_well:
        print("\n".join(said["doctor"]))
    for mode in modes:
        v = seen.judge(*(said[f"{mode} {name}"] for name in ("app", "report", "errors")))
        print(f"{said['kernel'][0]:28} {mode:8} {v.held:5} {v.found:6} {v.stacks:7} {v.complete:9}  {'; '.join(v.complaints) or 'ok'}")
        is_well = is_well and not v.complaints
    return is_well


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", nargs="+", default=KERNELS, metavar="VERSION", help="such as 6.1")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--seconds", type=int, default=30, help="that the example runs")
    parser.add_argument("--tool", type=pathlib.Path, default=ROOT / "build/runtime-scope")
    parser.add_argument("--examples", type=pathlib.Path, default=ROOT / "build/examples")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build/vm", help="for kernels")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for what the guests said")
    options = parser.parse_args()
    is_well = True
    print(f"{'kernel':28} {'mode':8} {'held':>5} {'found':>6} {'stacks':>7} {'complete':>9}")
    for version in options.kernels:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.keep / version if options.keep else pathlib.Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                is_well = check_kernel(version, options.modes, options, folder) and is_well
            except guest.Unavailable as reason:
                print(f"{version:28} skipped: {reason}")
            except AssertionError as reason:
                print(f"{version:28} {reason}")
                is_well = False
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
