/* server_work.c - the road of requests and transactions through a server that has a role. */
#include "base/ensure.h"
#include "protocol/server_state.h"
#include "protocol/wire_quorum.h"

/* ---- requests on their way to a transaction ---- */

/* Give up the role because memory ran out: what was prepared and not proposed cannot be told apart
 * any more. */
static void server_exhausted(struct fx *fx)
{
    fx_halt(fx, 1, span_text("out of memory"));
}

static int64_t server_next_zxid(struct server *server)
{
    if (server->role == ROLE_STANDALONE) {
        return history_last_zxid(&server->history) + 1;
    }
    return zab_leader_next_zxid(&server->leader);
}

static enum err server_log_alone(struct server *server, struct fx *fx)
{
    struct history_txn *entry;
    enum err err = history_push(&server->history, bytes_span(&server->txn), &entry);

    if (err == ERR_OK) {
        err = store_append(server->store, entry->zxid, entry->bytes);
    }
    if (err == ERR_OK) {
        fx_note(fx, NOTE_PROPOSE, (uint64_t)entry->zxid, entry->hash, (uint64_t)entry->session,
                span_make(NULL, 0));
    }
    return err;
}

void server_execute(struct server *server, struct fx *fx, const struct input *in,
                    const struct request *request)
{
    int64_t zxid = server_next_zxid(server);
    struct prep_stamp stamp = {.zxid = zxid, .wall_ms = in->wall_ms, .now_us = in->mono_us};
    uint64_t pending;
    enum err err;

    if (zxid == 0) {
        return; /* the leader retires: the request is lost with the connection it came on */
    }
    bytes_clear(&server->txn);
    pending = prep_pending(server->prep);
    err = prep_request(server->prep, request, &stamp, &server->txn);
    metrics_count(&server->metrics, METRIC_REQUESTS_PREPARED, 1);
    metrics_count(&server->metrics, METRIC_CHANGES_QUEUED, prep_pending(server->prep) - pending);
    if (err == ERR_OK && !server->txn.failed) {
        err = server->role == ROLE_STANDALONE
                  ? server_log_alone(server, fx)
                  : zab_leader_propose(&server->leader, fx, bytes_span(&server->txn), in->mono_us);
    }
    if (err != ERR_OK || server->txn.failed) {
        server_exhausted(fx);
    }
}

/* A request of an own client. */
static void server_submit(struct server *server, struct fx *fx, const struct input *in,
                          const struct request *request)
{
    struct bytes *out;

    if (server->prep != NULL) {
        if (request->kind == REQUEST_WRITE) {
            server_execute(server, fx, in, request);
        } else if (server->role == ROLE_STANDALONE) {
            clients_on_synced(server->clients, in->mono_us, fx);
        } else if (zab_leader_sync(&server->leader, fx, 0, 0, in->mono_us) != ERR_OK) {
            server_exhausted(fx);
        }
        return;
    }
    out = fx_out(fx);
    if (request->kind == REQUEST_REVALIDATE) {
        struct wire_touch ask = {.session = request->session,
                                 .timeout_ms = (int32_t)request->timeout_ms};
        wire_revalidate_put(out, &ask);
    } else {
        request_forward_encode(out, request);
    }
    zab_learner_send(&server->learner, fx, out);
}

/* ---- what learners and the leader say ---- */

static void server_on_forwarded(struct server *server, struct fx *fx, const struct input *in,
                                const struct zab_event *event)
{
    struct request request;

    if (request_from_learner(event->bytes, &event->auth, event->owner, &request) != ERR_OK) {
        zab_leader_refuse(&server->leader, fx, event->conn, "malformed REQUEST");
        return;
    }
    if (request.kind == REQUEST_WRITE) {
        if (history_pending_count(&server->history) >= (uint64_t)server->config.proposals_max) {
            zab_leader_refuse(&server->leader, fx, event->conn,
                              "more requests than may be in flight");
            return;
        }
        server_execute(server, fx, in, &request);
    } else if (zab_leader_sync(&server->leader, fx, event->conn, event->owner, in->mono_us) !=
               ERR_OK) {
        zab_leader_refuse(&server->leader, fx, event->conn, "too many syncs are waiting");
    }
}

