/* history.h - the transactions a server holds in memory, in zxid order: the single copy of each.
 *
 *      first            committed | pending                last
 *      [ (2,4) (2,5) ... (2,900) | (2,901) (2,902) (2,903) ]
 *        ^ trimmed here            ^ the next to commit    ^ pushed here
 *
 * The front part is committed, that is: applied to the tree (after recovery: everything that was
 * replayed). The rest are proposals whose commit is awaited. Synchronisation by DIFF walks the
 * front, forwarding to a late follower the rest, the log takes its bytes from here.
 *
 * Lifetime. A txn never moves. What is trimmed or cut stays readable until history_begin_step,
 * which the owner calls at the start of every step: so bytes that were lent to effects of the
 * current step stay valid for as long as the step contract asks.
 *
 * Places. Every txn has a sequence number that counts pushes; it does not change when the front is
 * trimmed. A cursor of a learner handler is such a number. After history_cut or history_reset
 * numbers at the end are given out again: drop cursors then. Source: Apache ZKDatabase.committedLog
 * and Leader.outstandingProposals in one. */
#ifndef PROTOCOL_HISTORY_H
#define PROTOCOL_HISTORY_H

#include "base/err.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* zxid = epoch << 32 | counter. (epoch, 0) names the epoch and is never a txn. */
static inline int64_t zxid_epoch(int64_t zxid)
{
    return zxid >> 32;
}

static inline uint32_t zxid_counter(int64_t zxid)
{
    return (uint32_t)((uint64_t)zxid & 0xffffffffu);
}

static inline int64_t zxid_make(int64_t epoch, uint32_t counter)
{
    return (int64_t)((uint64_t)epoch << 32 | counter);
}

/* Whether `zxid` may follow `previous` without a gap: the next counter of the same epoch, or
 * counter 1 of a later one. */
bool zxid_follows(int64_t previous, int64_t zxid);

struct history_txn {
    int64_t zxid;
    uint64_t hash;     /* hash_bytes(bytes, 0), as in notes */
    struct span bytes; /* TxnHeader, record, digest: as in PROPOSAL and in the log */
    /* From the TxnHeader. */
    int64_t session;
    int64_t time_ms;
    int32_t cxid;
    int32_t type;
    uint64_t acks; /* belongs to the leader: who has it on disk. 0 when pushed */
    struct history_txn *next_dead;
};

struct history {
    struct mem *mem;
    struct ring ring;         /* of struct history_txn * */
    uint64_t pending;         /* sequence number of the first txn that is not committed */
    int64_t base_zxid;        /* the zxid before the first one held */
    int64_t commit_zxid;      /* of the last committed txn, held or not */
    uint64_t bytes;           /* of all txns held */
    uint32_t keep_count;      /* history_trim keeps so many committed ones */
    uint64_t keep_bytes;      /* ... while they have no more bytes than this */
    struct history_txn *dead; /* freed by history_begin_step */
};

/* Empty, at zxid 0. keep_count: Apache's commitLogCount (500 and up). keep_bytes: UINT64_MAX for no
 * limit. */
void history_init(struct history *history, struct mem *mem, uint32_t keep_count,
                  uint64_t keep_bytes);
void history_drop(struct history *history);

/* Free what was trimmed or cut in the step before. Call it first in every step. */
void history_begin_step(struct history *history);

/* Forget everything; the tree now stands at `zxid` (a snapshot was loaded). */
void history_reset(struct history *history, int64_t zxid);

/* Put a txn at the end. `bytes` are copied; *txn stays valid until trimmed or cut (see Lifetime).
 *
 * Errors: ERR_FORMAT when `bytes` do not start with a TxnHeader or its zxid has counter 0 or is
 *         negative; ERR_ORDER when it does not follow the last one (zxid_follows); ERR_MEMORY.
 * Nothing has changed then. */
enum err history_push(struct history *history, struct span bytes, struct history_txn **txn);

/* Move the commit mark over the first pending txn, which must have this zxid.
 *
 * Errors: ERR_MISSING nothing is pending, ERR_ORDER another one comes first (Apache: exit code 12).
 */
enum err history_commit(struct history *history, int64_t zxid, struct history_txn **txn);

/* zxid of the last txn held or, without any, that the tree stands at. */
int64_t history_last_zxid(const struct history *history);
/* zxid of the last committed txn, likewise. */
int64_t history_commit_zxid(const struct history *history);
/* First and last committed ones still held (Apache minCommittedLog, maxCommittedLog), or NULL. */
struct history_txn *history_first_committed(const struct history *history);
struct history_txn *history_last_committed(const struct history *history);
/* The next to commit, or NULL. */
struct history_txn *history_first_pending(const struct history *history);
uint64_t history_count(const struct history *history);
uint64_t history_pending_count(const struct history *history);

/* Exactly this one, or NULL. Constant time within an epoch, else logarithmic. */
struct history_txn *history_find(const struct history *history, int64_t zxid);
/* Sequence number of the first txn with a greater zxid; the end (history->ring.tail) when none. */
uint64_t history_after(const struct history *history, int64_t zxid);
/* The txn with this sequence number; NULL when it is trimmed, or past the end. Walk:
 * for (s = history_after(h, z); (txn = history_at(h, s)) != NULL; s++). */
struct history_txn *history_at(const struct history *history, uint64_t sequence);
bool history_is_committed(const struct history *history, uint64_t sequence);

/* Remove every txn with a greater zxid, committed or not: a role ended, or the log was truncated.
 * (The tree does not go back by itself.) */
void history_cut(struct history *history, int64_t zxid);

/* Remove committed txns from the front beyond keep_count or keep_bytes, but none with a sequence
 * number
 * >= `floor` (UINT64_MAX: no floor; else the least cursor in use). */
void history_trim(struct history *history, uint64_t floor);

#endif
