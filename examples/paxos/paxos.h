/* paxos.h - Paxos as a guest of the simulator: the single decree and a replicated log.
 *
 * paxos_single_ops decides one value (the synod of Lamport, "Paxos made simple", section 2);
 * paxos_log_ops runs one instance after the other under a leader whose first phase covers them all
 * (section 3). Each process is proposer, acceptor and learner at once. paxos_guest are the words by
 * which scenario files speak of them. docs/guests.md walks through this folder. */
#ifndef EXAMPLES_PAXOS_H
#define EXAMPLES_PAXOS_H

#include "base/step.h"
#include "sim/guest.h"

#define PAXOS_NODES_MAX 32u
#define PAXOS_VALUE_MAX 200u /* bytes */

extern const struct guest paxos_guest;
extern const struct process_ops paxos_single_ops; /* config: paxos_config_write */
extern const struct process_ops paxos_log_ops;

/* What a broken acceptor or proposer leaves out. */
enum paxos_forget {
    PAXOS_FORGET_NONE,
    PAXOS_FORGET_PROMISE,  /* to write down what it promised */
    PAXOS_FORGET_ACCEPTED, /* to write down what it accepted */
    PAXOS_FORGET_VALUE,    /* to propose again what a promise reported */
};

/* Of a process. */
struct paxos_config {
    uint32_t id;    /* process number */
    uint32_t nodes; /* acceptors 0..nodes-1 */
    enum paxos_forget forget;
    uint64_t retry_us;     /* least time until a proposer tries again, or a log is without leader */
    uint64_t heartbeat_us; /* of a leader */
};
void paxos_config_write(const struct paxos_config *config, struct bytes *out);
enum err paxos_config_read(struct span span, struct paxos_config *config);

/* A ballot is a number that one process alone may use: round * 256 + process. 0 is before all. */
static inline uint64_t paxos_ballot(uint64_t round, uint32_t process)
{
    return round << 8 | process;
}
static inline uint64_t paxos_ballot_round(uint64_t ballot)
{
    return ballot >> 8;
}
static inline uint32_t paxos_ballot_owner(uint64_t ballot)
{
    return (uint32_t)(ballot & 0xff);
}

enum paxos_state {
    PAXOS_ACCEPTING, /* listens */
    PAXOS_PROPOSING, /* runs a ballot */
    PAXOS_LEADING,   /* has a log to itself */
    PAXOS_DECIDED,   /* knows the value (single decree) */
};

/* Notes. Slots count from 1; the single decree is slot 1. A history is a hash over all values up to
 * a slot. */
enum paxos_note {
    PAXOS_NOTE_STATE = 1, /* a = enum paxos_state, b = ballot */
    PAXOS_NOTE_PROMISED,  /* a = ballot */
    PAXOS_NOTE_ACCEPTED,  /* a = slot, b = ballot, c = hash of the value */
    PAXOS_NOTE_DECIDED,   /* a = slot, b = hash of the value, c = history, bytes = value */
};

/* IN_ASK: the value to propose. FX_ANSWER: one of these, and after PAXOS_OK the slot (u64) and the
 * value that was chosen there. */
enum paxos_answer {
    PAXOS_OK,
    PAXOS_REFUSED, /* nothing was proposed */
    PAXOS_LOST,    /* it may still be chosen */
};

#endif
