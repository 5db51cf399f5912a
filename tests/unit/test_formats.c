/* test_formats.c - the bench's readers of binary vectors and lists beside .npy: .fbin and its kin,
 * .fvecs, .bvecs, .ivecs, .ibin; right values of each, and what is refused.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/data.h"
#include "../../bench/data/lists.h"
#include "../../bench/data/open_vectors.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, P_tmpdir "/mmk-test-formats-XXXXXX");
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

/* A file put together piece by piece. */
static unsigned char file[1 << 18];
static size_t used;

static void put(const void *bytes, size_t count)
{
    assert_true(count <= sizeof file - used);
    memcpy(file + used, bytes, count);
    used += count;
}

static void put_u32(uint32_t number)
{
    put(&number, sizeof number);
}

static void write_file(void)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, used, out), used);
    assert_int_equal(fclose(out), 0);
    used = 0;
}

/* rows x cols elements of `bytes` each, behind a head. */
static void write_bin(uint32_t rows, uint32_t cols, const void *data, size_t data_bytes)
{
    put_u32(rows);
    put_u32(cols);
    put(data, data_bytes);
    write_file();
}

/* Each row behind its length. */
static void write_vecs(uint32_t rows, uint32_t cols, const void *data, size_t bytes)
{
    for (uint32_t i = 0; i < rows; i++) {
        put_u32(cols);
        put((const char *)data + i * cols * bytes, cols * bytes);
    }
    write_file();
}

static struct vectors open_good(const char *ending)
{
    struct vectors vectors;
    char error[512] = "";
    if (!vectors_open_as(path, ending, &(struct vectors_how){.bf16 = false}, &vectors, error,
                         sizeof error))
        fail_msg("%s", error);
    return vectors;
}

/* One sentence that names the file, says `expected` and what to do. */
static void check_message(const char *error, const char *expected)
{
    if (!strstr(error, path) || !strstr(error, expected) || strchr(error, '\n') ||
        !strstr(error, "; "))
        fail_msg("the message should name the file, \"%s\" and a remedy: %s", expected, error);
}

static void refuse(const char *ending, const char *expected)
{
    struct vectors vectors;
    char error[512] = "";
    assert_false(vectors_open_as(path, ending, &(struct vectors_how){.bf16 = false}, &vectors,
                                 error, sizeof error));
    check_message(error, expected);
    assert_null(vectors.data);
    vectors_close(&vectors); /* harmless after a failure */
}

static const float six[] = {1.0f, -2.0f, 0.5f, 3e38f, -0.0f, 1e-45f};
static const unsigned char bytes[] = {0, 1, 127, 128, 254, 255};
static const float as_i8[] = {0, 1, 127, -128, -2, -1}, as_u8[] = {0, 1, 127, 128, 254, 255};

/* ---- Vectors that are right ------------------------------------------------------------------ */

static void check_rows(const char *ending, const char *type, size_t rows, size_t cols, bool mapped,
                       const float *right)
{
    struct vectors vectors = open_good(ending);
    assert_int_equal(vectors.rows, rows);
    assert_int_equal(vectors.cols, cols);
    assert_string_equal(stored_name(vectors.stored), type);
    assert_int_equal(vectors.file.bytes != NULL, mapped);
    assert_int_equal(vectors.owned != NULL, !mapped);
    for (size_t i = 0; i < rows; i++)
        assert_memory_equal(vectors.data + i * vectors.ld, right + i * cols, cols * sizeof *right);
    vectors_close(&vectors);
}

static void test_bin(void **state)
{
    (void)state;
    write_bin(2, 3, six, sizeof six);
    check_rows(".fbin", "f32", 2, 3, true, six);
    write_bin(2, 3, bytes, sizeof bytes);
    check_rows(".i8bin", "i8", 2, 3, false, as_i8);
    check_rows(".u8bin", "u8", 2, 3, false, as_u8);
    write_bin(6, 1, bytes, sizeof bytes);
    check_rows(".u8bin", "u8", 6, 1, false, as_u8);
}

