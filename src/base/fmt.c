/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/fmt.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SEC (1000 * MS)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)

char *fmt_duration(char buf[static FMT_SIZE], uint64_t ns)
{
	if (ns < US)
		snprintf(buf, FMT_SIZE, "%" PRIu64 " ns", ns);
	else if (ns < 100 * US)
		snprintf(buf, FMT_SIZE, "%.2f µs", (double)ns / US);
	else if (ns < 10 * SEC)
		snprintf(buf, FMT_SIZE, "%.2f ms", (double)ns / MS);
	else if (ns < 2 * MINUTE)
		snprintf(buf, FMT_SIZE, "%.3f s", (double)ns / SEC);
	else if (ns < 2 * HOUR)
		snprintf(buf, FMT_SIZE, "%" PRIu64 " min %02" PRIu64 " s", ns / MINUTE,
			 ns % MINUTE / SEC);
	else
		snprintf(buf, FMT_SIZE, "%" PRIu64 " h %02" PRIu64 " min", ns / HOUR,
			 ns % HOUR / MINUTE);
	return buf;
}

char *fmt_duration_short(char buf[static FMT_SIZE], uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { US, "µs" }, { MS, "ms" }, { SEC, "s" } };
	size_t i = 0;

	if (ns < US) {
		snprintf(buf, FMT_SIZE, "%" PRIu64 " ns", ns);
		return buf;
	}
	if (ns >= 1000000 * HOUR) {
		snprintf(buf, FMT_SIZE, "%" PRIu64 " d", ns / (24 * HOUR));
		return buf;
	}
	if (ns >= 10000 * SEC) {
		snprintf(buf, FMT_SIZE, "%" PRIu64 " h", ns / HOUR);
		return buf;
	}
	/* 999.5 rounds to four digits: the next unit has the shorter form. */
	while (i < 2 && ns >= units[i].ns * 1000 - units[i].ns / 2)
		i++;

	double value = (double)ns / (double)units[i].ns;
	int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(buf, FMT_SIZE, "%.*f %s", digits, value, units[i].name);
	return buf;
}

char *fmt_count(char buf[static FMT_SIZE], uint64_t count)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t to = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf[to++] = ',';
		buf[to++] = digits[i];
	}
	buf[to] = '\0';
	return buf;
}

char *fmt_bytes(char buf[static FMT_SIZE], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;
	double value = (double)bytes / 1024;

	if (bytes < 1024) {
		snprintf(buf, FMT_SIZE, "%" PRIu64 " B", bytes);
		return buf;
	}
	/* 1023.95 would be printed as 1024.0 of the smaller unit. */
	for (; value >= 1023.95 && i < sizeof(units) / sizeof(units[0]) - 1; i++)
		value /= 1024;
	snprintf(buf, FMT_SIZE, "%.1f %s", value, units[i]);
	return buf;
}

char *fmt_quantiles(char buf[static FMT_SIZE], uint64_t p50_ns, uint64_t p99_ns)
{
	snprintf(buf, FMT_SIZE, "p50 %s, p99 %s", FMT_DURATION_SHORT(p50_ns),
		 FMT_DURATION_SHORT(p99_ns));
	return buf;
}
