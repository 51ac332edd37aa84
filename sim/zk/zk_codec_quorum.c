/* zk_codec_quorum.c - records of the quorum port. After SNAP the raw snapshot is one record,
 * SNAPSHOT, up to and with its mark. (A node that contains the mark itself ends the record early;
 * what follows is then one unknown record: only names suffer, never what is delivered.) */
#include "protocol/history.h"
#include "protocol/wire_quorum.h"
#include "sim/zk/zookeeper.h"
#include "tree/txn.h"

struct quorum_way {
    bool streaming;  /* a snapshot follows */
    size_t searched; /* bytes of it without the mark */
};

#define MARK_BYTES (sizeof(WIRE_SNAP_SIGNATURE) - 1)

static void put(struct sim_record *record, const char *name, int64_t value)
{
    record->fields[record->field_count].name = name;
    record->fields[record->field_count].value = value;
    record->field_count++;
}

static void put_zxid(struct sim_record *record, int64_t zxid)
{
    put(record, "zxid", zxid);
    put(record, "epoch", zxid_epoch(zxid));
    put(record, "counter", zxid_counter(zxid));
}

static size_t cut_stream(struct quorum_way *way, struct span input, struct sim_record *record)
{
    static const uint8_t mark[] = "\0\0\0\x0a" WIRE_SNAP_SIGNATURE;
    const size_t len = sizeof(mark) - 1;

    _Static_assert(MARK_BYTES == 10, "the length in front of the mark");
    for (size_t at = way->searched; at + len <= input.len; at++) {
        const uint8_t *next = memchr(input.at + at, 'B', input.len - at);

        if (next == NULL) {
            break;
        }
        at = (size_t)(next - input.at);
        if (at >= 4 && at - 4 + len <= input.len && memcmp(next - 4, mark, len) == 0) {
            way->streaming = false;
            way->searched = 0;
            record->name = "SNAPSHOT";
            record->key = 64;
            record->essential = true;
            return at - 4 + len;
        }
    }
    way->searched = input.len > len ? input.len - len : 0;
    return 0;
}

static void put_txn(struct sim_record *record, int64_t zxid, struct span txn)
{
    struct txn_header header;

    put_zxid(record, zxid);
    if (txn_decode_header(txn, &header) != ERR_OK) {
        return;
    }
    put(record, "session", header.client_id);
    put(record, "cxid", header.cxid);
    put(record, "op", header.type);
    record->key += (uint64_t)(uint32_t)header.type << 8;
}

static void put_forward(struct sim_record *record, struct span data)
{
    struct wire_forward forward;

    if (wire_forward_decode(data, &forward) != ERR_OK) {
        return;
    }
    if (forward.type == OP_SYNC) {
        record->name = "SYNC";
        put(record, "xid", forward.cxid);
    }
    put(record, "session", forward.session);
    put(record, "cxid", forward.cxid);
    if (forward.type != OP_SYNC) {
        put(record, "op", forward.type);
    }
    record->key += (uint64_t)(uint32_t)forward.type << 8;
}

static void put_info(struct sim_record *record, const struct wire_packet *packet)
{
    struct wire_learner learner;

    put(record, "epoch", zxid_epoch(packet->zxid));
    if (wire_learner_decode(packet->data, &learner) == ERR_OK) {
        put(record, "sid", learner.sid);
    }
}

static void put_ackepoch(struct sim_record *record, const struct wire_packet *packet)
{
    int32_t current;

    if (wire_int_decode(packet->data, &current) == ERR_OK) {
        put(record, "current", current);
    }
    put_zxid(record, packet->zxid);
}

static void put_session(struct sim_record *record, struct span data)
{
    if (data.len >= 8) {
        put(record, "session", (int64_t)wire_get_u64(data.at));
    }
}

static void put_fields(struct sim_record *record, const struct wire_packet *packet)
{
    struct span txn;
    int64_t leader;

    switch (packet->type) {
    case PACKET_REQUEST:
        put_forward(record, packet->data);
        return;
    case PACKET_PROPOSAL:
    case PACKET_INFORM:
        put_txn(record, packet->zxid, packet->data);
        return;
    case PACKET_ACK:
    case PACKET_COMMIT:
    case PACKET_DIFF:
    case PACKET_TRUNC:
    case PACKET_SNAP:
    case PACKET_COMMITANDACTIVATE:
        put_zxid(record, packet->zxid);
        return;
    case PACKET_INFORMANDACTIVATE:
        if (wire_activate_decode(packet->data, &leader, &txn) == ERR_OK) {
            put_txn(record, packet->zxid, txn);
        }
        return;
    case PACKET_FOLLOWERINFO:
    case PACKET_OBSERVERINFO:
        put_info(record, packet);
        return;
    case PACKET_LEADERINFO:
    case PACKET_NEWLEADER:
        put(record, "epoch", zxid_epoch(packet->zxid));
        return;
    case PACKET_ACKEPOCH:
        put_ackepoch(record, packet);
        return;
    case PACKET_REVALIDATE:
        put_session(record, packet->data);
        return;
    default:
        return;
    }
}

static size_t quorum_cut(void *state, bool from_dialer, struct span input,
                         struct sim_record *record)
{
    struct quorum_way *way = state;
    struct wire_packet packet;
    size_t used;

    if (way->streaming) {
        return cut_stream(way, input, record);
    }
    if (wire_packet_next(input, INT32_MAX, &packet, &used) != ERR_OK) {
        return 0;
    }
    record->name = wire_packet_name(packet.type);
    record->key = (uint64_t)(uint32_t)packet.type;
    record->essential = packet.type != PACKET_PING;
    way->streaming = packet.type == PACKET_SNAP && !from_dialer;
    put_fields(record, &packet);
    return used;
}

const struct sim_codec zk_codec_quorum = {
    .name = "quorum", .state_bytes = sizeof(struct quorum_way), .cut = quorum_cut};
