# SPDX-License-Identifier: MIT OR Apache-2.0
"""The programs: where they come from, how they are started and used, and which of their system calls are made where."""

import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import count_types
import loads

START_SECONDS = 30
BUILD_SECONDS = 3600


class Unavailable(Exception):
    """The program cannot be had here."""


def run(command, log=None, **options):
    """A step of getting a program; what it said is kept."""
    try:
        done = subprocess.run(["nice", *map(str, command)], capture_output=True, text=True, timeout=BUILD_SECONDS,
                              **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if log:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise Unavailable(f"{command[0]}: {(done.stdout + done.stderr).strip()[-200:]}")
    return done.stdout


def needs(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(ready, child, what):
    """Polls until the program is up."""
    for _ in range(START_SECONDS * 20):
        if child.poll() is not None:
            raise Unavailable(f"{what} ended at once with {child.returncode}")
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise Unavailable(f"{what} did not start within {START_SECONDS} s")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def started(command, folder, **environment):
    """The program itself, gone afterwards together with what it started."""
    with open(folder / "program.log", "wb") as log:
        child = subprocess.Popen([str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Program:
    name = source = ""
    # Calls that only polls make; that only threads that never poll make; and that both do. All of them are delayed.
    in_polls = frozenset()
    in_blocking = frozenset()
    in_either = frozenset()
    # Calls with which the program blocks its executor by itself, now and then; such blocks are listed, not counted.
    own_blocks = frozenset()
    every = (3, 7)  # of each thread's calls, the third and then each seventh is delayed
    # Types are counted, and the version read, in this file if it is another than the one that runs.
    twin = None
    # Tokio before 1.23 keeps no task id: what is expected then is a plain word that it cannot be watched.
    supported = True

    def __init__(self, cache):
        self.cache = cache
        self.binary = None
        self.locked_version = None

    def get(self):
        """Brings the program; sets `binary`, the file that has Tokio in it."""
        raise NotImplementedError

    def start(self, folder):
        """Context manager: (pid of the process that has Tokio in it, load)."""
        raise NotImplementedError

    def expected_version(self):
        return self.locked_version or "/".join(count_types.versions(self.binary))

    def expected_types(self):
        """(number of distinct poll functions, how it was counted)"""
        by_symbols = count_types.poll_symbols(self.twin or self.binary)
        if by_symbols:
            return by_symbols[0], "nm"
        return count_types.vtables(self.binary)[1], "scan"


class Cargo(Program):
    """From crates.io with the versions its own lock file names."""

    crate = version = executable = ""
    source = "crates.io"

    def get(self):
        needs("cargo")
        root = self.cache / "cargo" / self.name
        self.binary = root / "bin" / self.executable
        log = root.with_suffix(".log")
        if not self.binary.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            run(["cargo", "install", "--locked", "-j1", "--root", root, "--target-dir", self.cache / "cargo/target",
                 "--version", self.version, self.crate], log,
                env={**os.environ, "CARGO_PROFILE_RELEASE_STRIP": "none"})
        built = re.search(r"Compiling tokio v(\S+)", log.read_text()) if log.exists() else None
        self.locked_version = built and built[1]


class MiniRedisOld(Cargo):
    name, crate, version, executable = "mini-redis-1.8", "mini-redis", "0.4.1", "mini-redis-server"
    supported = False

    @contextmanager
    def start(self, folder):
        port = free_port()
        with started([self.binary, "--port", port], folder) as child:
            wait_until(lambda: answers(port), child, self.name)
            yield child.pid, loads.Redis(port)


class MiniRedis(MiniRedisOld):
    """The same source with the newest Tokio instead of the one of its lock file."""

    name = "mini-redis"
    supported = True
    in_polls = frozenset({"recvfrom", "sendto", "writev", "accept4"})

    def get(self):
        needs("cargo")
        root = self.cache / "cargo" / self.name
        self.binary = root / "bin" / self.executable
        log = root.with_suffix(".log")
        if not self.binary.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            run(["cargo", "install", "-j1", "--root", root, "--target-dir", self.cache / "cargo/target", "--version",
                 self.version, self.crate], log)
        built = re.search(r"Compiling tokio v(\S+)", log.read_text()) if log.exists() else None
        self.locked_version = built and built[1]


class StaticWebServer(Cargo):
    """Built as its authors do (fat LTO, panic = abort), counted, and stripped afterwards as they do."""

    name = crate = executable = "static-web-server"
    version = "2.44.1"
    in_polls = frozenset({"recvfrom", "writev", "accept4", "sendto"})
    in_either = frozenset({"statx", "openat", "read", "lseek"})

    def get(self):
        needs("strip")
        super().get()
        self.twin = self.binary
        self.binary = self.twin.with_name(self.executable + ".stripped")
        if not self.binary.exists():
            run(["strip", "--strip-all", "-o", self.binary, self.twin])

    @contextmanager
    def start(self, folder):
        port = free_port()
        root = folder / "files"
        root.mkdir()
        for name, size in (("small.html", 500), ("middle.css", 20_000), ("large.bin", 500_000)):
            (root / name).write_bytes(b"x" * size)
        with started([self.binary, "--host", "127.0.0.1", "--port", port, "--root", root], folder) as child:
            wait_until(lambda: answers(port), child, self.name)
            yield child.pid, loads.Http(port, ["/small.html", "/middle.css", "/small.html", "/large.bin"])


class Sccache(Program):
    name, source = "sccache", "Debian"
    in_polls = frozenset({"recvfrom", "writev", "accept4"})
    in_blocking = frozenset({"openat", "rename"})
    own_blocks = frozenset({"read", "clone"})  # it starts compilers in polls and waits there for their exec
    every = (2, 3)

    def get(self):
        needs("sccache", "gcc")
        self.binary = Path(shutil.which("sccache")).resolve()
        if not count_types.versions(self.binary):
            raise Unavailable("this sccache has no Tokio in it")

    @contextmanager
    def start(self, folder):
        port = free_port()
        environment = {"SCCACHE_DIR": str(folder / "cache"), "SCCACHE_SERVER_PORT": str(port), "HOME": str(folder)}
        (folder / "a.c").write_text("int f(int x) { return x + 1; }\n")
        with started([self.binary], folder, SCCACHE_START_SERVER="1", SCCACHE_NO_DAEMON="1", **environment) as child:
            wait_until(lambda: answers(port), child, self.name)
            yield child.pid, loads.Commands([self.binary, "gcc", "-c", "a.c", "-o", "a.o"], 5, folder, environment)


class Granian(Program):
    name, source = "granian", "PyPI"
    version = "2.8.7"
    in_polls = frozenset({"recvfrom", "writev", "accept4"})
    in_blocking = frozenset({"openat", "newfstatat"})  # of Python, in threads of granian's own

    def get(self):
        self.home = self.cache / "pypi"
        if not (self.home / "bin/granian").exists():
            run(["python3", "-m", "venv", self.home])
            run([self.home / "bin/pip", "install", "-q", f"granian=={self.version}"])
        found = list(self.home.glob("lib/python*/site-packages/granian/_granian*.so"))
        if not found:
            raise Unavailable("the package has no native part for this Python")
        self.binary = found[0]

    @contextmanager
    def start(self, folder):
        port = free_port()
        (folder / "app.py").write_text(
            "def app(environ, start_response):\n"
            "    with open(__file__, 'rb') as file:\n"
            "        body = file.read()\n"
            "    start_response('200 OK', [('content-length', str(len(body)))])\n"
            "    return [body]\n")
        command = [self.home / "bin/granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", port,
                   "--workers", 1, "--runtime-threads", 2, "--runtime-mode", "mt", "--blocking-threads", 2,
                   "--no-ws", "app:app"]
        with started(command, folder) as child:
            wait_until(lambda: answers(port), child, self.name)
            yield wait_until(lambda: self.worker(child.pid), child, self.name), loads.Http(port, ["/"])

    def worker(self, parent):
        """The process of its own that serves: the one whose Tokio runs."""
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in children:
            names = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/comm")]
            if "tokio-rt-worker\n" in names:
                return int(pid)
        return None


class Npm(Program):
    source = "npm"
    package = version = path = ""

    def get(self):
        needs("npm")
        home = self.cache / "npm"
        self.binary = home / "node_modules" / self.package / self.path
        if not self.binary.exists():
            home.mkdir(parents=True, exist_ok=True)
            run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund", "--ignore-scripts",
                 f"{self.package}@{self.version}"])


class Biome(Npm):
    name, package, version, path = "biome", "@biomejs/cli-linux-x64", "2.6.8", "biome"
    in_polls = frozenset({"recvfrom", "writev"})
    in_either = frozenset({"openat", "statx"})

    @contextmanager
    def start(self, folder):
        environment = {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
        (folder / "a.js").write_text("let a = 1;\n")
        with started([self.binary, "__run_server"], folder, **environment) as child:
            path = wait_until(lambda: next((folder / "cache").glob("biome/biome-daemon/biome-socket-*"), None), child,
                              self.name)
            yield child.pid, loads.LanguageServer(path, folder)


class Turbo(Npm):
    """A static-pie with musl's C library; its main future accepts the connections."""

    name, package, version, path = "turbo", "turbo-linux-64", "2.8.17", "bin/turbo"
    in_polls = frozenset({"recvfrom", "writev", "accept4"})

    @contextmanager
    def start(self, folder):
        needs("git")
        environment = {"HOME": str(folder), "TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}
        root = folder / "monorepo"
        (root / "a").mkdir(parents=True)
        (root / "package.json").write_text('{"name":"x","packageManager":"npm@10.0.0","workspaces":["a"]}')
        (root / "a/package.json").write_text('{"name":"a","version":"1.0.0"}')
        (root / "turbo.json").write_text('{"tasks":{"build":{}}}')
        (root / "package-lock.json").write_text('{"name":"x","lockfileVersion":3,"packages":{}}')
        run(["git", "init", "-q", root])
        command = [self.binary, "--skip-infer", "--no-update-notifier", "--cwd", root, "daemon"]
        client = loads.Commands([*command, "status", "--json"], 10, root, environment)
        with started(command, folder, **environment) as child:
            wait_until(lambda: self.is_up(client), child, self.name)
            yield child.pid, client

    @staticmethod
    def is_up(client):
        try:
            client.request()
        except loads.LoadError:
            return False
        return True


PROGRAMS = (StaticWebServer, MiniRedis, MiniRedisOld, Sccache, Granian, Biome, Turbo)
