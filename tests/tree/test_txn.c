#include "tests/expect.h"
#include "tests/tree/help_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mem_heap heap;
static struct bytes bytes;
static struct bytes raw;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&bytes, &heap.mem);
    bytes_init(&raw, &heap.mem);
}

static void teardown(void)
{
    bytes_drop(&bytes);
    bytes_drop(&raw);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void expect_round_trip(struct span span)
{
    struct bytes again;
    struct txn txn;
    enum err err = txn_decode(span, &txn);

    ck_assert_msg(err == ERR_OK, "%s", err_text(err));
    bytes_init(&again, &heap.mem);
    txn_encode(&again, &txn);
    ck_assert(span_equal(bytes_span(&again), span));
    bytes_drop(&again);
}

/* One line of hexadecimal digits into `bytes`. */
static void read_hex(const char *line)
{
    unsigned int value;

    bytes_clear(&bytes);
    while (sscanf(line, "%2x", &value) == 1) {
        bytes_u8(&bytes, (uint8_t)value);
        line += 2;
    }
}

/* Every PROPOSAL (2), INFORM (8) and INFORMANDACTIVATE (19) of a capture. Returns how many. */
static uint32_t round_trip_capture(const char *name)
{
    static char line[1 << 16];
    uint32_t count = 0;
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/tests/vectors/quorum/%s", SOURCE_DIR, name);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct reader in;
        struct span data;
        uint32_t type;

        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        read_hex(line);
        reader_init(&in, bytes_span(&bytes), READER_MAX_DEFAULT);
        type = reader_u32(&in);
        (void)reader_u64(&in);
        data = reader_buffer(&in, NULL);
        if (in.err != ERR_OK || (type != 2 && type != 8 && type != 19)) {
            continue;
        }
        if (type == 19) {
            data = span_make(data.at + 8, data.len - 8);
        }
        expect_round_trip(data);
        count++;
    }
    (void)fclose(file);
    return count;
}

START_TEST(test_every_captured_proposal_encodes_back_to_its_bytes)
{
    static const char *const names[] = {"first-epoch-follower.txt", "follower-join-diff.txt",
                                        "follower-join-snap.txt",   "follower-join-trunc.txt",
                                        "observer-join-snap.txt",   "reconfig-server1.txt",
                                        "reconfig-server4.txt"};
    uint32_t count = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        count += round_trip_capture(names[i]);
    }
    ck_assert_uint_gt(count, 20);
}
END_TEST

START_TEST(test_random_transactions_survive_the_codec)
{
    static struct model model;
    struct help_random random = {.model = &model};

    model_init(&model);
    rand_init(&random.rand, 77);
    for (uint32_t i = 0; i < 20000; i++) {
        struct txn txn;

        help_random_txn(&random, &bytes);
        EXPECT(txn_decode(bytes_span(&bytes), &txn) == ERR_OK);
        bytes_clear(&raw);
        txn_encode(&raw, &txn);
        EXPECT(span_equal(bytes_span(&raw), bytes_span(&bytes)));
    }
}
END_TEST

/* No prefix of a transaction is a transaction, but for the forms that older servers wrote. */
START_TEST(test_a_cut_transaction_is_refused)
{
    static struct model model;
    struct help_random random = {.model = &model};

    model_init(&model);
    rand_init(&random.rand, 78);
    for (uint32_t i = 0; i < 500; i++) {
        struct txn txn;

        help_random_txn(&random, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            uint8_t *copy = malloc(len + 1);
            enum err err;

            memcpy(copy, bytes.at, len);
            err = txn_decode(span_make(copy, len), &txn);
            EXPECT(err != ERR_OK || len + 12 == bytes.len || len + 4 == bytes.len ||
                   len + 8 == bytes.len || len + 16 == bytes.len ||
                   txn.header.type == OP_CLOSE_SESSION);
            free(copy);
        }
    }
}
END_TEST

static void begin(int32_t type)
{
    bytes_clear(&bytes);
    bytes_i64(&bytes, 7);
    bytes_i32(&bytes, 1);
    bytes_i64(&bytes, 2);
    bytes_i64(&bytes, 3);
    bytes_i32(&bytes, type);
}

static void digest(void)
{
    bytes_i32(&bytes, 2);
    bytes_u64(&bytes, 0x1234567890);
}

static void old_create(void)
{
    begin(OP_CREATE);
    bytes_ustring(&bytes, span_text("/a"));
    bytes_buffer_null(&bytes);
    acl_list_write(&bytes, acl_open());
    bytes_bool(&bytes, true);
}

