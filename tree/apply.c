/* What each transaction does to the tree: the table of docs/tree.md, "Stat rules".
 *
 * Every change announces itself to the walks (tree_before_change), updates the digest, and names
 * its triggers in the order in which watches fire. */
#include "base/ensure.h"
#include "tree/path.h"
#include "tree/quota.h"
#include "tree/state.h"

#define APPLY_TURN 32u /* steps of given-up walks per transaction */
/* Triggers of one operation: of the node, of its parent. */
#define APPLY_TRIGGERS 2u

struct apply {
    struct tree *tree;
    const struct txn_header *header; /* of the whole transaction */
    struct tree_result *result;
};

/* -- results -- */

void tree_result_init(struct tree_result *result, struct mem *mem)
{
    *result = (struct tree_result){.mem = mem};
    bytes_init(&result->text, mem);
}

void tree_result_drop(struct tree_result *result)
{
    mem_put(result->mem, result->ops, result->op_room * sizeof(*result->ops));
    mem_put(result->mem, result->triggers, result->trigger_room * sizeof(*result->triggers));
    bytes_drop(&result->text);
    *result = (struct tree_result){.mem = result->mem};
}

static void result_clear(struct tree_result *result)
{
    result->code = ZK_OK;
    result->op = (struct tree_op){0};
    result->op_count = 0;
    result->trigger_count = 0;
    bytes_clear(&result->text);
}

/* Room for `more` further triggers, so that adding them cannot fail. */
static enum err result_reserve_triggers(struct tree_result *result, uint32_t more)
{
    uint32_t room = result->trigger_room == 0 ? 4 : result->trigger_room;
    struct tree_trigger *triggers;

    if (result->quiet || result->trigger_room - result->trigger_count >= more) {
        return ERR_OK;
    }
    if (more > UINT32_MAX / 4 || result->trigger_count > UINT32_MAX / 4) {
        return ERR_MEMORY;
    }
    while (room < result->trigger_count + more) {
        room *= 2;
    }
    triggers = mem_grow(result->mem, result->triggers, result->trigger_room * sizeof(*triggers),
                        room * sizeof(*triggers));
    if (triggers == NULL) {
        return ERR_MEMORY;
    }
    result->triggers = triggers;
    result->trigger_room = room;
    return ERR_OK;
}

static enum err result_reserve_ops(struct tree_result *result, uint32_t count)
{
    struct tree_op *ops;

    if (result->op_room >= count) {
        return ERR_OK;
    }
    ops = mem_grow(result->mem, result->ops, result->op_room * sizeof(*ops), count * sizeof(*ops));
    if (ops == NULL) {
        return ERR_MEMORY;
    }
    result->ops = ops;
    result->op_room = count;
    return ERR_OK;
}

static void result_trigger(struct tree_result *result, enum zk_event event, struct span path,
                           const struct acl_entry *acl)
{
    if (result->quiet) {
        return;
    }
    ENSURE(result->trigger_count < result->trigger_room);
    result->triggers[result->trigger_count++] =
        (struct tree_trigger){.event = event, .path = path, .acl = acl};
}

/* -- creating -- */

/* A child was created: the counter moves on, unless a replay comes late. */
static void apply_raise_parent(struct apply *apply, struct node *parent, int32_t cversion)
{
    if (cversion == -1) {
        cversion = (int32_t)((uint32_t)parent->cversion + 1);
    }
    if (cversion > parent->cversion) {
        tree_before_change(apply->tree, parent);
        parent->cversion = cversion;
        parent->pzxid = apply->header->zxid;
        tree_update_digest(apply->tree, parent);
    }
}

/* The owner field that the type of the transaction gives (not the flags of the request: see
 * zk_mode). */
static int64_t apply_owner(const struct apply *apply, int32_t type, const struct txn_create *create)
{
    if (type == OP_CREATE_CONTAINER) {
        return NODE_OWNER_CONTAINER;
    }
    if (type == OP_CREATE_TTL) {
        return node_owner_of_ttl(create->ttl);
    }
    return create->ephemeral ? apply->header->client_id : 0;
}

