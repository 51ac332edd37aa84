/* zab_broadcast.c - a leader's broadcast: proposals, acknowledgements, commits, pings, barriers. */
#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/zab_peer.h"

#define BARRIERS_MAX 65536u

/* ---- proposing ---- */

int64_t zab_leader_next_zxid(struct zab_leader *leader)
{
    ENSURE(leader->phase == LEADER_BROADCAST);
    if (zxid_counter(leader->proposed) == UINT32_MAX - 1) {
        zab_leader_retire(leader, "the counter of the zxid is used up: a new epoch is needed");
        return 0;
    }
    return leader->proposed + 1;
}

enum err zab_leader_propose(struct zab_leader *leader, struct fx *fx, struct span txn,
                            uint64_t now_us)
{
    struct history_txn *entry;
    struct bytes *out;
    struct span packet;
    enum err err;

    ENSURE(leader->phase == LEADER_BROADCAST);
    err = history_push(leader->deps.history, txn, &entry);
    if (err != ERR_OK) {
        return err;
    }
    ENSURE(entry->zxid == leader->proposed + 1);
    err = store_append(leader->deps.store, entry->zxid, entry->bytes);
    if (err != ERR_OK) {
        return err;
    }
    leader->proposed = entry->zxid;
    metrics_count(leader->deps.metrics, METRIC_PROPOSALS, 1);
    if (leader->deps.metrics != NULL) {
        metric_sizes_add(&leader->deps.metrics->proposals, (int64_t)entry->bytes.len);
    }
    fx_note(fx, NOTE_PROPOSE, (uint64_t)entry->zxid, entry->hash, (uint64_t)entry->session,
            span_make(NULL, 0));
    out = fx_out(fx);
    wire_packet_put(out, PACKET_PROPOSAL, entry->zxid, entry->bytes);
    packet = fx_copy(fx, bytes_span(out));
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase >= PEER_NEWLEADER && !peer->observer) {
            fx_send_lent(fx, peer->conn, packet);
        }
    }
    (void)now_us;
    return ERR_OK;
}

/* ---- acknowledgements and commits ---- */

/* Voters whose last acknowledgement is at least `zxid`. */
static struct acks broadcast_bits(const struct zab_leader *leader, int64_t zxid)
{
    struct acks bits = {0};

    if (leader->logged >= zxid) {
        bits = leader->own_bits;
    }
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->acked >= zxid) {
            acks_join(&bits, peer->bits);
        }
    }
    return bits;
}

/* `candidate` if it lies in (best, zxid] and a quorum has it, else `best`. */
static int64_t broadcast_better(const struct zab_leader *leader, int64_t best, int64_t candidate,
                                int64_t zxid)
{
    if (candidate > best && candidate <= zxid &&
        ensemble_has_quorum(leader->deps.ensemble, broadcast_bits(leader, candidate))) {
        return candidate;
    }
    return best;
}

/* The greatest zxid that a quorum has acknowledged, given that the acknowledgement of `zxid` is
 * what is new: it is `zxid` or some voter's last one below it. */
static int64_t broadcast_quorum_zxid(const struct zab_leader *leader, int64_t zxid)
{
    int64_t best = broadcast_better(leader, leader->committed, zxid, zxid);

    if (best == zxid) {
        return best;
    }
    best = broadcast_better(leader, best, leader->logged, zxid);
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        best = broadcast_better(leader, best, LIST_ITEM(link, struct zab_peer, link)->acked, zxid);
    }
    return best;
}

static bool broadcast_has(const struct zab_leader *leader, bool observers)
{
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase >= PEER_NEWLEADER && peer->observer == observers) {
            return true;
        }
    }
    return false;
}

/* Send what `out` holds to every learner of one kind that is forwarded to. */
static void broadcast_send(struct zab_leader *leader, struct fx *fx, const struct bytes *out,
                           bool observers)
{
    struct span packets = fx_copy(fx, bytes_span(out));

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase >= PEER_NEWLEADER && peer->observer == observers) {
            fx_send_lent(fx, peer->conn, packets);
        }
    }
}

