#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Installs what the build, the tests or the benchmarks need and this machine lacks, from the
# distribution's own packages (apt, dnf, pacman) and from nowhere else. What is there already is
# found by looking for the tool, the header or the pkg-config file itself, so that hand-made
# installations count. Says what it will do before it does it; silent when nothing is missing.
#
# usage: tools/bootstrap.sh [--dry-run] [GROUP...]
#   build   compiler, BPF tools, libraries, Rust for the examples (always included)
#   test    what `make test` and `make truth` need beyond that
#   bench   the other profilers that `make bench` runs beside ours
#   fuzz    what `make fuzz` needs beyond that: clang's own fuzzer and sanitizers
#   vm      the virtual machine of `make vm`, and what is put into it; kernels come from apt
#   foreign what `make foreign` delays system calls with; programs that cannot be had are skipped
#   unwind  what `make unwind` compares with, and the hosts of the extensions it runs
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/env.sh
. "$here/env.sh"

# One row a requirement: group, kind of check, its argument, then the package for apt, dnf, pacman.
# "a|b" is the first of these that the distribution has; "a+b" is both; "-" is none, because
# another row's package brings it. KERNEL stands for the running kernel's release.
requirements='
build cmd    gcc                   gcc               gcc                    gcc
build header stdio.h               libc6-dev         glibc-devel            glibc
build header linux/bpf.h           linux-libc-dev    kernel-headers         linux-api-headers
build cmd    make                  make              make                   make
build cmd    clang                 clang             clang                  clang
build cmd    strip                 binutils          binutils               binutils
build run    bpftool               bpftool|linux-tools-KERNEL|linux-tools-generic bpftool bpf
build cmd    pkg-config            pkg-config        pkgconf-pkg-config     pkgconf
build cmd    meson                 meson             meson                  meson
build cmd    ninja                 ninja-build       ninja-build            ninja
build cmd    python3               python3           python3                python
build pkg    libbpf>=1.1           libbpf-dev        libbpf-devel           libbpf
build pkg    libelf                libelf-dev        elfutils-libelf-devel  libelf
build pkg    libdw                 libdw-dev         elfutils-devel         libelf
build pkg    zlib                  zlib1g-dev        zlib-devel             zlib
build pkg    liblzma               liblzma-dev       xz-devel               xz
build pkg    capstone              libcapstone-dev   capstone-devel         capstone
build pkg    jansson               libjansson-dev    jansson-devel          jansson
build pkg    libcap-ng             libcap-ng-dev     libcap-ng-devel        libcap-ng
build pkg    libseccomp            libseccomp-dev    libseccomp-devel       libseccomp
build pkg    cmocka                libcmocka-dev     libcmocka-devel        cmocka
build header uthash.h              uthash-dev        uthash-devel           uthash
build header demangle.h            libiberty-dev     binutils-devel         binutils
build certs  ca-certificates       ca-certificates   ca-certificates        ca-certificates
build rust   cargo                 cargo+rustc       cargo+rust             rust
build crates tokio                 librust-tokio-dev -                      -
test  cmd    g++                   g++               gcc-c++                gcc
test  cmd    xz                    xz-utils          xz                     xz
test  lib    libdebuginfod.so.1    libdebuginfod1    elfutils-debuginfod-client elfutils
test  links  -fsanitize=address    -                 libasan                gcc-libs
test  links  -fsanitize=undefined  -                 libubsan               gcc-libs
test  pymod  pytest                python3-pytest    python3-pytest         python-pytest
test  pymod  jsonschema            python3-jsonschema python3-jsonschema    python-jsonschema
test  cmd    setpriv               util-linux        util-linux             util-linux
test  cmd    bpftrace              bpftrace          bpftrace               bpftrace
fuzz fuzzer  -fsanitize=fuzzer     libclang-rt-dev|libclang-common-14-dev compiler-rt compiler-rt
vm   cmd    qemu-system-x86_64   qemu-system-x86   qemu-system-x86-core   qemu-system-x86
vm   cmd    busybox              busybox-static    busybox                busybox
vm   cmd    cpio                 cpio              cpio                   cpio
foreign cmd  strace                strace            strace                 strace
unwind cmd   gdb                   gdb               gdb                    gdb
unwind cmd   node                  nodejs            nodejs                 nodejs
unwind cmd   npm                   npm               nodejs-npm|npm         npm
unwind pymod ensurepip             python3-venv      python3                python
bench bcc    offcputime            bpfcc-tools       bcc-tools              bcc-tools
bench perf   perf                  linux-perf|linux-tools-KERNEL|linux-tools-generic perf perf
'

say() {
	printf 'bootstrap: %s\n' "$*"
}

fail() {
	printf 'bootstrap: %s\n' "$*" >&2
	exit 1
}

usage() {
	sed -n '8,13s/^# \{0,1\}//p' "$0"
	exit "$1"
}

has_file() {
	for path in "$@"; do
		[ -e "$path" ] && return 0
	done
	return 1
}

# The usual places first: asking the compiler takes longer.
has_header() {
	has_file "/usr/include/$1" "/usr/local/include/$1" && return
	printf '#include <%s>\n' "$1" | gcc -E -x c - >/dev/null 2>&1
}

# Fedora's gcc has a libasan.so that only names the file of another package: seeing it says nothing.
links_with() {
	library=$(mktemp)
	gcc "$1" -shared -fPIC -x c -o "$library" /dev/null 2>/dev/null
	status=$?
	rm -f "$library"
	return $status
}

has_fuzzer() {
	program=$(mktemp)
	echo 'int LLVMFuzzerTestOneInput(const char *data, long size) { return 0; }' |
		clang -fsanitize=fuzzer,address,undefined -x c -o "$program" - 2>/dev/null
	status=$?
	rm -f "$program"
	return $status
}

