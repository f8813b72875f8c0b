/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fills a struct rs_error. Paths and names in it come from the target: control characters are
 * replaced. */
#ifndef RS_TARGET_ERROR_H
#define RS_TARGET_ERROR_H

#include "target/target.h"

/* `err` may be NULL. Always returns `code`, so that a caller can write `return error_set(err,
 * -EINVAL, …)`. */
__attribute__((format(printf, 3, 4))) int error_set(struct rs_error *err, int code, const char *fmt,
						    ...);

/* Replaces bytes below space and DEL by '?'. */
void replace_controls(char *text);

#endif
