#include "expect.h"
#include "help_store.h"
#include "protocol/store_log.h"

#include <check.h>
#include <stdlib.h>

static struct mem_heap heap;
static struct bytes file;
static struct log_reader reader;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&file, &heap.mem);
    log_reader_init(&reader, &heap.mem, 1 << 20);
}

static void teardown(void)
{
    bytes_drop(&file);
    log_reader_drop(&reader);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void put_record(int64_t zxid, size_t data_len)
{
    struct bytes txn;
    char *data = malloc(data_len + 1);

    memset(data, 'x', data_len);
    data[data_len] = '\0';
    bytes_init(&txn, &heap.mem);
    log_put_record(&file, rig_txn(&txn, zxid, "/node", data));
    bytes_drop(&txn);
    free(data);
}

/* Read `span` in one piece. */
static uint32_t read_all(struct span span)
{
    struct log_record record;
    uint32_t records = 0;
    enum log_next next;

    log_reader_restart(&reader);
    EXPECT(log_reader_feed(&reader, span, true) == ERR_OK);
    while ((next = log_reader_next(&reader, &record)) == LOG_NEXT_RECORD) {
        records++;
    }
    EXPECT(next == LOG_NEXT_END);
    return records;
}

/* A write of `count` records that follows synced ones of `first` bytes of data. Returns where it
 * begins. */
static size_t build(size_t first, uint32_t count)
{
    size_t start;

    bytes_clear(&file);
    log_put_header(&file);
    put_record(1, first);
    start = file.len;
    for (uint32_t i = 0; i < count; i++) {
        put_record(2 + i, i * 37 % 90);
    }
    return start;
}

START_TEST(test_any_sectors_of_the_last_write_may_be_missing)
{
    uint8_t *copy = malloc(8192);

    for (size_t first = 0; first < 512; first++) {
        size_t start = build(first, 12);
        size_t base = start / 512;
        size_t sectors = (file.len + 511) / 512 - base;

        EXPECT(sectors <= 6 && file.len <= 8192);
        for (uint32_t lost = 0; lost < 1u << sectors; lost++) {
            uint32_t records;

            memcpy(copy, file.at, file.len);
            for (size_t i = start; i < file.len; i++) {
                if (lost >> (i / 512 - base) & 1) {
                    copy[i] = 0;
                }
            }
            records = read_all(span_make(copy, file.len));
            EXPECT(records >= 1 && records <= 13);
            EXPECT(reader.tail == LOG_TAIL_NONE || reader.tail == LOG_TAIL_TORN);
            EXPECT(reader.end >= start);
            EXPECT((records == 13) == (memcmp(copy, file.at, file.len) == 0));
        }
    }
    free(copy);
}
END_TEST

START_TEST(test_the_header_goes_with_the_first_write)
{
    uint8_t *copy;

    bytes_clear(&file);
    log_put_header(&file);
    for (int64_t zxid = 1; zxid <= 20; zxid++) {
        put_record(zxid, 50);
    }
    copy = calloc(1, file.len);
    memcpy(copy + 512, file.at + 512, file.len - 512);

    ck_assert_uint_eq(read_all(span_make(copy, file.len)), 0);
    ck_assert_int_eq(reader.tail, LOG_TAIL_TORN);
    ck_assert_uint_eq(reader.end, 0);
    free(copy);
}
END_TEST

START_TEST(test_other_damage_before_a_good_record_is_a_hole)
{
    size_t start = build(100, 12);
    size_t last = file.len;

    put_record(14, 20);
    for (size_t i = start; i < file.len; i++) {
        file.at[i] ^= 0x11;
        (void)read_all(bytes_span(&file));
        EXPECT(reader.tail == (i < last ? LOG_TAIL_HOLE : LOG_TAIL_TORN));
        EXPECT(reader.damage <= i && reader.damage >= start);
        EXPECT(reader.what != NULL);
        file.at[i] ^= 0x11;
    }
}
END_TEST

static void build_long(void)
{
    bytes_clear(&file);
    log_put_header(&file);
    for (int64_t zxid = 1; zxid <= 1000; zxid++) {
        put_record(zxid, 100);
    }
    ck_assert_uint_gt(file.len, 100000);
}

START_TEST(test_a_blank_sector_far_from_the_end_is_a_hole)
{
    build_long();

    memset(file.at + 512, 0, 512);
    (void)read_all(bytes_span(&file));
    ck_assert_int_eq(reader.tail, LOG_TAIL_HOLE);
    ck_assert_uint_lt(reader.damage, 512);
    /* The same is a torn write near the end, and padding does not move the end. */
    build_long();
    size_t near = (file.len - 50000) / 512 * 512;

    memset(file.at + near, 0, 512);
    bytes_fill(&file, 0, 100000);
    (void)read_all(bytes_span(&file));
    ck_assert_int_eq(reader.tail, LOG_TAIL_TORN);
    ck_assert_uint_lt(reader.end, near + 1);
}
END_TEST

START_TEST(test_a_record_of_a_wrong_length_is_damage)
{
    static const uint32_t lengths[] = {0, 1, 31, (1 << 20) + 1, 0x7fffffff, 0xffffffff};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t start = build(10, 1);

        bytes_patch_u32(&file, start + 8, lengths[i]);
        ck_assert_uint_eq(read_all(bytes_span(&file)), 1);
        ck_assert_int_eq(reader.tail, LOG_TAIL_TORN);
        ck_assert_uint_eq(reader.damage, start);
    }
}
END_TEST

START_TEST(test_an_impossible_zxid_is_never_a_torn_tail)
{
    bytes_clear(&file);
    log_put_header(&file);
    put_record(zxid_make(3, 0), 10);

    ck_assert_uint_eq(read_all(bytes_span(&file)), 0);
    ck_assert_int_eq(reader.tail, LOG_TAIL_WRONG);
    ck_assert_uint_eq(reader.damage, LOG_HEADER_BYTES);
}
END_TEST

START_TEST(test_a_record_longer_than_a_piece_is_read)
{
    struct log_record record;
    size_t fed = 0;

    bytes_clear(&file);
    log_put_header(&file);
    put_record(1, 500000);
    put_record(2, 5);
    log_reader_restart(&reader);
    for (int records = 0; records < 2;) {
        switch (log_reader_next(&reader, &record)) {
        case LOG_NEXT_RECORD:
            records++;
            ck_assert_int_eq(record.zxid, records);
            break;
        case LOG_NEXT_MORE: {
            size_t len = file.len - fed < 65536 ? file.len - fed : 65536;

            ck_assert_int_eq(log_reader_feed(&reader, span_make(file.at + fed, len), len < 65536),
                             ERR_OK);
            fed += len;
            break;
        }
        case LOG_NEXT_END:
            ck_abort_msg("too early");
        }
    }
}
END_TEST

Suite *suite_store_log(void)
{
    Suite *suite = suite_create("store_log");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_any_sectors_of_the_last_write_may_be_missing);
    tcase_add_test(tests, test_the_header_goes_with_the_first_write);
    tcase_add_test(tests, test_other_damage_before_a_good_record_is_a_hole);
    tcase_add_test(tests, test_a_blank_sector_far_from_the_end_is_a_hole);
    tcase_add_test(tests, test_a_record_of_a_wrong_length_is_damage);
    tcase_add_test(tests, test_an_impossible_zxid_is_never_a_torn_tail);
    tcase_add_test(tests, test_a_record_longer_than_a_piece_is_read);
    suite_add_tcase(suite, tests);
    return suite;
}
