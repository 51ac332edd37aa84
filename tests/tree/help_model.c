#include "tests/tree/help_model.h"

#include "tests/expect.h"
#include "tree/quota.h"

#include <stdio.h>
#include <string.h>

/* -- the model -- */

static struct model_node *model_find(struct model *model, const char *path)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (strcmp(model->nodes[i].path, path) == 0) {
            return &model->nodes[i];
        }
    }
    return NULL;
}

static void model_text(char *out, struct span span)
{
    EXPECT(span.len < MODEL_PATH);
    memcpy(out, span.at, span.len);
    out[span.len] = '\0';
}

/* "/a/b" -> "/a"; "/a" -> "/"; false when nothing follows the last slash or there is none. */
static bool model_parent(const char *path, char *parent)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash[1] == '\0') {
        return false;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    if (slash == path) {
        (void)strcpy(parent, "/");
    }
    return true;
}

static void model_set_bytes(struct model_node *node, struct txn_data data)
{
    EXPECT(data.span.len <= MODEL_DATA);
    if (data.span.len > 0) {
        memcpy(node->data, data.span.at, data.span.len);
    }
    node->data_len = (uint32_t)data.span.len;
    node->data_null = data.is_null;
}

static void model_set_list(struct model_node *node, struct acl_list list)
{
    struct span raw = list.is_null ? acl_open().raw : list.raw;

    EXPECT(raw.len <= MODEL_LIST);
    if (raw.len > 0) {
        memcpy(node->acl, raw.at, raw.len);
    }
    node->acl_len = (uint32_t)raw.len;
}

static struct model_node *model_add(struct model *model, const char *path)
{
    struct model_node *node = &model->nodes[model->count++];

    EXPECT(model->count <= MODEL_NODES);
    memset(node, 0, sizeof(*node));
    (void)strcpy(node->path, path);
    return node;
}

void model_init(struct model *model)
{
    struct acl_list null_list = {.is_null = true};

    model->count = 0;
    memset(model->timeout_ms, 0, sizeof(model->timeout_ms));
    model_set_list(model_add(model, "/"), null_list);
    model_set_list(model_add(model, "/zookeeper"), null_list);
    model_set_list(model_add(model, "/zookeeper/config"), acl_world_read());
    model->nodes[2].stat.aversion = -1;
    model_set_list(model_add(model, "/zookeeper/quota"), null_list);
}

static void model_trigger(struct model *model, enum zk_event event, const char *path)
{
    struct model_trigger *trigger = &model->triggers[model->trigger_count++];

    EXPECT(model->trigger_count <= MODEL_TRIGGERS);
    trigger->event = event;
    (void)strcpy(trigger->path, path);
}

