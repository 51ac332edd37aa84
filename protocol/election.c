#include "protocol/election.h"

#include "base/ensure.h"
#include "protocol/election_table.h"
#include "protocol/notes.h"

/* The wait for a better vote starts again with each message that is not one; after so many waits it
 * ends anyway. (Apache has no bound: one chatty server can keep all others from deciding.) */
#define SETTLE_WAITS_MAX 10u

/* -- votes -- */

bool election_is_better(const struct membership *membership, const struct vote *a,
                        const struct vote *b)
{
    if (membership_weight(membership, a->leader) == 0) {
        return false;
    }
    if (a->epoch != b->epoch) {
        return a->epoch > b->epoch;
    }
    if (a->zxid != b->zxid) {
        return a->zxid > b->zxid;
    }
    return a->leader > b->leader;
}

const char *election_why_better(const struct vote *a, const struct vote *b)
{
    if (a->epoch != b->epoch) {
        return "larger epoch";
    }
    return a->zxid != b->zxid ? "larger zxid" : "larger id";
}

/* Whether two votes count together. Votes of servers that are still looking must agree in
 * everything; those of established servers name a leader and its epoch, since their rounds and
 * zxids may differ for ever (ZOOKEEPER-1732, 1805). One with and one without version agree by
 * leader alone; votes of the own round are stored without one, so there the leader decides. Source:
 * Vote.equals. */
static bool ballot_equal(const struct ballot *a, const struct ballot *b)
{
    if (a->vote.leader != b->vote.leader) {
        return false;
    }
    if (a->state == VOTE_LOOKING || b->state == VOTE_LOOKING) {
        return a->vote.zxid == b->vote.zxid && a->vote.round == b->vote.round &&
               a->vote.epoch == b->vote.epoch;
    }
    if ((a->version > 0) != (b->version > 0)) {
        return true;
    }
    return a->vote.epoch == b->vote.epoch;
}

static struct vote election_vote_of(const struct wire_vote *notice)
{
    return (struct vote){
        .leader = notice->leader,
        .zxid = notice->zxid,
        .round = notice->election_epoch,
        .epoch = notice->peer_epoch,
    };
}

void election_set_timing(struct election *election, const struct election_timing *timing)
{
    ENSURE(timing->resend_min_us > 0);
    ENSURE(timing->resend_max_us >= timing->resend_min_us);
    election->timing = *timing;
}

/* -- what is said -- */

static void election_say(struct election *election, const struct vote *vote, int64_t round)
{
    election->out.count = 0;
    election->out.notice = (struct wire_vote){
        .form = VOTE_FULL,
        .state = election->state,
        .leader = vote->leader,
        .zxid = vote->zxid,
        .election_epoch = round,
        .peer_epoch = vote->epoch,
        .version = WIRE_VOTE_VERSION,
        .config = bytes_span(&election->config),
    };
}

static void election_say_to(struct election *election, int64_t to)
{
    ENSURE(election->out.count < election->out.room);
    election->out.to[election->out.count++] = to;
}

/* Tell every voter the own proposal. What goes to oneself is counted at once. */
static void election_broadcast(struct election *election)
{
    ENSURE(election->state == VOTE_LOOKING);
    election_say(election, &election->proposal, election->round);
    for (uint32_t i = 0; i < election->slot_count; i++) {
        struct election_slot *slot = &election->slots[i];

        if (slot->sid != election->sid) {
            election_say_to(election, slot->sid);
            continue;
        }
        slot->current = (struct ballot){
            .present =
                election->own.zxid != VOTE_ZXID_NONE && election->proposal.zxid != VOTE_ZXID_NONE,
            .state = VOTE_LOOKING,
            .vote = election->proposal,
        };
        slot->current.vote.round = election->round;
    }
}

static void election_note_vote(const struct election *election, struct fx *fx, const char *prefix,
                               const char *why)
{
    uint64_t round_epoch =
        ((uint64_t)election->round << 32) | ((uint64_t)election->proposal.epoch & UINT32_MAX);
    char words[64];
    struct text text;

    text_init(&text, words, sizeof(words));
    text_str(&text, prefix);
    text_str(&text, why);
    fx_note(fx, NOTE_VOTE, (uint64_t)election->proposal.leader, (uint64_t)election->proposal.zxid,
            round_epoch, span_make(words, text.len));
}

