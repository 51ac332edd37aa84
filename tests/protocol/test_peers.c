#include "protocol/notes.h"
#include "protocol/peers.h"
#include "tests/expect.h"

#include <check.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)
#define MS     UINT64_C(1000)

#define LISTENER   3u
#define CONN_FIRST 1000u

static struct mem_heap heap;
static struct fx fx;
static struct membership membership;
static struct ensemble ensemble;
static struct peers peers;
static uint64_t now_us;

static const char members[] = "server.1=127.0.0.1:32281:32381\nserver.2=127.0.0.1:32282:32382\n"
                              "server.3=127.0.0.1:32283:32383\n"
                              "server.4=127.0.0.1:32284:32384:observer";

static void setup_text(int64_t sid, const char *text, bool multi_address)
{
    struct peers_settings settings;
    struct config_error error;

    mem_heap_init(&heap, UINT64_MAX);
    fx_init(&fx, &heap.mem);
    ck_assert_int_eq(membership_parse(&membership, &heap.mem, span_text(text), &error), ERR_OK);
    ensemble = (struct ensemble){.committed = &membership};
    peers_settings_default(&settings);
    settings.sid = sid;
    settings.listener = LISTENER;
    settings.conn_first = CONN_FIRST;
    settings.conn_count = 1000;
    settings.multi_address = multi_address;
    ck_assert_int_eq(peers_init(&peers, &heap.mem, &ensemble, &settings), ERR_OK);
    now_us = SECOND;
}

static void setup(int64_t sid)
{
    setup_text(sid, members, false);
}

static void teardown(void)
{
    peers_drop(&peers);
    membership_drop(&membership);
    fx_drop(&fx);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

/* -- inputs -- */

static void send_text(int64_t sid, const char *text)
{
    fx_clear(&fx);
    peers_send(&peers, &fx, now_us, sid, span_text(text));
}

static void opened(uint32_t conn, uint32_t listener)
{
    struct input in = {.kind = IN_OPENED, .mono_us = now_us};

    in.opened.conn = conn;
    in.opened.listener = listener;
    fx_clear(&fx);
    peers_on_opened(&peers, &fx, &in);
}

static void closed(uint32_t conn, enum err err)
{
    struct input in = {.kind = IN_CLOSED, .mono_us = now_us};

    in.closed.conn = conn;
    in.closed.err = err;
    fx_clear(&fx);
    peers_on_closed(&peers, &fx, &in);
}

static void drained(uint32_t conn)
{
    struct input in = {.kind = IN_DRAINED, .mono_us = now_us};

    in.drained.conn = conn;
    fx_clear(&fx);
    peers_on_drained(&peers, &fx, &in);
}

/* Give bytes; returns how many notifications came out, the last one in *notice. */
static uint32_t give(uint32_t conn, struct span span, int64_t *from, struct wire_vote *notice)
{
    struct input in = {.kind = IN_BYTES, .mono_us = now_us};
    uint32_t count = 0;

    in.bytes.conn = conn;
    in.bytes.span = span;
    fx_clear(&fx);
    peers_on_bytes(&peers, &fx, &in);
    while (peers_next(&peers, &fx, from, notice)) {
        count++;
    }
    return count;
}

static void later(uint64_t us)
{
    now_us += us;
    fx_clear(&fx);
    peers_on_time(&peers, &fx, now_us);
}

static void give_hello(uint32_t conn, int64_t sid, const char *address)
{
    struct wire_hello hello = {.form = HELLO_V1, .sid = sid, .addresses = span_text(address)};
    struct wire_vote notice;
    struct bytes bytes;
    int64_t from;

    bytes_init(&bytes, &heap.mem);
    wire_hello_encode(&bytes, &hello);
    ck_assert_uint_eq(give(conn, bytes_span(&bytes), &from, &notice), 0);
    bytes_drop(&bytes);
}

/* Accept a connection that says it is `sid`. */
static void accept_from(uint32_t conn, int64_t sid)
{
    opened(conn, LISTENER);
    give_hello(conn, sid, "127.0.0.1:4000");
}

/* -- effects -- */

/* The effect of this kind with number `nth`, or NULL. */
static const struct effect *effect(enum fx_kind kind, uint32_t nth)
{
    for (uint32_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind == kind && nth-- == 0) {
            return &fx.list[i];
        }
    }
    return NULL;
}

