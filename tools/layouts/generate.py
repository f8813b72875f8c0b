#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds a small program against many Tokio versions and writes down their layouts.

Facts go to layouts.json (kept: a build already there is not repeated without --again), the merged
table to src/plan/layouts.c. Needs python3-pyelftools, cargo, rustup for other toolchains.

    generate.py --work DIR [--only 1.38 --only newest] [--toolchain debian] [--unstable] [--table]
"""

import argparse
import json
import sys
from pathlib import Path

from builds import FEATURES, Build, BuildFailed, compile_build, rustc_version
from emit_c import version_key, write_table
from extract import Extractor, Missing

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "layouts.json"
TABLE = HERE.parent.parent / "src" / "plan" / "layouts.c"

OLDEST, NEWEST_DEBIAN = 20, 38
NEWEST = 54
# Patch releases within a minor that are not like its newest one, or might not be.
EXACT = ("1.51.0", "1.51.1", "1.51.2", "1.52.0", "1.52.1", "1.52.2")


def versions(toolchain):
    last = NEWEST_DEBIAN if toolchain == "debian" else NEWEST
    minors = [f"1.{minor}" for minor in range(OLDEST, last + 1)]
    return minors if toolchain == "debian" else [*minors, *EXACT]


def load():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def _sort_key(record):
    return (record["rustc"], record["unstable"], version_key(record["tokio"]), record["features"])


def save(records):
    records.sort(key=_sort_key)
    lines = [json.dumps(record, sort_keys=True) for record in records]
    fresh = RESULTS.with_suffix(".tmp")
    fresh.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    fresh.replace(RESULTS)


def measure(build, work):
    executable, tokio = compile_build(build, work)
    extractor = Extractor(executable)
    try:
        facts = extractor.run()
    finally:
        extractor.close()
        executable.unlink()
    return {
        "asked": build.tokio, "tokio": tokio, "features": build.features,
        "rustc": rustc_version(build.toolchain), "toolchain": build.toolchain,
        "unstable": build.unstable, "facts": facts,
    }


def _known(records, build):
    return any(
        (r["asked"], r["features"], r["unstable"], r["toolchain"])
        == (build.tokio, build.features, build.unstable, build.toolchain)
        for r in records
    )


def _forget(records, new):
    keys = ("tokio", "features", "unstable", "rustc")
    return [r for r in records if any(r[k] != new[k] for k in keys)]


def run(args):
    records = load()
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    failed = 0
    for version in args.only or versions(args.toolchain):
        for features in args.features or FEATURES:
            build = Build(version, features, args.unstable, args.toolchain)
            if _known(records, build) and not args.again:
                continue
            try:
                record = measure(build, work)
            except (BuildFailed, Missing) as error:
                print(f"{build.name}: {error}", file=sys.stderr)
                failed += 1
                continue
            records = [*_forget(records, record), record]
            save(records)
            write_table(records, TABLE)
            print(build.name, record["tokio"], flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", default="/tmp/tokio-layouts", help="folder for the builds")
    parser.add_argument("--only", action="append", help="1.38, 1.51.0 or newest")
    parser.add_argument("--features", action="append", choices=sorted(FEATURES))
    parser.add_argument("--toolchain", default="", help='"debian": /usr/bin/rustc, or as 1.70.0')
    parser.add_argument("--unstable", action="store_true", help="--cfg tokio_unstable")
    parser.add_argument("--again", action="store_true", help="repeat builds already known")
    parser.add_argument("--table", action="store_true", help="only write the table")
    args = parser.parse_args()
    failed = 0 if args.table else run(args)
    rows = write_table(load(), TABLE)
    print(f"{len(rows)} rows")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
