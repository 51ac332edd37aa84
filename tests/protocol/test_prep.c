#include "base/rand.h"
#include "expect.h"
#include "protocol/prep.h"
#include "protocol/wire_client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define SESSION 0x0100000000000001
#define OTHER   0x0100000000000002
#define CLOSED  0x0100000000000003
#define MOVED   0x0100000000000004
#define NOBODY  0x0100000000000099

/* A leader without a network: what is prepared may be applied at once or later. */
struct bench {
    struct mem_heap heap;
    struct tree *tree;
    struct session_tracker tracker;
    struct prep *prep;
    struct tree_result result;
    struct bytes body, txn, auth;
    struct bytes log[256];
    uint64_t prepared, applied;
    int64_t zxid, session;
    uint64_t owner;
    uint32_t id_count;
    uint64_t digest_failures;
    struct txn last; /* lends from txn */
};

static struct bench bench;

static void bench_begin(const struct prep_options *options)
{
    struct tree_options tree_options = {.hash_seed = 5, .extended_types = options->extended_types};

    memset(&bench, 0, sizeof(bench));
    mem_heap_init(&bench.heap, UINT64_MAX);
    bench.tree = tree_make(&bench.heap.mem, &tree_options);
    session_tracker_init(&bench.tracker, &bench.heap.mem, 2000, 1);
    bench.prep = prep_make(&bench.heap.mem, options, bench.tree, &bench.tracker);
    tree_result_init(&bench.result, &bench.heap.mem);
    bytes_init(&bench.body, &bench.heap.mem);
    bytes_init(&bench.txn, &bench.heap.mem);
    bytes_init(&bench.auth, &bench.heap.mem);
    for (uint32_t i = 0; i < 256; i++) {
        bytes_init(&bench.log[i], &bench.heap.mem);
    }
    bench.zxid = 0x100000000;
    bench.session = SESSION;
    bench.owner = SESSION_OWNER_LOCAL;
    for (int64_t session = SESSION; session <= MOVED; session++) {
        ck_assert_int_eq(session_tracker_add(&bench.tracker, session, 4000, 0), ERR_OK);
    }
    session_tracker_set_owner(&bench.tracker, MOVED, 77);
    session_tracker_set_closing(&bench.tracker, CLOSED);
}

static void bench_end(void)
{
    ck_assert_uint_eq(bench.digest_failures, 0);
    prep_drop(bench.prep);
    session_tracker_drop(&bench.tracker);
    tree_result_drop(&bench.result);
    tree_drop(bench.tree);
    bytes_drop(&bench.body);
    bytes_drop(&bench.txn);
    bytes_drop(&bench.auth);
    for (uint32_t i = 0; i < 256; i++) {
        bytes_drop(&bench.log[i]);
    }
    ck_assert_uint_eq(bench.heap.mem.used_bytes, 0);
}

static void add_auth(const char *scheme, const char *id)
{
    bytes_ustring(&bench.auth, span_text(scheme));
    bytes_ustring(&bench.auth, span_text(id));
    bench.id_count++;
}

static void apply_next(void)
{
    struct bytes *entry = &bench.log[bench.applied % 256];
    struct txn txn;

    EXPECT(txn_decode(bytes_span(entry), &txn) == ERR_OK);
    EXPECT(tree_apply(bench.tree, &txn, &bench.result) == ERR_OK);
    if (txn.has_digest && txn.digest != tree_digest(bench.tree)) {
        bench.digest_failures++;
    }
    prep_applied(bench.prep, txn.header.zxid);
    if (txn.header.type == OP_CLOSE_SESSION) {
        session_tracker_remove(&bench.tracker, txn.header.client_id);
    }
    bench.applied++;
}

static void apply_all(void)
{
    while (bench.applied < bench.prepared) {
        apply_next();
    }
}

static enum err prepare_raw(int32_t op, struct span body)
{
    struct request request = {
        .kind = REQUEST_WRITE,
        .op = op,
        .session = bench.session,
        .cxid = 9,
        .owner = bench.owner,
        .body = body,
        .auth_ids = {.items = bytes_span(&bench.auth), .count = bench.id_count},
    };
    struct prep_stamp stamp = {.wall_ms = 1700000000000 + bench.zxid % 1000};
    struct bytes *entry = &bench.log[bench.prepared % 256];
    enum err err;

