#include "sim/scenario_in.h"

/* The words of `sim explain`: help texts of the tables with the arguments put in. */

struct explain {
    const struct scenario *scenario;
    struct bytes *out;
};

static void put(struct explain *explain, const char *text)
{
    bytes_raw(explain->out, text, strlen(text));
}

static void put_span(struct explain *explain, struct span span)
{
    bytes_raw(explain->out, span.at, span.len);
}

static void put_u64(struct explain *explain, uint64_t value)
{
    char room[24];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_u64(&text, value);
    put(explain, room);
}

static void put_time(struct explain *explain, uint64_t time_us)
{
    char room[32];
    struct text text;

    text_init(&text, room, sizeof(room));
    scenario_print_time(&text, (int64_t)time_us);
    put(explain, room);
}

static void put_role(struct explain *explain, const struct scn_role *role)
{
    switch (role->kind) {
    case SCN_ROLE_NAME:
        put_span(explain, explain->scenario->names[role->index].text);
        return;
    case SCN_ROLE_GUEST:
        put(explain, "the ");
        put(explain, explain->scenario->guest->roles[role->index].name);
        if (role->number > 0) {
            put(explain, " number ");
            put_u64(explain, role->number);
        }
        return;
    case SCN_ROLE_ALL:
        put(explain, "all servers");
        return;
    case SCN_ROLE_CLIENTS:
        put(explain, "all clients");
        return;
    case SCN_ROLE_EVERYONE:
        put(explain, "everyone");
        return;
    case SCN_ROLE_ANY:
        put(explain, "any process");
        return;
    case SCN_ROLE_REST:
        put(explain, "the rest");
        return;
    case SCN_ROLE_SELF:
        put(explain, "that process");
        return;
    case SCN_ROLE_PEER:
        put(explain, "its peer");
        return;
    }
}

static void put_roles(struct explain *explain, const struct scn_roles *roles)
{
    for (uint32_t i = 0; i < roles->count; i++) {
        put(explain, i == 0 ? "" : (i + 1 == roles->count ? " and " : ", "));
        put_role(explain, &roles->at[i]);
    }
}

static void put_arg(struct explain *explain, const struct guest_param *param,
                    const struct scn_arg *arg)
{
    if (param->kind == GUEST_FLAG) {
        return;
    }
    if (param->kind == GUEST_ROLE) {
        put_roles(explain, &arg->roles);
    } else if (param->kind == GUEST_OP) {
        put_span(explain, explain->scenario->names[arg->name].text);
    } else {
        put_span(explain, arg->text);
    }
}

/* What a {name} of a help text stands for. */
struct fill {
    const struct guest_param *params;
    uint32_t param_count;
    const struct scn_arg *args;
    const struct scn_action *action; /* {1} {2} {->}, or NULL */
};

static const struct scn_arg *fill_arg(const struct fill *fill, struct span name,
                                      const struct guest_param **param)
{
    for (uint32_t i = 0; i < fill->param_count; i++) {
        if (span_is(name, fill->params[i].name)) {
            *param = &fill->params[i];
            return &fill->args[i];
        }
    }
    return NULL;
}

static bool fill_given(const struct fill *fill, struct span name)
{
    const struct guest_param *param;
    const struct scn_arg *arg = fill_arg(fill, name, &param);

    if (arg != NULL) {
        return arg->given;
    }
    if (fill->action != NULL && (span_is(name, "1") || span_is(name, "2") || span_is(name, "->"))) {
        return fill->action->group_count >= (span_is(name, "1") ? 1u : 2u);
    }
    return false;
}

static void fill_put(struct explain *explain, const struct fill *fill, struct span name)
{
    const struct guest_param *param;
    const struct scn_arg *arg = fill_arg(fill, name, &param);

    if (arg != NULL) {
        put_arg(explain, param, arg);
    } else if (fill->action == NULL) {
        return;
    } else if (span_is(name, "->")) {
        put(explain, fill->action->link == SCN_LINK_BOTH ? "to and from" : "to");
    } else if (span_is(name, "2")) {
        put_roles(explain, &fill->action->groups[1]);
    } else if (span_is(name, "1")) {
        bool sides = fill->action->fault != NULL && fill->action->fault->scope == SCN_SCOPE_GROUPS;

        for (uint32_t i = 0; i < (sides ? fill->action->group_count : 1); i++) {
            put(explain, i == 0 ? "" : " | ");
            put_roles(explain, &fill->action->groups[i]);
        }
    }
}

