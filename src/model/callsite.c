/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/callsite.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/path.h"

#define WORD_SIZE 48

static bool has_name_of_root(const struct frame *f)
{
	/* Of Tokio 1.23 to 1.54: polling, then dropping. */
	static const char *const roots[] = {
		"tokio::runtime::task::core::Core::poll",
		"tokio::runtime::task::harness::poll_future",
		"tokio::runtime::task::harness::Harness::poll",
		"tokio::runtime::task::raw::poll",
		"tokio::runtime::task::core::Core::drop_future_or_output",
		"tokio::runtime::task::harness::cancel_task",
		"tokio::runtime::task::harness::Harness::shutdown",
		"tokio::runtime::task::raw::shutdown",
		"tokio::runtime::task::raw::dealloc",
	};
	char path[PATH_TEXT_SIZE];

	if (!f->function || !strstr(f->function, "tokio::runtime::task::"))
		return false;
	path_of_name(f->function, path);
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		if (!strncmp(path, roots[i], strlen(roots[i])))
			return true;
	}
	return false;
}

/* The task's poll function is known by its address, in most programs; else by its name. */
bool callsite_is_root(const struct block_stack *s, size_t at)
{
	return s->n_to_root ? at + 1 == s->n_to_root : has_name_of_root(&s->frames[at]);
}

int callsite_culprit(const struct block_stack *s, bool is_task)
{
	int of_dependency = -1;

	for (size_t i = 0; i < s->n; i++) {
		if (is_task && callsite_is_root(s, i))
			break;
		if (s->frames[i].kind == FRAME_USER)
			return (int)i;
		if (s->frames[i].kind == FRAME_DEP && of_dependency < 0)
			of_dependency = (int)i;
	}
	return of_dependency;
}

/* FNV-1a, of names that are too long to be told apart by what is shown of them. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = UINT32_C(0x811c9dc5);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT32_C(0x01000193);
	return hash;
}

/* Debuginfo of lines alone names inlined functions without their path: "drop". */
static bool has_path(const struct frame *f)
{
	return f->function && strstr(f->function, "::");
}

/*
 * A tick hits a running thread anywhere in a loop: which of the functions inlined there it hits is chance, and so is what
 * they call. The function they are all part of is not.
 */
static bool is_part_of_next(const struct frame *f)
{
	char path[PATH_TEXT_SIZE];

	if (!f->is_inlined)
		return false;
	path_of_name(f->function, path);
	return !path_is_closure(path);
}

/* The frame that the site is named by; -1: none. */
static int find_frame(const struct block *b)
{
	const struct block_stack *s = &b->stacks[0];
	int best = -1;

	if (!b->n_stacks || b->culprit < 0)
		return -1;
	for (size_t i = b->culprit; i < s->n; i++) {
		const struct frame *f = &s->frames[i];

		if (b->task_id && callsite_is_root(s, i))
			break;
		if (f->kind != s->frames[b->culprit].kind || !has_path(f))
			continue;
		best = (int)i;
		if (s->is_asleep || !is_part_of_next(f))
			break;
	}
	return best;
}

const struct frame *callsite_frame(const struct block *b)
{
	bool is_there = b->n_stacks && b->site_frame >= 0 && (size_t)b->site_frame < b->stacks[0].n;

	return is_there ? &b->stacks[0].frames[b->site_frame] : NULL;
}

/* What the C library calls the things that std has other words for, and words for one thing. */
static const struct {
	const char *name, *word;
} words[] = {
	{ "nanosleep", "sleep" }, { "clock", "sleep" },	   { "usleep", "sleep" },
	{ "fsync", "sync" },	  { "fdatasync", "sync" }, { "waitpid", "wait" },
	{ "wait4", "wait" },	  { "waitid", "wait" },	   { "getaddrinfo", "resolve" },
	{ "pthread", "join" },	  { "recvfrom", "recv" },  { "recvmsg", "recv" },
	{ "sendto", "send" },	  { "sendmsg", "send" },   { "pread64", "read" },
	{ "pwrite64", "write" },  { "pread", "read" },	   { "pwrite", "write" },
	{ "openat", "open" },	  { "open64", "open" },	   { "accept4", "accept" },
};

