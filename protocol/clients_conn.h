/* clients_conn.h - part of clients: one connection, and the table that all of them form.
 *
 * clients.c holds the table and routes; clients_input.c cuts frames and shakes hands;
 * clients_queue.c keeps a connection's order; clients_output.c sends, pauses and fires watches;
 * clients_auth.c knows what a connection has proved to be; clients_local.c keeps sessions that only
 * this server knows; clients_limits.c counts hosts, load and large requests; clients_figures.c
 * keeps figures. */
#ifndef PROTOCOL_CLIENTS_CONN_H
#define PROTOCOL_CLIENTS_CONN_H

#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "protocol/clients.h"
#include "protocol/reply.h"
#include "protocol/wire_client.h"

enum conn_phase {
    CONN_FRESH,   /* nothing read yet */
    CONN_JOINING, /* its ConnectRequest waits for createSession or for the leader's verdict */
    CONN_OPEN,
    CONN_LEAVING, /* its last request was taken: whatever else it sends is ignored */
    CONN_DEAD,    /* closed; the struct lives until no request of it waits upward */
};

/* Why a connection is not read; several may hold. */
enum conn_stall {
    STALL_JOINING = 1,
    STALL_OUTPUT = 2, /* paused: too much has not drained */
    STALL_QUEUE = 4,  /* its own queue is full */
    STALL_LOAD = 8    /* too many requests in the whole server */
};

/* A queue looks like this, front first; a write is handed upward as soon as that is certain not to
 * change what a request before it sees:
 *
 *     [WRITE sent] [READ] [WRITE sent] [READ] [SYNC] [WRITE waits] [READ] ...
 *
 * A read behind a sent write is evaluated in the very step that applies that write, so writes
 * behind it may be on their way too. Behind a sync that is not done they may not: their
 * transactions could be applied before it is, and the reads between would see them. */
enum conn_item_kind {
    ITEM_READ,  /* bytes: the record; evaluated when it comes to the front */
    ITEM_WRITE, /* ready: handed upward; bytes: the record, of one that had to wait */
    ITEM_SYNC,  /* ready: may be answered; bytes: the record */
    ITEM_REPLY, /* bytes: a whole frame that waits for its turn (auth, refusals) */
    ITEM_CODE,  /* a header with `code`, and the zxid of the moment in which its turn comes */
};
struct conn_item {
    enum conn_item_kind kind;
    struct wire_request_header header;
    bool ready;
    bool last;        /* the connection is closed behind its reply */
    bool no_zxid;     /* CODE: the header has zxid 0 */
    int32_t code;     /* CODE; WRITE: what the client is told if it is refused (0: as it was) */
    uint64_t came_us; /* when it arrived */
    uint32_t large;   /* bytes that count as a large request */
    uint8_t *bytes;
    uint32_t len;
};

/* What crst sets to nothing. */
struct conn_figures {
    uint64_t received, sent; /* frames */
    int32_t last_op;
    int64_t last_cxid, last_zxid;
    uint64_t last_us, last_ms;
    struct metric_summary latency; /* ms */
};

struct clients_conn {
    struct list link;       /* in clients->all by age, or in clients->dead */
    struct list stall_link; /* in clients->stalled while STALL_LOAD holds */
    uint32_t conn;
    enum conn_phase phase;
    bool renewing;       /* JOINING: re-attaches */
    bool has_read_only;  /* its ConnectRequest had the byte */
    bool local;          /* its session is one of role.locals */
    bool upgrading;      /* createSession of a local session is on its way */
    bool waited;         /* its next frame has waited too long for the load to fall */
    uint64_t stalled_us; /* since when its next frame waits for the load to fall; 0: it does not */
    struct conn_host *host; /* where it comes from; NULL: not counted */
    bool paused;
    bool drain_asked;
    uint32_t stall; /* enum conn_stall */
    uint32_t timeout_ms;
    int64_t session;
    uint64_t serial;      /* unique: connection numbers are used again */
    uint64_t active_us;   /* last input or output */
    uint64_t touched;     /* session_touches_put */
    uint64_t unconfirmed; /* bytes sent since the last IN_DRAINED */
    struct ring queue;    /* struct conn_item */
    uint32_t sent_writes; /* in the queue */
    uint32_t held_writes; /* in the queue, not handed upward yet */
    uint32_t open_syncs;  /* in the queue and not done */
    uint64_t wait_bytes;  /* of the queue's copies */
    struct bytes held;    /* output while paused */
    struct bytes auth;    /* items of a vector<Id> */
    struct acl_id *ids;   /* the same, taken apart */
    struct acl_who who;   /* all of them */
    uint32_t port;        /* of the client's address */
    int64_t opened_ms;
    struct conn_figures figures;
};