/* Replay over a fuzzy image: the node is there, maybe with an access list that the image could not
 * name yet. */
static enum err apply_create_again(struct apply *apply, struct node *node,
                                   const struct txn_create *create)
{
    struct acl_entry *entry;
    enum err err = acl_table_use(&apply->tree->acls, create->acl, &entry);

    if (err != ERR_OK) {
        return err;
    }
    if (entry != node->acl) {
        tree_before_change(apply->tree, node);
    }
    acl_table_release(&apply->tree->acls, node->acl);
    node->acl = entry;
    if (node->parent != NULL) {
        apply_raise_parent(apply, node->parent, create->parent_cversion);
    }
    return ERR_OK;
}

static enum err apply_created(struct apply *apply, struct node *node, struct span path)
{
    struct node *parent = node->parent;
    struct quota_change change = {.count = 1, .bytes = node->data_len};
    enum err err = ERR_OK;

    if ((node->flags & NODE_UNDIGESTED) != 0) {
        err = quota_created(apply->tree, node, path);
    }
    if (err == ERR_OK) {
        err = quota_account(apply->tree, path, change);
    }
    result_trigger(apply->result, EVENT_CREATED, path, node->acl);
    result_trigger(apply->result, EVENT_CHILDREN_CHANGED, path_parent(path), parent->acl);
    return err;
}

static enum err apply_create(struct apply *apply, int32_t type, const struct txn_create *create,
                             struct tree_op *op)
{
    struct tree *tree = apply->tree;
    const struct txn_header *header = apply->header;
    struct tree_new_node new_node = {
        .path = create->path, .data = create->data, .acl = create->acl};
    struct span parent;
    struct node *node;
    enum err err;

    op->path = create->path;
    if (!path_split(create->path, &parent, &new_node.name)) {
        op->code = path_special(create->path) ? ZK_NODEEXISTS : ZK_BADARGUMENTS;
        return ERR_OK;
    }
    new_node.parent = tree_look_up(tree, parent, index_hash(&tree->index, parent));
    if (new_node.parent == NULL) {
        op->code = ZK_NONODE;
        return ERR_OK;
    }
    new_node.hash = index_hash(&tree->index, create->path);
    node = tree_look_up(tree, create->path, new_node.hash);
    if (node != NULL) {
        op->code = ZK_NODEEXISTS;
        return apply_create_again(apply, node, create);
    }
    new_node.stat = (struct stat_stored){.czxid = header->zxid,
                                         .mzxid = header->zxid,
                                         .pzxid = header->zxid,
                                         .ctime = header->time,
                                         .mtime = header->time,
                                         .ephemeral_owner = apply_owner(apply, type, create)};
    err = tree_add_node(tree, &new_node, &node);
    if (err != ERR_OK) {
        return err;
    }
    apply_raise_parent(apply, node->parent, create->parent_cversion);
    err = apply_created(apply, node, create->path);
    node_stat(node, &op->stat);
    return err;
}

/* -- deleting -- */

static enum err apply_remove(struct apply *apply, struct node *node, struct span path)
{
    struct node *parent = node->parent;
    struct quota_change change = {.count = -1, .bytes = -(int64_t)node->data_len};

    result_trigger(apply->result, EVENT_DELETED, path, node->acl);
    result_trigger(apply->result, EVENT_CHILDREN_CHANGED, path_parent(path), parent->acl);
    tree_remove_node(apply->tree, node);
    return quota_account(apply->tree, path, change);
}

static enum err apply_delete(struct apply *apply, struct span path, struct tree_op *op)
{
    struct tree *tree = apply->tree;
    int64_t zxid = apply->header->zxid;
    struct span above;
    struct span name;
    struct node *parent;
    struct node *node;

    op->path = path;
    if (!path_split(path, &above, &name)) {
        op->code = ZK_BADARGUMENTS;
        return ERR_OK;
    }
    parent = tree_look_up(tree, above, index_hash(&tree->index, above));
    if (parent == NULL) {
        op->code = ZK_NONODE;
        return ERR_OK;
    }
    /* Also when the node is gone already: an image may have seen its end before that of its parent.
     */
    if (zxid > parent->pzxid) {
        tree_before_change(tree, parent);
        parent->pzxid = zxid;
        tree_update_digest(tree, parent);
    }
    node = tree_look_up(tree, path, index_hash(&tree->index, path));
    if (node == NULL) {
        op->code = ZK_NONODE;
        return ERR_OK;
    }
    return apply_remove(apply, node, path);
}

