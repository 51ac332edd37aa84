#include "protocol/prep_ops.h"

#include "base/ensure.h"
#include "base/text.h"
#include "tree/digest.h"
#include "tree/path.h"
#include "tree/quota.h"

/* A session that the tracker does not know: may it be a local one? Ours are known; those of others
 * are taken on trust. Source: LeaderSessionTracker.checkSession. */
static bool prep_is_local(const struct prep *prep)
{
    const struct request *request = prep->request;
    struct session_view view;

    if (prep->locals == NULL) {
        return false;
    }
    if (session_tracker_view(prep->locals, request->session, &view)) {
        return request->owner == SESSION_OWNER_LOCAL && !view.closing;
    }
    return request->owner != SESSION_OWNER_LOCAL &&
           (uint64_t)request->session >> 56 != prep->server_id;
}

static int32_t prep_owner_check(struct prep *prep, int32_t if_local)
{
    const struct request *request = prep->request;

    if (request->owner == SESSION_OWNER_NONE) {
        return ZK_OK;
    }
    switch (session_tracker_check(prep->tracker, request->session, request->owner)) {
    case SESSION_OK:
        return ZK_OK;
    case SESSION_UNKNOWN:
        if (prep_is_local(prep)) {
            return if_local;
        }
        return prep->options.ensemble ? ZK_SESSIONEXPIRED : ZK_UNKNOWNSESSION;
    case SESSION_CLOSING:
        return ZK_SESSIONEXPIRED;
    case SESSION_MOVED:
        return ZK_SESSIONMOVED;
    }
    UNREACHABLE();
}

int32_t prep_session_check(struct prep *prep)
{
    return prep_owner_check(prep, ZK_OK);
}

int32_t prep_global_check(struct prep *prep)
{
    return prep_owner_check(prep, ZK_EPHEMERALONLOCALSESSION);
}

bool prep_parent_path(struct span path, struct span *parent)
{
    size_t at = path.len;

    while (at > 0 && path.at[at - 1] != '/') {
        at--;
    }
    if (at == 0) {
        return false;
    }
    *parent = span_make(path.at, at - 1);
    return true;
}

static bool prep_may(const struct prep *prep, const struct prep_state *state, uint32_t wanted)
{
    return acl_check(state->acl, wanted, &prep->who);
}

static bool prep_is_ephemeral(const struct prep *prep, int64_t owner)
{
    return node_kind_of_owner(owner, prep->options.extended_types, prep->options.emulate_353) ==
           NODE_EPHEMERAL;
}

static enum err prep_put(struct prep *prep, struct span path, const struct prep_state *state,
                         bool new_acl)
{
    struct prep_change change = {
        .path = path, .zxid = prep->stamp.zxid, .state = state, .new_acl = new_acl};
    enum err err = prep_view_put(&prep->view, &change);

    if (err != ERR_OK) {
        prep->failed = true;
    }
    return err;
}

static int32_t prep_fix_acl(struct prep *prep, struct acl_list list, struct acl_list *fixed)
{
    int32_t code;

    bytes_clear(&prep->acl);
    code = (int32_t)acl_fixup(list, &prep->who, &prep->acl, fixed);
    if (code == ZK_SYSTEMERROR) {
        prep->failed = true;
    }
    return code;
}

static int32_t prep_check_quota(const struct prep *prep, struct span path,
                                struct quota_change change)
{
    return prep->options.enforce_quota ? (int32_t)quota_check(prep->view.tree, path, change)
                                       : ZK_OK;
}

/* The path with the parent's counter behind it, in prep->path. */
static struct span prep_sequential_path(struct prep *prep, struct span path, int32_t counter)
{
    char digits[16];
    struct text text;

    text_init(&text, digits, sizeof(digits));
    text_padded(&text, counter, 10);
    bytes_clear(&prep->path);
    bytes_raw(&prep->path, path.at, path.len);
    bytes_raw(&prep->path, digits, text.len);
    if (prep->path.failed) {
        prep->failed = true;
    }
    return bytes_span(&prep->path);
}

