#include "sim/scenario_in.h"

/* Actions: faults (`cut A -> B for 5s`) and verbs of the guest (`c1 create /a "1" as w1`). */

static bool groups_parse(struct scn_parse *parse, struct scn_action *action)
{
    do {
        if (action->group_count == SCN_GROUPS_MAX) {
            return scn_expected(parse, "at most 8 sides", NULL);
        }
        if (!scn_parse_roles(parse, &action->groups[action->group_count])) {
            return false;
        }
        action->group_count++;
    } while (scn_take_sign(parse, "|"));
    return action->group_count >= 2 || scn_expected(parse, "| and the other side", NULL);
}

static bool scope_parse(struct scn_parse *parse, struct scn_action *action)
{
    switch (action->fault->scope) {
    case SCN_SCOPE_NONE:
        return true;
    case SCN_SCOPE_LINK_MAYBE:
        if (scn_peek(parse) == NULL) {
            return true;
        }
        action->group_count = 2;
        return scn_parse_link(parse, &action->groups[0], &action->groups[1], &action->link);
    case SCN_SCOPE_LINK:
        action->group_count = 2;
        return scn_parse_link(parse, &action->groups[0], &action->groups[1], &action->link);
    case SCN_SCOPE_ROLES:
        action->group_count = 1;
        return scn_parse_roles(parse, &action->groups[0]);
    case SCN_SCOPE_GROUPS:
        return groups_parse(parse, action);
    }
    return false;
}

static bool fault_parse(struct scn_parse *parse, struct scn_action *action)
{
    const struct scn_verb *fault = action->fault;
    uint32_t start = parse->at;

    parse->at++;
    if (!scope_parse(parse, action) ||
        !scn_parse_args(parse, fault->params, fault->param_count, fault->name, &action->args)) {
        return false;
    }
    action->words = scn_words(parse, start, parse->at);
    if (fault->fault == SCN_DROP && action->group_count > 0 && !action->args[0].given) {
        return scn_expected(parse, "RATE: a rate such as 5% or 20ppm", NULL);
    }
    if (fault->can_end && scn_take_word(parse, "for")) {
        if (!scn_parse_time(parse, &action->for_us)) {
            return false;
        }
        action->words = scn_words(parse, start, parse->at);
    }
    return scn_line_end(parse);
}

static const struct guest_verb *verb_find(const struct guest *guest, struct span word, bool alone)
{
    for (uint32_t i = 0; i < guest->verb_count; i++) {
        if (span_is(word, guest->verbs[i].name) &&
            (guest->verbs[i].subject == GUEST_ON_NONE) == alone) {
            return &guest->verbs[i];
        }
    }
    return NULL;
}

/* The word where a verb of the guest must stand. */
static bool verb_unknown(struct scn_parse *parse)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < guest->verb_count; i++) {
        if (guest->verbs[i].subject != GUEST_ON_NONE) {
            scn_near_try(&near, guest->verbs[i].name);
        }
    }
    return scn_expected(parse, "a verb of the protocol", &near);
}

/* The first word is no fault, no verb and no role. */
static bool action_unknown(struct scn_parse *parse)
{
    const struct scenario *scenario = parse->scenario;
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < scn_verb_count; i++) {
        scn_near_try(&near, scn_verbs[i].name);
    }
    for (uint32_t i = 0; i < scenario->guest->verb_count; i++) {
        if (scenario->guest->verbs[i].subject == GUEST_ON_NONE) {
            scn_near_try(&near, scenario->guest->verbs[i].name);
        }
    }
    for (uint32_t i = 0; i < scenario->guest->role_count; i++) {
        scn_near_try(&near, scenario->guest->roles[i].name);
    }
    return scn_expected(parse, "an action: a fault such as crash, or a process and what it does",
                        &near);
}

static bool guest_parse(struct scn_parse *parse, struct scn_action *action)
{
    const struct guest_verb *verb;
    uint32_t start = parse->at;

    action->verb = verb_find(parse->scenario->guest, scn_peek(parse)->text, true);
    if (action->verb == NULL) {
        if (!scn_parse_roles(parse, &action->groups[0])) {
            return false;
        }
        action->group_count = 1;
        start = parse->at;
        if (scn_peek(parse) != NULL && scn_peek(parse)->kind == SCN_WORD) {
            action->verb = verb_find(parse->scenario->guest, scn_peek(parse)->text, false);
        }
        if (action->verb == NULL) {
            return verb_unknown(parse);
        }
    }
    verb = action->verb;
    parse->at++;
    if (!scn_parse_args(parse, verb->params, verb->param_count, verb->name, &action->args)) {
        return false;
    }
    action->words = scn_words(parse, start, parse->at);
    if (verb->operation && !scn_parse_as(parse, SCN_NAME_OP, &action->as)) {
        return false;
    }
    return scn_line_end(parse);
}

/* Does a role or a verb without subject begin here? Else the message is about actions as a whole.
 */
static bool guest_begins(const struct scn_parse *parse)
{
    const struct scenario *scenario = parse->scenario;
    const struct scn_token *token = scn_peek(parse);

    if (scn_at_sign(parse, "{") || scn_at_word(parse, "client")) {
        return true;
    }
    if (token->kind != SCN_WORD) {
        return false;
    }
    if (scn_name_shape(token->text) || scn_name_find(scenario, token->text) != SCN_NONE ||
        verb_find(scenario->guest, token->text, true) != NULL) {
        return true;
    }
    for (uint32_t i = 0; i < scenario->guest->role_count; i++) {
        if (span_is(token->text, scenario->guest->roles[i].name)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < scn_role_word_count; i++) {
        if (span_is(token->text, scn_role_words[i].name)) {
            return true;
        }
    }
    return false;
}

bool scn_parse_action(struct scn_parse *parse, struct scn_action *action)
{
    const struct scn_token *token = scn_peek(parse);

    *action = (struct scn_action){.as = SCN_NONE};
    for (uint32_t i = 0; token != NULL && token->kind == SCN_WORD && i < scn_verb_count; i++) {
        if (span_is(token->text, scn_verbs[i].name)) {
            action->fault = &scn_verbs[i];
            return fault_parse(parse, action);
        }
    }
    if (token == NULL || !guest_begins(parse)) {
        return action_unknown(parse);
    }
    return guest_parse(parse, action);
}
