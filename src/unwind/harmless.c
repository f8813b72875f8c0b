/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/harmless.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

#include "target/elf_section.h"

#define REGISTERS 128 /* of x86-64; the ABI numbers 67 */
#define REMEMBERED 64 /* at once */
#define EXPRESSIONS (1u << 20) /* bytes, of a file */

struct frames {
	const unsigned char *ident;
	Elf_Data *data;
	uint64_t addr;
	bool is_eh;
	uint64_t expressions; /* bytes met so far */
	Dwarf_Off cie_offset; /* of the last that was looked at */
	Dwarf_CIE cie;
	size_t pointer; /* bytes of an address in its FDEs */
	bool has_cie;
};

/* Instructions being passed over. */
struct cursor {
	const uint8_t *p, *end;
	bool is_bad;
};

static void pass(struct cursor *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->p)) {
		c->p = c->end; /* libdw stops there, too */
		return;
	}
	c->p += n;
}

static uint64_t take_leb(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		else if (byte & 0x7f)
			c->is_bad = true; /* whatever libdw makes of it */
		if (!(byte & 0x80))
			break;
	}
	return value;
}

static void take_register(struct cursor *c)
{
	c->is_bad |= take_leb(c) >= REGISTERS;
}

static void take_expression(struct cursor *c, struct frames *f)
{
	uint64_t n = take_leb(c);

	f->expressions += n < (uint64_t)(c->end - c->p) ? n : 0;
	c->is_bad |= f->expressions > EXPRESSIONS;
	pass(c, n);
}

static void take_operands(struct cursor *c, struct frames *f, uint8_t code)
{
	switch (code) {
	case DW_CFA_advance_loc1:
		pass(c, 1);
		break;
	case DW_CFA_advance_loc2:
		pass(c, 2);
		break;
	case DW_CFA_advance_loc4:
		pass(c, 4);
		break;
	case DW_CFA_MIPS_advance_loc8:
		pass(c, 8);
		break;
	case DW_CFA_register:
		take_register(c);
		take_register(c);
		break;
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_def_cfa_register:
		take_register(c);
		break;
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		take_register(c);
		take_leb(c);
		break;
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_GNU_args_size:
		take_leb(c);
		break;
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		take_register(c);
		take_expression(c, f);
		break;
	case DW_CFA_def_cfa_expression:
		take_expression(c, f);
		break;
	case DW_CFA_nop:
	case DW_CFA_GNU_window_save:
		break;
	default: /* DW_CFA_set_loc among them, which compilers for x86-64 do not write */
		c->is_bad = true;
	}
}

static bool are_instructions_harmless(struct frames *f, const uint8_t *from, const uint8_t *to)
{
	struct cursor c = { from, to, false };
	int remembered = 0;

	while (c.p < c.end && !c.is_bad && remembered <= REMEMBERED) {
		uint8_t code = *c.p++;

		if (code >> 6 == DW_CFA_offset >> 6)
			take_leb(&c);
		else if (code == DW_CFA_remember_state)
			remembered++;
		else if (code == DW_CFA_restore_state)
			remembered--;
		else if (!(code >> 6))
			take_operands(&c, f, code);
	}
	return !c.is_bad && remembered <= REMEMBERED;
}

/* 0: not of a fixed size. */
static size_t pointer_size(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

/* How addresses in the FDEs of a CIE are written: "zPLR" in its order; 0 when that is not understood. */
static size_t fde_pointer_size(const Dwarf_CIE *cie)
{
	struct cursor c = { cie->augmentation_data, cie->augmentation_data, false };
	size_t size = 8;

	if (!cie->augmentation[0])
		return size;
	if (cie->augmentation[0] != 'z')
		return 0;
	c.end += cie->augmentation_data ? cie->augmentation_data_size : 0;
	for (const char *a = cie->augmentation + 1; *a; a++) {
		uint8_t encoding = c.p < c.end ? *c.p : 0;

		if (*a == 'S' || *a == 'B')
			continue;
		if (!strchr("LPR", *a) || c.p == c.end)
			return 0;
		pass(&c, 1);
		if (*a == 'R')
			size = pointer_size(encoding);
		else if (*a == 'P')
			pass(&c, pointer_size(encoding));
	}
	return size;
}

static bool is_cie_harmless(struct frames *f, Dwarf_Off offset)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (f->has_cie && f->cie_offset == offset)
		return true;
	/* What cannot be read is not executed either. */
	if (dwarf_next_cfi(f->ident, f->data, f->is_eh, offset, &next, &entry) ||
	    !dwarf_cfi_cie_p(&entry))
		return true;
	f->cie = entry.cie;
	f->cie_offset = offset;
	f->has_cie = true;
	f->pointer = fde_pointer_size(&f->cie);
	return f->pointer && are_instructions_harmless(f, f->cie.initial_instructions,
						       f->cie.initial_instructions_end);
}

