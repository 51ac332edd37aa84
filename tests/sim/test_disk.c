#include "sim/help_guest.h"
#include "tests/expect.h"

#include <check.h>

static const char file_name[] = "log.1";

/* Appends four bytes at each wake, 10 ms apart, and syncs each. */
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

/* Does what it is asked: first letter, then a text.
 *     a TEXT append   s sync   t N truncate to N (a digit)   m TEXT rename to TEXT   r TEXT replace
 *     d remove        g read   f TEXT choose the file, its end by a second letter 0-9
 * IN_DONE errors by tag in number[tag]; tags: a 1, s 2, t 3, m 4, r 5, d 6 (+1 stored). */
static void clerk(struct guest_state *self, const struct input *in, struct fx *fx)
{
    struct span name = span_make(&self->number[6], 1);

    if (in->kind == IN_BOOT) {
        *(char *)&self->number[6] = 'f';
        self->number[7] = in->boot.count == 0 ? 0 : in->boot.files[0].size;
    }
    if (in->kind == IN_DONE && in->done.tag < 7) {
        self->conn = (uint32_t)in->done.tag;
    }
    if (in->kind == IN_DATA) {
        bytes_clear(&self->seen);
        bytes_raw(&self->seen, in->data.span.at, in->data.span.len);
    }
    if (in->kind != IN_ASK) {
        return;
    }
    for (size_t i = 0; i < in->ask.span.len;) {
        const uint8_t *at = in->ask.span.at + i;
        size_t len = 0;
        struct span text;

        while (i + len < in->ask.span.len && at[len] != ';') {
            len++;
        }
        text = span_make(at + 1, len - 1);
        i += len + 1;
        if (at[0] == 'a') {
            fx_append_lent(fx, DIR_LOG, name, self->number[7], fx_copy(fx, text), 1);
            self->number[7] += text.len;
        } else if (at[0] == 's') {
            fx_sync(fx, DIR_LOG, name, 2);
        } else if (at[0] == 't') {
            self->number[7] = (uint64_t)(at[1] - '0');
            fx_truncate(fx, DIR_LOG, name, self->number[7], 3);
        } else if (at[0] == 'm') {
            fx_rename(fx, DIR_LOG, name, text, 4);
        } else if (at[0] == 'r') {
            fx_replace(fx, DIR_LOG, name, text, 5);
        } else if (at[0] == 'd') {
            fx_remove(fx, DIR_LOG, name, 6);
            self->number[7] = 0;
        } else if (at[0] == 'g') {
            fx_read(fx, DIR_LOG, name, 1, 1000, 9);
        } else if (at[0] == 'n') {
            fx_note(fx, 1, 0, 0, 0, text);
        } else if (at[0] == 'f') {
            *(char *)&self->number[6] = (char)at[1];
            self->number[7] = (uint64_t)(at[2] - '0');
        }
    }
}

static void ask(struct sim *sim, const char *text)
{
    sim_ask(sim, 0, 1, span_text(text));
    sim_run(sim, sim_now(sim));
}

static void wait(struct sim *sim, uint64_t us)
{
    sim_run(sim, sim_now(sim) + us);
}

static struct sim *clerk_world(uint64_t seed)
{
    struct sim *sim = guest_world(seed);

    (void)guest_add(sim, "clerk", clerk);
    sim_start(sim, 0);
    sim_run(sim, 0);
    return sim;
}

/* Whether the files are those of `want`: "name=content name=content". */
static bool files_are(const struct sim *sim, const char *want)
{
    struct file_view view;
    char room[2048];
    struct text text;

    text_init(&text, room, sizeof(room));
    for (uint32_t i = 0; sim_file_at(sim, 0, i, &view); i++) {
        if (i > 0) {
            text_char(&text, ' ');
        }
        text_span(&text, view.name);
        text_char(&text, '=');
        text_quoted(&text, view.bytes);
    }
    if (strcmp(room, want) != 0) {
        ck_abort_msg("files are %s, not %s", room, want);
    }
    return true;
}

