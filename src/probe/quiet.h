/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_PROBE_QUIET_H
#define RS_PROBE_QUIET_H

/* Before anything is loaded: libbpf prints nothing. What fails is told by its return value, in words of ours. */
void probe_quiet(void);

#endif
