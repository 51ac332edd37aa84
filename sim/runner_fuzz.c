#include "sim/runner_in.h"

#include "base/rand.h"

/* Faults drawn from a seed, as the `fuzz` line says. Each draw is keyed by feature, fault number
 * and what it decides, so that changing one feature leaves the draws of the others alone. */

#define FUZZ_LENGTH_US     30000000ull /* without a `run` line */
#define LENGTH_NO_LINES_US 10000000u   /* nothing timed and no `run` line */

enum draw_what {
    DRAW_COUNT,
    DRAW_WHEN,
    DRAW_WHO,
    DRAW_OTHER,
    DRAW_LONG,
    DRAW_KIND,
    DRAW_OMIT
};

static uint64_t draw(const struct run *run, enum scn_fuzz_param feature, enum draw_what what,
                     uint64_t nth)
{
    return rand_keyed(run->face.seed, 0x66757a7au, (uint64_t)feature << 8 | what, nth);
}

/* Uniform in low..high, both included. */
static uint64_t draw_between(const struct run *run, enum scn_fuzz_param feature,
                             enum draw_what what, uint64_t nth, const struct scn_arg *range)
{
    uint64_t low = (uint64_t)range->number;

    return low + rand_scale(draw(run, feature, what, nth), (uint64_t)range->number_high - low + 1);
}

static bool fuzzing(const struct run *run)
{
    return run->face.seed != 0 && run->scenario->fuzz != NULL;
}

static const struct scn_arg *fuzz_arg(const struct run *run, enum scn_fuzz_param feature)
{
    return &run->scenario->fuzz->args[feature];
}

/* Is the feature in the file, and not left out by this seed? */
static bool fuzz_on(const struct run *run, enum scn_fuzz_param feature)
{
    const struct scn_arg *omit = fuzz_arg(run, SCN_FUZZ_OMIT);

    if (!fuzz_arg(run, feature)->given) {
        return false;
    }
    return omit->number == 0 || rand_scale(draw(run, feature, DRAW_OMIT, 0), 3) != 0;
}

uint64_t run_length_us(const struct run *run)
{
    if (run->scenario->run != NULL) {
        return run->scenario->run->time_us;
    }
    if (fuzzing(run)) {
        return FUZZ_LENGTH_US;
    }
    return run->chain_count == 0 ? LENGTH_NO_LINES_US : 0;
}

/* ---- before the start ---- */

static void fuzz_rate(const struct run *run, enum scn_fuzz_param feature, uint32_t *ppm)
{
    if (fuzz_on(run, feature)) {
        *ppm = (uint32_t)fuzz_arg(run, feature)->number;
    }
}

static void fuzz_links(struct run *run)
{
    for (uint32_t from = 0; from < run->process_count; from++) {
        for (uint32_t to = 0; to < run->process_count; to++) {
            struct sim_link link;

            if (from == to) {
                continue;
            }
            sim_get_link(run->sim, from, to, &link);
            if (fuzz_on(run, SCN_FUZZ_DELAY)) {
                link.delay_min_us = (uint32_t)fuzz_arg(run, SCN_FUZZ_DELAY)->number;
                link.delay_max_us = (uint32_t)fuzz_arg(run, SCN_FUZZ_DELAY)->number_high;
            }
            fuzz_rate(run, SCN_FUZZ_LOSE, &link.lose_ppm);
            fuzz_rate(run, SCN_FUZZ_DUP, &link.double_ppm);
            fuzz_rate(run, SCN_FUZZ_REORDER, &link.reorder_ppm);
            fuzz_rate(run, SCN_FUZZ_CHOP, &link.chop_ppm);
            fuzz_rate(run, SCN_FUZZ_RESET, &link.reset_ppm);
            sim_set_link(run->sim, from, to, &link);
        }
    }
}

static void fuzz_machines(struct run *run)
{
    for (uint32_t p = 0; p < run->process_count; p++) {
        struct sim_disk disk;

        sim_get_disk(run->sim, p, &disk);
        if (fuzz_on(run, SCN_FUZZ_SYNC)) {
            disk.sync_min_us = (uint32_t)fuzz_arg(run, SCN_FUZZ_SYNC)->number;
            disk.sync_max_us = (uint32_t)fuzz_arg(run, SCN_FUZZ_SYNC)->number_high;
        }
        fuzz_rate(run, SCN_FUZZ_KEEP, &disk.keep_ppm);
        fuzz_rate(run, SCN_FUZZ_TEAR, &disk.tear_ppm);
        sim_set_disk(run->sim, p, &disk);
        if (fuzz_on(run, SCN_FUZZ_SKEW)) {
            uint64_t most_ms = (uint64_t)fuzz_arg(run, SCN_FUZZ_SKEW)->number / 1000;

            run->clocks[p].offset_ms =
                (int64_t)rand_scale(draw(run, SCN_FUZZ_SKEW, DRAW_WHO, p), 2 * most_ms + 1) -
                (int64_t)most_ms;
        }
        if (fuzz_on(run, SCN_FUZZ_DRIFT)) {
            uint64_t most = (uint64_t)fuzz_arg(run, SCN_FUZZ_DRIFT)->number;

            run->clocks[p].rate_ppm =
                (int32_t)((int64_t)rand_scale(draw(run, SCN_FUZZ_DRIFT, DRAW_WHO, p),
                                              2 * most + 1) -
                          (int64_t)most);
        }
        sim_set_clock(run->sim, p, &run->clocks[p]);
    }
}

