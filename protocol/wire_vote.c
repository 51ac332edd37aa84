#include "protocol/wire_vote.h"

#include "base/ensure.h"
#include "base/text.h"

#define VOTE_BYTES_28 28
#define VOTE_BYTES_40 40
#define HELLO_HEAD    20 /* version, sid, length */

/* "host:port" or "[host]:port" with a port of 0..65535. */
static bool wire_hello_address_ok(struct span address)
{
    struct span host = address;
    uint64_t port;
    size_t colon = 0;

    if (address.len > 0 && address.at[0] == '[') {
        while (colon < address.len && address.at[colon] != ']') {
            colon++;
        }
        colon++;
    } else {
        while (colon < address.len && address.at[colon] != ':') {
            colon++;
        }
    }
    if (colon >= address.len || address.at[colon] != ':') {
        return false;
    }
    host.len = colon;
    if (host.len == 0 || (host.at[0] == '[' && host.len == 2)) {
        return false;
    }
    return text_parse_u64(span_make(address.at + colon + 1, address.len - colon - 1), &port) ==
               ERR_OK &&
           port <= 65535;
}

bool wire_hello_address(struct span *rest, struct span *address)
{
    size_t len = 0;

    if (rest->len == 0) {
        return false;
    }
    while (len < rest->len && rest->at[len] != '|') {
        len++;
    }
    *address = span_make(rest->at, len);
    if (len < rest->len) {
        len++;
    }
    rest->at += len;
    rest->len -= len;
    return true;
}

enum err wire_hello_next(struct span input, struct wire_hello *hello, size_t *used)
{
    struct wire_hello result = {.form = HELLO_OLD, .addresses = wire_empty()};
    struct span rest;
    struct span address;
    uint32_t len;
    int64_t first;

    *used = 8;
    if (input.len < *used) {
        return ERR_SHORT;
    }
    first = (int64_t)wire_get_u64(input.at);
    result.sid = first;
    if (first >= 0) {
        *hello = result;
        return ERR_OK;
    }
    if (first != WIRE_HELLO_V1 && first != WIRE_HELLO_V2) {
        return ERR_VERSION;
    }
    result.form = first == WIRE_HELLO_V1 ? HELLO_V1 : HELLO_V2;
    *used = HELLO_HEAD;
    if (input.len < *used) {
        return ERR_SHORT;
    }
    result.sid = (int64_t)wire_get_u64(input.at + 8);
    len = wire_get_u32(input.at + 16);
    if (len == 0 || len > WIRE_HELLO_ADDRESS_MAX) {
        return ERR_LONG;
    }
    *used = HELLO_HEAD + (size_t)len;
    if (input.len < *used) {
        return ERR_SHORT;
    }
    result.addresses = span_make(input.at + HELLO_HEAD, len);
    rest = result.addresses;
    while (wire_hello_address(&rest, &address)) {
        if (!wire_hello_address_ok(address)) {
            return ERR_FORMAT;
        }
    }
    *hello = result;
    return ERR_OK;
}

void wire_hello_encode(struct bytes *bytes, const struct wire_hello *hello)
{
    if (hello->form == HELLO_OLD) {
        bytes_i64(bytes, hello->sid);
        return;
    }
    ENSURE(hello->addresses.len > 0 && hello->addresses.len <= WIRE_HELLO_ADDRESS_MAX);
    bytes_i64(bytes, hello->form == HELLO_V1 ? WIRE_HELLO_V1 : WIRE_HELLO_V2);
    bytes_i64(bytes, hello->sid);
    bytes_ustring(bytes, hello->addresses);
}

/* Version and configuration, which begin at offset 36 of a payload longer than 40 bytes. */
static enum err wire_vote_decode_config(struct span payload, struct wire_vote *vote)
{
    uint32_t len;

    vote->form = VOTE_FULL;
    vote->version = (int32_t)wire_get_u32(payload.at + 36);
    if (vote->version < 2) {
        return ERR_OK;
    }
    if (payload.len < 44) {
        return ERR_SHORT;
    }
    len = wire_get_u32(payload.at + 40);
    if (len > payload.len) {
        return ERR_LONG;
    }
    if (len > payload.len - 44) {
        return ERR_SHORT;
    }
    vote->config = span_make(payload.at + 44, len);
    return ERR_OK;
}

enum err wire_vote_decode(struct span payload, struct wire_vote *vote)
{
    struct wire_vote result = {.form = VOTE_28, .config = wire_empty()};
    enum err err = ERR_OK;
    uint32_t state;

    if (payload.len < VOTE_BYTES_28) {
        return ERR_SHORT;
    }
    state = wire_get_u32(payload.at);
    result.leader = (int64_t)wire_get_u64(payload.at + 4);
    result.zxid = (int64_t)wire_get_u64(payload.at + 12);
    result.election_epoch = (int64_t)wire_get_u64(payload.at + 20);
    if (payload.len == VOTE_BYTES_28) {
        result.peer_epoch = result.zxid >> 32;
    } else if (payload.len < VOTE_BYTES_40) {
        return ERR_SHORT;
    } else {
        result.form = VOTE_40;
        result.peer_epoch = (int64_t)wire_get_u64(payload.at + 28);
        if (payload.len > VOTE_BYTES_40) {
            err = wire_vote_decode_config(payload, &result);
        }
    }
    if (err != ERR_OK) {
        return err;
    }
    if (state > VOTE_OBSERVING) {
        return ERR_RANGE;
    }
    result.state = (enum vote_state)state;
    *vote = result;
    return ERR_OK;
}

void wire_vote_encode(struct bytes *bytes, const struct wire_vote *vote)
{
    uint8_t head[VOTE_BYTES_40];

    wire_set_u32(head, (uint32_t)vote->state);
    wire_set_u64(head + 4, (uint64_t)vote->leader);
    wire_set_u64(head + 12, (uint64_t)vote->zxid);
    wire_set_u64(head + 20, (uint64_t)vote->election_epoch);
    wire_set_u64(head + 28, (uint64_t)vote->peer_epoch);
    switch (vote->form) {
    case VOTE_28:
        bytes_raw(bytes, head, VOTE_BYTES_28);
        return;
    case VOTE_40:
        wire_set_u32(head + 36, 1);
        bytes_raw(bytes, head, VOTE_BYTES_40);
        return;
    case VOTE_FULL:
        wire_set_u32(head + 36, (uint32_t)vote->version);
        bytes_raw(bytes, head, VOTE_BYTES_40);
        /* A version below 2 has no configuration, yet is told from VOTE_40 by its length. */
        bytes_u32(bytes, (uint32_t)vote->config.len);
        if (vote->config.len > 0) {
            bytes_raw(bytes, vote->config.at, vote->config.len);
        }
        return;
    }
    UNREACHABLE();
}

void wire_vote_put(struct bytes *bytes, const struct wire_vote *vote)
{
    size_t mark = wire_frame_begin(bytes);

    wire_vote_encode(bytes, vote);
    wire_frame_end(bytes, mark);
}
