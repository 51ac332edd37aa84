/* zab.h - what the two sides of the broadcast protocol share.
 *
 * zab_leader and zab_learner are machines over the quorum port. They own the protocol, the history and what
 * is logged; they do not apply transactions and know nothing of clients. Their owner (server.c) feeds them
 * one packet at a time, carries the event that a packet may yield to sessions and clients, and applies
 * committed transactions from the history after every call.
 *
 * Source: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems", DSN'11;
 * Apache Leader, LearnerHandler, Learner. */
#ifndef PROTOCOL_ZAB_H
#define PROTOCOL_ZAB_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t zxid_make(uint64_t epoch, uint64_t counter)
{
    return epoch << 32 | counter;
}

static inline uint64_t zxid_epoch(uint64_t zxid)
{
    return zxid >> 32;
}

static inline uint32_t zxid_counter(uint64_t zxid)
{
    return (uint32_t)zxid;
}

/* What one packet asks of the owner. Spans point into the packet. */
enum zab_event_kind {
    ZAB_NOTHING,
    ZAB_REQUEST,    /* leader: a learner forwards a client's request; bytes = REQUEST payload, auth = Id vector */
    ZAB_REVALIDATE, /* leader: is `session` alive? answer by zab_leader_revalidate */
    ZAB_TOUCHES,    /* leader: bytes = {int64 session, int32 timeout}* that were active at the learner */
    ZAB_PING,       /* learner: answer by zab_learner_pong with the touch table */
    ZAB_VALIDITY,   /* learner: `session` is `valid` at the leader or not */
    ZAB_SYNCED,     /* learner: the oldest sync that was forwarded may be answered */
};

struct zab_event {
    enum zab_event_kind kind;
    uint32_t conn; /* leader: of the learner */
    bool valid;
    int32_t timeout_ms;
    int64_t session;
    uint64_t zxid;
    struct span bytes;
    struct span auth; /* encoded vector<Id>; empty for null */
};

#endif