static void server_on_leader_event(struct server *server, struct fx *fx, const struct input *in,
                                   const struct zab_event *event)
{
    struct span rest = event->bytes;
    struct wire_touch touch;
    bool valid;

    if (!server->serving) {
        return;
    }
    switch (event->kind) {
    case ZAB_REQUEST:
        server_on_forwarded(server, fx, in, event);
        return;
    case ZAB_REVALIDATE:
        metrics_count(&server->metrics, METRIC_REVALIDATIONS, 1);
        valid = session_tracker_revalidate(&server->tracker, event->session,
                                           (uint32_t)event->timeout_ms, event->owner,
                                           in->mono_us) == SESSION_OK;
        zab_leader_revalidated(&server->leader, fx, event->conn, event->session, valid);
        return;
    case ZAB_TOUCHES:
        while (wire_touch_next(&rest, &touch)) {
            session_tracker_touch(&server->tracker, touch.session,
                                  touch.timeout_ms > 0 ? (uint32_t)touch.timeout_ms : 0,
                                  in->mono_us);
        }
        return;
    case ZAB_NOTHING:
    case ZAB_PING:
    case ZAB_VALIDITY:
    case ZAB_SYNCED:
        return;
    }
}

void server_on_leader_bytes(struct server *server, struct fx *fx, const struct input *in)
{
    struct span rest = in->bytes.span;
    struct zab_event event;
    size_t used;

    while (rest.len > 0 &&
           (used = zab_leader_on_packet(&server->leader, fx, in, rest, &event)) > 0) {
        rest = span_make(rest.at + used, rest.len - used);
        if (server->leader.phase == LEADER_BROADCAST && !server->serving) {
            server_check_role(server, fx, in); /* this packet completed the quorum */
        }
        if (event.kind != ZAB_NOTHING) {
            server_on_leader_event(server, fx, in, &event);
        }
    }
    fx->taken = in->bytes.span.len - rest.len;
}

static void server_on_learner_event(struct server *server, struct fx *fx, const struct input *in,
                                    const struct zab_event *event)
{
    struct bytes *out;
    size_t mark;

    if (!server->serving) {
        server_check_role(server, fx, in);
    }
    switch (event->kind) {
    case ZAB_PING:
        out = fx_out(fx);
        mark = wire_packet_begin(out, PACKET_PING, event->zxid);
        session_touches_take(&server->touches, out);
        wire_packet_end(out, mark);
        zab_learner_send(&server->learner, fx, out);
        return;
    case ZAB_VALIDITY:
        clients_on_verdict(server->clients, event->session, event->valid, in->mono_us, fx);
        return;
    case ZAB_SYNCED:
        server_apply(server, fx, in); /* what was committed before the SYNC packet */
        clients_on_synced(server->clients, in->mono_us, fx);
        return;
    case ZAB_NOTHING:
    case ZAB_REQUEST:
    case ZAB_REVALIDATE:
    case ZAB_TOUCHES:
        return;
    }
}

void server_on_learner_bytes(struct server *server, struct fx *fx, const struct input *in)
{
    struct span rest = in->bytes.span;
    struct zab_event event;
    size_t used;

    while (rest.len > 0 &&
           (used = zab_learner_on_packet(&server->learner, fx, in->mono_us, rest, &event)) > 0) {
        rest = span_make(rest.at + used, rest.len - used);
        if (server->learner.phase == LEARNER_STREAM) {
            ring_clear(&server->digests); /* another tree */
        }
        if (event.kind != ZAB_NOTHING) {
            server_on_learner_event(server, fx, in, &event);
        }
    }
    fx->taken = in->bytes.span.len - rest.len;
}

/* ---- transactions on their way into the tree ---- */

/* Is *server->tree a whole tree that the history continues? Not while one is loaded, streamed or
 * cut. */
static bool server_tree_is_whole(const struct server *server)
{
    return server->tree != NULL && server->learner.phase != LEARNER_STREAM &&
           server->learner.phase != LEARNER_TRUNCATE;
}

static void server_keep_digest(struct server *server, int64_t zxid)
{
    struct server_digest *kept;

    if (ring_count(&server->digests) >= SERVER_DIGESTS_MAX) {
        ring_pop(&server->digests);
    }
    kept = ring_push(&server->digests);
    if (kept != NULL) { /* else `hash` knows one less */
        *kept = (struct server_digest){.zxid = zxid, .digest = tree_digest(server->tree)};
    }
}

static bool server_apply_txn(struct server *server, struct fx *fx, const struct history_txn *entry,
                             struct txn *txn)
{
    enum err err = txn_decode(entry->bytes, txn);

    ENSURE(err == ERR_OK); /* what enters the history was decoded before */
    if (tree_apply(server->tree, txn, &server->result) != ERR_OK) {
        server_exhausted(fx);
        return false;
    }
    fx_note(fx, NOTE_APPLY, (uint64_t)entry->zxid, entry->hash, tree_digest(server->tree),
            span_make(NULL, 0));
    if (entry->zxid % SERVER_DIGEST_EVERY == 0) {
        server_keep_digest(server, entry->zxid);
    }
    return true;
}

