#include "protocol/wire_client.h"

#include "base/ensure.h"

#define CREATE_FLAGS_MAX MODE_PERSISTENT_SEQUENTIAL_TTL

/* ---- session establishment ---- */

enum err wire_connect_decode(struct span frame, struct wire_connect *connect)
{
    struct wire_connect result = {.password = wire_null()};
    struct reader reader;

    reader_init(&reader, frame, READER_MAX_DEFAULT);
    result.protocol_version = reader_i32(&reader);
    result.last_zxid = reader_i64(&reader);
    result.timeout_ms = reader_i32(&reader);
    result.session = reader_i64(&reader);
    result.password = wire_read_buffer(&reader);
    if (reader.err == ERR_OK && reader_left(&reader) > 0) {
        result.has_read_only = true;
        result.read_only = reader_bool(&reader);
    }
    if (reader.err == ERR_OK) {
        *connect = result;
    }
    return reader.err;
}

void wire_connect_encode(struct bytes *bytes, const struct wire_connect *connect)
{
    bytes_i32(bytes, connect->protocol_version);
    bytes_i64(bytes, connect->last_zxid);
    bytes_i32(bytes, connect->timeout_ms);
    bytes_i64(bytes, connect->session);
    wire_put_buffer(bytes, connect->password);
    if (connect->has_read_only) {
        bytes_bool(bytes, connect->read_only);
    }
}

enum err wire_connected_decode(struct span frame, struct wire_connected *connected)
{
    struct wire_connected result = {.password = wire_null()};
    struct reader reader;

    reader_init(&reader, frame, READER_MAX_DEFAULT);
    result.protocol_version = reader_i32(&reader);
    result.timeout_ms = reader_i32(&reader);
    result.session = reader_i64(&reader);
    result.password = wire_read_buffer(&reader);
    if (reader.err == ERR_OK && reader_left(&reader) > 0) {
        result.has_read_only = true;
        result.read_only = reader_bool(&reader);
    }
    if (reader.err == ERR_OK) {
        *connected = result;
    }
    return reader.err;
}

void wire_connected_encode(struct bytes *bytes, const struct wire_connected *connected)
{
    bytes_i32(bytes, connected->protocol_version);
    bytes_i32(bytes, connected->timeout_ms);
    bytes_i64(bytes, connected->session);
    wire_put_buffer(bytes, connected->password);
    if (connected->has_read_only) {
        bytes_bool(bytes, connected->read_only);
    }
}

/* ---- headers ---- */

enum err wire_request_header_take(struct span *frame, struct wire_request_header *header)
{
    if (frame->len < WIRE_REQUEST_HEADER_BYTES) {
        return ERR_SHORT;
    }
    header->xid = (int32_t)wire_get_u32(frame->at);
    header->type = (int32_t)wire_get_u32(frame->at + 4);
    frame->at += WIRE_REQUEST_HEADER_BYTES;
    frame->len -= WIRE_REQUEST_HEADER_BYTES;
    return ERR_OK;
}

void wire_request_header_encode(struct bytes *bytes, const struct wire_request_header *header)
{
    uint8_t data[WIRE_REQUEST_HEADER_BYTES];

    wire_set_u32(data, (uint32_t)header->xid);
    wire_set_u32(data + 4, (uint32_t)header->type);
    bytes_raw(bytes, data, sizeof data);
}

enum err wire_reply_header_take(struct span *frame, struct wire_reply_header *header)
{
    if (frame->len < WIRE_REPLY_HEADER_BYTES) {
        return ERR_SHORT;
    }
    header->xid = (int32_t)wire_get_u32(frame->at);
    header->zxid = (int64_t)wire_get_u64(frame->at + 4);
    header->err = (int32_t)wire_get_u32(frame->at + 12);
    frame->at += WIRE_REPLY_HEADER_BYTES;
    frame->len -= WIRE_REPLY_HEADER_BYTES;
    return ERR_OK;
}

void wire_reply_header_encode(struct bytes *bytes, const struct wire_reply_header *header)
{
    uint8_t data[WIRE_REPLY_HEADER_BYTES];

    wire_set_u32(data, (uint32_t)header->xid);
    wire_set_u64(data + 4, (uint64_t)header->zxid);
    wire_set_u32(data + 12, (uint32_t)header->err);
    bytes_raw(bytes, data, sizeof data);
}

/* ---- watch events ---- */

enum err wire_event_decode(struct span record, struct wire_event *event)
{
    struct wire_event result;
    struct reader reader;

    reader_init(&reader, record, READER_MAX_DEFAULT);
    result.type = reader_i32(&reader);
    result.state = reader_i32(&reader);
    result.path = wire_read_buffer(&reader);
    if (reader.err == ERR_OK) {
        *event = result;
    }
    return reader.err;
}

void wire_event_encode(struct bytes *bytes, const struct wire_event *event)
{
    bytes_i32(bytes, event->type);
    bytes_i32(bytes, event->state);
    wire_put_buffer(bytes, event->path);
}

/* ---- requests ---- */

