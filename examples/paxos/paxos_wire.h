/* paxos_wire.h - the messages of both algorithms, and how the world describes them. */
#ifndef EXAMPLES_PAXOS_WIRE_H
#define EXAMPLES_PAXOS_WIRE_H

#include "examples/paxos/paxos.h"

#define PAXOS_MESSAGE_MAP(X)                                                           \
    X(PREPARE)   /* ballot; slot: the first one that is not chosen for the proposer */ \
    X(PROMISE)   /* ballot, slot: chosen by the acceptor; then what it accepted */     \
    X(REFUSE)    /* ballot, promised: by whom it was overtaken */                      \
    X(ACCEPT)    /* ballot, slot, value */                                             \
    X(ACCEPTED)  /* ballot, slot, value (single decree) */                             \
    X(CHOSEN)    /* slot, value */                                                     \
    X(QUERY)     /* what is chosen? */                                                 \
    X(HEARTBEAT) /* ballot, slot: the leader's last chosen one */                      \
    X(HEARD)     /* ballot, slot: the follower's last chosen one */

enum paxos_type {
    PAXOS_NO_TYPE,
#define X(name) PAXOS_##name,
    PAXOS_MESSAGE_MAP(X)
#undef X
    PAXOS_TYPES
};

/* One accepted value in a PROMISE. */
struct paxos_vote {
    uint64_t slot, ballot; /* PAXOS_CHOSEN_BALLOT: known to be chosen */
    struct span value;
};
#define PAXOS_CHOSEN_BALLOT UINT64_MAX

struct paxos_message {
    enum paxos_type type;
    uint64_t ballot, slot;
    uint64_t promised;   /* REFUSE */
    struct span value;   /* ACCEPT, ACCEPTED, CHOSEN */
    uint32_t vote_count; /* PROMISE */
    struct span votes;   /* encoded; read one by one with paxos_wire_vote */
};

void paxos_wire_encode(const struct paxos_message *message, struct bytes *out);
/* Votes of a PROMISE follow paxos_wire_encode one by one, vote_count of them. */
void paxos_wire_put_vote(const struct paxos_vote *vote, struct bytes *out);
/* Spans point into `span`. Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT. */
enum err paxos_wire_decode(struct span span, struct paxos_message *message);
/* Take the next vote off *votes; false when there is none. */
bool paxos_wire_vote(struct span *votes, struct paxos_vote *vote);

#define PAXOS_RECORDS ((uint32_t)PAXOS_TYPES - 1)
extern const struct guest_record paxos_records[PAXOS_RECORDS];
extern const struct sim_codec paxos_codec;

#endif
