#include "base/ensure.h"
#include "protocol/client_state.h"

#define TEXT_ROOM 512

void client_send(struct client *client, struct fx *fx, struct wire_request_header header,
                 struct span record)
{
    struct bytes *out = fx_out(fx);
    size_t mark = wire_frame_begin(out);

    wire_request_header_encode(out, &header);
    bytes_raw(out, record.at, record.len);
    wire_frame_end(out, mark);
    fx_send(fx, client->conn, bytes_span(out));
    client->last_sent_us = client->now_us;
}

/* ---- asks ---- */

static void client_refuse(struct fx *fx, uint64_t tag, int32_t op, int32_t code)
{
    client_answer_fail(fx, tag, &(struct client_answer){.code = code, .zxid = -1, .op = op},
                       wire_empty());
}

static void client_ask_open(struct client *client, struct fx *fx, uint64_t tag)
{
    if (client->phase == CLIENT_PHASE_CONNECTED && !client->closing) {
        client_answer_ok(fx, tag, &(struct wire_reply){.type = CLIENT_OP_OPEN}, -1, wire_empty());
        return;
    }
    if (client->open_waiting || client->closing) {
        client_refuse(fx, tag, CLIENT_OP_OPEN, ZK_BADARGUMENTS);
        return;
    }
    client->open_waiting = true;
    client->open_tag = tag;
    if (client->phase == CLIENT_PHASE_IDLE) {
        client_open_session(client, fx);
    }
}

static void client_ask_move(struct client *client, struct fx *fx, uint64_t tag, struct span host)
{
    uint32_t wanted = UINT32_MAX;

    for (uint32_t i = 0; i < client->config.host_count; i++) {
        struct client_host *known = &client->config.hosts[i];

        if (span_equal(span_make(known->text, known->len), host)) {
            wanted = i;
        }
    }
    if (host.len > 0 && wanted == UINT32_MAX) {
        client_refuse(fx, tag, CLIENT_OP_MOVE, ZK_BADARGUMENTS);
        return;
    }
    client_answer_ok(fx, tag, &(struct wire_reply){.type = CLIENT_OP_MOVE}, -1, wire_empty());
    if (client->phase == CLIENT_PHASE_IDLE) {
        return;
    }
    client_lost(client, fx, true);
    if (client->phase == CLIENT_PHASE_WAITING) {
        client->deadline_us = client->now_us; /* dialed at the end of this step */
        if (wanted != UINT32_MAX) {
            client->host = wanted;
        }
    }
}

static void client_send_auth(struct client *client, struct fx *fx, const struct client_auth *auth)
{
    client_send(client, fx, (struct wire_request_header){.xid = XID_AUTH, .type = OP_AUTH},
                span_make(auth->record, auth->len));
}

void client_send_auths(struct client *client, struct fx *fx)
{
    while (client->auth_sent < client->auth_count) {
        client_send_auth(client, fx, &client->auths[client->auth_sent]);
        client->auth_sent++;
    }
}

/* Kept for every later connection; sent now if there is one. */
static void client_ask_auth(struct client *client, struct fx *fx, uint64_t tag, struct span record)
{
    struct client_auth *auth = &client->auths[client->auth_count];

    if (client->auth_count == CLIENT_AUTH_MAX) {
        client_refuse(fx, tag, OP_AUTH, ZK_REQUESTTIMEOUT);
        return;
    }
    *auth = (struct client_auth){.waiting = true, .tag = tag, .len = (uint32_t)record.len};
    auth->record = mem_get(client->mem, record.len);
    if (auth->record == NULL) {
        client_refuse(fx, tag, OP_AUTH, ZK_SYSTEMERROR);
        return;
    }
    memcpy(auth->record, record.at, record.len);
    client->auth_count++;
    if (client->phase == CLIENT_PHASE_GREETING || client->phase == CLIENT_PHASE_CONNECTED) {
        client_send_auths(client, fx);
    }
}

/* A ping that the program (asked) or the clock wants. False when memory ran out. */
static bool client_push_ping(struct client *client, struct fx *fx, const struct client_ping *want)
{
    struct client_ping *ping = ring_push(&client->pings);

    if (ping == NULL) {
        return false;
    }
    *ping = *want;
    client_send(client, fx, (struct wire_request_header){.xid = XID_PING, .type = OP_PING},
                wire_empty());
    return true;
}

