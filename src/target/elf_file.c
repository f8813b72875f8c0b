/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "target/error.h"

/* More than any linker writes; bounds the memory a hostile header can ask for. */
#define MAX_SEGMENTS 1024
#define MAX_SECTIONS 65536
#define MAX_SECTION_NAMES (16u << 20) /* bytes; libelf reads all of them */
#define SEARCH_CHUNK (1u << 20)
#define MAX_NOTE 65536

static void elf_endp(Elf **e)
{
	if (*e)
		elf_end(*e);
}

static bool add_overflows(uint64_t a, uint64_t b)
{
	return a + b < a;
}

int elf_file_read(const struct elf_file *f, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;

	if (add_overflows(offset, len) || offset + len > f->size)
		return -ENODATA;
	while (done < len) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static const struct elf_segment *load_at(const struct elf_file *f, uint64_t vaddr)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *s = &f->segments[i];

		if (s->type == PT_LOAD && vaddr >= s->vaddr && vaddr - s->vaddr < s->filesz)
			return s;
	}
	return NULL;
}

int elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *ret)
{
	const struct elf_segment *s = load_at(f, vaddr);

	if (!s)
		return -ENOENT;
	*ret = s->offset + (vaddr - s->vaddr);
	return 0;
}

int elf_file_read_at(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len)
{
	const struct elf_segment *s = load_at(f, vaddr);

	if (!s || len > s->filesz - (vaddr - s->vaddr))
		return -ENOENT;
	return elf_file_read(f, s->offset + (vaddr - s->vaddr), buf, len);
}

int elf_file_read_string(const struct elf_file *f, uint64_t offset, uint64_t end, char *ret,
			 size_t size)
{
	size_t done = 0;

	if (end > f->size)
		end = f->size;
	while (done < size && offset + done < end) {
		size_t want = 256;
		const char *nul;
		int r;

		if (want > size - done)
			want = size - done;
		if (want > end - offset - done)
			want = end - offset - done;
		r = elf_file_read(f, offset + done, ret + done, want);
		if (r < 0)
			return r;
		nul = memchr(ret + done, '\0', want);
		if (nul)
			return (int)(nul - ret);
		done += want;
	}
	return -ENODATA;
}

const struct elf_segment *elf_file_segment(const struct elf_file *f, uint32_t type)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		if (f->segments[i].type == type)
			return &f->segments[i];
	}
	return NULL;
}

const struct elf_section *elf_file_section(const struct elf_file *f, const char *name)
{
	for (size_t i = 0; i < f->n_sections; i++) {
		if (!strcmp(f->sections[i].name, name))
			return &f->sections[i];
	}
	return NULL;
}

static int read_segments(struct elf_file *f, Elf *elf)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) || !n || n > MAX_SEGMENTS)
		return -ENOEXEC;
	f->segments = calloc(n, sizeof(*f->segments));
	if (!f->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p))
			return -ENOEXEC;
		if (add_overflows(p.p_offset, p.p_filesz) || add_overflows(p.p_vaddr, p.p_memsz) ||
		    p.p_filesz > p.p_memsz)
			return -ENOEXEC;
		f->segments[f->n_segments++] = (struct elf_segment){
			p.p_type,   p.p_flags, p.p_offset, p.p_vaddr,
			p.p_filesz, p.p_memsz, p.p_align,
		};
	}
	return 0;
}

static bool has_names(Elf *elf, size_t names)
{
	Elf_Scn *scn = elf_getscn(elf, names);
	GElf_Shdr h;

	return scn && gelf_getshdr(scn, &h) && h.sh_size <= MAX_SECTION_NAMES;
}

/* Sections are a help, not a need: a header that makes no sense is left out, broken tables count as
 * absent. */
static int read_sections(struct elf_file *f, Elf *elf)
{
	size_t n = 0, names = 0;

	if (elf_getshdrnum(elf, &n) || !n || n > MAX_SECTIONS || elf_getshdrstrndx(elf, &names) ||
	    !has_names(elf, names))
		return 0;
	f->sections = calloc(n, sizeof(*f->sections));
	if (!f->sections)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct elf_section *s = &f->sections[i];
		Elf_Scn *scn = elf_getscn(elf, i);
		const char *name;
		bool is_lying;
		GElf_Shdr h;

		/* Kept in place even when useless: sh_link counts them. */
		if (!scn || !gelf_getshdr(scn, &h) || add_overflows(h.sh_addr, h.sh_size))
			continue;
		is_lying = h.sh_type != SHT_NOBITS && (add_overflows(h.sh_offset, h.sh_size) ||
						       h.sh_offset + h.sh_size > f->size);
		if (is_lying && f->lying.size)
			continue;
		if (is_lying)
			s = &f->lying;
		name = elf_strptr(elf, names, h.sh_name);
		if (name)
			strncpy(s->name, name, sizeof(s->name) - 1);
		s->type = h.sh_type;
		s->link = h.sh_link;
		s->flags = h.sh_flags;
		s->addr = h.sh_addr;
		s->offset = h.sh_offset;
		s->size = h.sh_size;
	}
	f->n_sections = n;
	return 0;
}

/* More than 65279 sections are counted in the first one's header. elf_begin makes room for as many as that says. */
static bool has_too_many_sections(const struct elf_file *f, const Elf64_Ehdr *h)
{
	Elf64_Shdr first;

	return !h->e_shnum && h->e_shoff && !elf_file_read(f, h->e_shoff, &first, sizeof(first)) &&
	       first.sh_size > MAX_SECTIONS;
}

