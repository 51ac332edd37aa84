/* fuzz_client.c - a client against a server that says anything, in any order.
 *
 * Input: a program of steps, see fuzz_step. Checked: every ask is answered at most once and none is
 * forgotten, and while the client wants a session it has a deadline. */
#include "base/ensure.h"
#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "tests/fuzz/fuzz.h"

#define REGION_BYTES (1u << 17)
#define STEPS_MAX    400u
#define ANSWERED     UINT8_MAX

static _Alignas(16) uint8_t room[REGION_BYTES];

struct bench {
    void *client;
    struct fx *fx;
    struct bytes *out;
    uint64_t now_us;
    uint32_t conn; /* dialed last */
    uint32_t asked, answered;
    uint8_t tags[STEPS_MAX]; /* ANSWERED or not */
    bool halted;
};

static void fuzz_run(struct bench *bench, struct input in)
{
    in.mono_us = bench->now_us;
    fx_clear(bench->fx);
    client_ops.step(bench->client, &in, bench->fx);
    ENSURE(!bench->fx->failed);
    for (uint32_t i = 0; i < bench->fx->count; i++) {
        const struct effect *effect = &bench->fx->list[i];

        if (effect->kind == FX_DIAL) {
            bench->conn = effect->id;
        } else if (effect->kind == FX_HALT) {
            bench->halted = true;
        } else if (effect->kind == FX_ANSWER) {
            struct client_answer answer;

            ENSURE(effect->b < bench->asked && bench->tags[effect->b] != ANSWERED);
            ENSURE(client_answer_decode(effect->bytes, &answer) == ERR_OK);
            bench->tags[effect->b] = ANSWERED;
            bench->answered++;
        }
    }
    ENSURE(bench->halted || client_get_pending(bench->client) == bench->asked - bench->answered);
    ENSURE(in.kind != IN_BYTES || bench->fx->taken <= in.bytes.span.len);
    ENSURE(client_get_state(bench->client) >= CLIENT_EXPIRED || bench->fx->wake_us != WAKE_NEVER);
}

static void fuzz_ask(struct bench *bench, struct fuzz *fuzz)
{
    static const int32_t ops[] = {
        OP_CREATE,      OP_DELETE,         OP_EXISTS,  OP_GET_DATA,      OP_SET_DATA,
        OP_GET_ACL,     OP_GET_CHILDREN,   OP_SYNC,    OP_PING,          OP_MULTI,
        OP_ADD_WATCH,   OP_REMOVE_WATCHES, OP_AUTH,    OP_CLOSE_SESSION, CLIENT_OP_OPEN,
        CLIENT_OP_MOVE, OP_GET_EPHEMERALS, OP_WHO_AM_I};
    uint8_t choice = fuzz_u8(fuzz);
    struct wire_request request = {.type = ops[choice % (sizeof ops / sizeof ops[0])]};
    uint64_t tag = bench->asked++;

    bytes_clear(bench->out);
    request.path = span_text(choice % 3 == 0 ? "/" : "/a");
    request.watch = choice % 5 == 0;
    request.flags = choice % 7;
    if (request.type == CLIENT_OP_MOVE && choice % 2 == 0) {
        request.path = wire_null();
    }
    client_ask_encode(bench->out, &request);
    fuzz_run(bench,
             (struct input){.kind = IN_ASK, .ask = {.tag = tag, .span = bytes_span(bench->out)}});
}

/* A frame whose header may be right and whose record is up to the input. */
static void fuzz_reply(struct bench *bench, struct fuzz *fuzz)
{
    uint8_t len = fuzz_u8(fuzz);
    size_t mark;

    bytes_clear(bench->out);
    mark = wire_frame_begin(bench->out);
    wire_reply_header_encode(bench->out, &(struct wire_reply_header){.xid = (int8_t)fuzz_u8(fuzz),
                                                                     .zxid = (int8_t)fuzz_u8(fuzz),
                                                                     .err = (int8_t)fuzz_u8(fuzz)});
    for (uint32_t i = 0; i < len; i++) {
        bytes_u8(bench->out, fuzz_u8(fuzz));
    }
    wire_frame_end(bench->out, mark);
    fuzz_run(bench, (struct input){.kind = IN_BYTES,
                                   .bytes = {.conn = bench->conn, .span = bytes_span(bench->out)}});
}

static void fuzz_connected(struct bench *bench, struct fuzz *fuzz)
{
    size_t mark;

    bytes_clear(bench->out);
    mark = wire_frame_begin(bench->out);
    wire_connected_encode(bench->out, &(struct wire_connected){
                                          .timeout_ms = (int8_t)fuzz_u8(fuzz),
                                          .session = fuzz_u8(fuzz),
                                          .password = span_text("0123456789abcdef"),
                                      });
    wire_frame_end(bench->out, mark);
    fuzz_run(bench, (struct input){.kind = IN_BYTES,
                                   .bytes = {.conn = bench->conn, .span = bytes_span(bench->out)}});
}

static void fuzz_noise(struct bench *bench, struct fuzz *fuzz)
{
    uint8_t len = fuzz_u8(fuzz);

    bytes_clear(bench->out);
    for (uint32_t i = 0; i < len; i++) {
        bytes_u8(bench->out, fuzz_u8(fuzz));
    }
    fuzz_run(bench, (struct input){.kind = IN_BYTES,
                                   .bytes = {.conn = bench->conn, .span = bytes_span(bench->out)}});
}

static void fuzz_step(struct bench *bench, struct fuzz *fuzz)
{
    switch (fuzz_u8(fuzz) % 8) {
    case 0:
    case 1:
        fuzz_ask(bench, fuzz);
        return;
    case 2:
        fuzz_reply(bench, fuzz);
        return;
    case 3:
        fuzz_connected(bench, fuzz);
        return;
    case 4:
        fuzz_noise(bench, fuzz);
        return;
    case 5:
        fuzz_run(bench, (struct input){.kind = IN_OPENED, .opened = {.conn = bench->conn}});
        return;
    case 6:
        fuzz_run(bench,
                 (struct input){.kind = IN_CLOSED, .closed = {.conn = bench->conn, .err = ERR_IO}});
        return;
    default:
        bench->now_us += (uint64_t)fuzz_u8(fuzz) * fuzz_u8(fuzz) * 100;
        fuzz_run(bench, (struct input){.kind = IN_WAKE});
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const configs[] = {"hosts=a,b", "hosts=a,b/root reopen=yes",
                                          "hosts=a queue=3 readonly=yes", "hosts=a start=ask"};
    struct fuzz fuzz = {.at = data, .left = size};
    struct mem_region *region = mem_region_init(room, sizeof room, 0xa5);
    struct bench bench = {.now_us = 1000};
    struct mem_heap heap;
    struct bytes out;
    struct fx fx;

    mem_heap_init(&heap, UINT64_MAX);
    fx_init(&fx, &heap.mem);
    bytes_init(&out, &heap.mem);
    bench.fx = &fx;
    bench.out = &out;
    bench.client = client_ops.make(mem_region_mem(region), span_text(configs[fuzz_u8(&fuzz) % 4]));
    ENSURE(bench.client != NULL);
    fuzz_run(&bench, (struct input){.kind = IN_BOOT, .boot = {.seed = 1}});
    while (fuzz.left > 0 && bench.asked < STEPS_MAX - 1 && !bench.halted) {
        fuzz_step(&bench, &fuzz);
    }
    fx_drop(&fx);
    bytes_drop(&out);
    mem_region_reset(region, 0xa5);
    return 0;
}
