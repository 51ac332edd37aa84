/* Prep: changes in flight, sessions, multi, and the comparison with nothing in flight. */
#include "base/rand.h"
#include "expect.h"
#include "protocol/help_prep.h"

#include <check.h>
#include <stdio.h>

/* The paths of the closeSession that was prepared last, joined by blanks. */
static const char *closed_paths(void)
{
    static char text[1024];
    struct txn_paths rest = bench.last.close.paths;
    struct span path;
    size_t len = 0;

    text[0] = 0;
    while (txn_paths_next(&rest, &path)) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", len == 0 ? "" : " ",
                                (int)path.len, (const char *)path.at);
    }
    return text;
}

/* ---- changes in flight ---- */

START_TEST(test_sees_changes_in_flight)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/a", 0), ZK_NODEEXISTS);
    ck_assert_int_eq(bench_create("/a/b", 0), ZK_OK);
    ck_assert_int_eq(bench_delete("/a", -1), ZK_NOTEMPTY);
    ck_assert_int_eq(bench_set("/a", 0), ZK_OK);
    ck_assert_int_eq(bench.last.set.version, 1);
    ck_assert_int_eq(bench_set("/a", 0), ZK_BADVERSION);
    ck_assert_int_eq(bench_set("/a", 1), ZK_OK);
    ck_assert_int_eq(bench.last.set.version, 2);
    ck_assert_int_eq(bench_delete("/a/b", 0), ZK_OK);
    ck_assert_int_eq(bench_set("/a/b", -1), ZK_NONODE);
    ck_assert_int_eq(bench_delete("/a", 2), ZK_OK);
    ck_assert_int_eq(bench_create("/a/b", 0), ZK_NONODE);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_set("/a", 0), ZK_OK);
    ck_assert_uint_gt(prep_pending(bench.prep), 0);

    bench_apply_all();

    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    ck_assert_int_eq(bench_set("/a", 1), ZK_OK);
    bench_end();
}
END_TEST

/* A record goes with the last transaction that touched its path, not with the first. */
START_TEST(test_record_stays_until_its_last_change_is_applied)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_set("/a", -1), ZK_OK);
    ck_assert_int_eq(bench_set("/a", -1), ZK_OK);
    bench_apply_next();
    ck_assert_int_eq(bench_set("/a", 2), ZK_OK);
    bench_apply_next();
    ck_assert_int_eq(bench_set("/a", 3), ZK_OK);
    bench_apply_all();
    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    bench_end();
}
END_TEST

