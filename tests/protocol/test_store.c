#include "help_store.h"
#include "protocol/store_log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig *rig;
static struct mem_heap heap;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    rig = rig_make();
}

static void teardown(void)
{
    rig_drop(rig);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static int64_t z(int64_t epoch, uint32_t counter)
{
    return zxid_make(epoch, counter);
}

static void append(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_append(rig);
    }
    rig_idle(rig);
}

/* An ensemble server with (1,1)..(1,count) in its log. */
static void start_with(uint32_t count)
{
    rig_boot(rig);
    rig_set_epoch(rig, 1);
    append(count);
}

static void restart(void)
{
    rig_kill(rig);
    disk_power_loss(rig->disk, DISK_LOSE);
    rig_boot(rig);
}

static void expect_refused(const char *file, const char *why)
{
    ck_assert_int_eq(store_state(rig->store), STORE_REFUSED);
    ck_assert_msg(strstr(store_why(rig->store), file) != NULL, "%s", store_why(rig->store));
    ck_assert_msg(strstr(store_why(rig->store), why) != NULL, "%s", store_why(rig->store));
    ck_assert(rig->bits & STORE_GAVE_UP);
}

static struct span file_bytes(enum file_dir dir, const char *name)
{
    struct disk_file *file = disk_find(rig->disk, dir, name);

    ck_assert_msg(file != NULL, "%s is missing", name);
    return span_make(file->at, file->len);
}

/* Load a file of tests/vectors/disk onto the disk. */
static void put_vector(enum file_dir dir, const char *name)
{
    char path[512];
    uint8_t *at = malloc(1 << 20);
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "%s/tests/vectors/disk/%s", SOURCE_DIR, name);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    len = fread(at, 1, 1 << 20, file);
    fclose(file);
    disk_put(rig->disk, dir, name, span_make(at, len));
    free(at);
}

/* Flip bits of one byte on the disk. */
static void damage(enum file_dir dir, const char *name, size_t offset)
{
    struct span span = file_bytes(dir, name);
    uint8_t *copy = malloc(span.len);

    memcpy(copy, span.at, span.len);
    ck_assert_uint_lt(offset, span.len);
    copy[offset] ^= 0x55;
    disk_put(rig->disk, dir, name, span_make(copy, span.len));
    free(copy);
}

static void resize(enum file_dir dir, const char *name, size_t len)
{
    struct span span = file_bytes(dir, name);
    uint8_t *copy = calloc(1, len + 1);

    memcpy(copy, span.at, span.len < len ? span.len : len);
    disk_put(rig->disk, dir, name, span_make(copy, len));
    free(copy);
}

/* The first `len` bytes of `whole`, on the disk. */
static void put_part(enum file_dir dir, const char *name, const struct bytes *whole, size_t len)
{
    ck_assert_uint_le(len, whole->len);
    disk_put(rig->disk, dir, name, span_make(whole->at, len));
}

static void erase(enum file_dir dir, const char *name)
{
    struct effect list = {.kind = FX_REMOVE, .id = (uint32_t)dir, .name = span_text(name)};
    struct fx fx = {.list = &list, .count = 1};
    struct input in;

    (void)file_bytes(dir, name);
    disk_run(rig->disk, &fx);
    while (disk_answer(rig->disk, &in)) {
    }
}

/* ---- starting ---- */

START_TEST(test_an_empty_directory_gets_snapshot_0)
{
    rig_boot(rig);

    rig_check(rig, "empty");
    ck_assert(rig->bits & STORE_LOADED);
    ck_assert(store_is_trusted(rig->store));
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert_int_eq(store_accepted_epoch(rig->store), 0);
    ck_assert(span_is(file_bytes(DIR_DATA, "acceptedEpoch"), "0"));
    ck_assert(span_is(file_bytes(DIR_DATA, "currentEpoch"), "0"));
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

    rig_install(rig, z(3, 7));
    rig_idle(rig);
    ck_assert(rig->bits & STORE_INSTALLED);
    ck_assert(store_is_trusted(rig->store));
}
END_TEST