static void wire_read_create(struct reader *reader, struct wire_request *request)
{
    request->path = wire_read_buffer(reader);
    request->data = wire_read_buffer(reader);
    request->acl = acl_list_read(reader);
    request->flags = reader_i32(reader);
    if (request->type == OP_CREATE_TTL) {
        request->ttl_ms = reader_i64(reader);
    }
}

/* The records of ops that a multi or multiRead may contain; false for another type. */
static bool wire_read_plain(struct reader *reader, struct wire_request *request)
{
    switch (request->type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        wire_read_create(reader, request);
        return true;
    case OP_DELETE:
    case OP_CHECK:
        request->path = wire_read_buffer(reader);
        request->version = reader_i32(reader);
        return true;
    case OP_SET_DATA:
        request->path = wire_read_buffer(reader);
        request->data = wire_read_buffer(reader);
        request->version = reader_i32(reader);
        return true;
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
        request->path = wire_read_buffer(reader);
        request->watch = reader_bool(reader);
        return true;
    default:
        return false;
    }
}

/* May an op of this type stand in a multi (or multiRead)? */
static bool wire_multi_allows(int32_t outer, int32_t type)
{
    switch (type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
    case OP_DELETE:
    case OP_CHECK:
    case OP_SET_DATA:
        return outer == OP_MULTI;
    case OP_GET_DATA:
    case OP_GET_CHILDREN:
        return outer == OP_MULTI_READ;
    default:
        return false;
    }
}

static bool wire_is_create(int32_t type)
{
    return type == OP_CREATE || type == OP_CREATE2 || type == OP_CREATE_CONTAINER ||
           type == OP_CREATE_TTL;
}

struct wire_multi_header wire_read_multi_header(struct reader *reader)
{
    struct wire_multi_header header;

    header.type = reader_i32(reader);
    header.done = reader_bool(reader);
    header.err = reader_i32(reader);
    return header;
}

void wire_put_multi_header(struct bytes *bytes, const struct wire_multi_header *header)
{
    uint8_t data[WIRE_MULTI_HEADER_BYTES];

    wire_set_u32(data, (uint32_t)header->type);
    data[4] = header->done ? 1 : 0;
    wire_set_u32(data + 5, (uint32_t)header->err);
    bytes_raw(bytes, data, sizeof data);
}

static void wire_read_multi(struct reader *reader, struct wire_request *request)
{
    size_t start = reader->pos;

    for (;;) {
        size_t end = reader->pos;
        struct wire_multi_header header = wire_read_multi_header(reader);
        struct wire_request op = {.type = header.type};

        if (reader->err != ERR_OK) {
            return;
        }
        if (header.done) {
            request->multi.items = span_make(reader->at + start, end - start);
            return;
        }
        if (!wire_multi_allows(request->type, op.type) || !wire_read_plain(reader, &op)) {
            reader_fail(reader, ERR_FORMAT);
            return;
        }
        if (wire_is_create(op.type) && (op.flags < 0 || op.flags > CREATE_FLAGS_MAX)) {
            reader_fail(reader, ERR_FORMAT);
            return;
        }
        request->multi.count++;
    }
}

static void wire_read_reconfig(struct reader *reader, struct wire_request *request)
{
    request->reconfig.joining = wire_read_buffer(reader);
    request->reconfig.leaving = wire_read_buffer(reader);
    request->reconfig.members = wire_read_buffer(reader);
    request->reconfig.config_id = reader_i64(reader);
}

static uint32_t wire_watch_lists(int32_t type)
{
    return type == OP_SET_WATCHES ? 3 : WIRE_WATCH_LISTS;
}

static void wire_read_watches(struct reader *reader, struct wire_request *request)
{
    request->watches.relative_zxid = reader_i64(reader);
    for (uint32_t i = 0; i < WIRE_WATCH_LISTS; i++) {
        request->watches.list[i] =
            i < wire_watch_lists(request->type) ? wire_read_strings(reader) : wire_vector_empty();
    }
}

/* The records of all other ops; false for a type without request. */
static bool wire_read_other(struct reader *reader, struct wire_request *request)
{
    switch (request->type) {
    case OP_SET_ACL:
        request->path = wire_read_buffer(reader);
        request->acl = acl_list_read(reader);
        request->version = reader_i32(reader);
        return true;
    case OP_GET_ACL:
    case OP_SYNC:
    case OP_GET_EPHEMERALS:
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_DELETE_CONTAINER:
        request->path = wire_read_buffer(reader);
        return true;
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
    case OP_ADD_WATCH:
        request->path = wire_read_buffer(reader);
        request->flags = reader_i32(reader);
        return true;
    case OP_RECONFIG:
        wire_read_reconfig(reader, request);
        return true;
    case OP_MULTI:
    case OP_MULTI_READ:
        wire_read_multi(reader, request);
        return true;
    case OP_AUTH:
        request->flags = reader_i32(reader);
        request->scheme = wire_read_buffer(reader);
        request->data = wire_read_buffer(reader);
        return true;
    case OP_SET_WATCHES:
    case OP_SET_WATCHES2:
        wire_read_watches(reader, request);
        return true;
    case OP_SASL:
        request->data = wire_read_buffer(reader);
        return true;
    case OP_CREATE_SESSION:
        request->timeout_ms = reader_i32(reader);
        return true;
    case OP_PING:
    case OP_WHO_AM_I:
    case OP_CLOSE_SESSION:
        return true;
    default:
        return false;
    }
}

