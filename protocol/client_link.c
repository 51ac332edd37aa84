#include "base/ensure.h"
#include "protocol/client_state.h"

#define BACK_OFF_MIN_US 50000u
#define BACK_OFF_MAX_US 1000000u
#define PING_MAX_US     10000000u /* Apache MAX_SEND_PING_INTERVAL */
#define PING_MIN_US     10000u    /* whatever timeout a server names */
#define PASSWORD_BYTES  WIRE_PASSWORD_BYTES

static struct span client_host_span(const struct client *client)
{
    const struct client_host *host = &client->config.hosts[client->host];

    return span_make(host->text, host->len);
}

void client_note_state(struct client *client, struct fx *fx, enum client_state state)
{
    client->state = state;
    fx_note(fx, NOTE_CLIENT_STATE, state, (uint64_t)client->session, 0, client_host_span(client));
}

void client_dial(struct client *client, struct fx *fx)
{
    uint64_t share_us = (uint64_t)client->config.timeout_ms * 1000 / client->config.host_count;

    client->last_conn = client->last_conn + 1 < CONN_ACCEPTED ? client->last_conn + 1 : 1;
    client->conn = client->last_conn;
    client->phase = CLIENT_PHASE_DIALING;
    client->deadline_us = client->now_us + share_us + 1;
    fx_dial(fx, client->conn, client_host_span(client));
}

void client_open_session(struct client *client, struct fx *fx)
{
    ENSURE(client->phase == CLIENT_PHASE_IDLE);
    client->session = 0;
    client->last_zxid = 0;
    client->password_len = PASSWORD_BYTES;
    memset(client->password, 0, sizeof client->password);
    client->seen_writable = false;
    client->closing = false;
    client->attempts = 0;
    client_note_state(client, fx, CLIENT_CONNECTING);
    client_dial(client, fx);
}

/* One setWatches packet with the entries from *cursor on, as many as fit; false when there are
 * none. */
static bool client_send_watches(struct client *client, struct fx *fx,
                                struct client_watch_cursor *cursor)
{
    struct client_watch_cursor end = *cursor;
    const uint32_t old_lists = (1u << WATCH_LIST_PERSISTENT) - 1;
    uint32_t count = 0;
    uint32_t seen = 0;
    size_t size = 0;
    struct span path;
    uint32_t bits;
    int32_t type;

    while (size < CLIENT_SET_WATCHES_BYTES &&
           client_watches_next(&client->watches, &end, &path, &bits)) {
        for (uint32_t list = 0; list < WIRE_WATCH_LISTS; list++) {
            size += (bits & 1u << list) != 0 ? path.len + 4 : 0;
        }
        seen |= bits;
        count++;
    }
    if (count == 0) {
        return false;
    }
    /* As Apache's client: the older packet unless there are watches that only the newer one has. */
    type = (seen & ~old_lists) == 0 ? OP_SET_WATCHES : OP_SET_WATCHES2;
    bytes_clear(&client->scratch);
    bytes_i64(&client->scratch, client->last_zxid);
    for (uint32_t list = 0; list < (type == OP_SET_WATCHES ? 3u : WIRE_WATCH_LISTS); list++) {
        struct client_watch_cursor walk = *cursor;
        size_t mark = wire_vector_begin(&client->scratch);
        uint32_t listed = 0;

        for (uint32_t i = 0; i < count; i++) {
            (void)client_watches_next(&client->watches, &walk, &path, &bits);
            if ((bits & 1u << list) != 0) {
                wire_put_buffer(&client->scratch, path);
                listed++;
            }
        }
        wire_vector_end(&client->scratch, mark, listed);
    }
    if (client->scratch.failed) {
        fx_halt(fx, 1, span_text("out of memory"));
        return false;
    }
    client_send(client, fx, (struct wire_request_header){.xid = XID_SET_WATCHES, .type = type},
                bytes_span(&client->scratch));
    client->set_watches++;
    *cursor = end;
    return true;
}

void client_greet(struct client *client, struct fx *fx)
{
    uint64_t share_us = (uint64_t)client->config.timeout_ms * 1000 / client->config.host_count;
    struct client_watch_cursor cursor = {0};
    struct bytes *out = fx_out(fx);
    size_t mark = wire_frame_begin(out);

    /* A session that only a read-only server knows means nothing to others. */
    wire_connect_encode(
        out,
        &(struct wire_connect){
            .last_zxid = client->last_zxid,
            .timeout_ms = (int32_t)client->config.timeout_ms,
            .session = client->config.read_only && !client->seen_writable ? 0 : client->session,
            .password = span_make(client->password, client->password_len),
            .has_read_only = true,
            .read_only = client->config.read_only,
        });
    wire_frame_end(out, mark);
    fx_send(fx, client->conn, bytes_span(out));
    client->phase = CLIENT_PHASE_GREETING;
    client->deadline_us = client->now_us + share_us + 1;
    client->last_sent_us = client->now_us;
    client->last_heard_us = client->now_us;
    client_send_auths(client, fx);
    while (client_send_watches(client, fx, &cursor)) {
    }
}

