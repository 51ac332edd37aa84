#include "help_cluster.h"
#include "protocol/notes.h"
#include "tests/expect.h"

#include <check.h>

static struct cluster cluster;

#define SECOND UINT64_C(1000000)
#define MS     UINT64_C(1000)

/* -- order and equality of votes -- */

#define GRID 4

static struct vote grid_vote(uint32_t index)
{
    return (struct vote){
        .epoch = (int64_t)(index / (GRID * GRID)) - 1,
        .zxid = (int64_t)(index / GRID % GRID) - 1,
        .leader = (int64_t)(index % GRID) + 1,
        .round = (int64_t)(index % 3), /* must not matter */
    };
}

/* EP-12: a strict total order on (epoch, zxid, id), on every pair and triple of a grid. */
START_TEST(test_votes_are_totally_ordered)
{
    const uint32_t count = GRID * GRID * GRID;
    const struct membership *membership;

    cluster_open(&cluster, 5, 0, 1);
    membership = &cluster.membership;
    for (uint32_t i = 0; i < count; i++) {
        struct vote a = grid_vote(i);

        EXPECT(!election_is_better(membership, &a, &a));
        for (uint32_t j = 0; j < count; j++) {
            struct vote b = grid_vote(j);
            bool a_wins = election_is_better(membership, &a, &b);

            EXPECT(a_wins == (i > j)); /* the grid counts epoch, zxid, id lexicographically */
            EXPECT(i == j || a_wins != election_is_better(membership, &b, &a));
            for (uint32_t k = 0; a_wins && k < count; k++) {
                struct vote c = grid_vote(k);

                EXPECT(!election_is_better(membership, &b, &c) ||
                       election_is_better(membership, &a, &c));
            }
        }
    }
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_compared_as_signed_numbers)
{
    struct vote none = {
        .leader = VOTE_OF_OBSERVER, .zxid = VOTE_OF_OBSERVER, .epoch = VOTE_OF_OBSERVER};
    struct vote empty = {.leader = 1, .zxid = 0, .epoch = 0};
    struct vote unset = {.leader = 1, .zxid = 0, .epoch = -1};

    cluster_open(&cluster, 3, 0, 1);
    EXPECT(election_is_better(&cluster.membership, &empty, &none));
    EXPECT(!election_is_better(&cluster.membership, &none, &empty));
    EXPECT(election_is_better(&cluster.membership, &empty, &unset));
    ck_assert_str_eq(election_why_better(&empty, &unset), "larger epoch");
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_a_server_without_weight_never_wins)
{
    struct vote heavy = {.leader = 1, .zxid = 0, .epoch = 0};
    struct vote light = {.leader = 3, .zxid = 9, .epoch = 9};

    cluster_open_text(&cluster, 3,
                      "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.3=0",
                      1);
    EXPECT(!election_is_better(&cluster.membership, &light, &heavy));
    EXPECT(election_is_better(&cluster.membership, &heavy, &light) == false);
    cluster_start(&cluster, 1, 0, 0);
    cluster_start(&cluster, 2, 0, 0);
    cluster_start(&cluster, 3, 0, 0);
    cluster_run(&cluster, 2 * SECOND);
    EXPECT(cluster.servers[1].result.leader == 2);
    EXPECT(cluster.servers[2].result.leader == 2);
    cluster_close(&cluster);
}
END_TEST

/* -- walk-throughs -- */

/* Servers 1 to 5 start one after the other: 1 and 2 are no quorum, with 3 there is one and the
 * largest id wins; 4 and 5 come too late and follow. */
START_TEST(test_five_servers_start_one_after_the_other)
{
    cluster_open(&cluster, 5, 0, 1);
    for (uint32_t id = 1; id <= 5; id++) {
        cluster_start(&cluster, id, 0, 0);
        cluster_run(&cluster, 2 * SECOND);
        EXPECT(id >= 3 || cluster.servers[1].looking);
        EXPECT(id < 3 || cluster_leader(&cluster) == 3);
    }
    for (uint32_t id = 1; id <= 5; id++) {
        EXPECT(cluster.servers[id].results == 1);
        EXPECT(cluster.servers[id].election.round == 1);
        EXPECT(cluster.servers[id].election.state == (id == 3 ? VOTE_LEADING : VOTE_FOLLOWING));
    }
    cluster_close(&cluster);
}
END_TEST

