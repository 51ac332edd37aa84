#include "sim/runner_in.h"

#include "base/ensure.h"

#include <stdlib.h>

/* ---- memory ---- */

void *run_get(struct run *run, size_t size)
{
    void *at = mem_get_zero(&run->pile.mem, size);

    if (at == NULL) {
        run->failed = true;
        if (run->sim != NULL) {
            sim_stop(run->sim);
        }
    }
    return at;
}

bool run_reserve(struct run *run, void *array, uint32_t *room, uint32_t count, size_t item)
{
    void *old;
    void *grown;
    uint32_t more = *room == 0 ? 64 : *room * 2;

    if (count < *room) {
        return true;
    }
    memcpy(&old, array, sizeof(old));
    grown = mem_grow(&run->pile.mem, old, *room * item, more * item);
    if (grown == NULL) {
        run->failed = true;
        return false;
    }
    memcpy(array, &grown, sizeof(grown));
    *room = more;
    return true;
}

struct run *run_make(const struct scenario *scenario)
{
    struct run *run = calloc(1, sizeof(*run));

    ENSURE(scenario->error_count == 0);
    if (run != NULL) {
        run->scenario = scenario;
        pile_init(&run->pile);
    }
    return run;
}

void run_drop(struct run *run)
{
    if (run == NULL) {
        return;
    }
    pile_drop(&run->pile);
    free(run);
}

/* ---- setting a world up ---- */

static bool defect(struct run *run, const char *what, const char *why)
{
    struct text text;

    text_init(&text, run->defect, sizeof(run->defect));
    text_str(&text, what);
    text_str(&text, why[0] == 0 ? "" : ": ");
    text_str(&text, why);
    return false;
}

static bool open_world(struct run *run)
{
    const struct run_options *options = &run->options;
    struct sim_options sim_options = {
        .seed = options->seed,
        .process_bytes = (uint64_t)run->scenario->common_args[SCN_CLUSTER_MEMORY].number << 20,
        .fill = options->fill,
        .elsewhere = options->elsewhere,
        .journal = options->journal,
        .trace = options->trace,
        .trace_line = options->trace_line,
        .trace_context = options->context,
    };

    run->sim = sim_open(&sim_options);
    return run->sim != NULL || defect(run, "no memory for the world", "");
}

static bool set_up_face(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const struct guest *guest = scenario->guest;
    const struct run_where nowhere = {.self = SIM_NONE, .peer = SIM_NONE};

    run->options_given = run_get(run, (guest->option_count + 1) * sizeof(*run->options_given));
    run->face = (struct guest_run){
        .sim = run->sim,
        .state = run_get(run, guest->state_bytes + 16),
        .mem = &run->pile.mem,
        .seed = run->options.seed,
        .telling = run->options.tell != NULL,
        .guest = guest,
        .options = run->options_given,
    };
    if (run->failed) {
        return false;
    }
    run_values(run, guest->options, guest->option_count, scenario->cluster_args, &nowhere,
               run->options_given);
    return true;
}

/* Per-process arrays; clients are known by then. */
static bool set_up_processes(struct run *run)
{
    uint32_t count = sim_count(run->sim);

    ENSURE(count <= GUEST_PROCESS_MAX);
    run->process_count = count;
    run->process_names = run_get(run, (count + 1) * sizeof(*run->process_names));
    run->process_client = run_get(run, count + 1);
    run->state = run_get(run, (count + 1) * sizeof(*run->state));
    run->down = run_get(run, count + 1);
    run->paused = run_get(run, count + 1);
    run->clocks = run_get(run, (count + 1) * sizeof(*run->clocks));
    if (run->failed) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct text text;

        text_init(&text, run->process_names[i], sizeof(run->process_names[i]));
        text_str(&text, sim_name(run->sim, i));
        run->process_client[i] = i >= run->server_count;
        run->down[i] = true;
    }
    return true;
}

static bool build_servers(struct run *run)
{
    char room[160] = "";
    struct text why;

    text_init(&why, room, sizeof(room));
    if (run->scenario->guest->build(&run->face, &why) != ERR_OK) {
        return defect(run, "the cluster cannot be built", room);
    }
    run->server_count = sim_count(run->sim);
    return run->server_count == run->scenario->server_count ||
           defect(run, "the cluster has another number of servers than its cluster line says", "");
}

