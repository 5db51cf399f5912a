/* test_text.c - what text_write_json writes a reader of JSON takes, and takes for the same text;
 * words of a list.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* Writes the text and has jansson read it; to be freed with json_decref. */
static json_t *through_json(const char *text)
{
    char *written;
    size_t bytes;
    FILE *file = open_memstream(&written, &bytes);
    assert_non_null(file);
    text_write_json(file, text);
    assert_int_equal(fclose(file), 0);
    json_error_t error;
    json_t *read = json_loads(written, JSON_DECODE_ANY, &error);
    if (!read)
        fail_msg("%s: %s", written, error.text);
    assert_true(json_is_string(read));
    free(written);
    return read;
}

static void comes_back_as(const char *text, const char *expected)
{
    json_t *read = through_json(text);
    assert_string_equal(json_string_value(read), expected);
    json_decref(read);
}

static void test_texts_come_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "plain",
                                        "\"\\/\b\f\n\r\t\x01\x1f\x7f",
                                        "%s%n \\u0041",
                                        "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        comes_back_as(texts[i], texts[i]);
}

#define UNKNOWN "\xef\xbf\xbd"

static void test_what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    comes_back_as("a\xff z", "a" UNKNOWN " z");
    comes_back_as("\xe2\x82", UNKNOWN UNKNOWN);                         /* cut off */
    comes_back_as("\xe2\x82\"", UNKNOWN UNKNOWN "\"");                  /* before a quote */
    comes_back_as("\xc0\x80", UNKNOWN UNKNOWN);                         /* longer than need be */
    comes_back_as("\xe0\x9f\xbf", UNKNOWN UNKNOWN UNKNOWN);             /* longer than need be */
    comes_back_as("\xed\xa0\x80", UNKNOWN UNKNOWN UNKNOWN);             /* a surrogate */
    comes_back_as("\xf4\x90\x80\x80", UNKNOWN UNKNOWN UNKNOWN UNKNOWN); /* beyond U+10FFFF */
}

static void test_any_three_bytes_can_be_read(void **state)
{
    (void)state;
    static const unsigned char ends[] = {'"', '\\', 0x7f, 0x80, 0xbf, 0xc3, 0xff};
    for (int first = 1; first < 256; first++)
        for (int second = 1; second < 256; second++) {
            char text[4] = {(char)first, (char)second,
                            (char)ends[(size_t)(first + second) % sizeof ends], '\0'};
            json_decref(through_json(text));
        }
}

static void test_a_list_has_whole_words(void **state)
{
    (void)state;
    assert_true(text_list_has("openblas,onednn", "openblas"));
    assert_true(text_list_has("openblas,onednn", "onednn"));
    assert_false(text_list_has("openblas,onednn", "open"));
    assert_false(text_list_has("openblas,onednn", "blas"));
    assert_false(text_list_has("open", "openblas"));
    assert_false(text_list_has("", "openblas"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_come_back),
        cmocka_unit_test(test_what_is_no_utf8_is_replaced),
        cmocka_unit_test(test_any_three_bytes_can_be_read),
        cmocka_unit_test(test_a_list_has_whole_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
