/* program.c - one of the two builds that a gate compares, started again and again.
 * SPDX-License-Identifier: MIT
 */
#include "program.h"

#include "../base/stats.h"

#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* As much of a program as is loaded, in memory of its own; -1: it cannot be, or is a script. */
static int copy_program(const char *path)
{
    Elf64_Ehdr head;
    off_t loaded = 0;
    int from = open(path, O_RDONLY | O_CLOEXEC), copy = memfd_create("mmk-bench", MFD_CLOEXEC);
    bool good = from >= 0 && copy >= 0 && read(from, &head, sizeof head) == sizeof head &&
                memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
                head.e_ident[EI_CLASS] == ELFCLASS64 && head.e_phentsize == sizeof(Elf64_Phdr);
    for (int i = 0; good && i < head.e_phnum; i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(head.e_phoff + (size_t)i * sizeof part);
        good = pread(from, &part, sizeof part, at) == sizeof part;
        off_t end = (off_t)(part.p_offset + part.p_filesz);
        loaded = good && part.p_type == PT_LOAD && end > loaded ? end : loaded;
    }
    good = good && lseek(from, 0, SEEK_SET) == 0;
    for (off_t left = loaded; good && left > 0;) {
        ssize_t sent = sendfile(copy, from, NULL, (size_t)left);
        good = sent > 0;
        left -= sent;
    }
    if (from >= 0)
        close(from);
    if (copy >= 0 && !good)
        close(copy);
    return good ? copy : -1;
}

void program_make(struct program *p, const char *path)
{
    p->path = path;
    for (size_t i = 0; i < PROGRAM_COPIES; i++)
        p->copies[i] = copy_program(path);
}

void program_free(struct program *p)
{
    for (size_t i = 0; i < PROGRAM_COPIES; i++)
        if (p->copies[i] >= 0)
            close(p->copies[i]);
}

/* The next copy is made before the one that was used is given back, or it would get its pages. */
static void change_copy(struct program *p, size_t used)
{
    int before = p->copies[used];
    if (before < 0)
        return;
    p->copies[used] = copy_program(p->path);
    close(before);
}

bool program_start(struct child *child, struct program *program, uint64_t *state)
{
    static char path[64];
    size_t chosen = (size_t)(stats_random(state) % PROGRAM_COPIES);
    int copy = program->copies[chosen];
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    const char *argv[] = {copy >= 0 ? path : program->path, "--serve", NULL};
    bool good = child_start_padded(child, argv, state);
    if (!good && copy >= 0) { /* memory may not be executed, here */
        argv[0] = program->path;
        good = child_start_padded(child, argv, state);
    }
    change_copy(program, chosen);
    /* A batch task does not take the CPU from who wakes it: we are asleep before it begins, and do
     * not interrupt its sample to fall asleep. */
    if (good)
        sched_setscheduler(child->pid, SCHED_BATCH, &(struct sched_param){.sched_priority = 0});
    return good;
}