static void test_vecs(void **state)
{
    (void)state;
    write_vecs(2, 3, six, sizeof(float));
    check_rows(".fvecs", "f32", 2, 3, true, six);
    write_vecs(6, 1, six, sizeof(float));
    check_rows(".fvecs", "f32", 6, 1, true, six);
    write_vecs(1, 6, six, sizeof(float));
    check_rows(".fvecs", "f32", 1, 6, true, six);
    write_vecs(2, 3, bytes, 1);
    check_rows(".bvecs", "u8", 2, 3, false, as_u8);
    write_vecs(1, 6, bytes, 1);
    check_rows(".bvecs", "u8", 1, 6, false, as_u8);
}

/* All values of f16, by another way than the reader's: sign, exponent and fraction by ldexp. */
static void test_every_f16(void **state)
{
    (void)state;
    static uint16_t halves[1 << 16];
    for (unsigned h = 0; h < 1u << 16; h++)
        halves[h] = (uint16_t)h;
    write_bin(256, 256, halves, sizeof halves);
    struct vectors vectors = open_good(".f16bin");
    assert_string_equal(stored_name(vectors.stored), "f16");
    for (unsigned h = 0; h < 1u << 16; h++) {
        int exponent = (int)(h >> 10 & 0x1f), fraction = (int)(h & 0x3ff);
        float value = vectors.data[h];
        assert_int_equal(signbit(value) != 0, h >> 15);
        if (exponent == 31 && fraction != 0)
            assert_true(isnan(value));
        else if (exponent == 31)
            assert_true(isinf(value));
        else if (exponent == 0)
            assert_true(fabs(value) == ldexp(fraction, -24));
        else
            assert_true(fabs(value) == ldexp(1024 + fraction, exponent - 25));
    }
    vectors_close(&vectors);
}

/* What mmk-bench --data times is the same of rows that have something between them. */
static void test_data(void **state)
{
    (void)state;
    static const char *const timed[] = {"cosine_matrix", "topk", "infonce_forward",
                                        "dot_matrix_f16", "dot_matrix_bf16"};
    const struct shape shape = {.m = 2, .n = 2, .d = 3, .k = 1};
    char names[2][80], error[512];
    struct source sources[2];
    for (int s = 0; s < 2; s++) {
        snprintf(names[s], sizeof names[s], "%s%s", path, s ? ".fvecs" : ".fbin");
        if (s)
            write_vecs(2, 3, six, sizeof(float));
        else
            write_bin(2, 3, six, sizeof six);
        assert_int_equal(rename(path, names[s]), 0);
        if (!data_open_files(&sources[s], names[s], names[s], false, error, sizeof error))
            fail_msg("%s", error);
    }
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++) {
        struct trial trials[2];
        for (int s = 0; s < 2; s++) {
            assert_true(trial_open(&trials[s], kernel_find(timed[i]), &shape, FILL_GIVEN, 1));
            data_fill(&sources[s], &trials[s], 1);
        }
        for (int b = 0; b < trials[0].buffer_count; b++) {
            const struct buffer *one = &trials[0].buffer[b], *other = &trials[1].buffer[b];
            if (!one->output)
                assert_memory_equal(other->data, one->data, buffer_bytes(one));
        }
        trial_close(&trials[0]);
        trial_close(&trials[1]);
    }
    /* Others have inputs that are no rows of vectors, and say so. */
    for (size_t k = 0; k < kernel_count; k++) {
        struct trial trial;
        if (!data_fits(&sources[0], kernels[k], &shape))
            continue;
        assert_true(trial_open(&trial, kernels[k], &shape, FILL_GIVEN, 1));
        for (int b = 0; b < trial.buffer_count; b++) {
            const struct buffer *rows = &trial.buffer[b];
            if (strcmp(rows->name, "x") == 0 || strcmp(rows->name, "y") == 0)
                assert_true(rows->element == ELEMENT_F32 || rows->element == ELEMENT_F16 ||
                            rows->element == ELEMENT_BF16);
        }
        trial_close(&trial);
    }
    for (int s = 0; s < 2; s++) {
        data_close(&sources[s]);
        assert_int_equal(rename(names[s], path), 0);
    }
}

