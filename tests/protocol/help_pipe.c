#include "tests/protocol/help_pipe.h"

#include "protocol/reply.h"
#include "protocol/wire_quorum.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pipe_options pipe_options_default(void)
{
    return (struct pipe_options){
        .clients = clients_options_default(2000), .prep = prep_options_default(false), .seed = 99};
}

static void pipe_effect(struct pipe *pipe, const struct effect *effect);

struct pipe *pipe_make(const struct pipe_options *options)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));
    struct tree_options tree_options = {.hash_seed = options->seed,
                                        .digest_off = !options->prep.digest,
                                        .extended_types = options->prep.extended_types};
    struct clients_role role;

    ck_assert_ptr_nonnull(pipe);
    mem_heap_init(&pipe->heap, UINT64_MAX);
    mem_heap_init(&pipe->fx_heap, UINT64_MAX);
    pipe->learner = options->learner;
    pipe->now_us = 1000000;
    pipe->wall_ms = 1700000000000;
    pipe->tree = tree_make(&pipe->heap.mem, &tree_options);
    session_tracker_init(&pipe->tracker, &pipe->heap.mem, options->clients.tick_ms, options->seed);
    session_touches_init(&pipe->touches, &pipe->heap.mem);
    session_ids_init(&pipe->ids, 1, 0x13874);
    pipe->ids.next = 0x0100001387410000u;
    pipe->prep = prep_make(&pipe->heap.mem, &options->prep, pipe->tree, &pipe->tracker);
    pipe->zxid = options->zxid;
    pipe->has_locals = options->locals;
    session_tracker_init(&pipe->locals, &pipe->heap.mem, options->clients.tick_ms, options->seed);
    if (options->locals) {
        prep_know_locals(pipe->prep, &pipe->locals, 1);
    }
    pipe->clients = clients_make(&pipe->heap.mem, &options->clients, options->seed);
    tree_result_init(&pipe->result, &pipe->heap.mem);
    fx_init(&pipe->fx, &pipe->fx_heap.mem);
    bytes_init(&pipe->txn, &pipe->heap.mem);
    for (uint32_t i = 0; i < PIPE_PENDING; i++) {
        bytes_init(&pipe->log[i], &pipe->heap.mem);
    }
    for (uint32_t i = 0; i < PIPE_CONNS; i++) {
        bytes_init(&pipe->conns[i].in, &pipe->heap.mem);
        bytes_init(&pipe->conns[i].out, &pipe->heap.mem);
    }
    for (uint32_t i = 0; i < PIPE_REQUESTS; i++) {
        bytes_init(&pipe->requests[i].packet, &pipe->heap.mem);
    }
    role = (struct clients_role){.role = pipe->learner ? ROLE_FOLLOWING : ROLE_STANDALONE,
                                 .tree = pipe->tree,
                                 .tracker = pipe->learner ? NULL : &pipe->tracker,
                                 .touches = pipe->learner ? &pipe->touches : NULL,
                                 .locals = options->locals ? &pipe->locals : NULL,
                                 .ids = &pipe->ids};
    ck_assert_int_eq(clients_serve(pipe->clients, &role), ERR_OK);
    return pipe;
}

static void pipe_forget(struct pipe *pipe, struct session_tracker *tracker)
{
    uint32_t tick_ms = (uint32_t)(tracker->tick_us / 1000u);
    uint64_t seed = tracker->sessions.seed;

    session_tracker_drop(tracker);
    session_tracker_init(tracker, &pipe->heap.mem, tick_ms, seed);
}

void pipe_go_read_only(struct pipe *pipe)
{
    struct clients_role role = {.role = ROLE_LOOKING,
                                .read_only = true,
                                .tree = pipe->tree,
                                .locals = &pipe->locals,
                                .ids = &pipe->ids,
                                .zxid = tree_zxid(pipe->tree)};

    fx_clear(&pipe->fx);
    clients_drop_all(pipe->clients, &pipe->fx);
    pipe_forget(pipe, &pipe->tracker);
    pipe_forget(pipe, &pipe->locals);
    pipe->has_locals = true;
    ck_assert_int_eq(clients_serve(pipe->clients, &role), ERR_OK);
    for (uint32_t i = 0; i < pipe->fx.count; i++) {
        pipe_effect(pipe, &pipe->fx.list[i]);
    }
}