START_TEST(test_a_standalone_server_keeps_no_epoch_files)
{
    rig->config.ensemble = false;
    rig_boot(rig);
    append(2);
    restart();

    rig_check(rig, "standalone");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "currentEpoch"));
}
END_TEST

/* Files written by Apache ZooKeeper 3.8.0. */
START_TEST(test_apaches_files_recover_to_the_recorded_digest)
{
    rig->config.ensemble = false;
    rig->config.tree.extended_types = true;
    put_vector(DIR_DATA, "snapshot.0");
    put_vector(DIR_LOG, "log.1");
    rig_boot(rig);

    ck_assert_msg(store_state(rig->store) == STORE_READY, "%s", store_why(rig->store));
    ck_assert_int_eq(store_durable_zxid(rig->store), 0x18);
    ck_assert_uint_eq(tree_digest(rig->tree), 0x654428b51);
    ck_assert_uint_eq(history_count(&rig->history), 0x18);
    ck_assert_uint_eq(tree_session_count(rig->tree), 1);
    ck_assert_uint_eq(file_bytes(DIR_LOG, "log.1").len, 65552);

    rig_kill(rig);
    put_vector(DIR_DATA, "snapshot.18");
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
    put_vector(DIR_DATA, "snapshot.0");
    put_vector(DIR_LOG, "log.1");
    rig_boot(rig);
    bytes_init(&apache, &heap.mem);
    bytes_raw(&apache, file_bytes(DIR_LOG, "log.1").at, 2510); /* the rest is padding */
    erase(DIR_LOG, "log.1");
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

    ck_assert(span_equal(file_bytes(DIR_LOG, "log.1"), bytes_span(&apache)));
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
    ck_assert_int_eq(store_appended_zxid(rig->store), z(1, 1));
    ck_assert(!store_is_settled(rig->store));
    ck_assert(rig_pump(rig)); /* the write */
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert(rig_pump(rig)); /* the sync */
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 1));
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
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 1));
    rig_idle(rig);
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 6));
    restart();
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
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 1));
}
END_TEST

START_TEST(test_a_new_file_begins_after_a_start)
{
    start_with(3);
    restart();
    rig_check(rig, "first");
    append(2);

    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.100000001"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.100000004"));
    restart();
    rig_check(rig, "second");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 5));
}
END_TEST

START_TEST(test_a_long_file_is_rolled)
{
    struct file_view view;
    uint32_t logs = 0;

    rig->config.log_size_bytes = 300;
    start_with(1);
    for (int i = 0; i < 10; i++) {
        append(1);
    }

    for (uint32_t i = 0; store_file_at(rig->store, i, &view); i++) {
        logs += view.dir == DIR_LOG ? 1 : 0;
        ck_assert_uint_lt(view.size, 300 + 200);
    }
    ck_assert_uint_ge(logs, 3);
    restart();
    rig_check(rig, "rolled");
}
END_TEST

START_TEST(test_snapshots_come_after_snap_count_txns)
{
    uint32_t snapshots = 0;
    struct file_view view;

    rig->config.snap_count = 10;
    start_with(0);
    for (int i = 0; i < 60; i++) {
        append(1);
    }
    for (uint32_t i = 0; store_file_at(rig->store, i, &view); i++) {
        snapshots += view.dir == DIR_DATA ? 1 : 0;
    }

    ck_assert(rig->bits & STORE_SNAPSHOT);
    ck_assert_uint_ge(snapshots, 6);
    ck_assert_uint_le(snapshots, 13);
    restart();
    rig_check(rig, "snapshots");
    ck_assert_uint_lt(history_count(&rig->history), 12);
}
END_TEST

/* ---- tails and damage ---- */

