/* help_tree.h - transactions in one line, files, and trees compared field by field. */
#ifndef TESTS_TREE_HELP_TREE_H
#define TESTS_TREE_HELP_TREE_H

#include "base/rand.h"
#include "tree/image.h"
#include "tree/tree.h"
#include "tree/txn.h"

/* -- transactions; spans lend from the arguments -- */
struct txn help_header(int32_t type, int64_t zxid, int64_t session);
struct txn help_create(const char *path, const char *data, int64_t zxid, int32_t parent_cversion);
struct txn help_delete(const char *path, int64_t zxid);
struct txn help_set(const char *path, const char *data, int64_t zxid, int32_t version);
/* Apply; the test fails unless that succeeds. Returns the code of the transaction. */
int32_t help_apply(struct tree *tree, struct tree_result *result, const struct txn *txn);

/* -- files -- */

/* All of SOURCE_DIR/tests/vectors/NAME, in memory of `mem`. */
void help_read(struct bytes *out, const char *name);

/* -- images -- */

/* The whole image of `tree` as it is now. */
void help_image(struct tree *tree, const struct image_options *options, struct bytes *out);
/* A tree read from an image fed in chunks of `chunk` bytes; NULL and *err when it is refused. */
struct tree *help_load(struct mem *mem, struct span image, size_t chunk, enum image_form form,
                       enum err *err);

/* What an image holds of a node. */
struct help_node {
    struct span path; /* "/" for the root */
    struct stat_stored stat;
    struct span data;
    bool data_null;
    struct span acl; /* raw items */
};

/* A text of everything that an image holds, in an order that does not depend on the order of
 * siblings or on the numbers of access lists: equal texts are equal trees. */
void help_describe_nodes(const struct help_node *nodes, size_t count, struct bytes *out);
void help_describe_session(int64_t session, int32_t timeout_ms, struct bytes *out);
void help_describe(const struct tree *tree, struct bytes *out);
/* The same without what quota nodes say of usage: loading an image counts that again. */
void help_describe_image(const struct tree *tree, struct bytes *out);
/* Recomputed from all nodes. */
uint64_t help_digest(const struct tree *tree);
/* Links, counts, and sums of a tree agree with each other. */
void help_check(const struct tree *tree);

#endif
