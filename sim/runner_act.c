#include "sim/runner_in.h"

#include "base/ensure.h"

/* ---- reports ---- */

void run_noop(struct run *run, const struct scn_line *line, const char *why)
{
    struct run_noop *noop;
    char room[160];
    struct text text;

    if (run->noop_count < RUN_NOOPS_MAX) {
        noop = &run->noops[run->noop_count++];
        *noop = (struct run_noop){.line = line->number, .at_us = sim_now(run->sim)};
        text_init(&text, noop->why, sizeof(noop->why));
        text_str(&text, why);
    }
    if (run->face.telling) {
        text_init(&text, room, sizeof(room));
        text_str(&text, "line ");
        text_u64(&text, line->number);
        text_str(&text, " does nothing: ");
        text_str(&text, why);
        guest_say(&run->face, GUEST_SAY_FAULT, SIM_NONE, span_make(text.at, text.len));
    }
}

void run_tell_fault(struct run *run, uint32_t process, struct span words)
{
    guest_say(&run->face, GUEST_SAY_FAULT, process, words);
    /* Ends are seen in the plot without a label. */
    if (run->options.record && (words.len < 7 || memcmp(words.at, "end of ", 7) != 0)) {
        run_record_tick(run, process, GUEST_SAY_FAULT, words);
    }
}

/* "crash disk=tear for 5s (was leading)" */
static void tell_process(struct run *run, uint32_t process, const struct scn_action *action)
{
    char room[200];
    struct text text;
    uint32_t state = run->state[process];
    bool client = run->process_client[process];

    if (!run->face.telling) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, action->fault->name);
    for (uint32_t i = 0; i < action->fault->param_count; i++) {
        if (action->args[i].given) {
            text_char(&text, ' ');
            if ((action->fault->params[i].flags & GUEST_KEYED) != 0) {
                text_str(&text, action->fault->params[i].name);
                text_char(&text, '=');
            }
            text_span(&text, action->args[i].text);
        }
    }
    if (action->for_us > 0) {
        text_str(&text, " for ");
        scenario_print_time(&text, (int64_t)action->for_us);
    }
    if (!client && !run->down[process] && state > 0 && state < run->scenario->guest->state_count) {
        text_str(&text, " (was ");
        text_str(&text, run->scenario->guest->states[state].name);
        text_char(&text, ')');
    }
    run_tell_fault(run, process, span_make(text.at, text.len));
}

/* ---- disks ---- */

static bool base_disks(struct run *run)
{
    if (run->base_disks != NULL) {
        return true;
    }
    run->base_disks = run_get(run, run->process_count * sizeof(*run->base_disks));
    for (uint32_t i = 0; run->base_disks != NULL && i < run->process_count; i++) {
        sim_get_disk(run->sim, i, &run->base_disks[i]);
    }
    return run->base_disks != NULL;
}

static void disk_set(struct run *run, uint32_t process, enum scn_fault fault,
                     const struct scn_arg *args, bool on)
{
    const struct sim_disk *base;
    struct sim_disk disk;

    if (!base_disks(run)) {
        return;
    }
    base = &run->base_disks[process];
    sim_get_disk(run->sim, process, &disk);
    switch (fault) {
    case SCN_LIE_FSYNC:
        disk.lie = on || base->lie;
        break;
    case SCN_EIO:
        disk.eio = on || base->eio;
        break;
    case SCN_FULL:
        disk.full = on || base->full;
        break;
    case SCN_STUCK:
        disk.stall = on || base->stall;
        break;
    case SCN_SLOW:
        disk.sync_min_us = on ? (uint32_t)args[0].number : base->sync_min_us;
        disk.sync_max_us = on ? (uint32_t)args[0].number_high : base->sync_max_us;
        break;
    case SCN_REPAIR:
        disk = *base;
        break;
    default:
        return;
    }
    sim_set_disk(run->sim, process, &disk);
}

/* ---- crashes ---- */

static void crash_disk_back(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;
    struct sim_disk disk;
    uint32_t process = (uint32_t)argument;

    sim_get_disk(sim, process, &disk);
    disk.keep_ppm = run->base_disks[process].keep_ppm;
    disk.tear_ppm = run->base_disks[process].tear_ppm;
    sim_set_disk(sim, process, &disk);
}

