/* gate_json.c - a gate's launches as JSON.
 * SPDX-License-Identifier: MIT
 */
#include "gate_json.h"

#include "json_parts.h"

#include <math.h>

#define FORMAT "mmk-gate-1"

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Time over the baseline's, launch by launch. */
static json_t *from_launches(const struct verdict_launches *l)
{
    json_t *ratios = json_array(), *quiet = json_array();
    for (size_t i = 0; i < l->count; i++) {
        json_array_append_new(ratios, json_real(exp(l->log_ratio[i])));
        json_array_append_new(quiet, json_boolean(l->quiet[i]));
    }
    return json_pack("{s:o, s:o}", "ratio", ratios, "quiet", quiet);
}

static json_t *from_case(const struct gate_case *c)
{
    const struct estimate *ratio = &c->judgement.ratio;
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}",
                     "kernel", c->kernel, "shape", c->shape, "variant", c->variant, "threads",
                     c->threads, "verdict", gate_verdict_name(c->judgement.verdict), "why", c->why,
                     "ratio", number(ratio->median), "low", number(ratio->low), "high",
                     number(ratio->high), "baseline_seconds", number(c->old_seconds), "seconds",
                     number(c->new_seconds), "rounds", (json_int_t)c->rounds, "draws",
                     (json_int_t)c->draws, "first_launches", from_launches(&c->evidence.first),
                     "fresh_launches", from_launches(&c->evidence.again));
}

/* One line a case, so that a diff of two files says something. */
bool gate_json_write(FILE *file, const struct gate *gate, const struct machine *machine)
{
    json_end_without_memory();
    fprintf(file, "{\"format\":\"" FORMAT "\",\n\"machine\":");
    bool good = json_write_value(file, json_from_machine(machine));
    fprintf(file, ",\n\"gate\":");
    good =
        good && json_write_value(file, json_pack("{s:s, s:s, s:f, s:f, s:I, s:I}", "verdict",
                                                 gate_verdict_name(gate->verdict), "baseline",
                                                 gate->options.baseline, "threshold",
                                                 gate->options.threshold, "seconds", gate->seconds,
                                                 "launches", (json_int_t)gate->launches, "seed",
                                                 (json_int_t)(gate->options.seed & INT64_MAX)));
    fprintf(file, ",\n\"cases\":[");
    for (size_t i = 0; good && i < gate->count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = json_write_value(file, from_case(&gate->cases[i]));
    }
    fprintf(file, "\n]}\n");
    return good && !ferror(file);
}
