/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TCP_LISTEN 10 /* of struct sock, for AF_UNIX, too */
#define PROTOCOL_MPTCP 262

/* As ss and /proc/net/unix do: NULs of abstract names are shown as '@'. */
static void name_text(const char *name, size_t len, char ret[sizeof(struct sockaddr_un)])
{
	size_t n = name[0] ? strnlen(name, len) : len;

	for (size_t i = 0; i < n; i++)
		ret[i] = name[i] ? name[i] : '@';
	ret[n] = 0;
}

static int unix_text(const struct rs_socket *s, char *ret, size_t size)
{
	char name[sizeof(struct sockaddr_un)];
	size_t peer_size = s->peer_size < 108 ? s->peer_size : 108;
	size_t local_size = s->local_size < 108 ? s->local_size : 108;

	if (peer_size) {
		name_text(s->peer_name, peer_size, name);
		snprintf(ret, size, "unix %s", name);
	} else if (local_size) {
		name_text(s->local_name, local_size, name);
		snprintf(ret, size, "unix %s on %s",
			 s->state == TCP_LISTEN ? "listening" : "socket", name);
	} else {
		snprintf(ret, size, "unix socket");
	}
	return 0;
}

static const char *protocol_name(const struct rs_socket *s)
{
	switch (s->protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case PROTOCOL_MPTCP:
		return "mptcp";
	default:
		return NULL;
	}
}

static void address_text(uint16_t family, const uint8_t addr[16], uint16_t port, char *ret,
			 size_t size)
{
	const struct in6_addr *v6 = (const void *)addr;
	char text[INET6_ADDRSTRLEN] = "";
	bool is_mapped = family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6);

	if (family == AF_INET || is_mapped) {
		inet_ntop(AF_INET, is_mapped ? addr + 12 : addr, text, sizeof(text));
		snprintf(ret, size, "%s:%u", text, port);
	} else {
		inet_ntop(AF_INET6, addr, text, sizeof(text));
		snprintf(ret, size, "[%s]:%u", text, port);
	}
}

static int inet_text(const struct rs_socket *s, char *ret, size_t size)
{
	const char *protocol = protocol_name(s);
	char address[INET6_ADDRSTRLEN + 16];

	if (!protocol)
		return -ENODATA;
	if (s->peer_port) {
		address_text(s->family, s->peer, s->peer_port, address, sizeof(address));
		snprintf(ret, size, "%s %s", protocol, address);
	} else if (s->local_port) {
		bool is_listening = s->state == TCP_LISTEN && s->type == SOCK_STREAM;

		address_text(s->family, s->local, s->local_port, address, sizeof(address));
		snprintf(ret, size, "%s %s on %s", protocol, is_listening ? "listening" : "socket",
			 address);
	} else {
		snprintf(ret, size, "%s socket", protocol);
	}
	return 0;
}

int peer_text(const struct rs_socket *s, char *ret, size_t size)
{
	if (s->family == AF_UNIX)
		return unix_text(s, ret, size);
	if (s->family == AF_INET || s->family == AF_INET6)
		return inet_text(s, ret, size);
	return -ENODATA;
}

static int set_unix(struct rs_socket *s, const char *name, size_t len)
{
	if (!len || len > sizeof(s->peer_name))
		return -EINVAL;
	memcpy(s->peer_name, name, len);
	s->peer_size = len;
	return 0;
}

int peer_set(struct rs_socket *s, const void *sockaddr, size_t len)
{
	struct sockaddr_storage a = { 0 };
	const struct sockaddr_in *v4 = (const void *)&a;
	const struct sockaddr_in6 *v6 = (const void *)&a;

	if (len < sizeof(a.ss_family) || len > sizeof(a))
		return -EINVAL;
	memcpy(&a, sockaddr, len);
	if (a.ss_family != s->family)
		return -EINVAL;
	if (a.ss_family == AF_UNIX)
		return set_unix(s, (const char *)&a + sizeof(a.ss_family),
				len - sizeof(a.ss_family));
	if (a.ss_family == AF_INET && len >= sizeof(*v4)) {
		memcpy(s->peer, &v4->sin_addr, 4);
		s->peer_port = ntohs(v4->sin_port);
		return 0;
	}
	if (a.ss_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		memcpy(s->peer, &v6->sin6_addr, 16);
		s->peer_port = ntohs(v6->sin6_port);
		return 0;
	}
	return -EINVAL;
}
