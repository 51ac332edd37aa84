#include "sim/runner_in.h"

#include "base/ensure.h"

/* ---- what holds now ---- */

static enum guest_truth ask_state(struct run *run, const struct scn_condition *condition,
                                  uint32_t *process, struct text *why)
{
    const struct run_where where = {.self = SIM_NONE, .peer = SIM_NONE};
    struct guest_set set;
    bool any = false;

    run_resolve(run, &condition->roles, &where, NULL, &set);
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        bool is;

        switch (condition->index) {
        case SCN_STATE_UP:
            is = !run->down[p];
            break;
        case SCN_STATE_DOWN:
            is = run->down[p];
            break;
        case SCN_STATE_PAUSED:
            is = run->paused[p];
            break;
        default:
            is = !run->down[p] && run->state[p] == condition->index;
            break;
        }
        if (!is) {
            text_str(why, run_process_name(run, p));
            text_str(why, run->down[p] ? " is down" : " is ");
            if (!run->down[p] && run->state[p] < run->scenario->guest->state_count) {
                text_str(why, run->scenario->guest->states[run->state[p]].name);
            }
            return GUEST_NOT_YET;
        }
        *process = any ? *process : p;
        any = true;
    }
    if (!any) {
        text_str(why, "nobody has that role");
    }
    return any ? GUEST_HOLDS : GUEST_NOT_YET;
}

static enum guest_truth ask_same(struct run *run, const struct scn_condition *condition,
                                 uint32_t *process, struct text *why)
{
    const struct run_where where = {.self = SIM_NONE, .peer = SIM_NONE};
    struct guest_set left;
    struct guest_set right;
    bool same = true;

    run_resolve(run, &condition->roles, &where, NULL, &left);
    run_resolve(run, &condition->other, &where, NULL, &right);
    if (guest_set_count(&left) == 0 ||
        (condition->kind == SCN_IF_SAME && guest_set_count(&right) == 0)) {
        text_str(why, "nobody has that role");
        return GUEST_NOT_YET;
    }
    for (uint32_t i = 0; i < GUEST_PROCESS_MAX / 64; i++) {
        same = same && left.bits[i] == right.bits[i];
    }
    *process = guest_set_next(&left, 0);
    if (same != (condition->kind == SCN_IF_SAME)) {
        text_str(why, "it is ");
        run_set_text(run, &left, why);
        return GUEST_NOT_YET;
    }
    return GUEST_HOLDS;
}

static enum guest_truth ask_fate(struct run *run, const struct scn_condition *condition,
                                 uint32_t *process, struct text *why)
{
    static const char *const fates[] = {"open", "acknowledged", "failed", "unknown"};
    const struct guest_op *op = run->bound_op[condition->name];

    if (op == NULL) {
        text_str(why, "it was never invoked");
        return GUEST_NOT_YET;
    }
    *process = op->process;
    if (condition->index == SCN_FATE_OVER ? op->fate != GUEST_OP_OPEN
                                          : (uint32_t)op->fate == condition->index) {
        return GUEST_HOLDS;
    }
    text_str(why, "it is ");
    text_str(why, fates[op->fate]);
    return op->fate == GUEST_OP_OPEN ? GUEST_NOT_YET : GUEST_VIOLATED;
}

static enum guest_truth ask_checks(struct run *run, const struct scn_condition *condition,
                                   struct text *why)
{
    const struct guest *guest = run->scenario->guest;
    struct sim_finding finding;

    if (!sim_get_finding(run->sim, &finding)) {
        return GUEST_HOLDS;
    }
    for (uint32_t i = 0; i < guest->check_count && i < 32; i++) {
        if ((condition->index >> i & 1) != 0 && strcmp(finding.check, guest->checks[i].name) == 0) {
            text_str(why, finding.why);
            return GUEST_VIOLATED;
        }
    }
    return GUEST_HOLDS;
}

static enum guest_truth ask_guest(struct run *run, const struct scn_condition *condition,
                                  uint32_t *process, struct text *why)
{
    const struct guest_condition *found = &run->scenario->guest->conditions[condition->index];
    const struct run_where where = {.self = SIM_NONE, .peer = SIM_NONE};
    struct guest_answer answer = {.process = SIM_NONE, .why = why};
    struct guest_value values[GUEST_PARAM_MAX];
    enum guest_truth truth;

    ENSURE(found->param_count <= GUEST_PARAM_MAX);
    run_values(run, found->params, found->param_count, condition->args, &where, values);
    truth = found->ask(&run->face, values, &answer);
    *process = answer.process;
    return truth;
}

enum guest_truth run_ask(struct run *run, const struct scn_condition *condition, uint32_t *process,
                         struct text *why)
{
    enum guest_truth truth = GUEST_NOT_YET;

    *process = SIM_NONE;
    switch (condition->kind) {
    case SCN_IF_GUEST:
        truth = ask_guest(run, condition, process, why);
        break;
    case SCN_IF_STATE:
        truth = ask_state(run, condition, process, why);
        break;
    case SCN_IF_SAME:
    case SCN_IF_DIFFER:
        truth = ask_same(run, condition, process, why);
        break;
    case SCN_IF_FATE:
        truth = ask_fate(run, condition, process, why);
        break;
    case SCN_IF_CHECKS:
        truth = ask_checks(run, condition, why);
        break;
    }
    if (!condition->negated) {
        return truth;
    }
    return truth == GUEST_HOLDS ? GUEST_NOT_YET : GUEST_HOLDS;
}

/* ---- names ---- */

static bool roles_bound(const struct run *run, const struct scn_roles *roles)
{
    for (uint32_t i = 0; i < roles->count; i++) {
        if (roles->at[i].kind == SCN_ROLE_NAME &&
            run->scenario->names[roles->at[i].index].kind == SCN_NAME_BOUND &&
            run->bound[roles->at[i].index] == SIM_NONE) {
            return false;
        }
    }
    return true;
}

bool run_is_bound(const struct run *run, const struct scn_condition *condition)
{
    const struct guest_condition *found;

    if (condition->kind == SCN_IF_FATE) {
        return run->bound_op[condition->name] != NULL;
    }
    if (condition->kind != SCN_IF_GUEST) {
        return roles_bound(run, &condition->roles) && roles_bound(run, &condition->other);
    }
    found = &run->scenario->guest->conditions[condition->index];
    for (uint32_t i = 0; i < found->param_count; i++) {
        const struct scn_arg *arg = &condition->args[i];

        if (arg->given &&
            ((found->params[i].kind == GUEST_OP && run->bound_op[arg->name] == NULL) ||
             (found->params[i].kind == GUEST_ROLE && !roles_bound(run, &arg->roles)))) {
            return false;
        }
    }
    return true;
}
