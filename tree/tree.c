#include "tree/tree.h"

#include "base/ensure.h"
#include "tree/digest.h"
#include "tree/path.h"
#include "tree/quota.h"
#include "tree/state.h"

/* -- nodes -- */

static size_t node_lead(uint8_t flags)
{
    return (flags & NODE_LINKED) != 0 ? sizeof(struct list) : 0;
}

/* Without what leads. Short names fit into the padding that an assignment of the struct writes. */
static size_t node_size(size_t name_len)
{
    size_t size = offsetof(struct node, name) + name_len;

    return size < sizeof(struct node) ? sizeof(struct node) : size;
}

static void node_free(struct tree *tree, struct node *node)
{
    size_t lead = node_lead(node->flags);
    size_t size = lead + node_size(node->link.spare);

    if (node->data != NULL) {
        mem_put(tree->mem, node->data, node->data_len);
    }
    mem_put(tree->mem, (uint8_t *)(void *)node - lead, size);
}

/* Memory of a node with name and data, nothing linked. NULL when memory ran out. */
static struct node *node_make(struct tree *tree, const struct tree_new_node *new_node)
{
    enum node_kind kind = node_kind_of_owner(
        new_node->stat.ephemeral_owner, tree->options.extended_types, tree->options.emulate_353);
    uint8_t flags = (uint8_t)((uint32_t)kind | (kind != NODE_PERSISTENT ? NODE_LINKED : 0) |
                              (new_node->data.is_null ? NODE_DATA_NULL : 0) |
                              (path_undigested(new_node->path) ? NODE_UNDIGESTED : 0));
    size_t lead = node_lead(flags);
    struct span data = new_node->data.span;
    uint8_t *block = mem_get(tree->mem, lead + node_size(new_node->name.len));
    struct node *node;
    struct node head;

    if (block == NULL) {
        return NULL;
    }
    node = (struct node *)(void *)(block + lead);
    head = (struct node){.flags = flags,
                         .walks = tree->walk_polarity,
                         .link = {.hash = new_node->hash, .spare = (uint32_t)new_node->name.len},
                         .czxid = new_node->stat.czxid,
                         .mzxid = new_node->stat.mzxid,
                         .pzxid = new_node->stat.pzxid,
                         .ctime = new_node->stat.ctime,
                         .mtime = new_node->stat.mtime,
                         .version = new_node->stat.version,
                         .cversion = new_node->stat.cversion,
                         .aversion = new_node->stat.aversion,
                         .owner = new_node->stat.ephemeral_owner};
    /* Not the whole struct: its padding reaches behind a block with a short name. */
    memcpy(node, &head, offsetof(struct node, name));
    if (new_node->name.len > 0) {
        memcpy(node->name, new_node->name.at, new_node->name.len);
    }
    if (data.len > 0) {
        node->data = mem_get(tree->mem, data.len);
        if (node->data == NULL) {
            node_free(tree, node);
            return NULL;
        }
        memcpy(node->data, data.at, data.len);
        node->data_len = (uint32_t)data.len;
    }
    return node;
}

static void tree_link_child(struct node *parent, struct node *node)
{
    if (parent->first_child == NULL) {
        parent->first_child = node;
    } else {
        node->prev = parent->first_child->prev;
        node->prev->next = node;
    }
    parent->first_child->prev = node; /* the oldest knows the youngest */
    parent->child_count++;
    node->parent = parent;
}

static void tree_unlink_child(struct node *parent, struct node *node)
{
    if (parent->first_child == node) {
        parent->first_child = node->next;
    } else {
        node->prev->next = node->next;
    }
    if (node->next != NULL) {
        node->next->prev = node->prev;
    } else if (parent->first_child != NULL) {
        parent->first_child->prev = node->prev;
    }
    parent->child_count--;
}