/* Zxids 8, 8, 8, 7, 7; leader 3 and server 5 die. Of 1, 2 and 4 the largest zxid wins, then the
 * largest id. */
START_TEST(test_zxids_8_8_8_7_7_without_3_and_5)
{
    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 1, 1, 8);
    cluster_start(&cluster, 2, 1, 8);
    cluster_start(&cluster, 4, 1, 7);
    cluster_run(&cluster, 2 * SECOND);
    EXPECT(cluster_leader(&cluster) == 2);
    EXPECT(cluster.servers[4].result.zxid == 8);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_epoch_beats_zxid_beats_id)
{
    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 3, 1);
    cluster_start(&cluster, 2, 2, 9);
    cluster_start(&cluster, 3, 2, 9);
    cluster_run(&cluster, 2 * SECOND);
    EXPECT(cluster_leader(&cluster) == 1);
    cluster_close(&cluster);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 2, 9);
    cluster_start(&cluster, 2, 2, 8);
    cluster_start(&cluster, 3, 2, 8);
    cluster_run(&cluster, 2 * SECOND);
    EXPECT(cluster_leader(&cluster) == 1);
    cluster_close(&cluster);

    cluster_open(&cluster, 3, 0, 1);
    for (uint32_t id = 1; id <= 3; id++) {
        cluster_start(&cluster, id, 2, 9);
    }
    cluster_run(&cluster, 2 * SECOND);
    EXPECT(cluster_leader(&cluster) == 3);
    cluster_close(&cluster);
}
END_TEST

/* vectors/quorum/election-late-3-1.txt and -3-2.txt: 1 follows 2, which leads; 3 joins although its
 * own vote would be larger. */
START_TEST(test_a_late_server_finds_the_leader)
{
    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 0, 0);
    cluster_start(&cluster, 2, 0, 0);
    cluster_run(&cluster, SECOND);
    election_set_epoch(&cluster.servers[1].election, 1);
    election_set_epoch(&cluster.servers[2].election, 1);
    cluster_start(&cluster, 3, 0, 0);
    cluster_run(&cluster, 10 * MS); /* no settling: the answers decide */
    EXPECT(cluster_leader(&cluster) == 2);
    EXPECT(cluster.servers[3].result.epoch == 1);
    EXPECT(cluster.servers[3].result.round == 1);
    cluster_close(&cluster);
}
END_TEST

/* ZOOKEEPER-1732, 1805: members of a running ensemble may have elected in different rounds; who
 * joins takes the round of the leader. */
START_TEST(test_a_late_server_joins_whatever_the_rounds)
{
    struct vote current = {.leader = 2, .zxid = 5, .round = 7, .epoch = 3};
    struct vote other = {.leader = 2, .zxid = 4, .round = 9, .epoch = 3};

    cluster_open(&cluster, 5, 0, 1);
    for (uint32_t id = 1; id <= 3; id++) {
        cluster_start(&cluster, id, 3, 4);
        election_set_state(&cluster.servers[id].election, id == 2 ? VOTE_LEADING : VOTE_FOLLOWING,
                           id == 1 ? &other : &current);
        cluster.servers[id].looking = false;
        cluster.servers[id].result = current;
    }
    cluster.mail_count = 0;
    cluster_start(&cluster, 5, 3, 9);
    cluster_run(&cluster, SECOND);
    EXPECT(cluster.servers[5].result.leader == 2);
    EXPECT(cluster.servers[5].election.state == VOTE_FOLLOWING);
    EXPECT(cluster.servers[5].election.round == 7 || cluster.servers[5].election.round == 9);
    cluster_close(&cluster);
}
END_TEST

static struct wire_vote notice_make(enum vote_state state, int64_t leader, int64_t round)
{
    return (struct wire_vote){
        .form = VOTE_FULL,
        .state = state,
        .leader = leader,
        .zxid = 5,
        .election_epoch = round,
        .peer_epoch = 2,
        .version = WIRE_VOTE_VERSION,
    };
}

/* FastLeaderElection.checkLeader: followers of a server that does not say itself that it leads. */
START_TEST(test_followers_alone_prove_no_leader)
{
    struct wire_vote following = notice_make(VOTE_FOLLOWING, 3, 9);
    struct wire_vote leading = notice_make(VOTE_LEADING, 3, 9);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 2, &following);
    cluster_give(&cluster, 1, 3, &following);
    EXPECT(cluster.servers[1].looking);
    cluster_give(&cluster, 1, 3, &leading);
    EXPECT(!cluster.servers[1].looking);
    EXPECT(cluster_has_note(&cluster, NOTE_ELECTED, "joins an established leader"));
    cluster_close(&cluster);
}
END_TEST

