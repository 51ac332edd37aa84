/* zab.h - what the two sides of the broadcast protocol share.
 *
 * zab_leader and zab_learner are machines over the quorum port. They own the protocol, the history
 * and what is logged; they do not apply transactions and know nothing of clients. Their owner
 * (server.c) feeds them one packet at a time, carries the event that a packet may yield to sessions
 * and clients, and applies committed transactions from the history after every call.
 *
 * Source: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems",
 * DSN'11; Apache Leader, LearnerHandler, Learner. */
#ifndef PROTOCOL_ZAB_H
#define PROTOCOL_ZAB_H

#include "base/span.h"
#include "protocol/wire_jute.h"

#include <stdbool.h>
#include <stdint.h>

/* What one packet asks of the owner. Spans point into the packet. */
enum zab_event_kind {
    ZAB_NOTHING,
    ZAB_REQUEST, /* leader: a learner forwards a client's request; bytes = REQUEST payload, auth =
                    Id vector */
    ZAB_REVALIDATE, /* leader: is `session` alive? answer by zab_leader_revalidate */
    ZAB_TOUCHES,  /* leader: bytes = {int64 session, int32 timeout}* that were active at the learner
                   */
    ZAB_PING,     /* learner: answer by zab_learner_pong with the touch table */
    ZAB_VALIDITY, /* learner: `session` is `valid` at the leader or not */
    ZAB_SYNCED,   /* learner: the oldest sync that was forwarded may be answered */
};

struct zab_event {
    enum zab_event_kind kind;
    uint32_t conn;  /* leader: of the learner */
    uint64_t owner; /* leader: a number for this connection that is never used again (session.h) */
    bool valid;
    int32_t timeout_ms;
    int64_t session;
    int64_t zxid;
    struct span bytes;
    struct wire_vector auth; /* ZAB_REQUEST: Ids of the client */
};

#endif
