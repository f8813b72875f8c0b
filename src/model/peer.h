/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whom a socket talks to, in words: "tcp 10.0.0.5:5432", "unix /run/app.sock", "tcp listening on [::]:80". */
#ifndef RS_MODEL_PEER_H
#define RS_MODEL_PEER_H

#include <stddef.h>

#include "bpf/wire.h"

/* Names of AF_UNIX are hostile text; abstract ones begin with '@'. -ENODATA: a kind that is not known. */
int peer_text(const struct rs_socket *s, char *ret, size_t size);
/* The peer becomes that of a sockaddr, as connect() is given one. -EINVAL: it is no address for this socket. */
int peer_set(struct rs_socket *s, const void *sockaddr, size_t len);

#endif
