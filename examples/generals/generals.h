/* generals.h - the Byzantine generals as a guest of the simulator: oral and signed messages.
 *
 * General 1 commands, the others are its lieutenants. Loyal ones follow OM(m) or SM(m) of Lamport,
 * Shostak and Pease, "The Byzantine Generals Problem" (1982), sections 3 and 4; traitors follow it
 * too but lie, and to each receiver as they like. Time goes in rounds of equal length, counted from
 * the start of each process: absence of a message is noticed at the end of its round (assumption A3
 * of the paper). `generals_guest` are the words by which scenario files speak of it. */
#ifndef EXAMPLES_GENERALS_H
#define EXAMPLES_GENERALS_H

#include "base/step.h"
#include "sim/guest.h"

#define GENERALS_MAX       16u
#define GENERALS_DEPTH_MAX 3u /* m */

extern const struct guest generals_guest;
extern const struct process_ops generals_ops; /* config: generals_config_write */

enum generals_order {
    GENERALS_RETREAT, /* what is done without an order, too */
    GENERALS_ATTACK,
    GENERALS_SILENCE, /* of a traitor: no message at all */
};

/* What a traitor says instead of `order`, to the receivers in the order of their numbers. */
enum generals_lie {
    GENERALS_LOYAL,
    GENERALS_SPLIT,  /* attack to receivers with even numbers, retreat to the others */
    GENERALS_FLIP,   /* the opposite of what it was told */
    GENERALS_MUTE,   /* nothing */
    GENERALS_RANDOM, /* anything of the three, drawn for each message */
    GENERALS_SCRIPT, /* the n-th message it sends: base-3 digit n of `script`, see generals_order */
};

/* Of a process. Keys of signatures: each general signs with its own; traitors know those of all
 * traitors and may sign for each other, and nobody can sign for a loyal one (assumption A4). */
struct generals_config {
    uint32_t id;                 /* from 0; 0 commands */
    uint32_t count;              /* generals */
    uint32_t depth;              /* m: traitors that shall be borne */
    bool is_signed;              /* SM(m) instead of OM(m) */
    uint64_t start_us, round_us; /* when the commander speaks; how long a round is */
    enum generals_lie lies[GENERALS_MAX];
    uint64_t script; /* of this one */
    uint64_t key;    /* of all signatures in this world */
};
void generals_config_write(const struct generals_config *config, struct bytes *out);
enum err generals_config_read(struct span span, struct generals_config *config);

enum generals_note {
    GENERALS_NOTE_ORDERED = 1, /* the commander: a = order */
    GENERALS_NOTE_DECIDED,     /* a = order */
    GENERALS_NOTE_REFUSED,     /* a message that cannot be true was ignored: a = sender */
};

/* IN_ASK of the commander: one byte, the order. It is answered with one byte, 0, when it is sent;
 * another general, or the commander after the start, answers 1. */

/* An order and the generals through whose hands it went, the commander first:
 * OM: "the last one told me that the one before told him ... that the order is `order`";
 * SM: the order with the signatures of all of them. */
struct generals_message {
    enum generals_order order;
    uint32_t hops;
    uint8_t path[GENERALS_DEPTH_MAX + 1];
    uint64_t signatures[GENERALS_DEPTH_MAX + 1]; /* SM */
};
void generals_message_encode(const struct generals_message *message, bool is_signed,
                             struct bytes *out);
/* Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT, ERR_RANGE: general or order that does not exist, or a
 * path that meets somebody twice or does not begin with the commander. */
enum err generals_message_decode(struct span span, uint32_t count,
                                 struct generals_message *message);
/* The signature of the general at `hop` of the path over all before it. */
uint64_t generals_signature(uint64_t key, const struct generals_message *message, uint32_t hop);
bool generals_message_is_signed(uint64_t key, const struct generals_message *message);

#define GENERALS_RECORDS 1u
extern const struct guest_record generals_records[GENERALS_RECORDS];
extern const struct sim_codec generals_codec;

#endif