START_TEST(test_a_torn_tail_is_cut_at_every_length)
{
    struct bytes file;
    size_t whole;
    size_t zeros;

    start_with(3);
    whole = file_bytes(DIR_LOG, "log.100000001").len;
    append(1);
    bytes_init(&file, &heap.mem);
    bytes_raw(&file, file_bytes(DIR_LOG, "log.100000001").at,
              file_bytes(DIR_LOG, "log.100000001").len);
    struct line line = *rig->line;

    for (zeros = whole; file.at[zeros] == 0; zeros++) {
    }
    for (size_t len = whole; len < file.len; len++) {
        rig_kill(rig);
        *rig->line = line;
        rig->line->floor = z(1, 3);
        put_part(DIR_LOG, "log.100000001", &file, len);
        rig_boot(rig);
        rig_check(rig, "torn");
        ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 3));
        /* A record begins with zeros, and zeros are padding. */
        ck_assert_uint_eq(file_bytes(DIR_LOG, "log.100000001").len, len <= zeros ? len : whole);
        append(1);
        restart();
        rig_check(rig, "torn, then written");
        ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 4));
        erase(DIR_LOG, "log.100000004");
    }
    bytes_drop(&file);
}
END_TEST

START_TEST(test_a_torn_header_is_removed_at_every_length)
{
    struct bytes file;

    start_with(3);
    restart();
    append(1);
    bytes_init(&file, &heap.mem);
    bytes_raw(&file, file_bytes(DIR_LOG, "log.100000004").at,
              file_bytes(DIR_LOG, "log.100000004").len);
    struct line line = *rig->line;

    for (size_t len = 0; len < file.len; len++) {
        rig_kill(rig);
        *rig->line = line;
        rig->line->floor = z(1, 3);
        put_part(DIR_LOG, "log.100000004", &file, len);
        rig_boot(rig);
        rig_check(rig, "torn header");
        ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 3));
        ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000004"));
        append(1);
    }
    bytes_drop(&file);
}
END_TEST

START_TEST(test_zeros_behind_the_last_record_are_padding)
{
    start_with(3);
    rig_kill(rig);
    resize(DIR_LOG, "log.100000001", 400000);
    rig_boot(rig);

    rig_check(rig, "padding");
    ck_assert_uint_eq(file_bytes(DIR_LOG, "log.100000001").len, 400000);
    append(1);
    restart();
    rig_check(rig, "padding, then another file");
}
END_TEST

START_TEST(test_any_damage_in_the_middle_is_refused)
{
    size_t before;
    size_t len;
    char what[64];

    start_with(2);
    before = file_bytes(DIR_LOG, "log.100000001").len;
    append(1);
    len = file_bytes(DIR_LOG, "log.100000001").len;
    append(1);
    for (size_t offset = before; offset < len; offset++) {
        rig_kill(rig);
        damage(DIR_LOG, "log.100000001", offset);
        rig_boot(rig);
        snprintf(what, sizeof(what), "offset %zu", before);
        expect_refused("log.100000001", what);
        damage(DIR_LOG, "log.100000001", offset);
    }
}
END_TEST

START_TEST(test_a_hole_in_the_middle_is_refused)
{
    size_t before;
    size_t len;
    uint8_t *copy;

    start_with(2);
    before = file_bytes(DIR_LOG, "log.100000001").len;
    append(1);
    len = file_bytes(DIR_LOG, "log.100000001").len;
    append(1);
    rig_kill(rig);
    struct span span = file_bytes(DIR_LOG, "log.100000001");

    copy = malloc(span.len);
    memcpy(copy, span.at, span.len);
    memset(copy + before, 0, len - before);
    disk_put(rig->disk, DIR_LOG, "log.100000001", span_make(copy, span.len));
    free(copy);
    rig_boot(rig);

    expect_refused("log.100000001", "a hole");
}
END_TEST

/* Three files; the newest has the highest zxids, so nothing else would be noticed. ZOOKEEPER list,
 * "missing middle log file". */
static void start_with_three_files(void)
{
    start_with(3);
    restart();
    rig_check(rig, "three files");
    append(3);
    restart();
    rig_check(rig, "three files");
    append(3);
    rig_kill(rig);
}

