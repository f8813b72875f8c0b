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
	find src tests/unit -name '*.[ch]' | sort
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

bad=0
for file in $(list); do
	if ! "$clang_format" "$file" | cmp -s - "$file"; then
		echo "$file: not as clang-format has it"
		bad=$((bad + 1))
	fi
done
echo "check_format: $(list | wc -l) files, $bad to format"
[ $bad -eq 0 ]
