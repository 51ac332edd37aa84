/* server_state.h - inside the server only: its parts, and what server.c, server_role.c and
 * server_work.c do for each other. */
#ifndef PROTOCOL_SERVER_STATE_H
#define PROTOCOL_SERVER_STATE_H

#include "protocol/clients.h"
#include "protocol/config.h"
#include "protocol/election.h"
#include "protocol/history.h"
#include "protocol/metrics.h"
#include "protocol/peers.h"
#include "protocol/prep.h"
#include "protocol/server.h"
#include "protocol/session.h"
#include "protocol/store.h"
#include "protocol/zab_leader.h"
#include "protocol/zab_learner.h"

/* Listener numbers. */
enum server_listener {
    LISTENER_CLIENT = 1,
    LISTENER_QUORUM,
    LISTENER_ELECTION
};

/* Numbers of connections that we dial, by module. */
#define SERVER_CONN_ELECTION       1000u
#define SERVER_CONN_ELECTION_COUNT 1000u
#define SERVER_CONN_LEADER         3000u
#define SERVER_CONN_LEADER_COUNT   64u

/* The digest of the tree at a zxid that SERVER_DIGEST_EVERY divides. Source: Apache
 * DataTree.logZxidDigest. */
struct server_digest {
    int64_t zxid;
    uint64_t digest;
};
#define SERVER_DIGEST_EVERY 128
#define SERVER_DIGESTS_MAX  1024u

struct server {
    struct mem *mem;
    uint64_t seed;
    struct config config;
    struct config_error config_error;
    bool config_bad;
    bool booted;
    struct ensemble ensemble;
    enum server_role role;

    struct tree *tree; /* NULL while loading */
    struct history history;
    struct store *store;
    struct peers peers;
    struct election election;
    struct zab_leader leader;
    struct zab_learner learner;

    struct clients *clients;
    struct session_ids ids;
    struct session_touches touches; /* FOLLOWING, OBSERVING */
    struct session_tracker tracker; /* LEADING, STANDALONE, while serving */
    struct prep *prep;              /* likewise */
    struct session_tracker locals;  /* sessions that only this server knows */
    bool has_locals;                /* while serving, if configured, and while read-only */

    bool read_only;           /* LOOKING, and serving what can be read */
    uint64_t read_only_at_us; /* when a lasting search makes it so */

    bool serving;
    bool settling;         /* a role ended: waits for the log before it looks for a leader */
    uint64_t reload_at_us; /* after a failure of the disk */
    uint64_t reload_wait_us;
    uint64_t look_at_us;   /* observers wait before they look again */
    int64_t follows;       /* leader's id, -1 for none */
    uint64_t wake_us;      /* asked for by the last step */
    uint64_t expire_at_us; /* no session expires before: this server was frozen */

    struct metrics metrics;
    uint64_t role_us;    /* when the present role began */
    uint64_t look_us;    /* the last search for a leader */
    uint64_t lead_us;    /* the last reign that was established */
    int64_t trace_mask;  /* gtmk, stmk */
    struct ring digests; /* struct server_digest, oldest first: what `hash` tells */

    struct tree_result result;
    struct bytes txn; /* scratch for prep */
};

/* -- server_role.c: from one role to the next -- */
void server_on_loaded(struct server *server, struct fx *fx, const struct input *in);
void server_on_broken(struct server *server, struct fx *fx, const struct input *in);
/* Send what the election wants sent; enter the role that it decided. */
void server_after_election(struct server *server, struct fx *fx, const struct input *in);
/* Everything that a role may have come to: serve, lose, settle, load again. */
void server_check_role(struct server *server, struct fx *fx, const struct input *in);

/* -- server_local.c: local sessions and read-only mode -- */
/* Sessions of our own are known from here on, and to prep if there is one. */
void server_begin_locals(struct server *server);
void server_end_locals(struct server *server);
/* End local sessions whose time is over. */
void server_expire_locals(struct server *server, struct fx *fx, const struct input *in);
/* A search for a leader begins: from when on may it be read-only? */
void server_plan_read_only(struct server *server, const struct input *in);
/* LOOKING for long: serve what can be read. */
void server_try_read_only(struct server *server, struct fx *fx, const struct input *in);
/* The search is over: every connection is closed, and what was invented for them is forgotten. */
void server_end_read_only(struct server *server, struct fx *fx);
/* clients_answer_word: isro. */
enum clients_word server_answer_word(void *context, struct span input, struct bytes *out);

/* -- server_work.c: requests and transactions -- */
void server_on_leader_bytes(struct server *server, struct fx *fx, const struct input *in);
void server_on_learner_bytes(struct server *server, struct fx *fx, const struct input *in);
/* Apply what is committed, tell clients. */
void server_apply(struct server *server, struct fx *fx, const struct input *in);
/* Applying without anybody to tell: a tail that a lost role left. */
void server_apply_tail(struct server *server, struct fx *fx);
/* Requests of clients, expired sessions, answers to syncs: until nothing moves. */
void server_work(struct server *server, struct fx *fx, const struct input *in);
/* Prepare and propose one request. */
void server_execute(struct server *server, struct fx *fx, const struct input *in,
                    const struct request *request);

#endif
