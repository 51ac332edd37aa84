#include "protocol/help_prep.h"

#include "expect.h"

#include <check.h>
#include <string.h>

struct bench bench;

void bench_begin(const struct prep_options *options)
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

void bench_end(void)
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

void bench_add_auth(const char *scheme, const char *id)
{
    bytes_ustring(&bench.auth, span_text(scheme));
    bytes_ustring(&bench.auth, span_text(id));
    bench.id_count++;
}

void bench_apply_next(void)
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

void bench_apply_all(void)
{
    while (bench.applied < bench.prepared) {
        bench_apply_next();
    }
}

enum err bench_prepare_raw(int32_t op, struct span body)
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
int32_t bench_prepare(const struct wire_request *request)
{
    bytes_clear(&bench.body);
    wire_request_encode(&bench.body, request);
    EXPECT(bench_prepare_raw(request->type, bytes_span(&bench.body)) == ERR_OK);
    if (prep_last_code(bench.prep) != ZK_OK && bench.last.header.type != OP_MULTI) {
        EXPECT(bench.last.header.type == OP_ERROR);
        EXPECT(bench.last.error == prep_last_code(bench.prep));
        EXPECT(!bench.last.has_digest);
    }
    return prep_last_code(bench.prep);
}

struct wire_request bench_make(int32_t op, const char *path)
{
    return (struct wire_request){.type = op,
                                 .path = span_text(path),
                                 .version = -1,
                                 .data = wire_empty(),
                                 .acl = acl_open()};
}

int32_t bench_create(const char *path, int32_t flags)
{
    struct wire_request request = bench_make(OP_CREATE, path);

    request.flags = flags;
    return bench_prepare(&request);
}

int32_t bench_create_acl(const char *path, int32_t perms)
{
    struct wire_request request = bench_make(OP_CREATE, path);
    struct bytes raw;
    int32_t code;

    bytes_init(&raw, &bench.heap.mem);
    acl_write_item(
        &raw,
        (struct acl){.perms = perms, .scheme = span_text("world"), .id = span_text("anyone")});
    request.acl = (struct acl_list){.raw = bytes_span(&raw), .count = 1};
    code = bench_prepare(&request);
    bytes_drop(&raw);
    return code;
}

int32_t bench_set(const char *path, int32_t version)
{
    struct wire_request request = bench_make(OP_SET_DATA, path);

    request.version = version;
    request.data = span_text("data");
    return bench_prepare(&request);
}

int32_t bench_delete(const char *path, int32_t version)
{
    struct wire_request request = bench_make(OP_DELETE, path);

    request.version = version;
    return bench_prepare(&request);
}

int32_t bench_close_session(int64_t session)
{
    struct request request = request_close_session(session);
    int64_t before = bench.session;
    uint64_t owner = bench.owner;

    bench.session = session;
    bench.owner = SESSION_OWNER_NONE;
    EXPECT(bench_prepare_raw(request.op, request.body) == ERR_OK);
    bench.session = before;
    bench.owner = owner;
    return prep_last_code(bench.prep);
}

bool bench_path_is(const char *path)
{
    return span_is(txn_path(&bench.last), path);
}
