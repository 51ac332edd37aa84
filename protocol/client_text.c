#include "base/hash.h"
#include "protocol/client_ask.h"

static const char *client_op_name(int32_t op)
{
    switch (op) {
    case CLIENT_OP_OPEN:
        return "open";
    case CLIENT_OP_MOVE:
        return "move";
    default:
        return zk_op_name(op);
    }
}

/* `"data"`, `null`, or `#hash` when it is long. */
static void client_text_data(struct text *text, struct span data)
{
    if (wire_is_null(data)) {
        text_str(text, "null");
    } else if (data.len > CLIENT_TEXT_MAX) {
        text_char(text, '#');
        text_hex(text, hash_bytes(data, 0));
    } else {
        text_char(text, '"');
        text_quoted(text, data);
        text_char(text, '"');
    }
}

static void client_text_number(struct text *text, const char *name, int64_t value)
{
    text_char(text, ' ');
    text_str(text, name);
    text_char(text, '=');
    text_i64(text, value);
}

static void client_text_hex(struct text *text, const char *name, int64_t value)
{
    text_char(text, ' ');
    text_str(text, name);
    text_char(text, '=');
    text_hex(text, (uint64_t)value);
}

/* The words behind the path, by op. */
static void client_text_options(struct text *text, const struct wire_request *request)
{
    switch (request->type) {
    case OP_CREATE:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        text_char(text, ' ');
        client_text_data(text, request->data);
        if (request->flags != MODE_PERSISTENT) {
            client_text_number(text, "flags", request->flags);
        }
        if (request->type == OP_CREATE_TTL) {
            client_text_number(text, "ttl", request->ttl_ms);
        }
        return;
    case OP_SET_DATA:
        text_char(text, ' ');
        client_text_data(text, request->data);
        break;
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
        text_str(text, request->watch ? " watch" : "");
        return;
    case OP_ADD_WATCH:
        client_text_number(text, "mode", request->flags);
        return;
    case OP_CHECK_WATCHES:
    case OP_REMOVE_WATCHES:
        client_text_number(text, "type", request->flags);
        return;
    case OP_DELETE:
    case OP_CHECK:
    case OP_SET_ACL:
        break;
    default:
        return;
    }
    if (request->version != -1) {
        client_text_number(text, "version", request->version);
    }
}

static void client_text_op(struct text *text, const struct wire_request *request)
{
    text_str(text, client_op_name(request->type));
    if (!wire_is_null(request->path)) {
        text_char(text, ' ');
        text_quoted(text, request->path);
    }
    if (request->type == OP_AUTH) { /* credentials are nobody's business */
        text_char(text, ' ');
        text_quoted(text, request->scheme);
    }
    client_text_options(text, request);
}

void client_request_text(struct text *text, const struct wire_request *request)
{
    struct wire_multi cursor;
    struct wire_request op;
    bool first = true;

    client_text_op(text, request);
    if (request->type != OP_MULTI && request->type != OP_MULTI_READ) {
        return;
    }
    text_str(text, " [");
    cursor = request->multi;
    while (!text->cut && wire_multi_next(&cursor, &op)) {
        text_str(text, first ? "" : "; ");
        client_text_op(text, &op);
        first = false;
    }
    text_char(text, ']');
}

static void client_text_stat(struct text *text, const struct zk_stat *stat)
{
    text_str(text, "version=");
    text_i64(text, stat->version);
    client_text_hex(text, "czxid", stat->czxid);
    client_text_hex(text, "mzxid", stat->mzxid);
    if (stat->aversion != 0) {
        client_text_number(text, "aversion", stat->aversion);
    }
    if (stat->num_children != 0) {
        client_text_number(text, "children", stat->num_children);
    }
    if (stat->ephemeral_owner != 0) {
        client_text_hex(text, "owner", stat->ephemeral_owner);
    }
}

static void client_text_strings(struct text *text, const struct wire_vector *strings)
{
    struct wire_vector cursor = *strings;
    struct span name;

    if (strings->items.len > CLIENT_TEXT_MAX) {
        text_char(text, '#');
        text_hex(text, hash_bytes(strings->items, 0));
        return;
    }
    text_char(text, '[');
    while (wire_next_string(&cursor, &name)) {
        text_quoted(text, name);
        text_str(text, cursor.count > 0 ? " " : "");
    }
    text_char(text, ']');
}

static void client_text_result(struct text *text, const struct wire_reply *reply)
{
    switch (reply->type) {
    case OP_CREATE:
    case OP_SYNC:
        text_quoted(text, reply->path);
        return;
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        text_quoted(text, reply->path);
        text_char(text, ' ');
        client_text_stat(text, &reply->stat);
        return;
    case OP_EXISTS:
    case OP_SET_DATA:
    case OP_SET_ACL:
    case OP_GET_ACL:
        client_text_stat(text, &reply->stat);
        return;
    case OP_GET_DATA:
    case OP_RECONFIG:
        client_text_data(text, reply->data);
        text_char(text, ' ');
        client_text_stat(text, &reply->stat);
        return;
    case OP_GET_CHILDREN:
    case OP_GET_EPHEMERALS:
        client_text_strings(text, &reply->strings);
        return;
    case OP_GET_CHILDREN2:
        client_text_strings(text, &reply->strings);
        text_char(text, ' ');
        client_text_stat(text, &reply->stat);
        return;
    case OP_GET_ALL_CHILDREN_NUMBER:
        text_i64(text, reply->number);
        return;
    default: /* nothing to say */
        return;
    }
}

void client_reply_text(struct text *text, const struct wire_reply *reply)
{
    struct wire_multi cursor;
    struct wire_result result;
    bool first = true;

    client_text_result(text, reply);
    if (reply->type != OP_MULTI && reply->type != OP_MULTI_READ) {
        return;
    }
    text_char(text, '[');
    cursor = reply->multi;
    while (!text->cut && wire_result_next(&cursor, &result)) {
        text_str(text, first ? "" : "; ");
        if (result.type == OP_ERROR) {
            text_str(text, result.err == 0 ? "ok" : zk_code_name(result.err));
        } else {
            size_t before = text->len;

            client_text_result(text, &result.reply);
            text_str(text, text->len == before ? "ok" : "");
        }
        first = false;
    }
    text_char(text, ']');
}
