/* peer.h - another library as the bench sees it: an adapter that runs trials with it.
 * SPDX-License-Identifier: MIT
 *
 * A peer is a variant like ours: it passes the same check, and is timed in the same rounds. One
 * that promises no exact results (codes of its own) has its recall measured in place of it. The
 * adapter of a C library is a file bench/peers/adapters/<name>.c, which includes this header and
 * defines mmk_peer. It becomes a shared object that mmk-bench opens, so that mmk-bench links none
 * of the libraries and runs without them. A peer that is a script is described in
 * bench/peers/script.c.
 */
#ifndef MMK_BENCH_PEER_H
#define MMK_BENCH_PEER_H

#include "../../ref/case.h"

#include <string.h>

/* A sample that a peer in another process took of itself. */
struct peer_sample {
    double seconds;     /* of all calls, by its own monotonic clock */
    double cpu_seconds; /* that its main thread had of them, */
    long switches;      /* and its involuntary context switches */
};

struct peer {
    const char *name;  /* "openblas": its row in the tables */
    char version[64];  /* "OpenBLAS 0.3.21 (2022)", from open() on */
    char kernel[128];  /* what it chose to run on this machine, from prepare() on at the latest */
    char how[128];     /* what else the adapter does around it, from prepare() on; may be "" */
    bool approximate;  /* from peers_find: it may miss results, and is not checked, but the share of
                          them that it finds is told */
    const void *about; /* the adapter's own */
    void *state;

    /* Whether it computes what a kernel does, at some shapes at least. */
    bool (*runs)(const struct kernel *kernel);
    /* Once, before what follows. False: error says why it is not there. */
    bool (*open)(struct peer *peer, char *error, size_t error_bytes);
    void (*close)(struct peer *peer);
    /* Gets ready for a trial: buffers for its shape and threads, and in another process a copy of
     * its inputs. Calls are of the trial that was prepared last. False: error says what it cannot
     * do. */
    bool (*prepare)(struct peer *peer, const struct trial *trial, char *error, size_t error_bytes);
    /* Writes every output of the trial. */
    enum mmk_status (*call)(struct peer *peer, struct trial *trial);
    /* Of a peer in another process, else NULL: times `calls` calls there, after `warm_up` others.
     * False: it has gone. */
    bool (*run)(struct peer *peer, size_t warm_up, size_t calls, struct peer_sample *sample);
};

/* What the shared object is asked for: of "faiss-sq8" it is faiss.so for mmk_peer_sq8. */
extern MMK_API struct peer mmk_peer;

#endif
