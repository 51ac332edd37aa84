#include "help_store_case.h"
#include "protocol/store_log.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- starting ---- */

START_TEST(test_an_empty_directory_gets_snapshot_0)
{
    rig_boot(rig);

    rig_check(rig, "empty");
    ck_assert(rig->bits & STORE_LOADED);
    ck_assert(store_is_trusted(rig->store));
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert_int_eq(store_accepted_epoch(rig->store), 0);
    ck_assert(span_is(case_file(DIR_DATA, "acceptedEpoch"), "0"));
    ck_assert(span_is(case_file(DIR_DATA, "currentEpoch"), "0"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.0"));
}
END_TEST

START_TEST(test_without_autocreate_an_empty_directory_is_not_trusted)
{
    rig->config.autocreate = false;
    rig_boot(rig);

    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    ck_assert(!store_is_trusted(rig->store));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.0"));
    ck_assert_int_eq(store_append(rig->store, 1, span_make("x", 1)), ERR_REFUSED);

    rig_install(rig, case_zxid(3, 7));
    rig_idle(rig);
    ck_assert(rig->bits & STORE_INSTALLED);
    ck_assert(store_is_trusted(rig->store));
}
END_TEST

START_TEST(test_a_standalone_server_keeps_no_epoch_files)
{
    rig->config.ensemble = false;
    rig_boot(rig);
    case_append(2);
    case_restart();

    rig_check(rig, "standalone");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "currentEpoch"));
}
END_TEST

/* Files written by Apache ZooKeeper 3.8.0. */
START_TEST(test_apaches_files_recover_to_the_recorded_digest)
{
    rig->config.ensemble = false;
    rig->config.tree.extended_types = true;
    case_put_vector(DIR_DATA, "snapshot.0");
    case_put_vector(DIR_LOG, "log.1");
    rig_boot(rig);

    ck_assert_msg(store_state(rig->store) == STORE_READY, "%s", store_why(rig->store));
    ck_assert_int_eq(store_durable_zxid(rig->store), 0x18);
    ck_assert_uint_eq(tree_digest(rig->tree), 0x654428b51);
    ck_assert_uint_eq(history_count(&rig->history), 0x18);
    ck_assert_uint_eq(tree_session_count(rig->tree), 1);
    ck_assert_uint_eq(case_file(DIR_LOG, "log.1").len, 65552);

    rig_kill(rig);
    case_put_vector(DIR_DATA, "snapshot.18");
    rig_boot(rig);
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    ck_assert_uint_eq(tree_digest(rig->tree), 0x654428b51);
    ck_assert_uint_eq(history_count(&rig->history), 0);
}
END_TEST

START_TEST(test_apaches_records_are_written_byte_for_byte)
{
    struct bytes apache;
    struct history_txn *txn;

    rig->config.ensemble = false;
    rig->config.tree.extended_types = true;
    case_put_vector(DIR_DATA, "snapshot.0");
    case_put_vector(DIR_LOG, "log.1");
    rig_boot(rig);
    bytes_init(&apache, &case_heap.mem);
    bytes_raw(&apache, case_file(DIR_LOG, "log.1").at, 2510); /* the rest is padding */
    case_erase(DIR_LOG, "log.1");
    struct history from = rig->history;

    history_init(&rig->history, &rig->heap.mem, 500, UINT64_MAX);
    tree_drop(rig->tree);
    store_drop(rig->store);
    tree_result_drop(&rig->result);
    struct mem_heap kept = rig->heap;

    rig->up = false;
    rig_boot(rig);
    for (uint64_t s = from.ring.head; (txn = history_at(&from, s)) != NULL; s++) {
        ck_assert_int_eq(store_append(rig->store, txn->zxid, txn->bytes), ERR_OK);
    }
    rig_begin(rig);
    rig_end(rig);
    rig_idle(rig);

    ck_assert(span_equal(case_file(DIR_LOG, "log.1"), bytes_span(&apache)));
    from.mem = &kept.mem;
    from.ring.mem = &kept.mem;
    history_drop(&from);
    bytes_drop(&apache);
}
END_TEST

/* ---- the log ---- */

START_TEST(test_only_a_finished_sync_counts)
{
    rig_boot(rig);
    rig_set_epoch(rig, 1);

    rig_append(rig);
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert_int_eq(store_appended_zxid(rig->store), case_zxid(1, 1));
    ck_assert(!store_is_settled(rig->store));
    ck_assert(rig_pump(rig)); /* the write */
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert(rig_pump(rig)); /* the sync */
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 1));
    ck_assert(store_is_settled(rig->store));
}
END_TEST

