/* A B+ tree. Leaves hold the entries and are chained both ways; inner nodes hold separators:
 *
 *     keys of child[i]  <  key[i]  <=  keys of child[i + 1]
 *
 * A put that must split allocates every node it needs before it changes anything, so that running
 * out of memory changes nothing. A take frees a node when it is empty and joins two leaves of one
 * parent when together they fill at most half a leaf. */
#include "base/sorted.h"

#include "base/ensure.h"

#include <string.h>

#define SORTED_LEAF_MAX  16u
#define SORTED_INNER_MAX 16u /* children */
/* Every split leaves a quarter in each half, so 64-bit counts never get near this depth. */
#define SORTED_DEPTH_MAX 32u

struct sorted_node {
    uint32_t count; /* entries of a leaf, children of an inner node */
};

struct sorted_leaf {
    struct sorted_node node; /* first */
    struct sorted_leaf *prev, *next;
    uint64_t key[SORTED_LEAF_MAX];
    void *value[SORTED_LEAF_MAX];
};

struct sorted_inner {
    struct sorted_node node; /* first */
    uint64_t key[SORTED_INNER_MAX - 1];
    struct sorted_node *child[SORTED_INNER_MAX];
};

/* How a descent came to a leaf: from the root down. */
struct sorted_path {
    struct sorted_inner *inner[SORTED_DEPTH_MAX];
    uint32_t index[SORTED_DEPTH_MAX];
    struct sorted_leaf *leaf;
};

static struct sorted_leaf *sorted_as_leaf(struct sorted_node *node)
{
    return (struct sorted_leaf *)(void *)node;
}

static struct sorted_inner *sorted_as_inner(struct sorted_node *node)
{
    return (struct sorted_inner *)(void *)node;
}

void sorted_init(struct sorted *sorted, struct mem *mem)
{
    *sorted = (struct sorted){.mem = mem};
}

/* The first index with key[index] >= key. */
static inline uint32_t sorted_lower(const uint64_t *keys, uint32_t count, uint64_t key)
{
    uint32_t index = 0;

    for (uint32_t i = 0; i < count; i++) {
        index += keys[i] < key ? 1 : 0;
    }
    return index;
}

/* Which child of `inner` may hold `key`: as many as there are separators <= key. */
static inline uint32_t sorted_branch(const struct sorted_inner *inner, uint64_t key)
{
    uint32_t index = 0;

    for (uint32_t i = 0; i + 1 < inner->node.count; i++) {
        index += inner->key[i] <= key ? 1 : 0;
    }
    return index;
}

static struct sorted_leaf *sorted_leaf_of(const struct sorted *sorted, uint64_t key)
{
    struct sorted_node *node = sorted->root;

    for (uint32_t level = 0; level < sorted->depth; level++) {
        struct sorted_inner *inner = sorted_as_inner(node);

        node = inner->child[sorted_branch(inner, key)];
    }
    return sorted_as_leaf(node);
}

static void sorted_descend(const struct sorted *sorted, uint64_t key, struct sorted_path *path)
{
    struct sorted_node *node = sorted->root;

    for (uint32_t level = 0; level < sorted->depth; level++) {
        struct sorted_inner *inner = sorted_as_inner(node);

        path->inner[level] = inner;
        path->index[level] = sorted_branch(inner, key);
        node = inner->child[path->index[level]];
    }
    path->leaf = sorted_as_leaf(node);
}

/* Free the chain of leaves, then the inner nodes level by level from the bottom: each level is
 * reached from the root again, which costs a descent a node and needs neither recursion nor memory.
 */
void sorted_drop(struct sorted *sorted)
{
    while (sorted->root != NULL && sorted->depth > 0) {
        struct sorted_node *node = sorted->root;
        struct sorted_inner *parent = NULL;
        uint32_t level = 0;

        while (level < sorted->depth) {
            parent = sorted_as_inner(node);
            if (parent->node.count == 0) {
                break;
            }
            node = parent->child[parent->node.count - 1];
            level++;
        }
        if (level == sorted->depth) {
            mem_put(sorted->mem, node, sizeof(struct sorted_leaf));
            parent->node.count--;
        } else if (level == 0) {
            mem_put(sorted->mem, node, sizeof(struct sorted_inner));
            sorted->root = NULL;
        } else {
            /* An empty inner node: its parent is found again below the root. */
            struct sorted_inner *above = sorted_as_inner(sorted->root);

            for (uint32_t i = 1; i < level; i++) {
                above = sorted_as_inner(above->child[above->node.count - 1]);
            }
            mem_put(sorted->mem, parent, sizeof(struct sorted_inner));
            above->node.count--;
        }
    }
    if (sorted->root != NULL) {
        mem_put(sorted->mem, sorted->root, sizeof(struct sorted_leaf));
    }
    *sorted = (struct sorted){.mem = sorted->mem};
}

