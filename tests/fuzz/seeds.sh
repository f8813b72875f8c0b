#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Makes the inputs that fuzzing the readers of ELF and DWARF begins with, out of what this machine's compilers write: a
# tiny program, with each of the forms of debuginfo. Forms that a compiler does not know are left out.
#
# usage: seeds.sh FUZZ_PACK OUTPUT_DIR        OUTPUT_DIR/elf, OUTPUT_DIR/lines, OUTPUT_DIR/rows
set -eu

pack=$1
out=$2
mkdir -p "$out/elf" "$out/lines" "$out/rows"
out=$(cd "$out" && pwd)
link="-shared -nostdlib -fPIC -Wl,--build-id=sha1 $("$pack" --link)"
cd "$(dirname "$0")"
program=$(mktemp)
trap 'rm -f "$program"' EXIT

# seed NAME COMPILER FLAGS...
seed() {
	name=$1
	shift
	# shellcheck disable=SC2086 # $link is a list of words
	"$@" $link "-ffile-prefix-map=$PWD=/app" -o "$program" seed.c 2>/dev/null || return 0
	"$pack" "$program" "$out/elf/$name"
	"$pack" "$program" "$out/rows/$name" .text .eh_frame_hdr .eh_frame .debug_frame
	"$pack" "$program" "$out/lines/$name" .text .symtab .strtab .debug_info .debug_abbrev .debug_line \
		.debug_str .debug_line_str .debug_aranges .debug_ranges .debug_rnglists .debug_addr .debug_str_offsets
}

for cc in gcc clang; do
	command -v $cc >/dev/null 2>&1 || continue
	seed $cc-dwarf5 $cc -O2 -g -gdwarf-5
	seed $cc-dwarf4 $cc -O2 -g -gdwarf-4
	seed $cc-lines $cc -O1 -g1
	seed $cc-frame $cc -O0 -g -fno-asynchronous-unwind-tables
	seed $cc-compressed $cc -O2 -g -Wl,--compress-debug-sections=zlib
	seed $cc-split $cc -O2 -g -gdwarf-5 -gsplit-dwarf=single
	seed $cc-pointer $cc -O2 -fno-omit-frame-pointer -mno-red-zone -mstackrealign
done
