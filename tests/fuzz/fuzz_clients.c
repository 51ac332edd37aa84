/* Clients that send anything, against prep, tree and clients: replies must come in the order of
 * requests, digests must be predicted, nothing may be left behind. */
#include "base/ensure.h"
#include "tests/fuzz/fuzz.h"

/* The helper of tests/protocol, without libcheck. */
#define CHECK_H
#define ck_assert(condition)          ENSURE(condition)
#define ck_assert_msg(condition, ...) ENSURE(condition)
#define ck_abort_msg(...)             UNREACHABLE()
#define ck_assert_ptr_nonnull(a)      ENSURE((a) != NULL)
#define ck_assert_int_eq(a, b)        ENSURE((a) == (b))
#define ck_assert_int_gt(a, b)        ENSURE((a) > (b))
#define ck_assert_uint_eq(a, b)       ENSURE((a) == (b))
#define ck_assert_uint_lt(a, b)       ENSURE((a) < (b))
#define ck_assert_uint_le(a, b)       ENSURE((a) <= (b))
#define ck_assert_uint_ge(a, b)       ENSURE((a) >= (b))
#include "tests/protocol/help_pipe.c"

#define CONNS 4u
#define STEPS 400u

static struct pipe *pipe_now;
static int32_t next_xid[CONNS];
static int32_t seen_xid[CONNS];
static int64_t sessions[CONNS];
static bool connecting[CONNS]; /* the next frame is a ConnectResponse */
static bool wild[CONNS];       /* bytes without a frame wait behind it: any xid may come */

static const char *const paths[] = {"/", "/a", "/a/b",   "/c", "/zookeeper/quota",
                                    "",  "a",  "/a/../b"};

/* Replies answer requests in their order; malformed ones never got an xid of ours. */
static void check_output(uint32_t conn)
{
    struct bytes frame;

    bytes_init(&frame, &pipe_now->fx_heap.mem);
    while (pipe_next_frame(pipe_now, conn, &frame)) {
        int32_t xid = (int32_t)((uint32_t)frame.at[0] << 24 | (uint32_t)frame.at[1] << 16 |
                                (uint32_t)frame.at[2] << 8 | frame.at[3]);

        if (connecting[conn]) {
            connecting[conn] = false;
            continue;
        }
        ENSURE(frame.len >= WIRE_REPLY_HEADER_BYTES);
        if (xid > 0 && !wild[conn]) {
            ENSURE(xid > seen_xid[conn]);
            ENSURE(xid < next_xid[conn]);
            seen_xid[conn] = xid;
        }
    }
    ENSURE(pipe_now->conns[conn].out.len == 0);
    bytes_drop(&frame);
}

static void open_conn(uint32_t conn)
{
    if (pipe_now->conns[conn].open && !pipe_now->conns[conn].closed) {
        pipe_hang_up(pipe_now, conn);
    }
    pipe_open(pipe_now, conn);
    next_xid[conn] = 1;
    seen_xid[conn] = 0;
    connecting[conn] = false;
    wild[conn] = false;
}

static void connect(struct fuzz *fuzz, uint32_t conn)
{
    uint8_t how = fuzz_u8(fuzz);
    int64_t session = how % 4 == 0 ? sessions[how / 4 % CONNS] : 0;
    uint8_t password[16];
    struct wire_connect request;

    open_conn(conn);
    session_password(session, password);
    password[0] ^= how % 16 == 8 ? 1 : 0;
    request = pipe_connect_with(session, (int32_t)fuzz_u16(fuzz), password);
    request.has_read_only = how % 3 != 0;
    request.last_zxid = how % 32 == 31 ? (int64_t)fuzz_u64(fuzz) : 0;
    connecting[conn] = true;
    if (session == 0) {
        sessions[conn] = (int64_t)pipe_now->ids.next;
    }
    pipe_send_connect(pipe_now, conn, &request);
}