/* Others that follow us from an earlier round are no reason to lead now. */
START_TEST(test_nobody_leads_by_votes_of_an_old_round)
{
    struct wire_vote following = notice_make(VOTE_FOLLOWING, 1, 9);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 2, &following);
    cluster_give(&cluster, 1, 3, &following);
    EXPECT(cluster.servers[1].looking);
    following.election_epoch = 1; /* our own round */
    cluster_give(&cluster, 1, 2, &following);
    cluster_give(&cluster, 1, 3, &following);
    EXPECT(cluster.servers[1].election.state == VOTE_LEADING);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_observers_follow_and_never_count)
{
    cluster_open(&cluster, 5, 2, 1); /* 4 and 5 observe */
    cluster_start(&cluster, 3, 0, 0);
    cluster_start(&cluster, 4, 9, 99);
    EXPECT(cluster.servers[4].election.proposal.leader == VOTE_OF_OBSERVER);
    EXPECT(cluster.servers[4].election.proposal.zxid == VOTE_OF_OBSERVER);
    EXPECT(cluster.servers[4].election.proposal.epoch == VOTE_OF_OBSERVER);
    cluster_start(&cluster, 5, 9, 99);
    cluster_run(&cluster, 5 * SECOND);
    EXPECT(cluster.servers[3].looking); /* 3 of 5 are up, but only one voter of three */
    EXPECT(cluster.servers[4].looking);
    cluster_start(&cluster, 1, 0, 0);
    cluster_run(&cluster, 20 * SECOND);
    EXPECT(cluster_leader(&cluster) == 3);
    EXPECT(cluster.servers[4].election.state == VOTE_OBSERVING);
    EXPECT(cluster.servers[5].election.state == VOTE_OBSERVING);
    cluster_close(&cluster);
}
END_TEST

/* vectors/quorum/election-observer-4-1.txt: an observer is answered at once with the current vote,
 * which during a re-election is that of the old leader. */
START_TEST(test_an_observer_is_told_the_current_vote)
{
    struct wire_vote question = notice_make(VOTE_LOOKING, VOTE_OF_OBSERVER, 2);
    const struct election_out *out = &cluster.servers[1].election.out;
    struct vote old = {.leader = 2, .zxid = 0, .round = 1, .epoch = 1};

    cluster_open(&cluster, 4, 1, 1);
    cluster_start(&cluster, 1, 1, 0x100000005);
    election_set_state(&cluster.servers[1].election, VOTE_FOLLOWING, &old);
    cluster_look(&cluster, 1);
    fx_clear(&cluster.fx);
    election_on_notification(&cluster.servers[1].election, &cluster.fx, 0, 4, &question);
    EXPECT(out->count == 1);
    EXPECT(out->to[0] == 4);
    EXPECT(out->notice.state == VOTE_LOOKING);
    EXPECT(out->notice.leader == 2);
    EXPECT(out->notice.zxid == 0);
    EXPECT(out->notice.election_epoch == 2);
    EXPECT(out->notice.peer_epoch == 1);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_one_server_alone_elects_itself)
{
    cluster_open(&cluster, 1, 0, 1);
    cluster_start(&cluster, 1, 0, 0);
    EXPECT(cluster.mail_count == 0);
    cluster_run(&cluster, 199 * MS);
    EXPECT(cluster.servers[1].looking);
    cluster_run(&cluster, 2 * MS);
    EXPECT(cluster_leader(&cluster) == 1);
    cluster_close(&cluster);
}
END_TEST

/* -- rounds and time -- */

