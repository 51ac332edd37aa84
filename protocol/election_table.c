#include "protocol/election_table.h"

#include "base/ensure.h"

const struct election_timing election_timing_default = {
    .settle_us = 200000,
    .resend_min_us = 200000,
    .resend_max_us = 60000000,
};

struct election_slot *election_find(const struct election *election, int64_t sid)
{
    for (uint32_t i = 0; i < election->slot_count; i++) {
        if (election->slots[i].sid == sid) {
            return &election->slots[i];
        }
    }
    return NULL;
}

/* Take the voters of a membership that are not there yet, keeping the order of ids. */
static void election_add_voters(struct election *election, const struct membership *membership)
{
    for (uint32_t i = 0; i < membership->count; i++) {
        int64_t sid = membership->members[i].sid;
        uint32_t to = election->slot_count;

        if (membership->members[i].role != MEMBER_PARTICIPANT ||
            election_find(election, sid) != NULL) {
            continue;
        }
        while (to > 0 && election->slots[to - 1].sid > sid) {
            election->slots[to] = election->slots[to - 1];
            to--;
        }
        election->slots[to] = (struct election_slot){.sid = sid};
        election->slot_count++;
    }
}

static void election_drop_tables(struct election *election)
{
    uint32_t room = election->out.room;

    bytes_drop(&election->config);
    mem_put(election->mem, election->out.to, room * sizeof(*election->out.to));
    mem_put(election->mem, election->slots, room * sizeof(*election->slots));
    election->slots = NULL;
    election->out = (struct election_out){0};
}

/* Tables for an ensemble, in a fresh machine. */
static enum err election_make_tables(struct election *election, const struct ensemble *ensemble)
{
    /* One more than voters: an answer may go to a server that is none. */
    uint32_t room = ensemble->committed->voter_count + 1;

    room += ensemble->seen == NULL ? 0 : ensemble->seen->voter_count;
    bytes_init(&election->config, election->mem);
    membership_print(ensemble->committed, &election->config);
    election->out = (struct election_out){.room = room};
    election->out.to = mem_get(election->mem, room * sizeof(*election->out.to));
    election->slots = mem_get_zero(election->mem, room * sizeof(*election->slots));
    if (election->out.to == NULL || election->slots == NULL || election->config.failed) {
        election_drop_tables(election);
        return ERR_MEMORY;
    }
    election->ensemble = *ensemble;
    election->votes = membership_is_voter(ensemble->committed, election->sid);
    election->slot_count = 0;
    election_add_voters(election, ensemble->committed);
    if (ensemble->seen != NULL) {
        election_add_voters(election, ensemble->seen);
    }
    for (uint32_t i = 0; i < election->slot_count; i++) {
        election->slots[i].bits = ensemble_bits(ensemble, election->slots[i].sid);
    }
    ENSURE(election->slot_count < room);
    return ERR_OK;
}

enum err election_init(struct election *election, struct mem *mem, const struct ensemble *ensemble,
                       int64_t sid)
{
    struct election made = {
        .mem = mem,
        .sid = sid,
        .timing = election_timing_default,
        .state = VOTE_LOOKING,
        .resend_at_us = WAKE_NEVER,
        .settle_at_us = WAKE_NEVER,
    };
    enum err err = election_make_tables(&made, ensemble);

    if (err == ERR_OK) {
        *election = made;
    }
    return err;
}

void election_drop(struct election *election)
{
    if (election != NULL && election->mem != NULL) {
        election_drop_tables(election);
        *election = (struct election){0};
    }
}

enum err election_set_ensemble(struct election *election, const struct ensemble *ensemble)
{
    struct election made = *election;
    enum err err;

    made.slots = NULL;
    err = election_make_tables(&made, ensemble);
    if (err != ERR_OK) {
        return err;
    }
    election_drop_tables(election);
    *election = made;
    election->settle_at_us = WAKE_NEVER;
    return ERR_OK;
}
