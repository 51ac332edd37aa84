/* quorum.h - who belongs to the ensemble, and which of its servers are enough.
 *
 * A membership is one configuration: its servers in the order of their ids, their roles and
 * addresses, and the rule that decides what a quorum is. A server is named by its id (sid) outside
 * and by one bit inside: bit i stands for members[i], so that a set of acknowledgements is one word
 * and the quorum test a population count (majority) or one sum a group (weights).
 *
 * While a reconfiguration is under way there are two memberships, the committed one and the last
 * one seen, and a quorum of each is needed: `struct ensemble` and `struct acks` carry both from the
 * start. Source: Apache QuorumMaj, QuorumHierarchical, QuorumPeer.QuorumServer,
 * SyncedLearnerTracker; docs/election.md, "Quorums". */
#ifndef PROTOCOL_QUORUM_H
#define PROTOCOL_QUORUM_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_MAX          64u       /* servers of one membership: one bit each */
#define MEMBER_ADDRESSES_MAX 4u        /* addresses of one server */
#define MEMBER_GROUPS_MAX    64u       /* groups of a hierarchical quorum */
#define MEMBER_LINE_MAX      1024u     /* bytes of the value of one server line */
#define MEMBER_WEIGHT_MAX    INT32_MAX /* so that no sum of weights overflows */

/* Where and why a text was refused. `line` counts from 1; 0 when no line is to blame. */
struct config_error {
    uint32_t line;
    char key[64];
    char why[192]; /* a phrase without the key: "is not a number: \"x\"" */
};

/* Fill *error (NULL is allowed); `value`, unless its `at` is NULL, is quoted behind the phrase. */
void config_error_set(struct config_error *error, uint32_t line, struct span key, const char *why,
                      struct span value);
/* "line 3: tickTime: is not a number: "x"", as much as there is. */
void config_error_print(const struct config_error *error, struct text *text);

enum member_role {
    MEMBER_PARTICIPANT,
    MEMBER_OBSERVER
};

struct member_address {
    struct span host;     /* as configured, without brackets */
    struct span quorum;   /* "host:port", ready to dial; IPv6 hosts in brackets */
    struct span election; /* the same for the election port */
    uint16_t quorum_port;
    uint16_t election_port;
};

struct member {
    int64_t sid; /* >= 0 */
    enum member_role role;
    uint32_t address_count; /* 1..MEMBER_ADDRESSES_MAX, sorted by host */
    uint32_t group;         /* index into groups; only in hierarchical memberships */
    bool has_weight;        /* its weight is printed: participants of a hierarchical membership */
    uint64_t weight;        /* 1 unless configured */
    struct span client;     /* "host:port", empty when the server line names no client port */
    struct span line;       /* canonical value of the server line */
    struct member_address addresses[MEMBER_ADDRESSES_MAX];
};

struct member_group {
    int64_t id;
    uint64_t weight; /* of all its members */
    uint64_t bits;
};

struct membership {
    struct mem *mem;
    uint64_t version;     /* zxid of the reconfiguration; 0 for a static one */
    uint32_t count;       /* of members */
    uint32_t voter_count; /* participants, whatever their weight */
    uint64_t voters;      /* bits of the participants */
    bool hierarchical;    /* group and weight lines are in force */
    uint32_t group_count;
    uint32_t weighted_groups;    /* how many groups have a weight */
    struct member *members;      /* by sid, ascending */
    struct member_group *groups; /* by id, ascending */
    uint8_t *text;               /* what the spans above lie in */
    size_t text_size;
};

/* Parse the value of one server line into the zeroed `member` (its id aside); the strings go to
 * `text`, which has room for member_text_max(value.len) more bytes. NULL, or a phrase for what is
 * wrong. */
const char *member_parse(struct member *member, struct span value, struct text *text);
size_t member_text_max(size_t len);

/* -- building --
 * A builder takes the pairs of a configuration text in any order; of equal keys the last one
 * counts. */
