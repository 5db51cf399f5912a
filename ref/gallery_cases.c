/* gallery_cases.c - cases of the packed gallery: the similarity matrix against it.
 * SPDX-License-Identifier: MIT
 *
 * The oracle, bounds and shapes are those of the matrix; packing is not part of the call.
 */
#include "cases.h"
#include "sweep.h"

enum { X, Y, RESULT };

static enum mmk_status
prepare(struct trial *t, enum mmk_status (*make)(enum mmk_similarity, const struct mmk_matrix *,
                                                 const struct mmk_options *, struct mmk_gallery **))
{
    const struct mmk_matrix y = matrix_of(&t->buffer[Y]);
    const struct mmk_options options = {.threads = t->options.threads}; /* a query is of the call */
    struct mmk_gallery *gallery;
    enum mmk_status status = make(t->shape.similarity, &y, &options, &gallery);
    if (status == MMK_OK)
        t->prepared = gallery;
    return status;
}

enum mmk_status gallery_prepare(struct trial *t)
{
    return prepare(t, mmk_gallery_pack);
}

enum mmk_status gallery_prepare_codes(struct trial *t)
{
    return prepare(t, mmk_gallery_encode);
}

void gallery_release(struct trial *t)
{
    mmk_gallery_free(t->prepared);
    t->prepared = NULL;
}

static enum mmk_status gallery_matrix_call(struct trial *t)
{
    const struct mmk_matrix x = matrix_of(&t->buffer[X]), y = {.packed = t->prepared};
    const struct mmk_matrix_out result = matrix_out_of(&t->buffer[RESULT]);
    return mmk_similarity_matrix(t->shape.similarity, &x, &y, &result, &t->options);
}

static void layout(struct trial *t)
{
    kernel_dot_matrix.layout(t);
}

static void oracle(struct trial *t)
{
    kernel_dot_matrix.oracle(t);
}

static double flops(const struct shape *s)
{
    return kernel_dot_matrix.flops(s);
}

static double bytes(const struct shape *s)
{
    return kernel_dot_matrix.bytes(s);
}

static bool fits(const struct shape *s, enum fill fill)
{
    return kernel_dot_matrix.fill_fits(s, fill);
}

/* The matrix's own sweep shows its blocking; here what is packed differs. */
static size_t sweep(bool quick, struct shape *shapes)
{
    static const struct shape some[] = {
        {.m = 1, .n = 1, .d = 3},    {.m = 5, .n = 33, .d = 10},   {.m = 14, .n = 64, .d = 17},
        {.m = 15, .n = 31, .d = 50}, {.m = 3, .n = 0, .d = 4},     {.m = 0, .n = 5, .d = 4},
        {.m = 4, .n = 7, .d = 0},    {.m = 85, .n = 700, .d = 12}, {.m = 20, .n = 1400, .d = 7},
        {.m = 9, .n = 40, .d = 800}, {.m = 4210, .n = 30, .d = 5},
    };
    size_t count = 0, all = sizeof some / sizeof some[0];
    for (size_t i = 0; i < (quick ? all - 3 : all); i++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
            struct shape shape = some[i];
            shape.similarity = (enum mmk_similarity)similarity;
            shape.ld_extra = i % 3;
            sweep_add(shapes, &count, shape);
        }
    return count;
}

static const struct shape bench[] = {
    {.m = 1024, .n = 1024, .d = 512},
    {.m = 1024, .n = 1024, .d = 128},
    {.m = 16, .n = 25000, .d = 512},
    {.m = 1, .n = 25000, .d = 512},
};

const struct kernel kernel_gallery_matrix = {
    .name = "gallery_matrix",
    .rooms = "tile pair",
    .family = "gallery",
    .formula = "sim(x_i, y_j), Y packed before",
    .allowance = ALLOWANCE_SIMILARITY,
    .dims = "mnd",
    .similarity = SIMILARITY_FROM_SHAPE,
    .layout = layout,
    .prepare = gallery_prepare,
    .release = gallery_release,
    .call = gallery_matrix_call,
    .oracle = oracle,
    .flops = flops,
    .bytes = bytes,
    .takes_threads = true,
    .fill_fits = fits,
    .sweep = sweep,
    BENCH(bench),
};
