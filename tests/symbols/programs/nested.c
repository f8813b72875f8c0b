/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Functions inlined into each other around one instruction with a name, "here". */
static inline __attribute__((always_inline)) void innermost(void)
{
	__asm__ volatile(".globl here\nhere: nop"); /* innermost */
}

static inline __attribute__((always_inline)) void middle(void)
{
	innermost(); /* middle */
}

__attribute__((noinline)) void outermost(void)
{
	middle(); /* outermost */
}

int main(void)
{
	outermost();
	return 0;
}
