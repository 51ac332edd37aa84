#include "protocol/zab_learner.h"

#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/wire_quorum.h"
#include "tree/txn.h"

#define CONNECT_TRIES    5u
#define PACKET_DATA_MAX  (64u << 20) /* of the leader: a transaction may be a large multi */
#define STREAM_FIELD_MAX (64u << 20)

static uint64_t learner_tick_us(const struct zab_learner *learner)
{
    return config_us(learner->deps.config->tick_ms);
}

static uint64_t learner_init_us(const struct zab_learner *learner)
{
    return learner_tick_us(learner) * (uint64_t)learner->deps.config->init_ticks;
}

static uint64_t learner_limit_us(const struct zab_learner *learner)
{
    return learner->phase >= LEARNER_UPTODATE
               ? learner_tick_us(learner) * (uint64_t)learner->deps.config->sync_ticks
               : learner_init_us(learner);
}

/* ---- life ---- */

void zab_learner_init(struct zab_learner *learner, const struct zab_deps *deps,
                      const struct tree_options *options, uint32_t conn_first, uint32_t conn_count)
{
    ENSURE(conn_count >= 16 && conn_first < CONN_ACCEPTED - conn_count);
    *learner = (struct zab_learner){.deps = *deps,
                                    .tree_options = *options,
                                    .phase = LEARNER_IDLE,
                                    .conn = conn_first,
                                    .conn_first = conn_first,
                                    .conn_count = conn_count};
}

static void learner_leave(struct zab_learner *learner, const char *why)
{
    if (learner->phase != LEARNER_LEFT) {
        learner->phase = LEARNER_LEFT;
        learner->left_why = why;
    }
}

static void learner_dial(struct zab_learner *learner, struct fx *fx)
{
    learner->conn += 1;
    if (learner->conn >= learner->conn_first + learner->conn_count) {
        learner->conn = learner->conn_first;
    }
    learner->tries += 1;
    learner->dialing = true;
    fx_dial(fx, learner->conn, learner->address);
}

void zab_learner_start(struct zab_learner *learner, struct fx *fx, uint64_t now_us, int64_t leader,
                       bool observer)
{
    const struct config *config = learner->deps.config;
    const struct member *member = membership_find(learner->deps.ensemble->committed, leader);
    uint64_t limit_ticks =
        (uint64_t)(config->connect_ticks > 0 ? config->connect_ticks : config->init_ticks);

    ENSURE(learner->phase == LEARNER_IDLE);
    ENSURE(history_pending_count(learner->deps.history) == 0);
    learner->phase = LEARNER_CONNECT;
    learner->left_why = NULL;
    learner->observer = observer;
    learner->leader = leader;
    learner->tries = 0;
    learner->retry_at_us = WAKE_NEVER;
    learner->give_up_us = now_us + learner_tick_us(learner) * limit_ticks;
    learner->tree_broken = false;
    learner->stream_ended = false;
    learner->throttled = false;
    learner->connected = false;
    learner->dialing = false;
    if (member == NULL) {
        learner_leave(learner, "the elected leader is not a member of the ensemble");
        return;
    }
    learner->address = member->addresses[0].quorum;
    learner_dial(learner, fx);
}

void zab_learner_stop(struct zab_learner *learner, struct fx *fx)
{
    if (learner->phase == LEARNER_IDLE) {
        return;
    }
    if (learner->connected || learner->dialing) {
        fx_close(fx, learner->conn, false);
    }
    image_reader_drop(learner->stream);
    learner->stream = NULL;
    learner->connected = false;
    learner->dialing = false;
    learner->phase = LEARNER_IDLE;
}

bool zab_learner_owns(const struct zab_learner *learner, uint32_t conn)
{
    return conn == learner->conn && (learner->connected || learner->dialing);
}

/* Take nothing more from the leader until learner_go_on: the disk has to catch up. */
static void learner_wait(struct zab_learner *learner, struct fx *fx, enum zab_learner_phase phase,
                         uint64_t now_us)
{
    learner->phase = phase;
    learner->deadline_us = now_us + learner_init_us(learner);
    if (!learner->throttled) {
        learner->throttled = true;
        fx_throttle(fx, learner->conn, true);
    }
}