void pipe_drop(struct pipe *pipe)
{
    ck_assert_uint_eq(pipe->digest_failures, 0);
    clients_drop(pipe->clients);
    prep_drop(pipe->prep);
    session_tracker_drop(&pipe->tracker);
    session_touches_drop(&pipe->touches);
    session_tracker_drop(&pipe->locals);
    tree_result_drop(&pipe->result);
    tree_drop(pipe->tree);
    bytes_drop(&pipe->txn);
    for (uint32_t i = 0; i < PIPE_PENDING; i++) {
        bytes_drop(&pipe->log[i]);
    }
    for (uint32_t i = 0; i < PIPE_CONNS; i++) {
        bytes_drop(&pipe->conns[i].in);
        bytes_drop(&pipe->conns[i].out);
    }
    for (uint32_t i = 0; i < PIPE_REQUESTS; i++) {
        bytes_drop(&pipe->requests[i].packet);
    }
    fx_drop(&pipe->fx);
    ck_assert_uint_eq(pipe->heap.mem.used_bytes, 0);
    free(pipe);
}

/* ---- steps ---- */

static struct input pipe_input(const struct pipe *pipe, enum in_kind kind)
{
    return (struct input){.kind = kind, .mono_us = pipe->now_us, .wall_ms = pipe->wall_ms};
}

static void pipe_log(struct pipe *pipe, const struct request *request)
{
    struct prep_stamp stamp;

    pipe->zxid++;
    stamp =
        (struct prep_stamp){.zxid = pipe->zxid, .wall_ms = pipe->wall_ms, .now_us = pipe->now_us};
    bytes_clear(&pipe->txn);
    ck_assert_int_eq(prep_request(pipe->prep, request, &stamp, &pipe->txn), ERR_OK);
    ck_assert_uint_lt(pipe->log_count, PIPE_PENDING);
    bytes_raw(&pipe->log[pipe->log_count], pipe->txn.at, pipe->txn.len);
    pipe->log_count++;
}

static void pipe_upward(struct pipe *pipe, const struct request *request)
{
    struct pipe_request *kept;

    if (!pipe->learner) {
        if (request->kind == REQUEST_WRITE) {
            pipe_log(pipe, request);
        } else if (!pipe->hold_syncs) {
            ck_assert_int_eq(request->kind, REQUEST_SYNC);
            clients_on_synced(pipe->clients, pipe->now_us, &pipe->fx);
        }
        return;
    }
    ck_assert_uint_lt(pipe->request_count, PIPE_REQUESTS);
    kept = &pipe->requests[pipe->request_count];
    pipe->request_count++;
    kept->kind = request->kind;
    kept->session = request->session;
    kept->cxid = request->cxid;
    kept->op = request->op;
    bytes_clear(&kept->packet);
    if (request->kind != REQUEST_REVALIDATE) {
        request_forward_encode(&kept->packet, request);
    }
}

static void pipe_effect(struct pipe *pipe, const struct effect *effect)
{
    struct pipe_conn *conn = NULL;
    struct pipe_note *note;

    if (effect->kind != FX_NOTE) {
        ck_assert_uint_ge(effect->id, CONN_ACCEPTED);
        ck_assert_uint_lt(effect->id, CONN_ACCEPTED + PIPE_CONNS);
        conn = &pipe->conns[effect->id - CONN_ACCEPTED];
    }

    switch (effect->kind) {
    case FX_SEND:
        ck_assert(!conn->closed);
        if (effect->bytes.len > 0) {
            bytes_raw(&conn->out, effect->bytes.at, effect->bytes.len);
        }
        if (effect->a == 1) {
            ck_assert(!conn->drain_asked); /* one request, one answer */
            conn->drain_asked = true;
        }
        return;
    case FX_CLOSE:
        ck_assert(!conn->closed);
        conn->closed = true;
        conn->aborted = effect->a == 1;
        return;
    case FX_THROTTLE:
        ck_assert(!conn->closed);
        ck_assert(conn->throttled != (effect->a == 1));
        conn->throttled = effect->a == 1;
        conn->throttles += effect->a == 1 ? 1 : 0;
        return;
    case FX_NOTE:
        ck_assert_uint_lt(pipe->note_count, PIPE_NOTES);
        note = &pipe->notes[pipe->note_count++];
        note->kind = effect->id;
        note->a = effect->a;
        note->b = effect->b;
        note->c = effect->c;
        snprintf(note->text, sizeof(note->text), "%.*s", (int)effect->bytes.len,
                 (const char *)effect->bytes.at);
        return;
    default:
        ck_abort_msg("unexpected effect %s", fx_kind_name(effect->kind));
    }
}

/* The end of a step: requests upward, deadlines, effects carried out. */
static void pipe_end_step(struct pipe *pipe, const struct input *in)
{
    struct request request;

    while (clients_next_request(pipe->clients, &request)) {
        pipe_upward(pipe, &request);
    }
    clients_on_time(pipe->clients, in, &pipe->fx);
    ck_assert(!pipe->fx.failed);
    for (uint32_t i = 0; i < pipe->fx.count; i++) {
        pipe_effect(pipe, &pipe->fx.list[i]);
    }
}

