#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The cost harness: what runtime-scope costs the program it watches, and what its peers cost. See doc/OVERHEAD.md."""

import argparse
import json
import sys
import time
from pathlib import Path

from harness import bpf, floor, limits, measure, price, proc, report, tools
from harness.load import SPECS, LoadError, binary, build

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "doc" / "OVERHEAD.md"
SHORT_LOADS = "storm,pingpong,types500"
SHORT_TOOLS = "sampled,auto,exact,offcputime"


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--short", action="store_true", help="three loads, one peer, under two minutes")
    p.add_argument("--minutes", type=float, help="time for all loads together (default 19, with --short 1.5)")
    p.add_argument("--window", type=float, help="seconds of one window (default 1.0, with --short 0.6)")
    p.add_argument("--loads", help="comma-separated: " + ",".join(SPECS))
    p.add_argument("--tools", help="comma-separated: " + ",".join(tools.TOOLS))
    p.add_argument("--program", default=ROOT / "build" / "runtime-scope", help="the runtime-scope to measure")
    p.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    p.add_argument("--write", action="store_true", help="replace the table in doc/OVERHEAD.md")
    p.add_argument("--check", action="store_true", help="exit code 1 when a promise is broken")
    p.add_argument("--no-build", action="store_true", help="take the loads as they are")
    p.add_argument("--seed", type=int, default=1, help="of the order of the windows")
    args = p.parse_args(argv)
    args.loads = chosen(p, args.loads or (SHORT_LOADS if args.short else ",".join(SPECS)), SPECS)
    args.tools = chosen(p, args.tools or (SHORT_TOOLS if args.short else ",".join(tools.TOOLS)), tools.TOOLS)
    args.minutes = args.minutes or (1.5 if args.short else 19)
    args.window = args.window or (0.6 if args.short else 1.0)
    return args


def chosen(parser, names, known):
    picked = [n for n in names.split(",") if n]
    for name in picked:
        if name not in known:
            parser.error(f"no {name!r} here; there are: {', '.join(known)}")
    return [known[n] for n in picked]


def progress(text):
    print(text, file=sys.stderr, flush=True)


def run(args):
    """Measures every load; returns the document."""
    deadline = time.monotonic() + args.minutes * 60
    interrupt = price.interrupt_ns()
    floor_ns = floor.ns_per_run() if bpf.missing() is None else None
    stolen, begin = proc.stolen_ns(), time.monotonic()
    results, failed = [], []
    for i, spec in enumerate(args.loads):
        session = measure.Session(spec, args.tools, binary(spec.program), args.window, args.seed, floor_ns or 0.0)
        share = (deadline - time.monotonic()) / (len(args.loads) - i)
        progress(f"{spec.name}: {share:.0f} s")
        try:
            session.run(share, least_rounds=1 if args.short else 2)
        except (LoadError, OSError) as e:
            # What was measured before, and the other loads, still count.
            failed.append(f"{spec.name}: broken off after {session.rounds} rounds: {e}")
        results.append(session.result(interrupt.median if interrupt else None))
    text = f"{interrupt.median / 1000:.1f} µs" if interrupt else "an unknown time"
    return {
        "date": time.strftime("%Y-%m-%d"), "machine": report.machine(), "window_s": args.window,
        "rounds": rounds_text(results), "interrupt_ns": interrupt and interrupt.as_dict(), "interrupt_text": text, "bpf_floor_ns": floor_ns,
        "stolen_percent": (proc.stolen_ns() - stolen) / (time.monotonic() - begin) / 1e7, "results": results, "failed": failed,
    }


def rounds_text(results):
    counts = [r["rounds"] for r in results]
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def write_page(document):
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(report.replace_between_markers(page, report.markdown(document)), encoding="utf-8")


def main(argv=None):
    args = arguments(argv)
    tools.use_program(args.program)
    try:
        if not args.no_build:
            progress("building the loads (some minutes the first time)")
            build({spec.program for spec in args.loads} | {"load"})
        if bpf.missing():
            progress(f"no BPF run times: {bpf.missing()}")
        document = run(args)
    except (LoadError, OSError) as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    print(report.heading(document), report.terminal(document["results"]), sep="\n\n")
    if document["stolen_percent"] > 0.5:
        print(f"The hypervisor took {document['stolen_percent']:.1f} % of a CPU away meanwhile.")
    if args.json:
        args.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if args.write:
        write_page(document)
    broken = document["failed"] + limits.check(document["results"])
    for sentence in broken:
        print(f"limit: {sentence}")
    return 1 if broken and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
