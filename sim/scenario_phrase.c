#include "sim/scenario_in.h"

/* ---- roles ---- */

static const struct guest_role *role_find(const struct guest *guest, struct span word,
                                          uint32_t *index)
{
    for (uint32_t i = 0; i < guest->role_count; i++) {
        if (span_is(word, guest->roles[i].name)) {
            *index = i;
            return &guest->roles[i];
        }
    }
    return NULL;
}

static bool role_unknown(struct scn_parse *parse, struct span word)
{
    const struct scenario *scenario = parse->scenario;
    struct scn_near near;

    scn_near_init(&near, word);
    for (uint32_t i = 0; i < scn_role_word_count; i++) {
        scn_near_try(&near, scn_role_words[i].name);
    }
    for (uint32_t i = 0; i < scenario->guest->role_count; i++) {
        scn_near_try(&near, scenario->guest->roles[i].name);
    }
    for (uint32_t i = 0; i < scenario->name_count; i++) {
        if (scenario->names[i].kind != SCN_NAME_LOST && scenario->names[i].kind != SCN_NAME_OP) {
            scn_near_try_span(&near, scenario->names[i].text);
        }
    }
    return scn_expected(parse, "a role such as leader, all or s1", &near);
}

/* A name that no line gives: the line does nothing, and the reader hears of it. */
static void name_lost(struct scn_parse *parse, const struct scn_token *token)
{
    parse->line->lost = true;
    scn_warn(parse, token->column, "this line does nothing: no line gives the name ", token->text);
}

static bool role_term(struct scn_parse *parse, struct scn_role *role)
{
    const struct scn_token *token;
    uint32_t name;

    scn_take_word(parse, "client");
    token = scn_peek(parse);
    if (token == NULL || token->kind != SCN_WORD) {
        return scn_expected(parse, "a role such as leader, all or s1", NULL);
    }
    *role = (struct scn_role){.kind = SCN_ROLE_NAME};
    name = scn_name_find(parse->scenario, token->text);
    for (uint32_t i = 0; name == SCN_NONE && i < scn_role_word_count; i++) {
        if (span_is(token->text, scn_role_words[i].name)) {
            role->kind = scn_role_words[i].kind;
            parse->at++;
            return true;
        }
    }
    if (name == SCN_NONE) {
        const struct guest_role *found =
            role_find(parse->scenario->guest, token->text, &role->index);

        if (found != NULL) {
            int64_t number;

            role->kind = SCN_ROLE_GUEST;
            parse->at++;
            token = scn_peek(parse);
            if (found->indexed && token != NULL && token->kind == SCN_WORD &&
                scn_read_number(token->text, &number) && number > 0 &&
                number <= GUEST_PROCESS_MAX) {
                role->number = (uint32_t)number;
                parse->at++;
            }
            return true;
        }
        if (!scn_name_shape(token->text)) {
            return role_unknown(parse, token->text);
        }
        name = scn_name_add(parse, token->text, SCN_NAME_LOST, 0);
        if (name == SCN_NONE) {
            return scn_expected(parse, "at most 1024 names in a file", NULL);
        }
    }
    if (parse->scenario->names[name].kind == SCN_NAME_OP) {
        return scn_expected(parse, "a process, not an operation", NULL);
    }
    if (parse->scenario->names[name].kind == SCN_NAME_LOST) {
        name_lost(parse, token);
    }
    role->index = name;
    parse->at++;
    return true;
}

bool scn_parse_roles(struct scn_parse *parse, struct scn_roles *roles)
{
    struct scn_role terms[SCN_ROLES_MAX];
    struct scn_role *kept;
    uint32_t count = 0;

    if (scn_take_sign(parse, "{")) {
        do {
            if (count == SCN_ROLES_MAX) {
                return scn_expected(parse, "at most 32 roles", NULL);
            }
            if (!role_term(parse, &terms[count])) {
                return false;
            }
            count++;
        } while (scn_take_sign(parse, ","));
        if (!scn_take_sign(parse, "}")) {
            return scn_expected(parse, "a comma or the closing brace", NULL);
        }
    } else {
        if (!role_term(parse, &terms[0])) {
            return false;
        }
        count = 1;
    }
    kept = scn_get(parse, count * sizeof(*kept));
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, terms, count * sizeof(*kept));
    *roles = (struct scn_roles){.at = kept, .count = count};
    return true;
}

bool scn_parse_link(struct scn_parse *parse, struct scn_roles *from, struct scn_roles *to,
                    enum scn_link_form *form)
{
    if (!scn_parse_roles(parse, from)) {
        return false;
    }
    if (scn_take_sign(parse, "->")) {
        *form = SCN_LINK_ONE_WAY;
    } else if (scn_take_sign(parse, "<->")) {
        *form = SCN_LINK_BOTH;
    } else {
        return scn_expected(parse, "-> or <->", NULL);
    }
    return scn_parse_roles(parse, to);
}

