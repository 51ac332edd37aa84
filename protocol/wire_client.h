/* wire_client.h - the records of the client port: bytes <-> structs, nothing else.
 *
 * Spans, vectors and cursors of decoded structs point into the input; at == NULL is jute's null
 * (wire_jute.h). Decoding never allocates. As in Apache, bytes behind a complete record are
 * ignored. A frame of a client is a request header and a request record, a frame of a server is a
 * reply header and a reply record (none when err != 0, except for multi), or a connect response.
 * ACL lists travel as they are (tree/acl.h), stats as struct zk_stat.
 * Source: Apache zookeeper.jute, MultiOperationRecord, MultiResponse; docs/formats/client.md. */
#ifndef PROTOCOL_WIRE_CLIENT_H
#define PROTOCOL_WIRE_CLIENT_H

#include "protocol/wire_jute.h"
#include "tree/acl.h"
#include "tree/code.h"
#include "tree/stat.h"
#include "tree/watch.h"

/* ---- session establishment ---- */
struct wire_connect {
    int32_t protocol_version;
    int64_t last_zxid; /* lastZxidSeen */
    int32_t timeout_ms;
    int64_t session;
    struct span password; /* null or of any length */
    bool has_read_only;   /* the byte is there (clients of 3.4 and later) */
    bool read_only;
};
struct wire_connected {
    int32_t protocol_version;
    int32_t timeout_ms; /* negotiated; <= 0: no such session */
    int64_t session;
    struct span password;
    bool has_read_only; /* exactly when the request had it */
    bool read_only;
};
#define WIRE_PASSWORD_BYTES 16

/* Decoders take the payload of one frame. Errors of every decoder here: ERR_SHORT, ERR_LONG,
 * ERR_FORMAT. */
enum err wire_connect_decode(struct span frame, struct wire_connect *connect);
void wire_connect_encode(struct bytes *bytes, const struct wire_connect *connect);
enum err wire_connected_decode(struct span frame, struct wire_connected *connected);
void wire_connected_encode(struct bytes *bytes, const struct wire_connected *connected);

/* ---- headers ---- */
enum wire_xid {
    XID_EVENT = -1,
    XID_PING = -2,
    XID_AUTH = -4,
    XID_SET_WATCHES = -8
};

struct wire_request_header {
    int32_t xid;
    int32_t type; /* op code as sent: may be none of ours */
};
struct wire_reply_header {
    int32_t xid;
    int64_t zxid;
    int32_t err; /* ZooKeeper error code */
};
#define WIRE_REQUEST_HEADER_BYTES 8
#define WIRE_REPLY_HEADER_BYTES   16

/* Take the header off the front of *frame. */
enum err wire_request_header_take(struct span *frame, struct wire_request_header *header);
void wire_request_header_encode(struct bytes *bytes, const struct wire_request_header *header);
enum err wire_reply_header_take(struct span *frame, struct wire_reply_header *header);
void wire_reply_header_encode(struct bytes *bytes, const struct wire_reply_header *header);

/* ---- watch events ---- */
struct wire_event {
    int32_t type;  /* 1 created, 2 deleted, 3 data changed, 4 children changed */
    int32_t state; /* 3 from servers */
    struct span path;
};
enum err wire_event_decode(struct span record, struct wire_event *event);
void wire_event_encode(struct bytes *bytes, const struct wire_event *event);

/* ---- requests ---- */

/* The lists of setWatches (the first three) and setWatches2 are in the order of enum watch_list. */
#define WIRE_WATCH_LISTS 5

/* Ops of a multi or multiRead, or results of one, checked at decoding; also the cursor. */
struct wire_multi {
    struct span items;
    uint32_t count;
};

/* One request record. Which fields mean something follows from the op code `type`; the others are
 * empty. */
struct wire_request {
    int32_t type;
    struct span path;    /* all with a path; getEphemerals: prefix (may be null) */
    struct span data;    /* create*, setData; auth: credentials; sasl: token */
    struct acl_list acl; /* create*, setACL */
    int32_t flags;       /* create*: CreateMode; checkWatches, removeWatches: type; addWatch: mode;
                            auth: type */
    int32_t version;     /* delete, setData, setACL, check */
    bool watch;          /* exists, getData, getChildren, getChildren2 */
    union {
        int64_t ttl_ms;          /* createTTL */
        int32_t timeout_ms;      /* createSession */
        struct span scheme;      /* auth */
        struct wire_multi multi; /* multi, multiRead */
        struct {
            struct span joining, leaving, members; /* each may be null */
            int64_t config_id;                     /* -1: any */
        } reconfig;
        struct {
            int64_t relative_zxid;
            struct wire_vector list[WIRE_WATCH_LISTS];
        } watches; /* setWatches, setWatches2 */
    };
};

/* Decode the record of a request of op code `type`.
 *
 * Errors: ERR_UNKNOWN for an op code that is none of ours or has no request; ERR_FORMAT also for a
 * multi with an op that it may not contain or create flags outside 0..6 (a server answers
 * MARSHALLINGERROR). */
enum err wire_request_decode(int32_t type, struct span record, struct wire_request *request);
/* Nothing for ops without record (ping, closeSession, whoAmI). */
void wire_request_encode(struct bytes *bytes, const struct wire_request *request);

/* What stands before each op and each result, and ends them. */
struct wire_multi_header {
    int32_t type;
    bool done;
    int32_t err;
};
#define WIRE_MULTI_HEADER_BYTES 9
struct wire_multi_header wire_read_multi_header(struct reader *reader);
void wire_put_multi_header(struct bytes *bytes, const struct wire_multi_header *header);

/* Take the first op off `cursor` (a copy of request.multi); false at the end. */
bool wire_multi_next(struct wire_multi *cursor, struct wire_request *op);
/* A multi op by op: each with header, then the end mark. */
void wire_multi_put(struct bytes *bytes, const struct wire_request *op);
void wire_multi_end(struct bytes *bytes);
/* The op code under which a server handles an op of a multi: creates are re-typed by their flags
 * (4 container, 5 and 6 TTL). */
int32_t wire_multi_type(const struct wire_request *op);

/* ---- replies (wire_reply.c) ---- */

/* One reply record, for clients, tests and small replies; a server that has the parts at hand
 * writes them itself behind the reply header (wire_put_buffer, wire_vector_begin, stat_write).
 * Fields as the op code of its request says. */
struct wire_reply {
    int32_t type;
    struct span path;           /* create, create2, createContainer, createTTL, sync */
    struct span data;           /* getData, reconfig; sasl: token */
    struct zk_stat stat;        /* all with a stat */
    struct acl_list acl;        /* getACL */
    struct wire_vector strings; /* getChildren*, getEphemerals; whoAmI: of struct wire_id */
    int32_t number;             /* getAllChildrenNumber; addWatch: err */
    struct wire_multi multi;    /* multi, multiRead: results */
};

/* Decode the record of a reply whose request had op code `type`. ERR_UNKNOWN as for requests. */
enum err wire_reply_decode(int32_t type, struct span record, struct wire_reply *reply);
void wire_reply_encode(struct bytes *bytes, const struct wire_reply *reply);

/* One result of a multi: type -1 with err, or the op code and its record in `reply`. */
struct wire_result {
    int32_t type;
    int32_t err;   /* of the header */
    int32_t error; /* type -1: of the ErrorResponse; equal to `err` from every known server */
    struct wire_reply reply;
};
bool wire_result_next(struct wire_multi *cursor, struct wire_result *result);
void wire_result_put(struct bytes *bytes, const struct wire_result *result);
/* The end mark of results is that of ops: wire_multi_end. */

#endif
