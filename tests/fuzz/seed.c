/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiled by seeds.sh only: functions in functions, a loop, a frame that needs a frame pointer. */
#include <stddef.h>

extern int outside(const void *);

static inline __attribute__((always_inline)) int innermost(int x)
{
	return x * 3 + outside(&x);
}

static inline __attribute__((always_inline)) int middle(int x)
{
	return innermost(x + 1) ^ 5;
}

__attribute__((noinline)) int seed_sum(const int *numbers, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += middle(numbers[i]);
	return sum;
}

__attribute__((noinline)) int seed_room(int size)
{
	char room[size > 0 ? size : 1];

	room[0] = (char)size;
	return outside(room) + room[0];
}