static bool model_below(const char *top, const char *path)
{
    size_t len = strlen(top);

    return strncmp(top, path, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static struct model_node *model_quota_node(struct model *model, const char *top, const char *name)
{
    char path[3 * MODEL_PATH];

    (void)snprintf(path, sizeof(path), "/zookeeper/quota%s/%s", top, name);
    return model_find(model, path);
}

static void model_store(struct model *model, struct model_node *node, const struct quota *quota)
{
    int len = snprintf((char *)node->data, MODEL_DATA, "count=%lld,bytes=%lld",
                       (long long)quota->count, (long long)quota->bytes);

    (void)model;
    if (quota->byte_hard_limit > -1 || quota->count_hard_limit > -1) {
        len += snprintf((char *)node->data + len, MODEL_DATA - (size_t)len, "=");
    }
    if (quota->byte_hard_limit > -1) {
        len += snprintf((char *)node->data + len, MODEL_DATA - (size_t)len, ";byteHardLimit=%lld",
                        (long long)quota->byte_hard_limit);
    }
    if (quota->count_hard_limit > -1) {
        len += snprintf((char *)node->data + len, MODEL_DATA - (size_t)len, ";countHardLimit=%lld",
                        (long long)quota->count_hard_limit);
    }
    node->data_len = (uint32_t)len;
    node->data_null = false;
}

static void model_account(struct model *model, const char *path, int64_t count, int64_t size)
{
    char top[MODEL_PATH];

    (void)strcpy(top, path);
    while (strcmp(top, "/") != 0) {
        if (model_quota_node(model, top, "zookeeper_limits") != NULL) {
            struct model_node *stats = model_quota_node(model, top, "zookeeper_stats");
            struct quota quota;

            if (stats != NULL &&
                quota_parse(span_make(stats->data, stats->data_len), &quota) == ERR_OK) {
                quota.count += count;
                quota.bytes += size;
                model_store(model, stats, &quota);
            }
            return;
        }
        EXPECT(model_parent(top, top));
    }
}

static void model_fill(struct model *model, const char *path)
{
    static const char name[] = "/zookeeper_stats";
    struct quota quota = {.byte_hard_limit = -1, .count_hard_limit = -1};
    char top[MODEL_PATH];
    size_t len = strlen(path);

    if (!model_below("/zookeeper/quota", path) || len < 16 + strlen(name) ||
        strcmp(path + len - strlen(name), name) != 0) {
        return;
    }
    memcpy(top, path + 16, len - 16 - strlen(name));
    top[len - 16 - strlen(name)] = '\0';
    for (uint32_t i = 0; i < model->count && model_find(model, top[0] == 0 ? "/" : top) != NULL;
         i++) {
        if (top[0] == '\0' || model_below(top, model->nodes[i].path)) {
            quota.count++;
            quota.bytes += model->nodes[i].data_len;
        }
    }
    model_store(model, model_find(model, path), &quota);
}

static void model_raise(struct model_node *parent, int32_t cversion, int64_t zxid)
{
    if (cversion == -1) {
        cversion = parent->stat.cversion + 1;
    }
    if (cversion > parent->stat.cversion) {
        parent->stat.cversion = cversion;
        parent->stat.pzxid = zxid;
    }
}

static int32_t model_create(struct model *model, const struct txn *txn)
{
    const struct txn_create *create = &txn->create;
    char path[MODEL_PATH];
    char above[MODEL_PATH];
    struct model_node *node;

    model_text(path, create->path);
    if (!model_parent(path, above)) {
        return strcmp(path, "/") == 0 ? ZK_NODEEXISTS : ZK_BADARGUMENTS;
    }
    if (model_find(model, above) == NULL) {
        return ZK_NONODE;
    }
    node = model_find(model, path);
    model_raise(model_find(model, above), create->parent_cversion, txn->header.zxid);
    if (node != NULL) {
        model_set_list(node, create->acl);
        return ZK_NODEEXISTS;
    }
    node = model_add(model, path);
    model_set_bytes(node, create->data);
    model_set_list(node, create->acl);
    node->stat = (struct stat_stored){.czxid = txn->header.zxid,
                                      .mzxid = txn->header.zxid,
                                      .pzxid = txn->header.zxid,
                                      .ctime = txn->header.time,
                                      .mtime = txn->header.time};
    if (txn->header.type == OP_CREATE_CONTAINER) {
        node->stat.ephemeral_owner = INT64_MIN;
    } else if (txn->header.type == OP_CREATE_TTL) {
        node->stat.ephemeral_owner = (int64_t)(0xff00000000000000u | (uint64_t)create->ttl);
    } else if (create->ephemeral) {
        node->stat.ephemeral_owner = txn->header.client_id;
    }
    model_fill(model, path);
    model_account(model, path, 1, (int64_t)create->data.span.len);
    model_trigger(model, EVENT_CREATED, path);
    model_trigger(model, EVENT_CHILDREN_CHANGED, above);
    return ZK_OK;
}

static void model_remove(struct model *model, const char *path)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        if (!model_below(path, model->nodes[i].path)) {
            if (kept != i) {
                model->nodes[kept] = model->nodes[i];
            }
            kept++;
        }
    }
    model->count = kept;
}

static int32_t model_delete(struct model *model, const char *path, int64_t zxid)
{
    char above[MODEL_PATH];
    struct model_node *parent;
    struct model_node *node;
    uint32_t size;

    if (!model_parent(path, above)) {
        return ZK_BADARGUMENTS;
    }
    parent = model_find(model, above);
    if (parent == NULL) {
        return ZK_NONODE;
    }
    if (zxid > parent->stat.pzxid) {
        parent->stat.pzxid = zxid;
    }
    node = model_find(model, path);
    if (node == NULL) {
        return ZK_NONODE;
    }
    size = node->data_len;
    model_remove(model, path);
    model_account(model, path, -1, -(int64_t)size);
    model_trigger(model, EVENT_DELETED, path);
    model_trigger(model, EVENT_CHILDREN_CHANGED, above);
    return ZK_OK;
}