void client_connected(struct client *client, struct fx *fx, struct span frame)
{
    struct wire_connected connected;
    uint64_t timeout_us;

    if (wire_connected_decode(frame, &connected) != ERR_OK ||
        connected.password.len > CLIENT_PASSWORD_BYTES) {
        client_lost(client, fx, true);
        return;
    }
    if (connected.timeout_ms <= 0) {
        client_end_session(client, fx, CLIENT_EXPIRED, ZK_SESSIONEXPIRED);
        if (client->config.reopen) {
            client_open_session(client, fx);
        }
        return;
    }
    client->session = connected.session;
    client->password_len = (uint32_t)connected.password.len;
    if (connected.password.len > 0) {
        memcpy(client->password, connected.password.at, connected.password.len);
    }
    client->seen_writable = client->seen_writable || !connected.read_only;
    timeout_us = (uint64_t)connected.timeout_ms * 1000;
    client->read_us = timeout_us * 2 / 3;
    client->ping_us = client->read_us / 2 < PING_MAX_US ? client->read_us / 2 : PING_MAX_US;
    client->ping_us = client->ping_us > PING_MIN_US ? client->ping_us : PING_MIN_US;
    client->attempts = 0;
    client->phase = CLIENT_PHASE_CONNECTED;
    client_note_state(client, fx, CLIENT_CONNECTED);
    if (client->open_waiting) {
        client->open_waiting = false;
        client_answer_ok(fx, client->open_tag, &(struct wire_reply){.type = CLIENT_OP_OPEN}, -1,
                         wire_empty());
    }
    client_send_waiting(client, fx);
}

/* What was sent on this connection has no answer any more. */
static void client_lose_sent(struct client *client, struct fx *fx)
{
    struct client_ping *ping;

    while (client->sent_count > 0) {
        struct client_call *op = ring_at(&client->ops, 0);

        client_answer_unknown(fx, op->tag, op->op);
        client_pop_op(client);
    }
    while ((ping = ring_at(&client->pings, 0)) != NULL) {
        if (ping->asked) {
            client_answer_unknown(fx, ping->tag, OP_PING);
        }
        ring_pop(&client->pings);
    }
    client->set_watches = 0;
}

void client_lost(struct client *client, struct fx *fx, bool close)
{
    bool was_connected = client->phase == CLIENT_PHASE_CONNECTED;
    bool close_was_sent;
    uint64_t back_off_us;
    uint32_t rounds;

    if (close && client->conn != 0) {
        fx_close(fx, client->conn, true);
    }
    client->conn = 0;
    /* closeSession is the last op of a session: all is sent when it is. */
    close_was_sent = client->closing && client->sent_count == ring_count(&client->ops);
    client_lose_sent(client, fx);
    client->auth_sent = 0;
    client->auth_replied = 0;
    if (close_was_sent) {
        client_end_session(client, fx, CLIENT_CLOSED, ZK_SESSIONEXPIRED);
        return;
    }
    if (was_connected) {
        client_note_state(client, fx, CLIENT_CONNECTING);
    } else {
        client->attempts++;
    }
    client->host = (client->host + 1) % client->config.host_count;
    rounds = client->attempts / client->config.host_count;
    back_off_us = rounds < 8 ? BACK_OFF_MIN_US << rounds : BACK_OFF_MAX_US;
    back_off_us = back_off_us < BACK_OFF_MAX_US ? back_off_us : BACK_OFF_MAX_US;
    client->phase = CLIENT_PHASE_WAITING;
    client->deadline_us = client->now_us + 1 + rand_below(&client->rand, back_off_us);
}

/* Answer every auth ask that waits: none will be sent again on behalf of this session. */
static void client_fail_auths(struct client *client, struct fx *fx, int32_t code)
{
    for (uint32_t i = 0; i < client->auth_count; i++) {
        struct client_auth *auth = &client->auths[i];

        if (auth->waiting) {
            auth->waiting = false;
            client_answer_fail(fx, auth->tag,
                               &(struct client_answer){.code = code, .zxid = -1, .op = OP_AUTH},
                               wire_empty());
        }
    }
    client->auth_sent = 0;
    client->auth_replied = 0;
}

void client_end_session(struct client *client, struct fx *fx, enum client_state state, int32_t code)
{
    if (client->conn != 0) {
        fx_close(fx, client->conn, false);
        client->conn = 0;
    }
    client->phase = CLIENT_PHASE_IDLE;
    client_note_state(client, fx, state);
    client_lose_sent(client, fx);
    while (ring_count(&client->ops) > 0) {
        struct client_call *op = ring_at(&client->ops, 0);

        client_answer_fail(fx, op->tag,
                           &(struct client_answer){.code = code, .zxid = -1, .op = op->op},
                           wire_empty());
        client_pop_op(client);
    }
    if (client->open_waiting) {
        client->open_waiting = false;
        client_answer_fail(fx, client->open_tag,
                           &(struct client_answer){.code = code, .zxid = -1, .op = CLIENT_OP_OPEN},
                           wire_empty());
    }
    client_fail_auths(client, fx, code);
    client_watches_drop(&client->watches);
    client->closing = false;
    client->session = 0;
}
