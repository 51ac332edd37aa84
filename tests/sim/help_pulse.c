#include "sim/help_pulse.h"

#include "base/ensure.h"

#define BEAT_US    50000u
#define SILENCE_US 200000u
#define ANSWER_US  1000000u
#define PULSE_MAX  16u

enum {
    PULSE_BEAT = 1,
    PULSE_PUT,
    PULSE_STORED
};
enum {
    PULSE_NOTE_LEADS = 1,
    PULSE_NOTE_FOLLOWS,
    PULSE_NOTE_OK,
    PULSE_NOTE_UNKNOWN,
    PULSE_NOTE_STORED
};
enum {
    PULSE_IDLE,
    PULSE_FOLLOWING,
    PULSE_LEADING
};

/* ---- the server ---- */

struct pulse_server {
    uint32_t self, count;
    uint64_t heard_us[PULSE_MAX]; /* by server; 0 never */
    uint64_t next_beat_us;
    uint64_t booted_us;
    uint64_t file_bytes;
    uint32_t role;
    uint32_t leader;
};

static void pulse_post(struct fx *fx, uint32_t to, uint8_t kind, uint64_t tag)
{
    uint8_t bytes[9] = {kind};

    for (int i = 0; i < 8; i++) {
        bytes[1 + i] = (uint8_t)(tag >> (56 - 8 * i));
    }
    fx_post(fx, to, span_make(bytes, sizeof(bytes)));
}

static uint64_t pulse_tag(struct span bytes)
{
    uint64_t tag = 0;

    for (int i = 1; i < 9; i++) {
        tag = tag << 8 | bytes.at[i];
    }
    return tag;
}

static void *server_make(struct mem *mem, struct span config)
{
    struct pulse_server *server = mem_get_zero(mem, sizeof(*server));

    if (server != NULL) {
        server->self = config.at[0];
        server->count = config.at[1];
        server->leader = UINT32_MAX;
    }
    return server;
}

static void server_elect(struct pulse_server *server, uint64_t now_us, struct fx *fx)
{
    uint32_t leader = server->self;

    if (now_us < server->booted_us + SILENCE_US) {
        return;
    }
    for (uint32_t i = 0; i < server->self; i++) {
        if (server->heard_us[i] != 0 && now_us < server->heard_us[i] + SILENCE_US) {
            leader = i;
            break;
        }
    }
    if (leader == server->leader) {
        return;
    }
    server->leader = leader;
    server->role = leader == server->self ? PULSE_LEADING : PULSE_FOLLOWING;
    fx_note(fx, server->role == PULSE_LEADING ? PULSE_NOTE_LEADS : PULSE_NOTE_FOLLOWS, leader, 0, 0,
            (struct span){0});
}

static void server_step(void *self, const struct input *in, struct fx *fx)
{
    struct pulse_server *server = self;
    uint64_t now_us = in->mono_us;

    if (in->kind == IN_BOOT) {
        server->booted_us = now_us;
        server->next_beat_us = now_us;
        for (uint32_t i = 0; i < in->boot.count; i++) {
            server->file_bytes = span_is(in->boot.files[i].name, "puts") ? in->boot.files[i].size
                                                                         : server->file_bytes;
        }
    } else if (in->kind == IN_POST && in->post.span.len == 9) {
        if (in->post.span.at[0] == PULSE_BEAT && in->post.from < PULSE_MAX) {
            server->heard_us[in->post.from] = now_us;
        } else if (in->post.span.at[0] == PULSE_PUT && server->role == PULSE_LEADING) {
            fx_append_lent(fx, DIR_LOG, span_text("puts"), server->file_bytes,
                           fx_copy(fx, in->post.span), 0);
            server->file_bytes += in->post.span.len;
            fx_sync(fx, DIR_LOG, span_text("puts"), pulse_tag(in->post.span) << 8 | in->post.from);
        }
    } else if (in->kind == IN_DONE && in->done.err == ERR_OK) {
        fx_note(fx, PULSE_NOTE_STORED, in->done.tag >> 8, 0, 0, (struct span){0});
        pulse_post(fx, (uint32_t)(in->done.tag & 0xff), PULSE_STORED, in->done.tag >> 8);
    }
    if (in->kind == IN_DONE && in->done.err != ERR_OK) {
        fx_halt(fx, 1, span_text("the disk failed"));
        return;
    }
    if (now_us >= server->next_beat_us) {
        server->next_beat_us = now_us + BEAT_US;
        for (uint32_t i = 0; i < server->count; i++) {
            if (i != server->self) {
                pulse_post(fx, i, PULSE_BEAT, 0);
            }
        }
    }
    server_elect(server, now_us, fx);
    fx_wake(fx, server->next_beat_us);
}

