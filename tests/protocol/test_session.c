#include "base/mem.h"
#include "base/step.h"
#include "protocol/session.h"

#include <check.h>

#define TICK_MS 2000u
#define TICK_US 2000000u

static struct mem_heap heap;
static struct session_tracker tracker;

static void begin(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    session_tracker_init(&tracker, &heap.mem, TICK_MS, 7);
}

static void end(void)
{
    session_tracker_drop(&tracker);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void add(int64_t session, uint32_t timeout_ms, uint64_t now_us)
{
    ck_assert_int_eq(session_tracker_add(&tracker, session, timeout_ms, now_us), ERR_OK);
}

/* ExpiryQueue.roundToNextInterval: ((now + timeout) / tick + 1) * tick. */
START_TEST(test_deadline_is_the_tick_after_now_plus_timeout)
{
    static const struct {
        uint64_t now_us;
        uint32_t timeout_ms;
        uint64_t due_us;
    } rows[] = {
        {0, 4000, 6000000},       {1, 4000, 6000000},      {1999999, 4000, 6000000},
        {2000000, 4000, 8000000}, {500000, 5000, 6000000}, {1000000, 5000, 8000000},
        {0, 1, 2000000},          {0, 40000, 42000000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct session_view view;

        begin();
        add(5, rows[i].timeout_ms, rows[i].now_us);
        ck_assert(session_tracker_view(&tracker, 5, &view));
        ck_assert_uint_eq(view.due_us, rows[i].due_us);
        ck_assert_uint_eq(session_tracker_due_us(&tracker), rows[i].due_us);
        end();
    }
}
END_TEST

START_TEST(test_expires_at_its_deadline_and_not_before)
{
    int64_t session = 0;

    begin();
    add(5, 4000, 0);

    ck_assert(!session_tracker_expire(&tracker, 5999999, &session));
    ck_assert(session_tracker_expire(&tracker, 6000000, &session));
    ck_assert_int_eq(session, 5);
    ck_assert(!session_tracker_expire(&tracker, 6000000, &session));
    ck_assert_uint_eq(session_tracker_due_us(&tracker), WAKE_NEVER);
    end();
}
END_TEST

START_TEST(test_touch_moves_the_deadline)
{
    int64_t session = 0;

    begin();
    add(5, 4000, 0);

    ck_assert_int_eq(session_tracker_touch(&tracker, 5, 0, 3000000), SESSION_OK);
    ck_assert(!session_tracker_expire(&tracker, 7999999, &session));
    ck_assert(session_tracker_expire(&tracker, 8000000, &session));
    ck_assert_int_eq(session_tracker_touch(&tracker, 5, 0, 8000000), SESSION_CLOSING);
    ck_assert_int_eq(session_tracker_touch(&tracker, 6, 0, 8000000), SESSION_UNKNOWN);
    end();
}
END_TEST

/* A learner may have negotiated another timeout when the client came back to it. */
START_TEST(test_touch_takes_the_timeout_of_the_learner)
{
    struct session_view view;

    begin();
    add(5, 4000, 0);

    ck_assert_int_eq(session_tracker_touch(&tracker, 5, 20000, 0), SESSION_OK);

    ck_assert(session_tracker_view(&tracker, 5, &view));
    ck_assert_uint_eq(view.timeout_ms, 20000);
    ck_assert_uint_eq(view.due_us, 22000000);
    end();
}
END_TEST

/* One bucket expires in the order in which its sessions entered it, whatever their ids. */
START_TEST(test_one_bucket_expires_in_order_of_entry)
{
    static const int64_t order[] = {9, -3, 4};
    int64_t session = 0;

    begin();
    add(9, 4000, 0);
    add(-3, 4000, 100);
    add(4, 4000, 200);
    add(1, 9000, 0);

    for (size_t i = 0; i < 3; i++) {
        ck_assert(session_tracker_expire(&tracker, 6000000, &session));
        ck_assert_int_eq(session, order[i]);
    }
    ck_assert(!session_tracker_expire(&tracker, 6000000, &session));
    ck_assert_uint_eq(tracker.count, 4); /* known, closing, until removed */
    end();
}
END_TEST

/* ZOOKEEPER-1496: an expired session is closing, not forgotten. ZOOKEEPER-1208: closing refuses. */
START_TEST(test_closing_session_refuses_until_removed)
{
    begin();
    add(5, 4000, 0);
    session_tracker_set_owner(&tracker, 5, SESSION_OWNER_LOCAL);

    ck_assert(session_tracker_set_closing(&tracker, 5));
    ck_assert(session_tracker_is_closing(&tracker, 5));
    ck_assert_int_eq(session_tracker_check(&tracker, 5, SESSION_OWNER_LOCAL), SESSION_CLOSING);
    ck_assert_int_eq(session_tracker_revalidate(&tracker, 5, 4000, SESSION_OWNER_LOCAL, 0),
                     SESSION_CLOSING);
    add(5, 4000, 0);
    ck_assert(session_tracker_is_closing(&tracker, 5));
    ck_assert_uint_eq(session_tracker_due_us(&tracker), WAKE_NEVER);

    session_tracker_remove(&tracker, 5);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, SESSION_OWNER_LOCAL), SESSION_UNKNOWN);
    ck_assert(!session_tracker_set_closing(&tracker, 5));
    end();
}
END_TEST

