#include "protocol/help_vectors.h"
#include "protocol/wire_client.h"

#include <check.h>
#include <stdlib.h>

#define CONNS_MAX   32
#define PENDING_MAX 256

static struct mem_heap heap;

/* What is known of one captured connection. */
struct conn {
    bool request_seen, response_seen;
    uint32_t pending_count;
    struct wire_request_header pending[PENDING_MAX];
};

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

/* A copy of exactly `len` bytes, so that the sanitizer sees a read past the end. */
static struct span exact(struct span span, size_t len)
{
    uint8_t *at = malloc(len + 1);

    ck_assert_ptr_nonnull(at);
    memcpy(at + 1, span.at, len);
    return span_make(at + 1, len);
}

static void exact_free(struct span span)
{
    free((void *)(uintptr_t)(span.at - 1));
}

/* One kind of record: decode `record` and encode it to `out`. */
typedef enum err copy_record(struct bytes *out, int32_t type, struct span record);

static enum err copy_connect(struct bytes *out, int32_t type, struct span record)
{
    struct wire_connect connect;
    enum err err = wire_connect_decode(record, &connect);

    (void)type;
    if (err == ERR_OK) {
        wire_connect_encode(out, &connect);
    }
    return err;
}

static enum err copy_connected(struct bytes *out, int32_t type, struct span record)
{
    struct wire_connected connected;
    enum err err = wire_connected_decode(record, &connected);

    (void)type;
    if (err == ERR_OK) {
        wire_connected_encode(out, &connected);
    }
    return err;
}

static enum err copy_event(struct bytes *out, int32_t type, struct span record)
{
    struct wire_event event;
    enum err err = wire_event_decode(record, &event);

    (void)type;
    if (err == ERR_OK) {
        wire_event_encode(out, &event);
    }
    return err;
}

/* Multis are written op by op, to test the cursor. */
static enum err copy_request(struct bytes *out, int32_t type, struct span record)
{
    struct wire_request request;
    struct wire_request op;
    enum err err = wire_request_decode(type, record, &request);

    if (err != ERR_OK) {
        return err;
    }
    if (type == OP_MULTI || type == OP_MULTI_READ) {
        while (wire_multi_next(&request.multi, &op)) {
            wire_multi_put(out, &op);
        }
        wire_multi_end(out);
        ck_assert_uint_eq(request.multi.items.len, 0);
    } else {
        wire_request_encode(out, &request);
    }
    return err;
}

static enum err copy_reply(struct bytes *out, int32_t type, struct span record)
{
    struct wire_reply reply;
    struct wire_result result;
    enum err err = wire_reply_decode(type, record, &reply);

    if (err != ERR_OK) {
        return err;
    }
    if (type == OP_MULTI || type == OP_MULTI_READ) {
        while (wire_result_next(&reply.multi, &result)) {
            wire_result_put(out, &result);
        }
        wire_multi_end(out);
        ck_assert_uint_eq(reply.multi.items.len, 0);
    } else {
        wire_reply_encode(out, &reply);
    }
    return err;
}

/* The record encodes back byte for byte. Cut anywhere it is refused, or what is left is a record.
 */
static void check_record(const struct vectors *vectors, copy_record *copy, int32_t type,
                         struct span record)
{
    struct bytes out;

    bytes_init(&out, &heap.mem);
    ck_assert_msg(copy(&out, type, record) == ERR_OK, "line %d: %s", vectors->line_number,
                  vectors->comment);
    vectors_expect(vectors, bytes_span(&out), record);
    for (size_t len = 0; len < record.len; len++) {
        struct span part = exact(record, len);

        bytes_clear(&out);
        if (copy(&out, type, part) == ERR_OK) {
            vectors_expect(vectors, bytes_span(&out), part);
        }
        exact_free(part);
    }
    bytes_drop(&out);
}

