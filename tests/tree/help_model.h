/* help_model.h - a tree as a list of records, as simple as it can be, and random transactions for
 * both.
 *
 * The model follows the tables of client-protocol 9.1, 11 and 15 by brute force. */
#ifndef TESTS_TREE_HELP_MODEL_H
#define TESTS_TREE_HELP_MODEL_H

#include "base/rand.h"
#include "tests/tree/help_tree.h"

#define MODEL_NODES    4096u
#define MODEL_PATH     96u
#define MODEL_DATA     256u
#define MODEL_LIST     256u
#define MODEL_SESSIONS 8u
#define MODEL_TRIGGERS 4096u

struct model_node {
    char path[MODEL_PATH]; /* "/" for the root */
    struct stat_stored stat;
    uint8_t data[MODEL_DATA];
    uint32_t data_len;
    bool data_null;
    uint8_t acl[MODEL_LIST];
    uint32_t acl_len;
};

struct model_trigger {
    enum zk_event event;
    char path[MODEL_PATH];
};

struct model {
    struct model_node nodes[MODEL_NODES]; /* by age */
    uint32_t count;
    int32_t timeout_ms[MODEL_SESSIONS]; /* 0: not in the table; session i + 1 */
    struct model_trigger triggers[MODEL_TRIGGERS];
    uint32_t trigger_count;
    int32_t code;
    int32_t codes[64]; /* of a multi */
    uint32_t code_count;
};

void model_init(struct model *model);
void model_apply(struct model *model, const struct txn *txn);
void model_describe(const struct model *model, struct bytes *out);

/* A random transaction, encoded into `out`. Paths are few, so that everything meets everything. */
struct help_random {
    struct rand rand;
    const uint8_t *script; /* draws come from here if not NULL, zeros after its end */
    size_t script_left;
    const struct model *model; /* to hit existing nodes often */
    int64_t zxid;              /* of the last one */
};
void help_random_txn(struct help_random *random, struct bytes *out);

#endif
