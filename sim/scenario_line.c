#include "sim/scenario_in.h"

#include "base/ensure.h"

/* What stands behind the first word of each kind of line. */

/* ---- header lines ---- */

static bool params_line(struct scn_parse *parse, const struct guest_param *params, uint32_t count,
                        const char *usage)
{
    return scn_parse_args(parse, params, count, usage, &parse->line->args) && scn_line_end(parse);
}

bool scn_parse_cluster(struct scn_parse *parse)
{
    struct scenario *scenario = parse->scenario;
    const struct guest *guest = scenario->guest;
    struct scn_arg *args = scn_get(parse, (guest->option_count + 1) * sizeof(*args));
    struct scn_arg *common = scn_get(parse, SCN_CLUSTER_PARAMS * sizeof(*common));
    const struct scn_params params = {
        .first = guest->options,
        .first_count = guest->option_count,
        .second = scn_cluster_params,
        .second_count = SCN_CLUSTER_PARAMS,
        .usage = "cluster",
    };

    scn_take_word(parse, guest->name);
    if (args == NULL || common == NULL || !scn_parse_params(parse, &params, args, common)) {
        return false;
    }
    parse->line->args = args;
    scenario->cluster_args = args;
    scenario->common_args = common;
    scenario->cluster = parse->line;
    return scn_line_end(parse);
}

static bool parse_client(struct scn_parse *parse)
{
    const struct guest *guest = parse->scenario->guest;
    struct scn_arg *args = scn_get(parse, (guest->client_option_count + 1) * sizeof(*args));
    struct scn_arg *common = scn_get(parse, SCN_CLIENT_PARAMS * sizeof(*common));
    const struct scn_params params = {
        .first = scn_client_params,
        .first_count = SCN_CLIENT_PARAMS,
        .second = guest->client_options,
        .second_count = guest->client_option_count,
        .usage = "client NAME",
    };
    const struct scn_token *token = scn_peek(parse);

    if (guest->add_client == NULL) {
        return scn_wrong(parse, 1, "expected no client lines: there are no clients in ",
                         span_text(guest->name));
    }
    if (token == NULL || token->kind != SCN_WORD || !scn_name_shape(token->text)) {
        return scn_expected(parse, "a name that begins with a capital or ends in a digit", NULL);
    }
    parse->line->name = scn_name_find(parse->scenario, token->text);
    ENSURE(parse->line->name != SCN_NONE);
    if (parse->scenario->names[parse->line->name].line != parse->line->number) {
        return scn_expected(parse, "a name that nothing else has", NULL);
    }
    parse->at++;
    if (args == NULL || common == NULL || !scn_parse_params(parse, &params, common, args)) {
        return false;
    }
    /* The guest's options first; the common ones stand behind them. */
    {
        struct scn_arg *both =
            scn_get(parse, (guest->client_option_count + SCN_CLIENT_PARAMS) * sizeof(*both));

        if (both == NULL) {
            return false;
        }
        memcpy(both, args, guest->client_option_count * sizeof(*both));
        memcpy(both + guest->client_option_count, common, SCN_CLIENT_PARAMS * sizeof(*both));
        parse->line->args = both;
    }
    return scn_line_end(parse);
}

static bool parse_link(struct scn_parse *parse)
{
    const struct scn_token *token = scn_peek(parse);

    if (token != NULL && token->kind != SCN_KEYED &&
        !scn_parse_link(parse, &parse->line->from, &parse->line->to, &parse->line->link)) {
        return false;
    }
    return params_line(parse, scn_link_params, SCN_LINK_PARAMS, "link [A -> B]");
}

static bool parse_disk(struct scn_parse *parse)
{
    const struct scn_token *token = scn_peek(parse);

    if (token != NULL && token->kind != SCN_KEYED && !scn_parse_roles(parse, &parse->line->from)) {
        return false;
    }
    return params_line(parse, scn_disk_params, SCN_DISK_PARAMS, "disk [ROLE]");
}

static bool parse_must(struct scn_parse *parse)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token;
    struct scn_near near;

    if (!scn_take_word(parse, "fail")) {
        return scn_expected(parse, "fail", NULL);
    }
    token = scn_peek(parse);
    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    scn_near_try_words(&near, "expectation|progress|assertion");
    for (uint32_t i = 0; i < guest->check_count; i++) {
        scn_near_try(&near, guest->checks[i].name);
    }
    if (token == NULL || near.distance != 0) {
        return scn_expected(parse, "the name of a check, expectation, progress or assertion",
                            &near);
    }
    parse->line->target = token->text;
    parse->scenario->must = parse->line;
    parse->at++;
    return scn_line_end(parse);
}

/* ---- timed lines ---- */

static bool action_or_nothing(struct scn_parse *parse)
{
    if (scn_peek(parse) == NULL) {
        return true;
    }
    parse->line->action = scn_get(parse, sizeof(*parse->line->action));
    return parse->line->action != NULL && scn_parse_action(parse, parse->line->action);
}

