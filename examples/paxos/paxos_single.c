/* The single decree. Each process is proposer, acceptor and learner; it posts to itself as to the
 * others, so that every rule stands in one place.
 *
 *     proposer   PREPARE(b) to all ---> a majority of PROMISE(b, what I accepted last) --->
 *                ACCEPT(b, the value of the highest ballot among them, or my own) to all
 *     acceptor   promises b when it promised nothing newer, accepts (b, v) when it promised nothing
 *                newer; either is on disk before the answer leaves
 *     learner    a value is chosen once a majority accepted it in the same ballot
 *
 * A proposer whose ballot came to nothing waits a random time and tries a higher one: two that duel
 * get out of step. Source: Lamport, "Paxos made simple" (2001), section 2. */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/rand.h"
#include "examples/paxos/paxos_wire.h"

#define FILE_STATE "synod"
#define ASKS_MAX   64u

struct value {
    uint32_t len;
    uint8_t at[PAXOS_VALUE_MAX];
};

enum single_phase {
    SINGLE_IDLE,
    SINGLE_PREPARING,
    SINGLE_ACCEPTING,
};

struct single {
    struct paxos_config config;
    struct rand rand;
    /* durable */
    uint64_t round; /* the highest that this process proposed in */
    uint64_t promised;
    uint64_t accepted_ballot; /* 0: nothing accepted */
    struct value accepted;
    /* proposer */
    enum single_phase phase;
    bool wishes;       /* wants a decision */
    struct value wish; /* what it proposes when it is free to */
    uint64_t ballot;
    uint64_t seen_round;
    uint64_t promises; /* bits of acceptors */
    uint64_t best_ballot;
    struct value best;
    uint64_t retry_at_us;
    uint64_t asks[ASKS_MAX]; /* tags to be answered with the decision */
    uint32_t ask_count;
    /* learner */
    uint64_t heard_ballot[PAXOS_NODES_MAX]; /* last ACCEPTED of each acceptor */
    bool decided;
    struct value decision;
    uint64_t query_at_us;
};

static struct span value_span(const struct value *value)
{
    return span_make(value->at, value->len);
}

static void value_set(struct value *value, struct span span)
{
    ENSURE(span.len <= PAXOS_VALUE_MAX);
    value->len = (uint32_t)span.len;
    if (span.len > 0) {
        memcpy(value->at, span.at, span.len);
    }
}

static uint32_t majority(const struct single *single)
{
    return single->config.nodes / 2 + 1;
}

static void *single_make(struct mem *mem, struct span config)
{
    struct single *single = mem_get_zero(mem, sizeof(*single));

    if (single == NULL || paxos_config_read(config, &single->config) != ERR_OK) {
        return NULL;
    }
    return single;
}

/* ---- sending ---- */

static void post(struct fx *fx, uint32_t to, const struct paxos_message *message)
{
    struct bytes *out = fx_out(fx);

    paxos_wire_encode(message, out);
    fx_post(fx, to, bytes_span(out));
}

static void post_all(const struct single *single, struct fx *fx,
                     const struct paxos_message *message)
{
    for (uint32_t i = 0; i < single->config.nodes; i++) {
        post(fx, i, message);
    }
}

/* ---- disk ---- */

static void save(const struct single *single, struct fx *fx)
{
    enum paxos_forget forget = single->config.forget;
    struct bytes *out = fx_out(fx);
    uint64_t accepted = forget == PAXOS_FORGET_ACCEPTED ? 0 : single->accepted_ballot;

    bytes_u64(out, single->round);
    bytes_u64(out, forget == PAXOS_FORGET_PROMISE ? accepted : single->promised);
    bytes_u64(out, accepted);
    bytes_u32(out, single->accepted.len);
    bytes_raw(out, single->accepted.at, single->accepted.len);
    fx_replace(fx, DIR_DATA, span_text(FILE_STATE), bytes_span(out), 0);
}

static enum err load(struct single *single, struct span file)
{
    struct reader reader;
    uint32_t len;

    reader_init(&reader, file, READER_MAX_DEFAULT);
    single->round = reader_u64(&reader);
    single->promised = reader_u64(&reader);
    single->accepted_ballot = reader_u64(&reader);
    len = reader_u32(&reader);
    if (len > PAXOS_VALUE_MAX) {
        return ERR_LONG;
    }
    value_set(&single->accepted, reader_raw(&reader, len));
    return reader_finish(&reader);
}

static void note_state(const struct single *single, struct fx *fx)
{
    enum paxos_state state = single->decided                ? PAXOS_DECIDED
                             : single->phase == SINGLE_IDLE ? PAXOS_ACCEPTING
                                                            : PAXOS_PROPOSING;

    fx_note(fx, PAXOS_NOTE_STATE, state, single->ballot, 0, span_make(NULL, 0));
}

/* ---- proposer ---- */

static void retry_later(struct single *single, uint64_t now_us)
{
    uint64_t retry_us = single->config.retry_us;

    single->retry_at_us = now_us + retry_us + rand_below(&single->rand, 2 * retry_us);
}

