/* request.h - one client request on its way from the server that read it to the transaction.
 *
 * A request is lent: its spans point into the bytes it came in (a client frame, a REQUEST packet)
 * and are valid for the step in which it was handed out. Whoever wants to keep one copies it with
 * request_copy. On the usual path nothing is copied: the frame is checked in place and prep writes
 * the transaction from it, or the learner encodes the REQUEST packet from it. */
#ifndef PROTOCOL_REQUEST_H
#define PROTOCOL_REQUEST_H

#include "base/mem.h"
#include "base/span.h"
#include "protocol/wire_jute.h"

#include <stdbool.h>
#include <stdint.h>

enum request_kind {
    REQUEST_WRITE,      /* becomes a transaction: create .. multi, createSession, closeSession */
    REQUEST_SYNC,       /* op sync; answered by clients_on_synced */
    REQUEST_REVALIDATE, /* a client re-attaches; at learners only; answered by clients_on_verdict */
};

struct request {
    enum request_kind kind;
    int32_t op;          /* op code; createSession -10, closeSession -11; 0 for REVALIDATE */
    int32_t cxid;        /* the client's xid; 0 for createSession and internal requests */
    uint32_t timeout_ms; /* REVALIDATE: as negotiated */
    int64_t session;
    uint64_t owner;              /* session.h: who asks; SESSION_OWNER_NONE = this server itself */
    struct span body;            /* record without its header; createSession: int timeout_ms */
    struct wire_vector auth_ids; /* of struct wire_id; null for createSession, as in Apache */
    uint64_t token;              /* SYNC: counts up from 1 within one clients_serve */
};

/* What prep needs to close a session that expired. */
struct request request_close_session(int64_t session);

/* A request that a learner forwarded: `packet` is the data of its REQUEST packet, `auth_ids`
 * its authinfo, `owner` the owner number of its connection (session.h). A
 * sync gets kind REQUEST_SYNC. Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT; ERR_UNKNOWN for an op that
 * a learner does not forward. */
enum err request_from_learner(struct span packet, const struct wire_vector *auth_ids,
                              uint64_t owner, struct request *request);

/* Append the REQUEST packet that carries a WRITE or SYNC to the leader. */
void request_forward_encode(struct bytes *out, const struct request *request);

/* Does this op become a transaction? (Known ops only; sync, reads and ping do not.) */
bool request_is_write(int32_t op);

/* A copy that owns its spans, in one block of `mem`; NULL when memory ran out. */
struct request *request_copy(struct mem *mem, const struct request *request);
void request_drop(struct mem *mem, struct request *request);

#endif
