/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sink/paragraph.h"

#include <errno.h>
#include <stdlib.h>

int paragraph_begin(struct paragraph *ret)
{
	struct paragraph p = { 0 };
	/* The stream keeps the addresses of the two results. */
	*ret = p;
	ret->f = open_memstream(&ret->text, &ret->len);
	return ret->f ? 0 : -errno;
}

static int write_all(const char *text, size_t len, FILE *out)
{
	errno = 0;
	if (fwrite(text, 1, len, out) == len && fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

int paragraph_end(struct paragraph *p, FILE *out)
{
	int failed = ferror(p->f), r;

	/* fclose() makes text and len final; a stream in memory fails only for want of memory. */
	if (fclose(p->f) != 0 || failed)
		r = -ENOMEM;
	else
		r = write_all(p->text, p->len, out);
	free(p->text);
	*p = (struct paragraph){ 0 };
	return r;
}

void paragraph_drop(struct paragraph *p)
{
	fclose(p->f);
	free(p->text);
	*p = (struct paragraph){ 0 };
}
