/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

static const struct {
	const char *suffix;
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "µs", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * 1000000000ULL },
	{ "h", 3600 * 1000000000ULL },
};

static uint64_t unit_find(const char *suffix)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(units[i].suffix, suffix))
			return units[i].ns;
	}
	return 0;
}

/* Reads decimal digits into *value and counts them; -ERANGE on overflow. */
static int read_digits(const char **text, uint64_t *value, uint64_t *scale)
{
	const char *p = *text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value) ||
		    (scale && __builtin_mul_overflow(*scale, 10, scale)))
			return -ERANGE;
	}
	*text = p;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t whole = 0, fraction = 0, scale = 1, unit;
	unsigned __int128 ns;
	int r = read_digits(&text, &whole, NULL);

	if (r < 0)
		return r;
	if (*text == '.') {
		text++;
		r = read_digits(&text, &fraction, &scale);
		if (r < 0)
			return r;
	}
	unit = unit_find(text);
	if (!unit)
		return -EINVAL;
	ns = (unsigned __int128)whole * unit + (unsigned __int128)fraction * unit / scale;
	if (ns > UINT64_MAX)
		return -ERANGE;
	*ret_ns = (uint64_t)ns;
	return 0;
}

int value_text(const struct value_rule *rule, const char *text, void *field)
{
	if (!*text)
		return -EINVAL;
	*(const char **)field = text;
	return 0;
}

int value_flag(const struct value_rule *rule, const char *text, void *field)
{
	*(bool *)field = true;
	return 0;
}

int value_u32(const struct value_rule *rule, const char *text, void *field)
{
	uint64_t value = 0;
	int r = read_digits(&text, &value, NULL);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	if (value < rule->min || value > rule->max || value > UINT32_MAX)
		return -ERANGE;
	*(uint32_t *)field = (uint32_t)value;
	return 0;
}

int value_duration(const struct value_rule *rule, const char *text, void *field)
{
	uint64_t ns;
	int r = parse_duration(text, &ns);

	if (r < 0)
		return r;
	if (ns < rule->min || ns > rule->max)
		return -ERANGE;
	*(uint64_t *)field = ns;
	return 0;
}

int value_percent(const struct value_rule *rule, const char *text, void *field)
{
	char *end;
	double value;

	/* strtod also takes "nan", "inf" and hexadecimal numbers. */
	if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.%") != strlen(text))
		return -EINVAL;
	value = strtod(text, &end);
	if (*end == '%')
		end++;
	if (*end)
		return -EINVAL;
	if (!(value > 0 && value <= 100))
		return -ERANGE;
	*(double *)field = value;
	return 0;
}

int value_choice(const struct value_rule *rule, const char *text, void *field)
{
	for (unsigned int i = 0; rule->choices[i]; i++) {
		if (!strcmp(rule->choices[i], text)) {
			*(unsigned int *)field = i;
			return 0;
		}
	}
	return -EINVAL;
}
