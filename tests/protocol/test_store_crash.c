/* Exhaustive: the power goes before every single event of a script (an effect carried out, an
 * answer given), with every kind of loss; every single file effect of it fails. What comes back
 * must be a state of the history that holds all that was reported durable (ST-4, ST-8, ST-9,
 * ST-12), and must be one that can be built upon. */
#include "expect.h"
#include "help_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

typedef void script(struct rig *rig);

static int64_t z(int64_t epoch, uint32_t counter)
{
    return zxid_make(epoch, counter);
}

static void append(struct rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_append(rig);
    }
}

/* Records while a sync is in flight, periodic snapshots beside appends, two epochs. */
static void script_append(struct rig *rig)
{
    rig_set_epoch(rig, 1);
    append(rig, 3);
    rig_pump(rig);
    append(rig, 2);
    rig_idle(rig);
    for (int i = 0; i < 8; i++) {
        append(rig, 1);
        rig_pump(rig);
        rig_pump(rig);
    }
    rig_idle(rig);
    rig_set_epoch(rig, 2);
    append(rig, 2);
    rig_snapshot(rig);
    append(rig, 1);
    rig_pump(rig);
    append(rig, 2);
    rig_idle(rig);
    rig_purge(rig, 1);
    append(rig, 1);
    rig_idle(rig);
    /* One write of many sectors, at many offsets in them. */
    for (int i = 0; i < 6; i++) {
        append(rig, 24);
        rig_idle(rig);
    }
}

/* Cut within a file, across files and below a snapshot, then go on in a later epoch. */
static void script_truncate(struct rig *rig)
{
    rig_set_epoch(rig, 1);
    append(rig, 4);
    rig_idle(rig);
    rig_truncate(rig, z(1, 2));
    rig_idle(rig);
    rig_set_epoch(rig, 2);
    append(rig, 3);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    append(rig, 3);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    append(rig, 2);
    rig_idle(rig);
    rig_truncate(rig, z(2, 2));
    rig_idle(rig);
    rig_set_epoch(rig, 3);
    append(rig, 2);
    rig_idle(rig);
    rig_truncate(rig, z(1, 2));
    rig_idle(rig);
    rig_set_epoch(rig, 4);
    append(rig, 1);
    rig_idle(rig);
}

/* A snapshot from a leader that is ahead. */
static void script_install_ahead(struct rig *rig)
{
    rig_set_epoch(rig, 1);
    append(rig, 3);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    append(rig, 2);
    rig_idle(rig);
    rig_install(rig, z(2, 9));
    rig_idle(rig);
    rig_set_epoch(rig, 3);
    append(rig, 3);
    rig_idle(rig);
    rig_install(rig, z(4, 0));
    rig_idle(rig);
    rig_set_epoch(rig, 5);
    append(rig, 2);
    rig_idle(rig);
}

/* A snapshot from a leader whose history ends before ours does: our tail must never come back. */
static void script_install_behind(struct rig *rig)
{
    rig_set_epoch(rig, 1);
    append(rig, 4);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    append(rig, 2);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    append(rig, 2);
    rig_idle(rig);
    rig_install(rig, z(1, 3));
    rig_idle(rig);
    rig_set_epoch(rig, 2);
    append(rig, 2);
    rig_idle(rig);
    rig_snapshot(rig);
    rig_idle(rig);
    rig_install(rig, z(2, 1));
    rig_append(rig); /* waits for the end of it */
    rig_idle(rig);
}

static struct rig *make(void)
{
    struct rig *rig = rig_make();

    rig->config.snap_count = 6;
    return rig;
}

/* Go on from a recovered state; what is written now must be there after another power loss. */
static void go_on(struct rig *rig, const char *what)
{
    rig_set_epoch(rig, 9);
    append(rig, 2);
    rig_idle(rig);
    EXPECT(store_durable_zxid(rig->store) == z(9, 2));
    rig_kill(rig);
    disk_power_loss(rig->disk, DISK_LOSE);
    rig_boot(rig);
    rig_check(rig, what);
    EXPECT(store_durable_zxid(rig->store) == z(9, 2));
}

