/* text.c - numbers as a reader of a table wants them, and errors of the library in words.
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

void text_3(double value, char *text, size_t bytes)
{
    int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, bytes, "%.*f", digits, value);
}

void text_seconds(double seconds, char *text, size_t bytes)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1.0, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
    size_t u = 0;
    while (u < 3 && seconds < 0.9995 * units[u].unit)
        u++;
    char number[24];
    text_3(seconds / units[u].unit, number, sizeof number);
    snprintf(text, bytes, "%s %s", number, units[u].name);
}

void text_bytes(double bytes_value, char *text, size_t bytes)
{
    static const char *const names[] = {"B", "KB", "MB", "GB"};
    int u = 0;
    while (u < 3 && bytes_value >= 1000.0) {
        bytes_value /= 1000.0;
        u++;
    }
    char number[24];
    text_3(bytes_value, number, sizeof number);
    snprintf(text, bytes, "%s %s", number, names[u]);
}

void text_status(enum mmk_status status, char *text, size_t bytes)
{
    const char *detail = mmk_error_detail();
    snprintf(text, bytes, "%s%s%s%s", mmk_status_string(status), detail[0] ? " (" : "", detail,
             detail[0] ? ")" : "");
}

void text_write_xml(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

bool text_list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at;) {
        size_t next = strcspn(at, ",");
        if (next == length && strncmp(at, word, length) == 0)
            return true;
        at += next + (at[next] == ',');
    }
    return false;
}

/* Bytes of the character that text begins with; 0: that is no UTF-8. Neither surrogates nor forms
 * that are longer than need be are. */
static int utf8_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    int length = first < 0x80       ? 1
                 : first >> 5 == 6  ? 2
                 : first >> 4 == 14 ? 3
                 : first >> 3 == 30 ? 4
                                    : 0;
    uint32_t code = length == 1 ? first : first & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) /* the end of the text, too */
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[length] || code > 0x10ffff || code >> 11 == 0x1b)
        return 0;
    return length;
}

void text_write_json(FILE *out, const char *text)
{
    fputc('"', out);
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int length = utf8_length(at);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*at < ' ' || *at == 0x7f)
            fprintf(out, "\\u%04x", *at);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else
            fwrite(at, 1, (size_t)length, out);
        at += length ? length : 1;
    }
    fputc('"', out);
}
