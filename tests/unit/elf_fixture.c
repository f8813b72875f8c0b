/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "elf_fixture.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Addresses, which are file offsets as well (plus the base of a fixed file). */
#define NOTE 0x0800
#define DYNAMIC 0x0900
#define RELA 0x0a00
#define EH_HDR 0x1400
#define EH_FRAME 0x1800
#define RODATA 0x1000
#define VTABLES_FIXED 0x1200
#define TEXT_SIZE 0x1000
#define RELRO 0x3000
#define RELRO_SIZE 0x400
#define LOCATIONS (RELRO + 0x300)
#define COMMENT 0x4000
#define SYMTAB 0x4100
#define STRTAB 0x4800
#define SHSTRTAB 0x5000
#define SHDRS 0x5200
#define N_FUNCTIONS 40

static const char rodata[] = "hello/registry/src/index/tokio-util-0.7.1/src/lib.rs"
			     "/registry/tokio-1.47.1/src/runtime/mod.rs"
			     "src/api.rs/registry/tokio-1.47.1/src/runtime/blocking/schedule.rs"
			     "`async fn` resumed after completion";
static const char rodata_old[] = "/registry/tokio-1.20.1/src/runtime/mod.rs";

struct builder {
	uint8_t *buf;
	const struct fixture_options *o;
	uint64_t base;
	size_t n_rela, n_sym, n_str, n_shdr, n_shstr;
};

static void put64(struct builder *b, uint64_t offset, uint64_t v)
{
	memcpy(b->buf + offset, &v, 8);
}

/* A pointer in data: a relocation with nothing in place, or the value. */
static void put_pointer(struct builder *b, uint64_t offset, uint64_t target)
{
	Elf64_Rela r = { offset, ELF64_R_INFO(0, R_X86_64_RELATIVE), (Elf64_Sxword)target };

	if (b->o->fixed || b->o->relocations == RELOCATIONS_IN_PLACE) {
		put64(b, offset, target + b->base);
		return;
	}
	memcpy(b->buf + RELA + sizeof(r) * b->n_rela++, &r, sizeof(r));
}

static uint64_t text_of(const char *part)
{
	return RODATA +
	       (uint64_t)((const char *)memmem(rodata, sizeof(rodata), part, strlen(part)) -
			  rodata);
}

static void put_vtables(struct builder *b)
{
	static const uint64_t offsets[FIXTURE_VTABLES][3] = { { 192, 32, 40 },
							      { 256, 128, 136 },
							      { 88, 32, 48 } };
	uint64_t at = b->o->fixed ? VTABLES_FIXED : RELRO + 8;

	for (int i = 0; i < FIXTURE_VTABLES && !b->o->no_vtables; i++) {
		for (int k = 0; k < 7; k++)
			put_pointer(b, at + 8 * (uint64_t)k, FIXTURE_FUNCTION(7 * i + k));
		for (int k = 0; k < 3 && !b->o->old_tokio; k++)
			put64(b, at + 56 + 8 * (uint64_t)k, offsets[i][k]);
		at += 80;
	}
	/* Looks like one, but the id lies behind the trailer. */
	for (int k = 0; k < 7; k++)
		put_pointer(b, at + 8 + 8 * (uint64_t)k, FIXTURE_FUNCTION(k));
	put64(b, at + 64, 40);
	put64(b, at + 72, 32);
	put64(b, at + 80, 48);
}

static void put_location(struct builder *b, uint64_t at, const char *file, uint32_t line)
{
	uint32_t place[2] = { line, 5 };

	put_pointer(b, at, text_of(file));
	put64(b, at + 8, strlen(file));
	memcpy(b->buf + at + 16, place, sizeof(place));
}

/* lea rdi, [rip + x] at `at`; returns the address behind it. */
static uint64_t put_lea(struct builder *b, uint64_t at, uint64_t target)
{
	int32_t rel = (int32_t)(target - at - 7);

	memcpy(b->buf + at, "\x48\x8d\x3d", 3);
	memcpy(b->buf + at + 3, &rel, 4);
	return at + 7;
}

static uint64_t put_call(struct builder *b, uint64_t at, uint64_t target)
{
	int32_t rel = (int32_t)(target - at - 5);

	b->buf[at] = 0xe8;
	memcpy(b->buf + at + 1, &rel, 4);
	return at + 5;
}

/*
 * poll 0 calls function 35, which panics for api.rs:142 through function 36, whose text says what
 * the panic is. The blocking vtable's schedule panics for blocking/schedule.rs.
 */
