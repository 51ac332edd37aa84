/* client-protocol 11. */
#include "base/rand.h"
#include "tests/expect.h"
#include "tree/path.h"
#include "tree/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mem_heap heap;
static struct watch_table *table;
static struct watch_hits hits;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    table = watch_make(&heap.mem, 5);
    watch_hits_init(&hits, &heap.mem);
}

static void teardown(void)
{
    watch_hits_drop(&hits);
    watch_drop(table);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void add(uint32_t conn, const char *path, uint32_t modes)
{
    ck_assert_int_eq(watch_add(table, conn, span_text(path), modes), ERR_OK);
}

/* Fire and compare with a text like "3 1". */
static void expect_fired(enum zk_event event, const char *path, const char *want)
{
    char text[200] = "";

    ck_assert_int_eq(watch_fire(table, event, span_text(path), &hits), ERR_OK);
    for (uint32_t i = 0; i < hits.count; i++) {
        size_t len = strlen(text);

        (void)snprintf(text + len, sizeof(text) - len, "%s%u", i > 0 ? " " : "", hits.conns[i]);
    }
    ck_assert_str_eq(text, want);
}

START_TEST(test_a_standard_watch_fires_once)
{
    add(1, "/a", WATCH_DATA);
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");
    expect_fired(EVENT_DATA_CHANGED, "/b", "");
    expect_fired(EVENT_DATA_CHANGED, "/a", "1");
    expect_fired(EVENT_DATA_CHANGED, "/a", "");
    add(1, "/a", WATCH_DATA);
    add(1, "/a", WATCH_DATA);
    expect_fired(EVENT_CREATED, "/a", "1");
    expect_fired(EVENT_CREATED, "/a", "");
    add(1, "/a", WATCH_CHILD);
    expect_fired(EVENT_DATA_CHANGED, "/a", "");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");
}
END_TEST

START_TEST(test_a_delete_names_a_connection_once_for_both_tables)
{
    add(2, "/a", WATCH_CHILD);
    add(1, "/a", WATCH_DATA | WATCH_CHILD);
    add(3, "/a", WATCH_DATA);
    expect_fired(EVENT_DELETED, "/a", "1 3 2"); /* data watches first, each by age */
    expect_fired(EVENT_DELETED, "/a", "");
}
END_TEST

START_TEST(test_a_persistent_watch_stays_and_is_in_both_tables)
{
    add(1, "/a", WATCH_PERSISTENT);
    for (int i = 0; i < 3; i++) {
        expect_fired(EVENT_DATA_CHANGED, "/a", "1");
        expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
        expect_fired(EVENT_DELETED, "/a", "1");
    }
    expect_fired(EVENT_DATA_CHANGED, "/a/b", "");
}
END_TEST

START_TEST(test_a_recursive_watch_sees_everything_below_but_no_child_events)
{
    add(1, "/a", WATCH_RECURSIVE);
    add(2, "/", WATCH_RECURSIVE);
    add(3, "/a/b", WATCH_DATA);
    add(1, "/a/b", WATCH_DATA);
    expect_fired(EVENT_CREATED, "/a/b", "3 1 2"); /* the path itself, then upwards; each once */
    expect_fired(EVENT_CREATED, "/a/b/c/d", "1 2");
    expect_fired(EVENT_CREATED, "/ab", "2");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");
    expect_fired(EVENT_DELETED, "/a", "1 2");
    expect_fired(EVENT_DATA_CHANGED, "/", "2");
}
END_TEST

START_TEST(test_modes_of_one_connection_are_apart)
{
    add(1, "/a", WATCH_DATA);
    add(1, "/a", WATCH_PERSISTENT);
    add(1, "/a", WATCH_RECURSIVE);
    expect_fired(EVENT_DATA_CHANGED, "/a", "1");
    ck_assert(!watch_check(table, 1, span_text("/a"), WATCH_TYPE_DATA));
    ck_assert(watch_check(table, 1, span_text("/a"), WATCH_TYPE_PERSISTENT));
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_PERSISTENT));
    ck_assert(!watch_remove(table, 1, span_text("/a"), WATCH_TYPE_PERSISTENT));
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");
    expect_fired(EVENT_DATA_CHANGED, "/a", "1");
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_ANY));
    ck_assert(!watch_remove(table, 1, span_text("/a"), WATCH_TYPE_ANY));
    ck_assert(!watch_remove(table, 2, span_text("/a"), WATCH_TYPE_ANY));
    expect_fired(EVENT_DATA_CHANGED, "/a", "");
}
END_TEST

