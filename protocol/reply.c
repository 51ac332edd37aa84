#include "protocol/reply.h"

#include "base/ensure.h"
#include "protocol/session.h"
#include "tree/path.h"

bool reply_is_read(int32_t op)
{
    switch (op) {
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_GET_ACL:
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
    case OP_PING:
    case OP_SET_WATCHES:
    case OP_SET_WATCHES2:
    case OP_ADD_WATCH:
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
    case OP_GET_EPHEMERALS:
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_WHO_AM_I:
    case OP_MULTI_READ:
        return true;
    default:
        return false;
    }
}

static bool reply_may(const struct reply_scene *scene, const struct node *node, uint32_t wanted)
{
    return acl_check(node_acl(node), wanted, scene->who);
}

static void reply_stat(struct bytes *out, const struct node *node)
{
    struct zk_stat stat;

    node_stat(node, &stat);
    stat_write(out, &stat);
}

/* The node of a read that needs READ. */
static int32_t reply_find(const struct reply_scene *scene, struct span path,
                          const struct node **node)
{
    *node = tree_find(scene->tree, path);
    if (*node == NULL) {
        return ZK_NONODE;
    }
    return reply_may(scene, *node, PERM_READ) ? ZK_OK : ZK_NOAUTH;
}

static void reply_watch(const struct reply_scene *scene, struct span path, uint32_t modes,
                        struct bytes *out)
{
    if (watch_add(scene->watches, scene->conn, path, modes) != ERR_OK) {
        out->failed = true;
    }
}

static int32_t reply_exists(const struct reply_scene *scene, const struct wire_request *op,
                            struct bytes *out)
{
    const struct node *node;

    if (op->path.len > 0 && memchr(op->path.at, 0, op->path.len) != NULL) {
        return ZK_BADARGUMENTS;
    }
    node = tree_find(scene->tree, op->path);
    if (node != NULL && !scene->compat_38 && !reply_may(scene, node, PERM_READ)) {
        return ZK_NOAUTH;
    }
    if (op->watch) {
        reply_watch(scene, op->path, WATCH_DATA, out); /* also where nothing is yet */
    }
    if (node == NULL) {
        return ZK_NONODE;
    }
    reply_stat(out, node);
    return ZK_OK;
}

static void reply_data(struct bytes *out, const struct node *node)
{
    if (node_data_null(node)) {
        bytes_buffer_null(out);
    } else {
        bytes_buffer(out, node_data(node));
    }
}

static int32_t reply_get_data(const struct reply_scene *scene, const struct wire_request *op,
                              struct bytes *out)
{
    const struct node *node;
    int32_t code = reply_find(scene, op->path, &node);

    if (code != ZK_OK) {
        return code;
    }
    if (op->watch) {
        reply_watch(scene, op->path, WATCH_DATA, out);
    }
    reply_data(out, node);
    reply_stat(out, node);
    return ZK_OK;
}

static void reply_names(struct bytes *out, const struct node *node)
{
    size_t mark = wire_vector_begin(out);

    for (const struct node *child = node->first_child; child != NULL; child = child->next) {
        bytes_ustring(out, node_name(child));
    }
    wire_vector_end(out, mark, node->child_count);
}

static int32_t reply_get_children(const struct reply_scene *scene, const struct wire_request *op,
                                  struct bytes *out)
{
    const struct node *node;
    int32_t code = reply_find(scene, op->path, &node);

    if (code != ZK_OK) {
        return code;
    }
    if (op->watch) {
        reply_watch(scene, op->path, WATCH_CHILD, out);
    }
    reply_names(out, node);
    if (op->type == OP_GET_CHILDREN2) {
        reply_stat(out, node);
    }
    return ZK_OK;
}

static int32_t reply_get_acl(const struct reply_scene *scene, const struct wire_request *op,
                             struct bytes *out)
{
    const struct node *node = tree_find(scene->tree, op->path);

