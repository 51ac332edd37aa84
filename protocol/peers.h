/* peers.h - the election port: one connection a pair of servers, and on it notifications.
 *
 * The larger id owns the connection: whoever dials a larger id only says who it is and hangs up,
 * and is called back. Of messages that wait for a connection only the newest is kept; the last one
 * is sent again on every new connection, so a notification may arrive twice or late but the newest
 * arrives.
 *
 * Differences from Apache, on purpose (docs/election.md, "The election port"): a connection on
 * which we talk and never get a word back is replaced, connections that do not say who they are and
 * ids that nobody configured have small fixed room, and a nudge is not repeated while its answer is
 * due.
 *
 * Emits its own FX_LISTEN, FX_DIAL, FX_SEND and FX_CLOSE. The owner routes inputs here by
 * peers_owns_conn and the listener number, calls peers_next in a loop after peers_on_bytes, and
 * peers_on_time at peers_wake_us. Source: Apache QuorumCnxManager. */
#ifndef PROTOCOL_PEERS_H
#define PROTOCOL_PEERS_H

#include "base/step.h"
#include "protocol/quorum.h"
#include "protocol/wire_vote.h"

#define PEERS_STRANGERS_MAX 16u  /* ids that are in no membership: observers elsewhere */
#define PEERS_WAITING_MAX   32u  /* accepted connections that have not said who they are */
#define PEERS_ADDRESS_MAX   256u /* bytes of an address that a peer may give of itself */

struct peers_settings {
    int64_t sid;         /* own id */
    uint32_t listener;   /* number of our listener */
    uint32_t conn_first; /* range of numbers for connections that we dial */
    uint32_t conn_count; /* > 2 * MEMBERS_MAX + PEERS_STRANGERS_MAX */
    uint64_t connect_us; /* time-out of a dial: 5 s */
    uint64_t
        opening_us; /* an accepted connection must say who it is within: tickTime x syncLimit */
    uint64_t silence_us;     /* talking without an answer for so long, three times or more: the
                                   connection is replaced; 5 s */
    uint64_t nudge_us;       /* how long a nudge is given for its answer; 500 ms */
    uint64_t bind_us;        /* before binding again after a failure; 1 s */
    uint32_t bind_tries;     /* electionPortBindRetry; 0 = for ever */
    uint64_t send_max_bytes; /* given to a connection without IN_DRAINED: it is replaced; 1 MiB */
    bool listen_on_all;      /* quorumListenOnAllIPs */
    bool multi_address;      /* say all own addresses in the opening message */
};
/* The defaults above; sid, listener and conn_* are the caller's. */
void peers_settings_default(struct peers_settings *settings);

struct peer;      /* one server: its connection and its newest message */
struct peer_wait; /* an accepted connection before its opening message */

struct peers {
    struct mem *mem;
    struct peers_settings settings;
    uint32_t count; /* of peers; strangers included */
    uint32_t strangers;
    uint32_t room;
    struct peer *peers; /* members by sid, then strangers as they came */
    uint32_t waiting_count;
    struct peer_wait *waiting; /* oldest first */
    struct bytes hello;        /* own opening message */
    struct bytes listen;       /* address to bind */
    uint16_t port;             /* of it */
    uint32_t conn_next;
    int64_t stranger_next; /* private ids for observers without one: -1, -2, .. */
    bool listening;
    uint32_t bind_failures;
    uint64_t bind_at_us;
    uint64_t wake_us;

    /* cursor of peers_next: the input under way; conn 0 when there is none */
    uint32_t in_conn;
    struct span in;

    uint64_t sent, received, refused, replaced; /* counters */
};

/* Memberships are kept by pointer until peers_set_ensemble.
 * Errors: ERR_MEMORY, ERR_MISSING (own id is in neither membership). */
enum err peers_init(struct peers *peers, struct mem *mem, const struct ensemble *ensemble,
                    const struct peers_settings *settings);
void peers_drop(struct peers *peers);
/* Other memberships: addresses are taken anew, peers that left are closed. */
enum err peers_set_ensemble(struct peers *peers, struct fx *fx, const struct ensemble *ensemble);

/* Bind the election port. The answer goes to peers_on_listening; after the last try the process
 * halts with exit code 14. */
void peers_listen(struct peers *peers, struct fx *fx);
bool peers_owns_conn(const struct peers *peers, uint32_t conn);
void peers_on_listening(struct peers *peers, struct fx *fx, uint64_t now_us,
                        const struct input *in);
void peers_on_opened(struct peers *peers, struct fx *fx, const struct input *in);
void peers_on_closed(struct peers *peers, struct fx *fx, const struct input *in);
void peers_on_drained(struct peers *peers, struct fx *fx, const struct input *in);
/* Bytes came; follow with peers_next until it is false. Sets fx->taken as far as frames go. */
void peers_on_bytes(struct peers *peers, struct fx *fx, const struct input *in);
/* The next notification of the bytes at hand, its config lent by the input. The caller may call
 * peers_send in between. */
bool peers_next(struct peers *peers, struct fx *fx, int64_t *from, struct wire_vote *notice);

/* Send one frame (length included, wire_vote_put) to `sid`: at once, or when a connection is there;
 * dials if there is none. A stranger that went away is skipped; to the own id nothing is sent. */
void peers_send(struct peers *peers, struct fx *fx, uint64_t now_us, int64_t sid,
                struct span frame);
void peers_on_time(struct peers *peers, struct fx *fx, uint64_t now_us);
/* The least deadline, O(1). */
uint64_t peers_wake_us(const struct peers *peers);
/* Whether there is a usable connection to `sid` (admin commands, tests). */
bool peers_is_connected(const struct peers *peers, int64_t sid);

#endif
