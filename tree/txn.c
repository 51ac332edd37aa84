#include "tree/txn.h"

#include "base/ensure.h"

#define TXN_DIGEST_BYTES 12u

/* -- lists -- */

bool txn_paths_next(struct txn_paths *rest, struct span *path)
{
    struct reader in;

    if (rest->count == 0) {
        return false;
    }
    reader_init(&in, rest->raw, UINT32_MAX);
    *path = reader_ustring(&in, NULL);
    ENSURE(in.err == ERR_OK); /* checked by txn_decode, or built by txn_paths_add */
    rest->raw = span_make(rest->raw.at + in.pos, rest->raw.len - in.pos);
    rest->count--;
    return true;
}

void txn_paths_add(struct bytes *raw, struct span path)
{
    bytes_ustring(raw, path);
}

/* -- decoding -- */

/* A path may be odd, but not null or empty. */
static struct span txn_read_path(struct reader *in)
{
    struct span path = reader_ustring(in, NULL);

    if (in->err == ERR_OK && path.len == 0) {
        reader_fail(in, ERR_FORMAT);
    }
    return path;
}

static struct txn_data txn_read_data(struct reader *in)
{
    struct txn_data data;

    data.span = reader_buffer(in, &data.is_null);
    return data;
}

/* May a transaction end with `left` bytes after its record? */
static bool txn_may_end(const struct reader *in)
{
    return in->err == ERR_OK && (reader_left(in) == 0 || reader_left(in) == TXN_DIGEST_BYTES);
}

static void txn_read_create(struct reader *in, int32_t type, struct txn_create *create)
{
    *create = (struct txn_create){0};
    create->path = txn_read_path(in);
    create->data = txn_read_data(in);
    create->acl = acl_list_read(in);
    if (type == OP_CREATE || type == OP_CREATE2) {
        create->ephemeral = reader_bool(in);
        /* The old form ends here. With a digest it has 12 bytes left, the new one 4 or 16. */
        if (txn_may_end(in)) {
            create->old_form = true;
            create->parent_cversion = -1;
            return;
        }
    }
    create->parent_cversion = reader_i32(in);
    if (type == OP_CREATE_TTL) {
        create->ttl = reader_i64(in);
    }
}

static void txn_read_close(struct reader *in, struct txn_close *close)
{
    struct reader start = *in;

    *close = (struct txn_close){0};
    if (reader_left(in) > 0) {
        size_t from;

        close->paths.count = reader_count(in, 4, &close->paths.is_null);
        from = in->pos;
        for (uint32_t i = 0; i < close->paths.count; i++) {
            (void)txn_read_path(in);
        }
        if (txn_may_end(in)) {
            close->paths.raw = span_make(in->at + from, in->pos - from);
            return;
        }
    }
    /* What looks like a broken list may be the digest after an absent record. */
    if (txn_may_end(&start)) {
        *in = start;
        *close = (struct txn_close){.absent = true};
        return;
    }
    reader_fail(in, ERR_FORMAT);
}

/* Everything but multi, which may hold these only. */
static void txn_read_simple(struct reader *in, struct txn *txn)
{
    switch (txn->header.type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        txn_read_create(in, txn->header.type, &txn->create);
        return;
    case OP_DELETE:
    case OP_DELETE_CONTAINER:
        txn->path = txn_read_path(in);
        return;
    case OP_SET_DATA:
    case OP_RECONFIG:
        txn->set = (struct txn_set_data){0};
        txn->set.path = txn_read_path(in);
        txn->set.data = txn_read_data(in);
        txn->set.version = reader_i32(in);
        return;
    case OP_SET_ACL:
        txn->set_acl = (struct txn_set_acl){0};
        txn->set_acl.path = txn_read_path(in);
        txn->set_acl.acl = acl_list_read(in);
        txn->set_acl.version = reader_i32(in);
        return;
    case OP_CHECK:
        txn->check = (struct txn_check){0};
        txn->check.path = txn_read_path(in);
        txn->check.version = reader_i32(in);
        return;
    case OP_CREATE_SESSION:
        txn->timeout_ms = reader_i32(in);
        return;
    case OP_CLOSE_SESSION:
        txn_read_close(in, &txn->close);
        return;
    case OP_ERROR:
        txn->error = reader_i32(in);
        return;
    default: /* not an enum: any number may come from a peer */
        reader_fail(in, ERR_UNKNOWN);
        return;
    }
}

