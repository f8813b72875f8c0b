/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An ELF file of the target, read piece by piece with pread: never mapped, because a file that is
 * truncated while it is mapped kills the reader with SIGBUS. Every offset in it is hostile; the
 * functions here check them.
 */
#ifndef RS_TARGET_ELF_FILE_H
#define RS_TARGET_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rs_error;

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz, align;
};

struct elf_section {
	char name[32]; /* cut when longer */
	uint32_t type, link;
	uint64_t flags, addr, offset, size;
};

struct elf_file {
	int fd;
	uint64_t size;
	bool fixed; /* ET_EXEC: addresses are absolute, pointers need no relocation */
	struct elf_segment *segments;
	size_t n_segments;
	struct elf_section *sections; /* none when their headers were stripped or are broken */
	size_t n_sections;
	struct elf_section
		lying; /* the first that is said to reach beyond the file's end; size 0: none */
};

/* Opens a 64-bit little-endian x86-64 executable or shared object. -ENOEXEC: something else, or
 * malformed. */
int elf_file_open(const char *path, struct elf_file **ret, struct rs_error *err);
struct elf_file *elf_file_close(struct elf_file *f);

static inline void elf_file_closep(struct elf_file **f)
{
	elf_file_close(*f);
}

/* Reads all of [offset, offset + len) or fails: -ENODATA past the end of the file. */
int elf_file_read(const struct elf_file *f, uint64_t offset, void *buf, size_t len);
/* The same at an ELF virtual address backed by one PT_LOAD. */
int elf_file_read_at(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len);
/* A NUL-terminated string at `offset`, at most `end`. Returns its length; -ENODATA when it has no
 * end in size bytes. */
int elf_file_read_string(const struct elf_file *f, uint64_t offset, uint64_t end, char *ret,
			 size_t size);

/* File offset of a virtual address; -ENOENT when the file has no bytes for it. */
int elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *ret);
const struct elf_segment *elf_file_segment(const struct elf_file *f, uint32_t type);
const struct elf_section *elf_file_section(const struct elf_file *f, const char *name);
/* Lower-case hex of the GNU build id, "" when there is none. */
void elf_file_build_id(const struct elf_file *f, char ret[41]);

/*
 * Searches [offset, offset + len) for `needle` and calls `hit` with a buffer that holds up to
 * `before` bytes in front of the match and `after` bytes from it on (fewer at the ends of the
 * range). Stops when `hit` returns nonzero and returns that; 0 at the end, negative errno on read
 * errors. Memory use does not depend on len.
 */
struct elf_match {
	uint64_t offset; /* of the needle, relative to the range */
	const char *text; /* the needle in the buffer */
	size_t before, after;
};

int elf_file_search(const struct elf_file *f, uint64_t offset, uint64_t len, const char *needle,
		    size_t before, size_t after, int (*hit)(const struct elf_match *m, void *arg),
		    void *arg);

#endif
