/* wire_vote.h - messages of leader election: bytes <-> structs, nothing else.
 *
 * A connection of the election port begins with one opening message of the connector; then both
 * sides send frames (wire_jute.h) of one notification each. Source: Apache
 * QuorumCnxManager.InitialMessage, FastLeaderElection.buildMsg; docs/formats/election.md. */
#ifndef PROTOCOL_WIRE_VOTE_H
#define PROTOCOL_WIRE_VOTE_H

#include "protocol/wire_jute.h"

/* ---- the opening message ---- */
enum hello_form {
    HELLO_OLD, /* before 3.5: the id alone, no address */
    HELLO_V1,  /* one address "host:port" */
    HELLO_V2,  /* several, "host:port|host:port" */
};
#define WIRE_HELLO_V1          (-65536)
#define WIRE_HELLO_V2          (-65535)
#define WIRE_HELLO_ADDRESS_MAX 2048u /* bytes of the address part */

struct wire_hello {
    enum hello_form form;
    int64_t sid;
    struct span
        addresses; /* as sent; empty for HELLO_OLD. Each part ends in ":port", port 0..65535 */
};

/* The opening message at the start of `input`, and its length in *used.
 *
 * Errors: ERR_SHORT when more bytes are needed; ERR_VERSION for another negative first long;
 * ERR_LONG for a length outside 1..2048; ERR_FORMAT for an address without host or port: close the
 * connection. */
enum err wire_hello_next(struct span input, struct wire_hello *hello, size_t *used);
void wire_hello_encode(struct bytes *bytes, const struct wire_hello *hello);
/* Take the first "host:port" off `rest` (the `addresses` of a message); false at the end. IPv6
 * hosts keep their brackets. */
bool wire_hello_address(struct span *rest, struct span *address);

/* ---- a notification ---- */
#define WIRE_VOTE_FRAME_MAX 524288u /* bytes of one frame; zero is too short */

enum vote_state {
    VOTE_LOOKING,
    VOTE_FOLLOWING,
    VOTE_LEADING,
    VOTE_OBSERVING
};

enum vote_form {
    VOTE_28,   /* no peer epoch, no version */
    VOTE_40,   /* peer epoch; version counts as absent (0) */
    VOTE_FULL, /* peer epoch and version; configuration from version 2 on */
};
#define WIRE_VOTE_VERSION 2

struct wire_vote {
    enum vote_form form;
    enum vote_state state; /* of the sender */
    int64_t leader;
    int64_t zxid;
    int64_t election_epoch; /* the sender's round */
    int64_t peer_epoch;     /* VOTE_28: zxid >> 32 */
    int32_t version;        /* 0 unless VOTE_FULL */
    struct span config;     /* text of the committed configuration; empty when there is none */
};

/* Decode the payload of one frame. Errors (the message is to be ignored): ERR_SHORT below 28 bytes
 * or where a field is cut off, ERR_RANGE for an unknown state, ERR_LONG for a configuration length
 * that is negative or above the payload's. Bytes behind the configuration are ignored. */
enum err wire_vote_decode(struct span payload, struct wire_vote *vote);
/* The payload without frame. */
void wire_vote_encode(struct bytes *bytes, const struct wire_vote *vote);
/* The same as a frame. */
void wire_vote_put(struct bytes *bytes, const struct wire_vote *vote);

#endif