/* The counter counts all child creates of the parent, also those in flight, and never goes back. */
START_TEST(test_sequential_names_count_creates_in_flight)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s-0000000000"));
    ck_assert_int_eq(bench_create("/a/plain", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/a/", MODE_EPHEMERAL_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/0000000002"));
    ck_assert(bench.last.create.ephemeral);
    ck_assert_int_eq(bench.last.create.parent_cversion, 3);
    ck_assert_int_eq(bench_delete("/a/0000000002", -1), ZK_OK);
    ck_assert_int_eq(bench_create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s-0000000003"));
    bench_apply_all();
    ck_assert_int_eq(bench_create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s-0000000004"));
    bench_end();
}
END_TEST

/* At the end of 32 bits the counter stays where it is, in prediction and tree alike. */
START_TEST(test_counter_of_children_at_its_end)
{
    struct prep_options options = prep_options_default(true);
    struct txn txn = {
        .header = {.type = OP_CREATE, .zxid = 0x100000001},
        .create = {.path = span_text("/a/x"), .acl = acl_open(), .parent_cversion = INT32_MAX}};

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    bench_apply_all();
    bench.zxid++;
    txn.header.zxid = bench.zxid;
    ck_assert_int_eq(tree_apply(bench.tree, &txn, &bench.result), ERR_OK);
    ck_assert_int_eq(bench_create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s-2147483647"));
    ck_assert_int_eq(bench_create("/a/y", 0), ZK_OK);
    bench_apply_all();
    bench_end();
}
END_TEST

START_TEST(test_acl_in_flight_is_asked)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request request = bench_make(OP_SET_ACL, "/a");

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    request.acl = acl_world_read();
    ck_assert_int_eq(bench_prepare(&request), ZK_OK);
    ck_assert_int_eq(bench.last.set_acl.version, 1);
    ck_assert_int_eq(bench_set("/a", -1), ZK_NOAUTH);
    ck_assert_int_eq(bench_create("/a/b", 0), ZK_NOAUTH);
    ck_assert_int_eq(bench_prepare(&request), ZK_NOAUTH);
    bench_add_auth("super", "");
    ck_assert_int_eq(bench_set("/a", -1), ZK_OK);
    bench_apply_all();
    bench_end();
}
END_TEST

START_TEST(test_reset_forgets_what_will_never_be_applied)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    bench_apply_all();
    ck_assert_int_eq(bench_create("/a/b", 0), ZK_OK);
    ck_assert_int_eq(bench_set("/a", -1), ZK_OK);

    prep_reset(bench.prep);
    bench.applied = bench.prepared;

    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    ck_assert_int_eq(bench_set("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/a/s", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s0000000000"));
    bench_apply_all();
    bench_end();
}
END_TEST

/* ---- sessions ---- */

START_TEST(test_create_session_is_tracked_with_its_owner)
{
    static const uint8_t body[] = {0, 0, 0x27, 0x10};
    struct prep_options options = prep_options_default(true);
    struct session_view view;

    bench_begin(&options);
    bench.session = NOBODY;
    bench.owner = 31;
    ck_assert_int_eq(bench_prepare_raw(OP_CREATE_SESSION, span_make(body, 4)), ERR_OK);

    ck_assert_int_eq(bench.last.header.type, OP_CREATE_SESSION);
    ck_assert_int_eq(bench.last.timeout_ms, 10000);
    ck_assert(bench.last.has_digest);
    ck_assert(session_tracker_view(&bench.tracker, NOBODY, &view));
    ck_assert_uint_eq(view.owner, 31);
    ck_assert_uint_eq(view.timeout_ms, 10000);
    ck_assert_int_eq(bench_create("/a", MODE_EPHEMERAL), ZK_OK);
    bench.owner = SESSION_OWNER_LOCAL;
    ck_assert_int_eq(bench_create("/b", 0), ZK_SESSIONMOVED);
    bench_end();
}
END_TEST

START_TEST(test_sessions_are_bounded)
{
    static const uint8_t body[] = {0, 0, 0x27, 0x10};
    struct prep_options options = prep_options_default(true);

    options.sessions_max = 4;
    bench_begin(&options);
    bench.session = NOBODY;
    ck_assert_int_eq(bench_prepare_raw(OP_CREATE_SESSION, span_make(body, 4)), ERR_OK);
    ck_assert_int_eq(prep_last_code(bench.prep), ZK_SYSTEMERROR);
    ck_assert_uint_eq(bench.tracker.count, 4);
    bench_end();
}
END_TEST

/* closeSession: ephemerals of the tree, minus those deleted, plus those created in flight. */
START_TEST(test_close_session_lists_what_will_be_there)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/p", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/p/kept", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_create("/gone", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_create("/again", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_create("/turned", MODE_EPHEMERAL), ZK_OK);
    bench.session = OTHER;
    ck_assert_int_eq(bench_create("/others", MODE_EPHEMERAL), ZK_OK);
    bench.session = SESSION;
    bench_apply_all();
    ck_assert_int_eq(bench_delete("/gone", -1), ZK_OK);
    ck_assert_int_eq(bench_delete("/again", -1), ZK_OK);
    ck_assert_int_eq(bench_create("/again", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_delete("/turned", -1), ZK_OK);
    ck_assert_int_eq(bench_create("/turned", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/new", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_set("/new", -1), ZK_OK);
    ck_assert_int_eq(bench_create("/brief", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_delete("/brief", -1), ZK_OK);

    ck_assert_int_eq(bench_close_session(SESSION), ZK_OK);

    ck_assert_str_eq(closed_paths(), "/p/kept /again /new");
    /* Their parents count as empty at once, and nothing more is prepared (ZOOKEEPER-1208). */
    ck_assert_int_eq(bench_create("/late", MODE_EPHEMERAL), ZK_SESSIONEXPIRED);
    bench.session = OTHER;
    ck_assert_int_eq(bench_delete("/p", -1), ZK_OK);
    ck_assert_int_eq(bench_set("/new", -1), ZK_NONODE);
    bench_apply_all();
    ck_assert_ptr_null(tree_ephemeral_first(bench.tree, SESSION));
    ck_assert_int_eq(bench_close_session(NOBODY), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    bench_end();
}
END_TEST

/* An id that looks like the mark of another kind of node closes nothing but itself. */
START_TEST(test_close_session_never_takes_containers)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request request = bench_make(OP_CREATE_CONTAINER, "/c");

    options.extended_types = true;
    bench_begin(&options);
    request.flags = MODE_CONTAINER;
    ck_assert_int_eq(bench_prepare(&request), ZK_OK);
    ck_assert_int_eq(bench_create("/p", 0), ZK_OK);
    ck_assert_int_eq(bench_close_session(NODE_OWNER_CONTAINER), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    ck_assert_int_eq(bench_close_session(0), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    bench_apply_all();
    ck_assert_ptr_nonnull(tree_find(bench.tree, span_text("/c")));
    bench_end();
}
END_TEST

/* ---- multi ---- */

static void multi_begin(void)
{
    bytes_clear(&bench.body);
}

static void multi_add(struct wire_request op)
{
    wire_multi_put(&bench.body, &op);
}

static int32_t multi_end(void)
{
    wire_multi_end(&bench.body);
    EXPECT(bench_prepare_raw(OP_MULTI, bytes_span(&bench.body)) == ERR_OK);
    EXPECT(bench.last.header.type == OP_MULTI);
    EXPECT(bench.last.has_digest);
    return prep_last_code(bench.prep);
}

START_TEST(test_ops_of_a_multi_see_each_other)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request op;

    bench_begin(&options);
    multi_begin();
    multi_add(bench_make(OP_CREATE, "/m"));
    op = bench_make(OP_CREATE, "/m/s-");
    op.flags = MODE_PERSISTENT_SEQUENTIAL;
    multi_add(op);
    multi_add(op);
    op = bench_make(OP_SET_DATA, "/m");
    op.version = 0;
    multi_add(op);
    op = bench_make(OP_CHECK, "/m");
    op.version = 1;
    multi_add(op);
    multi_add(bench_make(OP_DELETE, "/m/s-0000000000"));
    ck_assert_int_eq(multi_end(), ZK_OK);
    ck_assert_uint_eq(bench.last.multi.count, 6);

    bench_apply_all();
    ck_assert_ptr_nonnull(tree_find(bench.tree, span_text("/m/s-0000000001")));
    ck_assert_ptr_null(tree_find(bench.tree, span_text("/m/s-0000000000")));
    bench_end();
}
END_TEST

static int32_t sub_errors[8];

/* The codes of the multi prepared last: 0 where the op kept its transaction. */
static uint32_t multi_codes(void)
{
    struct txn_multi rest = bench.last.multi;
    struct txn sub;
    uint32_t count = 0;

    while (txn_multi_next(&rest, &bench.last, &sub)) {
        EXPECT(count < 8);
        sub_errors[count] = sub.header.type == OP_ERROR ? sub.error : ZK_OK;
        count++;
    }
    return count;
}

START_TEST(test_failed_multi_leaves_no_trace)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request op;
    uint64_t pending;
    uint64_t used;

    bench_begin(&options);
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_create_acl("/b", PERM_ALL & ~PERM_ADMIN), ZK_OK);
    pending = prep_pending(bench.prep);
    used = bench.heap.mem.used_bytes;

    multi_begin();
    op = bench_make(OP_CREATE, "/a/s-");
    op.flags = MODE_PERSISTENT_SEQUENTIAL;
    multi_add(op);
    multi_add(bench_make(OP_DELETE, "/b"));
    op = bench_make(OP_CREATE, "/b");
    op.acl = acl_world_read();
    multi_add(op);
    op = bench_make(OP_SET_DATA, "/a");
    op.version = 7;
    multi_add(op);
    multi_add(bench_make(OP_DELETE, "/a"));
    multi_add(bench_make(OP_CHECK, "/a"));
    ck_assert_int_eq(multi_end(), ZK_BADVERSION);

    ck_assert_uint_eq(multi_codes(), 6);
    ck_assert_int_eq(sub_errors[0], ZK_OK);
    ck_assert_int_eq(sub_errors[1], ZK_OK);
    ck_assert_int_eq(sub_errors[2], ZK_OK);
    ck_assert_int_eq(sub_errors[3], ZK_BADVERSION);
    ck_assert_int_eq(sub_errors[4], ZK_RUNTIMEINCONSISTENCY);
    ck_assert_int_eq(sub_errors[5], ZK_RUNTIMEINCONSISTENCY);
    ck_assert_uint_eq(prep_pending(bench.prep), pending);
    ck_assert_uint_ge(used + 4096, bench.heap.mem.used_bytes); /* scratch only */
    ck_assert_int_eq(bench_create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(bench_path_is("/a/s-0000000000"));
    ck_assert_int_eq(bench_set("/b", 0), ZK_OK);
    bench_apply_all();
    ck_assert_int_eq(bench.result.code, ZK_OK);
    bench_end();
}
END_TEST

START_TEST(test_empty_multi_is_fine)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    multi_begin();
    ck_assert_int_eq(multi_end(), ZK_OK);
    ck_assert_uint_eq(bench.last.multi.count, 0);
    bench_end();
}
END_TEST

/* ---- the great comparison ---- */

/* A random request over few names, so that ops meet. */
static void random_op(struct rand *rand, struct wire_request *op, char path[64])
{
    static const int32_t ops[] = {OP_CREATE,  OP_CREATE, OP_CREATE2,  OP_CREATE_CONTAINER,
                                  OP_DELETE,  OP_DELETE, OP_SET_DATA, OP_SET_DATA,
                                  OP_SET_ACL, OP_CREATE};
    static const char *const data[] = {"", "x", "some data", "0123456789012345678901234567890123"};
    uint32_t depth = 1 + (uint32_t)rand_below(rand, 3);
    size_t len = 0;

    for (uint32_t i = 0; i < depth; i++) {
        len += (size_t)snprintf(path + len, 64 - len, "/%c", (int)('a' + rand_below(rand, 3)));
    }
    *op = bench_make(ops[rand_below(rand, sizeof(ops) / sizeof(ops[0]))], path);
    op->data = span_text(data[rand_below(rand, 4)]);
    op->flags = op->type == OP_CREATE_CONTAINER ? MODE_CONTAINER : (int32_t)rand_below(rand, 4);
    op->version = rand_below(rand, 3) == 0 ? (int32_t)rand_below(rand, 3) : -1;
    if (rand_below(rand, 8) == 0) {
        op->acl = acl_world_read();
    }
}

static void random_request(struct rand *rand)
{
    struct wire_request op;
    char path[64];

    bench.session = SESSION + (int64_t)rand_below(rand, 2);
    if (rand_below(rand, 40) == 0) {
        (void)bench_close_session(bench.session);
        return;
    }
    if (session_tracker_is_closing(&bench.tracker, bench.session) ||
        session_tracker_check(&bench.tracker, bench.session, SESSION_OWNER_LOCAL) ==
            SESSION_UNKNOWN) {
        static const uint8_t body[] = {0, 0, 0x27, 0x10};

        if (rand_below(rand, 4) == 0) {
            EXPECT(bench_prepare_raw(OP_CREATE_SESSION, span_make(body, 4)) == ERR_OK);
            return;
        }
    }
    if (rand_below(rand, 4) == 0) {
        uint32_t count = (uint32_t)rand_below(rand, 6);

        bytes_clear(&bench.body);
        for (uint32_t i = 0; i < count; i++) {
            random_op(rand, &op, path);
            if (op.type == OP_SET_ACL) {
                op.type = OP_CHECK;
            }
            wire_multi_put(&bench.body, &op);
        }
        wire_multi_end(&bench.body);
        EXPECT(bench_prepare_raw(OP_MULTI, bytes_span(&bench.body)) == ERR_OK);
        return;
    }
    random_op(rand, &op, path);
    (void)bench_prepare(&op);
}

/* Feed `count` random requests, applying each at most `lag` requests later; the hash of all
 * transactions. Requests do not depend on the lag: sessions are re-created only when both agree. */
static uint64_t play(uint64_t seed, uint32_t count, uint32_t lag, uint64_t *tree_sum)
{
    struct prep_options options = prep_options_default(true);
    struct rand rand;
    uint64_t hash = 0;

    rand_init(&rand, seed);
    bench_begin(&options);
    bench_add_auth("ip", "127.0.0.1");
    for (uint32_t i = 0; i < count; i++) {
        random_request(&rand);
        for (size_t at = 0; at < bench.txn.len; at++) {
            hash = (hash ^ bench.txn.at[at]) * 0x100000001b3u;
        }
        /* A session that closes is settled before its id is used again: else the two runs would
         * legitimately differ in when the tracker forgets it. */
        if (bench.last.header.type == OP_CLOSE_SESSION) {
            bench_apply_all();
        }
        while (bench.prepared - bench.applied > lag) {
            bench_apply_next();
        }
    }
    bench_apply_all();
    EXPECT(prep_pending(bench.prep) == 0);
    *tree_sum = tree_digest(bench.tree);
    bench_end();
    return hash;
}

/* Whether earlier transactions are applied or in flight must not show in any later one. */
START_TEST(test_flight_does_not_show)
{
    static const uint32_t lags[] = {1, 7, 60, 250};

    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint64_t sum_now;
        uint64_t sum_late;
        uint64_t now = play(seed, 2000, 0, &sum_now);

        for (size_t i = 0; i < sizeof(lags) / sizeof(lags[0]); i++) {
            ck_assert_msg(play(seed, 2000, lags[i], &sum_late) == now, "seed %u lag %u",
                          (unsigned)seed, lags[i]);
            ck_assert_uint_eq(sum_late, sum_now);
        }
    }
}
END_TEST

START_TEST(test_lack_of_memory_is_reported_and_leaks_nothing)
{
    struct prep_options options = prep_options_default(true);

    for (uint64_t fail = 1; fail < 60; fail++) {
        struct rand rand;
        struct wire_request op;
        char path[64];

        rand_init(&rand, 3);
        bench_begin(&options);
        bench.heap.mem.fail_at = bench.heap.mem.get_count + fail;
        for (uint32_t i = 0; i < 100; i++) {
            struct bytes body;
            enum err err;

            random_op(&rand, &op, path);
            bytes_init(&body, &bench.heap.mem);
            if (i % 3 == 0 && op.type != OP_SET_ACL) {
                wire_multi_put(&body, &op);
                wire_multi_end(&body);
                op.type = OP_MULTI;
            } else {
                wire_request_encode(&body, &op);
            }
            err = body.failed ? ERR_MEMORY : bench_prepare_raw(op.type, bytes_span(&body));
            bytes_drop(&body);
            if (err != ERR_OK) {
                ck_assert_int_eq(err, ERR_MEMORY);
                break;
            }
        }
        bench_end();
    }
}
END_TEST

Suite *suite_prep_flight(void)
{
    Suite *suite = suite_create("prep_flight");
    TCase *flight = tcase_create("flight");

    tcase_set_timeout(flight, 60);
    tcase_add_test(flight, test_sees_changes_in_flight);
    tcase_add_test(flight, test_record_stays_until_its_last_change_is_applied);
    tcase_add_test(flight, test_sequential_names_count_creates_in_flight);
    tcase_add_test(flight, test_counter_of_children_at_its_end);
    tcase_add_test(flight, test_acl_in_flight_is_asked);
    tcase_add_test(flight, test_reset_forgets_what_will_never_be_applied);
    tcase_add_test(flight, test_create_session_is_tracked_with_its_owner);
    tcase_add_test(flight, test_sessions_are_bounded);
    tcase_add_test(flight, test_close_session_lists_what_will_be_there);
    tcase_add_test(flight, test_close_session_never_takes_containers);
    tcase_add_test(flight, test_ops_of_a_multi_see_each_other);
    tcase_add_test(flight, test_failed_multi_leaves_no_trace);
    tcase_add_test(flight, test_empty_multi_is_fine);
    tcase_add_test(flight, test_flight_does_not_show);
    tcase_add_test(flight, test_lack_of_memory_is_reported_and_leaks_nothing);
    suite_add_tcase(suite, flight);
    return suite;
}