static bool is_fde_harmless(struct frames *f, const Dwarf_FDE *fde)
{
	struct cursor c = { fde->start, fde->end, false };

	if (!is_cie_harmless(f, fde->CIE_pointer))
		return false;
	if (!f->has_cie || f->cie_offset != fde->CIE_pointer)
		return true;
	pass(&c, 2 * f->pointer);
	if (f->cie.augmentation[0] == 'z')
		pass(&c, take_leb(&c));
	return are_instructions_harmless(f, c.p, c.end);
}

static bool is_entry_harmless(struct frames *f, Dwarf_Off offset, Dwarf_Off *ret_next)
{
	Dwarf_CFI_Entry entry;

	*ret_next = (Dwarf_Off)-1;
	if (dwarf_next_cfi(f->ident, f->data, f->is_eh, offset, ret_next, &entry))
		return true;
	return dwarf_cfi_cie_p(&entry) || is_fde_harmless(f, &entry.fde);
}

/* In their order, and those that the table of functions points to: it may point anywhere. */
static bool are_entries_harmless(struct frames *f, const struct unwind_index *functions)
{
	Dwarf_Off at = 0, next;

	while (at != (Dwarf_Off)-1) {
		if (!is_entry_harmless(f, at, &next))
			return false;
		at = next > at ? next : (Dwarf_Off)-1;
	}
	for (size_t i = 0; f->is_eh && i < functions->n; i++) {
		at = functions->base + (uint64_t)(int64_t)functions->rows[i].fde - f->addr;
		if (at < f->data->d_size && !is_entry_harmless(f, at, &next))
			return false;
	}
	return true;
}

/* Without section headers: from where .eh_frame_hdr points to, to the end of that segment. */
static bool find_by_segment(Elf *elf, struct frames *f)
{
	GElf_Phdr p = { .p_type = PT_NULL };
	uint8_t encoding[4];
	Elf_Data *head = NULL;
	int32_t pointer;
	size_t n = 0;

	if (elf_getphdrnum(elf, &n))
		return true;
	for (size_t i = 0; i < n && p.p_type != PT_GNU_EH_FRAME; i++) {
		if (!gelf_getphdr(elf, (int)i, &p))
			return true;
	}
	if (p.p_type == PT_GNU_EH_FRAME)
		head = elf_getdata_rawchunk(elf, (int64_t)p.p_offset, 8, ELF_T_BYTE);
	if (!head)
		return true;
	memcpy(encoding, head->d_buf, sizeof(encoding));
	memcpy(&pointer, (const char *)head->d_buf + 4, sizeof(pointer));
	if (encoding[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
		return false;
	f->addr = p.p_vaddr + 4 + (uint64_t)(int64_t)pointer;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || f->addr < p.p_vaddr ||
		    f->addr - p.p_vaddr >= p.p_filesz)
			continue;
		f->data = elf_getdata_rawchunk(elf, (int64_t)(p.p_offset + f->addr - p.p_vaddr),
					       p.p_filesz - (f->addr - p.p_vaddr), ELF_T_BYTE);
		break;
	}
	return true;
}

static bool find_section(Elf *elf, const char *name, struct frames *f)
{
	GElf_Shdr h;
	Elf_Scn *scn = elf_section_named(elf, name, &h);

	if (!scn)
		return false;
	f->data = elf_rawdata(scn, NULL);
	f->addr = h.sh_addr;
	return true;
}

bool frames_are_harmless(Elf *elf, const struct unwind_index *functions)
{
	const unsigned char *ident = (const unsigned char *)elf_getident(elf, NULL);
	struct frames eh = { .ident = ident, .is_eh = true }, debug = { .ident = ident };

	if (!find_section(elf, ".eh_frame", &eh) && !find_by_segment(elf, &eh))
		return false;
	if (eh.ident && eh.data && eh.data->d_buf && !are_entries_harmless(&eh, functions))
		return false;
	return !find_section(elf, ".debug_frame", &debug) || !debug.ident || !debug.data ||
	       !debug.data->d_buf || are_entries_harmless(&debug, functions);
}