START_TEST(test_watches_die_with_their_connection)
{
    struct watch_counts counts;

    add(1, "/a", WATCH_DATA);
    add(1, "/b", WATCH_PERSISTENT);
    add(2, "/b", WATCH_CHILD);
    watch_count(table, &counts);
    ck_assert_uint_eq(counts.conns, 2);
    ck_assert_uint_eq(counts.paths, 2);
    ck_assert_uint_eq(counts.watches, 4);
    watch_remove_conn(table, 1);
    watch_remove_conn(table, 1);
    watch_count(table, &counts);
    ck_assert_uint_eq(counts.conns, 1);
    ck_assert_uint_eq(counts.paths, 1);
    ck_assert_uint_eq(counts.watches, 1);
    expect_fired(EVENT_CHILDREN_CHANGED, "/b", "2");
}
END_TEST

START_TEST(test_watches_can_be_listed_by_connection_and_by_path)
{
    const struct watch *watch;
    uint32_t conn;

    add(7, "/a", WATCH_DATA);
    add(3, "/b", WATCH_CHILD);
    add(7, "/b", WATCH_DATA);
    ck_assert(watch_conn_seek(table, 0, &conn));
    ck_assert_uint_eq(conn, 3);
    ck_assert(watch_conn_seek(table, 4, &conn));
    ck_assert_uint_eq(conn, 7);
    ck_assert(!watch_conn_seek(table, 8, &conn));
    watch = watch_next_of_conn(table, 7, NULL);
    ck_assert(span_is(watch_path(watch), "/a"));
    watch = watch_next_of_conn(table, 7, watch);
    ck_assert(span_is(watch_path(watch), "/b"));
    ck_assert_ptr_null(watch_next_of_conn(table, 7, watch));
    watch = watch_first_of_path(watch);
    ck_assert_uint_eq(watch_conn(watch), 3);
    ck_assert_uint_eq(watch_modes(watch), WATCH_CHILD);
    watch = watch_next_of_path(watch);
    ck_assert_uint_eq(watch_conn(watch), 7);
    ck_assert_ptr_null(watch_next_of_path(watch));
}
END_TEST

/* 11.1 */
START_TEST(test_set_watches_tells_what_was_missed_or_waits)
{
    static const struct {
        enum watch_list list;
        int64_t mzxid, pzxid; /* of the node; 0: there is none */
        enum zk_event event;
        uint32_t modes; /* set when nothing was missed */
    } rules[] = {
        {WATCH_LIST_DATA, 0, 0, EVENT_DELETED, 0},
        {WATCH_LIST_DATA, 11, 1, EVENT_DATA_CHANGED, 0},
        {WATCH_LIST_DATA, 10, 99, EVENT_NONE, WATCH_DATA},
        {WATCH_LIST_EXIST, 0, 0, EVENT_NONE, WATCH_DATA},
        {WATCH_LIST_EXIST, 1, 1, EVENT_CREATED, 0},
        {WATCH_LIST_CHILD, 0, 0, EVENT_DELETED, 0},
        {WATCH_LIST_CHILD, 1, 11, EVENT_CHILDREN_CHANGED, 0},
        {WATCH_LIST_CHILD, 99, 10, EVENT_NONE, WATCH_CHILD},
        {WATCH_LIST_PERSISTENT, 99, 99, EVENT_NONE, WATCH_PERSISTENT},
        {WATCH_LIST_RECURSIVE, 0, 0, EVENT_NONE, WATCH_RECURSIVE},
    };

    for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct watch_again again = {.list = rules[i].list, .conn = i + 1, .relative_zxid = 10};
        struct node node = {.mzxid = rules[i].mzxid, .pzxid = rules[i].pzxid};
        enum zk_event event = EVENT_CREATED;
        const struct watch *watch;

        ck_assert_int_eq(watch_set_again(table, &again, span_text("/a"),
                                         rules[i].mzxid == 0 ? NULL : &node, &event),
                         ERR_OK);
        ck_assert_int_eq(event, rules[i].event);
        watch = watch_next_of_conn(table, i + 1, NULL);
        ck_assert_uint_eq(watch == NULL ? 0 : watch_modes(watch), rules[i].modes);
    }
}
END_TEST

/* -- against a model: a list of watches by age -- */

#define PATHS 8u
#define CONNS 6u

static const char *const paths[PATHS] = {"/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/c", "/c"};

struct model_watch {
    uint32_t conn, path, modes;
};
struct model {
    struct model_watch at[PATHS * CONNS];
    uint32_t count;
};