static uint32_t effects(enum fx_kind kind)
{
    uint32_t count = 0;

    while (effect(kind, count) != NULL) {
        count++;
    }
    return count;
}

static void expect_sent(uint32_t nth, uint32_t conn, const char *text)
{
    const struct effect *sent = effect(FX_SEND, nth);

    ck_assert_ptr_nonnull(sent);
    ck_assert_uint_eq(sent->id, conn);
    ck_assert(span_is(sent->bytes, text));
}

/* The number of the only dial, to this address. */
static uint32_t expect_dial(const char *address)
{
    const struct effect *dial = effect(FX_DIAL, 0);

    ck_assert_uint_eq(effects(FX_DIAL), 1);
    ck_assert_msg(span_is(dial->bytes, address), "dialed %.*s", (int)dial->bytes.len,
                  (const char *)dial->bytes.at);
    EXPECT(peers_owns_conn(&peers, dial->id));
    EXPECT(dial->id >= CONN_FIRST && dial->id < CONN_FIRST + 1000);
    return dial->id;
}

static void expect_closed(uint32_t conn, bool abort)
{
    const struct effect *close = effect(FX_CLOSE, 0);

    ck_assert_ptr_nonnull(close);
    ck_assert_uint_eq(close->id, conn);
    ck_assert_uint_eq(close->a, abort ? 1 : 0);
}

static bool refused(const char *why)
{
    const struct effect *note = effect(FX_NOTE, 0);

    return note != NULL && note->id == NOTE_PEER_REFUSED && span_is(note->bytes, why);
}

/* Server 3 has an open connection to 2. */
static uint32_t open_to_2(void)
{
    uint32_t conn;

    send_text(2, "first");
    conn = expect_dial("127.0.0.1:32382");
    opened(conn, 0);
    return conn;
}

/* -- tests -- */

/* vectors/quorum/election-2-1.txt, first message. */
START_TEST(test_the_larger_id_dials_and_speaks_first)
{
    static const uint8_t hello[] = "\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                   "\x02\x00\x00\x00\x0f"
                                   "127.0.0.1:32382";
    uint32_t conn;

    setup(2);
    send_text(1, "one");
    conn = expect_dial("127.0.0.1:32381");
    EXPECT(effects(FX_SEND) == 0);
    opened(conn, 0);
    EXPECT(span_equal(effect(FX_SEND, 0)->bytes, span_make(hello, sizeof(hello) - 1)));
    expect_sent(1, conn, "one");
    EXPECT(effects(FX_CLOSE) == 0);
    EXPECT(peers_is_connected(&peers, 1));
    send_text(1, "two");
    expect_sent(0, conn, "two");
    EXPECT(fx.count == 1);
    teardown();
}
END_TEST

/* vectors/quorum/election-smaller-sid-2-3.txt: only the opening message, then the larger one calls
 * back. */
START_TEST(test_the_smaller_id_nudges_and_is_called_back)
{
    uint32_t conn;

    setup(2);
    send_text(3, "one");
    conn = expect_dial("127.0.0.1:32383");
    opened(conn, 0);
    EXPECT(effects(FX_SEND) == 1);
    expect_closed(conn, false);
    EXPECT(!peers_is_connected(&peers, 3));
    send_text(3, "two"); /* the call back is due: no second nudge */
    EXPECT(fx.count == 0);
    accept_from(CONN_ACCEPTED, 3);
    EXPECT(peers_is_connected(&peers, 3));
    EXPECT(effects(FX_SEND) == 1);
    expect_sent(0, CONN_ACCEPTED, "two");
    teardown();
}
END_TEST

