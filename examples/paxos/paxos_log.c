/* A replicated log: one instance of Paxos a slot, with one first phase for all of them.
 *
 *     following --- nothing heard of a leader ---> preparing: PREPARE(b, first open slot) to all
 *     preparing --- a majority of PROMISE(b, all accepted from there on) ---> leading: what they
 *                   accepted is proposed again in b, gaps are filled with the empty value
 *     leading   --- each value asked for: ACCEPT(b, slot, value), a majority of ACCEPTED: chosen
 *     any       --- a higher ballot ---> following
 *
 * Slots are applied in order. A leader's heartbeats repeat what was not acknowledged, and tell
 * followers that are behind what was chosen. Source: Lamport, "Paxos made simple", section 3. */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/ring.h"
#include "examples/paxos/paxos_slots.h"

#define FILE_PROMISED "promised"
#define FILE_ACCEPTED "accepted"
#define TAG_READ      1u
#define TAG_FIRST     16u
#define REPEAT_MAX    64u /* slots repeated to one process in one heartbeat */

enum log_phase {
    LOG_READING, /* IN_BOOT named a file that did not come whole */
    LOG_FOLLOWING,
    LOG_PREPARING,
    LOG_LEADING,
    LOG_ENDED,
};

/* An ACCEPTED that leaves when its record is durable. */
struct log_ack {
    uint64_t tag, ballot, slot;
};

struct log {
    struct paxos_config config;
    struct rand rand;
    struct fx *fx; /* of the step that runs */
    uint64_t now_us;
    enum log_phase phase;
    uint64_t round, promised; /* durable */
    struct paxos_slots slots;
    uint64_t file_len;
    uint64_t ballot; /* of this process as proposer */
    uint64_t promises;
    uint64_t next_slot;
    struct ring acks;
    uint64_t next_tag;
    uint64_t history;
    uint64_t deadline_us; /* without leader, or without majority, until then: prepare */
    uint64_t heartbeat_us;
};

static uint32_t majority(const struct log *log)
{
    return log->config.nodes / 2 + 1;
}

static bool is_majority(const struct log *log, uint64_t bits)
{
    return (uint32_t)__builtin_popcountll(bits) >= majority(log);
}

static void *log_make(struct mem *mem, struct span config)
{
    struct log *log = mem_get_zero(mem, sizeof(*log));

    if (log == NULL || paxos_config_read(config, &log->config) != ERR_OK) {
        return NULL;
    }
    paxos_slots_init(&log->slots, mem);
    ring_init(&log->acks, mem, sizeof(struct log_ack));
    log->next_tag = TAG_FIRST;
    return log;
}

static void log_end(struct log *log, const char *why)
{
    log->phase = LOG_ENDED;
    fx_halt(log->fx, 1, span_text(why));
}

/* ---- sending ---- */

static void post(struct log *log, uint32_t to, const struct paxos_message *message)
{
    struct bytes *out = fx_out(log->fx);

    paxos_wire_encode(message, out);
    fx_post(log->fx, to, bytes_span(out));
}

static void post_all(struct log *log, const struct paxos_message *message)
{
    for (uint32_t i = 0; i < log->config.nodes; i++) {
        post(log, i, message);
    }
}

static void post_accept(struct log *log, uint32_t to, uint64_t slot)
{
    post(log, to,
         &(struct paxos_message){
             .type = PAXOS_ACCEPT,
             .ballot = log->ballot,
             .slot = slot,
             .value = paxos_slots_value(&log->slots, paxos_slots_find(&log->slots, slot))});
}

static void save_promised(struct log *log)
{
    struct bytes *out = fx_out(log->fx);

    bytes_u64(out, log->round);
    bytes_u64(out, log->config.forget == PAXOS_FORGET_PROMISE ? 0 : log->promised);
    fx_replace(log->fx, DIR_DATA, span_text(FILE_PROMISED), bytes_span(out), 0);
}

static void set_phase(struct log *log, enum log_phase phase)
{
    enum paxos_state state = phase == LOG_LEADING     ? PAXOS_LEADING
                             : phase == LOG_PREPARING ? PAXOS_PROPOSING
                                                      : PAXOS_ACCEPTING;

    if (log->phase != phase) {
        log->phase = phase;
        fx_note(log->fx, PAXOS_NOTE_STATE, state, log->ballot, 0, span_make(NULL, 0));
    }
}

