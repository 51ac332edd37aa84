#include "sim/runner_in.h"

#include "base/ensure.h"

static void chain_go(struct run *run, uint32_t chain_index);

/* ---- building ---- */

static bool is_step(enum scn_kind kind)
{
    return kind >= SCN_AT && kind <= SCN_WITHIN;
}

static bool is_verdict(enum scn_kind kind)
{
    return kind >= SCN_WITHIN && kind <= SCN_SOMETIMES;
}

static void watch_add(struct run *run, struct run_verdict *verdict)
{
    if (verdict->line->lost) {
        return;
    }
    verdict->mark = RUN_OPEN;
    run->watches[run->watch_count++] =
        (struct run_watch){.line = verdict->line, .verdict = verdict};
}

/* Each absolute `at` begins a chain, and so does the first timed line. */
void run_chains_make(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    uint32_t count = scenario->line_count;

    run->steps = run_get(run, (count + 1) * sizeof(*run->steps));
    run->chains = run_get(run, (count + 1) * sizeof(*run->chains));
    run->traps = run_get(run, (count + 1) * sizeof(*run->traps));
    run->watches = run_get(run, (count + 1) * sizeof(*run->watches));
    run->verdicts = run_get(run, (count + 1) * sizeof(*run->verdicts));
    run->verdict_of = run_get(run, (count + 1) * sizeof(*run->verdict_of));
    if (run->failed) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        run->verdict_of[i] = SCN_NONE;
        if (is_verdict(line->kind)) {
            run->verdict_of[i] = run->verdict_count;
            run->verdicts[run->verdict_count++] = (struct run_verdict){
                .line = line,
                .mark = line->lost ? RUN_SKIPPED
                                   : (line->kind == SCN_SOMETIMES ? RUN_UNSEEN : RUN_UNREACHED),
            };
        }
        if (line->kind == SCN_ALWAYS || line->kind == SCN_NEVER) {
            watch_add(run, &run->verdicts[run->verdict_of[i]]);
        }
        if (!is_step(line->kind)) {
            continue;
        }
        if (run->chain_count == 0 || (line->kind == SCN_AT && !line->relative)) {
            run->chains[run->chain_count++] =
                (struct run_chain){.first = run->step_count, .next = run->step_count};
        }
        run->steps[run->step_count++] = i;
        run->chains[run->chain_count - 1].last = run->step_count;
    }
}

/* ---- verdicts ---- */

static void tell_verdict(struct run *run, const struct run_verdict *verdict, const char *what)
{
    char room[300];
    struct text text;

    if (!run->face.telling) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, what);
    text_span(&text, verdict->line->condition.words);
    if (verdict->why[0] != 0) {
        text_str(&text, " (");
        text_str(&text, verdict->why);
        text_char(&text, ')');
    }
    guest_say(&run->face, GUEST_SAY_FAULT, SIM_NONE, span_make(text.at, text.len));
}

void run_fail(struct run *run, struct run_verdict *verdict, struct span why)
{
    struct text text;

    if (verdict->mark == RUN_FAILED) {
        return;
    }
    verdict->mark = RUN_FAILED;
    verdict->at_us = sim_now(run->sim);
    text_init(&text, verdict->why, sizeof(verdict->why));
    text_span(&text, why);
    tell_verdict(run, verdict, "VIOLATED: ");
    if (run->options.stop_at_failure) {
        sim_stop(run->sim);
    }
}

static void verdict_hold(struct run *run, struct run_verdict *verdict)
{
    verdict->mark = RUN_HELD;
    verdict->at_us = sim_now(run->sim);
    verdict->why[0] = 0;
    tell_verdict(run, verdict, "as expected: ");
}

/* ---- chains ---- */

