/* election_table.h - the votes that an election holds; internal to election. */
#ifndef PROTOCOL_ELECTION_TABLE_H
#define PROTOCOL_ELECTION_TABLE_H

#include "protocol/election.h"

/* A vote as it was received. */
struct ballot {
    bool present;
    enum vote_state state;
    int32_t version; /* 0 for votes of the own round, whatever was sent: see ballot_equal */
    struct vote vote;
};

struct election_slot {
    int64_t sid;
    struct acks bits;
    struct ballot current;     /* of this round: recvset */
    struct ballot established; /* of servers that have a leader, any round: outofelection */
};

/* The slot of a voter, or NULL. */
struct election_slot *election_find(const struct election *election, int64_t sid);

#endif