static void wait_for_leader(struct log *log)
{
    log->deadline_us =
        log->now_us + log->config.retry_us + rand_below(&log->rand, log->config.retry_us);
}

/* ---- answers ---- */

static void answer(struct log *log, uint64_t tag, enum paxos_answer what, uint64_t slot)
{
    struct bytes *out = fx_out(log->fx);

    bytes_u8(out, (uint8_t)what);
    if (what == PAXOS_OK) {
        struct span value = paxos_slots_value(&log->slots, paxos_slots_find(&log->slots, slot));

        bytes_u64(out, slot);
        bytes_raw(out, value.at, value.len);
    }
    fx_answer(log->fx, tag, bytes_span(out));
}

/* Another one leads: what was asked for here may be chosen or not. */
static void step_down(struct log *log)
{
    for (uint64_t i = log->slots.chosen + 1; log->phase == LOG_LEADING && i <= log->slots.count;
         i++) {
        struct paxos_slot *slot = paxos_slots_find(&log->slots, i);

        if (slot->tag != 0) {
            answer(log, slot->tag, PAXOS_LOST, i);
            slot->tag = 0;
        }
    }
    wait_for_leader(log);
    set_phase(log, LOG_FOLLOWING);
}

/* ---- learner ---- */

/* Apply the chosen slots that follow the last applied one. */
static void apply(struct log *log)
{
    struct paxos_slots *slots = &log->slots;
    struct paxos_slot *slot;

    while ((slot = paxos_slots_find(slots, slots->chosen + 1)) != NULL && slot->chosen) {
        struct span value = paxos_slots_value(slots, slot);
        uint64_t hash = hash_bytes(value, 0);

        slots->chosen++;
        log->history = hash_u64(log->history, hash ^ slots->chosen);
        fx_note(log->fx, PAXOS_NOTE_DECIDED, slots->chosen, hash, log->history, value);
        if (slot->tag != 0) {
            answer(log, slot->tag, PAXOS_OK, slots->chosen);
            slot->tag = 0;
        }
    }
}

static void on_chosen(struct log *log, const struct paxos_message *message)
{
    struct paxos_slot *slot = paxos_slots_find(&log->slots, message->slot);

    if (slot != NULL && slot->tag != 0 &&
        !span_equal(paxos_slots_value(&log->slots, slot), message->value)) {
        answer(log, slot->tag, PAXOS_REFUSED, 0); /* a newer leader filled the slot */
        slot->tag = 0;
    }
    if (paxos_slots_choose(&log->slots, message->slot, message->value) == ERR_OK) {
        apply(log);
    }
}

/* ---- acceptor ---- */

static void refuse(struct log *log, uint32_t to, uint64_t ballot)
{
    post(
        log, to,
        &(struct paxos_message){.type = PAXOS_REFUSE, .ballot = ballot, .promised = log->promised});
}

/* False when a newer ballot was promised. */
static bool promise(struct log *log, uint64_t ballot)
{
    if (ballot < log->promised) {
        return false;
    }
    if (ballot > log->promised) {
        log->promised = ballot;
        if (log->config.forget != PAXOS_FORGET_PROMISE) {
            save_promised(log);
        }
        fx_note(log->fx, PAXOS_NOTE_PROMISED, ballot, 0, 0, span_make(NULL, 0));
        if (paxos_ballot_owner(ballot) != log->config.id &&
            (log->phase == LOG_LEADING || log->phase == LOG_PREPARING)) {
            step_down(log);
        }
    }
    return true;
}

static void on_prepare(struct log *log, uint32_t from, const struct paxos_message *message)
{
    struct paxos_message reply = {
        .type = PAXOS_PROMISE, .ballot = message->ballot, .slot = log->slots.chosen};
    struct bytes *out;

    if (message->slot == 0 || !promise(log, message->ballot)) {
        refuse(log, from, message->ballot);
        return;
    }
    wait_for_leader(log);
    for (uint64_t i = message->slot; i <= log->slots.count; i++) {
        reply.vote_count += paxos_slots_find(&log->slots, i)->ballot != 0 ? 1 : 0;
    }
    out = fx_out(log->fx);
    paxos_wire_encode(&reply, out);
    for (uint64_t i = message->slot; i <= log->slots.count; i++) {
        const struct paxos_slot *slot = paxos_slots_find(&log->slots, i);

        if (slot->ballot != 0) {
            paxos_wire_put_vote(&(struct paxos_vote){.slot = i,
                                                     .ballot = slot->ballot,
                                                     .value = paxos_slots_value(&log->slots, slot)},
                                out);
        }
    }
    fx_post(log->fx, from, bytes_span(out));
}

