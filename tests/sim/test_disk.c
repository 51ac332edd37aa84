#include "sim/help_guest.h"
#include "tests/expect.h"

#include <check.h>

static const char file_name[] = "log.1";

/* Appends four bytes at each wake, 10 ms apart, and syncs each; number[0] counts. At the first boot
 * only. */
static void writer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        self->number[1] = in->boot.count == 0 ? 0 : in->boot.files[0].size;
        self->number[2] = in->mono_us + 10000;
    }
    if (in->kind == IN_WAKE) {
        fx_append_lent(fx, DIR_LOG, span_text(file_name), self->number[1], span_text("abcd"), 0);
        fx_sync(fx, DIR_LOG, span_text(file_name), 7);
        self->number[1] += 4;
        self->number[2] = in->mono_us + 10000;
    }
    fx_wake(fx, self->number[2]);
}

static uint64_t file_size(const struct sim *sim, uint32_t process)
{
    struct file_view view;

    return sim_file_at(sim, process, 0, &view) ? view.size : 0;
}

START_TEST(test_synced_bytes_survive_a_power_loss)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", writer);

    sim_start(sim, p);
    sim_run(sim, 30500); /* the third append is not synced yet */
    EXPECT(file_size(sim, p) == 12);
    EXPECT(guest_at(sim, p)->done == 2);
    sim_crash(sim, p, SIM_POWER);
    EXPECT(file_size(sim, p) == 8);
    EXPECT(sim_self(sim, p) == NULL);
    sim_start(sim, p);
    sim_run(sim, 31000);

    EXPECT(guest_at(sim, p)->number[1] == 8);
    EXPECT(sim_incarnation(sim, p) == 2);
    sim_close(sim);
}
END_TEST

Suite *suite_disk(void)
{
    Suite *suite = suite_create("disk");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_synced_bytes_survive_a_power_loss);
    return suite;
}
