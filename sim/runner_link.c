#include "sim/runner_in.h"

/* Network faults change single fields of a direction; their end, and heal, take the field from how
 * the link was before the first fault. */

static struct sim_link *base_link(struct run *run, uint32_t from, uint32_t to)
{
    return &run->base_links[from * run->process_count + to];
}

/* Remember how the network was, once. */
static bool base_links(struct run *run)
{
    uint32_t count = run->process_count;

    if (run->base_links != NULL) {
        return true;
    }
    run->base_links = run_get(run, (size_t)count * count * sizeof(*run->base_links));
    if (run->base_links == NULL) {
        return false;
    }
    for (uint32_t from = 0; from < count; from++) {
        for (uint32_t to = 0; to < count; to++) {
            sim_get_link(run->sim, from, to, base_link(run, from, to));
        }
    }
    return true;
}

static void link_set(struct run *run, uint32_t from, uint32_t to, enum scn_fault fault,
                     const struct scn_arg *args)
{
    struct sim_link link;

    sim_get_link(run->sim, from, to, &link);
    switch (fault) {
    case SCN_CUT:
    case SCN_PARTITION:
    case SCN_ISOLATE:
        link.cut = true;
        run_record_cut(run, from, to, true);
        break;
    case SCN_HOLD:
        link.stall = true;
        break;
    case SCN_DROP:
        link.lose_ppm = (uint32_t)args[0].number;
        break;
    case SCN_DUP:
        link.double_ppm = (uint32_t)args[0].number;
        break;
    case SCN_REORDER:
        link.reorder_ppm = (uint32_t)args[0].number;
        break;
    case SCN_CHOP:
        link.chop_ppm = (uint32_t)args[0].number;
        break;
    case SCN_RESET:
        link.reset_ppm = (uint32_t)args[0].number;
        break;
    case SCN_DELAY:
        link.delay_min_us = (uint32_t)args[0].number;
        link.delay_max_us = (uint32_t)args[0].number_high;
        break;
    default:
        return;
    }
    sim_set_link(run->sim, from, to, &link);
}

static void link_unset(struct run *run, uint32_t from, uint32_t to, enum scn_fault fault)
{
    const struct sim_link *base = base_link(run, from, to);
    struct sim_link link;

    sim_get_link(run->sim, from, to, &link);
    switch (fault) {
    case SCN_CUT:
    case SCN_PARTITION:
    case SCN_ISOLATE:
        link.cut = base->cut;
        run_record_cut(run, from, to, false);
        break;
    case SCN_HOLD:
        link.stall = base->stall;
        break;
    case SCN_DROP:
        link.lose_ppm = base->lose_ppm;
        break;
    case SCN_DUP:
        link.double_ppm = base->double_ppm;
        break;
    case SCN_REORDER:
        link.reorder_ppm = base->reorder_ppm;
        break;
    case SCN_CHOP:
        link.chop_ppm = base->chop_ppm;
        break;
    case SCN_RESET:
        link.reset_ppm = base->reset_ppm;
        break;
    case SCN_DELAY:
        link.delay_min_us = base->delay_min_us;
        link.delay_max_us = base->delay_max_us;
        break;
    case SCN_HEAL:
        link = *base;
        run_record_cut(run, from, to, false);
        break;
    default:
        return;
    }
    sim_set_link(run->sim, from, to, &link);
}

/* The directions that an action is about, kept for its end. */
struct link_scope {
    struct guest_set groups[SCN_GROUPS_MAX];
    uint32_t group_count;
    enum scn_link_form form;
    const struct scn_action *action;
};

static bool scope_has(const struct link_scope *scope, uint32_t from, uint32_t to)
{
    if (from == to) {
        return false;
    }
    if (scope->action->fault->fault == SCN_PARTITION) {
        uint32_t side_from = SCN_NONE;
        uint32_t side_to = SCN_NONE;

        for (uint32_t i = scope->group_count; i-- > 0;) {
            side_from = guest_set_has(&scope->groups[i], from) ? i : side_from;
            side_to = guest_set_has(&scope->groups[i], to) ? i : side_to;
        }
        return side_from != SCN_NONE && side_to != SCN_NONE && side_from != side_to;
    }
    if (scope->action->fault->fault == SCN_ISOLATE) {
        return guest_set_has(&scope->groups[0], from) != guest_set_has(&scope->groups[0], to);
    }
    if (scope->group_count == 0) {
        return true;
    }
    return (guest_set_has(&scope->groups[0], from) && guest_set_has(&scope->groups[1], to)) ||
           (scope->form == SCN_LINK_BOTH && guest_set_has(&scope->groups[1], from) &&
            guest_set_has(&scope->groups[0], to));
}

