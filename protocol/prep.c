#include "protocol/prep.h"

#include "base/ensure.h"
#include "protocol/prep_ops.h"
#include "tree/digest.h"

struct prep_options prep_options_default(bool ensemble)
{
    return (struct prep_options){
        .ensemble = ensemble, .digest = true, .close_paths = true, .sessions_max = 1000000};
}

struct prep_options prep_options_of(const struct config *config, bool ensemble)
{
    return (struct prep_options){
        .ensemble = ensemble,
        .extended_types = config->extended_types,
        .emulate_353 = config->emulate_353_ttl,
        .enforce_quota = config->enforce_quota,
        .digest = config->digest_enabled,
        .close_paths = config->close_session_txn,
        .sessions_max = (uint64_t)config->sessions_max,
        .acl = {.skip = config->skip_acl,
                .digest_disabled = !config->digest_auth_enabled,
                .x509_super = config->x509_super_user},
    };
}

struct prep *prep_make(struct mem *mem, const struct prep_options *options, const struct tree *tree,
                       struct session_tracker *tracker)
{
    struct prep *prep = mem_get_zero(mem, sizeof(*prep));

    if (prep == NULL) {
        return NULL;
    }
    prep->mem = mem;
    prep->options = *options;
    prep->tracker = tracker;
    prep_view_init(&prep->view, mem, tree, options->digest);
    bytes_init(&prep->path, mem);
    bytes_init(&prep->acl, mem);
    bytes_init(&prep->list, mem);
    return prep;
}

void prep_know_locals(struct prep *prep, const struct session_tracker *locals, int64_t server_id)
{
    prep->locals = locals;
    prep->server_id = (uint64_t)server_id & 0xffu;
}

void prep_drop(struct prep *prep)
{
    if (prep == NULL) {
        return;
    }
    prep_view_drop(&prep->view);
    bytes_drop(&prep->path);
    bytes_drop(&prep->acl);
    bytes_drop(&prep->list);
    mem_put(prep->mem, prep->ids, prep->id_room * sizeof(*prep->ids));
    mem_put(prep->mem, prep, sizeof(*prep));
}

/* The Ids of the request as the checks take them. */
static enum err prep_take_ids(struct prep *prep, struct wire_vector cursor)
{
    struct wire_id id;

    if (cursor.count > prep->id_room) {
        struct acl_id *ids = mem_grow(prep->mem, prep->ids, prep->id_room * sizeof(*ids),
                                      cursor.count * sizeof(*ids));

        if (ids == NULL) {
            return ERR_MEMORY;
        }
        prep->ids = ids;
        prep->id_room = cursor.count;
    }
    prep->who = (struct acl_who){.ids = prep->ids, .policy = &prep->options.acl};
    while (wire_next_id(&cursor, &id)) {
        ENSURE(prep->who.id_count < prep->id_room);
        prep->ids[prep->who.id_count] = (struct acl_id){.scheme = id.scheme, .id = id.id};
        prep->who.id_count++;
    }
    return ERR_OK;
}

static int32_t prep_create_session(struct prep *prep, struct txn *txn)
{
    const struct request *request = prep->request;
    struct wire_request op;
    uint32_t timeout_ms;

    if (request->session == 0 ||
        wire_request_decode(OP_CREATE_SESSION, request->body, &op) != ERR_OK) {
        return ZK_MARSHALLINGERROR;
    }
    if (prep->tracker->count >= prep->options.sessions_max) {
        return ZK_SYSTEMERROR;
    }
    timeout_ms = op.timeout_ms > 0 ? (uint32_t)op.timeout_ms : 0;
    if (session_tracker_add(prep->tracker, request->session, timeout_ms, prep->stamp.now_us) !=
        ERR_OK) {
        prep->failed = true;
        return ZK_SYSTEMERROR;
    }
    session_tracker_set_owner(prep->tracker, request->session, request->owner);
    txn->timeout_ms = op.timeout_ms;
    return ZK_OK;
}

/* From here on nothing of the session is prepared any more, and its nodes count as gone. */
static int32_t prep_close_session(struct prep *prep, struct txn *txn)
{
    int64_t session = prep->request->session;
    struct txn_paths paths = {.count = 0};
    struct txn_paths rest;
    struct span path;

    (void)session_tracker_set_closing(prep->tracker, session);
    bytes_clear(&prep->list);
    if (node_kind_of_owner(session, prep->options.extended_types, prep->options.emulate_353) ==
        NODE_EPHEMERAL) {
        paths.count = prep_view_ephemerals(&prep->view, session, &prep->list);
    }
    paths.raw = bytes_span(&prep->list);
    for (rest = paths; txn_paths_next(&rest, &path);) {
        if (prep_remove(prep, path) != ERR_OK) {
            return ZK_SYSTEMERROR;
        }
    }
    if (prep->list.failed) {
        prep->failed = true;
    }
    txn->close = (struct txn_close){.paths = paths, .absent = !prep->options.close_paths};
    return ZK_OK;
}