/* What a power loss of now does to unsynced writes; the base settings come back behind the crash.
 */
static void crash_disk(struct run *run, uint32_t process, uint32_t keep_ppm, uint32_t tear_ppm)
{
    struct sim_disk disk;

    if (!base_disks(run)) {
        return;
    }
    sim_get_disk(run->sim, process, &disk);
    disk.keep_ppm = keep_ppm;
    disk.tear_ppm = tear_ppm;
    sim_set_disk(run->sim, process, &disk);
    sim_schedule(run->sim, sim_now(run->sim), crash_disk_back, run, process);
}

void run_crash_prepare(struct run *run, const struct scn_action *action, uint32_t process,
                       enum sim_crash_kind *kind)
{
    const struct scn_arg *disk = &action->args[SCN_CRASH_DISK];
    const struct scn_arg *how = &action->args[SCN_CRASH_KIND];

    *kind = SIM_KILL;
    if (action->fault->fault == SCN_STOP) {
        *kind = SIM_POWER;
        crash_disk(run, process, 1000000, 0);
        return;
    }
    if (action->fault->fault != SCN_CRASH) {
        return;
    }
    *kind = how->given && how->number == 1 ? SIM_POWER : SIM_KILL;
    if (!disk->given) {
        return;
    }
    *kind = SIM_POWER;
    switch (disk->number) {
    case 0:
        crash_disk(run, process, 0, 0);
        return;
    case 1:
        crash_disk(run, process, 1000000, 0);
        return;
    case 2:
        crash_disk(run, process, 0, 1000000);
        return;
    default:
        UNREACHABLE();
    }
}

static void crash_now(struct run *run, const struct scn_action *action, uint32_t process)
{
    enum sim_crash_kind kind = SIM_KILL;

    if (!sim_is_up(run->sim, process)) {
        return;
    }
    if (action->fault->fault != SCN_RESTART) {
        run_crash_prepare(run, action, process, &kind);
    }
    sim_crash(run->sim, process, kind);
}

/* ---- ends ---- */

struct act_end {
    const struct scn_action *action;
    struct guest_set set;
};

static void process_end(struct run *run, enum scn_fault fault, uint32_t process)
{
    switch (fault) {
    case SCN_CRASH:
    case SCN_STOP:
        sim_start(run->sim, process);
        return;
    case SCN_PAUSE:
        sim_resume(run->sim, process);
        return;
    case SCN_SKEW:
        run->clocks[process].offset_ms = 0;
        sim_set_clock(run->sim, process, &run->clocks[process]);
        return;
    case SCN_DRIFT:
        run->clocks[process].rate_ppm = 0;
        sim_set_clock(run->sim, process, &run->clocks[process]);
        return;
    default:
        disk_set(run, process, fault, NULL, false);
        return;
    }
}

static void act_end(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;
    const struct act_end *end = (const struct act_end *)(uintptr_t)argument;
    enum scn_fault fault = end->action->fault->fault;

    (void)sim;
    if (run->over) {
        return;
    }
    for (uint32_t p = guest_set_next(&end->set, 0); p != SIM_NONE;
         p = guest_set_next(&end->set, p + 1)) {
        char room[80];
        struct text text;

        text_init(&text, room, sizeof(room));
        text_str(&text, fault == SCN_CRASH || fault == SCN_STOP ? "start after " : "end of ");
        text_str(&text, end->action->fault->name);
        run_tell_fault(run, p, span_make(text.at, text.len));
        process_end(run, fault, p);
    }
    run_dirty(run);
}

/* ---- faults of processes ---- */

/* The last file that fits, by directory and name: of numbered ones the newest. */
static void rot(struct run *run, const struct scn_line *line, const struct scn_action *action,
                uint32_t process)
{
    const struct scn_arg *byte = &action->args[SCN_ROT_BYTE];
    struct file_view found = {0};
    struct file_view file;

    for (uint32_t i = 0; sim_file_at(run->sim, process, i, &file); i++) {
        if (run_file_fits(action->args[SCN_ROT_FILE].text, file.name)) {
            found = file;
        }
    }
    if (found.name.len == 0 ||
        sim_file_rot(run->sim, process, found.dir, found.name,
                     byte->given ? (uint64_t)byte->number : found.size / 2) != ERR_OK) {
        run_noop(run, line, found.name.len == 0 ? "it has no such file" : "the file is shorter");
    }
}

