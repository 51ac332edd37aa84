/* server.h - a ZooKeeper server as one step machine: it routes inputs and changes roles.
 *
 *     LOADING --loaded--> LOOKING --elected--> LEADING | FOLLOWING | OBSERVING --role lost--+
 *        |                   ^                                                              |
 *        |                   +------ settled: the log says what memory says <---------------+
 *        +--no servers configured--> STANDALONE
 *
 * Configuration is the text of a zoo.cfg. The id of an ensemble's server is read from the file
 * `myid` of DIR_DATA, or from a line myid=N (the simulator's way). The modules below know nothing
 * of each other; what belongs to two of them is said here: which connection is whose, what a lost
 * role means for the rest, and the road of a request from clients over prep and broadcast to the
 * tree and back to clients.
 *
 * Source: Apache QuorumPeer.run, QuorumPeerMain, ZooKeeperServer. */
#ifndef PROTOCOL_SERVER_H
#define PROTOCOL_SERVER_H

#include "base/step.h"
#include "protocol/history.h"
#include "protocol/notes.h"
#include "protocol/session.h"
#include "tree/tree.h"

extern const struct process_ops server_ops;

/* What an omniscient checker may look at; `self` is what make returned. */
struct server_view {
    int64_t sid;
    enum server_role role;
    bool serving;
    int64_t leader;    /* that this server follows, or is; -1 for none */
    int64_t epoch;     /* currentEpoch */
    int64_t accepted;  /* acceptedEpoch */
    int64_t last_zxid; /* of the history */
    int64_t commit_zxid;
    int64_t durable_zxid;
    const struct tree *tree;              /* NULL while loading */
    const struct history *history;        /* NULL before the boot */
    const struct session_tracker *locals; /* sessions that only this server knows; NULL: none */
    bool read_only;                       /* serves reads alone, LOOKING */
};
void server_get_view(const void *self, struct server_view *view);

#endif
