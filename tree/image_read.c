/* Reading goes by items: whatever can be complete in itself. The reader knows from the bytes that
 * it has how many an item needs at least, waits for them, and then decodes from the chunk itself
 * where the item is whole in it, or from a copy where it straddles chunks.
 *
 *   file:   HEADER -> SESSION_COUNT -> SESSION* -> LIST_COUNT -> (LIST -> ITEM*)* -> NODE* -> SEALS
 *   stream:           SESSION_COUNT -> ...                                                -> END */
#include "base/ensure.h"
#include "base/sums.h"
#include "tree/digest.h"
#include "tree/image.h"
#include "tree/path.h"
#include "tree/state.h"

#define IMAGE_MAGIC        0x5a4b534eu /* "ZKSN" */
#define IMAGE_HEADER_BYTES 16u
#define IMAGE_SEAL_BYTES   13u /* checksum, end mark */
#define IMAGE_ZXID_BYTES   8u
#define IMAGE_SEALS_MAX    256u
#define IMAGE_LIST_MAX     (32u << 20) /* bytes of one access list */

enum image_phase {
    IMAGE_HEADER,
    IMAGE_SESSION_COUNT,
    IMAGE_SESSION,
    IMAGE_LIST_COUNT,
    IMAGE_LIST,
    IMAGE_ITEM,
    IMAGE_NODE,
    IMAGE_SEALS,
    IMAGE_END
};

struct image_reader {
    struct mem *mem;
    struct tree *tree;
    enum image_form form;
    enum image_phase phase;
    uint32_t max_len;
    uint32_t sessions_left, lists_left, items_left;
    int64_t list_index;
    uint32_t list_count;
    struct bytes list;    /* items of the list being read */
    struct map lists;     /* index -> struct acl_entry */
    struct bytes partial; /* the beginning of an item; all seals */
    uint32_t adler;       /* of everything before the seals */
    bool has_digest;
    int64_t digest_zxid;
    uint64_t digest;
};

struct image_reader *image_reader_make(struct mem *mem, struct tree *tree, enum image_form form,
                                       uint32_t max_len)
{
    struct image_reader *reader = mem_get_zero(mem, sizeof(*reader));

    ENSURE(tree->root == NULL && tree->index.count == 0);
    if (reader == NULL) {
        return NULL;
    }
    reader->mem = mem;
    reader->tree = tree;
    reader->form = form;
    reader->phase = form == IMAGE_FILE ? IMAGE_HEADER : IMAGE_SESSION_COUNT;
    reader->max_len = max_len;
    reader->adler = 1;
    bytes_init(&reader->list, mem);
    bytes_init(&reader->partial, mem);
    map_init(&reader->lists, mem, tree->options.hash_seed);
    return reader;
}

void image_reader_drop(struct image_reader *reader)
{
    if (reader != NULL) {
        bytes_drop(&reader->list);
        bytes_drop(&reader->partial);
        map_drop(&reader->lists);
        mem_put(reader->mem, reader, sizeof(*reader));
    }
}

/* -- how long an item is -- */

static int32_t image_i32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return (int32_t)__builtin_bswap32(value);
}

/* Add to *need the length field at offset *need and what it announces. False when *need ends with
 * the field: because it is not there yet, or because decoding will refuse it. */
static bool image_need_buffer(const struct image_reader *reader, struct span have, size_t *need)
{
    size_t at = *need;
    int32_t len;

    *need += 4;
    if (have.len < *need) {
        return false;
    }
    len = image_i32(have.at + at);
    if (len < -1 || len > (int64_t)reader->max_len) {
        return false;
    }
    *need += len == -1 ? 0 : (size_t)len;
    return true;
}

static size_t image_need_item(const struct image_reader *reader, struct span have)
{
    size_t need = 4;

    if (image_need_buffer(reader, have, &need)) {
        (void)image_need_buffer(reader, have, &need);
    }
    return need;
}

static size_t image_need_node(const struct image_reader *reader, struct span have)
{
    size_t need = 0;

    if (!image_need_buffer(reader, have, &need) || have.len < need) {
        return need;
    }
    if (need == 5 && have.at[4] == '/') {
        return need; /* the end of the nodes */
    }
    if (!image_need_buffer(reader, have, &need)) {
        return need;
    }
    return need + 8 + STAT_STORED_BYTES;
}

/* At least so many bytes make the next item; more may turn out when they are there. */
static size_t image_need(const struct image_reader *reader, struct span have)
{
    switch (reader->phase) {
    case IMAGE_HEADER:
        return IMAGE_HEADER_BYTES;
    case IMAGE_SESSION_COUNT:
    case IMAGE_LIST_COUNT:
        return 4;
    case IMAGE_SESSION:
    case IMAGE_LIST:
        return 12;
    case IMAGE_ITEM:
        return image_need_item(reader, have);
    case IMAGE_NODE:
        return image_need_node(reader, have);
    case IMAGE_SEALS:
    case IMAGE_END:
        break;
    }
    UNREACHABLE();
}

