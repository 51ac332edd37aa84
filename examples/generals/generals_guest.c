/* What scenario files can say about the generals, and what is checked all the time. */
#include "base/ensure.h"
#include "base/rand.h"
#include "examples/generals/generals.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

struct world {
    struct generals_config config; /* id is that of the next general to be built */
    bool ordered;
    enum generals_order order;
    bool decided[GENERALS_MAX];
    enum generals_order decision[GENERALS_MAX];
};

static struct world *world_of(const struct guest_run *run)
{
    return run->state;
}

static bool is_loyal(const struct world *world, uint32_t general)
{
    return world->config.lies[general] == GENERALS_LOYAL;
}

/* ---- building ---- */

enum option {
    OPTION_NODES,
    OPTION_ALGORITHM,
    OPTION_DEPTH,
    OPTION_TRAITORS,
    OPTION_LIES,
    OPTION_SCRIPT,
    OPTION_START,
    OPTION_ROUND,
    OPTIONS
};
static const struct guest_param options[] = {
    [OPTION_NODES] = {"nodes", GUEST_NUMBER, GUEST_KEYED, NULL, "4",
                      "generals, 2 to 16; g1 commands"},
    [OPTION_ALGORITHM] = {"algorithm", GUEST_CHOICE, GUEST_KEYED, "om|sm", "om",
                          "oral or signed messages"},
    [OPTION_DEPTH] = {"m", GUEST_NUMBER, GUEST_KEYED, NULL, "1",
                      "traitors that shall be borne, 0 to 3"},
    [OPTION_TRAITORS] = {"traitors", GUEST_WORD, GUEST_KEYED, NULL, NULL,
                         "who lies, as g3 or g1,g3, or a number of them drawn from the seed"},
    [OPTION_LIES] = {"lies", GUEST_CHOICE, GUEST_KEYED, "split|flip|mute|random|script", "split",
                     "what traitors say"},
    [OPTION_SCRIPT] = {"script", GUEST_NUMBER, GUEST_KEYED, NULL, "0",
                       "with lies=script: base-3 digits, 0 retreat 1 attack 2 nothing"},
    [OPTION_START] = {"start-at", GUEST_TIME, GUEST_KEYED, NULL, "1s", "when the commander speaks"},
    [OPTION_ROUND] = {"round", GUEST_TIME, GUEST_KEYED, NULL, "100ms", "how long a round lasts"},
};

static bool guest_server_name(const struct guest_value *values, uint32_t index, char name[32])
{
    struct text text;

    if ((int64_t)index >= values[OPTION_NODES].number || index >= GENERALS_MAX) {
        return false;
    }
    text_init(&text, name, 32);
    text_char(&text, 'g');
    text_u64(&text, index + 1);
    return true;
}

static enum generals_lie lie_of(const struct guest_value *values)
{
    return (enum generals_lie)(values[OPTION_LIES].number + 1); /* the first one is loyal */
}

/* "g1,g3" */
static enum err traitors_named(struct generals_config *config, struct span words,
                               enum generals_lie lie)
{
    size_t start = 0;

    for (size_t at = 0; at <= words.len; at++) {
        uint64_t number;

        if (at < words.len && words.at[at] != ',') {
            continue;
        }
        if (at < start + 2 || words.at[start] != 'g' ||
            text_parse_u64(span_make(words.at + start + 1, at - start - 1), &number) != ERR_OK ||
            number < 1 || number > config->count) {
            return ERR_UNKNOWN;
        }
        config->lies[number - 1] = lie;
        start = at + 1;
    }
    return ERR_OK;
}

/* So many traitors, chosen by the seed; without one, the last generals. */
static enum err traitors_drawn(struct guest_run *run, struct generals_config *config,
                               uint64_t count, enum generals_lie lie)
{
    struct rand rand;

    if (count > config->count) {
        return ERR_RANGE;
    }
    rand_init(&rand, rand_keyed(run->seed, 0x74726169746f72u, 0, 0));
    for (uint32_t i = config->count; i-- > 0 && count > 0;) {
        if (run->seed == 0 || rand_below(&rand, i + 1) < count) {
            config->lies[i] = lie;
            count--;
        }
    }
    return ERR_OK;
}

static enum err choose_traitors(struct guest_run *run, struct generals_config *config,
                                struct text *why)
{
    const struct guest_value *values = run->options;
    struct span words = values[OPTION_TRAITORS].text;
    uint64_t count;
    enum err err;

    if (!values[OPTION_TRAITORS].given) {
        return ERR_OK;
    }
    err = text_parse_u64(words, &count) == ERR_OK
              ? traitors_drawn(run, config, count, lie_of(values))
              : traitors_named(config, words, lie_of(values));
    if (err != ERR_OK) {
        text_str(why, "traitors must be a number, or generals as g2,g4");
    }
    return err;
}

static enum err guest_build(struct guest_run *run, struct text *why)
{
    const struct guest_value *values = run->options;
    struct generals_config *config = &world_of(run)->config;
    struct bytes bytes;
    char name[32];
    enum err err;

