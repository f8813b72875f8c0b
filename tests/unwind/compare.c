/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel side's unwinder and libdw's, over the same registers and copied stacks of a running process.
 *
 *   compare_unwinders PID SECONDS [MAX]   samples it and prints one line of JSON
 *   compare_unwinders --stopped PID       reads "TID RIP RSP RBP FRAME..." (hexadecimal) for each thread of a process that
 *                                         stands still, as a debugger says it, and compares with that
 *
 * Examples of each kind of difference go to standard error.
 */
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "samples.h"
#include "target/target.h"

static const struct sample *current; /* what is being unwound; NULL: memory of the process itself */
static pid_t process_id;

static int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret)
{
	uint64_t sp;

	if (!current)
		return process_read(process_id, addr, ret, sizeof(*ret));
	sp = current->registers[SAMPLE_SP];
	if (addr < sp || addr - sp > current->size || current->size - (addr - sp) < sizeof(*ret))
		return -1;
	memcpy(ret, current->stack + (addr - sp), sizeof(*ret));
	return 0;
}

/* Nothing is probed here. */
static __u64 unwind_original(__u64 *returns, __u64 ip)
{
	return ip;
}

struct trace {
	uint64_t ips[RS_FRAMES];
	size_t n;
	const char *end;
};

enum verdict { SAME, SHORTER, LONGER, OTHER, VERDICTS };
static const char *const verdict_names[] = { "same", "shorter", "longer", "other" };
static const char *const end_names[] = { "complete", "deep", "no_mapping", "no_table",
					 "rule",     "bp",   "memory",	   "loop",
					 "guessed" };

struct figures {
	size_t stacks[VERDICTS][sizeof(end_names) / sizeof(*end_names)]; /* by our end */
	size_t frames, frames_same;
};

static enum verdict judge(const struct trace *ours, const struct trace *theirs, size_t *ret_same)
{
	size_t i = 0;

	while (i < ours->n && i < theirs->n && ours->ips[i] == theirs->ips[i])
		i++;
	*ret_same = i;
	if (i < ours->n && i < theirs->n)
		return OTHER;
	return ours->n == theirs->n ? SAME : ours->n < theirs->n ? SHORTER : LONGER;
}

static void print_trace(const char *name, const struct trace *t, Dwfl *dwfl)
{
	fprintf(stderr, "  %s:%s%s\n", name, t->end ? " " : "", t->end ? t->end : "");
	for (size_t i = 0; i < t->n; i++) {
		Dwfl_Module *m = dwfl ? dwfl_addrmodule(dwfl, t->ips[i] - !!i) : NULL;
		Dwarf_Addr start = 0;
		const char *module =
			m ? dwfl_module_info(m, NULL, &start, NULL, NULL, NULL, NULL, NULL) : "?";
		const char *symbol = m ? dwfl_module_addrname(m, t->ips[i] - !!i) : NULL;

		fprintf(stderr, "    %2zu %#" PRIx64 " %s+%#" PRIx64 " %s\n", i, t->ips[i], module,
			t->ips[i] - start, symbol ? symbol : "");
	}
}

#define EXAMPLES 2

static void count(struct figures *f, const struct rs_unwind *u, const struct trace *theirs, Dwfl *dwfl)
{
	struct trace ours = { .n = u->n, .end = end_names[u->end] };
	enum verdict v;
	size_t same;

	memcpy(ours.ips, u->ips, sizeof(ours.ips));
	v = judge(&ours, theirs, &same);
	f->frames += theirs->n > ours.n ? theirs->n : ours.n;
	f->frames_same += same;
	if (f->stacks[v][u->end]++ < EXAMPLES && v != SAME) {
		fprintf(stderr, "%s, %s:\n", verdict_names[v], ours.end);
		print_trace("ours", &ours, dwfl);
		print_trace("theirs", theirs, dwfl);
	}
}

/* libdw's callbacks. */
static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	return 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread)
{
	*thread = NULL;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *ret, void *arg)
{
	__u64 word;

	if (unwind_read((struct rs_memory){}, addr, &word))
		return false;
	*ret = word;
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	return dwfl_thread_state_registers(thread, 0, SAMPLE_REGISTERS, current->registers);
}

