/* wire_quorum.h - packets between a leader and its learners: bytes <-> structs, nothing else.
 *
 * The stream has no frames: packets follow each other, and after a SNAP packet the raw snapshot
 * follows, which is not this module's business (tree/image.h). Spans of decoded structs point into
 * the input. Source: Apache QuorumPacket, LearnerInfo, LearnerHandler, Learner;
 * docs/formats/quorum.md. */
#ifndef PROTOCOL_WIRE_QUORUM_H
#define PROTOCOL_WIRE_QUORUM_H

#include "protocol/wire_jute.h"

/* X(NAME, number) */
#define PACKET_TYPE_MAP(X)  \
    X(REQUEST, 1)           \
    X(PROPOSAL, 2)          \
    X(ACK, 3)               \
    X(COMMIT, 4)            \
    X(PING, 5)              \
    X(REVALIDATE, 6)        \
    X(SYNC, 7)              \
    X(INFORM, 8)            \
    X(COMMITANDACTIVATE, 9) \
    X(NEWLEADER, 10)        \
    X(FOLLOWERINFO, 11)     \
    X(UPTODATE, 12)         \
    X(DIFF, 13)             \
    X(TRUNC, 14)            \
    X(SNAP, 15)             \
    X(OBSERVERINFO, 16)     \
    X(LEADERINFO, 17)       \
    X(ACKEPOCH, 18)         \
    X(INFORMANDACTIVATE, 19)

enum packet_type {
#define X(name, number) PACKET_##name = number,
    PACKET_TYPE_MAP(X)
#undef X
};

/* "PROPOSAL", or "UNKNOWN" for a number that is not in the table. */
const char *wire_packet_name(int32_t type);

/* Protocol version that LearnerInfo and LEADERINFO carry. */
#define WIRE_LEARNER_VERSION 0x10000
/* ustring that ends the snapshot stream after SNAP. */
#define WIRE_SNAP_SIGNATURE "BenWasHere"

struct wire_packet {
    int32_t type; /* as received: may be none of enum packet_type */
    int64_t zxid;
    struct span data;            /* at == NULL: null */
    struct wire_vector authinfo; /* of struct wire_id; null except on REQUEST */
};

/* The first packet of the stream `input`, and its length in *used.
 *
 * max_data bounds the data; Ids are bounded by WIRE_AUTHINFO_MAX and WIRE_ID_MAX.
 * Errors: ERR_SHORT when more bytes are needed (*used is then a lower bound of the total needed);
 *         ERR_LONG, ERR_FORMAT: the stream is not usable any more. */
enum err wire_packet_next(struct span input, uint32_t max_data, struct wire_packet *packet,
                          size_t *used);
#define WIRE_AUTHINFO_MAX 1024u  /* Ids in one packet */
#define WIRE_ID_MAX       65536u /* bytes of a scheme or id */

void wire_packet_encode(struct bytes *bytes, const struct wire_packet *packet);
/* A packet without authinfo; data.at == NULL for none. */
void wire_packet_put(struct bytes *bytes, enum packet_type type, int64_t zxid, struct span data);
/* A packet without authinfo whose data are what is written between begin and end. */
size_t wire_packet_begin(struct bytes *bytes, enum packet_type type, int64_t zxid);
void wire_packet_end(struct bytes *bytes, size_t mark);

/* ---- data of single packets; decoders take packet.data ---- */

/* FOLLOWERINFO, OBSERVERINFO. Old learners send less. */
enum learner_form {
    LEARNER_NULL,    /* null data: the leader assigns an id */
    LEARNER_SID,     /* 8 bytes: id only, protocol version 1 */
    LEARNER_VERSION, /* 12 bytes: no configuration version */
    LEARNER_FULL,    /* 20 bytes */
};
struct wire_learner {
    enum learner_form form;
    int64_t sid;
    int32_t protocol_version;
    int64_t config_version; /* 0 when absent */
};
/* ERR_FORMAT for other lengths (20 and more counts as full, as in Apache). */
enum err wire_learner_decode(struct span data, struct wire_learner *learner);
/* The whole packet: FOLLOWERINFO or OBSERVERINFO with zxid = acceptedEpoch << 32. */
void wire_learner_put(struct bytes *bytes, enum packet_type type, int64_t zxid,
                      const struct wire_learner *learner);

/* REQUEST: what a client asked, forwarded. */
struct wire_forward {
    int64_t session;
    int32_t cxid;
    int32_t type;       /* op code */
    struct span record; /* request record; may be empty */
};
enum err wire_forward_decode(struct span data, struct wire_forward *forward);
/* The whole REQUEST packet; authinfo may be null. */
void wire_forward_put(struct bytes *bytes, const struct wire_forward *forward,
                      const struct wire_vector *authinfo);

/* PING reply: sessions touched since the last one, 12 bytes each. */
struct wire_touch {
    int64_t session;
    int32_t timeout_ms;
};
/* ERR_FORMAT unless the length is a multiple of 12. */
enum err wire_touches_check(struct span data);
/* Take the first off `rest`; false at the end. */
bool wire_touch_next(struct span *rest, struct wire_touch *touch);
void wire_touch_encode(struct bytes *bytes, const struct wire_touch *touch);

/* REVALIDATE to the leader {session, timeout}, and its reply {session, valid}. */
enum err wire_revalidate_decode(struct span data, struct wire_touch *ask);
void wire_revalidate_put(struct bytes *bytes, const struct wire_touch *ask);
enum err wire_revalidated_decode(struct span data, int64_t *session, bool *valid);
void wire_revalidated_put(struct bytes *bytes, int64_t session, bool valid);

/* LEADERINFO: protocol version. ACKEPOCH: currentEpoch, or -1 (does not count as acknowledgement).
 */
enum err wire_int_decode(struct span data, int32_t *value);
void wire_int_put(struct bytes *bytes, enum packet_type type, int64_t zxid, int32_t value);

/* COMMITANDACTIVATE {leader sid}, INFORMANDACTIVATE {leader sid, txn bytes}: the part behind the
 * sid goes to *txn (empty for the first). */
enum err wire_activate_decode(struct span data, int64_t *leader, struct span *txn);
void wire_activate_put(struct bytes *bytes, enum packet_type type, int64_t zxid, int64_t leader,
                       struct span txn);

/* ---- quorum SASL (QuorumAuthPacket), on the quorum and the election port ---- */
#define WIRE_AUTH_MAGIC 0x5f2435013501edccu
enum wire_auth_status {
    AUTH_ERROR = -1,
    AUTH_IN_PROGRESS = 0,
    AUTH_SUCCESS = 1
};
struct wire_auth {
    int32_t status;
    struct span token; /* at == NULL: null */
};
/* Does the stream begin with an authentication packet? ERR_SHORT while that is open (it differs as
 * soon as one byte differs), ERR_OK yes, ERR_MAGIC no. */
enum err wire_auth_peek(struct span input);
/* The first authentication packet; errors as wire_packet_next, and ERR_MAGIC. */
enum err wire_auth_next(struct span input, uint32_t max_token, struct wire_auth *auth,
                        size_t *used);
void wire_auth_encode(struct bytes *bytes, const struct wire_auth *auth);

#endif