static void learner_go_on(struct zab_learner *learner, struct fx *fx, enum zab_learner_phase phase,
                          uint64_t now_us)
{
    learner->phase = phase;
    learner->deadline_us = now_us + learner_limit_us(learner);
    if (learner->throttled) {
        learner->throttled = false;
        fx_throttle(fx, learner->conn, false);
    }
}

void zab_learner_send(struct zab_learner *learner, struct fx *fx, const struct bytes *packet)
{
    if (packet->failed) {
        fx->failed = true;
        return;
    }
    if (learner->connected) {
        fx_send(fx, learner->conn, bytes_span(packet));
    }
}

/* ---- registration ---- */

void zab_learner_on_opened(struct zab_learner *learner, struct fx *fx, uint64_t now_us)
{
    struct wire_learner info = {.form = LEARNER_FULL,
                                .sid = learner->deps.sid,
                                .protocol_version = WIRE_LEARNER_VERSION,
                                .config_version =
                                    (int64_t)learner->deps.ensemble->committed->version};
    struct bytes *out;

    if (learner->phase != LEARNER_CONNECT) {
        return;
    }
    learner->connected = true;
    learner->dialing = false;
    out = fx_out(fx);
    wire_learner_put(out, learner->observer ? PACKET_OBSERVERINFO : PACKET_FOLLOWERINFO,
                     zxid_make(store_accepted_epoch(learner->deps.store), 0), &info);
    zab_learner_send(learner, fx, out);
    learner->phase = LEARNER_REGISTER;
    learner->deadline_us = now_us + learner_init_us(learner);
}

void zab_learner_on_closed(struct zab_learner *learner, struct fx *fx, uint64_t now_us)
{
    (void)fx;
    learner->connected = false;
    learner->dialing = false;
    if (learner->phase != LEARNER_CONNECT) {
        learner_leave(learner, "the leader closed the connection");
    } else if (learner->tries >= CONNECT_TRIES) {
        learner_leave(learner, "the leader does not accept connections");
    } else {
        learner->retry_at_us = now_us + config_us(learner->deps.config->leader_connect_delay_ms);
    }
}

static void learner_on_leaderinfo(struct zab_learner *learner, struct fx *fx,
                                  const struct wire_packet *packet)
{
    struct store *store = learner->deps.store;
    int64_t epoch = zxid_epoch(packet->zxid);
    int32_t current = -1;
    struct bytes *out;

    if (packet->type != PACKET_LEADERINFO || packet->zxid < 0) {
        learner_leave(learner, "the leader did not answer with LEADERINFO");
        return;
    }
    if (epoch < store_accepted_epoch(store)) {
        learner_leave(learner, "the leader's epoch is older than the one accepted");
        return;
    }
    if (epoch > store_accepted_epoch(store)) {
        current = (int32_t)store_current_epoch(store);
        store_set_accepted_epoch(store, fx, epoch); /* durable before the ACKEPOCH below leaves */
    }
    learner->epoch = epoch;
    out = fx_out(fx);
    wire_int_put(out, PACKET_ACKEPOCH,
                 store_is_trusted(store) ? history_last_zxid(learner->deps.history) : -1, current);
    zab_learner_send(learner, fx, out);
    learner->phase = LEARNER_SYNC_START;
}

/* ---- synchronisation ---- */

static void learner_begin_stream(struct zab_learner *learner, int64_t zxid)
{
    struct tree **tree = learner->deps.tree;

    tree_drop(*tree);
    learner->tree_broken = true;
    *tree = tree_make_bare(learner->deps.mem, &learner->tree_options);
    if (*tree != NULL) {
        learner->stream =
            image_reader_make(learner->deps.mem, *tree, IMAGE_STREAM, STREAM_FIELD_MAX);
    }
    if (*tree == NULL || learner->stream == NULL) {
        learner_leave(learner, "out of memory for the leader's tree");
        return;
    }
    learner->snap_zxid = zxid;
    learner->stream_ended = false;
    learner->phase = LEARNER_STREAM;
}

