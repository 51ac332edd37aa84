/* What scenario files can say about Paxos, and what is checked all the time. */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/sorted.h"
#include "examples/paxos/paxos_wire.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* What was decided in a slot, as the first process to know it said. */
struct decision {
    uint64_t hash, history;
    uint32_t process;
};
struct node_view {
    uint64_t state, ballot;
    uint64_t slot; /* last decided in this incarnation */
    uint64_t history;
};
struct open_op {
    uint64_t tag;
    uint32_t process;
};
struct world {
    struct node_view nodes[PAXOS_NODES_MAX];
    uint32_t node_count;
    bool is_log;
    struct decision *decisions; /* of slot i + 1 */
    uint32_t decision_count, decision_room;
    struct sorted asked; /* hash of a value that a verb proposed */
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
    OPTION_ALGORITHM,
    OPTION_FORGET,
    OPTION_RETRY,
    OPTION_HEARTBEAT,
    OPTIONS
};
static const struct guest_param options[] = {
    [OPTION_NODES] = {"nodes", GUEST_NUMBER, GUEST_KEYED, NULL, "3", "processes, 1 to 32"},
    [OPTION_ALGORITHM] = {"algorithm", GUEST_CHOICE, GUEST_KEYED, "single|log", "single",
                          "one value, or a sequence of them"},
    [OPTION_FORGET] = {"forget", GUEST_CHOICE, GUEST_KEYED, "nothing|promise|accepted|value",
                       "nothing", "a planted fault: what all of them leave out"},
    [OPTION_RETRY] = {"retry", GUEST_TIME, GUEST_KEYED, NULL, "500ms",
                      "least time until a proposer tries again"},
    [OPTION_HEARTBEAT] = {"heartbeat", GUEST_TIME, GUEST_KEYED, NULL, "100ms",
                          "of the leader of a log"},
};

static bool guest_server_name(const struct guest_value *values, uint32_t index, char name[32])
{
    struct text text;

    if ((int64_t)index >= values[OPTION_NODES].number || index >= PAXOS_NODES_MAX) {
        return false;
    }
    text_init(&text, name, 32);
    text_char(&text, 'p');
    text_u64(&text, index + 1);
    return true;
}

static enum err guest_build(struct guest_run *run, struct text *why)
{
    const struct guest_value *values = run->options;
    struct world *world = world_of(run);
    struct paxos_config config = {
        .nodes = (uint32_t)values[OPTION_NODES].number,
        .forget = (enum paxos_forget)values[OPTION_FORGET].number,
        .retry_us = (uint64_t)values[OPTION_RETRY].number,
        .heartbeat_us = (uint64_t)values[OPTION_HEARTBEAT].number,
    };
    struct bytes bytes;
    char name[32];

    if (values[OPTION_NODES].number < 1 || values[OPTION_NODES].number > PAXOS_NODES_MAX) {
        text_str(why, "nodes must be 1 to 32");
        return ERR_RANGE;
    }
    if (config.retry_us == 0 || config.heartbeat_us == 0) {
        text_str(why, "retry and heartbeat must be longer than 0");
        return ERR_RANGE;
    }
    world->is_log = values[OPTION_ALGORITHM].number == 1;
    world->node_count = config.nodes;
    sorted_init(&world->asked, run->mem);
    bytes_init(&bytes, run->mem);
    sim_set_codec(run->sim, 0, &paxos_codec);
    for (; guest_server_name(values, config.id, name); config.id++) {
        bytes_clear(&bytes);
        paxos_config_write(&config, &bytes);
        sim_add(run->sim, name, world->is_log ? &paxos_log_ops : &paxos_single_ops,
                bytes_span(&bytes));
    }
    return bytes.failed ? ERR_MEMORY : ERR_OK;
}

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

/* "p2 WHAT 5 than p1" */
static void fail(struct guest_run *run, const char *check, uint32_t process, const char *what,
                 uint64_t slot, uint32_t other)
{
    char room[160];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(run->sim, process));
    text_str(&text, what);
    text_u64(&text, slot);
    if (other != SIM_NONE) {
        text_str(&text, " than ");
        text_str(&text, sim_name(run->sim, other));
    }
    guest_fail(run, check, span_make(text.at, text.len));
}

/* The first to decide a slot: it must be the next one, and hold what somebody proposed. The empty
 * value fills gaps of a log. */
