/* node.h - one znode in memory.
 *
 * About 150 bytes besides name and data, so that 10^7 fit where Apache needs a server of its own. A
 * node knows its name and its parent, not its path; children hang in a list by age; the tree finds
 * nodes by the hash of their whole path. Ephemerals, containers and TTL nodes have a `struct list`
 * in front of them, which links them to their session or to the tree's list of their kind.
 *
 * Fields are read by anybody and changed by tree/ only. */
#ifndef TREE_NODE_H
#define TREE_NODE_H

#include "base/list.h"
#include "base/span.h"
#include "tree/acl.h"
#include "tree/index.h"
#include "tree/stat.h"

enum node_kind {
    NODE_PERSISTENT,
    NODE_EPHEMERAL,
    NODE_CONTAINER,
    NODE_TTL
};

#define NODE_OWNER_CONTAINER ((int64_t)INT64_MIN)
#define NODE_TTL_MAX         0xffffffffffll /* ms, 40 bits */

enum node_flag {
    NODE_KIND_MASK = 3,  /* enum node_kind */
    NODE_DATA_NULL = 4,  /* data is null, not empty */
    NODE_UNDIGESTED = 8, /* below /zookeeper/ */
    NODE_LINKED = 16     /* a struct list precedes the node */
};

struct node {
    struct index_link link; /* hash of the whole path; spare: length of the name */
    struct node *parent;
    struct node *next;        /* younger sibling, NULL at the end */
    struct node *prev;        /* older sibling; of the oldest: the youngest */
    struct node *first_child; /* oldest */
    uint8_t *data;
    struct acl_entry *acl; /* NULL: world:anyone:cdrwa */
    int64_t czxid;
    int64_t mzxid;
    int64_t pzxid;
    int64_t ctime;
    int64_t mtime;
    int64_t owner; /* as stored */
    int32_t version;
    int32_t cversion; /* as stored */
    int32_t aversion;
    uint32_t child_count;
    uint32_t data_len;
    uint32_t text_crc; /* CRC-32 of path and data: the part of the digest that rarely changes */
    uint32_t crc;      /* the node's digest */
    uint8_t walks;     /* one bit per snapshot walk, see walk.h */
    uint8_t flags;
    uint8_t name[];
};

/* As clients see it. */
void node_stat(const struct node *node, struct zk_stat *stat);
void node_stat_stored(const struct node *node, struct stat_stored *stat);
static inline struct span node_name(const struct node *node)
{
    return span_make(node->name, node->link.spare);
}
static inline struct span node_data(const struct node *node)
{
    return span_make(node->data, node->data_len);
}
static inline bool node_data_null(const struct node *node)
{
    return (node->flags & NODE_DATA_NULL) != 0;
}
static inline enum node_kind node_kind(const struct node *node)
{
    return (enum node_kind)(node->flags & NODE_KIND_MASK);
}
static inline struct acl_list node_acl(const struct node *node)
{
    return acl_entry_list(node->acl);
}
/* Time to live in ms of a NODE_TTL. */
int64_t node_ttl_ms(const struct node *node);
/* Append the whole path; the root gives "/" if `root_slash`, else nothing. */
void node_path(const struct node *node, bool root_slash, struct bytes *out);
/* Length of that path in bytes; 0 for the root. */
size_t node_path_len(const struct node *node);

/* What the owner field of a stat means; `extended` is zookeeper.extendedTypesEnabled, `emulate` is
 * zookeeper.emulate353TTLNodes. Source: Apache EphemeralType.get. */
enum node_kind node_kind_of_owner(int64_t owner, bool extended, bool emulate);
/* The owner field of a TTL node. */
int64_t node_owner_of_ttl(int64_t ttl_ms);

#endif