START_TEST(test_a_nudge_without_answer_is_repeated_by_the_next_message)
{
    uint32_t conn;

    setup(2);
    send_text(3, "one");
    conn = expect_dial("127.0.0.1:32383");
    opened(conn, 0);
    later(400 * MS);
    send_text(3, "two");
    EXPECT(fx.count == 0);
    later(200 * MS);
    send_text(3, "three");
    EXPECT(expect_dial("127.0.0.1:32383") != conn);
    teardown();
}
END_TEST

START_TEST(test_a_nudge_is_answered_at_the_address_it_gave)
{
    setup(3);
    accept_from(CONN_ACCEPTED, 2);
    expect_closed(CONN_ACCEPTED, true);
    (void)expect_dial("127.0.0.1:4000");
    teardown();
}
END_TEST

START_TEST(test_a_nudge_replaces_what_is_there)
{
    uint32_t conn;

    setup(3);
    conn = open_to_2();
    opened(CONN_ACCEPTED, LISTENER);
    give_hello(CONN_ACCEPTED, 2, "0.0.0.0:9"); /* no address: a wildcard */
    EXPECT(effects(FX_CLOSE) == 2);
    EXPECT(effect(FX_CLOSE, 0)->id == CONN_ACCEPTED);
    EXPECT(effect(FX_CLOSE, 1)->id == conn);
    conn = expect_dial("127.0.0.1:32382");
    opened(conn, 0);
    expect_sent(1, conn, "first"); /* again: it may not have arrived */
    teardown();
}
END_TEST

START_TEST(test_a_new_connection_of_the_larger_id_replaces_the_old)
{
    setup(1);
    accept_from(CONN_ACCEPTED, 3);
    send_text(3, "one");
    expect_sent(0, CONN_ACCEPTED, "one");
    accept_from(CONN_ACCEPTED + 1, 3);
    expect_closed(CONN_ACCEPTED, true);
    expect_sent(0, CONN_ACCEPTED + 1, "one");
    closed(CONN_ACCEPTED, ERR_IO); /* late news of the old one */
    EXPECT(peers_is_connected(&peers, 3));
    teardown();
}
END_TEST

START_TEST(test_only_the_newest_message_waits)
{
    uint32_t conn;

    setup(3);
    send_text(1, "one");
    conn = expect_dial("127.0.0.1:32381");
    send_text(1, "two");
    EXPECT(fx.count == 0);
    send_text(1, "three");
    opened(conn, 0);
    EXPECT(effects(FX_SEND) == 2);
    expect_sent(1, conn, "three");
    teardown();
}
END_TEST

START_TEST(test_dials_fail_and_are_tried_again_with_the_next_message)
{
    uint32_t conn;

    setup(3);
    send_text(1, "one");
    conn = expect_dial("127.0.0.1:32381");
    closed(conn, ERR_REFUSED);
    EXPECT(fx.count == 0);
    EXPECT(peers_wake_us(&peers) == WAKE_NEVER);
    send_text(1, "two");
    conn = expect_dial("127.0.0.1:32381");
    EXPECT(peers_wake_us(&peers) == now_us + 5 * SECOND);
    later(5 * SECOND - 1);
    EXPECT(fx.count == 0);
    later(1);
    expect_closed(conn, true);
    EXPECT(effects(FX_DIAL) == 0);
    send_text(1, "three");
    (void)expect_dial("127.0.0.1:32381");
    teardown();
}
END_TEST

