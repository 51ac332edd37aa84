#include "sim/scenario_in.h"

#include "base/ensure.h"

#include <stdlib.h>

/* ---- which kind of line ---- */

static bool head_unknown(struct scn_parse *parse)
{
    const struct guest *guest = parse->scenario->guest;
    struct scn_near near;

    scn_near_init(&near, scn_peek(parse)->text);
    for (uint32_t i = 0; i < scn_head_count; i++) {
        scn_near_try(&near, scn_heads[i].name);
    }
    for (uint32_t i = 0; i < guest->setup_count; i++) {
        scn_near_try(&near, guest->setups[i].name);
    }
    return scn_expected(parse, "a line that begins with at, when, on, within or the like", &near);
}

static bool head_find(struct scn_parse *parse)
{
    struct scn_line *line = parse->line;
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token = scn_peek(parse);

    if (token == NULL) {
        line->kind = SCN_BLANK;
        return true;
    }
    if (line->indented) {
        line->kind = SCN_ACTION;
        return true;
    }
    for (uint32_t i = 0; token->kind == SCN_WORD && i < scn_head_count; i++) {
        if (span_is(token->text, scn_heads[i].name)) {
            line->kind = scn_heads[i].kind;
            parse->at++;
            return true;
        }
    }
    for (uint32_t i = 0; token->kind == SCN_WORD && i < guest->setup_count; i++) {
        if (span_is(token->text, guest->setups[i].name)) {
            line->kind = SCN_SETUP;
            line->setup = &guest->setups[i];
            parse->at++;
            return true;
        }
    }
    line->kind = SCN_WRONG;
    return head_unknown(parse);
}

static bool once(struct scn_parse *parse, const struct scn_line *before)
{
    if (before == NULL) {
        return true;
    }
    return scn_wrong(parse, 1,
                     "expected this line only once in a file: ", parse->line->tokens[0].text);
}

static bool head_once(struct scn_parse *parse)
{
    const struct scenario *scenario = parse->scenario;

    switch (parse->line->kind) {
    case SCN_CLUSTER:
        return once(parse, scenario->cluster);
    case SCN_RUN:
        return once(parse, scenario->run);
    case SCN_FUZZ:
        return once(parse, scenario->fuzz);
    case SCN_MUST:
        return once(parse, scenario->must);
    default:
        return true;
    }
}

static bool can_have_actions(enum scn_kind kind)
{
    return kind == SCN_AT || kind == SCN_WHEN || kind == SCN_ON || kind == SCN_WHENEVER ||
           kind == SCN_EVERY || kind == SCN_WITHIN;
}

static void line_parse(struct scn_parse *parse, uint32_t index, uint32_t *head)
{
    struct scenario *scenario = parse->scenario;
    struct scn_line *line = &scenario->lines[index];

    parse->line = line;
    parse->at = 0;
    if (!head_find(parse) || !head_once(parse) || !scn_parse_body(parse)) {
        line->kind = SCN_WRONG;
        return;
    }
    if (line->kind == SCN_ACTION) {
        line->parent = *head;
        if (*head == SCN_NONE) {
            line->lost = true;
            scn_warn(parse, 1, "this line does nothing: no line above it tells when",
                     (struct span){0});
        }
    } else if (line->kind != SCN_BLANK) {
        *head = can_have_actions(line->kind) ? index : SCN_NONE;
    }
}

/* ---- names that lines give, known before any line is read ---- */

static void collect_as(struct scn_parse *parse, const struct scn_line *line)
{
    const struct scn_token *first = &line->tokens[0];
    bool op = line->indented || span_is(first->text, "at") || span_is(first->text, "every");

    for (uint32_t i = 1; i < line->token_count; i++) {
        if (line->tokens[i - 1].kind == SCN_WORD && span_is(line->tokens[i - 1].text, "as") &&
            line->tokens[i].kind == SCN_WORD && scn_name_shape(line->tokens[i].text)) {
            scn_name_add(parse, line->tokens[i].text, op ? SCN_NAME_OP : SCN_NAME_BOUND, 0);
        }
    }
}

