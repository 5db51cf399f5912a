/* json_parts.c - what files of JSON have in common.
 * SPDX-License-Identifier: MIT
 */
#include "json_parts.h"

#include "../base/memory.h"
#include "../base/regular.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *allocate(size_t bytes)
{
    return memory_new(1, bytes);
}

void json_end_without_memory(void)
{
    json_set_alloc_funcs(allocate, free);
}

json_t *json_from_machine(const struct machine *m)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, "
        "s:s, s:s, s:i}",
        "cpu", m->cpu, "slug", m->slug, "architecture", m->architecture, "extensions",
        m->extensions, "hypervisor", m->hypervisor, "cpus", m->cpus, "l1d_bytes",
        (json_int_t)m->l1d, "l2_bytes", (json_int_t)m->l2, "l3_bytes", (json_int_t)m->l3,
        "caches_known", m->caches_known, "governor", m->governor, "counters", m->counters, "system",
        m->system, "compiler", m->compiler, "flags", m->flags, "library", m->library, "commit",
        m->commit, "date", m->date, "numerics", m->numerics);
}

bool json_write_value(FILE *file, json_t *value)
{
    if (!value)
        return false;
    int status = json_dumpf(value, file, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(value);
    return status == 0;
}

json_t *json_open(const char *path, const char *format, char *error, size_t error_bytes)
{
    json_error_t problem;
    size_t size;
    int fd = regular_open(path, &size, error, error_bytes);
    if (fd < 0)
        return NULL;
    json_end_without_memory();
    json_t *root = json_loadfd(fd, 0, &problem);
    close(fd);
    if (!root) {
        snprintf(error, error_bytes,
                 "%s is no JSON file (%s); remove it, restore it or give another", path,
                 problem.text);
        return NULL;
    }
    const char *found = json_string_value(json_object_get(root, "format"));
    if (found && strcmp(found, format) == 0)
        return root;
    if (found)
        snprintf(error, error_bytes, "%s has the format %.40s, not %s; give a file of the latter",
                 path, found, format);
    else
        json_disown(path, format, error, error_bytes);
    json_decref(root);
    return NULL;
}

void json_disown(const char *path, const char *format, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes,
             "%s is no whole file of the format %s; remove it, restore it or give another", path,
             format);
}

void json_make_one_line(char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            *at = ' ';
}

void json_get_text(const json_t *object, const char *key, char *text, size_t bytes)
{
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(text, bytes, "%s", value ? value : "unknown");
    json_make_one_line(text);
}

double json_get_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

size_t json_get_size(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

void json_get_machine(const json_t *object, struct machine *m)
{
    json_get_text(object, "cpu", m->cpu, sizeof m->cpu);
    json_get_text(object, "slug", m->slug, sizeof m->slug);
    json_get_text(object, "architecture", m->architecture, sizeof m->architecture);
    json_get_text(object, "extensions", m->extensions, sizeof m->extensions);
    json_get_text(object, "hypervisor", m->hypervisor, sizeof m->hypervisor);
    m->cpus = (int)json_get_size(object, "cpus");
    m->l1d = json_get_size(object, "l1d_bytes");
    m->l2 = json_get_size(object, "l2_bytes");
    m->l3 = json_get_size(object, "l3_bytes");
    m->caches_known = json_is_true(json_object_get(object, "caches_known"));
    json_get_text(object, "governor", m->governor, sizeof m->governor);
    json_get_text(object, "counters", m->counters, sizeof m->counters);
    json_get_text(object, "system", m->system, sizeof m->system);
    json_get_text(object, "compiler", m->compiler, sizeof m->compiler);
    json_get_text(object, "flags", m->flags, sizeof m->flags);
    json_get_text(object, "library", m->library, sizeof m->library);
    json_get_text(object, "commit", m->commit, sizeof m->commit);
    json_get_text(object, "date", m->date, sizeof m->date);
    m->numerics = (int)json_get_size(object, "numerics"); /* older runs have none */
}