static bool build_clients(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const struct guest *guest = scenario->guest;
    const struct run_where nowhere = {.self = SIM_NONE, .peer = SIM_NONE};
    struct guest_value values[GUEST_PARAM_MAX];

    run->client_process = run_get(run, (scenario->line_count + 1) * sizeof(*run->client_process));
    ENSURE(guest->client_option_count <= GUEST_PARAM_MAX);
    for (uint32_t i = 0; !run->failed && i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];
        char name[32];
        char room[160] = "";
        struct text text;
        struct text why;

        if (line->kind != SCN_CLIENT) {
            continue;
        }
        text_init(&text, name, sizeof(name));
        text_span(&text, scenario->names[line->name].text);
        text_init(&why, room, sizeof(room));
        run_values(run, guest->client_options, guest->client_option_count, line->args, &nowhere,
                   values);
        run->client_process[run->client_count++] = sim_count(run->sim);
        if (guest->add_client(&run->face, name, values, &why) != ERR_OK) {
            return defect(run, name, room);
        }
        if (sim_count(run->sim) > GUEST_PROCESS_MAX) {
            return defect(run, "more than 256 processes", "");
        }
    }
    return !run->failed;
}

/* ---- set-up lines ---- */

static void set_up_link(struct run *run, const struct scn_line *line)
{
    const struct run_where nowhere = {.self = SIM_NONE, .peer = SIM_NONE};
    const struct scn_arg *args = line->args;
    struct guest_set named = {0};
    struct guest_set from;
    struct guest_set to;

    run_resolve(run, &line->from, &nowhere, &named, &from);
    run_resolve(run, &line->to, &nowhere, &named, &to);
    for (uint32_t a = 0; a < run->process_count; a++) {
        for (uint32_t b = 0; b < run->process_count; b++) {
            bool there = guest_set_has(&from, a) && guest_set_has(&to, b);
            bool back =
                line->link == SCN_LINK_BOTH && guest_set_has(&from, b) && guest_set_has(&to, a);
            struct sim_link link;

            if (a == b || !(line->from.count == 0 || there || back)) {
                continue;
            }
            sim_get_link(run->sim, a, b, &link);
            if (args[SCN_LINK_DELAY].given) {
                link.delay_min_us = (uint32_t)args[SCN_LINK_DELAY].number;
                link.delay_max_us = (uint32_t)args[SCN_LINK_DELAY].number_high;
            }
            link.lose_ppm =
                args[SCN_LINK_LOSE].given ? (uint32_t)args[SCN_LINK_LOSE].number : link.lose_ppm;
            link.double_ppm =
                args[SCN_LINK_DUP].given ? (uint32_t)args[SCN_LINK_DUP].number : link.double_ppm;
            link.reorder_ppm = args[SCN_LINK_REORDER].given
                                   ? (uint32_t)args[SCN_LINK_REORDER].number
                                   : link.reorder_ppm;
            link.chop_ppm =
                args[SCN_LINK_CHOP].given ? (uint32_t)args[SCN_LINK_CHOP].number : link.chop_ppm;
            link.reset_ppm =
                args[SCN_LINK_RESET].given ? (uint32_t)args[SCN_LINK_RESET].number : link.reset_ppm;
            if (args[SCN_LINK_RETRANSMIT].given) {
                link.retransmit_us = (uint32_t)args[SCN_LINK_RETRANSMIT].number;
            }
            sim_set_link(run->sim, a, b, &link);
        }
    }
}

static void set_up_disk(struct run *run, const struct scn_line *line, uint32_t process)
{
    const struct scn_arg *args = line->args;
    struct sim_disk disk;

    sim_get_disk(run->sim, process, &disk);
    if (args[SCN_DISK_SYNC].given) {
        disk.sync_min_us = (uint32_t)args[SCN_DISK_SYNC].number;
        disk.sync_max_us = (uint32_t)args[SCN_DISK_SYNC].number_high;
    }
    disk.read_us = args[SCN_DISK_READ].given ? (uint32_t)args[SCN_DISK_READ].number : disk.read_us;
    disk.keep_ppm =
        args[SCN_DISK_KEEP].given ? (uint32_t)args[SCN_DISK_KEEP].number : disk.keep_ppm;
    disk.tear_ppm =
        args[SCN_DISK_TEAR].given ? (uint32_t)args[SCN_DISK_TEAR].number : disk.tear_ppm;
    sim_set_disk(run->sim, process, &disk);
}

