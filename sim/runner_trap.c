#include "sim/runner_in.h"

/* ---- does an event fit a pattern? ---- */

static bool compare(enum scn_test_op op, int64_t left, int64_t right)
{
    switch (op) {
    case SCN_EQUAL:
        return left == right;
    case SCN_UNEQUAL:
        return left != right;
    case SCN_LESS:
        return left < right;
    case SCN_MORE:
        return left > right;
    case SCN_AT_MOST:
        return left <= right;
    case SCN_AT_LEAST:
        return left >= right;
    case SCN_ABOUT:
        break;
    }
    return false;
}

static int64_t identity(struct run *run, uint32_t process)
{
    const struct guest *guest = run->scenario->guest;

    return guest->identity == NULL ? (int64_t)process : guest->identity(&run->face, process);
}

static bool test_number(struct run *run, const struct scn_test *test, const struct run_where *where,
                        int64_t value)
{
    struct guest_set set;
    bool in = false;

    if (test->roles.count == 0) {
        return compare(test->op, value, test->value);
    }
    run_resolve(run, &test->roles, where, NULL, &set);
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        in = in || identity(run, p) == value;
    }
    return test->op == SCN_UNEQUAL ? !in : in;
}

static bool test_note(struct run *run, const struct scn_pattern *pattern,
                      const struct scn_test *test, const struct run_where *where,
                      const struct effect *effect)
{
    const struct guest_note *note = pattern->note;

    if (note->bytes != NULL && span_is(test->field, note->bytes)) {
        return span_equal(effect->bytes, test->text) == (test->op != SCN_UNEQUAL);
    }
    if (note->a != NULL && span_is(test->field, note->a)) {
        return test_number(run, test, where, (int64_t)effect->a);
    }
    if (note->b != NULL && span_is(test->field, note->b)) {
        return test_number(run, test, where, (int64_t)effect->b);
    }
    return test_number(run, test, where, (int64_t)effect->c);
}

static bool test_record(struct run *run, const struct scn_test *test, const struct run_where *where,
                        const struct sim_record *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (span_is(test->field, record->fields[i].name)) {
            return test_number(run, test, where, record->fields[i].value);
        }
    }
    return false;
}

static bool tests_hold(struct run *run, const struct scn_pattern *pattern,
                       const struct run_where *where, const struct sim_event *event)
{
    const struct guest *guest = run->scenario->guest;

    for (uint32_t i = 0; i < pattern->test_count; i++) {
        const struct scn_test *test = &pattern->tests[i];
        bool holds;

        if (test->op == SCN_ABOUT) {
            const struct guest_op *op = run->bound_op[test->name];

            holds = op != NULL && guest->about != NULL && guest->about(&run->face, event, op);
        } else if (pattern->note != NULL) {
            holds = test_note(run, pattern, test, where, event->effect);
        } else {
            holds = event->record != NULL && test_record(run, test, where, event->record);
        }
        if (!holds) {
            return false;
        }
    }
    return true;
}

bool run_file_fits(struct span pattern, struct span name)
{
    if (pattern.len > 0 && pattern.at[pattern.len - 1] == '*') {
        return name.len >= pattern.len - 1 && memcmp(name.at, pattern.at, pattern.len - 1) == 0;
    }
    return pattern.len == 0 || span_equal(pattern, name);
}

static bool fits(struct run *run, const struct scn_pattern *pattern, const struct sim_event *event)
{
    const struct run_where where = {.self = event->process, .peer = event->peer};

    if (pattern->record != NULL && (event->record == NULL || event->record->name == NULL ||
                                    (event->record->name != pattern->record->name &&
                                     strcmp(event->record->name, pattern->record->name) != 0))) {
        return false;
    }
    if (pattern->note != NULL &&
        (event->effect == NULL || event->effect->id != pattern->note->kind)) {
        return false;
    }
    if (pattern->file.len > 0 &&
        (event->effect == NULL || !run_file_fits(pattern->file, event->effect->name))) {
        return false;
    }
    return run_in(run, &pattern->who, &where, event->process) &&
           (pattern->peer.count == 0 || run_in(run, &pattern->peer, &where, event->peer)) &&
           tests_hold(run, pattern, &where, event);
}

/* ---- actions that wait for the end of an effect ---- */