/* SessionTrackerImpl.checkSession: the first to ask owns it; a re-attachment moves it. */
START_TEST(test_owner_moves_only_with_revalidation)
{
    const uint64_t learner = SESSION_OWNER_LEARNERS + 4;

    begin();
    add(5, 4000, 0);

    ck_assert_int_eq(session_tracker_check(&tracker, 5, learner), SESSION_OK);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, SESSION_OWNER_LOCAL), SESSION_MOVED);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, learner + 1), SESSION_MOVED);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, learner), SESSION_OK);

    ck_assert_int_eq(session_tracker_revalidate(&tracker, 5, 6000, SESSION_OWNER_LOCAL, 0),
                     SESSION_OK);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, SESSION_OWNER_LOCAL), SESSION_OK);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, learner), SESSION_MOVED);
    /* A touch from the old server keeps it alive but does not take it back (ZOOKEEPER-710). */
    ck_assert_int_eq(session_tracker_touch(&tracker, 5, 0, 0), SESSION_OK);
    ck_assert_int_eq(session_tracker_check(&tracker, 5, SESSION_OWNER_LOCAL), SESSION_OK);
    ck_assert_int_eq(session_tracker_revalidate(&tracker, 6, 6000, learner, 0), SESSION_UNKNOWN);
    end();
}
END_TEST

/* A hundred sessions with touches at odd times, against a model that keeps plain deadlines. */
START_TEST(test_agrees_with_a_plain_model)
{
    uint64_t due[100];
    uint64_t now = 0;
    uint64_t draw = 12345;

    begin();
    for (uint32_t i = 0; i < 100; i++) {
        add(i + 1, 4000 + 137 * i, 0);
        due[i] = ((uint64_t)(4000 + 137 * i) * 1000 / TICK_US + 1) * TICK_US;
    }
    for (uint32_t step = 0; step < 5000; step++) {
        uint32_t which;
        int64_t session;
        uint32_t expected = 0;

        draw = draw * 6364136223846793005u + 1442695040888963407u;
        which = (uint32_t)(draw >> 33) % 100;
        now += (draw >> 40) % 9000;
        if (due[which] != WAKE_NEVER) {
            uint64_t timeout_us = (uint64_t)(4000 + 137 * which) * 1000;

            ck_assert_int_eq(session_tracker_touch(&tracker, which + 1, 0, now), SESSION_OK);
            due[which] = ((now + timeout_us) / TICK_US + 1) * TICK_US;
        }
        for (uint32_t i = 0; i < 100; i++) {
            expected += due[i] <= now ? 1 : 0;
        }
        for (uint32_t i = 0; i < expected; i++) {
            ck_assert(session_tracker_expire(&tracker, now, &session));
            ck_assert_uint_le(due[session - 1], now);
            due[session - 1] = WAKE_NEVER;
        }
        ck_assert(!session_tracker_expire(&tracker, now, &session));
    }
    end();
}
END_TEST

START_TEST(test_survives_lack_of_memory)
{
    for (uint64_t fail_at = 1; fail_at < 30; fail_at++) {
        begin();
        heap.mem.fail_at = fail_at;
        for (int64_t i = 1; i < 20; i++) {
            (void)session_tracker_add(&tracker, i, 4000u + 1000u * (uint32_t)i, 0);
            (void)session_tracker_touch(&tracker, i, 0, 5000000);
        }
        end();
    }
}
END_TEST

START_TEST(test_touches_list_a_session_once_a_generation)
{
    struct session_touches touches;
    struct bytes out;
    uint64_t seen_a = 0;
    uint64_t seen_b = 0;
    struct session_touch a = {.session = 0x0102030405060708, .timeout_ms = 4000};
    struct session_touch b = {.session = 2, .timeout_ms = 0x01020304};
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x0f, 0xa0,
                                   0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3,    4};

    mem_heap_init(&heap, UINT64_MAX);
    session_touches_init(&touches, &heap.mem);
    bytes_init(&out, &heap.mem);

    session_touches_put(&touches, a, &seen_a);
    session_touches_put(&touches, b, &seen_b);
    session_touches_put(&touches, a, &seen_a);
    session_touches_take(&touches, &out);
    ck_assert(span_equal(bytes_span(&out), span_make(want, sizeof(want))));

    bytes_clear(&out);
    session_touches_take(&touches, &out);
    ck_assert_uint_eq(out.len, 0);
    session_touches_put(&touches, a, &seen_a);
    session_touches_take(&touches, &out);
    ck_assert_uint_eq(out.len, 12);

    bytes_drop(&out);
    session_touches_drop(&touches);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}