START_TEST(test_records_wait_for_the_sync_in_flight_and_go_together)
{
    rig_boot(rig);
    rig_set_epoch(rig, 1);

    rig_append(rig);
    ck_assert_uint_eq(rig->fx.count, 2); /* append, sync */
    for (int i = 0; i < 5; i++) {
        rig_append(rig);
        ck_assert_uint_eq(rig->fx.count, 0);
    }
    ck_assert(rig_pump(rig));
    ck_assert(rig_pump(rig));
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 1));
    rig_idle(rig);
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 6));
    case_restart();
    rig_check(rig, "group");
}
END_TEST

START_TEST(test_without_force_sync_a_write_counts)
{
    rig->config.force_sync = false;
    rig_boot(rig);
    rig_set_epoch(rig, 1);

    rig_append(rig);
    ck_assert_uint_eq(rig->fx.count, 1);
    rig_idle(rig);
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 1));
}
END_TEST

START_TEST(test_a_new_file_begins_after_a_start)
{
    case_start(3);
    case_restart();
    rig_check(rig, "first");
    case_append(2);

    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.100000001"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.100000004"));
    case_restart();
    rig_check(rig, "second");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 5));
}
END_TEST

START_TEST(test_a_long_file_is_rolled)
{
    struct file_view view;
    uint32_t logs = 0;

    rig->config.log_size_bytes = 300;
    case_start(1);
    for (int i = 0; i < 10; i++) {
        case_append(1);
    }

    for (uint32_t i = 0; store_file_at(rig->store, i, &view); i++) {
        logs += view.dir == DIR_LOG ? 1 : 0;
        ck_assert_uint_lt(view.size, 300 + 200);
    }
    ck_assert_uint_ge(logs, 3);
    case_restart();
    rig_check(rig, "rolled");
}
END_TEST

START_TEST(test_snapshots_come_after_snap_count_txns)
{
    uint32_t snapshots = 0;
    struct file_view view;

    rig->config.snap_count = 10;
    case_start(0);
    for (int i = 0; i < 60; i++) {
        case_append(1);
    }
    for (uint32_t i = 0; store_file_at(rig->store, i, &view); i++) {
        snapshots += view.dir == DIR_DATA ? 1 : 0;
    }

    ck_assert(rig->bits & STORE_SNAPSHOT);
    ck_assert_uint_ge(snapshots, 6);
    ck_assert_uint_le(snapshots, 13);
    case_restart();
    rig_check(rig, "snapshots");
    ck_assert_uint_lt(history_count(&rig->history), 12);
}
END_TEST

/* ---- epochs ---- */

static void boot_with_epochs(const char *accepted, const char *current)
{
    rig_kill(rig);
    if (accepted == NULL) {
        case_erase(DIR_DATA, "acceptedEpoch");
    } else {
        disk_put(rig->disk, DIR_DATA, "acceptedEpoch", span_text(accepted));
    }
    if (current == NULL) {
        case_erase(DIR_DATA, "currentEpoch");
    } else {
        disk_put(rig->disk, DIR_DATA, "currentEpoch", span_text(current));
    }
    rig_boot(rig);
}

START_TEST(test_missing_epoch_files_take_the_epoch_of_the_last_txn)
{
    case_start(2);
    boot_with_epochs(NULL, "1");
    ck_assert_int_eq(store_accepted_epoch(rig->store), 1);
    ck_assert(span_is(case_file(DIR_DATA, "acceptedEpoch"), "1"));
    boot_with_epochs("5", NULL);
    ck_assert_int_eq(store_accepted_epoch(rig->store), 5);
    ck_assert_int_eq(store_current_epoch(rig->store), 1);
    ck_assert(span_is(case_file(DIR_DATA, "currentEpoch"), "1"));
}
END_TEST

/* EP-6: a crash between durable history and currentEpoch must not keep a server from starting. */
START_TEST(test_current_epoch_rolls_forward_to_the_last_txn)
{
    case_start(2);
    boot_with_epochs("7", "0");

    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    ck_assert_int_eq(store_current_epoch(rig->store), 1);
    ck_assert(span_is(case_file(DIR_DATA, "currentEpoch"), "1"));
    ck_assert(span_is(case_file(DIR_DATA, "acceptedEpoch"), "7"));
}
END_TEST

START_TEST(test_epochs_that_contradict_each_other_are_refused)
{
    case_start(2);
    boot_with_epochs("1", "2");
    case_expect_refused("acceptedEpoch", "less than currentEpoch");
    boot_with_epochs("0", "0");
    case_expect_refused("acceptedEpoch", "less than the epoch of the last");
    boot_with_epochs("", "1");
    case_expect_refused("acceptedEpoch", "not the number");
    boot_with_epochs("1", "one");
    case_expect_refused("currentEpoch", "not the number");
    boot_with_epochs("1\n", "1\n");
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
}
END_TEST

