/* clients.h - the client port of a server: connections, their order, their watches, their replies.
 *
 * Every connection is one of
 *
 *   FRESH --ConnectRequest--> JOINING --createSession applied, or verdict--> OPEN --> gone
 *
 * and keeps the order that ZooKeeper promises: requests of one connection take effect and are
 * answered in the order of arrival. Writes are handed upward at once (behind a sync: once it is
 * done), so a client may have many in flight; a read, ping or sync behind a write that is not
 * answered waits in the connection's queue, the only place where a request is copied. Reads of
 * other connections go on.
 *
 * How the owner (server.c) drives it, in every step in which clients may have acted:
 *
 *     clients_on_opened / _bytes / _closed / _drained / _time    for its inputs
 *     while (clients_next_request(clients, &request)) {
 *         REQUEST_WRITE       alone, leader: prep_request -> log, propose
 *                             learner: request_forward_encode -> to the leader
 *         REQUEST_SYNC        alone: clients_on_synced at once
 *                             leader: zab_leader_sync; clients_on_synced when its round is done
 *                             learner: forward; clients_on_synced for each SYNC packet, in
 *                             order, after everything committed before it is applied here
 *         REQUEST_REVALIDATE  learner: REVALIDATE packet; clients_on_verdict with the answer
 *     }
 *     for each transaction that becomes committed, in zxid order:
 *         tree_apply(...); prep_applied(...); clients_on_applied(...)
 *
 * Requests are lent: take them all before the step ends. While a role does not serve clients
 * (LOOKING, synchronising) do not call clients_serve: new connections then are closed as soon as
 * they send a whole frame length, as Apache does.
 *
 * Flow control. `fx->taken` counts whole frames only: a partial frame stays with the driver. A
 * connection is throttled (FX_THROTTLE) while its session is being opened, while too many requests
 * wait, and while more than pause_bytes of its output have not drained; the bytes it has not taken
 * are offered again by the driver when it resumes. Output for a paused connection (events, replies
 * to writes) is held up to held_bytes_max; a reader slower than that is cut off.
 *
 * Local sessions (role.locals): opened, renewed and closed here, without a transaction. Their
 * writes go upward as those of others; the first ephemeral sends a createSession ahead of it
 * (upgrade), and the session is global once that is applied. A read-only server has local sessions
 * only, answers reads, and refuses the rest with NOTREADONLY.
 *
 * Notes: SESSION_OPENED by the server that answers the client (zxid 0: a local session),
 * SESSION_CLOSED by every server that serves clients when it applies closeSession, WATCH_FIRED per
 * event. SESSION_EXPIRED is the owner's.
 *
 * Source: Apache NIOServerCnxn, ZooKeeperServer, CommitProcessor, FinalRequestProcessor;
 * docs/pipeline.md. */
#ifndef PROTOCOL_CLIENTS_H
#define PROTOCOL_CLIENTS_H

#include "base/step.h"
#include "protocol/config.h"
#include "protocol/metrics.h"
#include "protocol/notes.h"
#include "protocol/request.h"
#include "protocol/session.h"
#include "tree/tree.h"
#include "tree/watch.h"

struct clients;

struct clients_options {
    uint32_t tick_ms;
    uint32_t session_min_ms, session_max_ms; /* minSessionTimeout, maxSessionTimeout */
    uint32_t frame_max;                      /* jute.maxbuffer */
    uint32_t outstanding_max;     /* globalOutstandingLimit, as divided for the ensemble */
    uint32_t connections_max;     /* maxCnxns; 0 = no limit */
    uint32_t queue_max;           /* requests of one connection that wait or are in flight */
    uint32_t wait_bytes_max;      /* copied for those of one connection that wait */
    uint32_t pause_bytes;         /* sent and not known to have left: the connection is paused */
    uint64_t held_bytes_max;      /* held for a paused connection; above it, it is closed */
    uint32_t idle_ms;             /* nio.sessionlessCnxnTimeout */
    uint32_t per_host_max;        /* maxClientCnxns; 0 = no limit */
    uint32_t throttle_max;        /* request_throttle_max_requests; 0 = off */
    uint32_t throttled_wait_ms;   /* throttled_op_wait_time; 0 = off */
    uint32_t large_bytes;         /* largeRequestThreshold; 0 = off */
    uint32_t large_total_bytes;   /* largeRequestMaxBytes: of all large ones in flight */
    uint64_t locals_max;          /* sessions that only this server knows */
    bool local_upgrade;           /* localSessionsUpgradingEnabled */
    bool enforce_auth;            /* only who has proved to be somebody is served */
    struct span enforced_schemes; /* "a,b"; lent for life */
    struct acl_policy acl;
    struct span super_digest; /* DigestAuthenticationProvider.superDigest; lent for life */
    bool compat_38;           /* terrarium.compat=3.8: events carry zxid -1; exists and events are
                                 not checked for READ; one watch mode a path */
    struct metrics *metrics;  /* where to count; NULL: nowhere */
};

/* Apache's defaults for a tick of `tick_ms`, and what the configuration says. */
struct clients_options clients_options_default(uint32_t tick_ms);
struct clients_options clients_options_of(const struct config *config);

/* `seed` is that of maps. NULL when memory ran out. */
struct clients *clients_make(struct mem *mem, const struct clients_options *options, uint64_t seed);
void clients_drop(struct clients *clients);