void tree_update_digest(struct tree *tree, struct node *node)
{
    struct stat_stored stat;

    if (tree->options.digest_off || (node->flags & NODE_UNDIGESTED) != 0) {
        return;
    }
    node_stat_stored(node, &stat);
    tree->digest -= node->crc;
    node->crc = digest_finish(node->text_crc, &stat);
    tree->digest += node->crc;
}

void tree_update_text(struct tree *tree, struct node *node, struct span path)
{
    if (!tree->options.digest_off && (node->flags & NODE_UNDIGESTED) == 0) {
        node->text_crc = digest_text(path, node_data(node));
        tree_update_digest(tree, node);
    }
}

enum err tree_add_node(struct tree *tree, const struct tree_new_node *new_node, struct node **added)
{
    struct tree_session *session = NULL;
    struct node *node = node_make(tree, new_node);

    if (node == NULL) {
        return ERR_MEMORY;
    }
    if (node_kind(node) == NODE_EPHEMERAL &&
        tree_session_make(tree, node->owner, &session) != ERR_OK) {
        node_free(tree, node);
        return ERR_MEMORY;
    }
    if (acl_table_use(&tree->acls, new_node->acl, &node->acl) != ERR_OK) {
        node_free(tree, node);
        if (session != NULL) {
            tree_session_forget(tree, session);
        }
        return ERR_MEMORY;
    }
    if (session != NULL) {
        list_push(&session->ephemerals, node_link(node));
        session->ephemeral_count++;
        tree->ephemeral_count++;
    } else if (node_kind(node) == NODE_CONTAINER) {
        list_push(&tree->containers, node_link(node));
    } else if (node_kind(node) == NODE_TTL) {
        list_push(&tree->ttls, node_link(node));
    }
    if (new_node->parent == NULL) {
        ENSURE(tree->root == NULL && new_node->path.len == 0);
        tree->root = node;
    } else {
        tree_link_child(new_node->parent, node);
    }
    index_put(&tree->index, &node->link);
    tree->data_bytes += new_node->path.len + node->data_len;
    tree_update_text(tree, node, new_node->path);
    if (quota_is_limits(tree, node)) {
        tree->quota_count++;
    }
    *added = node;
    return ERR_OK;
}

/* A node without children. */
static void tree_remove_leaf(struct tree *tree, struct node *node)
{
    ENSURE(node->first_child == NULL && node->child_count == 0);
    tree_before_change(tree, node);
    walk_skip_node(tree, node);
    if (quota_is_limits(tree, node)) {
        tree->quota_count--;
    }
    tree->digest -= node->crc;
    tree->data_bytes -= node_path_len(node) + node->data_len;
    index_take(&tree->index, &node->link);
    if (node->parent != NULL) {
        tree_unlink_child(node->parent, node);
    } else {
        tree->root = NULL;
    }
    if ((node->flags & NODE_LINKED) != 0) {
        list_take(node_link(node));
    }
    if (node_kind(node) == NODE_EPHEMERAL) {
        struct tree_session *session = tree_session_get(tree, node->owner);

        ENSURE(session != NULL && session->ephemeral_count > 0);
        session->ephemeral_count--;
        tree->ephemeral_count--;
        tree_session_forget(tree, session);
    }
    acl_table_release(&tree->acls, node->acl);
    node_free(tree, node);
}

static struct node *tree_first_leaf(struct node *node)
{
    while (node->first_child != NULL) {
        node = node->first_child;
    }
    return node;
}

void tree_remove_node(struct tree *tree, struct node *node)
{
    struct node *leaf;

    do {
        leaf = tree_first_leaf(node);
        while (leaf != node && leaf->first_child == NULL) {
            struct node *parent = leaf->parent;

            tree_remove_leaf(tree, leaf);
            leaf = parent;
        }
    } while (leaf != node || node->first_child != NULL);
    tree_remove_leaf(tree, node);
}

enum err tree_replace_data(struct tree *tree, struct node *node, struct txn_data data)
{
    uint8_t *fresh = node->data;

