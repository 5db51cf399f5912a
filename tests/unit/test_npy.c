/* test_npy.c - the bench's reader of .npy: good files of each type, and bad ones of many kinds.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/npy.h"
#include "../../bench/data/open_vectors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, P_tmpdir "/mmk-test-npy-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    return remove(path);
}

static void write_bytes(const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* A file as numpy.save writes it: the header padded so that the data begins at a multiple of 64. */
static void write_npy(unsigned char major, const char *dict, const void *data, size_t data_bytes)
{
    unsigned char file[4096];
    size_t prefix = major == 1 ? 10 : 12, length = strlen(dict);
    size_t header = (prefix + length + 1 + 63) / 64 * 64 - prefix;
    assert_true(prefix + header + data_bytes <= sizeof file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = major;
    file[7] = 0;
    for (size_t i = 8; i < prefix; i++)
        file[i] = (unsigned char)(header >> 8 * (i - 8));
    memset(file + prefix, ' ', header);
    memcpy(file + prefix, dict, length);
    file[prefix + header - 1] = '\n';
    if (data_bytes > 0)
        memcpy(file + prefix + header, data, data_bytes);
    write_bytes(file, prefix + header + data_bytes);
}

#define DICT(descr, order, shape)                                                                  \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }"

static bool npy_open(bool bf16, struct vectors *npy, char *error, size_t error_bytes)
{
    return vectors_open_as(path, ".npy", &(struct vectors_how){.bf16 = bf16}, npy, error,
                           error_bytes);
}

static struct vectors open_good(void)
{
    struct vectors npy;
    char error[512] = "";
    if (!npy_open(false, &npy, error, sizeof error))
        fail_msg("%s", error);
    return npy;
}

/* Refused, in one line that names the file and says `expected`. */
static void refuse(const char *expected)
{
    struct vectors npy;
    char error[512] = "";
    assert_false(npy_open(false, &npy, error, sizeof error));
    if (!strstr(error, path) || !strstr(error, expected) || strchr(error, '\n') ||
        !strstr(error, "; "))
        fail_msg("the message should name the file, \"%s\" and a remedy: %s", expected, error);
    assert_null(npy.data);
    vectors_close(&npy); /* harmless after a failure */
}

static const float six[] = {1.0f, -2.0f, 0.5f, 3e38f, -0.0f, 1e-45f};

/* ---- Good files -------------------------------------------------------------------------------
 */

static void test_f32(void **state)
{
    (void)state;
    for (unsigned char major = 1; major <= 3; major++) {
        write_npy(major, DICT("<f4", "False", "(2, 3)"), six, sizeof six);
        struct vectors npy = open_good();
        assert_int_equal(npy.rows, 2);
        assert_int_equal(npy.cols, 3);
        assert_string_equal(stored_name(npy.stored), "f32");
        assert_null(npy.owned); /* the file itself is the matrix */
        assert_memory_equal(npy.data, six, sizeof six);
        vectors_close(&npy);
    }
}

static void test_f64(void **state)
{
    (void)state;
    const double values[] = {1.0, 0.1, -1e-50, INFINITY};
    write_npy(1, DICT("<f8", "False", "(4, 1)"), values, sizeof values);
    struct vectors npy = open_good();
    assert_int_equal(npy.rows, 4);
    assert_int_equal(npy.cols, 1);
    assert_string_equal(stored_name(npy.stored), "f64");
    assert_true(npy.data[0] == 1.0f && npy.data[1] == 0.1f && npy.data[2] == 0.0f);
    assert_true(isinf(npy.data[3]));
    vectors_close(&npy);
}

static void test_f16(void **state)
{
    (void)state;
    /* 1, -2, largest, smallest normal, largest and smallest subnormal, -0, Inf */
    const uint16_t halves[] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8000, 0x7c00};
    const float floats[] = {1.0f,         -2.0f,    65504.0f, 0x1p-14f,
                            0x1.ff8p-15f, 0x1p-24f, -0.0f,    INFINITY};
    write_npy(1, DICT("<f2", "False", "(2, 4)"), halves, sizeof halves);
    struct vectors npy = open_good();
    assert_string_equal(stored_name(npy.stored), "f16");
    assert_memory_equal(npy.data, floats, sizeof floats);
    vectors_close(&npy);
}

