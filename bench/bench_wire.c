/* Micro benchmarks of the wire codecs and of the client: nanoseconds for one operation, the least
 * of several rounds. A name as argument runs only those that start with it. */
#include "base/ensure.h"
#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "protocol/wire_quorum.h"
#include "protocol/wire_vote.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 7
#define COUNT  300000u

static struct mem_heap heap;
static volatile uint64_t sink; /* keeps results alive */
static struct bytes sample;
static struct bytes out;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void bench_packet_decode(uint32_t count)
{
    struct wire_packet packet;
    size_t used;
    char data[200] = {0};

    bytes_clear(&sample);
    wire_packet_put(&sample, PACKET_PROPOSAL, 7, span_make(data, sizeof data));
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(wire_packet_next(bytes_span(&sample), READER_MAX_DEFAULT, &packet, &used) == ERR_OK);
        sink += used;
    }
}

static void bench_packet_encode(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bytes_clear(&out);
        wire_packet_put(&out, PACKET_ACK, i, wire_null());
        sink += out.len;
    }
}

static void bench_vote_decode(uint32_t count)
{
    struct wire_vote vote = {
        .form = VOTE_FULL, .version = 2, .config = span_text("server.1=a:1:2")};

    bytes_clear(&sample);
    wire_vote_encode(&sample, &vote);
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(wire_vote_decode(bytes_span(&sample), &vote) == ERR_OK);
        sink += (uint64_t)vote.leader;
    }
}

static void bench_request_decode(uint32_t count)
{
    struct wire_request request = {.type = OP_CREATE,
                                   .path = span_text("/some/path"),
                                   .data = span_text("data"),
                                   .acl = acl_open()};

    bytes_clear(&sample);
    wire_request_encode(&sample, &request);
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(wire_request_decode(OP_CREATE, bytes_span(&sample), &request) == ERR_OK);
        sink += request.path.len;
    }
}

static void bench_reply_decode(uint32_t count)
{
    struct wire_reply reply = {.type = OP_GET_DATA, .data = span_text("data")};

    bytes_clear(&sample);
    wire_reply_encode(&sample, &reply);
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(wire_reply_decode(OP_GET_DATA, bytes_span(&sample), &reply) == ERR_OK);
        sink += reply.data.len;
    }
}

static void client_run(void *client, struct fx *fx, struct input in)
{
    in.mono_us = 1000;
    fx_clear(fx);
    client_ops.step(client, &in, fx);
}

/* One setData through the client: the ask (note, frame out) and the reply (note, answer). */
static void bench_client_op(uint32_t count)
{
    void *client = client_ops.make(&heap.mem, span_text("hosts=a"));
    struct wire_reply reply = {.type = OP_SET_DATA};
    struct fx fx;
    size_t mark;

    fx_init(&fx, &heap.mem);
    client_run(client, &fx, (struct input){.kind = IN_BOOT, .boot = {.seed = 1}});
    client_run(client, &fx, (struct input){.kind = IN_OPENED, .opened = {.conn = 1}});
    bytes_clear(&out);
    mark = wire_frame_begin(&out);
    wire_connected_encode(&out, &(struct wire_connected){.timeout_ms = 6000, .session = 5});
    wire_frame_end(&out, mark);
    client_run(client, &fx, (struct input){.kind = IN_BYTES, .bytes = {1, bytes_span(&out)}});
    bytes_clear(&sample);
    client_ask_set(&sample, span_text("/some/path"), span_text("data"), -1);
    for (uint32_t i = 0; i < count; i++) {
        client_run(client, &fx, (struct input){.kind = IN_ASK, .ask = {i, bytes_span(&sample)}});
        bytes_clear(&out);
        mark = wire_frame_begin(&out);
        wire_reply_header_encode(&out, &(struct wire_reply_header){.xid = (int32_t)i + 1});
        wire_reply_encode(&out, &reply);
        wire_frame_end(&out, mark);
        client_run(client, &fx, (struct input){.kind = IN_BYTES, .bytes = {1, bytes_span(&out)}});
        ENSURE(client_get_pending(client) == 0);
    }
    fx_drop(&fx);
}

static const struct {
    const char *name;
    void (*run)(uint32_t count);
} benches[] = {
    {"packet_decode_200", bench_packet_decode},   {"packet_encode_ack", bench_packet_encode},
    {"vote_decode", bench_vote_decode},           {"request_decode_create", bench_request_decode},
    {"reply_decode_getdata", bench_reply_decode}, {"client_ask_and_reply", bench_client_op},
};

int main(int argc, char **argv)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&sample, &heap.mem);
    bytes_init(&out, &heap.mem);
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        uint64_t best = UINT64_MAX;

        if (argc > 1 && strncmp(benches[i].name, argv[1], strlen(argv[1])) != 0) {
            continue;
        }
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t start = now_ns();
            uint64_t spent;

            benches[i].run(COUNT);
            spent = now_ns() - start;
            best = spent < best ? spent : best;
        }
        printf("%-28s %6.1f ns\n", benches[i].name, (double)best / COUNT);
    }
    bytes_drop(&sample);
    bytes_drop(&out);
    return 0;
}
