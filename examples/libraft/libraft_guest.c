/* What scenario files can say about libraft, and what is checked all the time. */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/sorted.h"
#include "examples/libraft/libraft.h"
#include "examples/libraft/libraft_server.h"
#include "examples/libraft/libraft_wire.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* What was applied at an index, by whoever was first. */
struct applied {
    uint64_t index;
    uint64_t hash;    /* of the command */
    uint64_t history; /* of all commands up to it */
    uint32_t process;
};
struct server_view {
    uint64_t state, term;
    uint64_t index;    /* last applied in this incarnation */
    uint64_t commands; /* how many */
    uint64_t history;
};
struct open_op {
    uint64_t tag;
    uint32_t process;
};
struct world {
    struct server_view servers[LIBRAFT_SERVERS_MAX];
    uint32_t server_count;
    struct applied *log; /* by index, ascending; indexes of barriers and changes are missing */
    uint32_t log_count, log_room;
    struct sorted leaders; /* term -> the first process that led it, as struct open_op */
    struct sorted asked;   /* hash of a command that a verb applied */
    struct open_op *open;
    uint32_t open_count, open_room;
};

static struct world *world_of(const struct guest_run *run)
{
    return run->state;
}

/* ---- building ---- */

enum option {
    OPTION_NODES,
    OPTION_ELECTION,
    OPTION_HEARTBEAT,
    OPTION_SNAPSHOT,
    OPTION_TRAILING,
    OPTION_PREVOTE,
    OPTIONS
};
static const struct guest_param options[] = {
    [OPTION_NODES] = {"nodes", GUEST_NUMBER, GUEST_KEYED, NULL, "3", "servers, 1 to 32"},
    [OPTION_ELECTION] = {"election", GUEST_TIME, GUEST_KEYED, NULL, "1s",
                         "least silence before an election"},
    [OPTION_HEARTBEAT] = {"heartbeat", GUEST_TIME, GUEST_KEYED, NULL, "100ms",
                          "from one heartbeat to the next"},
    [OPTION_SNAPSHOT] = {"snapshot", GUEST_NUMBER, GUEST_KEYED, NULL, "1024",
                         "entries from one snapshot to the next"},
    [OPTION_TRAILING] = {"trailing", GUEST_NUMBER, GUEST_KEYED, NULL, "2048",
                         "entries kept behind a snapshot"},
    [OPTION_PREVOTE] = {"prevote", GUEST_FLAG, GUEST_OPTIONAL, NULL, NULL,
                        "ask before raising the term"},
};

static bool guest_server_name(const struct guest_value *values, uint32_t index, char name[32])
{
    struct text text;

    if ((int64_t)index >= values[OPTION_NODES].number || index >= LIBRAFT_SERVERS_MAX) {
        return false;
    }
    text_init(&text, name, 32);
    text_char(&text, 's');
    text_u64(&text, index + 1);
    return true;
}

static const char *options_wrong(const struct guest_value *values)
{
    int64_t heartbeat_ms = values[OPTION_HEARTBEAT].number / 1000;
    int64_t election_ms = values[OPTION_ELECTION].number / 1000;

    if (values[OPTION_NODES].number < 1 || values[OPTION_NODES].number > LIBRAFT_SERVERS_MAX) {
        return "nodes must be 1 to 32";
    }
    if (heartbeat_ms < 1 || election_ms <= heartbeat_ms || election_ms > 1000000) {
        return "election must be longer than heartbeat, and both at least 1 ms";
    }
    if (values[OPTION_SNAPSHOT].number < 1 || values[OPTION_SNAPSHOT].number > INT32_MAX ||
        values[OPTION_TRAILING].number < 1 || values[OPTION_TRAILING].number > INT32_MAX) {
        return "snapshot and trailing must be at least 1";
    }
    return NULL;
}

static enum err guest_build(struct guest_run *run, struct text *why)
{
    const struct guest_value *values = run->options;
    struct world *world = world_of(run);
    struct bytes config;
    char name[32];

