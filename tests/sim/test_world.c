#include "sim/help_guest.h"

#include "base/rand.h"
#include "tests/expect.h"

#include <check.h>

/* A guest that uses everything: a mesh of streams with random chatter, datagrams, files, clocks. */
#define MESH 4u
/* Of seed 7 after five seconds. Changes with the world and with base, not with the build. */
#define WORLD_FINGERPRINT 11849459349671100671u

struct chatter {
    struct rand rand;
    uint64_t wake_us, log_size;
    uint32_t conns[MESH * 2];
    uint32_t conn_count;
    uint32_t index;
    bool syncing;
};

static void chatter_address(struct text *text, char room[8], uint32_t index)
{
    text_init(text, room, 8);
    text_char(text, 'p');
    text_u64(text, index);
    text_str(text, ":1");
}

static void *chatter_make(struct mem *mem, struct span config)
{
    struct chatter *self = mem_get_zero(mem, sizeof(*self));

    if (self != NULL) {
        self->index = config.at[0];
    }
    return self;
}

static void chatter_boot(struct chatter *self, const struct input *in, struct fx *fx)
{
    char room[8];
    struct text text;

    rand_init(&self->rand, in->boot.seed);
    for (uint32_t i = 0; i < in->boot.count; i++) {
        self->log_size = in->boot.files[i].dir == DIR_LOG ? in->boot.files[i].size : self->log_size;
    }
    chatter_address(&text, room, self->index);
    fx_listen(fx, 1, span_make(text.at, text.len));
    for (uint32_t i = 0; i < MESH; i++) {
        chatter_address(&text, room, i);
        fx_dial(fx, i, span_make(text.at, text.len));
    }
}

static void chatter_talk(struct chatter *self, struct fx *fx)
{
    uint64_t words[16];
    uint64_t len = 1 + rand_below(&self->rand, 16);

    for (uint64_t i = 0; i < len; i++) {
        words[i] = rand_next(&self->rand);
    }
    if (self->conn_count > 0) {
        fx_send(fx, self->conns[rand_below(&self->rand, self->conn_count)],
                span_make(words, len * 8));
    }
    if (rand_below(&self->rand, 3) == 0) {
        fx_post(fx, (uint32_t)rand_below(&self->rand, MESH), span_make(words, 8));
    }
    if (rand_below(&self->rand, 3) == 0) {
        struct span copy = fx_copy(fx, span_make(words, len * 8));

        fx_append_lent(fx, DIR_LOG, span_text("log"), self->log_size, copy, 0);
        self->log_size += len * 8;
        if (!self->syncing) {
            fx_sync(fx, DIR_LOG, span_text("log"), 1);
            self->syncing = true;
        }
    }
    if (rand_below(&self->rand, 20) == 0) {
        fx_replace(fx, DIR_DATA, span_text("epoch"), span_make(words, 8), 2);
    }
    fx_note(fx, 1, words[0], len, self->log_size, span_make(NULL, 0));
}

static void chatter_step(void *context, const struct input *in, struct fx *fx)
{
    struct chatter *self = context;

    if (in->kind == IN_BOOT) {
        chatter_boot(self, in, fx);
    } else if (in->kind == IN_OPENED && self->conn_count < MESH * 2) {
        self->conns[self->conn_count++] = in->opened.conn;
    } else if (in->kind == IN_CLOSED) {
        for (uint32_t i = 0; i < self->conn_count; i++) {
            if (self->conns[i] == in->closed.conn) {
                self->conns[i] = self->conns[--self->conn_count];
            }
        }
        if (in->closed.conn < CONN_ACCEPTED && rand_below(&self->rand, 2) == 0) {
            char room[8];
            struct text text;

            chatter_address(&text, room, in->closed.conn);
            fx_dial(fx, in->closed.conn, span_make(text.at, text.len));
        }
    } else if (in->kind == IN_BYTES) {
        fx->taken = in->bytes.span.len / 8 * 8;
        if (rand_below(&self->rand, 2) == 0) {
            chatter_talk(self, fx);
        }
    } else if (in->kind == IN_DONE && in->done.tag == 1) {
        self->syncing = false;
    }
    if (self->wake_us <= in->mono_us) {
        chatter_talk(self, fx);
        self->wake_us = in->mono_us + 1000 + rand_below(&self->rand, 20000);
    }
    fx_wake(fx, self->wake_us);
}