static void chain_timer(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;
    struct run_chain *chain = &run->chains[argument >> 32];

    (void)sim;
    if (run->over || (chain->generation & UINT32_MAX) != (argument & UINT32_MAX)) {
        return;
    }
    if (chain->wait == CHAIN_TIME) {
        chain->wait = CHAIN_READY;
    } else if (chain->wait == CHAIN_CONDITION) { /* the deadline of a `within` */
        uint32_t line_index = run->steps[chain->next];
        const struct scn_line *line = &run->scenario->lines[line_index];
        char room[200] = "";
        struct text why;
        uint32_t process;

        text_init(&why, room, sizeof(room));
        if (run_ask(run, &line->condition, &process, &why) != GUEST_HOLDS) {
            run_fail(run, &run->verdicts[run->verdict_of[line_index]], span_make(why.at, why.len));
            chain->base_us = sim_now(run->sim);
            chain->next++;
        }
        chain->wait = CHAIN_READY;
    }
    chain_go(run, (uint32_t)(argument >> 32));
}

static void chain_schedule(struct run *run, uint32_t chain_index, uint64_t due_us)
{
    struct run_chain *chain = &run->chains[chain_index];

    chain->generation++;
    sim_schedule(run->sim, due_us, chain_timer, run,
                 ((uint64_t)chain_index << 32) | (chain->generation & UINT32_MAX));
}

void run_actions(struct run *run, uint32_t line_index, const struct run_where *where)
{
    const struct scenario *scenario = run->scenario;
    const struct scn_line *head = &scenario->lines[line_index];

    if (head->action != NULL) {
        run_act(run, head, head->action, where);
    }
    for (uint32_t i = line_index + 1; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (line->kind == SCN_ACTION && line->parent == line_index) {
            run_act(run, line, line->action, where);
        } else if (line->kind != SCN_BLANK) {
            break;
        }
    }
}

/* `when` and `within`: true when the chain can go on. */
static bool chain_condition(struct run *run, struct run_chain *chain, uint32_t line_index)
{
    const struct scn_line *line = &run->scenario->lines[line_index];
    struct run_where where = {.self = SIM_NONE, .peer = SIM_NONE};
    struct text why;
    enum guest_truth truth;

    text_init(&why, run->why, sizeof(run->why));
    truth = run_ask(run, &line->condition, &where.self, &why);
    if (truth == GUEST_HOLDS) {
        if (line->as != SCN_NONE) {
            run->bound[line->as] = where.self;
        }
        if (line->kind == SCN_WITHIN) {
            verdict_hold(run, &run->verdicts[run->verdict_of[line_index]]);
        }
        chain->wait = CHAIN_READY;
        chain->base_us = sim_now(run->sim);
        chain->next++;
        chain->generation++;
        run_actions(run, line_index, &where);
        return true;
    }
    if (truth == GUEST_VIOLATED && line->kind == SCN_WITHIN) {
        run_fail(run, &run->verdicts[run->verdict_of[line_index]], span_make(why.at, why.len));
        chain->wait = CHAIN_READY;
        chain->base_us = sim_now(run->sim);
        chain->next++;
        chain->generation++;
        return true;
    }
    return false;
}

struct every {
    struct run *run;
    uint32_t line_index;
    uint64_t round;
};

static void every_timer(struct sim *sim, void *context, uint64_t argument)
{
    struct every *every = context;
    struct run *run = every->run;
    const struct scn_line *line = &run->scenario->lines[every->line_index];
    struct run_where where = {.self = SIM_NONE, .peer = SIM_NONE, .round = ++every->round};

    (void)argument;
    if (run->over || (line->until_us > 0 && sim_now(sim) > line->until_us)) {
        return;
    }
    run_actions(run, every->line_index, &where);
    sim_schedule(sim, sim_now(sim) + line->time_us, every_timer, every, 0);
}

static void every_start(struct run *run, uint32_t line_index)
{
    struct every *every = run_get(run, sizeof(*every));

    if (every == NULL) {
        return;
    }
    *every = (struct every){.run = run, .line_index = line_index};
    sim_schedule(run->sim, sim_now(run->sim), every_timer, every, 0);
}

