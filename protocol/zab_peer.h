/* zab_peer.h - inside zab_leader only: one learner's connection, and what the parts of the leader
 * (zab_leader.c, zab_sync.c, zab_broadcast.c) do for each other. */
#ifndef PROTOCOL_ZAB_PEER_H
#define PROTOCOL_ZAB_PEER_H

#include "protocol/wire_quorum.h"
#include "protocol/zab_leader.h"
#include "tree/image.h"

enum zab_peer_phase {
    PEER_NEW,
    PEER_INFO,
    PEER_EPOCH,
    PEER_ACKED,
    PEER_SNAP,
    PEER_SCAN,
    PEER_NEWLEADER,
    PEER_READY,
    PEER_ACTIVE,
};

struct zab_peer {
    struct list link;
    uint32_t conn;
    uint64_t owner;
    enum zab_peer_phase phase;
    bool observer;
    int64_t sid;
    struct acks bits;       /* empty for observers */
    int64_t accepted_epoch; /* from its INFO */
    int64_t state_epoch;    /* from ACKEPOCH; -1 does not count as an acknowledgement */
    int64_t state_zxid;
    int64_t acked;        /* last proposal acknowledged; NEWLEADER counts for `synced`; 0 before */
    int64_t synced;       /* last one sent with its COMMIT before NEWLEADER */
    uint64_t deadline_us; /* it must be heard of by then */

    struct image_writer *image; /* PEER_SNAP */
    bool draining;              /* PEER_SNAP: waits for IN_DRAINED */
    uint64_t next;              /* PEER_SNAP, PEER_SCAN: history sequence number to go on with */
    struct store_scan *scan;    /* PEER_SCAN */
    int64_t scanned;            /* PEER_SCAN: last zxid sent */
    bool scan_decided;          /* PEER_SCAN: DIFF or TRUNC has been sent */

    uint64_t pings, pongs; /* sent, answered */
    uint64_t round_ping;   /* number of the ping that belongs to the last round */
    int64_t lag_zxid;      /* a proposal it had not acknowledged at lag_since_us; 0 for none */
    uint64_t lag_since_us;
};

struct zab_peer *zab_peer_find(const struct zab_leader *leader, uint32_t conn);
/* Close its connection and forget it. `why` is constant text. */
void zab_peer_drop(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                   const char *why);
/* Send what fx_out holds. */
void zab_peer_send(struct zab_peer *peer, struct fx *fx, const struct bytes *out);
void zab_leader_retire(struct zab_leader *leader, const char *why);
/* Voters among the peers at least at `phase`, and the leader itself. */
struct acks zab_leader_bits(const struct zab_leader *leader, enum zab_peer_phase phase);

/* zab_sync.c: decide how to synchronise a learner and begin; go on with a stream or scan. */
void zab_sync_begin(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                    uint64_t now_us);
void zab_sync_continue(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                       uint64_t now_us);

/* zab_broadcast.c */
void zab_broadcast_on_ack(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                          int64_t zxid, uint64_t now_us);
/* Commit what a quorum has. `zxid` is the acknowledgement that came last. */
void zab_broadcast_commit(struct zab_leader *leader, struct fx *fx, int64_t zxid, uint64_t now_us);
void zab_broadcast_ping(struct zab_leader *leader, struct fx *fx, uint64_t now_us);
void zab_broadcast_on_pong(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                           uint64_t now_us);

#endif