static void first_decision(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct decision *decisions = grow(run, world->decisions, &world->decision_room,
                                      world->decision_count, sizeof(*decisions));
    const struct effect *effect = event->effect;
    bool filler = world->is_log && effect->bytes.len == 0;

    if (decisions == NULL) {
        return;
    }
    world->decisions = decisions;
    decisions[world->decision_count++] = (struct decision){effect->b, effect->c, event->process};
    if (!filler && sorted_find(&world->asked, effect->b) == NULL) {
        fail(run, "validity", event->process, " decided what nobody proposed, in slot ", effect->a,
             SIM_NONE);
    }
}

static void say_decided(struct guest_run *run, const struct sim_event *event)
{
    bool is_log = world_of(run)->is_log;
    char room[280];
    struct text text;

    if (!run->telling) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, "decided ");
    if (is_log) {
        text_u64(&text, event->effect->a);
        text_str(&text, ": ");
    }
    text_quoted(&text, event->effect->bytes);
    guest_say(run, is_log ? GUEST_SAY_DETAIL : GUEST_SAY_ROLE, event->process,
              span_make(text.at, text.len));
    if (!is_log) {
        guest_mark(run, event->process, event->effect->bytes);
    }
}

static void note_decided(struct guest_run *run, const struct sim_event *event)
{
    struct world *world = world_of(run);
    struct node_view *node = &world->nodes[event->process];
    const struct effect *effect = event->effect;
    const struct decision *known;

    if (effect->a != node->slot + 1) {
        fail(run, "integrity", event->process, " decided out of order: slot ", effect->a, SIM_NONE);
        return;
    }
    node->slot = effect->a;
    node->history = effect->c;
    if (node->slot > world->decision_count) {
        first_decision(run, event);
    } else {
        known = &world->decisions[node->slot - 1];
        if (known->hash != effect->b || known->history != effect->c) {
            fail(run, "agreement", event->process, " decided another value in slot ", effect->a,
                 known->process);
            return;
        }
    }
    say_decided(run, event);
}

static void note_state(struct guest_run *run, const struct sim_event *event)
{
    struct node_view *node = &world_of(run)->nodes[event->process];
    char room[64];
    struct text text;

    node->state = event->effect->a;
    node->ballot = event->effect->b;
    guest_set_state(run, event->process, (uint32_t)node->state);
    if (!run->telling || (node->state != PAXOS_PROPOSING && node->state != PAXOS_LEADING)) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, node->state == PAXOS_LEADING ? "leads with ballot " : "prepares ballot ");
    text_u64(&text, paxos_ballot_round(node->ballot));
    text_char(&text, '.');
    text_str(&text, sim_name(run->sim, event->process));
    guest_say(run, GUEST_SAY_ROLE, event->process, span_make(text.at, text.len));
}

static void guest_note(struct guest_run *run, const struct sim_event *event)
{
    ENSURE(event->process < PAXOS_NODES_MAX);
    switch ((enum paxos_note)event->effect->id) {
    case PAXOS_NOTE_STATE:
        note_state(run, event);
        return;
    case PAXOS_NOTE_DECIDED:
        note_decided(run, event);
        return;
    case PAXOS_NOTE_PROMISED:
    case PAXOS_NOTE_ACCEPTED:
        return; /* for anchors */
    }
}

/* ---- operations ---- */

static void op_answered(struct guest_run *run, const struct effect *effect)
{
    struct world *world = world_of(run);
    const struct guest_op *op = guest_op_find(run, effect->b);
    struct reader reader;
    uint8_t what;
    uint64_t slot;
    struct span value;
    char room[240] = "";
    struct text text;

    for (uint32_t i = 0; i < world->open_count; i++) {
        if (world->open[i].tag == effect->b) {
            world->open[i] = world->open[--world->open_count];
            break;
        }
    }
    reader_init(&reader, effect->bytes, READER_MAX_DEFAULT);
    what = reader_u8(&reader);
    slot = reader_u64(&reader);
    value = reader_raw(&reader, reader_left(&reader));
    text_init(&text, room, sizeof(room));
    if (what == PAXOS_OK && world->is_log) {
        text_str(&text, "in slot ");
        text_u64(&text, slot);
    } else if (what == PAXOS_OK) {
        text_str(&text, "chosen is ");
        text_quoted(&text, value);
        /* Somebody else's value was chosen: this one never will be. */
        if (op != NULL && op->a != hash_bytes(value, 0)) {
            what = PAXOS_REFUSED;
        }
    }
    guest_op_end(run, effect->b,
                 what == PAXOS_OK ? GUEST_OP_OK
                                  : (what == PAXOS_REFUSED ? GUEST_OP_FAILED : GUEST_OP_UNKNOWN),
                 span_make(text.at, text.len));
}

