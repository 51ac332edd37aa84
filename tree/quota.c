#include "tree/quota.h"

#include "base/ensure.h"
#include "base/text.h"
#include "tree/path.h"
#include "tree/state.h"

#define QUOTA_LIMITS "zookeeper_limits"
#define QUOTA_STATS  "zookeeper_stats"
/* Longest text of quota_write. */
#define QUOTA_TEXT_MAX 160u

/* -- text -- */

static const char *const quota_count_key = "count";
static const char *const quota_bytes_key = "bytes";
static const char *const quota_byte_hard_key = "byteHardLimit";
static const char *const quota_count_hard_key = "countHardLimit";

static bool quota_separator(uint8_t c)
{
    return c == ',' || c == ';';
}

/* One "key=value" (or "key="). */
static enum err quota_parse_part(struct span part, struct quota *quota)
{
    size_t equals = 0;
    struct span key;
    struct span value;
    int64_t number = -1;

    while (equals < part.len && part.at[equals] != '=') {
        equals++;
    }
    if (equals == part.len) {
        return ERR_FORMAT;
    }
    key = span_make(part.at, equals);
    value = span_make(part.at + equals + 1, part.len - equals - 1);
    /* "bytes=5=;byteHardLimit=..." is how hard limits are joined on. */
    if (value.len > 0 && value.at[value.len - 1] == '=') {
        value.len--;
    }
    if (value.len > 0 && text_parse_i64(value, &number) != ERR_OK) {
        return ERR_FORMAT;
    }
    if (span_is(key, quota_count_key)) {
        quota->count = number;
    } else if (span_is(key, quota_bytes_key)) {
        quota->bytes = number;
    } else if (span_is(key, quota_byte_hard_key)) {
        quota->byte_hard_limit = number;
    } else if (span_is(key, quota_count_hard_key)) {
        quota->count_hard_limit = number;
    }
    return ERR_OK;
}

enum err quota_parse(struct span text, struct quota *quota)
{
    struct quota parsed = {.count = -1, .bytes = -1, .byte_hard_limit = -1, .count_hard_limit = -1};
    size_t at = 0;

    while (at < text.len) {
        size_t start = at;
        enum err err;

        while (at < text.len && !quota_separator(text.at[at])) {
            at++;
        }
        err = quota_parse_part(span_make(text.at + start, at - start), &parsed);
        if (err != ERR_OK) {
            return err;
        }
        while (at < text.len && quota_separator(text.at[at])) {
            at++;
        }
    }
    *quota = parsed;
    return ERR_OK;
}

static void quota_print(struct text *out, const struct quota *quota)
{
    text_str(out, "count=");
    text_i64(out, quota->count);
    text_str(out, ",bytes=");
    text_i64(out, quota->bytes);
    if (quota->byte_hard_limit > -1 || quota->count_hard_limit > -1) {
        text_char(out, '=');
    }
    if (quota->byte_hard_limit > -1) {
        text_str(out, ";byteHardLimit=");
        text_i64(out, quota->byte_hard_limit);
    }
    if (quota->count_hard_limit > -1) {
        text_str(out, ";countHardLimit=");
        text_i64(out, quota->count_hard_limit);
    }
    ENSURE(!out->cut);
}

void quota_write(struct bytes *out, const struct quota *quota)
{
    char at[QUOTA_TEXT_MAX];
    struct text text;

    text_init(&text, at, sizeof(at));
    quota_print(&text, quota);
    bytes_raw(out, text.at, text.len);
}

/* -- nodes -- */

/* Is `node` of that name below /zookeeper/quota? */
static bool quota_is_named(const struct tree *tree, const struct node *node, const char *name)
{
    const struct node *top;

    if ((node->flags & NODE_UNDIGESTED) == 0 || !span_is(node_name(node), name)) {
        return false;
    }
    /* Climb to the third level: root, zookeeper, quota. */
    top = node->parent;
    while (top->parent != NULL && top->parent->parent != NULL &&
           top->parent->parent->parent != NULL) {
        top = top->parent;
    }
    return top->parent != NULL && top->parent->parent == tree->root &&
           span_is(node_name(top), "quota") && span_is(node_name(top->parent), "zookeeper");
}

bool quota_is_limits(const struct tree *tree, const struct node *node)
{
    return quota_is_named(tree, node, QUOTA_LIMITS);
}

/* The node of that name for the quota of `path`, or NULL. Builds its path in `scratch`. */
static struct node *quota_node(const struct tree *tree, struct span path, const char *name,
                               struct bytes *scratch)
{
    bytes_clear(scratch);
    bytes_raw(scratch, PATH_QUOTA, sizeof(PATH_QUOTA) - 1);
    bytes_raw(scratch, path.at, path.len);
    bytes_u8(scratch, '/');
    bytes_raw(scratch, name, strlen(name));
    return scratch->failed ? NULL : tree_find_mutable(tree, bytes_span(scratch));
}

/* `scratch` of a tree is memory to work in and no part of its state. */
static struct bytes *quota_scratch(const struct tree *tree)
{
    return &((struct tree *)(uintptr_t)tree)->scratch;
}

