#include "base/rand.h"
#include "base/step.h"
#include "tests/expect.h"

#include <check.h>
#include <signal.h>

static struct mem_heap heap;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

static struct effect effect_at(const struct fx *fx, uint32_t index)
{
    EXPECT(index < fx->count);
    return fx->list[index];
}

static void check_file(struct effect effect, enum fx_kind kind, const char *name, uint64_t tag)
{
    EXPECT((int)effect.kind == (int)kind);
    EXPECT(effect.id == DIR_LOG);
    EXPECT(span_is(effect.name, name));
    EXPECT(effect.b == tag);
}

START_TEST(test_network_effects_carry_their_fields)
{
    struct fx fx;
    struct span lent = span_text("lent");

    fx_init(&fx, &heap.mem);
    fx_clear(&fx);
    fx_listen(&fx, 3, span_text("host:1"));
    fx_unlisten(&fx, 4);
    fx_dial(&fx, 5, span_text("host:2"));
    fx_send(&fx, 6, span_text("data"));
    fx_send_lent(&fx, 7, lent);
    fx_close(&fx, 8, true);
    fx_throttle(&fx, 9, true);
    fx_post(&fx, 10, span_text("post"));

    EXPECT(fx.count == 8);
    for (uint32_t i = 0; i < 8; i++) {
        static const enum fx_kind kinds[] = {FX_LISTEN, FX_UNLISTEN, FX_DIAL,     FX_SEND,
                                             FX_SEND,   FX_CLOSE,    FX_THROTTLE, FX_POST};

        EXPECT((int)effect_at(&fx, i).kind == (int)kinds[i]);
        EXPECT(effect_at(&fx, i).id == i + 3);
    }
    EXPECT(span_is(effect_at(&fx, 0).bytes, "host:1"));
    EXPECT(span_is(effect_at(&fx, 2).bytes, "host:2"));
    EXPECT(span_is(effect_at(&fx, 3).bytes, "data"));
    EXPECT(effect_at(&fx, 4).bytes.at == lent.at);
    EXPECT(effect_at(&fx, 5).a == 1);
    EXPECT(effect_at(&fx, 6).a == 1);
    EXPECT(span_is(effect_at(&fx, 7).bytes, "post"));
    fx_drop(&fx);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_file_effects_carry_their_fields)
{
    struct fx fx;
    struct span lent = span_text("lent");

    fx_init(&fx, &heap.mem);
    fx_read(&fx, DIR_LOG, span_text("n0"), 10, 11, 1);
    fx_append_lent(&fx, DIR_LOG, span_text("n1"), 12, lent, 2);
    fx_sync(&fx, DIR_LOG, span_text("n2"), 3);
    fx_truncate(&fx, DIR_LOG, span_text("n3"), 13, 4);
    fx_rename(&fx, DIR_LOG, span_text("n4"), span_text("m4"), 5);
    fx_replace(&fx, DIR_LOG, span_text("n5"), span_text("body"), 6);
    fx_remove(&fx, DIR_LOG, span_text("n6"), 7);

    check_file(effect_at(&fx, 0), FX_READ, "n0", 1);
    EXPECT(effect_at(&fx, 0).a == 10);
    EXPECT(effect_at(&fx, 0).c == 11);
    check_file(effect_at(&fx, 1), FX_APPEND, "n1", 2);
    EXPECT(effect_at(&fx, 1).a == 12);
    EXPECT(effect_at(&fx, 1).bytes.at == lent.at);
    check_file(effect_at(&fx, 2), FX_SYNC, "n2", 3);
    check_file(effect_at(&fx, 3), FX_TRUNCATE, "n3", 4);
    EXPECT(effect_at(&fx, 3).a == 13);
    check_file(effect_at(&fx, 4), FX_RENAME, "n4", 5);
    EXPECT(span_is(effect_at(&fx, 4).bytes, "m4"));
    check_file(effect_at(&fx, 5), FX_REPLACE, "n5", 6);
    EXPECT(span_is(effect_at(&fx, 5).bytes, "body"));
    check_file(effect_at(&fx, 6), FX_REMOVE, "n6", 7);
    fx_drop(&fx);
}
END_TEST

