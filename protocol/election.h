/* election.h - fast leader election as a machine without connections.
 *
 * Inputs are a new round, the notification of a peer, and time; outputs are one notification with
 * the list of who gets it, and a result. Nothing is allocated after election_init, and nothing is
 * kept across a crash: rounds live in memory only. After every input the caller sends `out` away
 * (election_out_clear) and looks at election_result.
 *
 *   start --> LOOKING: votes are exchanged, doubled waits (200 ms .. 60 s) re-send what may be lost
 *                |  a quorum of the round agrees with the own proposal
 *                v
 *             settling: 200 ms without a better vote        a better vote --> back
 *                |                                            FOLLOWING / LEADING statements of a
 * quorum, v                                            the leader's own among them, skip the wait
 *             decided --> LEADING | FOLLOWING | OBSERVING: the machine only answers who is LOOKING
 *
 * Source: Apache FastLeaderElection, Vote, SyncedLearnerTracker; docs/election.md. */
#ifndef PROTOCOL_ELECTION_H
#define PROTOCOL_ELECTION_H

#include "base/step.h"
#include "protocol/quorum.h"
#include "protocol/wire_vote.h"

/* A vote without what its sender is. Compared signed, as Java does. */
struct vote {
    int64_t leader;
    int64_t zxid;  /* last one logged by the proposed leader, when it voted for itself */
    int64_t round; /* electionEpoch, the sender's logical clock */
    int64_t epoch; /* peerEpoch: currentEpoch of the proposed leader */
};

/* The vote of a server that does not vote: worse than every other. */
#define VOTE_OF_OBSERVER INT64_MIN
/* A last zxid that means "no trusted database": such votes are not counted. */
#define VOTE_ZXID_NONE INT64_C(-1)

struct election_timing {
    uint64_t settle_us;     /* finalizeWait: 200 ms */
    uint64_t resend_min_us; /* first wait before notifications are sent again: 200 ms */
    uint64_t resend_max_us; /* 60 s */
};
extern const struct election_timing election_timing_default;

/* What is to be sent now: the same notification to each of `to`. Overwritten by the next input. */
struct election_out {
    struct wire_vote notice; /* config: the committed configuration's text, lent by the machine */
    uint32_t count;
    uint32_t room;
    int64_t *to;
};

struct election_slot; /* one voter: its votes of the round, and those of established servers */

struct election {
    struct mem *mem;
    struct ensemble ensemble;
    int64_t sid;
    bool votes; /* own id is a voter of the committed membership */
    struct election_timing timing;
    struct bytes config; /* text of the committed membership */

    enum vote_state state;
    bool has_current;
    struct vote current;  /* what non-LOOKING answers carry: result of the last election */
    int64_t round;        /* logical clock */
    struct vote own;      /* initial vote of this election */
    struct vote proposal; /* its round is not used */
    bool has_rival;
    struct vote rival; /* best vote of the round that lost to the proposal: for the notes */
    uint64_t wait_us;  /* notTimeout */
    uint64_t resend_at_us;
    uint64_t settle_at_us;    /* WAKE_NEVER unless a quorum agrees */
    uint64_t settle_until_us; /* no chatter postpones the end beyond */
    bool decided;
    bool resting; /* between a role and the next election: answers nobody */

    uint32_t slot_count;
    struct election_slot *slots; /* union of the voters, by sid */
    struct election_out out;

    uint64_t started_us;    /* of the election under way */
    uint64_t duration_us;   /* of the last finished one */
    uint64_t rounds_joined; /* how often a higher round of others was adopted */
};

/* The memberships of `ensemble` are kept by pointer and must outlive the machine. It starts as a
 * server that is LOOKING and has not begun: it answers nobody before election_start. Errors:
 * ERR_MEMORY. */
enum err election_init(struct election *election, struct mem *mem, const struct ensemble *ensemble,
                       int64_t sid);
void election_drop(struct election *election);
/* The memberships changed: take new pointers; votes of the round are forgotten, an election under
 * way must be started again. Errors: ERR_MEMORY (nothing changed). */
enum err election_set_ensemble(struct election *election, const struct ensemble *ensemble);
void election_set_timing(struct election *election, const struct election_timing *timing);

/* Enter LOOKING with a new round and vote for `own` (leader, zxid, epoch; its round is not used).
 * A server that is not a voter votes for nobody, whatever `own` says. Emits NOTE_LOOKING. */
void election_start(struct election *election, struct fx *fx, uint64_t now_us,
                    const struct vote *own);
/* The role ended, and the server is not ready to look for a leader yet: its log settles, its disk
 * is read anew, it waits. Until election_start it answers nobody: who says that it still leads or
 * follows keeps others from electing. */
void election_rest(struct election *election);
/* A notification of server `from`, in any state of ours. */
void election_on_notification(struct election *election, struct fx *fx, uint64_t now_us,
                              int64_t from, const struct wire_vote *notice);
/* Look at the deadlines. */
void election_on_time(struct election *election, struct fx *fx, uint64_t now_us);
/* WAKE_NEVER unless LOOKING. */
uint64_t election_wake_us(const struct election *election);

/* True once after an election ended: *vote is its result, election->state the new role (LEADING,
 * FOLLOWING or OBSERVING) and answers say so from now on. */
bool election_result(struct election *election, struct vote *vote);

/* Set role and current vote from outside: a leader designated by a reconfiguration, a test. Any
 * election under way ends without result. */
void election_set_state(struct election *election, enum vote_state state,
                        const struct vote *current);
/* The epoch of the current vote becomes `epoch`: called when a learner has synchronised or a leader
 * serves. Source: QuorumPeer.updateElectionVote. */
void election_set_epoch(struct election *election, int64_t epoch);

static inline void election_out_clear(struct election *election)
{
    election->out.count = 0;
}

/* Whether `a` beats `b`: epoch, then zxid, then id; never for a leader without weight. */
bool election_is_better(const struct membership *membership, const struct vote *a,
                        const struct vote *b);

/* The rule by which the first of two votes beats the other: "larger epoch", "larger zxid", "larger
 * id". */
const char *election_why_better(const struct vote *a, const struct vote *b);

#endif