static void node_gone(struct guest_run *run, uint32_t process)
{
    struct world *world = world_of(run);

    world->nodes[process] = (struct node_view){0};
    for (uint32_t i = world->open_count; i-- > 0;) {
        if (world->open[i].process == process) {
            guest_op_end(run, world->open[i].tag, GUEST_OP_UNKNOWN, span_text("the process died"));
            world->open[i] = world->open[--world->open_count];
        }
    }
}

static enum sim_verdict guest_tap(struct guest_run *run, const struct sim_event *event)
{
    if (event->at == SIM_AT_ANSWER) {
        op_answered(run, event->effect);
    } else if (event->process < PAXOS_NODES_MAX) {
        node_gone(run, event->process);
    }
    return SIM_GO;
}

static enum err verb_propose(struct guest_run *run, const struct guest_call *call)
{
    struct world *world = world_of(run);
    struct span value = call->values[0].text;
    struct open_op *open =
        grow(run, world->open, &world->open_room, world->open_count, sizeof(*open));

    if (value.len == 0 || value.len > PAXOS_VALUE_MAX) {
        return ERR_RANGE;
    }
    call->op->a = hash_bytes(value, 0);
    if (open == NULL || sorted_put(&world->asked, call->op->a, world) != ERR_OK) {
        return ERR_MEMORY;
    }
    world->open = open;
    open[world->open_count++] = (struct open_op){call->op->tag, call->process};
    sim_ask(run->sim, call->process, call->op->tag, value);
    return ERR_OK;
}

static const struct guest_param propose_params[] = {
    {"VALUE", GUEST_TEXT, 0, NULL, NULL, "1 to 200 bytes"}};
static const struct guest_verb verbs[] = {
    {"propose", GUEST_ON_SERVER, true, true, propose_params, COUNT(propose_params),
     "propose the value {VALUE} and wait until one is decided", verb_propose},
};

/* ---- roles ---- */

static uint32_t newest_leader(const struct guest_run *run)
{
    const struct world *world = world_of(run);
    uint32_t found = SIM_NONE;

    for (uint32_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].state == PAXOS_LEADING &&
            (found == SIM_NONE || world->nodes[i].ballot > world->nodes[found].ballot)) {
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

/* All in that state, or the one with that number. */
static void role_in_state(const struct guest_run *run, enum paxos_state state, uint32_t number,
                          struct guest_set *set)
{
    const struct world *world = world_of(run);
    uint32_t seen = 0;

    for (uint32_t i = 0; i < world->node_count; i++) {
        if (sim_is_up(run->sim, i) && world->nodes[i].state == (uint64_t)state &&
            (++seen == number || number == UINT32_MAX)) {
            guest_set_add(set, i);
        }
    }
}

static void role_leaders(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)index;
    role_in_state(run, PAXOS_LEADING, UINT32_MAX, set);
}

static void role_proposer(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    role_in_state(run, PAXOS_PROPOSING, index == 0 ? 1 : index, set);
}

static void role_follower(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    role_in_state(run, PAXOS_ACCEPTING, index == 0 ? 1 : index, set);
}

static void role_acceptor(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    uint32_t process = index == 0 ? 0 : index - 1;

    if (process < world_of(run)->node_count) {
        guest_set_add(set, process);
    }
}

static const struct guest_role roles[] = {
    {"leader", false, "the process that leads the log with the highest ballot", role_leader},
    {"leaders", false, "all that believe they lead the log", role_leaders},
    {"proposer", true, "a process in the middle of a ballot of its own", role_proposer},
    {"follower", true, "a process that only listens", role_follower},
    {"acceptor", true, "a process, by its number; all of them accept", role_acceptor},
};

/* ---- conditions ---- */

static enum guest_truth ask_leader(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    (void)values;
    answer->process = newest_leader(run);
    return answer->process == SIM_NONE ? GUEST_NOT_YET : GUEST_HOLDS;
}

/* Do all of `who` (standard: everybody) know at least `slot` decisions? */
static enum guest_truth known_by(struct guest_run *run, const struct guest_value *who,
                                 uint64_t slot, struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    struct guest_set set;

    if (who->given) {
        set = who->set;
    } else {
        guest_servers(run, &set);
    }
    for (uint32_t p = guest_set_next(&set, 0); p < world->node_count;
         p = guest_set_next(&set, p + 1)) {
        if (world->nodes[p].slot < slot) {
            text_str(answer->why, sim_name(run->sim, p));
            text_str(answer->why, " does not know");
            return GUEST_NOT_YET;
        }
    }
    return guest_set_count(&set) > 0 ? GUEST_HOLDS : GUEST_NOT_YET;
}

