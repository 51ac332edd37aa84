#include "protocol/wire_quorum.h"

#include "base/ensure.h"

#define PACKET_HEAD 16 /* type, zxid, length of the data */
#define NULL_LENGTH 0xffffffffu
#define TOUCH_BYTES 12

const char *wire_packet_name(int32_t type)
{
    switch (type) {
#define X(name, number) \
    case number:        \
        return #name;
        PACKET_TYPE_MAP(X)
#undef X
    default: /* a number of the peer's, not one of our enum */
        return "UNKNOWN";
    }
}

/* Read the buffer at *pos and move *pos behind it. ERR_SHORT: *pos is the total that is needed. */
static enum err wire_stream_buffer(struct span input, size_t *pos, uint32_t max_len,
                                   struct span *value)
{
    size_t at = *pos;
    uint32_t len;

    if (input.len < at + 4) {
        *pos = at + 4;
        return ERR_SHORT;
    }
    len = wire_get_u32(input.at + at);
    at += 4;
    if (len == NULL_LENGTH) {
        *pos = at;
        *value = wire_null();
        return ERR_OK;
    }
    if (len > INT32_MAX) {
        return ERR_FORMAT;
    }
    if (len > max_len) {
        return ERR_LONG;
    }
    *pos = at + len;
    if (input.len < *pos) {
        return ERR_SHORT;
    }
    *value = span_make(input.at + at, len);
    return ERR_OK;
}

/* Read the Ids at *pos, as wire_stream_buffer. */
static enum err wire_stream_ids(struct span input, size_t *pos, struct wire_vector *ids)
{
    size_t start = *pos + 4;
    struct span ignored;
    uint32_t count;

    if (input.len < start) {
        *pos = start;
        return ERR_SHORT;
    }
    count = wire_get_u32(input.at + *pos);
    *pos = start;
    if (count == NULL_LENGTH) {
        *ids = wire_vector_null();
        return ERR_OK;
    }
    if (count > WIRE_AUTHINFO_MAX) {
        return count > INT32_MAX ? ERR_FORMAT : ERR_LONG;
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        enum err err = wire_stream_buffer(input, pos, WIRE_ID_MAX, &ignored);

        if (err != ERR_OK) {
            return err;
        }
    }
    *ids = wire_vector_empty();
    if (count > 0) {
        ids->items = span_make(input.at + start, *pos - start);
        ids->count = count;
    }
    return ERR_OK;
}

enum err wire_packet_next(struct span input, uint32_t max_data, struct wire_packet *packet,
                          size_t *used)
{
    struct span data = wire_null();
    struct wire_vector ids = wire_vector_null();
    size_t pos = PACKET_HEAD - 4;
    enum err err = wire_stream_buffer(input, &pos, max_data, &data);

    if (err == ERR_OK) {
        err = wire_stream_ids(input, &pos, &ids);
    }
    if (err == ERR_OK || err == ERR_SHORT) {
        *used = pos;
    }
    if (err == ERR_OK) {
        packet->type = (int32_t)wire_get_u32(input.at);
        packet->zxid = (int64_t)wire_get_u64(input.at + 4);
        packet->data = data;
        packet->authinfo = ids;
    }
    return err;
}

static void wire_packet_head(struct bytes *bytes, int32_t type, int64_t zxid, uint32_t len)
{
    uint8_t head[PACKET_HEAD];

    wire_set_u32(head, (uint32_t)type);
    wire_set_u64(head + 4, (uint64_t)zxid);
    wire_set_u32(head + 12, len);
    bytes_raw(bytes, head, sizeof head);
}

void wire_packet_encode(struct bytes *bytes, const struct wire_packet *packet)
{
    bool is_null = wire_is_null(packet->data);

    wire_packet_head(bytes, packet->type, packet->zxid,
                     is_null ? NULL_LENGTH : (uint32_t)packet->data.len);
    if (!is_null) {
        bytes_raw(bytes, packet->data.at, packet->data.len);
    }
    wire_put_vector(bytes, &packet->authinfo);
}

