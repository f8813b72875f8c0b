#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds the example programs with whatever Rust is there:
#   a cargo of 2023 or later     from crates.io, with the committed Cargo.lock
#   an older one (Debian 12)     from the packaged Tokio (librust-tokio-dev), without network
# The second way is also the fallback where crates.io cannot be reached.
#
# usage: tools/build_examples.sh [OUTPUT_DIR]      (default: build/examples)
# CARGO=/path/to/cargo chooses the cargo; EXAMPLES_FROM=crates|packages chooses the way.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/build/examples}
cargo=${CARGO:-cargo}
registry=/usr/share/cargo/registry
programs="test-async-app http-service"
# The sparse index of crates.io, and the Tokio in Cargo.lock, need this.
oldest_minor_for_crates=70

say() {
	printf 'examples: %s\n' "$*"
}

fail() {
	printf 'examples: %s\n' "$*" >&2
	exit 1
}

find_cargo() {
	if ! command -v "$cargo" >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
		cargo=$HOME/.cargo/bin/cargo
	fi
	command -v "$cargo" >/dev/null 2>&1 ||
		fail "there is no cargo; tools/bootstrap.sh installs one"
	cargo=$(command -v "$cargo")
	# A distribution's cargo must use the rustc beside it, not one found earlier in PATH.
	if [ -z "${RUSTC:-}" ] && [ -x "$(dirname "$cargo")/rustc" ]; then
		RUSTC=$(dirname "$cargo")/rustc
		export RUSTC
	fi
}

# 63 for "rustc 1.63.0"; rustc 1.63 came with a cargo that calls itself 1.65.
rustc_minor() {
	"${RUSTC:-rustc}" --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p'
}

has_packaged_tokio() {
	for crate in "$registry"/tokio-1.*; do
		[ -f "$crate/Cargo.toml" ] && return 0
	done
	return 1
}

choose_way() {
	minor=$(rustc_minor)
	[ -n "$minor" ] || fail "${RUSTC:-rustc} --version says nothing I understand"
	if [ -n "${EXAMPLES_FROM:-}" ]; then
		echo "$EXAMPLES_FROM"
	elif [ "$minor" -ge "$oldest_minor_for_crates" ]; then
		echo crates
	elif has_packaged_tokio; then
		echo packages
	else
		fail "rustc 1.$minor is too old for crates.io and there is no librust-tokio-dev;" \
			"tools/bootstrap.sh installs it"
	fi
}

build_from_crates() {
	say "building with $("$cargo" --version) from crates.io"
	"$cargo" build --release --locked --manifest-path "$root/examples/Cargo.toml" \
		--target-dir "$out/target-crates"
	built=$out/target-crates/release
}

# A copy of the sources, for the committed Cargo.lock names other versions than the packages have.
build_from_packages() {
	has_packaged_tokio || fail "no Tokio in $registry; tools/bootstrap.sh installs librust-tokio-dev"
	say "building with $("$cargo" --version) from the packages in $registry"
	mkdir -p "$out/cargo-home" "$out/src"
	cat >"$out/cargo-home/config.toml" <<EOF
[source.crates-io]
replace-with = "packages"

[source.packages]
directory = "$registry"
EOF
	cp -R "$root/examples/Cargo.toml" "$root/examples/test-async-app" \
		"$root/examples/http-service" "$out/src/"
	CARGO_HOME="$out/cargo-home" "$cargo" build --release --offline \
		--manifest-path "$out/src/Cargo.toml" --target-dir "$out/target-packages"
	built=$out/target-packages/release
}

find_cargo
way=$(choose_way)
mkdir -p "$out"
case $way in
crates)
	if ! build_from_crates; then
		has_packaged_tokio || fail "the build from crates.io failed (see above)"
		say "that failed; trying the packaged Tokio"
		build_from_packages
	fi
	;;
packages) build_from_packages ;;
*) fail "EXAMPLES_FROM must be crates or packages, not $way" ;;
esac

for program in $programs; do
	cp "$built/$program" "$out/$program.new"
	mv -f "$out/$program.new" "$out/$program"
done
strip -o "$out/test-async-app-stripped" "$out/test-async-app"
say "ready: $out/test-async-app, test-async-app-stripped, http-service"