static void set_up_process(struct run *run, const struct scn_line *line, uint32_t process)
{
    const struct scn_arg *args = line->args;
    enum err err;

    switch (line->kind) {
    case SCN_DISK:
        set_up_disk(run, line, process);
        return;
    case SCN_CLOCK:
        run->clocks[process].offset_ms = args[SCN_CLOCK_OFFSET].number / 1000;
        run->clocks[process].rate_ppm = (int32_t)args[SCN_CLOCK_RATE].number;
        sim_set_clock(run->sim, process, &run->clocks[process]);
        return;
    case SCN_FILE:
        err = sim_file_put(run->sim, process, (enum file_dir)args[SCN_FILE_DIR].number,
                           args[SCN_FILE_NAME].text, args[SCN_FILE_BYTES].text);
        if (err != ERR_OK) {
            run_noop(run, line, err_text(err));
        }
        return;
    default:
        UNREACHABLE();
    }
}

static void set_up_line(struct run *run, const struct scn_line *line)
{
    const struct run_where nowhere = {.self = SIM_NONE, .peer = SIM_NONE};
    struct guest_value values[GUEST_PARAM_MAX];
    struct guest_call call = {.process = SIM_NONE, .values = values};
    struct guest_set set;
    enum err err;

    if (line->kind == SCN_LINK) {
        set_up_link(run, line);
        return;
    }
    if (line->kind == SCN_SETUP) {
        ENSURE(line->setup->param_count <= GUEST_PARAM_MAX);
        run_values(run, line->setup->params, line->setup->param_count, line->args, &nowhere,
                   values);
        err = line->setup->run(&run->face, &call);
        if (err != ERR_OK) {
            run_noop(run, line, err_text(err));
        }
        return;
    }
    if (line->from.count == 0) {
        guest_servers(&run->face, &set);
    } else {
        run_resolve(run, &line->from, &nowhere, NULL, &set);
    }
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        set_up_process(run, line, p);
    }
}

static bool set_up_lines(struct run *run)
{
    const struct scenario *scenario = run->scenario;

    run->bound = run_get(run, (scenario->name_count + 1) * sizeof(*run->bound));
    run->bound_op = run_get(run, (scenario->name_count + 1) * sizeof(struct guest_op *));
    if (run->failed) {
        return false;
    }
    for (uint32_t i = 0; i < scenario->name_count; i++) {
        run->bound[i] = SIM_NONE;
    }
    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (line->kind >= SCN_SETUP && line->kind <= SCN_FILE) {
            if (line->lost) {
                run_noop(run, line, "no line gives a name that it uses");
            } else {
                set_up_line(run, line);
            }
        }
    }
    return !run->failed;
}

/* ---- playing ---- */

static void start_one(struct sim *sim, void *context, uint64_t process)
{
    (void)context;
    sim_start(sim, (uint32_t)process);
}

static void start_all(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    uint32_t client = 0;

    if (scenario->common_args[SCN_CLUSTER_START].number == 0) {
        for (uint32_t p = 0; p < run->server_count; p++) {
            sim_start(run->sim, p);
        }
    }
    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (line->kind == SCN_CLIENT) {
            uint64_t due =
                (uint64_t)line->args[scenario->guest->client_option_count + SCN_CLIENT_START]
                    .number;

            sim_schedule(run->sim, due, start_one, run, run->client_process[client]);
            client++;
        }
    }
}

/* Trace lines name notes as scenario files do. A guest may give a table of its own. */
static bool set_up_notes(struct run *run)
{
    const struct guest *guest = run->scenario->guest;
    struct sim_note *notes;

    if (run->options.trace == SIM_TRACE_NONE) {
        return true;
    }
    notes = run_get(run, (guest->note_count + 1) * sizeof(*notes));
    if (notes == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < guest->note_count; i++) {
        const struct guest_note *note = &guest->notes[i];

        notes[i] = (struct sim_note){.kind = note->kind,
                                     .word = note->name,
                                     .a = note->a,
                                     .b = note->b,
                                     .c = note->c,
                                     .bytes = note->bytes};
    }
    sim_set_notes(run->sim, notes, guest->note_count);
    return true;
}

static bool set_up(struct run *run)
{
    if (!open_world(run) || !set_up_face(run) || !set_up_notes(run) || !build_servers(run) ||
        !build_clients(run) || !set_up_processes(run) || !set_up_lines(run)) {
        if (run->defect[0] == 0) {
            defect(run, "out of memory", "");
        }
        return false;
    }
    run_fuzz_set_up(run);
    run_chains_make(run);
    if (run->failed) {
        return defect(run, "out of memory", "");
    }
    run_taps_add(run);
    if (run->scenario->guest->begin != NULL) {
        run->scenario->guest->begin(&run->face);
    }
    return true;
}

