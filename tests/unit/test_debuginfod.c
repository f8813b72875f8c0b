/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A server that never answers is left when the tool ends; without one nothing is asked. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "symbol/debuginfod.h"

static int listen_silently(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	char url[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&at, &size);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	setenv("DEBUGINFOD_URLS", url, 1);
	return fd;
}

static void *stop_soon(void *stop)
{
	struct timespec pause = { 0, 300000000 };

	nanosleep(&pause, NULL);
	*(atomic_bool *)stop = true;
	return NULL;
}

static void a_silent_server(void **state)
{
	char cache[] = "/tmp/test_debuginfod.XXXXXX", command[64];
	uint64_t start = now_ns();
	atomic_bool stop = false;
	pthread_t thread;
	int fd;

	if (!dlopen("libdebuginfod.so.1", RTLD_LAZY))
		skip();
	assert_non_null(mkdtemp(cache));
	setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
	fd = listen_silently();
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
	assert_null(debuginfod_path("0123456789abcdef", &stop));
	assert_true(now_ns() - start > 250000000ULL);
	assert_true(now_ns() - start < 10000000000ULL);
	pthread_join(thread, NULL);
	close(fd);
	snprintf(command, sizeof(command), "rm -r %s", cache);
	assert_int_equal(system(command), 0);
}

static void no_server(void **state)
{
	unsetenv("DEBUGINFOD_URLS");
	assert_null(debuginfod_path("0123456789abcdef", NULL));
	setenv("DEBUGINFOD_URLS", "", 1);
	assert_null(debuginfod_path("0123456789abcdef", NULL));
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:1", 1);
	assert_null(debuginfod_path("", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_server),
		cmocka_unit_test(no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
