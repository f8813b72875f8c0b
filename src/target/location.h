/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_TARGET_LOCATION_H
#define RS_TARGET_LOCATION_H

#include "target/eh_frame.h"
#include "target/image.h"

/*
 * Whether `schedule` of a vtable is BlockingSchedule's: it does nothing but panic (a blocking task
 * is never scheduled twice), and the panic names runtime/blocking/schedule.rs. False when that
 * cannot be told.
 */
bool location_is_blocking_schedule(const struct image *img, const struct unwind_index *functions,
				   uint64_t schedule);

#endif
