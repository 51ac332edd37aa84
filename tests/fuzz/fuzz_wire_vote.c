/* fuzz_wire_vote.c - one direction of an election connection: an opening message, then frames. What
 * decodes must encode to bytes that decode and encode to the same again.
 *
 * Input: 0 and a stream that begins with an opening message, or 1 and one of frames alone. */
#include "base/ensure.h"
#include "protocol/wire_vote.h"
#include "tests/fuzz/fuzz.h"

static size_t fuzz_hello(struct mem *mem, struct span input)
{
    struct wire_hello hello;
    struct bytes out;
    struct span rest;
    struct span address;
    size_t used = 0;
    enum err err = wire_hello_next(input, &hello, &used);

    if (err != ERR_OK) {
        ENSURE(err != ERR_SHORT || used > input.len);
        return 0;
    }
    rest = hello.addresses;
    while (wire_hello_address(&rest, &address)) {
        ENSURE(address.len >= 3);
    }
    bytes_init(&out, mem);
    wire_hello_encode(&out, &hello);
    ENSURE(span_equal(bytes_span(&out), span_make(input.at, used)));
    bytes_drop(&out);
    return used;
}

static void fuzz_vote(struct mem *mem, struct span payload)
{
    struct wire_vote vote;
    struct wire_vote again;
    struct bytes first;
    struct bytes second;

    if (wire_vote_decode(payload, &vote) != ERR_OK) {
        return;
    }
    bytes_init(&first, mem);
    bytes_init(&second, mem);
    wire_vote_encode(&first, &vote);
    ENSURE(wire_vote_decode(bytes_span(&first), &again) == ERR_OK);
    ENSURE(again.form == vote.form && again.version == vote.version);
    ENSURE(again.leader == vote.leader && again.peer_epoch == vote.peer_epoch);
    ENSURE(span_equal(again.config, vote.config));
    wire_vote_encode(&second, &again);
    ENSURE(span_equal(bytes_span(&first), bytes_span(&second)));
    bytes_drop(&first);
    bytes_drop(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_heap heap;
    struct span rest;
    struct span payload;
    size_t used;

    if (size < 1) {
        return 0;
    }
    mem_heap_init(&heap, UINT64_MAX);
    rest = span_make(data + 1, size - 1);
    used = data[0] == 0 ? fuzz_hello(&heap.mem, rest) : 0;
    do {
        rest = span_make(rest.at + used, rest.len - used);
        if (wire_frame_next(rest, WIRE_VOTE_FRAME_MAX, &payload, &used) != ERR_OK) {
            return 0;
        }
        fuzz_vote(&heap.mem, payload);
    } while (true);
}