/* Offer the bytes that are not taken yet; true when some were. */
static bool pipe_offer(struct pipe *pipe, uint32_t number)
{
    struct pipe_conn *conn = &pipe->conns[number];
    struct input in = pipe_input(pipe, IN_BYTES);

    if (conn->closed || conn->throttled || conn->in.len == 0) {
        return false;
    }
    in.bytes.conn = CONN_ACCEPTED + number;
    in.bytes.span = bytes_span(&conn->in);
    fx_clear(&pipe->fx);
    clients_on_bytes(pipe->clients, &in, &pipe->fx);
    ck_assert_uint_le(pipe->fx.taken, conn->in.len);
    pipe_end_step(pipe, &in);
    bytes_consume(&conn->in, (size_t)pipe->fx.taken);
    return pipe->fx.taken > 0;
}

static void pipe_apply_one(struct pipe *pipe, const struct txn *txn)
{
    struct clients_applied applied = {.txn = txn, .result = &pipe->result, .now_us = pipe->now_us};
    struct input in = pipe_input(pipe, IN_DONE);

    fx_clear(&pipe->fx);
    ck_assert_int_eq(tree_apply(pipe->tree, txn, &pipe->result), ERR_OK);
    if (txn->has_digest && txn->digest != tree_digest(pipe->tree)) {
        pipe->digest_failures++;
    }
    prep_applied(pipe->prep, txn->header.zxid);
    clients_on_applied(pipe->clients, &applied, &pipe->fx);
    pipe_end_step(pipe, &in);
}

static bool pipe_apply_next(struct pipe *pipe)
{
    struct bytes *entry = &pipe->log[pipe->log_applied];
    struct txn txn;

    if (pipe->log_applied == pipe->log_count) {
        return false;
    }
    ck_assert_int_eq(txn_decode(bytes_span(entry), &txn), ERR_OK);
    pipe->log_applied++;
    pipe_apply_one(pipe, &txn);
    bytes_drop(entry);
    bytes_init(entry, &pipe->heap.mem);
    if (pipe->log_applied == pipe->log_count) {
        pipe->log_applied = 0;
        pipe->log_count = 0;
    }
    return true;
}

static void pipe_run(struct pipe *pipe)
{
    bool busy = true;

    while (busy) {
        busy = false;
        for (uint32_t i = 0; i < PIPE_CONNS; i++) {
            busy = pipe_offer(pipe, i) || busy;
        }
        while (!pipe->hold && pipe_apply_next(pipe)) {
            busy = true;
        }
    }
}

void pipe_open(struct pipe *pipe, uint32_t number)
{
    pipe_open_from(pipe, number, "127.0.0.1:40000");
}

void pipe_open_from(struct pipe *pipe, uint32_t number, const char *peer)
{
    struct pipe_conn *conn = &pipe->conns[number];
    struct input in = pipe_input(pipe, IN_OPENED);

    bytes_clear(&conn->in);
    bytes_clear(&conn->out);
    conn->open = true;
    conn->closed = false;
    conn->aborted = false;
    conn->throttled = false;
    conn->drain_asked = false;
    in.opened.conn = CONN_ACCEPTED + number;
    in.opened.listener = 1;
    in.opened.peer = span_text(peer);
    fx_clear(&pipe->fx);
    clients_on_opened(pipe->clients, &in, &pipe->fx);
    pipe_end_step(pipe, &in);
}

void pipe_feed(struct pipe *pipe, uint32_t number, struct span bytes)
{
    bytes_raw(&pipe->conns[number].in, bytes.at, bytes.len);
    pipe_run(pipe);
}

void pipe_hang_up(struct pipe *pipe, uint32_t number)
{
    struct input in = pipe_input(pipe, IN_CLOSED);

    fx_clear(&pipe->fx);
    pipe->conns[number].closed = true;
    clients_on_closed(pipe->clients, CONN_ACCEPTED + number);
    pipe_end_step(pipe, &in);
}

void pipe_drain(struct pipe *pipe, uint32_t number)
{
    struct input in = pipe_input(pipe, IN_DRAINED);

    ck_assert(pipe->conns[number].drain_asked);
    pipe->conns[number].drain_asked = false;
    in.drained.conn = CONN_ACCEPTED + number;
    fx_clear(&pipe->fx);
    clients_on_drained(pipe->clients, &in, &pipe->fx);
    pipe_end_step(pipe, &in);
    pipe_run(pipe);
}

