/* torch.h - the losses in PyTorch, float32, in a process of its own.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_TORCH_H
#define MMK_BENCH_ACCURACY_TORCH_H

#include "../base/child.h"
#include "../base/shared.h"
#include "problem.h"

struct torch {
    struct child child;
    struct shared shared;
};

/* version becomes "PyTorch 1.13.0", or what is missing. False: it is not there. */
bool torch_open(struct torch *torch, char *version, size_t version_bytes);
void torch_close(struct torch *torch);

/* Evaluates a problem; outputs point into its memory until the next call. False: error says why it
 * cannot. */
bool torch_call(struct torch *torch, const struct problem *problem, int threads,
                struct outputs *outputs, char *error, size_t error_bytes);

#endif
