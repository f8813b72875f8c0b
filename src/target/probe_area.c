/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/target.h"

uint64_t process_probe_area(pid_t pid)
{
	char path[64], line[512];
	_cleanup_fclose_
	FILE *f = NULL;
	uint64_t start;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " [uprobes]\n") && sscanf(line, "%" SCNx64 "-", &start) == 1)
			return start;
	return 0;
}
