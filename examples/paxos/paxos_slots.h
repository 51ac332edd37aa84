/* paxos_slots.h - the instances of a replicated log: what one process knows of each slot.
 *
 * Accepted values are also records of the file `accepted`, one behind the other; the newest record
 * of a slot holds. Values lie in the file's mirror, so nothing is stored twice. */
#ifndef EXAMPLES_PAXOS_SLOTS_H
#define EXAMPLES_PAXOS_SLOTS_H

#include "base/bytes.h"
#include "examples/paxos/paxos_wire.h"

struct paxos_slot {
    uint64_t ballot;   /* in which it was accepted here; 0 never; PAXOS_CHOSEN_BALLOT: learned */
    uint64_t value_at; /* where the value begins in slots->mirror */
    uint64_t acks;     /* leader: bits of acceptors that accepted it in the leader's ballot */
    uint64_t tag;      /* leader: of the IN_ASK that waits for it; 0 none */
    uint32_t value_len;
    bool chosen;
};

struct paxos_slots {
    struct mem *mem;
    struct paxos_slot *at; /* at[i] is slot i + 1 */
    uint64_t count, room;
    struct bytes mirror; /* records: as in the file, and what was only learned */
    uint64_t chosen;     /* slots 1..chosen are known to be chosen */
};

void paxos_slots_init(struct paxos_slots *slots, struct mem *mem);
/* The slot (> 0), made when it is new; NULL when memory ran out or the number is absurd. */
struct paxos_slot *paxos_slots_get(struct paxos_slots *slots, uint64_t slot);
/* The slot, or NULL when nothing is known of it. */
struct paxos_slot *paxos_slots_find(const struct paxos_slots *slots, uint64_t slot);
struct span paxos_slots_value(const struct paxos_slots *slots, const struct paxos_slot *slot);

/* Note that the value is accepted in `ballot`; *record is what the file gets. It lies in the
 * mirror: copy it before the next call. Errors: ERR_MEMORY. */
enum err paxos_slots_accept(struct paxos_slots *slots, const struct paxos_vote *vote,
                            struct span *record);
/* Note that it is chosen, whoever accepted it. Errors: ERR_MEMORY. */
enum err paxos_slots_choose(struct paxos_slots *slots, uint64_t number, struct span value);
/* Take over the file; *good is the length of its undamaged part. Errors: ERR_MEMORY. */
enum err paxos_slots_load(struct paxos_slots *slots, struct span file, uint64_t *good);

#endif
