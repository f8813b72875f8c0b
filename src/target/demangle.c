/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/demangle.h"

#include <setjmp.h>
#include <string.h>

/* Fedora and its relatives have it (binutils-devel) beside the other headers. */
#if __has_include(<libiberty/demangle.h>)
#include <libiberty/demangle.h>
#else
#include <demangle.h>
#endif

#include "base/cleanup.h"

struct sink {
	jmp_buf full;
	char *to;
	size_t size, n;
	bool is_full;
};

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] & 0x80)
			return false;
	}
	return true;
}

/*
 * Back references let a v0 symbol grow without bound, and the demangler has no way to be told to
 * stop. It holds no memory while it calls back, so leaving it with longjmp loses nothing; but for a
 * punycode name, which is not ASCII: that one is let pass, the next call leaves.
 */
static void append(const char *text, size_t len, void *arg)
{
	struct sink *s = arg;

	if (s->is_full || len >= s->size - s->n) {
		s->is_full = true;
		if (is_ascii(text, len))
			longjmp(s->full, 1);
		return;
	}
	if (len) /* else text may be NULL: an empty identifier of a broken symbol */
		memcpy(s->to + s->n, text, len);
	s->n += len;
}

static bool run_rust(const char *symbol, struct sink *s)
{
	if (setjmp(s->full))
		return false;
	return rust_demangle_callback(symbol, 0, append, s) && !s->is_full;
}

/* Bounds its recursion itself unless it is told not to. */
static bool run_cpp(const char *symbol, struct sink *s)
{
	if (setjmp(s->full))
		return false;
	return cplus_demangle_v3_callback(symbol, DMGL_PARAMS | DMGL_ANSI, append, s);
}

static bool run(bool (*demangler)(const char *symbol, struct sink *s), const char *symbol,
		char *ret, size_t size)
{
	struct sink s = { .to = ret, .size = size };

	if (!size || !demangler(symbol, &s))
		return false;
	ret[s.n] = '\0';
	return true;
}

/* What the compiler appends when it makes a local symbol unique says nothing to people. */
static char *without_suffix(const char *symbol)
{
	const char *suffix = strstr(symbol, ".llvm.");

	return suffix ? strndup(symbol, (size_t)(suffix - symbol)) : NULL;
}

bool demangle(const char *symbol, char *ret, size_t size)
{
	_cleanup_free_
	char *plain = without_suffix(symbol);

	return run(run_rust, plain ? plain : symbol, ret, size);
}

bool demangle_cpp(const char *symbol, char *ret, size_t size)
{
	_cleanup_free_
	char *plain = without_suffix(symbol);

	return run(run_cpp, plain ? plain : symbol, ret, size);
}
