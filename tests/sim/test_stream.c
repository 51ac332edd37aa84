#include "sim/help_guest.h"
#include "tests/expect.h"

#include <check.h>

/* Listens and sends everything back. */
static void echo_server(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("server:7"));
    }
    if (in->kind == IN_BYTES) {
        fx_send(fx, in->bytes.conn, in->bytes.span);
    }
}

/* Dials, sends a number, and the next one when the first has come back; up to 100. */
static void echo_client(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_dial(fx, 5, span_text("server:7"));
    }
    if (in->kind == IN_OPENED || (in->kind == IN_BYTES && self->number[0] < 100)) {
        self->number[0]++;
        self->number[1] = self->number[1] == 0 ? in->mono_us : self->number[1];
        self->number[2] = in->mono_us;
        fx_send(fx, 5, span_make(&self->number[0], 8));
    }
}

/* Listens, takes everything, says nothing. Asked "close" or "abort", it ends the newest connection;
 * "stop" and "go" throttle it; any other text is sent on it. */
static void listener(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text(":7"));
    }
    if (in->kind == IN_OPENED) {
        bytes_clear(&self->seen);
        bytes_raw(&self->seen, in->opened.peer.at, in->opened.peer.len);
    }
    if (in->kind == IN_ASK && span_is(in->ask.span, "close")) {
        fx_close(fx, self->conn, false);
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "abort")) {
        fx_close(fx, self->conn, true);
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "stop")) {
        fx_throttle(fx, self->conn, true);
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "go")) {
        fx_throttle(fx, self->conn, false);
    } else if (in->kind == IN_ASK) {
        fx_send(fx, self->conn, in->ask.span);
    }
}

/* Dials when asked "dial" (connection numbers count up); other texts are sent on the newest one,
 * "big" as a megabyte. Takes what comes; number[1] and [2] say when the last dial began and ended.
 */
static void dialer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_ASK && span_is(in->ask.span, "dial")) {
        self->number[1] = in->mono_us;
        self->conn = (uint32_t)++self->number[0];
        fx_dial(fx, self->conn, span_text("server:7"));
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "big")) {
        struct bytes *out = fx_out(fx);

        bytes_fill(out, 'x', 1u << 20);
        fx_send(fx, self->conn, bytes_span(out));
        fx_tell_drained(fx, self->conn);
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "close")) {
        fx_close(fx, self->conn, false);
    } else if (in->kind == IN_ASK && span_is(in->ask.span, "abort")) {
        fx_close(fx, self->conn, true);
    } else if (in->kind == IN_ASK) {
        fx_send(fx, self->conn, in->ask.span);
    }
    if (in->kind == IN_OPENED || in->kind == IN_CLOSED) {
        self->number[2] = in->mono_us;
    }
    if (in->kind == IN_BYTES) {
        self->number[3]++;
    }
}

struct pair {
    struct sim *sim;
    uint32_t server, client;
};

/* A listener and a dialer that is connected, unless `dial` is false. */
static struct pair pair_open(uint64_t seed, bool dial)
{
    struct pair pair = {.sim = guest_world(seed)};

    pair.server = guest_add(pair.sim, "server", listener);
    pair.client = guest_add(pair.sim, "client", dialer);
    sim_start(pair.sim, pair.server);
    sim_start(pair.sim, pair.client);
    if (dial) {
        sim_ask(pair.sim, pair.client, 1, span_text("dial"));
        sim_run(pair.sim, 10000);
        EXPECT(guest_at(pair.sim, pair.client)->opened == 1);
        EXPECT(guest_at(pair.sim, pair.server)->opened == 1);
    }
    return pair;
}

static void pair_ask(const struct pair *pair, uint32_t process, const char *text)
{
    sim_ask(pair->sim, process, 1, span_text(text));
    sim_run(pair->sim, sim_now(pair->sim)); /* it is asked, not more */
}

static void pair_wait(const struct pair *pair, uint64_t us)
{
    sim_run(pair->sim, sim_now(pair->sim) + us);
}