/* One line whose turn has come; true when the chain can go on. */
static bool chain_step(struct run *run, uint32_t chain_index)
{
    struct run_chain *chain = &run->chains[chain_index];
    uint32_t line_index = run->steps[chain->next];
    const struct scn_line *line = &run->scenario->lines[line_index];
    const struct run_where nowhere = {.self = SIM_NONE, .peer = SIM_NONE};
    uint64_t now = sim_now(run->sim);
    uint64_t due;

    if (line->lost) {
        run_noop(run, line, "no line gives a name that it uses");
        if (line->kind == SCN_AT && line->relative) {
            chain->base_us += line->time_us;
        }
        chain->next++;
        return true;
    }
    switch (line->kind) {
    case SCN_AT:
        due = line->relative ? chain->base_us + line->time_us : line->time_us;
        if (due > now) {
            chain->wait = CHAIN_TIME;
            chain_schedule(run, chain_index, due);
            return false;
        }
        run_actions(run, line_index, &nowhere);
        break;
    case SCN_WITHIN:
        run->verdicts[run->verdict_of[line_index]].mark = RUN_OPEN;
        chain->wait = CHAIN_CONDITION;
        if (chain_condition(run, chain, line_index)) {
            return true;
        }
        chain_schedule(run, chain_index, now + line->time_us);
        return false;
    case SCN_WHEN:
        chain->wait = CHAIN_CONDITION;
        return chain_condition(run, chain, line_index);
    case SCN_ON:
        chain->wait = CHAIN_EVENT;
        run_trap_arm(run, line_index, chain_index);
        return false;
    case SCN_WHENEVER:
        run_trap_arm(run, line_index, SCN_NONE);
        break;
    case SCN_EVERY:
        every_start(run, line_index);
        break;
    default:
        UNREACHABLE();
    }
    chain->base_us = now;
    chain->next++;
    return true;
}

/* Without a `run` line the world ends when the lines do. */
static void chains_check_end(struct run *run)
{
    if (run_length_us(run) != 0) {
        return;
    }
    for (uint32_t i = 0; i < run->chain_count; i++) {
        if (run->chains[i].wait != CHAIN_DONE) {
            return;
        }
    }
    sim_stop(run->sim);
}

static void chain_go(struct run *run, uint32_t chain_index)
{
    struct run_chain *chain = &run->chains[chain_index];

    while (chain->wait == CHAIN_READY && !run->over) {
        if (chain->next == chain->last) {
            chain->wait = CHAIN_DONE;
            chains_check_end(run);
            return;
        }
        if (!chain_step(run, chain_index)) {
            return;
        }
    }
}

static void watch_begin(struct sim *sim, void *context, uint64_t argument)
{
    (void)sim;
    (void)argument;
    run_dirty(context);
}

void run_chains_start(struct run *run)
{
    for (uint32_t i = 0; i < run->watch_count; i++) {
        if (run->watches[i].line->time_us > 0) {
            sim_schedule(run->sim, run->watches[i].line->time_us, watch_begin, run, 0);
        }
    }
    for (uint32_t i = 0; i < run->chain_count; i++) {
        chain_go(run, i);
    }
    run_dirty(run); /* `sometimes` lines */
}

void run_chain_fired(struct run *run, uint32_t chain_index)
{
    struct run_chain *chain = &run->chains[chain_index];

    ENSURE(chain->wait == CHAIN_EVENT);
    chain->base_us = sim_now(run->sim);
    chain->next++;
    chain->wait = CHAIN_TIME; /* go on when the step that fired it is over */
    chain_schedule(run, chain_index, sim_now(run->sim));
}

/* ---- asking again ---- */

static void watch_ask(struct run *run, const struct run_watch *watch)
{
    struct text why;
    uint32_t process;
    enum guest_truth truth;
    bool never = watch->line->kind == SCN_NEVER;

    if (watch->verdict->mark != RUN_OPEN || sim_now(run->sim) < watch->line->time_us ||
        !run_is_bound(run, &watch->line->condition)) {
        return;
    }
    text_init(&why, run->why, sizeof(run->why));
    truth = run_ask(run, &watch->line->condition, &process, &why);
    if ((truth == GUEST_HOLDS) == never) {
        run_fail(run, watch->verdict, span_make(why.at, why.len));
    }
}