static void learner_on_sync_start(struct zab_learner *learner, struct fx *fx,
                                  const struct wire_packet *packet, uint64_t now_us)
{
    switch (packet->type) {
    case PACKET_DIFF:
        learner->phase = LEARNER_SYNC;
        return;
    case PACKET_TRUNC:
        if (packet->zxid < 0 || packet->zxid > history_last_zxid(learner->deps.history)) {
            learner_leave(learner, "the leader asks to truncate to what is not in the log");
            return;
        }
        learner_wait(learner, fx, LEARNER_TRUNCATE, now_us);
        store_truncate(learner->deps.store, fx, packet->zxid);
        return;
    case PACKET_SNAP:
        if (packet->zxid < 0) {
            learner_leave(learner, "the leader's snapshot has a negative zxid");
            return;
        }
        learner_begin_stream(learner, packet->zxid);
        return;
    default:
        learner_leave(learner, "the leader did not begin to synchronise");
        return;
    }
}

/* The mark that follows the tree: ustring "BenWasHere". Bytes used, 0 for more. */
static size_t learner_on_mark(struct zab_learner *learner, struct fx *fx, struct span input,
                              uint64_t now_us)
{
    struct reader reader;
    struct span mark;

    reader_init(&reader, input, 64);
    mark = reader_ustring(&reader, NULL);
    if (reader.err == ERR_SHORT && reader_left(&reader) < 64) {
        return 0;
    }
    if (reader.err != ERR_OK || !span_is(mark, WIRE_SNAP_SIGNATURE)) {
        learner_leave(learner, "the leader's snapshot does not end as it should");
        return 0;
    }
    history_reset(learner->deps.history, learner->snap_zxid);
    learner_wait(learner, fx, LEARNER_INSTALL, now_us);
    store_install(learner->deps.store, fx);
    return reader.pos;
}

static size_t learner_on_stream(struct zab_learner *learner, struct fx *fx, struct span input,
                                uint64_t now_us)
{
    size_t taken = 0;
    bool done = false;
    enum err err;

    learner->deadline_us = now_us + learner_init_us(learner);
    if (learner->stream_ended) {
        return learner_on_mark(learner, fx, input, now_us);
    }
    err = image_reader_feed(learner->stream, input, &taken, &done);
    if (err == ERR_OK && done) {
        err = image_reader_end(learner->stream, learner->snap_zxid);
        image_reader_drop(learner->stream);
        learner->stream = NULL;
        learner->stream_ended = true;
    }
    if (err != ERR_OK) {
        learner_leave(learner, err == ERR_MEMORY ? "out of memory for the leader's tree"
                                                 : "the leader's snapshot is malformed");
        return 0;
    }
    return taken;
}

/* ---- broadcast ---- */

/* Into history and log, but only what every later reader of the log will be able to decode. */
static bool learner_log(struct zab_learner *learner, int64_t zxid, struct span bytes)
{
    struct history_txn *entry;
    struct txn txn;
    enum err err = txn_decode(bytes, &txn);

    if (err == ERR_OK && (txn.header.zxid != zxid || zxid_epoch(zxid) > learner->epoch)) {
        err = ERR_FORMAT;
    }
    if (err == ERR_OK) {
        err = history_push(learner->deps.history, bytes, &entry);
    }
    if (err == ERR_OK) {
        metrics_count(learner->deps.metrics, METRIC_PROPOSALS_RECEIVED, 1);
        metrics_spread_since(learner->deps.metrics, METRIC_PROPOSAL_MS, entry->time_ms);
        err = store_append(learner->deps.store, entry->zxid, entry->bytes);
    }
    if (err != ERR_OK) {
        learner_leave(learner, err == ERR_ORDER    ? "a proposal does not follow the one before it"
                               : err == ERR_MEMORY ? "out of memory for a proposal"
                                                   : "a proposal is malformed");
        return false;
    }
    return true;
}

static void learner_commit(struct zab_learner *learner, int64_t zxid)
{
    struct history_txn *entry;

    if (history_pending_count(learner->deps.history) == 0) {
        return; /* Apache ignores these too */
    }
    if (history_commit(learner->deps.history, zxid, &entry) != ERR_OK) {
        learner_leave(learner, "a commit does not name the oldest proposal");
        return;
    }
    metrics_count(learner->deps.metrics, METRIC_COMMITS_RECEIVED, 1);
    metrics_spread_since(learner->deps.metrics, METRIC_COMMIT_PROPAGATION_MS, entry->time_ms);
}