static const struct guest_state *pair_server(const struct pair *pair)
{
    return guest_at(pair->sim, pair->server);
}

static const struct guest_state *pair_client(const struct pair *pair)
{
    return guest_at(pair->sim, pair->client);
}

/* ---- the ordinary course ---- */
START_TEST(test_bytes_come_back_in_order)
{
    struct sim *sim = guest_world(0);
    uint32_t server = guest_add(sim, "server", echo_server);
    uint32_t client = guest_add(sim, "client", echo_client);

    sim_start(sim, server);
    sim_start(sim, client);
    sim_run(sim, 1000000);

    EXPECT(guest_at(sim, client)->bytes_in == 800);
    EXPECT(guest_at(sim, server)->bytes_in == 800);
    EXPECT(sim_now(sim) == 1000000);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t number;

        memcpy(&number, guest_at(sim, client)->seen.at + i * 8, 8);
        EXPECT(number == i + 1);
    }
    sim_close(sim);
}
END_TEST

START_TEST(test_a_round_trip_takes_twice_the_delay)
{
    struct sim *sim = guest_world(0);
    uint32_t server = guest_add(sim, "server", echo_server);
    uint32_t client = guest_add(sim, "client", echo_client);
    struct sim_link link;

    sim_link_default(&link);
    link.delay_min_us = 700;
    link.delay_max_us = 900; /* without a seed the minimum */
    sim_set_link(sim, SIM_ALL, SIM_ALL, &link);
    sim_start(sim, server);
    sim_start(sim, client);
    sim_run(sim, 1000000);

    EXPECT(guest_at(sim, client)->number[2] - guest_at(sim, client)->number[1] == 99 * 1400);
    sim_close(sim);
}
END_TEST

START_TEST(test_the_accepted_side_sees_an_ephemeral_port)
{
    struct pair pair = pair_open(0, true);
    const struct bytes *seen = &pair_server(&pair)->seen;

    EXPECT(span_is(bytes_span(seen), "client:32768"));
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_orderly_end_comes_after_the_bytes)
{
    struct pair pair = pair_open(0, true);

    sim_ask(pair.sim, pair.client, 1, span_text("last words"));
    sim_ask(pair.sim, pair.client, 1, span_text("close"));
    pair_wait(&pair, 10000);

    EXPECT(pair_server(&pair)->bytes_in == 10);
    EXPECT(pair_server(&pair)->closed == 1);
    EXPECT(pair_server(&pair)->last_err == ERR_OK);
    EXPECT(pair_client(&pair)->closed == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_abort_is_a_reset)
{
    struct pair pair = pair_open(0, true);

    pair_ask(&pair, pair.server, "abort");
    pair_wait(&pair, 10000);

    EXPECT(pair_client(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->last_err == ERR_IO);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_several_connections_of_one_pair_are_apart)
{
    struct pair pair = pair_open(0, true);

    pair_ask(&pair, pair.client, "dial");
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->opened == 2);
    pair_ask(&pair, pair.client, "close"); /* the second one */
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->closed == 1);
    EXPECT(pair_server(&pair)->conn == CONN_ACCEPTED + 1);
    pair_ask(&pair, pair.client, "gone"); /* ignored */
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    sim_close(pair.sim);
}
END_TEST

/* Listens at its own port and dials it. */
static void narcissus(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("localhost:9"));
        fx_dial(fx, 1, span_text("me:9"));
    }
    if (in->kind == IN_OPENED && in->opened.listener == 0) {
        fx_send(fx, 1, span_text("hello"));
    }
    if (in->kind == IN_BYTES && in->bytes.conn != 1) {
        self->number[0]++;
        fx_send(fx, in->bytes.conn, in->bytes.span);
    }
}

