#include "sim/zk/zk_words.h"

#include "protocol/notes.h"
#include "protocol/wire_vote.h"
#include "sim/zk/zk_tables.h"
#include "tree/code.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Requests of the client port. The sixteen that scenarios use most, then the others. */
#define REQUEST_MAP(X)                                 \
    X(CREATE, "CREATE")                                \
    X(DELETE, "DELETE")                                \
    X(EXISTS, "EXISTS")                                \
    X(GET_DATA, "GETDATA")                             \
    X(SET_DATA, "SETDATA")                             \
    X(GET_ACL, "GETACL")                               \
    X(SET_ACL, "SETACL")                               \
    X(GET_CHILDREN, "GETCHILDREN")                     \
    X(GET_CHILDREN2, "GETCHILDREN2")                   \
    X(CHECK, "CHECK")                                  \
    X(MULTI, "MULTI")                                  \
    X(CREATE2, "CREATE2")                              \
    X(RECONFIG, "RECONFIG")                            \
    X(CHECK_WATCHES, "CHECKWATCHES")                   \
    X(REMOVE_WATCHES, "REMOVEWATCHES")                 \
    X(CREATE_CONTAINER, "CREATECONTAINER")             \
    X(CREATE_TTL, "CREATETTL")                         \
    X(MULTI_READ, "MULTIREAD")                         \
    X(AUTH, "AUTH")                                    \
    X(SET_WATCHES, "SETWATCHES")                       \
    X(SASL, "SASL")                                    \
    X(GET_EPHEMERALS, "GETEPHEMERALS")                 \
    X(GET_ALL_CHILDREN_NUMBER, "GETALLCHILDRENNUMBER") \
    X(SET_WATCHES2, "SETWATCHES2")                     \
    X(ADD_WATCH, "ADDWATCH")                           \
    X(WHO_AM_I, "WHOAMI")                              \
    X(CLOSE_SESSION, "CLOSESESSION")

const char *zk_request_name(int32_t op)
{
    switch (op) {
#define X(name, text) \
    case OP_##name:   \
        return text;
        REQUEST_MAP(X)
#undef X
    case OP_SYNC:
        return "SYNC";
    case OP_PING:
        return "PING";
    default:
        return "UNKNOWN";
    }
}

static const struct guest_word op_words[] = {
#define X(name, number, text) {text, number},
    ZK_OP_MAP(X)
#undef X
        {NULL, 0},
};
static const struct guest_word code_words[] = {
#define X(name, number) {#name, number},
    ZK_CODE_MAP(X)
#undef X
        {NULL, 0},
};
static const struct guest_word event_words[] = {
#define X(name, number, text) {text, number},
    ZK_EVENT_MAP(X)
#undef X
        {NULL, 0},
};
static const struct guest_word vote_words[] = {
    {"looking", VOTE_LOOKING},
    {"following", VOTE_FOLLOWING},
    {"leading", VOTE_LEADING},
    {"observing", VOTE_OBSERVING},
    {NULL, 0},
};

/* ---- records ---- */

static const struct guest_field xid_fields[] = {{.name = "xid"}};
static const struct guest_field sync_fields[] = {
    {.name = "xid"}, {.name = "session"}, {.name = "cxid"}};
static const struct guest_field connect_fields[] = {
    {.name = "session"}, {.name = "timeout"}, {.name = "zxid"}};
static const struct guest_field connected_fields[] = {{.name = "session"}, {.name = "timeout"}};
static const struct guest_field reply_fields[] = {
    {.name = "xid"}, {.name = "zxid"}, {.name = "err", .words = code_words}};
static const struct guest_field event_fields[] = {{.name = "type", .words = event_words},
                                                  {.name = "zxid"}};
static const struct guest_field zxid_fields[] = {
    {.name = "zxid"}, {.name = "epoch"}, {.name = "counter"}};
static const struct guest_field txn_fields[] = {
    {.name = "zxid"},    {.name = "epoch"}, {.name = "counter"},
    {.name = "session"}, {.name = "cxid"},  {.name = "op", .words = op_words},
};
static const struct guest_field request_fields[] = {
    {.name = "session"}, {.name = "cxid"}, {.name = "op", .words = op_words}};