    bench.zxid++;
    stamp.zxid = bench.zxid;
    bytes_clear(&bench.txn);
    err = prep_request(bench.prep, &request, &stamp, &bench.txn);
    if (err != ERR_OK) {
        return err;
    }
    EXPECT(txn_decode(bytes_span(&bench.txn), &bench.last) == ERR_OK);
    EXPECT(bench.last.header.zxid == bench.zxid);
    EXPECT(bench.last.header.client_id == bench.session);
    EXPECT(bench.last.header.cxid == 9);
    bytes_clear(entry);
    bytes_raw(entry, bench.txn.at, bench.txn.len);
    bench.prepared++;
    EXPECT(bench.prepared - bench.applied <= 256);
    return ERR_OK;
}

/* Prepare one request; the code. It stays in flight. */
static int32_t prepare(const struct wire_request *request)
{
    bytes_clear(&bench.body);
    wire_request_encode(&bench.body, request);
    EXPECT(prepare_raw(request->type, bytes_span(&bench.body)) == ERR_OK);
    if (prep_last_code(bench.prep) != ZK_OK && bench.last.header.type != OP_MULTI) {
        EXPECT(bench.last.header.type == OP_ERROR);
        EXPECT(bench.last.error == prep_last_code(bench.prep));
        EXPECT(!bench.last.has_digest);
    }
    return prep_last_code(bench.prep);
}

static struct wire_request make(int32_t op, const char *path)
{
    return (struct wire_request){.type = op,
                                 .path = span_text(path),
                                 .version = -1,
                                 .data = wire_empty(),
                                 .acl = acl_open()};
}

static int32_t create(const char *path, int32_t flags)
{
    struct wire_request request = make(OP_CREATE, path);

    request.flags = flags;
    return prepare(&request);
}

static int32_t create_acl(const char *path, int32_t perms)
{
    struct wire_request request = make(OP_CREATE, path);
    struct bytes raw;
    int32_t code;

    bytes_init(&raw, &bench.heap.mem);
    acl_write_item(
        &raw,
        (struct acl){.perms = perms, .scheme = span_text("world"), .id = span_text("anyone")});
    request.acl = (struct acl_list){.raw = bytes_span(&raw), .count = 1};
    code = prepare(&request);
    bytes_drop(&raw);
    return code;
}

static int32_t set(const char *path, int32_t version)
{
    struct wire_request request = make(OP_SET_DATA, path);

    request.version = version;
    request.data = span_text("data");
    return prepare(&request);
}

static int32_t delete (const char *path, int32_t version)
{
    struct wire_request request = make(OP_DELETE, path);

    request.version = version;
    return prepare(&request);
}

static int32_t close_session(int64_t session)
{
    struct request request = request_close_session(session);
    int64_t before = bench.session;
    uint64_t owner = bench.owner;

    bench.session = session;
    bench.owner = SESSION_OWNER_NONE;
    EXPECT(prepare_raw(request.op, request.body) == ERR_OK);
    bench.session = before;
    bench.owner = owner;
    return prep_last_code(bench.prep);
}

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

static bool path_is(const char *path)
{
    return span_is(txn_path(&bench.last), path);
}

