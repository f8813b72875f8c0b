/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any text as a symbol: demangled or as it is, shortened, and whose code it is. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "symbol/kinds.h"
#include "target/demangle.h"
#include "target/name.h"

static void check_text(const char name[FUTURE_NAME_SIZE])
{
	FUZZ_CHECK(name[0] && strlen(name) < FUTURE_NAME_SIZE);
	for (const char *c = name; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_type(const char *text, const char *type, size_t n)
{
	size_t body;

	FUZZ_CHECK(!type || (type >= text && n <= strlen(type)));
	if (type && future_type_body(type, n, &body))
		FUZZ_CHECK(body <= n);
}

static void check_name(const char *symbol)
{
	char name[FUTURE_NAME_SIZE];
	const char *type;
	size_t n = 0;

	if (future_name(symbol, name))
		check_text(name);
	if (future_type_name(symbol, strlen(symbol), name))
		check_text(name);
	type = future_type(symbol, &n);
	check_type(symbol, type, n);
	type = future_type_dropped(symbol, &n);
	check_type(symbol, type, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct crate_lists crates = { "app,mine", "hyper,axum" };
	_cleanup_free_
	char *symbol = fuzz_text(data, size), *readable = malloc(DEMANGLE_MAX);

	FUZZ_CHECK(readable);
	check_name(symbol);
	kind_of_frame(symbol, NULL, "program", &crates);
	kind_of_frame(NULL, symbol, symbol, &crates);
	if (demangle(symbol, readable, DEMANGLE_MAX)) {
		FUZZ_CHECK(strlen(readable) < DEMANGLE_MAX);
		check_name(readable);
		kind_of_frame(readable, NULL, "program", &crates);
	}
	/* what does not fit is refused, whatever the size */
	if (demangle(symbol, readable, 24))
		FUZZ_CHECK(strlen(readable) < 24);
	return 0;
}
