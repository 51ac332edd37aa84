#include "sim/scenario_in.h"

#include "base/ensure.h"

#define TIME_MAX_US 1000000000000000ll /* a thousand million seconds */

/* digits[.digits] times `unit`, in whole units; the rest of `text` goes to *unit_text. */
static bool read_decimal(struct span text, uint64_t *whole, uint64_t *millionths,
                         struct span *unit_text)
{
    size_t at = 0;
    uint64_t scale = 100000;

    *whole = 0;
    *millionths = 0;
    for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
        *whole = *whole * 10 + (uint64_t)(text.at[at] - '0');
        if (*whole > (uint64_t)TIME_MAX_US) {
            return false;
        }
    }
    if (at == 0) {
        return false;
    }
    if (at < text.len && text.at[at] == '.') {
        size_t dot = at++;

        for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
            *millionths += (uint64_t)(text.at[at] - '0') * scale;
            scale /= 10;
        }
        if (at == dot + 1) {
            return false;
        }
    }
    *unit_text = span_make(text.at + at, text.len - at);
    return true;
}

static struct span take_sign(struct span text, bool sign, bool *negative)
{
    *negative = false;
    if (sign && text.len > 0 && (text.at[0] == '+' || text.at[0] == '-')) {
        *negative = text.at[0] == '-';
        return span_make(text.at + 1, text.len - 1);
    }
    return text;
}

bool scn_read_time(struct span text, bool sign, int64_t *time_us)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000u}};
    bool negative;
    uint64_t whole;
    uint64_t millionths;
    struct span unit;

    if (!read_decimal(take_sign(text, sign, &negative), &whole, &millionths, &unit)) {
        return false;
    }
    if (unit.len == 0 && whole == 0 && millionths == 0) {
        *time_us = 0;
        return true;
    }
    for (uint32_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (span_is(unit, units[i].name)) {
            if (whole > (uint64_t)TIME_MAX_US / units[i].us) {
                return false;
            }
            *time_us = (int64_t)(whole * units[i].us + millionths * units[i].us / 1000000);
            *time_us = negative ? -*time_us : *time_us;
            return true;
        }
    }
    return false;
}

bool scn_read_rate(struct span text, bool sign, int64_t *ppm)
{
    bool negative;
    uint64_t whole;
    uint64_t millionths;
    struct span unit;
    uint64_t value;

    if (!read_decimal(take_sign(text, sign, &negative), &whole, &millionths, &unit)) {
        return false;
    }
    if (span_is(unit, "%") && whole <= 1000) {
        value = whole * 10000 + millionths / 100;
    } else if ((span_is(unit, "ppm") || (unit.len == 0 && whole == 0)) && whole <= 10000000) {
        value = whole;
    } else {
        return false;
    }
    if (!sign && value > 1000000) {
        return false;
    }
    *ppm = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool scn_read_number(struct span text, int64_t *number)
{
    uint64_t value;

    if (text.len > 2 && text.at[0] == '0' && text.at[1] == 'x') {
        if (text_parse_hex(span_make(text.at + 2, text.len - 2), &value) != ERR_OK) {
            return false;
        }
        *number = (int64_t)value;
        return true;
    }
    return text_parse_i64(text, number) == ERR_OK;
}

/* Split `A..B` at its dots; a single value is both. */
static void read_range(struct span text, struct span *low, struct span *high)
{
    *low = text;
    *high = text;
    for (size_t at = 1; at + 2 < text.len; at++) {
        if (text.at[at] == '.' && text.at[at + 1] == '.') {
            *low = span_make(text.at, at);
            *high = span_make(text.at + at + 2, text.len - at - 2);
            return;
        }
    }
}

/* Tokens are the parser's own until the scenario is done. */
static void mark_time(const struct scn_parse *parse, int64_t time_us)
{
    struct scn_token *token = (struct scn_token *)(uintptr_t)scn_peek(parse);

    token->is_time = true;
    token->time_us = time_us;
}

bool scn_parse_time(struct scn_parse *parse, uint64_t *time_us)
{
    const struct scn_token *token = scn_peek(parse);
    int64_t value;

    if (token == NULL || token->kind != SCN_WORD || !scn_read_time(token->text, false, &value)) {
        return scn_expected(parse, "a time such as 10ms or 2s", NULL);
    }
    mark_time(parse, value);
    parse->at++;
    *time_us = (uint64_t)value;
    return true;
}

/* 0..15, or 16 for what is no digit. */
static uint32_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0');
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : 16;
}