static void sometimes_ask(struct run *run)
{
    for (uint32_t i = 0; i < run->verdict_count; i++) {
        struct run_verdict *verdict = &run->verdicts[i];
        struct text why;
        uint32_t process;

        if (verdict->line->kind != SCN_SOMETIMES || verdict->mark != RUN_UNSEEN) {
            continue;
        }
        text_init(&why, run->why, sizeof(run->why));
        if (run_ask(run, &verdict->line->condition, &process, &why) == GUEST_HOLDS) {
            verdict->mark = RUN_SEEN;
            verdict->at_us = sim_now(run->sim);
        }
    }
}

static void poll(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;

    (void)sim;
    (void)argument;
    run->poll_scheduled = false;
    if (run->over) {
        return;
    }
    for (uint32_t i = 0; i < run->watch_count; i++) {
        watch_ask(run, &run->watches[i]);
    }
    sometimes_ask(run);
    for (uint32_t i = 0; i < run->chain_count; i++) {
        struct run_chain *chain = &run->chains[i];

        if (chain->wait == CHAIN_CONDITION &&
            chain_condition(run, chain, run->steps[chain->next])) {
            chain_go(run, i);
        }
    }
}

static bool poll_needed(const struct run *run)
{
    if (run->watch_count > 0) {
        return true;
    }
    for (uint32_t i = 0; i < run->chain_count; i++) {
        if (run->chains[i].wait == CHAIN_CONDITION) {
            return true;
        }
    }
    for (uint32_t i = 0; i < run->verdict_count; i++) {
        if (run->verdicts[i].mark == RUN_UNSEEN) {
            return true;
        }
    }
    return false;
}

void run_dirty(struct run *run)
{
    if (!run->poll_scheduled && !run->over && poll_needed(run)) {
        run->poll_scheduled = true;
        sim_schedule(run->sim, sim_now(run->sim), poll, run, 0);
    }
}

/* ---- the end ---- */

static void finish_verdict(struct run *run, struct run_verdict *verdict)
{
    struct text why;
    uint32_t process;

    text_init(&why, run->why, sizeof(run->why));
    switch (verdict->line->kind) {
    case SCN_FINALLY:
        if (verdict->mark != RUN_UNREACHED) {
            return;
        }
        if (run_ask(run, &verdict->line->condition, &process, &why) == GUEST_HOLDS) {
            verdict_hold(run, verdict);
        } else {
            run_fail(run, verdict, span_make(why.at, why.len));
        }
        return;
    case SCN_ALWAYS:
    case SCN_NEVER: {
        const struct run_watch watch = {.line = verdict->line, .verdict = verdict};

        watch_ask(run, &watch);
        if (verdict->mark == RUN_OPEN) {
            verdict->mark = RUN_HELD;
            verdict->at_us = sim_now(run->sim);
        }
        return;
    }
    case SCN_WITHIN:
        if (verdict->mark == RUN_OPEN) { /* the run ended before the deadline */
            if (run_ask(run, &verdict->line->condition, &process, &why) == GUEST_HOLDS) {
                verdict_hold(run, verdict);
            } else {
                run_fail(run, verdict, span_text("the run ended first"));
            }
        }
        return;
    default:
        return;
    }
}

void run_finish_verdicts(struct run *run)
{
    struct sim_finding finding;
    bool cut_short = sim_get_finding(run->sim, &finding);

    for (uint32_t i = 0; i < run->verdict_count; i++) {
        struct run_verdict *verdict = &run->verdicts[i];

        if (!cut_short ||
            (verdict->line->kind != SCN_FINALLY && verdict->line->kind != SCN_WITHIN)) {
            finish_verdict(run, verdict);
        }
    }
}