    if (node == NULL) {
        return ZK_NONODE;
    }
    if (!reply_may(scene, node, PERM_READ | PERM_ADMIN)) {
        return ZK_NOAUTH;
    }
    if (reply_may(scene, node, PERM_ADMIN)) {
        acl_list_write(out, node_acl(node));
    } else {
        acl_write_masked(out, node_acl(node));
    }
    reply_stat(out, node);
    return ZK_OK;
}

static int32_t reply_count_below(const struct reply_scene *scene, const struct wire_request *op,
                                 struct bytes *out)
{
    const struct node *node;
    int32_t code = reply_find(scene, op->path, &node);

    if (code == ZK_OK) {
        bytes_u32(out, (uint32_t)tree_count_below(scene->tree, node));
    }
    return code;
}

/* The ephemerals of the session whose path starts with the prefix, as text (not by component). */
static int32_t reply_ephemerals(const struct reply_scene *scene, const struct wire_request *op,
                                struct bytes *out)
{
    struct span prefix = path_canonical(op->path);
    size_t mark = wire_vector_begin(out);
    uint32_t count = 0;

    for (const struct node *node = tree_ephemeral_first(scene->tree, scene->session); node != NULL;
         node = tree_linked_next(scene->tree, node)) {
        size_t start = out->len;
        struct span path;

        bytes_u32(out, (uint32_t)node_path_len(node));
        node_path(node, true, out);
        if (out->failed) {
            break;
        }
        path = bytes_tail(out, start + 4u);
        if (path.len >= prefix.len && span_equal(span_make(path.at, prefix.len), prefix)) {
            count++;
        } else {
            out->len = start;
        }
    }
    wire_vector_end(out, mark, count);
    return ZK_OK;
}

static int32_t reply_who_am_i(const struct reply_scene *scene, struct bytes *out)
{
    size_t mark = wire_vector_begin(out);

    for (uint32_t i = 0; i < scene->who->id_count; i++) {
        struct span user = scene->who->ids[i].id;

        if (span_is(scene->who->ids[i].scheme, "digest")) {
            const uint8_t *colon = user.len > 0 ? memchr(user.at, ':', user.len) : NULL;

            user.len = colon != NULL ? (size_t)(colon - user.at) : user.len;
        } else if (span_is(scene->who->ids[i].scheme, "super")) {
            user = wire_empty(); /* no provider of that name */
        }
        bytes_ustring(out, scene->who->ids[i].scheme);
        bytes_ustring(out, user);
    }
    wire_vector_end(out, mark, scene->who->id_count);
    return ZK_OK;
}

static int32_t reply_add_watch(const struct reply_scene *scene, const struct wire_request *op,
                               struct bytes *out)
{
    if (op->flags != 0 && op->flags != 1) {
        return ZK_MARSHALLINGERROR;
    }
    reply_watch(scene, op->path, op->flags == 0 ? WATCH_PERSISTENT : WATCH_RECURSIVE, out);
    bytes_u32(out, ZK_OK); /* ErrorResponse */
    return ZK_OK;
}

static int32_t reply_find_watch(const struct reply_scene *scene, const struct wire_request *op)
{
    int32_t last = scene->compat_38 ? WATCH_TYPE_ANY : WATCH_TYPE_RECURSIVE;
    enum watch_type type;
    bool found;

    if (op->flags < WATCH_TYPE_CHILDREN || op->flags > last) {
        return ZK_MARSHALLINGERROR;
    }
    type = (enum watch_type)op->flags;
    found = op->type == OP_REMOVE_WATCHES
                ? watch_remove(scene->watches, scene->conn, op->path, type)
                : watch_check(scene->watches, scene->conn, op->path, type);
    return found ? ZK_OK : ZK_NOWATCHER;
}

/* One op of a multiRead: its watch flag counts as false. */
static void reply_result(const struct reply_scene *scene, struct wire_request *op,
                         struct bytes *out)
{
    struct wire_multi_header header = {.type = op->type, .done = false, .err = ZK_OK};
    size_t start = out->len;
    int32_t code;