/* A request that waits to be taken by clients_next_request. */
struct conn_up {
    struct request request;
    struct clients_conn *client;
};

/* A sync handed upward. */
struct conn_sync {
    uint32_t conn;
    uint64_t serial;
};

struct clients {
    struct mem *mem;
    struct clients_options options;
    struct clients_role role;
    bool serving;
    clients_answer_word *answer_word;
    void *answer_context;
    uint64_t seed;
    uint64_t now_us;       /* of the last input */
    int64_t zxid;          /* last applied */
    struct map by_conn;    /* every connection that is not dead */
    struct map by_session; /* JOINING and later */
    struct map hosts;      /* hash of the name -> struct conn_host */
    uint64_t large_bytes;  /* of large requests in flight */
    uint32_t large_now;    /* of the frame at hand, 0: it is not large */
    struct list all;
    struct list dead;
    struct list stalled;
    struct ring up;              /* struct conn_up */
    struct ring syncs;           /* struct conn_sync */
    struct watch_table *watches; /* NULL while nothing is served */
    struct watch_hits hits;
    uint64_t serial;
    uint64_t token; /* of the last sync */
    uint64_t idle_check_us;
    uint64_t came_us;        /* when the request came that is being answered */
    uint8_t timeout_body[4]; /* record of the createSession that was handed out last */
    struct clients_counts counts;
};

static inline struct conn_item *conn_item_at(const struct clients_conn *client, uint64_t index)
{
    return ring_at(&client->queue, index);
}

/* ---- clients.c ---- */
struct clients_conn *clients_find_session(const struct clients *clients, int64_t session);
/* Close the connection and forget it. `flush`: what was sent before still goes out. */
void conn_close(struct clients *clients, struct clients_conn *client, bool flush, struct fx *fx);
/* A limit or a malformed frame: the same, aborted and counted. */
void conn_refuse(struct clients *clients, struct clients_conn *client, struct fx *fx);
/* Put a request into the queue upward; closes the connection when memory ran out. */
void conn_ask(struct clients *clients, struct clients_conn *client, const struct request *request,
              struct fx *fx);

/* When idleness closes it. */
uint64_t clients_idle_due(const struct clients *clients, const struct clients_conn *client);

/* ---- clients_figures.c ---- */
void conn_figures_init(const struct clients *clients, struct clients_conn *client);
/* A frame of `len` bytes came, or is about to go. */
void conn_count_request(struct clients *clients, struct clients_conn *client, size_t len);
void conn_count_frame(struct clients *clients, struct clients_conn *client);
/* The request that came at clients->came_us is answered. */
void conn_answered(struct clients *clients, struct clients_conn *client,
                   const struct wire_request_header *header);
/* conn_send and conn_answered. */
void conn_send_reply(struct clients *clients, struct clients_conn *client,
                     const struct wire_request_header *header, struct span frame, struct fx *fx);
/* clients->hits are told of an event by `frame`. */
void clients_count_event(struct clients *clients, enum zk_event event, struct span frame);

/* ---- clients_output.c ---- */
void conn_stall(struct clients_conn *client, enum conn_stall why, struct fx *fx);
void conn_resume(struct clients_conn *client, enum conn_stall why, struct fx *fx);
/* Send a frame (copied), or hold it while the connection is paused. */
void conn_send(struct clients *clients, struct clients_conn *client, struct span frame,
               struct fx *fx);
/* The same for bytes that live until the next step. */
void conn_send_lent(struct clients *clients, struct clients_conn *client, struct span frame,
                    struct fx *fx);
void clients_fire(struct clients *clients, const struct clients_applied *applied, struct fx *fx);

/* ---- clients_queue.c ---- */
/* Append to the queue with a copy of `bytes`; NULL: the connection was closed for lack of memory.
 */
struct conn_item *conn_queue(struct clients *clients, struct clients_conn *client,
                             const struct conn_item *item, struct span bytes, struct fx *fx);