static int read_headers(struct elf_file *f)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	Elf64_Ehdr h;
	int r;

	r = elf_file_read(f, 0, &h, sizeof(h));
	if (r < 0)
		return r == -ENODATA ? -ENOEXEC : r;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || has_too_many_sections(f, &h))
		return -ENOEXEC;
	elf_version(EV_CURRENT);
	/* Not the mmap variant, see the head of elf_file.h. */
	elf = elf_begin(f->fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &h))
		return -ENOEXEC;
	if (h.e_machine != EM_X86_64 || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -ENOEXEC;
	f->fixed = h.e_type == ET_EXEC;
	r = read_segments(f, elf);
	return r < 0 ? r : read_sections(f, elf);
}

int elf_file_open(const char *path, struct elf_file **ret, struct rs_error *err)
{
	_cleanup_(elf_file_closep) struct elf_file *f = calloc(1, sizeof(*f));
	struct stat st;
	int r;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	f->fd = -1;
	/* Devices may do anything when they are opened. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return error_set(err, -ENOEXEC, "%s is not a regular file", path);
	/* O_NONBLOCK: a FIFO put in the file's place since then must not hold us. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0)
		return error_set(err, -errno, "cannot open %s: %m", path);
	if (fstat(f->fd, &st) < 0)
		return error_set(err, -errno, "cannot stat %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -ENOEXEC, "%s is not a regular file", path);
	f->size = (uint64_t)st.st_size;
	r = read_headers(f);
	if (r == -ENOEXEC)
		return error_set(err, r, "%s is not a well-formed 64-bit x86 ELF file", path);
	if (r < 0)
		return error_set(err, r, "cannot read the ELF headers of %s: %s", path,
				 strerror(-r));
	*ret = take_ptr(f);
	return 0;
}

struct elf_file *elf_file_close(struct elf_file *f)
{
	if (!f)
		return NULL;
	if (f->fd >= 0)
		close(f->fd);
	free(f->segments);
	free(f->sections);
	free(f);
	return NULL;
}

/* One PT_NOTE segment. Returns true when it held the id. */
static bool build_id_in_notes(const unsigned char *p, size_t len, char ret[41])
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		uint64_t name, desc, next;

		memcpy(&h, p + at, sizeof(h));
		name = at + sizeof(h);
		desc = name + (((uint64_t)h.n_namesz + 3) & ~3ULL);
		next = desc + (((uint64_t)h.n_descsz + 3) & ~3ULL);
		if (desc + h.n_descsz > len)
			return false;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(p + name, "GNU", 4) &&
		    h.n_descsz > 0) {
			for (size_t i = 0; i < h.n_descsz && i < 20; i++)
				sprintf(ret + 2 * i, "%02x", p[desc + i]);
			return true;
		}
		if (next > len)
			return false;
		at = (size_t)next;
	}
	return false;
}

void elf_file_build_id(const struct elf_file *f, char ret[41])
{
	ret[0] = '\0';
	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *s = &f->segments[i];
		_cleanup_free_
		unsigned char *notes = NULL;

		if (s->type != PT_NOTE || !s->filesz || s->filesz > MAX_NOTE)
			continue;
		notes = malloc(s->filesz);
		if (!notes || elf_file_read(f, s->offset, notes, s->filesz) < 0)
			continue;
		if (build_id_in_notes(notes, s->filesz, ret))
			return;
	}
}

/* The matches that begin in [skip, skip + chunk) of a buffer whose first byte is `base` bytes into
 * the range. */
static int search_buffer(const char *buf, size_t len, size_t skip, size_t chunk, uint64_t base,
			 const char *needle, int (*hit)(const struct elf_match *m, void *arg),
			 void *arg)
{
	size_t n = strlen(needle);
	const char *p = buf + skip;

	while ((p = memmem(p, len - (size_t)(p - buf), needle, n))) {
		size_t at = (size_t)(p - buf);
		struct elf_match m = { base + at, p, at, len - at };
		int r;

		if (at >= skip + chunk)
			break;
		r = hit(&m, arg);
		if (r)
			return r;
		p++;
	}
	return 0;
}

int elf_file_search(const struct elf_file *f, uint64_t offset, uint64_t len, const char *needle,
		    size_t before, size_t after, int (*hit)(const struct elf_match *m, void *arg),
		    void *arg)
{
	_cleanup_free_
	char *buf = NULL;

	if (add_overflows(offset, len) || offset + len > f->size)
		return -ENODATA;
	buf = malloc(before + (len < SEARCH_CHUNK ? (size_t)len : SEARCH_CHUNK) + after);
	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; at < len; at += SEARCH_CHUNK) {
		size_t skip = at < before ? (size_t)at : before;
		uint64_t rest = len - at;
		size_t chunk = rest < SEARCH_CHUNK ? (size_t)rest : SEARCH_CHUNK;
		size_t tail = rest - chunk < after ? (size_t)(rest - chunk) : after;
		int r;

		r = elf_file_read(f, offset + at - skip, buf, skip + chunk + tail);
		if (r < 0)
			return r;
		r = search_buffer(buf, skip + chunk + tail, skip, chunk, at - skip, needle, hit,
				  arg);
		if (r)
			return r;
	}
	return 0;
}