/* 1, -2, largest, -0, a quiet NaN, -Inf */
static const uint16_t bf16[] = {0x3f80, 0xc000, 0x7f7f, 0x8000, 0x7fc1, 0xff80};

static void test_bf16(void **state)
{
    (void)state;
    static const char *const dicts[] = {DICT("<u2", "False", "(3, 2)"),
                                        DICT("<V2", "False", "(3, 2)"),
                                        DICT("|V2", "False", "(3, 2)")};
    static const uint32_t bits[] = {0x3f800000, 0xc0000000, 0x7f7f0000,
                                    0x80000000, 0x7fc10000, 0xff800000};
    for (size_t i = 0; i < sizeof dicts / sizeof dicts[0]; i++) {
        struct vectors npy;
        char error[512] = "";
        write_npy(1, dicts[i], bf16, sizeof bf16);
        refuse("--bf16");
        if (!npy_open(true, &npy, error, sizeof error))
            fail_msg("%s", error);
        assert_string_equal(stored_name(npy.stored), "bf16");
        assert_int_equal(npy.rows, 3);
        assert_int_equal(npy.cols, 2);
        assert_memory_equal(npy.data, bits, sizeof bits);
        vectors_close(&npy);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    const unsigned char bytes[] = {0, 1, 127, 128, 254, 255};
    const float as_i8[] = {0, 1, 127, -128, -2, -1}, as_u8[] = {0, 1, 127, 128, 254, 255};
    write_npy(2, DICT("|i1", "False", "(2, 3)"), bytes, sizeof bytes);
    struct vectors npy = open_good();
    assert_string_equal(stored_name(npy.stored), "i8");
    assert_memory_equal(npy.data, as_i8, sizeof as_i8);
    vectors_close(&npy);
    write_npy(3, DICT("|u1", "False", "(6, 1)"), bytes, sizeof bytes);
    npy = open_good();
    assert_string_equal(stored_name(npy.stored), "u8");
    assert_memory_equal(npy.data, as_u8, sizeof as_u8);
    vectors_close(&npy);
}

static void test_nan_is_allowed(void **state)
{
    (void)state;
    const uint16_t halves[] = {0x7e00, 0x3c00};
    const float floats[] = {NAN, 1.0f};
    const double doubles[] = {NAN, 1.0};
    write_npy(1, DICT("<f2", "False", "(1, 2)"), halves, sizeof halves);
    struct vectors npy = open_good();
    assert_true(isnan(npy.data[0]) && npy.data[1] == 1.0f);
    vectors_close(&npy);
    write_npy(1, DICT("<f4", "False", "(1, 2)"), floats, sizeof floats);
    npy = open_good();
    assert_true(isnan(npy.data[0]) && npy.data[1] == 1.0f);
    vectors_close(&npy);
    write_npy(1, DICT("<f8", "False", "(1, 2)"), doubles, sizeof doubles);
    npy = open_good();
    assert_true(isnan(npy.data[0]) && npy.data[1] == 1.0f);
    vectors_close(&npy);
}

static void test_one_dimension_is_a_row(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "False", "(6,)"), six, sizeof six);
    struct vectors npy = open_good();
    assert_int_equal(npy.rows, 1);
    assert_int_equal(npy.cols, 6);
    vectors_close(&npy);
    write_npy(1, DICT("<f4", "True", "(6,)"), six, sizeof six); /* both orders are the same */
    npy = open_good();
    vectors_close(&npy);
}

static void test_other_spellings_of_the_dict(void **state)
{
    (void)state;
    static const char *const dicts[] = {
        "{\"shape\": (2,3), \"descr\": \"<f4\", \"fortran_order\": False}",
        "{'fortran_order':False,'shape':(2,3,),'descr':'<f4',}",
        "{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 ) , }",
    };
    for (size_t i = 0; i < sizeof dicts / sizeof dicts[0]; i++) {
        write_npy(1, dicts[i], six, sizeof six);
        struct vectors npy = open_good();
        assert_int_equal(npy.cols, 3);
        vectors_close(&npy);
    }
}