    op->watch = false;
    wire_put_multi_header(out, &header);
    code = op->type == OP_GET_DATA ? reply_get_data(scene, op, out)
                                   : reply_get_children(scene, op, out);
    if (code != ZK_OK) {
        out->len = start;
        header.type = OP_ERROR;
        header.err = code;
        wire_put_multi_header(out, &header);
        bytes_i32(out, code);
    }
}

static int32_t reply_multi_read(const struct reply_scene *scene, const struct wire_request *request,
                                struct bytes *out)
{
    struct wire_multi cursor = request->multi;
    struct wire_request op;

    while (wire_multi_next(&cursor, &op)) {
        reply_result(scene, &op, out);
    }
    wire_multi_end(out);
    return ZK_OK;
}

static bool reply_needs_path(int32_t op)
{
    switch (op) {
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_GET_ACL:
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_ADD_WATCH:
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
        return true;
    default:
        return false;
    }
}

/* The record of a reply behind its header; what was appended counts only when the code is OK. */
static int32_t reply_record(const struct reply_scene *scene, const struct wire_request *op,
                            struct bytes *out)
{
    if (reply_needs_path(op->type) && wire_is_null(op->path)) {
        return ZK_MARSHALLINGERROR;
    }
    switch (op->type) {
    case OP_EXISTS:
        return reply_exists(scene, op, out);
    case OP_GET_DATA:
        return reply_get_data(scene, op, out);
    case OP_GET_ACL:
        return reply_get_acl(scene, op, out);
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
        return reply_get_children(scene, op, out);
    case OP_GET_EPHEMERALS:
        return reply_ephemerals(scene, op, out);
    case OP_GET_ALL_CHILDREN_NUMBER:
        return reply_count_below(scene, op, out);
    case OP_WHO_AM_I:
        return reply_who_am_i(scene, out);
    case OP_ADD_WATCH:
        return reply_add_watch(scene, op, out);
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
        return reply_find_watch(scene, op);
    case OP_MULTI_READ:
        return reply_multi_read(scene, op, out);
    default:
        return ZK_OK; /* ping, setWatches: no record */
    }
}

/* DataTree.setWatches: what was missed is sent at once, the rest is set. */
static void reply_set_watches(const struct reply_scene *scene, const struct wire_request *op,
                              struct bytes *out)
{
    for (uint32_t i = 0; i < WIRE_WATCH_LISTS; i++) {
        struct wire_vector cursor = op->watches.list[i];
        struct watch_again again = {.list = (enum watch_list)i,
                                    .conn = scene->conn,
                                    .relative_zxid = op->watches.relative_zxid};
        struct span path;

        while (wire_next_string(&cursor, &path)) {
            const struct node *node = tree_find(scene->tree, path);
            enum zk_event event;

            if (watch_set_again(scene->watches, &again, path, node, &event) != ERR_OK) {
                out->failed = true;
                return;
            }
            if (event != EVENT_NONE) {
                reply_event(out, -1, event, path);
            }
        }
    }
}

int32_t reply_read(const struct reply_scene *scene, const struct wire_request_header *header,
                   struct span record, struct bytes *out)
{
    struct wire_request op;
    int32_t code = ZK_OK;
    size_t frame;
    size_t body;

    ENSURE(reply_is_read(header->type));
    if (wire_request_decode(header->type, record, &op) != ERR_OK) {
        code = ZK_MARSHALLINGERROR;
    } else if (op.type == OP_SET_WATCHES || op.type == OP_SET_WATCHES2) {
        reply_set_watches(scene, &op, out);
    }
    frame = wire_frame_begin(out);
    wire_reply_header_encode(
        out, &(struct wire_reply_header){.xid = header->xid, .zxid = scene->zxid, .err = ZK_OK});
    body = out->len;
    if (code == ZK_OK) {
        code = reply_record(scene, &op, out);
    }
    if (code != ZK_OK && !out->failed) {
        out->len = body;
        bytes_patch_u32(out, body - 4u, (uint32_t)code);
    }
    wire_frame_end(out, frame);
    return code;
}