START_TEST(test_old_rounds_are_answered_and_not_counted)
{
    struct wire_vote old = notice_make(VOTE_LOOKING, 3, 4);
    const struct election_out *out = &cluster.servers[1].election.out;

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster.servers[1].election.round = 5;
    fx_clear(&cluster.fx);
    election_on_notification(&cluster.servers[1].election, &cluster.fx, 0, 3, &old);
    EXPECT(out->count == 1);
    EXPECT(out->to[0] == 3);
    EXPECT(out->notice.leader == 1);
    EXPECT(out->notice.election_epoch == 5);
    EXPECT(cluster.servers[1].election.proposal.leader == 1);
    EXPECT(election_wake_us(&cluster.servers[1].election) == 200 * MS);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_a_higher_round_is_joined_with_the_better_vote)
{
    struct wire_vote better = notice_make(VOTE_LOOKING, 3, 4);
    struct wire_vote worse = notice_make(VOTE_LOOKING, 2, 6);

    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 3, &better);
    EXPECT(cluster.servers[1].election.round == 4);
    EXPECT(cluster.servers[1].election.proposal.leader == 3);
    EXPECT(cluster_has_note(&cluster, NOTE_VOTE, "new round, larger id"));
    worse.zxid = 1; /* worse than the own vote: the vote for 3 belongs to the old round */
    cluster_give(&cluster, 1, 2, &worse);
    EXPECT(cluster.servers[1].election.round == 6);
    EXPECT(cluster.servers[1].election.proposal.leader == 1);
    EXPECT(cluster_has_note(&cluster, NOTE_VOTE, "new round, own vote"));
    cluster_close(&cluster);
}
END_TEST

/* What was proposed in the old round is forgotten: only the own vote and the one that came compete.
 */
START_TEST(test_a_new_round_forgets_the_old_proposal)
{
    struct wire_vote old = notice_make(VOTE_LOOKING, 3, 4);
    struct wire_vote between = notice_make(VOTE_LOOKING, 2, 6);

    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 3, &old);
    cluster_give(&cluster, 1, 2, &between);
    EXPECT(cluster.servers[1].election.round == 6);
    EXPECT(cluster.servers[1].election.proposal.leader == 2);
    cluster_close(&cluster);
}
END_TEST

/* A follower's statement of an old round, with another epoch than the rest, must not complete a
 * quorum. */
START_TEST(test_a_new_round_forgets_the_old_votes)
{
    struct wire_vote following = notice_make(VOTE_FOLLOWING, 3, 1);
    struct wire_vote looking = notice_make(VOTE_LOOKING, 5, 2);
    struct wire_vote leading = notice_make(VOTE_LEADING, 3, 2);

    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    following.peer_epoch = 1;
    cluster_give(&cluster, 1, 2, &following);
    cluster_give(&cluster, 1, 5, &looking);
    cluster_give(&cluster, 1, 3, &leading);
    following = notice_make(VOTE_FOLLOWING, 3, 2);
    cluster_give(&cluster, 1, 4, &following);
    EXPECT(cluster.servers[1].looking);
    cluster_give(&cluster, 1, 2, &following);
    EXPECT(!cluster.servers[1].looking);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_settles_for_200_ms_without_a_better_vote)
{
    struct wire_vote same = notice_make(VOTE_LOOKING, 2, 1);
    struct wire_vote better = notice_make(VOTE_LOOKING, 3, 1);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 2, &same);
    EXPECT(election_wake_us(&cluster.servers[1].election) == 200 * MS);
    cluster_run(&cluster, 100 * MS);
    cluster_give(&cluster, 1, 3,
                 &better); /* a better vote: back to counting, and here a new quorum */
    EXPECT(cluster.servers[1].election.proposal.leader == 3);
    EXPECT(election_wake_us(&cluster.servers[1].election) == 300 * MS);
    cluster_run(&cluster, 199 * MS);
    EXPECT(cluster.servers[1].looking);
    cluster_run(&cluster, 2 * MS);
    EXPECT(!cluster.servers[1].looking);
    EXPECT(cluster.servers[1].result.leader == 3);
    EXPECT(cluster_has_note(&cluster, NOTE_ELECTED, "larger id than server 2"));
    cluster_close(&cluster);
}
END_TEST