/* Nobody promises that the data begins at a multiple of four. */
static void test_misaligned_data(void **state)
{
    (void)state;
    const char dict[] = DICT("<f4", "False", "(2, 3)") "\n";
    unsigned char file[256];
    size_t length = strlen(dict), odd = (10 + length) % 4 == 0 ? 1 : 0;
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)(length + odd);
    file[9] = 0;
    memset(file + 10, ' ', 1);
    memcpy(file + 10, dict, length - 1);
    memset(file + 10 + length - 1, ' ', odd);
    file[10 + length + odd - 1] = '\n';
    memcpy(file + 10 + length + odd, six, sizeof six);
    write_bytes(file, 10 + length + odd + sizeof six);
    struct vectors npy = open_good();
    assert_non_null(npy.owned);
    assert_memory_equal(npy.data, six, sizeof six);
    vectors_close(&npy);
}

/* ---- Bad files --------------------------------------------------------------------------------
 */

static void test_missing_file(void **state)
{
    (void)state;
    struct vectors npy;
    char error[512];
    const struct vectors_how how = {.bf16 = false};
    assert_false(vectors_open("/nonexistent/x.npy", &how, &npy, error, sizeof error));
    assert_non_null(strstr(error, "/nonexistent/x.npy"));
    assert_false(vectors_open(P_tmpdir, &how, &npy, error, sizeof error));
    assert_non_null(strstr(error, "regular file"));
}

static void test_empty_file(void **state)
{
    (void)state;
    write_bytes("", 0);
    refuse("empty");
}

static void test_magic(void **state)
{
    (void)state;
    static const char archive[] = "PK\x03\x04 an .npz archive, not an array";
    write_bytes(archive, sizeof archive);
    refuse("magic");
    write_bytes("\x93NUMP", 5);
    refuse("magic");
}

static void test_version(void **state)
{
    (void)state;
    write_npy(4, DICT("<f4", "False", "(2, 3)"), six, sizeof six);
    refuse("format 4.0");
}

static void test_header_beyond_the_end(void **state)
{
    (void)state;
    write_bytes("\x93NUMPY\x01\x00\xff\xff{'descr': '<f4'", 26);
    refuse("within its header");
    write_bytes("\x93NUMPY\x02\x00\xff\xff\xff", 11);
    refuse("within its header");
}

static void test_header_is_no_dict(void **state)
{
    (void)state;
    static const char *const dicts[] = {
        "['descr', '<f4']",
        "",
        "{'descr' '<f4'}",
        "{descr: '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} trailing",
    };
    for (size_t i = 0; i < sizeof dicts / sizeof dicts[0]; i++) {
        write_npy(1, dicts[i], six, sizeof six);
        refuse("header");
    }
}

static void test_keys(void **state)
{
    (void)state;
    write_npy(1, "{'descr': '<f4', 'shape': (2, 3)}", six, sizeof six);
    refuse("lacks 'fortran_order'");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False}", six, sizeof six);
    refuse("lacks 'shape'");
    write_npy(1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", six,
              sizeof six);
    refuse("twice");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'extra': 1}", six,
              sizeof six);
    refuse("unknown key 'extra'");
    write_npy(1, DICT("<f4", "Maybe", "(2, 3)"), six, sizeof six);
    refuse("neither True nor False");
}

static void test_fortran_order(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "True", "(2, 3)"), six, sizeof six);
    refuse("ascontiguousarray");
    write_npy(1, DICT("<f2", "True", "(2, 3)"), six, 12);
    refuse("ascontiguousarray");
}

static void test_big_endian(void **state)
{
    (void)state;
    write_npy(1, DICT(">f4", "False", "(2, 3)"), six, sizeof six);
    refuse("big-endian");
    write_npy(1, DICT(">f2", "False", "(2, 3)"), six, 12);
    refuse("big-endian");
    write_npy(1, DICT(">u2", "False", "(2, 3)"), six, 12);
    refuse("big-endian");
}

