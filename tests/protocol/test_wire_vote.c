#include "protocol/help_vectors.h"
#include "protocol/wire_vote.h"

#include <check.h>
#include <stdlib.h>

static struct mem_heap heap;

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

static void check_hello(struct vectors *vectors, struct bytes *out)
{
    struct span all = bytes_span(&vectors->bytes);
    struct wire_hello hello;
    size_t used;

    ck_assert_int_eq(wire_hello_next(all, &hello, &used), ERR_OK);
    ck_assert_uint_eq(used, all.len);
    bytes_clear(out);
    wire_hello_encode(out, &hello);
    vectors_expect(vectors, bytes_span(out), all);
    for (size_t len = 0; len < all.len; len++) {
        struct span part = exact(all, len);

        ck_assert_int_eq(wire_hello_next(part, &hello, &used), ERR_SHORT);
        ck_assert_uint_gt(used, len);
        ck_assert_uint_le(used, all.len);
        exact_free(part);
    }
}

static void check_notification(struct vectors *vectors, struct bytes *out)
{
    struct span all = bytes_span(&vectors->bytes);
    struct span payload;
    struct wire_vote vote;
    size_t used;

    ck_assert_int_eq(wire_frame_next(all, WIRE_VOTE_FRAME_MAX, &payload, &used), ERR_OK);
    ck_assert_uint_eq(used, all.len);
    ck_assert_int_eq(wire_vote_decode(payload, &vote), ERR_OK);
    ck_assert_int_eq(vote.form, VOTE_FULL);
    bytes_clear(out);
    wire_vote_put(out, &vote);
    vectors_expect(vectors, bytes_span(out), all);
    for (size_t len = 0; len < payload.len; len++) {
        struct span part = exact(payload, len);

        if (len == 28 || len == 40) { /* the older forms */
            ck_assert_int_eq(wire_vote_decode(part, &vote), ERR_OK);
            ck_assert_int_eq(vote.version, 0);
        } else {
            ck_assert_int_ne(wire_vote_decode(part, &vote), ERR_OK);
        }
        exact_free(part);
    }
}

static const char *const election_files[] = {
    "quorum/election-2-1.txt",
    "quorum/election-late-3-1.txt",
    "quorum/election-late-3-2.txt",
    "quorum/election-observer-4-1.txt",
    "quorum/election-reelect-4-3.txt",
    "quorum/election-rejoin-3-2.txt",
    "quorum/election-smaller-sid-2-3.txt",
};

/* Everything that was captured between election ports decodes and encodes back. */
START_TEST(test_vectors_round_trip)
{
    struct vectors vectors;
    struct bytes out;
    uint32_t hellos = 0;
    uint32_t votes = 0;

    bytes_init(&out, &heap.mem);
    vectors_open(&vectors, &heap.mem, election_files[_i]);
    while (vectors_next(&vectors)) {
        if (strstr(vectors.comment, "initial message") != NULL) {
            check_hello(&vectors, &out);
            hellos++;
        } else {
            check_notification(&vectors, &out);
            votes++;
        }
    }
    vectors_close(&vectors);
    bytes_drop(&out);
    ck_assert_uint_ge(hellos, 1);
    ck_assert_uint_ge(hellos + votes, 1);
}
END_TEST

START_TEST(test_hello_before_35_is_its_sid)
{
    static const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 7, 99};
    struct wire_hello hello;
    size_t used;

    ck_assert_int_eq(wire_hello_next(span_make(bytes, sizeof bytes), &hello, &used), ERR_OK);

    ck_assert_int_eq(hello.form, HELLO_OLD);
    ck_assert_int_eq(hello.sid, 7);
    ck_assert_uint_eq(used, 8);
}
END_TEST

static enum err hello_of(int64_t version, uint32_t len, const char *addresses,
                         struct wire_hello *hello)
{
    static struct bytes out; /* the spans of *hello point into it until the next call */
    size_t used;

    if (out.at != NULL) {
        bytes_drop(&out);
    }
    bytes_init(&out, &heap.mem);
    bytes_i64(&out, version);
    bytes_i64(&out, 3);
    bytes_u32(&out, len);
    bytes_raw(&out, addresses, strlen(addresses));
    return wire_hello_next(bytes_span(&out), hello, &used);
}

/* QuorumCnxManager.InitialMessage.parse: what is refused. */
START_TEST(test_hello_refuses)
{
    struct wire_hello hello = {.sid = -5};

    ck_assert_int_eq(hello_of(-1, 3, "a:1", &hello), ERR_VERSION);
    ck_assert_int_eq(hello_of(INT64_MIN, 3, "a:1", &hello), ERR_VERSION);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 0, "", &hello), ERR_LONG);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 2049, "", &hello), ERR_LONG);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 0xffffffff, "", &hello), ERR_LONG);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 3, "abc", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 3, ":12", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 4, "a:1x", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 7, "a:65536", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 7, "[::1]12", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V2, 8, "a:1||b:2", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello.sid, -5);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V1, 3, "a:1", &hello), ERR_OK);
    ck_assert_int_eq(hello.sid, 3);
}
END_TEST

