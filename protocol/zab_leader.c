#include "protocol/zab_leader.h"

#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/zab_peer.h"

#define PACKET_DATA_MAX (4u << 20) /* of a learner: a forwarded request, a touch table */

static uint64_t leader_tick_us(const struct zab_leader *leader)
{
    return config_us(leader->deps.config->tick_ms);
}

static uint64_t leader_init_us(const struct zab_leader *leader)
{
    return leader_tick_us(leader) * (uint64_t)leader->deps.config->init_ticks;
}

static uint64_t leader_sync_us(const struct zab_leader *leader)
{
    return leader_tick_us(leader) * (uint64_t)leader->deps.config->sync_ticks;
}

/* ---- life ---- */

void zab_leader_init(struct zab_leader *leader, const struct zab_deps *deps)
{
    *leader = (struct zab_leader){.deps = *deps, .phase = LEADER_IDLE, .next_owner = 2};
    list_init(&leader->peers);
    map_init(&leader->by_conn, deps->mem, deps->seed);
    ring_init(&leader->barriers, deps->mem, sizeof(struct zab_barrier));
}

void zab_leader_start(struct zab_leader *leader, struct fx *fx, uint64_t now_us, uint32_t listener)
{
    struct zab_deps *deps = &leader->deps;
    const struct member *own = membership_find(deps->ensemble->committed, deps->sid);

    ENSURE(leader->phase == LEADER_IDLE);
    ENSURE(history_pending_count(deps->history) == 0);
    leader->phase = LEADER_DISCOVERY;
    leader->retired_why = NULL;
    leader->listener = listener;
    leader->own_bits = ensemble_bits(deps->ensemble, deps->sid);
    leader->state_epoch = store_current_epoch(deps->store);
    leader->state_zxid = history_last_zxid(deps->history);
    leader->epoch = store_accepted_epoch(deps->store) + 1;
    leader->proposed = 0;
    leader->committed = 0;
    leader->logged = 0;
    leader->phase_deadline_us = now_us + leader_init_us(leader);
    leader->ping_at_us = now_us + leader_tick_us(leader) / 2;
    leader->even_ping = false;
    leader->round = 0;
    leader->round_done = 0;
    if (own == NULL) {
        zab_leader_retire(leader, "not a member of the ensemble");
        return;
    }
    fx_listen(fx, listener, own->addresses[0].quorum);
    zab_leader_on_time(leader, fx, now_us); /* alone, a leader is its own quorum */
}

static void leader_forget(struct zab_leader *leader, struct zab_peer *peer)
{
    image_writer_drop(peer->image);
    if (peer->scan != NULL) {
        store_scan_close(leader->deps.store, peer->scan);
    }
    map_take(&leader->by_conn, peer->conn);
    list_take(&peer->link);
    leader->peer_count -= 1;
    mem_put(leader->deps.mem, peer, sizeof *peer);
}

void zab_leader_stop(struct zab_leader *leader, struct fx *fx)
{
    if (leader->phase == LEADER_IDLE) {
        return;
    }
    while (!list_empty(&leader->peers)) {
        struct zab_peer *peer = LIST_ITEM(leader->peers.next, struct zab_peer, link);
        fx_close(fx, peer->conn, false);
        leader_forget(leader, peer);
    }
    fx_unlisten(fx, leader->listener);
    ring_clear(&leader->barriers);
    leader->phase = LEADER_IDLE;
}

void zab_leader_retire(struct zab_leader *leader, const char *why)
{
    if (leader->phase != LEADER_RETIRED) {
        leader->phase = LEADER_RETIRED;
        leader->retired_why = why;
    }
}

/* ---- peers ---- */

struct zab_peer *zab_peer_find(const struct zab_leader *leader, uint32_t conn)
{
    return (struct zab_peer *)map_find(&leader->by_conn, conn);
}

bool zab_leader_owns(const struct zab_leader *leader, uint32_t conn)
{
    return map_find(&leader->by_conn, conn) != NULL;
}

void zab_peer_drop(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer, const char *why)
{
    fx_note(fx, NOTE_PEER_REFUSED, (uint64_t)peer->sid, leader->listener, 0, span_text(why));
    fx_close(fx, peer->conn, true);
    leader_forget(leader, peer);
}

void zab_peer_send(struct zab_peer *peer, struct fx *fx, const struct bytes *out)
{
    if (out->failed) {
        fx->failed = true;
        return;
    }
    fx_send(fx, peer->conn, bytes_span(out));
}