static int32_t model_set(struct model *model, const struct txn *txn)
{
    char path[MODEL_PATH];
    struct model_node *node;
    int64_t before;

    model_text(path, txn->set.path);
    node = model_find(model, path);
    if (node == NULL) {
        return ZK_NONODE;
    }
    before = node->data_len;
    model_set_bytes(node, txn->set.data);
    node->stat.mzxid = txn->header.zxid;
    node->stat.mtime = txn->header.time;
    node->stat.version = txn->set.version;
    if (node->data_len != before) {
        model_account(model, path, 0, (int64_t)txn->set.data.span.len - before);
    }
    model_trigger(model, EVENT_DATA_CHANGED, path);
    return ZK_OK;
}

static int32_t model_set_acl(struct model *model, const struct txn *txn)
{
    char path[MODEL_PATH];
    struct model_node *node;

    model_text(path, txn->set_acl.path);
    node = model_find(model, path);
    if (node == NULL) {
        return ZK_NONODE;
    }
    model_set_list(node, txn->set_acl.acl);
    node->stat.aversion = txn->set_acl.version;
    return ZK_OK;
}

static int32_t model_close(struct model *model, const struct txn *txn)
{
    struct txn_paths rest = txn->close.paths;
    struct span span;
    char path[MODEL_PATH];

    while (txn_paths_next(&rest, &span)) {
        model_text(path, span);
        (void)model_delete(model, path, txn->header.zxid);
    }
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->nodes[i].stat.ephemeral_owner == txn->header.client_id) {
            (void)strcpy(path, model->nodes[i].path);
            (void)model_delete(model, path, txn->header.zxid);
            i = 0; /* from the oldest again: the root is no ephemeral */
        }
    }
    model->timeout_ms[txn->header.client_id - 1] = 0;
    return ZK_OK;
}

static int32_t model_one(struct model *model, const struct txn *txn)
{
    char path[MODEL_PATH];

    switch (txn->header.type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        return model_create(model, txn);
    case OP_DELETE:
    case OP_DELETE_CONTAINER:
        model_text(path, txn->path);
        return model_delete(model, path, txn->header.zxid);
    case OP_SET_DATA:
    case OP_RECONFIG:
        return model_set(model, txn);
    case OP_SET_ACL:
        return model_set_acl(model, txn);
    case OP_CREATE_SESSION:
        model->timeout_ms[txn->header.client_id - 1] = txn->timeout_ms;
        return ZK_OK;
    case OP_CLOSE_SESSION:
        return model_close(model, txn);
    case OP_ERROR:
        return txn->error;
    default:
        EXPECT(txn->header.type == OP_CHECK);
        return ZK_OK;
    }
}

void model_apply(struct model *model, const struct txn *txn)
{
    struct txn_multi rest = txn->multi;
    bool failed = false;
    bool after = false;
    struct txn sub;

    model->trigger_count = 0;
    model->code_count = 0;
    model->code = 0;
    if (txn->header.type != OP_MULTI) {
        model->code = model_one(model, txn);
        return;
    }
    while (txn_multi_next(&rest, txn, &sub)) {
        failed = failed || sub.header.type == OP_ERROR;
    }
    rest = txn->multi;
    while (txn_multi_next(&rest, txn, &sub)) {
        int32_t code;

        if (!failed) {
            code = model_one(model, &sub);
        } else if (sub.header.type == OP_ERROR) {
            code = sub.error;
            after = true;
        } else {
            code = after ? ZK_RUNTIMEINCONSISTENCY : ZK_OK;
        }
        model->codes[model->code_count++] = code;
        if (model->code == 0) {
            model->code = code;
        }
    }
}