static const struct process_ops server_ops = {
    .name = "pulse", .make = server_make, .step = server_step};

/* ---- the client ---- */

struct pulse_client {
    uint32_t servers;
    uint64_t tags[64];
    uint64_t due_us[64];
    uint32_t count;
};

static void *client_make(struct mem *mem, struct span config)
{
    struct pulse_client *client = mem_get_zero(mem, sizeof(*client));

    if (client != NULL) {
        client->servers = config.at[0];
    }
    return client;
}

static void client_end(struct pulse_client *client, uint32_t index, uint32_t note, struct fx *fx)
{
    fx_note(fx, note, client->tags[index], 0, 0, (struct span){0});
    client->count--;
    client->tags[index] = client->tags[client->count];
    client->due_us[index] = client->due_us[client->count];
}

static void client_step(void *self, const struct input *in, struct fx *fx)
{
    struct pulse_client *client = self;

    if (in->kind == IN_ASK && client->count < 64) {
        client->tags[client->count] = in->ask.tag;
        client->due_us[client->count++] = in->mono_us + ANSWER_US;
        for (uint32_t i = 0; i < client->servers; i++) {
            pulse_post(fx, i, PULSE_PUT, in->ask.tag);
        }
    }
    for (uint32_t i = client->count; i-- > 0;) {
        if (in->kind == IN_POST && in->post.span.len == 9 &&
            pulse_tag(in->post.span) == client->tags[i]) {
            client_end(client, i, PULSE_NOTE_OK, fx);
        } else if (in->mono_us >= client->due_us[i]) {
            client_end(client, i, PULSE_NOTE_UNKNOWN, fx);
        }
    }
    for (uint32_t i = 0; i < client->count; i++) {
        fx_wake(fx, client->due_us[i]);
    }
}

static const struct process_ops client_ops = {
    .name = "pulse client", .make = client_make, .step = client_step};

/* ---- the codec ---- */

static size_t pulse_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    static const char *const names[] = {"?", "BEAT", "PUT", "STORED"};

    (void)state;
    (void)from_dialer;
    if (input.len < 9 || input.at[0] > PULSE_STORED) {
        return 0;
    }
    record->name = names[input.at[0]];
    record->key = input.at[0];
    record->field_count = input.at[0] == PULSE_BEAT ? 0 : 1;
    record->fields[0].name = "tag";
    record->fields[0].value = (int64_t)pulse_tag(input);
    record->essential = input.at[0] != PULSE_BEAT;
    return 9;
}

static const struct sim_codec pulse_codec = {.name = "pulse", .cut = pulse_cut};

/* ---- the guest ---- */

struct pulse_state {
    uint32_t leader; /* the last one that said so, SIM_NONE without one */
    bool stored[4096];
};

static enum guest_truth ask_leader(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    const struct pulse_state *state = run->state;

    (void)values;
    if (state->leader == SIM_NONE || !sim_is_up(run->sim, state->leader)) {
        text_str(answer->why, "nobody leads");
        return GUEST_NOT_YET;
    }
    answer->process = state->leader;
    return GUEST_HOLDS;
}

static enum guest_truth ask_kept(struct guest_run *run, const struct guest_value *values,
                                 struct guest_answer *answer)
{
    const struct pulse_state *state = run->state;

    if (values[0].op == NULL || values[0].op->tag >= 4096 || !state->stored[values[0].op->tag]) {
        text_str(answer->why, "it is not stored");
        return GUEST_NOT_YET;
    }
    return GUEST_HOLDS;
}

static void resolve_leader(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct pulse_state *state = run->state;

    (void)index;
    if (state->leader != SIM_NONE && sim_is_up(run->sim, state->leader)) {
        guest_set_add(set, state->leader);
    }
}

static void resolve_follower(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    uint32_t nth = index == 0 ? 1 : index;
    uint32_t count = (uint32_t)run->options[0].number;

    for (uint32_t p = 0; p < count; p++) {
        if (guest_state(run, p) == PULSE_FOLLOWING && --nth == 0) {
            guest_set_add(set, p);
            return;
        }
    }
}

