/* torch.c - the losses in PyTorch, float32, in a process of its own.
 * SPDX-License-Identifier: MIT
 *
 * The script's orders and answers are lines, rows and results lie in a file that both map:
 *     (when it has started)    ->  hello VERSION
 *     NAME=VALUE...            ->  done
 * or "error" and why. An order names loss, similarity, m, n, d, scale, bias, threads and the file,
 * which holds x, y, dx, dy, lse_x, lse_y, loss, dscale and dbias.
 */
#include "torch.h"

#include "../../ref/case.h"
#include "../peers/path.h"
#include "../peers/script.h"

#include <limits.h>
#include <unistd.h>

enum { ANSWER = 512 };

bool torch_open(struct torch *torch, char *version, size_t version_bytes)
{
    char path[PATH_MAX + 64], answer[ANSWER];
    *torch = (struct torch){.shared = SHARED_NONE};
    peers_path("pytorch_losses.py", path, sizeof path);
    const char *python = script_python("torch");
    const char *const argv[] = {python, path, NULL};
    if (access(path, R_OK) != 0)
        snprintf(version, version_bytes, "its script is not built");
    else if (!python)
        snprintf(version, version_bytes, "no python3 here has the module torch");
    else if (!child_start(&torch->child, argv, NULL))
        snprintf(version, version_bytes, "%s cannot be started", python);
    else {
        bool answered = child_read(&torch->child, answer, sizeof answer);
        const char *hello = script_judge("hello", answered, answer, version, version_bytes);
        if (hello)
            snprintf(version, version_bytes, "%s", hello);
        else
            torch_close(torch);
        return hello != NULL;
    }
    return false;
}

void torch_close(struct torch *torch)
{
    child_stop(&torch->child);
    shared_close(&torch->shared);
}

bool torch_call(struct torch *torch, const struct problem *p, int threads, struct outputs *outputs,
                char *error, size_t error_bytes)
{
    static const char *const losses[] = {"infonce", "uniformity", "sigmoid"};
    size_t x = p->m * p->d, y = p->n * p->d;
    char order[ANSWER], answer[ANSWER], file[64];
    if (!shared_resize(&torch->shared, (2 * (x + y) + p->m + p->n + 3) * sizeof(float))) {
        snprintf(error, error_bytes, "no memory to hand over its rows");
        return false;
    }
    float *at = torch->shared.floats;
    memcpy(at, p->x, x * sizeof *at);
    memcpy(at + x, p->y, y * sizeof *at);
    at += x + y;
    *outputs = (struct outputs){.dx = at,
                                .dy = at + x,
                                .lse_x = at + x + y,
                                .lse_y = at + x + y + p->m,
                                .loss = at + x + y + p->m + p->n};
    outputs->dscale = outputs->loss + 1;
    outputs->dbias = outputs->loss + 2;
    shared_name(&torch->shared, file, sizeof file);
    snprintf(order, sizeof order,
             "loss=%s similarity=%s m=%zu n=%zu d=%zu scale=%.9g bias=%.9g threads=%d file=%s",
             losses[p->loss], similarity_name(p->similarity), p->m, p->n, p->d, (double)p->scale,
             (double)p->bias, threads, file);
    bool answered = child_ask(&torch->child, order, answer, sizeof answer);
    return script_judge("done", answered, answer, error, error_bytes) != NULL;
}