/* zab-protocol 8: CreateTxnV0, and closeSession without its record. */
START_TEST(test_old_forms_are_read_and_written_back)
{
    struct txn txn;

    old_create();
    expect_round_trip(bytes_span(&bytes));
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(txn.create.old_form && txn.create.ephemeral);
    ck_assert_int_eq(txn.create.parent_cversion, -1);
    digest();
    expect_round_trip(bytes_span(&bytes));
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(txn.create.old_form && txn.has_digest && txn.digest == 0x1234567890);
    old_create();
    bytes_i32(&bytes, 5);
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(!txn.create.old_form && txn.create.parent_cversion == 5);

    begin(OP_CLOSE_SESSION);
    expect_round_trip(bytes_span(&bytes));
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(txn.close.absent && txn.close.paths.count == 0);
    digest();
    expect_round_trip(bytes_span(&bytes));
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(txn.close.absent && txn.has_digest);
    begin(OP_CLOSE_SESSION);
    bytes_i32(&bytes, 1);
    bytes_ustring(&bytes, span_text("/e"));
    digest();
    expect_round_trip(bytes_span(&bytes));
    ck_assert_int_eq(txn_decode(bytes_span(&bytes), &txn), ERR_OK);
    ck_assert(!txn.close.absent && txn.close.paths.count == 1 && txn.has_digest);
}
END_TEST

static void expect_refused(enum err want)
{
    struct txn txn;
    enum err err = txn_decode(bytes_span(&bytes), &txn);

    ck_assert_msg(err == want, "%s", err_text(err));
}

START_TEST(test_what_is_no_transaction_is_refused)
{
    begin(OP_GET_DATA);
    bytes_ustring(&bytes, span_text("/a"));
    expect_refused(ERR_UNKNOWN);
    begin(99);
    expect_refused(ERR_UNKNOWN);
    begin(OP_DELETE);
    bytes_ustring(&bytes, span_text("")); /* no path */
    expect_refused(ERR_FORMAT);
    begin(OP_DELETE);
    bytes_ustring(&bytes, span_text("/a"));
    bytes_u8(&bytes, 0); /* left over */
    expect_refused(ERR_FORMAT);
    begin(OP_MULTI);
    bytes_i32(&bytes, 1);
    bytes_i32(&bytes, OP_MULTI); /* within itself */
    bytes_i32(&bytes, 4);
    bytes_i32(&bytes, 0);
    expect_refused(ERR_UNKNOWN);
    begin(OP_MULTI);
    bytes_i32(&bytes, 1);
    bytes_i32(&bytes, OP_CLOSE_SESSION);
    bytes_i32(&bytes, 4);
    bytes_i32(&bytes, 0);
    expect_refused(ERR_FORMAT);
    begin(OP_MULTI);
    bytes_i32(&bytes, 0x10000000); /* more than could follow */
    expect_refused(ERR_FORMAT);
    begin(OP_MULTI);
    bytes_i32(&bytes, 1);
    bytes_i32(&bytes, OP_DELETE);
    bytes_i32(&bytes, 7);
    bytes_ustring(&bytes, span_text("/a"));
    bytes_u8(&bytes, 0); /* left over in the sub record */
    expect_refused(ERR_FORMAT);
}
END_TEST

START_TEST(test_names_of_codes_and_operations)
{
    ck_assert_str_eq(zk_code_name(-101), "NONODE");
    ck_assert_str_eq(zk_code_name(-9999), "UNKNOWN");
    ck_assert_str_eq(zk_op_name(OP_CREATE_TTL), "createTTL");
    ck_assert_str_eq(zk_op_name(99), "unknown");
    ck_assert(zk_op_known(-11) && !zk_op_known(10));
    ck_assert_str_eq(zk_event_name(EVENT_DELETED), "NodeDeleted");
}
END_TEST

Suite *suite_txn(void)
{
    Suite *suite = suite_create("txn");
    TCase *tcase = tcase_create("txn");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_every_captured_proposal_encodes_back_to_its_bytes);
    tcase_add_test(tcase, test_random_transactions_survive_the_codec);
    tcase_add_test(tcase, test_a_cut_transaction_is_refused);
    tcase_add_test(tcase, test_old_forms_are_read_and_written_back);
    tcase_add_test(tcase, test_what_is_no_transaction_is_refused);
    tcase_add_test(tcase, test_names_of_codes_and_operations);
    suite_add_tcase(suite, tcase);
    return suite;
}
