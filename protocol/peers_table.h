/* peers_table.h - who the peers of the election port are; internal to peers.
 *
 * Members by sid, then strangers as they came, in one array that is made once for an ensemble. It
 * is short, so it is searched from the front. */
#ifndef PROTOCOL_PEERS_TABLE_H
#define PROTOCOL_PEERS_TABLE_H

#include "protocol/peers.h"

enum peer_state {
    PEER_IDLE,    /* no connection */
    PEER_DIALING, /* FX_DIAL is under way; for a larger id it will be a nudge */
    PEER_OPEN
};

struct peer {
    int64_t sid;
    const struct member *member; /* NULL for strangers */
    enum peer_state state;
    uint32_t conn;
    uint32_t attempt; /* which of its addresses is tried: those given first, then configured */
    uint64_t dial_until_us;  /* DIALING: time-out */
    uint64_t nudge_until_us; /* no other nudge before */
    struct bytes given;      /* the address it gave in its opening message, when not configured */
    struct bytes message;    /* newest frame for it; the last one sent unless `waiting` */
    bool waiting;
    uint32_t unanswered; /* messages since it was last heard on this connection */
    uint64_t asked_us;   /* when the first of them went */
    uint64_t sent_us;    /* when the last of them went */
    uint64_t undrained;  /* bytes given to the connection since IN_DRAINED */
    bool asked_drained;  /* an IN_DRAINED is on its way */
};

struct peer_wait {
    uint32_t conn;
    uint64_t until_us;
};

/* NULL when there is none. */
struct peer *peers_find(const struct peers *peers, int64_t sid);
struct peer *peers_find_conn(const struct peers *peers, uint32_t conn);
/* Index in peers->waiting, or PEERS_WAITING_MAX. */
uint32_t peers_find_waiting(const struct peers *peers, uint32_t conn);
void peers_forget_waiting(struct peers *peers, uint32_t index);
/* A peer entry for an id in no membership; the place of an unconnected stranger when there is no
 * room. NULL when all places are in use. */
struct peer *peers_add_stranger(struct peers *peers, int64_t sid);
/* Close the connection of a peer, whatever state it is in. */
void peer_hang_up(struct peer *peer, struct fx *fx);
/* Find the least deadline, after anything that may have changed one. */
void peers_plan(struct peers *peers);

#endif