struct span scn_unquote(struct scn_parse *parse, struct span text)
{
    uint8_t *out = scn_get(parse, text.len + 1);
    size_t len = 0;

    if (out == NULL) {
        return text;
    }
    for (size_t at = 0; at < text.len; at++) {
        uint8_t c = text.at[at];

        if (c != '\\' || at + 1 == text.len) {
            out[len++] = c;
            continue;
        }
        c = text.at[++at];
        if (c == 'x' && at + 2 < text.len) {
            uint32_t high = hex_digit(text.at[at + 1]);
            uint32_t low = hex_digit(text.at[at + 2]);

            if (high < 16 && low < 16) {
                out[len++] = (uint8_t)(high * 16 + low);
                at += 2;
                continue;
            }
        }
        out[len++] = c == 'n' ? '\n' : (c == 't' ? '\t' : c);
    }
    return span_make(out, len);
}

/* ---- parameters ---- */

static const char *kind_words(enum guest_kind kind)
{
    switch (kind) {
    case GUEST_WORD:
        return "a word";
    case GUEST_TEXT:
        return "a text such as \"v1\"";
    case GUEST_NUMBER:
        return "a number";
    case GUEST_TIME:
        return "a time such as 10ms or 2s";
    case GUEST_RATE:
        return "a rate such as 5% or 20ppm";
    case GUEST_CHOICE:
        return "one of its words";
    case GUEST_FLAG:
        return "a flag";
    case GUEST_ROLE:
        return "a role such as leader, s1 or {s1, s2}";
    case GUEST_TIMES:
        return "a time or a range such as 5ms..20ms";
    case GUEST_NUMBERS:
        return "a number or a range such as 1..8";
    case GUEST_OFFSET:
        return "a signed time such as +200ms";
    case GUEST_SLOPE:
        return "a signed rate such as +5%";
    case GUEST_OP:
        return "the name of an operation such as w1";
    }
    UNREACHABLE();
}

static const char *kind_usage(enum guest_kind kind)
{
    switch (kind) {
    case GUEST_WORD:
    case GUEST_CHOICE:
        return "WORD";
    case GUEST_TEXT:
        return "TEXT";
    case GUEST_NUMBER:
        return "N";
    case GUEST_TIME:
        return "TIME";
    case GUEST_RATE:
        return "RATE";
    case GUEST_FLAG:
        return "";
    case GUEST_ROLE:
        return "ROLE";
    case GUEST_TIMES:
        return "TIME[..TIME]";
    case GUEST_NUMBERS:
        return "N[..N]";
    case GUEST_OFFSET:
        return "+TIME";
    case GUEST_SLOPE:
        return "+RATE";
    case GUEST_OP:
        return "OP";
    }
    UNREACHABLE();
}

void scn_usage(const struct guest_param *params, uint32_t count, struct text *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct guest_param *param = &params[i];
        bool keyed = (param->flags & GUEST_KEYED) != 0;
        bool maybe = keyed || (param->flags & GUEST_OPTIONAL) != 0 || param->kind == GUEST_FLAG;

        text_str(out, maybe ? " [" : " ");
        if (keyed) {
            text_str(out, param->name);
            text_char(out, '=');
        }
        if (param->kind == GUEST_CHOICE) {
            text_str(out, param->words);
        } else {
            text_str(out, keyed ? kind_usage(param->kind) : param->name);
        }
        text_str(out, maybe ? "]" : "");
    }
}

/* The value in `text`; false when it does not fit the kind. */
static bool read_value(struct scn_parse *parse, const struct guest_param *param, struct span text,
                       bool quoted, struct scn_arg *arg)
{
    struct span low;
    struct span high;

    arg->text = text;
    read_range(text, &low, &high);
    switch (param->kind) {
    case GUEST_WORD:
        return quoted || text.len > 0;
    case GUEST_TEXT:
        arg->text = quoted ? scn_unquote(parse, text) : text;
        return quoted || text.len > 0;
    case GUEST_NUMBER:
        return scn_read_number(text, &arg->number);
    case GUEST_TIME:
        return scn_read_time(text, false, &arg->number);
    case GUEST_RATE:
        return scn_read_rate(text, false, &arg->number);
    case GUEST_OFFSET:
        return scn_read_time(text, true, &arg->number);
    case GUEST_SLOPE:
        return scn_read_rate(text, true, &arg->number);
    case GUEST_CHOICE:
        arg->number = scn_choice(param->words, text);
        return arg->number != SCN_NONE;
    case GUEST_TIMES:
        return scn_read_time(low, false, &arg->number) &&
               scn_read_time(high, false, &arg->number_high) && arg->number <= arg->number_high;
    case GUEST_NUMBERS:
        return scn_read_number(low, &arg->number) && scn_read_number(high, &arg->number_high) &&
               arg->number <= arg->number_high;
    case GUEST_FLAG:
    case GUEST_ROLE:
    case GUEST_OP:
        break;
    }
    return false;
}

