#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Compares the C sources with what clang-format makes of them (make format changes them). Versions of
# clang-format disagree in details, so only the one of Debian 12 decides; others are told apart.
#
# usage: tools/check_format.sh [--list]      --list prints the files instead
set -eu

version=14
cd "$(dirname "$0")/.."

list() {
	find src tests/unit tests/fuzz -name '*.[ch]' | sort
}

if [ "${1:-}" = --list ]; then
	list
	exit
fi

clang_format=$(command -v clang-format-$version || command -v clang-format || true)
if [ -z "$clang_format" ]; then
	echo "check_format: skipped, there is no clang-format"
	exit
fi
case $("$clang_format" --version) in
*"version $version."*) ;;
*)
	echo "check_format: skipped, clang-format $version decides and this is another"
	exit
	;;
esac

# shellcheck disable=SC2046 # the names have no spaces
bad=$("$clang_format" --dry-run $(list) 2>&1 | sed -n 's/^\([^ :]*\):[0-9].*/\1/p' | sort -u)
n_bad=0
for file in $bad; do
	echo "$file: not as clang-format has it"
	n_bad=$((n_bad + 1))
done
echo "check_format: $(list | wc -l) files, $n_bad to format"
[ $n_bad -eq 0 ]