static void test_other_types(void **state)
{
    (void)state;
    write_npy(1, DICT("|O", "False", "(2, 3)"), six, sizeof six);
    refuse("Python objects");
    write_npy(1, DICT("<i4", "False", "(2, 3)"), six, sizeof six);
    refuse("'<i4'");
    write_npy(1, DICT("<f16", "False", "(2, 3)"), six, sizeof six); /* 16 bytes, not 16 bits */
    refuse("'<f16'");
    write_npy(1, DICT("", "False", "(2, 3)"), six, sizeof six);
    refuse("only <f2");
    write_npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", six,
              sizeof six);
    refuse("structured");
}

static void test_truncated(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "False", "(2, 3)"), six, sizeof six - 1);
    refuse("truncated");
    write_npy(1, DICT("<f4", "False", "(2, 3)"), six, 0);
    refuse("truncated");
    write_npy(1, DICT("<f2", "False", "(2, 3)"), six, 11);
    refuse("truncated");
    write_npy(1, DICT("|u1", "False", "(2, 3)"), six, 5);
    refuse("truncated");
}

static void test_trailing_bytes(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "False", "(1, 5)"), six, sizeof six);
    refuse("4 bytes follow");
    write_npy(1, DICT("|i1", "False", "(1, 5)"), six, 6);
    refuse("1 bytes follow");
}

static void test_dimensions(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "False", "(1, 2, 3)"), six, sizeof six);
    refuse("3 dimensions");
    write_npy(1, DICT("<f4", "False", "()"), six, sizeof(float));
    refuse("single number");
    write_npy(1, DICT("<f4", "False", "(1,1,1,1,1,1,1,1,6)"), six, sizeof six);
    refuse("more than 8");
}

static void test_shape_that_is_none(void **state)
{
    (void)state;
    static const char *const dicts[] = {
        DICT("<f4", "False", "[2, 3]"),  DICT("<f4", "False", "(6)"),
        DICT("<f4", "False", "(-2, 3)"), DICT("<f4", "False", "(2L, 3L)"),
        DICT("<f4", "False", "(2., 3)"),
    };
    for (size_t i = 0; i < sizeof dicts / sizeof dicts[0]; i++) {
        write_npy(1, dicts[i], six, sizeof six);
        refuse("'shape'");
    }
}

static void test_zero_rows(void **state)
{
    (void)state;
    write_npy(1, DICT("<f4", "False", "(0, 3)"), NULL, 0);
    refuse("empty");
    write_npy(1, DICT("<f4", "False", "(3, 0)"), NULL, 0);
    refuse("empty");
    write_npy(1, DICT("<f4", "False", "(0,)"), NULL, 0);
    refuse("empty");
}

static void test_overflowing_shape(void **state)
{
    (void)state;
    /* 2^32 x 2^32 elements are 0 modulo 2^64; 2^62 floats are 0 bytes modulo 2^64. */
    write_npy(1, DICT("<f4", "False", "(4294967296, 4294967296)"), NULL, 0);
    refuse("address space");
    write_npy(1, DICT("<f4", "False", "(4611686018427387904, 1)"), NULL, 0);
    refuse("address space");
    write_npy(1, DICT("<f4", "False", "(99999999999999999999, 1)"), NULL, 0);
    refuse("64 bits");
}

static void test_double_beyond_float(void **state)
{
    (void)state;
    const double values[] = {1.0, 2.0, 3.0, 1e300};
    write_npy(1, DICT("<f8", "False", "(2, 2)"), values, sizeof values);
    refuse("row 1, column 1");
}

/* ---- Labels -----------------------------------------------------------------------------------
 */

static void labels_are(const char *dict, const void *data, size_t bytes, const int64_t right[3])
{
    int64_t *values;
    size_t count;
    char error[512];
    write_npy(1, dict, data, bytes);
    if (!npy_read_integers(path, &values, &count, error, sizeof error))
        fail_msg("%s", error);
    assert_int_equal(count, 3);
    assert_memory_equal(values, right, 3 * sizeof *right);
    free(values);
}

