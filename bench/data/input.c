/* input.c - a whole input file in memory, and what is said of it.
 * SPDX-License-Identifier: MIT
 */
#include "input.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *input_ending(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

bool input_open(struct input *in)
{
    return mapping_open(&in->file, in->path, in->error, in->error_bytes);
}

void input_close(struct input *in)
{
    mapping_close(&in->file);
}

bool input_fail(const struct input *in, const char *format, ...)
{
    int used = snprintf(in->error, in->error_bytes, "%s: ", in->path);
    if (used >= 0 && (size_t)used < in->error_bytes) {
        va_list list;
        va_start(list, format);
        vsnprintf(in->error + used, in->error_bytes - (size_t)used, format, list);
        va_end(list);
    }
    return false;
}

void input_tell(const struct input *in, size_t done, size_t size, size_t *told)
{
    const size_t step = 64u << 20;
    if (!in->progress || done - *told < step)
        return;
    const char *slash = strrchr(in->path, '/');
    char text[120];
    *told = done;
    snprintf(text, sizeof text, "reading %.60s, %.0f %%", slash ? slash + 1 : in->path,
             100.0 * (double)done / (double)size);
    in->progress(text);
}

bool input_head(const struct input *in, uint32_t head[2])
{
    if (in->file.size < INPUT_HEAD_BYTES)
        return input_fail(in,
                          "is too short for a %s file, which begins with the numbers of rows and "
                          "columns in 8 bytes; write it again",
                          in->ending);
    memcpy(head, in->file.bytes, INPUT_HEAD_BYTES);
    if (head[0] == 0 || head[1] == 0)
        return input_fail(in, "holds %u x %u numbers; give at least one row", head[0], head[1]);
    return true;
}

bool input_next_row(const struct input *in, size_t row, size_t bytes, size_t *at, size_t *length)
{
    size_t left = in->file.size - *at;
    int32_t said;
    if (left < sizeof said)
        return input_fail(
            in, "row %zu, at byte %zu, ends within its length; copy or write it again", row, *at);
    memcpy(&said, in->file.bytes + *at, sizeof said);
    if (said < 0)
        return input_fail(in,
                          "row %zu, at byte %zu, says that it has %d elements, which no row of a "
                          "%s file has; write it again",
                          row, *at, said, in->ending);
    *length = (size_t)said;
    left -= sizeof said;
    if (left / bytes < *length)
        return input_fail(in,
                          "row %zu, at byte %zu, says that it has %zu elements, and %zu bytes are "
                          "left; copy or write it again",
                          row, *at, *length, left);
    *at += sizeof said + *length * bytes;
    return true;
}
