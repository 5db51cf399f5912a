/* main.c - mmk-study: options, and which study.
 * SPDX-License-Identifier: MIT
 */
#include "../base/console.h"
#include "../base/standard_output.h"
#include "../machine/timer.h"
#include "study.h"

#include <argp.h>
#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(const struct options *options);
} studies[] = {{"misalignment", misalignment_run}, {"multiplicity", multiplicity_run}};
enum { STUDIES = sizeof studies / sizeof studies[0] };

enum option_key {
    KEY_SELECTED = 's',
    KEY_PERTURBED = 'p',
    KEY_DEPENDENT = 'd',
    KEY_LOSS = 'l',
    KEY_ISA = 'i',
    KEY_THREADS = 't',
    KEY_SEED = 1000,
    KEY_STEPS,
    KEY_SVG
};

static const struct argp_option argp_options[] = {
    {NULL, 0, NULL, 0, "misalignment (default: all settings, with what they must reach):", 1},
    {"selected", KEY_SELECTED, "SET", 0,
     "one setting: the semantic variables that the text sees, such as 1-5 or 2,4,7-9 (of 1-10; "
     "default: all)",
     1},
    {"perturbed", KEY_PERTURBED, "SET", 0, "those of them that it sees wrongly (default: none)", 1},
    {"dependent", KEY_DEPENDENT, NULL, 0, "latent variables depend on each other", 1},
    {"loss", KEY_LOSS, "NAME", 0, "symmetric (InfoNCE, default) or alignment (and uniformity)", 1},
    {NULL, 0, NULL, 0, "All studies:", 2},
    {"seed", KEY_SEED, "N", 0, "of everything that is drawn (default: 0)", 2},
    {"steps", KEY_STEPS, "N", 0, "of training (default: the study's own)", 2},
    {"isa", KEY_ISA, "NAME", 0, "instruction set: scalar, avx2, avx512, neon (default: the widest)",
     2},
    {"threads", KEY_THREADS, "N", 0,
     "threads (default: all CPUs; an encoder uses one); results do not depend on it", 2},
    {"svg", KEY_SVG, "FILE", 0,
     "where the figure goes (default: STUDY.svg; none for a single setting)", 2},
    {NULL, 0, NULL, 0, NULL, 0}};

static uint64_t parse_number(const char *option, const char *text, uint64_t least)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || value < least || value > UINT32_MAX)
        refuse("%s %s: that is no whole number from %ju to %u; write for instance %s 1", option,
               text, (uintmax_t)least, UINT32_MAX, option);
    return value;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_SELECTED:
        o->selected = text;
        return 0;
    case KEY_PERTURBED:
        o->perturbed = text;
        return 0;
    case KEY_DEPENDENT:
        o->dependent = true;
        return 0;
    case KEY_LOSS:
        o->loss = text;
        return 0;
    case KEY_ISA:
        if (mmk_isa_use(text) != MMK_OK)
            refuse("--isa %s: %s; leave it out, or name another", text,
                   mmk_status_string(mmk_isa_use(text)));
        return 0;
    case KEY_THREADS:
        o->threads = parse_threads(text);
        return 0;
    case KEY_SEED:
        o->seed = parse_number("--seed", text, 0);
        return 0;
    case KEY_STEPS:
        o->steps = parse_number("--steps", text, 1);
        return 0;
    case KEY_SVG:
        o->svg = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Workers that spin while they wait cost nothing on a quiet machine, and minutes on a busy one.
 * libgomp reads its environment when it is loaded, so the program starts anew. */
static void wait_passively(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || setenv("OMP_WAIT_POLICY", "passive", 1) != 0)
        return;
    execv("/proc/self/exe", argv);
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "mmk-study %s, numerics %d\n", mmk_version(), mmk_numerics_version());
}

int main(int argc, char **argv)
{
    wait_passively(argv);
    standard_output_watch();
    struct options options = {.threads = timer_cpus()};
    const struct argp argp = {argp_options,
                              parse_option,
                              "STUDY",
                              "Trains encoders with the library's losses, and compares what they "
                              "learn with what is published. STUDY: misalignment or multiplicity.",
                              NULL,
                              NULL,
                              NULL};
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version_hook = print_version;
    int next;
    if (argp_parse(&argp, argc, argv, 0, &next, &options) != 0)
        refuse("there is no memory to read the options; close something");
    if (next + 1 != argc)
        refuse(
            "name one study, misalignment or multiplicity; `mmk-study --help` lists the options");
    omp_set_num_threads(options.threads);
    for (size_t i = 0; i < STUDIES; i++)
        if (strcmp(argv[next], studies[i].name) == 0)
            return studies[i].run(&options);
    refuse("%s: there is no such study; take misalignment or multiplicity", argv[next]);
}