static void check_sent(const struct vectors *vectors, struct conn *conn, struct span frame)
{
    struct wire_request_header header;
    struct wire_request request;
    struct bytes out;

    if (!conn->request_seen) {
        conn->request_seen = true;
        check_record(vectors, copy_connect, 0, frame);
        return;
    }
    bytes_init(&out, &heap.mem);
    ck_assert_int_eq(wire_request_header_take(&frame, &header), ERR_OK);
    wire_request_header_encode(&out, &header);
    ck_assert_uint_eq(out.len, WIRE_REQUEST_HEADER_BYTES);
    ck_assert(memcmp(out.at, frame.at - 8, 8) == 0);
    bytes_drop(&out);
    ck_assert_uint_lt(conn->pending_count, PENDING_MAX);
    conn->pending[conn->pending_count++] = header;
    if (strstr(vectors->comment, "(truncated)") != NULL) {
        ck_assert_int_eq(wire_request_decode(header.type, frame, &request), ERR_SHORT);
    } else if (!zk_op_known(header.type) || header.type == OP_NOTIFICATION) {
        ck_assert_int_eq(wire_request_decode(header.type, frame, &request), ERR_UNKNOWN);
    } else if (header.type == OP_MULTI && strstr(vectors->comment, "getData") != NULL) {
        ck_assert_int_eq(wire_request_decode(header.type, frame, &request), ERR_FORMAT);
    } else {
        check_record(vectors, copy_request, header.type, frame);
    }
}

/* The op code of the request that a reply with this xid answers. */
static int32_t take_pending(struct conn *conn, int32_t xid)
{
    for (uint32_t i = 0; i < conn->pending_count; i++) {
        if (conn->pending[i].xid == xid) {
            int32_t type = conn->pending[i].type;

            conn->pending_count--;
            memmove(&conn->pending[i], &conn->pending[i + 1],
                    (conn->pending_count - i) * sizeof conn->pending[0]);
            return type;
        }
    }
    ck_abort_msg("xid %d was not asked", xid);
}

static void check_received(const struct vectors *vectors, struct conn *conn, struct span frame)
{
    struct wire_reply_header header;
    struct bytes out;
    int32_t type;

    if (!conn->response_seen) {
        conn->response_seen = true;
        check_record(vectors, copy_connected, 0, frame);
        return;
    }
    bytes_init(&out, &heap.mem);
    ck_assert_int_eq(wire_reply_header_take(&frame, &header), ERR_OK);
    wire_reply_header_encode(&out, &header);
    ck_assert_uint_eq(out.len, WIRE_REPLY_HEADER_BYTES);
    ck_assert(memcmp(out.at, frame.at - 16, 16) == 0);
    bytes_drop(&out);
    if (header.xid == XID_EVENT) {
        check_record(vectors, copy_event, 0, frame);
        return;
    }
    type = take_pending(conn, header.xid);
    if (header.err != 0) {
        ck_assert_uint_eq(frame.len, 0);
    } else {
        check_record(vectors, copy_reply, type, frame);
    }
}

static const char *const client_files[] = {
    "client/acl.txt",      "client/connect.txt",
    "client/create.txt",   "client/data.txt",
    "client/multi.txt",    "client/quota-ttl-off.txt",
    "client/readonly.txt", "client/reconfig-localsession.txt",
    "client/watch.txt",
};

/* Every captured frame decodes, header and record, and encodes back byte for byte. */
START_TEST(test_vectors_round_trip)
{
    static struct conn conns[CONNS_MAX];
    struct vectors vectors;
    uint32_t frames = 0;

    memset(conns, 0, sizeof conns);
    vectors_open(&vectors, &heap.mem, client_files[_i]);
    while (vectors_next(&vectors)) {
        struct conn *conn = &conns[vectors.conn];
        struct span frame;
        size_t used = 0;
        enum err err;

        ck_assert_uint_lt(vectors.conn, CONNS_MAX);
        if (vectors.eof) {
            *conn = (struct conn){0};
            continue;
        }
        err = wire_frame_next(bytes_span(&vectors.bytes), WIRE_MAX_BUFFER, &frame, &used);
        if (strstr(vectors.comment, "length prefix") != NULL) {
            ck_assert_int_eq(err, ERR_LONG);
            continue;
        }
        ck_assert_msg(err == ERR_OK, "line %d", vectors.line_number);
        ck_assert_uint_eq(used, vectors.bytes.len);
        if (vectors.sent) {
            check_sent(&vectors, conn, frame);
        } else {
            check_received(&vectors, conn, frame);
        }
        frames++;
    }
    vectors_close(&vectors);
    ck_assert_uint_ge(frames, 20);
}
END_TEST

