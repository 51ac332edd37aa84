#include "base/ensure.h"
#include "protocol/clients_conn.h"

static void conn_item_drop(struct clients *clients, struct clients_conn *client,
                           struct conn_item *item)
{
    ENSURE(client->wait_bytes >= item->len);
    client->wait_bytes -= item->len;
    clients->large_bytes -= item->large;
    item->large = 0;
    mem_put(clients->mem, item->bytes, item->len);
    item->bytes = NULL;
    item->len = 0;
}

/* Give `item` a copy of `bytes`. */
static enum err conn_item_keep(struct clients *clients, struct clients_conn *client,
                               struct conn_item *item, struct span bytes)
{
    ENSURE(item->bytes == NULL);
    if (bytes.len == 0) {
        return ERR_OK;
    }
    item->bytes = mem_get(clients->mem, bytes.len);
    if (item->bytes == NULL) {
        return ERR_MEMORY;
    }
    memcpy(item->bytes, bytes.at, bytes.len);
    item->len = (uint32_t)bytes.len;
    client->wait_bytes += bytes.len;
    return ERR_OK;
}

void conn_queue_clear(struct clients *clients, struct clients_conn *client)
{
    struct conn_item *item;

    while ((item = conn_item_at(client, 0)) != NULL) {
        conn_item_drop(clients, client, item);
        ring_pop(&client->queue);
    }
}

static bool conn_queue_full(const struct clients *clients, const struct clients_conn *client)
{
    return ring_count(&client->queue) >= clients->options.queue_max ||
           client->wait_bytes >= clients->options.wait_bytes_max;
}

struct conn_item *conn_queue(struct clients *clients, struct clients_conn *client,
                             const struct conn_item *item, struct span bytes, struct fx *fx)
{
    struct conn_item *place = ring_push(&client->queue);

    if (place == NULL) {
        conn_refuse(clients, client, fx);
        return NULL;
    }
    *place = *item;
    place->large = clients->large_now;
    place->came_us = clients->now_us;
    clients->large_bytes += clients->large_now;
    clients->counts.outstanding++;
    metrics_add(clients->options.metrics, METRIC_SESSION_QUEUE, ring_count(&client->queue));
    if (conn_item_keep(clients, client, place, bytes) != ERR_OK) {
        conn_refuse(clients, client, fx);
        return NULL;
    }
    if ((client->stall & STALL_QUEUE) == 0 && conn_queue_full(clients, client)) {
        conn_stall(client, STALL_QUEUE, fx);
        clients->counts.throttled++;
    }
    return place;
}

static void conn_read_now(struct clients *clients, struct clients_conn *client,
                          const struct wire_request_header *header, struct span record,
                          struct fx *fx)
{
    struct reply_scene scene = {.tree = clients->role.tree,
                                .watches = clients->watches,
                                .zxid = clients->zxid,
                                .conn = client->conn,
                                .session = client->session,
                                .who = &client->who,
                                .compat_38 = clients->options.compat_38};
    struct bytes *out = fx_out(fx);

    (void)reply_read(&scene, header, record, out);
    if (out->failed) {
        fx->failed = true;
        return;
    }
    conn_send_reply(clients, client, header, bytes_span(out), fx);
}

void conn_read(struct clients *clients, struct clients_conn *client,
               const struct wire_request_header *header, struct span record, struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_READ, .header = *header};

    if (ring_count(&client->queue) == 0 && !client->paused) {
        clients->came_us = clients->now_us;
        conn_read_now(clients, client, header, record, fx);
    } else {
        (void)conn_queue(clients, client, &item, record, fx);
    }
}

void conn_code(struct clients *clients, struct clients_conn *client, const struct conn_item *item,
               struct fx *fx)
{
    if (item->last) {
        client->phase = CONN_LEAVING;
    }
    if (conn_queue(clients, client, item, wire_empty(), fx) != NULL) {
        conn_flush(clients, client, fx);
    }
}

void conn_reply(struct clients *clients, struct clients_conn *client, struct span frame, bool last,
                struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_REPLY, .last = last};

    if (conn_queue(clients, client, &item, frame, fx) != NULL) {
        conn_flush(clients, client, fx);
    }
}