    if (options_wrong(values) != NULL) {
        text_str(why, options_wrong(values));
        return ERR_RANGE;
    }
    sorted_init(&world->leaders, run->mem);
    sorted_init(&world->asked, run->mem);
    bytes_init(&config, run->mem);
    sim_set_codec(run->sim, 0, &libraft_codec);
    for (uint32_t i = 0; guest_server_name(values, i, name); i++) {
        struct libraft_config wanted = {
            .id = i + 1,
            .servers = (uint32_t)values[OPTION_NODES].number,
            .election_ms = (uint32_t)(values[OPTION_ELECTION].number / 1000),
            .heartbeat_ms = (uint32_t)(values[OPTION_HEARTBEAT].number / 1000),
            .snapshot_entries = (uint32_t)values[OPTION_SNAPSHOT].number,
            .trailing_entries = (uint32_t)values[OPTION_TRAILING].number,
            .pre_vote = values[OPTION_PREVOTE].number != 0,
        };

        bytes_clear(&config);
        libraft_config_write(&wanted, &config);
        sim_add(run->sim, name, &libraft_ops, bytes_span(&config));
        world->server_count++;
    }
    return config.failed ? ERR_MEMORY : ERR_OK;
}

static int64_t guest_identity(const struct guest_run *run, uint32_t process)
{
    (void)run;
    return (int64_t)process + 1;
}

/* ---- growing ---- */

static void *grow(struct guest_run *run, void *array, uint32_t *room, uint32_t count, size_t item)
{
    uint32_t more = *room == 0 ? 64 : *room * 2;

    if (count < *room) {
        return array;
    }
    array = mem_grow(run->mem, array, *room * item, more * item);
    if (array != NULL) {
        *room = more;
    }
    return array;
}

/* ---- checks ---- */

static void fail(struct guest_run *run, const char *check, uint32_t process, const char *what,
                 uint64_t number, const char *than, uint32_t other)
{
    char room[200];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(run->sim, process));
    text_str(&text, what);
    text_u64(&text, number);
    text_str(&text, than);
    if (other != SIM_NONE) {
        text_str(&text, sim_name(run->sim, other));
    }
    guest_fail(run, check, span_make(text.at, text.len));
}

