/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_TARGET_VERSION_H
#define RS_TARGET_VERSION_H

#include "target/elf_file.h"

/* Version of the Tokio compiled into the file, from the source paths its panics carry; "" when
 * there is none. 0 or negative errno. */
int version_tokio(const struct elf_file *f, char ret[16]);
/* Version of the compiler, from .comment; "" when it is not there. */
void version_rustc(const struct elf_file *f, char ret[32]);

#endif
