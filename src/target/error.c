/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/error.h"

#include <stdarg.h>
#include <stdio.h>

void replace_controls(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

int error_set(struct rs_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	replace_controls(err->text);
	return code;
}
