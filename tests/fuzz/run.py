#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fuzzes every target for so many minutes, several at a time, and ends with a table.

Inputs that add coverage are kept in BUILD/corpus/TARGET, the next run goes on from them. What
crashes, hangs or takes too much memory is in BUILD/found/TARGET; the exit code is 1 then.

With --pack nothing is fuzzed: of the inputs that are there the smallest that together reach most are
written to corpus/TARGET.pack, which is kept and is where the next run begins.

usage: tests/fuzz/run.py [--build DIR] [--minutes N] [--jobs N] [--pack] [TARGET]...
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY_MB = 512
TAIL = 65536
PACK, PACKED = 8192, 1024  # bytes of a pack, and of an input in it
INPUT_S = 10  # one input may take
LONGEST = {"code": 4097, "comm": 15, "elf": 16384, "lines": 16384, "memory": 9000, "name": 2048,
           "object": 16384, "options": 512, "rows": 16384, "text": 1024, "unwind": 16384}
LONGEST_OTHER = 4096
SEEDS = {"elf": "elf", "lines": "lines", "object": "lines", "rows": "rows"}
STATUS = re.compile(r"cov: (\d+) ft: (\d+)")
DONE = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
PEAK = re.compile(r"stat::peak_rss_mb:\s+(\d+)")


@dataclass
class Result:
    target: str
    executions: int = 0
    coverage: int = 0
    features: int = 0
    peak_mb: int = 0
    found: int = 0

    def read(self, output):
        for line in output.splitlines():
            if match := STATUS.search(line):
                self.coverage, self.features = int(match.group(1)), int(match.group(2))
            elif match := DONE.search(line):
                self.executions = int(match.group(1))
            elif match := PEAK.search(line):
                self.peak_mb = int(match.group(1))


def tail_of(path):
    """The end of a log, which may be long: children inherit the peak of this program's memory."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL))
        return log.read().decode(errors="replace")


def command_of(target, build, seconds):
    """libFuzzer's command line; the first folder takes what it finds, the others are only read."""
    corpus, found = build / "corpus" / target, build / "found" / target
    folders = [HERE / "corpus" / target]  # not the regressions: what is made of bombs are bombs
    if target in SEEDS:
        folders.append(build / "tests" / "fuzz" / "seeds" / SEEDS[target])
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    words = HERE / "dict" / f"{target}.dict"
    return [str(build / "tests" / "fuzz" / f"fuzz_{target}"), f"-max_total_time={seconds}",
            f"-timeout={INPUT_S}", f"-rss_limit_mb={MEMORY_MB}", "-malloc_limit_mb=1024",
            f"-max_len={LONGEST.get(target, LONGEST_OTHER)}", f"-artifact_prefix={found}/",
            "-print_final_stats=1", "-use_value_profile=1", "-reload=0",
            *([f"-dict={words}"] if words.exists() else []),
            str(corpus), *(str(f) for f in folders if f.is_dir())]


def unpack(target, folder):
    """The inputs of corpus/TARGET.pack: each behind its length, of four bytes."""
    path = HERE / "corpus" / f"{target}.pack"
    data = path.read_bytes() if path.exists() else b""
    while data:
        size = int.from_bytes(data[:4], "little")
        content, data = data[4:4 + size], data[4 + size:]
        (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def pack(target, build):
    """Keeps the smallest of those that together reach all that is reached. Not while it is fuzzed."""
    with tempfile.TemporaryDirectory() as best:
        subprocess.run([str(build / "tests" / "fuzz" / f"fuzz_{target}"), "-set_cover_merge=1",
                        "-use_value_profile=0", f"-max_len={PACKED}", best,
                        str(build / "corpus" / target)],
                       capture_output=True, check=True, timeout=300)
        inputs = sorted((p.read_bytes() for p in Path(best).iterdir()), key=len)
    out = b""
    for content in inputs:
        if len(out) + 4 + len(content) <= PACK:
            out += len(content).to_bytes(4, "little") + content
    (HERE / "corpus" / f"{target}.pack").write_bytes(out)
    print(f"fuzz: {target}.pack: {len(out):,} bytes of {len(inputs)} inputs")


def fuzz(target, build, seconds):
    """Until the time is over, or something is found."""
    result = Result(target)
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1",
                   "ASAN_OPTIONS": "allocator_may_return_null=1:quarantine_size_mb=32"}
    log = build / "found" / f"{target}.log"
    command = command_of(target, build, seconds)
    unpack(target, build / "corpus" / target)
    with log.open("w") as output:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                       env=environment, check=False)
    result.read(tail_of(log))
    result.found = len(list((build / "found" / target).iterdir()))
    print(f"fuzz: {target}: {result.executions:,} inputs, {result.found} found", flush=True)
    return result


def print_table(results):
    print(f"\n{'target':<12}{'inputs':>14}{'edges':>8}{'features':>10}{'peak MB':>9}{'found':>7}")
    for r in results:
        print(f"{r.target:<12}{r.executions:>14,}{r.coverage:>8}{r.features:>10}{r.peak_mb:>9}"
              f"{r.found:>7}")


def main(arguments):
    parser = argparse.ArgumentParser(description="Fuzzes every target.")
    parser.add_argument("--build", type=Path, default=HERE.parent.parent / "build-fuzz")
    parser.add_argument("--minutes", type=float, default=1, help="for each target (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--pack", action="store_true", help="keep the best inputs")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args(arguments)
    known = sorted(p.stem.removeprefix("fuzz_") for p in HERE.glob("fuzz_*.c"))
    unknown = set(options.targets) - set(known)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    build = options.build.resolve()
    if options.pack:
        for target in options.targets or known:
            if target not in SEEDS:  # those have their seeds
                pack(target, build)
        return 0
    seconds = max(1, round(60 * options.minutes))
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda t: fuzz(t, build, seconds), options.targets or known))
    print_table(results)
    return 1 if any(r.found for r in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