static void set_disk(struct sim *sim, struct sim_disk disk)
{
    struct sim_disk standard;

    sim_disk_default(&standard);
    disk.sync_min_us = standard.sync_min_us;
    disk.sync_max_us = standard.sync_max_us;
    disk.read_us = standard.read_us;
    sim_set_disk(sim, 0, &disk);
}

/* ---- power ---- */
START_TEST(test_synced_bytes_survive_a_power_loss)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", writer);

    sim_start(sim, p);
    sim_run(sim, 30500); /* the third append is not synced yet */
    EXPECT(files_are(sim, "log.1=abcdabcdabcd"));
    EXPECT(guest_at(sim, p)->done == 2);
    sim_crash(sim, p, SIM_POWER);
    EXPECT(files_are(sim, "log.1=abcdabcd"));
    EXPECT(sim_self(sim, p) == NULL);
    sim_start(sim, p);
    sim_run(sim, 31000);

    EXPECT(guest_at(sim, p)->number[1] == 8);
    EXPECT(sim_incarnation(sim, p) == 2);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_file_that_was_never_synced_vanishes)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aone;ff0;s");
    wait(sim, 5000);
    ask(sim, "fg0;atwo");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=one"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_disk_can_keep_what_was_not_synced)
{
    struct sim *sim = clerk_world(0);

    set_disk(sim, (struct sim_disk){.keep_ppm = 1000000});
    ask(sim, "aone;atwo");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=onetwo"));
    sim_start(sim, 0);
    set_disk(sim, (struct sim_disk){.keep_ppm = 0});
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER); /* what a disk kept once is durable */
    EXPECT(files_are(sim, "f=onetwo"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_write_is_torn)
{
    struct sim *sim = clerk_world(0);

    set_disk(sim, (struct sim_disk){.tear_ppm = 1000000});
    ask(sim, "adurable;s");
    wait(sim, 5000);
    ask(sim, "a12345678");
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=durable1234"));
    sim_close(sim);
}
END_TEST

/* With a seed each unsynced write fares on its own: every byte is what was written there, or zero.
 */
START_TEST(test_a_torn_file_holds_nothing_but_its_bytes_and_zeros)
{
    uint32_t shorter = 0;
    uint32_t holes = 0;
    uint32_t whole = 0;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim *sim = clerk_world(seed);
        struct file_view view;
        char text[1201] = "a";

        for (size_t i = 1; i < 1200; i++) {
            text[i] = (char)('A' + i % 26);
        }
        set_disk(sim, (struct sim_disk){.keep_ppm = 300000, .tear_ppm = 400000});
        ask(sim, "as;s");
        wait(sim, 10000);
        ask(sim, text);
        ask(sim, text);
        ask(sim, text);
        sim_crash(sim, 0, SIM_POWER);
        EXPECT(sim_file_at(sim, 0, 0, &view));
        EXPECT(view.size >= 1 && view.bytes.at[0] == 's');
        EXPECT(view.size <= 1 + 3 * 1199);
        shorter += view.size < 1 + 3 * 1199 ? 1 : 0;
        whole += view.size == 1 + 3 * 1199 ? 1 : 0;
        for (uint64_t i = 1; i < view.size; i++) {
            uint8_t byte = view.bytes.at[i];

            EXPECT(byte == 0 || byte == (uint8_t)text[(i - 1) % 1199 + 1]);
            if (byte == 0) {
                holes++;
                break;
            }
        }
        sim_close(sim);
    }
    EXPECT(shorter > 50 && whole > 20 && holes > 20);
}
END_TEST