/* Encode `request`, decode it, and expect the same bytes again. */
static void check_request(const struct wire_request *request)
{
    struct bytes out;
    struct bytes again;

    bytes_init(&out, &heap.mem);
    bytes_init(&again, &heap.mem);
    wire_request_encode(&out, request);
    ck_assert_int_eq(copy_request(&again, request->type, bytes_span(&out)), ERR_OK);
    ck_assert(span_equal(bytes_span(&out), bytes_span(&again)));
    bytes_drop(&out);
    bytes_drop(&again);
}

/* Ops that the captures do not have. */
START_TEST(test_requests_round_trip)
{
    struct bytes list;
    struct wire_request request = {.type = OP_SET_WATCHES2};
    size_t mark;

    check_request(
        &(struct wire_request){.type = OP_CHECK_WATCHES, .path = span_text("/a"), .flags = 3});
    check_request(&(struct wire_request){.type = OP_DELETE_CONTAINER, .path = span_text("/a")});
    check_request(&(struct wire_request){.type = OP_GET_EPHEMERALS, .path = wire_null()});
    check_request(&(struct wire_request){.type = OP_GET_EPHEMERALS, .path = wire_empty()});
    check_request(&(struct wire_request){.type = OP_CREATE_SESSION, .timeout_ms = 4000});
    check_request(&(struct wire_request){.type = OP_SASL, .data = span_text("x")});
    check_request(&(struct wire_request){
        .type = OP_AUTH, .scheme = span_text("digest"), .data = span_text("a:b")});
    check_request(&(struct wire_request){.type = OP_RECONFIG,
                                         .reconfig = {.leaving = span_text("3"), .config_id = -1}});
    check_request(&(struct wire_request){
        .type = OP_CREATE, .path = span_text("/a"), .acl = {.is_null = true}});

    bytes_init(&list, &heap.mem);
    mark = wire_vector_begin(&list);
    wire_put_buffer(&list, span_text("/a"));
    wire_put_buffer(&list, span_text("/b"));
    wire_vector_end(&list, mark, 2);
    for (int i = 0; i < WIRE_WATCH_LISTS; i++) {
        request.watches.list[i] = (struct wire_vector){.items = bytes_tail(&list, 4), .count = 2};
    }
    check_request(&request);
    bytes_drop(&list);
}
END_TEST

/* MultiOperationRecord: create flags outside 0..6 spoil the whole multi. */
START_TEST(test_multi_refuses)
{
    struct wire_request op = {.type = OP_CREATE, .path = span_text("/a"), .flags = 7};
    struct wire_request request;
    struct bytes out;

    bytes_init(&out, &heap.mem);
    wire_multi_put(&out, &op);
    wire_multi_end(&out);
    ck_assert_int_eq(wire_request_decode(OP_MULTI, bytes_span(&out), &request), ERR_FORMAT);

    bytes_clear(&out);
    op.flags = 4;
    wire_multi_put(&out, &op);
    ck_assert_int_eq(wire_request_decode(OP_MULTI, bytes_span(&out), &request), ERR_SHORT);
    wire_multi_end(&out);
    ck_assert_int_eq(wire_request_decode(OP_MULTI, bytes_span(&out), &request), ERR_OK);
    ck_assert_uint_eq(request.multi.count, 1);
    ck_assert_int_eq(wire_request_decode(OP_MULTI_READ, bytes_span(&out), &request), ERR_FORMAT);
    bytes_drop(&out);
}
END_TEST