static void ack(struct log *log, uint64_t ballot, uint64_t slot)
{
    post(log, paxos_ballot_owner(ballot),
         &(struct paxos_message){.type = PAXOS_ACCEPTED, .ballot = ballot, .slot = slot});
}

/* Write the value down; the answer leaves when it is durable. */
static void accept(struct log *log, const struct paxos_vote *vote)
{
    struct span record;
    struct log_ack *waiting;

    if (paxos_slots_accept(&log->slots, vote, &record) != ERR_OK) {
        log_end(log, "out of memory");
        return;
    }
    fx_note(log->fx, PAXOS_NOTE_ACCEPTED, vote->slot, vote->ballot, hash_bytes(vote->value, 0),
            span_make(NULL, 0));
    if (log->config.forget == PAXOS_FORGET_ACCEPTED) {
        ack(log, vote->ballot, vote->slot);
        return;
    }
    waiting = ring_push(&log->acks);
    if (waiting == NULL) {
        log_end(log, "out of memory");
        return;
    }
    *waiting = (struct log_ack){log->next_tag++, vote->ballot, vote->slot};
    fx_append_lent(log->fx, DIR_LOG, span_text(FILE_ACCEPTED), log->file_len,
                   fx_copy(log->fx, record), 0);
    fx_sync(log->fx, DIR_LOG, span_text(FILE_ACCEPTED), waiting->tag);
    log->file_len += record.len;
}

static void on_accept(struct log *log, uint32_t from, const struct paxos_message *message)
{
    const struct paxos_slot *slot = paxos_slots_find(&log->slots, message->slot);

    if (paxos_ballot_owner(message->ballot) != from || message->slot == 0 ||
        !promise(log, message->ballot)) {
        refuse(log, from, message->ballot);
        return;
    }
    wait_for_leader(log);
    if (slot != NULL && slot->chosen) {
        ack(log, message->ballot, message->slot); /* the leader can only propose what is chosen */
        return;
    }
    /* The message may point into memory that grows: nothing of it is used after this. */
    accept(log, &(struct paxos_vote){
                    .slot = message->slot, .ballot = message->ballot, .value = message->value});
}

/* Syncs end in order, and each covers all that was appended before it. */
static void on_done(struct log *log, uint64_t tag)
{
    const struct log_ack *waiting;

    while ((waiting = ring_at(&log->acks, 0)) != NULL && waiting->tag <= tag) {
        ack(log, waiting->ballot, waiting->slot);
        ring_pop(&log->acks);
    }
}

/* ---- proposer ---- */

static void prepare(struct log *log)
{
    uint64_t round = paxos_ballot_round(log->promised);

    log->round = (round > log->round ? round : log->round) + 1;
    log->ballot = paxos_ballot(log->round, log->config.id);
    log->promises = 0;
    save_promised(log); /* a ballot is used once, also across a crash */
    set_phase(log, LOG_PREPARING);
    wait_for_leader(log);
    for (uint64_t i = log->slots.chosen + 1; i <= log->slots.count; i++) {
        paxos_slots_find(&log->slots, i)->acks = 0;
    }
    post_all(log, &(struct paxos_message){
                      .type = PAXOS_PREPARE, .ballot = log->ballot, .slot = log->slots.chosen + 1});
}

/* Take over what an acceptor accepted when it is newer than what is known here. Nothing is written:
 * this process accepts it like the others when it proposes it. */
static bool take_votes(struct log *log, struct span votes)
{
    struct paxos_vote vote;
    struct span record;

    while (paxos_wire_vote(&votes, &vote)) {
        struct paxos_slot *slot = paxos_slots_get(&log->slots, vote.slot);

        if (slot == NULL) {
            return false;
        }
        if (vote.ballot <= slot->ballot || log->config.forget == PAXOS_FORGET_VALUE) {
            continue;
        }
        if (paxos_slots_accept(&log->slots, &vote, &record) != ERR_OK) {
            return false;
        }
    }
    return true;
}

static void lead(struct log *log)
{
    set_phase(log, LOG_LEADING);
    log->next_slot = log->slots.count + 1;
    log->heartbeat_us = log->now_us; /* at once: it proposes the open slots */
}

