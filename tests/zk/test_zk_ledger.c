/* The ledger: which history contains what, across epochs. */
#include "sim/zk/zk_ledger.h"

#include <check.h>

static struct mem_heap heap;
static struct zk_ledger ledger;

static void base(int64_t epoch, int64_t zxid)
{
    struct zk_epoch *entry = zk_ledger_put_epoch(&ledger, epoch);

    entry->has_base = true;
    entry->base = zxid;
}

/* Epoch 1 began with nothing, epoch 2 after 1:5, epoch 3 was never established, epoch 4 began after
 * 2:7. */
static void open_ledger(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    zk_ledger_init(&ledger, &heap.mem);
    base(4, zxid_make(2, 7));
    base(1, 0);
    base(2, zxid_make(1, 5));
    zk_ledger_put_epoch(&ledger, 3);
}

static void close_ledger(void)
{
    mem_put(&heap.mem, ledger.epochs, ledger.epoch_room * sizeof(*ledger.epochs));
    mem_put(&heap.mem, ledger.txns, ledger.room * sizeof(*ledger.txns));
    mem_put(&heap.mem, ledger.slots, ledger.slot_count * sizeof(*ledger.slots));
}

START_TEST(test_contains)
{
    open_ledger();

    ck_assert(zk_ledger_contains(&ledger, zxid_make(2, 3), zxid_make(2, 3)));
    ck_assert(zk_ledger_contains(&ledger, zxid_make(2, 3), zxid_make(2, 1)));
    ck_assert(!zk_ledger_contains(&ledger, zxid_make(2, 3), zxid_make(2, 4)));
    ck_assert(zk_ledger_contains(&ledger, zxid_make(2, 3), zxid_make(1, 5)));
    ck_assert(!zk_ledger_contains(&ledger, zxid_make(2, 3), zxid_make(1, 6)));
    ck_assert(!zk_ledger_contains(&ledger, zxid_make(1, 9), zxid_make(2, 1)));
    ck_assert(zk_ledger_contains(&ledger, zxid_make(4, 1), zxid_make(1, 5)));
    ck_assert(!zk_ledger_contains(&ledger, zxid_make(4, 1), zxid_make(2, 8)));
    ck_assert(!zk_ledger_contains(&ledger, zxid_make(4, 1), zxid_make(1, 6)));
    ck_assert(zk_ledger_contains(&ledger, 0, 0));
    ck_assert(!zk_ledger_contains(&ledger, 0, zxid_make(1, 1)));
    /* nothing is known of where epoch 3 began */
    ck_assert(zk_ledger_contains(&ledger, zxid_make(3, 1), zxid_make(1, 9)));
    close_ledger();
}
END_TEST

START_TEST(test_before)
{
    open_ledger();

    ck_assert_int_eq(zk_ledger_before(&ledger, zxid_make(2, 2)), zxid_make(2, 1));
    ck_assert_int_eq(zk_ledger_before(&ledger, zxid_make(2, 1)), zxid_make(1, 5));
    ck_assert_int_eq(zk_ledger_before(&ledger, zxid_make(1, 1)), 0);
    ck_assert_int_eq(zk_ledger_before(&ledger, zxid_make(3, 1)), -1);
    ck_assert_int_eq(zk_ledger_before(&ledger, zxid_make(9, 1)), -1);
    close_ledger();
}
END_TEST

START_TEST(test_common)
{
    open_ledger();

    ck_assert_int_eq(zk_ledger_common(&ledger, zxid_make(1, 9), zxid_make(2, 3)), zxid_make(1, 5));
    ck_assert_int_eq(zk_ledger_common(&ledger, zxid_make(1, 3), zxid_make(2, 3)), zxid_make(1, 3));
    ck_assert_int_eq(zk_ledger_common(&ledger, zxid_make(2, 9), zxid_make(4, 1)), zxid_make(2, 7));
    ck_assert_int_eq(zk_ledger_common(&ledger, zxid_make(4, 2), zxid_make(4, 1)), zxid_make(4, 1));
    ck_assert_int_eq(zk_ledger_common(&ledger, zxid_make(4, 2), 0), 0);
    close_ledger();
}
END_TEST

START_TEST(test_many_transactions)
{
    open_ledger();
    for (int64_t i = 1; i <= 5000; i++) {
        struct zk_txn *txn = zk_ledger_put(&ledger, zxid_make(1 + i % 3, (uint32_t)i));

        ck_assert_ptr_nonnull(txn);
        txn->hash = (uint64_t)i;
    }

    for (int64_t i = 1; i <= 5000; i++) {
        const struct zk_txn *txn = zk_ledger_find(&ledger, zxid_make(1 + i % 3, (uint32_t)i));

        ck_assert_ptr_nonnull(txn);
        ck_assert_uint_eq(txn->hash, (uint64_t)i);
    }
    ck_assert_ptr_null(zk_ledger_find(&ledger, zxid_make(1, 1)));
    ck_assert_uint_eq(ledger.count, 5000);
    close_ledger();
}
END_TEST

Suite *suite_zk_ledger(void)
{
    Suite *suite = suite_create("zk_ledger");
    TCase *tcase = tcase_create("histories");

    tcase_add_test(tcase, test_contains);
    tcase_add_test(tcase, test_before);
    tcase_add_test(tcase, test_common);
    tcase_add_test(tcase, test_many_transactions);
    suite_add_tcase(suite, tcase);
    return suite;
}