START_TEST(test_multi_types_follow_flags)
{
    struct wire_request op = {.type = OP_CREATE2};

    ck_assert_int_eq(wire_multi_type(&op), OP_CREATE2);
    op.flags = MODE_CONTAINER;
    ck_assert_int_eq(wire_multi_type(&op), OP_CREATE_CONTAINER);
    op.flags = MODE_PERSISTENT_SEQUENTIAL_TTL;
    ck_assert_int_eq(wire_multi_type(&op), OP_CREATE_TTL);
    op.type = OP_SET_DATA;
    ck_assert_int_eq(wire_multi_type(&op), OP_SET_DATA);
}
END_TEST

/* A count that the frame cannot hold is refused before anything is walked. */
START_TEST(test_vector_count_is_bounded)
{
    struct wire_reply reply;
    struct bytes out;

    bytes_init(&out, &heap.mem);
    bytes_u32(&out, 0x7fffffff);
    bytes_u32(&out, 0);
    ck_assert_int_eq(wire_reply_decode(OP_GET_CHILDREN, bytes_span(&out), &reply), ERR_FORMAT);
    bytes_patch_u32(&out, 0, 0xfffffffe);
    ck_assert_int_eq(wire_reply_decode(OP_GET_CHILDREN, bytes_span(&out), &reply), ERR_FORMAT);
    bytes_patch_u32(&out, 0, 0xffffffff);
    ck_assert_int_eq(wire_reply_decode(OP_GET_CHILDREN, bytes_span(&out), &reply), ERR_OK);
    ck_assert(reply.strings.is_null);
    bytes_drop(&out);
}
END_TEST

START_TEST(test_frames)
{
    struct bytes out;
    struct span frame;
    size_t mark;
    size_t used = 0;

    bytes_init(&out, &heap.mem);
    mark = wire_frame_begin(&out);
    bytes_raw(&out, "abc", 3);
    wire_frame_end(&out, mark);

    ck_assert_int_eq(wire_frame_next(span_make(out.at, 3), 3, &frame, &used), ERR_SHORT);
    ck_assert_uint_eq(used, 4);
    ck_assert_int_eq(wire_frame_next(span_make(out.at, 6), 3, &frame, &used), ERR_SHORT);
    ck_assert_uint_eq(used, 7);
    ck_assert_int_eq(wire_frame_next(bytes_span(&out), 3, &frame, &used), ERR_OK);
    ck_assert(span_is(frame, "abc"));
    ck_assert_int_eq(wire_frame_next(bytes_span(&out), 2, &frame, &used), ERR_LONG);
    bytes_patch_u32(&out, 0, 0xffffffff);
    ck_assert_int_eq(wire_frame_next(bytes_span(&out), UINT32_MAX, &frame, &used), ERR_LONG);
    bytes_drop(&out);
}
END_TEST

/* Running out of memory while encoding is seen once, at the end. */
START_TEST(test_encoding_without_memory)
{
    struct bytes out;
    size_t mark;

    heap.mem.fail_at = 1;
    bytes_init(&out, &heap.mem);
    mark = wire_frame_begin(&out);
    wire_put_buffer(&out, span_text("/a"));
    wire_frame_end(&out, mark);

    ck_assert(out.failed);
    bytes_drop(&out);
}
END_TEST

Suite *suite_wire_client(void)
{
    Suite *suite = suite_create("wire_client");
    TCase *tcase = tcase_create("all");
    int files = (int)(sizeof client_files / sizeof client_files[0]);

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, test_vectors_round_trip, 0, files);
    tcase_add_test(tcase, test_requests_round_trip);
    tcase_add_test(tcase, test_multi_refuses);
    tcase_add_test(tcase, test_multi_types_follow_flags);
    tcase_add_test(tcase, test_vector_count_is_bounded);
    tcase_add_test(tcase, test_frames);
    tcase_add_test(tcase, test_encoding_without_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
