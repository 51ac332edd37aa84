/* client_state.h - what a client is made of; for client*.c only. */
#ifndef PROTOCOL_CLIENT_STATE_H
#define PROTOCOL_CLIENT_STATE_H

#include "base/rand.h"
#include "base/ring.h"
#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "protocol/client_watch.h"

enum client_phase {
    CLIENT_PHASE_IDLE,    /* no session wanted: before start, expired, closed */
    CLIENT_PHASE_WAITING, /* for the next attempt */
    CLIENT_PHASE_DIALING,
    CLIENT_PHASE_GREETING, /* connect request, auth and watches are sent */
    CLIENT_PHASE_CONNECTED,
};

#define CLIENT_HOST_BYTES     272u
#define CLIENT_PASSWORD_BYTES 64u
#define CLIENT_PINGS_MAX      1024u

struct client_host {
    char text[CLIENT_HOST_BYTES]; /* "name:port" */
    uint32_t len;
};

struct client_config {
    struct client_host *hosts;
    uint32_t host_count;
    uint8_t *chroot; /* without '/' at the end; NULL for none */
    uint32_t chroot_len;
    uint32_t timeout_ms;
    uint32_t queue_max;
    bool fixed_order, start_by_ask, reopen, read_only;
};

/* An op that was asked and is not answered. */
struct client_call {
    uint64_t tag;
    int32_t op;
    int32_t xid;    /* once sent */
    int32_t flags;  /* addWatch: mode; removeWatches: type */
    bool keep_path; /* the path is needed when the reply comes */
    uint32_t kept_len;
    uint32_t path_at, path_len; /* the path within `kept` */
    uint8_t *kept;              /* the record until it is sent, or the path until the reply */
};

struct client_ping {
    bool asked; /* by the program, with `tag`; else to keep the session alive */
    uint64_t tag;
};

struct client_auth {
    bool waiting; /* the ask with `tag` is not answered */
    uint64_t tag;
    uint32_t len;
    uint8_t *record;
};

struct client {
    struct mem *mem;
    struct client_config config;
    struct rand rand;
    uint64_t now_us;

    /* session */
    enum client_state state;
    int64_t session;
    uint8_t password[CLIENT_PASSWORD_BYTES];
    uint32_t password_len;
    int64_t last_zxid;
    bool seen_writable; /* some server of this session was not read-only */
    bool closing;       /* closeSession was asked */
    bool open_waiting;  /* CLIENT_OP_OPEN with open_tag is not answered */
    uint64_t open_tag;

    /* connection */
    enum client_phase phase;
    uint32_t conn; /* 0: none */
    uint32_t last_conn;
    uint32_t host;        /* index of the current or last one */
    uint32_t attempts;    /* that failed since the last success */
    uint64_t deadline_us; /* of WAITING, DIALING, GREETING */
    uint64_t read_us;     /* silence that breaks the connection */
    uint64_t ping_us;     /* without sending, before a ping */
    uint64_t last_sent_us;
    uint64_t last_heard_us;
    uint32_t set_watches; /* replies that are still to come */

    struct ring ops;     /* struct client_call in the order of asking */
    uint64_t sent_count; /* so many from the front are sent */
    int32_t last_xid;
    struct ring pings; /* struct client_ping without reply */
    struct client_auth auths[CLIENT_AUTH_MAX];
    uint32_t auth_count;
    uint32_t auth_sent;    /* on this connection */
    uint32_t auth_replied; /* on this connection */

    struct client_watches watches;
    struct bytes scratch; /* records with other paths */
    struct bytes scratch_list;
};

/* client_config.c: read the configuration text. ERR_FORMAT, ERR_RANGE, ERR_UNKNOWN (a word),
 * ERR_LONG, ERR_MEMORY. */
enum err client_config_read(struct client_config *config, struct mem *mem, struct span text);

/* client_chroot.c: the record of `request` as the server is to see it (`record` as asked), and the
 * reply record as the program is to see it. Spans are valid until the next call. */
struct span client_chroot_request(struct client *client, const struct wire_request *request,
                                  struct span record);
struct span client_chroot_reply(struct client *client, const struct wire_reply *reply,
                                struct span record);
/* `path` with the chroot before it (valid until the next call), and without. */
struct span client_chroot_add(struct client *client, struct span path);
struct span client_chroot_strip(const struct client *client, struct span path);

/* client_link.c: life of the connection and the session. */
void client_open_session(struct client *client, struct fx *fx);
void client_dial(struct client *client, struct fx *fx);
void client_greet(struct client *client, struct fx *fx);
void client_connected(struct client *client, struct fx *fx, struct span frame);
/* The connection is gone, or is to go (`close`): what was sent becomes UNKNOWN; wait and try again.
 */
void client_lost(struct client *client, struct fx *fx, bool close);
/* Forget the session: EXPIRED or CLOSED. Everything that waits fails with `code`. */
void client_end_session(struct client *client, struct fx *fx, enum client_state state,
                        int32_t code);
void client_note_state(struct client *client, struct fx *fx, enum client_state state);

/* client_digest.c: process_ops.digest. */
void client_digest(const void *self, uint64_t now_us, struct digest *out);

/* client_ops.c: asks and replies. */
void client_asked(struct client *client, struct fx *fx, uint64_t tag, struct span ask);
void client_replied(struct client *client, struct fx *fx, struct span frame);
void client_send_ping(struct client *client, struct fx *fx);
void client_send_auths(struct client *client, struct fx *fx);
void client_send_waiting(struct client *client, struct fx *fx);
/* A frame of a request header and a record. */
void client_send(struct client *client, struct fx *fx, struct wire_request_header header,
                 struct span record);

/* client_answers.c: the end of an op. */
void client_answer_ok(struct fx *fx, uint64_t tag, const struct wire_reply *reply, int64_t zxid,
                      struct span record);
/* It did not happen. `record`: results of a multi, else empty. */
void client_answer_fail(struct fx *fx, uint64_t tag, const struct client_answer *answer,
                        struct span record);
void client_answer_unknown(struct fx *fx, uint64_t tag, int32_t op);
/* Take the front op off the queue. */
void client_pop_op(struct client *client);

#endif
