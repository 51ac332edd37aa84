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
        fx_send(fx, 5, span_make(&self->number[0], 8));
    }
}

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

Suite *suite_stream(void)
{
    Suite *suite = suite_create("stream");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_bytes_come_back_in_order);
    return suite;
}