/* Answer what can be answered, from the front on. */
void conn_flush(struct clients *clients, struct clients_conn *client, struct fx *fx);
/* Answer a read now, or when its turn comes. */
void conn_read(struct clients *clients, struct clients_conn *client,
               const struct wire_request_header *header, struct span record, struct fx *fx);
/* A finished frame takes its turn; `last`: the connection is closed behind it. */
void conn_reply(struct clients *clients, struct clients_conn *client, struct span frame, bool last,
                struct fx *fx);
/* A write: handed upward now, or when its turn comes. `wanted`: kind, header, and code if any. */
void conn_write(struct clients *clients, struct clients_conn *client,
                const struct conn_item *wanted, struct span record, struct fx *fx);
void conn_queue_clear(struct clients *clients, struct clients_conn *client);
/* A reply that is only a code takes its turn. */
void conn_code(struct clients *clients, struct clients_conn *client, const struct conn_item *item,
               struct fx *fx);
/* The reply to a local write whose transaction was applied. */
void clients_answer_applied(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx);
/* ---- clients_input.c ---- */
/* The answer to a ConnectRequest whose createSession was applied or refused. */
void clients_answer_session(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx);

/* A write or sync that goes upward. */
void conn_take_write(struct clients *clients, struct clients_conn *client,
                     const struct wire_request_header *header, struct span record, struct fx *fx);
/* The session is there: answer the ConnectRequest. */
void conn_open(struct clients *clients, struct clients_conn *client, struct fx *fx);

/* ---- clients_local.c ---- */
/* A new session that only this server knows, opened at once. */
void conn_local_begin(struct clients *clients, struct clients_conn *client, struct fx *fx);
/* Re-attach to one; false: this server knows no such local session. */
bool conn_local_renew(struct clients *clients, struct clients_conn *client);
/* Its client was heard of; false: it is over. */
bool conn_local_touch(struct clients *clients, struct clients_conn *client);
/* A write of a connection with a local session, or to a read-only server. */
void conn_local_write(struct clients *clients, struct clients_conn *client,
                      const struct wire_request_header *header, struct span record, struct fx *fx);
/* closeSession of a local session is answered now. */
void conn_local_closed(struct clients *clients, const struct clients_conn *client, struct fx *fx);
/* createSession was applied or refused: true when it upgraded a local session. */
bool clients_local_upgraded(struct clients *clients, const struct clients_applied *applied,
                            struct fx *fx);

/* ---- clients_limits.c ---- */
/* Count a connection from `peer` ("host:port"). Errors: ERR_LONG: too many; ERR_MEMORY. */
enum err conn_host_begin(struct clients *clients, struct clients_conn *client, struct span peer);
void conn_host_end(struct clients *clients, struct clients_conn *client);
/* Does the server have too much to do to read on? */
bool conn_overloads(struct clients *clients, struct clients_conn *client, struct fx *fx);
/* Resume connections that wait for the load of the whole server to fall. */
void clients_resume_load(struct clients *clients, struct fx *fx);
/* The frame at the front is about to be taken: has it waited for longer than
 * throttled_op_wait_time?
 */
void conn_note_wait(struct clients *clients, struct clients_conn *client);
/* May the frame at the front of `input` (4 bytes at least) come in? False: the connection was
 * refused. Sets clients->large_now. */
bool conn_large_begin(struct clients *clients, struct clients_conn *client, struct span input,
                      struct fx *fx);
/* "host:port" without the port. */
struct span conn_host(struct span peer);
/* The port alone; 0 when there is none. */
uint32_t conn_port(struct span peer);

/* ---- clients_auth.c ---- */
/* Has it an Id of one of the enforced schemes, or need it have none? */
bool conn_auth_suffices(const struct clients *clients, const struct clients_conn *client);
/* A new connection is known by its address. Errors: ERR_MEMORY. */
enum err conn_auth_begin(struct clients *clients, struct clients_conn *client, struct span peer);
/* An auth packet: ZK_OK, or ZK_AUTHFAILED. */
int32_t conn_auth_add(struct clients *clients, struct clients_conn *client,
                      const struct wire_request *op);
struct wire_vector conn_auth_ids(const struct clients_conn *client);
void conn_auth_drop(struct clients *clients, struct clients_conn *client);

#endif
