#include "base/ensure.h"
#include "protocol/clients_conn.h"

void conn_stall(struct clients_conn *client, enum conn_stall why, struct fx *fx)
{
    if (client->stall == 0) {
        fx_throttle(fx, client->conn, true);
    }
    client->stall |= (uint32_t)why;
}

void conn_resume(struct clients_conn *client, enum conn_stall why, struct fx *fx)
{
    uint32_t before = client->stall;

    client->stall &= ~(uint32_t)why;
    if (before != 0 && client->stall == 0 && client->phase != CONN_DEAD) {
        fx_throttle(fx, client->conn, false);
    }
}

/* `frame` is about to leave: ask for a sign that output drains, pause when it does not come. */
static void conn_count_sent(struct clients *clients, struct clients_conn *client, size_t len,
                            struct fx *fx)
{
    client->unconfirmed += len;
    client->active_us = clients->now_us;
    if (!client->drain_asked && client->unconfirmed > clients->options.pause_bytes / 4u) {
        fx_tell_drained(fx, client->conn);
        client->drain_asked = true;
    }
    if (!client->paused && client->unconfirmed > clients->options.pause_bytes) {
        client->paused = true;
        conn_stall(client, STALL_OUTPUT, fx);
        clients->counts.throttled++;
    }
}

/* True when the frame was held instead of sent (or the connection given up). */
static bool conn_hold(struct clients *clients, struct clients_conn *client, struct span frame,
                      struct fx *fx)
{
    if (!client->paused) {
        return false;
    }
    if (client->held.len + frame.len > clients->options.held_bytes_max) {
        conn_refuse(clients, client, fx);
        return true;
    }
    bytes_raw(&client->held, frame.at, frame.len);
    if (client->held.failed) {
        conn_refuse(clients, client, fx);
    }
    return true;
}

void conn_send(struct clients *clients, struct clients_conn *client, struct span frame,
               struct fx *fx)
{
    ENSURE(client->phase != CONN_DEAD);
    conn_count_frame(clients, client);
    if (!conn_hold(clients, client, frame, fx)) {
        fx_send(fx, client->conn, frame);
        conn_count_sent(clients, client, frame.len, fx);
    }
}

void conn_send_lent(struct clients *clients, struct clients_conn *client, struct span frame,
                    struct fx *fx)
{
    ENSURE(client->phase != CONN_DEAD);
    conn_count_frame(clients, client);
    if (!conn_hold(clients, client, frame, fx)) {
        fx_send_lent(fx, client->conn, frame);
        conn_count_sent(clients, client, frame.len, fx);
    }
}

void clients_on_drained(struct clients *clients, const struct input *in, struct fx *fx)
{
    struct clients_conn *client = map_find(&clients->by_conn, in->drained.conn);

    clients->now_us = in->mono_us;
    if (client == NULL) {
        return;
    }
    client->drain_asked = false;
    client->unconfirmed = 0;
    if (!client->paused) {
        return;
    }
    client->paused = false;
    if (client->held.len > 0) {
        fx_send(fx, client->conn, bytes_span(&client->held));
        conn_count_sent(clients, client, client->held.len, fx);
        bytes_drop(&client->held); /* a rare burst: its memory is not kept */
        bytes_init(&client->held, clients->mem);
    }
    conn_flush(clients, client, fx);
    if (client->phase != CONN_DEAD && !client->paused) {
        conn_resume(client, STALL_OUTPUT, fx);
    }
    clients_resume_load(clients, fx);
}

/* WatchManager.triggerWatch with its ACL filter: who may not read the node does not hear of it,
 * though the watch is used up (CVE-2024-23944). */
static bool conn_may_hear(const struct clients *clients, const struct clients_conn *client,
                          const struct acl_entry *acl)
{
    return clients->options.compat_38 || acl_check(acl_entry_list(acl), PERM_READ, &client->who);
}

static void clients_fire_one(struct clients *clients, const struct tree_trigger *trigger,
                             int64_t zxid, struct fx *fx)
{
    struct span frame = {0};
    struct span path = {0};

    if (watch_fire(clients->watches, trigger->event, trigger->path, &clients->hits) != ERR_OK) {
        fx->failed = true; /* an event that is lost would break a promise: the process stops */
        return;
    }
    for (uint32_t i = 0; i < clients->hits.count; i++) {
        struct clients_conn *client = map_find(&clients->by_conn, clients->hits.conns[i]);

        if (client == NULL || !conn_may_hear(clients, client, trigger->acl)) {
            continue;
        }
        if (frame.len == 0) { /* one encoding for all who hear of it */
            struct bytes *out = fx_out(fx);

            reply_event(out, clients->options.compat_38 ? -1 : zxid, trigger->event, trigger->path);
            frame = fx_copy(fx, bytes_span(out));
            path = span_make(frame.at + frame.len - trigger->path.len, trigger->path.len);
            clients_count_event(clients, trigger->event, frame);
        }
        fx_emit(fx, (struct effect){.kind = FX_NOTE,
                                    .id = NOTE_WATCH_FIRED,
                                    .a = (uint64_t)client->session,
                                    .b = (uint64_t)trigger->event,
                                    .c = (uint64_t)zxid,
                                    .bytes = path});
        conn_send_lent(clients, client, frame, fx);
    }
}

void clients_fire(struct clients *clients, const struct clients_applied *applied, struct fx *fx)
{
    const struct tree_result *result = applied->result;

    for (uint32_t i = 0; i < result->trigger_count; i++) {
        clients_fire_one(clients, &result->triggers[i], applied->txn->header.zxid, fx);
    }
}