START_TEST(test_several_addresses_are_tried_in_turn)
{
    struct wire_hello hello;
    size_t used;
    uint32_t conn;

    setup_text(2, "server.1=a:1:11|b:1:12\nserver.2=c:1:21|d:1:22", true);
    send_text(1, "one");
    conn = expect_dial("a:11");
    closed(conn, ERR_REFUSED);
    conn = expect_dial("b:12");
    opened(conn, 0);
    EXPECT(wire_hello_next(effect(FX_SEND, 0)->bytes, &hello, &used) == ERR_OK);
    EXPECT(hello.form == HELLO_V2);
    EXPECT(span_is(hello.addresses, "c:21|d:22"));
    closed(conn, ERR_IO);
    send_text(1, "two");
    conn = expect_dial("b:12"); /* the one that worked */
    closed(conn, ERR_REFUSED);
    EXPECT(effects(FX_DIAL) == 0); /* once around */
    teardown();
}
END_TEST

/* A connection that takes everything and never answers, as after a silent death of the other
 * machine. */
START_TEST(test_a_silent_connection_is_replaced)
{
    uint32_t conn;

    setup(3);
    conn = open_to_2();
    for (int i = 0; i < 4; i++) {
        later(SECOND);
        send_text(2, "again");
        expect_sent(0, conn, "again");
    }
    later(SECOND);
    send_text(2, "last");
    expect_closed(conn, true);
    conn = expect_dial("127.0.0.1:32382");
    opened(conn, 0);
    expect_sent(1, conn, "last");
    teardown();
}
END_TEST

static struct span notification(struct bytes *bytes, int64_t leader)
{
    struct wire_vote vote = {
        .form = VOTE_FULL, .leader = leader, .version = 2, .config = span_text("version=0")};

    bytes_clear(bytes);
    wire_vote_put(bytes, &vote);
    return bytes_span(bytes);
}

START_TEST(test_answers_keep_a_connection)
{
    struct wire_vote notice;
    struct bytes bytes;
    uint32_t conn;
    int64_t from;

    setup(3);
    bytes_init(&bytes, &heap.mem);
    conn = open_to_2();
    for (int i = 0; i < 20; i++) {
        later(2 * SECOND);
        send_text(2, "again");
        expect_sent(0, conn, "again");
        later(2 * SECOND);
        send_text(2, "again");
        expect_sent(0, conn, "again");
        EXPECT(give(conn, notification(&bytes, 2), &from, &notice) == 1);
        EXPECT(from == 2);
    }
    bytes_drop(&bytes);
    teardown();
}
END_TEST

START_TEST(test_words_before_a_quiet_hour_do_not_count)
{
    uint32_t conn;

    setup(3);
    conn = open_to_2();
    send_text(2, "again");
    send_text(2, "again");
    later(3600 * SECOND);
    for (int i = 0; i < 5; i++) {
        send_text(2, "again");
        expect_sent(0, conn, "again");
    }
    teardown();
}
END_TEST

/* A peer that asks and never reads: what we owe it is bounded. */
START_TEST(test_a_connection_that_does_not_drain_is_replaced)
{
    static const char line[1001] = {[0 ... 999] = 'x'};
    struct wire_vote notice;
    struct bytes bytes;
    uint32_t conn;
    int64_t from;
    uint32_t sent = 0;

    setup(3);
    bytes_init(&bytes, &heap.mem);
    conn = open_to_2();
    for (int i = 0; i < 1000; i++) {
        EXPECT(give(conn, notification(&bytes, 2), &from, &notice) == 1);
        send_text(2, line);
        EXPECT(effects(FX_CLOSE) == 0);
    }
    drained(conn);
    while (sent < 5000) {
        EXPECT(give(conn, notification(&bytes, 2), &from, &notice) == 1);
        send_text(2, line);
        if (effects(FX_CLOSE) > 0) {
            break;
        }
        sent++;
    }
    EXPECT(sent > 1000 && sent < 1100);
    bytes_drop(&bytes);
    teardown();
}
END_TEST