static void server_after_apply(struct server *server, struct fx *fx, const struct input *in,
                               const struct txn *txn)
{
    struct clients_applied applied = {.now_us = in->mono_us, .txn = txn, .result = &server->result};

    if (txn->header.type == OP_CREATE_SESSION) {
        session_ids_seen(&server->ids, txn->header.client_id);
    }
    metrics_count(&server->metrics, METRIC_TXNS_APPLIED, 1);
    metrics_spread_since(&server->metrics, METRIC_PROPAGATION_MS, txn->header.time);
    if (server->prep != NULL) {
        uint64_t pending = prep_pending(server->prep);

        prep_applied(server->prep, txn->header.zxid);
        metrics_count(&server->metrics, METRIC_CHANGES_REMOVED,
                      pending - prep_pending(server->prep));
        if (txn->header.type == OP_CLOSE_SESSION) {
            session_tracker_remove(&server->tracker, txn->header.client_id);
        }
    }
    if (server->serving) {
        clients_on_applied(server->clients, &applied, fx);
    }
}

void server_apply(struct server *server, struct fx *fx, const struct input *in)
{
    struct history *history = &server->history;
    uint64_t next;
    const struct history_txn *entry;
    struct txn txn;

    if (!server_tree_is_whole(server) || tree_zxid(server->tree) >= history_commit_zxid(history)) {
        return;
    }
    next = history_after(history, tree_zxid(server->tree));
    server->result.quiet = !server->serving;
    for (; next < history->pending && (entry = history_at(history, next)) != NULL; next++) {
        if (!server_apply_txn(server, fx, entry, &txn)) {
            return;
        }
        server_after_apply(server, fx, in, &txn);
    }
}

void server_apply_tail(struct server *server, struct fx *fx)
{
    struct history *history = &server->history;
    struct history_txn *entry;
    struct txn txn;

    ENSURE(server->tree != NULL);
    server->result.quiet = true;
    while ((entry = history_first_pending(history)) != NULL) {
        enum err err = history_commit(history, entry->zxid, &entry);
        ENSURE(err == ERR_OK);
    }
    for (uint64_t next = history_after(history, tree_zxid(server->tree));
         (entry = history_at(history, next)) != NULL; next++) {
        if (!server_apply_txn(server, fx, entry, &txn)) {
            return;
        }
    }
    server->result.quiet = false;
}

/* ---- the work of a step ---- */

static void server_expire(struct server *server, struct fx *fx, const struct input *in)
{
    int64_t session;

    if (in->mono_us < server->expire_at_us) {
        return;
    }
    while (session_tracker_expire(&server->tracker, in->mono_us, &session)) {
        struct request request = request_close_session(session);
        fx_note(fx, NOTE_SESSION_EXPIRED, (uint64_t)session, 0, 0, span_make(NULL, 0));
        metrics_count(&server->metrics, METRIC_SESSIONS_EXPIRED, 1);
        server_execute(server, fx, in, &request);
    }
}

static void server_commit_alone(struct server *server, struct fx *fx)
{
    struct history_txn *entry;

    while ((entry = history_first_pending(&server->history)) != NULL &&
           entry->zxid <= store_durable_zxid(server->store)) {
        enum err err = history_commit(&server->history, entry->zxid, &entry);
        ENSURE(err == ERR_OK);
        fx_note(fx, NOTE_COMMIT, (uint64_t)entry->zxid, entry->hash, 0, span_make(NULL, 0));
    }
}

static bool server_is_in_charge(const struct server *server)
{
    return server->serving && server->prep != NULL &&
           (server->role == ROLE_STANDALONE || server->leader.phase == LEADER_BROADCAST);
}

void server_work(struct server *server, struct fx *fx, const struct input *in)
{
    struct request request;

    if (server->role == ROLE_STANDALONE) {
        server_commit_alone(server, fx);
    }
    server_apply(server, fx, in);
    if (server_is_in_charge(server)) {
        server_expire(server, fx, in);
    }
    if (server->has_locals) {
        server_expire_locals(server, fx, in);
    }
    while (server->serving && clients_next_request(server->clients, &request)) {
        if (server->prep != NULL && !server_is_in_charge(server)) {
            continue; /* the leader has just retired: its clients are cut off in this step */
        }
        server_submit(server, fx, in, &request);
    }
    server_apply(server, fx, in); /* alone, a leader commits what it has logged before */
    if (server->role == ROLE_LEADING) {
        for (uint32_t own = zab_leader_release_syncs(&server->leader, fx); own > 0; own--) {
            clients_on_synced(server->clients, in->mono_us, fx);
        }
    }
}
