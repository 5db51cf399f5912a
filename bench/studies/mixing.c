/* mixing.c - the latent variable model of Cai et al.: pairs (image, text) that are misaligned.
 * SPDX-License-Identifier: MIT
 *
 * Latents: semantics s ~ N(0, S), m_x and m_t ~ N(0, S_x), N(0, S_t). Independent: S = 1.
 * Dependent: S = F F^T with F 10 x 10 of N(0, 1), which is a Wishart matrix with 10 degrees of
 * freedom (5 x 5 likewise for m_x and m_t), and s = F z.
 *     x = g_x(s, m_x)
 *     t = g_t(s~_I, m_t),   s~_i = s_i + e_i with probability 0.75 for i in R, else s_i;
 *     e ~ N(0, 1)
 * with the mixers g of mixer.c.
 */
#include "mixing.h"

#include "random.h"
#include "regression.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 128 };
static const double perturbed_share = 0.75;

/* Where a pair's normal numbers stand; each part begins at an even one. */
enum { AT_S = 0, AT_M = 10, AT_NOISE = 22, NORMALS = 32, PRIVATE_NORMALS = 6 };

size_t bias_kept(const struct bias *bias, bool kept[SEMANTIC])
{
    size_t count = 0;
    for (size_t i = 0; i < SEMANTIC; i++)
        count += kept[i] = bias->selected[i] && !bias->perturbed[i];
    return count;
}

void mixing_open(struct mixing *m, const struct bias *bias, uint64_t seed)
{
    static const char *const names[] = {"image mixer", "text mixer"};
    *m = (struct mixing){.bias = *bias, .stream = random_stream(seed, "pairs")};
    size_t width[2] = {PRIVATE + SEMANTIC, PRIVATE};
    for (size_t i = 0; i < SEMANTIC; i++)
        width[TEXT] += bias->selected[i];
    for (int side = IMAGE; side <= TEXT; side++)
        mixer_open(&m->mixer[side], width[side], random_stream(seed, names[side]));
    if (!bias->dependent)
        return;
    uint64_t stream = random_stream(seed, "covariance");
    random_normals(random_bits(stream, 0), 0, SEMANTIC * SEMANTIC, m->factor);
    for (uint64_t side = IMAGE; side <= TEXT; side++)
        random_normals(random_bits(stream, 1 + side), 0, PRIVATE * PRIVATE,
                       m->private_factor[side]);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* out = factor z where things depend on each other, else z. */
static void correlate(bool dependent, size_t n, const float *factor, const float *z, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = dependent ? 0 : z[i];
        for (size_t k = 0; k < n && dependent; k++)
            out[i] += factor[i * n + k] * z[k];
    }
}

static void pair_semantics(const struct mixing *m, uint64_t pair, bool shifted, float s[SEMANTIC])
{
    float z[SEMANTIC];
    random_normals(m->stream, pair * NORMALS + AT_S, SEMANTIC, z);
    correlate(m->bias.dependent, SEMANTIC, m->factor, z, s);
    for (size_t i = 8; i < SEMANTIC && shifted; i++)
        s[i] = 2 * s[i] * fabsf(s[i]);
}

static void pair_private(const struct mixing *m, enum side side, uint64_t pair, float *out)
{
    float z[PRIVATE];
    random_normals(m->stream, pair * NORMALS + AT_M + side * PRIVATE_NORMALS, PRIVATE, z);
    correlate(m->bias.dependent, PRIVATE, m->private_factor[side], z, out);
}

/* What the text sees of s, packed; returns how many. */
static size_t misalign(const struct mixing *m, uint64_t pair, const float s[SEMANTIC], float *seen)
{
    float noise[SEMANTIC];
    size_t count = 0;
    uint64_t chance = random_bits(m->stream, 0);
    random_normals(m->stream, pair * NORMALS + AT_NOISE, SEMANTIC, noise);
    for (size_t i = 0; i < SEMANTIC; i++) {
        if (!m->bias.selected[i])
            continue;
        bool moved =
            m->bias.perturbed[i] && random_uniform(chance, pair * SEMANTIC + i) < perturbed_share;
        seen[count++] = s[i] + (moved ? noise[i] : 0);
    }
    return count;
}

void mixing_latents(const struct mixing *m, uint64_t first, size_t rows, bool shifted,
                    float *latents)
{
    for (size_t r = 0; r < rows; r++, latents += LATENTS) {
        pair_semantics(m, first + r, shifted, latents);
        pair_private(m, IMAGE, first + r, latents + SEMANTIC);
        pair_private(m, TEXT, first + r, latents + SEMANTIC + PRIVATE);
    }
}

void mixing_observe(const struct mixing *m, enum side side, uint64_t first, size_t rows,
                    bool shifted, float *observed)
{
    size_t n = m->mixer[side].width;
    float seen[CHUNK * (SEMANTIC + PRIVATE)];
    for (size_t done = 0; done < rows; done += CHUNK) {
        size_t count = rows - done < CHUNK ? rows - done : CHUNK;
        for (size_t r = 0; r < count; r++) {
            uint64_t pair = first + done + r;
            float s[SEMANTIC], *row = seen + r * n;
            pair_semantics(m, pair, shifted, s);
            if (side == TEXT)
                misalign(m, pair, s, row);
            else
                memcpy(row, s, sizeof s);
            pair_private(m, side, pair, row + n - PRIVATE);
        }
        mixer_apply(&m->mixer[side], count, seen, observed + done * n);
    }
}

/* ---- Theory ---------------------------------------------------------------------------------- */

static double covariance(const struct mixing *m, size_t i, size_t j)
{
    if (!m->bias.dependent)
        return i == j;
    double sum = 0;
    for (size_t k = 0; k < SEMANTIC; k++)
        sum += (double)m->factor[i * SEMANTIC + k] * (double)m->factor[j * SEMANTIC + k];
    return sum;
}

void mixing_explained(const struct mixing *m, double r2[SEMANTIC])
{
    bool kept[SEMANTIC];
    size_t place[SEMANTIC], count = 0;
    double among[SEMANTIC * SEMANTIC], with[SEMANTIC * SEMANTIC];
    bias_kept(&m->bias, kept);
    for (size_t i = 0; i < SEMANTIC; i++)
        if (kept[i])
            place[count++] = i;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++)
            among[a * count + b] = covariance(m, place[a], place[b]);
        for (size_t j = 0; j < SEMANTIC; j++)
            with[a * SEMANTIC + j] = covariance(m, place[a], j);
    }
    regression_solve(count, SEMANTIC, among, with); /* S_KK^-1 S_Kj in column j */
    for (size_t j = 0; j < SEMANTIC; j++) {
        r2[j] = 0;
        for (size_t a = 0; a < count; a++)
            r2[j] += covariance(m, j, place[a]) * with[a * SEMANTIC + j] / covariance(m, j, j);
    }
}