void *sorted_find(const struct sorted *sorted, uint64_t key)
{
    struct sorted_leaf *leaf;
    uint32_t index;

    if (sorted->root == NULL) {
        return NULL;
    }
    leaf = sorted_leaf_of(sorted, key);
    index = sorted_lower(leaf->key, leaf->node.count, key);
    return index < leaf->node.count && leaf->key[index] == key ? leaf->value[index] : NULL;
}

static void sorted_leaf_insert(struct sorted_leaf *leaf, uint32_t index, uint64_t key, void *value)
{
    uint32_t behind = leaf->node.count - index;

    memmove(&leaf->key[index + 1], &leaf->key[index], behind * sizeof(leaf->key[0]));
    memmove(&leaf->value[index + 1], &leaf->value[index], behind * sizeof(leaf->value[0]));
    leaf->key[index] = key;
    leaf->value[index] = value;
    leaf->node.count++;
}

/* Put `child` behind child[index], with `key` between the two. */
static void sorted_inner_insert(struct sorted_inner *inner, uint32_t index, uint64_t key,
                                struct sorted_node *child)
{
    uint32_t behind = inner->node.count - 1 - index;

    memmove(&inner->key[index + 1], &inner->key[index], behind * sizeof(inner->key[0]));
    memmove(&inner->child[index + 2], &inner->child[index + 1], behind * sizeof(inner->child[0]));
    inner->key[index] = key;
    inner->child[index + 1] = child;
    inner->node.count++;
}

/* Move the upper part of a full leaf to `right` and insert; returns the separator. A key beyond the
 * last leaf goes alone, so that ascending keys fill their leaves. */
static uint64_t sorted_leaf_split(struct sorted_path *path, struct sorted_leaf *right,
                                  uint32_t index, uint64_t key, void *value)
{
    struct sorted_leaf *left = path->leaf;
    uint32_t keep = SORTED_LEAF_MAX / 2;

    if (left->next == NULL && index == SORTED_LEAF_MAX) {
        keep = SORTED_LEAF_MAX;
    }
    right->node.count = SORTED_LEAF_MAX - keep;
    memcpy(right->key, &left->key[keep], right->node.count * sizeof(right->key[0]));
    memcpy(right->value, &left->value[keep], right->node.count * sizeof(right->value[0]));
    left->node.count = keep;
    right->prev = left;
    right->next = left->next;
    if (right->next != NULL) {
        right->next->prev = right;
    }
    left->next = right;
    if (index > keep || keep == SORTED_LEAF_MAX) {
        sorted_leaf_insert(right, index - keep, key, value);
    } else {
        sorted_leaf_insert(left, index, key, value);
    }
    return right->key[0];
}

/* The same for an inner node: *key and *child are inserted behind child[index] of `left`, and
 * become what the level above has to insert. */
static void sorted_inner_split(struct sorted_inner *left, struct sorted_inner *right,
                               uint32_t index, uint64_t *key, struct sorted_node **child)
{
    uint32_t keep = index + 1 == SORTED_INNER_MAX ? SORTED_INNER_MAX - 1 : SORTED_INNER_MAX / 2;
    uint64_t middle = left->key[keep - 1];

    right->node.count = SORTED_INNER_MAX - keep;
    memcpy(right->child, &left->child[keep], right->node.count * sizeof(right->child[0]));
    memcpy(right->key, &left->key[keep], (right->node.count - 1) * sizeof(right->key[0]));
    left->node.count = keep;
    if (index >= keep) {
        sorted_inner_insert(right, index - keep, *key, *child);
    } else {
        sorted_inner_insert(left, index, *key, *child);
    }
    *key = middle;
    *child = &right->node;
}

