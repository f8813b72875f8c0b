#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares the kernel side's unwinder with independent ones, on the same instants of running programs.

The kernel copies registers and stacks at ticks and context switches, as `perf record --call-graph dwarf` lets it; then libdw
and our unwinder, compiled for the host, both unwind them. With --gdb, programs are stopped and gdb's frames are compared.

Exit codes: 0 the frames agree as far as FLOOR asks; 1 they do not; 77 samples cannot be taken here.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "truth"))
import builds  # noqa: E402

FLOOR = 0.995  # of the stacks, all frames the same
SKIPPED = 77
SETTLE_SECONDS = 1
HOME = ROOT / "build" / "unwind"

SWC, ORJSON, PYDANTIC_CORE = "1.15.3", "3.11.4", "2.41.5"

NODE_SCRIPT = """
const swc = require('@swc/core');
const source = Array.from({ length: 60 }, (_, i) =>
  `export async function f${i}(x: number) { return x > ${i} ? await g(x - 1) : { ...x, a: [${i}] }; }`).join('\\n');
function once() { return swc.transformSync(source, { jsc: { parser: { syntax: 'typescript' } } }).code.length; }
function turn() { once(); swc.transform(source, {}).catch(() => 0).then(() => setImmediate(turn)); }
turn();
"""

PYTHON_SCRIPT = """
import orjson
from pydantic_core import SchemaValidator, core_schema as cs
def check(value):
    return sum(range(value % 300)) and value
item = cs.no_info_after_validator_function(check, cs.int_schema())
v = SchemaValidator(cs.dict_schema(cs.str_schema(), cs.list_schema(item)))
class Odd:
    pass
def default(o):
    return [sum(range(200))]
while True:
    data = {str(i): list(range(i)) for i in range(60)}
    v.validate_python(data)
    orjson.loads(orjson.dumps([data, Odd()], default=default))
"""


# Its functions are known by .debug_frame alone: those of libraries and of the C runtime by .eh_frame.
C_SOURCE = """
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
__attribute__((noinline)) static long descend(int depth, int *numbers)
{
	volatile long room[8] = { depth };
	if (!depth)
		qsort(numbers, 1000, sizeof(*numbers), compare);
	else
		room[0] += descend(depth - 1, numbers);
	return room[0];
}
int main(void)
{
	static int numbers[1000];
	for (;;) {
		for (int i = 0; i < 1000; i++)
			numbers[i] = rand();
		descend(rand() % 50, numbers);
	}
}
"""


def run(command, **options):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **options)


@contextmanager
def started(command, **options):
    """A child that is gone afterwards; its standard input stays open."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, **options)
    try:
        time.sleep(SETTLE_SECONDS)
        if child.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {child.returncode}")
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()


@contextmanager
def truth(build, program="multi"):
    command = builds.make(build, builds.DEFAULT_FOLDER)
    folder = HOME / "log"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    environment = {**os.environ, "TRUTH_DIR": str(folder), "TRUTH_SCRATCH": str(folder)}
    with started([*command, program, "600", "1"], env=environment) as child:
        child.stdin.write(b"go\n")
        child.stdin.flush()
        yield child.pid


@contextmanager
def without_eh_frame(_build):
    source, built = HOME / "plain.c", HOME / "plain"
    source.write_text(C_SOURCE)
    run(["gcc", "-g", "-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fomit-frame-pointer", source,
         "-o", built])
    with started([str(built)]) as child:
        yield child.pid


@contextmanager
def node(_build):
    home = HOME / "npm"
    if not (home / "node_modules/@swc/core").exists():
        home.mkdir(parents=True, exist_ok=True)
        run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund", "--ignore-scripts", f"@swc/core@{SWC}"])
    with started(["node", "-e", NODE_SCRIPT], cwd=home) as child:
        yield child.pid


@contextmanager
def python(_build):
    home = HOME / "python"
    if not (home / "ready").exists():
        run(["python3", "-m", "venv", home])
        run([home / "bin/pip", "install", "-q", f"orjson=={ORJSON}", f"pydantic-core=={PYDANTIC_CORE}"])
        (home / "ready").touch()
    with started([str(home / "bin/python"), "-c", PYTHON_SCRIPT]) as child:
        yield child.pid


# The name in the table is the build's, where there is one.
PROGRAMS = {
    **{name: truth for name in ("release", "lto-abort", "small", "debug", "v0", "static-pie", "no-pie", "object")},
    "no-eh-frame": without_eh_frame,
    "node": node,
    "python": python,
}
SHORT = ("release", "lto-abort", "no-eh-frame")
STOPPED = ("release", "lto-abort", "debug", "static-pie", "python")


def compare(options, *arguments, text=""):
    result = subprocess.run([str(options.tool), *arguments], input=text, text=True, check=True, stdout=subprocess.PIPE,
                            stderr=None if options.examples else subprocess.DEVNULL)
    return json.loads(result.stdout)


def sampled(pid, options):
    return compare(options, str(pid), str(options.seconds))


GDB_SCRIPT = """
import gdb
gdb.execute("set pagination off")
gdb.execute("set backtrace past-main on")
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame = gdb.newest_frame()
    words = [thread.ptid[1]] + [int(frame.read_register(name)) for name in ("rip", "rsp", "rbp")]
    while frame:
        if frame.type() != gdb.INLINE_FRAME and frame.type() != gdb.TAILCALL_FRAME:
            words.append(frame.pc())
        frame = frame.older()
    print("THREAD", *[hex(word & 0xffffffffffffffff) for word in words])