/* ---- truncation and installation ---- */

START_TEST(test_truncation_makes_a_txn_the_last_one)
{
    case_start(3);
    case_restart();
    rig_check(rig, "t");
    case_append(5);
    rig_snapshot(rig);
    rig_idle(rig);
    case_append(2);

    rig_truncate(rig, case_zxid(1, 5));
    ck_assert_int_eq(store_state(rig->store), STORE_TRUNCATING);
    rig_idle(rig);
    ck_assert(rig->bits & STORE_TRUNCATED);
    rig_check(rig, "truncated");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 5));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000008"));
    rig_set_epoch(rig, 2);
    case_append(2);
    case_restart();
    rig_check(rig, "after truncation");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(2, 2));
}
END_TEST

START_TEST(test_truncation_to_the_label_of_a_snapshot)
{
    case_start(3);
    rig_truncate(rig, 0);
    rig_idle(rig);

    ck_assert(rig->bits & STORE_TRUNCATED);
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000001"));
}
END_TEST

START_TEST(test_truncation_to_an_unknown_zxid_changes_nothing)
{
    case_start(3);
    rig_begin(rig);
    store_truncate(rig->store, &rig->fx, case_zxid(0, 9));
    rig_end(rig);
    rig_idle(rig);
    ck_assert(rig->bits & STORE_NO_TRUNC);
    rig->bits = 0;
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    rig_begin(rig);
    store_truncate(rig->store, &rig->fx, case_zxid(1, 9));
    rig_end(rig);
    rig_idle(rig);

    ck_assert(rig->bits & STORE_NO_TRUNC);
    rig_check(rig, "nothing changed");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 3));
    case_append(1);
    case_restart();
    rig_check(rig, "still nothing changed");
}
END_TEST

START_TEST(test_an_installed_tree_replaces_everything)
{
    static const int64_t labels[] = {0x100000002, 0x100000009, 0x200000000, 0x300000005};

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        struct rig *first = rig;

        rig_drop(first);
        rig = rig_make();
        case_start(2);
        rig_snapshot(rig);
        rig_idle(rig);
        case_append(4);
        rig_set_epoch(rig, 3);

        rig_install(rig, labels[i]);
        rig_append(rig); /* waits */
        rig_idle(rig);
        ck_assert(rig->bits & STORE_INSTALLED);
        ck_assert_int_gt(store_durable_zxid(rig->store), labels[i]);
        case_restart();
        rig_check(rig, "installed");
    }
}
END_TEST

/* What the old files hold up to the label, and what follows it, must never be read as one history.
 */
START_TEST(test_a_damaged_installed_snapshot_is_never_passed_over)
{
    case_start(3);
    rig_set_epoch(rig, 2);
    rig_install(rig, case_zxid(2, 0));
    rig_idle(rig);
    case_append(2);
    rig_kill(rig);
    case_damage(DIR_DATA, "snapshot.200000000", 60);
    rig_boot(rig);

    case_expect_refused("snapshot.200000000", "no older snapshot");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000001"));
}
END_TEST

START_TEST(test_purge_keeps_what_recovery_needs)
{
    case_start(0);
    for (int i = 0; i < 6; i++) {
        case_append(3);
        rig_snapshot(rig);
        rig_idle(rig);
    }
    case_append(1);
    case_restart();
    rig_check(rig, "before purge");
    case_damage(DIR_DATA, "snapshot.10000000f", case_file(DIR_DATA, "snapshot.10000000f").len - 1);

    rig_purge(rig, 3);
    rig_idle(rig);
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.100000012"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.10000000c"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.100000009"));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000006"));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000007"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.10000000a"));
    case_restart();
    rig_check(rig, "after purge");
    rig_kill(rig);
    case_erase(DIR_DATA, "snapshot.100000012");
    case_erase(DIR_DATA, "snapshot.10000000f");
    case_erase(DIR_DATA, "snapshot.10000000c");
    rig_boot(rig);
    rig_check(rig, "from the oldest one kept");
}
END_TEST

/* ---- scans ---- */

struct found {
    enum scan_result end;
    int64_t floor, first, last;
    uint32_t count;
};

static struct found scan_all(struct store_scan *scan)
{
    struct found found = {0};
    struct scan_txn txn;

    for (;;) {
        rig_begin(rig);
        found.end = store_scan_next(rig->store, scan, &rig->fx, &txn);
        rig_end(rig);
        if (found.end == SCAN_TXN) {
            found.first = found.count == 0 ? txn.zxid : found.first;
            found.last = txn.zxid;
            found.count++;
        } else if (found.end != SCAN_WAIT || !rig_pump(rig)) {
            break;
        }
    }
    found.floor = store_scan_floor(scan);
    return found;
}

