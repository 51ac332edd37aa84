/* zab_learner.h - a server that follows or observes: registration, synchronisation, broadcast.
 *
 *   CONNECT -> REGISTER -> SYNC_START --DIFF------------------------> SYNC -> FLUSH -> UPTODATE -> ACTIVE
 *   (dials     (INFO sent,  (ACKEPOCH    |                             ^  (NEWLEADER    (its ACK
 *    the        waits for    sent)       +--TRUNC-> TRUNCATE --reload--+   came: all     sent)
 *    leader)    LEADERINFO)              +--SNAP--> STREAM -> INSTALL--+   durable?)
 *
 *   any phase --time-out, closed, wrong packet, disk--> LEFT
 *
 * Proposals are appended to history and log as they come, in every phase; commits move the history's
 * commit mark and the owner applies behind it. Before ACK(NEWLEADER) everything received is durable, then
 * currentEpoch is; no proposal is acknowledged before UPTODATE. While the store truncates or installs, the
 * connection is throttled: nothing is taken from it.
 *
 * Source: Apache Learner.syncWithLeader (3.9.3 and later: durable before currentEpoch), Follower, Observer. */
#ifndef PROTOCOL_ZAB_LEARNER_H
#define PROTOCOL_ZAB_LEARNER_H

#include "base/step.h"
#include "protocol/config.h"
#include "protocol/history.h"
#include "protocol/quorum.h"
#include "protocol/store.h"
#include "protocol/zab.h"
#include "tree/image.h"
#include "tree/tree.h"

enum zab_learner_phase {
    LEARNER_IDLE,
    LEARNER_CONNECT,
    LEARNER_REGISTER,
    LEARNER_SYNC_START,
    LEARNER_TRUNCATE,
    LEARNER_STREAM,
    LEARNER_INSTALL,
    LEARNER_SYNC,
    LEARNER_FLUSH,
    LEARNER_UPTODATE,
    LEARNER_ACTIVE,
    LEARNER_LEFT,
};

struct zab_learner_deps {
    struct mem *mem;
    const struct config *config;
    struct history *history;
    struct store *store;
    struct tree *tree;
    uint64_t id;
};

struct zab_learner {
    struct zab_learner_deps deps;
    enum zab_learner_phase phase;
    const char *left_why; /* constant text, set with LEARNER_LEFT */
    bool observer;
    uint64_t leader_id;
    char address[CONFIG_ADDRESS_MAX]; /* of the leader's quorum port */
    uint32_t conn, conn_next, conn_last;   /* the connection, and the range it may number from */
    bool connected;
    bool throttled;
    uint32_t tries;      /* connection attempts made */
    uint64_t retry_at_us;
    uint64_t deadline_us; /* read time-out of the present phase */
    uint64_t give_up_us;  /* of all connection attempts together */
    uint64_t epoch;       /* of the leader, from LEADERINFO */
    uint64_t acked;       /* last proposal acknowledged */
    uint64_t snap_zxid;   /* label of the stream being read */
    bool tree_broken;     /* a stream was begun and not finished: memory must be reloaded from disk */
    struct image_reader *stream;
    uint64_t flush_zxid;  /* what must be durable before ACK(NEWLEADER) */
};

void zab_learner_init(struct zab_learner *learner, const struct zab_learner_deps *deps);
/* Follow (or observe) `leader_id` at `address` ("host:port"). Connections are numbered from conn_first
 * through conn_last, which must be free and at least 64. */
void zab_learner_start(struct zab_learner *learner, struct fx *fx, uint64_t now_us, uint64_t leader_id,
                       struct span address, bool observer);
/* Close the connection; the owner then flushes, applies the tail and looks for a leader. */
void zab_learner_stop(struct zab_learner *learner, struct fx *fx);
bool zab_learner_owns(const struct zab_learner *learner, uint32_t conn);

void zab_learner_on_opened(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
void zab_learner_on_closed(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
/* The next packet (or piece of a snapshot stream) off the front of `input`: bytes used; 0 when it is
 * incomplete, when the learner is busy with its disk (throttled), or when it left. */
size_t zab_learner_on_packet(struct zab_learner *learner, struct fx *fx, uint64_t now_us, struct span input,
                             struct zab_event *event);
void zab_learner_on_time(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
uint64_t zab_learner_wake_us(const struct zab_learner *learner);
/* Call after every input of the store: it may have finished what the learner waits for, or made more of
 * the log durable. */
void zab_learner_on_store(struct zab_learner *learner, struct fx *fx, uint64_t now_us);

/* Forward a client's request; `auth` is an encoded vector<Id> with its count, empty for null. */
void zab_learner_forward(struct zab_learner *learner, struct fx *fx, struct span packet);
/* Answer a ZAB_PING with the touch table. */
void zab_learner_pong(struct zab_learner *learner, struct fx *fx, uint64_t zxid, struct span touches);
void zab_learner_revalidate(struct zab_learner *learner, struct fx *fx, int64_t session, int32_t timeout_ms);

#endif