/* Who answers four-letter words. `input` is what the connection began with, 4 bytes at least.
 * WORD_ANSWERED: the whole answer was appended to `out`, the connection is closed behind it.
 * WORD_SHORT: more bytes belong to it. WORD_NONE: no word, so that the bytes are a frame length. */
enum clients_word {
    WORD_NONE,
    WORD_SHORT,
    WORD_ANSWERED
};
typedef enum clients_word clients_answer_word(void *context, struct span input, struct bytes *out);
void clients_set_words(struct clients *clients, clients_answer_word *answer, void *context);

/* What clients are served from. All pointers are borrowed until clients_drop_all. */
struct clients_role {
    enum server_role role; /* FOLLOWING, LEADING, OBSERVING or STANDALONE */
    const struct tree *tree;
    struct session_tracker *tracker; /* LEADING, STANDALONE; else NULL */
    struct session_touches *touches; /* FOLLOWING, OBSERVING; else NULL */
    struct session_tracker *locals; /* sessions that only this server knows; NULL: there are none */
    bool read_only;                 /* LOOKING, without tracker and touches: readonlymode.enabled */
    struct session_ids *ids;
    int64_t zxid; /* last one applied */
};

/* Begin to serve. Connections that are there already (opened, nothing read) are kept. Errors:
 * ERR_MEMORY. */
enum err clients_serve(struct clients *clients, const struct clients_role *role);
bool clients_is_serving(const struct clients *clients);
/* The role is lost: every connection is closed, watches and waiting requests are forgotten, nothing
 * is served until the next clients_serve. */
void clients_drop_all(struct clients *clients, struct fx *fx);

/* Is this number one of a client connection? */
bool clients_owns(const struct clients *clients, uint32_t conn);

/* IN_OPENED of a client listener. */
void clients_on_opened(struct clients *clients, const struct input *in, struct fx *fx);
/* IN_BYTES; sets fx->taken. */
void clients_on_bytes(struct clients *clients, const struct input *in, struct fx *fx);
/* IN_CLOSED: watches and waiting requests of the connection are gone, its session is not. */
void clients_on_closed(struct clients *clients, uint32_t conn);
/* IN_DRAINED. */
void clients_on_drained(struct clients *clients, const struct input *in, struct fx *fx);
/* Any input: closes connections that were idle for too long, continues work that a step left, and
 * asks for the next wake-up (fx_wake). Call it once at the end of every step while connections
 * exist. */
void clients_on_time(struct clients *clients, const struct input *in, struct fx *fx);

/* The next request that goes upward, in the order of arrival; false when there is none. */
bool clients_next_request(struct clients *clients, struct request *request);

/* One transaction after tree_apply. */
struct clients_applied {
    const struct txn *txn;
    const struct tree_result *result; /* of tree_apply, not quiet */
    uint64_t now_us;
};
/* Fire the watches of the change, then answer the local request that made it (session and cxid
 * match the head of its connection's writes in flight), then whatever waited behind it.
 * closeSession closes a local connection of the session. An error SESSIONMOVED closes the
 * connection without a reply. */
void clients_on_applied(struct clients *clients, const struct clients_applied *applied,
                        struct fx *fx);
/* The oldest sync handed upward is done. Harmless when its connection is gone. */
void clients_on_synced(struct clients *clients, uint64_t now_us, struct fx *fx);
/* The leader's answer to REQUEST_REVALIDATE. Harmless when nobody waits for it. */
void clients_on_verdict(struct clients *clients, int64_t session, bool valid, uint64_t now_us,
                        struct fx *fx);
/* A session of role.locals is over (its time, as session_tracker_expire says): it is forgotten, and
 * its connection closed without a reply. */
void clients_end_local(struct clients *clients, int64_t session, struct fx *fx);

/* Figures for reports; all since clients_make except the first three. */
struct clients_counts {
    uint64_t connections;
    uint64_t outstanding; /* requests taken and not answered */
    uint64_t watches;
    uint64_t received, sent; /* frames */
    uint64_t refused;        /* connections closed by a limit or a bad frame */
    uint64_t throttled;      /* times that reading stopped */
    uint64_t throttled_ops;  /* answered THROTTLEDOP */
    uint64_t large_refused;  /* connections closed by largeRequestMaxBytes (in refused, too) */
};
void clients_get_counts(const struct clients *clients, struct clients_counts *counts);

/* ---- one by one, for words and exporters ---- */
struct clients_conn;
/* Connections by age: begin with NULL; NULL at the end. Valid until clients change. */
const struct clients_conn *clients_next(const struct clients *clients,
                                        const struct clients_conn *previous);
struct clients_view {
    uint32_t conn;
    struct span host; /* lent */
    uint32_t port;
    int64_t session; /* 0: none yet */
    uint32_t timeout_ms;
    int64_t opened_ms; /* wall clock */
    uint64_t due_us;   /* when it is closed for idleness */
    bool reads, paused;
    uint64_t outstanding, received, sent;
    int32_t last_op; /* of the last answer: an enum zk_op, 0 for a write that was refused */
    int64_t last_cxid, last_zxid; /* -1: none */
    uint64_t last_us, last_ms;    /* when it was answered, how long that took */
    struct metric_summary latency;
};
void clients_get_view(const struct clients *clients, const struct clients_conn *client,
                      struct clients_view *view);
/* The session of a connection number; 0 when there is none. */
int64_t clients_session_of(const struct clients *clients, uint32_t conn);
/* NULL while nothing is served. */
const struct watch_table *clients_watches(const struct clients *clients);
/* crst: every connection counts from 0 again. */
void clients_reset_views(struct clients *clients);

#endif
