#include "examples/libraft/libraft_wire.h"

#include "base/hash.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Least bytes of an entry (term, type, length) and of a server (id, role, length). */
#define ENTRY_MIN  13u
#define SERVER_MIN 13u

/* ---- writing ---- */

static void put_span(struct bytes *out, const void *at, size_t len)
{
    bytes_u32(out, (uint32_t)len);
    bytes_raw(out, at, len);
}

void libraft_wire_put_configuration(struct bytes *out, const struct raft_configuration *conf)
{
    bytes_u32(out, conf->n);
    for (unsigned i = 0; i < conf->n; i++) {
        bytes_u64(out, conf->servers[i].id);
        bytes_u8(out, (uint8_t)conf->servers[i].role);
        put_span(out, conf->servers[i].address, strlen(conf->servers[i].address));
    }
}

static void put_append_entries(struct bytes *out, const struct raft_append_entries *args)
{
    bytes_u64(out, args->term);
    bytes_u64(out, args->prev_log_index);
    bytes_u64(out, args->prev_log_term);
    bytes_u64(out, args->leader_commit);
    bytes_u32(out, args->n_entries);
    for (unsigned i = 0; i < args->n_entries; i++) {
        const struct raft_entry *entry = &args->entries[i];

        bytes_u64(out, entry->term);
        bytes_u8(out, (uint8_t)entry->type);
        put_span(out, entry->buf.base, entry->buf.len);
    }
}

void libraft_wire_encode(const struct raft_message *message, struct bytes *out)
{
    bytes_u8(out, (uint8_t)message->type);
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        put_append_entries(out, &message->append_entries);
        return;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        bytes_u64(out, message->append_entries_result.term);
        bytes_u64(out, message->append_entries_result.rejected);
        bytes_u64(out, message->append_entries_result.last_log_index);
        return;
    case RAFT_IO_REQUEST_VOTE:
        bytes_u64(out, message->request_vote.term);
        bytes_u64(out, message->request_vote.candidate_id);
        bytes_u64(out, message->request_vote.last_log_index);
        bytes_u64(out, message->request_vote.last_log_term);
        bytes_bool(out, message->request_vote.disrupt_leader);
        bytes_bool(out, message->request_vote.pre_vote);
        return;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        bytes_u64(out, message->request_vote_result.term);
        bytes_bool(out, message->request_vote_result.vote_granted);
        bytes_u8(out, (uint8_t)message->request_vote_result.pre_vote);
        return;
    case RAFT_IO_INSTALL_SNAPSHOT:
        bytes_u64(out, message->install_snapshot.term);
        bytes_u64(out, message->install_snapshot.last_index);
        bytes_u64(out, message->install_snapshot.last_term);
        bytes_u64(out, message->install_snapshot.conf_index);
        libraft_wire_put_configuration(out, &message->install_snapshot.conf);
        put_span(out, message->install_snapshot.data.base, message->install_snapshot.data.len);
        return;
    case RAFT_IO_TIMEOUT_NOW:
        bytes_u64(out, message->timeout_now.term);
        bytes_u64(out, message->timeout_now.last_log_index);
        bytes_u64(out, message->timeout_now.last_log_term);
        return;
    default:
        out->failed = true; /* there is no other kind */
    }
}

/* ---- reading ---- */

static struct span get_span(struct reader *reader, uint32_t max)
{
    uint32_t len = reader_u32(reader);

    if (len > max) {
        reader_fail(reader, ERR_LONG);
    }
    return reader_raw(reader, len);
}

/* A count of things that need `item_min` bytes each, so that memory is bounded by the input. */
static uint32_t get_count(struct reader *reader, size_t item_min)
{
    uint32_t count = reader_u32(reader);

    if (count > reader_left(reader) / item_min) {
        reader_fail(reader, ERR_FORMAT);
        return 0;
    }
    return count;
}

static bool get_bool(struct reader *reader)
{
    uint8_t value = reader_u8(reader);

    if (value > 1) {
        reader_fail(reader, ERR_FORMAT);
    }
    return value == 1;
}

enum err libraft_wire_get_configuration(struct reader *reader, struct raft_configuration *conf)
{
    uint32_t count = get_count(reader, SERVER_MIN);
    char address[LIBRAFT_ADDRESS_MAX + 1];