END_TEST

/* SessionTrackerImpl.initializeNextSessionId; the sign bit of the clock must not reach the server
 * id (ZOOKEEPER-1622). */
START_TEST(test_ids_hold_server_and_clock)
{
    struct session_ids ids;

    session_ids_init(&ids, 1, 0x13874);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x0100000138740000u);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x0100000138740001u);

    session_ids_init(&ids, 3, (int64_t)0xabcdffffffffffu);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x03ffffffffff0000u);

    session_ids_init(&ids, 255, -1);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0xffffffffffff0000u);
}
END_TEST

START_TEST(test_ids_are_never_zero_nor_a_mark)
{
    struct session_ids ids;

    session_ids_init(&ids, 0, 0);
    ck_assert_int_eq(session_ids_next(&ids), 1);
    session_ids_init(&ids, 0x80, 0);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x8000000000000001u);
    /* The counter wraps within the bytes below the server id. */
    ids = (struct session_ids){.next = 0x05ffffffffffffffu, .server_id = 5};
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x05ffffffffffffffu);
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x0500000000000000u);
}
END_TEST

START_TEST(test_ids_go_on_above_what_was_seen)
{
    struct session_ids ids;

    session_ids_init(&ids, 2, 1000);
    session_ids_seen(&ids, 0x0300000000ffffff); /* of another server */
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x0200000003e80000u);
    session_ids_seen(&ids, 0x0200000003e80000); /* below */
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x0200000003e80001u);
    session_ids_seen(&ids, 0x0200000099999999); /* the clock went back since */
    ck_assert_uint_eq((uint64_t)session_ids_next(&ids), 0x020000009999999au);
}
END_TEST

/* vectors/client/connect.txt and create.txt: as Apache 3.8.0 gave them out. */
START_TEST(test_password_is_that_of_apache)
{
    static const struct {
        int64_t session;
        uint8_t password[16];
    } rows[] = {
        {0x100001387410000,
         {0xc5, 0x18, 0xda, 0x20, 0x6e, 0xbb, 0x4e, 0x67, 0xab, 0x6d, 0x53, 0x8e, 0x67, 0x9c, 0x53,
          0x87}},
        {0x100001387410005,
         {0x24, 0xbe, 0xbc, 0x20, 0x8e, 0x35, 0xab, 0xbf, 0x75, 0xbc, 0x57, 0x67, 0x89, 0x48, 0xba,
          0x88}},
        {0x100000000123456,
         {0xbc, 0x1c, 0xff, 0xf3, 0x6d, 0xe5, 0xfa, 0xf0, 0xf1, 0xb2, 0x0a, 0x3b, 0x69, 0xb2, 0x81,
          0x2f}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span right = span_make(rows[i].password, 16);
        uint8_t made[SESSION_PASSWORD_SIZE];

        session_password(rows[i].session, made);
        ck_assert_mem_eq(made, rows[i].password, 16);
        ck_assert(session_password_is(rows[i].session, right));
        ck_assert(!session_password_is(rows[i].session + 1, right));
        ck_assert(!session_password_is(rows[i].session, span_make(right.at, 15)));
        ck_assert(!session_password_is(rows[i].session, span_make(NULL, 0)));
    }
}
END_TEST

/* Session 0 is "none": even its derived password does not validate it. */
START_TEST(test_session_zero_never_validates)
{
    uint8_t made[SESSION_PASSWORD_SIZE];

    session_password(0, made);
    ck_assert(!session_password_is(0, span_make(made, sizeof(made))));
}
END_TEST

Suite *suite_session(void)
{
    Suite *suite = suite_create("session");
    TCase *tracking = tcase_create("tracker");
    TCase *ids = tcase_create("ids");

    tcase_add_test(tracking, test_deadline_is_the_tick_after_now_plus_timeout);
    tcase_add_test(tracking, test_expires_at_its_deadline_and_not_before);
    tcase_add_test(tracking, test_touch_moves_the_deadline);
    tcase_add_test(tracking, test_touch_takes_the_timeout_of_the_learner);
    tcase_add_test(tracking, test_one_bucket_expires_in_order_of_entry);
    tcase_add_test(tracking, test_closing_session_refuses_until_removed);
    tcase_add_test(tracking, test_owner_moves_only_with_revalidation);
    tcase_add_test(tracking, test_agrees_with_a_plain_model);
    tcase_add_test(tracking, test_survives_lack_of_memory);
    tcase_add_test(tracking, test_touches_list_a_session_once_a_generation);
    suite_add_tcase(suite, tracking);
    tcase_add_test(ids, test_ids_hold_server_and_clock);
    tcase_add_test(ids, test_ids_are_never_zero_nor_a_mark);
    tcase_add_test(ids, test_ids_go_on_above_what_was_seen);
    tcase_add_test(ids, test_password_is_that_of_apache);
    tcase_add_test(ids, test_session_zero_never_validates);
    suite_add_tcase(suite, ids);
    return suite;
}
