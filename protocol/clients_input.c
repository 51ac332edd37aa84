#include "base/ensure.h"
#include "protocol/clients_conn.h"

/* ---- handshake ---- */

/* The byte readOnly of the answer, as the request had it or not. */
static enum reply_read_only conn_read_only(const struct clients *clients,
                                           const struct clients_conn *client)
{
    if (!client->has_read_only) {
        return REPLY_READ_ONLY_ABSENT;
    }
    return clients->role.read_only ? REPLY_READ_ONLY_YES : REPLY_READ_ONLY_NO;
}

void conn_open(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    client->phase = CONN_OPEN;
    clients->came_us = client->active_us; /* nothing was read or sent since the ConnectRequest */
    reply_connected(out, client->session, client->timeout_ms, conn_read_only(clients, client));
    conn_send(clients, client, bytes_span(out), fx);
    if (!client->renewing) {
        conn_answered(clients, client, &(struct wire_request_header){.type = OP_CREATE_SESSION});
    }
    if (client->phase != CONN_DEAD) {
        conn_resume(client, STALL_JOINING, fx);
    }
}

/* No such session, or not with this password. */
static void conn_reject(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    reply_connected(out, 0, 0, conn_read_only(clients, client));
    conn_send(clients, client, bytes_span(out), fx);
    if (client->phase != CONN_DEAD) {
        conn_close(clients, client, true, fx);
    }
}

static uint32_t clients_clamp(const struct clients *clients, int32_t timeout_ms)
{
    uint32_t wish = timeout_ms > 0 ? (uint32_t)timeout_ms : 0;

    if (wish < clients->options.session_min_ms) {
        return clients->options.session_min_ms;
    }
    return wish > clients->options.session_max_ms ? clients->options.session_max_ms : wish;
}

static void conn_begin(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct request request = {.kind = REQUEST_WRITE,
                              .op = OP_CREATE_SESSION,
                              .owner = SESSION_OWNER_LOCAL,
                              .timeout_ms = client->timeout_ms,
                              .auth_ids = wire_vector_null()};

    client->session = session_ids_next(clients->role.ids);
    request.session = client->session;
    if (map_put(&clients->by_session, (uint64_t)client->session, client) != ERR_OK) {
        conn_refuse(clients, client, fx);
        return;
    }
    conn_ask(clients, client, &request, fx);
}

static void conn_renew(struct clients *clients, struct clients_conn *client,
                       const struct wire_connect *connect, struct fx *fx)
{
    struct clients_conn *other = clients_find_session(clients, connect->session);
    struct request request = {.kind = REQUEST_REVALIDATE,
                              .session = connect->session,
                              .owner = SESSION_OWNER_LOCAL,
                              .timeout_ms = client->timeout_ms,
                              .body = wire_empty(),
                              .auth_ids = wire_vector_null()};

    metrics_count(clients->options.metrics, METRIC_CONNS_RENEWED, 1);
    if (other != NULL) {
        conn_close(clients, other, true, fx); /* before the password is looked at (seen) */
    }
    if (!session_password_is(connect->session, connect->password)) {
        conn_reject(clients, client, fx);
        return;
    }
    client->renewing = true;
    client->session = connect->session;
    if (map_put(&clients->by_session, (uint64_t)client->session, client) != ERR_OK) {
        conn_refuse(clients, client, fx);
        return;
    }
    if (conn_local_renew(clients, client)) {
        conn_open(clients, client, fx);
        return;
    }
    if (clients->role.read_only) {
        conn_reject(clients, client, fx);
        return;
    }
    if (clients->role.tracker == NULL) {
        conn_ask(clients, client, &request, fx);
        return;
    }
    if (session_tracker_revalidate(clients->role.tracker, client->session, client->timeout_ms,
                                   SESSION_OWNER_LOCAL, clients->now_us) == SESSION_OK) {
        conn_open(clients, client, fx);
    } else {
        conn_reject(clients, client, fx);
    }
}

/* A client that wants to write must go elsewhere, and so must a session that the ensemble knows:
 * what it was told by others may be newer than what is here. */