START_TEST(test_a_lying_disk_takes_what_was_synced)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aold;s");
    wait(sim, 5000);
    set_disk(sim, (struct sim_disk){.lie = true});
    ask(sim, "anew;s");
    wait(sim, 5000);
    EXPECT(guest_at(sim, 0)->last_err == ERR_OK && guest_at(sim, 0)->conn == 2);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=old"));
    sim_start(sim, 0);
    wait(sim, 1000);
    ask(sim, "anew;s");
    wait(sim, 5000);
    set_disk(sim, (struct sim_disk){.lie = false});
    ask(sim, "as;s"); /* an honest sync takes everything before it along */
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=oldnews"));
    sim_close(sim);
}
END_TEST

/* ---- kill ---- */
START_TEST(test_a_kill_keeps_what_the_process_wrote)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aone;atwo");
    sim_crash(sim, 0, SIM_KILL);
    EXPECT(files_are(sim, "f=onetwo"));
    sim_crash(sim, 0, SIM_POWER); /* and now the machine goes too */
    EXPECT(files_are(sim, ""));
    sim_close(sim);
}
END_TEST

START_TEST(test_with_a_seed_a_kill_keeps_a_prefix)
{
    bool seen[4] = {false};

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sim *sim = clerk_world(seed);
        struct file_view view;

        ask(sim, "aone;atwo;aend");
        sim_crash(sim, 0, SIM_KILL);
        EXPECT(sim_file_at(sim, 0, 0, &view));
        EXPECT(view.size % 3 == 0 && view.size <= 9);
        EXPECT(memcmp(view.bytes.at, "onetwoend", view.size) == 0);
        seen[view.size / 3] = true;
        sim_close(sim);
    }
    EXPECT(seen[0] && seen[1] && seen[2] && seen[3]);
}
END_TEST

/* ---- truncate, rename, remove, replace ---- */
START_TEST(test_a_truncation_is_durable_when_done)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aabcdef;s");
    wait(sim, 5000);
    ask(sim, "t2");
    EXPECT(files_are(sim, "f=ab"));
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=abcdef"));
    sim_start(sim, 0);
    wait(sim, 1000);
    ask(sim, "t2;aXY"); /* the append comes after the truncation and is not synced */
    wait(sim, 5000);
    EXPECT(files_are(sim, "f=abXY"));
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=ab"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_lost_truncation_shows_the_old_bytes_again)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aabcdef;s");
    wait(sim, 5000);
    ask(sim, "t1;aXY;t2;aZ");
    EXPECT(files_are(sim, "f=aXZ"));
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=abcdef"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_rename_is_durable_when_done)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aold;s;fg0;anew;s");
    wait(sim, 5000);
    ask(sim, "mf"); /* g over f */
    EXPECT(files_are(sim, "f=new"));
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=old g=new"));
    sim_start(sim, 0);
    wait(sim, 1000);
    ask(sim, "fg3;mf");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=new"));
    sim_close(sim);
}
END_TEST

START_TEST(test_renaming_does_not_make_content_durable)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "fg0;anew;mf");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f="));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_removal_is_durable_when_done)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aold;s");
    wait(sim, 5000);
    ask(sim, "d;anew"); /* a new file of the same name, not synced */
    EXPECT(files_are(sim, "f=new"));
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=old"));
    sim_start(sim, 0);
    wait(sim, 1000);
    ask(sim, "d");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, ""));
    sim_close(sim);
}
END_TEST

static enum sim_verdict note_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    struct text *text = context;

    (void)sim;
    text_span(text, event->effect->bytes);
    return SIM_GO;
}

