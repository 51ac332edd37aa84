#include "tests/tree/help_tree.h"

#include "tests/expect.h"
#include "tree/digest.h"
#include "tree/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct txn help_header(int32_t type, int64_t zxid, int64_t session)
{
    struct txn txn;

    memset(&txn, 0, sizeof(txn));
    txn.header = (struct txn_header){.client_id = session,
                                     .cxid = (int32_t)zxid,
                                     .zxid = zxid,
                                     .time = 1700000000000 + zxid,
                                     .type = type};
    return txn;
}

struct txn help_create(const char *path, const char *data, int64_t zxid, int32_t parent_cversion)
{
    struct txn txn = help_header(OP_CREATE, zxid, 0x100);

    txn.create.path = span_text(path);
    txn.create.data.is_null = data == NULL;
    txn.create.data.span = data == NULL ? span_make(NULL, 0) : span_text(data);
    txn.create.acl = acl_open();
    txn.create.parent_cversion = parent_cversion;
    return txn;
}

struct txn help_delete(const char *path, int64_t zxid)
{
    struct txn txn = help_header(OP_DELETE, zxid, 0x100);

    txn.path = span_text(path);
    return txn;
}

struct txn help_set(const char *path, const char *data, int64_t zxid, int32_t version)
{
    struct txn txn = help_header(OP_SET_DATA, zxid, 0x100);

    txn.set.path = span_text(path);
    txn.set.data.is_null = data == NULL;
    txn.set.data.span = data == NULL ? span_make(NULL, 0) : span_text(data);
    txn.set.version = version;
    return txn;
}

int32_t help_apply(struct tree *tree, struct tree_result *result, const struct txn *txn)
{
    EXPECT(tree_apply(tree, txn, result) == ERR_OK);
    return result->code;
}

void help_read(struct bytes *out, const char *name)
{
    char path[512];
    uint8_t part[4096];
    size_t got;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/tests/vectors/%s", SOURCE_DIR, name);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    while ((got = fread(part, 1, sizeof(part), file)) > 0) {
        bytes_raw(out, part, got);
    }
    (void)fclose(file);
    EXPECT(!out->failed);
}

void help_image(struct tree *tree, const struct image_options *options, struct bytes *out)
{
    struct image_writer *writer;
    bool done = false;

    EXPECT(image_writer_make(tree, options, &writer) == ERR_OK);
    while (!done) {
        EXPECT(image_write(writer, out, 100, &done) == ERR_OK);
    }
    image_writer_drop(writer);
}

static enum err help_feed(struct image_reader *reader, struct span image, size_t chunk)
{
    bool done = false;
    size_t at = 0;

    while (at < image.len && !done) {
        size_t len = image.len - at < chunk ? image.len - at : chunk;
        /* A copy of its own, so that sanitizers see every byte read beyond it. */
        uint8_t *copy = malloc(len);
        size_t taken = 0;
        enum err err;

        memcpy(copy, image.at + at, len);
        err = image_reader_feed(reader, span_make(copy, len), &taken, &done);
        free(copy);
        if (err != ERR_OK) {
            return err;
        }
        EXPECT(taken == len || done);
        at += taken;
    }
    return at == image.len ? ERR_OK : ERR_LONG;
}

struct tree *help_load(struct mem *mem, struct span image, size_t chunk, enum image_form form,
                       enum err *err)
{
    struct tree_options options = {.hash_seed = chunk, .extended_types = true};
    struct tree *tree = tree_make_bare(mem, &options);
    struct image_reader *reader = image_reader_make(mem, tree, form, READER_MAX_DEFAULT);

    *err = help_feed(reader, image, chunk);
    if (*err == ERR_OK) {
        int64_t zxid;
        uint64_t digest;

        *err = image_reader_end(reader, 0);
        if (*err == ERR_OK && image_reader_digest(reader, &zxid, &digest)) {
            tree_set_zxid(tree, zxid);
        }
    }
    image_reader_drop(reader);
    if (*err != ERR_OK) {
        tree_drop(tree);
        return NULL;
    }
    return tree;
}

/* -- describing -- */

static int help_order(const void *a, const void *b)
{
    return span_compare(((const struct help_node *)a)->path, ((const struct help_node *)b)->path);
}

static void help_hex(struct span span, struct bytes *out)
{
    for (size_t i = 0; i < span.len; i++) {
        char text[3];

        (void)snprintf(text, sizeof(text), "%02x", span.at[i]);
        bytes_raw(out, text, 2);
    }
}

void help_describe_nodes(const struct help_node *nodes, size_t count, struct bytes *out)
{
    struct help_node *sorted = malloc(count * sizeof(*sorted) + 1);

    memcpy(sorted, nodes, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), help_order);
    for (size_t i = 0; i < count; i++) {
        const struct stat_stored *stat = &sorted[i].stat;
        char text[200];
        int len = snprintf(text, sizeof(text), " %llx %llx %llx %lld %lld %d %d %d %llx %s ",
                           (unsigned long long)stat->czxid, (unsigned long long)stat->mzxid,
                           (unsigned long long)stat->pzxid, (long long)stat->ctime,
                           (long long)stat->mtime, stat->version, stat->cversion, stat->aversion,
                           (unsigned long long)stat->ephemeral_owner,
                           sorted[i].data_null ? "null" : "data");

        bytes_raw(out, sorted[i].path.at, sorted[i].path.len);
        bytes_raw(out, text, (size_t)len);
        help_hex(sorted[i].data, out);
        bytes_raw(out, " list ", 6);
        help_hex(sorted[i].acl, out);
        bytes_u8(out, '\n');
    }
    free(sorted);
}