static bool conn_not_for_read_only(const struct clients *clients,
                                   const struct wire_connect *connect)
{
    int32_t timeout_ms;

    return !connect->read_only ||
           (connect->session != 0 &&
            tree_session_find(clients->role.tree, connect->session, &timeout_ms));
}

/* ZooKeeperServer.processConnectRequest; reading stops until the session is there. */
static void conn_connect(struct clients *clients, struct clients_conn *client, struct span frame,
                         struct fx *fx)
{
    struct wire_connect connect;

    metrics_count(clients->options.metrics, METRIC_CONNECT_REQUESTS, 1);
    if (wire_connect_decode(frame, &connect) != ERR_OK) {
        conn_refuse(clients, client, fx);
        return;
    }
    if (clients->role.read_only && conn_not_for_read_only(clients, &connect)) {
        conn_close(clients, client, true, fx);
        return;
    }
    if (connect.last_zxid > clients->zxid) {
        conn_close(clients, client, true, fx); /* it has seen more than this server has */
        return;
    }
    client->phase = CONN_JOINING;
    client->has_read_only = connect.has_read_only;
    client->timeout_ms = clients_clamp(clients, connect.timeout_ms);
    conn_stall(client, STALL_JOINING, fx);
    if (connect.session == 0 && clients->role.locals != NULL) {
        conn_local_begin(clients, client, fx);
    } else if (connect.session == 0) {
        conn_begin(clients, client, fx);
    } else {
        conn_renew(clients, client, &connect, fx);
    }
}

void clients_on_verdict(struct clients *clients, int64_t session, bool valid, uint64_t now_us,
                        struct fx *fx)
{
    struct clients_conn *client = clients_find_session(clients, session);

    clients->now_us = now_us;
    if (client == NULL || client->phase != CONN_JOINING || !client->renewing) {
        return;
    }
    if (valid) {
        conn_open(clients, client, fx);
    } else {
        conn_reject(clients, client, fx);
    }
}

/* createSession of a local client is applied, or was refused. */
void clients_answer_session(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx)
{
    const struct txn_header *header = &applied->txn->header;
    struct clients_conn *client = clients_find_session(clients, header->client_id);

    if (clients_local_upgraded(clients, applied, fx) || client == NULL ||
        client->phase != CONN_JOINING || client->renewing) {
        return;
    }
    if (header->type == OP_ERROR) {
        conn_close(clients, client, false, fx);
        return;
    }
    fx_note(fx, NOTE_SESSION_OPENED, (uint64_t)client->session, client->timeout_ms,
            (uint64_t)header->zxid, wire_empty());
    conn_open(clients, client, fx);
}

/* ---- requests ---- */

enum conn_class {
    CLASS_READ,
    CLASS_WRITE,
    CLASS_SYNC,
    CLASS_AUTH,
    CLASS_SASL,
    CLASS_UNKNOWN
};

static enum conn_class conn_classify(int32_t op)
{
    if (reply_is_read(op)) {
        return CLASS_READ;
    }
    switch (op) {
    case OP_SYNC:
        return CLASS_SYNC;
    case OP_AUTH:
        return CLASS_AUTH;
    case OP_SASL:
        return CLASS_SASL;
    case OP_CREATE_SESSION:   /* servers make these two; Apache takes them from anybody, and a */
    case OP_DELETE_CONTAINER: /* client could open foreign sessions or delete without permission */
        return CLASS_UNKNOWN;
    default:
        return request_is_write(op) ? CLASS_WRITE : CLASS_UNKNOWN;
    }
}

static void conn_sync(struct clients *clients, struct clients_conn *client,
                      const struct wire_request_header *header, struct span record, struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_SYNC, .header = *header};
    struct request request = {.kind = REQUEST_SYNC,
                              .op = OP_SYNC,
                              .cxid = header->xid,
                              .session = client->session,
                              .owner = SESSION_OWNER_LOCAL,
                              .body = record,
                              .token = clients->token + 1u};
    struct conn_sync *sync;

    if (conn_queue(clients, client, &item, record, fx) == NULL) {
        return;
    }
    sync = ring_push(&clients->syncs);
    if (sync == NULL) {
        conn_refuse(clients, client, fx);
        return;
    }
    client->open_syncs++;
    *sync = (struct conn_sync){.conn = client->conn, .serial = client->serial};
    clients->token++;
    conn_ask(clients, client, &request, fx);
}

