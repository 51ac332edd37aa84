/* zab_learner.h - a server that follows or observes: registration, synchronisation, broadcast.
 *
 *   CONNECT -> REGISTER -> SYNC_START --DIFF------------------------> SYNC -> FLUSH -> UPTODATE ->
 * ACTIVE (dials     (INFO sent,  (ACKEPOCH    |                             ^  (NEWLEADER    (its
 * ACK the        waits for    sent)       +--TRUNC-> TRUNCATE --reload--+   came: all     sent)
 *    leader)    LEADERINFO)              +--SNAP--> STREAM -> INSTALL--+   durable?)
 *
 *   any phase --time-out, closed, wrong packet--> LEFT
 *
 * Proposals are appended to history and log as they come, in every phase; commits move the
 * history's commit mark and the owner applies behind it. Before ACK(NEWLEADER) everything received
 * is durable, and then currentEpoch is; no proposal is acknowledged before UPTODATE. While the
 * store truncates, installs or flushes, the connection is throttled and nothing is taken from it.
 *
 * Source: Apache Learner.syncWithLeader (3.9.3 and later: durable before currentEpoch), Follower,
 * Observer. */
#ifndef PROTOCOL_ZAB_LEARNER_H
#define PROTOCOL_ZAB_LEARNER_H

#include "base/step.h"
#include "protocol/zab_leader.h"
#include "tree/image.h"

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

struct zab_learner {
    struct zab_deps deps;
    struct tree_options tree_options; /* of the tree that a stream fills */
    enum zab_learner_phase phase;
    const char *left_why; /* constant text, set with LEARNER_LEFT */
    bool observer;
    int64_t leader;
    struct span address; /* of the leader's quorum port; the membership's */
    uint32_t conn;       /* the present connection */
    uint32_t conn_first; /* range of numbers for it */
    uint32_t conn_count;
    bool dialing, connected, throttled;
    uint32_t tries; /* connection attempts made */
    uint64_t retry_at_us;
    uint64_t give_up_us;  /* of all connection attempts together */
    uint64_t deadline_us; /* something must have come by then */
    int64_t epoch;        /* of the leader, from LEADERINFO */
    int64_t acked;        /* last proposal acknowledged */
    int64_t flush_zxid;   /* FLUSH: what must be durable */
    int64_t snap_zxid;    /* STREAM: its label */
    bool tree_broken; /* a stream was begun and not installed: memory must be loaded from disk again
                       */
    bool stream_ended; /* the tree is complete, the mark behind it is awaited */
    struct image_reader *stream;
};

/* Connections are numbered within [conn_first, conn_first + conn_count), conn_count >= 16. */
void zab_learner_init(struct zab_learner *learner, const struct zab_deps *deps,
                      const struct tree_options *options, uint32_t conn_first, uint32_t conn_count);
/* Follow, or observe, server `leader`. The store must be settled and everything in the history
 * committed. */
void zab_learner_start(struct zab_learner *learner, struct fx *fx, uint64_t now_us, int64_t leader,
                       bool observer);
/* Close the connection. The owner then waits for the store to settle, or loads it again when
 * `tree_broken`. */
void zab_learner_stop(struct zab_learner *learner, struct fx *fx);
bool zab_learner_owns(const struct zab_learner *learner, uint32_t conn);

void zab_learner_on_opened(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
void zab_learner_on_closed(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
/* The next packet, or piece of a stream, off the front of `input`: bytes used; 0 when it is
 * incomplete, while the disk is waited for, and after leaving. */
size_t zab_learner_on_packet(struct zab_learner *learner, struct fx *fx, uint64_t now_us,
                             struct span input, struct zab_event *event);
void zab_learner_on_time(struct zab_learner *learner, struct fx *fx, uint64_t now_us);
uint64_t zab_learner_wake_us(const struct zab_learner *learner);
/* `events` of store_on_input: what is waited for may be done, or more of the log durable. */
void zab_learner_on_store(struct zab_learner *learner, struct fx *fx, uint32_t events,
                          uint64_t now_us);

/* Send a packet that the owner encoded (REQUEST, REVALIDATE, or PING with the touch table). */
void zab_learner_send(struct zab_learner *learner, struct fx *fx, const struct bytes *packet);

#endif
