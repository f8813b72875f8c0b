#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# make demo: installs what is missing, builds everything, starts the example program and watches it.
# The exit code is that of runtime-scope: 0, or 5 when the kernel or the privileges refuse BPF.
#
# usage: tools/demo.sh [SECONDS]      (default: 45)
set -eu

seconds=${1:-45}
cd "$(dirname "$0")/.."
build=${BUILD:-build}
examples=$build/examples

say() {
	printf '\n== %s\n' "$*"
}

# Root, sudo, or without either the tool's own message about what is missing.
as_root() {
	if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		"$@"
	fi
}

# What the program itself printed about its blocks: kind, count, total.
count_own_blocks() {
	awk -F '[ =]' '$1 == "block" { count[$3]++; ms[$3] += $7 }
		END { for (k in count) printf "  %-8s %3d blocks  %9.2f ms\n", k, count[k], ms[k] }' \
		"$examples/test-async-app.log" | sort
}

tools/bootstrap.sh
# shellcheck source=tools/env.sh
. tools/env.sh

say "building runtime-scope"
make --no-print-directory build BUILD="$build"
say "building the example programs"
tools/build_examples.sh "$examples"

say "starting $examples/test-async-app"
"$examples/test-async-app" >"$examples/test-async-app.log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# The program names itself only after exec; until then /proc shows this shell.
sleep 1
kill -0 "$pid" 2>/dev/null || {
	cat "$examples/test-async-app.log" >&2
	exit 1
}

set -- watch --pid "$pid" --enable-marker-validation --duration "${seconds}s"
say "$build/runtime-scope $*"
code=0
as_root "$build/runtime-scope" "$@" || code=$?

case $code in
0)
	say "what the program itself says about its blocks since it was started"
	count_own_blocks
	;;
5)
	say "what is missing here"
	as_root "$build/runtime-scope" doctor --pid "$pid" || true
	;;
esac
exit $code
