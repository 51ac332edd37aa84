/* help_pipe.h - a tiny owner of the client pipeline, for tests: prep, a log that is a list, tree,
 * clients.
 *
 * It drives the modules as docs/pipeline.md says a server does, alone or as a learner whose leader
 * is the test, and keeps what each connection was sent. */
#ifndef TESTS_PROTOCOL_HELP_PIPE_H
#define TESTS_PROTOCOL_HELP_PIPE_H

#include "protocol/clients.h"
#include "protocol/prep.h"
#include "protocol/wire_client.h"

#define PIPE_CONNS    64u
#define PIPE_PENDING  512u
#define PIPE_NOTES    4096u
#define PIPE_REQUESTS 64u

struct pipe_conn {
    struct bytes in;  /* not taken yet */
    struct bytes out; /* received, not looked at */
    bool open, closed, aborted, throttled;
    bool drain_asked;
    uint32_t throttles;
};

struct pipe_note {
    uint32_t kind;
    uint64_t a, b, c;
    char text[64];
};

/* A request that a learner handed upward, as the leader would get it. */
struct pipe_request {
    enum request_kind kind;
    int64_t session;
    int32_t cxid, op;
    struct bytes packet; /* REQUEST; empty for REVALIDATE */
};

struct pipe {
    struct mem_heap heap;
    struct mem_heap fx_heap;
    struct tree *tree;
    struct session_tracker tracker;
    struct session_touches touches;
    struct session_tracker locals;
    bool has_locals;
    struct session_ids ids;
    struct prep *prep;
    struct clients *clients;
    struct tree_result result;
    struct fx fx;
    struct bytes txn;
    bool learner;
    bool hold; /* transactions wait for pipe_commit */
    bool hold_syncs;
    int64_t zxid; /* last prepared */
    uint64_t now_us;
    int64_t wall_ms;
    struct bytes log[PIPE_PENDING]; /* prepared; applied ones are empty */
    uint32_t log_count, log_applied;
    struct pipe_conn conns[PIPE_CONNS]; /* number i is connection CONN_ACCEPTED + i */
    struct pipe_note notes[PIPE_NOTES];
    uint32_t note_count;
    struct pipe_request requests[PIPE_REQUESTS]; /* learner */
    uint32_t request_count;
    uint64_t digest_failures; /* predicted and real digests that differ */
};

struct pipe_options {
    struct clients_options clients;
    struct prep_options prep;
    bool learner;
    bool locals; /* localSessionsEnabled */
    uint64_t seed;
    int64_t zxid; /* before the first transaction */
};
/* tickTime 2000, Apache's defaults, compat 3.9, standalone. */
struct pipe_options pipe_options_default(void);

struct pipe *pipe_make(const struct pipe_options *options);
/* Also checks that no memory is left behind. */
void pipe_drop(struct pipe *pipe);

/* The role is lost, and the server goes on in read-only mode. */
void pipe_go_read_only(struct pipe *pipe);

void pipe_open(struct pipe *pipe, uint32_t conn);
/* The same, from another address. */
void pipe_open_from(struct pipe *pipe, uint32_t conn, const char *peer);
/* The client sends `bytes`; everything that follows happens (as far as nothing is held). */
void pipe_feed(struct pipe *pipe, uint32_t conn, struct span bytes);
/* The client hangs up. */
void pipe_hang_up(struct pipe *pipe, uint32_t conn);
void pipe_drain(struct pipe *pipe, uint32_t conn);
/* Apply up to `count` transactions that are held. */
void pipe_commit(struct pipe *pipe, uint32_t count);
/* The oldest sync that was handed upward is done. */
void pipe_synced(struct pipe *pipe);
void pipe_verdict(struct pipe *pipe, int64_t session, bool valid);
/* Time passes; sessions expire. */
void pipe_advance(struct pipe *pipe, uint64_t us);
/* A request from elsewhere (another server, the server itself) is prepared. */
void pipe_request(struct pipe *pipe, const struct request *request);
/* A learner applies a transaction that its leader committed. */
void pipe_apply_txn(struct pipe *pipe, struct txn *txn);

/* The next frame that `conn` received, without its length, copied to *frame; false when there is
 * none. */
bool pipe_next_frame(struct pipe *pipe, uint32_t conn, struct bytes *frame);

/* ---- a client's side, over the codecs ---- */

/* Connect as a new session; the id. */
int64_t pipe_connect(struct pipe *pipe, uint32_t conn, int32_t timeout_ms);
void pipe_send_connect(struct pipe *pipe, uint32_t conn, const struct wire_connect *connect);
void pipe_send(struct pipe *pipe, uint32_t conn, int32_t xid, const struct wire_request *request);
/* The next frame must be a reply with this xid; its code. The record goes to *reply when it is OK.
 */
int32_t pipe_expect(struct pipe *pipe, uint32_t conn, int32_t xid, struct wire_reply *reply,
                    int32_t op);
/* send and expect. */
int32_t pipe_call(struct pipe *pipe, uint32_t conn, const struct wire_request *request,
                  struct wire_reply *reply);
/* The next frame must be a watch event. */
void pipe_expect_event(struct pipe *pipe, uint32_t conn, int32_t type, const char *path);
/* Nothing more was sent to `conn`. */
void pipe_expect_nothing(struct pipe *pipe, uint32_t conn);
int64_t pipe_last_zxid(const struct pipe *pipe); /* of the header that pipe_expect saw last */

/* A ConnectRequest with the byte readOnly. */
struct wire_connect pipe_connect_with(int64_t session, int32_t timeout_ms,
                                      const uint8_t password[16]);
/* The next frame must be the ConnectResponse of `session` (0: refused); its timeout. */
int32_t pipe_expect_connected(struct pipe *pipe, uint32_t conn, int64_t session);
/* Create an empty node; must succeed. */
void pipe_call_create(struct pipe *pipe, uint32_t conn, const char *path, int32_t flags);

struct wire_request pipe_create(const char *path, const char *data, int32_t flags);
struct wire_request pipe_op(int32_t op, const char *path);
struct wire_request pipe_read(int32_t op, const char *path, bool watch);
struct wire_request pipe_set(const char *path, const char *data);

#endif