struct acks zab_leader_bits(const struct zab_leader *leader, enum zab_peer_phase phase)
{
    struct acks bits = leader->own_bits;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase >= phase) {
            acks_join(&bits, peer->bits);
        }
    }
    return bits;
}

void zab_leader_on_listening(struct zab_leader *leader, enum err err)
{
    if (err != ERR_OK && leader->phase != LEADER_IDLE) {
        zab_leader_retire(leader, "the quorum port cannot be bound");
    }
}

void zab_leader_on_opened(struct zab_leader *leader, struct fx *fx, const struct input *in)
{
    uint32_t conn = in->opened.conn;
    struct zab_peer *peer;

    if (leader->phase == LEADER_IDLE || leader->phase == LEADER_RETIRED ||
        leader->peer_count >= (uint64_t)leader->deps.config->learners_max) {
        fx_close(fx, conn, true);
        return;
    }
    peer = mem_get_zero(leader->deps.mem, sizeof *peer);
    if (peer == NULL || map_put(&leader->by_conn, conn, peer) != ERR_OK) {
        mem_put(leader->deps.mem, peer, sizeof *peer);
        fx_close(fx, conn, true);
        return;
    }
    peer->conn = conn;
    peer->owner = leader->next_owner++;
    peer->phase = PEER_NEW;
    peer->sid = -1;
    peer->deadline_us = in->mono_us + leader_init_us(leader);
    list_push(&leader->peers, &peer->link);
    leader->peer_count += 1;
}

void zab_leader_on_closed(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t now_us)
{
    struct zab_peer *peer = zab_peer_find(leader, conn);

    (void)fx;
    (void)now_us;
    if (peer != NULL) {
        leader_forget(leader, peer);
    }
}

void zab_leader_on_drained(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t now_us)
{
    struct zab_peer *peer = zab_peer_find(leader, conn);

    if (peer != NULL && peer->draining) {
        peer->draining = false;
        zab_sync_continue(leader, fx, peer, now_us);
    }
}

void zab_leader_on_scanned(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    struct list *next;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        next = link->next; /* the peer may be dropped */
        if (peer->phase == PEER_SCAN) {
            zab_sync_continue(leader, fx, peer, now_us);
        }
    }
}

void zab_leader_refuse(struct zab_leader *leader, struct fx *fx, uint32_t conn, const char *why)
{
    struct zab_peer *peer = zab_peer_find(leader, conn);

    if (peer != NULL) {
        zab_peer_drop(leader, fx, peer, why);
    }
}

/* ---- discovery ---- */

static void leader_send_leaderinfo(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer)
{
    struct bytes *out = fx_out(fx);

    wire_int_put(out, PACKET_LEADERINFO, zxid_make(leader->epoch, 0), WIRE_LEARNER_VERSION);
    zab_peer_send(peer, fx, out);
    peer->phase = PEER_EPOCH;
}

/* Fix the epoch once a quorum has said which epochs it accepted before.
 * Source: Leader.getEpochToPropose. */
static void leader_try_epoch(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    if (leader->phase != LEADER_DISCOVERY ||
        !ensemble_has_quorum(leader->deps.ensemble, zab_leader_bits(leader, PEER_INFO))) {
        return;
    }
    store_set_accepted_epoch(leader->deps.store, fx, leader->epoch);
    leader->proposed = zxid_make(leader->epoch, 0);
    leader->committed = leader->proposed;
    leader->phase = LEADER_EPOCH_ACK;
    leader->phase_deadline_us = now_us + leader_init_us(leader);
    fx_note(fx, NOTE_EPOCH_NEW, (uint64_t)leader->epoch, (uint64_t)leader->state_zxid, 0,
            span_make(NULL, 0));
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase == PEER_INFO) {
            leader_send_leaderinfo(leader, fx, peer);
        }
    }
}

/* The voters that acknowledged the epoch, by currentEpoch and not by -1, and the leader. */
static struct acks leader_epoch_acks(const struct zab_leader *leader)
{
    struct acks bits = leader->own_bits;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase >= PEER_ACKED && peer->state_epoch != -1 && peer->state_zxid != -1) {
            acks_join(&bits, peer->bits);
        }
    }
    return bits;
}

/* Go on to synchronise once a quorum has promised to follow no older leader.
 * Source: Leader.waitForEpochAck. */
