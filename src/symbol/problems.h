/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is wrong with the files that names come from, in sentences for people: told by one thread, taken by another. */
#ifndef RS_SYMBOL_PROBLEMS_H
#define RS_SYMBOL_PROBLEMS_H

#include <stdbool.h>

#define PROBLEM_SIZE 160

struct problems;

/* NULL: out of memory. */
struct problems *problems_new(void);
struct problems *problems_free(struct problems *p);
/* Each sentence once; after some dozen the rest is dropped. Control characters become '?': they come from files of others. p may be NULL. */
void problems_tell(struct problems *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The next one that has not been taken yet. */
bool problems_take(struct problems *p, char ret[static PROBLEM_SIZE]);

#endif
