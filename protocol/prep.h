/* prep.h - from a request to transaction bytes, at the leader or a standalone server.
 *
 * A request is checked against the tree plus every change that is prepared and not applied yet.
 * Those changes stand in records per path (stat, child count, ACL, running checksum of path and
 * data), each removed when the last transaction that touched the path is applied. Every write takes
 * a zxid, whether it succeeds or not: a refused one becomes an `error` transaction, which is how
 * the refusal travels back to the client in order.
 *
 * How the owner drives it:
 *
 *     for each request that came from clients_next_request, a learner, or session expiry:
 *         stamp.zxid = the next zxid; bytes_clear(txn);
 *         if (prep_request(prep, &request, &stamp, txn) != ERR_OK) -> out of memory: give up the
 * role propose or log `txn`; the zxid is used up in any case for each transaction, once tree_apply
 * has changed the tree: prep_applied(prep, zxid);     before the next prep_request when the role
 * ends: prep_drop (pending changes are forgotten with it)
 *
 * The tree that prep reads must be applied exactly up to the last prep_applied (or the state in
 * which prep was made): nothing may be in flight when prep begins.
 *
 * Source: Apache PrepRequestProcessor; docs/pipeline.md. */
#ifndef PROTOCOL_PREP_H
#define PROTOCOL_PREP_H

#include "base/bytes.h"
#include "base/err.h"
#include "protocol/config.h"
#include "protocol/request.h"
#include "protocol/session.h"
#include "tree/tree.h"

#include <stdbool.h>

struct prep;

struct prep_options {
    bool ensemble;       /* unknown session: SESSIONEXPIRED; standalone: UNKNOWNSESSION */
    bool extended_types; /* zookeeper.extendedTypesEnabled: TTL nodes */
    bool emulate_353;    /* zookeeper.emulate353TTLNodes */
    bool enforce_quota;  /* zookeeper.enforceQuota */
    bool digest;         /* zookeeper.digest.enabled: a TxnDigest ends each transaction */
    bool close_paths;    /* zookeeper.closeSessionTxn.enabled: closeSession lists its ephemerals */
    uint64_t sessions_max; /* terrarium.maxSessions: createSession fails above it */
    struct acl_policy acl;
};

/* What the configuration says; the default one is that of Apache 3.9. */
struct prep_options prep_options_default(bool ensemble);
struct prep_options prep_options_of(const struct config *config, bool ensemble);

/* tree and tracker are borrowed for life. NULL when memory ran out. */
struct prep *prep_make(struct mem *mem, const struct prep_options *options, const struct tree *tree,
                       struct session_tracker *tracker);
void prep_drop(struct prep *prep);
/* Local sessions are in use (localSessionsEnabled): a session that is not known may be local to
 * another server, or be one of ours in `locals` (borrowed). `server_id` tells whose ids are ours.
 */
void prep_know_locals(struct prep *prep, const struct session_tracker *locals, int64_t server_id);

struct prep_stamp {
    int64_t zxid;    /* above every earlier one */
    int64_t wall_ms; /* becomes the transaction's time */
    uint64_t now_us; /* for deadlines of sessions */
};

/* Append the transaction of `request` (kind REQUEST_WRITE): TxnHeader, record, TxnDigest.
 *
 * A request that is refused appends an error transaction (a failed multi keeps its type). Sessions:
 * createSession is added to the tracker with the request's owner, closeSession marks it closing.
 * Errors: ERR_MEMORY: `out` and the pending changes are not to be used any more.
 * Source: PrepRequestProcessor.pRequest2Txn. */
enum err prep_request(struct prep *prep, const struct request *request,
                      const struct prep_stamp *stamp, struct bytes *out);
/* Why the last request was refused (enum zk_code), 0 when it was not. */
int32_t prep_last_code(const struct prep *prep);

/* The tree now contains everything up to `zxid`. */
void prep_applied(struct prep *prep, int64_t zxid);
/* Forget every change in flight (they will never be applied). */
void prep_reset(struct prep *prep);

/* Paths with a change in flight: bounds, metrics, tests. */
uint64_t prep_pending(const struct prep *prep);

#endif