/* The end of the [part] that begins at `at`, and whether all its names are given. */
static size_t part_end(const struct fill *fill, const char *help, size_t at, bool *given)
{
    *given = true;
    for (; help[at] != 0 && help[at] != ']'; at++) {
        if (help[at] == '{') {
            const char *close = strchr(help + at, '}');

            if (close != NULL &&
                !fill_given(fill, span_make(help + at + 1, (size_t)(close - help) - at - 1))) {
                *given = false;
            }
        }
    }
    return at;
}

static void put_help(struct explain *explain, const char *help, const struct fill *fill)
{
    for (size_t at = 0; help[at] != 0; at++) {
        if (help[at] == '[') {
            bool given;
            size_t end = part_end(fill, help, at + 1, &given);

            if (!given) {
                at = help[end] == 0 ? end - 1 : end;
            }
        } else if (help[at] == '{' && strchr(help + at, '}') != NULL) {
            size_t end = (size_t)(strchr(help + at, '}') - help);

            fill_put(explain, fill, span_make(help + at + 1, end - at - 1));
            at = end;
        } else if (help[at] != ']') {
            bytes_u8(explain->out, (uint8_t)help[at]);
        }
    }
}

static void put_action(struct explain *explain, const struct scn_action *action)
{
    if (action->fault != NULL) {
        const struct fill fill = {action->fault->params, action->fault->param_count, action->args,
                                  action};

        put_help(explain, action->fault->help, &fill);
    } else {
        const struct fill fill = {action->verb->params, action->verb->param_count, action->args,
                                  NULL};

        if (action->group_count > 0) {
            put_roles(explain, &action->groups[0]);
            put(explain, ": ");
        }
        put_help(explain, action->verb->help, &fill);
    }
    if (action->for_us > 0) {
        put(explain, ", for ");
        put_time(explain, action->for_us);
    }
    if (action->as != SCN_NONE) {
        put(explain, " (called ");
        put_span(explain, explain->scenario->names[action->as].text);
        put(explain, ")");
    }
}

static void put_state(struct explain *explain, uint32_t state)
{
    switch (state) {
    case SCN_STATE_UP:
        put(explain, "up");
        return;
    case SCN_STATE_DOWN:
        put(explain, "down");
        return;
    case SCN_STATE_PAUSED:
        put(explain, "paused");
        return;
    default:
        put(explain, explain->scenario->guest->states[state].name);
    }
}

static void put_condition(struct explain *explain, const struct scn_condition *condition)
{
    static const char *const fates[] = {"without an answer", "acknowledged",
                                        "certain to have failed", "of unknown fate"};
    const struct guest *guest = explain->scenario->guest;

    put(explain, condition->negated ? "not: " : "");
    switch (condition->kind) {
    case SCN_IF_GUEST: {
        const struct guest_condition *found = &guest->conditions[condition->index];
        const struct fill fill = {found->params, found->param_count, condition->args, NULL};

        put_help(explain, found->help, &fill);
        return;
    }
    case SCN_IF_STATE:
        put_roles(explain, &condition->roles);
        put(explain, " is ");
        put_state(explain, condition->index);
        return;
    case SCN_IF_SAME:
    case SCN_IF_DIFFER:
        put_roles(explain, &condition->roles);
        put(explain, condition->kind == SCN_IF_SAME ? " is the same as " : " exists and is not ");
        put_roles(explain, &condition->other);
        return;
    case SCN_IF_FATE:
        put(explain, "operation ");
        put_span(explain, explain->scenario->names[condition->name].text);
        put(explain, " is ");
        put(explain, condition->index == SCN_FATE_OVER ? "over" : fates[condition->index]);
        return;
    case SCN_IF_CHECKS:
        for (uint32_t i = 0; i < guest->check_count && i < 32; i++) {
            if ((condition->index >> i & 1) != 0) {
                put(explain, guest->checks[i].name);
                put(explain, " (");
                put(explain, guest->checks[i].help);
                put(explain, ") ");
            }
        }
        return;
    }
}