static bool value_expected(struct scn_parse *parse, const struct guest_param *param)
{
    const struct scn_token *token = scn_peek(parse);
    struct scn_near near;
    char what[160];
    struct text text;

    text_init(&text, what, sizeof(what));
    text_str(&text, param->name);
    text_str(&text, (param->flags & GUEST_KEYED) != 0 ? "=" : ": ");
    if (param->kind == GUEST_CHOICE) {
        text_str(&text, param->words);
    } else {
        text_str(&text, kind_words(param->kind));
    }
    scn_near_init(&near, token == NULL ? (struct span){0} : token->text);
    if (param->kind == GUEST_CHOICE) {
        scn_near_try_words(&near, param->words);
    }
    return scn_expected(parse, what, &near);
}

static bool take_positional(struct scn_parse *parse, const struct guest_param *param,
                            struct scn_arg *arg)
{
    const struct scn_token *token = scn_peek(parse);

    if (param->kind == GUEST_ROLE) {
        return scn_parse_roles(parse, &arg->roles) && (arg->given = true);
    }
    if (param->kind == GUEST_OP) {
        return scn_parse_op(parse, &arg->name) && (arg->given = true);
    }
    if ((token->kind != SCN_WORD && token->kind != SCN_QUOTED) ||
        !read_value(parse, param, token->text, token->kind == SCN_QUOTED, arg)) {
        return value_expected(parse, param);
    }
    if (param->kind == GUEST_TIME) {
        mark_time(parse, arg->number);
    }
    if (param->kind != GUEST_TIMES && param->kind != GUEST_NUMBERS) {
        arg->number_high = arg->number;
    }
    arg->given = true;
    parse->at++;
    return true;
}

/* A keyed role or operation: the value is one word, read through a token of its own. */
static bool take_keyed_phrase(struct scn_parse *parse, const struct guest_param *param,
                              struct scn_arg *arg)
{
    struct scn_line *line = parse->line;
    const struct scn_token *token = scn_peek(parse);
    struct scn_token word = {.kind = SCN_WORD,
                             .column = token->column + (uint32_t)token->key.len + 1,
                             .text = token->text};
    struct scn_line alone = *line;
    uint32_t at = parse->at;
    bool good;

    alone.tokens = &word;
    alone.token_count = 1;
    parse->line = &alone;
    parse->at = 0;
    good = param->kind == GUEST_OP ? scn_parse_op(parse, &arg->name)
                                   : scn_parse_roles(parse, &arg->roles);
    parse->line = line;
    parse->at = at + 1;
    line->lost = line->lost || alone.lost;
    arg->given = good;
    return good;
}

static bool take_keyed(struct scn_parse *parse, const struct guest_param *param,
                       struct scn_arg *arg)
{
    const struct scn_token *token = scn_peek(parse);

    if (arg->given) {
        return scn_expected(parse, "each name only once", NULL);
    }
    if (param->kind == GUEST_ROLE || param->kind == GUEST_OP) {
        return take_keyed_phrase(parse, param, arg);
    }
    if (!read_value(parse, param, token->text, token->quoted, arg)) {
        return value_expected(parse, param);
    }
    if (param->kind == GUEST_TIME) {
        mark_time(parse, arg->number);
    }
    if (param->kind != GUEST_TIMES && param->kind != GUEST_NUMBERS) {
        arg->number_high = arg->number;
    }
    arg->given = true;
    parse->at++;
    return true;
}

static const struct guest_param *param_at(const struct scn_params *params, uint32_t index)
{
    return index < params->first_count ? &params->first[index]
                                       : &params->second[index - params->first_count];
}