static bool later_restarts(const struct run *run)
{
    for (uint32_t i = 0; i < run->later_count; i++) {
        const struct scn_verb *fault = run->later[i].line->action->fault;

        if (fault != NULL && fault->fault == SCN_RESTART) {
            return true;
        }
    }
    return false;
}

void run_later_do(struct run *run, bool scheduled)
{
    uint32_t count = run->later_count;

    if (count == 0 || (!scheduled && later_restarts(run))) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct run_later later = run->later[i];

        run_act(run, later.line, later.line->action, &later.where);
    }
    memmove(run->later, run->later + count, (run->later_count - count) * sizeof(run->later[0]));
    run->later_count -= count;
}

static void later_call(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;

    (void)sim;
    (void)argument;
    run->later_scheduled = false;
    if (!run->over) {
        run_later_do(run, true);
    }
}

static void later_push(struct run *run, const struct scn_line *line, const struct run_where *where)
{
    if (run->later_count == RUN_LATER_MAX) {
        run_noop(run, line, "too many actions wait for one event");
        return;
    }
    run->later[run->later_count++] = (struct run_later){.line = line, .where = *where};
    if (!run->later_scheduled) {
        run->later_scheduled = true;
        sim_schedule(run->sim, sim_now(run->sim), later_call, run, 0);
    }
}

/* ---- firing ---- */

static enum sim_verdict stronger(enum sim_verdict a, enum sim_verdict b)
{
    static const uint8_t strength[] = {
        [SIM_GO] = 0, [SIM_DROP] = 1, [SIM_CRASH_AFTER] = 2, [SIM_CRASH_BEFORE] = 3};

    return strength[a] >= strength[b] ? a : b;
}

/* Can a verdict of the tap cut this event short? */
static bool takes_verdict(enum sim_at at)
{
    return at == SIM_AT_SEND || at == SIM_AT_RECEIVE || at == SIM_AT_APPEND || at == SIM_AT_SYNC ||
           at == SIM_AT_SYNCED || at == SIM_AT_REPLACE || at == SIM_AT_NOTE;
}

static enum sim_verdict fire_action(struct run *run, const struct scn_pattern *pattern,
                                    const struct scn_line *line, const struct run_where *where,
                                    const struct sim_event *event)
{
    const struct scn_action *action = line->action;
    enum sim_verdict verdict = SIM_GO;

    if (line->lost) {
        return SIM_GO;
    }
    if (action->fault != NULL && takes_verdict(event->at)) {
        enum scn_fault fault = action->fault->fault;
        struct guest_set set;

        if (fault == SCN_DROP && action->group_count == 0) {
            run_tell_fault(run, event->process, span_text("drop: this record is lost"));
            return SIM_DROP;
        }
        if (fault == SCN_CRASH || fault == SCN_STOP || fault == SCN_RESTART) {
            run_resolve(run, &action->groups[0], where, NULL, &set);
            if (guest_set_has(&set, event->process)) {
                verdict = run_crash_by_verdict(run, action, event->process, pattern->before);
                if (fault != SCN_RESTART && guest_set_count(&set) == 1) {
                    return verdict;
                }
                later_push(run, line, where);
                return verdict;
            }
        }
    }
    if (pattern->before && takes_verdict(event->at)) {
        run_act(run, line, action, where);
    } else {
        later_push(run, line, where);
    }
    return verdict;
}

static enum sim_verdict fire(struct run *run, struct run_trap *trap, const struct sim_event *event)
{
    const struct scenario *scenario = run->scenario;
    const struct scn_pattern *pattern = trap->line->pattern;
    const struct run_where where = {.self = event->process, .peer = event->peer};
    enum sim_verdict verdict = SIM_GO;
    uint32_t chain = trap->chain;

    if (pattern->who_as != SCN_NONE) {
        run->bound[pattern->who_as] = event->process;
    }
    if (pattern->peer_as != SCN_NONE) {
        run->bound[pattern->peer_as] = event->peer;
    }
    if (chain != SCN_NONE) {
        trap->armed = false;
    } else {
        trap->left = 1;
    }
    for (uint32_t i = trap->line_index + 1; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (line->kind == SCN_ACTION && line->parent == trap->line_index) {
            verdict = stronger(verdict, fire_action(run, pattern, line, &where, event));
        } else if (line->kind != SCN_BLANK) {
            break;
        }
    }
    if (chain != SCN_NONE) {
        run_chain_fired(run, chain);
    }
    return verdict;
}