START_TEST(test_a_process_can_dial_itself)
{
    struct sim *sim = guest_world(0);
    uint32_t me = guest_add(sim, "me", narcissus);

    sim_start(sim, me);
    sim_run(sim, 1000000);

    EXPECT(guest_at(sim, me)->opened == 2);
    EXPECT(guest_at(sim, me)->bytes_in == 10);
    EXPECT(guest_at(sim, me)->number[0] == 1);
    sim_close(sim);
}
END_TEST

static void twice_listener(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("a:1"));
        fx_listen(fx, 2, span_text("b:1"));
    }
    if (in->kind == IN_LISTENING) {
        self->number[in->listening.listener] = (uint64_t)in->listening.err + 1;
    }
}

START_TEST(test_a_port_is_bound_once)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", twice_listener);

    sim_start(sim, p);
    sim_run(sim, 1000);

    EXPECT(guest_at(sim, p)->number[1] == ERR_OK + 1);
    EXPECT(guest_at(sim, p)->number[2] == ERR_EXISTS + 1);
    sim_close(sim);
}
END_TEST

/* ---- dialing in vain ---- */
START_TEST(test_nobody_listens_is_refused_after_a_round_trip)
{
    struct pair pair = pair_open(0, false);

    sim_crash(pair.sim, pair.server, SIM_KILL);
    pair_ask(&pair, pair.client, "dial");
    pair_wait(&pair, 10000);

    EXPECT(pair_client(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->last_err == ERR_REFUSED);
    EXPECT(pair_client(&pair)->number[2] - pair_client(&pair)->number[1] == 1000);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_powered_off_host_times_out)
{
    struct pair pair = pair_open(0, false);

    sim_crash(pair.sim, pair.server, SIM_POWER);
    pair_ask(&pair, pair.client, "dial");
    pair_wait(&pair, 6000000);

    EXPECT(pair_client(&pair)->last_err == ERR_REFUSED);
    EXPECT(pair_client(&pair)->number[2] - pair_client(&pair)->number[1] == 5000000);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_dialing_over_a_cut_link_times_out)
{
    for (uint32_t direction = 0; direction < 2; direction++) {
        struct pair pair = pair_open(0, false);
        struct sim_link link;

        sim_link_default(&link);
        link.cut = true;
        sim_set_link(pair.sim, direction == 0 ? pair.client : pair.server,
                     direction == 0 ? pair.server : pair.client, &link);
        pair_ask(&pair, pair.client, "dial");
        pair_wait(&pair, 6000000);

        EXPECT(pair_client(&pair)->last_err == ERR_REFUSED);
        EXPECT(pair_client(&pair)->number[2] - pair_client(&pair)->number[1] == 5000000);
        EXPECT(pair_server(&pair)->opened == 0);
        sim_close(pair.sim);
    }
}
END_TEST

/* ---- links ---- */
static void pair_link(const struct pair *pair, bool cut, bool stall)
{
    struct sim_link link;

    sim_get_link(pair->sim, pair->client, pair->server, &link);
    link.cut = cut;
    link.stall = stall;
    sim_set_link(pair->sim, pair->client, pair->server, &link);
}

START_TEST(test_a_cut_holds_bytes_until_it_heals)
{
    struct pair pair = pair_open(0, true);

    pair_ask(&pair, pair.client, "one");
    pair_link(&pair, true, false); /* "one" is on its way */
    pair_ask(&pair, pair.client, "two");
    pair_wait(&pair, 60000000);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    pair_ask(&pair, pair.server, "other way");
    pair_wait(&pair, 10000);
    EXPECT(pair_client(&pair)->bytes_in == 9);
    pair_link(&pair, false, false);
    pair_wait(&pair, 10000);

    EXPECT(pair_server(&pair)->bytes_in == 6);
    EXPECT(memcmp(pair_server(&pair)->seen.at + 12, "onetwo", 6) == 0);
    EXPECT(pair_server(&pair)->closed == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_stall_holds_what_exists_and_lets_new_connections_pass)
{
    struct pair pair = pair_open(0, true);

    pair_link(&pair, false, true);
    pair_ask(&pair, pair.client, "old");
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    pair_ask(&pair, pair.client, "dial");
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->opened == 2);
    pair_ask(&pair, pair.client, "newer");
    pair_wait(&pair, 10000);
    EXPECT(pair_server(&pair)->bytes_in == 5);
    pair_link(&pair, false, false);
    pair_wait(&pair, 10000);

    EXPECT(pair_server(&pair)->bytes_in == 8);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_lost_segment_costs_a_retransmission)
{
    for (uint32_t lossy = 0; lossy < 2; lossy++) {
        struct pair pair = pair_open(0, true);
        struct sim_link link;

        sim_link_default(&link);
        link.lose_ppm = lossy == 1 ? 1000000 : 0;
        link.retransmit_us = 30000;
        sim_set_link(pair.sim, pair.client, pair.server, &link);
        pair_ask(&pair, pair.client, "word");
        pair_wait(&pair, 1000);
        EXPECT(pair_server(&pair)->bytes_in == (lossy == 1 ? 0 : 4));
        pair_wait(&pair, 40000);
        EXPECT(pair_server(&pair)->bytes_in == 4);
        sim_close(pair.sim);
    }
}
END_TEST

START_TEST(test_a_chopped_segment_comes_in_two_pieces)
{
    for (uint32_t chop = 0; chop < 2; chop++) {
        struct pair pair = pair_open(0, true);
        struct sim_link link;

        sim_link_default(&link);
        link.chop_ppm = chop == 1 ? 1000000 : 0;
        sim_set_link(pair.sim, pair.server, pair.client, &link);
        pair_ask(&pair, pair.server, "sixteen letters!");
        pair_wait(&pair, 10000);

        EXPECT(pair_client(&pair)->bytes_in == 16);
        EXPECT(pair_client(&pair)->number[3] == (chop == 1 ? 2 : 1));
        EXPECT(memcmp(pair_client(&pair)->seen.at, "sixteen letters!", 16) == 0);
        sim_close(pair.sim);
    }
}
END_TEST

START_TEST(test_a_breaking_segment_resets_both_ends)
{
    struct pair pair = pair_open(0, true);
    struct sim_link link;

    sim_link_default(&link);
    link.reset_ppm = 1000000;
    sim_set_link(pair.sim, pair.client, pair.server, &link);
    pair_ask(&pair, pair.client, "boom");
    pair_wait(&pair, 10000);

    EXPECT(pair_server(&pair)->bytes_in == 0);
    EXPECT(pair_server(&pair)->closed == 1 && pair_server(&pair)->last_err == ERR_IO);
    EXPECT(pair_client(&pair)->closed == 1 && pair_client(&pair)->last_err == ERR_IO);
    sim_close(pair.sim);
}
END_TEST

/* Numbers sent in a burst over a hostile link come in order and complete. */
static void burst_client(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_dial(fx, 1, span_text("server:7"));
    }
    if (in->kind == IN_OPENED || in->kind == IN_WAKE) {
        for (uint32_t i = 0; i < 10; i++) {
            fx_send(fx, 1, span_make(&self->number[0], 8));
            self->number[0]++;
        }
        self->number[1] = self->number[0] < 1000 ? in->mono_us + 300 : 0;
    }
    if (self->number[1] != 0) {
        fx_wake(fx, self->number[1]);
    }
}