    if (data.span.len != node->data_len) {
        fresh = NULL;
        if (data.span.len > 0) {
            fresh = mem_get(tree->mem, data.span.len);
            if (fresh == NULL) {
                return ERR_MEMORY;
            }
        }
    }
    tree_before_change(tree, node);
    if (data.span.len > 0) {
        memmove(fresh, data.span.at, data.span.len);
    }
    if (fresh != node->data) {
        mem_put(tree->mem, node->data, node->data_len);
        node->data = fresh;
    }
    tree->data_bytes += data.span.len;
    tree->data_bytes -= node->data_len;
    node->data_len = (uint32_t)data.span.len;
    node->flags =
        (uint8_t)((node->flags & ~(uint32_t)NODE_DATA_NULL) | (data.is_null ? NODE_DATA_NULL : 0u));
    return ERR_OK;
}

/* -- making and dropping -- */

struct tree *tree_make_bare(struct mem *mem, const struct tree_options *options)
{
    struct tree *tree = mem_get_zero(mem, sizeof(*tree));

    if (tree == NULL) {
        return NULL;
    }
    tree->mem = mem;
    tree->options = *options;
    if (index_init(&tree->index, mem, options->hash_seed) != ERR_OK) {
        mem_put(mem, tree, sizeof(*tree));
        return NULL;
    }
    acl_table_init(&tree->acls, mem, options->hash_seed);
    sorted_init(&tree->sessions, mem);
    list_init(&tree->containers);
    list_init(&tree->ttls);
    bytes_init(&tree->scratch, mem);
    return tree;
}

/* One of the nodes that exist from the start: every field of its stat is 0. */
static enum err tree_add_special(struct tree *tree, const char *path, struct acl_list acl)
{
    struct tree_new_node new_node = {.path = span_text(path), .acl = acl};
    struct span parent;
    struct node *node;

    if (path_split(new_node.path, &parent, &new_node.name)) {
        new_node.parent = tree_find_mutable(tree, parent);
    }
    new_node.hash = index_hash(&tree->index, new_node.path);
    if (span_is(new_node.path, PATH_CONFIG)) {
        new_node.stat.aversion = -1;
    }
    return tree_add_node(tree, &new_node, &node);
}

struct tree *tree_make(struct mem *mem, const struct tree_options *options)
{
    struct acl_list open = {.is_null = true};
    struct tree *tree = tree_make_bare(mem, options);

    if (tree == NULL) {
        return NULL;
    }
    /* The order is Apache's, so that a first snapshot is byte for byte the same. */
    if (tree_add_special(tree, "", open) != ERR_OK ||
        tree_add_special(tree, PATH_ZOOKEEPER, open) != ERR_OK ||
        tree_add_special(tree, PATH_CONFIG, acl_world_read()) != ERR_OK ||
        tree_add_special(tree, PATH_QUOTA, open) != ERR_OK) {
        tree_drop(tree);
        return NULL;
    }
    return tree;
}

/* Free one node without any book-keeping; what it was linked to goes as well. Returns the next. */
static struct node *tree_drop_node(struct tree *tree, struct node *node)
{
    struct node *leaf = tree_first_leaf(node);
    struct node *next = leaf->next != NULL ? leaf->next : leaf->parent;

    if (leaf->parent != NULL) {
        leaf->parent->first_child = leaf->next;
    }
    node_free(tree, leaf);
    return next;
}

static void tree_drop_rest(struct tree *tree)
{
    struct mem *mem = tree->mem;
    uint64_t key = 0;
    void *value;

    while (sorted_seek(&tree->sessions, 0, &key, &value)) {
        (void)sorted_take(&tree->sessions, key);
        mem_put(mem, value, sizeof(struct tree_session));
    }
    sorted_drop(&tree->sessions);
    acl_table_drop(&tree->acls);
    index_drop(&tree->index);
    bytes_drop(&tree->scratch);
    mem_put(mem, tree, sizeof(*tree));
}