/* -- changing -- */

static enum err apply_set_data(struct apply *apply, const struct txn_set_data *set,
                               struct tree_op *op)
{
    struct tree *tree = apply->tree;
    struct node *node = tree_find_mutable(tree, set->path);
    struct quota_change change = {0};
    enum err err;

    op->path = set->path;
    if (node == NULL) {
        op->code = ZK_NONODE;
        return ERR_OK;
    }
    change.bytes = (int64_t)set->data.span.len - (int64_t)node->data_len;
    err = tree_replace_data(tree, node, set->data);
    if (err != ERR_OK) {
        return err;
    }
    node->mzxid = apply->header->zxid;
    node->mtime = apply->header->time;
    node->version = set->version;
    tree_update_text(tree, node, set->path);
    if (change.bytes != 0) {
        err = quota_account(tree, set->path, change);
    }
    node_stat(node, &op->stat);
    result_trigger(apply->result, EVENT_DATA_CHANGED, set->path, node->acl);
    return err;
}

static enum err apply_set_acl(struct apply *apply, const struct txn_set_acl *set,
                              struct tree_op *op)
{
    struct tree *tree = apply->tree;
    struct node *node = tree_find_mutable(tree, set->path);
    struct acl_entry *entry;

    op->path = set->path;
    if (node == NULL) {
        op->code = ZK_NONODE;
        return ERR_OK;
    }
    if (acl_table_use(&tree->acls, set->acl, &entry) != ERR_OK) {
        return ERR_MEMORY;
    }
    tree_before_change(tree, node);
    acl_table_release(&tree->acls, node->acl);
    node->acl = entry;
    node->aversion = set->version;
    tree_update_digest(tree, node);
    node_stat(node, &op->stat);
    return ERR_OK;
}

/* -- sessions -- */

/* Room for the paths of all ephemerals that are left, and their triggers. */
static enum err apply_reserve_close(struct apply *apply, const struct tree_session *session)
{
    const struct list *link;
    size_t len = 0;

    for (link = session->ephemerals.next; link != &session->ephemerals; link = link->next) {
        len += node_path_len((const struct node *)(const void *)(link + 1));
    }
    if (session->ephemeral_count > UINT32_MAX / (2 * APPLY_TRIGGERS) ||
        !bytes_reserve(&apply->result->text, len)) {
        return ERR_MEMORY;
    }
    return result_reserve_triggers(apply->result,
                                   (uint32_t)session->ephemeral_count * APPLY_TRIGGERS);
}

/* Ephemerals that the transaction did not name: created between its preparation and now, on a
 * server whose history differs; Apache removes them as well. */
static enum err apply_close_rest(struct apply *apply, int64_t id)
{
    struct tree_session *session = tree_session_get(apply->tree, id);
    struct bytes *text = &apply->result->text;
    enum err err;

    if (session == NULL || session->ephemeral_count == 0) {
        return ERR_OK;
    }
    err = apply_reserve_close(apply, session);
    while (err == ERR_OK && session != NULL && session->ephemeral_count > 0) {
        struct tree_op ignored = {0};
        size_t from = text->len;

        node_path(node_of_link(session->ephemerals.next), true, text);
        err = apply_delete(apply, bytes_tail(text, from), &ignored);
        /* The last one takes its owner along, unless that is in the session table. */
        session = tree_session_get(apply->tree, id);
    }
    return err;
}

static enum err apply_close_session(struct apply *apply, const struct txn_close *close)
{
    struct txn_paths rest = close->paths;
    int64_t id = apply->header->client_id;
    struct tree_session *session;
    struct span path;
    enum err err = ERR_OK;