/* May `type` be part of a multi? */
static bool txn_sub_type(int32_t type)
{
    return type != OP_CREATE_SESSION && type != OP_CLOSE_SESSION && type != OP_RECONFIG;
}

/* One {int type; buffer record}; *sub keeps its header apart from the type. */
static void txn_read_sub(struct reader *in, struct txn *sub)
{
    struct reader record;
    struct span bytes;
    bool is_null;

    sub->header.type = reader_i32(in);
    bytes = reader_buffer(in, &is_null);
    if (in->err != ERR_OK) {
        return;
    }
    if (is_null || !txn_sub_type(sub->header.type)) {
        reader_fail(in, ERR_FORMAT);
        return;
    }
    reader_init(&record, bytes, in->max_len);
    txn_read_simple(&record, sub);
    if (reader_finish(&record) != ERR_OK) {
        reader_fail(in, record.err == ERR_OK ? ERR_FORMAT : record.err);
    }
}

static void txn_read_multi(struct reader *in, const struct txn_header *header,
                           struct txn_multi *multi)
{
    struct txn sub = {.header = *header};
    size_t from;

    *multi = (struct txn_multi){0};
    multi->count = reader_count(in, 8, &multi->is_null);
    from = in->pos;
    for (uint32_t i = 0; i < multi->count && in->err == ERR_OK; i++) {
        txn_read_sub(in, &sub);
    }
    multi->raw = span_make(in->at + from, in->pos - from);
}

static void txn_read_header(struct reader *in, struct txn_header *header)
{
    header->client_id = reader_i64(in);
    header->cxid = reader_i32(in);
    header->zxid = reader_i64(in);
    header->time = reader_i64(in);
    header->type = reader_i32(in);
}

enum err txn_decode_header(struct span bytes, struct txn_header *header)
{
    struct txn_header read;
    struct reader in;

    reader_init(&in, bytes, READER_MAX_DEFAULT);
    txn_read_header(&in, &read);
    if (in.err == ERR_OK) {
        *header = read;
    }
    return in.err;
}

enum err txn_decode(struct span bytes, struct txn *txn)
{
    struct txn read;
    struct reader in;

    memset(&read, 0, sizeof(read)); /* the union: whichever member is read later is defined */
    reader_init(&in, bytes, READER_MAX_DEFAULT);
    txn_read_header(&in, &read.header);
    if (read.header.type == OP_MULTI) {
        txn_read_multi(&in, &read.header, &read.multi);
    } else {
        txn_read_simple(&in, &read);
    }
    if (in.err != ERR_OK) {
        return in.err;
    }
    if (reader_left(&in) == TXN_DIGEST_BYTES) {
        read.has_digest = true;
        read.digest_version = reader_i32(&in);
        read.digest = reader_u64(&in);
    }
    if (reader_finish(&in) != ERR_OK) {
        return ERR_FORMAT;
    }
    *txn = read;
    return ERR_OK;
}

bool txn_multi_next(struct txn_multi *rest, const struct txn *whole, struct txn *sub)
{
    struct reader in;

    if (rest->count == 0) {
        return false;
    }
    memset(sub, 0, sizeof(*sub));
    sub->header = whole->header;
    reader_init(&in, rest->raw, UINT32_MAX);
    txn_read_sub(&in, sub);
    ENSURE(in.err == ERR_OK); /* checked by txn_decode, or built by txn_multi_add */
    rest->raw = span_make(rest->raw.at + in.pos, rest->raw.len - in.pos);
    rest->count--;
    return true;
}

/* -- encoding -- */

