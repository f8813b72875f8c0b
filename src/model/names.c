/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The words of the model, the same in every format (doc/JSON.md). */
#include "model/block.h"

#define NAME_OF(table, i) ((size_t)(i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : NULL)

const char *role_name(enum role r)
{
	static const char *const names[] = {
		[ROLE_UNKNOWN] = NULL,
		[ROLE_WORKER] = "worker",
		[ROLE_CURRENT_THREAD] = "current_thread",
		[ROLE_LOCAL_SET] = "local_set",
		[ROLE_BLOCK_ON] = "block_on",
	};

	return NAME_OF(names, r);
}

const char *cause_name(enum cause c)
{
	static const char *const names[CAUSE_MAX] = {
		[CAUSE_CPU] = "cpu",	     [CAUSE_SLEEP] = "sleep",
		[CAUSE_LOCK] = "lock",	     [CAUSE_FILE] = "file",
		[CAUSE_SOCKET] = "socket",   [CAUSE_PIPE] = "pipe",
		[CAUSE_PROCESS] = "process", [CAUSE_PAGE_FAULT] = "page_fault",
		[CAUSE_STARVED] = "starved", [CAUSE_THROTTLED] = "throttled",
		[CAUSE_OTHER] = "other",
	};
	const char *name = NAME_OF(names, c);

	return name ? name : "other";
}

const char *severity_name(enum severity s)
{
	static const char *const names[] = {
		[SEVERITY_NONE] = NULL,
		[SEVERITY_SLOW] = "SLOW",
		[SEVERITY_CRITICAL] = "CRITICAL",
	};

	return NAME_OF(names, s);
}

const char *phase_name(enum phase p)
{
	return p == PHASE_DROP ? "drop" : "poll";
}

const char *detection_name(enum detection d)
{
	static const char *const names[] = {
		[DETECTION_EXACT] = "exact",
		[DETECTION_SAMPLED] = "sampled",
		[DETECTION_MARKER] = "marker",
		[DETECTION_BOTH] = "both",
	};

	return NAME_OF(names, d);
}

const char *frame_kind_name(enum frame_kind k)
{
	static const char *const names[] = {
		[FRAME_UNKNOWN] = NULL,	     [FRAME_USER] = "user", [FRAME_DEP] = "dep",
		[FRAME_RUNTIME] = "runtime", [FRAME_STD] = "std",   [FRAME_LIBC] = "libc",
		[FRAME_KERNEL] = "kernel",
	};

	return NAME_OF(names, k);
}