static void client_ask_ping(struct client *client, struct fx *fx, uint64_t tag)
{
    if (client->phase != CLIENT_PHASE_CONNECTED) {
        client_refuse(fx, tag, OP_PING, ZK_CONNECTIONLOSS);
    } else if (ring_count(&client->pings) >= CLIENT_PINGS_MAX ||
               !client_push_ping(client, fx, &(struct client_ping){.asked = true, .tag = tag})) {
        client_refuse(fx, tag, OP_PING, ZK_REQUESTTIMEOUT);
    }
}

void client_send_ping(struct client *client, struct fx *fx)
{
    if (ring_count(&client->pings) >= CLIENT_PINGS_MAX ||
        !client_push_ping(client, fx, &(struct client_ping){.asked = false})) {
        client_lost(client, fx, true); /* it answers other things, but no pings */
    }
}

/* Is the path needed when the reply comes? */
static bool client_keeps_path(const struct wire_request *request)
{
    return request->watch || request->type == OP_ADD_WATCH || request->type == OP_REMOVE_WATCHES;
}

/* Keep a copy of `span` with the op; true when it worked. */
static bool client_keep(struct client *client, struct client_call *op, struct span span)
{
    if (span.len == 0) {
        return true;
    }
    op->kept = mem_get(client->mem, span.len);
    if (op->kept == NULL) {
        return false;
    }
    memcpy(op->kept, span.at, span.len);
    op->kept_len = (uint32_t)span.len;
    return true;
}

static void client_send_op(struct client *client, struct fx *fx, struct client_call *op,
                           struct span record)
{
    client->last_xid = client->last_xid == INT32_MAX ? 1 : client->last_xid + 1;
    op->xid = client->last_xid;
    client->sent_count++;
    fx_note(fx, NOTE_SENT, op->tag, (uint64_t)op->xid, (uint64_t)client->session, wire_empty());
    client_send(client, fx, (struct wire_request_header){.xid = op->xid, .type = op->op}, record);
}

void client_send_waiting(struct client *client, struct fx *fx)
{
    while (client->sent_count < ring_count(&client->ops)) {
        struct client_call *op = ring_at(&client->ops, client->sent_count);

        client_send_op(client, fx, op, span_make(op->kept, op->kept_len));
        if (!op->keep_path && op->kept != NULL) {
            mem_put(client->mem, op->kept, op->kept_len);
            op->kept = NULL;
            op->kept_len = 0;
        }
    }
}

/* Queue the op, and send it when there is a connection (then everything before it is sent). */
static bool client_push_op(struct client *client, struct fx *fx, uint64_t tag,
                           const struct wire_request *request, struct span record)
{
    struct client_call *op = ring_push(&client->ops);
    bool keep_path = client_keeps_path(request);
    struct span path;
    bool kept;

    if (op == NULL) {
        return false;
    }
    *op = (struct client_call){.tag = tag, .op = request->type, .keep_path = keep_path};
    op->flags = request->flags;
    record = client_chroot_request(client, request, record);
    path = client_chroot_add(client, request->path);
    op->path_len = keep_path ? (uint32_t)path.len : 0;
    kept = !client->scratch.failed && !client->scratch_list.failed;
    if (kept && client->phase != CLIENT_PHASE_CONNECTED) {
        op->path_at = 4; /* behind its length */
        kept = client_keep(client, op, record);
    } else if (kept && keep_path) {
        kept = client_keep(client, op, path);
    }
    if (!kept) {
        ring_pop_back(&client->ops);
        return false;
    }
    if (client->phase == CLIENT_PHASE_CONNECTED) {
        client_send_op(client, fx, op, record);
    }
    return true;
}

static void client_ask_op(struct client *client, struct fx *fx, uint64_t tag,
                          const struct wire_request *request, struct span record)
{
    if (client->phase == CLIENT_PHASE_IDLE || client->closing) {
        client_refuse(fx, tag, request->type, ZK_SESSIONEXPIRED);
    } else if (ring_count(&client->ops) >= client->config.queue_max ||
               (client_keeps_path(request) && client->watches.count >= CLIENT_WATCH_MAX)) {
        client_refuse(fx, tag, request->type, ZK_REQUESTTIMEOUT);
    } else if (!client_push_op(client, fx, tag, request, record)) {
        client_refuse(fx, tag, request->type, ZK_SYSTEMERROR);
    } else if (request->type == OP_CLOSE_SESSION) {
        client->closing = true;
    }
}