static void propose(struct single *single, uint64_t now_us, struct fx *fx)
{
    uint64_t round = single->round > single->seen_round ? single->round : single->seen_round;

    single->round = round + 1;
    single->ballot = paxos_ballot(single->round, single->config.id);
    single->phase = SINGLE_PREPARING;
    single->promises = 0;
    single->best_ballot = 0;
    retry_later(single, now_us);
    save(single, fx); /* a ballot is used once, also across a crash */
    note_state(single, fx);
    post_all(single, fx,
             &(struct paxos_message){.type = PAXOS_PREPARE, .ballot = single->ballot, .slot = 1});
}

static void on_promise(struct single *single, uint32_t from, const struct paxos_message *message,
                       struct fx *fx)
{
    struct span votes = message->votes;
    struct paxos_vote vote;
    const struct value *value;

    if (single->phase != SINGLE_PREPARING || message->ballot != single->ballot) {
        return;
    }
    while (paxos_wire_vote(&votes, &vote)) {
        if (vote.ballot > single->best_ballot) {
            single->best_ballot = vote.ballot;
            value_set(&single->best, vote.value);
        }
    }
    single->promises |= 1ull << from;
    if ((uint32_t)__builtin_popcountll(single->promises) < majority(single)) {
        return;
    }
    single->phase = SINGLE_ACCEPTING;
    value = single->best_ballot == 0 || single->config.forget == PAXOS_FORGET_VALUE ? &single->wish
                                                                                    : &single->best;
    post_all(
        single, fx,
        &(struct paxos_message){
            .type = PAXOS_ACCEPT, .ballot = single->ballot, .slot = 1, .value = value_span(value)});
}

static void on_refuse(struct single *single, const struct paxos_message *message, uint64_t now_us,
                      struct fx *fx)
{
    uint64_t round = paxos_ballot_round(message->promised);

    if (round > single->seen_round) {
        single->seen_round = round;
    }
    if (single->phase != SINGLE_IDLE && message->ballot == single->ballot) {
        single->phase = SINGLE_IDLE;
        retry_later(single, now_us);
        note_state(single, fx);
    }
}

/* ---- acceptor ---- */

static void refuse(const struct single *single, uint32_t to, uint64_t ballot, struct fx *fx)
{
    post(fx, to,
         &(struct paxos_message){
             .type = PAXOS_REFUSE, .ballot = ballot, .promised = single->promised});
}

static void on_prepare(struct single *single, uint32_t from, const struct paxos_message *message,
                       struct fx *fx)
{
    struct paxos_message promise = {.type = PAXOS_PROMISE,
                                    .ballot = message->ballot,
                                    .vote_count = single->accepted_ballot == 0 ? 0 : 1};
    struct bytes *out;

    if (message->ballot < single->promised) {
        refuse(single, from, message->ballot, fx);
        return;
    }
    if (message->ballot > single->promised) {
        single->promised = message->ballot;
        if (single->config.forget != PAXOS_FORGET_PROMISE) {
            save(single, fx);
        }
        fx_note(fx, PAXOS_NOTE_PROMISED, message->ballot, 0, 0, span_make(NULL, 0));
    }
    out = fx_out(fx);
    paxos_wire_encode(&promise, out);
    if (promise.vote_count > 0) {
        paxos_wire_put_vote(&(struct paxos_vote){.slot = 1,
                                                 .ballot = single->accepted_ballot,
                                                 .value = value_span(&single->accepted)},
                            out);
    }
    fx_post(fx, from, bytes_span(out));
}

static void on_accept(struct single *single, uint32_t from, const struct paxos_message *message,
                      struct fx *fx)
{
    if (message->ballot < single->promised) {
        refuse(single, from, message->ballot, fx);
        return;
    }
    single->promised = message->ballot;
    single->accepted_ballot = message->ballot;
    value_set(&single->accepted, message->value);
    save(single, fx);
    fx_note(fx, PAXOS_NOTE_ACCEPTED, 1, message->ballot, hash_bytes(message->value, 0),
            span_make(NULL, 0));
    post_all(
        single, fx,
        &(struct paxos_message){
            .type = PAXOS_ACCEPTED, .ballot = message->ballot, .slot = 1, .value = message->value});
}

/* ---- learner ---- */

static void answer(const struct single *single, uint64_t tag, struct fx *fx)
{
    struct bytes *out = fx_out(fx);

    bytes_u8(out, PAXOS_OK);
    bytes_u64(out, 1);
    bytes_raw(out, single->decision.at, single->decision.len);
    fx_answer(fx, tag, bytes_span(out));
}

static void decide(struct single *single, struct span value, struct fx *fx)
{
    uint64_t hash = hash_bytes(value, 0);

    if (single->decided) {
        return;
    }
    single->decided = true;
    single->phase = SINGLE_IDLE;
    single->wishes = false;
    value_set(&single->decision, value);
    fx_note(fx, PAXOS_NOTE_DECIDED, 1, hash, hash_u64(hash, 1), value_span(&single->decision));
    note_state(single, fx);
    for (uint32_t i = 0; i < single->ask_count; i++) {
        answer(single, single->asks[i], fx);
    }
    single->ask_count = 0;
}