static void put_tests(struct explain *explain, const struct scn_pattern *pattern)
{
    static const char *const ops[] = {" = ", " is not ", " < ", " > ", " <= ", " >= "};

    for (uint32_t i = 0; i < pattern->test_count; i++) {
        const struct scn_test *test = &pattern->tests[i];

        put(explain, i == 0 ? " with " : " and ");
        if (test->op == SCN_ABOUT) {
            put(explain, "operation ");
            put_span(explain, explain->scenario->names[test->name].text);
            continue;
        }
        put_span(explain, test->field);
        put(explain, ops[test->op]);
        put_span(explain, test->text);
    }
}

static void put_pattern(struct explain *explain, const struct scn_pattern *pattern)
{
    put_roles(explain, &pattern->who);
    for (uint32_t i = 0; i < scn_event_word_count; i++) {
        if (scn_event_words[i].at == pattern->at) {
            put(explain, " ");
            put(explain, scn_event_words[i].name);
        }
    }
    if (pattern->record != NULL || pattern->note != NULL) {
        put(explain, " ");
        put(explain, pattern->record != NULL ? pattern->record->name : pattern->note->name);
    } else if (pattern->at == SIM_AT_SEND || pattern->at == SIM_AT_RECEIVE) {
        put(explain, " anything");
    }
    if (pattern->file.len > 0) {
        put(explain, " ");
        put_span(explain, pattern->file);
    }
    put_tests(explain, pattern);
    if (pattern->peer.count > 0) {
        put(explain, pattern->at == SIM_AT_RECEIVE ? " from " : " to ");
        put_roles(explain, &pattern->peer);
    }
    if (pattern->nth > 1) {
        put(explain, " (time ");
        put_u64(explain, pattern->nth);
        put(explain, ")");
    }
}

static void put_params(struct explain *explain, const struct guest_param *params, uint32_t count,
                       const struct scn_arg *args)
{
    for (uint32_t i = 0; i < count; i++) {
        if (args[i].given && params[i].kind == GUEST_FLAG) {
            put(explain, "; ");
            put(explain, params[i].name);
        } else if (args[i].given && (params[i].flags & GUEST_KEYED) != 0) {
            put(explain, "; ");
            put(explain, params[i].help != NULL ? params[i].help : params[i].name);
            put(explain, ": ");
            put_arg(explain, &params[i], &args[i]);
        }
    }
}

static void put_set_up(struct explain *explain, const struct scn_line *line)
{
    const struct scenario *scenario = explain->scenario;
    const struct guest *guest = scenario->guest;

    switch (line->kind) {
    case SCN_CLUSTER:
        put(explain, "a cluster of ");
        put_u64(explain, scenario->server_count);
        put(explain, " (");
        put(explain, guest->name);
        put(explain, ": ");
        put(explain, guest->summary);
        put(explain, ")");
        put_params(explain, guest->options, guest->option_count, scenario->cluster_args);
        return;
    case SCN_CLIENT:
        put(explain, "a client ");
        put_span(explain, scenario->names[line->name].text);
        put_params(explain, guest->client_options, guest->client_option_count, line->args);
        return;
    case SCN_LINK:
        put(explain, "network");
        if (line->from.count > 0) {
            put(explain, " from ");
            put_roles(explain, &line->from);
            put(explain, line->link == SCN_LINK_BOTH ? " to and from " : " to ");
            put_roles(explain, &line->to);
        }
        put_params(explain, scn_link_params, SCN_LINK_PARAMS, line->args);
        return;
    case SCN_DISK:
        put(explain, "disk of ");
        put(explain, line->from.count == 0 ? "all servers" : "");
        put_roles(explain, &line->from);
        put_params(explain, scn_disk_params, SCN_DISK_PARAMS, line->args);
        return;
    case SCN_CLOCK:
        put(explain, "clock of ");
        put_roles(explain, &line->from);
        put_params(explain, scn_clock_params, SCN_CLOCK_PARAMS, line->args);
        return;
    case SCN_FILE:
        put(explain, "before the start, a file on the disk of ");
        put_roles(explain, &line->from);
        put(explain, ": ");
        put_span(explain, line->args[SCN_FILE_NAME].text);
        return;
    case SCN_SETUP: {
        const struct fill fill = {line->setup->params, line->setup->param_count, line->args, NULL};

        put(explain, "before the start: ");
        put_help(explain, line->setup->help, &fill);
        return;
    }
    case SCN_RUN:
        put(explain, "the world lasts ");
        put_time(explain, line->time_us);
        return;
    case SCN_FUZZ:
        put(explain, "drawn from each seed");
        put_params(explain, scn_fuzz_params, SCN_FUZZ_PARAMS, line->args);
        return;
    case SCN_MUST:
        put(explain, "a canary: good only when this is violated: ");
        put_span(explain, line->target);
        return;
    default:
        return;
    }
}

