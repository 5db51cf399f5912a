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

#define RATES_FORMAT "mmk-undisturbed-1"
#define CLOCK_FORMAT "mmk-clock-1"

static const char rates_file[] = "undisturbed.json", clock_file[] = "clock.json";

static void file_path(const char *dir, const char *slug, const char *file, char *path, size_t bytes)
{
    snprintf(path, bytes, "%.3000s/%.200s/%s", dir, slug, file);
}

static bool load_rates(struct mood_best *best, const char *path, char *error, size_t error_bytes)
{
    if (access(path, F_OK) != 0)
        return true;
    json_t *root = json_open(path, RATES_FORMAT, error, error_bytes);
    const json_t *rates = json_object_get(root, "per_own_clock");
    for (int c = 0; c < CANARY_COUNT; c++) {
        if (canary_peaks[c] == PEAK_CLOCK)
            continue;
        double rate = json_get_number(rates, peak_name(canary_peaks[c]));
        best->rate[c] = rate > best->rate[c] ? rate : best->rate[c];
    }
    if (root)
        best->clock = json_get_number(root, "stated_clock_hz");
    json_decref(root);
    return root != NULL;
}

static bool load_clock(struct mood_best *best, const char *path, char *error, size_t error_bytes)
{
    if (access(path, F_OK) != 0)
        return true;
    json_t *root = json_open(path, CLOCK_FORMAT, error, error_bytes);
    if (root)
        best->clock = json_get_number(root, "stated_clock_hz");
    json_decref(root);
    return root != NULL;
}

bool undisturbed_load(struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes)
{
    char rates[4000], clock[4000];
    file_path(dir, slug, rates_file, rates, sizeof rates);
    file_path(dir, slug, clock_file, clock, sizeof clock);
    return load_rates(best, rates, error, error_bytes) &&
           load_clock(best, clock, error, error_bytes);
}

/* Whether one of the rates that are kept is higher, by more than the digits that are written. */
static bool is_better(const struct mood_best *best, const struct mood_best *old)
{
    for (int c = 0; c < CANARY_COUNT; c++)
        if (canary_peaks[c] != PEAK_CLOCK && best->rate[c] > old->rate[c] * (1.0 + 1e-5))
            return true;
    return false;
}

static json_t *rates_to_json(const struct mood_best *best, const struct mood_best *old)
{
    json_t *rates = json_object();
    for (int c = 0; c < CANARY_COUNT; c++)
        if (canary_peaks[c] != PEAK_CLOCK)
            json_object_set_new(
                rates, peak_name(canary_peaks[c]),
                json_real(best->rate[c] > old->rate[c] ? best->rate[c] : old->rate[c]));
    return json_pack("{s:s, s:f, s:o}", "format", RATES_FORMAT, "stated_clock_hz",
                     old->clock > 0.0 ? old->clock : best->clock, "per_own_clock", rates);
}

static bool write_object(const char *path, json_t *object, char *error, size_t error_bytes)
{
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes)) {
        json_decref(object);
        return false;
    }
    bool good = json_write_value(n.file, object);
    fprintf(n.file, "\n");
    return new_file_close(&n, good && !ferror(n.file), error, error_bytes);
}

static bool make_folder(const char *path, char *error, size_t error_bytes)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    snprintf(error, error_bytes, "%s cannot be made (%s); give a folder that can be written to",
             path, strerror(errno));
    return false;
}

static bool make_folders(const char *dir, const char *slug, char *error, size_t error_bytes)
{
    char folder[3300];
    snprintf(folder, sizeof folder, "%.3000s/%.200s", dir, slug);
    return make_folder(dir, error, error_bytes) && make_folder(folder, error, error_bytes);
}

bool undisturbed_save(const struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes)
{
    char path[4000];
    struct mood_best old = {.clock = 0.0};
    if (!undisturbed_load(&old, dir, slug, error, error_bytes))
        return false;
    if (!is_better(best, &old) && (old.clock > 0.0 || !(best->clock > 0.0)))
        return true;
    json_end_without_memory();
    file_path(dir, slug, rates_file, path, sizeof path);
    return make_folders(dir, slug, error, error_bytes) &&
           write_object(path, rates_to_json(best, &old), error, error_bytes);
}

bool undisturbed_save_clock(const struct mood_best *best, const char *dir, const char *slug,
                            char *error, size_t error_bytes)
{
    char path[4000];
    file_path(dir, slug, clock_file, path, sizeof path);
    if (!(best->clock > 0.0) || access(path, F_OK) == 0)
        return true;
    json_end_without_memory();
    return make_folders(dir, slug, error, error_bytes) &&
           write_object(
               path,
               json_pack("{s:s, s:f}", "format", CLOCK_FORMAT, "stated_clock_hz", best->clock),
               error, error_bytes);
}