/* Apache waits for silence without end; here ten waits are enough. */
START_TEST(test_a_chatterbox_cannot_postpone_for_ever)
{
    struct wire_vote same = notice_make(VOTE_LOOKING, 2, 1);
    uint64_t waited_ms = 0;

    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 1, 2, 5);
    cluster_give(&cluster, 1, 2, &same);
    for (; cluster.servers[1].looking && waited_ms < 10000; waited_ms += 50) {
        cluster_give(&cluster, 1, 3, &same);
        cluster_run(&cluster, 50 * MS);
    }
    EXPECT(waited_ms >= 2000);
    EXPECT(waited_ms <= 2300);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_waits_double_from_200_ms_to_60_s)
{
    uint64_t wait_ms = 200;
    uint64_t at_us = 0;

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 0, 0);
    for (int i = 0; i < 15; i++) {
        at_us += wait_ms * MS;
        EXPECT(election_wake_us(&cluster.servers[1].election) == at_us);
        cluster_run(&cluster, at_us - cluster.now_us);
        wait_ms = 2 * wait_ms > 60000 ? 60000 : 2 * wait_ms;
    }
    EXPECT(wait_ms == 60000);
    EXPECT(cluster.mail_sequence == 2 * 16); /* to two others */
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_lost_messages_are_sent_again)
{
    cluster_open(&cluster, 3, 0, 1);
    cluster.lose_ppm = 1000000;
    cluster_start(&cluster, 1, 0, 0);
    cluster_start(&cluster, 2, 0, 0);
    cluster_run(&cluster, 100 * MS);
    cluster.lose_ppm = 0;
    cluster_run(&cluster, 5 * SECOND);
    EXPECT(cluster_leader(&cluster) == 2);
    cluster_close(&cluster);
}
END_TEST

/* 3 has waited for long when 1 comes, and its next notification is seconds away. */
START_TEST(test_who_repeats_a_worse_vote_is_told_again)
{
    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 3, 0, 0);
    cluster_run(&cluster, 100 * SECOND);
    cluster.cut[3][1] = true; /* what 3 said last is lost */
    cluster_start(&cluster, 1, 0, 0);
    cluster.cut[3][1] = false;
    cluster_run(&cluster, 600 * MS); /* 200 until 1 repeats, 200 to settle */
    EXPECT(cluster_leader(&cluster) == 3);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_two_of_five_elect_nobody)
{
    cluster_open(&cluster, 5, 0, 1);
    cluster_start(&cluster, 4, 0, 0);
    cluster_start(&cluster, 5, 0, 0);
    cluster_run(&cluster, 600 * SECOND);
    EXPECT(cluster.servers[4].looking);
    EXPECT(cluster.servers[5].looking);
    cluster_close(&cluster);
}
END_TEST

/* -- input that is not to be trusted -- */

START_TEST(test_votes_for_strangers_and_empty_databases_do_not_count)
{
    struct wire_vote notice = notice_make(VOTE_LOOKING, 99, 1);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 0, 0);
    cluster_give(&cluster, 1, 2, &notice);
    notice.election_epoch = INT64_MAX;
    cluster_give(&cluster, 1, 3, &notice);
    EXPECT(cluster.servers[1].election.round == 1);
    notice = notice_make(VOTE_LOOKING, 3, 1);
    notice.zxid = VOTE_ZXID_NONE;
    cluster_give(&cluster, 1, 3, &notice);
    EXPECT(cluster.servers[1].election.proposal.leader == 1);
    notice = notice_make(VOTE_OBSERVING, 3, 1);
    cluster_give(&cluster, 1, 3, &notice);
    cluster_give(&cluster, 1, 2, &notice);
    EXPECT(cluster.servers[1].election.proposal.leader == 1);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_the_largest_round_does_not_overflow)
{
    struct wire_vote notice = notice_make(VOTE_LOOKING, 3, INT64_MAX);

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 0, 0);
    cluster_give(&cluster, 1, 3, &notice);
    EXPECT(cluster.servers[1].election.round == INT64_MAX);
    cluster_look(&cluster, 1);
    EXPECT(cluster.servers[1].election.round == INT64_MIN);
    cluster_close(&cluster);
}
END_TEST

/* A server whose database is not to be trusted (zxid -1) does not take part in counting. */
START_TEST(test_an_empty_database_elects_nobody)
{
    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 1, 0, VOTE_ZXID_NONE);
    cluster_start(&cluster, 2, 0, VOTE_ZXID_NONE);
    cluster_run(&cluster, 5 * SECOND);
    EXPECT(cluster.servers[1].looking);
    EXPECT(cluster.servers[2].looking);
    cluster_close(&cluster);
}
END_TEST

/* -- captured -- */

/* vectors/quorum/election-2-1.txt: what server 1 says to server 2 in the first election, in bytes.
 */