static uint64_t count_events(script *run)
{
    struct rig *rig = make();
    uint64_t events;

    rig_boot(rig);
    run(rig);
    EXPECT(!rig_is_over(rig));
    events = rig->disk->events;
    rig_drop(rig);
    return events;
}

static void crash_everywhere(script *run)
{
    uint64_t events = count_events(run);
    char what[80];

    EXPECT(events > 50);
    for (uint64_t at = 1; at <= events; at++) {
        for (int loss = 0; loss < DISK_LOSS_COUNT; loss++) {
            struct rig *rig = make();

            snprintf(what, sizeof(what), "power lost before event %u, loss %d", (unsigned)at, loss);
            rig->disk->crash_at = at;
            rig_boot(rig);
            run(rig);
            EXPECT(rig->disk->crashed);
            rig_kill(rig);
            disk_power_loss(rig->disk, (enum disk_loss)loss);
            rig_boot(rig);
            rig_check(rig, what);
            go_on(rig, what);
            rig_drop(rig);
        }
    }
}

/* The process is killed before every event: what it wrote is there for the next one, but perhaps
 * not on disk. That one builds on it, and then the power goes. */
static void kill_everywhere(script *run)
{
    uint64_t events = count_events(run);
    char what[80];

    for (uint64_t at = 1; at <= events; at++) {
        struct rig *rig = make();

        snprintf(what, sizeof(what), "killed before event %u", (unsigned)at);
        rig->disk->crash_at = at;
        rig_boot(rig);
        run(rig);
        rig_kill(rig);
        disk_kill(rig->disk);
        rig_boot(rig);
        rig_check(rig, what);
        go_on(rig, what);
        rig_drop(rig);
    }
}

/* The power goes a second time, before every event of the recovery. */
static void crash_twice(script *run)
{
    uint64_t events = count_events(run);
    char what[80];

    for (uint64_t at = 1; at <= events; at++) {
        for (uint64_t again = 1;; again++) {
            struct rig *rig = make();
            bool done;

            snprintf(what, sizeof(what), "power lost before event %u, then before %u", (unsigned)at,
                     (unsigned)again);
            rig->disk->crash_at = at;
            rig_boot(rig);
            run(rig);
            rig_kill(rig);
            disk_power_loss(rig->disk, at % 2 == 0 ? DISK_KEEP : DISK_TEAR);
            rig->disk->crash_at = rig->disk->events + again;
            rig_boot(rig);
            done = !rig->disk->crashed;
            if (!done) {
                rig_kill(rig);
                disk_power_loss(rig->disk, again % 2 == 0 ? DISK_KEEP : DISK_LOSE);
                rig_boot(rig);
            }
            rig_check(rig, what);
            rig_drop(rig);
            if (done) {
                break;
            }
        }
    }
}

/* Every file effect fails once, undone or half done; the store says so, reloads, and goes on. */
static void fail_everywhere(script *run)
{
    static const enum fx_kind kinds[] = {FX_READ,   FX_APPEND,  FX_SYNC,  FX_TRUNCATE,
                                         FX_RENAME, FX_REPLACE, FX_REMOVE};
    char what[80];

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (uint32_t nth = 1;; nth++) {
            bool happened = false;

            for (int part = 0; part < 2; part++) {
                struct rig *rig = make();

                snprintf(what, sizeof(what), "%s number %u fails, part %d", fx_kind_name(kinds[k]),
                         nth, part);
                rig->disk->fail_kind = kinds[k];
                rig->disk->fail_nth = nth;
                rig->disk->fail_in_part = part == 1;
                rig_boot(rig);
                run(rig);
                if (!rig->broke) {
                    rig_kill(rig);
                    disk_power_loss(rig->disk, DISK_KEEP);
                    rig_boot(rig); /* may fail, too */
                }
                happened = rig->disk->fail_seen >= nth;
                rig->disk->fail_nth = 0;
                if (rig->broke) {
                    int64_t floor = rig->line->floor;

                    ck_assert_msg(store_state(rig->store) == STORE_FAILED, "%s", what);
                    ck_assert_msg(strlen(store_why(rig->store)) > 0, "%s", what);
                    rig_idle(rig); /* late answers change nothing */
                    EXPECT(rig->line->floor == floor);
                    rig->broke = false;
                    rig_begin(rig);
                    store_reload(rig->store, &rig->fx);
                    rig_end(rig);
                    rig_idle(rig);
                }
                rig_check(rig, what);
                go_on(rig, what);
                rig_drop(rig);
            }
            if (!happened) {
                EXPECT(nth > 1 || kinds[k] == FX_TRUNCATE || kinds[k] == FX_REMOVE);
                break;
            }
        }
    }
}

