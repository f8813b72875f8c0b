# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the small program against one Tokio version with one compiler."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

# "full" without "macros", whose dependencies take most of the time and hold no state.
FEATURES = {
    "min": ["rt", "rt-multi-thread", "time", "sync"],
    "net": ["rt", "rt-multi-thread", "time", "sync", "net"],
    "full": [
        "rt", "rt-multi-thread", "time", "sync", "net", "signal", "process", "fs", "io-util",
        "io-std", "parking_lot",
    ],
    # Without the multi-thread scheduler, enums of schedulers have one variant, and no tag.
    "solo": ["rt", "time", "sync"],
}

MANIFEST = """[package]
name = "{name}"
version = "0.0.0"
edition = "2021"
rust-version = "{msrv}"

[[bin]]
name = "{name}"
path = "{main}"

[features]
default = [{default}]
multi = []

[dependencies]
tokio = {{ version = "{req}", features = [{features}] }}

[profile.dev]
debug = 2
opt-level = 0
codegen-units = 1
incremental = false

[profile.dev.package."*"]
debug = 0

[profile.dev.package.tokio]
debug = 2

[workspace]
"""


class BuildFailed(Exception):
    pass


@dataclass(frozen=True)
class Build:
    """One cell of the matrix: what is compiled, and how."""

    tokio: str  # "1.47" (newest patch), or an exact version such as "1.51.0"
    features: str  # key of FEATURES
    unstable: bool = False
    # "" = the one in PATH, "debian" = /usr/bin/rustc, else a rustup toolchain such as "1.70.0"
    toolchain: str = ""

    @property
    def name(self):
        return "t{}-{}{}{}".format(
            self.tokio.replace(".", "_"),
            self.features,
            "-unstable" if self.unstable else "",
            "-" + self.toolchain.replace(".", "_") if self.toolchain else "",
        )

    @property
    def is_solo(self):
        return "rt-multi-thread" not in FEATURES[self.features]

    @property
    def requirement(self):
        if self.tokio == "newest":
            return "1"
        exact = self.tokio.count(".") == 2
        return ("=" if exact else "~") + self.tokio


def _run(args, cwd, env):
    done = subprocess.run(
        ["nice", "-n", "19", *args], cwd=cwd, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )
    if done.returncode:
        raise BuildFailed(f"{' '.join(args)}:\n{done.stdout[-3000:]}")
    return done.stdout


def _write_crate(build, folder, msrv):
    folder.mkdir(parents=True, exist_ok=True)
    features = ", ".join(f'"{f}"' for f in FEATURES[build.features])
    text = MANIFEST.format(
        name=build.name, msrv=msrv, main=HERE / "program" / "main.rs",
        req=build.requirement, features=features,
        default="" if build.is_solo else '"multi"',
    )
    (folder / "Cargo.toml").write_text(text)


def _vendor(folder, env):
    """An old cargo cannot read the sparse registry: the new one fetches the sources for it."""
    config = _run(["cargo", "vendor", "vendor"], folder, env)
    start = config.find("[source")
    (folder / ".cargo").mkdir(exist_ok=True)
    (folder / ".cargo" / "config.toml").write_text(config[start:])


def _tool(name, toolchain):
    if toolchain == "debian":
        return [f"/usr/bin/{name}"]
    return [name, f"+{toolchain}"] if toolchain else [name]


def rustc_version(toolchain):
    out = subprocess.run(
        [*_tool("rustc", toolchain), "--version"], text=True, check=True, stdout=subprocess.PIPE
    )
    return out.stdout.split()[1]


def _locked_tokio(folder):
    lock = (folder / "Cargo.lock").read_text()
    return re.search(r'name = "tokio"\nversion = "([^"]+)"', lock).group(1)


def compile_build(build, work):
    """Returns (path of the executable, exact Tokio version)."""
    folder = work / build.name
    shutil.rmtree(folder, ignore_errors=True)
    target = work / f"target-{build.toolchain or 'default'}"
    env = dict(os.environ, CARGO_TARGET_DIR=str(target))
    env["CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS"] = "fallback"
    if build.unstable:
        env["RUSTFLAGS"] = "--cfg tokio_unstable"
    _write_crate(build, folder, rustc_version(build.toolchain))
    offline = []
    if build.toolchain:
        _run(["cargo", "generate-lockfile"], folder, env)
        _vendor(folder, env)
        offline = ["--offline"]
    if build.toolchain == "debian":
        env["RUSTC"] = "/usr/bin/rustc"
    cargo = _tool("cargo", build.toolchain)
    try:
        _run([*cargo, "build", "--quiet", "-j2", *offline], folder, env)
    finally:
        shutil.rmtree(folder / "vendor", ignore_errors=True)
    return target / "debug" / build.name, _locked_tokio(folder)