static void txn_write_data(struct bytes *out, struct txn_data data)
{
    if (data.is_null) {
        bytes_buffer_null(out);
    } else {
        bytes_buffer(out, data.span);
    }
}

static void txn_write_create(struct bytes *out, int32_t type, const struct txn_create *create)
{
    bytes_ustring(out, create->path);
    txn_write_data(out, create->data);
    acl_list_write(out, create->acl);
    if (type == OP_CREATE || type == OP_CREATE2) {
        bytes_bool(out, create->ephemeral);
        if (create->old_form) {
            return;
        }
    }
    bytes_i32(out, create->parent_cversion);
    if (type == OP_CREATE_TTL) {
        bytes_i64(out, create->ttl);
    }
}

/* A list that is already encoded: count (or null) and items. */
static void txn_write_list(struct bytes *out, bool is_null, uint32_t count, struct span raw)
{
    if (is_null) {
        bytes_i32(out, -1);
        return;
    }
    bytes_u32(out, count);
    bytes_raw(out, raw.at, raw.len);
}

void txn_encode_record(struct bytes *out, const struct txn *txn)
{
    switch ((enum zk_op)txn->header.type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        txn_write_create(out, txn->header.type, &txn->create);
        return;
    case OP_DELETE:
    case OP_DELETE_CONTAINER:
        bytes_ustring(out, txn->path);
        return;
    case OP_SET_DATA:
    case OP_RECONFIG:
        bytes_ustring(out, txn->set.path);
        txn_write_data(out, txn->set.data);
        bytes_i32(out, txn->set.version);
        return;
    case OP_SET_ACL:
        bytes_ustring(out, txn->set_acl.path);
        acl_list_write(out, txn->set_acl.acl);
        bytes_i32(out, txn->set_acl.version);
        return;
    case OP_CHECK:
        bytes_ustring(out, txn->check.path);
        bytes_i32(out, txn->check.version);
        return;
    case OP_CREATE_SESSION:
        bytes_i32(out, txn->timeout_ms);
        return;
    case OP_CLOSE_SESSION:
        if (!txn->close.absent) {
            txn_write_list(out, txn->close.paths.is_null, txn->close.paths.count,
                           txn->close.paths.raw);
        }
        return;
    case OP_ERROR:
        bytes_i32(out, txn->error);
        return;
    case OP_MULTI:
        txn_write_list(out, txn->multi.is_null, txn->multi.count, txn->multi.raw);
        return;
    default: /* the other operations have no transaction */
        UNREACHABLE();
    }
}

void txn_encode(struct bytes *out, const struct txn *txn)
{
    if (!bytes_reserve(out, TXN_HEADER_BYTES)) {
        return;
    }
    bytes_i64(out, txn->header.client_id);
    bytes_i32(out, txn->header.cxid);
    bytes_i64(out, txn->header.zxid);
    bytes_i64(out, txn->header.time);
    bytes_i32(out, txn->header.type);
    txn_encode_record(out, txn);
    if (txn->has_digest) {
        bytes_i32(out, txn->digest_version);
        bytes_u64(out, txn->digest);
    }
}

void txn_multi_add(struct bytes *raw, const struct txn *sub)
{
    size_t start;

    ENSURE(sub->header.type != OP_MULTI && txn_sub_type(sub->header.type));
    bytes_i32(raw, sub->header.type);
    start = raw->len;
    bytes_u32(raw, 0);
    txn_encode_record(raw, sub);
    if (!raw->failed) {
        bytes_patch_u32(raw, start, (uint32_t)(raw->len - start - 4));
    }
}

struct span txn_path(const struct txn *txn)
{
    switch (txn->header.type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        return txn->create.path;
    case OP_DELETE:
    case OP_DELETE_CONTAINER:
        return txn->path;
    case OP_SET_DATA:
    case OP_RECONFIG:
        return txn->set.path;
    case OP_SET_ACL:
        return txn->set_acl.path;
    case OP_CHECK:
        return txn->check.path;
    default: /* sessions, multi, error */
        return span_make(NULL, 0);
    }
}