static void conn_answer_sync(struct clients *clients, struct clients_conn *client,
                             const struct conn_item *item, struct fx *fx)
{
    struct bytes *out = fx_out(fx);
    struct wire_request op;
    struct span record = span_make(item->bytes, item->len);

    if (wire_request_decode(OP_SYNC, record, &op) != ERR_OK) {
        reply_header(out, item->header.xid, clients->zxid, ZK_MARSHALLINGERROR);
    } else {
        reply_sync(out, item->header.xid, clients->zxid, op.path);
    }
    conn_send_reply(clients, client, &item->header, bytes_span(out), fx);
}

static void conn_answer_code(struct clients *clients, struct clients_conn *client,
                             const struct conn_item *item, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    reply_header(out, item->header.xid, item->no_zxid ? 0 : clients->zxid, item->code);
    if (item->code == ZK_OK && item->header.type == OP_CLOSE_SESSION) {
        conn_local_closed(clients, client, fx);
    }
    conn_send_reply(clients, client, &item->header, bytes_span(out), fx);
}

/* Answer the item at the front; false when it is not ready. */
static bool conn_answer(struct clients *clients, struct clients_conn *client,
                        const struct conn_item *item, struct fx *fx)
{
    struct span bytes = span_make(item->bytes, item->len);

    clients->came_us = item->came_us;
    switch (item->kind) {
    case ITEM_READ:
        conn_read_now(clients, client, &item->header, bytes, fx);
        return true;
    case ITEM_SYNC:
        if (item->ready) {
            conn_answer_sync(clients, client, item, fx);
        }
        return item->ready;
    case ITEM_WRITE:
        return false; /* its transaction answers it */
    case ITEM_REPLY:
        conn_send(clients, client, bytes, fx);
        return true;
    case ITEM_CODE:
        conn_answer_code(clients, client, item, fx);
        return true;
    }
    UNREACHABLE();
}

static void conn_pop(struct clients *clients, struct clients_conn *client)
{
    conn_item_drop(clients, client, conn_item_at(client, 0));
    ring_pop(&client->queue);
    clients->counts.outstanding--;
}

static void conn_ask_write(struct clients *clients, struct clients_conn *client,
                           const struct wire_request_header *header, struct span record,
                           struct fx *fx)
{
    struct request request = {.kind = REQUEST_WRITE,
                              .op = header->type,
                              .cxid = header->xid,
                              .session = client->session,
                              .owner = SESSION_OWNER_LOCAL,
                              .body = record};

    client->sent_writes++;
    conn_ask(clients, client, &request, fx);
}

/* Hand writes upward that had to wait, as far as only sent writes and what waits for them are
 * ahead. */
static void conn_release(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct conn_item *item = conn_item_at(client, 0);

    if (client->held_writes == 0 || item == NULL || item->kind != ITEM_WRITE) {
        return;
    }
    for (uint64_t i = 0; (item = conn_item_at(client, i)) != NULL; i++) {
        if (item->kind == ITEM_SYNC && !item->ready) {
            return;
        }
        if (item->kind == ITEM_WRITE && !item->ready) {
            item->ready = true;
            client->held_writes--;
            conn_ask_write(clients, client, &item->header, span_make(item->bytes, item->len), fx);
            if (client->phase == CONN_DEAD) {
                return;
            }
        }
    }
}

/* A paused connection still answers (its output is held) what stands between writes that are on
 * their way: later it would see too much. */
void conn_flush(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct conn_item *item;

    while (client->phase != CONN_DEAD && !fx->failed &&
           (!client->paused || client->sent_writes > 0) &&
           (item = conn_item_at(client, 0)) != NULL) {
        bool last = item->last;

        if (!conn_answer(clients, client, item, fx)) {
            break;
        }
        if (client->phase == CONN_DEAD) {
            return;
        }
        conn_pop(clients, client);
        if (last) {
            conn_close(clients, client, true, fx);
            return;
        }
    }
    conn_release(clients, client, fx);
    if ((client->stall & STALL_QUEUE) != 0 && client->phase != CONN_DEAD &&
        ring_count(&client->queue) <= clients->options.queue_max / 2u &&
        client->wait_bytes <= clients->options.wait_bytes_max / 2u) {
        conn_resume(client, STALL_QUEUE, fx);
    }
}

