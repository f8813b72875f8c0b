/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What one ELF file, and the file with its debuginfo, say of an address. */
#ifndef RS_SYMBOL_OBJECT_H
#define RS_SYMBOL_OBJECT_H

#include <stdatomic.h>

#include "symbol/frame.h"
#include "symbol/lines.h"
#include "symbol/strings.h"

struct object;
struct problems;

#define OBJECT_FRAMES LINES_DEPTH

/* Where its code lies and where more is known of it. */
struct object_source {
	const char *open_path; /* of the file that is mapped */
	const char *name; /* base name shown to people; borrowed */
	const char *debug_file; /* given by the user, or NULL */
	const char *root; /* of the target's file system, or "" */
	const char *directory; /* of the file, in that file system; or NULL */
	const char *my_crates; /* see kind_of_frame */
	const atomic_bool *stop; /* ends what takes long; or NULL */
	struct problems *problems; /* told what cannot be read; may be NULL */
};

/* 0; -ENOEXEC, -ENOENT, -EACCES: the file cannot be used; -ENOMEM. */
int object_open(const struct object_source *from, struct object **ret);
struct object *object_close(struct object *o);
/* Innermost first. Returns how many; 0: nothing is known. `addr` of the frames is not set. Strings are kept in `strings`. */
size_t object_find(struct object *o, uint64_t vaddr, struct strings *strings,
		   struct frame ret[OBJECT_FRAMES]);
/* Where an async body is written (see lines_body). The path in `ret_file` is kept until the next call. */
bool object_body(struct object *o, uint64_t vaddr, const char *type, size_t len,
		 const char **ret_file, uint32_t *ret_line);
/* The name of the function there with its generic arguments, from debuginfo. NULL: not known. Borrowed from o. */
const char *object_generic_name(struct object *o, uint64_t vaddr);

#endif
