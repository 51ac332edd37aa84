/* zk_ledger.h - every transaction that anybody proposed in a run, and which were committed.
 *
 * The ledger stands outside the servers and never forgets: what a server lost, the ledger still
 * has. A zxid names one transaction for ever, and every transaction has one that precedes it: the
 * one before it in its epoch, or, for the first of an epoch, the last of the history with which
 * that epoch was established. So a whole history is named by its last zxid, and "does that history
 * contain this transaction" is a walk over epochs, not over transactions. */
#ifndef SIM_ZK_ZK_LEDGER_H
#define SIM_ZK_ZK_LEDGER_H

#include "base/mem.h"
#include "protocol/history.h"

struct zk_txn {
    int64_t zxid;
    uint64_t hash;   /* hash_bytes(txn, 0) */
    uint64_t digest; /* of the tree behind it */
    int64_t session;
    int32_t cxid;
    int32_t type;         /* of enum zk_op */
    uint64_t tag;         /* the operation that asked for it; 0 none of ours */
    uint32_t proposer;    /* process; SIM_NONE for a set-up line */
    uint32_t digest_from; /* process that told the digest first */
    bool has_digest;
    bool committed;
};

struct zk_epoch {
    int64_t epoch;
    bool has_base;
    int64_t base;     /* zxid before its first transaction */
    bool is_led;      /* somebody has been in synchronisation or later as its leader */
    uint32_t leader;  /* process */
    bool established; /* a quorum acknowledged NEWLEADER */
    uint64_t established_us;
};

struct zk_ledger {
    struct mem *mem;
    struct zk_txn *txns; /* in the order of learning */
    uint32_t count, room;
    uint32_t *slots; /* index + 1 by hash of the zxid */
    uint32_t slot_count;
    struct zk_epoch *epochs; /* ascending */
    uint32_t epoch_count, epoch_room;
    int64_t committed; /* greatest zxid of a committed transaction */
    bool failed;       /* memory ran out: what follows is not judged */
};

void zk_ledger_init(struct zk_ledger *ledger, struct mem *mem);
/* NULL when nobody proposed it. Valid until the next put. */
struct zk_txn *zk_ledger_find(const struct zk_ledger *ledger, int64_t zxid);
/* The entry of `zxid`, made (with zeros, proposer SIM_NONE) if need be. NULL: no memory. */
struct zk_txn *zk_ledger_put(struct zk_ledger *ledger, int64_t zxid);
struct zk_epoch *zk_ledger_epoch(const struct zk_ledger *ledger, int64_t epoch);
/* Made if need be; NULL: no memory. Others may move. */
struct zk_epoch *zk_ledger_put_epoch(struct zk_ledger *ledger, int64_t epoch);

/* Does the history that ends with `last` contain `zxid`? What the ledger cannot know (files that no
 * set-up line wrote) counts as contained. */
bool zk_ledger_contains(const struct zk_ledger *ledger, int64_t last, int64_t zxid);
/* The zxid before `zxid` in its history; -1 when the ledger does not know. */
int64_t zk_ledger_before(const struct zk_ledger *ledger, int64_t zxid);
/* The last zxid that the histories ending with `a` and `b` share. */
int64_t zk_ledger_common(const struct zk_ledger *ledger, int64_t a, int64_t b);

#endif