static bool parse_at(struct scn_parse *parse)
{
    struct scn_token *token = (struct scn_token *)(uintptr_t)scn_peek(parse);
    int64_t value;

    if (token != NULL && token->kind == SCN_WORD && token->text.len > 0 &&
        token->text.at[0] == '+') {
        parse->line->relative = true;
    }
    if (token == NULL || token->kind != SCN_WORD || !scn_read_time(token->text, true, &value) ||
        value < 0) {
        return scn_expected(parse, "a time such as 3s, or +10ms after the line before", NULL);
    }
    token->is_time = true;
    token->time_us = value;
    parse->line->time_us = (uint64_t)value;
    parse->at++;
    return action_or_nothing(parse);
}

static bool parse_on(struct scn_parse *parse)
{
    struct scn_line *line = parse->line;
    struct scn_pattern *pattern = scn_get(parse, sizeof(*pattern));

    if (pattern == NULL) {
        return false;
    }
    line->pattern = pattern;
    if (line->kind == SCN_WHENEVER) {
        pattern->before = scn_take_word(parse, "before");
        if (!pattern->before) {
            scn_take_word(parse, "after");
        }
    } else {
        pattern->before = span_is(line->tokens[0].text, "before");
    }
    return scn_parse_pattern(parse, pattern);
}

static bool parse_every(struct scn_parse *parse)
{
    if (!scn_parse_time(parse, &parse->line->time_us)) {
        return false;
    }
    if (parse->line->time_us == 0) {
        parse->at--;
        return scn_expected(parse, "a time above 0", NULL);
    }
    if (scn_take_word(parse, "until") && !scn_parse_time(parse, &parse->line->until_us)) {
        return false;
    }
    return action_or_nothing(parse);
}

static bool parse_expect(struct scn_parse *parse)
{
    struct scn_line *line = parse->line;

    if (line->kind == SCN_WITHIN && !scn_parse_time(parse, &line->time_us)) {
        return false;
    }
    if (!scn_take_word(parse, "expect")) {
        struct scn_near near;

        scn_near_init(&near, scn_peek(parse) == NULL ? (struct span){0} : scn_peek(parse)->text);
        scn_near_try(&near, "expect");
        return scn_expected(parse, "expect", &near);
    }
    if (!scn_parse_condition(parse, &line->condition)) {
        return false;
    }
    if (line->kind == SCN_WITHIN && !scn_parse_as(parse, SCN_NAME_BOUND, &line->as)) {
        return false;
    }
    if ((line->kind == SCN_ALWAYS || line->kind == SCN_NEVER) && scn_take_word(parse, "from") &&
        !scn_parse_time(parse, &line->time_us)) {
        return false;
    }
    return scn_line_end(parse);
}

static bool parse_setup(struct scn_parse *parse)
{
    const struct guest_verb *setup = parse->line->setup;

    return params_line(parse, setup->params, setup->param_count, setup->name);
}

bool scn_parse_body(struct scn_parse *parse)
{
    struct scn_line *line = parse->line;

    switch (line->kind) {
    case SCN_BLANK:
    case SCN_WRONG:
        return true;
    case SCN_CLUSTER:
        return scn_parse_cluster(parse);
    case SCN_CLIENT:
        return parse_client(parse);
    case SCN_SETUP:
        return parse_setup(parse);
    case SCN_LINK:
        return parse_link(parse);
    case SCN_DISK:
        return parse_disk(parse);
    case SCN_CLOCK:
        return scn_parse_roles(parse, &line->from) &&
               params_line(parse, scn_clock_params, SCN_CLOCK_PARAMS, "clock ROLE");
    case SCN_FILE:
        return scn_parse_roles(parse, &line->from) &&
               params_line(parse, scn_file_params, SCN_FILE_PARAMS, "file ROLE");
    case SCN_RUN:
        parse->scenario->run = line;
        return scn_parse_time(parse, &line->time_us) && scn_line_end(parse);
    case SCN_FUZZ:
        parse->scenario->fuzz = line;
        return params_line(parse, scn_fuzz_params, SCN_FUZZ_PARAMS, "fuzz");
    case SCN_MUST:
        return parse_must(parse);
    case SCN_AT:
        return parse_at(parse);
    case SCN_WHEN:
        return scn_parse_condition(parse, &line->condition) &&
               scn_parse_as(parse, SCN_NAME_BOUND, &line->as) && scn_line_end(parse);
    case SCN_ON:
    case SCN_WHENEVER:
        return parse_on(parse);
    case SCN_EVERY:
        return parse_every(parse);
    case SCN_WITHIN:
    case SCN_ALWAYS:
    case SCN_NEVER:
    case SCN_FINALLY:
    case SCN_SOMETIMES:
        return parse_expect(parse);
    case SCN_ACTION:
        line->action = scn_get(parse, sizeof(*line->action));
        return line->action != NULL && scn_parse_action(parse, line->action);
    }
    UNREACHABLE();
}