    raft_configuration_init(conf);
    for (uint32_t i = 0; i < count && reader->err == ERR_OK; i++) {
        raft_id id = reader_u64(reader);
        int role = reader_u8(reader);
        struct span text = get_span(reader, LIBRAFT_ADDRESS_MAX);

        if (reader->err != ERR_OK) {
            break;
        }
        if (id == 0 || text.len == 0 || memchr(text.at, 0, text.len) != NULL) {
            reader_fail(reader, ERR_FORMAT);
            break;
        }
        memcpy(address, text.at, text.len);
        address[text.len] = 0;
        switch (raft_configuration_add(conf, id, address, role)) {
        case 0:
            break;
        case RAFT_NOMEM:
            reader_fail(reader, ERR_MEMORY);
            break;
        default:
            reader_fail(reader, ERR_FORMAT);
            break;
        }
    }
    if (reader->err != ERR_OK) {
        raft_configuration_close(conf);
        raft_configuration_init(conf);
    }
    return reader->err;
}

/* Sum of the data lengths of `count` entries at the reader, which is a copy. */
static size_t entries_bytes(struct reader reader, uint32_t count)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        reader_u64(&reader);
        reader_u8(&reader);
        sum += get_span(&reader, LIBRAFT_DATA_MAX).len;
    }
    return sum;
}

static void get_entries(struct reader *reader, struct raft_append_entries *args, uint32_t count)
{
    uint8_t *batch;
    size_t used = 0;

    if (count == 0) {
        return;
    }
    args->entries = raft_malloc(count * sizeof(*args->entries));
    batch = raft_malloc(entries_bytes(*reader, count) + 1);
    if (args->entries == NULL || batch == NULL) {
        raft_free(args->entries);
        raft_free(batch);
        args->entries = NULL;
        reader_fail(reader, ERR_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry *entry = &args->entries[i];
        struct span data;

        entry->term = reader_u64(reader);
        entry->type = reader_u8(reader);
        data = get_span(reader, LIBRAFT_DATA_MAX);
        if (entry->type < RAFT_COMMAND || entry->type > RAFT_CHANGE) {
            reader_fail(reader, ERR_FORMAT);
        }
        if (data.len > 0) {
            memcpy(batch + used, data.at, data.len);
        }
        entry->buf.base = batch + used;
        entry->buf.len = data.len;
        entry->batch = batch;
        used += data.len;
    }
    args->n_entries = count;
}

static void get_append_entries(struct reader *reader, struct raft_append_entries *args)
{
    args->term = reader_u64(reader);
    args->prev_log_index = reader_u64(reader);
    args->prev_log_term = reader_u64(reader);
    args->leader_commit = reader_u64(reader);
    get_entries(reader, args, get_count(reader, ENTRY_MIN));
}

static void get_install_snapshot(struct reader *reader, struct raft_install_snapshot *args)
{
    struct span data;

    args->term = reader_u64(reader);
    args->last_index = reader_u64(reader);
    args->last_term = reader_u64(reader);
    args->conf_index = reader_u64(reader);
    if (libraft_wire_get_configuration(reader, &args->conf) != ERR_OK) {
        return;
    }
    data = get_span(reader, LIBRAFT_DATA_MAX);
    args->data.len = data.len;
    args->data.base = raft_malloc(data.len + 1);
    if (args->data.base == NULL) {
        reader_fail(reader, ERR_MEMORY);
    } else if (data.len > 0) {
        memcpy(args->data.base, data.at, data.len);
    }
}

/* Give back what a message that is not whole had taken. */
static void message_drop(struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES && message->append_entries.entries != NULL) {
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    }
    if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    }
}

enum err libraft_wire_decode(struct span span, struct raft_message *message)
{
    struct reader reader;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    memset(message, 0, sizeof(*message));
    message->type = reader_u8(&reader);
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        get_append_entries(&reader, &message->append_entries);
        break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        message->append_entries_result.term = reader_u64(&reader);
        message->append_entries_result.rejected = reader_u64(&reader);
        message->append_entries_result.last_log_index = reader_u64(&reader);
        break;
    case RAFT_IO_REQUEST_VOTE:
        message->request_vote.term = reader_u64(&reader);
        message->request_vote.candidate_id = reader_u64(&reader);
        message->request_vote.last_log_index = reader_u64(&reader);
        message->request_vote.last_log_term = reader_u64(&reader);
        message->request_vote.disrupt_leader = get_bool(&reader);
        message->request_vote.pre_vote = get_bool(&reader);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT: {
        uint8_t pre_vote;

        message->request_vote_result.term = reader_u64(&reader);
        message->request_vote_result.vote_granted = get_bool(&reader);
        pre_vote = reader_u8(&reader);
        if (pre_vote > raft_tribool_false) {
            reader_fail(&reader, ERR_FORMAT);
            pre_vote = raft_tribool_unknown;
        }
        message->request_vote_result.pre_vote = (raft_tribool)pre_vote;
        break;
    }
    case RAFT_IO_INSTALL_SNAPSHOT:
        get_install_snapshot(&reader, &message->install_snapshot);
        break;
    case RAFT_IO_TIMEOUT_NOW:
        message->timeout_now.term = reader_u64(&reader);
        message->timeout_now.last_log_index = reader_u64(&reader);
        message->timeout_now.last_log_term = reader_u64(&reader);
        break;
    default:
        return reader.err != ERR_OK ? reader.err : ERR_FORMAT;
    }
    if (reader_finish(&reader) != ERR_OK) {
        message_drop(message);
    }
    return reader_finish(&reader);
}