enum err wire_request_decode(int32_t type, struct span record, struct wire_request *request)
{
    struct wire_request result = {.type = type};
    struct reader reader;

    reader_init(&reader, record, READER_MAX_DEFAULT);
    if (!wire_read_plain(&reader, &result) && !wire_read_other(&reader, &result)) {
        return ERR_UNKNOWN;
    }
    if (reader.err == ERR_OK) {
        *request = result;
    }
    return reader.err;
}

/* The counterpart of wire_read_plain. */
static bool wire_put_plain(struct bytes *bytes, const struct wire_request *request)
{
    switch (request->type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        wire_put_buffer(bytes, request->path);
        wire_put_buffer(bytes, request->data);
        acl_list_write(bytes, request->acl);
        bytes_i32(bytes, request->flags);
        if (request->type == OP_CREATE_TTL) {
            bytes_i64(bytes, request->ttl_ms);
        }
        return true;
    case OP_DELETE:
    case OP_CHECK:
        wire_put_buffer(bytes, request->path);
        bytes_i32(bytes, request->version);
        return true;
    case OP_SET_DATA:
        wire_put_buffer(bytes, request->path);
        wire_put_buffer(bytes, request->data);
        bytes_i32(bytes, request->version);
        return true;
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
        wire_put_buffer(bytes, request->path);
        bytes_bool(bytes, request->watch);
        return true;
    default:
        return false;
    }
}

void wire_request_encode(struct bytes *bytes, const struct wire_request *request)
{
    if (wire_put_plain(bytes, request)) {
        return;
    }
    switch (request->type) {
    case OP_SET_ACL:
        wire_put_buffer(bytes, request->path);
        acl_list_write(bytes, request->acl);
        bytes_i32(bytes, request->version);
        return;
    case OP_GET_ACL:
    case OP_SYNC:
    case OP_GET_EPHEMERALS:
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_DELETE_CONTAINER:
        wire_put_buffer(bytes, request->path);
        return;
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
    case OP_ADD_WATCH:
        wire_put_buffer(bytes, request->path);
        bytes_i32(bytes, request->flags);
        return;
    case OP_RECONFIG:
        wire_put_buffer(bytes, request->reconfig.joining);
        wire_put_buffer(bytes, request->reconfig.leaving);
        wire_put_buffer(bytes, request->reconfig.members);
        bytes_i64(bytes, request->reconfig.config_id);
        return;
    case OP_MULTI:
    case OP_MULTI_READ:
        bytes_raw(bytes, request->multi.items.at, request->multi.items.len);
        wire_multi_end(bytes);
        return;
    case OP_AUTH:
        bytes_i32(bytes, request->flags);
        wire_put_buffer(bytes, request->scheme);
        wire_put_buffer(bytes, request->data);
        return;
    case OP_SET_WATCHES:
    case OP_SET_WATCHES2:
        bytes_i64(bytes, request->watches.relative_zxid);
        for (uint32_t i = 0; i < wire_watch_lists(request->type); i++) {
            wire_put_vector(bytes, &request->watches.list[i]);
        }
        return;
    case OP_SASL:
        wire_put_buffer(bytes, request->data);
        return;
    case OP_CREATE_SESSION:
        bytes_i32(bytes, request->timeout_ms);
        return;
    default: /* ops without record */
        return;
    }
}

bool wire_multi_next(struct wire_multi *cursor, struct wire_request *op)
{
    struct reader reader;

    if (cursor->count == 0) {
        return false;
    }
    reader_init(&reader, cursor->items, READER_MAX_DEFAULT);
    *op = (struct wire_request){.type = wire_read_multi_header(&reader).type};
    ENSURE(wire_read_plain(&reader, op)); /* checked when the multi was decoded */
    ENSURE(reader.err == ERR_OK);
    cursor->count--;
    cursor->items.at += reader.pos;
    cursor->items.len -= reader.pos;
    return true;
}

void wire_multi_put(struct bytes *bytes, const struct wire_request *op)
{
    wire_put_multi_header(bytes, &(struct wire_multi_header){.type = op->type, .err = -1});
    ENSURE(wire_put_plain(bytes, op));
}

void wire_multi_end(struct bytes *bytes)
{
    wire_put_multi_header(bytes, &(struct wire_multi_header){.type = -1, .done = true, .err = -1});
}

int32_t wire_multi_type(const struct wire_request *op)
{
    if (!wire_is_create(op->type)) {
        return op->type;
    }
    if (op->flags == 4) {
        return OP_CREATE_CONTAINER;
    }
    return op->flags >= 5 ? OP_CREATE_TTL : op->type;
}
