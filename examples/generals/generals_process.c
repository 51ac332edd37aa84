/* One general. Round 1 is the commander's; in round k a lieutenant relays what it heard in round
 * k - 1 to everybody who is not on the path; after round m + 1 it decides.
 *
 * OM(m): what is heard is a tree, one node a path. The value of a leaf is what was heard, of an
 * inner node the majority of what was heard there and of the values of the nodes below, that is, of
 * what the other lieutenants say they heard. A tie, and silence, mean retreat.
 *
 *     m = 1, four generals, lieutenant 2:     [1]          told by the commander
 *                                            /   \
 *                                        [1 3]   [1 4]     what 3 and 4 say they were told
 *
 * SM(m): an order counts when all signatures on it hold. The orders seen form a set; a new one is
 * signed and relayed while it has at most m signatures of lieutenants. One order in the set is
 * obeyed, none or two mean retreat. */
#include "base/ensure.h"
#include "base/rand.h"
#include "examples/generals/generals.h"

/* Nodes of the tree by path, 4 bits a hop behind the commander: 16^3 at most. */
#define TREE_SIZE 4096u
#define HEARD_MAX 256u /* paths of 3 hops among 16 generals: 14 * 13 */

struct general {
    struct generals_config config;
    struct rand rand;
    uint64_t boot_us;          /* rounds count from here */
    enum generals_order order; /* of the commander */
    bool has_order;
    uint32_t round; /* that is going on; 0 before the start */
    uint64_t sent;  /* messages, for scripts */
    bool decided;
    /* OM: by level (hops - 1) and path; SILENCE where nothing was heard */
    uint8_t tree[GENERALS_DEPTH_MAX + 1][TREE_SIZE];
    /* SM */
    bool seen[2];
    /* what is to be relayed in the next round */
    struct generals_message *heard;
    uint32_t heard_count;
};

static void *general_make(struct mem *mem, struct span config)
{
    struct general *general = mem_get_zero(mem, sizeof(*general));

    if (general == NULL || generals_config_read(config, &general->config) != ERR_OK) {
        return NULL;
    }
    general->heard = mem_get(mem, HEARD_MAX * sizeof(*general->heard));
    memset(general->tree, GENERALS_SILENCE, sizeof(general->tree));
    return general->heard == NULL ? NULL : general;
}

static uint32_t tree_place(const struct generals_message *message)
{
    uint32_t place = 0;

    for (uint32_t i = 1; i < message->hops; i++) {
        place = place << 4 | message->path[i];
    }
    return place;
}

static bool on_path(const struct generals_message *message, uint32_t general)
{
    for (uint32_t i = 0; i < message->hops; i++) {
        if (message->path[i] == general) {
            return true;
        }
    }
    return false;
}

/* ---- lying ---- */

/* What this general says to `to` where a loyal one would say `order`. */
static enum generals_order say(struct general *general, enum generals_order order, uint32_t to)
{
    uint64_t script = general->config.script;

    switch (general->config.lies[general->config.id]) {
    case GENERALS_LOYAL:
        return order;
    case GENERALS_SPLIT:
        return to % 2 == 1 ? GENERALS_ATTACK : GENERALS_RETREAT; /* g2 is process 1 */
    case GENERALS_FLIP:
        return order == GENERALS_ATTACK ? GENERALS_RETREAT : GENERALS_ATTACK;
    case GENERALS_MUTE:
        return GENERALS_SILENCE;
    case GENERALS_RANDOM:
        return (enum generals_order)rand_below(&general->rand, 3);
    case GENERALS_SCRIPT:
        for (uint64_t i = 0; i < general->sent; i++) {
            script /= 3;
        }
        return (enum generals_order)(script % 3);
    }
    UNREACHABLE();
}

/* Sign the message anew with another order: possible when everybody on the path is a traitor. */
static bool forge(const struct generals_config *config, struct generals_message *message,
                  enum generals_order order)
{
    for (uint32_t i = 0; i < message->hops; i++) {
        if (config->lies[message->path[i]] == GENERALS_LOYAL) {
            return false;
        }
    }
    message->order = order;
    for (uint32_t i = 0; i < message->hops; i++) {
        message->signatures[i] = generals_signature(config->key, message, i);
    }
    return true;
}