START_TEST(test_other_effects_carry_their_fields)
{
    struct fx fx;

    fx_init(&fx, &heap.mem);
    fx_answer(&fx, 77, span_text("yes"));
    fx_note(&fx, 5, 1, 2, 3, span_text("note"));
    fx_halt(&fx, 9, span_text("why"));

    EXPECT((int)effect_at(&fx, 0).kind == FX_ANSWER);
    EXPECT(effect_at(&fx, 0).b == 77);
    EXPECT(span_is(effect_at(&fx, 0).bytes, "yes"));
    EXPECT((int)effect_at(&fx, 1).kind == FX_NOTE);
    EXPECT(effect_at(&fx, 1).id == 5);
    EXPECT(effect_at(&fx, 1).a == 1);
    EXPECT(effect_at(&fx, 1).b == 2);
    EXPECT(effect_at(&fx, 1).c == 3);
    EXPECT(span_is(effect_at(&fx, 1).bytes, "note"));
    EXPECT((int)effect_at(&fx, 2).kind == FX_HALT);
    EXPECT(effect_at(&fx, 2).a == 9);
    EXPECT(span_is(effect_at(&fx, 2).bytes, "why"));
    fx_drop(&fx);
}
END_TEST

START_TEST(test_the_earliest_wake_up_counts_until_cleared)
{
    struct fx fx;

    fx_init(&fx, &heap.mem);
    EXPECT(fx.wake_us == WAKE_NEVER);
    fx_wake(&fx, 100);
    fx_wake(&fx, 50);
    fx_wake(&fx, 70);
    EXPECT(fx.wake_us == 50);
    fx.taken = 4;
    fx_send(&fx, 1, span_text("a"));
    fx_clear(&fx);

    EXPECT(fx.wake_us == WAKE_NEVER);
    EXPECT(fx.taken == 0);
    EXPECT(fx.count == 0);
    fx_drop(&fx);
}
END_TEST

/* Many copies of all sizes: none moves, none overlaps, and nothing is lost between steps. */
START_TEST(test_copies_stay_where_they_are)
{
    static uint8_t source[300000];
    static struct span copies[2000];
    static size_t sizes[2000];
    struct fx fx;
    struct rand rand;

    rand_init(&rand, 4);
    fx_init(&fx, &heap.mem);
    for (uint32_t step = 0; step < 20; step++) {
        fx_clear(&fx);
        for (uint32_t i = 0; i < 2000; i++) {
            sizes[i] = (size_t)rand_below(&rand, i % 500 == 99 ? sizeof(source) : 200);
            memset(source, (int)(i % 251), sizes[i]);
            copies[i] = fx_copy(&fx, span_make(source, sizes[i]));
            fx_send_lent(&fx, i, copies[i]);
        }
        EXPECT(!fx.failed);
        for (uint32_t i = 0; i < 2000; i++) {
            EXPECT(copies[i].len == sizes[i]);
            EXPECT(effect_at(&fx, i).id == i);
            memset(source, (int)(i % 251), sizes[i]);
            EXPECT(span_equal(copies[i], span_make(source, sizes[i])));
        }
    }
    fx_drop(&fx);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_steady_steps_do_not_allocate)
{
    struct fx fx;
    uint64_t gets = 0;

    fx_init(&fx, &heap.mem);
    for (uint32_t step = 0; step < 100; step++) {
        fx_clear(&fx);
        for (uint32_t i = 0; i < 300; i++) {
            struct bytes *out = fx_out(&fx);

            bytes_fill(out, 7, 100);
            fx_send(&fx, 1, bytes_span(out));
        }
        if (step == 10) {
            gets = heap.mem.get_count;
        }
    }
    EXPECT(heap.mem.get_count == gets);
    fx_drop(&fx);
}
END_TEST

