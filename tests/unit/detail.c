/* detail.c - whether mmk_error_detail() says what it should.
 * SPDX-License-Identifier: MIT
 */
#include "detail.h"
#include "../../kernels/mmk.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool of_a_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool has_word(const char *text, const char *word, size_t length)
{
    for (const char *at = text; (at = strchr(at, word[0])) != NULL; at++)
        if (strncmp(at, word, length) == 0 && (at == text || !of_a_word(at[-1])) &&
            !(of_a_word(word[length - 1]) && of_a_word(at[length])))
            return true;
    return false;
}

bool detail_says(const char *parts)
{
    const char *text = mmk_error_detail();
    for (const char *word = parts; *word != '\0';) {
        size_t length = strcspn(word, " ");
        if (!has_word(text, word, length)) {
            fprintf(stderr, "the detail is \"%s\", must have: %s\n", text, parts);
            return false;
        }
        word += length;
        word += strspn(word, " ");
    }
    return true;
}