static void put_code(struct builder *b)
{
	uint64_t at;

	memset(b->buf + FIXTURE_TEXT, 0xc3, TEXT_SIZE);
	put_call(b, FIXTURE_FUNCTION(0), FIXTURE_FUNCTION(35));
	at = put_lea(b, FIXTURE_FUNCTION(35), LOCATIONS);
	put_call(b, at, FIXTURE_FUNCTION(36));
	put_lea(b, FIXTURE_FUNCTION(36), text_of("`async fn` resumed"));
	at = put_lea(b, FIXTURE_FUNCTION(7 * FIXTURE_BLOCKING + 1), LOCATIONS + 24);
	put_call(b, at, FIXTURE_FUNCTION(37));
	put_location(b, LOCATIONS, "src/api.rs", 142);
	put_location(b, LOCATIONS + 24, "/registry/tokio-1.47.1/src/runtime/blocking/schedule.rs",
		     9);
}

static void put_unwind(struct builder *b)
{
	struct {
		uint8_t enc[4];
		int32_t eh_frame;
		uint32_t count;
	} h = { { 1, 0x1b, 0x03, 0x3b }, EH_FRAME - EH_HDR - 4, N_FUNCTIONS };

	memcpy(b->buf + EH_HDR, &h, sizeof(h));
	for (int i = 0; i < N_FUNCTIONS; i++) {
		uint64_t at = EH_FRAME + 16 * (uint64_t)i;
		int32_t row[2] = { FIXTURE_FUNCTION(i) - EH_HDR, (int32_t)at - EH_HDR };
		int32_t fde[4] = { 12, 4, FIXTURE_FUNCTION(i) - (int32_t)at - 8,
				   FIXTURE_FUNCTION_SIZE };

		memcpy(b->buf + EH_HDR + sizeof(h) + 8 * (size_t)i, row, sizeof(row));
		memcpy(b->buf + at, fde, sizeof(fde));
	}
}

static void put_symbol(struct builder *b, const char *name, uint8_t type, uint64_t value,
		       uint64_t size)
{
	Elf64_Sym s = { .st_info = ELF64_ST_INFO(STB_LOCAL, type), .st_shndx = 1, .st_size = size };

	s.st_value = type == STT_TLS ? value : value + b->base;
	s.st_name = (Elf64_Word)++b->n_str;
	strcpy((char *)b->buf + STRTAB + b->n_str, name);
	b->n_str += strlen(name);
	memcpy(b->buf + SYMTAB + sizeof(s) * ++b->n_sym, &s, sizeof(s));
}

static void put_symbols(struct builder *b)
{
	static const char *const v0[FIXTURE_VTABLES] = {
		"_RINvNtNtNtCs1_5tokio7runtime4task3raw4poll"
		"NCNvNtCs2_3app3api13handle_upload0uE.llvm.77",
		"_RINvNtNtNtCs1_5tokio7runtime4task3raw4pollNCNCNvCs2_3app4main0s_0uE",
		"_RINvNtNtNtCs1_5tokio7runtime4task3raw4poll"
		"INtNtNtNtCs1_5tokio7runtime8blocking4task12BlockingTaskNCNvCs2_3app4work0EuE",
	};
	char name[128];

	put_symbol(b, "_ZN5tokio7runtime7context7CONTEXT5STATE17h0123456789abcdefE", STT_TLS, 96,
		   1);
	put_symbol(b, "_ZN5tokio7runtime7context7CONTEXT3VAL17h0123456789abcdefE.llvm.12", STT_TLS,
		   16, 80);
	put_symbol(b,
		   b->o->v0 ? "_RNvNtNtCs1_5tokio4task5local7CURRENT"
			    : "_ZN5tokio4task5local7CURRENT3VAL17h0123456789abcdefE",
		   STT_TLS, 104, 24);
	for (int i = 0; i < FIXTURE_VTABLES; i++) {
		snprintf(name, sizeof(name),
			 "_ZN5tokio7runtime4task3raw4poll17h0123456789abcd%02xE",
			 (unsigned int)i & 15);
		put_symbol(b, b->o->v0 ? v0[i] : name, STT_FUNC, FIXTURE_FUNCTION(7 * i), 32);
	}
	put_symbol(b, "_ZN5tokio7runtime7context19set_current_task_id17h0123456789abcdefE",
		   STT_FUNC, FIXTURE_FUNCTION(33), 32);
	put_symbol(b, "_ZN3app20trace_blocking_start17h0123456789abcdefE", STT_FUNC,
		   FIXTURE_FUNCTION(34), 32);
	put_symbol(b, "trace_blocking_start", STT_FUNC, FIXTURE_MARKER_START, 32);
	put_symbol(b, "_ZN3app18trace_blocking_end17h0123456789abcdefE", STT_FUNC,
		   FIXTURE_MARKER_END, 32);
	put_symbol(b, "_ZN3app18trace_blocking_end3now17h0123456789abcdefE", STT_FUNC,
		   FIXTURE_FUNCTION(34), 32);
	put_symbol(b, "set_current_task_id", STT_FUNC, FIXTURE_SET_TASK_ID, 32);
}

