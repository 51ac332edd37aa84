#include "protocol/client_state.h"

static struct span client_chroot(const struct client *client)
{
    return span_make(client->config.chroot, client->config.chroot_len);
}

/* Append `path` with the chroot before it; "/" alone is the chroot itself. */
static void client_chroot_write(const struct client *client, struct bytes *out, struct span path)
{
    struct span chroot = client_chroot(client);
    struct span rest = span_is(path, "/") ? wire_empty() : path;

    bytes_raw(out, chroot.at, chroot.len);
    bytes_raw(out, rest.at, rest.len);
}

struct span client_chroot_add(struct client *client, struct span path)
{
    if (client->config.chroot_len == 0 || wire_is_null(path)) {
        return path;
    }
    bytes_clear(&client->scratch_list);
    client_chroot_write(client, &client->scratch_list, path);
    return bytes_span(&client->scratch_list);
}

struct span client_chroot_strip(const struct client *client, struct span path)
{
    struct span chroot = client_chroot(client);

    if (chroot.len == 0 || path.len < chroot.len ||
        !span_equal(span_make(path.at, chroot.len), chroot)) {
        return path;
    }
    if (path.len == chroot.len) {
        return span_text("/");
    }
    if (path.at[chroot.len] != '/') { /* a sibling whose name begins alike */
        return path;
    }
    return span_make(path.at + chroot.len, path.len - chroot.len);
}

/* The same for a record in `scratch`, which turns `failed` when memory ran out. */
static struct span client_chroot_move(struct client *client, struct span path)
{
    struct span moved = client_chroot_add(client, path);

    client->scratch.failed = client->scratch.failed || client->scratch_list.failed;
    return moved;
}

/* A multi with the chroot before every path. */
static struct span client_chroot_multi(struct client *client, const struct wire_request *request)
{
    struct wire_multi cursor = request->multi;
    struct wire_request op;

    bytes_clear(&client->scratch);
    while (wire_multi_next(&cursor, &op)) {
        op.path = client_chroot_move(client, op.path);
        wire_multi_put(&client->scratch, &op);
    }
    wire_multi_end(&client->scratch);
    return bytes_span(&client->scratch);
}

struct span client_chroot_request(struct client *client, const struct wire_request *request,
                                  struct span record)
{
    struct wire_request moved = *request;

    if (client->config.chroot_len == 0) {
        return record;
    }
    if (request->type == OP_MULTI || request->type == OP_MULTI_READ) {
        return client_chroot_multi(client, request);
    }
    if (wire_is_null(request->path)) {
        return record;
    }
    bytes_clear(&client->scratch);
    moved.path = client_chroot_move(client, request->path);
    wire_request_encode(&client->scratch, &moved);
    return bytes_span(&client->scratch);
}

static struct span client_chroot_results(struct client *client, const struct wire_reply *reply)
{
    struct wire_multi cursor = reply->multi;
    struct wire_result result;

    bytes_clear(&client->scratch);
    while (wire_result_next(&cursor, &result)) {
        result.reply.path = client_chroot_strip(client, result.reply.path);
        wire_result_put(&client->scratch, &result);
    }
    wire_multi_end(&client->scratch);
    return bytes_span(&client->scratch);
}

static struct span client_chroot_ephemerals(struct client *client, const struct wire_reply *reply)
{
    struct wire_vector cursor = reply->strings;
    struct span path;
    size_t mark;

    if (reply->strings.is_null) {
        return span_make("\xff\xff\xff\xff", 4);
    }
    bytes_clear(&client->scratch);
    mark = wire_vector_begin(&client->scratch);
    while (wire_next_string(&cursor, &path)) {
        wire_put_buffer(&client->scratch, client_chroot_strip(client, path));
    }
    wire_vector_end(&client->scratch, mark, reply->strings.count);
    return bytes_span(&client->scratch);
}

struct span client_chroot_reply(struct client *client, const struct wire_reply *reply,
                                struct span record)
{
    struct wire_reply moved;

    if (client->config.chroot_len == 0) {
        return record;
    }
    if (reply->type == OP_MULTI || reply->type == OP_MULTI_READ) {
        return client_chroot_results(client, reply);
    }
    if (reply->type == OP_GET_EPHEMERALS) {
        return client_chroot_ephemerals(client, reply);
    }
    if (wire_is_null(reply->path)) {
        return record;
    }
    moved = *reply;
    moved.path = client_chroot_strip(client, reply->path);
    bytes_clear(&client->scratch);
    wire_reply_encode(&client->scratch, &moved);
    return bytes_span(&client->scratch);
}