bool tree_drop_some(struct tree *tree, uint64_t nodes)
{
    walk_cut_off(tree);
    if (tree->root != NULL) {
        tree->dropping = tree->root;
        tree->root = NULL;
    }
    for (; nodes > 0 && tree->dropping != NULL; nodes--) {
        tree->dropping = tree_drop_node(tree, tree->dropping);
    }
    if (tree->dropping != NULL) {
        return false;
    }
    tree_drop_rest(tree);
    return true;
}

void tree_drop(struct tree *tree)
{
    if (tree != NULL) {
        ENSURE(tree_drop_some(tree, UINT64_MAX));
    }
}

/* -- looking -- */

/* Compare from the end upwards: names differ sooner than the ancestors do. */
static bool node_matches(const struct node *node, struct span path)
{
    size_t end = path.len;

    for (; node->parent != NULL; node = node->parent) {
        size_t len = node->link.spare;

        if (end < len + 1 || memcmp(path.at + end - len, node->name, len) != 0) {
            return false;
        }
        end -= len + 1;
        if (path.at[end] != '/') {
            return false;
        }
    }
    return end == 0;
}

struct node *tree_look_up(const struct tree *tree, struct span path, uint32_t hash)
{
    struct index_link *link = index_first(&tree->index, hash);

    while (link != NULL &&
           !(link->hash == hash && node_matches((struct node *)(void *)link, path))) {
        link = link->next;
    }
    return (struct node *)(void *)link;
}

struct node *tree_find_mutable(const struct tree *tree, struct span path)
{
    path = path_canonical(path);
    return tree_look_up(tree, path, index_hash(&tree->index, path));
}

const struct node *tree_find(const struct tree *tree, struct span path)
{
    return tree_find_mutable(tree, path);
}

uint64_t tree_node_count(const struct tree *tree)
{
    return tree->index.count;
}

uint64_t tree_ephemeral_count(const struct tree *tree)
{
    return tree->ephemeral_count;
}

uint64_t tree_data_bytes(const struct tree *tree)
{
    return tree->data_bytes;
}

int64_t tree_zxid(const struct tree *tree)
{
    return tree->zxid;
}

void tree_set_zxid(struct tree *tree, int64_t zxid)
{
    tree->zxid = zxid;
}

uint64_t tree_digest(const struct tree *tree)
{
    return tree->digest;
}

const struct node *tree_next(const struct node *top, const struct node *node)
{
    if (node->first_child != NULL) {
        return node->first_child;
    }
    while (node != top && node->next == NULL) {
        node = node->parent;
    }
    return node == top ? NULL : node->next;
}

uint64_t tree_count_below(const struct tree *tree, const struct node *node)
{
    uint64_t count = 0;
    const struct node *at;

    if (node->parent == NULL) {
        return tree->index.count - 1;
    }
    for (at = tree_next(node, node); at != NULL; at = tree_next(node, at)) {
        count++;
    }
    return count;
}

/* -- the configuration node -- */

enum err tree_set_config(struct tree *tree, struct span text, int64_t version, int64_t now_ms)
{
    struct span path = span_text(PATH_CONFIG);
    struct node *node = tree_find_mutable(tree, path);
    enum err err = ERR_OK;

    if (tree_find_mutable(tree, span_text(PATH_ZOOKEEPER)) == NULL) {
        err = tree_add_special(tree, PATH_ZOOKEEPER, (struct acl_list){.is_null = true});
    }
    if (err == ERR_OK && node == NULL) {
        err = tree_add_special(tree, PATH_CONFIG, acl_world_read());
    }
    if (err != ERR_OK) {
        return err;
    }
    node = tree_find_mutable(tree, path);
    ENSURE(node != NULL);
    err = tree_replace_data(tree, node, (struct txn_data){.span = text});
    if (err == ERR_OK) {
        node->mzxid = version;
        node->mtime = now_ms;
        node->version = -1;
        tree_update_text(tree, node, path);
    }
    return err;
}