static const struct process_ops chatter_ops = {"chatter", chatter_make, chatter_step, NULL};

/* Faults at random, by the world's own draws. */
static void trouble(struct sim *sim, void *context, uint64_t nth)
{
    uint64_t draw = sim_draw(sim, 1, 2, nth);
    uint32_t p = (uint32_t)(draw % MESH);
    uint32_t q = (uint32_t)((draw >> 8) % MESH);
    struct sim_link link;
    struct sim_clock clock = {.offset_ms = (int64_t)(draw >> 40) % 1000,
                              .rate_ppm = (int32_t)(draw >> 48) % 100000};

    switch ((draw >> 16) % 12) {
    case 0:
        sim_crash(sim, p, SIM_KILL);
        break;
    case 1:
        sim_crash(sim, p, SIM_POWER);
        break;
    case 2:
        sim_pause(sim, p);
        break;
    case 3:
        sim_resume(sim, p);
        break;
    case 4:
        sim_get_link(sim, p, q, &link);
        link.cut = !link.cut;
        link.stall = (draw >> 20) % 2 == 0;
        link.chop_ppm = 200000;
        link.reorder_ppm = 200000;
        link.double_ppm = 100000;
        link.lose_ppm = 50000;
        link.reset_ppm = 1000;
        sim_set_link(sim, p, q, &link);
        break;
    case 5:
        sim_break(sim, p, q, (draw >> 20) % 2 == 0 ? SIM_ALL : q);
        break;
    case 6:
        sim_set_clock(sim, p, &clock);
        break;
    default:
        for (uint32_t i = 0; i < MESH; i++) {
            sim_start(sim, i);
        }
        break;
    }
    sim_schedule(sim, sim_now(sim) + 1 + draw % 50000, trouble, context, nth + 1);
}

static void mesh_fill(struct sim *sim)
{
    for (uint32_t i = 0; i < MESH; i++) {
        char name[8];
        struct text text;
        uint8_t index = (uint8_t)i;
        struct sim_disk disk;

        chatter_address(&text, name, i);
        name[2] = '\0';
        EXPECT(sim_add(sim, name, &chatter_ops, span_make(&index, 1)) == i);
        sim_get_disk(sim, i, &disk);
        disk.keep_ppm = 400000;
        disk.tear_ppm = 300000;
        sim_set_disk(sim, i, &disk);
        sim_start(sim, i);
    }
    sim_schedule(sim, 10000, trouble, NULL, 1);
}

static struct sim *mesh_open(uint64_t seed, bool elsewhere, uint8_t fill)
{
    const struct sim_options options = {
        .seed = seed, .process_bytes = 1u << 20, .fill = fill, .elsewhere = elsewhere};
    struct sim *sim = sim_open(&options);

    EXPECT(sim != NULL);
    mesh_fill(sim);
    return sim;
}

/* Everything that must be equal in two runs. */
static uint64_t mesh_sum(const struct sim *sim)
{
    struct sim_counts counts;
    struct sim_finding finding;

    EXPECT(!sim_get_finding(sim, &finding));
    sim_get_counts(sim, &counts);
    EXPECT(counts.events > 1000 && counts.crashes > 5);
    return sim_fingerprint(sim) ^ counts.events * 3 ^ counts.messages * 5 ^ sim_digest(sim);
}

START_TEST(test_equal_worlds_run_equally)
{
    uint64_t last = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        uint64_t sums[4];

        for (uint32_t run = 0; run < 4; run++) {
            struct sim *sim = mesh_open(seed, run == 2, run == 3 ? 0xff : 0);

            sim_run(sim, 5000000);
            sums[run] = mesh_sum(sim);
            sim_close(sim);
        }
        EXPECT(sums[0] == sums[1]);
        EXPECT(sums[0] == sums[2]);
        EXPECT(sums[0] == sums[3]);
        EXPECT(sums[0] != last);
        last = sums[0];
    }
}
END_TEST

/* The same numbers under every compiler, optimisation and sanitizer. */
START_TEST(test_the_fingerprint_is_that_of_every_build)
{
    struct sim *sim = mesh_open(7, false, 0);

    sim_run(sim, 5000000);
    ck_assert_uint_eq(sim_fingerprint(sim), WORLD_FINGERPRINT);
    sim_close(sim);
}
END_TEST

