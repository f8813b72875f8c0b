/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/features.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe/trial.h"
#include "probe/watch.h"

#define CONFIG_REMEDY(option) \
	"This kernel was built without " option "; use a distribution's own kernel."
#define LIMIT_REMEDY \
	"A container, seccomp filter or kernel lockdown forbids it; doc/PRIVILEGES.md says what to allow."

const struct feature_info feature_infos[FEATURE_COUNT] = {
	[FEATURE_BTF] = { "kernel types (BTF)", "fit the probes to this kernel",
			  CONFIG_REMEDY("CONFIG_DEBUG_INFO_BTF"), NEED_ALL, FEATURE_BTF },
	[FEATURE_BPF] = { "bpf() system call", "run anything in the kernel", LIMIT_REMEDY, NEED_ALL,
			  FEATURE_BPF },
	[FEATURE_READ_KERNEL] = { "BPF reads kernel memory", "see which thread runs", LIMIT_REMEDY,
				  NEED_ALL, FEATURE_READ_KERNEL },
	[FEATURE_RINGBUF] = { "BPF ring buffer", "bring events to the tool",
			      "This kernel is too old; use Linux 5.15 or newer.", NEED_ALL,
			      FEATURE_RINGBUF },
	[FEATURE_SCHED_SWITCH] = { "tracepoint sched_switch", "time sleeps and run-queue waits",
				   CONFIG_REMEDY("BPF tracing (CONFIG_BPF_EVENTS)"), NEED_ALL,
				   FEATURE_SCHED_SWITCH },
	[FEATURE_PROGRAMS] = { "the tool's own programs", "watch anything",
			       "That is a fault of runtime-scope with this kernel: please report it with "
			       "what runtime-scope doctor prints.",
			       NEED_ALL, FEATURE_PROGRAMS },
	[FEATURE_CPU_CLOCK] = { "sampling clock on each CPU", "time polls by sampling",
				LIMIT_REMEDY, NEED_ALL, FEATURE_CPU_CLOCK },
	[FEATURE_UPROBE_MULTI] = { "uprobe_multi", "time polls exactly, with few privileges",
				   "Use Linux 6.6 or newer, or grant CAP_SYS_ADMIN for perf uprobes.",
				   NEED_EXACT, FEATURE_PERF_UPROBE },
	[FEATURE_UPROBE_MULTI_PID] = { "uprobe_multi filters by process",
				       "keep probes out of other processes",
				       "Other processes that run the same file hit the probes too; Linux 6.10 "
				       "filters them.",
				       NEED_HELPS, FEATURE_UPROBE_MULTI_PID },
	[FEATURE_UPROBE_SESSION] = { "uprobe sessions",
				     "time polls that come by the thousand at half the price",
				     "Linux 6.13 has them; until then every poll pays for its return, too.",
				     NEED_HELPS, FEATURE_UPROBE_SESSION },
	[FEATURE_PERF_UPROBE] = { "perf uprobes", "time polls exactly on kernels before 6.6",
				  CONFIG_REMEDY("CONFIG_UPROBE_EVENTS"), NEED_EXACT,
				  FEATURE_UPROBE_MULTI },
	[FEATURE_BREAKPOINT] = { "hardware breakpoints", "sharpen the ends of sampled polls",
				 "This machine offers none; sampled times stay within their stated error.",
				 NEED_HELPS, FEATURE_BREAKPOINT },
	[FEATURE_READ_TARGET] = { "reading the target's memory",
				  "learn where Tokio keeps its task ids",
				  "A container or kernel.yama.ptrace_scope forbids it; doc/PRIVILEGES.md says "
				  "what to allow.",
				  NEED_ALL, FEATURE_READ_TARGET },
	[FEATURE_CAP_BPF] = { "CAP_BPF", "use bpf()", "", NEED_HELPS, FEATURE_BPF },
	[FEATURE_CAP_PERFMON] = { "CAP_PERFMON", "trace and sample", "", NEED_HELPS,
				  FEATURE_READ_KERNEL },
	[FEATURE_CAP_SYS_PTRACE] = { "CAP_SYS_PTRACE", "watch programs of other users", "",
				     NEED_HELPS, FEATURE_READ_TARGET },
	[FEATURE_CAP_SYS_ADMIN] = { "CAP_SYS_ADMIN", "use perf uprobes", "", NEED_HELPS,
				    FEATURE_UPROBE_MULTI },
};

static void set_fact(struct features *f, enum feature which, int r)
{
	f->facts[which].state = r < 0 ? FEATURE_MISSING : FEATURE_OK;
	f->facts[which].error = r < 0 ? r : 0;
}

static void try_capabilities(struct features *f)
{
	static const struct {
		enum feature which;
		unsigned int capability;
	} wanted[] = {
		{ FEATURE_CAP_BPF, CAP_BPF },
		{ FEATURE_CAP_PERFMON, CAP_PERFMON },
		{ FEATURE_CAP_SYS_PTRACE, CAP_SYS_PTRACE },
		{ FEATURE_CAP_SYS_ADMIN, CAP_SYS_ADMIN },
	};

	if (capng_get_caps_process() < 0)
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		set_fact(f, wanted[i].which,
			 capng_have_capability(CAPNG_EFFECTIVE, wanted[i].capability) ? 0 : -EPERM);
}

static void read_display_facts(struct features *f)
{
	struct utsname name;
	FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");

	if (!uname(&name))
		snprintf(f->release, sizeof(f->release), "%s", name.release);
	f->paranoid = -2;
	if (!file)
		return;
	if (fscanf(file, "%d", &f->paranoid) != 1)
		f->paranoid = -2;
	fclose(file);
}