static enum guest_truth ask_decided(struct guest_run *run, const struct guest_value *values,
                                    struct guest_answer *answer)
{
    return known_by(run, &values[1], (uint64_t)values[0].number, answer);
}

static enum guest_truth ask_chosen(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    const struct world *world = world_of(run);
    uint64_t hash = hash_bytes(values[0].text, 0);

    for (uint32_t i = world->decision_count; i-- > 0;) {
        if (world->decisions[i].hash == hash) {
            return known_by(run, &values[1], i + 1, answer);
        }
    }
    text_str(answer->why, "it is not chosen");
    return world->decision_count > 0 && !world->is_log ? GUEST_VIOLATED : GUEST_NOT_YET;
}

static enum guest_truth ask_converged(struct guest_run *run, const struct guest_value *values,
                                      struct guest_answer *answer)
{
    return known_by(run, &values[0], world_of(run)->decision_count, answer);
}

static const struct guest_param leader_params[] = {{"ready", GUEST_CHOICE, 0, "ready", NULL, NULL}};
static const struct guest_param decided_params[] = {
    {"COUNT", GUEST_NUMBER, GUEST_OPTIONAL, NULL, "1", "of slots"},
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"},
};
static const struct guest_param chosen_params[] = {
    {"VALUE", GUEST_TEXT, 0, NULL, NULL, NULL},
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"},
};
static const struct guest_param who_params[] = {
    {"WHO", GUEST_ROLE, GUEST_OPTIONAL, NULL, NULL, "standard: all"}};

static const struct guest_condition conditions[] = {
    {"leader", leader_params, COUNT(leader_params), "somebody leads the log", ask_leader},
    {"decided", decided_params, COUNT(decided_params),
     "at least {COUNT} slots are decided[ for {WHO}]", ask_decided},
    {"chosen", chosen_params, COUNT(chosen_params),
     "the value {VALUE} is chosen[ and known to {WHO}]", ask_chosen},
    {"converged", who_params, COUNT(who_params), "all that is decided is known[ to {WHO}]",
     ask_converged},
};

/* ---- words ---- */

static const struct guest_note notes[] = {
    {PAXOS_NOTE_STATE, "state", "state", "ballot", NULL, NULL},
    {PAXOS_NOTE_PROMISED, "promised", "ballot", NULL, NULL, NULL},
    {PAXOS_NOTE_ACCEPTED, "accepted", "slot", "ballot", "hash", NULL},
    {PAXOS_NOTE_DECIDED, "decided", "slot", "hash", "history", "value"},
};
/* By enum paxos_state. */
static const struct guest_state_kind states[] = {
    {"accepting", "#92c5de"},
    {"proposing", "#f4a582"},
    {"leading", "#2166ac"},
    {"settled", "#4d9221"},
};
static const struct guest_check checks[] = {
    {"agreement", "no two processes decide different values in one slot"},
    {"validity", "what is decided was proposed"},
    {"integrity", "a process decides each slot once, in order"},
};

static bool guest_about(struct guest_run *run, const struct sim_event *event,
                        const struct guest_op *op)
{
    struct paxos_message message;

    (void)run;
    if (event->at == SIM_AT_NOTE) {
        return (event->effect->id == PAXOS_NOTE_ACCEPTED && event->effect->c == op->a) ||
               (event->effect->id == PAXOS_NOTE_DECIDED && event->effect->b == op->a);
    }
    return (event->at == SIM_AT_SEND || event->at == SIM_AT_RECEIVE) &&
           paxos_wire_decode(event->bytes, &message) == ERR_OK && message.value.len > 0 &&
           hash_bytes(message.value, 0) == op->a;
}

const struct guest paxos_guest = {
    .name = "paxos",
    .summary = "Paxos: the single decree, or a replicated log",
    .options = options,
    .option_count = OPTIONS,
    .roles = roles,
    .role_count = COUNT(roles),
    .verbs = verbs,
    .verb_count = COUNT(verbs),
    .conditions = conditions,
    .condition_count = COUNT(conditions),
    .records = paxos_records,
    .record_count = PAXOS_RECORDS,
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
    .about = guest_about,
};
