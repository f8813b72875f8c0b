/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/body.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#define CHILDREN_MAX (1u << 20) /* of one entry that are looked at for a name */

static bool find_child(Dwarf_Die *parent, int tag, const char *name, size_t len, Dwarf_Die *ret)
{
	if (dwarf_child(parent, ret))
		return false;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		const char *other = dwarf_tag(ret) == tag ? dwarf_diename(ret) : NULL;

		/* generic functions have their arguments behind it; without a name any is meant */
		if (dwarf_tag(ret) == tag && (!name || (other && !strncmp(other, name, len) &&
							(!other[len] || other[len] == '<'))))
			return true;
		if (dwarf_siblingof(ret, ret))
			return false;
	}
	return false;
}

/* "{async_fn_env#0}" holds what the function "{async_fn#0}" works on. */
static bool function_of_env(const char *env, size_t len, char *ret, size_t size)
{
	const char *middle = memmem(env, len, "_env#", 5);

	return middle && snprintf(ret, size, "%.*s%.*s", (int)(middle - env), env,
				  (int)(env + len - middle - 4), middle + 4) < (int)size;
}

/*
 * What says where the body begins: its function; or, where that was compiled in another unit, the first state of its type
 * ("not polled yet"), with full debuginfo.
 */
static bool find_declaration(Dwarf_Die *scope, const char *env, size_t len, Dwarf_Die *ret)
{
	char function[64];
	Dwarf_Die at, part, variant;

	if (function_of_env(env, len, function, sizeof(function)) &&
	    find_child(scope, DW_TAG_subprogram, function, strlen(function), ret))
		return true;
	return find_child(scope, DW_TAG_structure_type, env, len, &at) &&
	       find_child(&at, DW_TAG_variant_part, NULL, 0, &part) &&
	       find_child(&part, DW_TAG_variant, NULL, 0, &variant) &&
	       find_child(&variant, DW_TAG_member, NULL, 0, ret);
}

bool body_find(Dwarf_Die *unit, const char *type, size_t len, Dwarf_Die *ret)
{
	size_t generic = strcspn(type, "<");
	Dwarf_Die at = *unit, next;
	const char *colons;

	if (generic < len)
		len = generic;
	while ((colons = memmem(type, len, "::", 2))) {
		if (!find_child(&at, DW_TAG_namespace, type, (size_t)(colons - type), &next))
			return false;
		at = next;
		len -= (size_t)(colons + 2 - type);
		type = colons + 2;
	}
	return find_declaration(&at, type, len, ret);
}