/* -- counting -- */

/* Who voted like `candidate`, in the votes of the round or in those of established servers. */
static struct acks election_tally(const struct election *election, bool established,
                                  const struct ballot *candidate)
{
    struct acks acks = {0};

    for (uint32_t i = 0; i < election->slot_count; i++) {
        const struct election_slot *slot = &election->slots[i];
        const struct ballot *ballot = established ? &slot->established : &slot->current;

        if (ballot->present && ballot_equal(ballot, candidate)) {
            acks_join(&acks, slot->bits);
        }
    }
    return acks;
}

/* A candidate of established servers must itself say that it leads, or be this server in its own
 * round: else two servers may point at each other's memory of a dead leader. */
static bool election_check_leader(const struct election *election, bool established,
                                  const struct vote *vote)
{
    const struct election_slot *slot;
    const struct ballot *ballot;

    if (vote->leader == election->sid) {
        return vote->round == election->round;
    }
    slot = election_find(election, vote->leader);
    if (slot == NULL) {
        return false;
    }
    ballot = established ? &slot->established : &slot->current;
    return ballot->present && ballot->state == VOTE_LEADING;
}

/* Begin to settle when a quorum of the round agrees with the proposal. */
static void election_count(struct election *election, uint64_t now_us)
{
    struct ballot candidate = {.state = VOTE_LOOKING, .vote = election->proposal};

    candidate.vote.round = election->round;
    if (election->settle_at_us == WAKE_NEVER &&
        ensemble_has_quorum(&election->ensemble, election_tally(election, false, &candidate))) {
        election->settle_at_us = now_us + election->timing.settle_us;
        election->settle_until_us = now_us + SETTLE_WAITS_MAX * election->timing.settle_us;
    }
}

static void election_finish(struct election *election, struct fx *fx, uint64_t now_us,
                            const struct vote *vote, const char *why)
{
    ENSURE(election->state == VOTE_LOOKING);
    ENSURE(election_find(election, vote->leader) != NULL);
    if (vote->leader == election->sid) {
        election->state = VOTE_LEADING;
    } else {
        election->state = election->votes ? VOTE_FOLLOWING : VOTE_OBSERVING;
    }
    election->current = *vote;
    election->settle_at_us = WAKE_NEVER;
    election->resend_at_us = WAKE_NEVER;
    election->decided = true;
    election->duration_us = now_us - election->started_us;
    fx_note(fx, NOTE_ELECTED, (uint64_t)vote->leader, (uint64_t)election->round,
            (uint64_t)vote->zxid, span_text(why));
}

/* -- a notification while LOOKING -- */

/* Remember the best vote for somebody else that lost. */
static void election_keep_rival(struct election *election, const struct vote *vote)
{
    if (vote->leader == election->proposal.leader || vote->leader == VOTE_OF_OBSERVER) {
        return;
    }
    if (!election->has_rival ||
        election_is_better(election->ensemble.committed, vote, &election->rival)) {
        election->rival = *vote;
        election->has_rival = true;
    }
}

/* Why the proposal won, for a reader of the notes. */
static void election_print_reason(const struct election *election, struct text *text)
{
    if (!election->has_rival || election->rival.leader == election->proposal.leader) {
        text_str(text, "a quorum votes for it, no other candidate");
        return;
    }
    text_str(text, election_why_better(&election->proposal, &election->rival));
    text_str(text, " than server ");
    text_i64(text, election->rival.leader);
}

static void election_clear_round(struct election *election)
{
    for (uint32_t i = 0; i < election->slot_count; i++) {
        election->slots[i].current.present = false;
    }
    election->has_rival = false;
}

static void election_join_round(struct election *election, struct fx *fx, const struct vote *vote)
{
    const struct membership *membership = election->ensemble.committed;

    election->round = vote->round;
    election->rounds_joined++;
    election_clear_round(election);
    if (election_is_better(membership, vote, &election->own)) {
        election->proposal = *vote;
        election_keep_rival(election, &election->own);
        election_note_vote(election, fx, "new round, ", election_why_better(vote, &election->own));
    } else {
        election->proposal = election->own;
        election_keep_rival(election, vote);
        election_note_vote(election, fx, "new round, ", "own vote");
    }
    election_broadcast(election);
}