void help_describe_session(int64_t session, int32_t timeout_ms, struct bytes *out)
{
    char text[80];
    int len =
        snprintf(text, sizeof(text), "session %llx %d\n", (unsigned long long)session, timeout_ms);

    bytes_raw(out, text, (size_t)len);
}

static void help_describe_tree(const struct tree *tree, bool usage, struct bytes *out)
{
    uint64_t count = tree_node_count(tree);
    struct help_node *nodes = malloc(count * sizeof(*nodes));
    struct bytes paths;
    int64_t session = 0;
    int32_t timeout_ms;
    uint64_t i = 0;

    bytes_init(&paths, out->mem);
    EXPECT(bytes_reserve(&paths, tree->data_bytes + 1)); /* so that spans stay where they are */
    for (const struct node *node = tree->root; node != NULL; node = tree_next(tree->root, node)) {
        size_t from = paths.len;

        EXPECT(i < count);
        node_path(node, true, &paths);
        nodes[i] = (struct help_node){.path = bytes_tail(&paths, from),
                                      .data = node_data(node),
                                      .data_null = node_data_null(node),
                                      .acl = node_acl(node).raw};
        if (!usage && span_is(node_name(node), "zookeeper_stats")) {
            nodes[i].data = span_make(NULL, 0);
            nodes[i].data_null = false;
        }
        node_stat_stored(node, &nodes[i].stat);
        i++;
    }
    EXPECT(i == count);
    help_describe_nodes(nodes, count, out);
    bytes_drop(&paths);
    free(nodes);
    while (tree_session_seek(tree, session, &session, &timeout_ms)) {
        help_describe_session(session, timeout_ms, out);
        if (session == -1) {
            break;
        }
        session = (int64_t)((uint64_t)session + 1);
    }
    EXPECT(!out->failed);
}

void help_describe(const struct tree *tree, struct bytes *out)
{
    help_describe_tree(tree, true, out);
}

void help_describe_image(const struct tree *tree, struct bytes *out)
{
    help_describe_tree(tree, false, out);
}

uint64_t help_digest(const struct tree *tree)
{
    uint64_t sum = 0;
    struct bytes path;

    bytes_init(&path, tree->mem);
    for (const struct node *node = tree->root; node != NULL; node = tree_next(tree->root, node)) {
        struct stat_stored stat;

        bytes_clear(&path);
        node_path(node, true, &path);
        node_stat_stored(node, &stat);
        sum += digest_node(bytes_span(&path), node_data(node), &stat);
    }
    bytes_drop(&path);
    return sum;
}

static void help_check_children(const struct node *parent)
{
    const struct node *last = NULL;
    uint32_t count = 0;

    for (const struct node *node = parent->first_child; node != NULL; node = node->next) {
        EXPECT(node->parent == parent);
        EXPECT(last == NULL || node->prev == last);
        last = node;
        count++;
    }
    EXPECT(last == NULL || parent->first_child->prev == last);
    EXPECT(count == parent->child_count);
}

void help_check(const struct tree *tree)
{
    uint64_t ephemerals = 0;
    uint64_t quotas = 0;
    uint64_t data_bytes = 0;
    uint64_t listed = 0;
    int64_t session = 0;
    uint64_t count;
    struct bytes path;

    bytes_init(&path, tree->mem);
    for (const struct node *node = tree->root; node != NULL; node = tree_next(tree->root, node)) {
        bytes_clear(&path);
        node_path(node, false, &path);
        EXPECT(tree_find(tree, bytes_span(&path)) == node);
        EXPECT(path.len == node_path_len(node));
        EXPECT(node->acl == NULL || node->acl->refs > 0);
        help_check_children(node);
        data_bytes += path.len + node->data_len;
        ephemerals += node_kind(node) == NODE_EPHEMERAL ? 1 : 0;
        quotas += quota_is_limits(tree, node) ? 1 : 0;
    }
    bytes_drop(&path);
    EXPECT(ephemerals == tree->ephemeral_count);
    EXPECT(quotas == tree->quota_count);
    EXPECT(data_bytes == tree->data_bytes);
    EXPECT(tree->digest == (tree->options.digest_off ? 0 : help_digest(tree)));
    while (tree_owner_seek(tree, session, &session, &count)) {
        uint64_t seen = 0;

        for (const struct node *node = tree_ephemeral_first(tree, session); node != NULL;
             node = tree_linked_next(tree, node)) {
            EXPECT(node->owner == session);
            seen++;
        }
        EXPECT(seen == count);
        listed += count;
        if (session == -1) {
            break;
        }
        session = (int64_t)((uint64_t)session + 1);
    }
    EXPECT(listed == ephemerals);
}
