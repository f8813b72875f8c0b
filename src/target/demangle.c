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

static bool run(const char *symbol, struct sink *s)
{
	if (setjmp(s->full))
		return false;
	return rust_demangle_callback(symbol, 0, append, s) && !s->is_full;
}

bool demangle(const char *symbol, char *ret, size_t size)
{
	_cleanup_free_
	char *plain = NULL;
	const char *suffix = strstr(symbol, ".llvm.");
	struct sink s = { .to = ret, .size = size };

	if (!size)
		return false;
	if (suffix) {
		plain = strndup(symbol, (size_t)(suffix - symbol));
		if (!plain)
			return false;
	}
	if (!run(plain ? plain : symbol, &s))
		return false;
	ret[s.n] = '\0';
	return true;
}