static bool election_is_same(const struct vote *a, const struct vote *b)
{
    return a->leader == b->leader && a->zxid == b->zxid && a->epoch == b->epoch &&
           a->round == b->round;
}

/* Another server that is looking. False when its vote does not count. */
static bool election_on_looking(struct election *election, struct fx *fx,
                                struct election_slot *slot, const struct vote *vote)
{
    if (election->own.zxid == VOTE_ZXID_NONE || vote->zxid == VOTE_ZXID_NONE ||
        vote->round < election->round) {
        return false;
    }
    if (vote->round > election->round) {
        election_join_round(election, fx, vote);
    } else if (election_is_better(election->ensemble.committed, vote, &election->proposal)) {
        struct vote old = election->proposal;

        election->proposal = *vote;
        election_keep_rival(election, &old);
        election_note_vote(election, fx, "", election_why_better(vote, &old));
        election_broadcast(election);
    } else {
        election_keep_rival(election, vote);
        if (slot->current.present && election_is_same(&slot->current.vote, vote) &&
            election_is_better(election->ensemble.committed, &election->proposal, vote)) {
            /* It repeats a vote that ours beats: ours was lost. (Apache waits for its own next
             * notification, which each repetition puts off.) */
            election_say(election, &election->proposal, election->round);
            election_say_to(election, slot->sid);
        }
    }
    slot->current = (struct ballot){.present = true, .state = VOTE_LOOKING, .vote = *vote};
    return true;
}

/* A server that has a leader, or is it. */
static void election_on_established(struct election *election, struct fx *fx, uint64_t now_us,
                                    struct election_slot *slot, const struct ballot *ballot)
{
    const struct vote *vote = &ballot->vote;

    if (vote->round == election->round) {
        slot->current = *ballot;
        slot->current.version = 0;
        if (ensemble_has_quorum(&election->ensemble, election_tally(election, false, ballot)) &&
            election_check_leader(election, false, vote)) {
            election_finish(election, fx, now_us, vote, "a quorum of this round has this leader");
            return;
        }
    }
    slot->established = *ballot;
    if (ensemble_has_quorum(&election->ensemble, election_tally(election, true, ballot)) &&
        election_check_leader(election, true, vote)) {
        election->round = vote->round;
        election_finish(election, fx, now_us, vote, "joins an established leader");
    }
}

/* Whether a message could change anything: while votes settle, others are not looked at. */
static bool election_is_relevant(const struct election *election, const struct ballot *ballot)
{
    switch (ballot->state) {
    case VOTE_LOOKING:
        return ballot->vote.round >= election->round;
    case VOTE_FOLLOWING:
    case VOTE_LEADING:
        return true;
    case VOTE_OBSERVING:
        return false;
    }
    UNREACHABLE();
}

static void election_take(struct election *election, struct fx *fx, uint64_t now_us,
                          struct election_slot *slot, const struct ballot *ballot)
{
    if (election_find(election, ballot->vote.leader) == NULL ||
        !election_is_relevant(election, ballot)) {
        return;
    }
    if (election->settle_at_us != WAKE_NEVER) {
        if (!election_is_better(election->ensemble.committed, &ballot->vote, &election->proposal)) {
            uint64_t at_us = now_us + election->timing.settle_us;

            election->settle_at_us =
                at_us < election->settle_until_us ? at_us : election->settle_until_us;
            return;
        }
        election->settle_at_us = WAKE_NEVER;
    }
    election->resend_at_us = now_us + election->wait_us;
    if (ballot->state != VOTE_LOOKING) {
        election_on_established(election, fx, now_us, slot, ballot);
    } else if (election_on_looking(election, fx, slot, &ballot->vote)) {
        election_count(election, now_us);
    }
}

/* -- inputs -- */