/* ACK every proposal that has become durable, one packet each, as Apache's leader counts them. */
static void learner_ack(struct zab_learner *learner, struct fx *fx)
{
    const struct history *history = learner->deps.history;
    int64_t durable = store_durable_zxid(learner->deps.store);
    struct bytes *out;
    const struct history_txn *entry;

    if (durable <= learner->acked) {
        return;
    }
    if (learner->observer) {
        learner->acked = durable;
        return;
    }
    out = fx_out(fx);
    for (uint64_t i = history_after(history, learner->acked);
         (entry = history_at(history, i)) != NULL && entry->zxid <= durable; i++) {
        wire_packet_put(out, PACKET_ACK, entry->zxid, span_make(NULL, 0));
        metrics_spread_since(learner->deps.metrics, METRIC_ACK_CREATION_MS, entry->time_ms);
        learner->acked = entry->zxid;
    }
    if (out->len > 0) {
        fx_note(fx, NOTE_ACK, (uint64_t)learner->acked, 0, 0, span_make(NULL, 0));
        zab_learner_send(learner, fx, out);
    }
}

/* NEWLEADER: once everything received is durable, so is the epoch, and then it is acknowledged. */
static void learner_try_flushed(struct zab_learner *learner, struct fx *fx, uint64_t now_us)
{
    struct store *store = learner->deps.store;
    struct bytes *out;

    if (store_state(store) != STORE_READY || store_durable_zxid(store) < learner->flush_zxid) {
        return;
    }
    store_set_current_epoch(store, fx, learner->epoch);
    fx_note(fx, NOTE_SYNC_DONE, (uint64_t)learner->leader, (uint64_t)learner->flush_zxid,
            (uint64_t)learner->epoch, span_make(NULL, 0));
    out = fx_out(fx);
    wire_packet_put(out, PACKET_ACK, zxid_make(learner->epoch, 0), span_make(NULL, 0));
    zab_learner_send(learner, fx, out);
    learner->acked = history_commit_zxid(learner->deps.history);
    learner_go_on(learner, fx, LEARNER_UPTODATE, now_us);
}

static void learner_on_newleader(struct zab_learner *learner, struct fx *fx,
                                 const struct wire_packet *packet, uint64_t now_us)
{
    if (learner->phase != LEARNER_SYNC || packet->zxid != zxid_make(learner->epoch, 0)) {
        learner_leave(learner, "NEWLEADER of another epoch");
        return;
    }
    learner->flush_zxid = history_last_zxid(learner->deps.history);
    learner_wait(learner, fx, LEARNER_FLUSH, now_us);
    learner_try_flushed(learner, fx, now_us);
}

static void learner_on_uptodate(struct zab_learner *learner, struct fx *fx)
{
    struct bytes *out;

    if (learner->phase != LEARNER_UPTODATE) {
        learner_leave(learner, "UPTODATE before NEWLEADER");
        return;
    }
    learner->phase = LEARNER_ACTIVE;
    out = fx_out(fx);
    wire_packet_put(out, PACKET_ACK, zxid_make(learner->epoch, 0), span_make(NULL, 0));
    zab_learner_send(learner, fx, out);
    learner_ack(learner, fx);
}

/* Packets that only mean something to a server that serves; true when it was one. */
static bool learner_on_service(struct zab_learner *learner, const struct wire_packet *packet,
                               struct zab_event *event)
{
    switch (packet->type) {
    case PACKET_PING:
        if (learner->phase == LEARNER_ACTIVE) {
            event->kind = ZAB_PING;
            event->zxid = packet->zxid;
        }
        return true;
    case PACKET_REVALIDATE:
        if (wire_revalidated_decode(packet->data, &event->session, &event->valid) != ERR_OK) {
            learner_leave(learner, "malformed REVALIDATE");
        } else if (learner->phase == LEARNER_ACTIVE) {
            event->kind = ZAB_VALIDITY;
        }
        return true;
    case PACKET_SYNC:
        if (learner->phase == LEARNER_ACTIVE) {
            event->kind = ZAB_SYNCED;
        }
        return true;
    default:
        return false;
    }
}