void pipe_commit(struct pipe *pipe, uint32_t count)
{
    for (uint32_t i = 0; i < count && pipe_apply_next(pipe); i++) {
    }
    pipe_run(pipe);
}

void pipe_synced(struct pipe *pipe)
{
    struct input in = pipe_input(pipe, IN_BYTES);

    fx_clear(&pipe->fx);
    clients_on_synced(pipe->clients, pipe->now_us, &pipe->fx);
    pipe_end_step(pipe, &in);
    pipe_run(pipe);
}

void pipe_verdict(struct pipe *pipe, int64_t session, bool valid)
{
    struct input in = pipe_input(pipe, IN_BYTES);

    fx_clear(&pipe->fx);
    clients_on_verdict(pipe->clients, session, valid, pipe->now_us, &pipe->fx);
    pipe_end_step(pipe, &in);
    pipe_run(pipe);
}

void pipe_request(struct pipe *pipe, const struct request *request)
{
    pipe_log(pipe, request);
    pipe_run(pipe);
}

void pipe_apply_txn(struct pipe *pipe, struct txn *txn)
{
    pipe->zxid++;
    txn->header.zxid = pipe->zxid;
    txn->header.time = pipe->wall_ms;
    pipe_apply_one(pipe, txn);
    pipe_run(pipe);
}

void pipe_advance(struct pipe *pipe, uint64_t us)
{
    struct input in;
    int64_t session;

    pipe->now_us += us;
    pipe->wall_ms += (int64_t)(us / 1000);
    while (session_tracker_expire(&pipe->tracker, pipe->now_us, &session)) {
        struct request request = request_close_session(session);

        pipe_log(pipe, &request);
    }
    in = pipe_input(pipe, IN_WAKE);
    fx_clear(&pipe->fx);
    while (pipe->has_locals && session_tracker_expire(&pipe->locals, pipe->now_us, &session)) {
        clients_end_local(pipe->clients, session, &pipe->fx);
    }
    pipe_end_step(pipe, &in);
    pipe_run(pipe);
}

/* ---- a client's side ---- */

bool pipe_next_frame(struct pipe *pipe, uint32_t number, struct bytes *frame)
{
    struct pipe_conn *conn = &pipe->conns[number];
    struct span payload;
    size_t used;

    bytes_clear(frame);
    if (wire_frame_next(bytes_span(&conn->out), UINT32_MAX / 4, &payload, &used) != ERR_OK) {
        return false;
    }
    bytes_raw(frame, payload.at, payload.len);
    bytes_consume(&conn->out, used);
    return true;
}

void pipe_send_connect(struct pipe *pipe, uint32_t conn, const struct wire_connect *connect)
{
    struct bytes frame;
    size_t mark;

    bytes_init(&frame, &pipe->heap.mem);
    mark = wire_frame_begin(&frame);
    wire_connect_encode(&frame, connect);
    wire_frame_end(&frame, mark);
    pipe_feed(pipe, conn, bytes_span(&frame));
    bytes_drop(&frame);
}

int64_t pipe_connect(struct pipe *pipe, uint32_t conn, int32_t timeout_ms)
{
    uint8_t zeros[16] = {0};
    struct wire_connect connect = {
        .timeout_ms = timeout_ms, .password = span_make(zeros, 16), .has_read_only = true};
    struct wire_connected connected;
    struct bytes frame;
    int64_t session;

    bytes_init(&frame, &pipe->heap.mem);
    pipe_open(pipe, conn);
    pipe_send_connect(pipe, conn, &connect);
    ck_assert(pipe_next_frame(pipe, conn, &frame));
    ck_assert_int_eq(wire_connected_decode(bytes_span(&frame), &connected), ERR_OK);
    ck_assert_int_gt(connected.timeout_ms, 0);
    session = connected.session;
    bytes_drop(&frame);
    return session;
}

void pipe_send(struct pipe *pipe, uint32_t conn, int32_t xid, const struct wire_request *request)
{
    struct bytes frame;
    size_t mark;

    bytes_init(&frame, &pipe->heap.mem);
    mark = wire_frame_begin(&frame);
    wire_request_header_encode(&frame,
                               &(struct wire_request_header){.xid = xid, .type = request->type});
    wire_request_encode(&frame, request);
    wire_frame_end(&frame, mark);
    pipe_feed(pipe, conn, bytes_span(&frame));
    bytes_drop(&frame);
}

static struct wire_reply_header last_header;
static uint8_t last_frame[1u << 16];

