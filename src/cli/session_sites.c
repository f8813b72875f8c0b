/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which functions of the target are probed to time polls, and what a probe on each costs. */
#include "cli/session_parts.h"
#include "probe/price.h"

#define DEAR_NS 5000 /* a probe that slows the target more than it tells */

static enum entry_kind kind_of(const struct session *s, uint64_t function)
{
	uint8_t code[ENTRY_BYTES];

	return process_read(s->process->pid, function, code, sizeof(code)) ? ENTRY_OTHER
									   : entry_kind(code);
}

/* Measured when the first function of that kind is met; 0 = it could not be. */
static uint64_t price_of(struct session *s, enum entry_kind kind)
{
	struct rs_error err = { 0 };

	if (!s->is_priced[kind])
		s->prices[kind] = probe_price_ns(s->watch, kind, &err);
	s->is_priced[kind] = true;
	return s->prices[kind];
}

static bool is_known(const struct probe_site *sites, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++)
		if (sites[i].offset == offset)
			return true;
	return false;
}

static bool is_wanted(const struct session *s, size_t copy, size_t vtable)
{
	if (s->probing == PROBE_ALL)
		return true;
	for (size_t i = 0; i < s->n_offenders; i++)
		if (s->offenders[i].copy == copy && s->offenders[i].vtable == vtable)
			return true;
	return false;
}

static size_t add_site(struct session *s, uint64_t function, struct probe_site site,
		       struct probe_site *sites, size_t n, size_t *n_dear)
{
	uint64_t price;

	if (!site.offset || is_known(sites, n, site.offset))
		return n;
	price = price_of(s, kind_of(s, function));
	*n_dear += price > DEAR_NS;
	if (price > DEAR_NS && s->is_auto) { /* who asks for exact mode shall have it */
		s->n_left_out++;
		return n;
	}
	s->price_ns = price > s->price_ns ? price : s->price_ns;
	sites[n] = site;
	return n + 1;
}

size_t sites_list(struct session *s, size_t copy, struct probe_site *ret)
{
	const struct tokio_copy *c = &s->copies[copy];
	size_t n = 0, n_dear = 0;

	if (tokio_is_too_old(c))
		return 0;
	for (size_t i = 0; i < c->n_vtables; i++) {
		const struct task_vtable *v = &c->vtables[i];
		uint64_t id_off = (uint64_t)v->id_off << 32;

		if (v->blocking || !is_wanted(s, copy, i))
			continue;
		n = add_site(s, v->poll,
			     (struct probe_site){ v->poll_file_off,
						  id_off | site_encode(copy, i, false) },
			     ret, n, &n_dear);
		n = add_site(s, v->shutdown,
			     (struct probe_site){ v->shutdown_file_off,
						  id_off | site_encode(copy, i, true) },
			     ret, n, &n_dear);
	}
	if (n_dear && !s->has_hello)
		session_warn(
			s,
			"%zu functions begin with an instruction that the kernel steps over at each hit of a probe, "
			"which takes long; %s",
			n_dear, s->is_auto ? "their polls are sampled" : "the target slows down");
	return n;
}

uint64_t sites_typical_price(struct session *s)
{
	return price_of(s, ENTRY_SIMPLE);
}