void client_asked(struct client *client, struct fx *fx, uint64_t tag, struct span ask)
{
    struct wire_request request = {.type = OP_ERROR};
    enum err err = client_ask_decode(ask, &request);
    char room[TEXT_ROOM];
    struct text text;
    struct span record;

    text_init(&text, room, sizeof room);
    client_request_text(&text, &request);
    fx_note(fx, NOTE_INVOKE, tag, (uint64_t)(int64_t)request.type, 0, span_make(room, text.len));
    if (err != ERR_OK) {
        client_refuse(fx, tag, request.type, ZK_BADARGUMENTS);
        return;
    }
    record = span_make(ask.at + 4, ask.len - 4);
    switch (request.type) {
    case CLIENT_OP_OPEN:
        client_ask_open(client, fx, tag);
        return;
    case CLIENT_OP_MOVE:
        client_ask_move(client, fx, tag, request.path);
        return;
    case OP_AUTH:
        client_ask_auth(client, fx, tag, record);
        return;
    case OP_PING:
        client_ask_ping(client, fx, tag);
        return;
    default:
        client_ask_op(client, fx, tag, &request, record);
        return;
    }
}

/* ---- replies ---- */

/* Note what the reply means for watches. False when memory ran out. */
static bool client_keep_watch(struct client *client, const struct client_call *op, int32_t code)
{
    static const uint32_t removed[] = {
        [WATCH_TYPE_CHILDREN] = 1u << WATCH_LIST_CHILD,
        [WATCH_TYPE_DATA] = 1u << WATCH_LIST_DATA | 1u << WATCH_LIST_EXIST,
        [WATCH_TYPE_ANY] = UINT32_MAX,
        [WATCH_TYPE_PERSISTENT] = 1u << WATCH_LIST_PERSISTENT,
        [WATCH_TYPE_RECURSIVE] = 1u << WATCH_LIST_RECURSIVE,
    };
    struct span path = span_make(op->kept + op->path_at, op->path_len);
    enum watch_list list = WATCH_LIST_DATA;

    if (op->op == OP_EXISTS && code == ZK_NONODE) {
        return client_watches_add(&client->watches, path, WATCH_LIST_EXIST) == ERR_OK;
    }
    if (code != ZK_OK) {
        return true;
    }
    if (op->op == OP_REMOVE_WATCHES) {
        if (op->flags >= WATCH_TYPE_CHILDREN && op->flags <= WATCH_TYPE_RECURSIVE) {
            client_watches_remove(&client->watches, path, removed[op->flags]);
        }
        return true;
    }
    if (op->op == OP_ADD_WATCH) {
        list = op->flags == 0 ? WATCH_LIST_PERSISTENT : WATCH_LIST_RECURSIVE;
    } else if (op->op == OP_GET_CHILDREN || op->op == OP_GET_CHILDREN2) {
        list = WATCH_LIST_CHILD;
    }
    return client_watches_add(&client->watches, path, list) == ERR_OK;
}

/* The first op of a multi that failed, or ZK_OK. */
static int32_t client_multi_code(const struct wire_reply *reply)
{
    struct wire_multi cursor = reply->multi;
    struct wire_result result;

    while (reply->type == OP_MULTI && wire_result_next(&cursor, &result)) {
        if (result.err != ZK_OK) {
            return result.err;
        }
    }
    return ZK_OK;
}

