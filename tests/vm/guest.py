# SPDX-License-Identifier: MIT OR Apache-2.0
"""Kernels of the distribution in a virtual machine: getting one, and running the tool under it.

The guest has no disk: all it needs lies in an initial RAM file system. It is emulated (TCG): some
ten times slower than this machine, but its clocks are right.
"""
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_S = 300  # of one guest
MEMORY_MB = 1500


class Unavailable(Exception):
    """That kernel cannot be had here; the text says why."""


def newest_package(version):
    """Name of the newest package with a kernel of that version for virtual machines."""
    pattern = rf"^linux-image-{re.escape(version)}\.[0-9.]*[0-9](-[0-9]+|\+deb[0-9]+)-cloud-amd64$"
    if not shutil.which("apt-cache"):
        raise Unavailable("kernels come from apt, and there is none")
    names = subprocess.run(["apt-cache", "search", "--names-only", pattern], capture_output=True, text=True,
                           check=True).stdout.split("\n")
    names = [name.split()[0] for name in names if name]
    if not names:
        raise Unavailable(f"apt has no kernel {version}")
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def kernel(version, cache):
    """Path of the kernel's image; downloads it into cache unless it is there."""
    name = newest_package(version)
    root = cache / name
    if not root.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name], cwd=cache,
                             capture_output=True, text=True)
        if got.returncode:
            raise Unavailable(f"{name} cannot be downloaded: {got.stderr.strip()}")
        package = next(cache.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        package.unlink()
    return next(root.glob("boot/vmlinuz-*"))


def libraries(programs):
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return {pathlib.Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE)}


def pack(programs, root):
    """The initial RAM file system with these programs in /bin."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("bin", "proc", "sys", "dev", "tmp"):
        (root / folder).mkdir(parents=True)
    for program in [shutil.which("busybox"), *programs]:
        shutil.copy(program, root / "bin")
    (root / "bin" / "sh").symlink_to("busybox")
    for library in libraries(programs):
        copy = root / library.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copy)
    shutil.copy(HERE / "init", root)
    files = sorted(str(path.relative_to(root)) for path in [root, *root.rglob("*")])
    return subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root, check=True,
                          input="\n".join(files).encode(), capture_output=True).stdout


def boot(image, initrd, command_line, folder):
    """Runs the guest to its end. Returns what it wrote: name of the file -> its lines."""
    said, console = folder / "said", folder / "console"
    try:
        subprocess.run(
            ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m",
             str(MEMORY_MB), "-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none", "-kernel",
             image, "-initrd", initrd, "-serial", f"file:{console}", "-serial", f"file:{said}", "-append",
             f"console=ttyS0 rdinit=/init quiet panic=1 {command_line}"],
            check=True, timeout=LIMIT_S, capture_output=True)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the guest did not end within {LIMIT_S} s; its console: {console}") from None
    files, lines = {}, []
    for line in said.read_text(errors="replace").splitlines():
        if line.startswith("FILE "):
            lines = files.setdefault(line[5:], [])
        else:
            lines.append(line)
    if "end" not in files:
        raise AssertionError(f"the guest died; its console: {console}")
    return files