START_TEST(test_a_replace_is_a_barrier)
{
    struct sim *sim = clerk_world(0);
    char room[64];
    struct text notes;

    text_init(&notes, room, sizeof(room));
    sim_add_tap(sim, 1u << SIM_AT_NOTE, note_tap, &notes);
    ask(sim, "nA;rone;nB;rtwo;nC");
    sim_ask(sim, 0, 1, span_text("nD"));
    wait(sim, 999);
    EXPECT(strcmp(room, "A") == 0);
    EXPECT(guest_at(sim, 0)->asks == 1 && guest_at(sim, 0)->done == 0);
    wait(sim, 1);
    EXPECT(strcmp(room, "AB") == 0);
    EXPECT(files_are(sim, "f=two")); /* the second one is under way */
    EXPECT(guest_at(sim, 0)->done == 0);
    wait(sim, 1000);

    EXPECT(strcmp(room, "ABCD") == 0);
    EXPECT(guest_at(sim, 0)->done == 2 && guest_at(sim, 0)->asks == 2);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_replace_is_atomic)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "rone");
    wait(sim, 5000);
    ask(sim, "rtwo");
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=one"));
    sim_start(sim, 0);
    wait(sim, 1000);
    ask(sim, "rtwo");
    wait(sim, 5000);
    sim_crash(sim, 0, SIM_POWER);
    EXPECT(files_are(sim, "f=two"));
    sim_close(sim);
}
END_TEST

START_TEST(test_what_stands_behind_a_failed_replace_is_dropped)
{
    struct sim *sim = clerk_world(0);
    char room[64];
    struct text notes;

    text_init(&notes, room, sizeof(room));
    sim_add_tap(sim, 1u << SIM_AT_NOTE, note_tap, &notes);
    set_disk(sim, (struct sim_disk){.eio = true});
    ask(sim, "nA;rone;nB");
    wait(sim, 5000);

    EXPECT(strcmp(room, "A") == 0);
    EXPECT(guest_at(sim, 0)->done == 1 && guest_at(sim, 0)->last_err == ERR_IO);
    EXPECT(files_are(sim, ""));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_pause_keeps_the_rest_of_a_replace_waiting)
{
    struct sim *sim = clerk_world(0);
    char room[64];
    struct text notes;

    text_init(&notes, room, sizeof(room));
    sim_add_tap(sim, 1u << SIM_AT_NOTE, note_tap, &notes);
    ask(sim, "rone;nB");
    sim_pause(sim, 0);
    wait(sim, 5000);
    EXPECT(strcmp(room, "") == 0);
    sim_resume(sim, 0);
    wait(sim, 0);

    EXPECT(strcmp(room, "B") == 0);
    EXPECT(guest_at(sim, 0)->done == 1);
    sim_close(sim);
}
END_TEST

/* ---- errors ---- */
START_TEST(test_every_effect_fails_on_a_broken_disk)
{
    static const char *const asks[] = {"ax", "s", "t0", "mq", "rx", "d"};
    struct sim *sim = clerk_world(0);

    ask(sim, "aold;s");
    wait(sim, 5000);
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t done = guest_at(sim, 0)->done;

        set_disk(sim, (struct sim_disk){.eio = true});
        ask(sim, asks[i]);
        wait(sim, 5000);
        EXPECT(guest_at(sim, 0)->done == done + 1);
        EXPECT(guest_at(sim, 0)->last_err == ERR_IO);
        EXPECT(guest_at(sim, 0)->conn == i + 1);
    }
    ask(sim, "g");
    wait(sim, 5000);
    EXPECT(guest_at(sim, 0)->data == 1 && guest_at(sim, 0)->last_err == ERR_IO);
    EXPECT(files_are(sim, "f=old"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_full_disk_takes_no_appends)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aold;s");
    wait(sim, 5000);
    set_disk(sim, (struct sim_disk){.full = true});
    ask(sim, "anew;aer"); /* the second builds on the first */
    wait(sim, 5000);
    EXPECT(guest_at(sim, 0)->last_err == ERR_NO_SPACE);
    ask(sim, "s"); /* a sync does not pretend that they are there */
    wait(sim, 5000);
    EXPECT(guest_at(sim, 0)->last_err == ERR_IO && guest_at(sim, 0)->conn == 2);
    EXPECT(files_are(sim, "f=old"));
    set_disk(sim, (struct sim_disk){.full = false});
    ask(sim, "ff3;anews;s");
    wait(sim, 5000);

    EXPECT(guest_at(sim, 0)->last_err == ERR_OK);
    EXPECT(files_are(sim, "f=oldnews"));
    sim_close(sim);
}
END_TEST