/* The reply to the op at the front. False: it cannot be decoded. */
static bool client_finish_op(struct client *client, struct fx *fx,
                             const struct wire_reply_header *header, struct span record)
{
    struct client_call *op = ring_at(&client->ops, 0);
    struct client_answer answer = {.code = header->err, .zxid = header->zxid, .op = op->op};
    uint64_t tag = op->tag;

    answer.reply = (struct wire_reply){.type = op->op};
    if (answer.code == ZK_OK) {
        if (wire_reply_decode(op->op, record, &answer.reply) != ERR_OK) {
            return false;
        }
        answer.code = client_multi_code(&answer.reply);
        answer.has_reply = true;
        record = client_chroot_reply(client, &answer.reply, record);
        answer.reply.path = client_chroot_strip(client, answer.reply.path);
    } else {
        record = wire_empty();
    }
    if ((op->keep_path && !client_keep_watch(client, op, answer.code)) || client->scratch.failed) {
        fx_halt(fx, 1, span_text("out of memory"));
        return true;
    }
    client_pop_op(client);
    if (answer.code == ZK_OK) {
        client_answer_ok(fx, tag, &answer.reply, answer.zxid, record);
    } else {
        client_answer_fail(fx, tag, &answer, record);
    }
    if (answer.op == OP_CLOSE_SESSION) {
        client_end_session(client, fx, CLIENT_CLOSED, ZK_SESSIONEXPIRED);
    }
    return true;
}

static void client_pong(struct client *client, struct fx *fx,
                        const struct wire_reply_header *header)
{
    struct client_ping *ping = ring_at(&client->pings, 0);

    if (ping == NULL) {
        return; /* harmless */
    }
    if (ping->asked) {
        client_answer_ok(fx, ping->tag, &(struct wire_reply){.type = OP_PING}, header->zxid,
                         wire_empty());
    }
    ring_pop(&client->pings);
}

static void client_drop_auths(struct client *client)
{
    for (uint32_t i = 0; i < client->auth_count; i++) {
        mem_put(client->mem, client->auths[i].record, client->auths[i].len);
    }
    client->auth_count = 0;
}

/* False: a reply to nothing. A refused credential ends the session, as in Apache's client. */
static bool client_authenticated(struct client *client, struct fx *fx,
                                 const struct wire_reply_header *header)
{
    struct client_auth *auth = &client->auths[client->auth_replied];

    if (client->auth_replied >= client->auth_sent) {
        return false;
    }
    client->auth_replied++;
    if (auth->waiting && header->err == ZK_OK) {
        auth->waiting = false;
        client_answer_ok(fx, auth->tag, &(struct wire_reply){.type = OP_AUTH}, header->zxid,
                         wire_empty());
    }
    if (header->err != ZK_OK) {
        client_end_session(client, fx, CLIENT_CLOSED, ZK_AUTHFAILED);
        client_drop_auths(client);
    }
    return true;
}

static bool client_event(struct client *client, struct fx *fx,
                         const struct wire_reply_header *header, struct span record)
{
    struct wire_event event;

    if (wire_event_decode(record, &event) != ERR_OK) {
        return false;
    }
    client_watches_fire(&client->watches, event.path, event.type);
    fx_note(fx, NOTE_EVENT, (uint64_t)(int64_t)event.type, (uint64_t)header->zxid,
            (uint64_t)(int64_t)event.state, client_chroot_strip(client, event.path));
    return true;
}

/* A reply to an op must be that to the oldest one; setWatches was sent before any op. */
static bool client_op_replied(struct client *client, struct fx *fx,
                              const struct wire_reply_header *header, struct span record)
{
    const struct client_call *op = ring_at(&client->ops, 0);

    if (client->sent_count == 0 || client->set_watches > 0 || op->xid != header->xid) {
        return false;
    }
    if (header->zxid > 0) {
        client->last_zxid = header->zxid;
    }
    return client_finish_op(client, fx, header, record);
}

void client_replied(struct client *client, struct fx *fx, struct span frame)
{
    struct wire_reply_header header;
    bool fine = wire_reply_header_take(&frame, &header) == ERR_OK;

    if (fine) {
        switch (header.xid) {
        case XID_PING:
            client_pong(client, fx, &header);
            break;
        case XID_AUTH:
            fine = client_authenticated(client, fx, &header);
            break;
        case XID_EVENT:
            fine = client_event(client, fx, &header, frame);
            break;
        case XID_SET_WATCHES:
            fine = client->set_watches > 0;
            client->set_watches -= fine ? 1 : 0;
            break;
        default:
            fine = client_op_replied(client, fx, &header, frame);
            break;
        }
    }
    if (!fine) {
        client_lost(client, fx, true);
    }
}