START_TEST(test_frames_are_cut_wherever_the_bytes_are)
{
    struct wire_vote notice;
    struct bytes bytes;
    struct bytes stream;
    uint32_t conn;
    int64_t from;

    setup(3);
    conn = open_to_2();
    bytes_init(&bytes, &heap.mem);
    bytes_init(&stream, &heap.mem);
    for (int64_t leader = 1; leader <= 3; leader++) {
        struct span frame = notification(&bytes, leader);

        bytes_raw(&stream, frame.at, frame.len);
    }
    for (size_t cut = 0; cut <= stream.len; cut++) {
        struct span rest;
        uint32_t first = give(conn, span_make(stream.at, cut), &from, &notice);

        EXPECT(fx.taken <= cut);
        EXPECT(first == fx.taken / (stream.len / 3));
        rest = bytes_tail(&stream, fx.taken);
        EXPECT(first + give(conn, rest, &from, &notice) == 3);
        EXPECT(rest.len == fx.taken);
        EXPECT(rest.len == 0 || notice.leader == 3);
    }
    bytes_drop(&bytes);
    bytes_drop(&stream);
    teardown();
}
END_TEST

/* ZOOKEEPER-2988, 3769: a malformed notification is dropped and the next one counts. */
START_TEST(test_malformed_notifications_are_skipped)
{
    struct wire_vote notice;
    struct bytes stream;
    struct bytes bytes;
    struct span frame;
    uint32_t conn;
    int64_t from;

    setup(3);
    conn = open_to_2();
    bytes_init(&bytes, &heap.mem);
    bytes_init(&stream, &heap.mem);
    bytes_u32(&stream, 27);
    bytes_fill(&stream, 0, 27);
    bytes_u32(&stream, 44);
    bytes_fill(&stream, 0xff, 44);
    frame = notification(&bytes, 7);
    bytes_raw(&stream, frame.at, frame.len);
    EXPECT(give(conn, bytes_span(&stream), &from, &notice) == 1);
    EXPECT(notice.leader == 7);
    EXPECT(fx.taken == stream.len);
    bytes_drop(&bytes);
    bytes_drop(&stream);
    teardown();
}
END_TEST

START_TEST(test_lengths_out_of_range_end_the_connection)
{
    static const uint32_t lengths[] = {0, WIRE_VOTE_FRAME_MAX + 1, UINT32_MAX, 0x80000000u};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct wire_vote notice;
        struct bytes stream;
        uint32_t conn;
        int64_t from;

        setup(3);
        conn = open_to_2();
        bytes_init(&stream, &heap.mem);
        bytes_u32(&stream, lengths[i]);
        EXPECT(give(conn, bytes_span(&stream), &from, &notice) == 0);
        expect_closed(conn, true);
        EXPECT(refused("length of a notification"));
        EXPECT(!peers_is_connected(&peers, 2));
        bytes_drop(&stream);
        teardown();
    }
}
END_TEST

START_TEST(test_opening_messages_are_not_trusted)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } wrong[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8, "unknown version of the opening message"},
        {"\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\2\0\0\0\0", 20,
         "length in the opening message"},
        {"\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\2\0\0\x08\x01", 20,
         "length in the opening message"},
        {"\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\2\0\0\0\3a:x", 23,
         "malformed opening message"},
        {"\0\0\0\0\0\0\0\3", 8, "uses our own id"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct wire_vote notice;
        int64_t from;

        setup(3);
        opened(CONN_ACCEPTED, LISTENER);
        EXPECT(peers_owns_conn(&peers, CONN_ACCEPTED));
        EXPECT(give(CONN_ACCEPTED, span_make(wrong[i].bytes, wrong[i].len), &from, &notice) == 0);
        expect_closed(CONN_ACCEPTED, true);
        ck_assert_msg(refused(wrong[i].why), "%s", wrong[i].why);
        EXPECT(!peers_owns_conn(&peers, CONN_ACCEPTED));
        teardown();
    }
}
END_TEST

START_TEST(test_a_connection_must_say_who_it_is_in_time)
{
    setup(3);
    opened(CONN_ACCEPTED, LISTENER);
    EXPECT(peers_wake_us(&peers) == now_us + 10 * SECOND);
    later(10 * SECOND);
    expect_closed(CONN_ACCEPTED, true);
    EXPECT(refused("no opening message in time"));
    teardown();
}
END_TEST

