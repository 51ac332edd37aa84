/* txn.h - transactions: the same bytes in PROPOSAL, INFORM and the log.
 *
 * TxnHeader, then a record that depends on the type, then an optional TxnDigest. Decoding copies
 * nothing: every span of a struct txn lends from the decoded bytes. Lists (close, multi) stay
 * encoded and are walked; txn_decode has checked them to the end, so that walking cannot fail.
 * Source: Apache SerializeUtils, Util.marshallTxnEntry, zookeeper.jute (module
 * org.apache.zookeeper.txn). */
#ifndef TREE_TXN_H
#define TREE_TXN_H

#include "base/bytes.h"
#include "tree/acl.h"
#include "tree/code.h"

struct txn_header {
    int64_t client_id; /* session; 0 for internal deletes of containers */
    int32_t cxid;
    int64_t zxid;
    int64_t time; /* wall clock of the leader at preparation, ms */
    int32_t type; /* a listed enum zk_op that has a transaction */
};
#define TXN_HEADER_BYTES 32u

/* Bytes that may be null: not the same as empty for a node's data. */
struct txn_data {
    struct span span;
    bool is_null;
};

/* Types create, create2, createContainer, createTTL. */
struct txn_create {
    struct span path;
    struct txn_data data;
    struct acl_list acl;
    bool ephemeral;          /* create, create2 */
    int32_t parent_cversion; /* -1: one more than it is (old form) */
    int64_t ttl;             /* createTTL, ms */
    bool old_form;           /* CreateTxnV0: written without parent_cversion */
};

struct txn_set_data {
    struct span path;
    struct txn_data data;
    int32_t version; /* the new one */
};

struct txn_set_acl {
    struct span path;
    struct acl_list acl;
    int32_t version; /* the new aversion */
};

struct txn_check {
    struct span path;
    int32_t version; /* the checked one + 1 */
};

/* A list of paths, still encoded: count x ustring. */
struct txn_paths {
    struct span raw;
    uint32_t count;
    bool is_null;
};

struct txn_close {
    struct txn_paths paths;
    bool absent; /* old form: no record at all */
};

/* Sub transactions, still encoded: count x {int type; buffer record}. */
struct txn_multi {
    struct span raw;
    uint32_t count;
    bool is_null;
};

struct txn {
    struct txn_header header;
    union {                         /* by header.type: */
        struct txn_create create;   /* OP_CREATE, OP_CREATE2, OP_CREATE_CONTAINER, OP_CREATE_TTL */
        struct span path;           /* OP_DELETE, OP_DELETE_CONTAINER */
        struct txn_set_data set;    /* OP_SET_DATA, OP_RECONFIG */
        struct txn_set_acl set_acl; /* OP_SET_ACL */
        struct txn_check check;     /* OP_CHECK, inside multi */
        int32_t timeout_ms;         /* OP_CREATE_SESSION */
        struct txn_close close;     /* OP_CLOSE_SESSION */
        int32_t error;              /* OP_ERROR: a wire number, maybe unlisted */
        struct txn_multi multi;     /* OP_MULTI */
    };
    bool has_digest;
    int32_t digest_version;
    uint64_t digest; /* of the tree after this transaction */
};

/* All of `bytes` must be one transaction. Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT, ERR_UNKNOWN
 * (type). */
enum err txn_decode(struct span bytes, struct txn *txn);
/* Only the header, for routing. Errors: ERR_SHORT. */
enum err txn_decode_header(struct span bytes, struct txn_header *header);
/* Append the bytes of `txn`; the inverse of txn_decode, byte for byte. */
void txn_encode(struct bytes *out, const struct txn *txn);
/* The record alone, without header and digest. */
void txn_encode_record(struct bytes *out, const struct txn *txn);

/* Take the first path off `rest`; false at the end. */
bool txn_paths_next(struct txn_paths *rest, struct span *path);
/* Append one path to the raw bytes of a list under construction. */
void txn_paths_add(struct bytes *raw, struct span path);

/* Take the first sub transaction off `rest`: *sub gets the header of the whole with its own type.
 * `whole` is the transaction that the list came from. False at the end. */
bool txn_multi_next(struct txn_multi *rest, const struct txn *whole, struct txn *sub);
/* Append one sub transaction to the raw bytes of a list under construction. */
void txn_multi_add(struct bytes *raw, const struct txn *sub);

/* The path a transaction is about, empty when it has none (sessions, multi, error). */
struct span txn_path(const struct txn *txn);

#endif