static void reply_multi(const struct tree_result *result, struct bytes *out)
{
    for (uint32_t i = 0; i < result->op_count; i++) {
        const struct tree_op *op = &result->ops[i];
        struct wire_multi_header header = {.type = op->type, .done = false, .err = op->code};

        switch (op->type) {
        case OP_CREATE:
            wire_put_multi_header(out, &header);
            bytes_ustring(out, op->path);
            break;
        case OP_CREATE2:
        case OP_CREATE_CONTAINER:
        case OP_CREATE_TTL:
            header.type = OP_CREATE2;
            wire_put_multi_header(out, &header);
            bytes_ustring(out, op->path);
            stat_write(out, &op->stat);
            break;
        case OP_SET_DATA:
            wire_put_multi_header(out, &header);
            stat_write(out, &op->stat);
            break;
        case OP_ERROR:
            wire_put_multi_header(out, &header);
            bytes_i32(out, op->code);
            break;
        default: /* delete, check */
            wire_put_multi_header(out, &header);
            break;
        }
    }
    wire_multi_end(out);
}

static void reply_write_record(int32_t op, const struct tree_result *result, struct bytes *out)
{
    switch (op) {
    case OP_CREATE:
        bytes_ustring(out, result->op.path);
        break;
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        bytes_ustring(out, result->op.path);
        stat_write(out, &result->op.stat);
        break;
    case OP_SET_DATA:
    case OP_SET_ACL:
        stat_write(out, &result->op.stat);
        break;
    case OP_MULTI:
        reply_multi(result, out);
        break;
    default: /* delete, closeSession */
        break;
    }
}

int32_t reply_write(const struct wire_request_header *header, const struct txn *txn,
                    const struct tree_result *result, struct bytes *out)
{
    bool is_multi = txn->header.type == OP_MULTI;
    /* A failed multi says so in its results, not in the header (seen). */
    int32_t code = is_multi ? ZK_OK : result->code;
    size_t frame = wire_frame_begin(out);

    wire_reply_header_encode(out, &(struct wire_reply_header){
                                      .xid = header->xid, .zxid = txn->header.zxid, .err = code});
    if (code == ZK_OK) {
        reply_write_record(header->type, result, out);
    }
    wire_frame_end(out, frame);
    return code;
}

void reply_header(struct bytes *out, int32_t xid, int64_t zxid, int32_t code)
{
    size_t frame = wire_frame_begin(out);

    wire_reply_header_encode(out,
                             &(struct wire_reply_header){.xid = xid, .zxid = zxid, .err = code});
    wire_frame_end(out, frame);
}

void reply_sync(struct bytes *out, int32_t xid, int64_t zxid, struct span path)
{
    size_t frame = wire_frame_begin(out);

    wire_reply_header_encode(out,
                             &(struct wire_reply_header){.xid = xid, .zxid = zxid, .err = ZK_OK});
    wire_put_buffer(out, path);
    wire_frame_end(out, frame);
}

#define REPLY_STATE_CONNECTED 3 /* SyncConnected: the only state a server sends */

void reply_event(struct bytes *out, int64_t zxid, int32_t type, struct span path)
{
    struct wire_event event = {.type = type, .state = REPLY_STATE_CONNECTED, .path = path};
    size_t frame = wire_frame_begin(out);

    wire_reply_header_encode(
        out, &(struct wire_reply_header){.xid = XID_EVENT, .zxid = zxid, .err = ZK_OK});
    wire_event_encode(out, &event);
    wire_frame_end(out, frame);
}

void reply_connected(struct bytes *out, int64_t session, uint32_t timeout_ms,
                     enum reply_read_only read_only)
{
    uint8_t password[SESSION_PASSWORD_SIZE] = {0};
    struct wire_connected connected = {
        .timeout_ms = session != 0 ? (int32_t)timeout_ms : 0,
        .session = session,
        .password = span_make(password, sizeof(password)),
        .has_read_only = read_only != REPLY_READ_ONLY_ABSENT,
        .read_only = read_only == REPLY_READ_ONLY_YES,
    };
    size_t frame = wire_frame_begin(out);

    if (session != 0) {
        session_password(session, password);
    }
    wire_connected_encode(out, &connected);
    wire_frame_end(out, frame);
}