START_TEST(test_a_stalled_disk_completes_nothing)
{
    struct sim *sim = clerk_world(0);

    set_disk(sim, (struct sim_disk){.stall = true});
    ask(sim, "ax;s;g");
    wait(sim, 60000000);
    EXPECT(guest_at(sim, 0)->done == 0 && guest_at(sim, 0)->data == 0);
    set_disk(sim, (struct sim_disk){.stall = false});
    wait(sim, 0);

    EXPECT(guest_at(sim, 0)->done == 2 && guest_at(sim, 0)->data == 1);
    sim_close(sim);
}
END_TEST

START_TEST(test_an_append_elsewhere_than_at_the_end_is_the_process_s_fault)
{
    struct sim *sim = clerk_world(0);
    struct sim_finding finding;

    ask(sim, "aold");
    ask(sim, "ff7;anew");
    wait(sim, 1000);

    EXPECT(sim_get_finding(sim, &finding));
    EXPECT(finding.assertion && strcmp(finding.check, "step contract") == 0);
    sim_close(sim);
}
END_TEST

/* ---- reading ---- */
START_TEST(test_a_read_sees_what_stands_before_it_in_the_list)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aabc;g;adef"); /* at most 1,000 bytes from 1 */
    wait(sim, 99);
    EXPECT(guest_at(sim, 0)->data == 0);
    wait(sim, 1);

    EXPECT(span_is(bytes_span(&guest_at(sim, 0)->seen), "bc"));
    ask(sim, "fq0;g");
    wait(sim, 100);
    EXPECT(guest_at(sim, 0)->last_err == ERR_MISSING);
    sim_close(sim);
}
END_TEST

/* Notes every file that it boots with. */
static void librarian(struct guest_state *self, const struct input *in, struct fx *fx)
{
    for (uint32_t i = 0; in->kind == IN_BOOT && i < in->boot.count; i++) {
        const struct file_view *file = &in->boot.files[i];

        bytes_u8(&self->seen, (uint8_t)('0' + (int)file->dir));
        bytes_raw(&self->seen, file->name.at, file->name.len);
        bytes_u8(&self->seen, file->whole ? '!' : '?');
        self->number[0] += file->size;
        self->number[1] += file->bytes.len;
    }
    (void)fx;
}

START_TEST(test_boot_shows_files_by_directory_and_name)
{
    static uint8_t big[65537];
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", librarian);

    EXPECT(sim_file_put(sim, p, DIR_CONF, span_text("a"), span_text("1")) == ERR_OK);
    EXPECT(sim_file_put(sim, p, DIR_DATA, span_text("b"), span_text("22")) == ERR_OK);
    EXPECT(sim_file_put(sim, p, DIR_DATA, span_text("ab"), span_make(big, 65536)) == ERR_OK);
    EXPECT(sim_file_put(sim, p, DIR_LOG, span_text("z"), span_make(big, 65537)) == ERR_OK);
    EXPECT(sim_file_put(sim, p, DIR_LOG, span_text("y"), span_text("")) == ERR_OK);
    EXPECT(sim_file_put(sim, p, DIR_LOG, span_text("x"), span_text("")) == ERR_OK);
    EXPECT(sim_file_remove(sim, p, DIR_LOG, span_text("x")) == ERR_OK);
    EXPECT(sim_file_remove(sim, p, DIR_LOG, span_text("x")) == ERR_MISSING);
    sim_start(sim, p);
    sim_run(sim, 0);

    EXPECT(span_is(bytes_span(&guest_at(sim, p)->seen), "0ab!0b!1y!1z?2a!"));
    EXPECT(guest_at(sim, p)->number[0] == 1 + 2 + 65536 + 65537);
    EXPECT(guest_at(sim, p)->number[1] == 1 + 2 + 65536);
    sim_crash(sim, p, SIM_KILL);
    sim_disk_wipe(sim, p);
    sim_start(sim, p);
    sim_run(sim, 0);
    EXPECT(guest_at(sim, p)->seen.len == 0);
    sim_close(sim);
}
END_TEST