# An old Rust (Debian 12) cannot read today's crates.io and builds the examples from packages.
rust_minor() {
	rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p'
}

offered_rust_minor() {
	apt-cache policy rustc 2>/dev/null |
		sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}1\.\([0-9]*\).*/\2/p'
}

needs_packaged_tokio() {
	command -v apt-get >/dev/null 2>&1 || return 1
	minor=$(rust_minor)
	[ -n "$minor" ] || minor=$(offered_rust_minor)
	[ "${minor:-99}" -lt 70 ]
}

# present KIND ARGUMENT: is it there?
present() {
	case $1 in
	cmd) command -v "$2" >/dev/null 2>&1 ;;
	run) "$2" version >/dev/null 2>&1 ;;
	perf) perf --version >/dev/null 2>&1 ;;
	pkg)
		case $2 in
		*">="*) pkg-config --atleast-version="${2#*>=}" "${2%>=*}" 2>/dev/null ;;
		*) pkg-config --exists "$2" 2>/dev/null ;;
		esac
		;;
	header)
		case $2 in
		demangle.h) has_header libiberty/demangle.h || has_header demangle.h ;;
		*) has_header "$2" ;;
		esac
		;;
	links) links_with "$2" ;;
	lib) ldconfig -p | grep -q "$2" ;;
	fuzzer) has_fuzzer ;;
	pymod) has_python_modules "$PYTHON" "$2" ;;
	certs) has_file /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt ;;
	rust) command -v cargo >/dev/null 2>&1 ;;
	crates) has_file /usr/share/cargo/registry/tokio-1.* || ! needs_packaged_tokio ;;
	bcc) command -v "$2-bpfcc" >/dev/null 2>&1 || has_file "/usr/share/bcc/tools/$2" ;;
	*) fail "unknown kind of check: $1" ;;
	esac
}

# The rows of the chosen groups whose check fails.
missing_rows() {
	printf '%s' "$requirements" | while read -r group kind argument apt dnf pacman; do
		case " $groups " in
		*" $group "*) ;;
		*) continue ;;
		esac
		present "$kind" "$argument" || echo "$argument $apt $dnf $pacman"
	done
}

find_manager() {
	for manager in apt-get dnf pacman; do
		command -v $manager >/dev/null 2>&1 && return
	done
	manager=none
}

offers() {
	case $manager in
	# A purely virtual package has no text.
	apt-get) [ -n "$(apt-cache show "$1" 2>/dev/null)" ] ;;
	dnf) dnf -q list "$1" >/dev/null 2>&1 ;;
	pacman) pacman -Si "$1" >/dev/null 2>&1 ;;
	esac
}

# first_offered a|b|c: the first that the distribution has; the last, for the error, when none.
first_offered() {
	list=$(printf '%s' "$1" | sed "s/KERNEL/$(uname -r)/g" | tr '|' ' ')
	for name in $list; do
		offers "$name" && break
	done
	echo "$name"
}

# Package names for the missing rows on standard input, each once.
packages_for_rows() {
	while read -r _ apt dnf pacman; do
		case $manager in
		apt-get) names=$apt ;;
		dnf) names=$dnf ;;
		pacman) names=$pacman ;;
		esac
		for name in $(printf '%s' "$names" | tr '+' ' '); do
			case $name in
			-) ;;
			*"|"*) first_offered "$name" ;;
			*) echo "$name" ;;
			esac
		done
	done | sort -u | tr '\n' ' '
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		fail "needs root for: $*" "(and there is no sudo)"
	fi
}

refresh_lists() {
	say "refreshing the package lists"
	case $manager in
	apt-get) as_root apt-get -q update ;;
	dnf) as_root dnf -q makecache --refresh ;;
	pacman) as_root pacman -Sy ;;
	esac
}

# A fresh container has no lists, and names cannot be chosen from lists that are not there.
has_lists() {
	case $manager in
	apt-get) has_file /var/lib/apt/lists/*_Packages* ;;
	dnf) true ;; # fetches them by itself
	pacman) has_file /var/lib/pacman/sync/*.db ;;
	esac
}

names_of() {
	printf '%s\n' "$1" | cut -d' ' -f1 | tr '\n' ' '
}

# Says what is missing and what will be done about it; does it unless this is a dry run.
install_missing() {
	rows=$(missing_rows)
	say "missing: $(names_of "$rows")"
	packages=$(printf '%s\n' "$rows" | packages_for_rows)
	say "will run: $manager install $packages"
	[ $is_dry = no ] || return 0
	# shellcheck disable=SC2086 # $packages is a list of words
	case $manager in
	apt-get)
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
			install --no-install-recommends $packages
		;;
	dnf) as_root dnf -y install $packages ;;
	pacman) as_root pacman -S --needed --noconfirm $packages ;;
	esac
}

groups=build
is_dry=no
for word in "$@"; do
	case $word in
	--dry-run) is_dry=yes ;;
	build) ;;
	test | bench | fuzz | vm | foreign | unwind) groups="$groups $word" ;;
	-h | --help) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done

[ -n "$(missing_rows)" ] || exit 0

find_manager
if [ "$manager" = none ]; then
	say "missing: $(names_of "$(missing_rows)")"
	fail "none of apt-get, dnf, pacman is here; please install the above by hand"
fi
has_lists || [ $is_dry = yes ] || refresh_lists
install_missing || {
	say "that failed; the package lists may be old"
	refresh_lists
	install_missing
}
[ $is_dry = no ] || exit 0

# The choice of tools may have changed with what was installed.
unset PYTHON
hash -r
# shellcheck source=tools/env.sh
. "$here/env.sh"
rows=$(missing_rows)
[ -z "$rows" ] || fail "still missing after the installation: $(names_of "$rows")"
say "done"