START_TEST(test_a_flood_of_connections_is_bounded)
{
    setup(1);
    for (uint32_t i = 0; i < 1000; i++) {
        opened(CONN_ACCEPTED + i, LISTENER);
        EXPECT(effects(FX_CLOSE) == (i < PEERS_WAITING_MAX ? 0 : 1));
        EXPECT(peers.waiting_count <= PEERS_WAITING_MAX);
    }
    give_hello(CONN_ACCEPTED + 999, 2, "127.0.0.1:32382"); /* a real one still gets through */
    EXPECT(peers_is_connected(&peers, 2));
    teardown();
}
END_TEST

START_TEST(test_unknown_ids_are_bounded)
{
    setup(1);
    for (uint32_t i = 0; i < PEERS_STRANGERS_MAX; i++) {
        accept_from(CONN_ACCEPTED + i, 100 + (int64_t)i);
        EXPECT(effects(FX_CLOSE) == 0);
        EXPECT(peers_is_connected(&peers, 100 + (int64_t)i));
    }
    accept_from(CONN_ACCEPTED + 99, 200);
    expect_closed(CONN_ACCEPTED + 99, true);
    EXPECT(refused("too many unknown ids"));
    closed(CONN_ACCEPTED + 5, ERR_OK);
    accept_from(CONN_ACCEPTED + 100, 201); /* takes the place of the one that left */
    EXPECT(peers_is_connected(&peers, 201));
    EXPECT(!peers_is_connected(&peers, 105));
    send_text(201, "hello");
    expect_sent(0, CONN_ACCEPTED + 100, "hello");
    send_text(105, "nobody");
    EXPECT(fx.count == 0);
    EXPECT(peers.count == 3 + PEERS_STRANGERS_MAX);
    teardown();
}
END_TEST

/* Long.MAX_VALUE is an observer without id: it gets a private negative one, and is called back. */
START_TEST(test_observers_without_id)
{
    uint32_t conn;

    setup(1);
    accept_from(CONN_ACCEPTED, INT64_MAX);
    conn = expect_dial("127.0.0.1:4000");
    opened(conn, 0);
    EXPECT(peers_is_connected(&peers, -1));
    accept_from(CONN_ACCEPTED + 1, INT64_MAX);
    conn = expect_dial("127.0.0.1:4000");
    opened(conn, 0);
    EXPECT(peers_is_connected(&peers, -2));
    EXPECT(peers_is_connected(&peers, -1));
    teardown();
}
END_TEST

START_TEST(test_binding_is_tried_three_times)
{
    struct input in = {.kind = IN_LISTENING};

    setup(1);
    fx_clear(&fx);
    peers_listen(&peers, &fx);
    EXPECT(span_is(effect(FX_LISTEN, 0)->bytes, "127.0.0.1:32381"));
    EXPECT(effect(FX_LISTEN, 0)->id == LISTENER);
    in.listening.listener = LISTENER;
    in.listening.err = ERR_EXISTS;
    for (int i = 0; i < 2; i++) {
        fx_clear(&fx);
        peers_on_listening(&peers, &fx, now_us, &in);
        EXPECT(effects(FX_HALT) == 0);
        EXPECT(peers_wake_us(&peers) == now_us + SECOND);
        later(SECOND);
        EXPECT(effects(FX_LISTEN) == 1);
    }
    fx_clear(&fx);
    peers_on_listening(&peers, &fx, now_us, &in);
    EXPECT(effects(FX_HALT) == 1);
    EXPECT(effect(FX_HALT, 0)->a == 14);
    teardown();
}
END_TEST

