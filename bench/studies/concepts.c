/* concepts.c - synthetic pairs that are many-to-many: 70 concepts with many instances each.
 * SPDX-License-Identifier: MIT
 *
 * An instance has a concept c, drawn at random, and semantics
 *     s = (centre_c + 0.3 a, 0.5 b),   centre_c, a, b ~ N(0, 1) in 5 dimensions each
 * where b is detail that tells instances apart. Its image is g_x(s, m_x), and each of its captions
 * g_t(s, m_t) with an m_t ~ N(0, 1) of its own, in 5 dimensions (mixer.c).
 */
#include "dataset.h"
#include "mixer.h"
#include "product.h"
#include "random.h"

#include <stdlib.h>

enum {
    CONCEPTS = 70,
    PART = 5, /* dimensions of concept, detail and modality */
    WIDTH = 3 * PART,
    CHUNK = 128,
    IMAGES = 600,
    CAPTIONS = 2,
    NORMALS = 16 /* an item's place among the random numbers; even */
};
static const float noise = 0.3f, detail = 0.5f;
static const uint64_t test_items = 1ull << 40; /* where the test set begins */

struct concepts {
    uint64_t concept, semantics, private[2];
    float centre[CONCEPTS][PART];
    struct mixer mixer[2];
};

/* What an item was made for. */
static uint64_t instance_of(int side, bool test, uint64_t item)
{
    return test ? test_items + (side == 1 ? item / CAPTIONS : item) : item;
}

static int64_t concept_label(const struct dataset *s, int side, bool test, uint64_t item)
{
    const struct concepts *c = s->data;
    return (int64_t)(random_bits(c->concept, instance_of(side, test, item)) % CONCEPTS);
}

static void concept_latents(const struct dataset *s, int side, bool test, uint64_t item, float *out)
{
    const struct concepts *c = s->data;
    const float *centre = c->centre[concept_label(s, side, test, item)];
    uint64_t own = test ? test_items + item : item;
    random_normals(c->semantics, instance_of(side, test, item) * NORMALS, 2 * PART, out);
    random_normals(c->private[side], own * NORMALS, PART, out + 2 * PART);
    for (size_t k = 0; k < PART; k++) {
        out[k] = centre[k] + noise * out[k];
        out[PART + k] *= detail;
    }
}

static void concept_observe(const struct dataset *s, int side, bool test, uint64_t first,
                            size_t rows, float *out)
{
    const struct concepts *c = s->data;
    float latents[CHUNK * WIDTH];
    for (size_t done = 0; done < rows; done += CHUNK) {
        size_t count = rows - done < CHUNK ? rows - done : CHUNK;
        for (size_t r = 0; r < count; r++)
            concept_latents(s, side, test, first + done + r, latents + r * WIDTH);
        mixer_apply(&c->mixer[side], count, latents, out + done * WIDTH);
    }
}

static void concept_close(struct dataset *s)
{
    free(s->data);
}

void dataset_open_concepts(struct dataset *s, uint64_t seed)
{
    struct concepts *c = allocate(sizeof *c);
    *s = (struct dataset){.name = "synthetic",
                          .about = "70 concepts, 600 images and 1,200 captions to test with; what "
                                   "has the same concept is relevant",
                          .steps = 2000,
                          .width = {WIDTH, WIDTH},
                          .test = {IMAGES, IMAGES * CAPTIONS},
                          .captions = CAPTIONS,
                          .observe = concept_observe,
                          .label = concept_label,
                          .close = concept_close,
                          .data = c};
    c->concept = random_stream(seed, "concepts");
    c->semantics = random_stream(seed, "semantics");
    for (size_t k = 0; k < CONCEPTS; k++)
        random_normals(random_bits(c->concept, UINT64_MAX - k), 0, PART, c->centre[k]);
    for (int side = 0; side < 2; side++) {
        c->private[side] = random_stream(seed, side ? "caption" : "image");
        mixer_open(&c->mixer[side], WIDTH,
                   random_stream(seed, side ? "caption mixer" : "image mixer"));
    }
}