void zab_broadcast_commit(struct zab_leader *leader, struct fx *fx, int64_t zxid, uint64_t now_us)
{
    struct history *history = leader->deps.history;
    int64_t target;
    struct history_txn *txn;
    uint64_t first;

    if (leader->phase != LEADER_BROADCAST || zxid <= leader->committed) {
        return;
    }
    target = broadcast_quorum_zxid(leader, zxid);
    if (target <= leader->committed) {
        return;
    }
    first = history_after(history, leader->committed);
    while (leader->committed < target) {
        enum err err = history_commit(history, leader->committed + 1, &txn);
        ENSURE(err == ERR_OK);
        leader->committed = txn->zxid;
        metrics_count(leader->deps.metrics, METRIC_COMMITS, 1);
        metrics_spread_since(leader->deps.metrics, METRIC_QUORUM_ACK_MS, txn->time_ms);
        fx_note(fx, NOTE_COMMIT, (uint64_t)txn->zxid, txn->hash, 0, span_make(NULL, 0));
    }
    if (broadcast_has(leader, false)) {
        struct bytes *out = fx_out(fx);
        for (uint64_t i = first; (txn = history_at(history, i)) != NULL && txn->zxid <= target;
             i++) {
            wire_packet_put(out, PACKET_COMMIT, txn->zxid, span_make(NULL, 0));
        }
        broadcast_send(leader, fx, out, false);
    }
    if (broadcast_has(leader, true)) {
        struct bytes *out = fx_out(fx);
        for (uint64_t i = first; (txn = history_at(history, i)) != NULL && txn->zxid <= target;
             i++) {
            wire_packet_put(out, PACKET_INFORM, txn->zxid, txn->bytes);
        }
        broadcast_send(leader, fx, out, true);
    }
    (void)now_us;
}

void zab_broadcast_on_ack(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                          int64_t zxid, uint64_t now_us)
{
    if (zxid_counter(zxid) == 0) {
        return; /* the second ACK of NEWLEADER */
    }
    if (zxid > leader->proposed) {
        zab_peer_drop(leader, fx, peer, "acknowledged what was never proposed");
        return;
    }
    if (peer->observer || zxid <= peer->acked) {
        return;
    }
    peer->acked = zxid;
    zab_broadcast_commit(leader, fx, zxid, now_us);
}

void zab_leader_on_logged(struct zab_leader *leader, struct fx *fx, int64_t zxid, uint64_t now_us)
{
    if (leader->phase != LEADER_BROADCAST || zxid <= leader->logged) {
        return;
    }
    leader->logged = zxid;
    zab_broadcast_commit(leader, fx, zxid, now_us);
}

/* ---- pings ---- */

/* A learner that leaves a proposal unacknowledged for syncLimit is not following any more.
 * Source: LearnerHandler.SyncLimitCheck. */
static bool broadcast_lags(const struct zab_leader *leader, struct zab_peer *peer, uint64_t now_us)
{
    uint64_t limit_us =
        config_us(leader->deps.config->tick_ms) * (uint64_t)leader->deps.config->sync_ticks;

    if (peer->observer || peer->acked >= leader->proposed || zxid_counter(leader->proposed) == 0) {
        peer->lag_zxid = 0;
        return false;
    }
    if (peer->lag_zxid == 0 || peer->acked >= peer->lag_zxid) {
        peer->lag_zxid = leader->proposed;
        peer->lag_since_us = now_us;
        return false;
    }
    return now_us - peer->lag_since_us > limit_us;
}

/* Only pings behind UPTODATE are counted: a learner answers none before. A follower that became
 * active after the last round began takes part in it from now on. */
static void broadcast_send_ping(struct zab_peer *peer, struct fx *fx, struct span ping)
{
    fx_send_lent(fx, peer->conn, ping);
    if (peer->phase == PEER_ACTIVE) {
        peer->pings += 1;
        if (peer->round_ping == 0 || peer->round_ping == UINT64_MAX) {
            peer->round_ping = peer->pings;
        }
    }
}

