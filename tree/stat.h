/* stat.h - a znode's stat: as clients see it, and as files and digests hold it.
 *
 * Reported and stored values differ in two fields: cversion (stored: child creates; reported:
 * creates + deletes = 2 * stored - children) and ephemeralOwner (stored: also container and TTL
 * marks; reported: 0 for those). Source: Apache DataNode.copyStat, StatPersisted, EphemeralType. */
#ifndef TREE_STAT_H
#define TREE_STAT_H

#include "base/bytes.h"

#include <stdint.h>

/* As reported to clients: 68 bytes on the wire. Times in ms since 1970. (`struct stat` is the name
 * of a system header.) */
struct zk_stat {
    int64_t czxid;
    int64_t mzxid;
    int64_t ctime;
    int64_t mtime;
    int32_t version;
    int32_t cversion;
    int32_t aversion;
    int64_t ephemeral_owner;
    int32_t data_length;
    int32_t num_children;
    int64_t pzxid;
};
#define STAT_BYTES 68u

/* As stored: 60 bytes in snapshots and in node digests. */
struct stat_stored {
    int64_t czxid;
    int64_t mzxid;
    int64_t ctime;
    int64_t mtime;
    int32_t version;
    int32_t cversion; /* number of child creates, modulo 2^32 */
    int32_t aversion;
    int64_t ephemeral_owner; /* internal value, see enum node_kind in node.h */
    int64_t pzxid;
};
#define STAT_STORED_BYTES 60u

void stat_write(struct bytes *out, const struct zk_stat *stat);
void stat_read(struct reader *in, struct zk_stat *stat);
/* The order of fields in a snapshot file (pzxid last). */
void stat_stored_write(struct bytes *out, const struct stat_stored *stat);
void stat_stored_read(struct reader *in, struct stat_stored *stat);

#endif