void run_fuzz_set_up(struct run *run)
{
    if (fuzzing(run)) {
        fuzz_links(run);
        fuzz_machines(run);
    }
}

/* ---- during the run ---- */

static void fuzz_schedule(struct run *run, uint64_t due_us, sim_call *fn, uint64_t nth)
{
    sim_schedule(run->sim, due_us, fn, run, nth);
}

/* When the nth fault of a feature comes. */
static uint64_t fuzz_when(const struct run *run, enum scn_fuzz_param feature, uint64_t nth)
{
    uint64_t from = (uint64_t)fuzz_arg(run, SCN_FUZZ_FROM)->number;
    uint64_t end = run_length_us(run);
    uint64_t quiet = (uint64_t)fuzz_arg(run, SCN_FUZZ_QUIET)->number;

    end = end > quiet ? end - quiet : 0;
    return end <= from ? from : from + rand_scale(draw(run, feature, DRAW_WHEN, nth), end - from);
}

static uint64_t fuzz_duration(const struct run *run, enum scn_fuzz_param feature, uint64_t nth)
{
    static const struct scn_arg standard = {.number = 100000, .number_high = 5000000};
    const struct scn_arg *range = fuzz_arg(run, feature);

    return draw_between(run, feature, DRAW_LONG, nth, range->given ? range : &standard);
}

static uint32_t fuzz_server(const struct run *run, enum scn_fuzz_param feature, uint64_t nth)
{
    return (uint32_t)rand_scale(draw(run, feature, DRAW_WHO, nth), run->server_count);
}

static void fuzz_restart(struct sim *sim, void *context, uint64_t process)
{
    struct run *run = context;

    if (!run->over && !sim_is_up(sim, (uint32_t)process)) {
        run_tell_fault(run, (uint32_t)process, span_text("start"));
        sim_start(sim, (uint32_t)process);
    }
}

static void fuzz_crash(struct sim *sim, void *context, uint64_t nth)
{
    struct run *run = context;
    uint32_t process = fuzz_server(run, SCN_FUZZ_CRASH, nth);
    bool power;

    if (run->over || !sim_is_up(sim, process)) {
        return;
    }
    power = rand_ppm(draw(run, SCN_FUZZ_CRASH, DRAW_KIND, nth),
                     (uint32_t)fuzz_arg(run, SCN_FUZZ_POWER)->number);
    run_tell_fault(run, process, span_text(power ? "crash power" : "crash"));
    sim_crash(sim, process, power ? SIM_POWER : SIM_KILL);
    fuzz_schedule(run, sim_now(sim) + fuzz_duration(run, SCN_FUZZ_DOWN, nth), fuzz_restart,
                  process);
}

static void fuzz_resume(struct sim *sim, void *context, uint64_t process)
{
    struct run *run = context;

    if (!run->over && run->paused[process]) {
        run_tell_fault(run, (uint32_t)process, span_text("resume"));
        sim_resume(sim, (uint32_t)process);
    }
}

static void fuzz_pause(struct sim *sim, void *context, uint64_t nth)
{
    struct run *run = context;
    uint32_t process = fuzz_server(run, SCN_FUZZ_PAUSE, nth);

    if (run->over || !sim_is_up(sim, process) || run->paused[process]) {
        return;
    }
    run_tell_fault(run, process, span_text("pause"));
    sim_pause(sim, process);
    fuzz_schedule(run, sim_now(sim) + fuzz_duration(run, SCN_FUZZ_PAUSE_FOR, nth), fuzz_resume,
                  process);
}

static void fuzz_break(struct sim *sim, void *context, uint64_t nth)
{
    struct run *run = context;
    uint32_t a = fuzz_server(run, SCN_FUZZ_BREAK, nth);
    uint32_t b =
        (uint32_t)rand_scale(draw(run, SCN_FUZZ_BREAK, DRAW_OTHER, nth), run->process_count);
    uint64_t kind = rand_scale(draw(run, SCN_FUZZ_BREAK, DRAW_KIND, nth), 4);

    if (run->over || a == b) {
        return;
    }
    run_tell_fault(run, a, span_text("a connection breaks"));
    sim_break(sim, a, b, kind == 0 ? a : (kind == 1 ? b : SIM_ALL));
}