static void leader_try_epoch_acks(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    struct list *link;
    struct list *next;

    if (leader->phase != LEADER_EPOCH_ACK ||
        !ensemble_has_quorum(leader->deps.ensemble, leader_epoch_acks(leader))) {
        return;
    }
    store_set_current_epoch(leader->deps.store, fx, leader->epoch);
    leader->phase = LEADER_SYNC;
    leader->phase_deadline_us = now_us + leader_init_us(leader);
    leader->logged = leader->proposed;
    for (link = leader->peers.next; link != &leader->peers; link = next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        next = link->next; /* the peer may be dropped */
        if (peer->phase == PEER_ACKED) {
            zab_sync_begin(leader, fx, peer, now_us);
        }
    }
}

/* Serve once a quorum has the leader's history on disk. Source: Leader.waitForNewLeaderAck. */
static void leader_try_establish(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    uint32_t learners = 0;

    if (leader->phase != LEADER_SYNC ||
        !ensemble_has_quorum(leader->deps.ensemble, zab_leader_bits(leader, PEER_READY))) {
        return;
    }
    leader->phase = LEADER_BROADCAST;
    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if (peer->phase == PEER_READY) {
            struct bytes *out = fx_out(fx);
            wire_packet_put(out, PACKET_UPTODATE, -1, span_make(NULL, 0));
            zab_peer_send(peer, fx, out);
            peer->phase = PEER_ACTIVE;
            learners += 1;
        }
        peer->deadline_us =
            now_us + (peer->phase == PEER_ACTIVE ? leader_sync_us(leader) : leader_init_us(leader));
    }
    fx_note(fx, NOTE_ESTABLISHED, (uint64_t)leader->epoch,
            (uint64_t)history_last_zxid(leader->deps.history), learners, span_make(NULL, 0));
}

/* ---- packets ---- */

static void leader_on_info(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                           const struct wire_packet *packet)
{
    const struct membership *members = leader->deps.ensemble->committed;
    struct wire_learner learner;

    if ((packet->type != PACKET_FOLLOWERINFO && packet->type != PACKET_OBSERVERINFO) ||
        wire_learner_decode(packet->data, &learner) != ERR_OK) {
        zab_peer_drop(leader, fx, peer, "does not say who it is");
        return;
    }
    peer->sid = learner.form == LEARNER_NULL ? -1 : learner.sid;
    if (learner.form == LEARNER_NULL || learner.protocol_version < WIRE_LEARNER_VERSION) {
        zab_peer_drop(leader, fx, peer, "speaks a protocol older than ZooKeeper 3.4");
        return;
    }
    if ((uint64_t)learner.config_version > members->version) {
        zab_peer_drop(leader, fx, peer, "has a newer configuration than the leader");
        return;
    }
    if (peer->sid == leader->deps.sid || packet->zxid < 0) {
        zab_peer_drop(leader, fx, peer, "claims the leader's own id or a negative epoch");
        return;
    }
    peer->observer = packet->type == PACKET_OBSERVERINFO;
    peer->bits =
        peer->observer ? (struct acks){0} : ensemble_bits(leader->deps.ensemble, peer->sid);
    peer->accepted_epoch = zxid_epoch(packet->zxid);
    peer->phase = PEER_INFO;
}

/* A later connection of the same server replaces an older one: the server was restarted, or gave
 * the old one up before we noticed. */
static void leader_drop_twin(struct zab_leader *leader, struct fx *fx, const struct zab_peer *peer)
{
    struct list *next;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = next) {
        struct zab_peer *other = LIST_ITEM(link, struct zab_peer, link);
        next = link->next;
        if (other != peer && other->sid == peer->sid && other->phase != PEER_NEW) {
            zab_peer_drop(leader, fx, other, "the same server connected again");
        }
    }
}

static void leader_admit(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                         uint64_t now_us)
{
    bool voter = peer->bits.committed != 0 || peer->bits.seen != 0;

    leader_drop_twin(leader, fx, peer);
    if (leader->phase == LEADER_DISCOVERY) {
        if (voter && peer->accepted_epoch >= leader->epoch) {
            leader->epoch = peer->accepted_epoch + 1;
        }
        leader_try_epoch(leader, fx, now_us);
        return;
    }
    if (voter && peer->accepted_epoch > leader->epoch) {
        zab_leader_retire(leader, "a voter has accepted a later epoch");
        return;
    }
    leader_send_leaderinfo(leader, fx, peer);
}