void conn_take_write(struct clients *clients, struct clients_conn *client,
                     const struct wire_request_header *header, struct span record, struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_WRITE, .header = *header};

    if (header->type == OP_SYNC) {
        conn_sync(clients, client, header, record, fx);
    } else {
        conn_write(clients, client, &item, record, fx);
    }
}

/* Ids count from the packet on; its answer keeps the order of the connection. */
static void conn_auth(struct clients *clients, struct clients_conn *client,
                      const struct wire_request_header *header, struct span record, struct fx *fx)
{
    struct wire_request op;
    struct bytes *out = fx_out(fx);
    int32_t code = ZK_AUTHFAILED;

    if (wire_request_decode(OP_AUTH, record, &op) == ERR_OK) {
        code = conn_auth_add(clients, client, &op);
    }
    reply_header(out, header->xid, 0, code);
    if (code != ZK_OK) {
        client->phase = CONN_LEAVING;
        if (clients->options.metrics != NULL) {
            clients->options.metrics->auth_failed++;
        }
    }
    conn_reply(clients, client, bytes_span(out), code != ZK_OK, fx);
}

/* No mechanism is configured: Apache answers a null token. */
static void conn_sasl(struct clients *clients, struct clients_conn *client,
                      const struct wire_request_header *header, struct fx *fx)
{
    struct bytes *out = fx_out(fx);
    struct wire_reply_header reply = {.xid = header->xid};
    size_t frame = wire_frame_begin(out);

    wire_reply_header_encode(out, &reply);
    bytes_buffer_null(out);
    wire_frame_end(out, frame);
    conn_reply(clients, client, bytes_span(out), false, fx);
}

static void conn_unknown(struct clients *clients, struct clients_conn *client,
                         const struct wire_request_header *header, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    client->phase = CONN_LEAVING;
    reply_header(out, header->xid, -1, ZK_UNIMPLEMENTED);
    conn_reply(clients, client, bytes_span(out), true, fx);
}

/* The session lives, and this is the server that executes for it. */
static bool conn_session_holds(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct session_tracker *tracker = clients->role.tracker;

    if (client->local) {
        return conn_local_touch(clients, client);
    }
    if (tracker == NULL) {
        struct session_touch touch = {.session = client->session, .timeout_ms = client->timeout_ms};

        session_touches_put(clients->role.touches, touch, &client->touched);
        return true;
    }
    if (session_tracker_touch(tracker, client->session, client->timeout_ms, clients->now_us) !=
        SESSION_OK) {
        return false; /* the request is dropped; closeSession will close the connection */
    }
    if (session_tracker_check(tracker, client->session, SESSION_OWNER_LOCAL) == SESSION_MOVED) {
        conn_close(clients, client, false, fx);
        return false;
    }
    return true;
}

/* Answered without being looked at: who has not proved to be anybody, and what has waited for too
 * long. */
static bool conn_is_kept_out(struct clients *clients, struct clients_conn *client,
                             const struct wire_request_header *header, struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_CODE, .header = *header};

    if (!conn_auth_suffices(clients, client)) {
        item.code = ZK_SESSIONCLOSEDREQUIRESASLAUTH;
        item.no_zxid = true;
        item.last = true;
    } else if (client->waited && header->type != OP_PING && header->type != OP_CLOSE_SESSION) {
        item.code = ZK_THROTTLEDOP;
        clients->counts.throttled_ops++;
        metrics_count(clients->options.metrics, METRIC_THROTTLED_OPS, 1);
    } else {
        return false;
    }
    conn_code(clients, client, &item, fx);
    return true;
}

static void conn_request(struct clients *clients, struct clients_conn *client, struct span frame,
                         struct fx *fx)
{
    struct wire_request_header header;
    enum conn_class class;

