/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JSON objects built field by field; the first failure (no memory) is remembered and seen once at
 * the end. */
#ifndef RS_SINK_JSON_H
#define RS_SINK_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_line {
	json_t *object;
	bool failed;
};

/* A line of schema version 1: {"v":1,"type":type … */
struct json_line json_line_begin(const char *type);
/* Writes and frees it. 0 or negative errno. */
int json_line_end(struct json_line *l, FILE *out);

/* Values. Each returns a new reference, or NULL when memory is short; the functions below take
 * that. */
json_t *json_text(const char *text); /* NULL -> null; broken UTF-8 is repaired */
json_t *json_count(
	uint64_t value); /* what JSON integers here cannot hold becomes the greatest they can */
json_t *json_id(int32_t value); /* negative -> null */
json_t *json_number(double value); /* not finite -> null */

/* Appends a field; takes the reference to value. */
void json_put(struct json_line *l, const char *key, json_t *value);
/* The same for an object inside the line. NULL when out of memory. */
json_t *json_put_object(struct json_line *l, const char *key);
json_t *json_put_array(struct json_line *l, const char *key);
/* Appends to an object or array got from the above (or NULL); takes the reference to value. */
void json_set(struct json_line *l, json_t *object, const char *key, json_t *value);
json_t *json_set_array(struct json_line *l, json_t *object, const char *key);
json_t *json_append_object(struct json_line *l, json_t *array);
void json_append(struct json_line *l, json_t *array, json_t *value);

#endif