START_TEST(test_first_election_has_the_captured_bytes)
{
    static const char text[] = "server.1=127.0.0.1:32281:32381:participant\n"
                               "server.2=127.0.0.1:32282:32382:participant\n"
                               "server.3=127.0.0.1:32283:32383:participant\n"
                               "server.4=127.0.0.1:32284:32384:observer\nversion=0";
    static const uint8_t head[] = {0, 0, 0, 0xde, 0, 0, 0, 0, /* 222 bytes, LOOKING */
                                   0, 0, 0, 0,    0, 0, 0, 1, /* leader 1 */
                                   0, 0, 0, 0,    0, 0, 0, 0, /* zxid 0 */
                                   0, 0, 0, 0,    0, 0, 0, 1, /* round 1 */
                                   0, 0, 0, 0,    0, 0, 0, 0, /* epoch 0 */
                                   0, 0, 0, 2,    0, 0, 0, 0xb2,
                                   /* version, length */};
    struct wire_vote notice = notice_make(VOTE_LOOKING, 2, 1);
    struct election *election = &cluster.servers[1].election;
    struct vote own = {.leader = 1};
    struct bytes bytes;

    cluster_open_text(&cluster, 4, text, 1);
    bytes_init(&bytes, &cluster.heap.mem);
    cluster.servers[1].up = true;
    EXPECT(election_init(election, &cluster.heap.mem, &cluster.ensemble, 1) == ERR_OK);
    election_start(election, &cluster.fx, 0, &own);
    EXPECT(election->out.count == 2); /* voters only */
    wire_vote_put(&bytes, &election->out.notice);
    EXPECT(bytes.len == 226);
    EXPECT(memcmp(bytes.at, head, sizeof(head)) == 0);
    EXPECT(memcmp(bytes.at + sizeof(head), text, sizeof(text) - 1) == 0);

    notice.zxid = 0;
    notice.peer_epoch = 0;
    election_on_notification(election, &cluster.fx, 87000, 2, &notice);
    bytes_clear(&bytes);
    wire_vote_put(&bytes, &election->out.notice);
    EXPECT(bytes.at[15] == 2); /* changed its vote, says so to all */
    EXPECT(election->out.count == 2);
    EXPECT(cluster_has_note(&cluster, NOTE_VOTE, "larger id"));
    bytes_drop(&bytes);
    cluster_close(&cluster);
}
END_TEST

/* vectors/quorum/election-rejoin-3-2.txt: a leader answers a restarted server of an older round. */
START_TEST(test_a_leader_answers_with_its_established_vote)
{
    struct wire_vote question = notice_make(VOTE_LOOKING, 2, 1);
    const struct election_out *out = &cluster.servers[3].election.out;
    struct vote current = {.leader = 3, .zxid = 0x10000001b, .round = 2, .epoch = 1};

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 3, 1, 0x10000001b);
    election_set_state(&cluster.servers[3].election, VOTE_LEADING, &current);
    election_set_epoch(&cluster.servers[3].election, 2);
    question.zxid = 0x10000001c;
    question.peer_epoch = 1;
    fx_clear(&cluster.fx);
    election_on_notification(&cluster.servers[3].election, &cluster.fx, 0, 2, &question);
    EXPECT(out->count == 1);
    EXPECT(out->notice.state == VOTE_LEADING);
    EXPECT(out->notice.leader == 3);
    EXPECT(out->notice.zxid == 0x10000001b);
    EXPECT(out->notice.election_epoch == 2);
    EXPECT(out->notice.peer_epoch == 2);
    EXPECT(election_wake_us(&cluster.servers[3].election) == WAKE_NEVER);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_who_rests_answers_nobody_until_it_looks)
{
    struct wire_vote question = notice_make(VOTE_LOOKING, 2, 2);
    struct election *election = &cluster.servers[3].election;
    struct vote current = {.leader = 3, .zxid = 0x10000001b, .round = 2, .epoch = 1};

    cluster_open(&cluster, 3, 0, 1);
    cluster_start(&cluster, 3, 1, 0x10000001b);
    election_set_state(election, VOTE_LEADING, &current);
    election_rest(election);
    fx_clear(&cluster.fx);
    election_on_notification(election, &cluster.fx, 0, 2, &question);
    EXPECT(election->out.count == 0);
    election_on_time(election, &cluster.fx, SECOND);
    EXPECT(election->out.count == 0);
    EXPECT(election_wake_us(election) == WAKE_NEVER);

    cluster_look(&cluster, 3);
    fx_clear(&cluster.fx);
    election_on_notification(election, &cluster.fx, SECOND, 2, &question);
    EXPECT(election->out.count > 0);
    EXPECT(election->out.notice.state == VOTE_LOOKING);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_two_memberships_need_both_quorums)
{
    struct membership seen;
    struct wire_vote notice = notice_make(VOTE_LOOKING, 3, 1);
    struct config_error error;
    struct ensemble both;

    cluster_open(&cluster, 3, 0, 1);
    EXPECT(membership_parse(&seen, &cluster.heap.mem,
                            span_text("server.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\nversion=9"),
                            &error) == ERR_OK);
    cluster_start(&cluster, 1, 2, 5);
    both = (struct ensemble){.committed = &cluster.membership, .seen = &seen};
    EXPECT(election_set_ensemble(&cluster.servers[1].election, &both) == ERR_OK);
    election_start(&cluster.servers[1].election, &cluster.fx, 0, &cluster.servers[1].own);
    EXPECT(cluster.servers[1].election.out.count == 4);
    cluster.servers[1].election.out.count = 0;
    notice.election_epoch = 2;
    for (int64_t from = 2; from <= 4; from++) {
        EXPECT(cluster.servers[1].election.settle_at_us == WAKE_NEVER);
        fx_clear(&cluster.fx);
        election_on_notification(&cluster.servers[1].election, &cluster.fx, 0, from, &notice);
        election_out_clear(&cluster.servers[1].election);
    }
    EXPECT(cluster.servers[1].election.settle_at_us != WAKE_NEVER);
    EXPECT(election_set_ensemble(&cluster.servers[1].election, &cluster.ensemble) == ERR_OK);
    membership_drop(&seen);
    cluster_close(&cluster);
}
END_TEST