static void put_section(struct builder *b, const char *name, uint32_t type, uint64_t flags,
			uint64_t offset, uint64_t size, uint32_t link)
{
	Elf64_Shdr s = { .sh_type = type,
			 .sh_flags = flags,
			 .sh_offset = offset,
			 .sh_size = size,
			 .sh_link = link };

	s.sh_name = (Elf64_Word)b->n_shstr;
	s.sh_addr = flags & SHF_ALLOC ? offset + b->base : 0;
	strcpy((char *)b->buf + SHSTRTAB + b->n_shstr, name);
	b->n_shstr += strlen(name) + 1;
	memcpy(b->buf + SHDRS + sizeof(s) * b->n_shdr++, &s, sizeof(s));
}

static void put_sections(struct builder *b)
{
	static const char comment[] =
		"GCC: (Debian) 12\0rustc version 1.95.0 (59807616e 2026-04-14)";

	memcpy(b->buf + COMMENT, comment, sizeof(comment));
	put_section(b, "", SHT_NULL, 0, 0, 0, 0);
	put_section(b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, FIXTURE_TEXT, TEXT_SIZE,
		    0);
	put_section(b, ".rodata", SHT_PROGBITS, SHF_ALLOC, RODATA, 0x400, 0);
	put_section(b, ".data.rel.ro", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, RELRO, RELRO_SIZE, 0);
	put_section(b, ".comment", SHT_PROGBITS, 0, COMMENT, sizeof(comment), 0);
	put_section(b, ".shstrtab", SHT_STRTAB, 0, SHSTRTAB, 0x200, 0);
	if (b->o->no_symbols)
		return;
	put_symbols(b);
	put_section(b, ".symtab", SHT_SYMTAB, 0, SYMTAB, (b->n_sym + 1) * sizeof(Elf64_Sym), 7);
	put_section(b, ".strtab", SHT_STRTAB, 0, STRTAB, b->n_str + 1, 0);
}

static void put_segment(struct builder *b, size_t i, uint32_t type, uint32_t flags, uint64_t offset,
			uint64_t filesz, uint64_t memsz)
{
	uint64_t addr = offset + b->base;
	Elf64_Phdr p = { type, flags, offset, addr, addr, filesz, memsz, 8 };

	memcpy(b->buf + sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static void put_headers(struct builder *b)
{
	static const uint8_t note[] = "\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\xde\xad\xbe\xef";
	Elf64_Dyn dynamic[] = {
		{ DT_RELA, { RELA } },
		{ DT_RELASZ, { b->n_rela * sizeof(Elf64_Rela) } },
		{ DT_NULL, { 0 } },
	};
	Elf64_Ehdr h = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = b->o->fixed ? ET_EXEC : ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 7,
		.e_ehsize = sizeof(h),
		.e_shentsize = sizeof(Elf64_Shdr),
	};

	if (!b->o->no_sections) {
		h.e_shoff = SHDRS;
		h.e_shnum = (uint16_t)b->n_shdr;
		h.e_shstrndx = 5;
	}
	memcpy(b->buf, &h, sizeof(h));
	memcpy(b->buf + NOTE, note, sizeof(note) - 1);
	if (b->n_rela)
		memcpy(b->buf + DYNAMIC, dynamic, sizeof(dynamic));
	put_segment(b, 0, PT_LOAD, PF_R, 0, 0x2000, 0x2000);
	put_segment(b, 1, PT_LOAD, PF_R | PF_X, FIXTURE_TEXT, TEXT_SIZE, TEXT_SIZE);
	put_segment(b, 2, PT_LOAD, PF_R | PF_W, RELRO, RELRO_SIZE, 0x1000);
	put_segment(b, 3, PT_DYNAMIC, PF_R, DYNAMIC, sizeof(dynamic), sizeof(dynamic));
	put_segment(b, 4, PT_NOTE, PF_R, NOTE, sizeof(note) - 1, sizeof(note) - 1);
	put_segment(b, 5, PT_GNU_EH_FRAME, PF_R, EH_HDR, 12 + 8 * N_FUNCTIONS,
		    12 + 8 * N_FUNCTIONS);
	put_segment(b, 6, b->o->no_tls ? PT_NULL : PT_TLS, PF_R, RELRO, 0, 240);
}

void fixture_build(uint8_t *buf, const struct fixture_options *o)
{
	struct builder b = { .buf = buf, .o = o, .base = o->fixed ? FIXTURE_FIXED_BASE : 0 };

	memset(buf, 0, FIXTURE_SIZE);
	memcpy(buf + RODATA, rodata, sizeof(rodata));
	if (o->old_tokio)
		strcpy((char *)buf + RODATA, rodata_old);
	if (o->no_version)
		memset(buf + RODATA, 0, sizeof(rodata));
	put_code(&b);
	put_vtables(&b);
	put_unwind(&b);
	if (!o->no_sections)
		put_sections(&b);
	put_headers(&b);
}

int fixture_write(const void *bytes, size_t n, char path[32])
{
	int fd, ok;

	strcpy(path, "/tmp/rs-fixture-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	ok = write(fd, bytes, n) == (ssize_t)n;
	close(fd);
	return ok ? 0 : -1;
}