void run_trap_arm(struct run *run, uint32_t line_index, uint32_t chain)
{
    const struct scn_line *line = &run->scenario->lines[line_index];

    run->traps[run->trap_count++] = (struct run_trap){
        .line = line,
        .line_index = line_index,
        .chain = chain,
        .left = line->pattern->nth,
        .armed = true,
    };
}

static enum sim_verdict traps_ask(struct run *run, const struct sim_event *event)
{
    enum sim_verdict verdict = SIM_GO;
    uint32_t count = run->trap_count;

    for (uint32_t i = 0; i < count; i++) {
        struct run_trap *trap = &run->traps[i];

        if (!trap->armed || trap->line->pattern->at != event->at ||
            !fits(run, trap->line->pattern, event)) {
            continue;
        }
        trap->left--;
        if (trap->left == 0) {
            verdict = stronger(verdict, fire(run, trap, event));
        }
    }
    return verdict;
}

/* ---- what the runner itself keeps of each process ---- */

static void process_event(struct run *run, const struct sim_event *event)
{
    uint32_t p = event->process;
    struct sim_finding finding;
    char room[160];
    struct text text;

    switch (event->at) {
    case SIM_AT_START:
        run->down[p] = false;
        run->paused[p] = false;
        run->state[p] = 0;
        run_record_state(run, p, 0);
        break;
    case SIM_AT_HALT:
    case SIM_AT_CRASH:
        run->down[p] = true;
        run->paused[p] = false;
        run->state[p] = 0;
        run_record_state(run, p, SCN_STATE_DOWN);
        break;
    case SIM_AT_PAUSE:
        run->paused[p] = true;
        run_record_state(run, p, SCN_STATE_PAUSED);
        break;
    case SIM_AT_RESUME:
        run->paused[p] = false;
        run_record_state(run, p, run->state[p]);
        break;
    default:
        return;
    }
    if (event->at == SIM_AT_HALT && event->effect != NULL && run->face.telling) {
        text_init(&text, room, sizeof(room));
        text_str(&text, "halts: ");
        text_span(&text, event->effect->bytes);
        run_tell_fault(run, p, span_make(text.at, text.len));
    }
    if (event->at == SIM_AT_CRASH && run->face.telling && sim_get_finding(run->sim, &finding) &&
        finding.assertion && finding.process == p) {
        run_tell_fault(run, p, span_text(finding.why));
    }
}

static enum sim_verdict tap(void *context, struct sim *sim, const struct sim_event *event)
{
    struct run *run = context;
    const struct guest *guest = run->scenario->guest;
    enum sim_verdict verdict = SIM_GO;

    (void)sim;
    if (run->over) {
        return SIM_GO;
    }
    if (run->later_count > 0 && event->effect != NULL) {
        run_later_do(run, false);
    }
    if (event->at == SIM_AT_NOTE) {
        guest->note(&run->face, event);
        run_dirty(run);
    } else if (event->at == SIM_AT_SEND) {
        if (run->options.record) {
            run_record_arrow(run, event);
        }
    } else {
        process_event(run, event);
        if (event->at == SIM_AT_START || event->at == SIM_AT_CRASH || event->at == SIM_AT_PAUSE ||
            event->at == SIM_AT_RESUME || event->at == SIM_AT_HALT || event->at == SIM_AT_ANSWER) {
            run_dirty(run);
        }
    }
    if (guest->tap != NULL && (guest->tap_mask >> event->at & 1) != 0) {
        verdict = guest->tap(&run->face, event);
    }
    return run->trap_count == 0 ? verdict : stronger(verdict, traps_ask(run, event));
}

void run_taps_add(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    uint32_t mask = 1u << SIM_AT_START | 1u << SIM_AT_CRASH | 1u << SIM_AT_PAUSE |
                    1u << SIM_AT_RESUME | 1u << SIM_AT_HALT | 1u << SIM_AT_NOTE |
                    scenario->guest->tap_mask;

    for (uint32_t i = 0; i < scenario->line_count; i++) {
        if (scenario->lines[i].pattern != NULL) {
            mask |= 1u << scenario->lines[i].pattern->at;
        }
    }
    if (run->options.record) {
        mask |= 1u << SIM_AT_SEND;
    }
    sim_add_tap(run->sim, mask, tap, run);
}
