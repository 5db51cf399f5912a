/* machine.h - what a run was made on: CPU, caches, compiler, flags, commit, date, kernel, governor.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_MACHINE_H
#define MMK_BENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

/* Texts say "unknown" where the system does not tell. */
struct machine {
    char cpu[96];  /* brand, with family and model where the brand says little */
    char slug[96]; /* the same as a folder name */
    char architecture[16];
    char extensions[128];
    char hypervisor[64]; /* "none" on the metal */
    int cpus;            /* that the process may use */
    size_t l1d, l2, l3;  /* bytes */
    bool caches_known;
    char governor[32];
    char counters[64]; /* "available", or why not */
    char system[128];  /* kernel name and release */
    char compiler[96];
    char flags[256];
    char library[32]; /* mmk's version */
    int numerics;     /* and that of its bits; 0: unknown */
    char commit[64];  /* git describe, of the sources at run time */
    char date[32];    /* 2026-01-31T12:00:00Z */
};

void machine_describe(struct machine *machine);

/* "0.1.0, numerics 1": the library of a run. */
void machine_text_library(const struct machine *machine, char *text, size_t bytes);

/* "AMD EPYC (family 26 model 2), 2026-01-31": whose results these are. */
void machine_text_day(const struct machine *machine, char *text, size_t bytes);

#endif