bool quota_path(const struct tree *tree, struct span path, struct span *found)
{
    struct bytes *scratch = quota_scratch(tree);

    if (tree->quota_count == 0) {
        return false;
    }
    while (path.len > 1) {
        if (quota_node(tree, path, QUOTA_LIMITS, scratch) != NULL) {
            *found = path;
            return true;
        }
        do {
            path.len--;
        } while (path.len > 0 && path.at[path.len] != '/');
    }
    return false;
}

/* Put `quota` into a usage or limits node. Its stat stays. */
static enum err quota_store(struct tree *tree, struct node *node, const struct quota *quota)
{
    char at[QUOTA_TEXT_MAX];
    struct text text;

    text_init(&text, at, sizeof(at));
    quota_print(&text, quota);
    /* Below /zookeeper/ there is no digest to bring up to date. */
    return tree_replace_data(tree, node, (struct txn_data){.span = span_make(text.at, text.len)});
}

static int64_t quota_add(int64_t value, int64_t more)
{
    return (int64_t)((uint64_t)value + (uint64_t)more);
}

enum err quota_account(struct tree *tree, struct span path, struct quota_change change)
{
    struct span top;
    struct node *node;
    struct quota quota;

    if (tree->quota_count == 0) {
        return ERR_OK;
    }
    if (!quota_path(tree, path, &top)) {
        return tree->scratch.failed ? ERR_MEMORY : ERR_OK;
    }
    node = quota_node(tree, top, QUOTA_STATS, &tree->scratch);
    if (node == NULL) {
        return tree->scratch.failed ? ERR_MEMORY : ERR_OK;
    }
    /* Clients may have written anything there; what cannot be read is not counted in. */
    if (quota_parse(node_data(node), &quota) != ERR_OK) {
        return ERR_OK;
    }
    quota.count = quota_add(quota.count, change.count);
    quota.bytes = quota_add(quota.bytes, change.bytes);
    return quota_store(tree, node, &quota);
}

/* Count what is at and below `top`, which may be NULL. O(result). */
static void quota_measure(const struct node *top, struct quota *quota)
{
    quota->count = 0;
    quota->bytes = 0;
    for (const struct node *at = top; at != NULL; at = tree_next(top, at)) {
        quota->count++;
        quota->bytes += at->data_len;
    }
}

/* Fill the usage node at `path` = /zookeeper/quota + Q + /zookeeper_stats. */
static enum err quota_fill(struct tree *tree, struct node *stats, struct span path)
{
    size_t before = sizeof(PATH_QUOTA) - 1;
    size_t after = sizeof(QUOTA_STATS);
    struct quota quota = {.byte_hard_limit = -1, .count_hard_limit = -1};
    const struct node *top;

    ENSURE(path.len >= before + after);
    top = tree_find(tree, span_make(path.at + before, path.len - before - after));
    quota_measure(top, &quota);
    return quota_store(tree, stats, &quota);
}

enum err quota_created(struct tree *tree, struct node *node, struct span path)
{
    return quota_is_named(tree, node, QUOTA_STATS) ? quota_fill(tree, node, path) : ERR_OK;
}

enum err quota_recompute(struct tree *tree)
{
    const struct node *top = tree_find(tree, span_text(PATH_QUOTA));
    const struct node *at = top;
    enum err err = ERR_OK;

    for (; at != NULL && err == ERR_OK; at = tree_next(top, at)) {
        struct node *stats;
        size_t len;

        if (!quota_is_limits(tree, at)) {
            continue;
        }
        /* Its sibling: the path up to here, with the other name. */
        bytes_clear(&tree->scratch);
        node_path(at, false, &tree->scratch);
        len = tree->scratch.len - (sizeof(QUOTA_LIMITS) - 1);
        if (tree->scratch.failed) {
            return ERR_MEMORY;
        }
        tree->scratch.len = len;
        bytes_raw(&tree->scratch, QUOTA_STATS, sizeof(QUOTA_STATS) - 1);
        if (tree->scratch.failed) {
            return ERR_MEMORY;
        }
        stats = tree_find_mutable(tree, bytes_span(&tree->scratch));
        if (stats != NULL) {
            err = quota_fill(tree, stats, bytes_span(&tree->scratch));
        }
    }
    return err;
}

/* -- enforcement -- */

/* Over the limit, which is the hard one if there is one? Only that one refuses. */
static bool quota_over(int64_t used, int64_t more, int64_t hard)
{
    return hard > -1 && quota_add(used, more) > hard;
}

enum zk_code quota_check(const struct tree *tree, struct span path, struct quota_change change)
{
    struct bytes *scratch = quota_scratch(tree);
    const struct node *node;
    struct quota limits;
    struct quota used;
    struct span top;

    if (!quota_path(tree, path, &top)) {
        return ZK_OK;
    }
    node = quota_node(tree, top, QUOTA_LIMITS, scratch);
    if (node == NULL || quota_parse(node_data(node), &limits) != ERR_OK) {
        return ZK_OK;
    }
    node = quota_node(tree, top, QUOTA_STATS, scratch);
    if (node == NULL || quota_parse(node_data(node), &used) != ERR_OK) {
        return ZK_OK;
    }
    if (change.count > 0 && quota_over(used.count, change.count, limits.count_hard_limit)) {
        return ZK_QUOTAEXCEEDED;
    }
    if (change.bytes != 0 && quota_over(used.bytes, change.bytes, limits.byte_hard_limit)) {
        return ZK_QUOTAEXCEEDED;
    }
    return ZK_OK;
}