START_TEST(test_order_holds_over_a_hostile_link)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *sim = guest_world(seed);
        uint32_t server = guest_add(sim, "server", echo_server);
        uint32_t client = guest_add(sim, "client", burst_client);
        struct sim_link link;
        const struct guest_state *state;

        sim_link_default(&link);
        link.delay_min_us = 10;
        link.delay_max_us = 5000;
        link.chop_ppm = 300000;
        link.lose_ppm = 100000;
        link.retransmit_us = 20000;
        sim_set_link(sim, SIM_ALL, SIM_ALL, &link);
        sim_start(sim, server);
        sim_start(sim, client);
        sim_run(sim, 100000000);

        state = guest_at(sim, client);
        EXPECT(state->seen.len == 8000);
        for (uint64_t i = 0; i < 1000; i++) {
            EXPECT(memcmp(state->seen.at + i * 8, &i, 8) == 0);
        }
        sim_close(sim);
    }
}
END_TEST

START_TEST(test_an_answer_to_a_dial_waits_for_the_link_to_heal)
{
    for (uint32_t heals = 0; heals < 2; heals++) {
        struct pair pair = pair_open(0, false);
        struct sim_link link;

        pair_ask(&pair, pair.client, "dial");
        pair_wait(&pair, 600); /* the server has accepted */
        EXPECT(pair_server(&pair)->opened == 1);
        sim_link_default(&link);
        link.cut = true;
        sim_set_link(pair.sim, pair.server, pair.client, &link);
        pair_wait(&pair, 2000000);
        EXPECT(pair_client(&pair)->opened == 0 && pair_client(&pair)->closed == 0);
        link.cut = heals == 0;
        sim_set_link(pair.sim, pair.server, pair.client, &link);
        pair_wait(&pair, 10000);
        EXPECT(pair_client(&pair)->opened == heals);
        pair_wait(&pair, 4000000);

        EXPECT(pair_client(&pair)->closed == 1 - heals);
        EXPECT(pair_server(&pair)->closed == 1 - heals); /* this way is open */
        sim_close(pair.sim);
    }
}
END_TEST

