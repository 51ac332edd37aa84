/* Prep: which of several faults of a request is the one that is answered. */
#include "protocol/help_prep.h"

#include <check.h>

/* A tree with one node of each kind that checks ask for. */
static void bench_furnish(void)
{
    ck_assert_int_eq(bench_create("/a", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/a/child", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/eph", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_create_acl("/closed", 0), ZK_OK);
    ck_assert_int_eq(bench_create_acl("/read", PERM_READ), ZK_OK);
    ck_assert_int_eq(bench_create_acl("/make", PERM_READ | PERM_CREATE), ZK_OK);
    ck_assert_int_eq(bench_create("/make/x", 0), ZK_OK);
    ck_assert_int_eq(bench_set("/a", -1), ZK_OK); /* version 1 */
    ck_assert_int_eq(bench_create("/full", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/full/x", 0), ZK_OK);
    ck_assert_int_eq(bench_create("/full/eph", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(bench_create("/zookeeper/quota/full", 0), ZK_OK);
}

static void set_quota(const char *text)
{
    struct wire_request request = bench_make(OP_CREATE, "/zookeeper/quota/full/zookeeper_limits");

    request.data = span_text(text);
    ck_assert_int_eq(bench_prepare(&request), ZK_OK);
    ck_assert_int_eq(bench_create("/zookeeper/quota/full/zookeeper_stats", 0), ZK_OK);
    bench_apply_all();
}

/* ---- order of checks: every row fails in more than one way; the first check in order decides ----
 */

#define NO_ACL  1u
#define BAD_ACL 2u

struct row {
    const char *what;
    int32_t op;
    const char *path;
    int32_t number; /* flags of create*, version of the others */
    int64_t ttl_ms;
    int64_t session;
    uint32_t acl;
    int32_t code;
};

static int32_t try_row(const struct row *row)
{
    struct wire_request request = bench_make(row->op, row->path);
    struct bytes raw;
    int32_t code;

    bytes_init(&raw, &bench.heap.mem);
    request.flags = row->number;
    request.version = row->number;
    if (row->op == OP_CREATE_TTL) {
        request.ttl_ms = row->ttl_ms;
    }
    if (row->acl == NO_ACL) {
        request.acl = (struct acl_list){.raw = wire_empty()};
    } else if (row->acl == BAD_ACL) {
        acl_write_item(
            &raw,
            (struct acl){.perms = PERM_ALL, .scheme = span_text("nosuch"), .id = span_text("x")});
        request.acl = (struct acl_list){.raw = bytes_span(&raw), .count = 1};
    }
    if (row->op == OP_SET_DATA) {
        request.data = span_text("0123456789");
    }
    bench.session = row->session;
    code = bench_prepare(&request);
    bench.session = SESSION;
    bytes_drop(&raw);
    return code;
}

static void try_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t code = try_row(&rows[i]);

        ck_assert_msg(code == rows[i].code, "%s: %s instead of %s", rows[i].what,
                      zk_code_name(code), zk_code_name(rows[i].code));
    }
}

/* docs/pipeline.md, "Order of checks", create. */
static const struct row create_rows[] = {
    {"flags before session", OP_CREATE, "/b", 7, 0, CLOSED, 0, ZK_BADARGUMENTS},
    {"negative flags", OP_CREATE2, "/b", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"ttl of 0 before session", OP_CREATE_TTL, "/b", 5, 0, CLOSED, 0, ZK_BADARGUMENTS},
    {"ttl of 2^40", OP_CREATE_TTL, "/b", 5, 0x10000000000, SESSION, 0, ZK_BADARGUMENTS},
    {"ttl mode in plain create", OP_CREATE, "/b", 5, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"ttl with flags that have none", OP_CREATE_TTL, "/b", 0, 5, SESSION, 0, ZK_BADARGUMENTS},
    {"createTTL without any ttl", OP_CREATE_TTL, "/b", 0, -1, SESSION, 0, ZK_BADARGUMENTS},
    {"closing session before path", OP_CREATE, "b", 0, 0, CLOSED, 0, ZK_SESSIONEXPIRED},
    {"unknown session before path", OP_CREATE, "b", 0, 0, NOBODY, 0, ZK_SESSIONEXPIRED},
    {"moved session before path", OP_CREATE, "b", 0, 0, MOVED, 0, ZK_SESSIONMOVED},
    {"no slash before acl", OP_CREATE, "b", 0, 0, SESSION, NO_ACL, ZK_BADARGUMENTS},
    {"empty path before acl", OP_CREATE, "", 0, 0, SESSION, NO_ACL, ZK_BADARGUMENTS},
    {"empty acl before parent", OP_CREATE, "/no/b", 0, 0, SESSION, NO_ACL, ZK_INVALIDACL},
    {"bad acl before parent", OP_CREATE, "/no/b", 0, 0, SESSION, BAD_ACL, ZK_INVALIDACL},
    {"parent before whole path", OP_CREATE, "/no/.", 0, 0, SESSION, 0, ZK_NONODE},
    {"empty component is a parent", OP_CREATE, "/a//b", 0, 0, SESSION, 0, ZK_NONODE},
    {"CREATE before whole path", OP_CREATE, "/read/.", 0, 0, SESSION, 0, ZK_NOAUTH},
    {"CREATE before existence", OP_CREATE, "/closed/x", 0, 0, SESSION, 0, ZK_NOAUTH},
    {"dot", OP_CREATE, "/a/.", 0, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"ends with a slash", OP_CREATE, "/a/", 0, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"whole path before ephemeral parent", OP_CREATE, "/eph/..", 0, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"exists", OP_CREATE, "/a", 0, 0, SESSION, 0, ZK_NODEEXISTS},
    {"root exists", OP_CREATE, "/", 0, 0, SESSION, 0, ZK_NODEEXISTS},
    {"existence before quota", OP_CREATE, "/full/x", 0, 0, SESSION, 0, ZK_NODEEXISTS},
    {"ephemeral parent", OP_CREATE, "/eph/b", 0, 0, SESSION, 0, ZK_NOCHILDRENFOREPHEMERALS},
    {"ephemeral parent before quota", OP_CREATE, "/full/eph/b", 0, 0, SESSION, 0,
     ZK_NOCHILDRENFOREPHEMERALS},
    {"quota", OP_CREATE, "/full/y", 0, 0, SESSION, 0, ZK_QUOTAEXCEEDED},
    {"create2 asks the same", OP_CREATE2, "/full/y", 0, 0, SESSION, 0, ZK_QUOTAEXCEEDED},
    {"createContainer too", OP_CREATE_CONTAINER, "/full/y", 4, 0, SESSION, 0, ZK_QUOTAEXCEEDED},
    {"sequential is no exception", OP_CREATE, "/eph/b", 2, 0, SESSION, 0,
     ZK_NOCHILDRENFOREPHEMERALS},
};

START_TEST(test_create_checks_in_order)
{
    struct prep_options options = prep_options_default(true);

    options.extended_types = true;
    options.enforce_quota = true;
    bench_begin(&options);
    bench_furnish();
    set_quota("count=3,bytes=-1=;byteHardLimit=-1;countHardLimit=3");

    try_rows(create_rows, sizeof(create_rows) / sizeof(create_rows[0]));
    bench_end();
}
END_TEST

START_TEST(test_ttl_modes_are_unknown_without_extended_types)
{
    static const struct row rows[] = {
        {"before the ttl", OP_CREATE_TTL, "/b", 5, 0, SESSION, 0, ZK_UNIMPLEMENTED},
        {"before the session", OP_CREATE_TTL, "/b", 6, 5, CLOSED, 0, ZK_UNIMPLEMENTED},
        {"in create", OP_CREATE, "/b", 5, 0, SESSION, 0, ZK_UNIMPLEMENTED},
        {"after the flags", OP_CREATE, "/b", 7, 0, SESSION, 0, ZK_BADARGUMENTS},
    };
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    try_rows(rows, sizeof(rows) / sizeof(rows[0]));
    bench_end();
}
END_TEST

static const struct row delete_rows[] = {
    {"session first", OP_DELETE, "nopath", -1, 0, CLOSED, 0, ZK_SESSIONEXPIRED},
    {"moved", OP_DELETE, "/a", -1, 0, MOVED, 0, ZK_SESSIONMOVED},
    {"no slash", OP_DELETE, "a", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"root", OP_DELETE, "/", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"special", OP_DELETE, "/zookeeper", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"special quota", OP_DELETE, "/zookeeper/quota", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"special config", OP_DELETE, "/zookeeper/config", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"parent missing", OP_DELETE, "/no/x", -1, 0, SESSION, 0, ZK_NONODE},
    {"DELETE before existence", OP_DELETE, "/make/nothing", -1, 0, SESSION, 0, ZK_NOAUTH},
    {"DELETE before version", OP_DELETE, "/make/x", 5, 0, SESSION, 0, ZK_NOAUTH},
    {"missing", OP_DELETE, "/a/nothing", 5, 0, SESSION, 0, ZK_NONODE},
    {"path is not validated", OP_DELETE, "/a/", 5, 0, SESSION, 0, ZK_NONODE},
    {"version before children", OP_DELETE, "/a", 5, 0, SESSION, 0, ZK_BADVERSION},
    {"children", OP_DELETE, "/a", 1, 0, SESSION, 0, ZK_NOTEMPTY},
    {"own acl does not matter", OP_DELETE, "/closed", 0, 0, SESSION, 0, ZK_OK},
};

static const struct row set_rows[] = {
    {"session first", OP_SET_DATA, "a", -1, 0, CLOSED, 0, ZK_SESSIONEXPIRED},
    {"path", OP_SET_DATA, "/a/", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"path before existence", OP_SET_DATA, "/no/..", -1, 0, SESSION, 0, ZK_BADARGUMENTS},
    {"missing", OP_SET_DATA, "/no", 5, 0, SESSION, 0, ZK_NONODE},
    {"WRITE before version", OP_SET_DATA, "/read", 5, 0, SESSION, 0, ZK_NOAUTH},
    {"quota before version", OP_SET_DATA, "/full", 5, 0, SESSION, 0, ZK_QUOTAEXCEEDED},
    {"version", OP_SET_DATA, "/a", 0, 0, SESSION, 0, ZK_BADVERSION},
    {"root", OP_SET_DATA, "/", 0, 0, SESSION, 0, ZK_OK},
};

static const struct row set_acl_rows[] = {
    {"session first", OP_SET_ACL, "a", -1, 0, NOBODY, 0, ZK_SESSIONEXPIRED},
    {"path before acl", OP_SET_ACL, "/a/", -1, 0, SESSION, NO_ACL, ZK_BADARGUMENTS},
    {"acl before existence", OP_SET_ACL, "/no", -1, 0, SESSION, NO_ACL, ZK_INVALIDACL},
    {"bad acl before ADMIN", OP_SET_ACL, "/read", -1, 0, SESSION, BAD_ACL, ZK_INVALIDACL},
    {"missing", OP_SET_ACL, "/no", 5, 0, SESSION, 0, ZK_NONODE},
    {"ADMIN before version", OP_SET_ACL, "/read", 5, 0, SESSION, 0, ZK_NOAUTH},
    {"aversion, not version", OP_SET_ACL, "/a", 1, 0, SESSION, 0, ZK_BADVERSION},
    {"aversion", OP_SET_ACL, "/a", 0, 0, SESSION, 0, ZK_OK},
};

START_TEST(test_delete_set_and_set_acl_check_in_order)
{
    struct prep_options options = prep_options_default(true);

    options.enforce_quota = true;
    bench_begin(&options);
    bench_furnish();
    set_quota("count=-1,bytes=5=;byteHardLimit=5;countHardLimit=-1");

    try_rows(delete_rows, sizeof(delete_rows) / sizeof(delete_rows[0]));
    try_rows(set_rows, sizeof(set_rows) / sizeof(set_rows[0]));
    try_rows(set_acl_rows, sizeof(set_acl_rows) / sizeof(set_acl_rows[0]));
    bench_apply_all();
    bench_end();
}
END_TEST

START_TEST(test_unknown_session_has_its_own_code_when_alone)
{
    struct prep_options options = prep_options_default(false);

    bench_begin(&options);
    bench.session = NOBODY;
    ck_assert_int_eq(bench_create("/a", 0), ZK_UNKNOWNSESSION);
    bench_end();
}
END_TEST

START_TEST(test_undecodable_requests_use_up_a_zxid)
{
    static const int32_t ops[] = {OP_CREATE,   OP_CREATE2, OP_CREATE_TTL,
                                  OP_DELETE,   OP_SET_ACL, OP_CREATE_CONTAINER,
                                  OP_SET_DATA, OP_MULTI,   OP_CREATE_SESSION};
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        int64_t before = bench.zxid;

        ck_assert_int_eq(bench_prepare_raw(ops[i], span_text("\1")), ERR_OK);
        ck_assert_int_eq(prep_last_code(bench.prep), ZK_MARSHALLINGERROR);
        ck_assert_int_eq(bench.last.header.zxid, before + 1);
        ck_assert_int_eq(bench.last.header.type, OP_ERROR);
    }
    bench_end();
}
END_TEST

/* A client must not delete containers of others without permission; nor does reconfig exist yet. */
START_TEST(test_refuses_what_only_servers_may_ask)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request request = bench_make(OP_DELETE_CONTAINER, "/a");

    bench_begin(&options);
    bench_furnish();
    ck_assert_int_eq(bench_prepare(&request), ZK_UNIMPLEMENTED);
    ck_assert_int_eq(bench_prepare_raw(OP_RECONFIG, wire_empty()), ERR_OK);
    ck_assert_int_eq(prep_last_code(bench.prep), ZK_RECONFIGDISABLED);

    bench.owner = SESSION_OWNER_NONE;
    bench.session = 0;
    ck_assert_int_eq(bench_prepare(&request), ZK_NOTEMPTY);
    request.path = span_text("/eph");
    ck_assert_int_eq(bench_prepare(&request), ZK_BADVERSION);
    request.path = span_text("/zookeeper");
    ck_assert_int_eq(bench_prepare(&request), ZK_BADARGUMENTS);
    request.path = span_text("/no");
    ck_assert_int_eq(bench_prepare(&request), ZK_NONODE);
    request.path = span_text("/a/child");
    ck_assert_int_eq(bench_prepare(&request), ZK_OK);
    ck_assert_int_eq(bench_prepare(&request), ZK_NONODE);
    bench_end();
}
END_TEST

Suite *suite_prep(void)
{
    Suite *suite = suite_create("prep");
    TCase *order = tcase_create("order");

    tcase_add_test(order, test_create_checks_in_order);
    tcase_add_test(order, test_ttl_modes_are_unknown_without_extended_types);
    tcase_add_test(order, test_delete_set_and_set_acl_check_in_order);
    tcase_add_test(order, test_unknown_session_has_its_own_code_when_alone);
    tcase_add_test(order, test_undecodable_requests_use_up_a_zxid);
    tcase_add_test(order, test_refuses_what_only_servers_may_ask);
    suite_add_tcase(suite, order);
    return suite;
}
