/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Colours by meaning. All text is complete without them. */
#ifndef RS_SINK_COLOR_H
#define RS_SINK_COLOR_H

#include "sink/sink.h"

enum paint {
	PAINT_NONE,
	PAINT_CRITICAL,
	PAINT_SLOW,
	PAINT_ONGOING,
	PAINT_EXCUSED,
	PAINT_NAME,
	PAINT_LABEL,
	PAINT_WARNING
};

/* The terminal sequence that switches the paint on (PAINT_NONE: all off); "" when options say no
 * colour. */
const char *color_of(const struct sink_options *o, enum paint p);
enum paint severity_paint(enum severity s);

#endif