static const struct guest_field session_fields[] = {{.name = "session"}};
static const struct guest_field info_fields[] = {{.name = "epoch"},
                                                 {.name = "sid", .process = true}};
static const struct guest_field epoch_fields[] = {{.name = "epoch"}};
static const struct guest_field ackepoch_fields[] = {
    {.name = "current"}, {.name = "zxid"}, {.name = "epoch"}, {.name = "counter"}};
static const struct guest_field hello_fields[] = {{.name = "sid", .process = true}};
static const struct guest_field vote_fields[] = {
    {.name = "leader", .process = true},    {.name = "zxid"}, {.name = "epoch"}, {.name = "round"},
    {.name = "state", .words = vote_words},
};

#define RECORD(name, fields)        \
    {                               \
        name, fields, COUNT(fields) \
    }

const struct guest_record zk_records[] = {
    /* client port */
    RECORD("CONNECT", connect_fields),
    RECORD("CONNECTED", connected_fields),
#define X(name, text) RECORD(text, xid_fields),
    REQUEST_MAP(X)
#undef X
        RECORD("REPLY", reply_fields),
    RECORD("EVENT", event_fields),
    {"PONG", NULL, 0},
    /* both: SYNC and PING */
    RECORD("SYNC", sync_fields),
    {"PING", NULL, 0},
    /* quorum port */
    RECORD("REQUEST", request_fields),
    RECORD("PROPOSAL", txn_fields),
    RECORD("ACK", zxid_fields),
    RECORD("COMMIT", zxid_fields),
    RECORD("REVALIDATE", session_fields),
    RECORD("INFORM", txn_fields),
    RECORD("COMMITANDACTIVATE", zxid_fields),
    RECORD("NEWLEADER", epoch_fields),
    RECORD("FOLLOWERINFO", info_fields),
    {"UPTODATE", NULL, 0},
    RECORD("DIFF", zxid_fields),
    RECORD("TRUNC", zxid_fields),
    RECORD("SNAP", zxid_fields),
    {"SNAPSHOT", NULL, 0},
    RECORD("OBSERVERINFO", info_fields),
    RECORD("LEADERINFO", epoch_fields),
    RECORD("ACKEPOCH", ackepoch_fields),
    RECORD("INFORMANDACTIVATE", zxid_fields),
    /* election port */
    RECORD("HELLO", hello_fields),
    RECORD("NOTIFICATION", vote_fields),
};
_Static_assert(COUNT(zk_records) == ZK_RECORDS, "zk_tables.h knows how many");

/* ---- notes ---- */

const struct guest_note zk_notes[] = {
#define X(name, word, a, b, c, bytes) {NOTE_##name, word, a, b, c, bytes},
    NOTE_MAP(X)
#undef X
};
_Static_assert(COUNT(zk_notes) == ZK_NOTES, "zk_tables.h knows how many");

#define ROLE_LINES                                                                         \
    (1ull << NOTE_LOOKING | 1ull << NOTE_VOTE | 1ull << NOTE_ELECTED | 1ull << NOTE_ROLE | \
     1ull << NOTE_EPOCH_NEW | 1ull << NOTE_EPOCH_ACCEPTED | 1ull << NOTE_EPOCH_CURRENT |   \
     1ull << NOTE_SYNC_CHOICE | 1ull << NOTE_SYNC_DONE | 1ull << NOTE_ESTABLISHED |        \
     1ull << NOTE_SERVING | 1ull << NOTE_RETIRED | 1ull << NOTE_RECOVERED |                \
     1ull << NOTE_TRUNCATED | 1ull << NOTE_READ_ONLY | 1ull << NOTE_DISK_ERROR |           \
     1ull << NOTE_CLIENT_STATE)

const struct sim_note zk_trace_notes[] = {
#define X(name, word, a, b, c, bytes) \
    {NOTE_##name, word, a, b, c, bytes, (ROLE_LINES >> NOTE_##name & 1) != 0},
    NOTE_MAP(X)
#undef X
};
