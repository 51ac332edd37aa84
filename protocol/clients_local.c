/* clients_local.c - sessions that only this server knows: local ones, and those of read-only mode.
 *
 * Source: Apache LocalSessionTracker, UpgradeableSessionTracker, QuorumZooKeeperServer,
 * ReadOnlyRequestProcessor; docs/session.md. */
#include "protocol/clients_conn.h"

void conn_local_begin(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct session_tracker *locals = clients->role.locals;

    client->session = session_ids_next(clients->role.ids);
    if (locals->count >= clients->options.locals_max ||
        map_put(&clients->by_session, (uint64_t)client->session, client) != ERR_OK ||
        session_tracker_add(locals, client->session, client->timeout_ms, clients->now_us) !=
            ERR_OK) {
        conn_refuse(clients, client, fx);
        return;
    }
    client->local = true;
    fx_note(fx, NOTE_SESSION_OPENED, (uint64_t)client->session, client->timeout_ms, 0,
            wire_empty());
    conn_open(clients, client, fx);
}

bool conn_local_renew(struct clients *clients, struct clients_conn *client)
{
    struct session_tracker *locals = clients->role.locals;

    if (locals == NULL ||
        session_tracker_revalidate(locals, client->session, client->timeout_ms, SESSION_OWNER_LOCAL,
                                   clients->now_us) != SESSION_OK) {
        return false;
    }
    client->local = true;
    return true;
}

bool conn_local_touch(struct clients *clients, struct clients_conn *client)
{
    if (session_tracker_touch(clients->role.locals, client->session, client->timeout_ms,
                              clients->now_us) != SESSION_OK) {
        return false;
    }
    if (client->upgrading && clients->role.touches != NULL) {
        /* The leader may know the session already, although it is not applied here. */
        session_touches_put(
            clients->role.touches,
            (struct session_touch){.session = client->session, .timeout_ms = client->timeout_ms},
            &client->touched);
    }
    return true;
}

static bool is_ephemeral(const struct wire_request *op)
{
    return (op->type == OP_CREATE || op->type == OP_CREATE2) &&
           (op->flags == MODE_EPHEMERAL || op->flags == MODE_EPHEMERAL_SEQUENTIAL);
}

/* QuorumZooKeeperServer.checkUpgradeSession: does it make an ephemeral, by itself or in a multi? */
static bool needs_global(int32_t type, struct span record)
{
    struct wire_request request;
    struct wire_request op;
    struct wire_multi cursor;

    if ((type != OP_CREATE && type != OP_CREATE2 && type != OP_MULTI) ||
        wire_request_decode(type, record, &request) != ERR_OK) {
        return false;
    }
    if (type != OP_MULTI) {
        return is_ephemeral(&request);
    }
    cursor = request.multi;
    while (wire_multi_next(&cursor, &op)) {
        if (is_ephemeral(&op)) {
            return true;
        }
    }
    return false;
}

/* The same id becomes global: a createSession goes ahead of the request. */
static void conn_local_upgrade(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    struct request request = {.kind = REQUEST_WRITE,
                              .op = OP_CREATE_SESSION,
                              .session = client->session,
                              .owner = SESSION_OWNER_LOCAL,
                              .timeout_ms = client->timeout_ms,
                              .auth_ids = wire_vector_null()};

    client->upgrading = true;
    conn_ask(clients, client, &request, fx);
}

void conn_local_write(struct clients *clients, struct clients_conn *client,
                      const struct wire_request_header *header, struct span record, struct fx *fx)
{
    struct conn_item item = {.kind = ITEM_CODE, .header = *header};

    if (client->local && !client->upgrading && header->type == OP_CLOSE_SESSION) {
        item.last = true; /* nobody else needs to hear of it */
        conn_code(clients, client, &item, fx);
        return;
    }
    if (clients->role.read_only) {
        item.code = ZK_NOTREADONLY;
        conn_code(clients, client, &item, fx);
        return;
    }
    if (!client->upgrading && needs_global(header->type, record)) {
        if (clients->options.local_upgrade) {
            conn_local_upgrade(clients, client, fx);
        } else {
            /* Whoever leads refuses it, so that it takes its place among the writes. An Apache
             * leader calls the session expired; the client is told the truth. A multi says it in
             * its results. */
            item.code = header->type == OP_MULTI ? ZK_OK : ZK_EPHEMERALONLOCALSESSION;
        }
        if (client->phase == CONN_DEAD) {
            return;
        }
    }
    if (header->type == OP_SYNC) {
        conn_take_write(clients, client, header, record, fx);
        return;
    }
    item.kind = ITEM_WRITE;
    conn_write(clients, client, &item, record, fx);
}

static void clients_local_forget(struct clients *clients, int64_t session, struct fx *fx)
{
    session_tracker_remove(clients->role.locals, session);
    fx_note(fx, NOTE_SESSION_CLOSED, (uint64_t)session, 0, 0, wire_empty());
}

void conn_local_closed(struct clients *clients, const struct clients_conn *client, struct fx *fx)
{
    clients_local_forget(clients, client->session, fx);
}

void clients_end_local(struct clients *clients, int64_t session, struct fx *fx)
{
    struct clients_conn *client = clients_find_session(clients, session);

    clients_local_forget(clients, session, fx);
    if (client != NULL && client->local) {
        conn_close(clients, client, true, fx);
    }
}

bool clients_local_upgraded(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx)
{
    const struct txn_header *header = &applied->txn->header;
    struct session_tracker *locals = clients->role.locals;
    struct clients_conn *client = clients_find_session(clients, header->client_id);
    struct session_view view;

    if (locals == NULL || !session_tracker_view(locals, header->client_id, &view)) {
        return false;
    }
    if (header->type == OP_ERROR) {
        /* Refused (too many sessions), or a write was, whose cxid happens to be that of a
         * createSession: then the next ephemeral asks once more, which does no harm. */
        if (client != NULL && header->cxid == 0) {
            client->upgrading = false;
        }
        return true;
    }
    session_tracker_remove(locals, header->client_id);
    fx_note(fx, NOTE_SESSION_UPGRADED, (uint64_t)header->client_id, view.timeout_ms,
            (uint64_t)header->zxid, wire_empty());
    if (client != NULL) {
        client->local = false;
        client->upgrading = false;
    }
    return true;
}