/* The entry at `index`, or where it would stand. Applies come in order, so search from the end. */
static uint32_t log_place(const struct world *world, uint64_t index)
{
    uint32_t low = 0;
    uint32_t high = world->log_count;

    if (high > 0 && world->log[high - 1].index < index) {
        return high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (world->log[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A new index: it must hold what somebody asked for. */
static void log_insert(struct guest_run *run, uint32_t place, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct applied *log =
        grow(run, world->log, &world->log_room, world->log_count, sizeof(*world->log));
    uint64_t hash = event->effect->b;

    if (log == NULL) {
        return;
    }
    world->log = log;
    memmove(&log[place + 1], &log[place], (world->log_count - place) * sizeof(*log));
    world->log_count++;
    log[place] = (struct applied){event->effect->a, hash, event->effect->c, event->process};
    if (sorted_find(&world->asked, hash) == NULL) {
        fail(run, "validity", event->process, " applied what nobody asked for, at index ",
             event->effect->a, "", SIM_NONE);
    }
}

static void note_applied(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct server_view *server = &world->servers[event->process];
    uint64_t index = event->effect->a;
    uint32_t place = log_place(world, index);

    if (index <= server->index) {
        fail(run, "order", event->process, " applied out of order: index ", index,
             " after a later one", SIM_NONE);
        return;
    }
    server->index = index;
    server->commands++;
    server->history = event->effect->c;
    if (place == world->log_count || world->log[place].index != index) {
        /* Somebody may have applied a barrier here; then the history differs at the next entry. */
        log_insert(run, place, event);
    } else if (world->log[place].hash != event->effect->b ||
               world->log[place].history != server->history) {
        fail(run, "agreement", event->process, " applied another entry at index ", index, " than ",
             world->log[place].process);
        return;
    }
    if (run->telling) {
        char room[120];
        struct text text;

        text_init(&text, room, sizeof(room));
        text_str(&text, "applied ");
        text_u64(&text, index);
        text_str(&text, ": ");
        text_quoted(&text, event->effect->bytes);
        guest_say(run, GUEST_SAY_DETAIL, event->process, span_make(text.at, text.len));
    }
}

/* A snapshot stands for the history up to its index. */
static void note_restored(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct server_view *server = &world->servers[event->process];
    uint32_t place = log_place(world, event->effect->a + 1);

    server->index = event->effect->a;
    server->commands = event->effect->b;
    server->history = event->effect->c;
    if (place > 0 && world->log[place - 1].history != server->history) {
        fail(run, "agreement", event->process,
             " restored a snapshot that differs from what was applied, at index ", event->effect->a,
             " by ", world->log[place - 1].process);
    }
}

static void say_leader(struct guest_run *run, uint32_t process, uint64_t term)
{
    char room[64];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, "leads term ");
    text_u64(&text, term);
    guest_say(run, GUEST_SAY_ROLE, process, span_make(text.at, text.len));
    text_init(&text, room, sizeof(room));
    text_str(&text, "term ");
    text_u64(&text, term);
    guest_mark(run, process, span_make(text.at, text.len));
}

static void note_state(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct server_view *server = &world->servers[event->process];
    bool was_leader = server->state == RAFT_LEADER && server->term == event->effect->b;
    struct open_op *first;

    server->state = event->effect->a;
    server->term = event->effect->b;
    guest_set_state(run, event->process, (uint32_t)server->state);
    if (server->state != RAFT_LEADER || was_leader) {
        return;
    }
    say_leader(run, event->process, server->term);
    first = sorted_find(&world->leaders, server->term);
    if (first == NULL) {
        first = mem_get_zero(run->mem, sizeof(*first));
        if (first != NULL) {
            first->process = event->process;
            (void)sorted_put(&world->leaders, server->term, first);
        }
    } else if (first->process != event->process) {
        fail(run, "election", event->process, " leads term ", server->term, ", as did ",
             first->process);
    }
}

static void guest_note(struct guest_run *run, const struct sim_event *event)
{
    ENSURE(event->process < LIBRAFT_SERVERS_MAX);
    switch ((enum libraft_note)event->effect->id) {
    case LIBRAFT_NOTE_STATE:
        note_state(run, event);
        return;
    case LIBRAFT_NOTE_APPLIED:
        note_applied(run, event);
        return;
    case LIBRAFT_NOTE_RESTORED:
        note_restored(run, event);
        return;
    case LIBRAFT_NOTE_ENDED:
        guest_say(run, GUEST_SAY_ROLE, event->process, event->effect->bytes);
        return;
    }
}

/* ---- operations ---- */

static void op_answered(struct guest_run *run, const struct effect *effect)
{
    struct world *world = world_of(run);
    struct reader reader;
    uint8_t what;
    uint64_t index;
    char room[40] = "";
    struct text text;

    for (uint32_t i = 0; i < world->open_count; i++) {
        if (world->open[i].tag == effect->b) {
            world->open[i] = world->open[--world->open_count];
            break;
        }
    }
    reader_init(&reader, effect->bytes, READER_MAX_DEFAULT);
    what = reader_u8(&reader);
    index = reader_u64(&reader);
    text_init(&text, room, sizeof(room));
    if (what == LIBRAFT_OK && index != 0) {
        text_str(&text, "at index ");
        text_u64(&text, index);
    }
    guest_op_end(run, effect->b,
                 what == LIBRAFT_OK
                     ? GUEST_OP_OK
                     : (what == LIBRAFT_REFUSED ? GUEST_OP_FAILED : GUEST_OP_UNKNOWN),
                 span_make(text.at, text.len));
}

/* The server is gone, and with it all that its clients waited for. */
static void server_gone(struct guest_run *run, uint32_t process)
{
    struct world *world = world_of(run);

    world->servers[process] = (struct server_view){.term = world->servers[process].term};
    for (uint32_t i = world->open_count; i-- > 0;) {
        if (world->open[i].process == process) {
            guest_op_end(run, world->open[i].tag, GUEST_OP_UNKNOWN, span_text("the server died"));
            world->open[i] = world->open[--world->open_count];
        }
    }
}

static enum sim_verdict guest_tap(struct guest_run *run, const struct sim_event *event)
{
    if (event->at == SIM_AT_ANSWER) {
        op_answered(run, event->effect);
    } else if (event->process < LIBRAFT_SERVERS_MAX) {
        server_gone(run, event->process);
    }
    return SIM_GO;
}

static enum err ask(struct guest_run *run, const struct guest_call *call, struct span request)
{
    struct world *world = world_of(run);
    struct open_op *open =
        grow(run, world->open, &world->open_room, world->open_count, sizeof(*open));

    if (open == NULL) {
        return ERR_MEMORY;
    }
    world->open = open;
    open[world->open_count++] = (struct open_op){call->op->tag, call->process};
    sim_ask(run->sim, call->process, call->op->tag, request);
    return ERR_OK;
}

static enum err verb_apply(struct guest_run *run, const struct guest_call *call)
{
    struct world *world = world_of(run);
    struct span command = call->values[0].text;
    uint8_t room[256] = {LIBRAFT_ASK_APPLY};

    if (command.len == 0 || command.len >= sizeof(room)) {
        return ERR_RANGE;
    }
    memcpy(room + 1, command.at, command.len);
    call->op->a = hash_bytes(command, 0);
    if (sorted_put(&world->asked, call->op->a, world) != ERR_OK) {
        return ERR_MEMORY;
    }
    return ask(run, call, span_make(room, command.len + 1));
}

static enum err verb_transfer(struct guest_run *run, const struct guest_call *call)
{
    uint32_t to = guest_set_next(&call->values[0].set, 0);
    uint8_t room[5] = {LIBRAFT_ASK_TRANSFER, 0, 0, 0, 0};

    if (to >= world_of(run)->server_count) {
        return ERR_UNKNOWN;
    }
    room[4] = (uint8_t)(to + 1);
    return ask(run, call, span_make(room, sizeof(room)));
}

static const struct guest_param apply_params[] = {
    {"COMMAND", GUEST_TEXT, 0, NULL, NULL, "what the state machines are to be told"}};
static const struct guest_param transfer_params[] = {
    {"SERVER", GUEST_ROLE, 0, NULL, NULL, "who shall lead"}};
static const struct guest_verb verbs[] = {
    {"apply", GUEST_ON_SERVER, true, true, apply_params, COUNT(apply_params),
     "append the command {COMMAND} to the log and wait until it is applied", verb_apply},
    {"transfer", GUEST_ON_SERVER, true, false, transfer_params, COUNT(transfer_params),
     "hand the leadership over to {SERVER}", verb_transfer},
};

/* ---- roles ---- */

static uint32_t newest_leader(const struct guest_run *run)
{
    const struct world *world = world_of(run);
    uint32_t found = SIM_NONE;

    for (uint32_t i = 0; i < world->server_count; i++) {
        if (world->servers[i].state == RAFT_LEADER &&
            (found == SIM_NONE || world->servers[i].term > world->servers[found].term)) {
            found = i;
        }
    }
    return found;
}

static void role_leader(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)index;
    if (newest_leader(run) != SIM_NONE) {
        guest_set_add(set, newest_leader(run));
    }
}

/* All in a state, or the one of that number. */
static void role_in_state(const struct guest_run *run, uint64_t state, uint32_t number,
                          struct guest_set *set)
{
    const struct world *world = world_of(run);
    uint32_t seen = 0;

    for (uint32_t i = 0; i < world->server_count; i++) {
        if (world->servers[i].state == state && (++seen == number || number == UINT32_MAX)) {
            guest_set_add(set, i);
        }
    }
}

static void role_leaders(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)index;
    role_in_state(run, RAFT_LEADER, UINT32_MAX, set);
}

static void role_followers(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)index;
    role_in_state(run, RAFT_FOLLOWER, UINT32_MAX, set);
}

