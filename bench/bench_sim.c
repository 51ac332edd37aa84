/* bench_sim - what the simulated world itself costs: events a second with guests that do next to
 * nothing.
 *
 *     quiet   five processes that ping each other over streams every 50 ms, wake-ups every 10 ms
 *     load    three servers and three clients, each with 64 numbers of 100 bytes under way
 *     posts   six processes that pass 96 datagrams around
 *     seed    as load, with delays and a codec, so that every record is cut and drawn for
 *     open    a world of six small processes opened, booted and closed
 *     save, load  an image of a small world
 *
 * Prints one line each: name, events, seconds of processor time, events a second or microseconds.
 */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_PEERS  5u
#define BENCH_PORT   7u
#define BENCH_RECORD 100u
#define BENCH_WINDOW 64u

struct bench_self {
    uint32_t index;
    uint64_t wake_us;
    uint32_t usable[16];
    uint32_t usable_count;
    uint64_t got;
};

static void *bench_make(struct mem *mem, struct span config)
{
    struct bench_self *self = mem_get_zero(mem, sizeof(*self));

    if (self != NULL) {
        self->index = config.at[0];
    }
    return self;
}

static void bench_address(struct text *text, char room[16], uint32_t index)
{
    text_init(text, room, 16);
    text_char(text, 'p');
    text_u64(text, index);
    text_str(text, ":7");
}

static void bench_dial(struct fx *fx, uint32_t conn, uint32_t index)
{
    char room[16];
    struct text text;

    bench_address(&text, room, index);
    fx_dial(fx, conn, span_make(text.at, text.len));
}

static void bench_listen(struct fx *fx, uint32_t index)
{
    char room[16];
    struct text text;

    bench_address(&text, room, index);
    fx_listen(fx, 1, span_make(text.at, text.len));
}

/* ---- quiet: a mesh with heartbeats ---- */
static void quiet_step(void *context, const struct input *in, struct fx *fx)
{
    struct bench_self *self = context;
    static const uint8_t ping[20] = {0, 0, 0, 16};

    switch (in->kind) {
    case IN_BOOT:
        bench_listen(fx, self->index);
        for (uint32_t i = 0; i < self->index; i++) {
            bench_dial(fx, i, i);
        }
        self->wake_us = in->mono_us + 10000;
        break;
    case IN_OPENED:
        self->usable[self->usable_count++ % 16] = in->opened.conn;
        break;
    case IN_WAKE:
        if (in->mono_us >= self->wake_us) {
            self->wake_us += 10000;
            self->got++;
            for (uint32_t i = 0; i < self->usable_count && self->got % 5 == 0; i++) {
                fx_send_lent(fx, self->usable[i], span_make(ping, sizeof(ping)));
            }
        }
        break;
    case IN_BYTES:
        fx->taken = in->bytes.span.len;
        if (in->bytes.span.at[3] == 16) {
            static const uint8_t pong[20] = {0, 0, 0, 15};

            fx_send_lent(fx, in->bytes.conn, span_make(pong, sizeof(pong)));
        }
        break;
    case IN_LISTENING:
    case IN_DRAINED:
    case IN_CLOSED:
    case IN_POST:
    case IN_DONE:
    case IN_DATA:
    case IN_ASK:
        break;
    }
    fx_wake(fx, self->wake_us);
}

/* ---- load: clients keep a window of records at each server ---- */
static const uint8_t bench_record[BENCH_RECORD] = {0, 0, 0, BENCH_RECORD - 4};

static void load_step(void *context, const struct input *in, struct fx *fx)
{
    struct bench_self *self = context;

    if (in->kind == IN_BOOT && self->index < 3) {
        bench_listen(fx, self->index);
    } else if (in->kind == IN_BOOT) {
        for (uint32_t i = 0; i < 3; i++) {
            bench_dial(fx, i, i);
        }
        self->wake_us = in->mono_us + 1000000;
    } else if (in->kind == IN_OPENED && in->opened.listener == 0) {
        for (uint32_t i = 0; i < BENCH_WINDOW; i++) {
            fx_send_lent(fx, in->opened.conn, span_make(bench_record, BENCH_RECORD));
        }
    } else if (in->kind == IN_BYTES) {
        uint64_t count = in->bytes.span.len / BENCH_RECORD;

        fx->taken = count * BENCH_RECORD;
        for (uint64_t i = 0; i < count; i++) {
            fx_send_lent(fx, in->bytes.conn, span_make(bench_record, BENCH_RECORD));
        }
        self->got += count;
    }
    if (self->index >= 3) {
        self->wake_us = in->mono_us + 1000000; /* a deadline that moves with every input */
        fx_wake(fx, self->wake_us);
    }
}

