#include "base/hash.h"
#include "examples/generals/generals.h"

/* ---- configuration ---- */

void generals_config_write(const struct generals_config *config, struct bytes *out)
{
    bytes_u32(out, config->id);
    bytes_u32(out, config->count);
    bytes_u32(out, config->depth);
    bytes_bool(out, config->is_signed);
    bytes_u64(out, config->start_us);
    bytes_u64(out, config->round_us);
    bytes_u64(out, config->script);
    bytes_u64(out, config->key);
    for (uint32_t i = 0; i < config->count; i++) {
        bytes_u8(out, (uint8_t)config->lies[i]);
    }
}

enum err generals_config_read(struct span span, struct generals_config *config)
{
    struct reader reader;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    *config = (struct generals_config){0};
    config->id = reader_u32(&reader);
    config->count = reader_u32(&reader);
    config->depth = reader_u32(&reader);
    config->is_signed = reader_bool(&reader);
    config->start_us = reader_u64(&reader);
    config->round_us = reader_u64(&reader);
    config->script = reader_u64(&reader);
    config->key = reader_u64(&reader);
    if (config->count < 2 || config->count > GENERALS_MAX || config->id >= config->count ||
        config->depth > GENERALS_DEPTH_MAX || config->round_us == 0) {
        return ERR_RANGE;
    }
    for (uint32_t i = 0; i < config->count; i++) {
        uint8_t lie = reader_u8(&reader);

        if (lie > GENERALS_SCRIPT) {
            return ERR_RANGE;
        }
        config->lies[i] = (enum generals_lie)lie;
    }
    return reader_finish(&reader);
}

/* ---- messages: u8 order, u8 hops, the path, and for SM a u64 a hop ---- */

void generals_message_encode(const struct generals_message *message, bool is_signed,
                             struct bytes *out)
{
    bytes_u8(out, (uint8_t)message->order);
    bytes_u8(out, (uint8_t)message->hops);
    bytes_raw(out, message->path, message->hops);
    for (uint32_t i = 0; is_signed && i < message->hops; i++) {
        bytes_u64(out, message->signatures[i]);
    }
}

enum err generals_message_decode(struct span span, uint32_t count, struct generals_message *message)
{
    struct reader reader;
    uint32_t seen = 0;
    uint8_t order;
    bool is_signed;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    *message = (struct generals_message){0};
    order = reader_u8(&reader);
    message->hops = reader_u8(&reader);
    if (order > GENERALS_ATTACK || message->hops == 0 || message->hops > GENERALS_DEPTH_MAX + 1) {
        return reader.err != ERR_OK ? reader.err : ERR_RANGE;
    }
    message->order = (enum generals_order)order;
    for (uint32_t i = 0; i < message->hops; i++) {
        uint8_t general = reader_u8(&reader);

        if (general >= count || (seen >> general & 1) != 0 || (i == 0 && general != 0)) {
            return reader.err != ERR_OK ? reader.err : ERR_RANGE;
        }
        seen |= 1u << general;
        message->path[i] = general;
    }
    is_signed = reader_left(&reader) > 0;
    for (uint32_t i = 0; is_signed && i < message->hops; i++) {
        message->signatures[i] = reader_u64(&reader);
    }
    return reader_finish(&reader);
}

/* A keyed hash stands for a signature: the rule that nobody computes one with the key of a loyal
 * general but that general itself is kept by the code of traitors, which has no other lies. */
uint64_t generals_signature(uint64_t key, const struct generals_message *message, uint32_t hop)
{
    uint64_t sum = hash_u64((uint64_t)message->order + 1, key ^ message->path[hop]);

    for (uint32_t i = 0; i <= hop; i++) {
        sum = hash_u64(message->path[i] + 1u, sum);
        if (i < hop) {
            sum = hash_u64(message->signatures[i], sum);
        }
    }
    return sum;
}

bool generals_message_is_signed(uint64_t key, const struct generals_message *message)
{
    for (uint32_t i = 0; i < message->hops; i++) {
        if (message->signatures[i] != generals_signature(key, message, i)) {
            return false;
        }
    }
    return true;
}

/* ---- what the world sees ---- */

static const struct guest_word order_words[] = {
    {"retreat", GENERALS_RETREAT}, {"attack", GENERALS_ATTACK}, {NULL, 0}};
static const struct guest_field fields[] = {
    {.name = "order", .words = order_words}, {.name = "hops"}, {.name = "by", .process = true}};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

const struct guest_record generals_records[GENERALS_RECORDS] = {
    {.name = "ORDER", .fields = fields, .field_count = FIELDS}};

static size_t codec_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    struct generals_message message;

    (void)state;
    (void)from_dialer;
    if (generals_message_decode(input, GENERALS_MAX, &message) != ERR_OK) {
        return 0;
    }
    *record = (struct sim_record){
        .name = generals_records[0].name,
        .key = hash_bytes(input, 0),
        .field_count = FIELDS,
        .essential = true,
    };
    record->fields[0].value = message.order;
    record->fields[1].value = message.hops;
    record->fields[2].value = message.hops > 1 ? message.path[message.hops - 2] : 0;
    for (uint32_t i = 0; i < FIELDS; i++) {
        record->fields[i].name = fields[i].name;
    }
    return input.len;
}

const struct sim_codec generals_codec = {.name = "generals", .cut = codec_cut};