/*
 * The first word of a function's name: "read" of read_exact, "lock" of lock_contended. The rest tells apart how std does it
 * inside, which changes.
 */
static void first_word(const char *path, char ret[WORD_SIZE])
{
	char name[PATH_TEXT_SIZE], *begin = name;

	path_last(path, name, sizeof(name));
	while (*begin == '_')
		begin++;
	if (!strncmp(begin, "to_socket_addrs", 15) || !strncmp(begin, "lookup_host", 11))
		begin = strcpy(name, "resolve");
	begin[strcspn(begin, "_")] = 0;
	/* The linker makes one function of those for reading and receiving. */
	if (strstr(path, "::net::") && !strcmp(begin, "recv"))
		begin = strcpy(name, "read");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(begin, words[i].name))
			begin = strcpy(name, words[i].word);
	}
	utf8_shorten(ret, WORD_SIZE, begin);
}

/* Closures and options are called through these, and they wait for nothing. */
static bool is_glue(const char *path)
{
	if (*path == '<')
		path++;
	return !strncmp(path, "core::", 6) || !strncmp(path, "alloc::", 7);
}

/* What the function called and waited for: "lock", or "" where that is not known. */
static void find_call(const struct block_stack *s, int frame, char ret[WORD_SIZE])
{
	char path[PATH_TEXT_SIZE];

	ret[0] = 0;
	for (int i = frame - 1; i >= 0; i--) {
		const struct frame *f = &s->frames[i];

		if (f->kind == FRAME_KERNEL || f->kind == FRAME_USER || !f->function)
			continue;
		path_of_name(f->function, path);
		if (is_glue(path))
			continue;
		first_word(path, ret);
		return;
	}
}

static void set_site(struct block *b, const char *text)
{
	char head[SITE_SIZE - 16];

	if (strlen(text) < SITE_SIZE) {
		strcpy(b->site, text);
		return;
	}
	utf8_shorten(head, sizeof(head), text);
	snprintf(b->site, SITE_SIZE, "%s #%08" PRIx32, head, hash_of(text));
}

/* Legacy names do not number closures; debuginfo does. */
static void number_closure(const struct frame *f, char path[PATH_TEXT_SIZE])
{
	static const char plain[] = "{closure}";
	size_t n = strlen(path), len = sizeof(plain) - 1;

	if (f->nth && n >= len && !strcmp(path + n - len, plain))
		snprintf(path + n - 1, PATH_TEXT_SIZE - n + 1, "#%" PRIu32 "}", f->nth);
}

static void name_by_code(struct block *b)
{
	const struct block_stack *s = &b->stacks[0];
	const char *name = s->frames[b->site_frame].function;
	char path[PATH_TEXT_SIZE], cut[16] = "", word[WORD_SIZE] = "";
	char text[PATH_TEXT_SIZE + WORD_SIZE + 32];

	if (!path_of_name(name, path))
		snprintf(cut, sizeof(cut), " #%08" PRIx32, hash_of(name));
	number_closure(&s->frames[b->site_frame], path);
	if (s->is_asleep)
		find_call(s, b->site_frame, word);
	snprintf(text, sizeof(text), "%s%s%s%s", path, cut, word[0] ? " > " : "", word);
	set_site(b, text);
}

/* Without names of functions, or without a stack: less is known, and less of it lasts. */
static void name_by_task(struct block *b)
{
	char text[PATH_TEXT_SIZE], shown[SITE_SIZE / 2], cut[16] = "";
	const char *name = b->task.name ? b->task.name : b->task_id ? NULL : "root";
	const char *call = b->n_syscalls ? b->syscalls[0].name : NULL;

	if (!name)
		return;
	utf8_shorten(shown, sizeof(shown), name);
	if (strlen(name) >= sizeof(shown))
		snprintf(cut, sizeof(cut), " #%08" PRIx32, hash_of(name));
	snprintf(text, sizeof(text), "~%s%s > %s%s%s%s", shown, cut, cause_name(b->cause),
		 call ? "/" : "", call ? call : "", b->phase == PHASE_DROP ? " in drop" : "");
	set_site(b, text);
}

void callsite_find(struct block *b)
{
	b->site[0] = 0;
	b->site_frame = find_frame(b);
	if (b->site_frame >= 0)
		name_by_code(b);
	else
		name_by_task(b);
}
