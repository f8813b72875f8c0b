/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sections.h"

#include <elf.h>
#include <string.h>

struct section_kind {
	const char *name;
	uint32_t type;
	uint64_t flags;
	uint32_t segment; /* a program header of its own */
	size_t link; /* kind of the section with its strings */
};

enum { NONE = 0, STRTAB = 9, DYNSTR = 11 };

/* Only ever extended at its end: the inputs that are kept count on it. */
static const struct section_kind kinds[] = {
	{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, NONE },
	{ ".rodata", SHT_PROGBITS, SHF_ALLOC, 0, NONE },
	{ ".data.rel.ro", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0, NONE },
	{ ".eh_frame_hdr", SHT_PROGBITS, SHF_ALLOC, PT_GNU_EH_FRAME, NONE },
	{ ".eh_frame", SHT_PROGBITS, SHF_ALLOC, 0, NONE },
	{ ".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, PT_NOTE, NONE },
	{ ".dynamic", SHT_DYNAMIC, SHF_ALLOC | SHF_WRITE, PT_DYNAMIC, NONE },
	{ ".rela.dyn", SHT_RELA, SHF_ALLOC, 0, NONE },
	{ ".symtab", SHT_SYMTAB, 0, 0, STRTAB },
	{ ".strtab", SHT_STRTAB, 0, 0, NONE },
	{ ".dynsym", SHT_DYNSYM, SHF_ALLOC, 0, DYNSTR },
	{ ".dynstr", SHT_STRTAB, SHF_ALLOC, 0, NONE },
	{ ".comment", SHT_PROGBITS, 0, 0, NONE },
	{ ".gnu_debuglink", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_info", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_abbrev", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_line", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_str", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_line_str", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_aranges", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_ranges", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_rnglists", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_addr", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_str_offsets", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_frame", SHT_PROGBITS, 0, 0, NONE },
	{ ".debug_types", SHT_PROGBITS, 0, 0, NONE },
	{ ".gnu_debugdata", SHT_PROGBITS, 0, 0, NONE },
	{ ".gnu_debugaltlink", SHT_PROGBITS, 0, 0, NONE },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))
#define N_SECTIONS 48 /* more than there are, so that patches of headers stay right */
#define NAMES 1 /* index of the section with their names */
#define FIRST_KIND 2
_Static_assert(FIRST_KIND + N_KINDS <= N_SECTIONS, "each kind has a section header");
#define LENGTH_MASK ((1ULL << 40) - 1)
#define FILE_LENGTH SECTION_ADDR(N_SECTIONS)
#define N_SEGMENTS 4

/* What the file begins with. */
struct headers {
	Elf64_Ehdr file;
	Elf64_Phdr segments[N_SEGMENTS];
	Elf64_Shdr sections[N_SECTIONS];
	char names[1024];
};
_Static_assert(sizeof(struct headers) <= SECTION_ROOM, "headers lie in front of the sections");

const char *section_name(size_t kind)
{
	return kind < N_KINDS ? kinds[kind].name : NULL;
}

bool section_is_loaded(size_t kind)
{
	return kinds[kind].flags & SHF_ALLOC;
}

static void fill_fixed(struct headers *h)
{
	*h = (struct headers){ .file = {
				       .e_ident = ELFMAG "\2\1\1",
				       .e_type = ET_DYN,
				       .e_machine = EM_X86_64,
				       .e_version = EV_CURRENT,
				       .e_phoff = offsetof(struct headers, segments),
				       .e_shoff = offsetof(struct headers, sections),
				       .e_ehsize = sizeof(Elf64_Ehdr),
				       .e_phentsize = sizeof(Elf64_Phdr),
				       .e_phnum = N_SEGMENTS,
				       .e_shentsize = sizeof(Elf64_Shdr),
				       .e_shnum = N_SECTIONS,
				       .e_shstrndx = NAMES,
			       } };
	h->segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				       .p_flags = PF_R | PF_X,
				       .p_filesz = FILE_LENGTH,
				       .p_memsz = FILE_LENGTH,
				       .p_align = 4096 };
	h->sections[NAMES] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					   .sh_offset = offsetof(struct headers, names),
					   .sh_size = sizeof(h->names) };
}

/* A second chunk of the same kind takes the place of the first. */
static void fill_section(struct headers *h, size_t kind, size_t size, bool is_compressed)
{
	const struct section_kind *k = &kinds[kind];
	uint64_t at = SECTION_ADDR(kind);
	size_t name = 1;

	for (size_t i = 0; i < kind; i++)
		name += strlen(kinds[i].name) + 1;
	strcpy(h->names + name, k->name);
	h->sections[FIRST_KIND + kind] = (Elf64_Shdr){
		.sh_name = (Elf64_Word)name,
		.sh_type = k->type,
		.sh_flags = k->flags | (is_compressed ? SHF_COMPRESSED : 0),
		.sh_addr = k->flags & SHF_ALLOC ? at : 0,
		.sh_offset = at,
		.sh_size = size,
		.sh_link = k->link ? (Elf64_Word)k->link + FIRST_KIND : 0,
		.sh_addralign = 8,
		.sh_entsize = k->type == SHT_SYMTAB || k->type == SHT_DYNSYM ? sizeof(Elf64_Sym)
									     : 0,
	};
	for (size_t i = 1; k->segment && i < N_SEGMENTS; i++) {
		if (h->segments[i].p_type && h->segments[i].p_type != k->segment)
			continue;
		h->segments[i] = (Elf64_Phdr){ k->segment, PF_R, at, at, at, size, size, 8 };
		break;
	}
}

static void patch(struct headers *h, struct fuzz_input patches)
{
	while (patches.p < patches.end) {
		size_t at = fuzz_take(&patches, 2), n = fuzz_take(&patches, 1);
		struct fuzz_input bytes = fuzz_take_part(&patches, n);

		n = (size_t)(bytes.end - bytes.p);
		if (at < sizeof(*h) && n <= sizeof(*h) - at)
			memcpy((char *)h + at, bytes.p, n);
	}
}

/* The next chunk's contents, and its kind. */
static struct fuzz_input take_chunk(struct fuzz_input *in, uint8_t *ret_kind)
{
	*ret_kind = (uint8_t)fuzz_take(in, 1);
	return fuzz_take_part(in, fuzz_take(in, 2));
}

const char *sections_file(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	uint64_t length = FILE_LENGTH;
	struct headers h;
	uint8_t kind;

	while (in.p < in.end) {
		struct fuzz_input chunk = take_chunk(&in, &kind);

		if (kind == CHUNK_LENGTH)
			length = fuzz_take(&chunk, 8) & LENGTH_MASK;
	}
	fuzz_file_begin(length);
	fill_fixed(&h);
	in.p = data;
	while (in.p < in.end) {
		struct fuzz_input chunk = take_chunk(&in, &kind);
		size_t n = (size_t)(chunk.end - chunk.p), section = kind & ~CHUNK_COMPRESSED;

		if (kind == CHUNK_PATCH)
			patch(&h, chunk);
		if (section >= N_KINDS)
			continue;
		if (n > SECTION_ROOM)
			n = SECTION_ROOM;
		fill_section(&h, section, n, kind & CHUNK_COMPRESSED);
		fuzz_file_put(SECTION_ADDR(section), chunk.p, n);
	}
	fuzz_file_put(0, &h, sizeof(h));
	return fuzz_file_end();
}