/* Send the message, on whose path this general is the last, to all who are not on it. */
static void send(struct general *general, const struct generals_message *message, struct fx *fx)
{
    const struct generals_config *config = &general->config;

    for (uint32_t to = 1; to < config->count; to++) {
        struct generals_message said = *message;
        enum generals_order order;
        struct bytes *out;

        if (on_path(message, to)) {
            continue;
        }
        order = say(general, message->order, to);
        general->sent++;
        if (order == GENERALS_SILENCE ||
            (config->is_signed && order != message->order && !forge(config, &said, order))) {
            continue;
        }
        said.order = order;
        out = fx_out(fx);
        generals_message_encode(&said, config->is_signed, out);
        fx_post(fx, to, bytes_span(out));
    }
}

/* ---- hearing ---- */

static void keep(struct general *general, const struct generals_message *message)
{
    if (message->hops <= general->config.depth && general->heard_count < HEARD_MAX) {
        general->heard[general->heard_count++] = *message;
    }
}

/* A path of the wrong length is a message of another round. For SM(m) this matters too: an order
 * with one signature that came in the last round could not be relayed any more. */
static bool is_believable(const struct general *general, uint32_t from,
                          const struct generals_message *message)
{
    const struct generals_config *config = &general->config;

    if (general->round == 0 || general->round > config->depth + 1 ||
        message->path[message->hops - 1] != from || on_path(message, config->id)) {
        return false;
    }
    return message->hops == general->round &&
           (!config->is_signed || generals_message_is_signed(config->key, message));
}

static void hear(struct general *general, uint32_t from, struct span span, struct fx *fx)
{
    struct generals_message message;
    uint8_t *node;

    if (generals_message_decode(span, general->config.count, &message) != ERR_OK ||
        !is_believable(general, from, &message)) {
        fx_note(fx, GENERALS_NOTE_REFUSED, from, 0, 0, span_make(NULL, 0));
        return;
    }
    if (general->config.is_signed) {
        if (!general->seen[message.order]) {
            general->seen[message.order] = true;
            keep(general, &message);
        }
        return;
    }
    node = &general->tree[message.hops - 1][tree_place(&message)];
    if (*node == GENERALS_SILENCE) {
        *node = (uint8_t)message.order;
        keep(general, &message);
    }
}

/* ---- deciding ---- */

/* Is it a path of `level` hops behind the commander, without this general and without repetitions?
 */
static bool is_path(const struct generals_config *config, uint32_t place, uint32_t level)
{
    uint32_t seen = 1u | 1u << config->id;

    for (uint32_t i = 0; i < level; i++) {
        uint32_t general = place >> (4 * i) & 15;

        if (general >= config->count || (seen >> general & 1) != 0) {
            return false;
        }
        seen |= 1u << general;
    }
    return true;
}

static bool place_has(uint32_t place, uint32_t level, uint32_t general)
{
    for (uint32_t i = 0; i < level; i++) {
        if ((place >> (4 * i) & 15) == general) {
            return true;
        }
    }
    return false;
}

/* The majority at an inner node; nodes below hold their values already. */
static uint8_t vote(const struct general *general, uint32_t place, uint32_t level)
{
    const struct generals_config *config = &general->config;
    uint32_t attack = general->tree[level][place] == GENERALS_ATTACK ? 1 : 0;
    uint32_t votes = 1;

    for (uint32_t i = 1; i < config->count; i++) {
        if (i != config->id && !place_has(place, level, i)) {
            votes++;
            attack += general->tree[level + 1][place << 4 | i] == GENERALS_ATTACK ? 1 : 0;
        }
    }
    return attack * 2 > votes ? GENERALS_ATTACK : GENERALS_RETREAT;
}