struct membership_builder {
    struct mem *mem;
    struct bytes values; /* the text of every pair taken */
    uint32_t count, room;
    struct membership_pair *pairs;
    bool has_version;
    uint64_t version;
};

void membership_builder_init(struct membership_builder *builder, struct mem *mem);
void membership_builder_drop(struct membership_builder *builder);
/* Take `key`=`value` when it belongs to the membership (server.N, group.G, weight.N, version);
 * *taken tells. Only ids are checked here. Errors: ERR_FORMAT (key or version malformed), ERR_LONG
 * (too many pairs, value too long), ERR_MEMORY. */
enum err membership_builder_take(struct membership_builder *builder, struct span key,
                                 struct span value, uint32_t line, struct config_error *error,
                                 bool *taken);
/* How many server lines it holds. */
uint32_t membership_builder_servers(const struct membership_builder *builder);
/* Check everything and make the membership of it; the builder stays the caller's.
 * Errors: ERR_FORMAT, ERR_LONG, ERR_MEMORY; `membership` is untouched then. */
enum err membership_build(struct membership_builder *builder, struct membership *membership,
                          struct config_error *error);

/* Parse the canonical text, as of a notification, NEWLEADER or the config node: properties syntax,
 * nothing but membership keys. */
enum err membership_parse(struct membership *membership, struct mem *mem, struct span text,
                          struct config_error *error);
void membership_drop(struct membership *membership);
enum err membership_copy(struct membership *to, const struct membership *from, struct mem *mem);

/* The canonical text, byte for byte as Apache prints it: server lines in the iteration order of a
 * Java hash map, then groups and weights, then "version=<hex>" without newline. */
void membership_print(const struct membership *membership, struct bytes *out);
/* Same version, or the same members with the same roles, addresses and client addresses. */
bool membership_equal(const struct membership *a, const struct membership *b);

/* -- asking -- */
/* Index of `sid` in members, or MEMBERS_MAX. */
uint32_t membership_index(const struct membership *membership, int64_t sid);
const struct member *membership_find(const struct membership *membership, int64_t sid);
/* The bit of `sid`, or 0 when it is not a participant: adding it to a set is always right. */
uint64_t membership_voter_bit(const struct membership *membership, int64_t sid);
bool membership_is_voter(const struct membership *membership, int64_t sid);
/* Weight in votes: 1 for everybody under majorities (members or not, as in Apache), else the
 * configured one, 0 for strangers. */
uint64_t membership_weight(const struct membership *membership, int64_t sid);
/* Whether the participants in `bits` are a quorum. O(1), or O(groups + bits) with weights. */
bool membership_has_quorum(const struct membership *membership, uint64_t bits);

/* -- one membership or two -- */
struct ensemble {
    const struct membership *committed;
    const struct membership
        *seen; /* NULL, or the last one proposed: counts while its version is higher */
};

/* Who said yes, once for each membership. Zero-initialised it is empty. */
struct acks {
    uint64_t committed, seen;
};

/* Whether a quorum of `seen` is needed as well. */
bool ensemble_is_changing(const struct ensemble *ensemble);
bool ensemble_is_voter(const struct ensemble *ensemble, int64_t sid);
/* The bits of `sid`; neither set for strangers and observers. Keep them where acks are hot. */
struct acks ensemble_bits(const struct ensemble *ensemble, int64_t sid);
static inline void acks_join(struct acks *acks, struct acks more)
{
    acks->committed |= more.committed;
    acks->seen |= more.seen;
}
static inline void acks_leave(struct acks *acks, struct acks gone)
{
    acks->committed &= ~gone.committed;
    acks->seen &= ~gone.seen;
}
static inline bool acks_contain(struct acks acks, struct acks bits)
{
    return ((acks.committed & bits.committed) | (acks.seen & bits.seen)) != 0;
}
/* Quorums of all memberships that count. */
bool ensemble_has_quorum(const struct ensemble *ensemble, struct acks acks);

#endif
