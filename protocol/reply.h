/* reply.h - what the server says to a client: results of reads and writes, watch events.
 *
 * Pure functions over the tree: each appends whole frames (length, header, record) to `out`. A read
 * is evaluated and encoded in one go, straight from the tree, without a copy between.
 *
 * Source: Apache FinalRequestProcessor, DataTree.setWatches, NIOServerCnxn.process;
 * docs/pipeline.md. */
#ifndef PROTOCOL_REPLY_H
#define PROTOCOL_REPLY_H

#include "base/bytes.h"
#include "protocol/wire_client.h"
#include "tree/tree.h"
#include "tree/watch.h"

#include <stdbool.h>
#include <stdint.h>

/* From where a reply is made. */
struct reply_scene {
    const struct tree *tree;
    struct watch_table *watches;
    int64_t zxid;  /* last applied: into the reply header */
    uint32_t conn; /* in the watch table */
    int64_t session;
    const struct acl_who *who; /* of the connection */
    bool compat_38;
};

/* Is this an op that is answered from this server's tree (ping, reads, setWatches)? */
bool reply_is_read(int32_t op);

/* Evaluate a read and append its reply: events first for setWatches. A record that cannot be
 * decoded is answered MARSHALLINGERROR. Returns the code (enum zk_code). Errors: out->failed when
 * memory ran out. */
int32_t reply_read(const struct reply_scene *scene, const struct wire_request_header *header,
                   struct span record, struct bytes *out);

/* The reply to a write of op code header->type, from what applying its transaction yielded. Returns
 * the code in the header. */
int32_t reply_write(const struct wire_request_header *header, const struct txn *txn,
                    const struct tree_result *result, struct bytes *out);

/* A reply that is only a header. */
void reply_header(struct bytes *out, int32_t xid, int64_t zxid, int32_t code);
/* The reply to sync: its path again. */
void reply_sync(struct bytes *out, int32_t xid, int64_t zxid, struct span path);
/* A watch event; zxid -1: not known. */
void reply_event(struct bytes *out, int64_t zxid, int32_t type, struct span path);
/* The byte readOnly of a ConnectResponse: there is none, or what it says. */
enum reply_read_only {
    REPLY_READ_ONLY_ABSENT,
    REPLY_READ_ONLY_NO,
    REPLY_READ_ONLY_YES
};
/* The answer to a ConnectRequest; session 0 refuses it. */
void reply_connected(struct bytes *out, int64_t session, uint32_t timeout_ms,
                     enum reply_read_only read_only);

#endif
