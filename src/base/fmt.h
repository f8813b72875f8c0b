/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers as people read them. Each function writes to buf and returns it; the macros lend a buffer
 * of their own for use as a printf argument. */
#ifndef RS_BASE_FMT_H
#define RS_BASE_FMT_H

#include <stdint.h>

#define FMT_SIZE 48

/* "840 ns", "41.30 µs", "450.12 ms" (up to 10 s), "12.346 s", "2 min 05 s", "3 h 20 min" */
char *fmt_duration(char buf[static FMT_SIZE], uint64_t ns);
/* As fmt_duration in at most 8 columns, with three digits at least: "840 ns", "5.12 ms", "450 ms",
 * "1.35 s", "125 s" */
char *fmt_duration_short(char buf[static FMT_SIZE], uint64_t ns);
/* "1,234,567" */
char *fmt_count(char buf[static FMT_SIZE], uint64_t count);
/* "999 B", "1.5 KiB", "3.2 GiB" */
char *fmt_bytes(char buf[static FMT_SIZE], uint64_t bytes);
/* "p50 1.20 µs, p99 3.40 µs" */
char *fmt_quantiles(char buf[static FMT_SIZE], uint64_t p50_ns, uint64_t p99_ns);

#define FMT_DURATION(ns) fmt_duration((char[FMT_SIZE]){ 0 }, ns)
#define FMT_DURATION_SHORT(ns) fmt_duration_short((char[FMT_SIZE]){ 0 }, ns)
#define FMT_COUNT(count) fmt_count((char[FMT_SIZE]){ 0 }, count)
#define FMT_BYTES(bytes) fmt_bytes((char[FMT_SIZE]){ 0 }, bytes)
#define FMT_QUANTILES(p50, p99) fmt_quantiles((char[FMT_SIZE]){ 0 }, p50, p99)

#endif