void conn_write(struct clients *clients, struct clients_conn *client,
                const struct conn_item *wanted, struct span record, struct fx *fx)
{
    const struct conn_item *front = conn_item_at(client, 0);
    bool now = client->open_syncs == 0 && client->held_writes == 0 &&
               (front == NULL || front->kind == ITEM_WRITE);
    struct conn_item item = *wanted;

    item.ready = now;
    item.last = item.header.type == OP_CLOSE_SESSION;
    if (item.last) {
        client->phase = CONN_LEAVING;
    }
    if (conn_queue(clients, client, &item, now ? wire_empty() : record, fx) == NULL) {
        return;
    }
    if (now) {
        conn_ask_write(clients, client, &item.header, record, fx);
    } else {
        client->held_writes++;
    }
}

/* The transaction answers the write at the front. */
static void conn_answer_write(struct clients *clients, struct clients_conn *client,
                              const struct clients_applied *applied, struct fx *fx)
{
    const struct conn_item *item = conn_item_at(client, 0);
    struct wire_request_header header = item->header;
    bool last = item->last;
    struct bytes *out = fx_out(fx);

    clients->came_us = item->came_us;
    if (item->code != ZK_OK && applied->txn->header.type == OP_ERROR) {
        reply_header(out, item->header.xid, applied->txn->header.zxid, item->code);
    } else {
        (void)reply_write(&item->header, applied->txn, applied->result, out);
    }
    if (out->failed) {
        fx->failed = true;
        return;
    }
    conn_send_reply(clients, client, &header, bytes_span(out), fx);
    if (applied->txn->header.type == OP_ERROR) {
        client->figures.last_op = OP_NOTIFICATION; /* Apache forgets what was refused */
    }
    if (client->phase == CONN_DEAD) {
        return;
    }
    client->sent_writes--;
    conn_pop(clients, client);
    if (last) {
        conn_close(clients, client, true, fx);
        return;
    }
    conn_flush(clients, client, fx);
}

/* A write came through another server than the session's owner: this connection is out of date. */
static bool clients_is_moved(const struct tree_result *result)
{
    if (result->code == ZK_SESSIONMOVED) {
        return true;
    }
    for (uint32_t i = 0; i < result->op_count; i++) {
        if (result->ops[i].code == ZK_SESSIONMOVED) {
            return true;
        }
    }
    return false;
}

void clients_answer_applied(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx)
{
    const struct txn_header *header = &applied->txn->header;
    struct clients_conn *client = clients_find_session(clients, header->client_id);
    const struct conn_item *item;

    if (client == NULL) {
        return;
    }
    item = conn_item_at(client, 0); /* whatever was ahead of a sent write is answered by now */
    if (item == NULL || item->kind != ITEM_WRITE || !item->ready ||
        item->header.xid != header->cxid ||
        (header->type != OP_ERROR && header->type != item->header.type)) {
        return; /* sent by an earlier connection of the session */
    }
    if (clients_is_moved(applied->result)) {
        conn_close(clients, client, false, fx);
        return;
    }
    conn_answer_write(clients, client, applied, fx);
}

void clients_on_synced(struct clients *clients, uint64_t now_us, struct fx *fx)
{
    const struct conn_sync *sync = ring_at(&clients->syncs, 0);
    struct clients_conn *client;

    clients->now_us = now_us;
    if (sync == NULL) {
        return;
    }
    client = map_find(&clients->by_conn, sync->conn);
    if (client != NULL && client->serial == sync->serial) {
        for (uint64_t i = 0; i < ring_count(&client->queue); i++) {
            struct conn_item *item = conn_item_at(client, i);

            if (item->kind == ITEM_SYNC && !item->ready) {
                item->ready = true;
                client->open_syncs--;
                break;
            }
        }
        conn_flush(clients, client, fx);
    }
    ring_pop(&clients->syncs);
    clients_resume_load(clients, fx);
}
