#include "protocol/help_client.h"

#include <check.h>

#define REGION_BYTES (16u << 20)

static struct mem_heap heap;
struct mem *bench_mem;
struct mem_heap bench_driver;
struct fx bench_fx;
struct bytes bench_scratch;
void *bench_client;
uint64_t bench_now_us;

void bench_setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    mem_heap_init(&bench_driver, UINT64_MAX);
    bench_mem = &heap.mem;
    fx_init(&bench_fx, &bench_driver.mem);
    bytes_init(&bench_scratch, &bench_driver.mem);
    bench_now_us = 1000000;
    bench_client = NULL;
}

void bench_use_region(void)
{
    static _Alignas(16) uint8_t room[REGION_BYTES];

    bench_mem = mem_region_mem(mem_region_init(room, sizeof room, 0xa5));
}

void bench_step(struct input in)
{
    in.mono_us = bench_now_us;
    fx_clear(&bench_fx);
    client_ops.step(bench_client, &in, &bench_fx);
    ck_assert(!bench_fx.failed);
}

void bench_boot_seed(const char *config, uint64_t seed)
{
    bench_client = client_ops.make(bench_mem, span_text(config));
    ck_assert_ptr_nonnull(bench_client);
    bench_step((struct input){.kind = IN_BOOT, .boot = {.seed = seed}});
}

void bench_boot(const char *config)
{
    bench_boot_seed(config, 7);
}

const struct effect *bench_find(enum fx_kind kind, uint32_t id, uint32_t nth)
{
    for (uint32_t i = 0; i < bench_fx.count; i++) {
        if (bench_fx.list[i].kind == kind && (id == 0 || bench_fx.list[i].id == id) && nth-- == 0) {
            return &bench_fx.list[i];
        }
    }
    return NULL;
}

uint32_t bench_dialed(const char *host)
{
    const struct effect *dial = bench_find(FX_DIAL, 0, 0);

    ck_assert_msg(dial != NULL, "no dial");
    if (host != NULL) {
        ck_assert_msg(span_is(dial->bytes, host), "dialed %.*s", (int)dial->bytes.len,
                      (const char *)dial->bytes.at);
    }
    return dial->id;
}

void bench_wake(void)
{
    ck_assert_uint_ne(bench_fx.wake_us, WAKE_NEVER);
    bench_now_us = bench_fx.wake_us > bench_now_us ? bench_fx.wake_us : bench_now_us;
    bench_step((struct input){.kind = IN_WAKE});
}

void bench_opened(uint32_t conn)
{
    bench_step((struct input){.kind = IN_OPENED, .opened = {.conn = conn}});
}

void bench_closed(uint32_t conn)
{
    bench_step((struct input){.kind = IN_CLOSED, .closed = {.conn = conn, .err = ERR_IO}});
}

void bench_receive(uint32_t conn, struct span span)
{
    bench_step((struct input){.kind = IN_BYTES, .bytes = {.conn = conn, .span = span}});
}

void bench_ask(uint64_t tag, const struct wire_request *request)
{
    bytes_clear(&bench_scratch);
    client_ask_encode(&bench_scratch, request);
    bench_step(
        (struct input){.kind = IN_ASK, .ask = {.tag = tag, .span = bytes_span(&bench_scratch)}});
}

void bench_ask_path(uint64_t tag, int32_t op, const char *path)
{
    bench_ask(tag, &(struct wire_request){.type = op, .path = span_text(path), .version = -1});
}

void bench_ask_watch(uint64_t tag, int32_t op, const char *path)
{
    bench_ask(tag, &(struct wire_request){.type = op, .path = span_text(path), .watch = true});
}

struct span bench_sent(uint32_t nth)
{
    for (uint32_t i = 0; bench_find(FX_SEND, 0, i) != NULL; i++) {
        struct span rest = bench_find(FX_SEND, 0, i)->bytes;
        struct span frame;
        size_t used;

        while (wire_frame_next(rest, WIRE_MAX_BUFFER, &frame, &used) == ERR_OK) {
            if (nth-- == 0) {
                return frame;
            }
            rest = span_make(rest.at + used, rest.len - used);
        }
        ck_assert_uint_eq(rest.len, 0);
    }
    return wire_null();
}

struct wire_request bench_sent_request(uint32_t nth, int32_t xid, int32_t type)
{
    struct span frame = bench_sent(nth);
    struct wire_request_header header = {0};
    struct wire_request request;