static enum generals_order decide_oral(struct general *general)
{
    ENSURE(general->config.depth <= GENERALS_DEPTH_MAX);
    for (uint32_t below = general->config.depth; below > 0; below--) {
        uint32_t level = below - 1;

        for (uint32_t place = 0; place < TREE_SIZE >> (4 * (GENERALS_DEPTH_MAX - level)); place++) {
            if (is_path(&general->config, place, level)) {
                general->tree[level][place] = vote(general, place, level);
            }
        }
    }
    return general->tree[0][0] == GENERALS_ATTACK ? GENERALS_ATTACK : GENERALS_RETREAT;
}

static enum generals_order decide_signed(const struct general *general)
{
    return general->seen[GENERALS_ATTACK] && !general->seen[GENERALS_RETREAT] ? GENERALS_ATTACK
                                                                              : GENERALS_RETREAT;
}

static void decide(struct general *general, struct fx *fx)
{
    enum generals_order order =
        general->config.id == 0
            ? (general->has_order ? general->order : GENERALS_RETREAT)
            : (general->config.is_signed ? decide_signed(general) : decide_oral(general));

    general->decided = true;
    fx_note(fx, GENERALS_NOTE_DECIDED, order, 0, 0, span_make(NULL, 0));
}

/* ---- rounds ---- */

static void command(struct general *general, struct fx *fx)
{
    struct generals_message message = {.order = general->order, .hops = 1};

    if (!general->has_order) {
        return;
    }
    message.signatures[0] = generals_signature(general->config.key, &message, 0);
    send(general, &message, fx);
}

/* Tell what the last round brought. */
static void relay(struct general *general, struct fx *fx)
{
    uint32_t count = general->heard_count;

    general->heard_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct generals_message message = general->heard[i];

        message.path[message.hops++] = (uint8_t)general->config.id;
        message.signatures[message.hops - 1] =
            generals_signature(general->config.key, &message, message.hops - 1);
        send(general, &message, fx);
    }
}

/* Rounds begin at start, start + round, ...; the last one ends with the decision. */
static void tick(struct general *general, uint64_t now_us, struct fx *fx)
{
    const struct generals_config *config = &general->config;
    uint64_t start_us = general->boot_us + config->start_us;

    while (!general->decided && now_us >= start_us + general->round * config->round_us) {
        general->round++;
        if (general->round > config->depth + 1) {
            decide(general, fx);
        } else if (general->round == 1 && config->id == 0) {
            command(general, fx);
        } else if (general->round > 1 && config->id != 0) {
            relay(general, fx);
        }
    }
    if (!general->decided) {
        fx_wake(fx, start_us + general->round * config->round_us);
    }
}

static void on_ask(struct general *general, const struct input *in, struct fx *fx)
{
    uint8_t refused = 1;

    if (general->config.id == 0 && general->round == 0 && in->ask.span.len == 1 &&
        in->ask.span.at[0] <= GENERALS_ATTACK) {
        general->order = (enum generals_order)in->ask.span.at[0];
        general->has_order = true;
        refused = 0;
        fx_note(fx, GENERALS_NOTE_ORDERED, general->order, 0, 0, span_make(NULL, 0));
    }
    fx_answer(fx, in->ask.tag, fx_copy(fx, span_make(&refused, 1)));
}

static void general_step(void *self, const struct input *in, struct fx *fx)
{
    struct general *general = self;

    if (in->kind == IN_BOOT) {
        rand_init(&general->rand, in->boot.seed);
        general->boot_us = in->mono_us;
    }
    /* What arrives at the very end of a round belongs to the next one. */
    tick(general, in->mono_us, fx);
    switch (in->kind) {
    case IN_POST:
        hear(general, in->post.from, in->post.span, fx);
        return;
    case IN_ASK:
        on_ask(general, in, fx);
        return;
    case IN_BOOT:
    case IN_WAKE:
    case IN_LISTENING:
    case IN_OPENED:
    case IN_DRAINED:
    case IN_BYTES:
    case IN_CLOSED:
    case IN_DONE:
    case IN_DATA:
        return;
    }
    UNREACHABLE();
}

const struct process_ops generals_ops = {
    .name = "generals",
    .make = general_make,
    .step = general_step,
};