static void learner_on_traffic(struct zab_learner *learner, struct fx *fx,
                               const struct wire_packet *packet, struct zab_event *event,
                               uint64_t now_us)
{
    if (learner_on_service(learner, packet, event)) {
        return;
    }
    switch (packet->type) {
    case PACKET_PROPOSAL:
        learner_log(learner, packet->zxid, packet->data);
        return;
    case PACKET_COMMIT:
        learner_commit(learner, packet->zxid);
        return;
    case PACKET_INFORM:
        if (learner_log(learner, packet->zxid, packet->data)) {
            learner_commit(learner, packet->zxid);
        }
        return;
    case PACKET_NEWLEADER:
        learner_on_newleader(learner, fx, packet, now_us);
        return;
    case PACKET_UPTODATE:
        learner_on_uptodate(learner, fx);
        return;
    default:
        learner_leave(learner, "unexpected packet of the leader");
        return;
    }
}

size_t zab_learner_on_packet(struct zab_learner *learner, struct fx *fx, uint64_t now_us,
                             struct span input, struct zab_event *event)
{
    struct wire_packet packet;
    size_t used = 0;
    enum err err;

    *event = (struct zab_event){.kind = ZAB_NOTHING, .conn = learner->conn};
    if (learner->throttled || learner->phase == LEARNER_LEFT || learner->phase == LEARNER_IDLE ||
        input.len == 0) {
        return 0;
    }
    if (learner->phase == LEARNER_STREAM) {
        return learner_on_stream(learner, fx, input, now_us);
    }
    err = wire_packet_next(input, PACKET_DATA_MAX, &packet, &used);
    if (err == ERR_SHORT) {
        return 0;
    }
    if (err != ERR_OK) {
        learner_leave(learner, "the leader's stream is malformed");
        return 0;
    }
    if (learner->phase == LEARNER_REGISTER) {
        learner_on_leaderinfo(learner, fx, &packet);
    } else if (learner->phase == LEARNER_SYNC_START) {
        learner_on_sync_start(learner, fx, &packet, now_us);
    } else {
        learner_on_traffic(learner, fx, &packet, event, now_us);
    }
    if (!learner->throttled) {
        learner->deadline_us = now_us + learner_limit_us(learner);
    }
    return used;
}

void zab_learner_on_store(struct zab_learner *learner, struct fx *fx, uint32_t events,
                          uint64_t now_us)
{
    switch (learner->phase) {
    case LEARNER_TRUNCATE:
        if ((events & STORE_TRUNCATED) != 0) {
            learner_go_on(learner, fx, LEARNER_SYNC, now_us);
        } else if ((events & STORE_NO_TRUNC) != 0) {
            learner_leave(learner, "the log cannot be truncated to where the leader wants it");
        }
        return;
    case LEARNER_INSTALL:
        if ((events & STORE_INSTALLED) != 0) {
            learner->tree_broken = false;
            learner_go_on(learner, fx, LEARNER_SYNC, now_us);
        }
        return;
    case LEARNER_FLUSH:
        learner_try_flushed(learner, fx, now_us);
        return;
    case LEARNER_ACTIVE:
        learner_ack(learner, fx);
        return;
    case LEARNER_IDLE:
    case LEARNER_CONNECT:
    case LEARNER_REGISTER:
    case LEARNER_SYNC_START:
    case LEARNER_STREAM:
    case LEARNER_SYNC:
    case LEARNER_UPTODATE:
    case LEARNER_LEFT:
        return;
    }
}

/* ---- time ---- */

void zab_learner_on_time(struct zab_learner *learner, struct fx *fx, uint64_t now_us)
{
    if (learner->phase == LEARNER_CONNECT) {
        if (now_us >= learner->give_up_us) {
            learner_leave(learner, "the leader could not be reached in time");
        } else if (now_us >= learner->retry_at_us) {
            learner->retry_at_us = WAKE_NEVER;
            learner_dial(learner, fx);
        }
    } else if (learner->phase != LEARNER_IDLE && learner->phase != LEARNER_LEFT &&
               now_us >= learner->deadline_us) {
        learner_leave(learner, "the leader was silent for too long");
    }
}

uint64_t zab_learner_wake_us(const struct zab_learner *learner)
{
    switch (learner->phase) {
    case LEARNER_IDLE:
    case LEARNER_LEFT:
        return WAKE_NEVER;
    case LEARNER_CONNECT:
        return learner->retry_at_us < learner->give_up_us ? learner->retry_at_us
                                                          : learner->give_up_us;
    default:
        return learner->deadline_us;
    }
}
