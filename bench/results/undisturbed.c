/* undisturbed.c - the best rates of the canaries that this kind of machine has shown, kept from run
 * to run.
 * SPDX-License-Identifier: MIT
 */
#include "undisturbed.h"

#include "../base/new_file.h"
#include "json_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "mmk-undisturbed-1"

static void file_path(const char *dir, const char *slug, char *path, size_t bytes)
{
    snprintf(path, bytes, "%.3000s/%.200s/undisturbed.json", dir, slug);
}

bool undisturbed_load(struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes)
{
    char path[4000];
    file_path(dir, slug, path, sizeof path);
    if (access(path, F_OK) != 0)
        return true;
    json_t *root = json_open(path, FORMAT, error, error_bytes);
    const json_t *rates = json_object_get(root, "per_clock");
    for (int c = 0; c < CANARY_COUNT; c++) {
        if (canary_peaks[c] == PEAK_CLOCK)
            continue;
        double rate = json_get_number(rates, peak_name(canary_peaks[c]));
        best->rate[c] = rate > best->rate[c] ? rate : best->rate[c];
    }
    best->clock = json_get_number(root, "stated_clock_hz");
    json_decref(root);
    return root != NULL;
}

/* Whether one of the rates that are kept is higher, by more than the digits that are written, or
 * times are stated at another clock. */
static bool is_news(const struct mood_best *best, const struct mood_best *old)
{
    if (best->clock > 0.0 && best->clock != old->clock)
        return true;
    for (int c = 0; c < CANARY_COUNT; c++)
        if (canary_peaks[c] != PEAK_CLOCK && best->rate[c] > old->rate[c] * (1.0 + 1e-5))
            return true;
    return false;
}

static bool write_rates(FILE *file, const struct mood_best *best, const struct mood_best *old)
{
    json_end_without_memory();
    json_t *rates = json_object();
    for (int c = 0; c < CANARY_COUNT; c++)
        if (canary_peaks[c] != PEAK_CLOCK)
            json_object_set_new(
                rates, peak_name(canary_peaks[c]),
                json_real(best->rate[c] > old->rate[c] ? best->rate[c] : old->rate[c]));
    bool good = json_write_value(
        file, json_pack("{s:s, s:f, s:o}", "format", FORMAT, "stated_clock_hz",
                        best->clock > 0.0 ? best->clock : old->clock, "per_clock", rates));
    fprintf(file, "\n");
    return good && !ferror(file);
}

static bool make_folder(const char *path, char *error, size_t error_bytes)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    snprintf(error, error_bytes, "%s cannot be made (%s); give a folder that can be written to",
             path, strerror(errno));
    return false;
}

bool undisturbed_save(const struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes)
{
    char path[4000], folder[3300];
    struct mood_best old = {.rate = {0.0}};
    struct new_file n;
    if (!undisturbed_load(&old, dir, slug, error, error_bytes))
        return false;
    if (!is_news(best, &old))
        return true;
    file_path(dir, slug, path, sizeof path);
    snprintf(folder, sizeof folder, "%.3000s/%.200s", dir, slug);
    return make_folder(dir, error, error_bytes) && make_folder(folder, error, error_bytes) &&
           new_file_open(&n, path, error, error_bytes) &&
           new_file_close(&n, write_rates(n.file, best, &old), error, error_bytes);
}