"""


def stopped(pid, options):
    """gdb stops the program, says frames and registers of all threads, and leaves it stopped."""
    script = HOME / "frames.py"
    script.write_text(GDB_SCRIPT)
    lines = []
    for _ in range(options.stops):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        said = subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-x", str(script)],
                              capture_output=True, text=True, check=True).stdout
        text = "".join(line.partition(" ")[2] + "\n" for line in said.split("\n") if line.startswith("THREAD"))
        lines.append(compare(options, "--stopped", str(pid), text=text))
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.2)
    return total(lines)


def total(lines):
    sums = {"frames": 0, "frames_same": 0, "lost": 0, "stacks": {}}
    for line in lines:
        for key in ("frames", "frames_same", "lost"):
            sums[key] += line[key]
        for key, count in line["stacks"].items():
            sums["stacks"][key] = sums["stacks"].get(key, 0) + count
    return sums


def row(name, figures):
    """Prints a line of the table. Returns whether the floor is reached."""
    stacks = figures["stacks"]
    n = sum(stacks.values())
    same = sum(count for key, count in stacks.items() if key.startswith("same "))
    complete = sum(count for key, count in stacks.items() if key.endswith((" complete", " guessed")))
    if figures["lost"]:
        stacks = {**stacks, "samples lost": figures["lost"]}
    others = ", ".join(f"{count} {key}" for key, count in sorted(stacks.items()) if key != "same complete")
    print(f"{name:<16}{n:>7}{same / max(n, 1):>9.2%}{complete / max(n, 1):>10.2%}"
          f"{figures['frames']:>9}{figures['frames_same'] / max(figures['frames'], 1):>9.2%}  {others}", flush=True)
    return n > 0 and same / n >= FLOOR


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    parser.add_argument("--short", action="store_true", help=f"{', '.join(SHORT)} only, what `make test` runs")
    parser.add_argument("--gdb", action="store_true", help="stop the programs, compare with gdb")
    parser.add_argument("--stops", type=int, default=5, help="with --gdb")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--examples", action="store_true", help="print two of each kind of difference")
    parser.add_argument("--tool", type=Path, default=ROOT / "build/tests/unwind/compare_unwinders")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("root is needed to sample another program's stacks")
        return SKIPPED
    names = options.programs or (SHORT if options.short else STOPPED if options.gdb else tuple(PROGRAMS))
    measure = stopped if options.gdb else sampled
    HOME.mkdir(parents=True, exist_ok=True)
    print(f"{'program':<16}{'stacks':>7}{'same':>9}{'complete':>10}{'frames':>9}{'same':>9}  what else")
    rows, n_failed = [], 0
    for name in names:
        with PROGRAMS[name](name) as pid:
            rows.append(measure(pid, options))
        n_failed += not row(name, rows[-1])
    row("all", total(rows))
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