START_TEST(test_a_missing_middle_file_is_refused)
{
    start_with_three_files();
    erase(DIR_LOG, "log.100000004");
    rig_boot(rig);

    expect_refused("log.100000007", "0x100000007 does not follow 0x100000003");
}
END_TEST

START_TEST(test_a_missing_first_file_is_refused)
{
    start_with_three_files();
    erase(DIR_LOG, "log.100000001");
    rig_boot(rig);

    expect_refused("log.100000004", "0x100000004 does not follow 0x0");
}
END_TEST

START_TEST(test_a_cut_file_in_the_middle_is_refused)
{
    start_with_three_files();
    resize(DIR_LOG, "log.100000004", file_bytes(DIR_LOG, "log.100000004").len - 5);
    rig_boot(rig);

    expect_refused("log.100000007", "log.100000004 is damaged at offset");
}
END_TEST

/* Apache never cuts a torn tail: it goes on in a new file. Nothing is missing if that begins with
 * the very next txn. */
START_TEST(test_a_torn_tail_before_the_next_txn_is_accepted)
{
    struct span span;
    size_t len;

    start_with_three_files();
    span = file_bytes(DIR_LOG, "log.100000004");
    len = span.len;
    resize(DIR_LOG, "log.100000004", len + 1000);
    damage(DIR_LOG, "log.100000004", len + 3);
    rig_boot(rig);

    rig_check(rig, "torn in the middle");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 9));
    ck_assert_uint_eq(file_bytes(DIR_LOG, "log.100000004").len, len);
}
END_TEST

/* The same, but the next file begins a later epoch: what was torn may have been a txn. */
START_TEST(test_a_torn_tail_before_another_epoch_is_refused)
{
    size_t len;

    start_with(3);
    len = file_bytes(DIR_LOG, "log.100000001").len;
    restart();
    rig_check(rig, "first");
    rig_set_epoch(rig, 2);
    append(2);
    rig_kill(rig);
    resize(DIR_LOG, "log.100000001", len + 40);
    damage(DIR_LOG, "log.100000001", len + 20);
    rig_boot(rig);

    expect_refused("log.200000001", "log.100000001 is damaged");
    /* ... and looking again does not make it pass. */
    rig_begin(rig);
    store_reload(rig->store, &rig->fx);
    rig_end(rig);
    rig_idle(rig);
    expect_refused("log.200000001", "log.100000001 is damaged");
}
END_TEST

START_TEST(test_logs_without_a_snapshot_are_refused)
{
    start_with(3);
    rig_kill(rig);
    erase(DIR_DATA, "snapshot.0");
    rig_boot(rig);
    expect_refused("log.100000001", "no snapshot");

    rig_kill(rig);
    rig->config.trust_empty = true;
    rig_boot(rig);
    rig_check(rig, "trust.empty replays from nothing");
}
END_TEST

START_TEST(test_a_damaged_snapshot_is_passed_over_when_the_logs_reach_it)
{
    start_with(3);
    rig_snapshot(rig);
    rig_idle(rig);
    append(2);
    rig_kill(rig);
    damage(DIR_DATA, "snapshot.100000003", 60);
    rig_boot(rig);

    rig_check(rig, "older snapshot");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 5));
}
END_TEST

/* ZOOKEEPER-2325 and its kin: never start with less than the files once held. */
START_TEST(test_a_damaged_snapshot_is_refused_when_the_logs_do_not_reach_it)
{
    start_with(3);
    rig_snapshot(rig);
    rig_idle(rig);
    rig_kill(rig);
    damage(DIR_DATA, "snapshot.100000003", 60);
    erase(DIR_LOG, "log.100000001");
    rig_boot(rig);
    expect_refused("snapshot.100000003", "logs end before it, at 0x0");

    rig_kill(rig);
    erase(DIR_DATA, "snapshot.0");
    rig_boot(rig);
    expect_refused("snapshot.100000003", "no older snapshot");
}
END_TEST