static void scope_apply(struct run *run, const struct link_scope *scope, bool set)
{
    enum scn_fault fault = scope->action->fault->fault;

    for (uint32_t from = 0; from < run->process_count; from++) {
        for (uint32_t to = 0; to < run->process_count; to++) {
            if (!scope_has(scope, from, to)) {
                continue;
            }
            if (set && fault != SCN_HEAL) {
                link_set(run, from, to, fault, scope->action->args);
            } else {
                link_unset(run, from, to, fault);
            }
        }
    }
}

static void scope_text(const struct run *run, const struct link_scope *scope, struct text *text)
{
    enum scn_fault fault = scope->action->fault->fault;

    text_str(text, scope->action->fault->name);
    for (uint32_t i = 0; i < scope->group_count; i++) {
        text_str(text, i == 0                         ? " "
                       : fault == SCN_PARTITION       ? " | "
                       : scope->form == SCN_LINK_BOTH ? " <-> "
                                                      : " -> ");
        run_set_text(run, &scope->groups[i], text);
    }
    if (scope->action->fault->param_count > 0 && scope->action->args[0].given &&
        fault != SCN_BREAK) {
        text_char(text, ' ');
        text_span(text, scope->action->args[0].text);
    }
}

static void scope_end(struct sim *sim, void *context, uint64_t argument)
{
    struct run *run = context;
    const struct link_scope *scope = (const struct link_scope *)(uintptr_t)argument;
    char room[200];
    struct text text;

    (void)sim;
    if (run->over) {
        return;
    }
    scope_apply(run, scope, false);
    text_init(&text, room, sizeof(room));
    text_str(&text, "end of ");
    scope_text(run, scope, &text);
    run_tell_fault(run, SIM_NONE, span_make(text.at, text.len));
    run_dirty(run);
}

static void link_break(struct run *run, const struct link_scope *scope)
{
    bool half = scope->action->args[0].given;

    for (uint32_t a = guest_set_next(&scope->groups[0], 0); a != SIM_NONE;
         a = guest_set_next(&scope->groups[0], a + 1)) {
        for (uint32_t b = guest_set_next(&scope->groups[1], 0); b != SIM_NONE;
             b = guest_set_next(&scope->groups[1], b + 1)) {
            if (a != b) {
                sim_break(run->sim, a, b, half || scope->form == SCN_LINK_ONE_WAY ? b : SIM_ALL);
            }
        }
    }
}

void run_link_fault(struct run *run, const struct scn_line *line, const struct scn_action *action,
                    const struct run_where *where)
{
    struct link_scope *scope = run_get(run, sizeof(*scope));
    struct guest_set named = {0};
    char room[200];
    struct text text;

    if (scope == NULL || !base_links(run)) {
        return;
    }
    *scope = (struct link_scope){
        .group_count = action->group_count, .form = action->link, .action = action};
    for (uint32_t i = 0; i < action->group_count; i++) {
        run_resolve(run, &action->groups[i], where, &named, &scope->groups[i]);
        if (guest_set_count(&scope->groups[i]) == 0) {
            run_noop(run, line, "nobody has that role now");
            return;
        }
    }
    text_init(&text, room, sizeof(room));
    scope_text(run, scope, &text);
    if (action->for_us > 0) {
        text_str(&text, " for ");
        scenario_print_time(&text, (int64_t)action->for_us);
    }
    run_tell_fault(run, SIM_NONE, span_make(text.at, text.len));
    if (action->fault->fault == SCN_BREAK) {
        link_break(run, scope);
        return;
    }
    scope_apply(run, scope, true);
    if (action->for_us > 0) {
        sim_schedule(run->sim, sim_now(run->sim) + action->for_us, scope_end, run,
                     (uint64_t)(uintptr_t)scope);
    }
}

void run_link_cut(struct run *run, uint32_t from, uint32_t to, bool cut)
{
    if (!base_links(run)) {
        return;
    }
    if (cut) {
        link_set(run, from, to, SCN_CUT, NULL);
    } else {
        link_unset(run, from, to, SCN_CUT);
    }
}

void run_link_heal_all(struct run *run)
{
    if (!base_links(run)) {
        return;
    }
    for (uint32_t from = 0; from < run->process_count; from++) {
        for (uint32_t to = 0; to < run->process_count; to++) {
            if (from != to) {
                link_unset(run, from, to, SCN_HEAL);
            }
        }
    }
}