/* Does the nth cut let nothing pass from one process to the other? */
static bool cut_covers(const struct run *run, uint64_t nth, uint32_t from, uint32_t to)
{
    uint64_t kind = rand_scale(draw(run, SCN_FUZZ_CUT, DRAW_KIND, nth), 4);
    uint32_t who = fuzz_server(run, SCN_FUZZ_CUT, nth);
    uint64_t other = draw(run, SCN_FUZZ_CUT, DRAW_OTHER, nth);
    uint32_t peer = (uint32_t)rand_scale(other, run->process_count);

    switch (kind) {
    case 0: /* one direction */
        return from == who && to == peer;
    case 1: /* one link */
        return (from == who && to == peer) || (from == peer && to == who);
    case 2: /* one server alone */
        return (from == who) != (to == who);
    default: /* two sides, a bit of the draw for each process */
        return (other >> (from % 64) & 1) != (other >> (to % 64) & 1);
    }
}

static void cut_change(struct run *run, uint64_t nth, bool cut)
{
    static const char *const words[] = {"cut one way", "cut", "cut off", "partition"};
    uint64_t kind = rand_scale(draw(run, SCN_FUZZ_CUT, DRAW_KIND, nth), 4);
    char room[80];
    struct text text;

    for (uint32_t from = 0; from < run->process_count; from++) {
        for (uint32_t to = 0; to < run->process_count; to++) {
            uint32_t *depth = &run->cut_depth[from * run->process_count + to];

            if (from == to || !cut_covers(run, nth, from, to)) {
                continue;
            }
            *depth += cut ? 1u : (*depth > 0 ? UINT32_MAX : 0u);
            run_link_cut(run, from, to, *depth > 0);
        }
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, cut ? "" : "end of ");
    text_str(&text, words[kind]);
    if (kind < 3) {
        text_char(&text, ' ');
        text_str(&text, run_process_name(run, fuzz_server(run, SCN_FUZZ_CUT, nth)));
    }
    run_tell_fault(run, SIM_NONE, span_make(text.at, text.len));
}

static void fuzz_uncut(struct sim *sim, void *context, uint64_t nth)
{
    struct run *run = context;

    (void)sim;
    if (!run->over && !run->quiet) {
        cut_change(run, nth, false);
    }
}

static void fuzz_cut(struct sim *sim, void *context, uint64_t nth)
{
    struct run *run = context;

    if (run->over) {
        return;
    }
    if (run->cut_depth == NULL) {
        run->cut_depth =
            run_get(run, (size_t)run->process_count * run->process_count * sizeof(*run->cut_depth));
        if (run->cut_depth == NULL) {
            return;
        }
    }
    cut_change(run, nth, true);
    fuzz_schedule(run, sim_now(sim) + fuzz_duration(run, SCN_FUZZ_CUT_FOR, nth), fuzz_uncut, nth);
}

static void fuzz_quiet(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;

    (void)argument;
    if (run->over) {
        return;
    }
    run->quiet = true;
    run_tell_fault(run, SIM_NONE, span_text("quiet: all is healed and started"));
    run_link_heal_all(run);
    for (uint32_t p = 0; p < run->process_count; p++) {
        if (!sim_is_up(sim, p)) {
            sim_start(sim, p);
        } else if (run->paused[p]) {
            sim_resume(sim, p);
        }
    }
    run_dirty(run);
}

static void fuzz_feature(struct run *run, enum scn_fuzz_param feature, sim_call *fn)
{
    uint64_t count;

    if (!fuzz_on(run, feature) || run->server_count == 0) {
        return;
    }
    count = draw_between(run, feature, DRAW_COUNT, 0, fuzz_arg(run, feature));
    for (uint64_t nth = 1; nth <= count; nth++) {
        fuzz_schedule(run, fuzz_when(run, feature, nth), fn, nth);
    }
}

void run_fuzz_start(struct run *run)
{
    uint64_t quiet;

    if (!fuzzing(run)) {
        return;
    }
    fuzz_feature(run, SCN_FUZZ_CRASH, fuzz_crash);
    fuzz_feature(run, SCN_FUZZ_CUT, fuzz_cut);
    fuzz_feature(run, SCN_FUZZ_PAUSE, fuzz_pause);
    fuzz_feature(run, SCN_FUZZ_BREAK, fuzz_break);
    quiet = (uint64_t)fuzz_arg(run, SCN_FUZZ_QUIET)->number;
    if (quiet > 0) {
        uint64_t length = run_length_us(run);

        fuzz_schedule(run, length > quiet ? length - quiet : 0, fuzz_quiet, 0);
    }
}
