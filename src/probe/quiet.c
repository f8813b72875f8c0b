/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/quiet.h"

#include <stdarg.h>

#include <bpf/libbpf.h>

static int keep_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

void probe_quiet(void)
{
	libbpf_set_print(keep_quiet);
}