/* EphemeralType.validateTTL and CreateMode: do flags, op code and time to live fit together? */
static int32_t prep_check_mode(const struct prep *prep, const struct wire_request *op, int32_t type)
{
    bool is_ttl = op->flags == MODE_PERSISTENT_TTL || op->flags == MODE_PERSISTENT_SEQUENTIAL_TTL;
    int64_t ttl_ms = op->type == OP_CREATE_TTL ? op->ttl_ms : -1;

    if (op->flags < MODE_PERSISTENT || op->flags > MODE_PERSISTENT_SEQUENTIAL_TTL) {
        return ZK_BADARGUMENTS;
    }
    if (is_ttl && !prep->options.extended_types) {
        return ZK_UNIMPLEMENTED;
    }
    if (is_ttl && (ttl_ms <= 0 || ttl_ms > NODE_TTL_MAX)) {
        return ZK_BADARGUMENTS;
    }
    if (!is_ttl && ttl_ms >= 0) {
        return ZK_BADARGUMENTS;
    }
    /* createTTL with a mode that has no time to live and a negative one passes Apache's checks and
     * makes a transaction that no replica can apply: refused (AU-8). */
    if (!is_ttl && type == OP_CREATE_TTL) {
        return ZK_BADARGUMENTS;
    }
    return ZK_OK;
}

static int64_t prep_owner_of(const struct prep *prep, const struct wire_request *op, int32_t type)
{
    switch (type) {
    case OP_CREATE_CONTAINER:
        return NODE_OWNER_CONTAINER;
    case OP_CREATE_TTL:
        return node_owner_of_ttl(op->ttl_ms);
    default:
        return op->flags == MODE_EPHEMERAL || op->flags == MODE_EPHEMERAL_SEQUENTIAL
                   ? prep->request->session
                   : 0;
    }
}

/* Everything that is checked before the name of the node is known. */
static int32_t prep_check_parent(struct prep *prep, const struct wire_request *op,
                                 struct span parent_path, struct prep_state *parent,
                                 struct acl_list *acl)
{
    int32_t code = prep_fix_acl(prep, op->acl, acl);

    if (code != ZK_OK) {
        return code;
    }
    prep_view_look(&prep->view, parent_path, parent);
    if (!parent->exists) {
        return ZK_NONODE;
    }
    return prep_may(prep, parent, PERM_CREATE) ? ZK_OK : ZK_NOAUTH;
}

/* The node, and what it changes in its parent. */
static enum err prep_put_created(struct prep *prep, const struct txn_create *create, int64_t owner,
                                 struct span parent_path, struct prep_state *parent)
{
    struct prep_state node = {.exists = true,
                              .stat = {.czxid = prep->stamp.zxid,
                                       .mzxid = prep->stamp.zxid,
                                       .ctime = prep->stamp.wall_ms,
                                       .mtime = prep->stamp.wall_ms,
                                       .ephemeral_owner = owner,
                                       .pzxid = prep->stamp.zxid},
                              .data_len = (uint32_t)create->data.span.len,
                              .text_crc = digest_text(create->path, create->data.span),
                              .acl = create->acl};

    parent->child_count++;
    /* The same rule as where it is applied: a counter that wrapped around stays where it is. */
    if (create->parent_cversion > parent->stat.cversion) {
        parent->stat.cversion = create->parent_cversion;
        parent->stat.pzxid = prep->stamp.zxid;
    }
    if (prep_put(prep, create->path, &node, true) != ERR_OK) {
        return ERR_MEMORY;
    }
    return prep_put(prep, parent_path, parent, false);
}

static int32_t prep_create(struct prep *prep, const struct wire_request *op, int32_t type,
                           struct txn *txn)
{
    bool sequential = op->flags == MODE_PERSISTENT_SEQUENTIAL ||
                      op->flags == MODE_EPHEMERAL_SEQUENTIAL ||
                      op->flags == MODE_PERSISTENT_SEQUENTIAL_TTL;
    struct span path = op->path;
    struct span parent_path;
    struct prep_state parent;
    struct prep_state node;
    struct acl_list acl;
    int64_t owner;
    int32_t code = prep_check_mode(prep, op, type);

