/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Shared by the table (catalogue.c) and the reader of users' files (advice_file.c). */
#ifndef RS_MODEL_CATALOGUE_PARTS_H
#define RS_MODEL_CATALOGUE_PARTS_H

#include "model/catalogue.h"

struct catalogue {
	struct catalogue_row rows[CATALOGUE_ROWS_MAX]; /* of users; point into lines */
	char *lines[CATALOGUE_ROWS_MAX];
	size_t n;
};

#endif