/* ---- names ---- */

bool scn_parse_as(struct scn_parse *parse, enum scn_name_kind kind, uint32_t *name)
{
    const struct scn_token *token;

    *name = SCN_NONE;
    if (!scn_take_word(parse, "as")) {
        return true;
    }
    token = scn_peek(parse);
    if (token == NULL || token->kind != SCN_WORD || !scn_name_shape(token->text)) {
        return scn_expected(parse, "a name that begins with a capital or ends in a digit", NULL);
    }
    *name = scn_name_find(parse->scenario, token->text);
    if (*name == SCN_NONE) {
        *name = scn_name_add(parse, token->text, kind, 0);
    }
    if (*name == SCN_NONE) {
        return scn_expected(parse, "at most 1024 names in a file", NULL);
    }
    if (parse->scenario->names[*name].kind != kind) {
        return scn_expected(parse, "a name that nothing else has", NULL);
    }
    parse->at++;
    return true;
}

bool scn_parse_op(struct scn_parse *parse, uint32_t *name)
{
    const struct scn_token *token = scn_peek(parse);
    struct scenario *scenario = parse->scenario;
    struct scn_near near;

    if (token == NULL || token->kind != SCN_WORD || !scn_name_shape(token->text)) {
        scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
        for (uint32_t i = 0; i < scenario->name_count; i++) {
            if (scenario->names[i].kind == SCN_NAME_OP) {
                scn_near_try_span(&near, scenario->names[i].text);
            }
        }
        return scn_expected(parse, "the name of an operation such as w1", &near);
    }
    *name = scn_name_find(scenario, token->text);
    if (*name == SCN_NONE) {
        *name = scn_name_add(parse, token->text, SCN_NAME_LOST, 0);
    }
    if (*name == SCN_NONE) {
        return scn_expected(parse, "at most 1024 names in a file", NULL);
    }
    if (scenario->names[*name].kind == SCN_NAME_LOST) {
        name_lost(parse, token);
    } else if (scenario->names[*name].kind != SCN_NAME_OP) {
        return scn_expected(parse, "the name of an operation, not of a process", NULL);
    }
    parse->at++;
    return true;
}

/* ---- conditions ---- */

#define FATE_WORDS "open|acknowledged|failed|unknown|over"

static bool condition_fate(struct scn_parse *parse, struct scn_condition *condition)
{
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;
    uint32_t choice = token == NULL ? SCN_NONE : scn_choice(FATE_WORDS, token->text);

    if (choice == SCN_NONE) {
        scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
        scn_near_try_words(&near, FATE_WORDS);
        return scn_expected(parse, "acknowledged, failed, unknown, open or over", &near);
    }
    condition->kind = SCN_IF_FATE;
    condition->index = choice == 4 ? SCN_FATE_OVER : choice;
    parse->at++;
    return true;
}

static bool condition_state(struct scn_parse *parse, struct scn_condition *condition)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    condition->kind = SCN_IF_STATE;
    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    scn_near_try_words(&near, "up|down|paused");
    condition->index = token == NULL ? SCN_NONE : scn_choice("up|down|paused", token->text);
    if (condition->index != SCN_NONE) {
        condition->index += SCN_STATE_UP;
        parse->at++;
        return true;
    }
    for (uint32_t i = 0; token != NULL && i < guest->state_count; i++) {
        scn_near_try(&near, guest->states[i].name);
        if (span_is(token->text, guest->states[i].name)) {
            condition->index = i;
            parse->at++;
            return true;
        }
    }
    return scn_expected(parse, "up, down, paused or a state of the protocol", &near);
}

/* ROLE is STATE, ROLE == ROLE, ROLE != ROLE, OP is FATE */
static bool condition_compare(struct scn_parse *parse, struct scn_condition *condition)
{
    const struct scn_token *token = scn_peek(parse);
    uint32_t name = token == NULL ? SCN_NONE : scn_name_find(parse->scenario, token->text);
    const struct scn_token *third =
        parse->at + 2 < parse->line->token_count ? &parse->line->tokens[parse->at + 2] : NULL;
    bool lost = token != NULL &&
                (name == SCN_NONE || parse->scenario->names[name].kind == SCN_NAME_LOST) &&
                scn_name_shape(token->text);

    if ((name != SCN_NONE && parse->scenario->names[name].kind == SCN_NAME_OP) ||
        (lost && third != NULL && scn_choice(FATE_WORDS, third->text) != SCN_NONE)) {
        if (!scn_parse_op(parse, &condition->name)) {
            return false;
        }
        return scn_take_word(parse, "is") ? condition_fate(parse, condition)
                                          : scn_expected(parse, "is", NULL);
    }
    if (!scn_parse_roles(parse, &condition->roles)) {
        return false;
    }
    if (scn_take_word(parse, "is") || scn_take_word(parse, "are")) {
        return condition_state(parse, condition);
    }
    if (scn_take_sign(parse, "==")) {
        condition->kind = SCN_IF_SAME;
    } else if (scn_take_sign(parse, "!=")) {
        condition->kind = SCN_IF_DIFFER;
    } else {
        return scn_expected(parse, "is, are, == or !=", NULL);
    }
    return scn_parse_roles(parse, &condition->other);
}

