/* dataset.h - where the pairs of the study of multiplicity come from.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_DATASET_H
#define MMK_STUDY_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Images and captions, each with a label: what has the same label belongs together. Training pairs
 * are image i and caption i, without end; of the test set, caption j was made for image j /
 * captions. */
struct dataset {
    const char *name, *about;
    size_t steps;    /* of training */
    size_t width[2]; /* of an image, of a caption */
    size_t test[2];  /* how many there are to test with */
    size_t captions; /* of a test image */
    /* Items first .. first + rows - 1 of a side (0: images); of the test set or for training. */
    void (*observe)(const struct dataset *s, int side, bool test, uint64_t first, size_t rows,
                    float *out);
    int64_t (*label)(const struct dataset *s, int side, bool test, uint64_t item);
    void (*close)(struct dataset *s);
    void *data; /* of its own */
};

/* 70 concepts with many instances each. */
void dataset_open_concepts(struct dataset *s, uint64_t seed);

/* Whether Fashion-MNIST is installed. */
bool dataset_fashion_is_there(void);

/* Fashion-MNIST. False: it is not there or cannot be read, and error is one sentence. */
bool dataset_open_fashion(struct dataset *s, uint64_t seed, char *error, size_t error_bytes);

#endif
