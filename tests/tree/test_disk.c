/* Files that Apache 3.8.0 wrote (tests/vectors/disk). */
#include "base/sums.h"
#include "tests/expect.h"
#include "tests/tree/help_tree.h"

static struct mem_heap heap;
static struct bytes file;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&file, &heap.mem);
}

static void teardown(void)
{
    bytes_drop(&file);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

/* The next transaction of a log whose file header has been read; false at the end. */
static bool next_txn(struct reader *in, struct span *txn)
{
    uint64_t sum = reader_u64(in);

    *txn = reader_buffer(in, NULL);
    if (txn->len == 0) {
        return false;
    }
    EXPECT(reader_u8(in) == 'B');
    EXPECT(in->err == ERR_OK);
    EXPECT(sums_adler32(1, *txn) == sum);
    return true;
}

static void open_log(struct reader *in)
{
    help_read(&file, "disk/log.1");
    reader_init(in, bytes_span(&file), READER_MAX_DEFAULT);
    (void)reader_raw(in, 16);
}

START_TEST(test_every_logged_transaction_encodes_back_to_its_bytes)
{
    uint32_t seen[64] = {0};
    uint32_t count = 0;
    struct reader in;
    struct span bytes;
    struct bytes again;

    open_log(&in);
    bytes_init(&again, &heap.mem);
    while (next_txn(&in, &bytes)) {
        struct txn txn;

        ck_assert_int_eq(txn_decode(bytes, &txn), ERR_OK);
        bytes_clear(&again);
        txn_encode(&again, &txn);
        ck_assert(span_equal(bytes_span(&again), bytes));
        ck_assert_int_eq(txn.header.zxid, ++count);
        seen[txn.header.type + 16]++;
    }
    bytes_drop(&again);

    ck_assert_uint_eq(count, 0x18);
    ck_assert_uint_gt(seen[OP_CREATE_SESSION + 16], 0);
    ck_assert_uint_gt(seen[OP_CLOSE_SESSION + 16], 0);
    ck_assert_uint_gt(seen[OP_ERROR + 16], 0);
    ck_assert_uint_gt(seen[OP_CREATE_TTL + 16], 0);
    ck_assert_uint_gt(seen[OP_CREATE_CONTAINER + 16], 0);
    ck_assert_uint_gt(seen[OP_DELETE_CONTAINER + 16], 0);
    ck_assert_uint_eq(seen[OP_MULTI + 16], 2);
}
END_TEST

static struct tree *load(const char *name, size_t chunk)
{
    enum err err;
    struct tree *tree;

    bytes_clear(&file);
    help_read(&file, name);
    tree = help_load(&heap.mem, bytes_span(&file), chunk, IMAGE_FILE, &err);
    ck_assert_msg(tree != NULL, "%s", err_text(err));
    help_check(tree);
    return tree;
}

START_TEST(test_a_snapshot_written_again_is_byte_for_byte_the_same)
{
    static const char *const names[] = {"disk/snapshot.0", "disk/snapshot.18"};

    for (size_t i = 0; i < 2; i++) {
        for (size_t chunk = 1; chunk < 5000; chunk = chunk * 3 + 1) {
            /* 3.8 knows no third seal. */
            struct image_options options = {.form = IMAGE_FILE, .no_zxid = true};
            struct tree *tree = load(names[i], chunk);
            struct bytes again;

            bytes_init(&again, &heap.mem);
            help_image(tree, &options, &again);
            ck_assert(span_equal(bytes_span(&again), bytes_span(&file)));
            bytes_drop(&again);
            tree_drop(tree);
        }
    }
}
END_TEST

START_TEST(test_a_new_tree_writes_the_first_snapshot_of_apache)
{
    struct image_options options = {.form = IMAGE_FILE, .no_zxid = true};
    struct tree_options tree_options = {.hash_seed = 1};
    struct tree *tree = tree_make(&heap.mem, &tree_options);
    struct bytes image;

    bytes_init(&image, &heap.mem);
    help_image(tree, &options, &image);

    help_read(&file, "disk/snapshot.0");
    ck_assert(span_equal(bytes_span(&image), bytes_span(&file)));
    ck_assert_uint_eq(tree_digest(tree), 0x51c6d660);
    bytes_drop(&image);
    tree_drop(tree);
}
END_TEST

static void expect_equal(const struct tree *a, const struct tree *b)
{
    struct bytes text_a;
    struct bytes text_b;

    bytes_init(&text_a, &heap.mem);
    bytes_init(&text_b, &heap.mem);
    help_describe(a, &text_a);
    help_describe(b, &text_b);
    bytes_u8(&text_a, 0);
    bytes_u8(&text_b, 0);
    ck_assert_str_eq((const char *)text_a.at, (const char *)text_b.at);
    ck_assert_uint_eq(tree_digest(a), tree_digest(b));
    bytes_drop(&text_a);
    bytes_drop(&text_b);
}

START_TEST(test_the_log_leads_from_the_first_snapshot_to_the_last)
{
    struct tree *tree = load("disk/snapshot.0", 100);
    struct tree_result result;
    struct reader in;
    struct span bytes;
    struct tree *want;
    uint32_t compared = 0;

    tree_result_init(&result, &heap.mem);
    bytes_clear(&file);
    open_log(&in);
    while (next_txn(&in, &bytes)) {
        struct txn txn;

        ck_assert_int_eq(txn_decode(bytes, &txn), ERR_OK);
        ck_assert_int_eq(tree_apply(tree, &txn, &result), ERR_OK);
        if (txn.has_digest) {
            ck_assert_uint_eq(tree_digest(tree), txn.digest);
            compared++;
        }
        help_check(tree);
    }
    ck_assert_uint_eq(compared, 0x17);
    ck_assert_int_eq(tree_zxid(tree), 0x18);

    want = load("disk/snapshot.18", 1000);
    expect_equal(tree, want);
    tree_drop(want);
    tree_drop(tree);
    tree_result_drop(&result);
}
END_TEST

/* disk-formats: replay over a fuzzy image must do no harm. Here every suffix of the log is applied
 * to the final state again; what sets fields anew ends where it was. */
START_TEST(test_replaying_over_the_final_state_ends_in_the_final_state)
{
    for (uint32_t skip = 0; skip < 0x18; skip++) {
        struct tree *tree = load("disk/snapshot.18", 77);
        struct tree *want = load("disk/snapshot.18", 77);
        struct tree_result result;
        uint32_t count = 0;
        struct reader in;
        struct span bytes;

        tree_result_init(&result, &heap.mem);
        result.quiet = true;
        bytes_clear(&file);
        open_log(&in);
        while (next_txn(&in, &bytes)) {
            struct txn txn;

            ck_assert_int_eq(txn_decode(bytes, &txn), ERR_OK);
            if (count++ >= skip) {
                ck_assert_int_eq(tree_apply(tree, &txn, &result), ERR_OK);
            }
        }
        help_check(tree);
        expect_equal(tree, want);
        tree_drop(want);
        tree_drop(tree);
        tree_result_drop(&result);
    }
}
END_TEST

START_TEST(test_a_flipped_bit_anywhere_in_a_snapshot_is_noticed)
{
    struct bytes bad;

    help_read(&file, "disk/snapshot.18");
    bytes_init(&bad, &heap.mem);
    bytes_raw(&bad, file.at, file.len);
    for (size_t i = 0; i < bad.len * 8; i++) {
        enum err err;
        struct tree *tree;

        bad.at[i / 8] ^= (uint8_t)(1u << i % 8);
        tree = help_load(&heap.mem, bytes_span(&bad), 1 + i % 97, IMAGE_FILE, &err);
        EXPECT(tree == NULL);
        EXPECT(err != ERR_OK && err != ERR_MEMORY);
        bad.at[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    bytes_drop(&bad);
}
END_TEST

START_TEST(test_a_snapshot_cut_short_is_refused_unless_a_seal_ends_it)
{
    help_read(&file, "disk/snapshot.18");
    for (size_t len = 0; len < file.len; len++) {
        enum err err;
        struct tree *tree =
            help_load(&heap.mem, span_make(file.at, len), 1 + len % 50, IMAGE_FILE, &err);

        if (len == 1449 + 13) {
            EXPECT(tree != NULL); /* the first seal: without digest */
            tree_drop(tree);
        } else {
            EXPECT(tree == NULL);
            ck_assert_msg(err == ERR_SHORT || err == ERR_CHECKSUM || err == ERR_FORMAT, "%zu %s",
                          len, err_text(err));
        }
    }
}
END_TEST

Suite *suite_disk(void)
{
    Suite *suite = suite_create("disk");
    TCase *tcase = tcase_create("disk");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_every_logged_transaction_encodes_back_to_its_bytes);
    tcase_add_test(tcase, test_a_snapshot_written_again_is_byte_for_byte_the_same);
    tcase_add_test(tcase, test_a_new_tree_writes_the_first_snapshot_of_apache);
    tcase_add_test(tcase, test_the_log_leads_from_the_first_snapshot_to_the_last);
    tcase_add_test(tcase, test_replaying_over_the_final_state_ends_in_the_final_state);
    tcase_add_test(tcase, test_a_flipped_bit_anywhere_in_a_snapshot_is_noticed);
    tcase_add_test(tcase, test_a_snapshot_cut_short_is_refused_unless_a_seal_ends_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