static void process_act(struct run *run, const struct scn_line *line,
                        const struct scn_action *action, uint32_t process)
{
    struct sim_clock *clock = &run->clocks[process];

    switch (action->fault->fault) {
    case SCN_CRASH:
    case SCN_STOP:
        crash_now(run, action, process);
        return;
    case SCN_RESTART:
        crash_now(run, action, process);
        sim_start(run->sim, process);
        return;
    case SCN_START:
        sim_start(run->sim, process);
        return;
    case SCN_PAUSE:
        sim_pause(run->sim, process);
        return;
    case SCN_RESUME:
        sim_resume(run->sim, process);
        return;
    case SCN_SKEW:
        clock->offset_ms = action->args[0].number / 1000;
        sim_set_clock(run->sim, process, clock);
        return;
    case SCN_JUMP:
        clock->offset_ms += action->args[0].number / 1000;
        sim_set_clock(run->sim, process, clock);
        return;
    case SCN_DRIFT:
        clock->rate_ppm = (int32_t)action->args[0].number;
        sim_set_clock(run->sim, process, clock);
        return;
    case SCN_WIPE:
        if (sim_is_up(run->sim, process)) {
            run_noop(run, line, "only the disk of a process that is down can be wiped");
        } else {
            sim_disk_wipe(run->sim, process);
        }
        return;
    case SCN_ROT:
        rot(run, line, action, process);
        return;
    default:
        disk_set(run, process, action->fault->fault, action->args, true);
        return;
    }
}

/* A fault that changes nothing, as crashing what is down, is worth a word. */
static const char *process_idle(const struct run *run, enum scn_fault fault, uint32_t process)
{
    bool up = sim_is_up(run->sim, process);

    if ((fault == SCN_CRASH || fault == SCN_STOP || fault == SCN_PAUSE) && !up) {
        return "it is down";
    }
    if (fault == SCN_START && up) {
        return "it is up";
    }
    if (fault == SCN_RESUME && !run->paused[process]) {
        return "it is not paused";
    }
    return NULL;
}

static void process_fault(struct run *run, const struct scn_line *line,
                          const struct scn_action *action, const struct run_where *where)
{
    struct act_end *end = run_get(run, sizeof(*end));
    struct guest_set set;

    if (end == NULL) {
        return;
    }
    run_resolve(run, &action->groups[0], where, NULL, &set);
    if (guest_set_count(&set) == 0) {
        run_noop(run, line, "nobody has that role now");
        return;
    }
    end->action = action;
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        const char *idle = process_idle(run, action->fault->fault, p);

        if (idle != NULL) {
            if (p != where->self) { /* its crash by verdict came before */
                run_noop(run, line, idle);
            }
            continue;
        }
        tell_process(run, p, action);
        process_act(run, line, action, p);
        guest_set_add(&end->set, p);
    }
    if (action->for_us > 0 && guest_set_count(&end->set) > 0) {
        sim_schedule(run->sim, sim_now(run->sim) + action->for_us, act_end, run,
                     (uint64_t)(uintptr_t)end);
    }
}

enum sim_verdict run_crash_by_verdict(struct run *run, const struct scn_action *action,
                                      uint32_t process, bool before)
{
    enum sim_crash_kind kind = SIM_KILL;

    tell_process(run, process, action);
    if (action->fault->fault != SCN_RESTART) {
        run_crash_prepare(run, action, process, &kind);
    }
    sim_crash_verdict_kind(run->sim, kind);
    if (action->for_us > 0) {
        struct act_end *end = run_get(run, sizeof(*end));

        if (end != NULL) {
            end->action = action;
            guest_set_add(&end->set, process);
            sim_schedule(run->sim, sim_now(run->sim) + action->for_us, act_end, run,
                         (uint64_t)(uintptr_t)end);
        }
    }
    return before ? SIM_CRASH_BEFORE : SIM_CRASH_AFTER;
}

