/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What system calls are about: addresses in words, and which detail belongs to which sleep. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cmocka.h>

#include "model/block.h"
#include "model/detail.h"
#include "model/details.h"
#include "model/peer.h"
#include "model/syscalls.h"

#define MS 1000000ULL
#define FILE_1 (RS_OBJECT_FILE | 1)
#define FILE_2 (RS_OBJECT_FILE | 2)

static struct rs_socket inet(uint16_t family, const char *peer, uint16_t port)
{
	struct rs_socket s = { .family = family, .type = SOCK_STREAM, .protocol = IPPROTO_TCP };

	s.peer_port = port;
	inet_pton(family, peer, s.peer);
	return s;
}

static void assert_peer(const struct rs_socket *s, const char *expected)
{
	char text[BLOCK_DETAIL];

	assert_int_equal(peer_text(s, text, sizeof(text)), 0);
	assert_string_equal(text, expected);
}

static void internet_peers(void **state)
{
	struct rs_socket s = inet(AF_INET, "10.0.0.5", 5432);
	char text[BLOCK_DETAIL];

	assert_peer(&s, "tcp 10.0.0.5:5432");
	s.protocol = IPPROTO_UDP;
	assert_peer(&s, "udp 10.0.0.5:5432");
	s = inet(AF_INET6, "2001:db8::1", 80);
	assert_peer(&s, "tcp [2001:db8::1]:80");
	s = inet(AF_INET6, "::ffff:10.0.0.5", 80);
	assert_peer(&s, "tcp 10.0.0.5:80");
	s = inet(AF_INET, "0.0.0.0", 0);
	assert_peer(&s, "tcp socket");
	s.local_port = 80;
	assert_peer(&s, "tcp socket on 0.0.0.0:80");
	s.state = 10;
	assert_peer(&s, "tcp listening on 0.0.0.0:80");
	s.protocol = 0;
	assert_int_equal(peer_text(&s, text, sizeof(text)), -ENODATA);
	s.family = AF_NETLINK;
	assert_int_equal(peer_text(&s, text, sizeof(text)), -ENODATA);
}

static void unix_peers(void **state)
{
	struct rs_socket s = { .family = AF_UNIX, .type = SOCK_STREAM };

	assert_peer(&s, "unix socket");
	memset(s.local_name, 'x', sizeof(s.local_name)); /* as long as can be, without a NUL */
	s.local_size = 108;
	s.peer_size = sizeof("/run/a.sock");
	memcpy(s.peer_name, "/run/a.sock", s.peer_size);
	assert_peer(&s, "unix /run/a.sock");
	memcpy(s.peer_name, "\0a\0b", s.peer_size = 4);
	assert_peer(&s, "unix @a@b");
	s.peer_size = 0xffff; /* lies are cut */
	assert_peer(
		&s,
		"unix @a@b/a.sock@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
		"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@");
}

static void the_peer_that_is_asked_for(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/b" };
	struct rs_socket s = inet(AF_INET, "0.0.0.0", 0);

	inet_pton(AF_INET, "10.1.2.3", &v4.sin_addr);
	assert_int_equal(peer_set(&s, &v4, sizeof(v4) - 9), -EINVAL);
	assert_int_equal(peer_set(&s, &v4, 1), -EINVAL);
	assert_int_equal(peer_set(&s, &un, sizeof(un)), -EINVAL);
	assert_int_equal(peer_set(&s, &v4, sizeof(v4)), 0);
	assert_peer(&s, "tcp 10.1.2.3:80");
	s = (struct rs_socket){ .family = AF_UNIX };
	assert_int_equal(peer_set(&s, &un, sizeof(un)), 0);
	assert_peer(&s, "unix /run/b");
	assert_int_equal(peer_set(&s, &un, 2), -EINVAL); /* no name at all */
}

static void a_file_is_the_same_in_all_sleeps_of_the_block(void **state)
{
	struct details *d = details_new();
	struct rs_spell s = { .nr = SYS_read, .object = FILE_1 };

	assert_null(details_find(d, 7, &s, 100 * MS));
	details_add(d, 7, SYS_read, FILE_1, 120 * MS, "/a");
	details_add(d, 7, SYS_read, FILE_2, 130 * MS, "/b");
	assert_string_equal(details_find(d, 7, &s, 100 * MS), "/a");
	assert_null(details_find(d, 7, &s, 121 * MS)); /* of an earlier block */
	assert_null(details_find(d, 8, &s, 100 * MS));
	s.nr = SYS_write;
	assert_null(details_find(d, 7, &s, 100 * MS));
	details_free(d);
}

static void anything_else_is_true_of_one_sleep(void **state)
{
	struct details *d = details_new();
	struct rs_spell s = { .nr = SYS_wait4, .object = 200 * MS, .object_ns = 50 * MS };

	details_add(d, 7, SYS_wait4, FILE_1 | RS_OBJECT_PART, 160 * MS, "sleep");
	assert_string_equal(details_find(d, 7, &s, 0), "sleep");
	s.object_ns = 39 * MS; /* a later one */
	assert_null(details_find(d, 7, &s, 0));
	s = (struct rs_spell){ .nr = SYS_wait4, .object = 159 * MS, .object_ns = 50 * MS };
	assert_null(details_find(d, 7, &s, 0));
	s.object = FILE_1;
	assert_null(details_find(d, 7, &s, 0));
	details_free(d);
}

static void the_oldest_are_forgotten(void **state)
{
	struct details *d = details_new();
	struct rs_spell first = { .nr = SYS_read, .object = FILE_1 };

	details_add(d, 7, SYS_read, FILE_1, 1, "/first");
	for (uint64_t i = 0; i < 511; i++)
		details_add(d, 7, SYS_read, RS_OBJECT_FILE | (i + 2), 1, "/other");
	assert_string_equal(details_find(d, 7, &first, 0), "/first");
	details_add(d, 7, SYS_read, FILE_2, 1, "/other");
	assert_null(details_find(d, 7, &first, 0));
	details_free(d);
}

static void a_call_whose_arguments_cannot_be_read_has_no_detail(void **state)
{
	static const int calls[] = { SYS_openat, SYS_open, SYS_connect, SYS_clock_nanosleep,
				     SYS_wait4,	 SYS_poll, SYS_futex,	SYS_read,
				     SYS_waitid, -1,	   10000 };
	char text[BLOCK_DETAIL];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct rs_sleep s = { .nr = calls[i], .args = { 1, 1, 1, 1, 1, 1 } };
		struct detail_source from = { 1 << 30, 1 << 30, -1, &s };

		assert_true(detail_of_sleep(&from, text) < 0);
		assert_int_equal(detail_lock_owner(&from), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(internet_peers),
		cmocka_unit_test(unix_peers),
		cmocka_unit_test(the_peer_that_is_asked_for),
		cmocka_unit_test(a_file_is_the_same_in_all_sleeps_of_the_block),
		cmocka_unit_test(anything_else_is_true_of_one_sleep),
		cmocka_unit_test(the_oldest_are_forgotten),
		cmocka_unit_test(a_call_whose_arguments_cannot_be_read_has_no_detail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
