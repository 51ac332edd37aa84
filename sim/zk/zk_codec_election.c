/* zk_codec_election.c - records of the election port: HELLO of who dialed, then NOTIFICATION. */
#include "protocol/history.h"
#include "protocol/wire_vote.h"
#include "sim/zk/zookeeper.h"

struct election_way {
    bool greeted;
};

static void put(struct sim_record *record, const char *name, int64_t value)
{
    record->fields[record->field_count].name = name;
    record->fields[record->field_count].value = value;
    record->field_count++;
}

static size_t cut_hello(struct span input, struct sim_record *record)
{
    struct wire_hello hello;
    size_t used;

    if (wire_hello_next(input, &hello, &used) != ERR_OK) {
        return 0;
    }
    record->name = "HELLO";
    record->key = 1;
    put(record, "sid", hello.sid);
    return used;
}

static size_t cut_vote(struct span input, struct sim_record *record)
{
    struct wire_vote vote;
    struct span payload;
    size_t used;

    if (wire_frame_next(input, WIRE_VOTE_FRAME_MAX, &payload, &used) != ERR_OK) {
        return 0;
    }
    record->name = "NOTIFICATION";
    record->key = 2;
    if (wire_vote_decode(payload, &vote) != ERR_OK) {
        return used;
    }
    record->key = 16 + (uint64_t)vote.state + ((uint64_t)vote.leader << 8);
    record->essential = true;
    put(record, "leader", vote.leader);
    put(record, "zxid", vote.zxid);
    put(record, "epoch", vote.peer_epoch);
    put(record, "round", vote.election_epoch);
    put(record, "state", vote.state);
    return used;
}

static size_t election_cut(void *state, bool from_dialer, struct span input,
                           struct sim_record *record)
{
    struct election_way *way = state;
    size_t used;

    if (!from_dialer || way->greeted) {
        return cut_vote(input, record);
    }
    used = cut_hello(input, record);
    way->greeted = used > 0;
    return used;
}

const struct sim_codec zk_codec_election = {
    .name = "election", .state_bytes = sizeof(struct election_way), .cut = election_cut};