static void collect_names(struct scn_parse *parse)
{
    struct scenario *scenario = parse->scenario;
    uint32_t clients = 0;

    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        parse->line = &scenario->lines[i];
        if (line->token_count == 0 || line->kind == SCN_WRONG) {
            continue;
        }
        if (!line->indented && span_is(line->tokens[0].text, "client")) {
            if (line->token_count > 1 && scn_name_shape(line->tokens[1].text)) {
                scn_name_add(parse, line->tokens[1].text, SCN_NAME_CLIENT, clients);
                clients++;
            }
        } else {
            collect_as(parse, line);
        }
    }
}

static bool server_names(struct scn_parse *parse)
{
    struct scenario *scenario = parse->scenario;
    const struct guest *guest = scenario->guest;
    struct guest_value values[GUEST_PARAM_MAX * 2] = {0};
    char name[32];

    ENSURE(guest->option_count <= GUEST_PARAM_MAX * 2);
    for (uint32_t i = 0; i < guest->option_count; i++) {
        const struct scn_arg *arg = &scenario->cluster_args[i];

        values[i] = (struct guest_value){
            .given = arg->given,
            .number = arg->number,
            .number_high = arg->number_high,
            .text = arg->text,
        };
    }
    parse->line = NULL;
    for (uint32_t i = 0; i < GUEST_PROCESS_MAX && guest->server_name(values, i, name); i++) {
        struct span copy = pile_copy(&scenario->pile, span_text(name));

        if (copy.len == 0) {
            parse->failed = true;
            return false;
        }
        scn_name_add(parse, copy, SCN_NAME_SERVER, i);
        scenario->server_count++;
    }
    return true;
}

/* The cluster line comes first wherever it stands: it says which names there are. */
static bool cluster_first(struct scn_parse *parse)
{
    struct scenario *scenario = parse->scenario;
    struct scn_line none = {.number = 1};
    struct scn_line *line = &none;

    for (uint32_t i = 0; i < scenario->line_count; i++) {
        if (!scenario->lines[i].indented && scenario->lines[i].token_count > 0 &&
            span_is(scenario->lines[i].tokens[0].text, "cluster")) {
            line = &scenario->lines[i];
            break;
        }
    }
    parse->line = line;
    parse->at = line == &none ? 0 : 1;
    if (!scn_parse_cluster(parse)) {
        return false;
    }
    if (line == &none) {
        scenario->cluster = NULL;
    }
    return server_names(parse);
}

static void parse_with(struct scn_parse *parse, const struct guest *guest)
{
    struct scenario *scenario = parse->scenario;
    uint32_t head = SCN_NONE;

    scenario->guest = guest;
    if (!cluster_first(parse)) {
        return;
    }
    collect_names(parse);
    scenario->cluster = NULL;
    for (uint32_t i = 0; i < scenario->line_count; i++) {
        if (scenario->lines[i].kind != SCN_WRONG) {
            line_parse(parse, i, &head);
        }
    }
}

/* ---- the file ---- */

static bool split_lines(struct scn_parse *parse, struct span text)
{
    struct scenario *scenario = parse->scenario;
    uint32_t count = 1;
    size_t start = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.at[i] == '\n' ? 1 : 0;
    }
    if (count > SCN_LINES_MAX) {
        return scn_wrong(parse, 1, "expected at most 20000 lines", (struct span){0});
    }
    scenario->lines = scn_get(parse, count * sizeof(*scenario->lines));
    scenario->names = scn_get(parse, SCN_NAMES_MAX * sizeof(*scenario->names));
    if (scenario->lines == NULL || scenario->names == NULL) {
        return false;
    }
    for (size_t i = 0; i <= text.len; i++) {
        struct scn_line *line;

        if (i < text.len && text.at[i] != '\n') {
            continue;
        }
        line = &scenario->lines[scenario->line_count++];
        *line = (struct scn_line){
            .number = scenario->line_count,
            .parent = SCN_NONE,
            .as = SCN_NONE,
            .name = SCN_NONE,
        };
        parse->line = line;
        if (!scn_lex(parse, span_make(text.at + start, i - start), line)) {
            line->kind = SCN_WRONG;
        }
        start = i + 1;
    }
    return true;
}