static void test_labels(void **state)
{
    (void)state;
    labels_are(DICT("|i1", "False", "(3,)"), (const int8_t[]){1, -1, -128}, 3,
               (const int64_t[]){1, -1, -128});
    labels_are(DICT("|u1", "False", "(3,)"), (const uint8_t[]){1, 255, 128}, 3,
               (const int64_t[]){1, 255, 128});
    labels_are(DICT("<i2", "False", "(3,)"), (const int16_t[]){1, -1, -32768}, 6,
               (const int64_t[]){1, -1, -32768});
    labels_are(DICT("<u2", "True", "(3,)"), (const uint16_t[]){1, 65535, 32768}, 6,
               (const int64_t[]){1, 65535, 32768});
    labels_are(DICT("<i4", "False", "(3,)"), (const int32_t[]){1, -1, INT32_MIN}, 12,
               (const int64_t[]){1, -1, INT32_MIN});
    labels_are(DICT("<u4", "False", "(3,)"), (const uint32_t[]){1, UINT32_MAX, 7}, 12,
               (const int64_t[]){1, UINT32_MAX, 7});
    labels_are(DICT("<i8", "False", "(3,)"), (const int64_t[]){1, -1, INT64_MIN}, 24,
               (const int64_t[]){1, -1, INT64_MIN});
    labels_are(DICT("<u8", "False", "(3,)"), (const uint64_t[]){1, INT64_MAX, 7}, 24,
               (const int64_t[]){1, INT64_MAX, 7});
}

static void refuse_labels(const char *dict, const void *data, size_t bytes, const char *expected)
{
    int64_t *values;
    size_t count;
    char error[512] = "";
    write_npy(1, dict, data, bytes);
    assert_false(npy_read_integers(path, &values, &count, error, sizeof error));
    if (!strstr(error, path) || !strstr(error, expected))
        fail_msg("the message should name the file and \"%s\": %s", expected, error);
}

static void test_labels_that_are_none(void **state)
{
    (void)state;
    static const uint64_t large[] = {1, UINT64_MAX, 2};
    refuse_labels(DICT("<f4", "False", "(3,)"), large, 12, "'<f4'");
    refuse_labels(DICT(">i4", "False", "(3,)"), large, 12, "'>i4'");
    refuse_labels(DICT("<i3", "False", "(3,)"), large, 9, "'<i3'");
    refuse_labels(DICT("<i1", "False", "(3,)"), large, 3, "'<i1'");
    refuse_labels(DICT("|b1", "False", "(3,)"), large, 3, "'|b1'");
    refuse_labels(DICT("<i", "False", "(3,)"), large, 3, "'<i'");
    refuse_labels(DICT("<i8", "False", "(3, 1)"), large, 24, "2 dimensions");
    refuse_labels(DICT("<i8", "False", "(0,)"), large, 0, "empty");
    refuse_labels(DICT("<i8", "False", "(4,)"), large, 24, "truncated");
    refuse_labels(DICT("<i8", "False", "(2,)"), large, 24, "8 bytes follow");
    refuse_labels(DICT("<i8", "False", "(2305843009213693952,)"), large, 24, "truncated");
    refuse_labels(DICT("<u8", "False", "(3,)"), large, 24, "label 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_nan_is_allowed),
        cmocka_unit_test(test_one_dimension_is_a_row),
        cmocka_unit_test(test_other_spellings_of_the_dict),
        cmocka_unit_test(test_misaligned_data),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_magic),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_header_beyond_the_end),
        cmocka_unit_test(test_header_is_no_dict),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_fortran_order),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_trailing_bytes),
        cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_shape_that_is_none),
        cmocka_unit_test(test_zero_rows),
        cmocka_unit_test(test_overflowing_shape),
        cmocka_unit_test(test_double_beyond_float),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_labels_that_are_none),
    };
    return cmocka_run_group_tests_name("npy", tests, make_path, remove_path);
}