void features_try(struct features *ret)
{
	static const struct {
		enum feature which,
			after; /* not tried when `after` is missing: it would say nothing of its own */
		int (*trial)(void);
	} trials[] = {
		{ FEATURE_BTF, FEATURE_BTF, trial_btf },
		{ FEATURE_BPF, FEATURE_BPF, trial_bpf },
		{ FEATURE_READ_KERNEL, FEATURE_BPF, trial_read_kernel },
		{ FEATURE_RINGBUF, FEATURE_BPF, trial_ringbuf },
		{ FEATURE_SCHED_SWITCH, FEATURE_READ_KERNEL, trial_sched_switch },
		{ FEATURE_PROGRAMS, FEATURE_SCHED_SWITCH, watch_try },
		{ FEATURE_CPU_CLOCK, FEATURE_CPU_CLOCK, trial_cpu_clock },
		{ FEATURE_UPROBE_MULTI, FEATURE_READ_KERNEL, trial_uprobe_multi },
		{ FEATURE_UPROBE_MULTI_PID, FEATURE_UPROBE_MULTI, trial_uprobe_multi_pid },
		{ FEATURE_UPROBE_SESSION, FEATURE_UPROBE_MULTI, trial_uprobe_session },
		{ FEATURE_PERF_UPROBE, FEATURE_PERF_UPROBE, trial_perf_uprobe },
		{ FEATURE_BREAKPOINT, FEATURE_BREAKPOINT, trial_breakpoint },
	};
	struct features f = { 0 };

	read_display_facts(&f);
	try_capabilities(&f);
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		if (trials[i].after == trials[i].which || feature_ok(&f, trials[i].after))
			set_fact(&f, trials[i].which, trials[i].trial());
	}
	*ret = f;
}

void features_try_target(struct features *f, pid_t pid)
{
	set_fact(f, FEATURE_READ_TARGET, trial_read_process(pid));
}

bool feature_ok(const struct features *f, enum feature which)
{
	return f->facts[which].state == FEATURE_OK;
}

bool feature_missed(const struct features *f, enum feature which)
{
	enum feature instead = feature_infos[which].instead;

	return f->facts[which].state == FEATURE_MISSING &&
	       (instead == which || f->facts[instead].state == FEATURE_MISSING);
}

static bool is_permission(int error)
{
	return error == -EPERM || error == -EACCES;
}

/* Whether privileges are what is missing: the kernel refused, and the capability it asks for is not held.
 * CAP_SYS_ADMIN stands for both of the newer ones. */
static bool lacks_privileges(const struct features *f, enum feature which)
{
	if (!is_permission(f->facts[which].error))
		return false;
	if (which == FEATURE_READ_TARGET || which == FEATURE_CAP_SYS_PTRACE)
		return !feature_ok(f, FEATURE_CAP_SYS_PTRACE);
	if (which == FEATURE_PERF_UPROBE || which == FEATURE_CAP_SYS_ADMIN)
		return !feature_ok(f, FEATURE_CAP_SYS_ADMIN);
	return !feature_ok(f, FEATURE_CAP_SYS_ADMIN) &&
	       !(feature_ok(f, FEATURE_CAP_BPF) && feature_ok(f, FEATURE_CAP_PERFMON));
}

void feature_remedy(const struct features *f, enum feature which, struct rs_error *ret)
{
	const char *extra = which == FEATURE_PERF_UPROBE || which == FEATURE_CAP_SYS_ADMIN
				    ? ",cap_sys_admin"
				    : "";
	char self[280];
	ssize_t n;

	if (!lacks_privileges(f, which)) {
		snprintf(ret->text, sizeof(ret->text), "%s", feature_infos[which].remedy);
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	/* A path that would not fit is better left out than cut. */
	if (n <= 0 || n == sizeof(self) - 1)
		n = snprintf(self, sizeof(self), "\"$(command -v runtime-scope)\"");
	self[n] = '\0';
	snprintf(ret->text, sizeof(ret->text),
		 "Run as root, or once: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace%s+ep %s",
		 extra, self);
}

/* The first missed fact in the order of the table: the later ones mostly follow from it. */
static bool find_missed(const struct features *f, enum feature_need need, enum feature *ret)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (feature_infos[i].need <= need && feature_missed(f, i)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int features_require(const struct features *f, enum feature_need need, struct rs_error *err)
{
	struct rs_error remedy;
	enum feature which;
	int error;

	if (!find_missed(f, need, &which))
		return 0;
	error = f->facts[which].error;
	feature_remedy(f, which, &remedy);
	if (lacks_privileges(f, which))
		snprintf(err->text, sizeof(err->text), "Not allowed: %s. It needs %s. %.400s",
			 feature_infos[which].name,
			 which == FEATURE_READ_TARGET	? "CAP_SYS_PTRACE"
			 : which == FEATURE_PERF_UPROBE ? "CAP_SYS_ADMIN"
							: "CAP_BPF and CAP_PERFMON",
			 remedy.text);
	else
		snprintf(err->text, sizeof(err->text),
			 "The kernel %s: %s (%s). It is needed to %s. %.300s",
			 is_permission(error) ? "refuses" : "lacks", feature_infos[which].name,
			 strerror(-error), feature_infos[which].purpose, remedy.text);
	return is_permission(error) ? -EPERM : -EOPNOTSUPP;
}
