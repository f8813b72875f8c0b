/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parsers for the values of options. Each returns 0 or negative errno and leaves *field untouched on failure. */
#ifndef RS_CLI_VALUES_H
#define RS_CLI_VALUES_H

#include <stdint.h>

struct value_rule {
	uint64_t min, max;
	const char *needs; /* "It needs …"; NULL where the choices say it */
	const char *const *choices; /* NULL-terminated */
};

typedef int value_parser(const struct value_rule *rule, const char *text, void *field);

value_parser value_text; /* const char *, borrowed; not empty */
value_parser value_flag; /* bool, becomes true; text is not looked at */
value_parser value_u32; /* uint32_t within min…max */
value_parser value_duration; /* uint64_t nanoseconds within min…max */
value_parser value_percent; /* double above 0 and up to 100, with or without % */
value_parser value_choice; /* unsigned int or enum: index into choices */

#endif