    if (wire_request_header_take(&frame, &header) != ERR_OK) {
        conn_refuse(clients, client, fx);
        return;
    }
    class = conn_classify(header.type);
    if (class != CLASS_AUTH && class != CLASS_SASL &&
        (!conn_session_holds(clients, client, fx) ||
         conn_is_kept_out(clients, client, &header, fx))) {
        return;
    }
    switch (class) {
    case CLASS_READ:
        if (header.type == OP_PING) {
            header.xid = XID_PING;
        }
        conn_read(clients, client, &header, frame, fx);
        return;
    case CLASS_WRITE:
    case CLASS_SYNC:
        if (client->local || clients->role.read_only) {
            conn_local_write(clients, client, &header, frame, fx);
        } else {
            conn_take_write(clients, client, &header, frame, fx);
        }
        return;
    case CLASS_AUTH:
        conn_auth(clients, client, &header, frame, fx);
        return;
    case CLASS_SASL:
        conn_sasl(clients, client, &header, fx);
        return;
    case CLASS_UNKNOWN:
        conn_unknown(clients, client, &header, fx);
        return;
    }
    UNREACHABLE();
}

/* ---- frames ---- */

#define CONN_WORD_SIZE 4u

/* A four-letter word as the first bytes of a connection: letters, while a frame length within
 * bounds begins with a zero. WORD_ANSWERED: the connection is done with. */
static enum clients_word conn_word(struct clients *clients, struct clients_conn *client,
                                   struct span input, struct fx *fx)
{
    struct bytes *out;
    enum clients_word word;

    if (input.at[0] == 0 || clients->answer_word == NULL) {
        return WORD_NONE;
    }
    if (client->figures.received == 0) {
        conn_count_request(clients, client, CONN_WORD_SIZE); /* it counts itself in its answer */
    }
    client->phase = CONN_LEAVING;
    out = fx_out(fx);
    word = clients->answer_word(clients->answer_context, input, out);
    if (word != WORD_ANSWERED) {
        client->phase = CONN_FRESH;
        return word;
    }
    conn_send(clients, client, bytes_span(out), fx);
    if (client->phase != CONN_DEAD) {
        conn_close(clients, client, true, fx);
    }
    return WORD_ANSWERED;
}

/* Take frames off `input` until it ends, the connection is stalled or gone; bytes used. */
static size_t conn_take(struct clients *clients, struct clients_conn *client, struct span input,
                        struct fx *fx)
{
    size_t taken = 0;

    while (client->phase != CONN_DEAD && client->phase != CONN_LEAVING && client->stall == 0 &&
           !fx->failed) {
        struct span rest = span_make(input.at + taken, input.len - taken);
        struct span frame;
        size_t used;
        enum err err;

        if (rest.len < CONN_WORD_SIZE || conn_overloads(clients, client, fx)) {
            break;
        }
        if (client->phase == CONN_FRESH && conn_word(clients, client, rest, fx) != WORD_NONE) {
            break;
        }
        if (!clients->serving) {
            metrics_count(clients->options.metrics, METRIC_CONNS_NOT_SERVING, 1);
            conn_close(clients, client, false, fx);
            break;
        }
        err = wire_frame_next(rest, clients->options.frame_max, &frame, &used);
        if ((err == ERR_OK || err == ERR_SHORT) && !conn_large_begin(clients, client, rest, fx)) {
            break;
        }
        if (err == ERR_SHORT) {
            break;
        }
        if (err != ERR_OK) {
            conn_refuse(clients, client, fx);
            break;
        }
        taken += used;
        conn_note_wait(clients, client);
        conn_count_request(clients, client, used);
        if (client->phase == CONN_FRESH) {
            conn_connect(clients, client, frame, fx);
        } else {
            conn_request(clients, client, frame, fx);
        }
    }
    clients->large_now = 0;
    return taken;
}

void clients_on_bytes(struct clients *clients, const struct input *in, struct fx *fx)
{
    struct clients_conn *client = map_find(&clients->by_conn, in->bytes.conn);

    clients->now_us = in->mono_us;
    if (client == NULL) {
        fx->taken = in->bytes.span.len;
        return;
    }
    client->active_us = in->mono_us;
    fx->taken = conn_take(clients, client, in->bytes.span, fx);
    if (client->phase == CONN_DEAD || client->phase == CONN_LEAVING) {
        fx->taken = in->bytes.span.len; /* nothing more counts */
    }
}