static void leader_on_ackepoch(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                               const struct wire_packet *packet, uint64_t now_us)
{
    int32_t epoch;

    if (packet->type != PACKET_ACKEPOCH || wire_int_decode(packet->data, &epoch) != ERR_OK) {
        zab_peer_drop(leader, fx, peer, "expected ACKEPOCH");
        return;
    }
    peer->state_epoch = epoch;
    peer->state_zxid = packet->zxid;
    if (leader->phase == LEADER_EPOCH_ACK && epoch != -1 && peer->bits.committed != 0 &&
        (epoch > leader->state_epoch ||
         (epoch == leader->state_epoch && packet->zxid > leader->state_zxid))) {
        zab_peer_drop(leader, fx, peer, "has a later history than the leader");
        return;
    }
    peer->phase = PEER_ACKED;
    if (leader->phase == LEADER_EPOCH_ACK) {
        leader_try_epoch_acks(leader, fx, now_us);
    } else {
        zab_sync_begin(leader, fx, peer, now_us);
    }
}

static void leader_on_newleader_ack(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                                    const struct wire_packet *packet, uint64_t now_us)
{
    if (packet->type != PACKET_ACK || packet->zxid != zxid_make(leader->epoch, 0)) {
        zab_peer_drop(leader, fx, peer, "expected the ACK of NEWLEADER");
        return;
    }
    /* Also everything that was sent before NEWLEADER as committed: it has no ACK of its own. */
    peer->acked = peer->synced > packet->zxid ? peer->synced : packet->zxid;
    peer->phase = PEER_READY;
    if (leader->phase == LEADER_SYNC) {
        leader_try_establish(leader, fx, now_us);
    } else if (leader->phase == LEADER_BROADCAST) {
        struct bytes *out = fx_out(fx);
        wire_packet_put(out, PACKET_UPTODATE, -1, span_make(NULL, 0));
        zab_peer_send(peer, fx, out);
        peer->phase = PEER_ACTIVE;
    }
}

static void leader_on_traffic(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                              const struct wire_packet *packet, struct zab_event *event,
                              uint64_t now_us)
{
    struct wire_touch ask;

    switch (packet->type) {
    case PACKET_ACK:
        zab_broadcast_on_ack(leader, fx, peer, packet->zxid, now_us);
        return;
    case PACKET_PING:
        event->kind = ZAB_TOUCHES;
        event->bytes = packet->data;
        if (wire_touches_check(packet->data) != ERR_OK) {
            event->kind = ZAB_NOTHING;
            zab_peer_drop(leader, fx, peer, "malformed PING");
            return;
        }
        zab_broadcast_on_pong(leader, fx, peer, now_us);
        return;
    case PACKET_REQUEST:
        event->kind = ZAB_REQUEST;
        event->bytes = packet->data;
        event->auth = packet->authinfo;
        return;
    case PACKET_REVALIDATE:
        if (wire_revalidate_decode(packet->data, &ask) != ERR_OK) {
            zab_peer_drop(leader, fx, peer, "malformed REVALIDATE");
            return;
        }
        event->kind = ZAB_REVALIDATE;
        event->session = ask.session;
        event->timeout_ms = ask.timeout_ms;
        return;
    default:
        zab_peer_drop(leader, fx, peer, "unexpected packet");
        return;
    }
}

static void leader_dispatch(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                            const struct wire_packet *packet, struct zab_event *event,
                            uint64_t now_us)
{
    switch (peer->phase) {
    case PEER_NEW:
        leader_on_info(leader, fx, peer, packet);
        /* the peer may be gone */
        if (zab_peer_find(leader, event->conn) != NULL && peer->phase == PEER_INFO) {
            leader_admit(leader, fx, peer, now_us);
        }
        return;
    case PEER_EPOCH:
        leader_on_ackepoch(leader, fx, peer, packet, now_us);
        return;
    case PEER_NEWLEADER:
        leader_on_newleader_ack(leader, fx, peer, packet, now_us);
        return;
    case PEER_READY:
    case PEER_ACTIVE:
        leader_on_traffic(leader, fx, peer, packet, event, now_us);
        return;
    case PEER_INFO:
    case PEER_ACKED:
    case PEER_SNAP:
    case PEER_SCAN:
        zab_peer_drop(leader, fx, peer, "spoke out of turn");
        return;
    }
}