    if (code == ZK_OK) {
        code = op->flags == MODE_EPHEMERAL || op->flags == MODE_EPHEMERAL_SEQUENTIAL
                   ? prep_global_check(prep)
                   : prep_session_check(prep);
    }
    if (code != ZK_OK) {
        return code;
    }
    if (wire_is_null(path)) {
        return ZK_MARSHALLINGERROR;
    }
    if (!path_plausible(path) || !prep_parent_path(path, &parent_path)) {
        return ZK_BADARGUMENTS;
    }
    code = prep_check_parent(prep, op, parent_path, &parent, &acl);
    if (code != ZK_OK) {
        return code;
    }
    if (sequential) {
        path = prep_sequential_path(prep, path, parent.stat.cversion);
    }
    if (!path_valid(path)) {
        return ZK_BADARGUMENTS;
    }
    prep_view_look(&prep->view, path_canonical(path), &node);
    if (node.exists) {
        return ZK_NODEEXISTS;
    }
    if (prep_is_ephemeral(prep, parent.stat.ephemeral_owner)) {
        return ZK_NOCHILDRENFOREPHEMERALS;
    }
    code = prep_check_quota(prep, path,
                            (struct quota_change){.count = 1, .bytes = (int64_t)op->data.len});
    if (code != ZK_OK) {
        return code;
    }
    owner = prep_owner_of(prep, op, type);
    txn->create = (struct txn_create){
        .path = path,
        .data = {.span = op->data, .is_null = wire_is_null(op->data)},
        .acl = acl,
        .ephemeral = owner != 0 && type != OP_CREATE_CONTAINER && type != OP_CREATE_TTL,
        .parent_cversion = (int32_t)((uint32_t)parent.stat.cversion + 1u),
        .ttl = type == OP_CREATE_TTL ? op->ttl_ms : 0};
    return prep_put_created(prep, &txn->create, owner, parent_path, &parent) == ERR_OK
               ? ZK_OK
               : ZK_SYSTEMERROR;
}

enum err prep_remove(struct prep *prep, struct span path)
{
    struct prep_state gone = {.exists = false};
    struct prep_state parent;
    struct span parent_path;

    if (!prep_parent_path(path, &parent_path)) {
        return ERR_OK;
    }
    if (prep_put(prep, path, &gone, false) != ERR_OK) {
        return ERR_MEMORY;
    }
    prep_view_look(&prep->view, parent_path, &parent);
    if (!parent.exists) {
        return ERR_OK;
    }
    if (parent.child_count > 0) {
        parent.child_count--;
    }
    if (prep->stamp.zxid > parent.stat.pzxid) {
        parent.stat.pzxid = prep->stamp.zxid;
    }
    return prep_put(prep, parent_path, &parent, false);
}

static int32_t prep_delete(struct prep *prep, const struct wire_request *op, struct txn *txn)
{
    struct span parent_path;
    struct prep_state parent;
    struct prep_state node;
    int32_t code = prep_session_check(prep);

    if (code != ZK_OK) {
        return code;
    }
    if (wire_is_null(op->path)) {
        return ZK_MARSHALLINGERROR;
    }
    if (!path_plausible(op->path) || path_special(op->path) ||
        !prep_parent_path(op->path, &parent_path)) {
        return ZK_BADARGUMENTS;
    }
    prep_view_look(&prep->view, parent_path, &parent);
    if (!parent.exists) {
        return ZK_NONODE;
    }
    if (!prep_may(prep, &parent, PERM_DELETE)) {
        return ZK_NOAUTH;
    }
    prep_view_look(&prep->view, op->path, &node);
    if (!node.exists) {
        return ZK_NONODE;
    }
    if (op->version != -1 && op->version != node.stat.version) {
        return ZK_BADVERSION;
    }
    if (node.child_count > 0) {
        return ZK_NOTEMPTY;
    }
    txn->path = op->path;
    return prep_remove(prep, op->path) == ERR_OK ? ZK_OK : ZK_SYSTEMERROR;
}

/* Only this server itself asks for it (containers and TTL nodes that are due). */
static int32_t prep_delete_container(struct prep *prep, const struct wire_request *op,
                                     struct txn *txn)
{
    struct prep_state node;

    if (prep->request->owner != SESSION_OWNER_NONE) {
        return ZK_UNIMPLEMENTED;
    }
    if (!path_plausible(op->path) || path_special(op->path)) {
        return ZK_BADARGUMENTS;
    }
    prep_view_look(&prep->view, op->path, &node);
    if (!node.exists) {
        return ZK_NONODE;
    }
    if (node.child_count > 0) {
        return ZK_NOTEMPTY;
    }
    if (prep_is_ephemeral(prep, node.stat.ephemeral_owner)) {
        return ZK_BADVERSION;
    }
    txn->path = op->path;
    return prep_remove(prep, op->path) == ERR_OK ? ZK_OK : ZK_SYSTEMERROR;
}