void model_describe(const struct model *model, struct bytes *out)
{
    static struct help_node nodes[MODEL_NODES];

    for (uint32_t i = 0; i < model->count; i++) {
        const struct model_node *node = &model->nodes[i];

        nodes[i] = (struct help_node){.path = span_text(node->path),
                                      .stat = node->stat,
                                      .data = span_make(node->data, node->data_len),
                                      .data_null = node->data_null,
                                      .acl = span_make(node->acl, node->acl_len)};
    }
    help_describe_nodes(nodes, model->count, out);
    for (uint32_t i = 0; i < MODEL_SESSIONS; i++) {
        if (model->timeout_ms[i] != 0) {
            help_describe_session(i + 1, model->timeout_ms[i], out);
        }
    }
}

/* -- random transactions -- */

static uint32_t below(struct help_random *random, uint32_t bound)
{
    if (random->script != NULL) {
        uint32_t draw = 0;

        for (uint32_t i = 0; i < (bound > 256 ? 2u : 1u) && random->script_left > 0; i++) {
            draw = draw << 8 | *random->script++;
            random->script_left--;
        }
        return draw % bound;
    }
    return (uint32_t)rand_below(&random->rand, bound);
}

static void random_path(struct help_random *random, char *out)
{
    static const char *const names[] = {"a", "b", "c", "dd", "e-0000000001", "x"};
    static const char *const quotas[] = {"/zookeeper/quota/a",
                                         "/zookeeper/quota/a/zookeeper_limits",
                                         "/zookeeper/quota/a/zookeeper_stats",
                                         "/zookeeper/quota/a/b",
                                         "/zookeeper/quota/a/b/zookeeper_limits",
                                         "/zookeeper/quota/a/b/zookeeper_stats",
                                         "/zookeeper/quota/zookeeper_limits",
                                         "/zookeeper/config",
                                         "/",
                                         "/bad/",
                                         "none"};
    uint32_t depth = 1 + below(random, 4);

    out[0] = '\0';
    if (below(random, 8) == 0) {
        (void)strcpy(out, quotas[below(random, sizeof(quotas) / sizeof(quotas[0]))]);
        return;
    }
    if (below(random, 3) == 0) {
        (void)strcpy(out, random->model->nodes[below(random, random->model->count)].path);
        if (strlen(out) > 1 && strlen(out) < 60 && below(random, 2) == 0) {
            (void)strcat(out, "/");
            (void)strcat(out, names[below(random, 6)]);
        }
        return;
    }
    for (uint32_t i = 0; i < depth; i++) {
        (void)strcat(out, "/");
        (void)strcat(out, names[below(random, 6)]);
    }
}

static struct txn_data random_data(struct help_random *random, uint8_t *room)
{
    static const char *const texts[] = {"count=5,bytes=100", "count=-1,bytes=7=;byteHardLimit=9",
                                        "count=1,bytes=2=;byteHardLimit=1;countHardLimit=3",
                                        "nonsense"};
    struct txn_data data = {0};
    uint32_t kind = below(random, 8);

    if (kind == 0) {
        data.is_null = true;
    } else if (kind == 1) {
        data.span = span_text(texts[below(random, 4)]);
    } else if (kind > 2) {
        data.span = span_make(room, below(random, kind == 3 ? MODEL_DATA / 2 : 20));
        for (size_t i = 0; i < data.span.len; i++) {
            room[i] = (uint8_t)rand_next(&random->rand);
        }
    }
    return data;
}

static struct acl_list random_list(struct help_random *random, struct bytes *room)
{
    struct acl_list list = {0};
    size_t from = room->len;
    char id[16];

    if (below(random, 3) > 0) {
        return acl_open();
    }
    if (below(random, 10) == 0) {
        list.is_null = true;
        return list;
    }
    for (uint32_t i = below(random, 3); i > 0; i--) {
        int len = snprintf(id, sizeof(id), "u%u:h", below(random, 4));

        acl_write_item(room, (struct acl){.perms = (int32_t)below(random, 32),
                                          .scheme = span_text("digest"),
                                          .id = span_make(id, (size_t)len)});
        list.count++;
    }
    list.raw = bytes_tail(room, from);
    return list;
}

/* Where a random transaction keeps what it points to. */
struct random_room {
    char path[MODEL_PATH * 2];
    uint8_t data[MODEL_DATA];
    struct bytes list;
};