/* A tree with one node of each kind that checks ask for. */
static void bench_furnish(void)
{
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(create("/a/child", 0), ZK_OK);
    ck_assert_int_eq(create("/eph", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(create_acl("/closed", 0), ZK_OK);
    ck_assert_int_eq(create_acl("/read", PERM_READ), ZK_OK);
    ck_assert_int_eq(create_acl("/make", PERM_READ | PERM_CREATE), ZK_OK);
    ck_assert_int_eq(create("/make/x", 0), ZK_OK);
    ck_assert_int_eq(set("/a", -1), ZK_OK); /* version 1 */
    ck_assert_int_eq(create("/full", 0), ZK_OK);
    ck_assert_int_eq(create("/full/x", 0), ZK_OK);
    ck_assert_int_eq(create("/full/eph", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(create("/zookeeper/quota/full", 0), ZK_OK);
}

static void set_quota(const char *text)
{
    struct wire_request request = make(OP_CREATE, "/zookeeper/quota/full/zookeeper_limits");

    request.data = span_text(text);
    ck_assert_int_eq(prepare(&request), ZK_OK);
    ck_assert_int_eq(create("/zookeeper/quota/full/zookeeper_stats", 0), ZK_OK);
    apply_all();
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
    struct wire_request request = make(row->op, row->path);
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
    code = prepare(&request);
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
    apply_all();
    bench_end();
}
END_TEST

START_TEST(test_unknown_session_has_its_own_code_when_alone)
{
    struct prep_options options = prep_options_default(false);

    bench_begin(&options);
    bench.session = NOBODY;
    ck_assert_int_eq(create("/a", 0), ZK_UNKNOWNSESSION);
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

        ck_assert_int_eq(prepare_raw(ops[i], span_text("\1")), ERR_OK);
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
    struct wire_request request = make(OP_DELETE_CONTAINER, "/a");

    bench_begin(&options);
    bench_furnish();
    ck_assert_int_eq(prepare(&request), ZK_UNIMPLEMENTED);
    ck_assert_int_eq(prepare_raw(OP_RECONFIG, wire_empty()), ERR_OK);
    ck_assert_int_eq(prep_last_code(bench.prep), ZK_RECONFIGDISABLED);

    bench.owner = SESSION_OWNER_NONE;
    bench.session = 0;
    ck_assert_int_eq(prepare(&request), ZK_NOTEMPTY);
    request.path = span_text("/eph");
    ck_assert_int_eq(prepare(&request), ZK_BADVERSION);
    request.path = span_text("/zookeeper");
    ck_assert_int_eq(prepare(&request), ZK_BADARGUMENTS);
    request.path = span_text("/no");
    ck_assert_int_eq(prepare(&request), ZK_NONODE);
    request.path = span_text("/a/child");
    ck_assert_int_eq(prepare(&request), ZK_OK);
    ck_assert_int_eq(prepare(&request), ZK_NONODE);
    bench_end();
}
END_TEST

/* ---- changes in flight ---- */

START_TEST(test_sees_changes_in_flight)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(create("/a", 0), ZK_NODEEXISTS);
    ck_assert_int_eq(create("/a/b", 0), ZK_OK);
    ck_assert_int_eq(delete ("/a", -1), ZK_NOTEMPTY);
    ck_assert_int_eq(set("/a", 0), ZK_OK);
    ck_assert_int_eq(bench.last.set.version, 1);
    ck_assert_int_eq(set("/a", 0), ZK_BADVERSION);
    ck_assert_int_eq(set("/a", 1), ZK_OK);
    ck_assert_int_eq(bench.last.set.version, 2);
    ck_assert_int_eq(delete ("/a/b", 0), ZK_OK);
    ck_assert_int_eq(set("/a/b", -1), ZK_NONODE);
    ck_assert_int_eq(delete ("/a", 2), ZK_OK);
    ck_assert_int_eq(create("/a/b", 0), ZK_NONODE);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(set("/a", 0), ZK_OK);
    ck_assert_uint_gt(prep_pending(bench.prep), 0);

    apply_all();

    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    ck_assert_int_eq(set("/a", 1), ZK_OK);
    bench_end();
}
END_TEST

/* A record goes with the last transaction that touched its path, not with the first. */
START_TEST(test_record_stays_until_its_last_change_is_applied)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(set("/a", -1), ZK_OK);
    ck_assert_int_eq(set("/a", -1), ZK_OK);
    apply_next();
    ck_assert_int_eq(set("/a", 2), ZK_OK);
    apply_next();
    ck_assert_int_eq(set("/a", 3), ZK_OK);
    apply_all();
    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    bench_end();
}
END_TEST

/* The counter counts all child creates of the parent, also those in flight, and never goes back. */
START_TEST(test_sequential_names_count_creates_in_flight)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s-0000000000"));
    ck_assert_int_eq(create("/a/plain", 0), ZK_OK);
    ck_assert_int_eq(create("/a/", MODE_EPHEMERAL_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/0000000002"));
    ck_assert(bench.last.create.ephemeral);
    ck_assert_int_eq(bench.last.create.parent_cversion, 3);
    ck_assert_int_eq(delete ("/a/0000000002", -1), ZK_OK);
    ck_assert_int_eq(create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s-0000000003"));
    apply_all();
    ck_assert_int_eq(create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s-0000000004"));
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
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    apply_all();
    bench.zxid++;
    txn.header.zxid = bench.zxid;
    ck_assert_int_eq(tree_apply(bench.tree, &txn, &bench.result), ERR_OK);
    ck_assert_int_eq(create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s-2147483647"));
    ck_assert_int_eq(create("/a/y", 0), ZK_OK);
    apply_all();
    bench_end();
}
END_TEST

START_TEST(test_acl_in_flight_is_asked)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request request = make(OP_SET_ACL, "/a");

    bench_begin(&options);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    request.acl = acl_world_read();
    ck_assert_int_eq(prepare(&request), ZK_OK);
    ck_assert_int_eq(bench.last.set_acl.version, 1);
    ck_assert_int_eq(set("/a", -1), ZK_NOAUTH);
    ck_assert_int_eq(create("/a/b", 0), ZK_NOAUTH);
    ck_assert_int_eq(prepare(&request), ZK_NOAUTH);
    add_auth("super", "");
    ck_assert_int_eq(set("/a", -1), ZK_OK);
    apply_all();
    bench_end();
}
END_TEST

START_TEST(test_reset_forgets_what_will_never_be_applied)
{
    struct prep_options options = prep_options_default(true);

    bench_begin(&options);
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    apply_all();
    ck_assert_int_eq(create("/a/b", 0), ZK_OK);
    ck_assert_int_eq(set("/a", -1), ZK_OK);

    prep_reset(bench.prep);
    bench.applied = bench.prepared;

    ck_assert_uint_eq(prep_pending(bench.prep), 0);
    ck_assert_int_eq(set("/a", 0), ZK_OK);
    ck_assert_int_eq(create("/a/s", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s0000000000"));
    apply_all();
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
    ck_assert_int_eq(prepare_raw(OP_CREATE_SESSION, span_make(body, 4)), ERR_OK);

    ck_assert_int_eq(bench.last.header.type, OP_CREATE_SESSION);
    ck_assert_int_eq(bench.last.timeout_ms, 10000);
    ck_assert(bench.last.has_digest);
    ck_assert(session_tracker_view(&bench.tracker, NOBODY, &view));
    ck_assert_uint_eq(view.owner, 31);
    ck_assert_uint_eq(view.timeout_ms, 10000);
    ck_assert_int_eq(create("/a", MODE_EPHEMERAL), ZK_OK);
    bench.owner = SESSION_OWNER_LOCAL;
    ck_assert_int_eq(create("/b", 0), ZK_SESSIONMOVED);
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
    ck_assert_int_eq(prepare_raw(OP_CREATE_SESSION, span_make(body, 4)), ERR_OK);
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
    ck_assert_int_eq(create("/p", 0), ZK_OK);
    ck_assert_int_eq(create("/p/kept", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(create("/gone", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(create("/again", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(create("/turned", MODE_EPHEMERAL), ZK_OK);
    bench.session = OTHER;
    ck_assert_int_eq(create("/others", MODE_EPHEMERAL), ZK_OK);
    bench.session = SESSION;
    apply_all();
    ck_assert_int_eq(delete ("/gone", -1), ZK_OK);
    ck_assert_int_eq(delete ("/again", -1), ZK_OK);
    ck_assert_int_eq(create("/again", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(delete ("/turned", -1), ZK_OK);
    ck_assert_int_eq(create("/turned", 0), ZK_OK);
    ck_assert_int_eq(create("/new", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(set("/new", -1), ZK_OK);
    ck_assert_int_eq(create("/brief", MODE_EPHEMERAL), ZK_OK);
    ck_assert_int_eq(delete ("/brief", -1), ZK_OK);

    ck_assert_int_eq(close_session(SESSION), ZK_OK);

    ck_assert_str_eq(closed_paths(), "/p/kept /again /new");
    /* Their parents count as empty at once, and nothing more is prepared (ZOOKEEPER-1208). */
    ck_assert_int_eq(create("/late", MODE_EPHEMERAL), ZK_SESSIONEXPIRED);
    bench.session = OTHER;
    ck_assert_int_eq(delete ("/p", -1), ZK_OK);
    ck_assert_int_eq(set("/new", -1), ZK_NONODE);
    apply_all();
    ck_assert_ptr_null(tree_ephemeral_first(bench.tree, SESSION));
    ck_assert_int_eq(close_session(NOBODY), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    bench_end();
}
END_TEST

/* An id that looks like the mark of another kind of node closes nothing but itself. */
START_TEST(test_close_session_never_takes_containers)
{
    struct prep_options options = prep_options_default(true);
    struct wire_request request = make(OP_CREATE_CONTAINER, "/c");

    options.extended_types = true;
    bench_begin(&options);
    request.flags = MODE_CONTAINER;
    ck_assert_int_eq(prepare(&request), ZK_OK);
    ck_assert_int_eq(create("/p", 0), ZK_OK);
    ck_assert_int_eq(close_session(NODE_OWNER_CONTAINER), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    ck_assert_int_eq(close_session(0), ZK_OK);
    ck_assert_str_eq(closed_paths(), "");
    apply_all();
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
    EXPECT(prepare_raw(OP_MULTI, bytes_span(&bench.body)) == ERR_OK);
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
    multi_add(make(OP_CREATE, "/m"));
    op = make(OP_CREATE, "/m/s-");
    op.flags = MODE_PERSISTENT_SEQUENTIAL;
    multi_add(op);
    multi_add(op);
    op = make(OP_SET_DATA, "/m");
    op.version = 0;
    multi_add(op);
    op = make(OP_CHECK, "/m");
    op.version = 1;
    multi_add(op);
    multi_add(make(OP_DELETE, "/m/s-0000000000"));
    ck_assert_int_eq(multi_end(), ZK_OK);
    ck_assert_uint_eq(bench.last.multi.count, 6);

    apply_all();
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
    ck_assert_int_eq(create("/a", 0), ZK_OK);
    ck_assert_int_eq(create_acl("/b", PERM_ALL & ~PERM_ADMIN), ZK_OK);
    pending = prep_pending(bench.prep);
    used = bench.heap.mem.used_bytes;

    multi_begin();
    op = make(OP_CREATE, "/a/s-");
    op.flags = MODE_PERSISTENT_SEQUENTIAL;
    multi_add(op);
    multi_add(make(OP_DELETE, "/b"));
    op = make(OP_CREATE, "/b");
    op.acl = acl_world_read();
    multi_add(op);
    op = make(OP_SET_DATA, "/a");
    op.version = 7;
    multi_add(op);
    multi_add(make(OP_DELETE, "/a"));
    multi_add(make(OP_CHECK, "/a"));
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
    ck_assert_int_eq(create("/a/s-", MODE_PERSISTENT_SEQUENTIAL), ZK_OK);
    ck_assert(path_is("/a/s-0000000000"));
    ck_assert_int_eq(set("/b", 0), ZK_OK);
    apply_all();
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
    *op = make(ops[rand_below(rand, sizeof(ops) / sizeof(ops[0]))], path);
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
        (void)close_session(bench.session);
        return;
    }
    if (session_tracker_is_closing(&bench.tracker, bench.session) ||
        session_tracker_check(&bench.tracker, bench.session, SESSION_OWNER_LOCAL) ==
            SESSION_UNKNOWN) {
        static const uint8_t body[] = {0, 0, 0x27, 0x10};

        if (rand_below(rand, 4) == 0) {
            EXPECT(prepare_raw(OP_CREATE_SESSION, span_make(body, 4)) == ERR_OK);
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
        EXPECT(prepare_raw(OP_MULTI, bytes_span(&bench.body)) == ERR_OK);
        return;
    }
    random_op(rand, &op, path);
    (void)prepare(&op);
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
    add_auth("ip", "127.0.0.1");
    for (uint32_t i = 0; i < count; i++) {
        random_request(&rand);
        for (size_t at = 0; at < bench.txn.len; at++) {
            hash = (hash ^ bench.txn.at[at]) * 0x100000001b3u;
        }
        /* A session that closes is settled before its id is used again: else the two runs would
         * legitimately differ in when the tracker forgets it. */
        if (bench.last.header.type == OP_CLOSE_SESSION) {
            apply_all();
        }
        while (bench.prepared - bench.applied > lag) {
            apply_next();
        }
    }
    apply_all();
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
            err = body.failed ? ERR_MEMORY : prepare_raw(op.type, bytes_span(&body));
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

Suite *suite_prep(void)
{
    Suite *suite = suite_create("prep");
    TCase *order = tcase_create("order");
    TCase *flight = tcase_create("flight");

    tcase_add_test(order, test_create_checks_in_order);
    tcase_add_test(order, test_ttl_modes_are_unknown_without_extended_types);
    tcase_add_test(order, test_delete_set_and_set_acl_check_in_order);
    tcase_add_test(order, test_unknown_session_has_its_own_code_when_alone);
    tcase_add_test(order, test_undecodable_requests_use_up_a_zxid);
    tcase_add_test(order, test_refuses_what_only_servers_may_ask);
    suite_add_tcase(suite, order);
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