/* Nodes for a split that goes up from a full leaf: inner[0..*count) and a leaf. */
static struct sorted_leaf *sorted_reserve(struct sorted *sorted, const struct sorted_path *path,
                                          struct sorted_inner *inner[SORTED_DEPTH_MAX + 1])
{
    struct sorted_leaf *leaf = mem_get(sorted->mem, sizeof(*leaf));
    uint32_t want = 0;
    uint32_t have = 0;

    while (want < sorted->depth &&
           path->inner[sorted->depth - 1 - want]->node.count == SORTED_INNER_MAX) {
        want++;
    }
    if (want == sorted->depth) {
        want++; /* a new root */
    }
    while (leaf != NULL && have < want) {
        inner[have] = mem_get(sorted->mem, sizeof(*inner[have]));
        if (inner[have] == NULL) {
            while (have > 0) {
                mem_put(sorted->mem, inner[--have], sizeof(*inner[have]));
            }
            mem_put(sorted->mem, leaf, sizeof(*leaf));
            return NULL;
        }
        have++;
    }
    return leaf;
}

static enum err sorted_split(struct sorted *sorted, struct sorted_path *path, uint32_t index,
                             uint64_t key, void *value)
{
    struct sorted_inner *fresh[SORTED_DEPTH_MAX + 1] = {NULL};
    struct sorted_leaf *leaf;
    struct sorted_node *child;
    uint32_t used = 0;

    ENSURE(sorted->depth < SORTED_DEPTH_MAX);
    leaf = sorted_reserve(sorted, path, fresh);
    if (leaf == NULL) {
        return ERR_MEMORY;
    }
    key = sorted_leaf_split(path, leaf, index, key, value);
    child = &leaf->node;
    for (uint32_t level = sorted->depth; level > 0; level--) {
        struct sorted_inner *inner = path->inner[level - 1];

        if (inner->node.count < SORTED_INNER_MAX) {
            sorted_inner_insert(inner, path->index[level - 1], key, child);
            return ERR_OK;
        }
        ENSURE(fresh[used] != NULL);
        sorted_inner_split(inner, fresh[used++], path->index[level - 1], &key, &child);
    }
    ENSURE(fresh[used] != NULL);
    fresh[used]->node.count = 2;
    fresh[used]->key[0] = key;
    fresh[used]->child[0] = sorted->root;
    fresh[used]->child[1] = child;
    sorted->root = &fresh[used]->node;
    sorted->depth++;
    return ERR_OK;
}

enum err sorted_put(struct sorted *sorted, uint64_t key, void *value)
{
    struct sorted_path path;
    uint32_t index;

    ENSURE(value != NULL);
    if (sorted->root == NULL) {
        struct sorted_leaf *leaf = mem_get(sorted->mem, sizeof(*leaf));

        if (leaf == NULL) {
            return ERR_MEMORY;
        }
        leaf->node.count = 0;
        leaf->prev = NULL;
        leaf->next = NULL;
        sorted->root = &leaf->node;
        sorted->depth = 0;
    }
    sorted_descend(sorted, key, &path);
    index = sorted_lower(path.leaf->key, path.leaf->node.count, key);
    if (index < path.leaf->node.count && path.leaf->key[index] == key) {
        path.leaf->value[index] = value;
        return ERR_OK;
    }
    if (path.leaf->node.count < SORTED_LEAF_MAX) {
        sorted_leaf_insert(path.leaf, index, key, value);
    } else if (sorted_split(sorted, &path, index, key, value) != ERR_OK) {
        return ERR_MEMORY;
    }
    sorted->count++;
    return ERR_OK;
}

/* Take child[index] out of `inner`, with a separator next to it. */
static void sorted_inner_remove(struct sorted_inner *inner, uint32_t index)
{
    uint32_t behind = inner->node.count - 1 - index;

    if (inner->node.count > 1) {
        uint32_t key_index = index == 0 ? 0 : index - 1;
        uint32_t keys_behind = inner->node.count - 2 - key_index;

        memmove(&inner->key[key_index], &inner->key[key_index + 1],
                keys_behind * sizeof(inner->key[0]));
    }
    memmove(&inner->child[index], &inner->child[index + 1], behind * sizeof(inner->child[0]));
    inner->node.count--;
}

