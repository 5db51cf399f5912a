/* report_json.h - a run of mmk-check as a file of JSON, for `mmk-check merge` and for others.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_REPORT_JSON_H
#define MMK_CHECK_REPORT_JSON_H

#include "check.h"
#include "host.h"

#define REPORT_JSON_FORMAT "mmk-check-2"

/* What the report says beside what was counted. */
struct report_facts {
    const struct host *host;
    const char *version; /* of our own code */
    int numerics;
    bool finished;
    size_t passed, failed, skipped; /* as in the closing line */
};

/* A new_file: complete, or not there. False: error is one sentence. */
bool report_json(const struct run *run, const struct report_facts *facts, const char *path,
                 char *error, size_t error_bytes);

#endif