void wire_packet_put(struct bytes *bytes, enum packet_type type, int64_t zxid, struct span data)
{
    struct wire_packet packet = {
        .type = (int32_t)type, .zxid = zxid, .data = data, .authinfo = wire_vector_null()};

    wire_packet_encode(bytes, &packet);
}

size_t wire_packet_begin(struct bytes *bytes, enum packet_type type, int64_t zxid)
{
    size_t mark = bytes->len;

    wire_packet_head(bytes, (int32_t)type, zxid, 0);
    return mark;
}

void wire_packet_end(struct bytes *bytes, size_t mark)
{
    if (bytes->failed) {
        return;
    }
    ENSURE(bytes->len >= mark + PACKET_HEAD);
    bytes_patch_u32(bytes, mark + PACKET_HEAD - 4, (uint32_t)(bytes->len - mark - PACKET_HEAD));
    bytes_u32(bytes, NULL_LENGTH);
}

enum err wire_learner_decode(struct span data, struct wire_learner *learner)
{
    struct wire_learner result = {.form = LEARNER_NULL, .protocol_version = 1};

    if (!wire_is_null(data)) {
        if (data.len != 8 && data.len != 12 && data.len < 20) {
            return ERR_FORMAT;
        }
        result.form = LEARNER_SID;
        result.sid = (int64_t)wire_get_u64(data.at);
        if (data.len >= 12) {
            result.form = LEARNER_VERSION;
            result.protocol_version = (int32_t)wire_get_u32(data.at + 8);
        }
        if (data.len >= 20) {
            result.form = LEARNER_FULL;
            result.config_version = (int64_t)wire_get_u64(data.at + 12);
        }
    }
    *learner = result;
    return ERR_OK;
}

void wire_learner_put(struct bytes *bytes, enum packet_type type, int64_t zxid,
                      const struct wire_learner *learner)
{
    uint8_t data[20];
    size_t len = 0;

    wire_set_u64(data, (uint64_t)learner->sid);
    wire_set_u32(data + 8, (uint32_t)learner->protocol_version);
    wire_set_u64(data + 12, (uint64_t)learner->config_version);
    switch (learner->form) {
    case LEARNER_NULL:
        wire_packet_put(bytes, type, zxid, wire_null());
        return;
    case LEARNER_SID:
        len = 8;
        break;
    case LEARNER_VERSION:
        len = 12;
        break;
    case LEARNER_FULL:
        len = 20;
        break;
    }
    wire_packet_put(bytes, type, zxid, span_make(data, len));
}

enum err wire_forward_decode(struct span data, struct wire_forward *forward)
{
    if (data.len < 16) {
        return ERR_SHORT;
    }
    forward->session = (int64_t)wire_get_u64(data.at);
    forward->cxid = (int32_t)wire_get_u32(data.at + 8);
    forward->type = (int32_t)wire_get_u32(data.at + 12);
    forward->record = span_make(data.at + 16, data.len - 16);
    return ERR_OK;
}

void wire_forward_put(struct bytes *bytes, const struct wire_forward *forward,
                      const struct wire_vector *authinfo)
{
    uint8_t head[16];

    wire_packet_head(bytes, PACKET_REQUEST, -1, (uint32_t)(sizeof head + forward->record.len));
    wire_set_u64(head, (uint64_t)forward->session);
    wire_set_u32(head + 8, (uint32_t)forward->cxid);
    wire_set_u32(head + 12, (uint32_t)forward->type);
    bytes_raw(bytes, head, sizeof head);
    if (forward->record.len > 0) {
        bytes_raw(bytes, forward->record.at, forward->record.len);
    }
    wire_put_vector(bytes, authinfo);
}

enum err wire_touches_check(struct span data)
{
    return data.len % TOUCH_BYTES == 0 ? ERR_OK : ERR_FORMAT;
}

bool wire_touch_next(struct span *rest, struct wire_touch *touch)
{
    if (rest->len < TOUCH_BYTES) {
        return false;
    }
    touch->session = (int64_t)wire_get_u64(rest->at);
    touch->timeout_ms = (int32_t)wire_get_u32(rest->at + 8);
    rest->at += TOUCH_BYTES;
    rest->len -= TOUCH_BYTES;
    return true;
}