START_TEST(test_rot_flips_one_bit_of_a_durable_file)
{
    struct sim *sim = clerk_world(0);
    uint32_t p = 0;
    struct file_view view;

    sim_file_put(sim, p, DIR_DATA, span_text("a"), span_text("222"));
    EXPECT(sim_file_rot(sim, p, DIR_DATA, span_text("a"), 1) == ERR_OK);
    EXPECT(sim_file_at(sim, p, 0, &view) && span_is(view.bytes, "232"));
    EXPECT(sim_file_rot(sim, p, DIR_DATA, span_text("a"), 3) == ERR_RANGE);
    EXPECT(sim_file_rot(sim, p, DIR_LOG, span_text("a"), 0) == ERR_MISSING);
    sim_close(sim);
}
END_TEST

START_TEST(test_completions_do_not_reach_the_next_incarnation)
{
    struct sim *sim = clerk_world(0);

    ask(sim, "aabc;s;g");
    sim_crash(sim, 0, SIM_KILL);
    sim_start(sim, 0);
    wait(sim, 5000);

    EXPECT(guest_at(sim, 0)->done == 0 && guest_at(sim, 0)->data == 0);
    EXPECT(guest_at(sim, 0)->number[7] == 3);
    sim_close(sim);
}
END_TEST

Suite *suite_disk(void)
{
    Suite *suite = suite_create("disk");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_synced_bytes_survive_a_power_loss);
    tcase_add_test(tcase, test_a_file_that_was_never_synced_vanishes);
    tcase_add_test(tcase, test_a_disk_can_keep_what_was_not_synced);
    tcase_add_test(tcase, test_a_write_is_torn);
    tcase_add_test(tcase, test_a_torn_file_holds_nothing_but_its_bytes_and_zeros);
    tcase_add_test(tcase, test_a_lying_disk_takes_what_was_synced);
    tcase_add_test(tcase, test_a_kill_keeps_what_the_process_wrote);
    tcase_add_test(tcase, test_with_a_seed_a_kill_keeps_a_prefix);
    tcase_add_test(tcase, test_a_truncation_is_durable_when_done);
    tcase_add_test(tcase, test_a_lost_truncation_shows_the_old_bytes_again);
    tcase_add_test(tcase, test_a_rename_is_durable_when_done);
    tcase_add_test(tcase, test_renaming_does_not_make_content_durable);
    tcase_add_test(tcase, test_a_removal_is_durable_when_done);
    tcase_add_test(tcase, test_a_replace_is_a_barrier);
    tcase_add_test(tcase, test_a_replace_is_atomic);
    tcase_add_test(tcase, test_what_stands_behind_a_failed_replace_is_dropped);
    tcase_add_test(tcase, test_a_pause_keeps_the_rest_of_a_replace_waiting);
    tcase_add_test(tcase, test_every_effect_fails_on_a_broken_disk);
    tcase_add_test(tcase, test_a_full_disk_takes_no_appends);
    tcase_add_test(tcase, test_a_stalled_disk_completes_nothing);
    tcase_add_test(tcase, test_an_append_elsewhere_than_at_the_end_is_the_process_s_fault);
    tcase_add_test(tcase, test_a_read_sees_what_stands_before_it_in_the_list);
    tcase_add_test(tcase, test_boot_shows_files_by_directory_and_name);
    tcase_add_test(tcase, test_rot_flips_one_bit_of_a_durable_file);
    tcase_add_test(tcase, test_completions_do_not_reach_the_next_incarnation);
    return suite;
}