/* The tail of a multi that failed with prep->last_code: `count` ops, the failed one and those
 * behind it, which get -2. The ops before it keep their transactions. */
static void prep_multi_fail(struct prep *prep, const struct txn *whole, uint32_t count)
{
    struct txn sub = *whole;

    sub.header.type = OP_ERROR;
    sub.error = prep->last_code;
    txn_multi_add(&prep->list, &sub);
    sub.error = ZK_RUNTIMEINCONSISTENCY;
    for (uint32_t i = 1; i < count; i++) {
        txn_multi_add(&prep->list, &sub);
    }
}

/* PrepRequestProcessor, case multi: every op sees what the earlier ones did; the first failure
 * undoes all. The transaction is a multi in any case. */
static int32_t prep_multi(struct prep *prep, struct txn *txn)
{
    struct wire_request request;
    struct wire_request op;
    struct wire_multi cursor;
    int32_t code = ZK_OK;
    uint32_t count;

    if (wire_request_decode(OP_MULTI, prep->request->body, &request) != ERR_OK) {
        return ZK_MARSHALLINGERROR;
    }
    cursor = request.multi;
    count = cursor.count;
    bytes_clear(&prep->list);
    prep_view_begin(&prep->view);
    while (code == ZK_OK && wire_multi_next(&cursor, &op)) {
        struct txn sub = {.header = txn->header};

        sub.header.type = wire_multi_type(&op);
        code = prep_op(prep, &op, sub.header.type, &sub);
        if (code == ZK_OK) {
            txn_multi_add(&prep->list, &sub);
        }
    }
    if (code == ZK_OK) {
        prep_view_commit(&prep->view);
    } else {
        prep_view_rollback(&prep->view);
        prep->last_code = code;
        prep_multi_fail(prep, txn, cursor.count + 1u);
    }
    if (prep->list.failed) {
        prep->failed = true;
    }
    txn->multi = (struct txn_multi){.raw = bytes_span(&prep->list), .count = count};
    return ZK_OK;
}

static int32_t prep_single(struct prep *prep, struct txn *txn)
{
    struct wire_request op;

    if (wire_request_decode(prep->request->op, prep->request->body, &op) != ERR_OK) {
        return ZK_MARSHALLINGERROR;
    }
    return prep_op(prep, &op, prep->request->op, txn);
}

static int32_t prep_dispatch(struct prep *prep, struct txn *txn)
{
    switch (prep->request->op) {
    case OP_CREATE_SESSION:
        return prep_create_session(prep, txn);
    case OP_CLOSE_SESSION:
        return prep_close_session(prep, txn);
    case OP_MULTI:
        return prep_multi(prep, txn);
    case OP_RECONFIG:
        return ZK_RECONFIGDISABLED; /* until membership can change, it is never enabled */
    default:
        return prep_single(prep, txn);
    }
}

enum err prep_request(struct prep *prep, const struct request *request,
                      const struct prep_stamp *stamp, struct bytes *out)
{
    struct txn txn = {.header = {.client_id = request->session,
                                 .cxid = request->cxid,
                                 .zxid = stamp->zxid,
                                 .time = stamp->wall_ms,
                                 .type = request->op}};
    int32_t code;

    ENSURE(request->kind == REQUEST_WRITE);
    prep->request = request;
    prep->stamp = *stamp;
    prep->failed = false;
    prep->last_code = ZK_OK;
    if (prep_take_ids(prep, request->auth_ids) != ERR_OK) {
        return ERR_MEMORY;
    }
    code = prep_dispatch(prep, &txn);
    if (prep->failed) {
        return ERR_MEMORY;
    }
    if (code != ZK_OK) {
        prep->last_code = code;
        txn.header.type = OP_ERROR;
        txn.error = code;
    }
    /* An error transaction carries no digest, a failed multi the unchanged one (seen). */
    if (prep->options.digest && code == ZK_OK) {
        txn.has_digest = true;
        txn.digest_version = DIGEST_VERSION;
        txn.digest = prep_view_digest(&prep->view);
    }
    txn_encode(out, &txn);
    prep->request = NULL;
    return out->failed ? ERR_MEMORY : ERR_OK;
}

int32_t prep_last_code(const struct prep *prep)
{
    return prep->last_code;
}

void prep_applied(struct prep *prep, int64_t zxid)
{
    prep_view_applied(&prep->view, zxid);
}

void prep_reset(struct prep *prep)
{
    prep_view_reset(&prep->view);
}

uint64_t prep_pending(const struct prep *prep)
{
    return prep->view.records.count;
}
