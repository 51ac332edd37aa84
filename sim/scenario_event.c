#include "sim/scenario_in.h"

/* Events: `L sends PROPOSAL(w1, zxid>=0x100000002) to any as F, 2nd`. */

/* ---- RECORD(tests) ---- */

struct fields {
    const struct guest_field *fields; /* of a record, or NULL */
    uint32_t count;
    const struct guest_note *note; /* or the four fields of a note */
};

static const char *note_field(const struct guest_note *note, uint32_t index)
{
    const char *names[] = {note->a, note->b, note->c, note->bytes};

    return names[index] == NULL ? "" : names[index];
}

static uint32_t fields_count(const struct fields *fields)
{
    return fields->note != NULL ? 4 : fields->count;
}

static const char *fields_name(const struct fields *fields, uint32_t index)
{
    return fields->note != NULL ? note_field(fields->note, index) : fields->fields[index].name;
}

static bool test_value(struct scn_parse *parse, const struct guest_field *field,
                       struct scn_test *test)
{
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    if (token == NULL || (token->kind != SCN_WORD && token->kind != SCN_QUOTED)) {
        return scn_expected(parse, "a value", NULL);
    }
    test->text = token->text;
    if (scn_read_number(token->text, &test->value)) {
        parse->at++;
        return true;
    }
    if (field != NULL && field->process) {
        return scn_parse_roles(parse, &test->roles);
    }
    scn_near_init(&near, token->text);
    for (const struct guest_word *word = field == NULL ? NULL : field->words;
         word != NULL && word->name != NULL; word++) {
        scn_near_try(&near, word->name);
        if (span_is(token->text, word->name)) {
            test->value = word->value;
            parse->at++;
            return true;
        }
    }
    if (field == NULL) { /* a note: numbers, a process, or text */
        uint32_t name = scn_name_find(parse->scenario, token->text);

        if (name != SCN_NONE && parse->scenario->names[name].kind != SCN_NAME_OP &&
            token->kind == SCN_WORD) {
            return scn_parse_roles(parse, &test->roles);
        }
        test->text = token->kind == SCN_QUOTED ? scn_unquote(parse, token->text) : token->text;
        parse->at++;
        return true;
    }
    return scn_expected(parse, "a number or a word of this field", &near);
}

static bool test_op(struct scn_parse *parse, struct scn_test *test)
{
    static const struct {
        const char *sign;
        enum scn_test_op op;
    } ops[] = {{"=", SCN_EQUAL}, {"==", SCN_EQUAL},   {"!=", SCN_UNEQUAL}, {"<", SCN_LESS},
               {">", SCN_MORE},  {"<=", SCN_AT_MOST}, {">=", SCN_AT_LEAST}};

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (scn_take_sign(parse, ops[i].sign)) {
            test->op = ops[i].op;
            return true;
        }
    }
    return scn_expected(parse, "=, !=, <, >, <= or >=", NULL);
}

/* `w1`, or `field=value` */
static bool test_parse(struct scn_parse *parse, const struct fields *fields, struct scn_test *test)
{
    const struct scn_token *token = scn_peek(parse);
    const struct scn_token *next =
        parse->at + 1 < parse->line->token_count ? &parse->line->tokens[parse->at + 1] : NULL;
    struct scn_near near;

    *test = (struct scn_test){.op = SCN_ABOUT, .name = SCN_NONE};
    if (token != NULL && next != NULL && (span_is(next->text, ")") || span_is(next->text, ","))) {
        return scn_parse_op(parse, &test->name);
    }
    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < fields_count(fields); i++) {
        const char *name = fields_name(fields, i);

        if (*name == 0) {
            continue;
        }
        scn_near_try(&near, name);
        if (token != NULL && span_is(token->text, name)) {
            test->field = span_text(name);
            parse->at++;
            return test_op(parse, test) &&
                   test_value(parse, fields->note != NULL ? NULL : &fields->fields[i], test);
        }
    }
    return scn_expected(parse, "a field of this record, or an operation", &near);
}

static bool tests_parse(struct scn_parse *parse, const struct fields *fields,
                        struct scn_pattern *pattern)
{
    if (!scn_take_sign(parse, "(")) {
        return true;
    }
    if (scn_take_sign(parse, ")")) {
        return true;
    }
    do {
        if (pattern->test_count == SCN_TESTS_MAX) {
            return scn_expected(parse, "at most 8 tests", NULL);
        }
        if (!test_parse(parse, fields, &pattern->tests[pattern->test_count])) {
            return false;
        }
        pattern->test_count++;
    } while (scn_take_sign(parse, ","));
    return scn_take_sign(parse, ")") ||
           scn_expected(parse, "a comma or the closing parenthesis", NULL);
}

