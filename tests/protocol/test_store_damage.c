#include "help_store_case.h"
#include "protocol/store_log.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- tails and damage ---- */

START_TEST(test_a_torn_tail_is_cut_at_every_length)
{
    struct bytes file;
    size_t whole;
    size_t zeros;

    case_start(3);
    whole = case_file(DIR_LOG, "log.100000001").len;
    case_append(1);
    bytes_init(&file, &case_heap.mem);
    bytes_raw(&file, case_file(DIR_LOG, "log.100000001").at,
              case_file(DIR_LOG, "log.100000001").len);
    struct line line = *rig->line;

    for (zeros = whole; file.at[zeros] == 0; zeros++) {
    }
    for (size_t len = whole; len < file.len; len++) {
        rig_kill(rig);
        *rig->line = line;
        rig->line->floor = case_zxid(1, 3);
        case_put_part(DIR_LOG, "log.100000001", &file, len);
        rig_boot(rig);
        rig_check(rig, "torn");
        ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 3));
        /* A record begins with zeros, and zeros are padding. */
        ck_assert_uint_eq(case_file(DIR_LOG, "log.100000001").len, len <= zeros ? len : whole);
        case_append(1);
        case_restart();
        rig_check(rig, "torn, then written");
        ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 4));
        case_erase(DIR_LOG, "log.100000004");
    }
    bytes_drop(&file);
}
END_TEST

START_TEST(test_a_torn_header_is_removed_at_every_length)
{
    struct bytes file;

    case_start(3);
    case_restart();
    case_append(1);
    bytes_init(&file, &case_heap.mem);
    bytes_raw(&file, case_file(DIR_LOG, "log.100000004").at,
              case_file(DIR_LOG, "log.100000004").len);
    struct line line = *rig->line;

    for (size_t len = 0; len < file.len; len++) {
        rig_kill(rig);
        *rig->line = line;
        rig->line->floor = case_zxid(1, 3);
        case_put_part(DIR_LOG, "log.100000004", &file, len);
        rig_boot(rig);
        rig_check(rig, "torn header");
        ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 3));
        ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000004"));
        case_append(1);
    }
    bytes_drop(&file);
}
END_TEST

START_TEST(test_zeros_behind_the_last_record_are_padding)
{
    case_start(3);
    rig_kill(rig);
    case_resize(DIR_LOG, "log.100000001", 400000);
    rig_boot(rig);

    rig_check(rig, "padding");
    ck_assert_uint_eq(case_file(DIR_LOG, "log.100000001").len, 400000);
    case_append(1);
    case_restart();
    rig_check(rig, "padding, then another file");
}
END_TEST

START_TEST(test_any_damage_in_the_middle_is_refused)
{
    size_t before;
    size_t len;
    char what[64];

    case_start(2);
    before = case_file(DIR_LOG, "log.100000001").len;
    case_append(1);
    len = case_file(DIR_LOG, "log.100000001").len;
    case_append(1);
    for (size_t offset = before; offset < len; offset++) {
        rig_kill(rig);
        case_damage(DIR_LOG, "log.100000001", offset);
        rig_boot(rig);
        snprintf(what, sizeof(what), "offset %zu", before);
        case_expect_refused("log.100000001", what);
        case_damage(DIR_LOG, "log.100000001", offset);
    }
}
END_TEST

START_TEST(test_a_hole_in_the_middle_is_refused)
{
    size_t before;
    size_t len;
    uint8_t *copy;

    case_start(2);
    before = case_file(DIR_LOG, "log.100000001").len;
    case_append(1);
    len = case_file(DIR_LOG, "log.100000001").len;
    case_append(1);
    rig_kill(rig);
    struct span span = case_file(DIR_LOG, "log.100000001");

    copy = malloc(span.len);
    memcpy(copy, span.at, span.len);
    memset(copy + before, 0, len - before);
    disk_put(rig->disk, DIR_LOG, "log.100000001", span_make(copy, span.len));
    free(copy);
    rig_boot(rig);

    case_expect_refused("log.100000001", "a hole");
}
END_TEST

/* Three files; the newest has the highest zxids, so nothing else would be noticed. ZOOKEEPER list,
 * "missing middle log file". */
START_TEST(test_a_missing_middle_file_is_refused)
{
    case_start_three_files();
    case_erase(DIR_LOG, "log.100000004");
    rig_boot(rig);

    case_expect_refused("log.100000007", "0x100000007 does not follow 0x100000003");
}
END_TEST

START_TEST(test_a_missing_first_file_is_refused)
{
    case_start_three_files();
    case_erase(DIR_LOG, "log.100000001");
    rig_boot(rig);

    case_expect_refused("log.100000004", "0x100000004 does not follow 0x0");
}
END_TEST

START_TEST(test_a_cut_file_in_the_middle_is_refused)
{
    case_start_three_files();
    case_resize(DIR_LOG, "log.100000004", case_file(DIR_LOG, "log.100000004").len - 5);
    rig_boot(rig);

    case_expect_refused("log.100000007", "log.100000004 is damaged at offset");
}
END_TEST

/* Apache never cuts a torn tail: it goes on in a new file. Nothing is missing if that begins with
 * the very next txn. */
START_TEST(test_a_torn_tail_before_the_next_txn_is_accepted)
{
    struct span span;
    size_t len;

    case_start_three_files();
    span = case_file(DIR_LOG, "log.100000004");
    len = span.len;
    case_resize(DIR_LOG, "log.100000004", len + 1000);
    case_damage(DIR_LOG, "log.100000004", len + 3);
    rig_boot(rig);

    rig_check(rig, "torn in the middle");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 9));
    ck_assert_uint_eq(case_file(DIR_LOG, "log.100000004").len, len);
}
END_TEST