/* -- items -- */

static enum err image_read_header(struct image_reader *reader, struct reader *in)
{
    uint32_t magic = reader_u32(in);

    /* Version and database id are not checked, as in Apache. */
    (void)reader_i32(in);
    (void)reader_i64(in);
    if (magic != IMAGE_MAGIC) {
        return ERR_MAGIC;
    }
    reader->phase = IMAGE_SESSION_COUNT;
    return ERR_OK;
}

static enum err image_read_count(struct reader *in, uint32_t *count)
{
    int32_t value = reader_i32(in);

    if (value < 0) {
        return ERR_FORMAT;
    }
    *count = (uint32_t)value;
    return ERR_OK;
}

static enum err image_read_session(struct image_reader *reader, struct reader *in)
{
    int64_t id = reader_i64(in);
    int32_t timeout_ms = reader_i32(in);

    reader->sessions_left--;
    return tree_session_set(reader->tree, id, timeout_ms);
}

static enum err image_end_list(struct image_reader *reader)
{
    struct acl_list list = {.raw = bytes_span(&reader->list), .count = reader->list_count};
    struct acl_entry *entry;
    enum err err;

    if (reader->list.failed) {
        return ERR_MEMORY;
    }
    if (map_find(&reader->lists, (uint64_t)reader->list_index) != NULL ||
        reader->list_index == -1) {
        return ERR_FORMAT;
    }
    err = acl_table_load(&reader->tree->acls, reader->list_index, list, &entry);
    if (err == ERR_OK) {
        err = map_put(&reader->lists, (uint64_t)reader->list_index, entry);
    }
    bytes_clear(&reader->list);
    reader->lists_left--;
    return err == ERR_RANGE ? ERR_FORMAT : err;
}

static enum err image_read_list(struct image_reader *reader, struct reader *in)
{
    enum err err;

    reader->list_index = reader_i64(in);
    err = image_read_count(in, &reader->items_left);
    if (err != ERR_OK) {
        return err;
    }
    reader->list_count = reader->items_left;
    reader->phase = IMAGE_ITEM;
    return ERR_OK;
}

static enum err image_read_item(struct image_reader *reader, struct reader *in)
{
    size_t start = in->pos;

    (void)reader_i32(in);
    (void)reader_ustring(in, NULL);
    (void)reader_ustring(in, NULL);
    if (in->err != ERR_OK) {
        return in->err;
    }
    if (reader->list.len + (in->pos - start) > IMAGE_LIST_MAX) {
        return ERR_LONG;
    }
    bytes_raw(&reader->list, in->at + start, in->pos - start);
    reader->items_left--;
    return reader->list.failed ? ERR_MEMORY : ERR_OK;
}

/* A list that only a super user passes: for nodes whose list the image does not tell. Apache writes
 * its lists first and goes on changing; the replay of the log brings the list of such a node. */
static enum err image_unknown_list(struct image_reader *reader, struct acl_entry **entry)
{
    static const uint8_t raw[] = "\0\0\0\x1f\0\0\0\x05super\0\0\0\0";
    struct acl_list list = {.raw = span_make(raw, sizeof(raw) - 1), .count = 1};

    return acl_table_use(&reader->tree->acls, list, entry);
}

static enum err image_set_list(struct image_reader *reader, struct node *node, int64_t index)
{
    struct acl_entry *entry;

    if (index == -1) {
        return ERR_OK;
    }
    entry = map_find(&reader->lists, (uint64_t)index);
    if (entry == NULL) {
        return image_unknown_list(reader, &node->acl);
    }
    entry->refs++;
    node->acl = entry;
    return ERR_OK;
}

static enum err image_add_node(struct image_reader *reader, struct tree_new_node *new_node,
                               int64_t index)
{
    struct tree *tree = reader->tree;
    struct span path = new_node->path;
    struct span parent;
    struct node *node;
    enum err err;

    if (path.len > 0) {
        if (path.at[0] != '/' || !path_split(path, &parent, &new_node->name)) {
            return ERR_FORMAT;
        }
        new_node->parent = tree_look_up(tree, parent, index_hash(&tree->index, parent));
        if (new_node->parent == NULL) {
            return ERR_FORMAT;
        }
    } else if (tree->root != NULL) {
        return ERR_FORMAT;
    }
    new_node->hash = index_hash(&tree->index, path);
    if (path.len > 0 && tree_look_up(tree, path, new_node->hash) != NULL) {
        return ERR_FORMAT;
    }
    new_node->acl = (struct acl_list){.is_null = true};
    err = tree_add_node(tree, new_node, &node);
    return err == ERR_OK ? image_set_list(reader, node, index) : err;
}