static enum err verb_put(struct guest_run *run, const struct guest_call *call)
{
    sim_ask(run->sim, call->process, call->op->tag, call->values[0].text);
    return ERR_OK;
}

static enum err verb_mark(struct guest_run *run, const struct guest_call *call)
{
    guest_mark(run, call->process, call->values[0].text);
    guest_say(run, GUEST_SAY_DETAIL, call->process, call->values[0].text);
    return ERR_OK;
}

static enum err setup_history(struct guest_run *run, const struct guest_call *call)
{
    static const uint8_t zeros[9 * 16];
    size_t count = (size_t)call->values[1].number;

    for (uint32_t p = guest_set_next(&call->values[0].set, 0); p != SIM_NONE;
         p = guest_set_next(&call->values[0].set, p + 1)) {
        enum err err = sim_file_put(run->sim, p, DIR_LOG, span_text("puts"),
                                    span_make(zeros, 9 * (count > 16 ? 16 : count)));

        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static bool server_name(const struct guest_value *options, uint32_t index, char name[32])
{
    struct text text;

    text_init(&text, name, 32);
    text_char(&text, 'p');
    text_u64(&text, index + 1);
    return index < PULSE_MAX && (int64_t)index < options[0].number;
}

static enum err build(struct guest_run *run, struct text *why)
{
    struct pulse_state *state = run->state;
    int64_t count = run->options[0].number;

    if (count < 1 || count > (int64_t)PULSE_MAX) {
        text_str(why, "servers must be 1 to 16");
        return ERR_RANGE;
    }
    state->leader = SIM_NONE;
    sim_set_codec(run->sim, 0, &pulse_codec);
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        const uint8_t config[2] = {(uint8_t)i, (uint8_t)count};
        char name[32];

        server_name(run->options, i, name);
        sim_add(run->sim, name, &server_ops, span_make(config, 2));
    }
    return ERR_OK;
}

static enum err add_client(struct guest_run *run, const char *name,
                           const struct guest_value *values, struct text *why)
{
    const uint8_t config[1] = {(uint8_t)run->options[0].number};

    (void)values;
    (void)why;
    sim_add(run->sim, name, &client_ops, span_make(config, 1));
    return ERR_OK;
}

static void note(struct guest_run *run, const struct sim_event *event)
{
    struct pulse_state *state = run->state;
    const struct effect *effect = event->effect;

    switch (effect->id) {
    case PULSE_NOTE_LEADS:
        guest_say(run, GUEST_SAY_ROLE, event->process, span_text("leads"));
        guest_mark(run, event->process, span_text("leads"));
        guest_set_state(run, event->process, PULSE_LEADING);
        if (state->leader != SIM_NONE && state->leader != event->process &&
            sim_is_up(run->sim, state->leader) &&
            guest_state(run, state->leader) == PULSE_LEADING) {
            guest_fail(run, "one-leader", span_text("two lead at one time"));
        }
        state->leader = event->process;
        return;
    case PULSE_NOTE_FOLLOWS:
        guest_set_state(run, event->process, PULSE_FOLLOWING);
        if (state->leader == event->process) {
            state->leader = (uint32_t)effect->a;
        }
        return;
    case PULSE_NOTE_OK:
        guest_op_end(run, effect->a, GUEST_OP_OK, (struct span){0});
        return;
    case PULSE_NOTE_UNKNOWN:
        guest_op_end(run, effect->a, GUEST_OP_UNKNOWN, span_text("no answer"));
        return;
    case PULSE_NOTE_STORED:
        if (effect->a < 4096) {
            state->stored[effect->a] = true;
        }
        return;
    default:
        return;
    }
}

static bool about(struct guest_run *run, const struct sim_event *event, const struct guest_op *op)
{
    (void)run;
    if (event->record != NULL) {
        return event->record->field_count > 0 && event->record->fields[0].value == (int64_t)op->tag;
    }
    if (event->at == SIM_AT_APPEND) {
        return event->effect->bytes.len == 9 && pulse_tag(event->effect->bytes) == op->tag;
    }
    return event->at == SIM_AT_NOTE && event->effect->id >= PULSE_NOTE_OK &&
           event->effect->a == op->tag;
}

static const struct guest_param pulse_options[] = {
    {.name = "servers",
     .kind = GUEST_NUMBER,
     .flags = GUEST_KEYED,
     .standard = "3",
     .help = "how many"},
};
static const struct guest_param pulse_client_options[] = {
    {.name = "patience",
     .kind = GUEST_TIME,
     .flags = GUEST_KEYED,
     .standard = "1s",
     .help = "not used"},
};
static const struct guest_role pulse_roles[] = {
    {"leader", false, "the server that leads", resolve_leader},
    {"follower", true, "a server that follows", resolve_follower},
};
static const struct guest_param put_params[] = {
    {.name = "TEXT", .kind = GUEST_TEXT},
    {.name = "-q", .kind = GUEST_FLAG, .help = "quietly"},
    {.name = "mode", .kind = GUEST_CHOICE, .flags = GUEST_KEYED, .words = "safe|fast"},
};
static const struct guest_param mark_params[] = {{.name = "TEXT", .kind = GUEST_TEXT}};
static const struct guest_verb pulse_verbs[] = {
    {"put", GUEST_ON_CLIENT, true, true, put_params, 3, "put {TEXT}[ in mode {mode}][ quietly{-q}]",
     verb_put},
    {"mark", GUEST_ON_SERVER, false, false, mark_params, 1, "mark the lane with {TEXT}", verb_mark},
};
static const struct guest_param history_params[] = {
    {.name = "ROLE", .kind = GUEST_ROLE},
    {.name = "entries",
     .kind = GUEST_NUMBER,
     .flags = GUEST_KEYED,
     .standard = "1",
     .help = "how many"},
};
static const struct guest_verb pulse_setups[] = {
    {"history", GUEST_ON_NONE, false, false, history_params, 2,
     "{ROLE} has stored {entries} entries", setup_history},
};
static const struct guest_param leader_params[] = {
    {.name = "HOW", .kind = GUEST_CHOICE, .words = "ready"},
};
static const struct guest_param kept_params[] = {{.name = "OP", .kind = GUEST_OP}};
static const struct guest_condition pulse_conditions[] = {
    {"leader", leader_params, 1, "some server leads", ask_leader},
    {"kept", kept_params, 1, "{OP} is stored by a leader", ask_kept},
};
static const struct guest_field tag_field[] = {{.name = "tag"}};
static const struct guest_record pulse_records[] = {
    {"BEAT", NULL, 0}, {"PUT", tag_field, 1}, {"STORED", tag_field, 1}};
static const struct guest_note pulse_notes[] = {
    {PULSE_NOTE_LEADS, "leads", "leader", "", "", ""},
    {PULSE_NOTE_FOLLOWS, "follows", "leader", "", "", ""},
    {PULSE_NOTE_OK, "ok", "tag", "", "", ""},
    {PULSE_NOTE_UNKNOWN, "unknown", "tag", "", "", ""},
    {PULSE_NOTE_STORED, "stored", "tag", NULL, NULL, NULL},
};
static const struct guest_state_kind pulse_states[] = {
    {"starting", "#d9d9d9"}, {"following", "#9ecae1"}, {"leading", "#2166ac"}};
static const struct guest_check pulse_checks[] = {
    {"one-leader", "at most one server leads at a time"}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct guest pulse_guest = {
    .name = "pulse",
    .summary = "the lowest server that is heard leads",
    .options = pulse_options,
    .option_count = COUNT(pulse_options),
    .client_options = pulse_client_options,
    .client_option_count = COUNT(pulse_client_options),
    .roles = pulse_roles,
    .role_count = COUNT(pulse_roles),
    .verbs = pulse_verbs,
    .verb_count = COUNT(pulse_verbs),
    .setups = pulse_setups,
    .setup_count = COUNT(pulse_setups),
    .conditions = pulse_conditions,
    .condition_count = COUNT(pulse_conditions),
    .records = pulse_records,
    .record_count = COUNT(pulse_records),
    .notes = pulse_notes,
    .note_count = COUNT(pulse_notes),
    .states = pulse_states,
    .state_count = COUNT(pulse_states),
    .checks = pulse_checks,
    .check_count = COUNT(pulse_checks),
    .state_bytes = sizeof(struct pulse_state),
    .server_name = server_name,
    .build = build,
    .add_client = add_client,
    .note = note,
    .about = about,
};
