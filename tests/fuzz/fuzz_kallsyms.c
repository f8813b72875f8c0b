/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any text as /proc/kallsyms. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "symbol/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_
	char *text = fuzz_text(data, size);
	_cleanup_fclose_
	FILE *in = size ? fmemopen(text, size, "r") : NULL;
	struct kallsyms *k = in ? kallsyms_read(in) : NULL;

	for (uint64_t at = KERNEL_START; k && at >= KERNEL_START; at += 0x0123456789abcdefULL) {
		const char *name = kallsyms_name(k, at);

		FUZZ_CHECK(!name || strlen(name) <= size);
	}
	if (k)
		FUZZ_CHECK(kallsyms_name(k, UINT64_MAX) && !kallsyms_name(k, 0));
	kallsyms_free(k);
	return 0;
}
