/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One file per command; each returns an exit code and prints its own errors. */
#ifndef RS_CLI_COMMANDS_H
#define RS_CLI_COMMANDS_H

#include "cli/options.h"

int cmd_watch(const struct options *o);
int cmd_doctor(const struct options *o);

#endif
