/* help_prep.h - prep alone, over a real tree: what is prepared may be applied at once or later. */
#ifndef TESTS_PROTOCOL_HELP_PREP_H
#define TESTS_PROTOCOL_HELP_PREP_H

#include "protocol/prep.h"
#include "protocol/wire_client.h"

#define SESSION 0x0100000000000001
#define OTHER   0x0100000000000002
#define CLOSED  0x0100000000000003
#define MOVED   0x0100000000000004
#define NOBODY  0x0100000000000099

/* A leader without a network: what is prepared may be applied at once or later. */
struct bench {
    struct mem_heap heap;
    struct tree *tree;
    struct session_tracker tracker;
    struct prep *prep;
    struct tree_result result;
    struct bytes body, txn, auth;
    struct bytes log[256];
    uint64_t prepared, applied;
    int64_t zxid, session;
    uint64_t owner;
    uint32_t id_count;
    uint64_t digest_failures;
    struct txn last; /* lends from txn */
};

extern struct bench bench;

void bench_begin(const struct prep_options *options);
/* Also checks that every digest was predicted and no memory is left behind. */
void bench_end(void);
/* One more Id of whoever asks. */
void bench_add_auth(const char *scheme, const char *id);
void bench_apply_next(void);
void bench_apply_all(void);
/* Prepare; it stays in flight. bench.last is the transaction. */
enum err bench_prepare_raw(int32_t op, struct span body);
/* The code with which it was refused, or ZK_OK. */
int32_t bench_prepare(const struct wire_request *request);
struct wire_request bench_make(int32_t op, const char *path);
int32_t bench_create(const char *path, int32_t flags);
/* With world:anyone:perms. */
int32_t bench_create_acl(const char *path, int32_t perms);
int32_t bench_set(const char *path, int32_t version);
int32_t bench_delete(const char *path, int32_t version);
int32_t bench_close_session(int64_t session);
/* Is the transaction prepared last about `path`? */
bool bench_path_is(const char *path);

#endif
