# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is attached to the loads: our tool in its modes, its peers, and nothing (the control)."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import proc

ATTACH_LIMIT_S = 20
DETACH_LIMIT_S = 30
POLL_SYMBOL = "7runtime4task3raw4poll"
# Each single probe waits for all CPUs when it goes; hundreds take minutes, and the machine waits with them.
BPFTRACE_MAX_FUNCTIONS = 64


class ToolError(Exception):
    pass


def last_line(path):
    try:
        lines = [l for l in path.read_text(errors="replace").splitlines() if l.strip()]
    except OSError:
        lines = []
    return lines[-1][:160] if lines else "no message"


class Tool:
    """One attachment: start(), then stop(). A tool object is used for one attachment only."""

    name = "?"
    label = "?"
    ours = False
    has_bpf = True

    def __init__(self, target, workdir):
        self.target = target
        self.dir = Path(workdir)
        self.process = None
        self.log = self.dir / "log"
        self.attach_s = self.detach_s = self.exit_code = None

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def start(self):
        """Returns when the tool is attached; sets attach_s."""
        begin = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not self.is_ready():
            if self.process.poll() is not None:
                raise ToolError(f"ended with {self.process.returncode}: {last_line(self.log)}")
            if time.monotonic() - begin > ATTACH_LIMIT_S:
                raise ToolError(f"not attached after {ATTACH_LIMIT_S} s: {last_line(self.log)}")
            time.sleep(0.002)
        self.attach_s = time.monotonic() - begin

    @property
    def pid(self):
        return self.process.pid

    def stop(self, sig=signal.SIGINT):
        """Ends the tool and waits for it; sets detach_s and exit_code."""
        if self.process is None:
            return
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            self.exit_code = self.process.wait(DETACH_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
            raise ToolError(f"still there {DETACH_LIMIT_S} s after {sig.name}, killed") from None
        finally:
            self.detach_s = time.monotonic() - begin


class Nothing(Tool):
    """The A/A control: treated like every tool, but nothing is attached."""

    name = label = "control"
    has_bpf = False

    def start(self):
        self.attach_s = None

    @property
    def pid(self):
        return None

    def stop(self, sig=signal.SIGINT):
        pass


class RuntimeScope(Tool):
    ours = True
    program = None  # path of the executable, set by use_program()
    mode = "auto"

    @classmethod
    def missing(cls, load):
        if not (cls.program and os.access(cls.program, os.X_OK)):
            return f"{cls.program} is not built"
        return None

    @property
    def output(self):
        return self.dir / "out.ndjson"

    def command(self):
        return [str(self.program), "watch", "--pid", str(self.target.pid), "--mode", self.mode,
                "--format", "ndjson", "-o", str(self.output)]

    def is_ready(self):
        return bool(self.lines(limit=1))

    def lines(self, limit=None):
        """The whole lines written so far, parsed."""
        try:
            text = self.output.read_bytes()
        except OSError:
            return []
        whole = text[:text.rfind(b"\n") + 1].splitlines()[:limit]
        try:
            parsed = [json.loads(line) for line in whole]
        except ValueError as e:
            raise ToolError(f"not NDJSON: {e}") from None
        if parsed and parsed[0].get("type") != "hello":
            raise ToolError(f"first line is {parsed[0].get('type')!r}, not hello")
        return parsed

    def own_figures(self):
        """What the tool says about itself: its last `stats` line and the number of blocks reported."""
        lines = self.lines()
        stats = [l for l in lines if l["type"] == "stats"]
        return {"mode": lines[0].get("mode") if lines else None,
                "future_types": lines[0].get("future_types") if lines else None,
                "blocks": sum(l["type"] == "block" for l in lines), "stats": stats[-1] if stats else None}


class Sampled(RuntimeScope):
    name = mode = "sampled"
    label = "runtime-scope sampled"


class Auto(RuntimeScope):
    name = mode = "auto"
    label = "runtime-scope auto"


class Exact(RuntimeScope):
    name = mode = "exact"
    label = "runtime-scope exact"


class Peer(Tool):
    """A tool that does not say when it is attached: it is when its events are open and no more come."""

    quiet_s = 0.3
    fd_words = ("perf_event", "bpf-link", "bpf_link", "bpf-prog")

    def is_ready(self):
        now = time.monotonic()
        count = sum(any(w in link for w in self.fd_words) for link in proc.fd_links(self.process.pid))
        if count != getattr(self, "seen", 0):
            self.seen, self.since = count, now
        return count > 0 and now - self.since >= self.quiet_s

    def start(self):
        super().start()
        self.attach_s -= self.quiet_s


class OffCpuTime(Peer):
    name = "offcputime"
    label = "offcputime (bcc)"
    chosen = None

    @classmethod
    def missing(cls, load):
        """bcc has two of them: the Python one needs kernel headers, the libbpf one does not."""
        if cls.chosen is None:
            cls.chosen = cls.choose()
        return None if cls.chosen else cls.why

    @classmethod
    def choose(cls):
        found = [p for p in ("offcputime-bpfcc", "/usr/sbin/offcputime", "offcputime") if shutil.which(p)]
        cls.why = "not installed"
        for program in found:
            probe = subprocess.run([program, "-p", str(os.getpid()), "1"], stdin=subprocess.DEVNULL,
                                   capture_output=True, timeout=60)
            if probe.returncode == 0:
                return program
            cls.why = f"{program} does not work on this kernel"
        return ""

    def command(self):
        return [self.chosen, "-p", str(self.target.pid)]


def poll_functions(path):
    """Names of the functions that poll tasks, from the symbol table."""
    out = subprocess.run(["nm", "--defined-only", str(path)], check=True, capture_output=True, text=True).stdout
    names = (line.split()[-1] for line in out.splitlines() if POLL_SYMBOL in line)
    return sorted({n for n in names if n.partition(POLL_SYMBOL)[2].startswith(("17h", "B", "I"))})


class BpfTrace(Peer):
    name = "bpftrace"
    label = "bpftrace poll probes"
    quiet_s = 0.8

    @classmethod
    def missing(cls, load):
        for program in ("bpftrace", "nm"):
            if shutil.which(program) is None:
                return f"{program} is not installed"
        functions = len(poll_functions(load))
        if functions == 0:
            return "no poll functions in the symbol table"
        if functions > BPFTRACE_MAX_FUNCTIONS:
            return f"{functions} functions are too many single probes"
        return None

    def script(self):
        path = os.fspath(self.target.path)
        functions = poll_functions(path)
        entry = ",\n".join(f"uprobe:{path}:{f}" for f in functions)
        leave = ",\n".join(f"uretprobe:{path}:{f}" for f in functions)
        return (f"{entry} /pid == {self.target.pid}/ {{ @start[tid] = nsecs; }}\n"
                f"{leave} /@start[tid]/ {{ @us = hist((nsecs - @start[tid]) / 1000); delete(@start[tid]); }}\n")

    def command(self):
        return ["bpftrace", "-p", str(self.target.pid), "-e", self.script()]


class Perf(Peer):
    name = "perf"
    label = "perf record -F 997 -g"
    has_bpf = False

    @classmethod
    def missing(cls, load):
        return None if shutil.which("perf") else "not installed"

    def command(self):
        return ["perf", "record", "-q", "-F", "997", "-g", "-p", str(self.target.pid),
                "-o", str(self.dir / "perf.data")]


TOOLS = {t.name: t for t in (Sampled, Auto, Exact, OffCpuTime, BpfTrace, Perf)}


def use_program(path):
    RuntimeScope.program = Path(path).absolute()