/* A request that can be decoded. */
static void send_good(struct fuzz *fuzz, uint32_t conn)
{
    static const int32_t ops[] = {OP_CREATE,   OP_CREATE2,         OP_DELETE,        OP_SET_DATA,
                                  OP_GET_DATA, OP_GET_CHILDREN2,   OP_EXISTS,        OP_SYNC,
                                  OP_GET_ACL,  OP_SET_ACL,         OP_CLOSE_SESSION, OP_ADD_WATCH,
                                  OP_WHO_AM_I, OP_CREATE_CONTAINER};
    uint8_t what = fuzz_u8(fuzz);
    uint8_t how = fuzz_u8(fuzz);
    struct wire_request request =
        pipe_op(ops[what % (sizeof(ops) / sizeof(ops[0]))], paths[how % 8]);

    request.flags = how / 8 % 5;
    request.version = how >= 128 ? -1 : how % 4;
    request.watch = (how & 64) != 0;
    request.data = span_text(how & 32 ? "some data" : "");
    pipe_send(pipe_now, conn, next_xid[conn]++, &request);
}

/* A frame with a good header and any record, or any bytes at all. */
static void send_bad(struct fuzz *fuzz, uint32_t conn, bool framed)
{
    size_t len = fuzz_u8(fuzz) % 64u;
    uint8_t bytes[80] = {0};
    size_t at = 0;

    if (framed) {
        uint32_t op = fuzz_u8(fuzz) % 110u;

        bytes[3] = (uint8_t)(len + 8);
        bytes[6] = (uint8_t)(next_xid[conn] >> 8);
        bytes[7] = (uint8_t)next_xid[conn];
        bytes[11] = (uint8_t)op;
        next_xid[conn]++;
        at = 12;
    }
    for (size_t i = 0; i < len; i++) {
        bytes[at + i] = fuzz_u8(fuzz);
    }
    if (!framed && !connecting[conn]) {
        next_xid[conn] = INT32_MAX; /* its xids may be anything from here on */
        seen_xid[conn] = INT32_MIN;
        pipe_feed(pipe_now, conn, span_make(bytes, len));
        bytes_clear(&pipe_now->conns[conn].out);
        pipe_hang_up(pipe_now, conn);
        open_conn(conn);
        return;
    }
    wild[conn] = wild[conn] || !framed;
    pipe_feed(pipe_now, conn, span_make(bytes, at + len));
}

static void step(struct fuzz *fuzz)
{
    uint8_t what = fuzz_u8(fuzz);
    uint32_t conn = what / 16 % CONNS;

    switch (what % 16) {
    case 0:
        connect(fuzz, conn);
        break;
    case 1:
        send_bad(fuzz, conn, false);
        break;
    case 2:
    case 3:
        send_bad(fuzz, conn, true);
        break;
    case 4:
        pipe_now->hold = !pipe_now->hold;
        pipe_commit(pipe_now, 0);
        break;
    case 5:
        pipe_commit(pipe_now, what / 16u);
        break;
    case 6:
        pipe_now->hold_syncs = what >= 128;
        break;
    case 7:
        pipe_synced(pipe_now);
        break;
    case 8:
        if (!pipe_now->conns[conn].closed) {
            pipe_hang_up(pipe_now, conn);
        }
        break;
    case 9:
        if (pipe_now->conns[conn].drain_asked && !pipe_now->conns[conn].closed) {
            pipe_drain(pipe_now, conn);
        }
        break;
    case 10:
        pipe_advance(pipe_now, fuzz_u16(fuzz) * 100u);
        break;
    default:
        send_good(fuzz, conn);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {.at = data, .left = size};
    struct pipe_options options = pipe_options_default();

    options.clients.outstanding_max = 12;
    options.clients.queue_max = 6;
    options.clients.pause_bytes = 600;
    options.clients.held_bytes_max = 2000;
    pipe_now = pipe_make(&options);
    for (uint32_t i = 0; i < CONNS; i++) {
        sessions[i] = 0;
        wild[i] = false;
        pipe_now->conns[i].closed = true;
    }
    for (uint32_t i = 0; i < STEPS && fuzz.left > 0; i++) {
        step(&fuzz);
        for (uint32_t conn = 0; conn < CONNS; conn++) {
            check_output(conn);
        }
        pipe_now->note_count = 0;
    }
    pipe_drop(pipe_now);
    return 0;
}