    if (values[OPTION_NODES].number < 2 || values[OPTION_NODES].number > GENERALS_MAX ||
        values[OPTION_DEPTH].number < 0 || values[OPTION_DEPTH].number > GENERALS_DEPTH_MAX ||
        values[OPTION_ROUND].number == 0) {
        text_str(why, "nodes must be 2 to 16, m 0 to 3, round longer than 0");
        return ERR_RANGE;
    }
    *config = (struct generals_config){
        .count = (uint32_t)values[OPTION_NODES].number,
        .depth = (uint32_t)values[OPTION_DEPTH].number,
        .is_signed = values[OPTION_ALGORITHM].number == 1,
        .start_us = (uint64_t)values[OPTION_START].number,
        .round_us = (uint64_t)values[OPTION_ROUND].number,
        .script = (uint64_t)values[OPTION_SCRIPT].number,
        .key = rand_keyed(run->seed, 0x6b6579u, 0, 0),
    };
    err = choose_traitors(run, config, why);
    if (err != ERR_OK) {
        return err;
    }
    bytes_init(&bytes, run->mem);
    sim_set_codec(run->sim, 0, &generals_codec);
    for (; guest_server_name(values, config->id, name); config->id++) {
        bytes_clear(&bytes);
        generals_config_write(config, &bytes);
        sim_add(run->sim, name, &generals_ops, bytes_span(&bytes));
    }
    return bytes.failed ? ERR_MEMORY : ERR_OK;
}

/* Traitors are drawn as such from the beginning. */
static void guest_begin(struct guest_run *run)
{
    const struct world *world = world_of(run);

    for (uint32_t i = 0; i < world->config.count; i++) {
        if (!is_loyal(world, i)) {
            guest_say(run, GUEST_SAY_FAULT, i, span_text("is a traitor"));
        }
    }
}

/* ---- checks: IC1 and IC2 of the paper ---- */

static const char *order_text(enum generals_order order)
{
    return order == GENERALS_ATTACK ? "attack" : "retreat";
}

static void fail(struct guest_run *run, const char *check, uint32_t general,
                 enum generals_order order, const char *against, uint32_t other,
                 enum generals_order other_order)
{
    char room[160];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(run->sim, general));
    text_str(&text, " will ");
    text_str(&text, order_text(order));
    text_str(&text, ", but ");
    text_str(&text, sim_name(run->sim, other));
    text_str(&text, against);
    text_str(&text, order_text(other_order));
    guest_fail(run, check, span_make(text.at, text.len));
}

/* A loyal commander's order is the stronger demand: it is checked first, and implies the other. */
static void check_decision(struct guest_run *run, uint32_t general, enum generals_order order)
{
    const struct world *world = world_of(run);

    if (is_loyal(world, 0) && world->ordered) {
        if (order != world->order) {
            fail(run, "validity", general, order, ", loyal, ordered to ", 0, world->order);
        }
        return;
    }
    for (uint32_t i = 1; general != 0 && i < world->config.count; i++) {
        if (is_loyal(world, i) && world->decided[i] && world->decision[i] != order) {
            fail(run, "agreement", general, order, ", loyal, will ", i, world->decision[i]);
            return;
        }
    }
}

static void note_decided(struct guest_run *run, uint32_t general, enum generals_order order)
{
    struct world *world = world_of(run);

    if (!is_loyal(world, general)) {
        return;
    }
    if (world->decided[general]) {
        fail(run, "integrity", general, order, " itself had decided to ", general,
             world->decision[general]);
        return;
    }
    world->decided[general] = true;
    world->decision[general] = order;
    guest_set_state(run, general, order == GENERALS_ATTACK ? 2 : 1);
    guest_say(run, GUEST_SAY_ROLE, general,
              span_text(order == GENERALS_ATTACK ? "will attack" : "will retreat"));
    guest_mark(run, general, span_text(order_text(order)));
    check_decision(run, general, order);
}

static void guest_note(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    enum generals_order order = (enum generals_order)event->effect->a;

    ENSURE(event->process < GENERALS_MAX);
    switch ((enum generals_note)event->effect->id) {
    case GENERALS_NOTE_ORDERED:
        world->ordered = true;
        world->order = order;
        return;
    case GENERALS_NOTE_DECIDED:
        note_decided(run, event->process, order);
        return;
    case GENERALS_NOTE_REFUSED:
        guest_say(run, GUEST_SAY_DETAIL, event->process, span_text("ignores a message"));
        return;
    }
}

static enum sim_verdict guest_tap(struct guest_run *run, const struct sim_event *event)
{
    struct reader reader;

    reader_init(&reader, event->effect->bytes, READER_MAX_DEFAULT);
    guest_op_end(run, event->effect->b, reader_u8(&reader) == 0 ? GUEST_OP_OK : GUEST_OP_FAILED,
                 span_make(NULL, 0));
    return SIM_GO;
}

/* ---- verbs ---- */

static enum err verb_order(struct guest_run *run, const struct guest_call *call)
{
    uint8_t order = call->values[0].number == 0 ? GENERALS_ATTACK : GENERALS_RETREAT;

