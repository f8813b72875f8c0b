/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is known about a target process before anything is measured: its modules and the Tokio
 * copies in them. */
#ifndef RS_TARGET_TARGET_H
#define RS_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Text that says what went wrong: what failed, why, what to do. Filled by every function that takes
 * one. */
struct rs_error {
	char text[512];
};

enum symbol_kind { SYMBOLS_NONE, SYMBOLS_LEGACY, SYMBOLS_V0 };
enum debuginfo_kind { DEBUGINFO_NONE, DEBUGINFO_LINES, DEBUGINFO_LIMITED, DEBUGINFO_FULL };

struct mapping {
	uint64_t start, end, file_off;
	char perms[5];
};

/* One ELF file mapped into the target. Owned by its process. */
struct module {
	char *path; /* as /proc/PID/maps names it; hostile text, for display only */
	char *open_path; /* how this tool opens it: map_files, /proc/PID/exe or through
			    /proc/PID/root; NULL when it cannot be opened */
	char *probe_path; /* the mapped file itself, for uprobes; differs from open_path only with
			     --target */
	uint64_t start, end;
	uint64_t bias; /* runtime address = ELF virtual address + bias */
	uint64_t dev, inode;
	bool is_exe;
	bool replaced; /* the file on disk is not the mapped one any more ("(deleted)" in maps) */
	char build_id[41];
	struct mapping *maps;
	size_t n_maps;
};

struct process {
	pid_t pid; /* as this tool's pid namespace numbers it */
	uint64_t start_time; /* field 22 of /proc/PID/stat: tells a recycled pid from the same
				process */
	char comm[16];
	char *exe; /* readlink of /proc/PID/exe; hostile text */
	uint64_t vdso; /* where the kernel's own code is mapped; 0 = nowhere */
	struct module *modules;
	size_t n_modules;
};

/* One task vtable of Tokio >= 1.23 (tokio-internals.md A): one per future type and scheduler.
 * Runtime addresses. */
struct task_vtable {
	uint64_t addr;
	uint64_t poll, schedule, dealloc, drop_join_handle, shutdown;
	uint32_t trailer_off, scheduler_off, id_off;
	uint32_t spawn_off; /* of a pointer to where the task was spawned; 0 = not kept */
	uint64_t poll_file_off; /* offset of `poll` in the module's file, for a uprobe */
	uint64_t shutdown_file_off;
	char *name; /* best name of the future: short and readable, never NULL; poll@module+0x… at
		       worst */
	char *symbol; /* demangled symbol at `poll`, whole, or NULL */
	const char *name_source; /* "v0", "symbol", "address" (see interface.md task.name_source) */
	bool blocking; /* known to be a blocking-pool task: by symbol, or by the code of its
			  schedule function */
};

/* One copy of Tokio in the process: the executable's or a shared object's. */
struct tokio_copy {
	const struct module *module;
	char version[16]; /* "1.47.1", or "" when no version string is in the file */
	char rustc[32]; /* "1.95.0", or "" */
	enum symbol_kind symbols;
	enum debuginfo_kind debuginfo;
	struct task_vtable *vtables;
	size_t n_vtables;
	uint64_t tls_memsz, tls_align; /* PT_TLS of the module; 0 when it has none */
	int64_t context_sym; /* st_value of the CONTEXT TLS symbol, or -1 */
	uint64_t context_sym_size;
	int64_t local_sym; /* likewise of task::local::CURRENT, or -1 */
	uint64_t marker_start, marker_end, set_task_id; /* file offsets of trace_blocking_start/_end
							   and set_current_task_id, 0 = not there */
	struct module *own_module; /* of tokio_find_in_file: freed with the copy; else NULL */
};

/* Reads /proc/PID. -ESRCH no such process, -EACCES, -ENOMEM. `binary` (may be NULL) overrides where
 * the executable's symbols are read from (--target). */
int process_open(pid_t pid, const char *binary, struct process **ret, struct rs_error *err);
/* Whether it is still the program it was when it was opened: else what has been read since is of two. 0, -EAGAIN, -ENOMEM. */
int process_check_program(const struct process *p, struct rs_error *err);
/* Reads maps again; modules that were known keep their place at the front, new ones are appended
 * (at most 4096 in all); pointers to modules stay valid until process_free. Returns the number of
 * new ones, or negative errno (-ESRCH when the process is gone). */
int process_refresh(struct process *p);
struct process *process_free(struct process *p);

/* Every copy of Tokio in the modules from `first_module` on. Returns the count (0: none) or
 * negative errno; the array is the caller's, free with tokio_copies_free. A malformed module is
 * skipped with a sentence in err. */
int tokio_find(const struct process *p, size_t first_module, struct tokio_copy **ret,
	       struct rs_error *err);
void tokio_copies_free(struct tokio_copy *c, size_t n);
/* Tasks of Tokio before 1.23 are not known well enough to be watched: they would get each other's ids. */
bool tokio_is_too_old(const struct tokio_copy *c);
/* Frees what one copy owns, not the copy itself. */
void tokio_copy_done(struct tokio_copy *c);
/* The same for a file alone, not running (doctor BINARY): addresses are ELF virtual addresses. */
int tokio_find_in_file(const char *path, struct tokio_copy **ret, struct rs_error *err);
/* Reads the target's memory (process_vm_readv). Returns 0 only if all of it was read, else negative
 * errno. */
int process_read(pid_t pid, uint64_t addr, void *buf, size_t len);

struct process_candidate {
	pid_t pid;
	char comm[16];
	char exe[256];
};
/* Processes whose comm or executable's base name equals `name`; the tool itself and kernel threads
 * excluded. Returns the count of all (may exceed max), or negative errno. */
int process_find_by_name(const char *name, struct process_candidate *ret, size_t max);

#endif
