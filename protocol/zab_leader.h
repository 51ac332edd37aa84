/* zab_leader.h - a server that leads: discovery, synchronisation, broadcast.
 *
 *   DISCOVERY --quorum of FOLLOWERINFO--> EPOCH_ACK --quorum of ACKEPOCH--> SYNC
 *       (epoch fixed, acceptedEpoch durable)     (currentEpoch durable)      |
 *                                       quorum of ACK(NEWLEADER)             v
 *   RETIRED <--lost quorum, time-out, disk, zxid rollover (any phase)-- BROADCAST
 *
 * Each connection of a learner walks the same road by itself, late ones without waiting:
 *
 *   PEER_NEW -> PEER_INFO -> PEER_EPOCH -> PEER_SNAP -> PEER_NEWLEADER -> PEER_READY -> PEER_ACTIVE
 *   (accepted)  (waits for   (LEADERINFO    (streams     (waits for its    (acked;        (UPTODATE
 *                the epoch)   sent, then     the tree)    ACK)              waits for      sent)
 *                             waits for                                     BROADCAST)
 *                             EPOCH_ACK quorum)
 *
 * From PEER_NEWLEADER on a learner is forwarded every proposal; the history makes the step from
 * synchronisation to live traffic gapless. Acknowledgements are cumulative per learner: a learner logs in
 * order, so its last ACK speaks for all before it, and committing is one order statistic, not a set a
 * proposal.
 *
 * Differences from Apache, each on purpose: taking the lead writes no snapshot; `sync` is a barrier by a
 * quorum round (zab_leader_sync); a leader whose epoch is lower than one that a voter has accepted retires,
 * since that voter could never join it (docs/zab.md). */
#ifndef PROTOCOL_ZAB_LEADER_H
#define PROTOCOL_ZAB_LEADER_H

#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "base/step.h"
#include "protocol/config.h"
#include "protocol/history.h"
#include "protocol/quorum.h"
#include "protocol/store.h"
#include "protocol/zab.h"
#include "tree/tree.h"

enum zab_leader_phase {
    LEADER_DISCOVERY,
    LEADER_EPOCH_ACK,
    LEADER_SYNC,
    LEADER_BROADCAST,
    LEADER_RETIRED,
};

struct zab_peer;

struct zab_leader {
    /* borrowed from the owner for life */
    struct mem *mem;
    const struct config *config;
    const struct membership *members;
    struct history *history;
    struct store *store;
    struct tree *tree;

    enum zab_leader_phase phase;
    const char *retired_why; /* constant text, set with LEADER_RETIRED */
    uint64_t id;
    uint64_t epoch;         /* being proposed, then fixed */
    uint64_t state_epoch;   /* own currentEpoch at the start: the summary that followers are compared with */
    uint64_t state_zxid;
    uint64_t proposed;      /* last zxid proposed, or epoch<<32 */
    uint64_t committed;     /* last zxid committed, or epoch<<32 */
    uint64_t own_logged;    /* own durable zxid */
    bool own_epoch_ready;   /* currentEpoch written: the leader counts itself for NEWLEADER */
    bool listening;

    uint64_t phase_deadline_us; /* of discovery, epoch ack and sync */
    uint64_t ping_at_us;
    bool second_ping;       /* the quorum of the living is tested at every second ping: once a tick */

    struct list peers;      /* struct zab_peer, in order of arrival */
    struct map by_conn;

    struct ring barriers;   /* struct zab_barrier: syncs not answered, oldest first */
    uint64_t round;         /* number of the quorum round in flight or last done */
    uint64_t round_done;
};

/* Whoever waits for a sync at the leader: a learner's connection (SYNC is sent there) or a client of the
 * leader's own (conn 0; `token` comes back by zab_leader_next_synced). */
struct zab_barrier {
    uint32_t conn;
    uint64_t token;
    uint64_t zxid;  /* must be committed */
    uint64_t round; /* must be done */
};

struct zab_leader_deps {
    struct mem *mem;
    const struct config *config;
    const struct membership *members;
    struct history *history;
    struct store *store;
    struct tree *tree;
    uint64_t id;
};

/* Bind the machine to its surroundings; no effect yet. */
void zab_leader_init(struct zab_leader *leader, const struct zab_leader_deps *deps);
/* Begin to lead from what the store holds: listen on the quorum port, wait for followers.
 * `listener` is the number of the quorum port's listener. */
void zab_leader_start(struct zab_leader *leader, struct fx *fx, uint64_t now_us, uint32_t listener);
/* Close every connection and the port, forget all learners. Call before the next start. */
void zab_leader_stop(struct zab_leader *leader, struct fx *fx, uint32_t listener);

void zab_leader_on_listening(struct zab_leader *leader, enum err err);
void zab_leader_on_opened(struct zab_leader *leader, uint32_t conn, uint64_t now_us);
bool zab_leader_owns(const struct zab_leader *leader, uint32_t conn);
void zab_leader_on_closed(struct zab_leader *leader, uint32_t conn);
void zab_leader_on_drained(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t now_us);
/* One packet off the front of `input`: the bytes used, 0 when it is incomplete or the connection was
 * dropped. *event tells what the owner is to do. */
size_t zab_leader_on_packet(struct zab_leader *leader, struct fx *fx, const struct input *in, struct span input,
                            struct zab_event *event);
/* Deadlines, pings, streams that go on. */
void zab_leader_on_time(struct zab_leader *leader, struct fx *fx, uint64_t now_us);
uint64_t zab_leader_wake_us(const struct zab_leader *leader);
/* The own log is durable up to `zxid`. */
void zab_leader_on_logged(struct zab_leader *leader, struct fx *fx, uint64_t zxid, uint64_t now_us);

/* The zxid that the next proposal will have; 0 when the counter is used up (the leader then retires). */
uint64_t zab_leader_next_zxid(struct zab_leader *leader);
/* Propose transaction bytes whose header carries zab_leader_next_zxid: into history and log, and to every
 * forwarded follower. Errors: ERR_MEMORY. */
enum err zab_leader_propose(struct zab_leader *leader, struct fx *fx, struct span txn, uint64_t now_us);

/* Answer a ZAB_REVALIDATE. */
void zab_leader_revalidate(struct zab_leader *leader, struct fx *fx, uint32_t conn, int64_t session, bool valid);
/* A sync arrived from a learner (conn) or an own client (conn 0, token). It is answered once everything
 * proposed so far is committed and a quorum has answered a round that began after this call.
 * Errors: ERR_MEMORY, ERR_LONG (too many waiting). */
enum err zab_leader_sync(struct zab_leader *leader, struct fx *fx, uint32_t conn, uint64_t token, uint64_t now_us);
/* Own clients' syncs that are done: one token a call; false when there is none. Learners' are answered inside. */
bool zab_leader_next_synced(struct zab_leader *leader, struct fx *fx, uint64_t *token);

#endif