START_TEST(test_one_huge_step_does_not_hold_memory_for_ever)
{
    static uint8_t source[1 << 20];
    struct fx fx;

    fx_init(&fx, &heap.mem);
    for (uint32_t i = 0; i < 10; i++) {
        fx_send(&fx, 1, span_make(source, sizeof(source)));
        bytes_raw(fx_out(&fx), source, sizeof(source));
    }
    EXPECT(heap.mem.used_bytes > 10u << 20);
    fx_clear(&fx);
    EXPECT(heap.mem.used_bytes < 1u << 20);
    for (uint32_t i = 0; i < 10000; i++) {
        fx_copy(&fx, span_make(source, 1000));
    }
    EXPECT(heap.mem.used_bytes > 9u << 20);
    fx_clear(&fx);
    EXPECT(heap.mem.used_bytes < 2u << 20);
    fx_send(&fx, 1, span_text("still works"));

    EXPECT(span_is(effect_at(&fx, 0).bytes, "still works"));
    fx_drop(&fx);
}
END_TEST

/* At whatever allocation memory runs out, the driver learns it and nothing half encoded goes out.
 */
START_TEST(test_every_failed_allocation_is_reported)
{
    bool whole = false;

    for (uint64_t fail_at = 1; !whole; fail_at++) {
        struct fx fx;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        fx_init(&fx, &heap.mem);
        for (uint32_t i = 0; i < 200; i++) {
            struct bytes *out = fx_out(&fx);

            bytes_fill(out, (uint8_t)i, i * 10);
            fx_send(&fx, i, bytes_span(out));
        }
        whole = !fx.failed;
        EXPECT(whole == (fx.count == 200));
        for (uint32_t i = 0; i < fx.count; i++) {
            EXPECT(effect_at(&fx, i).id == i);
            EXPECT(effect_at(&fx, i).bytes.len == i * 10);
        }
        fx_clear(&fx);
        EXPECT(!fx.failed);
        fx_drop(&fx);
        EXPECT(heap.mem.used_bytes == 0);
        EXPECT(fail_at < 100);
    }
}
END_TEST

START_TEST(test_kinds_have_names)
{
    for (int a = IN_BOOT; a <= IN_ASK; a++) {
        for (int b = IN_BOOT; b < a; b++) {
            ck_assert_str_ne(in_kind_name((enum in_kind)a), in_kind_name((enum in_kind)b));
        }
    }
    for (int a = FX_LISTEN; a <= FX_HALT; a++) {
        for (int b = FX_LISTEN; b < a; b++) {
            ck_assert_str_ne(fx_kind_name((enum fx_kind)a), fx_kind_name((enum fx_kind)b));
        }
    }
    ck_assert_str_eq(in_kind_name(IN_OPENED), "opened");
    ck_assert_str_eq(fx_kind_name(FX_SEND), "send");
}
END_TEST

START_TEST(test_dialing_an_accepted_number_is_our_mistake)
{
    struct fx fx;

    fx_init(&fx, &heap.mem);
    fx_dial(&fx, CONN_ACCEPTED, span_text("host:1"));
}
END_TEST

Suite *suite_step(void)
{
    Suite *suite = suite_create("step");
    TCase *tcase = tcase_create("step");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, test_network_effects_carry_their_fields);
    tcase_add_test(tcase, test_file_effects_carry_their_fields);
    tcase_add_test(tcase, test_other_effects_carry_their_fields);
    tcase_add_test(tcase, test_the_earliest_wake_up_counts_until_cleared);
    tcase_add_test(tcase, test_copies_stay_where_they_are);
    tcase_add_test(tcase, test_steady_steps_do_not_allocate);
    tcase_add_test(tcase, test_one_huge_step_does_not_hold_memory_for_ever);
    tcase_add_test(tcase, test_every_failed_allocation_is_reported);
    tcase_add_test(tcase, test_kinds_have_names);
    tcase_add_test_raise_signal(tcase, test_dialing_an_accepted_number_is_our_mistake, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
