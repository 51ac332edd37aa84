#include "sim/runner_in.h"

#include "base/ensure.h"

/* The calls that a guest makes, and what is recorded for the plot. */

static struct run *run_of(struct guest_run *face)
{
    return (struct run *)(void *)face;
}

void guest_say(struct guest_run *run, enum guest_level level, uint32_t process, struct span words)
{
    struct run *whole = run_of(run);
    struct run_line line;

    if (!run->telling) {
        return;
    }
    line = (struct run_line){
        .at_us = sim_now(whole->sim),
        .level = level,
        .process = process,
        .name = process == SIM_NONE ? "" : run_process_name(whole, process),
        .words = words,
    };
    if (whole->options.tell != NULL) {
        whole->options.tell(whole->options.context, &line);
    }
}

void guest_set_state(struct guest_run *run, uint32_t process, uint32_t state)
{
    struct run *whole = run_of(run);

    ENSURE(state < run->guest->state_count);
    if (process >= whole->process_count || whole->state[process] == state) {
        return;
    }
    whole->state[process] = state;
    if (!whole->down[process] && !whole->paused[process]) {
        run_record_state(whole, process, state);
    }
    run_dirty(whole);
}

uint32_t guest_state(const struct guest_run *run, uint32_t process)
{
    const struct run *whole = (const struct run *)(const void *)run;

    return process < whole->process_count ? whole->state[process] : 0;
}

void guest_mark(struct guest_run *run, uint32_t process, struct span words)
{
    struct run *whole = run_of(run);

    if (whole->options.record) {
        run_record_tick(whole, process, GUEST_SAY_ROLE, words);
    }
}

void guest_fail(struct guest_run *run, const char *check, struct span why)
{
    struct run *whole = run_of(run);
    char room[320];
    struct text text;

    if (run->telling) {
        text_init(&text, room, sizeof(room));
        text_str(&text, "VIOLATED: ");
        text_str(&text, check);
        text_str(&text, ": ");
        text_span(&text, why);
        guest_say(run, GUEST_SAY_FAULT, SIM_NONE, span_make(text.at, text.len));
    }
    sim_fail(whole->sim, check, why);
}

/* ---- operations ---- */

struct guest_op *run_op_begin(struct run *run, uint32_t process, uint32_t verb, struct span label,
                              struct span words)
{
    struct guest_op *op = run_get(run, sizeof(*op));

    if (op == NULL ||
        !run_reserve(run, &run->ops, &run->op_room, run->op_count, sizeof(struct guest_op *))) {
        return NULL;
    }
    *op = (struct guest_op){
        .tag = run->op_count + 1,
        .process = process,
        .verb = verb,
        .label = label,
        .words = words,
        .begin_us = sim_now(run->sim),
        .end_us = UINT64_MAX,
    };
    run->ops[run->op_count++] = op;
    return op;
}

struct guest_op *guest_op_begin(struct guest_run *run, uint32_t process, struct span words)
{
    struct run *whole = run_of(run);

    return run_op_begin(whole, process, UINT32_MAX, (struct span){0},
                        pile_copy(&whole->pile, words));
}

struct guest_op *guest_op_find(struct guest_run *run, uint64_t tag)
{
    struct run *whole = run_of(run);

    return tag == 0 || tag > whole->op_count ? NULL : whole->ops[tag - 1];
}

/* Three or four digits are all that a reader wants. */
static void tell_time(struct text *text, uint64_t us)
{
    uint64_t unit = us >= 10000000 ? 100000 : (us >= 1000000 ? 10000 : (us >= 10000 ? 1000 : 1));

    us -= us % unit;
    if (us >= 1000000 && us % 1000000 != 0) {
        text_u64(text, us / 1000000);
        text_char(text, '.');
        text_padded(text, (int64_t)(us % 1000000 / 10000), 2);
        text_char(text, 's');
        return;
    }
    scenario_print_time(text, (int64_t)us);
}