static void role_follower(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    role_in_state(run, RAFT_FOLLOWER, index == 0 ? 1 : index, set);
}

static void role_candidate(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    role_in_state(run, RAFT_CANDIDATE, index == 0 ? 1 : index, set);
}

static const struct guest_role roles[] = {
    {"leader", false, "the leader of the newest term", role_leader},
    {"leaders", false, "all servers that believe they lead", role_leaders},
    {"follower", true, "a server that follows", role_follower},
    {"followers", false, "all servers that follow", role_followers},
    {"candidate", true, "a server that asks for votes", role_candidate},
};

/* ---- conditions ---- */

static enum guest_truth ask_leader(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    uint32_t leader = newest_leader(run);

    (void)values;
    for (uint32_t i = 0; leader != SIM_NONE && i < world->server_count; i++) {
        if (world->servers[i].state != 0 && world->servers[i].term > world->servers[leader].term) {
            leader = SIM_NONE; /* an election is on its way */
        }
    }
    answer->process = leader;
    return leader == SIM_NONE ? GUEST_NOT_YET : GUEST_HOLDS;
}

static void set_or_all(const struct guest_run *run, const struct guest_value *value,
                       struct guest_set *set)
{
    if (value->given) {
        *set = value->set;
    } else {
        guest_servers(run, set);
    }
}