static void play(struct run *run)
{
    uint64_t length = run_length_us(run);

    start_all(run);
    run_fuzz_start(run);
    run_chains_start(run);
    sim_run(run->sim, length == 0 ? RUN_LIMIT_US : length);
    if (run->scenario->guest->finish != NULL && !run->failed) {
        run->scenario->guest->finish(&run->face);
    }
    run_finish_verdicts(run);
    run->over = true;
    run_record_end(run);
}

/* The line at which a chain waits for what never came; 0 for none. A `within` has its own verdict.
 */
static uint32_t stuck_line(const struct run *run)
{
    for (uint32_t i = 0; i < run->chain_count; i++) {
        const struct run_chain *chain = &run->chains[i];

        if (chain->wait == CHAIN_EVENT || chain->wait == CHAIN_CONDITION) {
            const struct scn_line *line = &run->scenario->lines[run->steps[chain->next]];

            if (line->kind != SCN_WITHIN) {
                return line->number;
            }
        }
    }
    return 0;
}

static bool any_failed(const struct run *run)
{
    for (uint32_t i = 0; i < run->verdict_count; i++) {
        if (run->verdicts[i].mark == RUN_FAILED) {
            return true;
        }
    }
    return false;
}

static bool must_have(const struct run *run, const struct run_report *report)
{
    struct span target = run->scenario->must->target;

    if (report->found && !report->finding.assertion) {
        return span_is(target, report->finding.check);
    }
    if (report->found) {
        return span_is(target, "assertion");
    }
    if (report->result == RUN_VIOLATED) {
        return span_is(target, "expectation");
    }
    return report->result == RUN_NO_PROGRESS && span_is(target, "progress");
}

static void judge(struct run *run, struct run_report *report)
{
    report->stuck_line = stuck_line(run);
    report->found = sim_get_finding(run->sim, &report->finding);
    if (run->failed || (report->found && report->finding.assertion)) {
        report->result = RUN_DEFECT;
    } else if (report->found || any_failed(run)) {
        report->result = RUN_VIOLATED;
    } else if (report->stuck_line != 0 || run->circle) {
        report->result = RUN_NO_PROGRESS;
    }
    if (run->circle) {
        (void)defect(run, "lines fire each other without end", "");
        memcpy(report->defect, run->defect, sizeof(report->defect));
    }
    if (run->scenario->must == NULL || run->scenario->must->lost) {
        return;
    }
    report->inverted = must_have(run, report);
    if (report->inverted) {
        report->result = RUN_GOOD;
    } else if (report->result == RUN_GOOD) {
        report->result = RUN_VIOLATED;
    }
}

static void reset(struct run *run, const struct run_options *options)
{
    const struct scenario *scenario = run->scenario;
    struct pile pile = run->pile;

    pile_clear(&pile);
    *run = (struct run){.scenario = scenario, .options = *options, .pile = pile};
}

void run_play(struct run *run, const struct run_options *options, struct run_report *report)
{
    reset(run, options);
    *report = (struct run_report){.seed = options->seed};
    if (set_up(run)) {
        play(run);
        judge(run, report);
        report->sim_us = sim_now(run->sim);
        report->fingerprint = sim_fingerprint(run->sim);
        sim_get_counts(run->sim, &report->counts);
    } else {
        report->result = RUN_DEFECT;
        memcpy(report->defect, run->defect, sizeof(report->defect));
    }
    if (run->sim != NULL) {
        sim_close(run->sim);
        run->sim = NULL;
    }
    report->verdicts = run->verdicts;
    report->verdict_count = run->verdict_count;
    report->noops = run->noops;
    report->noop_count = run->noop_count;
    report->ops = (const struct guest_op *const *)run->ops;
    report->op_count = run->op_count;
    report->record = options->record ? &run->record : NULL;
}

/* ---- names ---- */

uint32_t run_process_count(const struct run *run)
{
    return run->process_count;
}

const char *run_process_name(const struct run *run, uint32_t process)
{
    return process < run->process_count ? run->process_names[process] : "";
}

bool run_process_is_client(const struct run *run, uint32_t process)
{
    return process < run->process_count && run->process_client[process];
}

const struct scenario *run_scenario(const struct run *run)
{
    return run->scenario;
}
