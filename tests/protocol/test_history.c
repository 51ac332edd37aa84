#include "help_store.h"

#include <check.h>

static struct mem_heap heap;
static struct history history;
static struct bytes bytes;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&bytes, &heap.mem);
    history_init(&history, &heap.mem, 3, UINT64_MAX);
}

static void teardown(void)
{
    history_drop(&history);
    bytes_drop(&bytes);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static enum err push(int64_t zxid)
{
    struct history_txn *txn;

    return history_push(&history, rig_txn(&bytes, zxid, "/a", "data"), &txn);
}

static void commit(int64_t zxid)
{
    struct history_txn *txn;

    ck_assert_int_eq(history_commit(&history, zxid, &txn), ERR_OK);
    ck_assert_int_eq(txn->zxid, zxid);
}

START_TEST(test_zxids_follow_by_one_or_begin_a_later_epoch)
{
    ck_assert(zxid_follows(0, zxid_make(1, 1)));
    ck_assert(zxid_follows(0, 1));
    ck_assert(zxid_follows(zxid_make(2, 7), zxid_make(2, 8)));
    ck_assert(zxid_follows(zxid_make(2, 0), zxid_make(2, 1)));
    ck_assert(zxid_follows(zxid_make(2, 7), zxid_make(9, 1)));
    ck_assert(!zxid_follows(zxid_make(2, 7), zxid_make(2, 9)));
    ck_assert(!zxid_follows(zxid_make(2, 7), zxid_make(2, 7)));
    ck_assert(!zxid_follows(zxid_make(2, 7), zxid_make(3, 2)));
    ck_assert(!zxid_follows(zxid_make(2, 7), zxid_make(1, 1)));
    ck_assert(!zxid_follows(zxid_make(2, 0xffffffff), zxid_make(3, 0)));
}
END_TEST

START_TEST(test_push_refuses_what_does_not_follow)
{
    struct history_txn *txn;

    ck_assert_int_eq(push(zxid_make(1, 1)), ERR_OK);
    ck_assert_int_eq(push(zxid_make(1, 3)), ERR_ORDER);
    ck_assert_int_eq(push(zxid_make(1, 1)), ERR_ORDER);
    ck_assert_int_eq(push(zxid_make(2, 0)), ERR_FORMAT);
    ck_assert_int_eq(push(-5), ERR_FORMAT);
    ck_assert_int_eq(history_push(&history, span_make("short", 5), &txn), ERR_FORMAT);
    ck_assert_int_eq(push(zxid_make(1, 2)), ERR_OK);
    ck_assert_int_eq(push(zxid_make(3, 1)), ERR_OK);
    ck_assert_uint_eq(history_count(&history), 3);
    ck_assert_int_eq(history_last_zxid(&history), zxid_make(3, 1));
    ck_assert_int_eq(history_commit_zxid(&history), 0);
}
END_TEST

START_TEST(test_commit_goes_in_order)
{
    struct history_txn *txn;

    ck_assert_int_eq(history_commit(&history, 1, &txn), ERR_MISSING);
    ck_assert_int_eq(push(1), ERR_OK);
    ck_assert_int_eq(push(2), ERR_OK);
    ck_assert_int_eq(history_commit(&history, 2, &txn), ERR_ORDER);
    commit(1);
    ck_assert_int_eq(history_first_pending(&history)->zxid, 2);
    ck_assert_uint_eq(history_pending_count(&history), 1);
    ck_assert_int_eq(history_last_committed(&history)->zxid, 1);
    commit(2);
    ck_assert_ptr_null(history_first_pending(&history));
    ck_assert_int_eq(history_commit_zxid(&history), 2);
}
END_TEST

START_TEST(test_find_and_walk_across_epochs)
{
    static const int64_t counters[] = {3, 1, 5, 2};
    uint64_t count = 0;

    history_reset(&history, zxid_make(1, 4));
    for (int64_t epoch = 2; epoch < 6; epoch++) {
        for (uint32_t i = 1; i <= counters[epoch - 2]; i++) {
            ck_assert_int_eq(push(zxid_make(epoch, i)), ERR_OK);
        }
    }

    for (int64_t epoch = 1; epoch < 8; epoch++) {
        for (uint32_t i = 0; i < 8; i++) {
            int64_t zxid = zxid_make(epoch, i);
            bool held = epoch >= 2 && epoch < 6 && i >= 1 && i <= counters[epoch - 2];
            struct history_txn *txn = history_find(&history, zxid);
            uint64_t after = history_after(&history, zxid);

            ck_assert_int_eq(txn != NULL, held);
            ck_assert(after == history.ring.tail || history_at(&history, after)->zxid > zxid);
            ck_assert(after == history.ring.head || history_at(&history, after - 1)->zxid <= zxid);
        }
    }
    for (uint64_t s = history_after(&history, 0); history_at(&history, s) != NULL; s++) {
        count++;
    }
    ck_assert_uint_eq(count, 11);
}
END_TEST

START_TEST(test_trim_keeps_committed_ones_that_are_wanted)
{
    for (int64_t zxid = 1; zxid <= 10; zxid++) {
        ck_assert_int_eq(push(zxid), ERR_OK);
    }
    for (int64_t zxid = 1; zxid <= 8; zxid++) {
        commit(zxid);
    }

    history_trim(&history, 2);
    ck_assert_int_eq(history_first_committed(&history)->zxid, 3);
    history_trim(&history, UINT64_MAX);
    ck_assert_int_eq(history_first_committed(&history)->zxid, 6);
    ck_assert_uint_eq(history_count(&history), 5);
    ck_assert_ptr_null(history_find(&history, 5));
    ck_assert_ptr_null(history_at(&history, 0));
    ck_assert_int_eq(history_at(&history, 5)->zxid, 6);
}
END_TEST

START_TEST(test_trim_obeys_the_limit_of_bytes)
{
    history.keep_bytes = 1;
    for (int64_t zxid = 1; zxid <= 3; zxid++) {
        ck_assert_int_eq(push(zxid), ERR_OK);
    }
    commit(1);
    commit(2);

    history_trim(&history, UINT64_MAX);

    ck_assert_ptr_null(history_first_committed(&history));
    ck_assert_int_eq(history_first_pending(&history)->zxid, 3);
    ck_assert_int_eq(history_commit_zxid(&history), 2);
}
END_TEST

/* Step contract: what is lent to an effect is readable until the next step of the process. */
START_TEST(test_bytes_stay_until_the_next_step)
{
    struct span lent;

    ck_assert_int_eq(push(1), ERR_OK);
    lent = history_find(&history, 1)->bytes;
    history_cut(&history, 0);
    ck_assert_uint_eq(history_count(&history), 0);

    ck_assert(span_equal(lent, rig_txn(&bytes, 1, "/a", "data")));
    ck_assert_uint_gt(heap.mem.used_bytes, lent.len + bytes.room);
    history_begin_step(&history);
    ck_assert_uint_lt(heap.mem.used_bytes, lent.len + bytes.room + 8 * sizeof(void *) + 1);
}
END_TEST

START_TEST(test_cut_takes_pending_and_committed_ones)
{
    for (int64_t zxid = 1; zxid <= 6; zxid++) {
        ck_assert_int_eq(push(zxid), ERR_OK);
    }
    commit(1);
    commit(2);
    commit(3);

    history_cut(&history, 4);
    ck_assert_int_eq(history_last_zxid(&history), 4);
    ck_assert_int_eq(history_first_pending(&history)->zxid, 4);
    history_cut(&history, 2);
    ck_assert_int_eq(history_last_zxid(&history), 2);
    ck_assert_int_eq(history_commit_zxid(&history), 2);
    ck_assert_ptr_null(history_first_pending(&history));
    ck_assert_int_eq(push(zxid_make(7, 1)), ERR_OK);
    ck_assert_int_eq(history_first_pending(&history)->zxid, zxid_make(7, 1));
}
END_TEST

START_TEST(test_push_fails_cleanly_without_memory)
{
    struct history_txn *txn;

    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct span span = rig_txn(&bytes, 1, "/a", "data");

        heap.mem.fail_at = heap.mem.get_count + nth;
        ck_assert_int_eq(history_push(&history, span, &txn), ERR_MEMORY);
        ck_assert_uint_eq(history_count(&history), 0);
        ck_assert_uint_eq(history.bytes, 0);
        heap.mem.fail_at = 0;
    }
    ck_assert_int_eq(push(1), ERR_OK);
}
END_TEST

Suite *suite_history(void)
{
    Suite *suite = suite_create("history");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_zxids_follow_by_one_or_begin_a_later_epoch);
    tcase_add_test(tests, test_push_refuses_what_does_not_follow);
    tcase_add_test(tests, test_commit_goes_in_order);
    tcase_add_test(tests, test_find_and_walk_across_epochs);
    tcase_add_test(tests, test_trim_keeps_committed_ones_that_are_wanted);
    tcase_add_test(tests, test_trim_obeys_the_limit_of_bytes);
    tcase_add_test(tests, test_bytes_stay_until_the_next_step);
    tcase_add_test(tests, test_cut_takes_pending_and_committed_ones);
    tcase_add_test(tests, test_push_fails_cleanly_without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
