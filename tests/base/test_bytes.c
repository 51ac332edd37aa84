#include "base/bytes.h"

#include <check.h>
#include <signal.h>

static struct mem_heap heap;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

static void teardown(void)
{
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void write_all(struct bytes *bytes)
{
    bytes_u8(bytes, 0xfe);
    bytes_u32(bytes, 0x01020304);
    bytes_u64(bytes, 0x05060708090a0b0c);
    bytes_i32(bytes, -2);
    bytes_i64(bytes, INT64_MIN);
    bytes_bool(bytes, true);
    bytes_bool(bytes, false);
    bytes_buffer(bytes, span_text("abc"));
    bytes_buffer(bytes, span_make(NULL, 0));
    bytes_buffer_null(bytes);
    bytes_ustring(bytes, span_text("/zk"));
    bytes_raw(bytes, "xy", 2);
    bytes_fill(bytes, 0x77, 3);
}

static const uint8_t written[] = {
    0xfe, 1, 2,    3,    4,   5,   6, 7, 8, 9, 10,  11,  12,  0xff, 0xff, 0xff, 0xfe, 128,
    0,    0, 0,    0,    0,   0,   0, 1, 0, 0, 0,   0,   3,   'a',  'b',  'c',  0,    0,
    0,    0, 0xff, 0xff, 255, 255, 0, 0, 0, 3, '/', 'z', 'k', 'x',  'y',  119,  0x77, 0x77,
};

START_TEST(test_everything_is_written_big_endian)
{
    struct bytes bytes;

    bytes_init(&bytes, &heap.mem);
    write_all(&bytes);

    ck_assert(!bytes.failed);
    ck_assert_uint_eq(bytes.len, sizeof(written));
    ck_assert_mem_eq(bytes.at, written, sizeof(written));
    bytes_drop(&bytes);
}
END_TEST

START_TEST(test_everything_is_read_back)
{
    struct reader reader;
    bool is_null = true;

    reader_init(&reader, span_make(written, sizeof(written)), READER_MAX_DEFAULT);
    ck_assert_uint_eq(reader_u8(&reader), 0xfe);
    ck_assert_uint_eq(reader_u32(&reader), 0x01020304);
    ck_assert_uint_eq(reader_u64(&reader), 0x05060708090a0b0c);
    ck_assert_int_eq(reader_i32(&reader), -2);
    ck_assert_int_eq(reader_i64(&reader), INT64_MIN);
    ck_assert(reader_bool(&reader));
    ck_assert(!reader_bool(&reader));
    ck_assert(span_is(reader_buffer(&reader, &is_null), "abc"));
    ck_assert(!is_null);
    ck_assert_uint_eq(reader_buffer(&reader, &is_null).len, 0);
    ck_assert(!is_null);
    ck_assert_uint_eq(reader_buffer(&reader, &is_null).len, 0);
    ck_assert(is_null);
    ck_assert(span_is(reader_ustring(&reader, NULL), "/zk"));
    ck_assert(span_is(reader_raw(&reader, 2), "xy"));
    ck_assert_uint_eq(reader_left(&reader), 3);
    ck_assert_int_eq(reader_finish(&reader), ERR_LONG);
    ck_assert(span_is(reader_raw(&reader, 3), "www"));

    ck_assert_int_eq(reader_finish(&reader), ERR_OK);
}
END_TEST

/* Reads the record of `written`; false as soon as a result differs from it. */
static void read_all(struct reader *reader)
{
    reader_u8(reader);
    reader_u32(reader);
    reader_u64(reader);
    reader_i32(reader);
    reader_i64(reader);
    reader_bool(reader);
    reader_bool(reader);
    reader_buffer(reader, NULL);
    reader_buffer(reader, NULL);
    reader_buffer(reader, NULL);
    reader_ustring(reader, NULL);
    reader_raw(reader, 2);
    reader_raw(reader, 3);
}

START_TEST(test_a_cut_input_ends_too_early_wherever_it_is_cut)
{
    for (size_t len = 0; len <= sizeof(written); len++) {
        struct reader reader;

        reader_init(&reader, span_make(written, len), READER_MAX_DEFAULT);
        read_all(&reader);
        ck_assert_int_eq(reader_finish(&reader), len == sizeof(written) ? ERR_OK : ERR_SHORT);
        ck_assert_uint_eq(reader_left(&reader), 0);
    }
}
END_TEST

START_TEST(test_after_a_failure_everything_reads_as_zero)
{
    struct reader reader;
    bool is_null = true;

    reader_init(&reader, span_make("\xff\xff\xff\xff\xff\xff\xff", 7), READER_MAX_DEFAULT);
    ck_assert_uint_eq(reader_u64(&reader), 0);
    ck_assert_int_eq(reader.err, ERR_SHORT);
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert_uint_eq(reader_u32(&reader), 0);
    ck_assert(!reader_bool(&reader));
    ck_assert_uint_eq(reader_buffer(&reader, &is_null).len, 0);
    ck_assert(!is_null);
    ck_assert_uint_eq(reader_raw(&reader, 1).len, 0);
    ck_assert_uint_eq(reader_count(&reader, 1, &is_null), 0);
    ck_assert(!is_null);
    reader_fail(&reader, ERR_FORMAT);

    ck_assert_int_eq(reader_finish(&reader), ERR_SHORT);
}
END_TEST

static enum err buffer_err(const char *input, size_t len, uint32_t max_len)
{
    struct reader reader;

    reader_init(&reader, span_make(input, len), max_len);
    ck_assert_uint_eq(reader_buffer(&reader, NULL).len, 0);
    return reader.err;
}

START_TEST(test_bad_buffer_lengths_are_told_apart)
{
    ck_assert_int_eq(buffer_err("\xff\xff\xff\xfe....", 8, 100), ERR_FORMAT);
    ck_assert_int_eq(buffer_err("\x80\x00\x00\x00....", 8, 100), ERR_FORMAT);
    ck_assert_int_eq(buffer_err("\x00\x00\x00\x04....", 8, 3), ERR_LONG);
    ck_assert_int_eq(buffer_err("\x7f\xff\xff\xff....", 8, 100), ERR_LONG);
    ck_assert_int_eq(buffer_err("\x00\x00\x00\x05....", 8, 100), ERR_SHORT);
    ck_assert_int_eq(buffer_err("\x00\x00\x00", 3, 100), ERR_SHORT);
    ck_assert_int_eq(buffer_err("\x00\x00\x00\x00", 4, 0), ERR_OK);
    ck_assert_int_eq(buffer_err("\xff\xff\xff\xff", 4, 0), ERR_OK);
}
END_TEST

START_TEST(test_a_count_is_bounded_by_what_is_left)
{
    struct reader reader;
    bool is_null = true;

    reader_init(&reader, span_make("\0\0\0\2abcdefgh", 12), 100);
    ck_assert_uint_eq(reader_count(&reader, 4, &is_null), 2);
    ck_assert(!is_null);
    ck_assert_uint_eq(reader_left(&reader), 8);
    reader_init(&reader, span_make("\0\0\0\3abcdefgh", 12), 100);
    ck_assert_uint_eq(reader_count(&reader, 4, NULL), 0);
    ck_assert_int_eq(reader.err, ERR_FORMAT);
    reader_init(&reader, span_make("\xff\xff\xff\xff", 4), 100);
    ck_assert_uint_eq(reader_count(&reader, 1, &is_null), 0);
    ck_assert(is_null);
    ck_assert_int_eq(reader_finish(&reader), ERR_OK);
    reader_init(&reader, span_make("\xff\xff\xff\xfe....", 8), 100);
    ck_assert_uint_eq(reader_count(&reader, 1, &is_null), 0);
    ck_assert_int_eq(reader.err, ERR_FORMAT);
    reader_init(&reader, span_make("\0\0\0\0", 4), 100);
    ck_assert_uint_eq(reader_count(&reader, 1, &is_null), 0);

    ck_assert_int_eq(reader_finish(&reader), ERR_OK);
}
END_TEST

START_TEST(test_a_writer_fails_at_any_allocation_and_stays_failed)
{
    bool whole = false;

    for (uint64_t fail_at = 1; !whole; fail_at++) {
        struct bytes bytes;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        bytes_init(&bytes, &heap.mem);
        for (uint32_t i = 0; i < 20; i++) {
            write_all(&bytes);
        }
        whole = !bytes.failed;
        if (whole) {
            ck_assert_uint_eq(bytes.len, 20 * sizeof(written));
        } else {
            /* Nothing that needs the missing bytes may trip over them. */
            size_t len = bytes.len;

            bytes_patch_u32(&bytes, 1000000, 1);
            ck_assert_uint_eq(bytes_tail(&bytes, 1000000).len, 0);
            ck_assert(!bytes_reserve(&bytes, 1));
            bytes_u8(&bytes, 1);
            ck_assert_uint_eq(bytes.len, len);
            bytes_clear(&bytes);
            bytes_u8(&bytes, 1);
            ck_assert_uint_eq(bytes.len, 1);
        }
        bytes_drop(&bytes);
        ck_assert_uint_eq(heap.mem.used_bytes, 0);
        ck_assert_uint_lt(fail_at, 100);
    }
}
END_TEST

START_TEST(test_an_absurd_length_fails_instead_of_wrapping)
{
    struct bytes bytes;

    bytes_init(&bytes, &heap.mem);
    bytes_u8(&bytes, 1);
    ck_assert(!bytes_reserve(&bytes, SIZE_MAX));
    ck_assert(bytes.failed);

    bytes_drop(&bytes);
}
END_TEST

START_TEST(test_parts_are_patched_consumed_and_seen)
{
    struct bytes bytes;

    bytes_init(&bytes, &heap.mem);
    bytes_consume(&bytes, 0);
    bytes_u32(&bytes, 0);
    bytes_raw(&bytes, "hello", 5);
    bytes_patch_u32(&bytes, 0, 5);
    ck_assert_mem_eq(bytes.at, "\0\0\0\5hello", 9);
    ck_assert(span_is(bytes_tail(&bytes, 4), "hello"));
    ck_assert_uint_eq(bytes_tail(&bytes, 9).len, 0);
    bytes_consume(&bytes, 6);
    ck_assert(span_is(bytes_span(&bytes), "llo"));
    bytes_consume(&bytes, 3);
    ck_assert_uint_eq(bytes_span(&bytes).len, 0);

    bytes_drop(&bytes);
    bytes_drop(&bytes);
}
END_TEST

START_TEST(test_a_patch_past_the_end_is_our_mistake)
{
    struct bytes bytes;

    bytes_init(&bytes, &heap.mem);
    bytes_u32(&bytes, 0);
    bytes_patch_u32(&bytes, 1, 5);
}
END_TEST

START_TEST(test_spans_are_ordered_like_java_compares_bytes)
{
    ck_assert_int_lt(span_compare(span_text("a"), span_text("b")), 0);
    ck_assert_int_lt(span_compare(span_text("a"), span_text("ab")), 0);
    ck_assert_int_gt(span_compare(span_text("\xff"), span_text("ab")), 0);
    ck_assert_int_eq(span_compare(span_text(""), span_make(NULL, 0)), 0);
    ck_assert(span_equal(span_text(""), span_make(NULL, 0)));
    ck_assert(!span_is(span_text("ab"), "a"));
}
END_TEST

Suite *suite_bytes(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tcase = tcase_create("bytes");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_everything_is_written_big_endian);
    tcase_add_test(tcase, test_everything_is_read_back);
    tcase_add_test(tcase, test_a_cut_input_ends_too_early_wherever_it_is_cut);
    tcase_add_test(tcase, test_after_a_failure_everything_reads_as_zero);
    tcase_add_test(tcase, test_bad_buffer_lengths_are_told_apart);
    tcase_add_test(tcase, test_a_count_is_bounded_by_what_is_left);
    tcase_add_test(tcase, test_a_writer_fails_at_any_allocation_and_stays_failed);
    tcase_add_test(tcase, test_an_absurd_length_fails_instead_of_wrapping);
    tcase_add_test(tcase, test_parts_are_patched_consumed_and_seen);
    tcase_add_test_raise_signal(tcase, test_a_patch_past_the_end_is_our_mistake, SIGABRT);
    tcase_add_test(tcase, test_spans_are_ordered_like_java_compares_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}