static void on_accepted(struct single *single, uint32_t from, const struct paxos_message *message,
                        struct fx *fx)
{
    uint32_t same = 0;

    if (message->ballot > single->heard_ballot[from]) {
        single->heard_ballot[from] = message->ballot;
    }
    for (uint32_t i = 0; i < single->config.nodes; i++) {
        same += single->heard_ballot[i] == message->ballot ? 1 : 0;
    }
    if (same >= majority(single)) {
        decide(single, message->value, fx);
    }
}

static void on_query(const struct single *single, uint32_t from, struct fx *fx)
{
    if (single->decided) {
        post(fx, from,
             &(struct paxos_message){
                 .type = PAXOS_CHOSEN, .slot = 1, .value = value_span(&single->decision)});
    } else if (single->accepted_ballot > 0) {
        post(fx, from,
             &(struct paxos_message){.type = PAXOS_ACCEPTED,
                                     .ballot = single->accepted_ballot,
                                     .slot = 1,
                                     .value = value_span(&single->accepted)});
    }
}

/* ---- steps ---- */

static void on_post(struct single *single, const struct input *in, struct fx *fx)
{
    struct paxos_message message;
    uint32_t from = in->post.from;

    if (from >= single->config.nodes || paxos_wire_decode(in->post.span, &message) != ERR_OK) {
        return;
    }
    switch (message.type) {
    case PAXOS_PREPARE:
        on_prepare(single, from, &message, fx);
        return;
    case PAXOS_PROMISE:
        on_promise(single, from, &message, fx);
        return;
    case PAXOS_REFUSE:
        on_refuse(single, &message, in->mono_us, fx);
        return;
    case PAXOS_ACCEPT:
        on_accept(single, from, &message, fx);
        return;
    case PAXOS_ACCEPTED:
        on_accepted(single, from, &message, fx);
        return;
    case PAXOS_CHOSEN:
        decide(single, message.value, fx);
        return;
    case PAXOS_QUERY:
        on_query(single, from, fx);
        return;
    case PAXOS_HEARTBEAT:
    case PAXOS_HEARD:
    case PAXOS_NO_TYPE:
    case PAXOS_TYPES:
        return;
    }
    UNREACHABLE();
}

static void on_ask(struct single *single, const struct input *in, struct fx *fx)
{
    uint8_t refused = PAXOS_REFUSED;

    if (single->decided) {
        answer(single, in->ask.tag, fx);
        return;
    }
    if (in->ask.span.len > PAXOS_VALUE_MAX || single->ask_count == ASKS_MAX) {
        fx_answer(fx, in->ask.tag, span_make(&refused, 1));
        return;
    }
    single->asks[single->ask_count++] = in->ask.tag;
    if (!single->wishes) {
        single->wishes = true;
        value_set(&single->wish, in->ask.span);
        propose(single, in->mono_us, fx);
    }
}

static void on_boot(struct single *single, const struct input *in, struct fx *fx)
{
    rand_init(&single->rand, in->boot.seed);
    for (uint32_t i = 0; i < in->boot.count; i++) {
        enum err err = span_is(in->boot.files[i].name, FILE_STATE)
                           ? load(single, in->boot.files[i].bytes)
                           : ERR_OK;

        if (err != ERR_OK) {
            fx_halt(fx, 1, span_text(err_text(err)));
            return;
        }
    }
    note_state(single, fx);
    single->query_at_us = in->mono_us + single->config.retry_us;
}

/* What is due. A process that knows nothing asks the others now and then. */
static void tick(struct single *single, uint64_t now_us, struct fx *fx)
{
    if (single->decided) {
        return;
    }
    if (single->wishes && now_us >= single->retry_at_us) {
        propose(single, now_us, fx);
    }
    if (now_us >= single->query_at_us) {
        uint32_t to = (uint32_t)rand_below(&single->rand, single->config.nodes);

        post(fx, to, &(struct paxos_message){.type = PAXOS_QUERY, .slot = 1});
        single->query_at_us = now_us + single->config.retry_us;
    }
    fx_wake(fx, single->query_at_us);
    if (single->wishes) {
        fx_wake(fx, single->retry_at_us);
    }
}

static void single_step(void *self, const struct input *in, struct fx *fx)
{
    struct single *single = self;

    switch (in->kind) {
    case IN_BOOT:
        on_boot(single, in, fx);
        break;
    case IN_POST:
        on_post(single, in, fx);
        break;
    case IN_ASK:
        on_ask(single, in, fx);
        break;
    case IN_DONE:
        if (in->done.err != ERR_OK) {
            fx_halt(fx, 1, span_text(err_text(in->done.err)));
            return;
        }
        break;
    case IN_WAKE:
    case IN_LISTENING:
    case IN_OPENED:
    case IN_DRAINED:
    case IN_BYTES:
    case IN_CLOSED:
    case IN_DATA:
        break;
    }
    tick(single, in->mono_us, fx);
}

const struct process_ops paxos_single_ops = {
    .name = "paxos",
    .make = single_make,
    .step = single_step,
};