static int note_frame(Dwfl_Frame *frame, void *arg)
{
	struct trace *t = arg;
	Dwarf_Addr pc;

	if (t->n == RS_FRAMES || !dwfl_frame_pc(frame, &pc, NULL))
		return DWARF_CB_ABORT;
	t->ips[t->n++] = pc;
	return DWARF_CB_OK;
}

static Dwfl *open_theirs(void)
{
	static char *debuginfo_path = (char *)"";
	static const Dwfl_Callbacks files = { .find_elf = dwfl_linux_proc_find_elf,
					      .find_debuginfo = dwfl_standard_find_debuginfo,
					      .debuginfo_path = &debuginfo_path };
	static const Dwfl_Thread_Callbacks threads = { .next_thread = next_thread,
						       .get_thread = get_thread,
						       .memory_read = read_memory,
						       .set_initial_registers = set_registers };
	Dwfl *dwfl = dwfl_begin(&files);

	if (dwfl && !dwfl_linux_proc_report(dwfl, process_id) &&
	    !dwfl_report_end(dwfl, NULL, NULL) &&
	    dwfl_attach_state(dwfl, NULL, process_id, &threads, NULL))
		return dwfl;
	fprintf(stderr, "libdwfl: %s\n", dwfl_errmsg(-1));
	dwfl_end(dwfl);
	return NULL;
}

static int print(const struct figures *f, size_t lost)
{
	const char *comma = "";

	printf("{\"frames\":%zu,\"frames_same\":%zu,\"lost\":%zu,\"stacks\":{", f->frames,
	       f->frames_same, lost);
	for (size_t v = 0; v < VERDICTS; v++) {
		for (size_t end = 0; end < sizeof(end_names) / sizeof(*end_names); end++) {
			if (!f->stacks[v][end])
				continue;
			printf("%s\"%s %s\":%zu", comma, verdict_names[v], end_names[end],
			       f->stacks[v][end]);
			comma = ",";
		}
	}
	puts("}}");
	return 0;
}

static int compare_samples(double seconds, size_t max)
{
	struct figures f = {};
	struct samples samples;
	Dwfl *dwfl;

	/* Tables afterwards: what was loaded meanwhile is in them. */
	if (samples_take(process_id, seconds, max, &samples) || host_open(process_id) ||
	    !(dwfl = open_theirs()))
		return 1;
	for (size_t i = 0; i < samples.n; i++) {
		struct trace theirs = {};
		struct rs_unwind ours;

		current = &samples.at[i];
		host_unwind(current->registers[SAMPLE_IP], current->registers[SAMPLE_SP],
			    current->registers[SAMPLE_BP], &ours);
		if (dwfl_getthread_frames(dwfl, (pid_t)current->tid, note_frame, &theirs) < 0)
			theirs.end = dwfl_errmsg(-1);
		count(&f, &ours, &theirs, dwfl);
	}
	print(&f, samples.n_lost);
	dwfl_end(dwfl);
	samples_clear(&samples);
	host_close();
	return 0;
}

/* One thread's line. False at the end of the input. */
static bool read_stopped(struct trace *theirs, uint64_t registers[3])
{
	char line[16384], *at = line, *end;
	uint64_t words[4 + RS_FRAMES];
	size_t n = 0;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	while (n < sizeof(words) / sizeof(*words)) {
		words[n] = strtoull(at, &end, 16);
		if (end == at)
			break;
		at = end;
		n++;
	}
	memcpy(registers, &words[1], 3 * sizeof(*registers));
	theirs->n = n > 4 ? n - 4 : 0;
	memcpy(theirs->ips, &words[4], theirs->n * sizeof(*words));
	return true;
}

static int compare_stopped(void)
{
	struct figures f = {};
	struct trace theirs = {};
	uint64_t registers[3];

	if (host_open(process_id))
		return 1;
	while (read_stopped(&theirs, registers)) {
		struct rs_unwind ours;

		host_unwind(registers[0], registers[1], registers[2], &ours);
		count(&f, &ours, &theirs, NULL);
	}
	host_close();
	return print(&f, 0);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--stopped")) {
		process_id = atoi(argv[2]);
		return compare_stopped();
	}
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: %s PID SECONDS [MAX] | --stopped PID\n", argv[0]);
		return 2;
	}
	process_id = atoi(argv[1]);
	return compare_samples(atof(argv[2]), argc == 4 ? (size_t)atol(argv[3]) : 4000);
}
