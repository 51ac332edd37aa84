/* quota.h - limits on count and bytes below a path, and what is used of them.
 *
 * The limits of path Q are the data of the node /zookeeper/quota + Q + /zookeeper_limits, its usage
 * that of .../zookeeper_stats. Whether Q has a quota is whether the first exists, so there is no
 * second index to keep. Source: Apache Quotas, StatsTrack, DataTree.updateQuotaStat,
 * ZooKeeperServer.checkQuota. */
#ifndef TREE_QUOTA_H
#define TREE_QUOTA_H

#include "base/bytes.h"
#include "tree/code.h"
#include "tree/tree.h"

/* The text of both nodes; -1 = no limit. */
struct quota {
    int64_t count;
    int64_t bytes;
    int64_t byte_hard_limit;
    int64_t count_hard_limit;
};

/* "count=1,bytes=2", "count=1,bytes=-1=;byteHardLimit=5". Unknown keys are
 * skipped. Errors: ERR_FORMAT. */
enum err quota_parse(struct span text, struct quota *quota);
void quota_write(struct bytes *out, const struct quota *quota);

/* The deepest path at or above `path` that has a quota, never the root; false when there is none.
 */
bool quota_path(const struct tree *tree, struct span path, struct span *quota_path);

/* What is to be added at `path`. `count` is 1 only for a create. */
struct quota_change {
    int64_t count;
    int64_t bytes;
};
/* ZK_OK, or ZK_QUOTAEXCEEDED when a hard limit would be exceeded (zookeeper.enforceQuota). */
enum zk_code quota_check(const struct tree *tree, struct span path, struct quota_change change);

#endif
