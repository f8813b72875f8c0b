/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The crates that a program was built from and that are not its author's, from the paths that its panic messages name. */
#ifndef RS_SYMBOL_CRATES_H
#define RS_SYMBOL_CRATES_H

#include "target/elf_file.h"

/* Their names, separated by commas, for kind_of_frame; "" when there are none. The caller's. NULL: out of memory. */
char *crates_of_file(const struct elf_file *file);

#endif