/* ---- posts ---- */
static void post_step(void *context, const struct input *in, struct fx *fx)
{
    struct bench_self *self = context;

    if (in->kind == IN_BOOT) {
        for (uint32_t i = 0; i < 16; i++) {
            fx_post(fx, (self->index + 1 + i) % 6, span_make(bench_record, 32));
        }
    } else if (in->kind == IN_POST) {
        fx_post(fx, (self->index + 1) % 6, in->post.span);
    }
}

static size_t bench_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    uint64_t *count = state;

    (void)from_dialer;
    if (input.len < 4 || input.len < 4u + input.at[3]) {
        return 0;
    }
    ++*count;
    record->name = "RECORD";
    record->key = *count % 64;
    record->field_count = 1;
    record->fields[0].name = "len";
    record->fields[0].value = input.at[3];
    return 4u + input.at[3];
}

static const struct sim_codec bench_codec = {
    .name = "bench", .state_bytes = sizeof(uint64_t), .cut = bench_cut};

static const struct process_ops bench_quiet = {"quiet", bench_make, quiet_step, NULL};
static const struct process_ops bench_load = {"load", bench_make, load_step, NULL};
static const struct process_ops bench_post = {"post", bench_make, post_step, NULL};

static uint64_t bench_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sim *bench_open(const struct process_ops *ops, uint32_t count, uint64_t seed)
{
    const struct sim_options options = {.seed = seed};
    struct sim *sim = sim_open(&options);

    if (sim == NULL) {
        fprintf(stderr, "bench_sim: no memory for a world\n");
        exit(EXIT_FAILURE);
    }
    if (seed != 0) {
        sim_set_codec(sim, BENCH_PORT, &bench_codec);
    }
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        struct text text;
        uint8_t index = (uint8_t)i;

        bench_address(&text, name, i);
        name[text.len - 2] = '\0';
        (void)sim_add(sim, name, ops, span_make(&index, 1));
    }
    for (uint32_t i = 0; i < count; i++) {
        sim_start(sim, i);
    }
    return sim;
}

static void bench_events(const char *name, const struct process_ops *ops, uint32_t count,
                         uint64_t seed)
{
    struct sim *sim = bench_open(ops, count, seed);
    struct sim_counts counts = {0};
    uint64_t start_ns = bench_now_ns();
    uint64_t spent_ns;

    while (counts.events < 5000000) {
        sim_run(sim, sim_now(sim) + 100000);
        sim_get_counts(sim, &counts);
    }
    spent_ns = bench_now_ns() - start_ns;
    printf("%-6s %10" PRIu64 " events %8" PRIu64 " messages %7.3f s %9.0f events/s %5.1f ns\n",
           name, counts.events, counts.messages, (double)spent_ns / 1e9,
           (double)counts.events * 1e9 / (double)spent_ns,
           (double)spent_ns / (double)counts.events);
    sim_close(sim);
}

static void bench_opening(void)
{
    enum {
        ROUNDS = 20000
    };
    uint64_t start_ns = bench_now_ns();
    uint64_t spent_ns;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct sim *sim = bench_open(&bench_quiet, 6, i + 1);

        sim_run(sim, 10);
        sim_close(sim);
    }
    spent_ns = bench_now_ns() - start_ns;
    printf("%-6s %10d worlds of six processes %7.3f s %7.2f us\n", "open", ROUNDS,
           (double)spent_ns / 1e9, (double)spent_ns / 1e3 / ROUNDS);
}

/* Save and restore a world of five processes in the middle of things. */
static void bench_images(void)
{
    enum {
        ROUNDS = 20000
    };
    struct sim *sim = bench_open(&bench_quiet, BENCH_PEERS, 1);
    struct sim_image *image;
    uint64_t start_ns;

    sim_run(sim, 1000000);
    start_ns = bench_now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        sim_image_drop(sim_save(sim));
    }
    printf("%-6s %10d images %32.2f us\n", "save", ROUNDS,
           (double)(bench_now_ns() - start_ns) / 1e3 / ROUNDS);
    image = sim_save(sim);
    start_ns = bench_now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        sim_load(sim, image);
    }
    printf("%-6s %10d images %32.2f us\n", "load", ROUNDS,
           (double)(bench_now_ns() - start_ns) / 1e3 / ROUNDS);
    sim_image_drop(image);
    sim_close(sim);
}

int main(void)
{
    bench_events("quiet", &bench_quiet, BENCH_PEERS, 0);
    bench_events("load", &bench_load, 6, 0);
    bench_events("posts", &bench_post, 6, 0);
    bench_events("seed", &bench_load, 6, 1);
    bench_opening();
    bench_images();
    return 0;
}
