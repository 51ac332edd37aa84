#include "protocol/wire_client.h"

#include "base/ensure.h"

/* Replies are bounded by the frame that the client accepts. */
#define REPLY_MAX ((uint32_t)INT32_MAX)

/* The bodies that occur in results of a multi or multiRead as well; false for another type. */
static bool wire_read_plain_reply(struct reader *reader, struct wire_reply *reply)
{
    switch (reply->type) {
    case OP_CREATE:
        reply->path = wire_read_buffer(reader);
        return true;
    case OP_CREATE2:
        reply->path = wire_read_buffer(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_DELETE:
    case OP_CHECK:
        return true;
    case OP_SET_DATA:
        stat_read(reader, &reply->stat);
        return true;
    case OP_GET_DATA:
        reply->data = wire_read_buffer(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_GET_CHILDREN:
        reply->strings = wire_read_strings(reader);
        return true;
    default:
        return false;
    }
}

/* Header and body of one result; the reader's err is ERR_FORMAT for a type that has none. */
static struct wire_multi_header wire_read_result(struct reader *reader, struct wire_result *result)
{
    struct wire_multi_header header = wire_read_multi_header(reader);

    *result = (struct wire_result){.type = header.type, .err = header.err};
    result->reply = (struct wire_reply){.type = header.type};
    if (header.done || reader->err != ERR_OK) {
        return header;
    }
    if (header.type == OP_ERROR) {
        result->error = reader_i32(reader);
    } else if (!wire_read_plain_reply(reader, &result->reply)) {
        reader_fail(reader, ERR_FORMAT);
    }
    return header;
}

static void wire_read_results(struct reader *reader, struct wire_multi *multi)
{
    size_t start = reader->pos;

    for (;;) {
        size_t end = reader->pos;
        struct wire_result result;
        struct wire_multi_header header = wire_read_result(reader, &result);

        if (reader->err != ERR_OK) {
            return;
        }
        if (header.done) {
            multi->items = span_make(reader->at + start, end - start);
            return;
        }
        multi->count++;
    }
}

static bool wire_read_other_reply(struct reader *reader, struct wire_reply *reply)
{
    switch (reply->type) {
    case OP_EXISTS:
    case OP_SET_ACL:
        stat_read(reader, &reply->stat);
        return true;
    case OP_GET_ACL:
        reply->acl = acl_list_read(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_SYNC:
        reply->path = wire_read_buffer(reader);
        return true;
    case OP_GET_CHILDREN2:
        reply->strings = wire_read_strings(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        reply->path = wire_read_buffer(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_RECONFIG:
        reply->data = wire_read_buffer(reader);
        stat_read(reader, &reply->stat);
        return true;
    case OP_MULTI:
    case OP_MULTI_READ:
        wire_read_results(reader, &reply->multi);
        return true;
    case OP_SASL:
        reply->data = wire_read_buffer(reader);
        return true;
    case OP_GET_EPHEMERALS:
        reply->strings = wire_read_strings(reader);
        return true;
    case OP_WHO_AM_I:
        reply->strings = wire_read_ids(reader);
        return true;
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_ADD_WATCH:
        reply->number = reader_i32(reader);
        return true;
    case OP_PING:
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
    case OP_DELETE_CONTAINER:
    case OP_AUTH:
    case OP_SET_WATCHES:
    case OP_SET_WATCHES2:
    case OP_CLOSE_SESSION:
        return true;
    default:
        return false;
    }
}

enum err wire_reply_decode(int32_t type, struct span record, struct wire_reply *reply)
{
    struct wire_reply result = {.type = type};
    struct reader reader;

    reader_init(&reader, record, REPLY_MAX);
    if (!wire_read_plain_reply(&reader, &result) && !wire_read_other_reply(&reader, &result)) {
        return ERR_UNKNOWN;
    }
    if (reader.err == ERR_OK) {
        *reply = result;
    }
    return reader.err;
}

void wire_reply_encode(struct bytes *bytes, const struct wire_reply *reply)
{
    switch (reply->type) {
    case OP_CREATE:
    case OP_SYNC:
        wire_put_buffer(bytes, reply->path);
        return;
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        wire_put_buffer(bytes, reply->path);
        stat_write(bytes, &reply->stat);
        return;
    case OP_EXISTS:
    case OP_SET_DATA:
    case OP_SET_ACL:
        stat_write(bytes, &reply->stat);
        return;
    case OP_GET_DATA:
    case OP_RECONFIG:
        wire_put_buffer(bytes, reply->data);
        stat_write(bytes, &reply->stat);
        return;
    case OP_GET_ACL:
        acl_list_write(bytes, reply->acl);
        stat_write(bytes, &reply->stat);
        return;
    case OP_GET_CHILDREN:
    case OP_GET_EPHEMERALS:
    case OP_WHO_AM_I:
        wire_put_vector(bytes, &reply->strings);
        return;
    case OP_GET_CHILDREN2:
        wire_put_vector(bytes, &reply->strings);
        stat_write(bytes, &reply->stat);
        return;
    case OP_MULTI:
    case OP_MULTI_READ:
        bytes_raw(bytes, reply->multi.items.at, reply->multi.items.len);
        wire_multi_end(bytes);
        return;
    case OP_SASL:
        wire_put_buffer(bytes, reply->data);
        return;
    case OP_GET_ALL_CHILDREN_NUMBER:
    case OP_ADD_WATCH:
        bytes_i32(bytes, reply->number);
        return;
    default: /* replies without record */
        return;
    }
}

bool wire_result_next(struct wire_multi *cursor, struct wire_result *result)
{
    struct reader reader;

    if (cursor->count == 0) {
        return false;
    }
    reader_init(&reader, cursor->items, REPLY_MAX);
    (void)wire_read_result(&reader, result);
    ENSURE(reader.err == ERR_OK); /* checked when the reply was decoded */
    cursor->count--;
    cursor->items.at += reader.pos;
    cursor->items.len -= reader.pos;
    return true;
}

void wire_result_put(struct bytes *bytes, const struct wire_result *result)
{
    struct wire_reply reply = result->reply;

    wire_put_multi_header(bytes,
                          &(struct wire_multi_header){.type = result->type, .err = result->err});
    if (result->type == OP_ERROR) {
        bytes_i32(bytes, result->error);
    } else {
        reply.type = result->type;
        wire_reply_encode(bytes, &reply);
    }
}
