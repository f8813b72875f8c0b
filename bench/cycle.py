#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Attach, detach, and every third time kill -9, again and again on a loaded server: the server must never err, nothing
may grow, and nothing may stay behind in the kernel or in the server's code."""

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import bpf, proc, tools
from harness.load import Load, LoadError, build

ROOT = Path(__file__).resolve().parent.parent
GONE_LIMIT_S = 3.0
GROWTH_KB = 1024
FD_SLACK = 2  # one connection of the client comes and goes
WARM_UP = 5  # cycles before growth counts
MODES = (tools.Sampled, tools.Exact, tools.Auto)


@dataclass
class Tally:
    """What the cycles showed."""

    problems: list = field(default_factory=list)
    attach: list = field(default_factory=list)
    detach: list = field(default_factory=list)
    gone: list = field(default_factory=list)
    kills: int = 0
    server_kb: list = field(default_factory=list)
    server_fds: list = field(default_factory=list)
    tool_kb: dict = field(default_factory=dict)  # by mode
    tool_fds: dict = field(default_factory=dict)
    objects: dict = field(default_factory=lambda: dict.fromkeys(bpf.KINDS, 0))  # most ever held
    changed: dict = field(default_factory=dict)  # cycles by mode in which code was changed while attached

    def wrong(self, cycle, text):
        self.problems.append(f"cycle {cycle}: {text}")


def note_attached(tally, cycle, tool, server):
    """While the tool is attached: what it holds, how big it is, whether it changed the server's code."""
    held = bpf.held_by_tool(tool.pid)
    for kind in bpf.KINDS:
        tally.objects[kind] = max(tally.objects[kind], len(held[kind]))
    tally.tool_kb.setdefault(tool.name, []).append(proc.status_kb(tool.pid, "VmHWM") or 0)
    tally.tool_fds.setdefault(tool.name, []).append(proc.fd_count(tool.pid))
    if proc.changed_code(server.pid):
        tally.changed[tool.name] = tally.changed.get(tool.name, 0) + 1
        if tool.name != "exact":
            tally.wrong(cycle, f"{tool.name} mode changed the server's code")
    return held


def wait_gone(tally, cycle, held, server):
    """Everything the tool held and every breakpoint must go; the kernel may take a moment after a kill."""
    begin = time.monotonic()
    while True:
        left, changed = bpf.still_there(held), proc.changed_code(server.pid)
        waited = time.monotonic() - begin
        if not left and not changed:
            tally.gone.append(waited)
            return
        if waited > GONE_LIMIT_S:
            tally.wrong(cycle, f"left behind after {GONE_LIMIT_S} s: {left or ''} {[hex(a) for a in changed] or ''}")
            return
        time.sleep(0.02)


def check_end(tally, cycle, tool, killed):
    wanted = -signal.SIGKILL if killed else 0
    if tool.exit_code != wanted:
        tally.wrong(cycle, f"exit code {tool.exit_code}, not {wanted}: {tools.last_line(tool.log)}")
    if not killed and tool.lines()[-1].get("type") != "bye":
        tally.wrong(cycle, "the last line is not bye")


def one_cycle(tally, cycle, mode, server, client, rng):
    killed = cycle % 3 == 2
    with tempfile.TemporaryDirectory(prefix="rs-cycle-") as workdir:
        tool = mode(server, workdir)
        try:
            tool.start()
            time.sleep(rng.uniform(0, 0.2))
            held = note_attached(tally, cycle, tool, server)
            tool.stop(signal.SIGKILL if killed else signal.SIGINT)
            check_end(tally, cycle, tool, killed)
        except (tools.ToolError, OSError) as e:
            tally.wrong(cycle, f"{mode.name}: {e}")
            return
        finally:
            if tool.process and tool.process.poll() is None:
                tool.process.kill()
                tool.process.wait()
    tally.attach.append(tool.attach_s)
    if killed:
        tally.kills += 1
    else:
        tally.detach.append(tool.detach_s)
    wait_gone(tally, cycle, held, server)
    note_server(tally, cycle, server, client)


def note_server(tally, cycle, server, client):
    errors = server.sample()["errors"] + client.sample()["errors"]
    if errors:
        tally.wrong(cycle, f"{errors} errors of server and clients so far")
    tally.server_kb.append(proc.status_kb(server.pid, "VmRSS"))
    tally.server_fds.append(proc.fd_count(server.pid))


def growth(values):
    """Median of the last quarter less that of the first, the warm-up left out; 0 for too few values."""
    values = values[WARM_UP:]
    quarter = len(values) // 4
    if quarter == 0:
        return 0
    return statistics.median(values[-quarter:]) - statistics.median(values[:quarter])


def check_flat(tally):
    series = [("server", tally.server_kb, tally.server_fds)]
    series += [(f"tool ({mode})", kb, tally.tool_fds[mode]) for mode, kb in tally.tool_kb.items()]
    for name, kb, fds in series:
        if growth(kb) > GROWTH_KB:
            tally.problems.append(f"{name}: memory grew by {growth(kb):.0f} kB")
        if growth(fds) > FD_SLACK:
            tally.problems.append(f"{name}: open files grew by {growth(fds):.0f}")