START_TEST(test_other_memberships_keep_connections_that_stay)
{
    struct membership next;
    struct ensemble ensembles = {.committed = &next};
    struct config_error error;
    uint32_t conn;

    setup(3);
    conn = open_to_2();
    send_text(1, "one");
    EXPECT(membership_parse(&next, &heap.mem,
                            span_text("server.2=x:1:22\nserver.3=127.0.0.1:1:2\nserver.5=y:1:55"),
                            &error) == ERR_OK);
    fx_clear(&fx);
    EXPECT(peers_set_ensemble(&peers, &fx, &ensembles) == ERR_OK);
    EXPECT(effects(FX_CLOSE) == 1); /* the dial to 1 */
    EXPECT(peers_is_connected(&peers, 2));
    send_text(2, "two");
    expect_sent(0, conn, "two");
    closed(conn, ERR_IO);
    send_text(2, "three");
    (void)expect_dial("x:22");
    send_text(5, "hello");
    (void)expect_dial("y:55");
    send_text(1, "gone");
    EXPECT(fx.count == 0);
    peers_drop(&peers);
    membership_drop(&next);
    teardown();
}
END_TEST

START_TEST(test_memory_may_run_out_at_the_start)
{
    struct peers_settings settings;
    uint64_t fail_at = 1;

    setup(3);
    settings = peers.settings;
    peers_drop(&peers);
    for (;; fail_at++) {
        enum err err;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        err = peers_init(&peers, &heap.mem, &ensemble, &settings);
        heap.mem.fail_at = 0;
        if (err == ERR_OK) {
            break;
        }
        EXPECT(err == ERR_MEMORY);
    }
    EXPECT(fail_at > 4);
    settings.sid = 9;
    peers_drop(&peers);
    EXPECT(peers_init(&peers, &heap.mem, &ensemble, &settings) == ERR_MISSING);
    teardown();
}
END_TEST

Suite *suite_peers(void);
Suite *suite_peers(void)
{
    Suite *suite = suite_create("peers");
    TCase *tcase = tcase_create("peers");

    tcase_add_test(tcase, test_the_larger_id_dials_and_speaks_first);
    tcase_add_test(tcase, test_the_smaller_id_nudges_and_is_called_back);
    tcase_add_test(tcase, test_a_nudge_without_answer_is_repeated_by_the_next_message);
    tcase_add_test(tcase, test_a_nudge_is_answered_at_the_address_it_gave);
    tcase_add_test(tcase, test_a_nudge_replaces_what_is_there);
    tcase_add_test(tcase, test_a_new_connection_of_the_larger_id_replaces_the_old);
    tcase_add_test(tcase, test_only_the_newest_message_waits);
    tcase_add_test(tcase, test_dials_fail_and_are_tried_again_with_the_next_message);
    tcase_add_test(tcase, test_several_addresses_are_tried_in_turn);
    tcase_add_test(tcase, test_a_silent_connection_is_replaced);
    tcase_add_test(tcase, test_answers_keep_a_connection);
    tcase_add_test(tcase, test_words_before_a_quiet_hour_do_not_count);
    tcase_add_test(tcase, test_a_connection_that_does_not_drain_is_replaced);
    tcase_add_test(tcase, test_frames_are_cut_wherever_the_bytes_are);
    tcase_add_test(tcase, test_malformed_notifications_are_skipped);
    tcase_add_test(tcase, test_lengths_out_of_range_end_the_connection);
    tcase_add_test(tcase, test_opening_messages_are_not_trusted);
    tcase_add_test(tcase, test_a_connection_must_say_who_it_is_in_time);
    tcase_add_test(tcase, test_a_flood_of_connections_is_bounded);
    tcase_add_test(tcase, test_unknown_ids_are_bounded);
    tcase_add_test(tcase, test_observers_without_id);
    tcase_add_test(tcase, test_binding_is_tried_three_times);
    tcase_add_test(tcase, test_other_memberships_keep_connections_that_stay);
    tcase_add_test(tcase, test_memory_may_run_out_at_the_start);
    suite_add_tcase(suite, tcase);
    return suite;
}