static void fault_act(struct run *run, const struct scn_line *line, const struct scn_action *action,
                      const struct run_where *where)
{
    switch (action->fault->scope) {
    case SCN_SCOPE_NONE:
        ENSURE(action->fault->fault == SCN_END);
        guest_say(&run->face, GUEST_SAY_FAULT, SIM_NONE, span_text("end of the run"));
        sim_stop(run->sim);
        return;
    case SCN_SCOPE_LINK_MAYBE:
        if (action->fault->fault == SCN_DROP && action->group_count == 0) {
            return; /* the verdict of the tap did it */
        }
        run_link_fault(run, line, action, where);
        return;
    case SCN_SCOPE_LINK:
    case SCN_SCOPE_GROUPS:
        run_link_fault(run, line, action, where);
        return;
    case SCN_SCOPE_ROLES:
        if (action->fault->fault == SCN_ISOLATE) {
            run_link_fault(run, line, action, where);
        } else {
            process_fault(run, line, action, where);
        }
        return;
    }
}

/* ---- verbs of the guest ---- */

static void verb_call(struct run *run, const struct scn_line *line, const struct scn_action *action,
                      const struct run_where *where, uint32_t process)
{
    const struct guest_verb *verb = action->verb;
    struct guest_value values[GUEST_PARAM_MAX];
    struct guest_call call = {.process = process,
                              .values = values,
                              .words = run_with_round(run, action->words, where->round)};
    enum err err;

    ENSURE(verb->param_count <= GUEST_PARAM_MAX);
    run_values(run, verb->params, verb->param_count, action->args, where, values);
    if (verb->operation) {
        struct span label = {0};

        if (action->as != SCN_NONE) {
            label = run->scenario->names[action->as].text;
        }
        call.op = run_op_begin(run, process, (uint32_t)(verb - run->scenario->guest->verbs), label,
                               call.words);
        if (call.op == NULL) {
            return;
        }
        call.op->routine = where->round > 0 && action->as == SCN_NONE;
        if (action->as != SCN_NONE) {
            run->bound_op[action->as] = call.op;
        }
    }
    err = verb->run(&run->face, &call);
    if (err != ERR_OK) {
        if (call.op != NULL) {
            guest_op_end(&run->face, call.op->tag, GUEST_OP_FAILED, span_text(err_text(err)));
        }
        run_noop(run, line, err_text(err));
    }
}

static void verb_act(struct run *run, const struct scn_line *line, const struct scn_action *action,
                     const struct run_where *where)
{
    struct guest_set set;

    if (action->verb->subject == GUEST_ON_NONE) {
        verb_call(run, line, action, where, SIM_NONE);
        return;
    }
    run_resolve(run, &action->groups[0], where, NULL, &set);
    if (guest_set_count(&set) == 0) {
        run_noop(run, line, "nobody has that role now");
        return;
    }
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        if (run->process_client[p] != (action->verb->subject == GUEST_ON_CLIENT)) {
            run_noop(run, line,
                     run->process_client[p] ? "a client cannot do that"
                                            : "only a client can do that");
        } else if (!sim_is_up(run->sim, p)) {
            run_noop(run, line, "it is down");
        } else {
            verb_call(run, line, action, where, p);
        }
    }
}

/* `whenever X crashes: start X` and `whenever X starts: crash X` would never let time go on. */
static bool in_circle(struct run *run)
{
    uint64_t now = sim_now(run->sim);

    run->instant_count = now == run->instant_us ? run->instant_count + 1 : 0;
    run->instant_us = now;
    if (run->instant_count < RUN_INSTANT_MAX) {
        return false;
    }
    run->circle = true;
    run->over = true;
    sim_stop(run->sim);
    return true;
}

void run_act(struct run *run, const struct scn_line *line, const struct scn_action *action,
             const struct run_where *where)
{
    if (line->lost || run->over || in_circle(run)) {
        return;
    }
    if (action->fault != NULL) {
        fault_act(run, line, action, where);
    } else {
        verb_act(run, line, action, where);
    }
    run_dirty(run);
}