/* The ending decides, of the name alone and not of a folder; without one that is known it is
 * .npy. */
static void test_endings(void **state)
{
    (void)state;
    static const char *const names[] = {".npy",   ".fbin",  ".f16bin", ".i8bin",
                                        ".u8bin", ".fvecs", ".bvecs"};
    char folder[80], name[160], plain[160], error[512];
    struct vectors vectors;
    const struct vectors_how how = {.bf16 = false};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(vectors_ending(i), names[i]);
    assert_null(vectors_ending(sizeof names / sizeof names[0]));
    write_vecs(2, 3, six, sizeof(float));
    snprintf(folder, sizeof folder, "%s.bvecs", path);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(name, sizeof name, "%s/a.b.fvecs", folder);
    assert_int_equal(rename(path, name), 0);
    assert_true(vectors_open(name, &how, &vectors, error, sizeof error));
    assert_int_equal(vectors.cols, 3);
    vectors_close(&vectors);
    snprintf(plain, sizeof plain, "%s/plain", folder);
    assert_int_equal(rename(name, plain), 0);
    assert_false(vectors_open(plain, &how, &vectors, error, sizeof error));
    assert_non_null(strstr(error, "no .npy file"));
    assert_int_equal(rename(plain, path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- Vectors that are refused ---------------------------------------------------------------- */

static void test_bin_that_is_none(void **state)
{
    (void)state;
    write_bin(2, 3, six, sizeof six - 1);
    refuse(".fbin", "32 bytes");
    write_bin(2, 2, six, sizeof six);
    refuse(".fbin", "24 bytes");
    write_bin(2, 3, six, 7);
    refuse(".u8bin", "2 rows of 3 u8 and the 8 bytes before them are 14 bytes");
    write_bin(2, 3, six, 5);
    refuse(".i8bin", "2 rows of 3 i8 and the 8 bytes before them are 14 bytes");
    write_bin(0, 3, six, sizeof six);
    refuse(".fbin", "0 x 3");
    write_bin(3, 0, six, sizeof six);
    refuse(".i8bin", "3 x 0");
    write_bin(UINT32_MAX, UINT32_MAX, six, sizeof six);
    refuse(".fbin", "bytes");
    write_bin(1u << 31, 1u << 31, six, 0); /* 2^64 bytes of floats are 0 modulo 2^64 */
    refuse(".fbin", "18446744073709551616 bytes");
    put("1234567", 7);
    write_file();
    refuse(".fbin", "too short for a .fbin file");
    refuse(".u8bin", "too short for a .u8bin file");
    write_file();
    refuse(".fbin", "empty");
}

static void test_vecs_that_are_none(void **state)
{
    (void)state;
    put_u32(3);
    put(six, 12);
    put_u32(2);
    put(six, 8);
    write_file();
    refuse(".fvecs", "row 1, at byte 16, has a dimension of 2, and those before it have 3");
    write_vecs(2, 0, six, sizeof(float));
    refuse(".fvecs", "row 0, at byte 0, has a dimension of 0");
    put_u32(3);
    put(six, 12);
    put_u32((uint32_t)-3);
    write_file();
    refuse(".fvecs", "row 1, at byte 16, says that it has -3 elements");
    put_u32(3);
    put(six, 12);
    put_u32(3);
    put(six, 11);
    write_file();
    refuse(".fvecs", "row 1, at byte 16, says that it has 3 elements, and 11 bytes are left");
    put_u32(INT32_MAX);
    put(six, sizeof six);
    write_file();
    refuse(".fvecs", "row 0, at byte 0, says that it has 2147483647 elements");
    refuse(".bvecs", "and 24 bytes are left");
    put_u32(3);
    put(six, 14);
    write_file();
    refuse(".fvecs", "row 1, at byte 16, ends within its length");
    put("123", 3);
    write_file();
    refuse(".bvecs", "row 0, at byte 0, ends within its length");
    put_u32(3);
    put(bytes, 3);
    put_u32(4);
    put(bytes, 4);
    write_file();
    refuse(".bvecs", "row 1, at byte 7, has a dimension of 4, and those before it have 3");
    write_file();
    refuse(".fvecs", "empty");
}

static void test_no_regular_file(void **state)
{
    (void)state;
    char pipe_path[80], error[512];
    struct vectors vectors;
    struct lists lists;
    const struct vectors_how how = {.bf16 = false};
    snprintf(pipe_path, sizeof pipe_path, "%s.pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    const char *const others[] = {pipe_path, P_tmpdir};
    for (size_t i = 0; i < 2; i++) {
        for (size_t f = 0; vectors_ending(f); f++) {
            bool good =
                vectors_open_as(others[i], vectors_ending(f), &how, &vectors, error, sizeof error);
            assert_false(good);
            assert_non_null(strstr(error, "no regular file"));
        }
        for (size_t f = 0; lists_ending(f); f++) {
            assert_false(lists_read_as(others[i], lists_ending(f), &lists, error, sizeof error));
            assert_non_null(strstr(error, "no regular file"));
        }
    }
    assert_int_equal(remove(pipe_path), 0);
}

/* Bytes that take four times as much as f32 as there can be in any machine; of the file itself
 * nothing is on the disk. */
static void test_no_memory(void **state)
{
    (void)state;
    const uint32_t head[] = {4000000000, 1000};
    put(head, sizeof head);
    write_file();
    if (truncate(path, 8 + (off_t)head[0] * head[1]) != 0) {
        print_message("no file of 4 TB can be made here\n");
        skip();
    }
    refuse(".u8bin", "4000000000 x 1000 u8 would take 16000 GB of memory, of which");
    refuse(".i8bin", "give fewer rows, or a file of f32");
}

static char last_said[200];

static void say(const char *what)
{
    snprintf(last_said, sizeof last_said, "%s", what);
}

/* A long file says how far it is: one of f64, which is short when it is converted. */
static void test_progress(void **state)
{
    (void)state;
    struct vectors vectors;
    char error[512] = "", head[129];
    const struct vectors_how how = {.progress = say};
    const off_t rows = 65 << 10;
    write_bin(1, 6, bytes, sizeof bytes);
    assert_true(vectors_open_as(path, ".u8bin", &how, &vectors, error, sizeof error));
    assert_string_equal(last_said, ""); /* a short one does not */
    vectors_close(&vectors);
    snprintf(head, sizeof head, "\x93NUMPY\x01%c\x76%c%-117s\n", 0, 0,
             "{'descr': '<f8', 'fortran_order': False, 'shape': (66560, 128), }");
    put(head, 128);
    write_file();
    assert_int_equal(truncate(path, 128 + rows * 128 * 8), 0);
    if (!vectors_open_as(path, ".npy", &how, &vectors, error, sizeof error))
        fail_msg("%s", error);
    assert_int_equal(vectors.rows, rows);
    if (!strstr(last_said, "reading mmk-test-formats-") || !strstr(last_said, ", 98 %"))
        fail_msg("it says: %s", last_said);
    vectors_close(&vectors);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void check_lists(const char *ending, size_t count, const size_t *row_start,
                        const uint32_t *items)
{
    struct lists lists;
    char error[512] = "";
    if (!lists_read_as(path, ending, &lists, error, sizeof error))
        fail_msg("%s", error);
    assert_int_equal(lists.lines, count);
    assert_memory_equal(lists.row_start, row_start, (count + 1) * sizeof *row_start);
    assert_memory_equal(lists.items, items, row_start[count] * sizeof *items);
    assert_string_equal(lists_unit(&lists), lists.binary ? "row" : "line");
    assert_string_equal(lists_place(&lists, 1).text, lists.binary ? "row 1" : "line 2");
    lists_free(&lists);
}

static void refuse_lists(const char *ending, const char *expected)
{
    struct lists lists;
    char error[512] = "";
    assert_false(lists_read_as(path, ending, &lists, error, sizeof error));
    check_message(error, expected);
    assert_null(lists.items);
    lists_free(&lists); /* harmless after a failure */
}

static const uint32_t ids[] = {3, 17, 4, 2, 9, 2147483647};

static void test_index_rows(void **state)
{
    (void)state;
    const float distances[6] = {0.5f, 1, 2, 3, 4, 5};
    const size_t by_three[] = {0, 3, 6}, ragged[] = {0, 3, 3, 5};
    put("3 17 4\n2,9 2147483647", 21);
    write_file();
    check_lists(".txt", 2, by_three, ids);
    check_lists(".csr", 2, by_three, ids); /* what is not known is text */
    write_vecs(2, 3, ids, sizeof *ids);
    check_lists(".ivecs", 2, by_three, ids);
    write_bin(2, 3, ids, sizeof ids);
    check_lists(".ibin", 2, by_three, ids);
    put_u32(2);
    put_u32(3);
    put(ids, sizeof ids);
    put(distances, sizeof distances);
    write_file();
    check_lists(".ibin", 2, by_three, ids);
    put_u32(3);
    put(ids, 12);
    put_u32(0); /* nothing is relevant to this one */
    put_u32(2);
    put(ids + 3, 8);
    write_file();
    check_lists(".ivecs", 3, ragged, ids);
    const uint32_t great[] = {UINT32_MAX - 1, 2147483648};
    const size_t one_each[] = {0, 1, 2};
    write_bin(2, 1, great, sizeof great);
    check_lists(".ibin", 2, one_each, great);
}

static void test_index_rows_that_are_none(void **state)
{
    (void)state;
    const uint32_t none[] = {5, UINT32_MAX};
    write_bin(1, 2, none, sizeof none);
    refuse_lists(".ibin", "row 0, column 1 holds 4294967295 (-1)");
    write_vecs(2, 1, none, sizeof *none);
    refuse_lists(".ivecs", "row 1, column 0 holds 4294967295 (-1)");
    write_bin(2, 3, ids, sizeof ids - 1);
    refuse_lists(".ibin", "are 32 bytes, with distances after them 56, and the file has 31");
    write_bin(2, 2, ids, sizeof ids);
    refuse_lists(".ibin", "are 24 bytes, with distances after them 40, and the file has 32");
    write_bin(0, 3, ids, 0);
    refuse_lists(".ibin", "0 x 3");
    write_bin(2, 0, ids, 0);
    refuse_lists(".ibin", "2 x 0");
    write_bin(1u << 31, 1u << 31, ids, 0);
    refuse_lists(".ibin", "18446744073709551616 bytes");
    put("1234567", 7);
    write_file();
    refuse_lists(".ibin", "too short for a .ibin file");
    put_u32(3);
    put(ids, 11);
    write_file();
    refuse_lists(".ivecs", "row 0, at byte 0, says that it has 3 elements, and 11 bytes are left");
    put_u32(1);
    put(ids, 4);
    put_u32((uint32_t)-1);
    write_file();
    refuse_lists(".ivecs", "row 1, at byte 8, says that it has -1 elements");
    put_u32(1);
    put(ids, 6);
    write_file();
    refuse_lists(".ivecs", "row 1, at byte 8, ends within its length");
    write_file();
    refuse_lists(".ivecs", "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bin),
        cmocka_unit_test(test_vecs),
        cmocka_unit_test(test_every_f16),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_bin_that_is_none),
        cmocka_unit_test(test_vecs_that_are_none),
        cmocka_unit_test(test_no_regular_file),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_index_rows),
        cmocka_unit_test(test_index_rows_that_are_none),
    };
    return cmocka_run_group_tests_name("formats", tests, make_path, remove_path);
}