START_TEST(test_a_record_that_is_not_what_the_name_says_is_refused)
{
    start_with(3);
    rig_kill(rig);
    struct span span = file_bytes(DIR_LOG, "log.100000001");

    disk_put(rig->disk, DIR_LOG, "log.100000003", span);
    erase(DIR_LOG, "log.100000001");
    rig_boot(rig);

    expect_refused("log.100000003", "named after");
}
END_TEST

START_TEST(test_a_file_that_is_no_log_is_refused)
{
    start_with(1);
    rig_kill(rig);
    disk_put(rig->disk, DIR_LOG, "log.200000001", span_text("dear diary, today"));
    rig_boot(rig);

    expect_refused("log.200000001", "magic");
}
END_TEST

START_TEST(test_leftovers_of_a_snapshot_are_removed)
{
    start_with(2);
    rig_kill(rig);
    disk_put(rig->disk, DIR_DATA, "snapshot.100000002.tmp", span_text("ZKSN"));
    disk_put(rig->disk, DIR_DATA, "snapshot.0x7", span_text("not ours"));
    rig_boot(rig);

    rig_check(rig, "tmp");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000002.tmp"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.0x7"));
}
END_TEST

/* ---- epochs ---- */

static void boot_with_epochs(const char *accepted, const char *current)
{
    rig_kill(rig);
    if (accepted == NULL) {
        erase(DIR_DATA, "acceptedEpoch");
    } else {
        disk_put(rig->disk, DIR_DATA, "acceptedEpoch", span_text(accepted));
    }
    if (current == NULL) {
        erase(DIR_DATA, "currentEpoch");
    } else {
        disk_put(rig->disk, DIR_DATA, "currentEpoch", span_text(current));
    }
    rig_boot(rig);
}

START_TEST(test_missing_epoch_files_take_the_epoch_of_the_last_txn)
{
    start_with(2);
    boot_with_epochs(NULL, "1");
    ck_assert_int_eq(store_accepted_epoch(rig->store), 1);
    ck_assert(span_is(file_bytes(DIR_DATA, "acceptedEpoch"), "1"));
    boot_with_epochs("5", NULL);
    ck_assert_int_eq(store_accepted_epoch(rig->store), 5);
    ck_assert_int_eq(store_current_epoch(rig->store), 1);
    ck_assert(span_is(file_bytes(DIR_DATA, "currentEpoch"), "1"));
}
END_TEST

/* EP-6: a crash between durable history and currentEpoch must not keep a server from starting. */
START_TEST(test_current_epoch_rolls_forward_to_the_last_txn)
{
    start_with(2);
    boot_with_epochs("7", "0");

    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    ck_assert_int_eq(store_current_epoch(rig->store), 1);
    ck_assert(span_is(file_bytes(DIR_DATA, "currentEpoch"), "1"));
    ck_assert(span_is(file_bytes(DIR_DATA, "acceptedEpoch"), "7"));
}
END_TEST

START_TEST(test_epochs_that_contradict_each_other_are_refused)
{
    start_with(2);
    boot_with_epochs("1", "2");
    expect_refused("acceptedEpoch", "less than currentEpoch");
    boot_with_epochs("0", "0");
    expect_refused("acceptedEpoch", "less than the epoch of the last");
    boot_with_epochs("", "1");
    expect_refused("acceptedEpoch", "not the number");
    boot_with_epochs("1", "one");
    expect_refused("currentEpoch", "not the number");
    boot_with_epochs("1\n", "1\n");
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
}
END_TEST

/* ---- truncation and installation ---- */

START_TEST(test_truncation_makes_a_txn_the_last_one)
{
    start_with(3);
    restart();
    rig_check(rig, "t");
    append(5);
    rig_snapshot(rig);
    rig_idle(rig);
    append(2);

    rig_truncate(rig, z(1, 5));
    ck_assert_int_eq(store_state(rig->store), STORE_TRUNCATING);
    rig_idle(rig);
    ck_assert(rig->bits & STORE_TRUNCATED);
    rig_check(rig, "truncated");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 5));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000008"));
    rig_set_epoch(rig, 2);
    append(2);
    restart();
    rig_check(rig, "after truncation");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(2, 2));
}
END_TEST