static void random_create(struct help_random *random, struct txn *txn, struct random_room *room)
{
    static const int32_t types[] = {OP_CREATE, OP_CREATE, OP_CREATE2, OP_CREATE_CONTAINER,
                                    OP_CREATE_TTL};
    struct txn_create *create = &txn->create;

    txn->header.type = types[below(random, 5)];
    create->path = span_text(room->path);
    create->data = random_data(random, room->data);
    create->acl = random_list(random, &room->list);
    create->parent_cversion = below(random, 3) == 0 ? -1 : (int32_t)below(random, 200);
    if (txn->header.type == OP_CREATE_TTL) {
        create->ttl = 1 + below(random, 1000000);
    }
    if (txn->header.type == OP_CREATE || txn->header.type == OP_CREATE2) {
        create->ephemeral = below(random, 3) == 0;
        create->old_form = create->parent_cversion == -1 && below(random, 2) == 0;
    }
}

/* Everything that may stand in a multi. */
static void random_simple(struct help_random *random, struct txn *txn, struct random_room *room)
{
    uint32_t kind = below(random, 20);

    random_path(random, room->path);
    if (kind < 9) {
        random_create(random, txn, room);
    } else if (kind < 13) {
        txn->header.type = below(random, 4) == 0 ? OP_DELETE_CONTAINER : OP_DELETE;
        txn->path = span_text(room->path);
    } else if (kind < 17) {
        txn->header.type = OP_SET_DATA;
        txn->set.path = span_text(room->path);
        txn->set.data = random_data(random, room->data);
        txn->set.version = (int32_t)below(random, 100);
    } else if (kind < 19) {
        txn->header.type = OP_SET_ACL;
        txn->set_acl.path = span_text(room->path);
        txn->set_acl.acl = random_list(random, &room->list);
        txn->set_acl.version = (int32_t)below(random, 100);
    } else {
        txn->header.type = OP_CHECK;
        txn->check.path = span_text(room->path);
        txn->check.version = 1;
    }
}

static void random_session(struct help_random *random, struct txn *txn, struct bytes *raw)
{
    char path[MODEL_PATH * 2];

    if (below(random, 3) > 0) {
        txn->header.type = OP_CREATE_SESSION;
        txn->timeout_ms = 1 + (int32_t)below(random, 40000);
        return;
    }
    txn->header.type = OP_CLOSE_SESSION;
    txn->close.absent = below(random, 4) == 0;
    for (uint32_t i = txn->close.absent ? 0 : below(random, 3); i > 0; i--) {
        random_path(random, path);
        txn_paths_add(raw, span_text(path));
        txn->close.paths.count++;
    }
    txn->close.paths.raw = bytes_span(raw);
}

static void random_multi(struct help_random *random, struct txn *txn, struct bytes *raw)
{
    bool fails = below(random, 4) == 0;

    txn->header.type = OP_MULTI;
    for (uint32_t i = below(random, 6); i > 0; i--) {
        struct txn sub = help_header(OP_ERROR, random->zxid, 0);
        struct random_room room;

        bytes_init(&room.list, raw->mem);
        if (fails && below(random, 3) == 0) {
            sub.error = ZK_NONODE;
        } else {
            random_simple(random, &sub, &room);
        }
        txn_multi_add(raw, &sub);
        bytes_drop(&room.list);
        txn->multi.count++;
    }
    txn->multi.raw = bytes_span(raw);
}

void help_random_txn(struct help_random *random, struct bytes *out)
{
    int64_t session = 1 + below(random, MODEL_SESSIONS);
    struct txn txn = help_header(OP_ERROR, ++random->zxid, session);
    struct random_room room;
    struct bytes raw;
    uint32_t kind = below(random, 20);

    bytes_init(&room.list, out->mem);
    bytes_init(&raw, out->mem);
    if (kind < 14) {
        random_simple(random, &txn, &room);
    } else if (kind < 16) {
        random_multi(random, &txn, &raw);
    } else if (kind < 19) {
        random_session(random, &txn, &raw);
    } else {
        txn.error = -(int32_t)below(random, 130);
    }
    if (below(random, 2) == 0) {
        txn.has_digest = true;
        txn.digest_version = 2;
        txn.digest = rand_next(&random->rand);
    }
    bytes_clear(out);
    txn_encode(out, &txn);
    EXPECT(!out->failed);
    bytes_drop(&room.list);
    bytes_drop(&raw);
}
