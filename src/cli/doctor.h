/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of `runtime-scope doctor`. All print to standard output. */
#ifndef RS_CLI_DOCTOR_H
#define RS_CLI_DOCTOR_H

#include "cli/options.h"
#include "probe/features.h"
#include "target/target.h"

enum doctor_grade { GRADE_EXACT, GRADE_APPROXIMATE, GRADE_MISSING };

/* One line of the verdict on a program. Texts may be NULL where there is nothing to say. */
struct doctor_finding {
	enum doctor_grade grade;
	const char *what;
	const char *why;
	struct rs_error remedy; /* text "" = none */
};

#define DOCTOR_MAX_FINDINGS 12

void doctor_print_features(const struct features *f);
void doctor_print_copy(const struct tokio_copy *copy);
void doctor_print_findings(const struct doctor_finding *findings, size_t n);

/* What will be exact, approximate and missing for this copy of Tokio under these features. Returns how many. */
size_t doctor_judge(const struct features *f, const struct tokio_copy *copy,
		    struct doctor_finding ret[static DOCTOR_MAX_FINDINGS]);

/* Distinct poll functions that are not the blocking pool's; `source` limits them to one name_source, or NULL. */
size_t doctor_count_types(const struct tokio_copy *copy, const char *source);

#endif
