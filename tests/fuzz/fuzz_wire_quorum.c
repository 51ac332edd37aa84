/* fuzz_wire_quorum.c - a stream of quorum packets, or of authentication packets, with the data of
 * each: what decodes must encode to bytes that decode and encode to the same again.
 *
 * Input: the stream. */
#include "base/ensure.h"
#include "protocol/wire_quorum.h"
#include "tests/fuzz/fuzz.h"

#define MAX_DATA 4096u

static void fuzz_touches(struct bytes *out, const struct wire_packet *packet)
{
    size_t mark = wire_packet_begin(out, (enum packet_type)packet->type, packet->zxid);
    struct span rest = packet->data;
    struct wire_touch touch;

    while (wire_touch_next(&rest, &touch)) {
        wire_touch_encode(out, &touch);
    }
    ENSURE(rest.len == 0);
    wire_packet_end(out, mark);
}

/* Write the packet from its decoded data; false when these are refused. */
static bool fuzz_data(struct bytes *out, const struct wire_packet *packet)
{
    enum packet_type type = (enum packet_type)packet->type;
    struct wire_learner learner;
    struct wire_forward forward;
    struct wire_touch touch;
    struct span txn;
    int64_t number;
    int32_t value;
    bool valid;

    switch (packet->type) {
    case PACKET_REQUEST:
        if (wire_forward_decode(packet->data, &forward) == ERR_OK) {
            wire_forward_put(out, &forward, &packet->authinfo);
        }
        return out->len > 0;
    case PACKET_PING:
        if (wire_touches_check(packet->data) == ERR_OK) {
            fuzz_touches(out, packet);
        }
        return out->len > 0;
    case PACKET_REVALIDATE:
        if (wire_revalidate_decode(packet->data, &touch) == ERR_OK) {
            wire_revalidate_put(out, &touch);
        } else if (wire_revalidated_decode(packet->data, &number, &valid) == ERR_OK) {
            wire_revalidated_put(out, number, valid);
        }
        return out->len > 0;
    case PACKET_FOLLOWERINFO:
    case PACKET_OBSERVERINFO:
        if (wire_learner_decode(packet->data, &learner) == ERR_OK) {
            wire_learner_put(out, type, packet->zxid, &learner);
        }
        return out->len > 0;
    case PACKET_LEADERINFO:
    case PACKET_ACKEPOCH:
        if (wire_int_decode(packet->data, &value) == ERR_OK) {
            wire_int_put(out, type, packet->zxid, value);
        }
        return out->len > 0;
    case PACKET_COMMITANDACTIVATE:
    case PACKET_INFORMANDACTIVATE:
        if (wire_activate_decode(packet->data, &number, &txn) == ERR_OK) {
            wire_activate_put(out, type, packet->zxid, number, txn);
        }
        return out->len > 0;
    default: /* the others have no structure here */
        wire_packet_put(out, type, packet->zxid, packet->data);
        return true;
    }
}

static void fuzz_packet(struct mem *mem, const struct wire_packet *packet, struct span taken)
{
    struct wire_packet again;
    struct bytes first;
    struct bytes second;
    size_t used;

    bytes_init(&first, mem);
    bytes_init(&second, mem);
    wire_packet_encode(&first, packet);
    ENSURE(span_equal(bytes_span(&first), taken));
    bytes_clear(&first);
    if (fuzz_data(&first, packet)) {
        ENSURE(wire_packet_next(bytes_span(&first), MAX_DATA + 8, &again, &used) == ERR_OK);
        ENSURE(used == first.len);
        ENSURE(fuzz_data(&second, &again));
        ENSURE(span_equal(bytes_span(&first), bytes_span(&second)));
    }
    bytes_drop(&first);
    bytes_drop(&second);
}

static void fuzz_auth(struct mem *mem, struct span input)
{
    struct wire_auth auth;
    struct bytes out;
    size_t used;

    if (wire_auth_next(input, MAX_DATA, &auth, &used) == ERR_OK) {
        ENSURE(wire_auth_peek(input) == ERR_OK);
        bytes_init(&out, mem);
        wire_auth_encode(&out, &auth);
        ENSURE(span_equal(bytes_span(&out), span_make(input.at, used)));
        bytes_drop(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_make(data, size);
    struct wire_packet packet;
    struct mem_heap heap;
    enum err err;
    size_t used = 0;

    mem_heap_init(&heap, UINT64_MAX);
    fuzz_auth(&heap.mem, rest);
    while ((err = wire_packet_next(rest, MAX_DATA, &packet, &used)) == ERR_OK) {
        ENSURE(used > 0 && used <= rest.len);
        fuzz_packet(&heap.mem, &packet, span_make(rest.at, used));
        rest = span_make(rest.at + used, rest.len - used);
    }
    ENSURE(err != ERR_SHORT || used > rest.len);
    return 0;
}
