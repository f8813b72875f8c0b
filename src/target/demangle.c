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
};

/*
 * Back references let a v0 symbol grow without bound, and the demangler has no way to be told to
 * stop. It holds no memory while it calls back, so leaving it with longjmp loses nothing but, for a
 * punycode name, one small buffer.
 */
static void append(const char *text, size_t len, void *arg)
{
	struct sink *s = arg;

	if (len >= s->size - s->n)
		longjmp(s->full, 1);
	if (len) /* else text may be NULL: an empty identifier of a broken symbol */
		memcpy(s->to + s->n, text, len);
	s->n += len;
}

static bool run(const char *symbol, struct sink *s)
{
	if (setjmp(s->full))
		return false;
	return rust_demangle_callback(symbol, 0, append, s);
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
