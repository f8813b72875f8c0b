# shellcheck shell=sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Sourced by the other scripts: puts tools that live outside an ordinary user's PATH into it, and
# chooses the Python that has what the tests need.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
	PATH=$PATH:$HOME/.cargo/bin
fi

# Ubuntu's /usr/sbin/bpftool only starts the one that belongs to the running kernel, and fails when
# that is not installed; any version of the real one will do.
if ! bpftool version >/dev/null 2>&1; then
	for bpftool in /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool; do
		if "$bpftool" version >/dev/null 2>&1; then
			PATH=$(dirname "$bpftool"):$PATH
			break
		fi
	done
fi
export PATH

# has_python_modules PYTHON MODULE... looks for the modules without the cost of importing them.
has_python_modules() {
	"$1" -c 'import importlib.util as u, sys
sys.exit(not all(u.find_spec(m) for m in sys.argv[1:]))' "$2" ${3:+"$3"} >/dev/null 2>&1
}

# A Python put before the system's in PATH (pyenv, conda) usually lacks the system's packages, or
# has only some of them; what the bootstrap script installs goes to the system's.
if [ -z "${PYTHON:-}" ]; then
	PYTHON=python3
	if [ -x /usr/bin/python3 ] && ! has_python_modules python3 pytest jsonschema; then
		PYTHON=/usr/bin/python3
	fi
fi
export PYTHON
