/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <capstone/capstone.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "target/maps.h"
#include "target/proc.h"
#include "target/target.h"

#define PAGE 4096
#define PAGEMAP_PRESENT (1ULL << 63)
#define LINE_SIZE 32768 /* a path in which every byte is an escaped newline still fits */

static void cs_closep(csh *h)
{
	if (*h)
		cs_close(h);
}

static void cs_insnp(cs_insn **i)
{
	if (*i)
		cs_free(*i, 1);
}

/* False for registers that are no 64-bit ones. */
static bool read_register(const struct fault_registers *r, x86_reg reg, uint64_t next,
			  uint64_t *ret)
{
	static const x86_reg numbered[FAULT_REGISTERS] = {
		X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
		X86_REG_RSI, X86_REG_RDI, X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
		X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15,
	};

	*ret = reg == X86_REG_RIP ? next : 0;
	for (size_t i = 0; i < FAULT_REGISTERS; i++) {
		if (reg != numbered[i])
			continue;
		*ret = r->general[i];
		return true;
	}
	return reg == X86_REG_INVALID || reg == X86_REG_RIP;
}

static bool operand_address(const struct fault_registers *r, const cs_insn *insn,
			    const x86_op_mem *m, uint64_t *ret)
{
	uint64_t base, index, segment = 0;

	if (m->segment == X86_REG_FS)
		segment = r->fs_base;
	else if (m->segment == X86_REG_GS)
		return false;
	if (!read_register(r, m->base, r->ip + insn->size, &base) ||
	    !read_register(r, m->index, 0, &index))
		return false;
	*ret = segment + base + index * (uint64_t)m->scale + (uint64_t)m->disp;
	return true;
}

int fault_addresses(const struct fault_registers *r, const uint8_t code[FAULT_CODE], size_t n,
		    uint64_t ret[FAULT_OPERANDS])
{
	_cleanup_(cs_closep) csh handle = 0;
	_cleanup_(cs_insnp) cs_insn *insn = NULL;
	int found = 0;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	if (cs_disasm(handle, code, n, r->ip, 1, &insn) != 1 || insn->id == X86_INS_LEA ||
	    insn->id == X86_INS_NOP)
		return -ENODATA;
	for (uint8_t i = 0; i < insn->detail->x86.op_count; i++) {
		const cs_x86_op *op = &insn->detail->x86.operands[i];

		if (op->type != X86_OP_MEM)
			continue;
		if (found == FAULT_OPERANDS || !operand_address(r, insn, &op->mem, &ret[found]))
			return -ENODATA;
		found++;
	}
	/* push, call and ret use the stack, too */
	return found && !cs_reg_read(handle, insn, X86_REG_RSP) &&
			       !cs_reg_write(handle, insn, X86_REG_RSP)
		       ? found
		       : -ENODATA;
}

/* Reading a page that is not there would wait for it as the thread does. */
static bool is_present(pid_t pid, uint64_t addr)
{
	_cleanup_close_
	int fd = proc_open_file(pid, "pagemap");
	uint64_t entry;

	return fd >= 0 &&
	       pread(fd, &entry, sizeof(entry), addr / PAGE * sizeof(entry)) == sizeof(entry) &&
	       entry & PAGEMAP_PRESENT;
}

/* What maps says behind the numbers, made readable; "" where nothing is mapped. */
static int name_of_mapping(pid_t pid, uint64_t addr, char ret[PATH_MAX])
{
	_cleanup_close_
	int fd = proc_open_file(pid, "maps");
	_cleanup_fclose_
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	static char line[LINE_SIZE];

	if (!f)
		return -ESRCH;
	fd = -1;
	while (fgets(line, sizeof(line), f)) {
		uint64_t start, end;
		int n = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %*x:%*x %*u %n", &start, &end,
			   &n) < 2 ||
		    !n || addr < start || addr >= end)
			continue;
		line[strcspn(line, "\n")] = 0;
		maps_unescape(line + n);
		if (!strcmp(line + n, "[heap]") || !strcmp(line + n, "[stack]"))
			snprintf(ret, PATH_MAX, "%.*s", (int)strlen(line + n) - 2, line + n + 1);
		else
			snprintf(ret, PATH_MAX, "%s", line[n] ? line + n : "anonymous memory");
		return 0;
	}
	return -ENODATA;
}

int fault_mapping(pid_t pid, const struct fault_registers *r, char *ret, size_t size)
{
	uint64_t last = r->ip + FAULT_CODE - 1, addrs[FAULT_OPERANDS] = { r->ip };
	char names[FAULT_OPERANDS][PATH_MAX];
	uint8_t code[FAULT_CODE];
	int n = 1;

	/* Where the instruction itself is not there, it is what is waited for. */
	if (is_present(pid, r->ip)) {
		size_t len = is_present(pid, last) ? FAULT_CODE : PAGE - r->ip % PAGE;

		if (process_read(pid, r->ip, code, len) < 0)
			return -ENODATA;
		n = fault_addresses(r, code, len, addrs);
	}
	for (int i = 0; i < n; i++)
		if (name_of_mapping(pid, addrs[i], names[i]) < 0)
			return -ENODATA;
	if (n < 1 || (n > 1 && strcmp(names[0], names[1])))
		return -ENODATA;
	utf8_shorten(ret, size, names[0]);
	return 0;
}