START_TEST(test_hello_lists_its_addresses)
{
    struct wire_hello hello;
    struct span rest;
    struct span address;

    ck_assert_int_eq(hello_of(WIRE_HELLO_V2, 18, "[::1]:3888|host:2:", &hello), ERR_FORMAT);
    ck_assert_int_eq(hello_of(WIRE_HELLO_V2, 17, "[::1]:3888|host:2", &hello), ERR_OK);

    rest = hello.addresses;
    ck_assert(wire_hello_address(&rest, &address));
    ck_assert(span_is(address, "[::1]:3888"));
    ck_assert(wire_hello_address(&rest, &address));
    ck_assert(span_is(address, "host:2"));
    ck_assert(!wire_hello_address(&rest, &address));
}
END_TEST

static struct wire_vote sample_vote(enum vote_form form)
{
    return (struct wire_vote){
        .form = form,
        .state = VOTE_FOLLOWING,
        .leader = 3,
        .zxid = 0x500000007,
        .election_epoch = 9,
        .peer_epoch = 5,
        .version = form == VOTE_FULL ? 2 : 0,
        .config = form == VOTE_FULL ? span_text("server.1=a:1:2") : wire_empty(),
    };
}

/* FastLeaderElection, WorkerReceiver: 28 bytes carry no peer epoch, 40 bytes no version. */
START_TEST(test_vote_old_forms)
{
    for (int form = VOTE_28; form <= VOTE_FULL; form++) {
        struct wire_vote vote = sample_vote((enum vote_form)form);
        struct wire_vote back;
        struct bytes out;

        bytes_init(&out, &heap.mem);
        wire_vote_encode(&out, &vote);
        ck_assert_uint_eq(out.len, form == VOTE_28 ? 28 : form == VOTE_40 ? 40 : 44 + 14);
        ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &back), ERR_OK);
        ck_assert_int_eq(back.form, form);
        ck_assert_int_eq(back.state, VOTE_FOLLOWING);
        ck_assert_int_eq(back.leader, 3);
        ck_assert_int_eq(back.zxid, 0x500000007);
        ck_assert_int_eq(back.election_epoch, 9);
        ck_assert_int_eq(back.peer_epoch, 5);
        ck_assert_int_eq(back.version, vote.version);
        ck_assert(span_equal(back.config, vote.config));
        bytes_drop(&out);
    }
}
END_TEST

START_TEST(test_vote_version_1_has_no_config)
{
    struct wire_vote vote = sample_vote(VOTE_FULL);
    struct bytes out;

    bytes_init(&out, &heap.mem);
    vote.version = 1;
    wire_vote_encode(&out, &vote);

    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_OK);
    ck_assert_int_eq(vote.version, 1);
    ck_assert_uint_eq(vote.config.len, 0);
    bytes_drop(&out);
}
END_TEST

START_TEST(test_vote_refuses)
{
    struct wire_vote vote = sample_vote(VOTE_FULL);
    struct bytes out;

    bytes_init(&out, &heap.mem);
    wire_vote_encode(&out, &vote);
    bytes_patch_u32(&out, 40, 0xffffffff);
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_LONG);
    bytes_patch_u32(&out, 40, (uint32_t)out.len + 1);
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_LONG);
    bytes_patch_u32(&out, 40, 15);
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_SHORT);
    bytes_patch_u32(&out, 40, 13); /* bytes behind the configuration do not matter */
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_OK);
    bytes_patch_u32(&out, 0, 4);
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_RANGE);
    bytes_patch_u32(&out, 0, 0xffffffff);
    ck_assert_int_eq(wire_vote_decode(bytes_span(&out), &vote), ERR_RANGE);
    bytes_drop(&out);
}
END_TEST

Suite *suite_wire_vote(void)
{
    Suite *suite = suite_create("wire_vote");
    TCase *tcase = tcase_create("all");
    int files = (int)(sizeof election_files / sizeof election_files[0]);

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, test_vectors_round_trip, 0, files);
    tcase_add_test(tcase, test_hello_before_35_is_its_sid);
    tcase_add_test(tcase, test_hello_refuses);
    tcase_add_test(tcase, test_hello_lists_its_addresses);
    tcase_add_test(tcase, test_vote_old_forms);
    tcase_add_test(tcase, test_vote_version_1_has_no_config);
    tcase_add_test(tcase, test_vote_refuses);
    suite_add_tcase(suite, tcase);
    return suite;
}
