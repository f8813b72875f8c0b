/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/debuginfod.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The library is loaded when it is needed: it brings libcurl and some ten others. Its functions as
 * <elfutils/debuginfod.h> of 0.178 and later has them.
 */
struct client;

struct library {
	struct client *(*begin)(void);
	void (*end)(struct client *c);
	int (*find)(struct client *c, const unsigned char *id, int length, char **path);
	void (*set_progress)(struct client *c, int (*f)(struct client *c, long a, long b));
	void (*set_user_data)(struct client *c, void *data);
	void *(*user_data)(struct client *c);
};

static struct library library;

static int progress(struct client *c, long a, long b)
{
	const atomic_bool *stop = library.user_data(c);

	return stop && *stop;
}

static int load(void)
{
	void *handle;

	if (library.begin)
		return 0;
	handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return -1;
	library = (struct library){
		.end = dlsym(handle, "debuginfod_end"),
		.find = dlsym(handle, "debuginfod_find_debuginfo"),
		.set_progress = dlsym(handle, "debuginfod_set_progressfn"),
		.set_user_data = dlsym(handle, "debuginfod_set_user_data"),
		.user_data = dlsym(handle, "debuginfod_get_user_data"),
	};
	if (library.end && library.find && library.set_progress && library.set_user_data &&
	    library.user_data)
		library.begin = dlsym(handle, "debuginfod_begin");
	return library.begin ? 0 : -1; /* it stays loaded: libcurl cannot be unloaded safely */
}

char *debuginfod_path(const char *build_id, const atomic_bool *stop)
{
	const char *servers = getenv("DEBUGINFOD_URLS");
	struct client *c;
	char *path = NULL;
	int fd;

	if (!servers || !servers[0] || !build_id[0] || load() || !(c = library.begin()))
		return NULL;
	library.set_user_data(c, (void *)stop);
	library.set_progress(c, progress);
	fd = library.find(c, (const unsigned char *)build_id, 0, &path);
	library.end(c);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? path : NULL;
}
