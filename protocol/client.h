/* client.h - a ZooKeeper client as a step machine: session, reconnecting, pipelining, watches.
 *
 *              dial            opened            session is there
 *   WAITING ---------> DIALING -------> GREETING ----------------> CONNECTED
 *      ^                 |                 |  no such session: EXPIRED     |
 *      +--- back-off ----+-----------------+-------------------------------+ connection lost
 *
 * Programs speak to it by IN_ASK and FX_ANSWER (client_ask.h), and hear watch events as notes
 * EVENT. Ops are sent at once while connected and wait, in order, while not; replies must come in
 * the order of asking, else the connection is given up. A lost connection makes what was sent
 * UNKNOWN; the client goes on to the next server with the same session, auth packets first, then
 * its watches by setWatches2.
 *
 * Times, as in Apache's client: a server has timeout / number of hosts to answer the dial, and as
 * long again to answer the greeting; silence for 2/3 of the negotiated timeout breaks the
 * connection; a ping is sent after half of that without sending (10 s at most). Between attempts
 * the client waits a random time, up to 50 ms at first, doubling with each round through the hosts
 * up to 1 s.
 *
 * Configuration (the text given to `make`): words separated by spaces or newlines,
 *   hosts=s1:2181,s2[/chroot]   required; port 2181 unless given
 *   timeout=6000                session timeout to ask for, ms
 *   order=shuffle | fixed       of the hosts, by boot.seed
 *   start=boot | ask            open the session by itself, or by CLIENT_OP_OPEN
 *   reopen=no | yes             open a new session by itself when one has expired
 *   readonly=no | yes           accept read-only servers
 *   queue=10000                 ops that may wait or be in flight
 *
 * Source: Apache ClientCnxn, ClientCnxnSocketNIO, StaticHostProvider, ZKWatchManager;
 * docs/formats/client.md. */
#ifndef PROTOCOL_CLIENT_H
#define PROTOCOL_CLIENT_H

#include "base/step.h"
#include "protocol/notes.h"

#define CLIENT_HOSTS_MAX         64u
#define CLIENT_REPLY_MAX         (16u << 20)  /* bytes of one frame of a server */
#define CLIENT_AUTH_MAX          16u          /* auth packets that are kept */
#define CLIENT_WATCH_MAX         1000000u     /* paths with watches; more are refused */
#define CLIENT_SET_WATCHES_BYTES (128u << 10) /* of one setWatches packet */

extern const struct process_ops client_ops;

/* For omniscient checkers and tests; `self` is what make returned. */
enum client_state client_get_state(const void *self);
int64_t client_get_session(const void *self);
int64_t client_get_last_zxid(const void *self);
/* Ops that are not answered yet. */
uint64_t client_get_pending(const void *self);

#endif
