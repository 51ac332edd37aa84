/* client_ask.h - what a program says to a client process, and what it hears back.
 *
 * An ask (bytes of IN_ASK): int op, then the request record of that op exactly as on the wire
 * (wire_client.h); a multi may so be built op by op, or taken raw. Paths are those of the program:
 * the client puts its chroot before them. Every op of the client port may be asked except
 * createSession, setWatches and sasl; the ops below are the client's own. The tag of IN_ASK names
 * the operation in its FX_ANSWER and in the notes INVOKE, OK, FAIL and UNKNOWN.
 *
 * An answer (bytes of FX_ANSWER): int code, long zxid, int op, bool has_reply, then the reply
 * record as on the wire if so: when code is 0 and the op has one, and for a multi that failed.
 *
 * Exactly one answer an ask, whatever happens; its code is of enum zk_code:
 *   CONNECTIONLOSS   sent, and the connection broke: it may have happened (note UNKNOWN)
 *   SESSIONEXPIRED   never sent, the session is over (note FAIL)
 *   REQUESTTIMEOUT   never sent, too many wait already (note FAIL)
 *   BADARGUMENTS     not a request (note FAIL) */
#ifndef PROTOCOL_CLIENT_ASK_H
#define PROTOCOL_CLIENT_ASK_H

#include "base/text.h"
#include "protocol/wire_client.h"

enum client_op {
    CLIENT_OP_OPEN =
        -1001, /* open a new session after expiry, close or boot; answered when it is there */
    CLIENT_OP_MOVE = -1002, /* leave the server and go to `path` = "host:port" next (null: any
                               other); answered at once */
};

/* Write an ask: any wire_request, or the client's own ops with their `path`. */
void client_ask_encode(struct bytes *bytes, const struct wire_request *request);
/* Decode and check an ask; spans point into it. Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT, and
 * ERR_UNKNOWN for an op that may not be asked. */
enum err client_ask_decode(struct span ask, struct wire_request *request);

/* The usual asks in one call. Data is not null; versions -1 = any; acl world:anyone. */
void client_ask_create(struct bytes *bytes, struct span path, struct span data, enum zk_mode mode);
void client_ask_delete(struct bytes *bytes, struct span path, int32_t version);
void client_ask_set(struct bytes *bytes, struct span path, struct span data, int32_t version);
/* exists, getData, getChildren, getChildren2. */
void client_ask_read(struct bytes *bytes, int32_t op, struct span path, bool watch);
/* Ops of a path alone (sync, getACL, getAllChildrenNumber, getEphemerals), of nothing (ping,
 * closeSession, whoAmI, CLIENT_OP_OPEN; path is ignored) and CLIENT_OP_MOVE. */
void client_ask_plain(struct bytes *bytes, int32_t op, struct span path);

struct client_answer {
    int32_t code; /* of enum zk_code; for a failed multi that of its first failed op */
    int64_t zxid; /* of the reply; -1 when there was none */
    int32_t op;
    bool has_reply;
    struct wire_reply reply;
};
/* `record` is the reply record as received, empty for none. */
void client_answer_encode(struct bytes *bytes, const struct client_answer *answer,
                          struct span record);
enum err client_answer_decode(struct span span, struct client_answer *answer);

/* ---- text of notes ----
 * INVOKE: `create /a "1" flags=1`, `setData /a "2" version=3`, `getData /a watch`, `multi [check /a
 *         version=1; delete /b]`: words as in scenario files; version -1 and flags 0 are left out.
 * OK:     create `/a`, getData `"2" version=1 mzxid=100000003`, exists, setData, setACL the stat,
 *         getChildren `[a b]` in the server's order, multi `[ok; NONODE]` by op.
 * Data and lists longer than CLIENT_TEXT_MAX bytes appear as `#HASH` (hash_bytes, seed 0). */
#define CLIENT_TEXT_MAX 64u
void client_request_text(struct text *text, const struct wire_request *request);
void client_reply_text(struct text *text, const struct wire_reply *reply);

#endif