static void tell_op(struct run *run, const struct guest_op *op, struct span result)
{
    static const char *const fates[] = {"open", "acknowledged", "failed", "fate unknown"};
    const struct guest *guest = run->scenario->guest;
    bool writes = op->verb != UINT32_MAX && guest->verbs[op->verb].writes;
    char room[360];
    struct text text;

    if (!run->face.telling) {
        return;
    }
    text_init(&text, room, sizeof(room));
    if (op->label.len > 0) {
        text_span(&text, op->label);
        text_str(&text, ": ");
    }
    text_span(&text, op->words);
    text_str(&text, ": ");
    text_str(&text, fates[op->fate]);
    text_str(&text, " after ");
    tell_time(&text, op->end_us - op->begin_us);
    if (result.len > 0) {
        text_str(&text, ", ");
        text_span(&text, result);
    }
    /* Reads only where somebody gave them a name; routine only when it fails. */
    writes = writes && !(op->routine && op->fate == GUEST_OP_OK);
    guest_say(&run->face, writes || op->label.len > 0 ? GUEST_SAY_CLIENT : GUEST_SAY_DETAIL,
              op->process, span_make(text.at, text.len));
}

void guest_op_end(struct guest_run *run, uint64_t tag, enum guest_fate fate, struct span result)
{
    struct run *whole = run_of(run);
    struct guest_op *op = guest_op_find(run, tag);

    if (op == NULL || op->fate != GUEST_OP_OPEN || fate == GUEST_OP_OPEN) {
        return;
    }
    op->fate = fate;
    op->end_us = sim_now(whole->sim);
    tell_op(whole, op, result);
    run_dirty(whole);
}

/* ---- what the plot needs ---- */

void run_record_state(struct run *run, uint32_t process, uint32_t state)
{
    struct run_record *record = &run->record;
    uint64_t now = sim_now(run->sim);

    if (!run->options.record || !run_reserve(run, &record->bars, &run->bar_room, record->bar_count,
                                             sizeof(*record->bars))) {
        return;
    }
    for (uint32_t i = record->bar_count; i-- > 0;) {
        if (record->bars[i].process == process) {
            if (record->bars[i].to_us == UINT64_MAX) {
                record->bars[i].to_us = now;
            }
            break;
        }
    }
    record->bars[record->bar_count++] =
        (struct run_bar){.process = process, .state = state, .from_us = now, .to_us = UINT64_MAX};
}

void run_record_arrow(struct run *run, const struct sim_event *event)
{
    struct run_record *record = &run->record;

    if (event->record == NULL || !event->record->essential || event->peer == SIM_NONE ||
        !run_reserve(run, &record->arrows, &run->arrow_room, record->arrow_count,
                     sizeof(*record->arrows))) {
        return;
    }
    record->arrows[record->arrow_count++] = (struct run_arrow){
        .from = event->process,
        .to = event->peer,
        .sent_us = event->now_us,
        .due_us = event->arrival_us,
        .name = event->record->name,
    };
}

void run_record_tick(struct run *run, uint32_t process, enum guest_level level, struct span words)
{
    struct run_record *record = &run->record;
    struct run_tick *tick;
    struct text text;

    if (!run->options.record || !run_reserve(run, &record->ticks, &run->tick_room,
                                             record->tick_count, sizeof(*record->ticks))) {
        return;
    }
    tick = &record->ticks[record->tick_count++];
    *tick = (struct run_tick){.process = process, .at_us = sim_now(run->sim), .level = level};
    text_init(&text, tick->words, sizeof(tick->words));
    text_span(&text, words);
}

void run_record_cut(struct run *run, uint32_t from, uint32_t to, bool cut)
{
    struct run_record *record = &run->record;
    uint64_t now = sim_now(run->sim);

    if (!run->options.record) {
        return;
    }
    for (uint32_t i = record->cut_count; i-- > 0;) {
        struct run_cut *last = &record->cuts[i];

        if (last->from == from && last->to == to && last->to_us == UINT64_MAX) {
            last->to_us = cut ? UINT64_MAX : now;
            return;
        }
    }
    if (cut &&
        run_reserve(run, &record->cuts, &run->cut_room, record->cut_count, sizeof(*record->cuts))) {
        record->cuts[record->cut_count++] =
            (struct run_cut){.from = from, .to = to, .from_us = now, .to_us = UINT64_MAX};
    }
}

void run_record_end(struct run *run)
{
    struct run_record *record = &run->record;
    uint64_t now = sim_now(run->sim);

    for (uint32_t i = 0; i < record->bar_count; i++) {
        record->bars[i].to_us = record->bars[i].to_us == UINT64_MAX ? now : record->bars[i].to_us;
    }
    for (uint32_t i = 0; i < record->cut_count; i++) {
        record->cuts[i].to_us = record->cuts[i].to_us == UINT64_MAX ? now : record->cuts[i].to_us;
    }
}