static uint32_t check_find(const struct guest *guest, struct span word)
{
    for (uint32_t i = 0; i < guest->check_count && i < 32; i++) {
        if (span_is(word, guest->checks[i].name)) {
            return i;
        }
    }
    return SCN_NONE;
}

static bool condition_checks(struct scn_parse *parse, struct scn_condition *condition)
{
    const struct guest *guest = parse->scenario->guest;
    struct scn_near near;

    condition->kind = SCN_IF_CHECKS;
    while (scn_peek(parse) != NULL && !scn_at_word(parse, "as") && !scn_at_word(parse, "from")) {
        uint32_t index = check_find(guest, scn_peek(parse)->text);

        if (index == SCN_NONE) {
            scn_near_init(&near, scn_peek(parse)->text);
            for (uint32_t i = 0; i < guest->check_count; i++) {
                scn_near_try(&near, guest->checks[i].name);
            }
            return scn_expected(parse, "the name of a check", &near);
        }
        condition->index |= 1u << index;
        parse->at++;
    }
    return true;
}

static uint32_t condition_find(const struct guest *guest, struct span word)
{
    for (uint32_t i = 0; i < guest->condition_count; i++) {
        if (span_is(word, guest->conditions[i].name)) {
            return i;
        }
    }
    return SCN_NONE;
}

/* Neither a condition, nor a check, nor a role: say what is nearest of all of them. */
static bool condition_unknown(struct scn_parse *parse, struct span word)
{
    const struct scenario *scenario = parse->scenario;
    const struct guest *guest = scenario->guest;
    struct scn_near near;

    scn_near_init(&near, word);
    for (uint32_t i = 0; i < guest->condition_count; i++) {
        scn_near_try(&near, guest->conditions[i].name);
    }
    for (uint32_t i = 0; i < guest->check_count; i++) {
        scn_near_try(&near, guest->checks[i].name);
    }
    for (uint32_t i = 0; i < guest->role_count; i++) {
        scn_near_try(&near, guest->roles[i].name);
    }
    for (uint32_t i = 0; i < scn_role_word_count; i++) {
        scn_near_try(&near, scn_role_words[i].name);
    }
    scn_near_try(&near, "not");
    return scn_expected(parse, "a condition such as leader != L or s1 is up", &near);
}

/* Is the token after the role at the cursor one that compares? `follower 2 is` has one word more.
 */
static bool compares(const struct scn_parse *parse)
{
    const struct scn_line *line = parse->line;

    for (uint32_t at = parse->at + 1; at < line->token_count && at <= parse->at + 2; at++) {
        struct span text = line->tokens[at].text;

        if (line->tokens[at].kind == SCN_KEYED || line->tokens[at].kind == SCN_QUOTED) {
            return false;
        }
        if (span_is(text, "is") || span_is(text, "are") || span_is(text, "==") ||
            span_is(text, "!=")) {
            return true;
        }
    }
    return scn_at_sign(parse, "{");
}

bool scn_parse_condition(struct scn_parse *parse, struct scn_condition *condition)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token;
    uint32_t start = parse->at;
    bool good;

    *condition = (struct scn_condition){.name = SCN_NONE};
    condition->negated = scn_take_word(parse, "not");
    token = scn_peek(parse);
    if (token == NULL) {
        return scn_expected(parse, "a condition such as leader != L or s1 is up", NULL);
    }
    if (compares(parse)) {
        good = condition_compare(parse, condition);
    } else if ((condition->index = condition_find(guest, token->text)) != SCN_NONE) {
        const struct guest_condition *found = &guest->conditions[condition->index];

        condition->kind = SCN_IF_GUEST;
        parse->at++;
        good =
            scn_parse_args(parse, found->params, found->param_count, found->name, &condition->args);
    } else if (check_find(guest, token->text) != SCN_NONE) {
        condition->index = 0;
        good = condition_checks(parse, condition);
    } else {
        struct scn_roles roles;
        uint32_t index;
        bool role = scn_name_shape(token->text) ||
                    scn_name_find(parse->scenario, token->text) != SCN_NONE ||
                    role_find(guest, token->text, &index) != NULL;

        for (uint32_t i = 0; i < scn_role_word_count; i++) {
            role = role || span_is(token->text, scn_role_words[i].name);
        }
        if (!role) {
            return condition_unknown(parse, token->text);
        }
        return scn_parse_roles(parse, &roles) && scn_expected(parse, "is, are, == or !=", NULL);
    }
    condition->words = scn_words(parse, start, parse->at);
    return good;
}