/* The same, but the next file begins a later epoch: what was torn may have been a txn. */
START_TEST(test_a_torn_tail_before_another_epoch_is_refused)
{
    size_t len;

    case_start(3);
    len = case_file(DIR_LOG, "log.100000001").len;
    case_restart();
    rig_check(rig, "first");
    rig_set_epoch(rig, 2);
    case_append(2);
    rig_kill(rig);
    case_resize(DIR_LOG, "log.100000001", len + 40);
    case_damage(DIR_LOG, "log.100000001", len + 20);
    rig_boot(rig);

    case_expect_refused("log.200000001", "log.100000001 is damaged");
    /* ... and looking again does not make it pass. */
    rig_begin(rig);
    store_reload(rig->store, &rig->fx);
    rig_end(rig);
    rig_idle(rig);
    case_expect_refused("log.200000001", "log.100000001 is damaged");
}
END_TEST

START_TEST(test_logs_without_a_snapshot_are_refused)
{
    case_start(3);
    rig_kill(rig);
    case_erase(DIR_DATA, "snapshot.0");
    rig_boot(rig);
    case_expect_refused("log.100000001", "no snapshot");

    rig_kill(rig);
    rig->config.trust_empty = true;
    rig_boot(rig);
    rig_check(rig, "trust.empty replays from nothing");
}
END_TEST

START_TEST(test_a_damaged_snapshot_is_passed_over_when_the_logs_reach_it)
{
    case_start(3);
    rig_snapshot(rig);
    rig_idle(rig);
    case_append(2);
    rig_kill(rig);
    case_damage(DIR_DATA, "snapshot.100000003", 60);
    rig_boot(rig);

    rig_check(rig, "older snapshot");
    ck_assert_int_eq(store_durable_zxid(rig->store), case_zxid(1, 5));
}
END_TEST

/* ZOOKEEPER-2325 and its kin: never start with less than the files once held. */
START_TEST(test_a_damaged_snapshot_is_refused_when_the_logs_do_not_reach_it)
{
    case_start(3);
    rig_snapshot(rig);
    rig_idle(rig);
    rig_kill(rig);
    case_damage(DIR_DATA, "snapshot.100000003", 60);
    case_erase(DIR_LOG, "log.100000001");
    rig_boot(rig);
    case_expect_refused("snapshot.100000003", "logs end before it, at 0x0");

    rig_kill(rig);
    case_erase(DIR_DATA, "snapshot.0");
    rig_boot(rig);
    case_expect_refused("snapshot.100000003", "no older snapshot");
}
END_TEST

START_TEST(test_a_record_that_is_not_what_the_name_says_is_refused)
{
    case_start(3);
    rig_kill(rig);
    struct span span = case_file(DIR_LOG, "log.100000001");

    disk_put(rig->disk, DIR_LOG, "log.100000003", span);
    case_erase(DIR_LOG, "log.100000001");
    rig_boot(rig);

    case_expect_refused("log.100000003", "named after");
}
END_TEST

START_TEST(test_a_file_that_is_no_log_is_refused)
{
    case_start(1);
    rig_kill(rig);
    disk_put(rig->disk, DIR_LOG, "log.200000001", span_text("dear diary, today"));
    rig_boot(rig);

    case_expect_refused("log.200000001", "magic");
}
END_TEST

START_TEST(test_leftovers_of_a_snapshot_are_removed)
{
    case_start(2);
    rig_kill(rig);
    disk_put(rig->disk, DIR_DATA, "snapshot.100000002.tmp", span_text("ZKSN"));
    disk_put(rig->disk, DIR_DATA, "snapshot.0x7", span_text("not ours"));
    rig_boot(rig);

    rig_check(rig, "tmp");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000002.tmp"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.0x7"));
}
END_TEST

Suite *suite_store_damage(void)
{
    Suite *suite = suite_create("store damage");
    TCase *tests = case_add(suite, "damage");

    tcase_add_test(tests, test_a_torn_tail_is_cut_at_every_length);
    tcase_add_test(tests, test_a_torn_header_is_removed_at_every_length);
    tcase_add_test(tests, test_zeros_behind_the_last_record_are_padding);
    tcase_add_test(tests, test_any_damage_in_the_middle_is_refused);
    tcase_add_test(tests, test_a_hole_in_the_middle_is_refused);
    tcase_add_test(tests, test_a_missing_middle_file_is_refused);
    tcase_add_test(tests, test_a_missing_first_file_is_refused);
    tcase_add_test(tests, test_a_cut_file_in_the_middle_is_refused);
    tcase_add_test(tests, test_a_torn_tail_before_the_next_txn_is_accepted);
    tcase_add_test(tests, test_a_torn_tail_before_another_epoch_is_refused);
    tcase_add_test(tests, test_logs_without_a_snapshot_are_refused);
    tcase_add_test(tests, test_a_damaged_snapshot_is_passed_over_when_the_logs_reach_it);
    tcase_add_test(tests, test_a_damaged_snapshot_is_refused_when_the_logs_do_not_reach_it);
    tcase_add_test(tests, test_a_record_that_is_not_what_the_name_says_is_refused);
    tcase_add_test(tests, test_a_file_that_is_no_log_is_refused);
    tcase_add_test(tests, test_leftovers_of_a_snapshot_are_removed);
    return suite;
}
