/* fuzz_wire_client.c - records of the client port: what decodes must encode to bytes that decode
 * and encode to the same again.
 *
 * Input: kind of record, op code (signed), record. */
#include "base/ensure.h"
#include "protocol/client_ask.h"
#include "protocol/wire_client.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_ROOM 300

/* Decode `input` and encode it to `out`; false when it is refused. */
typedef bool fuzz_copy(struct bytes *out, int32_t op, struct span input);

static bool fuzz_connect(struct bytes *out, int32_t op, struct span input)
{
    struct wire_connect connect;

    (void)op;
    if (wire_connect_decode(input, &connect) != ERR_OK) {
        return false;
    }
    wire_connect_encode(out, &connect);
    return true;
}

static bool fuzz_connected(struct bytes *out, int32_t op, struct span input)
{
    struct wire_connected connected;

    (void)op;
    if (wire_connected_decode(input, &connected) != ERR_OK) {
        return false;
    }
    wire_connected_encode(out, &connected);
    return true;
}

static bool fuzz_event(struct bytes *out, int32_t op, struct span input)
{
    struct wire_event event;

    (void)op;
    if (wire_event_decode(input, &event) != ERR_OK) {
        return false;
    }
    wire_event_encode(out, &event);
    return true;
}

static bool fuzz_request(struct bytes *out, int32_t op, struct span input)
{
    struct wire_request request;
    struct wire_request part;
    struct text text;
    char room[TEXT_ROOM];

    if (wire_request_decode(op, input, &request) != ERR_OK) {
        return false;
    }
    text_init(&text, room, sizeof room);
    client_request_text(&text, &request);
    if (op != OP_MULTI && op != OP_MULTI_READ) {
        wire_request_encode(out, &request);
        return true;
    }
    while (wire_multi_next(&request.multi, &part)) {
        wire_multi_put(out, &part);
    }
    wire_multi_end(out);
    ENSURE(request.multi.items.len == 0);
    return true;
}

static bool fuzz_reply(struct bytes *out, int32_t op, struct span input)
{
    struct wire_reply reply;
    struct wire_result part;
    struct text text;
    char room[TEXT_ROOM];

    if (wire_reply_decode(op, input, &reply) != ERR_OK) {
        return false;
    }
    text_init(&text, room, sizeof room);
    client_reply_text(&text, &reply);
    if (op != OP_MULTI && op != OP_MULTI_READ) {
        wire_reply_encode(out, &reply);
        return true;
    }
    while (wire_result_next(&reply.multi, &part)) {
        wire_result_put(out, &part);
    }
    wire_multi_end(out);
    ENSURE(reply.multi.items.len == 0);
    return true;
}

static bool fuzz_ask(struct bytes *out, int32_t op, struct span input)
{
    struct wire_request request;

    (void)op;
    if (client_ask_decode(input, &request) != ERR_OK) {
        return false;
    }
    client_ask_encode(out, &request);
    return true;
}

static bool fuzz_answer(struct bytes *out, int32_t op, struct span input)
{
    struct client_answer answer;
    struct bytes record;

    (void)op;
    if (client_answer_decode(input, &answer) != ERR_OK) {
        return false;
    }
    bytes_init(&record, out->mem);
    wire_reply_encode(&record, &answer.reply);
    client_answer_encode(out, &answer, bytes_span(&record));
    bytes_drop(&record);
    return true;
}

static bool fuzz_header(struct bytes *out, int32_t op, struct span input)
{
    struct wire_request_header request;
    struct wire_reply_header reply;
    struct span frame;
    size_t used;

    (void)op;
    if (wire_frame_next(input, WIRE_MAX_BUFFER, &frame, &used) != ERR_OK ||
        wire_reply_header_take(&frame, &reply) != ERR_OK ||
        wire_request_header_take(&frame, &request) != ERR_OK) {
        return false;
    }
    used = wire_frame_begin(out);
    wire_reply_header_encode(out, &reply);
    wire_request_header_encode(out, &request);
    wire_frame_end(out, used);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_copy *const kinds[] = {fuzz_connect, fuzz_connected, fuzz_event,  fuzz_request,
                                       fuzz_reply,   fuzz_ask,       fuzz_answer, fuzz_header};
    struct mem_heap heap;
    struct bytes first;
    struct bytes second;
    fuzz_copy *copy;
    int32_t op;

    if (size < 2) {
        return 0;
    }
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&first, &heap.mem);
    bytes_init(&second, &heap.mem);
    copy = kinds[data[0] % (sizeof kinds / sizeof kinds[0])];
    op = (int8_t)data[1];
    if (copy(&first, op, span_make(data + 2, size - 2))) {
        ENSURE(copy(&second, op, bytes_span(&first)));
        ENSURE(span_equal(bytes_span(&first), bytes_span(&second)));
    }
    bytes_drop(&first);
    bytes_drop(&second);
    return 0;
}
