# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether the Rust here is new enough for what the tests build: distributions keep old ones for years."""

import re
import subprocess
from pathlib import Path

LOCK_FILE_4 = (1, 78)  # the first cargo that reads a Cargo.lock of version 4
NEWEST_TOKIO = (1, 85)  # the rust-version of the Tokio in tests/truth/programs and bench/loads


def version_of(text):
    """(1, 75) of "cargo 1.75.0 (1d8b05cdd 2023-11-20)"; None of anything else."""
    found = re.match(r"(?:cargo|rustc) (\d+)\.(\d+)\.\d", text)
    return found and (int(found.group(1)), int(found.group(2)))


def too_old(program, least):
    """Why this cargo or rustc (a name or a path) will not do; None when it will."""
    name = Path(program).name
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"there is no {name} that works"
    version = version_of(text)
    if version and version >= least:
        return None
    return f"needs {name} >= {least[0]}.{least[1]}, this is {text or 'something else'}"