static bool lacking(const struct guest_run *run, struct guest_answer *answer, uint32_t process,
                    const char *what)
{
    text_str(answer->why, sim_name(run->sim, process));
    text_str(answer->why, what);
    return true;
}

static enum guest_truth ask_applied(struct guest_run *run, const struct guest_value *values,
                                    struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    struct guest_set set;

    set_or_all(run, &values[1], &set);
    for (uint32_t p = guest_set_next(&set, 0); p < world->server_count;
         p = guest_set_next(&set, p + 1)) {
        if ((int64_t)world->servers[p].commands < values[0].number &&
            lacking(run, answer, p, " has applied fewer")) {
            return GUEST_NOT_YET;
        }
    }
    return guest_set_count(&set) > 0 ? GUEST_HOLDS : GUEST_NOT_YET;
}

/* Where the command stands in the common log; 0 when nobody applied it. */
static uint64_t index_of(const struct world *world, struct span command)
{
    uint64_t hash = hash_bytes(command, 0);

    for (uint32_t i = world->log_count; i-- > 0;) {
        if (world->log[i].hash == hash) {
            return world->log[i].index;
        }
    }
    return 0;
}

static enum guest_truth ask_has(struct guest_run *run, const struct guest_value *values,
                                struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    uint64_t index = index_of(world, values[0].text);
    struct guest_set set;

    set_or_all(run, &values[1], &set);
    if (index == 0) {
        text_str(answer->why, "nobody has applied it");
        return GUEST_NOT_YET;
    }
    for (uint32_t p = guest_set_next(&set, 0); p < world->server_count;
         p = guest_set_next(&set, p + 1)) {
        if (world->servers[p].index < index && lacking(run, answer, p, " has not applied it")) {
            return GUEST_NOT_YET;
        }
    }
    return guest_set_count(&set) > 0 ? GUEST_HOLDS : GUEST_NOT_YET;
}