    sim_ask(run->sim, call->process, call->op->tag, span_make(&order, 1));
    return ERR_OK;
}

static const struct guest_param order_params[] = {
    {"ORDER", GUEST_CHOICE, 0, "attack|retreat", NULL, "given before start-at"}};
static const struct guest_verb verbs[] = {
    {"order", GUEST_ON_SERVER, true, true, order_params, COUNT(order_params),
     "tell the commander that the order is to {ORDER}", verb_order},
};

/* ---- roles ---- */

static void role_commander(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)run;
    (void)index;
    guest_set_add(set, 0);
}

static void role_lieutenant(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    uint32_t general = index == 0 ? 1 : index;

    if (general < world_of(run)->config.count) {
        guest_set_add(set, general);
    }
}

static void role_traitor(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct world *world = world_of(run);
    uint32_t seen = 0;

    for (uint32_t i = 0; i < world->config.count; i++) {
        if (!is_loyal(world, i) && ++seen == (index == 0 ? 1 : index)) {
            guest_set_add(set, i);
        }
    }
}

static void role_loyal(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct world *world = world_of(run);

    (void)index;
    for (uint32_t i = 0; i < world->config.count; i++) {
        if (is_loyal(world, i)) {
            guest_set_add(set, i);
        }
    }
}

static const struct guest_role roles[] = {
    {"commander", false, "general 1", role_commander},
    {"lieutenant", true, "a general that does not command, by its number among them",
     role_lieutenant},
    {"traitor", true, "a general that lies", role_traitor},
    {"loyal", false, "all generals that do not lie", role_loyal},
};

/* ---- conditions ---- */

/* Have all loyal ones among `who` decided, and for `order` when there is one? */
static enum guest_truth ask_generals(struct guest_run *run, const struct guest_value *who,
                                     const struct guest_value *order, struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    struct guest_set set;

    if (who->given) {
        set = who->set;
    } else {
        guest_servers(run, &set);
    }
    for (uint32_t i = guest_set_next(&set, 0); i < world->config.count;
         i = guest_set_next(&set, i + 1)) {
        if (!is_loyal(world, i)) {
            continue;
        }
        if (!world->decided[i]) {
            text_str(answer->why, sim_name(run->sim, i));
            text_str(answer->why, " has not decided");
            return GUEST_NOT_YET;
        }
        if (order != NULL && (world->decision[i] == GENERALS_ATTACK) != (order->number == 0)) {
            text_str(answer->why, sim_name(run->sim, i));
            text_str(answer->why, " decided otherwise");
            return GUEST_VIOLATED;
        }
    }
    return GUEST_HOLDS;
}

static enum guest_truth ask_decided(struct guest_run *run, const struct guest_value *values,
                                    struct guest_answer *answer)
{
    return ask_generals(run, &values[0], NULL, answer);
}

static enum guest_truth ask_obeyed(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    return ask_generals(run, &values[1], &values[0], answer);
}

static const struct guest_param decided_params[] = {
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"}};
static const struct guest_param obeyed_params[] = {
    {"ORDER", GUEST_CHOICE, 0, "attack|retreat", NULL, NULL},
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"},
};
static const struct guest_condition conditions[] = {
    {"decided", decided_params, COUNT(decided_params), "the loyal generals[ of {WHO}] have decided",
     ask_decided},
    {"obeyed", obeyed_params, COUNT(obeyed_params),
     "the loyal generals[ of {WHO}] have decided to {ORDER}", ask_obeyed},
};

/* ---- words ---- */

static const struct guest_note notes[] = {
    {GENERALS_NOTE_ORDERED, "ordered", "order", NULL, NULL, NULL},
    {GENERALS_NOTE_DECIDED, "decided", "order", NULL, NULL, NULL},
    {GENERALS_NOTE_REFUSED, "ignored", "sender", NULL, NULL, NULL},
};
static const struct guest_state_kind states[] = {
    {"deliberating", "#cccccc"},
    {"retreating", "#92c5de"},
    {"attacking", "#b2182b"},
};
static const struct guest_check checks[] = {
    {"agreement", "IC1: all loyal lieutenants obey the same order"},
    {"validity", "IC2: every loyal lieutenant obeys a loyal commander"},
    {"integrity", "a loyal general decides once"},
};

const struct guest generals_guest = {
    .name = "generals",
    .summary = "the Byzantine generals, with oral or signed messages",
    .options = options,
    .option_count = OPTIONS,
    .roles = roles,
    .role_count = COUNT(roles),
    .verbs = verbs,
    .verb_count = COUNT(verbs),
    .conditions = conditions,
    .condition_count = COUNT(conditions),
    .records = generals_records,
    .record_count = GENERALS_RECORDS,
    .notes = notes,
    .note_count = COUNT(notes),
    .states = states,
    .state_count = COUNT(states),
    .checks = checks,
    .check_count = COUNT(checks),
    .state_bytes = sizeof(struct world),
    .server_name = guest_server_name,
    .build = guest_build,
    .begin = guest_begin,
    .note = guest_note,
    .tap_mask = 1u << SIM_AT_ANSWER,
    .tap = guest_tap,
};