    while (err == ERR_OK && txn_paths_next(&rest, &path)) {
        struct tree_op ignored = {0};

        err = result_reserve_triggers(apply->result, APPLY_TRIGGERS);
        if (err == ERR_OK) {
            err = apply_delete(apply, path, &ignored);
        }
    }
    if (err == ERR_OK) {
        err = apply_close_rest(apply, id);
    }
    session = tree_session_get(apply->tree, id);
    if (err == ERR_OK && session != NULL) {
        tree_session_unset(apply->tree, session);
    }
    return err;
}

/* -- one operation, and several -- */

static enum err apply_one(struct apply *apply, const struct txn *txn, struct tree_op *op)
{
    enum err err = result_reserve_triggers(apply->result, APPLY_TRIGGERS);

    *op = (struct tree_op){.type = txn->header.type};
    if (err != ERR_OK) {
        return err;
    }
    switch ((enum zk_op)txn->header.type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        return apply_create(apply, txn->header.type, &txn->create, op);
    case OP_DELETE:
    case OP_DELETE_CONTAINER:
        return apply_delete(apply, txn->path, op);
    case OP_SET_DATA:
    case OP_RECONFIG:
        return apply_set_data(apply, &txn->set, op);
    case OP_SET_ACL:
        return apply_set_acl(apply, &txn->set_acl, op);
    case OP_CREATE_SESSION:
        return tree_session_set(apply->tree, txn->header.client_id, txn->timeout_ms);
    case OP_CLOSE_SESSION:
        return apply_close_session(apply, &txn->close);
    case OP_ERROR:
        op->code = txn->error;
        return ERR_OK;
    case OP_CHECK:
        op->path = txn->check.path;
        return ERR_OK;
    default: /* txn_decode lets no other type through */
        UNREACHABLE();
    }
}

/* Does the multi hold a failed operation? Then none is done. */
static bool apply_multi_failed(const struct txn *txn)
{
    struct txn_multi rest = txn->multi;
    struct txn sub;

    while (txn_multi_next(&rest, txn, &sub)) {
        if (sub.header.type == OP_ERROR) {
            return true;
        }
    }
    return false;
}

static void apply_multi_errors(struct apply *apply, const struct txn *txn)
{
    struct tree_result *result = apply->result;
    struct txn_multi rest = txn->multi;
    int32_t otherwise = ZK_OK;
    struct txn sub;

    while (txn_multi_next(&rest, txn, &sub)) {
        struct tree_op *op = &result->ops[result->op_count++];

        *op = (struct tree_op){.type = OP_ERROR, .code = otherwise};
        if (sub.header.type == OP_ERROR) {
            op->code = sub.error;
            otherwise = ZK_RUNTIMEINCONSISTENCY;
        }
        if (result->code == ZK_OK) {
            result->code = op->code;
        }
    }
}

static enum err apply_multi(struct apply *apply, const struct txn *txn)
{
    struct tree_result *result = apply->result;
    struct txn_multi rest = txn->multi;
    enum err err = result_reserve_ops(result, txn->multi.count);
    struct txn sub;

    result->op = (struct tree_op){.type = OP_MULTI};
    if (err != ERR_OK) {
        return err;
    }
    if (apply_multi_failed(txn)) {
        apply_multi_errors(apply, txn);
        return ERR_OK;
    }
    while (err == ERR_OK && txn_multi_next(&rest, txn, &sub)) {
        struct tree_op *op = &result->ops[result->op_count++];

        err = apply_one(apply, &sub, op);
        if (result->code == ZK_OK) {
            result->code = op->code;
        }
    }
    return err;
}

enum err tree_apply(struct tree *tree, const struct txn *txn, struct tree_result *result)
{
    struct apply apply = {.tree = tree, .header = &txn->header, .result = result};
    enum err err;

    ENSURE(tree->root != NULL);
    result_clear(result);
    walk_turn(tree, APPLY_TURN);
    if (txn->header.type == OP_MULTI) {
        err = apply_multi(&apply, txn);
        result->op.code = result->code;
    } else {
        err = apply_one(&apply, txn, &result->op);
        result->code = result->op.code;
    }
    if (err == ERR_OK && txn->header.zxid > tree->zxid) {
        tree->zxid = txn->header.zxid;
    }
    return err;
}
