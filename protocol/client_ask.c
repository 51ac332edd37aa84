#include "protocol/client_ask.h"

/* May a program ask for this op of the client port? The others are the client's own business. */
static bool client_ask_allows(int32_t op)
{
    return op != OP_CREATE_SESSION && op != OP_SET_WATCHES && op != OP_SET_WATCHES2 &&
           op != OP_SASL && op != OP_DELETE_CONTAINER;
}

void client_ask_encode(struct bytes *bytes, const struct wire_request *request)
{
    bytes_i32(bytes, request->type);
    if (request->type == CLIENT_OP_MOVE) {
        wire_put_buffer(bytes, request->path);
    } else {
        wire_request_encode(bytes, request); /* nothing for CLIENT_OP_OPEN */
    }
}

enum err client_ask_decode(struct span ask, struct wire_request *request)
{
    struct reader reader;
    struct span path;
    int32_t op;

    if (ask.len < 4) {
        return ERR_SHORT;
    }
    op = (int32_t)wire_get_u32(ask.at);
    ask = span_make(ask.at + 4, ask.len - 4);
    if (op == CLIENT_OP_OPEN) {
        *request = (struct wire_request){.type = op};
        return ERR_OK;
    }
    if (op == CLIENT_OP_MOVE) {
        reader_init(&reader, ask, READER_MAX_DEFAULT);
        path = wire_read_buffer(&reader);
        if (reader.err == ERR_OK) {
            *request = (struct wire_request){.type = op, .path = path};
        }
        return reader.err;
    }
    return client_ask_allows(op) ? wire_request_decode(op, ask, request) : ERR_UNKNOWN;
}

void client_ask_create(struct bytes *bytes, struct span path, struct span data, enum zk_mode mode)
{
    client_ask_encode(bytes, &(struct wire_request){
                                 .type = mode == MODE_CONTAINER ? OP_CREATE_CONTAINER : OP_CREATE,
                                 .path = path,
                                 .data = data,
                                 .acl = acl_open(),
                                 .flags = (int32_t)mode,
                             });
}

void client_ask_delete(struct bytes *bytes, struct span path, int32_t version)
{
    client_ask_encode(bytes,
                      &(struct wire_request){.type = OP_DELETE, .path = path, .version = version});
}

void client_ask_set(struct bytes *bytes, struct span path, struct span data, int32_t version)
{
    client_ask_encode(bytes, &(struct wire_request){
                                 .type = OP_SET_DATA,
                                 .path = path,
                                 .data = data,
                                 .version = version,
                             });
}

void client_ask_read(struct bytes *bytes, int32_t op, struct span path, bool watch)
{
    client_ask_encode(bytes, &(struct wire_request){.type = op, .path = path, .watch = watch});
}

void client_ask_plain(struct bytes *bytes, int32_t op, struct span path)
{
    client_ask_encode(bytes, &(struct wire_request){.type = op, .path = path});
}

void client_answer_encode(struct bytes *bytes, const struct client_answer *answer,
                          struct span record)
{
    bytes_i32(bytes, answer->code);
    bytes_i64(bytes, answer->zxid);
    bytes_i32(bytes, answer->op);
    bytes_bool(bytes, answer->has_reply);
    if (answer->has_reply && record.len > 0) {
        bytes_raw(bytes, record.at, record.len);
    }
}

enum err client_answer_decode(struct span span, struct client_answer *answer)
{
    struct client_answer result;
    struct reader reader;
    enum err err;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    result.code = reader_i32(&reader);
    result.zxid = reader_i64(&reader);
    result.op = reader_i32(&reader);
    result.has_reply = reader_bool(&reader);
    result.reply = (struct wire_reply){.type = result.op};
    if (reader.err != ERR_OK) {
        return reader.err;
    }
    if (result.has_reply) {
        err = wire_reply_decode(result.op, span_make(span.at + reader.pos, reader_left(&reader)),
                                &result.reply);
        if (err != ERR_OK) {
            return err;
        }
    }
    *answer = result;
    return ERR_OK;
}