static int32_t prep_next_version(int32_t expected, int32_t current, int32_t *next)
{
    if (expected != -1 && expected != current) {
        return ZK_BADVERSION;
    }
    *next = (int32_t)((uint32_t)current + 1u);
    return ZK_OK;
}

static int32_t prep_set_data(struct prep *prep, const struct wire_request *op, struct txn *txn)
{
    struct span path = path_canonical(op->path);
    struct prep_state node;
    int32_t version;
    int32_t code = prep_session_check(prep);

    if (code != ZK_OK) {
        return code;
    }
    if (!path_valid(op->path)) {
        return ZK_BADARGUMENTS;
    }
    prep_view_look(&prep->view, path, &node);
    if (!node.exists) {
        return ZK_NONODE;
    }
    if (!prep_may(prep, &node, PERM_WRITE)) {
        return ZK_NOAUTH;
    }
    code = prep_check_quota(
        prep, op->path,
        (struct quota_change){.bytes = (int64_t)op->data.len - (int64_t)node.data_len});
    if (code != ZK_OK) {
        return code;
    }
    code = prep_next_version(op->version, node.stat.version, &version);
    if (code != ZK_OK) {
        return code;
    }
    txn->set = (struct txn_set_data){
        .path = op->path,
        .data = {.span = op->data, .is_null = wire_is_null(op->data)},
        .version = version,
    };
    node.stat.version = version;
    node.stat.mzxid = prep->stamp.zxid;
    node.stat.mtime = prep->stamp.wall_ms;
    node.data_len = (uint32_t)op->data.len;
    node.text_crc = digest_text(path, op->data);
    return prep_put(prep, path, &node, false) == ERR_OK ? ZK_OK : ZK_SYSTEMERROR;
}

static int32_t prep_set_acl(struct prep *prep, const struct wire_request *op, struct txn *txn)
{
    struct span path = path_canonical(op->path);
    struct prep_state node;
    struct acl_list acl;
    int32_t version;
    int32_t code = prep_session_check(prep);

    if (code != ZK_OK) {
        return code;
    }
    if (!path_valid(op->path)) {
        return ZK_BADARGUMENTS;
    }
    code = prep_fix_acl(prep, op->acl, &acl);
    if (code != ZK_OK) {
        return code;
    }
    prep_view_look(&prep->view, path, &node);
    if (!node.exists) {
        return ZK_NONODE;
    }
    if (!prep_may(prep, &node, PERM_ADMIN)) {
        return ZK_NOAUTH;
    }
    code = prep_next_version(op->version, node.stat.aversion, &version);
    if (code != ZK_OK) {
        return code;
    }
    txn->set_acl = (struct txn_set_acl){.path = op->path, .acl = acl, .version = version};
    node.stat.aversion = version;
    node.acl = acl;
    return prep_put(prep, path, &node, true) == ERR_OK ? ZK_OK : ZK_SYSTEMERROR;
}

static int32_t prep_check(struct prep *prep, const struct wire_request *op, struct txn *txn)
{
    struct prep_state node;
    int32_t version;
    int32_t code = prep_session_check(prep);

    if (code != ZK_OK) {
        return code;
    }
    if (!path_valid(op->path)) {
        return ZK_BADARGUMENTS;
    }
    prep_view_look(&prep->view, path_canonical(op->path), &node);
    if (!node.exists) {
        return ZK_NONODE;
    }
    if (!prep_may(prep, &node, PERM_READ)) {
        return ZK_NOAUTH;
    }
    code = prep_next_version(op->version, node.stat.version, &version);
    if (code == ZK_OK) {
        txn->check = (struct txn_check){.path = op->path, .version = version};
    }
    return code;
}

int32_t prep_op(struct prep *prep, const struct wire_request *op, int32_t type, struct txn *txn)
{
    switch (type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        return prep_create(prep, op, type, txn);
    case OP_DELETE:
        return prep_delete(prep, op, txn);
    case OP_DELETE_CONTAINER:
        return prep_delete_container(prep, op, txn);
    case OP_SET_DATA:
        return prep_set_data(prep, op, txn);
    case OP_SET_ACL:
        return prep_set_acl(prep, op, txn);
    case OP_CHECK:
        return prep_check(prep, op, txn);
    default:
        return ZK_UNIMPLEMENTED;
    }
}