static void on_promise(struct log *log, uint32_t from, const struct paxos_message *message)
{
    if (log->phase != LOG_PREPARING || message->ballot != log->ballot) {
        return;
    }
    if (!take_votes(log, message->votes)) {
        log_end(log, "out of memory");
        return;
    }
    log->promises |= 1ull << from;
    if (is_majority(log, log->promises)) {
        lead(log);
    }
}

static void on_accepted(struct log *log, uint32_t from, const struct paxos_message *message)
{
    struct paxos_slot *slot = paxos_slots_find(&log->slots, message->slot);

    if (log->phase != LOG_LEADING || message->ballot != log->ballot || slot == NULL) {
        return;
    }
    slot->acks |= 1ull << from;
    if (!slot->chosen && is_majority(log, slot->acks)) {
        struct paxos_message chosen = {.type = PAXOS_CHOSEN, .slot = message->slot};

        slot->chosen = true;
        slot->ballot = PAXOS_CHOSEN_BALLOT;
        chosen.value = paxos_slots_value(&log->slots, slot);
        for (uint32_t i = 0; i < log->config.nodes; i++) {
            if (i != log->config.id) {
                post(log, i, &chosen);
            }
        }
        apply(log);
    }
}

static void on_refuse(struct log *log, const struct paxos_message *message)
{
    if (paxos_ballot_round(message->promised) > log->round) {
        log->round = paxos_ballot_round(message->promised);
    }
    if (message->ballot == log->ballot &&
        (log->phase == LOG_LEADING || log->phase == LOG_PREPARING)) {
        step_down(log);
    }
}

static void on_ask(struct log *log, const struct input *in)
{
    struct paxos_vote vote = {.ballot = log->ballot, .value = in->ask.span};
    struct paxos_slot *slot;
    struct span record;

    if (log->phase != LOG_LEADING || in->ask.span.len > PAXOS_VALUE_MAX) {
        answer(log, in->ask.tag, PAXOS_REFUSED, 0);
        return;
    }
    vote.slot = log->next_slot;
    if (paxos_slots_accept(&log->slots, &vote, &record) != ERR_OK) {
        log_end(log, "out of memory");
        return;
    }
    slot = paxos_slots_find(&log->slots, log->next_slot);
    slot->ballot = 0; /* proposed, not yet accepted here */
    slot->tag = in->ask.tag;
    for (uint32_t p = 0; p < log->config.nodes; p++) {
        post_accept(log, p, log->next_slot);
    }
    log->next_slot++;
}

/* ---- heartbeats ---- */

static void heartbeat(struct log *log)
{
    log->heartbeat_us = log->now_us + log->config.heartbeat_us;
    for (uint32_t p = 0; p < log->config.nodes; p++) {
        uint32_t repeated = 0;

        for (uint64_t i = log->slots.chosen + 1; i < log->next_slot && repeated < REPEAT_MAX; i++) {
            const struct paxos_slot *slot = paxos_slots_find(&log->slots, i);

            if (!slot->chosen && (slot->acks >> p & 1) == 0) {
                post_accept(log, p, i);
                repeated++;
            }
        }
        if (p != log->config.id) {
            post(log, p,
                 &(struct paxos_message){
                     .type = PAXOS_HEARTBEAT, .ballot = log->ballot, .slot = log->slots.chosen});
        }
    }
}

static void on_heartbeat(struct log *log, uint32_t from, const struct paxos_message *message)
{
    if (message->ballot < log->promised) {
        refuse(log, from, message->ballot);
        return;
    }
    wait_for_leader(log);
    post(log, from,
         &(struct paxos_message){
             .type = PAXOS_HEARD, .ballot = message->ballot, .slot = log->slots.chosen});
}

/* Tell a follower what it lacks. */
static void on_heard(struct log *log, uint32_t from, const struct paxos_message *message)
{
    if (log->phase != LOG_LEADING || message->ballot != log->ballot) {
        return;
    }
    for (uint64_t i = message->slot + 1; i <= log->slots.chosen && i <= message->slot + REPEAT_MAX;
         i++) {
        post(log, from,
             &(struct paxos_message){
                 .type = PAXOS_CHOSEN,
                 .slot = i,
                 .value = paxos_slots_value(&log->slots, paxos_slots_find(&log->slots, i))});
    }
}

/* ---- steps ---- */