static enum guest_truth ask_converged(struct guest_run *run, const struct guest_value *values,
                                      struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    uint64_t history = world->log_count == 0 ? 0 : world->log[world->log_count - 1].history;
    struct guest_set set;

    set_or_all(run, &values[0], &set);
    for (uint32_t p = guest_set_next(&set, 0); p < world->server_count;
         p = guest_set_next(&set, p + 1)) {
        if (world->servers[p].history != history && lacking(run, answer, p, " is behind")) {
            return GUEST_NOT_YET;
        }
    }
    return guest_set_count(&set) > 0 ? GUEST_HOLDS : GUEST_NOT_YET;
}

static const struct guest_param leader_params[] = {{"ready", GUEST_CHOICE, 0, "ready", NULL, NULL}};
static const struct guest_param applied_params[] = {
    {"COUNT", GUEST_NUMBER, 0, NULL, NULL, "of commands"},
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"},
};
static const struct guest_param has_params[] = {
    {"COMMAND", GUEST_TEXT, 0, NULL, NULL, NULL},
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"},
};
static const struct guest_param who_params[] = {
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"}};

static const struct guest_condition conditions[] = {
    {"leader", leader_params, COUNT(leader_params),
     "somebody leads, and nobody has seen a newer term", ask_leader},
    {"applied", applied_params, COUNT(applied_params),
     "at least {COUNT} commands are applied[ by {WHO}]", ask_applied},
    {"has", has_params, COUNT(has_params), "the command {COMMAND} is applied[ by {WHO}]", ask_has},
    {"converged", who_params, COUNT(who_params),
     "the servers[ {WHO}] have applied all that anybody has", ask_converged},
};

/* ---- words ---- */

static const struct guest_note notes[] = {
    {LIBRAFT_NOTE_STATE, "state", "state", "term", NULL, NULL},
    {LIBRAFT_NOTE_APPLIED, "applied", "index", "hash", "history", "command"},
    {LIBRAFT_NOTE_RESTORED, "restored", "index", "commands", "history", NULL},
    {LIBRAFT_NOTE_ENDED, "ended", NULL, NULL, NULL, "why"},
};
/* By state of raft.h. */
static const struct guest_state_kind states[] = {
    {"starting", "#cccccc"},
    {"following", "#92c5de"},
    {"electing", "#f4a582"},
    {"leading", "#2166ac"},
};
static const struct guest_check checks[] = {
    {"agreement", "no two servers apply different commands at one index, nor after different ones"},
    {"election", "no term has two leaders"},
    {"validity", "what is applied was asked for"},
    {"order", "a server applies each index once, in order"},
};

static bool guest_about(struct guest_run *run, const struct sim_event *event,
                        const struct guest_op *op)
{
    (void)run;
    if (op->a == 0) {
        return false;
    }
    if (event->at == SIM_AT_NOTE) {
        return event->effect->id == LIBRAFT_NOTE_APPLIED && event->effect->b == op->a;
    }
    if (event->at == SIM_AT_SEND || event->at == SIM_AT_RECEIVE) {
        return libraft_wire_carries(event->bytes, op->a);
    }
    return event->at == SIM_AT_APPEND && libraft_disk_holds(event->bytes, op->a);
}

const struct guest libraft_guest = {
    .name = "libraft",
    .summary = "Raft as in Debian's libraft 0.15, unchanged",
    .options = options,
    .option_count = OPTIONS,
    .roles = roles,
    .role_count = COUNT(roles),
    .verbs = verbs,
    .verb_count = COUNT(verbs),
    .conditions = conditions,
    .condition_count = COUNT(conditions),
    .records = libraft_records,
    .record_count = LIBRAFT_RECORDS,
    .notes = notes,
    .note_count = COUNT(notes),
    .states = states,
    .state_count = COUNT(states),
    .checks = checks,
    .check_count = COUNT(checks),
    .state_bytes = sizeof(struct world),
    .server_name = guest_server_name,
    .build = guest_build,
    .note = guest_note,
    .tap_mask = 1u << SIM_AT_ANSWER | 1u << SIM_AT_CRASH | 1u << SIM_AT_HALT,
    .tap = guest_tap,
    .identity = guest_identity,
    .about = guest_about,
};