int32_t pipe_expect(struct pipe *pipe, uint32_t conn, int32_t xid, struct wire_reply *reply,
                    int32_t op)
{
    struct bytes frame;
    struct span rest;

    bytes_init(&frame, &pipe->heap.mem);
    ck_assert_msg(pipe_next_frame(pipe, conn, &frame), "no reply with xid %d", xid);
    ck_assert_uint_le(frame.len, sizeof(last_frame));
    memcpy(last_frame, frame.at, frame.len);
    rest = span_make(last_frame, frame.len);
    bytes_drop(&frame);
    ck_assert_int_eq(wire_reply_header_take(&rest, &last_header), ERR_OK);
    ck_assert_int_eq(last_header.xid, xid);
    if (last_header.err == ZK_OK && reply != NULL) {
        ck_assert_int_eq(wire_reply_decode(op, rest, reply), ERR_OK);
    } else if (last_header.err != ZK_OK) {
        ck_assert_uint_eq(rest.len, 0);
    }
    return last_header.err;
}

int64_t pipe_last_zxid(const struct pipe *pipe)
{
    (void)pipe;
    return last_header.zxid;
}

int32_t pipe_call(struct pipe *pipe, uint32_t conn, const struct wire_request *request,
                  struct wire_reply *reply)
{
    static int32_t xid;

    xid++;
    pipe_send(pipe, conn, xid, request);
    return pipe_expect(pipe, conn, xid, reply, request->type);
}

void pipe_expect_event(struct pipe *pipe, uint32_t conn, int32_t type, const char *path)
{
    struct bytes frame;
    struct span rest;
    struct wire_event event;

    bytes_init(&frame, &pipe->heap.mem);
    ck_assert_msg(pipe_next_frame(pipe, conn, &frame), "no event at %s", path);
    rest = bytes_span(&frame);
    ck_assert_int_eq(wire_reply_header_take(&rest, &last_header), ERR_OK);
    ck_assert_msg(last_header.xid == XID_EVENT, "xid %d instead of event %d at %s", last_header.xid,
                  type, path);
    ck_assert_int_eq(wire_event_decode(rest, &event), ERR_OK);
    ck_assert_int_eq(event.type, type);
    ck_assert_int_eq(event.state, 3);
    ck_assert_msg(span_is(event.path, path), "event at %.*s instead of %s", (int)event.path.len,
                  (const char *)event.path.at, path);
    bytes_drop(&frame);
}

void pipe_expect_nothing(struct pipe *pipe, uint32_t conn)
{
    ck_assert_uint_eq(pipe->conns[conn].out.len, 0);
}

struct wire_request pipe_create(const char *path, const char *data, int32_t flags)
{
    return (struct wire_request){.type = OP_CREATE,
                                 .path = span_text(path),
                                 .data = data != NULL ? span_text(data) : wire_null(),
                                 .acl = acl_open(),
                                 .flags = flags};
}

struct wire_request pipe_op(int32_t op, const char *path)
{
    return (struct wire_request){.type = op,
                                 .path = span_text(path),
                                 .version = -1,
                                 .data = wire_empty(),
                                 .acl = acl_open()};
}

struct wire_connect pipe_connect_with(int64_t session, int32_t timeout_ms,
                                      const uint8_t password[16])
{
    return (struct wire_connect){.session = session,
                                 .timeout_ms = timeout_ms,
                                 .password = span_make(password, 16),
                                 .has_read_only = true};
}

int32_t pipe_expect_connected(struct pipe *pipe, uint32_t conn, int64_t session)
{
    struct bytes frame;
    struct wire_connected connected;
    uint8_t password[16] = {0};

    bytes_init(&frame, &pipe->heap.mem);
    ck_assert(pipe_next_frame(pipe, conn, &frame));
    ck_assert_int_eq(wire_connected_decode(bytes_span(&frame), &connected), ERR_OK);
    ck_assert_int_eq(connected.session, session);
    if (session != 0) {
        session_password(session, password);
    }
    ck_assert(span_equal(connected.password, span_make(password, 16)));
    bytes_drop(&frame);
    return connected.timeout_ms;
}

struct wire_request pipe_read(int32_t op, const char *path, bool watch)
{
    struct wire_request request = pipe_op(op, path);

    request.watch = watch;
    return request;
}

struct wire_request pipe_set(const char *path, const char *data)
{
    struct wire_request request = pipe_op(OP_SET_DATA, path);

    request.data = span_text(data);
    return request;
}

void pipe_call_create(struct pipe *pipe, uint32_t conn, const char *path, int32_t flags)
{
    struct wire_request request = pipe_create(path, "", flags);

    ck_assert_int_eq(pipe_call(pipe, conn, &request, NULL), ZK_OK);
}
