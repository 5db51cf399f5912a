/* host.h - on what a run was made, and whether that was a real CPU.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_HOST_H
#define MMK_CHECK_HOST_H

#include <stdbool.h>

enum host_kind { HOST_NATIVE, HOST_EMULATED, HOST_UNKNOWN };

struct host {
    char architecture[32]; /* that the program was compiled for */
    char cpu[96], commit[64];
    enum host_kind kind;
    char evidence[320]; /* what kind stands on */
};

/* told_emulated: the user says so, and is believed.
 *
 * Told apart are emulators of one process: the kernel runs another file than this program
 * (qemu-user, also through binfmt_misc; valgrind), /proc/cpuinfo is that of another architecture
 * (Rosetta, Box64), CPUID has an emulator's name (QEMU's TCG, FEX), or instruction sets that the
 * kernel does not know of (Intel SDE). A whole machine that is emulated, kernel and all, can be
 * told on x86 alone, where TCG has its name in CPUID: elsewhere the user has to say so. Without
 * /proc nothing is known. */
void host_find(struct host *host, bool told_emulated);

/* "native", "emulated", "unknown" */
const char *host_kind_name(enum host_kind kind);

#endif
