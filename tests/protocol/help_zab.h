/* help_zab.h - a broadcast machine on its own, with a store whose disk never fails, cranked by
 * hand. */
#ifndef TESTS_PROTOCOL_HELP_ZAB_H
#define TESTS_PROTOCOL_HELP_ZAB_H

#include "protocol/wire_quorum.h"
#include "protocol/zab_leader.h"
#include "protocol/zab_learner.h"

#define BENCH_CONNS 64u

struct zab_bench {
    struct mem_heap heap;
    struct fx fx;
    struct config config;
    struct ensemble ensemble;
    struct tree *tree;
    struct history history;
    struct store *store;
    struct zab_leader leader;
    struct zab_learner learner;
    uint64_t now_us;
    uint64_t tags[4096]; /* file effects that wait for their answer, oldest first */
    uint32_t tag_count;
    struct bytes sent[BENCH_CONNS]; /* by connection modulo BENCH_CONNS */
    bool closed[BENCH_CONNS];
    uint32_t dialed;          /* last connection dialed */
    int64_t accepted_at_send; /* store_accepted_epoch when something was last sent */
};

/* Server `sid` of `servers` voters, with `txns` creates of epoch 1 in its history; syncs are
 * answered only by bench_sync when `slow`. */
void bench_open(struct zab_bench *bench, int64_t sid, uint32_t servers, uint32_t txns);
void bench_close(struct zab_bench *bench);
/* Take the effects of the step: what was sent is kept by connection, file effects wait. */
void bench_take(struct zab_bench *bench);
/* Answer every waiting file effect, telling leader and learner what became durable. */
void bench_sync(struct zab_bench *bench);
/* Transaction bytes: create /n<counter>. Lent until the next call. */
struct span bench_txn(struct zab_bench *bench, int64_t zxid);

/* Packets of a peer to the leader or of the leader to the learner; true while the connection
 * stands. */
void bench_accept(struct zab_bench *bench, uint32_t conn);
bool bench_say(struct zab_bench *bench, uint32_t conn, const struct bytes *packets,
               struct zab_event *event);
bool bench_say_packet(struct zab_bench *bench, uint32_t conn, enum packet_type type, int64_t zxid);
bool bench_say_info(struct zab_bench *bench, uint32_t conn, int64_t sid, int64_t accepted_epoch);
bool bench_say_ackepoch(struct zab_bench *bench, uint32_t conn, int64_t zxid, int32_t epoch);
/* The next packet that was sent on `conn`; false when there is none. */
bool bench_hear(struct zab_bench *bench, uint32_t conn, struct wire_packet *packet);
/* Expect the next one to be of this type and zxid. */
void bench_expect(struct zab_bench *bench, uint32_t conn, enum packet_type type, int64_t zxid);
/* Two followers joined, the leader established (epoch 2, or 1 when there is no history). */
void bench_establish(struct zab_bench *bench);

#endif
