/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Whom a socket talks to. */
#ifndef RS_BPF_SOCKET_H
#define RS_BPF_SOCKET_H

#define RS_S_IFMT 0170000
#define RS_S_IFSOCK 0140000
#define RS_AF_UNIX 1
#define RS_AF_INET 2
#define RS_AF_INET6 10
#define RS_UNIX_NAME 2 /* where the name begins in a sockaddr_un */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	__u32 word; /* only its size is asked for */
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr; /* CONFIG_IPV6 */
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len; /* of the whole sockaddr_un */
	struct sockaddr_un name[1]; /* as long as it is */
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

static __always_inline void note_inet6(struct sock *sk, struct rs_socket *s)
{
	/* struct sock_common has them where the kernel has IPv6 */
	if (!bpf_core_field_exists(sk->__sk_common.skc_v6_daddr))
		return;
	bpf_probe_read_kernel(s->local, sizeof(s->local),
			      __builtin_preserve_access_index(&sk->__sk_common.skc_v6_rcv_saddr));
	bpf_probe_read_kernel(s->peer, sizeof(s->peer),
			      __builtin_preserve_access_index(&sk->__sk_common.skc_v6_daddr));
}

static __always_inline void note_inet(struct sock *sk, struct rs_socket *s)
{
	__be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	__be32 peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);

	__builtin_memcpy(s->local, &local, sizeof(local));
	__builtin_memcpy(s->peer, &peer, sizeof(peer));
}

/* Without the family, which is not told. Returns the bytes of it. */
static __always_inline __u16 read_unix_name(struct sock *sk, char name[108])
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *addr = BPF_CORE_READ(u, addr);
	__u32 size;

	if (!addr)
		return 0;
	size = BPF_CORE_READ(addr, len) - RS_UNIX_NAME;
	if (size > sizeof(struct sockaddr_un))
		return 0;
	bpf_probe_read_kernel(name, size,
			      (void *)addr + bpf_core_field_offset(struct unix_address, name) +
				      RS_UNIX_NAME);
	return size;
}

static __always_inline void note_unix(struct sock *sk, struct rs_socket *s)
{
	struct unix_sock *u = (void *)sk;
	struct sock *peer;

	if (!bpf_core_type_exists(struct unix_sock))
		return;
	peer = BPF_CORE_READ(u, peer);
	s->local_size = read_unix_name(sk, s->local_name);
	if (peer)
		s->peer_size = read_unix_name(peer, s->peer_name);
}

static __always_inline void note_socket(struct file *file, struct rs_socket *s)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = socket ? BPF_CORE_READ(socket, sk) : NULL;

	if (!sk || BPF_CORE_READ(socket, file) != file) /* a path in the file system (O_PATH) */
		return;
	s->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	s->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	s->type = BPF_CORE_READ(sk, sk_type);
	s->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (s->family == RS_AF_UNIX) {
		note_unix(sk, s);
		return;
	}
	s->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	s->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (s->family == RS_AF_INET)
		note_inet(sk, s);
	else if (s->family == RS_AF_INET6)
		note_inet6(sk, s);
}

#endif