START_TEST(test_a_scan_gives_every_txn_behind_a_zxid)
{
    struct store_scan *scan;
    struct found found;

    rig->config.snapshot_factor_ppm = 0;
    case_start(3);
    case_restart();
    rig_check(rig, "scan");
    case_append(3);
    rig_set_epoch(rig, 2);
    case_append(4);

    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 2), &scan), ERR_OK);
    found = scan_all(scan);
    ck_assert_int_eq(found.end, SCAN_END);
    ck_assert_uint_eq(found.count, 8);
    ck_assert_int_eq(found.floor, case_zxid(1, 2));
    ck_assert_int_eq(found.first, case_zxid(1, 3));
    ck_assert_int_eq(found.last, case_zxid(2, 4));
    case_append(2); /* a scan at the end goes on with what has become durable */
    found = scan_all(scan);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_int_eq(found.last, case_zxid(2, 6));
    store_scan_close(rig->store, scan);

    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 9), &scan), ERR_OK);
    found = scan_all(scan);
    ck_assert_int_eq(found.floor, case_zxid(1, 6)); /* the caller sends TRUNC to it */
    ck_assert_int_eq(found.first, case_zxid(2, 1));
    store_scan_close(rig->store, scan);
    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(0, 9), &scan), ERR_MISSING);
}
END_TEST

START_TEST(test_a_scan_is_refused_when_a_snapshot_is_cheaper)
{
    struct store_scan *scan;

    case_start(3);
    case_restart();
    rig_check(rig, "scan");
    case_append(3);
    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 2), &scan), ERR_LONG);
    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 4), &scan), ERR_OK);
    store_scan_close(rig->store, scan);
    rig_kill(rig);
    rig->config.scan_enabled = false;
    rig_boot(rig);
    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 4), &scan), ERR_REFUSED);
}
END_TEST

/* ZOOKEEPER-2418: a DIFF with a gap. */
START_TEST(test_a_scan_breaks_at_a_gap)
{
    struct store_scan *scan;

    rig->config.snapshot_factor_ppm = 0;
    case_start_three_files();
    rig_boot(rig);
    rig_check(rig, "scan");
    case_erase(DIR_LOG, "log.100000004");
    ck_assert_int_eq(store_scan_open(rig->store, case_zxid(1, 2), &scan), ERR_OK);
    ck_assert_int_eq(scan_all(scan).end, SCAN_BROKEN);
    store_scan_close(rig->store, scan);
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
}
END_TEST

Suite *suite_store(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = case_add(suite, "start");

    tcase_add_test(tests, test_an_empty_directory_gets_snapshot_0);
    tcase_add_test(tests, test_without_autocreate_an_empty_directory_is_not_trusted);
    tcase_add_test(tests, test_a_standalone_server_keeps_no_epoch_files);
    tcase_add_test(tests, test_apaches_files_recover_to_the_recorded_digest);
    tcase_add_test(tests, test_apaches_records_are_written_byte_for_byte);
    tests = case_add(suite, "log");
    tcase_add_test(tests, test_only_a_finished_sync_counts);
    tcase_add_test(tests, test_records_wait_for_the_sync_in_flight_and_go_together);
    tcase_add_test(tests, test_without_force_sync_a_write_counts);
    tcase_add_test(tests, test_a_new_file_begins_after_a_start);
    tcase_add_test(tests, test_a_long_file_is_rolled);
    tcase_add_test(tests, test_snapshots_come_after_snap_count_txns);
    tests = case_add(suite, "epochs");
    tcase_add_test(tests, test_missing_epoch_files_take_the_epoch_of_the_last_txn);
    tcase_add_test(tests, test_current_epoch_rolls_forward_to_the_last_txn);
    tcase_add_test(tests, test_epochs_that_contradict_each_other_are_refused);
    tests = case_add(suite, "change");
    tcase_add_test(tests, test_truncation_makes_a_txn_the_last_one);
    tcase_add_test(tests, test_truncation_to_the_label_of_a_snapshot);
    tcase_add_test(tests, test_truncation_to_an_unknown_zxid_changes_nothing);
    tcase_add_test(tests, test_an_installed_tree_replaces_everything);
    tcase_add_test(tests, test_a_damaged_installed_snapshot_is_never_passed_over);
    tcase_add_test(tests, test_purge_keeps_what_recovery_needs);
    tests = case_add(suite, "scan");
    tcase_add_test(tests, test_a_scan_gives_every_txn_behind_a_zxid);
    tcase_add_test(tests, test_a_scan_is_refused_when_a_snapshot_is_cheaper);
    tcase_add_test(tests, test_a_scan_breaks_at_a_gap);
    return suite;
}
