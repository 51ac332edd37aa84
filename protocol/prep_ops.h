/* prep_ops.h - part of prep: one operation at a time, checked in ZooKeeper's order.
 *
 * Each function answers the code of the first check that fails (enum zk_code), or ZK_OK with *txn
 * filled (header apart) and the change put into the view. Spans of *txn lend from the request and
 * from prep's scratch, until the next operation. On ZK_SYSTEMERROR with prep->failed memory ran
 * out. Source: Apache PrepRequestProcessor.pRequest2Txn; docs/pipeline.md, "Order of checks". */
#ifndef PROTOCOL_PREP_OPS_H
#define PROTOCOL_PREP_OPS_H

#include "protocol/prep.h"
#include "protocol/prep_view.h"
#include "protocol/wire_client.h"

struct prep {
    struct mem *mem;
    struct prep_options options;
    struct session_tracker *tracker;
    const struct session_tracker *locals; /* NULL: there are no local sessions */
    uint64_t server_id;                   /* the lowest byte of it is on top of our sessions */
    struct prep_view view;
    /* the request at hand */
    const struct request *request;
    struct prep_stamp stamp;
    struct acl_id *ids;
    uint32_t id_room;
    struct acl_who who; /* what its connection has proved to be: some of `ids` */
    bool failed;        /* memory ran out */
    int32_t last_code;
    /* scratch */
    struct bytes path; /* of a sequential node */
    struct bytes acl;  /* a list after fix-up */
    struct bytes list; /* of closeSession and multi */
};

/* `type` is the op code it is handled under: that of the request, or wire_multi_type. */
int32_t prep_op(struct prep *prep, const struct wire_request *op, int32_t type, struct txn *txn);

/* May the request's owner do something for its session? ZK_OK or the error code. */
int32_t prep_session_check(struct prep *prep);
/* The same for a node that lives as long as the session: a local one may not. */
int32_t prep_global_check(struct prep *prep);

/* Take `path` out of the view: the node, and its parent's child count and pzxid. */
enum err prep_remove(struct prep *prep, struct span path);

/* The part of `path` before its last '/'; false when it has none. "" for a top-level path. */
bool prep_parent_path(struct span path, struct span *parent);

#endif