START_TEST(test_truncation_to_the_label_of_a_snapshot)
{
    start_with(3);
    rig_truncate(rig, 0);
    rig_idle(rig);

    ck_assert(rig->bits & STORE_TRUNCATED);
    ck_assert_int_eq(store_durable_zxid(rig->store), 0);
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000001"));
}
END_TEST

START_TEST(test_truncation_to_an_unknown_zxid_changes_nothing)
{
    start_with(3);
    rig_begin(rig);
    store_truncate(rig->store, &rig->fx, z(0, 9));
    rig_end(rig);
    rig_idle(rig);
    ck_assert(rig->bits & STORE_NO_TRUNC);
    rig->bits = 0;
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
    rig_begin(rig);
    store_truncate(rig->store, &rig->fx, z(1, 9));
    rig_end(rig);
    rig_idle(rig);

    ck_assert(rig->bits & STORE_NO_TRUNC);
    rig_check(rig, "nothing changed");
    ck_assert_int_eq(store_durable_zxid(rig->store), z(1, 3));
    append(1);
    restart();
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
        start_with(2);
        rig_snapshot(rig);
        rig_idle(rig);
        append(4);
        rig_set_epoch(rig, 3);

        rig_install(rig, labels[i]);
        rig_append(rig); /* waits */
        rig_idle(rig);
        ck_assert(rig->bits & STORE_INSTALLED);
        ck_assert_int_gt(store_durable_zxid(rig->store), labels[i]);
        restart();
        rig_check(rig, "installed");
    }
}
END_TEST

/* What the old files hold up to the label, and what follows it, must never be read as one history. */
START_TEST(test_a_damaged_installed_snapshot_is_never_passed_over)
{
    start_with(3);
    rig_set_epoch(rig, 2);
    rig_install(rig, z(2, 0));
    rig_idle(rig);
    append(2);
    rig_kill(rig);
    damage(DIR_DATA, "snapshot.200000000", 60);
    rig_boot(rig);

    expect_refused("snapshot.200000000", "no older snapshot");
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000001"));
}
END_TEST

START_TEST(test_purge_keeps_what_recovery_needs)
{
    start_with(0);
    for (int i = 0; i < 6; i++) {
        append(3);
        rig_snapshot(rig);
        rig_idle(rig);
    }
    append(1);
    restart();
    rig_check(rig, "before purge");
    damage(DIR_DATA, "snapshot.10000000f", file_bytes(DIR_DATA, "snapshot.10000000f").len - 1);

    rig_purge(rig, 3);
    rig_idle(rig);
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.100000012"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.10000000c"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_DATA, "snapshot.100000009"));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_DATA, "snapshot.100000006"));
    ck_assert_ptr_null(disk_find(rig->disk, DIR_LOG, "log.100000007"));
    ck_assert_ptr_nonnull(disk_find(rig->disk, DIR_LOG, "log.10000000a"));
    restart();
    rig_check(rig, "after purge");
    rig_kill(rig);
    erase(DIR_DATA, "snapshot.100000012");
    erase(DIR_DATA, "snapshot.10000000f");
    erase(DIR_DATA, "snapshot.10000000c");
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
    start_with(3);
    restart();
    rig_check(rig, "scan");
    append(3);
    rig_set_epoch(rig, 2);
    append(4);

    ck_assert_int_eq(store_scan_open(rig->store, z(1, 2), &scan), ERR_OK);
    found = scan_all(scan);
    ck_assert_int_eq(found.end, SCAN_END);
    ck_assert_uint_eq(found.count, 8);
    ck_assert_int_eq(found.floor, z(1, 2));
    ck_assert_int_eq(found.first, z(1, 3));
    ck_assert_int_eq(found.last, z(2, 4));
    append(2); /* a scan at the end goes on with what has become durable */
    found = scan_all(scan);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_int_eq(found.last, z(2, 6));
    store_scan_close(rig->store, scan);

    ck_assert_int_eq(store_scan_open(rig->store, z(1, 9), &scan), ERR_OK);
    found = scan_all(scan);
    ck_assert_int_eq(found.floor, z(1, 6)); /* the caller sends TRUNC to it */
    ck_assert_int_eq(found.first, z(2, 1));
    store_scan_close(rig->store, scan);
    ck_assert_int_eq(store_scan_open(rig->store, z(0, 9), &scan), ERR_MISSING);
}
END_TEST

