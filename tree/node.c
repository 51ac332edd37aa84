#include "tree/node.h"

#include "base/ensure.h"

#define NODE_TTL_MARK 0xff00000000000000u

void node_stat(const struct node *node, struct zk_stat *stat)
{
    *stat = (struct zk_stat){
        .czxid = node->czxid,
        .mzxid = node->mzxid,
        .ctime = node->ctime,
        .mtime = node->mtime,
        .version = node->version,
        .cversion = (int32_t)(2u * (uint32_t)node->cversion - node->child_count),
        .aversion = node->aversion,
        .ephemeral_owner = node_kind(node) == NODE_EPHEMERAL ? node->owner : 0,
        .data_length = (int32_t)node->data_len,
        .num_children = (int32_t)node->child_count,
        .pzxid = node->pzxid,
    };
}

void node_stat_stored(const struct node *node, struct stat_stored *stat)
{
    *stat = (struct stat_stored){
        .czxid = node->czxid,
        .mzxid = node->mzxid,
        .ctime = node->ctime,
        .mtime = node->mtime,
        .version = node->version,
        .cversion = node->cversion,
        .aversion = node->aversion,
        .ephemeral_owner = node->owner,
        .pzxid = node->pzxid,
    };
}

int64_t node_ttl_ms(const struct node *node)
{
    return node->owner & NODE_TTL_MAX;
}

size_t node_path_len(const struct node *node)
{
    size_t len = 0;

    for (; node->parent != NULL; node = node->parent) {
        len += 1 + (size_t)node->link.spare;
    }
    return len;
}

void node_path(const struct node *node, bool root_slash, struct bytes *out)
{
    size_t len = node_path_len(node);
    uint8_t *end;

    if (len == 0) {
        if (root_slash) {
            bytes_u8(out, '/');
        }
        return;
    }
    if (!bytes_reserve(out, len)) {
        return;
    }
    /* From the end: a node knows the way up only. */
    out->len += len;
    end = out->at + out->len;
    for (; node->parent != NULL; node = node->parent) {
        end -= node->link.spare;
        memcpy(end, node->name, node->link.spare);
        *--end = '/';
    }
    ENSURE(end == out->at + out->len - len);
}

enum node_kind node_kind_of_owner(int64_t owner, bool extended, bool emulate)
{
    if (owner == 0) {
        return NODE_PERSISTENT;
    }
    if (owner == NODE_OWNER_CONTAINER) {
        return NODE_CONTAINER;
    }
    if (extended) {
        if (emulate && owner < 0) {
            return NODE_TTL;
        }
        /* Bits 40 to 55 number a feature; 0 is TTL and there is no other yet. */
        if (((uint64_t)owner & ~(uint64_t)NODE_TTL_MAX) == NODE_TTL_MARK) {
            return NODE_TTL;
        }
    }
    return NODE_EPHEMERAL;
}

int64_t node_owner_of_ttl(int64_t ttl_ms)
{
    return (int64_t)(NODE_TTL_MARK | ((uint64_t)ttl_ms & (uint64_t)NODE_TTL_MAX));
}
