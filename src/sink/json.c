/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sink/json.h"

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "sink/paragraph.h"

#define SCHEMA_VERSION 1

struct json_line json_line_begin(const char *type)
{
	struct json_line l = { .object = json_object() };

	l.failed = !l.object;
	json_put(&l, "v", json_integer(SCHEMA_VERSION));
	json_put(&l, "type", json_string(type));
	return l;
}

int json_line_end(struct json_line *l, FILE *out)
{
	/* ASCII only: control characters beyond ASCII and reversed text cannot harm a terminal
	 * then. */
	const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6);
	struct paragraph p;
	int r = l->failed ? -ENOMEM : paragraph_begin(&p);

	if (r == 0 && json_dumpf(l->object, p.f, flags) < 0) {
		paragraph_drop(&p);
		r = -ENOMEM;
	}
	if (r == 0) {
		fputc('\n', p.f);
		r = paragraph_end(&p, out);
	}
	json_decref(l->object);
	l->object = NULL;
	return r;
}

json_t *json_text(const char *text)
{
	_cleanup_free_
	char *repaired = NULL;

	if (!text)
		return json_null();
	repaired = utf8_repair(text);
	return repaired ? json_string(repaired) : NULL;
}

json_t *json_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *json_id(int32_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

json_t *json_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

void json_set(struct json_line *l, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		l->failed = true;
}

void json_put(struct json_line *l, const char *key, json_t *value)
{
	json_set(l, l->object, key, value);
}

/* The line owns the value; the pointer is good as long as the line. */
static json_t *put_container(struct json_line *l, const char *key, json_t *container)
{
	json_put(l, key, container);
	return json_object_get(l->object, key);
}

json_t *json_put_object(struct json_line *l, const char *key)
{
	return put_container(l, key, json_object());
}

json_t *json_put_array(struct json_line *l, const char *key)
{
	return put_container(l, key, json_array());
}

json_t *json_set_array(struct json_line *l, json_t *object, const char *key)
{
	json_set(l, object, key, json_array());
	return l->failed ? NULL : json_object_get(object, key);
}

void json_append(struct json_line *l, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		l->failed = true;
}

json_t *json_append_object(struct json_line *l, json_t *array)
{
	json_append(l, array, json_object());
	return l->failed ? NULL : json_array_get(array, json_array_size(array) - 1);
}