/* Which parameter the token at the cursor is for: by key, by flag, or the next positional one. */
static uint32_t param_find(const struct scn_parse *parse, const struct scn_params *params,
                           const bool *given, struct scn_near *near)
{
    const struct scn_token *token = scn_peek(parse);
    uint32_t count = params->first_count + params->second_count;
    uint32_t positional = SCN_NONE;

    scn_near_init(near, token->kind == SCN_KEYED ? token->key : token->text);
    for (uint32_t i = 0; i < count; i++) {
        const struct guest_param *param = param_at(params, i);
        bool keyed = (param->flags & GUEST_KEYED) != 0;

        if (param->kind == GUEST_FLAG) {
            if (token->kind == SCN_WORD && span_is(token->text, param->name)) {
                return i;
            }
        } else if (keyed && token->kind == SCN_KEYED && span_is(token->key, param->name)) {
            return i;
        } else if (!keyed && positional == SCN_NONE && !given[i]) {
            positional = i;
        }
        if (keyed || param->kind == GUEST_FLAG) {
            scn_near_try(near, param->name);
        }
    }
    if (token->kind == SCN_KEYED) {
        return SCN_NONE;
    }
    /* "-x" that is no flag is not taken for a word. */
    if (positional != SCN_NONE && token->kind == SCN_WORD && token->text.len > 1 &&
        token->text.at[0] == '-' && param_at(params, positional)->kind <= GUEST_TEXT) {
        return SCN_NONE;
    }
    return positional;
}

static bool params_expected(struct scn_parse *parse, const struct scn_params *params,
                            const struct scn_near *near)
{
    char what[200];
    struct text text;
    uint32_t count = params->first_count + params->second_count;

    text_init(&text, what, sizeof(what));
    if (count == 0) {
        return scn_expected(parse, "the end of the line", near);
    }
    text_str(&text, params->usage);
    scn_usage(params->first, params->first_count, &text);
    scn_usage(params->second, params->second_count, &text);
    return scn_expected(parse, text.cut ? "a parameter of this line" : what, near);
}

/* Values that the file does not give. */
static bool fill_standard(struct scn_parse *parse, const struct guest_param *param,
                          struct scn_arg *arg)
{
    if (arg->given || param->standard == NULL) {
        return true;
    }
    ENSURE(param->kind != GUEST_ROLE);
    if (!read_value(parse, param, span_text(param->standard), true, arg)) {
        return scn_wrong(parse, 1, "the standard value of this guest parameter is wrong: ",
                         span_text(param->name));
    }
    if (param->kind != GUEST_TIMES && param->kind != GUEST_NUMBERS) {
        arg->number_high = arg->number;
    }
    arg->given = true;
    return true;
}

bool scn_parse_params(struct scn_parse *parse, const struct scn_params *params,
                      struct scn_arg *first, struct scn_arg *second)
{
    bool given[2 * GUEST_PARAM_MAX + SCN_FUZZ_PARAMS] = {false};
    uint32_t count = params->first_count + params->second_count;
    struct scn_near near;

    ENSURE(count <= sizeof(given));
    while (scn_peek(parse) != NULL && !scn_at_word(parse, "as") && !scn_at_word(parse, "for") &&
           !scn_at_word(parse, "from")) {
        uint32_t index = param_find(parse, params, given, &near);
        const struct guest_param *param;
        struct scn_arg *arg;

        if (index == SCN_NONE) {
            return params_expected(parse, params, &near);
        }
        param = param_at(params, index);
        arg = index < params->first_count ? &first[index] : &second[index - params->first_count];
        given[index] = true;
        if (param->kind == GUEST_FLAG) {
            arg->given = true;
            arg->number = 1;
            arg->number_high = 1;
            parse->at++;
        } else if (!((param->flags & GUEST_KEYED) != 0 ? take_keyed(parse, param, arg)
                                                       : take_positional(parse, param, arg))) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct guest_param *param = param_at(params, i);
        struct scn_arg *arg =
            i < params->first_count ? &first[i] : &second[i - params->first_count];

        if (!arg->given && param->flags == 0 && param->kind != GUEST_FLAG) {
            return value_expected(parse, param);
        }
        if (!fill_standard(parse, param, arg)) {
            return false;
        }
    }
    return true;
}

bool scn_parse_args(struct scn_parse *parse, const struct guest_param *params, uint32_t count,
                    const char *usage, const struct scn_arg **args)
{
    struct scn_arg *made = scn_get(parse, (count + 1) * sizeof(*made));
    const struct scn_params table = {.first = params, .first_count = count, .usage = usage};

    *args = made;
    return made != NULL && scn_parse_params(parse, &table, made, NULL);
}
