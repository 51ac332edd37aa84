/* zk_codec_client.c - records of the client port. Replies do not say what they answer: their name
 * is REPLY, and the xid tells. */
#include "protocol/wire_client.h"
#include "sim/zk/zk_words.h"
#include "sim/zk/zookeeper.h"

struct client_way {
    bool greeted; /* the connect record of this direction has passed */
};

static void put(struct sim_record *record, const char *name, int64_t value)
{
    record->fields[record->field_count].name = name;
    record->fields[record->field_count].value = value;
    record->field_count++;
}

static void cut_connect(struct span frame, struct sim_record *record)
{
    struct wire_connect connect;

    record->name = "CONNECT";
    record->key = 1;
    record->essential = true;
    if (wire_connect_decode(frame, &connect) == ERR_OK) {
        put(record, "session", connect.session);
        put(record, "timeout", connect.timeout_ms);
        put(record, "zxid", connect.last_zxid);
    }
}

static void cut_connected(struct span frame, struct sim_record *record)
{
    struct wire_connected connected;

    record->name = "CONNECTED";
    record->key = 2;
    record->essential = true;
    if (wire_connected_decode(frame, &connected) == ERR_OK) {
        put(record, "session", connected.session);
        put(record, "timeout", connected.timeout_ms);
    }
}

static void cut_request(struct span frame, struct sim_record *record)
{
    struct wire_request_header header;

    record->name = "UNKNOWN";
    record->key = 3;
    if (wire_request_header_take(&frame, &header) != ERR_OK) {
        return;
    }
    record->name = zk_request_name(header.type);
    record->key = 16 + (uint64_t)(uint32_t)header.type;
    record->essential = header.type != OP_PING;
    if (header.type != OP_PING) {
        put(record, "xid", header.xid);
    }
}

static void cut_reply(struct span frame, struct sim_record *record)
{
    struct wire_reply_header header;
    struct wire_event event;

    record->name = "UNKNOWN";
    record->key = 4;
    if (wire_reply_header_take(&frame, &header) != ERR_OK) {
        return;
    }
    if (header.xid == XID_PING) {
        record->name = "PONG";
        record->key = 5;
        return;
    }
    record->essential = true;
    if (header.xid == XID_EVENT) {
        record->name = "EVENT";
        record->key = 6;
        put(record, "type", wire_event_decode(frame, &event) == ERR_OK ? event.type : 0);
        put(record, "zxid", header.zxid);
        return;
    }
    record->name = "REPLY";
    record->key = 7 + ((uint64_t)(uint32_t)header.err << 8);
    put(record, "xid", header.xid);
    put(record, "zxid", header.zxid);
    put(record, "err", header.err);
}

static size_t client_cut(void *state, bool from_dialer, struct span input,
                         struct sim_record *record)
{
    struct client_way *way = state;
    struct span frame;
    size_t used;

    if (wire_frame_next(input, INT32_MAX, &frame, &used) != ERR_OK) {
        return 0;
    }
    if (!way->greeted) {
        way->greeted = true;
        if (from_dialer) {
            cut_connect(frame, record);
        } else {
            cut_connected(frame, record);
        }
    } else if (from_dialer) {
        cut_request(frame, record);
    } else {
        cut_reply(frame, record);
    }
    return used;
}

const struct sim_codec zk_codec_client = {
    .name = "client", .state_bytes = sizeof(struct client_way), .cut = client_cut};
