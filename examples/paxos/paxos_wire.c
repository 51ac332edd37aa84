#include "examples/paxos/paxos_wire.h"

#include "base/hash.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define VOTE_MIN     20u /* bytes of a vote without value */

/* ---- configuration ---- */

void paxos_config_write(const struct paxos_config *config, struct bytes *out)
{
    bytes_u32(out, config->id);
    bytes_u32(out, config->nodes);
    bytes_u8(out, (uint8_t)config->forget);
    bytes_u64(out, config->retry_us);
    bytes_u64(out, config->heartbeat_us);
}

enum err paxos_config_read(struct span span, struct paxos_config *config)
{
    struct reader reader;
    uint8_t forget;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    config->id = reader_u32(&reader);
    config->nodes = reader_u32(&reader);
    forget = reader_u8(&reader);
    config->retry_us = reader_u64(&reader);
    config->heartbeat_us = reader_u64(&reader);
    if (forget > PAXOS_FORGET_VALUE || config->nodes > PAXOS_NODES_MAX ||
        config->id >= config->nodes || config->retry_us == 0 || config->heartbeat_us == 0) {
        return ERR_RANGE;
    }
    config->forget = (enum paxos_forget)forget;
    return reader_finish(&reader);
}

/* ---- messages ---- */

static void put_value(struct bytes *out, struct span value)
{
    bytes_u32(out, (uint32_t)value.len);
    bytes_raw(out, value.at, value.len);
}

static struct span get_value(struct reader *reader)
{
    uint32_t len = reader_u32(reader);

    if (len > PAXOS_VALUE_MAX) {
        reader_fail(reader, ERR_LONG);
    }
    return reader_raw(reader, len);
}

/* Every message has the same head, so that the world can describe it without cases:
 *
 *     u8 type   u64 ballot   u64 slot   u64 promised   u32 votes   u32 length   value   votes... */
void paxos_wire_encode(const struct paxos_message *message, struct bytes *out)
{
    bytes_u8(out, (uint8_t)message->type);
    bytes_u64(out, message->ballot);
    bytes_u64(out, message->slot);
    bytes_u64(out, message->promised);
    bytes_u32(out, message->vote_count);
    put_value(out, message->value);
}

void paxos_wire_put_vote(const struct paxos_vote *vote, struct bytes *out)
{
    bytes_u64(out, vote->slot);
    bytes_u64(out, vote->ballot);
    put_value(out, vote->value);
}

static struct paxos_vote get_vote(struct reader *reader)
{
    struct paxos_vote vote;

    vote.slot = reader_u64(reader);
    vote.ballot = reader_u64(reader);
    vote.value = get_value(reader);
    return vote;
}

enum err paxos_wire_decode(struct span span, struct paxos_message *message)
{
    struct reader reader;
    size_t start;
    uint8_t type;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    *message = (struct paxos_message){0};
    type = reader_u8(&reader);
    message->ballot = reader_u64(&reader);
    message->slot = reader_u64(&reader);
    message->promised = reader_u64(&reader);
    message->vote_count = reader_u32(&reader);
    message->value = get_value(&reader);
    start = reader.pos;
    if (type == PAXOS_NO_TYPE || type >= PAXOS_TYPES ||
        message->vote_count > reader_left(&reader) / VOTE_MIN) {
        return reader.err != ERR_OK ? reader.err : ERR_FORMAT;
    }
    message->type = (enum paxos_type)type;
    for (uint32_t i = 0; i < message->vote_count; i++) {
        (void)get_vote(&reader);
    }
    message->votes = span_make(span.at + start, span.len - start);
    return reader_finish(&reader);
}

bool paxos_wire_vote(struct span *votes, struct paxos_vote *vote)
{
    struct reader reader;

    reader_init(&reader, *votes, READER_MAX_DEFAULT);
    *vote = get_vote(&reader);
    if (reader.err != ERR_OK) {
        return false;
    }
    *votes = span_make(votes->at + reader.pos, votes->len - reader.pos);
    return true;
}

/* ---- what the world sees ---- */

static const struct guest_field fields[] = {
    {.name = "ballot"}, {.name = "slot"},  {.name = "promised"},
    {.name = "votes"},  {.name = "round"}, {.name = "owner", .process = true},
};

const struct guest_record paxos_records[PAXOS_RECORDS] = {
#define X(text) {.name = #text, .fields = fields, .field_count = COUNT(fields)},
    PAXOS_MESSAGE_MAP(X)
#undef X
};

static size_t codec_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    struct paxos_message message;
    const int64_t *values;

    (void)state;
    (void)from_dialer;
    if (paxos_wire_decode(input, &message) != ERR_OK) {
        return 0;
    }
    values = (const int64_t[]){(int64_t)message.ballot,
                               (int64_t)message.slot,
                               (int64_t)message.promised,
                               (int64_t)message.vote_count,
                               (int64_t)paxos_ballot_round(message.ballot),
                               (int64_t)paxos_ballot_owner(message.ballot)};
    *record = (struct sim_record){
        .name = paxos_records[message.type - 1].name,
        .key = hash_bytes(input, 0),
        .field_count = COUNT(fields),
        .essential = message.type != PAXOS_HEARTBEAT && message.type != PAXOS_HEARD &&
                     message.type != PAXOS_QUERY,
    };
    for (uint32_t i = 0; i < COUNT(fields); i++) {
        record->fields[i].name = fields[i].name;
        record->fields[i].value = values[i];
    }
    return input.len;
}

const struct sim_codec paxos_codec = {.name = "paxos", .cut = codec_cut};
