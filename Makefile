# SPDX-License-Identifier: MIT OR Apache-2.0
# The front door. Meson does the work, in $(BUILD).
#
#   make            build
#   make demo       install what is missing, build, and watch an example program for 45 s
#   make test       install what is missing, build, run every test
#   make truth      the long accuracy run; writes doc/ACCURACY.md's table
#   make symbols    names and lines of 50 000 addresses against two other readers of DWARF; downloads gimli's
#   make healthy    an hour of healthy programs: nothing may be reported
#   make foreign    programs written elsewhere; downloads and builds them
#   make unwind     stacks against those of libdw and gdb, for programs of all kinds
#   make sites      call sites keep their names over compilers, mangling, optimisation and debuginfo
#   make bench      the cost measurements; writes doc/OVERHEAD.md's table, fails when a promise is broken
#   make cycle      200 times attach, detach and kill: nothing may be left behind
#   make fuzz       hostile files and memory, made up by libFuzzer: MINUTES=30 for each of the readers, JOBS at a time
#   make vm         the example under other kernels of the distribution, in a virtual machine
#   make check      layers, formatting, documentation
#   make install    to $(DESTDIR)$(PREFIX)
#   make clean      remove what was built

BUILD = build
PREFIX = /usr/local
ENV = . ./tools/env.sh &&

.PHONY: all build asan examples demo test truth symbols healthy foreign unwind sites bench cycle fuzz vm check format tidy install clean

all: build

$(BUILD)/build.ninja:
	@$(ENV) command -v meson >/dev/null || { echo "no meson here: tools/bootstrap.sh installs what the build needs" >&2; exit 1; }
	$(ENV) meson setup $(BUILD) --prefix $(PREFIX)

build: $(BUILD)/build.ninja
	$(ENV) ninja -C $(BUILD)

build-asan/build.ninja:
	$(ENV) meson setup build-asan -Dbuildtype=debug -Db_sanitize=address,undefined -Db_lundef=false

# The user-space part with AddressSanitizer and UndefinedBehaviorSanitizer.
asan: build-asan/build.ninja
	$(ENV) ninja -C build-asan

examples:
	$(ENV) tools/build_examples.sh $(BUILD)/examples

demo:
	BUILD=$(BUILD) tools/demo.sh

test:
	tools/bootstrap.sh test
	$(ENV) $$PYTHON tools/run_tests.py --build $(BUILD)

truth:
	tools/bootstrap.sh test
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON tests/truth/run.py --long

symbols:
	tools/bootstrap.sh test
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON tests/symbols/run.py

healthy:
	tools/bootstrap.sh test
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON tests/truth/run.py --healthy 60

foreign:
	tools/bootstrap.sh foreign
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON tests/foreign/run.py

unwind:
	tools/bootstrap.sh test unwind
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON tests/unwind/run.py
	$(ENV) $$PYTHON tests/unwind/run.py --gdb

sites:
	tools/bootstrap.sh test
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON -m pytest -q tests/e2e/test_sites.py --long

bench:
	tools/bootstrap.sh test bench
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON bench/bench.py --write --check

cycle:
	tools/bootstrap.sh
	$(MAKE) --no-print-directory build
	$(ENV) $$PYTHON bench/cycle.py --count 200

# Built apart, by clang: instrumented, with sanitizers.
build-fuzz/build.ninja:
	$(ENV) CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false

MINUTES = 1
JOBS = $(shell nproc)

fuzz:
	tools/bootstrap.sh fuzz
	@$(MAKE) --no-print-directory build-fuzz/build.ninja
	$(ENV) ninja -C build-fuzz
	$(ENV) $$PYTHON tests/fuzz/run.py --build build-fuzz --minutes $(MINUTES) --jobs $(JOBS)

vm:
	tools/bootstrap.sh test vm
	$(MAKE) --no-print-directory build examples
	$(ENV) $$PYTHON tests/vm/run.py

check: build
	$(ENV) $$PYTHON tools/check_layers.py
	$(ENV) $$PYTHON tools/check_docs.py
	$(ENV) $$PYTHON -m pytest -q tests/e2e/test_docs.py
	tools/check_format.sh

format:
	$(ENV) clang-format -i $$(tools/check_format.sh --list)

tidy: build
	$(ENV) clang-tidy --quiet -p $(BUILD) $$(find src -name '*.c' ! -name '*.bpf.c')

install: build
	$(ENV) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-asan build-fuzz bench/loads/target