size_t zab_leader_on_packet(struct zab_leader *leader, struct fx *fx, const struct input *in,
                            struct span input, struct zab_event *event)
{
    struct zab_peer *peer = zab_peer_find(leader, in->bytes.conn);
    uint64_t now_us = in->mono_us;
    struct wire_packet packet;
    size_t used = 0;
    enum err err;

    *event = (struct zab_event){.kind = ZAB_NOTHING, .conn = in->bytes.conn};
    if (peer == NULL || leader->phase == LEADER_RETIRED) {
        return 0;
    }
    event->owner = peer->owner;
    err = wire_packet_next(input, PACKET_DATA_MAX, &packet, &used);
    if (err == ERR_SHORT) {
        return 0;
    }
    if (err != ERR_OK) {
        zab_peer_drop(leader, fx, peer, err_text(err));
        return 0;
    }
    peer->deadline_us = now_us + (peer->phase >= PEER_READY && leader->phase == LEADER_BROADCAST
                                      ? leader_sync_us(leader)
                                      : leader_init_us(leader));
    leader_dispatch(leader, fx, peer, &packet, event, now_us);
    return used;
}

void zab_leader_revalidated(struct zab_leader *leader, struct fx *fx, uint32_t conn,
                            int64_t session, bool valid)
{
    struct zab_peer *peer = zab_peer_find(leader, conn);
    struct bytes *out;

    if (peer == NULL) {
        return;
    }
    out = fx_out(fx);
    wire_revalidated_put(out, session, valid);
    zab_peer_send(peer, fx, out);
}

/* ---- time ---- */

static void leader_check_deadlines(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    struct list *next;

    if (leader->phase < LEADER_BROADCAST && now_us >= leader->phase_deadline_us) {
        zab_leader_retire(
            leader, leader->phase == LEADER_DISCOVERY   ? "no quorum of followers came in time"
                    : leader->phase == LEADER_EPOCH_ACK ? "no quorum acknowledged the epoch in time"
                                                        : "no quorum synchronised in time");
        return;
    }
    for (struct list *link = leader->peers.next; link != &leader->peers; link = next) {
        struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        next = link->next;
        if (now_us >= peer->deadline_us) {
            zab_peer_drop(leader, fx, peer, "was silent for too long");
        }
    }
}

void zab_leader_on_time(struct zab_leader *leader, struct fx *fx, uint64_t now_us)
{
    if (leader->phase == LEADER_IDLE || leader->phase == LEADER_RETIRED) {
        return;
    }
    leader_try_epoch(leader, fx, now_us);
    leader_try_epoch_acks(leader, fx, now_us);
    leader_try_establish(leader, fx, now_us);
    leader_check_deadlines(leader, fx, now_us);
    if (leader->phase == LEADER_RETIRED || now_us < leader->ping_at_us) {
        return;
    }
    leader->ping_at_us = now_us + leader_tick_us(leader) / 2;
    leader->even_ping = !leader->even_ping;
    if (leader->phase == LEADER_BROADCAST && leader->even_ping &&
        !ensemble_has_quorum(leader->deps.ensemble, zab_leader_bits(leader, PEER_READY))) {
        zab_leader_retire(leader, "lost its quorum of followers");
        return;
    }
    zab_broadcast_ping(leader, fx, now_us);
}

uint64_t zab_leader_wake_us(const struct zab_leader *leader)
{
    uint64_t wake_us;

    if (leader->phase == LEADER_IDLE || leader->phase == LEADER_RETIRED) {
        return WAKE_NEVER;
    }
    /* Peers' deadlines are looked at when pings are due: half a tick is fine enough for limits of
     * ticks. */
    wake_us = leader->ping_at_us;
    if (leader->phase < LEADER_BROADCAST && leader->phase_deadline_us < wake_us) {
        wake_us = leader->phase_deadline_us;
    }
    return wake_us;
}

uint64_t zab_leader_floor(const struct zab_leader *leader)
{
    uint64_t floor = UINT64_MAX;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        if ((peer->phase == PEER_SNAP || peer->phase == PEER_SCAN) && peer->next < floor) {
            floor = peer->next;
        }
    }
    return floor;
}

uint32_t zab_leader_synced(const struct zab_leader *leader, bool observers)
{
    uint32_t count = 0;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        const struct zab_peer *peer = LIST_ITEM(link, struct zab_peer, link);
        count += peer->phase >= PEER_READY && peer->observer == observers;
    }
    return count;
}
