/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Call frame information to tables: from a file, and from an image in memory such as the vDSO. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "sections.h"
#include "target/eh_frame.h"
#include "unwind/rows.h"
#include "unwind/table.h"

#define IMAGE_MAX (1 << 20)

/* The kernel side searches by halves. */
static void check(struct unwind_rows *rows)
{
	struct unwind_table table;

	for (size_t i = 0; i < rows->n; i++) {
		FUZZ_CHECK(!i || rows->rows[i - 1].pc < rows->rows[i].pc);
		FUZZ_CHECK(rows->rows[i].cfa <= RS_CFA_SIGNAL && rows->rows[i].pc != RS_PC_NONE);
	}
	if (!unwind_table_build(rows, &table))
		unwind_table_clear(&table);
	unwind_rows_clear(rows);
}

static void check_index(const struct elf_file *f)
{
	struct unwind_index functions;
	uint64_t start, end;

	if (unwind_index_load(f, &functions))
		return;
	for (uint64_t at = SECTION_ADDR(SECTION_TEXT) - 8; at < SECTION_ADDR(SECTION_TEXT) + 256;
	     at += 5) {
		if (!unwind_index_function(&functions, at, &start, &end))
			FUZZ_CHECK(start <= at && at < end);
	}
	unwind_index_clear(&functions);
}

static void check_image(const char *path, uint64_t size)
{
	_cleanup_free_
	void *image = malloc(size);
	_cleanup_close_
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct unwind_rows rows;
	ssize_t n = fd < 0 || !image ? -1 : read(fd, image, size);

	if (n > 0 && !unwind_rows_of_image(image, (size_t)n, &rows))
		check(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = sections_file(data, size);
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	struct unwind_rows rows;

	if (elf_file_open(path, &f, NULL))
		return 0;
	check_index(f);
	if (!unwind_rows_read(f, &rows))
		check(&rows);
	if (f->size <= IMAGE_MAX)
		check_image(path, f->size);
	return 0;
}