static struct model_watch *model_find(struct model *model, uint32_t conn, uint32_t path)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->at[i].conn == conn && model->at[i].path == path) {
            return &model->at[i];
        }
    }
    return NULL;
}

static void model_sweep(struct model *model)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        if (model->at[i].modes != 0) {
            model->at[kept++] = model->at[i];
        }
    }
    model->count = kept;
}

static void model_add(struct model *model, uint32_t conn, uint32_t path, uint32_t modes)
{
    struct model_watch *found = model_find(model, conn, path);

    if (found == NULL) {
        found = &model->at[model->count++];
        *found = (struct model_watch){.conn = conn, .path = path};
    }
    found->modes |= modes;
}

struct model_fired {
    uint32_t at[CONNS * 4];
    uint32_t count;
};

static void model_hit(struct model_fired *fired, uint32_t conn)
{
    for (uint32_t i = 0; i < fired->count; i++) {
        if (fired->at[i] == conn) {
            return;
        }
    }
    fired->at[fired->count++] = conn;
}

static void model_fire_at(struct model *model, uint32_t path, uint32_t wanted,
                          struct model_fired *fired)
{
    for (uint32_t i = 0; i < model->count; i++) {
        struct model_watch *watch = &model->at[i];

        if (watch->path == path && (watch->modes & wanted) != 0) {
            model_hit(fired, watch->conn);
            watch->modes &= ~(wanted & (WATCH_DATA | WATCH_CHILD));
        }
    }
}

static void model_fire(struct model *model, enum zk_event event, uint32_t path,
                       struct model_fired *fired)
{
    fired->count = 0;
    if (event != EVENT_CHILDREN_CHANGED) {
        struct span above = span_text(paths[path]);

        model_fire_at(model, path, WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE, fired);
        while (above.len > 1) {
            above = path_parent(above);
            for (uint32_t i = 0; i < PATHS; i++) {
                if (span_is(above, paths[i])) {
                    model_fire_at(model, i, WATCH_RECURSIVE, fired);
                }
            }
        }
    }
    if (event == EVENT_CHILDREN_CHANGED || event == EVENT_DELETED) {
        model_fire_at(model, path, WATCH_CHILD | WATCH_PERSISTENT, fired);
    }
    model_sweep(model);
}

static void differ_step(struct model *model, struct rand *rand)
{
    uint32_t conn = 1 + (uint32_t)rand_below(rand, CONNS);
    uint32_t path = (uint32_t)rand_below(rand, PATHS);
    struct span span = span_text(paths[path]);
    uint32_t kind = (uint32_t)rand_below(rand, 12);

    if (kind < 5) {
        uint32_t modes = 1u << rand_below(rand, 4);

        EXPECT(watch_add(table, conn, span, modes) == ERR_OK);
        model_add(model, conn, path, modes);
    } else if (kind < 10) {
        enum zk_event event = (enum zk_event)(1 + rand_below(rand, 4));
        struct model_fired fired;

        EXPECT(watch_fire(table, event, span, &hits) == ERR_OK);
        model_fire(model, event, path, &fired);
        EXPECT(hits.count == fired.count);
        EXPECT(hits.count == 0 || memcmp(hits.conns, fired.at, hits.count * 4) == 0);
    } else if (kind < 11) {
        static const uint32_t gone[] = {0,  WATCH_CHILD,      WATCH_DATA,
                                        15, WATCH_PERSISTENT, WATCH_RECURSIVE};
        uint32_t type = 1 + (uint32_t)rand_below(rand, 5);
        struct model_watch *found = model_find(model, conn, path);
        bool had = found != NULL && (found->modes & gone[type]) != 0;

        EXPECT(watch_check(table, conn, span, (enum watch_type)type) == had);
        EXPECT(watch_remove(table, conn, span, (enum watch_type)type) == had);
        if (found != NULL) {
            found->modes &= ~gone[type];
        }
        model_sweep(model);
    } else {
        watch_remove_conn(table, conn);
        for (uint32_t i = 0; i < model->count; i++) {
            if (model->at[i].conn == conn) {
                model->at[i].modes = 0;
            }
        }
        model_sweep(model);
    }
}

START_TEST(test_random_use_agrees_with_a_list)
{
    static struct model model;
    struct rand rand;

    rand_init(&rand, 3);
    for (uint32_t i = 0; i < 200000; i++) {
        struct watch_counts counts;

        differ_step(&model, &rand);
        watch_count(table, &counts);
        EXPECT((counts.watches == 0) == (model.count == 0));
    }
}
END_TEST