static enum err image_read_node(struct image_reader *reader, struct reader *in)
{
    struct tree_new_node new_node = {0};
    int64_t index;
    bool is_null;

    new_node.path = reader_ustring(in, &is_null);
    if (in->err == ERR_OK && is_null) {
        return ERR_FORMAT;
    }
    if (in->err == ERR_OK && span_is(new_node.path, "/")) {
        reader->phase = reader->form == IMAGE_FILE ? IMAGE_SEALS : IMAGE_END;
        return ERR_OK;
    }
    new_node.data.span = reader_buffer(in, &new_node.data.is_null);
    index = reader_i64(in);
    stat_stored_read(in, &new_node.stat);
    return in->err == ERR_OK ? image_add_node(reader, &new_node, index) : in->err;
}

/* Decode one item that is whole in `in`. */
static enum err image_read_one(struct image_reader *reader, struct reader *in)
{
    switch (reader->phase) {
    case IMAGE_HEADER:
        return image_read_header(reader, in);
    case IMAGE_SESSION_COUNT:
        reader->phase = IMAGE_SESSION;
        return image_read_count(in, &reader->sessions_left);
    case IMAGE_SESSION:
        return image_read_session(reader, in);
    case IMAGE_LIST_COUNT:
        reader->phase = IMAGE_LIST;
        return image_read_count(in, &reader->lists_left);
    case IMAGE_LIST:
        return image_read_list(reader, in);
    case IMAGE_ITEM:
        return image_read_item(reader, in);
    case IMAGE_NODE:
        return image_read_node(reader, in);
    case IMAGE_SEALS:
    case IMAGE_END:
        break;
    }
    UNREACHABLE();
}

/* Leave the phases that have nothing more to read. */
static enum err image_settle(struct image_reader *reader)
{
    if (reader->phase == IMAGE_SESSION && reader->sessions_left == 0) {
        reader->phase = IMAGE_LIST_COUNT;
    }
    if (reader->phase == IMAGE_ITEM && reader->items_left == 0) {
        reader->phase = IMAGE_LIST;
        return image_end_list(reader);
    }
    return ERR_OK;
}

static enum err image_advance(struct image_reader *reader)
{
    enum err err = image_settle(reader);

    if (reader->phase == IMAGE_LIST && reader->lists_left == 0) {
        reader->phase = IMAGE_NODE;
    }
    return err;
}

/* Decode the item at the start of `have`; *used tells its length, 0 when more bytes are needed, of
 * which *need says how many at least. */
static enum err image_try(struct image_reader *reader, struct span have, size_t *used, size_t *need)
{
    struct reader in;
    enum err err;

    *used = 0;
    *need = image_need(reader, have);
    if (have.len < *need) {
        return ERR_OK;
    }
    reader_init(&in, span_make(have.at, *need), reader->max_len);
    err = image_read_one(reader, &in);
    if (err == ERR_OK) {
        err = in.err;
    }
    if (err == ERR_OK) {
        *used = in.pos;
        reader->adler = sums_adler32(reader->adler, span_make(have.at, in.pos));
        err = image_advance(reader);
    }
    return err == ERR_SHORT ? ERR_FORMAT : err;
}

/* The item that began in an earlier chunk: add what it lacks. */
static enum err image_feed_partial(struct image_reader *reader, struct span bytes, size_t *taken)
{
    size_t used = 0;
    size_t need = 0;
    enum err err = ERR_OK;

    while (reader->partial.len > 0) {
        size_t more;

        err = image_try(reader, bytes_span(&reader->partial), &used, &need);
        if (err != ERR_OK) {
            return err;
        }
        if (used > 0) {
            /* Never more than one item's bytes are collected. */
            ENSURE(used == reader->partial.len);
            bytes_clear(&reader->partial);
            return ERR_OK;
        }
        more = need - reader->partial.len;
        if (more > bytes.len - *taken) {
            more = bytes.len - *taken;
        }
        if (more == 0) {
            return ERR_OK;
        }
        bytes_raw(&reader->partial, bytes.at + *taken, more);
        if (reader->partial.failed) {
            return ERR_MEMORY;
        }
        *taken += more;
    }
    return ERR_OK;
}

static enum err image_feed_seals(struct image_reader *reader, struct span rest, size_t *taken)
{
    if (reader->partial.len + rest.len > IMAGE_SEALS_MAX) {
        return ERR_FORMAT;
    }
    bytes_raw(&reader->partial, rest.at, rest.len);
    *taken += rest.len;
    return reader->partial.failed ? ERR_MEMORY : ERR_OK;
}