bool libraft_wire_carries(struct span span, uint64_t hash)
{
    struct reader reader;
    uint32_t count;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    if (reader_u8(&reader) != RAFT_IO_APPEND_ENTRIES) {
        return false;
    }
    (void)reader_raw(&reader, 4 * sizeof(uint64_t));
    count = get_count(&reader, ENTRY_MIN);
    for (uint32_t i = 0; i < count; i++) {
        struct span data;

        (void)reader_raw(&reader, 9);
        data = get_span(&reader, LIBRAFT_DATA_MAX);
        if (reader.err == ERR_OK && hash_bytes(data, 0) == hash) {
            return true;
        }
    }
    return false;
}

/* ---- what the world sees ---- */

#define FIELD(text)    \
    {                  \
        .name = (text) \
    }
static const struct guest_field append_fields[] = {FIELD("term"),      FIELD("prev"),
                                                   FIELD("prev_term"), FIELD("commit"),
                                                   FIELD("entries"),   FIELD("entry_term")};
static const struct guest_field result_fields[] = {FIELD("term"), FIELD("rejected"), FIELD("last")};
static const struct guest_field vote_fields[] = {FIELD("term"),
                                                 {.name = "candidate", .process = true},
                                                 FIELD("last"),
                                                 FIELD("last_term"),
                                                 FIELD("pre_vote")};
static const struct guest_field voted_fields[] = {FIELD("term"), FIELD("granted")};
static const struct guest_field snapshot_fields[] = {FIELD("term"), FIELD("last"),
                                                     FIELD("last_term")};
static const struct guest_field timeout_fields[] = {FIELD("term"), FIELD("last"),
                                                    FIELD("last_term")};

#define RECORD(text, array)                                             \
    {                                                                   \
        .name = (text), .fields = (array), .field_count = COUNT(array), \
    }
/* By message type minus one. */
const struct guest_record libraft_records[LIBRAFT_RECORDS] = {
    RECORD("APPEND", append_fields),     RECORD("APPENDED", result_fields),
    RECORD("VOTE", vote_fields),         RECORD("VOTED", voted_fields),
    RECORD("SNAPSHOT", snapshot_fields), RECORD("TIMEOUT_NOW", timeout_fields),
};

/* How many of the leading fields of each type are 64-bit numbers that stand first on the wire. */
static const uint8_t plain_fields[] = {4, 3, 4, 1, 3, 3};

static size_t codec_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    const struct guest_record *known;
    struct reader reader;
    uint32_t type;

    (void)state;
    (void)from_dialer;
    reader_init(&reader, input, READER_MAX_DEFAULT);
    type = reader_u8(&reader);
    if (type < RAFT_IO_APPEND_ENTRIES || type > RAFT_IO_TIMEOUT_NOW) {
        return 0;
    }
    known = &libraft_records[type - 1];
    *record = (struct sim_record){.name = known->name, .key = hash_bytes(input, 0)};
    for (uint32_t i = 0; i < plain_fields[type - 1]; i++) {
        record->fields[i].value = reader_i64(&reader);
    }
    record->field_count = known->field_count;
    for (uint32_t i = 0; i < known->field_count; i++) {
        record->fields[i].name = known->fields[i].name;
    }
    record->essential = true;
    if (type == RAFT_IO_APPEND_ENTRIES) {
        uint32_t count = reader_u32(&reader);

        record->fields[4].value = count;
        record->fields[5].value = count == 0 ? 0 : reader_i64(&reader);
        record->essential = count > 0; /* else it is a heartbeat */
    } else if (type == RAFT_IO_APPEND_ENTRIES_RESULT) {
        record->essential = record->fields[1].value != 0;
    } else if (type == RAFT_IO_REQUEST_VOTE) {
        (void)reader_u8(&reader);
        record->fields[4].value = reader_u8(&reader);
    } else if (type == RAFT_IO_REQUEST_VOTE_RESULT) {
        record->fields[1].value = reader_u8(&reader);
    }
    return reader.err == ERR_OK ? input.len : 0;
}

const struct sim_codec libraft_codec = {.name = "libraft", .cut = codec_cut};