START_TEST(test_stepping_and_running_are_the_same)
{
    struct sim *one = mesh_open(3, false, 0);
    struct sim *two = mesh_open(3, false, 0); /* beside the first */

    sim_run(one, 2000000);
    while (sim_next(two, 2000000)) {
    }
    EXPECT(sim_fingerprint(one) == sim_fingerprint(two));
    EXPECT(sim_now(one) == sim_now(two));
    sim_close(one);
    sim_close(two);
}
END_TEST

START_TEST(test_a_saved_world_goes_on_as_it_did)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim *sim = mesh_open(seed, false, 0x11);
        struct sim_image *image;
        uint64_t sums[4];
        uint64_t digest;

        sim_run(sim, 1000000);
        image = sim_save(sim);
        EXPECT(image != NULL);
        digest = sim_digest(sim);
        for (uint32_t run = 0; run < 3; run++) {
            sim_run(sim, 4000000);
            sums[run] = mesh_sum(sim);
            sim_load(sim, image);
            EXPECT(sim_now(sim) == 1000000);
            EXPECT(sim_digest(sim) == digest);
        }
        sim_image_drop(image);
        sim_close(sim);
        EXPECT(sums[0] == sums[1] && sums[1] == sums[2]);
    }
}
END_TEST

START_TEST(test_a_saved_world_can_take_another_course)
{
    struct sim *sim = mesh_open(2, false, 0);
    struct sim_image *image;
    uint64_t first;

    sim_run(sim, 1000000);
    image = sim_save(sim);
    sim_run(sim, 2000000);
    first = sim_fingerprint(sim);
    sim_load(sim, image);
    for (uint32_t i = 0; i < MESH; i++) {
        sim_crash(sim, i, SIM_POWER);
    }
    sim_run(sim, 2000000);

    EXPECT(sim_fingerprint(sim) != first);
    sim_image_drop(image);
    sim_close(sim);
}
END_TEST

START_TEST(test_worlds_open_and_close_in_a_loop)
{
    for (uint32_t i = 0; i < 2000; i++) {
        struct sim *sim = mesh_open(i, i % 2 == 1, (uint8_t)i);

        sim_run(sim, 1000);
        sim_close(sim);
    }
}
END_TEST

START_TEST(test_too_many_worlds_at_once_are_refused)
{
    struct sim *worlds[64];
    uint32_t count = 0;

    while (count < 64) {
        const struct sim_options options = {.process_bytes = 1u << 20};

        worlds[count] = sim_open(&options);
        if (worlds[count] == NULL) {
            break;
        }
        count++;
    }
    EXPECT(count >= 2 && count < 64);
    for (uint32_t i = 0; i < count; i++) {
        sim_close(worlds[i]);
    }
    worlds[0] = guest_world(0);
    sim_close(worlds[0]);
}
END_TEST

/* ---- trace ---- */
struct lines {
    char at[4096];
    struct text text;
};

static void lines_add(void *context, struct span line)
{
    struct lines *lines = context;

    text_span(&lines->text, line);
    text_char(&lines->text, '\n');
}

static void teller(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("t:5"));
    }
    if (in->kind == IN_ASK) {
        fx_append_lent(fx, DIR_LOG, span_text("log"), 0, span_text("x"), 0);
        fx_note(fx, 3, 255, 7, 0, span_text("so"));
        fx_note(fx, 4, 1, 2, 3, span_make(NULL, 0));
        fx_post(fx, 0, span_text("me"));
    }
}

static const struct sim_note teller_notes[] = {
    {.kind = 3, .word = "elected", .a = "peer_epoch", .b = "round", .bytes = "why", .role = true},
    {.kind = 4, .word = "acks", .a = "", .b = "id", .c = NULL},
};

static void trace_at(enum sim_trace level, const char *want)
{
    struct lines lines;
    struct sim_options options = {.process_bytes = 1u << 20,
                                  .trace = level,
                                  .trace_line = lines_add,
                                  .trace_context = &lines};
    struct sim *sim;

    text_init(&lines.text, lines.at, sizeof(lines.at));
    sim = sim_open(&options);
    sim_set_notes(sim, teller_notes, 2);
    (void)guest_add(sim, "t", teller);
    sim_start(sim, 0);
    sim_ask(sim, 0, 9, span_text("go"));
    sim_run(sim, 1234567);
    sim_crash(sim, 0, SIM_POWER);
    sim_close(sim);
    ck_assert_str_eq(lines.at, want);
}