void wire_touch_encode(struct bytes *bytes, const struct wire_touch *touch)
{
    uint8_t data[TOUCH_BYTES];

    wire_set_u64(data, (uint64_t)touch->session);
    wire_set_u32(data + 8, (uint32_t)touch->timeout_ms);
    bytes_raw(bytes, data, sizeof data);
}

enum err wire_revalidate_decode(struct span data, struct wire_touch *ask)
{
    return wire_touch_next(&data, ask) ? ERR_OK : ERR_SHORT;
}

void wire_revalidate_put(struct bytes *bytes, const struct wire_touch *ask)
{
    size_t mark = wire_packet_begin(bytes, PACKET_REVALIDATE, -1);

    wire_touch_encode(bytes, ask);
    wire_packet_end(bytes, mark);
}

enum err wire_revalidated_decode(struct span data, int64_t *session, bool *valid)
{
    if (data.len < 9) {
        return ERR_SHORT;
    }
    *session = (int64_t)wire_get_u64(data.at);
    *valid = data.at[8] != 0;
    return ERR_OK;
}

void wire_revalidated_put(struct bytes *bytes, int64_t session, bool valid)
{
    uint8_t data[9];

    wire_set_u64(data, (uint64_t)session);
    data[8] = valid ? 1 : 0;
    wire_packet_put(bytes, PACKET_REVALIDATE, -1, span_make(data, sizeof data));
}

enum err wire_int_decode(struct span data, int32_t *value)
{
    if (data.len < 4) {
        return ERR_SHORT;
    }
    *value = (int32_t)wire_get_u32(data.at);
    return ERR_OK;
}

void wire_int_put(struct bytes *bytes, enum packet_type type, int64_t zxid, int32_t value)
{
    uint8_t data[4];

    wire_set_u32(data, (uint32_t)value);
    wire_packet_put(bytes, type, zxid, span_make(data, sizeof data));
}

enum err wire_activate_decode(struct span data, int64_t *leader, struct span *txn)
{
    if (data.len < 8) {
        return ERR_SHORT;
    }
    *leader = (int64_t)wire_get_u64(data.at);
    *txn = span_make(data.at + 8, data.len - 8);
    return ERR_OK;
}

void wire_activate_put(struct bytes *bytes, enum packet_type type, int64_t zxid, int64_t leader,
                       struct span txn)
{
    wire_packet_head(bytes, (int32_t)type, zxid, (uint32_t)(8 + txn.len));
    bytes_i64(bytes, leader);
    if (txn.len > 0) {
        bytes_raw(bytes, txn.at, txn.len);
    }
    bytes_u32(bytes, NULL_LENGTH);
}

enum err wire_auth_peek(struct span input)
{
    uint8_t magic[8];
    size_t len = input.len < sizeof magic ? input.len : sizeof magic;

    wire_set_u64(magic, WIRE_AUTH_MAGIC);
    if (len > 0 && memcmp(input.at, magic, len) != 0) {
        return ERR_MAGIC;
    }
    return len < sizeof magic ? ERR_SHORT : ERR_OK;
}

enum err wire_auth_next(struct span input, uint32_t max_token, struct wire_auth *auth, size_t *used)
{
    struct span token = wire_null();
    size_t pos = 12;
    enum err err = wire_auth_peek(input);

    if (err == ERR_SHORT) {
        *used = pos + 4;
        return err;
    }
    if (err == ERR_OK) {
        err = wire_stream_buffer(input, &pos, max_token, &token);
    }
    if (err == ERR_OK || err == ERR_SHORT) {
        *used = pos;
    }
    if (err == ERR_OK) {
        auth->status = (int32_t)wire_get_u32(input.at + 8);
        auth->token = token;
    }
    return err;
}

void wire_auth_encode(struct bytes *bytes, const struct wire_auth *auth)
{
    bytes_u64(bytes, WIRE_AUTH_MAGIC);
    bytes_i32(bytes, auth->status);
    wire_put_buffer(bytes, auth->token);
}