    ck_assert_int_eq(wire_request_header_take(&frame, &header), ERR_OK);
    ck_assert_int_eq(header.xid, xid);
    ck_assert_int_eq(header.type, type);
    ck_assert_int_eq(wire_request_decode(type, frame, &request), ERR_OK);
    return request;
}

struct wire_connect bench_sent_connect(void)
{
    struct wire_connect connect;

    ck_assert_int_eq(wire_connect_decode(bench_sent(0), &connect), ERR_OK);
    return connect;
}

void bench_reply_connected(uint32_t conn, int64_t session, int32_t timeout_ms)
{
    size_t mark;

    bytes_clear(&bench_scratch);
    mark = wire_frame_begin(&bench_scratch);
    wire_connected_encode(&bench_scratch, &(struct wire_connected){
                                              .timeout_ms = timeout_ms,
                                              .session = session,
                                              .password = span_text("0123456789abcdef"),
                                              .has_read_only = true,
                                          });
    wire_frame_end(&bench_scratch, mark);
    bench_receive(conn, bytes_span(&bench_scratch));
}

void bench_add_reply(const struct wire_reply_header *header, const struct wire_reply *reply)
{
    size_t mark = wire_frame_begin(&bench_scratch);

    wire_reply_header_encode(&bench_scratch, header);
    if (reply != NULL) {
        wire_reply_encode(&bench_scratch, reply);
    }
    wire_frame_end(&bench_scratch, mark);
}

void bench_reply(uint32_t conn, int32_t xid, int64_t zxid, const struct wire_reply *record)
{
    bytes_clear(&bench_scratch);
    bench_add_reply(&(struct wire_reply_header){.xid = xid, .zxid = zxid}, record);
    bench_receive(conn, bytes_span(&bench_scratch));
}

void bench_reply_error(uint32_t conn, int32_t xid, int32_t code)
{
    bytes_clear(&bench_scratch);
    bench_add_reply(&(struct wire_reply_header){.xid = xid, .zxid = 9, .err = code}, NULL);
    bench_receive(conn, bytes_span(&bench_scratch));
}

void bench_event(uint32_t conn, int32_t type, const char *path)
{
    size_t mark;

    bytes_clear(&bench_scratch);
    mark = wire_frame_begin(&bench_scratch);
    wire_reply_header_encode(&bench_scratch,
                             &(struct wire_reply_header){.xid = XID_EVENT, .zxid = -1});
    wire_event_encode(&bench_scratch,
                      &(struct wire_event){.type = type, .state = 3, .path = span_text(path)});
    wire_frame_end(&bench_scratch, mark);
    bench_receive(conn, bytes_span(&bench_scratch));
}

int32_t bench_answered(uint64_t tag, struct client_answer *answer)
{
    static struct client_answer ignored;

    answer = answer == NULL ? &ignored : answer;
    for (uint32_t i = 0; bench_find(FX_ANSWER, 0, i) != NULL; i++) {
        const struct effect *effect = bench_find(FX_ANSWER, 0, i);

        if (effect->b == tag) {
            ck_assert_int_eq(client_answer_decode(effect->bytes, answer), ERR_OK);
            return answer->code;
        }
    }
    return 1; /* not answered */
}

void bench_expect_note(uint32_t kind, uint64_t a, const char *text)
{
    const struct effect *note = bench_find(FX_NOTE, kind, 0);

    ck_assert_msg(note != NULL, "no note %u", kind);
    ck_assert_uint_eq(note->a, a);
    if (text != NULL) {
        ck_assert_msg(span_is(note->bytes, text), "note says %.*s", (int)note->bytes.len,
                      (const char *)note->bytes.at);
    }
}

uint32_t bench_connect_with(const char *config)
{
    uint32_t conn;

    bench_boot(config);
    conn = bench_dialed(NULL);
    bench_opened(conn);
    bench_reply_connected(conn, 0x55, 6000);
    ck_assert_int_eq(client_get_state(bench_client), CLIENT_CONNECTED);
    return conn;
}

uint32_t bench_connect_plain(void)
{
    return bench_connect_with("hosts=a,b:2182 order=fixed");
}

uint32_t bench_redial(void)
{
    uint32_t conn;

    bench_wake();
    conn = bench_dialed(NULL);
    bench_opened(conn);
    return conn;
}

struct zk_stat bench_sample_stat(void)
{
    return (struct zk_stat){.czxid = 3, .mzxid = 4, .version = 1, .data_length = 1};
}