Suite *suite_election(void);
Suite *suite_election(void)
{
    Suite *suite = suite_create("election");
    TCase *tcase = tcase_create("election");

    tcase_add_test(tcase, test_votes_are_totally_ordered);
    tcase_add_test(tcase, test_compared_as_signed_numbers);
    tcase_add_test(tcase, test_a_server_without_weight_never_wins);
    tcase_add_test(tcase, test_five_servers_start_one_after_the_other);
    tcase_add_test(tcase, test_zxids_8_8_8_7_7_without_3_and_5);
    tcase_add_test(tcase, test_epoch_beats_zxid_beats_id);
    tcase_add_test(tcase, test_a_late_server_finds_the_leader);
    tcase_add_test(tcase, test_a_late_server_joins_whatever_the_rounds);
    tcase_add_test(tcase, test_followers_alone_prove_no_leader);
    tcase_add_test(tcase, test_nobody_leads_by_votes_of_an_old_round);
    tcase_add_test(tcase, test_observers_follow_and_never_count);
    tcase_add_test(tcase, test_an_observer_is_told_the_current_vote);
    tcase_add_test(tcase, test_one_server_alone_elects_itself);
    tcase_add_test(tcase, test_old_rounds_are_answered_and_not_counted);
    tcase_add_test(tcase, test_a_higher_round_is_joined_with_the_better_vote);
    tcase_add_test(tcase, test_a_new_round_forgets_the_old_proposal);
    tcase_add_test(tcase, test_a_new_round_forgets_the_old_votes);
    tcase_add_test(tcase, test_settles_for_200_ms_without_a_better_vote);
    tcase_add_test(tcase, test_a_chatterbox_cannot_postpone_for_ever);
    tcase_add_test(tcase, test_waits_double_from_200_ms_to_60_s);
    tcase_add_test(tcase, test_lost_messages_are_sent_again);
    tcase_add_test(tcase, test_who_repeats_a_worse_vote_is_told_again);
    tcase_add_test(tcase, test_two_of_five_elect_nobody);
    tcase_add_test(tcase, test_votes_for_strangers_and_empty_databases_do_not_count);
    tcase_add_test(tcase, test_the_largest_round_does_not_overflow);
    tcase_add_test(tcase, test_an_empty_database_elects_nobody);
    tcase_add_test(tcase, test_first_election_has_the_captured_bytes);
    tcase_add_test(tcase, test_a_leader_answers_with_its_established_vote);
    tcase_add_test(tcase, test_who_rests_answers_nobody_until_it_looks);
    tcase_add_test(tcase, test_two_memberships_need_both_quorums);
    suite_add_tcase(suite, tcase);
    return suite;
}