enum err image_reader_feed(struct image_reader *reader, struct span bytes, size_t *taken,
                           bool *done)
{
    enum err err = ERR_OK;
    size_t at = 0;

    if (reader->phase < IMAGE_SEALS) {
        err = image_feed_partial(reader, bytes, &at);
    }
    while (err == ERR_OK && reader->phase < IMAGE_SEALS && at < bytes.len) {
        struct span rest = span_make(bytes.at + at, bytes.len - at);
        size_t used;
        size_t need;

        err = image_try(reader, rest, &used, &need);
        at += used;
        if (err == ERR_OK && used == 0) {
            bytes_raw(&reader->partial, rest.at, rest.len);
            at = bytes.len;
            err = reader->partial.failed ? ERR_MEMORY : ERR_OK;
        }
    }
    if (err == ERR_OK && reader->phase == IMAGE_SEALS && at < bytes.len) {
        err = image_feed_seals(reader, span_make(bytes.at + at, bytes.len - at), &at);
    }
    if (err != ERR_OK) {
        return err;
    }
    *taken = at;
    *done = reader->phase == IMAGE_END;
    return ERR_OK;
}

/* -- the end -- */

/* One checksum and end mark, which cover everything before them. */
static enum err image_check_seal(struct image_reader *reader, struct reader *in, size_t from)
{
    struct span before = span_make(in->at + from, in->pos - from);
    struct span mark;
    uint64_t sum;
    size_t start = in->pos;

    reader->adler = sums_adler32(reader->adler, before);
    sum = reader_u64(in);
    if (in->err == ERR_OK && sum != reader->adler) {
        return ERR_CHECKSUM;
    }
    mark = reader_ustring(in, NULL);
    if (in->err != ERR_OK) {
        return in->err;
    }
    reader->adler = sums_adler32(reader->adler, span_make(in->at + start, in->pos - start));
    return span_is(mark, "/") ? ERR_OK : ERR_FORMAT;
}

static enum err image_read_digest(struct image_reader *reader, struct reader *in)
{
    size_t from = in->pos;
    int64_t zxid = reader_i64(in);
    int32_t version = reader_i32(in);
    uint64_t digest = 0;

    if (version < DIGEST_VERSION) {
        (void)reader_ustring(in, NULL); /* in hexadecimal, of another algorithm */
    } else {
        digest = reader_u64(in);
    }
    if (in->err != ERR_OK) {
        return in->err;
    }
    reader->has_digest = version == DIGEST_VERSION;
    reader->digest_zxid = zxid;
    reader->digest = digest;
    return image_check_seal(reader, in, from);
}

static enum err image_read_seals(struct image_reader *reader)
{
    struct reader in;
    enum err err;

    if (reader->partial.len < IMAGE_SEAL_BYTES) {
        return ERR_SHORT;
    }
    reader_init(&in, bytes_span(&reader->partial), IMAGE_SEALS_MAX);
    err = image_check_seal(reader, &in, 0);
    /* With digests off the third seal follows the first; only their lengths tell. */
    if (err == ERR_OK && reader_left(&in) > IMAGE_ZXID_BYTES + IMAGE_SEAL_BYTES) {
        err = image_read_digest(reader, &in);
    }
    if (err == ERR_OK && reader_left(&in) > 0) {
        size_t from = in.pos;

        if (reader_left(&in) < IMAGE_ZXID_BYTES + IMAGE_SEAL_BYTES) {
            return ERR_SHORT;
        }
        (void)reader_i64(&in);
        err = image_check_seal(reader, &in, from);
    }
    if (err == ERR_OK && reader_left(&in) > 0) {
        err = ERR_FORMAT;
    }
    return err;
}

enum err image_reader_end(struct image_reader *reader, int64_t zxid)
{
    enum err err = ERR_OK;

    if (reader->phase < IMAGE_SEALS) {
        return ERR_SHORT;
    }
    if (reader->phase == IMAGE_SEALS) {
        err = image_read_seals(reader);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (reader->tree->root == NULL) {
        return ERR_FORMAT;
    }
    reader->phase = IMAGE_END;
    acl_table_drop_unused(&reader->tree->acls);
    tree_set_zxid(reader->tree, zxid);
    return quota_recompute(reader->tree);
}

bool image_reader_digest(const struct image_reader *reader, int64_t *zxid, uint64_t *digest)
{
    if (!reader->has_digest) {
        return false;
    }
    *zxid = reader->digest_zxid;
    *digest = reader->digest;
    return true;
}
