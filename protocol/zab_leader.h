/* zab_leader.h - a server that leads: discovery, synchronisation, broadcast.
 *
 *   DISCOVERY --quorum of FOLLOWERINFO--> EPOCH_ACK --quorum of ACKEPOCH--> SYNC
 *       (epoch fixed, acceptedEpoch durable)     (currentEpoch durable)      |
 *                                       quorum of ACK(NEWLEADER)             v
 *   RETIRED <--lost quorum, time-out, zxid rollover (any phase)-------- BROADCAST
 *
 * Each connection of a learner walks the same road by itself, late ones without waiting:
 *
 *   PEER_NEW ------> PEER_INFO --> PEER_EPOCH --> PEER_ACKED --> PEER_SNAP ----> PEER_NEWLEADER
 *   (accepted, says  (waits for    (LEADERINFO    (waits for     (the tree is    (synchronised but
 * for who it is)       the epoch)    sent)          EPOCH_ACK)     streamed)       its ACK)
 *                                                                                  |
 *                                          PEER_ACTIVE (UPTODATE sent) <-- PEER_READY (its ACK
 * came)
 *
 * From PEER_NEWLEADER on a learner is forwarded every proposal; the history makes the step from
 * synchronisation to live traffic gapless. Acknowledgements are cumulative per learner: a learner
 * logs in order, so its last ACK speaks for all before it, and committing is an order statistic of
 * the voters' last ACKs instead of a set for each proposal.
 *
 * Differences from Apache, each on purpose: taking the lead writes no snapshot; `sync` is a barrier
 * by a quorum round (zab_leader_sync); a leader whose epoch is lower than one that a voter has
 * accepted retires, since that voter could never join it (docs/zab.md).
 *
 * Source: Apache Leader, LearnerHandler; Zab, DSN'11. */
#ifndef PROTOCOL_ZAB_LEADER_H
#define PROTOCOL_ZAB_LEADER_H

#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "base/step.h"
#include "protocol/config.h"
#include "protocol/history.h"
#include "protocol/metrics.h"
#include "protocol/quorum.h"
#include "protocol/store.h"
#include "protocol/zab.h"
#include "tree/tree.h"

enum zab_leader_phase {
    LEADER_IDLE,
    LEADER_DISCOVERY,
    LEADER_EPOCH_ACK,
    LEADER_SYNC,
    LEADER_BROADCAST,
    LEADER_RETIRED,
};

/* What a role borrows from its owner. */
struct zab_deps {
    struct mem *mem;
    const struct config *config;
    const struct ensemble *ensemble;
    struct history *history;
    struct store *store;
    struct tree *
        *tree; /* the owner's pointer: a learner replaces the tree when it is sent a whole one */
    int64_t sid;
    uint64_t seed;           /* of maps */
    struct metrics *metrics; /* where to count; NULL: nowhere */
};

struct zab_leader {
    struct zab_deps deps;
    enum zab_leader_phase phase;
    const char *retired_why; /* constant text, set with LEADER_RETIRED */
    uint32_t listener;
    struct acks own_bits;
    int64_t epoch;       /* being proposed, then fixed */
    int64_t state_epoch; /* own currentEpoch at the start: with state_zxid what followers are
                            compared with */
    int64_t state_zxid;
    int64_t proposed;  /* last zxid proposed, or (epoch, 0) */
    int64_t committed; /* last zxid committed, or (epoch, 0) */
    int64_t logged;    /* own durable zxid: the leader's own ACK */

    uint64_t phase_deadline_us; /* of discovery, epoch ack and sync */
    uint64_t ping_at_us;
    bool even_ping; /* the quorum of the living is tested at every second ping: once a tick */

    struct list peers; /* struct zab_peer, in order of arrival */
    struct map by_conn;
    uint32_t peer_count;
    uint64_t next_owner;

    struct ring barriers; /* struct zab_barrier: syncs that are not answered, oldest first */
    uint64_t round;       /* number of the last quorum round begun; 0 for none */
    uint64_t round_done;  /* ... and of the last one that a quorum has answered */
};

