/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The words of the model, the same in every format (doc/JSON.md). */
#include "model/block.h"

#include "bpf/wire_unwind.h"

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

const char *stack_end_name(uint8_t end)
{
	static const char *const names[] = {
		[RS_UNWIND_COMPLETE] = "start",
		[RS_UNWIND_DEEP] = "depth",
		[RS_UNWIND_NO_MAPPING] = "no_module",
		[RS_UNWIND_NO_TABLE] = "no_table",
		[RS_UNWIND_RULE] = "rule",
		[RS_UNWIND_BP] = "register",
		[RS_UNWIND_MEMORY] = "memory",
		[RS_UNWIND_LOOP] = "loop",
		[RS_UNWIND_GUESSED] = "frame_pointers",
	};

	return NAME_OF(names, end);
}

const char *stack_end_text(uint8_t end)
{
	static const char *const texts[] = {
		[RS_UNWIND_COMPLETE] = "it is the thread's start",
		[RS_UNWIND_DEEP] = "it is too deep",
		[RS_UNWIND_NO_MAPPING] = "code of no known file",
		[RS_UNWIND_NO_TABLE] = "code without .eh_frame",
		[RS_UNWIND_RULE] = "an unusual rule of .eh_frame",
		[RS_UNWIND_BP] = "rbp was lost on the way",
		[RS_UNWIND_MEMORY] = "it could not be read",
		[RS_UNWIND_LOOP] = "it is damaged",
		[RS_UNWIND_GUESSED] = "it is the thread's start",
	};
	const char *text = NAME_OF(texts, end);

	return text ? text : "for an unknown reason";
}