static void put_timed(struct explain *explain, const struct scn_line *line)
{
    switch (line->kind) {
    case SCN_AT:
        put_time(explain, line->time_us);
        put(explain, line->relative ? " after the line above: " : " after the start: ");
        break;
    case SCN_WHEN:
        put(explain, "wait until ");
        break;
    case SCN_ON:
        put(explain, line->pattern->before ? "wait for this, and act before it has an effect: "
                                           : "wait for this, and act right after it: ");
        put_pattern(explain, line->pattern);
        return;
    case SCN_WHENEVER:
        put(explain, line->pattern->before ? "from here on, each time before "
                                           : "from here on, each time after ");
        put_pattern(explain, line->pattern);
        return;
    case SCN_EVERY:
        put(explain, "from here on, every ");
        put_time(explain, line->time_us);
        put(explain, ": ");
        break;
    case SCN_WITHIN:
        put(explain, "must come true in the next ");
        put_time(explain, line->time_us);
        put(explain, ": ");
        break;
    case SCN_ALWAYS:
        put(explain, "must hold all the time: ");
        break;
    case SCN_NEVER:
        put(explain, "may not hold at any time: ");
        break;
    case SCN_FINALLY:
        put(explain, "must hold at the end: ");
        break;
    case SCN_SOMETIMES:
        put(explain, "must come true in at least one seed: ");
        break;
    default:
        break;
    }
    if (line->action != NULL) {
        put_action(explain, line->action);
    } else if (line->kind != SCN_AT && line->kind != SCN_EVERY) {
        put_condition(explain, &line->condition);
    } else {
        put(explain, "(see below)");
    }
    if ((line->kind == SCN_ALWAYS || line->kind == SCN_NEVER) && line->time_us > 0) {
        put(explain, ", from ");
        put_time(explain, line->time_us);
        put(explain, " on");
    }
    if (line->as != SCN_NONE) {
        put(explain, " (that process is called ");
        put_span(explain, explain->scenario->names[line->as].text);
        put(explain, ")");
    }
}

void scenario_explain(const struct scenario *scenario, struct bytes *out)
{
    struct explain explain = {.scenario = scenario, .out = out};

    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];
        char room[24];
        struct text text;

        if (line->kind == SCN_BLANK) {
            continue;
        }
        text_init(&text, room, sizeof(room));
        text_u64(&text, line->number);
        bytes_fill(out, ' ', text.len < 4 ? 4 - text.len : 0);
        put(&explain, room);
        put(&explain, line->indented ? "      - " : "  ");
        if (line->kind == SCN_WRONG) {
            put(&explain, "not understood");
        } else if (line->lost) {
            put(&explain, "does nothing: it names what no line gives");
        } else if (line->kind == SCN_ACTION) {
            put_action(&explain, line->action);
        } else {
            put_set_up(&explain, line);
            if (line->kind >= SCN_AT) {
                put_timed(&explain, line);
            }
        }
        put(&explain, "\n");
    }
}
