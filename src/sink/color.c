/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sink/color.h"

const char *color_of(const struct sink_options *o, enum paint p)
{
	static const char *const sequences[] = {
		[PAINT_NONE] = "\x1b[0m",     [PAINT_CRITICAL] = "\x1b[1;31m",
		[PAINT_SLOW] = "\x1b[33m",    [PAINT_ONGOING] = "\x1b[1;35m",
		[PAINT_EXCUSED] = "\x1b[36m", [PAINT_NAME] = "\x1b[1m",
		[PAINT_LABEL] = "\x1b[2m",    [PAINT_WARNING] = "\x1b[1;33m",
	};

	return o->color ? sequences[p] : "";
}

enum paint severity_paint(enum severity s)
{
	static const enum paint paints[] = {
		[SEVERITY_NONE] = PAINT_NAME,
		[SEVERITY_SLOW] = PAINT_SLOW,
		[SEVERITY_CRITICAL] = PAINT_CRITICAL,
	};

	return paints[s <= SEVERITY_CRITICAL ? s : SEVERITY_NONE];
}