START_TEST(test_trace_lines)
{
    trace_at(SIM_TRACE_NONE, "");
    trace_at(
        SIM_TRACE_ROLES,
        "0.000000     t        start      -\n"
        "0.000000     t        note       -        elected peer_epoch=0xff round=7 why=\"so\"\n"
        "1.234567     t        crash      -        power\n");
    trace_at(
        SIM_TRACE_MESSAGES,
        "0.000000     t        start      -\n"
        "0.000000     t        note       -        elected peer_epoch=0xff round=7 why=\"so\"\n"
        "0.000000     t        note       -        acks id=2\n"
        "0.000000     t        send       t        ? len=2\n"
        "1.234567     t        crash      -        power\n");
    trace_at(
        SIM_TRACE_FULL,
        "0.000000     t        start      -\n"
        "0.000000     t        >boot      -        hash=0x6c04fd7ef34dfdd8\n"
        "0.000000     t        listen     -        id=1 address=\"t:5\"\n"
        "0.000000     t        >ask       -        tag=9 bytes=\"go\"\n"
        "0.000000     t        append     -        log/log at=0 tag=0 len=1 "
        "hash=0xeaf06c6480b2cd11\n"
        "0.000000     t        note       -        elected peer_epoch=0xff round=7 why=\"so\"\n"
        "0.000000     t        note       -        acks id=2\n"
        "0.000000     t        post       t        bytes=\"me\"\n"
        "0.000000     t        send       t        ? len=2\n"
        "0.000000     t        >listening -        listener=1 err=0\n"
        "0.000500     t        >post      t        bytes=\"me\"\n"
        "1.234567     t        crash      -        power\n");
}
END_TEST

/* Records of eight bytes. */
static size_t word_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    (void)state;
    (void)from_dialer;
    record->name = "WORD";
    record->key = input.len < 8 ? 0 : input.at[0];
    record->essential = true;
    return input.len < 8 ? 0 : 8;
}

static const struct sim_codec word_codec = {.name = "words", .cut = word_cut};

/* Watching a world does not change it: from the beginning, from the middle, or not at all. */
START_TEST(test_a_trace_changes_nothing)
{
    static const uint64_t from_us[] = {UINT64_MAX, 0, 500000};

    for (uint64_t seed = 0; seed < 10; seed++) {
        uint64_t prints[3];

        for (uint32_t run = 0; run < 3; run++) {
            static struct lines lines;
            const struct sim_options options = {.seed = seed,
                                                .process_bytes = 1u << 20,
                                                .trace_line = lines_add,
                                                .trace_context = &lines};
            struct sim *sim = sim_open(&options);
            struct sim_link link;
            struct sim_counts counts;

            text_init(&lines.text, lines.at, sizeof(lines.at));
            sim_set_codec(sim, 1, &word_codec);
            sim_set_trace(sim, from_us[run] == 0 ? SIM_TRACE_FULL : SIM_TRACE_NONE);
            mesh_fill(sim);
            sim_get_link(sim, 0, 1, &link);
            link.chop_ppm = 1000000;
            sim_set_link(sim, 0, SIM_ALL, &link);
            if (from_us[run] < 1000000) {
                sim_run(sim, from_us[run]);
                sim_set_trace(sim, SIM_TRACE_FULL);
            }
            sim_run(sim, 1000000);
            EXPECT((lines.text.len > 0) == (run > 0));
            sim_get_counts(sim, &counts);
            prints[run] = sim_fingerprint(sim) + counts.events + counts.messages;
            sim_close(sim);
        }
        EXPECT(prints[0] == prints[1]);
        EXPECT(prints[0] == prints[2]);
    }
}
END_TEST

Suite *suite_world(void)
{
    Suite *suite = suite_create("world");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_equal_worlds_run_equally);
    tcase_add_test(tcase, test_the_fingerprint_is_that_of_every_build);
    tcase_add_test(tcase, test_stepping_and_running_are_the_same);
    tcase_add_test(tcase, test_a_saved_world_goes_on_as_it_did);
    tcase_add_test(tcase, test_a_saved_world_can_take_another_course);
    tcase_add_test(tcase, test_worlds_open_and_close_in_a_loop);
    tcase_add_test(tcase, test_too_many_worlds_at_once_are_refused);
    tcase_add_test(tcase, test_trace_lines);
    tcase_add_test(tcase, test_a_trace_changes_nothing);
    return suite;
}