START_TEST(test_a_scan_is_refused_when_a_snapshot_is_cheaper)
{
    struct store_scan *scan;

    start_with(3);
    restart();
    rig_check(rig, "scan");
    append(3);
    ck_assert_int_eq(store_scan_open(rig->store, z(1, 2), &scan), ERR_LONG);
    ck_assert_int_eq(store_scan_open(rig->store, z(1, 4), &scan), ERR_OK);
    store_scan_close(rig->store, scan);
    rig_kill(rig);
    rig->config.scan_enabled = false;
    rig_boot(rig);
    ck_assert_int_eq(store_scan_open(rig->store, z(1, 4), &scan), ERR_REFUSED);
}
END_TEST

/* ZOOKEEPER-2418: a DIFF with a gap. */
START_TEST(test_a_scan_breaks_at_a_gap)
{
    struct store_scan *scan;

    rig->config.snapshot_factor_ppm = 0;
    start_with_three_files();
    rig_boot(rig);
    rig_check(rig, "scan");
    erase(DIR_LOG, "log.100000004");
    ck_assert_int_eq(store_scan_open(rig->store, z(1, 2), &scan), ERR_OK);
    ck_assert_int_eq(scan_all(scan).end, SCAN_BROKEN);
    store_scan_close(rig->store, scan);
    ck_assert_int_eq(store_state(rig->store), STORE_READY);
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *suite_store(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = case_of(suite, "start");

    tcase_add_test(tests, test_an_empty_directory_gets_snapshot_0);
    tcase_add_test(tests, test_without_autocreate_an_empty_directory_is_not_trusted);
    tcase_add_test(tests, test_a_standalone_server_keeps_no_epoch_files);
    tcase_add_test(tests, test_apaches_files_recover_to_the_recorded_digest);
    tcase_add_test(tests, test_apaches_records_are_written_byte_for_byte);
    tests = case_of(suite, "log");
    tcase_add_test(tests, test_only_a_finished_sync_counts);
    tcase_add_test(tests, test_records_wait_for_the_sync_in_flight_and_go_together);
    tcase_add_test(tests, test_without_force_sync_a_write_counts);
    tcase_add_test(tests, test_a_new_file_begins_after_a_start);
    tcase_add_test(tests, test_a_long_file_is_rolled);
    tcase_add_test(tests, test_snapshots_come_after_snap_count_txns);
    tests = case_of(suite, "damage");
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
    tests = case_of(suite, "epochs");
    tcase_add_test(tests, test_missing_epoch_files_take_the_epoch_of_the_last_txn);
    tcase_add_test(tests, test_current_epoch_rolls_forward_to_the_last_txn);
    tcase_add_test(tests, test_epochs_that_contradict_each_other_are_refused);
    tests = case_of(suite, "change");
    tcase_add_test(tests, test_truncation_makes_a_txn_the_last_one);
    tcase_add_test(tests, test_truncation_to_the_label_of_a_snapshot);
    tcase_add_test(tests, test_truncation_to_an_unknown_zxid_changes_nothing);
    tcase_add_test(tests, test_an_installed_tree_replaces_everything);
    tcase_add_test(tests, test_a_damaged_installed_snapshot_is_never_passed_over);
    tcase_add_test(tests, test_purge_keeps_what_recovery_needs);
    tests = case_of(suite, "scan");
    tcase_add_test(tests, test_a_scan_gives_every_txn_behind_a_zxid);
    tcase_add_test(tests, test_a_scan_is_refused_when_a_snapshot_is_cheaper);
    tcase_add_test(tests, test_a_scan_breaks_at_a_gap);
    return suite;
}