static void on_post(struct log *log, const struct input *in)
{
    struct paxos_message message;
    uint32_t from = in->post.from;

    if (log->phase == LOG_READING || from >= log->config.nodes ||
        paxos_wire_decode(in->post.span, &message) != ERR_OK) {
        return;
    }
    switch (message.type) {
    case PAXOS_PREPARE:
        on_prepare(log, from, &message);
        return;
    case PAXOS_PROMISE:
        on_promise(log, from, &message);
        return;
    case PAXOS_REFUSE:
        on_refuse(log, &message);
        return;
    case PAXOS_ACCEPT:
        on_accept(log, from, &message);
        return;
    case PAXOS_ACCEPTED:
        on_accepted(log, from, &message);
        return;
    case PAXOS_CHOSEN:
        on_chosen(log, &message);
        return;
    case PAXOS_HEARTBEAT:
        on_heartbeat(log, from, &message);
        return;
    case PAXOS_HEARD:
        on_heard(log, from, &message);
        return;
    case PAXOS_QUERY:
    case PAXOS_NO_TYPE:
    case PAXOS_TYPES:
        return;
    }
    UNREACHABLE();
}

/* The file of accepted values is here. */
static void start(struct log *log, struct span file)
{
    if (paxos_slots_load(&log->slots, file, &log->file_len) != ERR_OK) {
        log_end(log, "out of memory");
        return;
    }
    if (log->file_len < file.len) {
        fx_truncate(log->fx, DIR_LOG, span_text(FILE_ACCEPTED), log->file_len, 0);
    }
    /* Whoever accepted in a ballot has promised it too. */
    for (uint64_t i = 1; i <= log->slots.count; i++) {
        uint64_t ballot = paxos_slots_find(&log->slots, i)->ballot;

        log->promised = ballot > log->promised ? ballot : log->promised;
    }
    wait_for_leader(log);
    set_phase(log, LOG_FOLLOWING);
}

static void on_boot(struct log *log, const struct input *in)
{
    const struct file_view *accepted = NULL;

    rand_init(&log->rand, in->boot.seed);
    for (uint32_t i = 0; i < in->boot.count; i++) {
        const struct file_view *file = &in->boot.files[i];

        if (span_is(file->name, FILE_ACCEPTED)) {
            accepted = file;
        } else if (span_is(file->name, FILE_PROMISED)) {
            struct reader reader;

            reader_init(&reader, file->bytes, READER_MAX_DEFAULT);
            log->round = reader_u64(&reader);
            log->promised = reader_u64(&reader);
            if (reader_finish(&reader) != ERR_OK) {
                log_end(log, "the file of promises is damaged");
                return;
            }
        }
    }
    if (accepted != NULL && !accepted->whole) {
        fx_read(log->fx, DIR_LOG, accepted->name, 0, accepted->size, TAG_READ);
    } else {
        start(log, accepted == NULL ? span_make(NULL, 0) : accepted->bytes);
    }
}

static void tick(struct log *log)
{
    if (log->phase == LOG_READING || log->phase == LOG_ENDED) {
        return;
    }
    if (log->phase == LOG_LEADING) {
        if (log->now_us >= log->heartbeat_us) {
            heartbeat(log);
        }
        fx_wake(log->fx, log->heartbeat_us);
        return;
    }
    if (log->now_us >= log->deadline_us) {
        prepare(log);
    }
    fx_wake(log->fx, log->deadline_us);
}

static void log_step(void *self, const struct input *in, struct fx *fx)
{
    struct log *log = self;

    if (log->phase == LOG_ENDED) {
        return;
    }
    log->fx = fx;
    log->now_us = in->mono_us;
    switch (in->kind) {
    case IN_BOOT:
        on_boot(log, in);
        break;
    case IN_POST:
        on_post(log, in);
        break;
    case IN_ASK:
        on_ask(log, in);
        break;
    case IN_DONE:
        if (in->done.err != ERR_OK) {
            log_end(log, err_text(in->done.err));
        } else {
            on_done(log, in->done.tag);
        }
        break;
    case IN_DATA:
        if (in->data.err != ERR_OK) {
            log_end(log, err_text(in->data.err));
        } else if (log->phase == LOG_READING) {
            start(log, in->data.span);
        }
        break;
    case IN_WAKE:
    case IN_LISTENING:
    case IN_OPENED:
    case IN_DRAINED:
    case IN_BYTES:
    case IN_CLOSED:
        break;
    }
    tick(log);
    log->fx = NULL;
}

const struct process_ops paxos_log_ops = {
    .name = "paxos-log",
    .make = log_make,
    .step = log_step,
};
