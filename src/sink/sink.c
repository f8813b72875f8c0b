/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sink/sink.h"

#include <string.h>

#include "sink/formats.h"

static const struct sink *const sinks[] = { &text_sink, &ndjson_sink };

const char *const sink_names = "text|ndjson";

const struct sink *sink_find(const char *name)
{
	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
		if (!strcmp(sinks[i]->name, name))
			return sinks[i];
	return NULL;
}