#define SCRIPT_TESTS(name, run)                     \
    START_TEST(test_##name##_survives_power_loss)   \
    {                                               \
        crash_everywhere(run);                      \
    }                                               \
    END_TEST                                        \
    START_TEST(test_##name##_survives_being_killed) \
    {                                               \
        kill_everywhere(run);                       \
    }                                               \
    END_TEST                                        \
    START_TEST(test_##name##_survives_it_twice)     \
    {                                               \
        crash_twice(run);                           \
    }                                               \
    END_TEST                                        \
    START_TEST(test_##name##_survives_disk_errors)  \
    {                                               \
        fail_everywhere(run);                       \
    }                                               \
    END_TEST

SCRIPT_TESTS(append, script_append)
SCRIPT_TESTS(truncate, script_truncate)
SCRIPT_TESTS(install_ahead, script_install_ahead)
SCRIPT_TESTS(install_behind, script_install_behind)

/* Memory runs out at every allocation of a recovery: it fails and says so. */
START_TEST(test_recovery_without_memory_fails_cleanly)
{
    struct rig *rig = make();
    uint64_t failures = 0;

    rig_boot(rig);
    script_append(rig);
    for (uint64_t nth = 1;; nth++) {
        struct file_view *views;
        struct input in;

        rig_kill(rig);
        disk_power_loss(rig->disk, DISK_KEEP);
        mem_heap_init(&rig->heap, UINT64_MAX);
        history_init(&rig->history, &rig->heap.mem, 500, UINT64_MAX);
        tree_result_init(&rig->result, &rig->heap.mem);
        rig->store = store_make(&rig->heap.mem, &rig->config, &rig->tree, &rig->history);
        rig->up = true;
        rig->heap.mem.fail_at = rig->heap.mem.get_count + nth;
        disk_boot(rig->disk, &in, &views);
        rig_begin(rig);
        store_boot(rig->store, &in, &rig->fx);
        free(views);
        rig_end(rig);
        rig_idle(rig);
        if (store_state(rig->store) == STORE_READY) {
            break;
        }
        EXPECT(store_state(rig->store) == STORE_FAILED);
        EXPECT(store_error(rig->store) == ERR_MEMORY);
        failures++;
    }
    ck_assert_uint_gt(failures, 20);
    rig_drop(rig);
}
END_TEST

Suite *suite_store_crash(void)
{
    Suite *suite = suite_create("store_crash");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, test_append_survives_power_loss);
    tcase_add_test(tests, test_append_survives_being_killed);
    tcase_add_test(tests, test_append_survives_it_twice);
    tcase_add_test(tests, test_append_survives_disk_errors);
    tcase_add_test(tests, test_truncate_survives_power_loss);
    tcase_add_test(tests, test_truncate_survives_being_killed);
    tcase_add_test(tests, test_truncate_survives_it_twice);
    tcase_add_test(tests, test_truncate_survives_disk_errors);
    tcase_add_test(tests, test_install_ahead_survives_power_loss);
    tcase_add_test(tests, test_install_ahead_survives_being_killed);
    tcase_add_test(tests, test_install_ahead_survives_it_twice);
    tcase_add_test(tests, test_install_ahead_survives_disk_errors);
    tcase_add_test(tests, test_install_behind_survives_power_loss);
    tcase_add_test(tests, test_install_behind_survives_being_killed);
    tcase_add_test(tests, test_install_behind_survives_it_twice);
    tcase_add_test(tests, test_install_behind_survives_disk_errors);
    tcase_add_test(tests, test_recovery_without_memory_fails_cleanly);
    suite_add_tcase(suite, tests);
    return suite;
}
