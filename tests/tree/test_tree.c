/* The tables of client-protocol 9.1 and 11, one line a test. */
#include "tests/expect.h"
#include "tests/tree/help_tree.h"
#include "tree/digest.h"
#include "tree/state.h"

#include <stdio.h>

static struct mem_heap heap;
static struct tree *tree;
static struct tree_result result;

static void setup(void)
{
    struct tree_options options = {.hash_seed = 3, .extended_types = true};

    mem_heap_init(&heap, UINT64_MAX);
    tree = tree_make(&heap.mem, &options);
    tree_result_init(&result, &heap.mem);
}

static void teardown(void)
{
    tree_result_drop(&result);
    tree_drop(tree);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static int32_t apply(struct txn txn)
{
    return help_apply(tree, &result, &txn);
}

static int32_t create_ephemeral(const char *path, int64_t zxid, int64_t session)
{
    struct txn txn = help_create(path, "x", zxid, -1);

    txn.header.client_id = session;
    txn.create.ephemeral = true;
    return apply(txn);
}

static int32_t close_session(int64_t zxid, int64_t session)
{
    return apply(help_header(OP_CLOSE_SESSION, zxid, session));
}

static struct zk_stat stat_of(const char *path)
{
    const struct node *node = tree_find(tree, span_text(path));
    struct zk_stat stat;

    ck_assert_msg(node != NULL, "%s", path);
    node_stat(node, &stat);
    return stat;
}

static bool exists(const char *path)
{
    return tree_find(tree, span_text(path)) != NULL;
}

static void expect_trigger(uint32_t index, enum zk_event event, const char *path)
{
    ck_assert_uint_lt(index, result.trigger_count);
    ck_assert_int_eq(result.triggers[index].event, event);
    ck_assert(span_is(result.triggers[index].path, path));
}

START_TEST(test_an_untouched_root_reports_cversion_minus_one)
{
    struct zk_stat stat = stat_of("/");

    ck_assert_int_eq(stat.cversion, -1);
    ck_assert_int_eq(stat.num_children, 1);
    ck_assert_int_eq(stat.czxid, 0);
    ck_assert_int_eq(stat_of("").cversion, -1);
    ck_assert_int_eq(stat_of("/zookeeper/config").aversion, -1);
    ck_assert_uint_eq(tree_node_count(tree), 4);
}
END_TEST

START_TEST(test_create_sets_the_node_and_its_parent)
{
    struct zk_stat stat;

    ck_assert_int_eq(apply(help_create("/a", "data", 5, 1)), ZK_OK);

    stat = stat_of("/a");
    ck_assert_int_eq(stat.czxid, 5);
    ck_assert_int_eq(stat.mzxid, 5);
    ck_assert_int_eq(stat.pzxid, 5);
    ck_assert_int_eq(stat.ctime, 1700000000005);
    ck_assert_int_eq(stat.mtime, 1700000000005);
    ck_assert_int_eq(stat.version, 0);
    ck_assert_int_eq(stat.cversion, 0);
    ck_assert_int_eq(stat.aversion, 0);
    ck_assert_int_eq(stat.data_length, 4);
    ck_assert_int_eq(stat.ephemeral_owner, 0);
    stat = stat_of("/");
    ck_assert_int_eq(stat.pzxid, 5);
    ck_assert_int_eq(stat.cversion, 0); /* 2 * 1 - 2 */
    ck_assert_int_eq(stat.mzxid, 0);
    ck_assert_int_eq(result.op.stat.czxid, 5);
    ck_assert(span_is(result.op.path, "/a"));
    ck_assert_int_eq(tree_zxid(tree), 5);
    expect_trigger(0, EVENT_CREATED, "/a");
    expect_trigger(1, EVENT_CHILDREN_CHANGED, "/");
    ck_assert_uint_eq(result.trigger_count, 2);
}
END_TEST

START_TEST(test_reported_cversion_counts_creates_and_deletes)
{
    ck_assert_int_eq(apply(help_create("/a", NULL, 1, -1)), ZK_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(apply(help_create("/a/b", NULL, 2 + 2 * i, -1)), ZK_OK);
        ck_assert_int_eq(apply(help_delete("/a/b", 3 + 2 * i)), ZK_OK);
    }
    ck_assert_int_eq(stat_of("/a").cversion, 10);
    ck_assert_int_eq(stat_of("/a").pzxid, 11);
    ck_assert_int_eq(tree_find(tree, span_text("/a"))->cversion, 5);
}
END_TEST

START_TEST(test_a_late_create_leaves_the_parent_alone)
{
    ck_assert_int_eq(apply(help_create("/a", NULL, 10, 7)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/b", NULL, 4, 7)), ZK_OK);
    ck_assert_int_eq(stat_of("/").pzxid, 10);
    ck_assert_int_eq(tree_find(tree, span_text("/"))->cversion, 7);
}
END_TEST

/* disk-formats 4: replay over a fuzzy image. */
START_TEST(test_a_repeated_create_raises_the_parent_and_replaces_the_list)
{
    struct txn again = help_create("/a", "new", 20, 9);

    ck_assert_int_eq(apply(help_create("/a", "old", 10, 7)), ZK_OK);
    again.create.acl = acl_world_read();
    ck_assert_int_eq(apply(again), ZK_NODEEXISTS);

    ck_assert_int_eq(stat_of("/").pzxid, 20);
    ck_assert_int_eq(stat_of("/a").czxid, 10);
    ck_assert_int_eq(stat_of("/a").data_length, 3);
    ck_assert(span_equal(node_acl(tree_find(tree, span_text("/a"))).raw, acl_world_read().raw));
    ck_assert_uint_eq(result.trigger_count, 0);
    help_check(tree);
}
END_TEST

START_TEST(test_deleting_what_is_gone_still_raises_the_parent)
{
    ck_assert_int_eq(apply(help_delete("/a", 30)), ZK_NONODE);
    ck_assert_int_eq(stat_of("/").pzxid, 30);
    ck_assert_int_eq(apply(help_delete("/a", 29)), ZK_NONODE);
    ck_assert_int_eq(stat_of("/").pzxid, 30);
    ck_assert_uint_eq(result.trigger_count, 0);
}
END_TEST

START_TEST(test_delete_names_the_node_and_then_its_parent)
{
    ck_assert_int_eq(apply(help_create("/a", NULL, 1, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/a/b", NULL, 2, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_delete("/a/b", 3)), ZK_OK);
    expect_trigger(0, EVENT_DELETED, "/a/b");
    expect_trigger(1, EVENT_CHILDREN_CHANGED, "/a");
    /* The list of the deleted node can still be read. */
    ck_assert(span_equal(acl_entry_list(result.triggers[0].acl).raw, acl_open().raw));
    ck_assert(!exists("/a/b"));
}
END_TEST

START_TEST(test_set_data_takes_version_and_time_from_the_transaction)
{
    struct zk_stat stat;

    ck_assert_int_eq(apply(help_set("/a", "x", 1, 1)), ZK_NONODE);
    ck_assert_int_eq(apply(help_create("/a", "1", 2, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_set("/a", "longer", 3, 4)), ZK_OK);
    stat = stat_of("/a");
    ck_assert_int_eq(stat.mzxid, 3);
    ck_assert_int_eq(stat.mtime, 1700000000003);
    ck_assert_int_eq(stat.version, 4);
    ck_assert_int_eq(stat.pzxid, 2);
    ck_assert_int_eq(stat.data_length, 6);
    ck_assert_int_eq(result.op.stat.version, 4);
    expect_trigger(0, EVENT_DATA_CHANGED, "/a");
    ck_assert_uint_eq(result.trigger_count, 1);
    ck_assert_int_eq(apply(help_set("/a", NULL, 4, 5)), ZK_OK);
    ck_assert(node_data_null(tree_find(tree, span_text("/a"))));
    ck_assert_int_eq(stat_of("/a").data_length, 0);
}
END_TEST

START_TEST(test_set_acl_changes_aversion_only)
{
    struct txn txn = help_header(OP_SET_ACL, 9, 1);
    struct zk_stat before;
    struct zk_stat after;

    txn.set_acl.path = span_text("/a");
    txn.set_acl.acl = acl_world_read();
    txn.set_acl.version = 3;
    ck_assert_int_eq(apply(txn), ZK_NONODE);
    ck_assert_int_eq(apply(help_create("/a", "1", 2, -1)), ZK_OK);
    before = stat_of("/a");
    ck_assert_int_eq(apply(txn), ZK_OK);
    after = stat_of("/a");
    ck_assert_int_eq(after.aversion, 3);
    ck_assert_int_eq(after.mzxid, before.mzxid);
    ck_assert_int_eq(after.pzxid, before.pzxid);
    ck_assert_int_eq(after.version, before.version);
    ck_assert_uint_eq(result.trigger_count, 0);
    help_check(tree);
}
END_TEST

START_TEST(test_kinds_come_from_the_type_of_the_transaction)
{
    struct txn txn = help_create("/c", NULL, 1, -1);

    txn.header.type = OP_CREATE_CONTAINER;
    ck_assert_int_eq(apply(txn), ZK_OK);
    txn = help_create("/t", NULL, 2, -1);
    txn.header.type = OP_CREATE_TTL;
    txn.create.ttl = 1234;
    ck_assert_int_eq(apply(txn), ZK_OK);
    ck_assert_int_eq(create_ephemeral("/e", 3, 0x77), ZK_OK);

    ck_assert_int_eq(stat_of("/c").ephemeral_owner, 0);
    ck_assert_int_eq(stat_of("/t").ephemeral_owner, 0);
    ck_assert_int_eq(stat_of("/e").ephemeral_owner, 0x77);
    ck_assert_int_eq(tree_find(tree, span_text("/c"))->owner, INT64_MIN);
    ck_assert_int_eq(node_ttl_ms(tree_kind_first(tree, NODE_TTL)), 1234);
    ck_assert_ptr_eq(tree_kind_first(tree, NODE_CONTAINER), tree_find(tree, span_text("/c")));
    ck_assert_ptr_null(tree_linked_next(tree, tree_kind_first(tree, NODE_CONTAINER)));
    ck_assert_int_eq(apply(help_delete("/c", 4)), ZK_OK);
    ck_assert_ptr_null(tree_kind_first(tree, NODE_CONTAINER));
}
END_TEST

/* client-protocol 9.1, EphemeralType. */
START_TEST(test_owner_values_mean_kinds)
{
    ck_assert_int_eq(node_kind_of_owner(0, true, true), NODE_PERSISTENT);
    ck_assert_int_eq(node_kind_of_owner(5, true, true), NODE_EPHEMERAL);
    ck_assert_int_eq(node_kind_of_owner(INT64_MIN, false, false), NODE_CONTAINER);
    ck_assert_int_eq(node_kind_of_owner(node_owner_of_ttl(9), true, false), NODE_TTL);
    ck_assert_int_eq(node_kind_of_owner(node_owner_of_ttl(9), false, false), NODE_EPHEMERAL);
    ck_assert_int_eq(node_kind_of_owner(-5, true, true), NODE_TTL);
    ck_assert_int_eq(node_kind_of_owner(-5, true, false), NODE_EPHEMERAL);
    ck_assert_int_eq((int64_t)0xff00000005265c00, node_owner_of_ttl(86400000));
}
END_TEST

START_TEST(test_closing_a_session_deletes_named_and_other_ephemerals)
{
    struct txn txn = help_header(OP_CREATE_SESSION, 1, 0x77);
    struct bytes raw;
    int32_t timeout_ms = 0;

    txn.timeout_ms = 4000;
    ck_assert_int_eq(apply(txn), ZK_OK);
    ck_assert(tree_session_find(tree, 0x77, &timeout_ms));
    ck_assert_int_eq(timeout_ms, 4000);
    ck_assert_int_eq(create_ephemeral("/e1", 2, 0x77), ZK_OK);
    ck_assert_int_eq(create_ephemeral("/e2", 3, 0x77), ZK_OK);
    ck_assert_int_eq(create_ephemeral("/e3", 4, 0x77), ZK_OK);
    ck_assert_int_eq(create_ephemeral("/other", 5, 0x78), ZK_OK);
    ck_assert_uint_eq(tree_ephemeral_count(tree), 4);
    bytes_init(&raw, &heap.mem);
    txn_paths_add(&raw, span_text("/e2"));
    txn_paths_add(&raw, span_text("/missing"));
    txn = help_header(OP_CLOSE_SESSION, 6, 0x77);
    txn.close.paths = (struct txn_paths){.raw = bytes_span(&raw), .count = 2};

    ck_assert_int_eq(apply(txn), ZK_OK);

    expect_trigger(0, EVENT_DELETED, "/e2"); /* first what the transaction names */
    expect_trigger(1, EVENT_CHILDREN_CHANGED, "/");
    expect_trigger(2, EVENT_DELETED, "/e1"); /* then the rest by age */
    expect_trigger(4, EVENT_DELETED, "/e3");
    ck_assert_uint_eq(result.trigger_count, 6);
    ck_assert(!exists("/e1") && !exists("/e2") && !exists("/e3") && exists("/other"));
    ck_assert_int_eq(stat_of("/").pzxid, 6);
    ck_assert(!tree_session_find(tree, 0x77, &timeout_ms));
    ck_assert_uint_eq(tree_session_count(tree), 0);
    ck_assert_ptr_null(tree_ephemeral_first(tree, 0x77));
    bytes_drop(&raw);
    help_check(tree);
}
END_TEST

START_TEST(test_sessions_are_walked_by_id_unsigned)
{
    static const int64_t ids[] = {-1, 5, INT64_MIN, 1, INT64_MAX};
    static const int64_t order[] = {1, 5, INT64_MAX, INT64_MIN, -1};
    int64_t id = 0;
    int32_t timeout_ms;

    for (int i = 0; i < 5; i++) {
        struct txn txn = help_header(OP_CREATE_SESSION, i + 1, ids[i]);

        txn.timeout_ms = 10 + i;
        ck_assert_int_eq(apply(txn), ZK_OK);
    }
    /* Owners that are no sessions do not count. */
    ck_assert_int_eq(create_ephemeral("/e", 9, 3), ZK_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert(tree_session_seek(tree, id, &id, &timeout_ms));
        ck_assert_int_eq(id, order[i]);
        id = (int64_t)((uint64_t)id + 1);
    }
    ck_assert_uint_eq(tree_session_count(tree), 5);
    ck_assert_int_eq(close_session(10, -1), ZK_OK);
    ck_assert(!tree_session_seek(tree, -1, &id, &timeout_ms));
}
END_TEST

/* client-protocol 10. */
START_TEST(test_a_multi_applies_all_or_nothing)
{
    struct txn txn = help_header(OP_MULTI, 5, 1);
    struct txn sub = help_create("/a", "1", 0, -1);
    struct bytes raw;

    bytes_init(&raw, &heap.mem);
    txn_multi_add(&raw, &sub);
    sub = help_set("/a", "2", 0, 1);
    txn_multi_add(&raw, &sub);
    sub = help_set("/a", "3", 0, 2);
    txn_multi_add(&raw, &sub);
    txn.multi = (struct txn_multi){.raw = bytes_span(&raw), .count = 3};
    ck_assert_int_eq(apply(txn), ZK_OK);
    ck_assert_uint_eq(result.op_count, 3);
    ck_assert_int_eq(result.ops[1].stat.version, 1); /* right after that op */
    ck_assert_int_eq(result.ops[2].stat.version, 2);
    ck_assert_int_eq(result.ops[0].type, OP_CREATE);
    ck_assert_int_eq(stat_of("/a").czxid, 5);
    expect_trigger(0, EVENT_CREATED, "/a");
    expect_trigger(2, EVENT_DATA_CHANGED, "/a");

    sub = help_header(OP_ERROR, 0, 0);
    sub.error = ZK_BADVERSION;
    txn_multi_add(&raw, &sub);
    sub.error = ZK_RUNTIMEINCONSISTENCY;
    txn_multi_add(&raw, &sub);
    txn.header.zxid = 6;
    txn.multi = (struct txn_multi){.raw = bytes_span(&raw), .count = 5};
    ck_assert_int_eq(apply(txn), ZK_BADVERSION);
    ck_assert_uint_eq(result.op_count, 5);
    ck_assert_int_eq(result.ops[0].code, ZK_OK);
    ck_assert_int_eq(result.ops[0].type, OP_ERROR);
    ck_assert_int_eq(result.ops[3].code, ZK_BADVERSION);
    ck_assert_int_eq(result.ops[4].code, ZK_RUNTIMEINCONSISTENCY);
    ck_assert_uint_eq(result.trigger_count, 0);
    ck_assert_int_eq(stat_of("/a").mzxid, 5);
    ck_assert_int_eq(tree_zxid(tree), 6);

    txn.header.zxid = 7;
    txn.multi = (struct txn_multi){0};
    ck_assert_int_eq(apply(txn), ZK_OK);
    ck_assert_uint_eq(result.op_count, 0);
    bytes_drop(&raw);
}
END_TEST

START_TEST(test_an_error_moves_the_zxid_only)
{
    uint64_t digest = tree_digest(tree);
    struct txn txn = help_header(OP_ERROR, 77, 1);

    txn.error = ZK_NONODE;
    ck_assert_int_eq(apply(txn), ZK_NONODE);
    ck_assert_int_eq(tree_zxid(tree), 77);
    ck_assert_uint_eq(tree_digest(tree), digest);
    txn.header.zxid = 70; /* an older one, replayed */
    ck_assert_int_eq(apply(txn), ZK_NONODE);
    ck_assert_int_eq(tree_zxid(tree), 77);
}
END_TEST

START_TEST(test_children_come_by_age)
{
    static const char *const want[] = {"c", "b", "d"};
    const struct node *node;
    int i = 0;

    ck_assert_int_eq(apply(help_create("/p", NULL, 1, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/p/a", NULL, 2, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/p/c", NULL, 3, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/p/b", NULL, 4, -1)), ZK_OK);
    ck_assert_int_eq(apply(help_delete("/p/a", 5)), ZK_OK);
    ck_assert_int_eq(apply(help_create("/p/d", NULL, 6, -1)), ZK_OK);
    for (node = tree_find(tree, span_text("/p"))->first_child; node != NULL; node = node->next) {
        ck_assert(span_is(node_name(node), want[i++]));
    }
    ck_assert_int_eq(i, 3);
    ck_assert_uint_eq(tree_count_below(tree, tree_find(tree, span_text("/p"))), 3);
    ck_assert_uint_eq(tree_count_below(tree, tree_find(tree, span_text("/"))), 7);
}
END_TEST

START_TEST(test_the_configuration_node_is_no_transaction)
{
    ck_assert_int_eq(tree_set_config(tree, span_text("version=100000000"), 0x100000000, 42),
                     ERR_OK);
    ck_assert_int_eq(stat_of("/zookeeper/config").mzxid, 0x100000000);
    ck_assert_int_eq(stat_of("/zookeeper/config").mtime, 42);
    ck_assert_int_eq(stat_of("/zookeeper/config").version, -1);
    ck_assert_int_eq(tree_zxid(tree), 0);
    ck_assert_int_eq(apply(help_delete("/zookeeper/config", 1)), ZK_OK);
    ck_assert_int_eq(tree_set_config(tree, span_text("x"), 1, 2), ERR_OK);
    ck_assert_int_eq(stat_of("/zookeeper/config").data_length, 1);
    help_check(tree);
}
END_TEST

/* What a leader does at preparation must be what everybody gets at application. */
START_TEST(test_a_digest_can_be_predicted_from_fields)
{
    struct stat_stored root;
    struct stat_stored stat = {
        .czxid = 9, .mzxid = 9, .pzxid = 9, .ctime = 1700000000009, .mtime = 1700000000009};
    uint64_t digest = tree_digest(tree);

    node_stat_stored(tree_find(tree, span_text("/")), &root);
    digest -= digest_node(span_text("/"), span_make(NULL, 0), &root);
    root.cversion++;
    root.pzxid = 9;
    digest += digest_node(span_text("/"), span_make(NULL, 0), &root);
    digest += digest_node(span_text("/a"), span_text("data"), &stat);

    ck_assert_int_eq(apply(help_create("/a", "data", 9, -1)), ZK_OK);
    ck_assert_uint_eq(tree_digest(tree), digest);
    ck_assert_uint_eq(digest_node(span_text("/zookeeper/x"), span_make(NULL, 0), &stat), 0);
}
END_TEST

START_TEST(test_bad_paths_have_an_outcome)
{
    ck_assert_int_eq(apply(help_create("/", NULL, 1, -1)), ZK_NODEEXISTS);
    ck_assert_int_eq(apply(help_create("/a/", NULL, 2, -1)), ZK_BADARGUMENTS);
    ck_assert_int_eq(apply(help_create("a", NULL, 3, -1)), ZK_BADARGUMENTS);
    ck_assert_int_eq(apply(help_create("//a", NULL, 4, -1)), ZK_NONODE);
    ck_assert_int_eq(apply(help_create("/a/b", NULL, 5, -1)), ZK_NONODE);
    ck_assert_int_eq(apply(help_delete("/", 6)), ZK_BADARGUMENTS);
    ck_assert_int_eq(apply(help_delete("x/y", 7)), ZK_NONODE);
    ck_assert_int_eq(apply(help_set("//", "x", 8, 1)), ZK_NONODE);
    ck_assert_int_eq(apply(help_set("/", "x", 9, 1)), ZK_OK);
    help_check(tree);
}
END_TEST

/* A hundred thousand nodes grow and shrink the index through every border of its segments. */
START_TEST(test_the_index_grows_and_shrinks_with_the_tree)
{
    char path[32];
    uint64_t most;

    for (int i = 0; i < 100000; i++) {
        (void)snprintf(path, sizeof(path), "/n%d", i);
        EXPECT(apply(help_create(path, NULL, i + 1, -1)) == ZK_OK);
    }
    for (int i = 0; i < 100000; i += 7) {
        (void)snprintf(path, sizeof(path), "/n%d", i);
        EXPECT(exists(path));
    }
    ck_assert_uint_gt(tree->index.bucket_count, 100000);
    most = heap.mem.used_bytes;
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(path, sizeof(path), "/n%d", i);
        EXPECT(apply(help_delete(path, 100001 + i)) == ZK_OK);
    }
    ck_assert_uint_eq(tree->index.bucket_count, 64);
    ck_assert_uint_lt(heap.mem.used_bytes, most / 500);
    help_check(tree);
}
END_TEST

Suite *suite_tree(void)
{
    Suite *suite = suite_create("tree");
    TCase *tcase = tcase_create("tree");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_an_untouched_root_reports_cversion_minus_one);
    tcase_add_test(tcase, test_create_sets_the_node_and_its_parent);
    tcase_add_test(tcase, test_reported_cversion_counts_creates_and_deletes);
    tcase_add_test(tcase, test_a_late_create_leaves_the_parent_alone);
    tcase_add_test(tcase, test_a_repeated_create_raises_the_parent_and_replaces_the_list);
    tcase_add_test(tcase, test_deleting_what_is_gone_still_raises_the_parent);
    tcase_add_test(tcase, test_delete_names_the_node_and_then_its_parent);
    tcase_add_test(tcase, test_set_data_takes_version_and_time_from_the_transaction);
    tcase_add_test(tcase, test_set_acl_changes_aversion_only);
    tcase_add_test(tcase, test_kinds_come_from_the_type_of_the_transaction);
    tcase_add_test(tcase, test_owner_values_mean_kinds);
    tcase_add_test(tcase, test_closing_a_session_deletes_named_and_other_ephemerals);
    tcase_add_test(tcase, test_sessions_are_walked_by_id_unsigned);
    tcase_add_test(tcase, test_a_multi_applies_all_or_nothing);
    tcase_add_test(tcase, test_an_error_moves_the_zxid_only);
    tcase_add_test(tcase, test_children_come_by_age);
    tcase_add_test(tcase, test_the_configuration_node_is_no_transaction);
    tcase_add_test(tcase, test_a_digest_can_be_predicted_from_fields);
    tcase_add_test(tcase, test_bad_paths_have_an_outcome);
    tcase_add_test(tcase, test_the_index_grows_and_shrinks_with_the_tree);
    suite_add_tcase(suite, tcase);
    return suite;
}