/* The leaf at the end of `path` goes, and every inner node above it that thereby gets empty. */
static void sorted_remove_leaf(struct sorted *sorted, struct sorted_path *path)
{
    struct sorted_leaf *leaf = path->leaf;
    uint32_t level = sorted->depth;

    if (leaf->prev != NULL) {
        leaf->prev->next = leaf->next;
    }
    if (leaf->next != NULL) {
        leaf->next->prev = leaf->prev;
    }
    mem_put(sorted->mem, leaf, sizeof(*leaf));
    for (; level > 0; level--) {
        struct sorted_inner *inner = path->inner[level - 1];

        sorted_inner_remove(inner, path->index[level - 1]);
        if (inner->node.count > 0) {
            break;
        }
        mem_put(sorted->mem, inner, sizeof(*inner));
    }
    if (level == 0) {
        sorted->root = NULL;
        sorted->depth = 0;
    }
    while (sorted->depth > 0 && sorted->root->count == 1) {
        struct sorted_inner *inner = sorted_as_inner(sorted->root);

        sorted->root = inner->child[0];
        sorted->depth--;
        mem_put(sorted->mem, inner, sizeof(*inner));
    }
}

/* Join the leaf at the end of `path` with a neighbour under the same parent when both are nearly
 * empty. */
static void sorted_join(struct sorted *sorted, struct sorted_path *path)
{
    struct sorted_inner *parent = path->inner[sorted->depth - 1];
    uint32_t *index = &path->index[sorted->depth - 1];
    struct sorted_leaf *left;
    struct sorted_leaf *right;

    if (*index == 0) {
        if (parent->node.count == 1) {
            return;
        }
        (*index)++;
    }
    left = sorted_as_leaf(parent->child[*index - 1]);
    right = sorted_as_leaf(parent->child[*index]);
    if (left->node.count + right->node.count > SORTED_LEAF_MAX / 2) {
        return;
    }
    memcpy(&left->key[left->node.count], right->key, right->node.count * sizeof(right->key[0]));
    memcpy(&left->value[left->node.count], right->value,
           right->node.count * sizeof(right->value[0]));
    left->node.count += right->node.count;
    path->leaf = right;
    sorted_remove_leaf(sorted, path);
}

void *sorted_take(struct sorted *sorted, uint64_t key)
{
    struct sorted_path path;
    struct sorted_leaf *leaf;
    uint32_t index;
    uint32_t behind;
    void *value;

    if (sorted->root == NULL) {
        return NULL;
    }
    sorted_descend(sorted, key, &path);
    leaf = path.leaf;
    index = sorted_lower(leaf->key, leaf->node.count, key);
    if (index == leaf->node.count || leaf->key[index] != key) {
        return NULL;
    }
    value = leaf->value[index];
    behind = leaf->node.count - 1 - index;
    memmove(&leaf->key[index], &leaf->key[index + 1], behind * sizeof(leaf->key[0]));
    memmove(&leaf->value[index], &leaf->value[index + 1], behind * sizeof(leaf->value[0]));
    leaf->node.count--;
    sorted->count--;
    if (leaf->node.count == 0) {
        sorted_remove_leaf(sorted, &path);
    } else if (sorted->depth > 0 && leaf->node.count <= SORTED_LEAF_MAX / 4) {
        sorted_join(sorted, &path);
    }
    return value;
}

bool sorted_seek(const struct sorted *sorted, uint64_t key, uint64_t *found, void **value)
{
    const struct sorted_leaf *leaf;
    uint32_t index;

    if (sorted->root == NULL) {
        return false;
    }
    leaf = sorted_leaf_of(sorted, key);
    index = sorted_lower(leaf->key, leaf->node.count, key);
    if (index == leaf->node.count) {
        leaf = leaf->next;
        index = 0;
    }
    if (leaf == NULL) {
        return false;
    }
    *found = leaf->key[index];
    *value = leaf->value[index];
    return true;
}

bool sorted_seek_down(const struct sorted *sorted, uint64_t key, uint64_t *found, void **value)
{
    const struct sorted_leaf *leaf;
    uint32_t index;

    if (sorted->root == NULL) {
        return false;
    }
    leaf = sorted_leaf_of(sorted, key);
    index = sorted_lower(leaf->key, leaf->node.count, key);
    if (index == leaf->node.count || leaf->key[index] != key) {
        if (index == 0) {
            leaf = leaf->prev;
            index = leaf == NULL ? 0 : leaf->node.count;
        }
        if (leaf == NULL) {
            return false;
        }
        index--;
    }
    *found = leaf->key[index];
    *value = leaf->value[index];
    return true;
}
