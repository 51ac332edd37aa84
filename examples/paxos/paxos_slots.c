#include "examples/paxos/paxos_slots.h"

#include "base/ensure.h"
#include "base/hash.h"

/* A slot further than this past the last one is no honest number. */
#define SLOT_JUMP_MAX 65536u

void paxos_slots_init(struct paxos_slots *slots, struct mem *mem)
{
    *slots = (struct paxos_slots){.mem = mem};
    bytes_init(&slots->mirror, mem);
}

struct paxos_slot *paxos_slots_find(const struct paxos_slots *slots, uint64_t slot)
{
    return slot == 0 || slot > slots->count ? NULL : &slots->at[slot - 1];
}

struct paxos_slot *paxos_slots_get(struct paxos_slots *slots, uint64_t slot)
{
    if (slot == 0 || slot > slots->count + SLOT_JUMP_MAX) {
        return NULL;
    }
    if (slot > slots->room) {
        uint64_t more = slots->room == 0 ? 64 : slots->room * 2;
        struct paxos_slot *grown;

        while (more < slot) {
            more *= 2;
        }
        grown =
            mem_grow(slots->mem, slots->at, slots->room * sizeof(*grown), more * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        slots->at = grown;
        slots->room = more;
    }
    while (slots->count < slot) {
        slots->at[slots->count++] = (struct paxos_slot){0};
    }
    return &slots->at[slot - 1];
}

struct span paxos_slots_value(const struct paxos_slots *slots, const struct paxos_slot *slot)
{
    return slot->value_len == 0 ? span_make(NULL, 0)
                                : span_make(slots->mirror.at + slot->value_at, slot->value_len);
}

/* A record: the vote as on the wire, and a hash of it. */
static enum err slots_record(struct paxos_slots *slots, const struct paxos_vote *vote,
                             struct paxos_slot *slot, struct span *record)
{
    size_t start = slots->mirror.len;

    paxos_wire_put_vote(vote, &slots->mirror);
    if (slots->mirror.failed) {
        return ERR_MEMORY;
    }
    slot->value_at = slots->mirror.len - vote->value.len;
    slot->value_len = (uint32_t)vote->value.len;
    bytes_u64(&slots->mirror, hash_bytes(bytes_tail(&slots->mirror, start), 0));
    *record = bytes_tail(&slots->mirror, start);
    return slots->mirror.failed ? ERR_MEMORY : ERR_OK;
}

enum err paxos_slots_accept(struct paxos_slots *slots, const struct paxos_vote *vote,
                            struct span *record)
{
    struct paxos_slot *slot = paxos_slots_get(slots, vote->slot);
    enum err err = slot == NULL ? ERR_MEMORY : slots_record(slots, vote, slot, record);

    if (err == ERR_OK && slot->ballot != PAXOS_CHOSEN_BALLOT) {
        slot->ballot = vote->ballot;
    }
    return err;
}

enum err paxos_slots_choose(struct paxos_slots *slots, uint64_t number, struct span value)
{
    struct paxos_vote vote = {.slot = number, .ballot = PAXOS_CHOSEN_BALLOT, .value = value};
    struct paxos_slot *slot = paxos_slots_get(slots, number);
    struct span record;

    if (slot == NULL) {
        return ERR_MEMORY;
    }
    if (slot->chosen) {
        return ERR_OK;
    }
    if (slot->ballot == 0 || !span_equal(paxos_slots_value(slots, slot), value)) {
        enum err err = slots_record(slots, &vote, slot, &record);

        if (err != ERR_OK) {
            return err;
        }
    }
    slot->ballot = PAXOS_CHOSEN_BALLOT;
    slot->chosen = true;
    return ERR_OK;
}

enum err paxos_slots_load(struct paxos_slots *slots, struct span file, uint64_t *good)
{
    struct span rest = file;
    struct paxos_vote vote;

    *good = 0;
    for (;;) {
        struct span before = rest;
        struct span record;
        struct reader sum;
        size_t len;

        if (!paxos_wire_vote(&rest, &vote) || rest.len < sizeof(uint64_t)) {
            return ERR_OK;
        }
        len = before.len - rest.len;
        reader_init(&sum, rest, READER_MAX_DEFAULT);
        if (reader_u64(&sum) != hash_bytes(span_make(before.at, len), 0)) {
            return ERR_OK;
        }
        rest = span_make(rest.at + sizeof(uint64_t), rest.len - sizeof(uint64_t));
        if (paxos_slots_accept(slots, &vote, &record) != ERR_OK) {
            return ERR_MEMORY;
        }
        *good = file.len - rest.len;
    }
}