def check_left(tally, before, events):
    """Objects of nobody, new since the start. Others may be loading programs at this moment: look three times."""
    left = bpf.unowned_since(before)
    for _ in range(2):
        if left:
            time.sleep(1)
            again = bpf.unowned_since(before)
            left = {k: sorted(set(ids) & set(again.get(k, ()))) for k, ids in left.items()}
            left = {k: ids for k, ids in left.items() if ids}
    if left:
        tally.problems.append(f"BPF objects without owner: {left}")
    now = bpf.uprobe_events()
    if now is not None and events is not None and now - events:
        tally.problems.append(f"uprobe_events: {sorted(now - events)}")


def check_exit_codes(tally, program):
    """The refusals of interface.md that need no privileges to see."""
    sleeper = subprocess.Popen(["sleep", "60"])
    gone = subprocess.Popen(["true"])
    gone.wait()
    try:
        for wanted, pid, extra in ((3, gone.pid, []), (4, sleeper.pid, []), (2, sleeper.pid, ["--no-such-option"])):
            command = [str(program.absolute()), "watch", "--pid", str(pid), "--format", "ndjson", "-o", "/dev/null"]
            command += extra
            code = subprocess.run(command, capture_output=True, timeout=30).returncode
            if code != wanted:
                tally.problems.append(f"exit code {code}, not {wanted}: {' '.join(command[1:])}")
    except subprocess.TimeoutExpired as e:
        tally.problems.append(f"does not end: {' '.join(e.cmd[1:])}")
    finally:
        sleeper.kill()
        sleeper.wait()


def check_target_end(tally, server):
    """The target dies while it is watched: the tool says bye and leaves with 0."""
    with tempfile.TemporaryDirectory(prefix="rs-cycle-") as workdir:
        tool = tools.Auto(server, workdir)
        try:
            tool.start()
            server.process.kill()
            server.process.wait()
            tool.exit_code = tool.process.wait(5)
            check_end(tally, "target's death", tool, killed=False)
        except tools.ToolError as e:
            tally.wrong("target's death", str(e))
        except subprocess.TimeoutExpired:
            tally.wrong("target's death", "the tool still waits after 5 s")
        finally:
            if tool.process and tool.process.poll() is None:
                tool.process.kill()
                tool.process.wait()


def run(args):
    tally, rng = Tally(), random.Random(args.seed)
    before, events = bpf.everything(), bpf.uprobe_events()
    check_exit_codes(tally, args.program)
    with Load("load", ("server",)) as server:
        with Load("load", ("client", "--port", str(server.port))) as client:
            for cycle in range(args.count):
                one_cycle(tally, cycle, MODES[cycle // 3 % len(MODES)], server, client, rng)
                if cycle % 10 == 9:
                    print(f"{cycle + 1}/{args.count} cycles, {len(tally.problems)} problems", file=sys.stderr)
                if len(tally.problems) >= args.most_problems:
                    tally.problems.append(f"given up after {cycle + 1} cycles")
                    break
            served = client.sample()["units"]
        check_target_end(tally, server)
    check_flat(tally)
    check_left(tally, before, events)
    return tally, served


def span(values, unit="s", digits=3):
    if not values:
        return "none"
    return f"median {statistics.median(values):.{digits}f} {unit}, max {max(values):.{digits}f} {unit}"


def show(tally, served):
    print(f"cycles       {len(tally.attach)}, of them {tally.kills} ended by kill -9; {served} requests served")
    print(f"attach       {span(tally.attach)}")
    print(f"detach       {span(tally.detach)}")
    print(f"all gone     {span(tally.gone)} after the tool's end")
    print(f"held at most {tally.objects['prog']} programs, {tally.objects['link']} links, {tally.objects['map']} maps")
    print(f"code changed while attached, by mode: {tally.changed or 'never'}")
    print(f"server       {span(tally.server_kb, 'kB', 0)}, grew {growth(tally.server_kb):.0f} kB; "
          f"{span(tally.server_fds, 'files', 0)}")
    for mode, kb in sorted(tally.tool_kb.items()):
        print(f"tool {mode:<8}{span(kb, 'kB', 0)}, grew {growth(kb):.0f} kB; {span(tally.tool_fds[mode], 'files', 0)}")
    for problem in tally.problems:
        print(f"WRONG        {problem}")
    print("cycle: " + ("FAILED" if tally.problems else "all well"))


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--count", type=int, default=200, help="cycles (default 200)")
    p.add_argument("--program", type=Path, default=ROOT / "build" / "runtime-scope")
    p.add_argument("--most-problems", type=int, default=10, help="give up after that many")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--no-build", action="store_true", help="take the loads as they are")
    args = p.parse_args(argv)
    tools.use_program(args.program)
    why = tools.Auto.missing(None) or bpf.missing()
    if why:
        print(f"cycle: {why}", file=sys.stderr)
        return 1
    try:
        if not args.no_build:
            build({"load"})
        tally, served = run(args)
    except (LoadError, OSError) as e:
        print(f"cycle: {e}", file=sys.stderr)
        return 1
    show(tally, served)
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