/* Whoever waits for a sync at the leader: a learner (`owner`, SYNC is sent there) or a client of
 * the leader's own (owner 0). */
struct zab_barrier {
    uint64_t owner;
    uint32_t conn;
    int64_t zxid;   /* must be committed */
    uint64_t round; /* must be done */
};

/* Bind the machine to its surroundings; no effect yet. */
void zab_leader_init(struct zab_leader *leader, const struct zab_deps *deps);
/* Begin to lead from what the store holds: listen on the own quorum address as `listener`, wait for
 * followers. The store must be settled and everything in the history committed. */
void zab_leader_start(struct zab_leader *leader, struct fx *fx, uint64_t now_us, uint32_t listener);
/* Close every connection and the port, forget all learners. Harmless when idle. */
void zab_leader_stop(struct zab_leader *leader, struct fx *fx);

void zab_leader_on_listening(struct zab_leader *leader, enum err err);
/* A connection was accepted on the quorum port. */
void zab_leader_on_opened(struct zab_leader *leader, struct fx *fx, const struct input *in);
bool zab_leader_owns(const struct zab_leader *leader, uint32_t conn);
void zab_leader_on_closed(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t now_us);
/* What was sent with a wish to hear of it has gone out: a stream goes on. */
void zab_leader_on_drained(struct zab_leader *leader, struct fx *fx, uint32_t conn,
                           uint64_t now_us);
/* One packet off the front of `input`: the bytes used, 0 when it is incomplete or the connection
 * was dropped. *event tells what the owner is to do. */
size_t zab_leader_on_packet(struct zab_leader *leader, struct fx *fx, const struct input *in,
                            struct span input, struct zab_event *event);
/* Scans of the log files have more to give (STORE_SCANNED). */
void zab_leader_on_scanned(struct zab_leader *leader, struct fx *fx, uint64_t now_us);
/* Drop a learner for what it sent; `why` is constant text. Harmless when it is gone. */
void zab_leader_refuse(struct zab_leader *leader, struct fx *fx, uint32_t conn, const char *why);
/* Deadlines, pings, streams that go on. */
void zab_leader_on_time(struct zab_leader *leader, struct fx *fx, uint64_t now_us);
uint64_t zab_leader_wake_us(const struct zab_leader *leader);
/* The own log is durable up to `zxid`. */
void zab_leader_on_logged(struct zab_leader *leader, struct fx *fx, int64_t zxid, uint64_t now_us);

/* The zxid that the next proposal must have; 0 when the counter is used up: the leader then
 * retires. */
int64_t zab_leader_next_zxid(struct zab_leader *leader);
/* Propose transaction bytes whose header carries zab_leader_next_zxid: into history and log, and to
 * every forwarded follower. Errors: ERR_MEMORY, ERR_REFUSED (too many in flight). */
enum err zab_leader_propose(struct zab_leader *leader, struct fx *fx, struct span txn,
                            uint64_t now_us);

/* Answer a ZAB_REVALIDATE. */
void zab_leader_revalidated(struct zab_leader *leader, struct fx *fx, uint32_t conn,
                            int64_t session, bool valid);
/* A sync arrived from a learner (its connection and owner number) or an own client (owner 0). It is
 * answered once everything proposed so far is committed and a quorum has answered a round that
 * began after this call. Errors: ERR_MEMORY, ERR_LONG (too many are waiting: drop whoever asked).
 */
enum err zab_leader_sync(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t owner,
                         uint64_t now_us);
/* Answer learners' syncs that are done; returns how many of the own clients' are, oldest first.
 * Call it after committed transactions were applied. */
uint32_t zab_leader_release_syncs(struct zab_leader *leader, struct fx *fx);
/* The least history sequence number that is still needed; UINT64_MAX for none (history_trim). */
uint64_t zab_leader_floor(const struct zab_leader *leader);

/* Learners that are synchronised, for reports: followers, observers. */
uint32_t zab_leader_synced(const struct zab_leader *leader, bool observers);

#endif