static bool record_parse(struct scn_parse *parse, struct scn_pattern *pattern)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token = scn_peek(parse);
    struct fields fields = {0};
    struct scn_near near;

    if (scn_take_word(parse, "any")) {
        return tests_parse(parse, &fields, pattern);
    }
    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < guest->record_count; i++) {
        scn_near_try(&near, guest->records[i].name);
        if (token != NULL && token->kind == SCN_WORD &&
            span_is(token->text, guest->records[i].name)) {
            pattern->record = &guest->records[i];
            fields.fields = guest->records[i].fields;
            fields.count = guest->records[i].field_count;
            parse->at++;
            return tests_parse(parse, &fields, pattern);
        }
    }
    return scn_expected(parse, "any or the name of a record", &near);
}

static bool note_parse(struct scn_parse *parse, struct scn_pattern *pattern)
{
    const struct guest *guest = parse->scenario->guest;
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < guest->note_count; i++) {
        scn_near_try(&near, guest->notes[i].name);
        if (token != NULL && token->kind == SCN_WORD &&
            span_is(token->text, guest->notes[i].name)) {
            struct fields fields = {.note = &guest->notes[i]};

            pattern->note = &guest->notes[i];
            parse->at++;
            return tests_parse(parse, &fields, pattern);
        }
    }
    return scn_expected(parse, "the name of a note", &near);
}

/* ---- the rest of an event ---- */

static bool file_parse(struct scn_parse *parse, struct scn_pattern *pattern)
{
    const struct scn_token *token = scn_peek(parse);
    struct fields fields = {0};

    if (token != NULL && (token->kind == SCN_WORD || token->kind == SCN_QUOTED)) {
        pattern->file = token->text;
        parse->at++;
    }
    return pattern->at != SIM_AT_APPEND || tests_parse(parse, &fields, pattern);
}

static bool peer_parse(struct scn_parse *parse, struct scn_pattern *pattern,
                       const char *preposition)
{
    if (!scn_take_word(parse, preposition)) {
        return true;
    }
    return scn_parse_roles(parse, &pattern->peer) &&
           scn_parse_as(parse, SCN_NAME_BOUND, &pattern->peer_as);
}

/* `, 3rd` */
static bool nth_parse(struct scn_parse *parse, struct scn_pattern *pattern)
{
    const struct scn_token *token;
    uint64_t nth = 0;
    size_t digits = 0;

    pattern->nth = 1;
    if (!scn_take_sign(parse, ",")) {
        return true;
    }
    token = scn_peek(parse);
    while (token != NULL && digits < token->text.len && token->text.at[digits] >= '0' &&
           token->text.at[digits] <= '9') {
        digits++;
    }
    if (token == NULL || digits + 2 != token->text.len ||
        text_parse_u64(span_make(token->text.at, digits), &nth) != ERR_OK || nth == 0 ||
        nth > 1000000) {
        return scn_expected(parse, "which one, as 1st, 2nd, 3rd or 4th", NULL);
    }
    pattern->nth = (uint32_t)nth;
    parse->at++;
    return true;
}

static bool event_word(struct scn_parse *parse, struct scn_pattern *pattern)
{
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;

    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    for (uint32_t i = 0; i < scn_event_word_count; i++) {
        scn_near_try(&near, scn_event_words[i].name);
        if (token != NULL && span_is(token->text, scn_event_words[i].name)) {
            pattern->at = scn_event_words[i].at;
            parse->at++;
            return true;
        }
    }
    return scn_expected(parse, "an event such as sends, receives, appends, notes or crashes",
                        &near);
}

bool scn_parse_pattern(struct scn_parse *parse, struct scn_pattern *pattern)
{
    bool good = true;

    pattern->who_as = SCN_NONE;
    pattern->peer_as = SCN_NONE;
    if (!scn_parse_roles(parse, &pattern->who) ||
        !scn_parse_as(parse, SCN_NAME_BOUND, &pattern->who_as) || !event_word(parse, pattern)) {
        return false;
    }
    switch (pattern->at) {
    case SIM_AT_SEND:
        good = record_parse(parse, pattern) && peer_parse(parse, pattern, "to");
        break;
    case SIM_AT_RECEIVE:
        good = record_parse(parse, pattern) && peer_parse(parse, pattern, "from");
        break;
    case SIM_AT_APPEND:
    case SIM_AT_SYNC:
    case SIM_AT_REPLACE:
        good = file_parse(parse, pattern);
        break;
    case SIM_AT_NOTE:
        good = note_parse(parse, pattern);
        break;
    case SIM_AT_OPENED:
    case SIM_AT_CLOSED:
        good = peer_parse(parse, pattern, "to");
        break;
    case SIM_AT_SYNCED:
    case SIM_AT_START:
    case SIM_AT_CRASH:
    case SIM_AT_PAUSE:
    case SIM_AT_RESUME:
    case SIM_AT_HALT:
    case SIM_AT_ANSWER:
        break;
    }
    return good && nth_parse(parse, pattern) && scn_line_end(parse);
}
