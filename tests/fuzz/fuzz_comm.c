/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program may call its threads anything; /proc/PID/stat has that name in the middle of a line. */
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fuzz.h"
#include "target/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat before, after;
	char name[16] = "";

	memcpy(name, data, size < sizeof(name) - 1 ? size : sizeof(name) - 1);
	FUZZ_CHECK(!proc_read_stat(getpid(), &before));
	FUZZ_CHECK(!prctl(PR_SET_NAME, name));
	FUZZ_CHECK(!proc_read_stat(getpid(), &after));
	FUZZ_CHECK(!strcmp(after.comm, name) && after.start_time == before.start_time);
	FUZZ_CHECK(proc_thread_group(getpid()) == getpid());
	return 0;
}