/* ---- dying ---- */
START_TEST(test_a_killed_process_resets_its_peers_soon)
{
    struct pair pair = pair_open(0, true);

    sim_crash(pair.sim, pair.server, SIM_KILL);
    pair_wait(&pair, 499);
    EXPECT(pair_client(&pair)->closed == 0);
    pair_wait(&pair, 2);

    EXPECT(pair_client(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->last_err == ERR_IO);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_power_loss_is_silent_until_the_host_is_back_and_spoken_to)
{
    struct pair pair = pair_open(0, true);

    sim_crash(pair.sim, pair.server, SIM_POWER);
    pair_wait(&pair, 3600000000);
    EXPECT(pair_client(&pair)->closed == 0);
    sim_start(pair.sim, pair.server);
    pair_wait(&pair, 1000000);
    EXPECT(pair_client(&pair)->closed == 0);
    pair_ask(&pair, pair.client, "anybody?");
    pair_wait(&pair, 2000);

    EXPECT(pair_client(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->last_err == ERR_IO);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_who_sends_to_a_dead_host_gives_up_in_the_end)
{
    struct pair pair = pair_open(0, true);

    sim_crash(pair.sim, pair.server, SIM_POWER);
    pair_ask(&pair, pair.client, "anybody?");
    pair_wait(&pair, 19000000);
    EXPECT(pair_client(&pair)->closed == 0);
    pair_wait(&pair, 3000000);

    EXPECT(pair_client(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->last_err == ERR_IO);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_break_that_both_hear)
{
    struct pair pair = pair_open(0, true);

    sim_break(pair.sim, pair.server, pair.client, SIM_ALL);
    pair_wait(&pair, 0);

    EXPECT(pair_client(&pair)->closed == 1 && pair_client(&pair)->last_err == ERR_IO);
    EXPECT(pair_server(&pair)->closed == 1 && pair_server(&pair)->last_err == ERR_IO);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_half_open_connection)
{
    struct pair pair = pair_open(0, true);

    sim_break(pair.sim, pair.server, pair.client, pair.server);
    pair_wait(&pair, 100000000);
    EXPECT(pair_server(&pair)->closed == 1);
    EXPECT(pair_client(&pair)->closed == 0);
    pair_ask(&pair, pair.client, "still there?");
    pair_wait(&pair, 1000);

    EXPECT(pair_client(&pair)->closed == 1 && pair_client(&pair)->last_err == ERR_IO);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_break_that_nobody_hears)
{
    struct pair pair = pair_open(0, true);

    sim_break(pair.sim, pair.server, pair.client, SIM_NONE);
    pair_wait(&pair, 100000000);
    EXPECT(pair_server(&pair)->closed == 0 && pair_client(&pair)->closed == 0);
    pair_ask(&pair, pair.client, "still there?");
    pair_wait(&pair, 19000000);
    EXPECT(pair_client(&pair)->closed == 0);
    pair_wait(&pair, 2000000);

    EXPECT(pair_client(&pair)->closed == 1 && pair_client(&pair)->last_err == ERR_IO);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    EXPECT(pair_server(&pair)->closed == 0);
    sim_close(pair.sim);
}
END_TEST

/* ---- flow ---- */
START_TEST(test_throttling_stops_the_bytes_and_the_sender_hears_when_they_drain)
{
    struct pair pair = pair_open(0, true);

    pair_ask(&pair, pair.server, "stop");
    pair_ask(&pair, pair.client, "big");
    pair_wait(&pair, 1000000);
    EXPECT(pair_server(&pair)->bytes_in == 0);
    EXPECT(pair_client(&pair)->drained == 0);
    pair_ask(&pair, pair.server, "go");
    pair_wait(&pair, 1000000);

    EXPECT(pair_server(&pair)->bytes_in == 1u << 20);
    EXPECT(pair_client(&pair)->drained == 1);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_throttling_delays_the_end_but_not_a_reset)
{
    for (uint32_t abort = 0; abort < 2; abort++) {
        struct pair pair = pair_open(0, true);

        pair_ask(&pair, pair.server, "stop");
        pair_ask(&pair, pair.client, "word");
        pair_ask(&pair, pair.client, abort == 1 ? "abort" : "close");
        pair_wait(&pair, 1000000);
        EXPECT(pair_server(&pair)->closed == abort);
        pair_ask(&pair, pair.server, "go");
        pair_wait(&pair, 1000000);

        EXPECT(pair_server(&pair)->closed == 1);
        EXPECT(pair_server(&pair)->bytes_in == (abort == 1 ? 0 : 4));
        sim_close(pair.sim);
    }
}
END_TEST

/* Takes whole words of four bytes only; with number[0] only one word an input, and wants to go on.
 */
static void word_server(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("server:7"));
    }
    if (in->kind == IN_ASK) {
        self->number[0] = 1;
    }
    if (in->kind == IN_BYTES) {
        self->number[1]++;
        fx->taken = in->bytes.span.len / 4 * 4;
        if (self->number[0] == 1 && fx->taken > 4) {
            fx->taken = 4;
            fx_wake(fx, in->mono_us);
        }
    }
}

START_TEST(test_what_is_not_taken_is_offered_again_with_more)
{
    struct sim *sim = guest_world(0);
    uint32_t server = guest_add(sim, "server", word_server);
    uint32_t client = guest_add(sim, "client", dialer);
    struct pair pair = {.sim = sim, .server = server, .client = client};

    sim_start(sim, server);
    sim_start(sim, client);
    pair_ask(&pair, client, "dial");
    pair_wait(&pair, 10000);
    pair_ask(&pair, client, "abcdef");
    pair_wait(&pair, 10000);
    EXPECT(span_is(bytes_span(&pair_server(&pair)->seen), "abcd"));
    EXPECT(pair_server(&pair)->number[1] == 1);
    pair_ask(&pair, client, "ghi");
    pair_wait(&pair, 10000);

    EXPECT(span_is(bytes_span(&pair_server(&pair)->seen), "abcdefgh"));
    EXPECT(pair_server(&pair)->number[1] == 2);
    sim_close(sim);
}
END_TEST

START_TEST(test_who_stops_in_the_middle_is_offered_the_rest)
{
    struct sim *sim = guest_world(0);
    uint32_t server = guest_add(sim, "server", word_server);
    uint32_t client = guest_add(sim, "client", dialer);
    struct pair pair = {.sim = sim, .server = server, .client = client};

    sim_start(sim, server);
    sim_start(sim, client);
    pair_ask(&pair, server, "one at a time");
    pair_ask(&pair, client, "dial");
    pair_wait(&pair, 10000);
    pair_ask(&pair, client, "abcdefghijkl");
    pair_wait(&pair, 10000);

    EXPECT(span_is(bytes_span(&pair_server(&pair)->seen), "abcdefghijkl"));
    EXPECT(pair_server(&pair)->number[1] == 3);
    sim_close(sim);
}
END_TEST

START_TEST(test_many_connections_come_and_go)
{
    struct pair pair = pair_open(0, false);

    for (uint32_t i = 0; i < 200; i++) {
        pair_ask(&pair, pair.client, "dial");
        pair_wait(&pair, 2000);
        pair_ask(&pair, pair.client, "word");
        if (i % 3 != 0) {
            pair_ask(&pair, pair.client, i % 3 == 1 ? "close" : "abort");
        }
        pair_wait(&pair, 2000);
    }
    EXPECT(pair_server(&pair)->opened == 200);
    EXPECT(pair_server(&pair)->bytes_in == 800);
    EXPECT(pair_server(&pair)->closed == 133);
    sim_crash(pair.sim, pair.server, SIM_KILL);
    pair_wait(&pair, 2000);

    EXPECT(pair_client(&pair)->closed == 67);
    sim_close(pair.sim);
}
END_TEST

Suite *suite_stream(void)
{
    Suite *suite = suite_create("stream");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_bytes_come_back_in_order);
    tcase_add_test(tcase, test_a_round_trip_takes_twice_the_delay);
    tcase_add_test(tcase, test_the_accepted_side_sees_an_ephemeral_port);
    tcase_add_test(tcase, test_orderly_end_comes_after_the_bytes);
    tcase_add_test(tcase, test_abort_is_a_reset);
    tcase_add_test(tcase, test_several_connections_of_one_pair_are_apart);
    tcase_add_test(tcase, test_a_process_can_dial_itself);
    tcase_add_test(tcase, test_a_port_is_bound_once);
    tcase_add_test(tcase, test_nobody_listens_is_refused_after_a_round_trip);
    tcase_add_test(tcase, test_a_powered_off_host_times_out);
    tcase_add_test(tcase, test_dialing_over_a_cut_link_times_out);
    tcase_add_test(tcase, test_a_cut_holds_bytes_until_it_heals);
    tcase_add_test(tcase, test_a_stall_holds_what_exists_and_lets_new_connections_pass);
    tcase_add_test(tcase, test_a_lost_segment_costs_a_retransmission);
    tcase_add_test(tcase, test_a_chopped_segment_comes_in_two_pieces);
    tcase_add_test(tcase, test_a_breaking_segment_resets_both_ends);
    tcase_add_test(tcase, test_order_holds_over_a_hostile_link);
    tcase_add_test(tcase, test_an_answer_to_a_dial_waits_for_the_link_to_heal);
    tcase_add_test(tcase, test_a_killed_process_resets_its_peers_soon);
    tcase_add_test(tcase, test_a_power_loss_is_silent_until_the_host_is_back_and_spoken_to);
    tcase_add_test(tcase, test_who_sends_to_a_dead_host_gives_up_in_the_end);
    tcase_add_test(tcase, test_a_break_that_both_hear);
    tcase_add_test(tcase, test_a_half_open_connection);
    tcase_add_test(tcase, test_a_break_that_nobody_hears);
    tcase_add_test(tcase, test_throttling_stops_the_bytes_and_the_sender_hears_when_they_drain);
    tcase_add_test(tcase, test_throttling_delays_the_end_but_not_a_reset);
    tcase_add_test(tcase, test_what_is_not_taken_is_offered_again_with_more);
    tcase_add_test(tcase, test_who_stops_in_the_middle_is_offered_the_rest);
    tcase_add_test(tcase, test_many_connections_come_and_go);
    return suite;
}