/* The guest named on the cluster line; NULL when there is no such line or it names none. */
static bool guest_named(struct scn_parse *parse, const struct guest *const *guests, uint32_t count,
                        const struct guest **found)
{
    struct scenario *scenario = parse->scenario;
    struct scn_near near;

    *found = NULL;
    for (uint32_t i = 0; i < scenario->line_count; i++) {
        struct scn_line *line = &scenario->lines[i];

        if (line->indented || line->token_count < 2 || !span_is(line->tokens[0].text, "cluster") ||
            line->tokens[1].kind != SCN_WORD) {
            continue;
        }
        scn_near_init(&near, line->tokens[1].text);
        for (uint32_t j = 0; j < count; j++) {
            scn_near_try(&near, guests[j]->name);
            if (span_is(line->tokens[1].text, guests[j]->name)) {
                *found = guests[j];
                return true;
            }
        }
        parse->line = line;
        parse->at = 1;
        return scn_expected(parse, "the name of a protocol", &near);
    }
    return true;
}

static enum err scenario_open(const char *file, struct scenario **scenario)
{
    struct scenario *made = calloc(1, sizeof(*made));

    if (made == NULL) {
        return ERR_MEMORY;
    }
    pile_init(&made->pile);
    made->file = file;
    *scenario = made;
    return ERR_OK;
}

static enum err parse_once(const char *file, struct span text, const struct guest *const *guests,
                           uint32_t guest_count, struct scenario **scenario)
{
    struct scn_parse parse = {0};
    const struct guest *named;
    struct span copy;
    enum err err = scenario_open(file, scenario);

    if (err != ERR_OK) {
        return err;
    }
    parse.scenario = *scenario;
    (*scenario)->guest = guests[0];
    copy = pile_copy(&(*scenario)->pile, text);
    if (text.len > SCN_FILE_MAX) {
        scn_wrong(&parse, 1, "expected at most 1 MiB", (struct span){0});
    } else if (copy.at == NULL) {
        parse.failed = true;
    } else if (split_lines(&parse, copy) && guest_named(&parse, guests, guest_count, &named)) {
        parse_with(&parse, named == NULL ? guests[0] : named);
    }
    if (parse.failed) {
        scenario_drop(*scenario);
        *scenario = NULL;
        return ERR_MEMORY;
    }
    return (*scenario)->error_count == 0 ? ERR_OK : ERR_FORMAT;
}

static bool names_guest(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (!line->indented && line->token_count > 1 && span_is(line->tokens[0].text, "cluster") &&
            line->tokens[1].kind == SCN_WORD) {
            return true;
        }
    }
    return false;
}

enum err scenario_parse(const char *file, struct span text, const struct guest *const *guests,
                        uint32_t guest_count, struct scenario **scenario)
{
    enum err err = parse_once(file, text, guests, guest_count, scenario);

    if (err != ERR_FORMAT || names_guest(*scenario)) {
        return err;
    }
    /* No protocol is named: is there one whose words fit? */
    for (uint32_t i = 1; i < guest_count; i++) {
        struct scenario *other;

        err = parse_once(file, text, &guests[i], 1, &other);
        if (err == ERR_OK) {
            scenario_drop(*scenario);
            *scenario = other;
            return ERR_OK;
        }
        if (err == ERR_MEMORY) {
            scenario_drop(*scenario);
            *scenario = NULL;
            return err;
        }
        scenario_drop(other);
    }
    return ERR_FORMAT;
}

void scenario_drop(struct scenario *scenario)
{
    if (scenario == NULL) {
        return;
    }
    pile_drop(&scenario->pile);
    free(scenario);
}