void election_start(struct election *election, struct fx *fx, uint64_t now_us,
                    const struct vote *own)
{
    if (!election->has_current) {
        election->current = (struct vote){
            .leader = election->sid, .zxid = own->zxid, .round = -1, .epoch = own->epoch};
        election->has_current = true;
    }
    election->state = VOTE_LOOKING;
    election->decided = false;
    election->resting = false;
    election->started_us = now_us;
    /* Peers choose rounds too: no value may overflow. */
    election->round = (int64_t)((uint64_t)election->round + 1);
    election->own = *own;
    if (!election->votes) {
        election->own = (struct vote){
            .leader = VOTE_OF_OBSERVER, .zxid = VOTE_OF_OBSERVER, .epoch = VOTE_OF_OBSERVER};
    }
    election->proposal = election->own;
    election_clear_round(election);
    for (uint32_t i = 0; i < election->slot_count; i++) {
        election->slots[i].established.present = false;
    }
    election->settle_at_us = WAKE_NEVER;
    election->wait_us = election->timing.resend_min_us;
    election->resend_at_us = now_us + election->wait_us;
    fx_note(fx, NOTE_LOOKING, (uint64_t)election->round, (uint64_t)own->zxid, (uint64_t)own->epoch,
            span_make(NULL, 0));
    election_broadcast(election);
    election_count(election, now_us);
}

void election_rest(struct election *election)
{
    election->resting = true;
    election->decided = false;
    election->settle_at_us = WAKE_NEVER;
    election->resend_at_us = WAKE_NEVER;
    election->out.count = 0;
}

void election_on_notification(struct election *election, struct fx *fx, uint64_t now_us,
                              int64_t from, const struct wire_vote *notice)
{
    struct election_slot *slot = election_find(election, from);
    struct ballot ballot = {
        .present = true,
        .state = notice->state,
        .version = notice->version,
        .vote = election_vote_of(notice),
    };

    election->out.count = 0;
    if (from == election->sid || !election->has_current || election->resting) {
        return;
    }
    if (slot == NULL) {
        /* It does not vote, so it is told at once what we hold for true, even while we look. */
        election_say(election, &election->current, election->round);
        election_say_to(election, from);
        return;
    }
    if (election->state != VOTE_LOOKING) {
        if (notice->state == VOTE_LOOKING) {
            election_say(election, &election->current, election->current.round);
            election_say_to(election, from);
        }
        return;
    }
    if (notice->state == VOTE_LOOKING && ballot.vote.round < election->round) {
        election_say(election, &election->proposal, election->round);
        election_say_to(election, from);
    }
    election_take(election, fx, now_us, slot, &ballot);
}

void election_on_time(struct election *election, struct fx *fx, uint64_t now_us)
{
    election->out.count = 0;
    if (election->state != VOTE_LOOKING || election->resting) {
        return;
    }
    if (election->settle_at_us != WAKE_NEVER) {
        struct vote vote = election->proposal;
        char why[64];
        struct text text;

        if (now_us < election->settle_at_us) {
            return;
        }
        vote.round = election->round;
        text_init(&text, why, sizeof(why));
        election_print_reason(election, &text);
        election_finish(election, fx, now_us, &vote, why);
        return;
    }
    if (now_us >= election->resend_at_us) {
        election->wait_us *= 2;
        if (election->wait_us > election->timing.resend_max_us) {
            election->wait_us = election->timing.resend_max_us;
        }
        election->resend_at_us = now_us + election->wait_us;
        election_broadcast(election);
        election_count(election, now_us);
    }
}

uint64_t election_wake_us(const struct election *election)
{
    if (election->state != VOTE_LOOKING || election->resting) {
        return WAKE_NEVER;
    }
    return election->settle_at_us != WAKE_NEVER ? election->settle_at_us : election->resend_at_us;
}

bool election_result(struct election *election, struct vote *vote)
{
    if (!election->decided) {
        return false;
    }
    election->decided = false;
    *vote = election->current;
    return true;
}

void election_set_state(struct election *election, enum vote_state state,
                        const struct vote *current)
{
    election->state = state;
    election->current = *current;
    election->has_current = true;
    election->decided = false;
    election->resting = false;
    election->settle_at_us = WAKE_NEVER;
    election->resend_at_us = WAKE_NEVER;
    election->out.count = 0;
}

void election_set_epoch(struct election *election, int64_t epoch)
{
    election->current.epoch = epoch;
}