static struct span broadcast_ping_packet(struct zab_leader *leader, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    wire_packet_put(out, PACKET_PING, leader->proposed, span_make(NULL, 0));
    return fx_copy(fx, bytes_span(out));
}

void zab_broadcast_ping(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    struct span ping;
    struct list *next;

    if (leader->phase < LEADER_SYNC) {
        return;
    }
    ping = broadcast_ping_packet(leader, fx);
    for (struct list *link = leader->peers.next; link != &leader->peers; link = next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        next = link->next;
        if (peer->phase == PEER_ACTIVE && broadcast_lags(leader, peer, now_us)) {
            zab_peer_drop(leader, fx, peer, "acknowledges too late");
        } else if (peer->phase >= PEER_NEWLEADER) {
            broadcast_send_ping(peer, fx, ping);
        }
    }
}

/* ---- barriers ---- */

/* Begin a quorum round: a ping to every follower; its answer proves that the follower had not
 * joined a later leader when it answered. */
static void barrier_begin_round(struct zab_leader *leader, struct fx *fx)
{
    struct span ping = broadcast_ping_packet(leader, fx);

    leader->round += 1;
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase == PEER_ACTIVE && !peer->observer) {
            peer->round_ping = UINT64_MAX;
            broadcast_send_ping(peer, fx, ping);
        } else {
            peer->round_ping = UINT64_MAX; /* not asked in this round */
        }
    }
}

static void barrier_try_round(struct zab_leader *leader, struct fx *fx)
{
    struct acks bits = leader->own_bits;
    const struct zab_barrier *last;

    if (leader->round_done == leader->round) {
        return;
    }
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase == PEER_ACTIVE && peer->pongs >= peer->round_ping) {
            acks_join(&bits, peer->bits);
        }
    }
    if (!ensemble_has_quorum(leader->deps.ensemble, bits)) {
        return;
    }
    leader->round_done = leader->round;
    if (ring_count(&leader->barriers) == 0) {
        return;
    }
    last = ring_at(&leader->barriers, ring_count(&leader->barriers) - 1);
    if (last->round > leader->round) {
        barrier_begin_round(leader, fx);
    }
}

void zab_broadcast_on_pong(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                           uint64_t now_us)
{
    (void)now_us;
    if (peer->pongs < peer->pings) {
        peer->pongs += 1;
    }
    barrier_try_round(leader, fx);
}

enum err zab_leader_sync(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t owner,
                         uint64_t now_us)
{
    struct zab_barrier *barrier;

    (void)now_us;
    if (leader->phase != LEADER_BROADCAST || ring_count(&leader->barriers) >= BARRIERS_MAX) {
        return ERR_LONG;
    }
    barrier = ring_push(&leader->barriers);
    if (barrier == NULL) {
        return ERR_MEMORY;
    }
    /* A round in flight may have begun before this sync arrived: its answers prove nothing for it.
     */
    *barrier = (struct zab_barrier){
        .owner = owner, .conn = conn, .zxid = leader->proposed, .round = leader->round + 1};
    if (leader->round_done == leader->round) {
        barrier_begin_round(leader, fx);
        barrier_try_round(leader, fx); /* alone, a leader is its own quorum */
    }
    return ERR_OK;
}

uint32_t zab_leader_release_syncs(struct zab_leader *leader, struct fx *fx)
{
    const struct zab_barrier *barrier;
    uint32_t own = 0;

    while (leader->phase == LEADER_BROADCAST && (barrier = ring_at(&leader->barriers, 0)) != NULL &&
           barrier->round <= leader->round_done && barrier->zxid <= leader->committed) {
        struct zab_peer *peer = barrier->owner == 0 ? NULL : zab_peer_find(leader, barrier->conn);
        if (barrier->owner == 0) {
            own += 1;
        } else if (peer != NULL && peer->owner == barrier->owner) {
            struct bytes *out = fx_out(fx);
            wire_packet_put(out, PACKET_SYNC, 0, span_make(NULL, 0));
            zab_peer_send(peer, fx, out);
        }
        ring_pop(&leader->barriers);
    }
    return own;
}