START_TEST(test_adding_and_firing_survive_failed_allocations)
{
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct watch_counts before;
        struct watch_counts after;
        char path[16];

        (void)snprintf(path, sizeof(path), "/p%u", (unsigned int)nth);
        watch_count(table, &before);
        heap.mem.fail_at = heap.mem.get_count + nth;
        if (watch_add(table, (uint32_t)nth, span_text(path), WATCH_DATA) != ERR_OK) {
            watch_count(table, &after);
            ck_assert_mem_eq(&before, &after, sizeof(before));
        }
        heap.mem.fail_at = 0;
        ck_assert_int_eq(watch_add(table, (uint32_t)nth, span_text(path), WATCH_DATA), ERR_OK);
    }
    for (uint32_t conn = 1; conn <= 100; conn++) {
        add(conn, "/x", WATCH_DATA);
    }
    heap.mem.fail_at = heap.mem.get_count + 1;
    ck_assert_int_eq(watch_fire(table, EVENT_CREATED, span_text("/x"), &hits), ERR_MEMORY);
    heap.mem.fail_at = 0;
    ck_assert_int_eq(watch_fire(table, EVENT_CREATED, span_text("/x"), &hits), ERR_OK);
    ck_assert_uint_eq(hits.count, 100);
}
END_TEST

/* ZooKeeper 3.8: one mode a path in each of the two tables. */
START_TEST(test_a_later_mode_replaces_the_earlier_one)
{
    watch_keep_one_mode(table);
    add(1, "/a", WATCH_PERSISTENT);
    expect_fired(EVENT_DATA_CHANGED, "/a", "1");
    add(1, "/a", WATCH_DATA); /* persistent no more, but for the children */
    expect_fired(EVENT_DATA_CHANGED, "/a", "1");
    expect_fired(EVENT_DATA_CHANGED, "/a", "");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    add(1, "/a", WATCH_CHILD);
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");

    add(1, "/a", WATCH_RECURSIVE);
    add(1, "/a", WATCH_PERSISTENT);
    expect_fired(EVENT_CREATED, "/a/b", "");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    add(1, "/a", WATCH_RECURSIVE);
    expect_fired(EVENT_CREATED, "/a/b", "1");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "");
}
END_TEST

START_TEST(test_with_one_mode_types_mean_tables)
{
    watch_keep_one_mode(table);
    add(1, "/a", WATCH_PERSISTENT);
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_DATA));
    ck_assert(!watch_remove(table, 1, span_text("/a"), WATCH_TYPE_DATA));
    expect_fired(EVENT_DATA_CHANGED, "/a", "");
    expect_fired(EVENT_CHILDREN_CHANGED, "/a", "1");
    expect_fired(EVENT_DELETED, "/a", "1");
    ck_assert(watch_check(table, 1, span_text("/a"), WATCH_TYPE_CHILDREN));
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_ANY));
    expect_fired(EVENT_DELETED, "/a", "");

    add(1, "/a", WATCH_RECURSIVE);
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_DATA));
    expect_fired(EVENT_DATA_CHANGED, "/a/b", "");
    expect_fired(EVENT_DELETED, "/a/b", "1"); /* the table of children tells of deletions, too */
    ck_assert(watch_remove(table, 1, span_text("/a"), WATCH_TYPE_CHILDREN));
    expect_fired(EVENT_DELETED, "/a/b", "");
}
END_TEST

Suite *suite_watch(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_later_mode_replaces_the_earlier_one);
    tcase_add_test(tcase, test_with_one_mode_types_mean_tables);
    tcase_add_test(tcase, test_a_standard_watch_fires_once);
    tcase_add_test(tcase, test_a_delete_names_a_connection_once_for_both_tables);
    tcase_add_test(tcase, test_a_persistent_watch_stays_and_is_in_both_tables);
    tcase_add_test(tcase, test_a_recursive_watch_sees_everything_below_but_no_child_events);
    tcase_add_test(tcase, test_modes_of_one_connection_are_apart);
    tcase_add_test(tcase, test_watches_die_with_their_connection);
    tcase_add_test(tcase, test_watches_can_be_listed_by_connection_and_by_path);
    tcase_add_test(tcase, test_set_watches_tells_what_was_missed_or_waits);
    tcase_add_test(tcase, test_random_use_agrees_with_a_list);
    tcase_add_test(tcase, test_adding_and_firing_survive_failed_allocations);
    suite_add_tcase(suite, tcase);
    return suite;
}
