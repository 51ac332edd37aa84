/* The leader and the learner, one packet at a time. */
#include "protocol/help_zab.h"

#include <check.h>

static struct zab_bench bench;

#define C1 (CONN_ACCEPTED + 0)
#define C2 (CONN_ACCEPTED + 1)
#define C3 (CONN_ACCEPTED + 2)

/* ---- discovery ---- */

/* Leader.getEpochToPropose: one more than the highest epoch that a quorum has accepted. */
START_TEST(test_the_epoch_is_above_every_accepted_one_of_a_quorum)
{
    bench_open(&bench, 3, 5, 0);
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bench_accept(&bench, C2);
    bench_say_info(&bench, C1, 1, 4);
    ck_assert_int_eq(bench.leader.phase, LEADER_DISCOVERY);
    bench_say_info(&bench, C2, 2, 7);

    ck_assert_int_eq(bench.leader.phase, LEADER_EPOCH_ACK);
    bench_expect(&bench, C1, PACKET_LEADERINFO, zxid_make(8, 0));
    bench_expect(&bench, C2, PACKET_LEADERINFO, zxid_make(8, 0));
    ck_assert_int_eq(store_accepted_epoch(bench.store), 8);
    bench_close(&bench);
}
END_TEST

/* ACKEPOCH with -1 tells the last zxid and does not count (Learner.registerWithLeader). */
START_TEST(test_an_epoch_accepted_before_does_not_count_twice)
{
    bench_open(&bench, 3, 3, 2);
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bench_say_info(&bench, C1, 1, 1);
    bench_say_ackepoch(&bench, C1, zxid_make(1, 2), -1);
    ck_assert_int_eq(bench.leader.phase, LEADER_EPOCH_ACK);
    bench_accept(&bench, C2);
    bench_say_info(&bench, C2, 2, 1);
    bench_say_ackepoch(&bench, C2, zxid_make(1, 2), 1);

    ck_assert_int_eq(bench.leader.phase, LEADER_SYNC);
    ck_assert_int_eq(store_current_epoch(bench.store), 2);
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_follower_with_a_later_history_is_not_led)
{
    bench_open(&bench, 3, 3, 2);
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bench_say_info(&bench, C1, 1, 1);

    ck_assert(!bench_say_ackepoch(&bench, C1, zxid_make(1, 3), 1));
    ck_assert_int_eq(bench.leader.phase, LEADER_EPOCH_ACK);
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_voter_that_accepted_a_later_epoch_ends_the_leadership)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    bench_accept(&bench, C3);
    bench_say_info(&bench, C3, 2, 9);

    ck_assert_int_eq(bench.leader.phase, LEADER_RETIRED);
    bench_close(&bench);
}
END_TEST

START_TEST(test_an_observer_is_never_counted)
{
    struct wire_learner learner = {.form = LEARNER_FULL,
                                   .sid = 7,
                                   .protocol_version = WIRE_LEARNER_VERSION,
                                   .config_version = 0};
    struct bytes out;

    bench_open(&bench, 3, 3, 0);
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bytes_init(&out, &bench.heap.mem);
    wire_learner_put(&out, PACKET_OBSERVERINFO, 0, &learner);
    bench_say(&bench, C1, &out, NULL);
    bytes_drop(&out);

    ck_assert_int_eq(bench.leader.phase, LEADER_DISCOVERY);
    bench_close(&bench);
}
END_TEST

/* ---- synchronisation ---- */

static void sync_with(int64_t last, int32_t epoch, bool forget)
{
    bench_open(&bench, 3, 3, 6);
    if (forget) {
        bench.history.keep_count = 2;
        history_trim(&bench.history, UINT64_MAX);
        history_begin_step(&bench.history);
    }
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bench_say_info(&bench, C1, 1, 1);
    bench_accept(&bench, C2);
    bench_say_info(&bench, C2, 2, 1);
    bench_expect(&bench, C1, PACKET_LEADERINFO, zxid_make(2, 0));
    bench_say_ackepoch(&bench, C2, zxid_make(1, 6), 1);
    bench_say_ackepoch(&bench, C1, last, epoch);
}

START_TEST(test_a_follower_that_lacks_some_gets_a_diff)
{
    sync_with(zxid_make(1, 4), 1, false);

    bench_expect(&bench, C1, PACKET_DIFF, zxid_make(1, 6));
    bench_expect(&bench, C1, PACKET_PROPOSAL, zxid_make(1, 5));
    bench_expect(&bench, C1, PACKET_COMMIT, zxid_make(1, 5));
    bench_expect(&bench, C1, PACKET_PROPOSAL, zxid_make(1, 6));
    bench_expect(&bench, C1, PACKET_COMMIT, zxid_make(1, 6));
    bench_expect(&bench, C1, PACKET_NEWLEADER, zxid_make(2, 0));
    bench_close(&bench);
}
END_TEST

/* The leader must already lead when a follower with more arrives: else it would not be led. */
START_TEST(test_a_follower_with_a_tail_of_its_own_is_truncated)
{
    sync_with(zxid_make(1, 6), 1, false);
    bench_expect(&bench, C1, PACKET_DIFF, zxid_make(1, 6));
    bench_accept(&bench, C3);
    bench_say_info(&bench, C3, 1, 2);
    bench_expect(&bench, C3, PACKET_LEADERINFO, zxid_make(2, 0));
    bench_say_ackepoch(&bench, C3, zxid_make(1, 9), -1);

    ck_assert(bench.closed[C1 % BENCH_CONNS]); /* the same server connected again */
    bench_expect(&bench, C3, PACKET_TRUNC, zxid_make(1, 6));
    bench_expect(&bench, C3, PACKET_NEWLEADER, zxid_make(2, 0));
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_follower_that_is_too_far_behind_gets_the_tree)
{
    struct wire_packet packet;
    const struct bytes *sent = &bench.sent[C1 % BENCH_CONNS];

    bench_open(&bench, 3, 3, 6);
    bench.history.keep_count = 2;
    history_trim(&bench.history, UINT64_MAX);
    history_begin_step(&bench.history);
    bench.config.force_snapshot_sync = true;
    zab_leader_start(&bench.leader, &bench.fx, bench.now_us, 2);
    bench_accept(&bench, C1);
    bench_say_info(&bench, C1, 1, 1);
    bench_expect(&bench, C1, PACKET_LEADERINFO, zxid_make(2, 0));
    bench_say_ackepoch(&bench, C1, 0, 0);
    bench_expect(&bench, C1, PACKET_SNAP, zxid_make(1, 6));

    /* the tree's stream, the mark, NEWLEADER */
    size_t mark = sent->len;
    for (size_t i = 0; i + 14 <= sent->len; i++) {
        if (memcmp(sent->at + i, "\0\0\0\nBenWasHere", 14) == 0) {
            mark = i;
        }
    }
    ck_assert_uint_lt(mark, sent->len);
    bytes_consume(&bench.sent[C1 % BENCH_CONNS], mark + 14);
    ck_assert(bench_hear(&bench, C1, &packet));
    ck_assert_int_eq(packet.type, PACKET_NEWLEADER);
    bench_close(&bench);
}
END_TEST

/* ---- broadcast ---- */

static void propose(uint32_t counter)
{
    struct span txn = bench_txn(&bench, zxid_make(bench.leader.epoch, counter));

    history_begin_step(&bench.history);
    ck_assert_int_eq(zab_leader_next_zxid(&bench.leader), zxid_make(bench.leader.epoch, counter));
    ck_assert_int_eq(zab_leader_propose(&bench.leader, &bench.fx, txn, bench.now_us), ERR_OK);
    store_flush(bench.store, &bench.fx);
    bench_take(&bench);
}

/* Zab, DSN'11, broadcast phase: commit once a quorum has acknowledged; the leader counts only once
 * its own log is durable. */
START_TEST(test_commit_needs_a_quorum_that_has_logged)
{
    bench_open(&bench, 5, 5, 0);
    bench_establish(&bench);
    propose(1);
    bench_expect(&bench, C1, PACKET_PROPOSAL, zxid_make(1, 1));
    bench_expect(&bench, C2, PACKET_PROPOSAL, zxid_make(1, 1));
    bench_say_packet(&bench, C1, PACKET_ACK, zxid_make(1, 1));
    bench_say_packet(&bench, C2, PACKET_ACK, zxid_make(1, 1));
    ck_assert_int_eq(bench.leader.committed,
                     zxid_make(1, 0)); /* 2 of 5, and the leader's disk is slow */
    bench_sync(&bench);

    ck_assert_int_eq(bench.leader.committed, zxid_make(1, 1));
    bench_expect(&bench, C1, PACKET_COMMIT, zxid_make(1, 1));
    bench_close(&bench);
}
END_TEST

START_TEST(test_commits_are_in_order_and_one_ack_speaks_for_those_before)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    propose(1);
    propose(2);
    propose(3);
    bench_say_packet(&bench, C1, PACKET_ACK, zxid_make(1, 2));
    bench_say_packet(&bench, C2, PACKET_ACK, zxid_make(1, 3));
    ck_assert_int_eq(bench.leader.committed, zxid_make(1, 2));
    for (uint32_t i = 1; i <= 3; i++) {
        bench_expect(&bench, C1, PACKET_PROPOSAL, zxid_make(1, i));
    }
    bench_expect(&bench, C1, PACKET_COMMIT, zxid_make(1, 1));
    bench_expect(&bench, C1, PACKET_COMMIT, zxid_make(1, 2));
    bench_sync(&bench);
    bench_sync(&bench);

    ck_assert_int_eq(bench.leader.committed, zxid_make(1, 3));
    bench_close(&bench);
}
END_TEST

START_TEST(test_an_ack_of_what_was_never_proposed_ends_the_connection)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    propose(1);

    ck_assert(!bench_say_packet(&bench, C1, PACKET_ACK, zxid_make(1, 2)));
    ck_assert_int_eq(bench.leader.committed, zxid_make(1, 0));
    bench_close(&bench);
}
END_TEST

START_TEST(test_the_counter_is_never_reused)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    bench.leader.proposed = zxid_make(1, UINT32_MAX - 1);

    ck_assert_int_eq(zab_leader_next_zxid(&bench.leader), 0);
    ck_assert_int_eq(bench.leader.phase, LEADER_RETIRED);
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_leader_without_its_quorum_retires)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    zab_leader_on_closed(&bench.leader, &bench.fx, C1, bench.now_us);
    zab_leader_on_closed(&bench.leader, &bench.fx, C2, bench.now_us);
    for (int i = 0; i < 3; i++) {
        bench.now_us += 500000;
        zab_leader_on_time(&bench.leader, &bench.fx, bench.now_us);
    }

    ck_assert_int_eq(bench.leader.phase, LEADER_RETIRED);
    bench_close(&bench);
}
END_TEST

START_TEST(test_silent_followers_are_dropped_after_sync_limit)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    for (int i = 0; i < 12 && !bench.closed[C1 % BENCH_CONNS]; i++) {
        bench.now_us += 500000;
        bench_say_packet(&bench, C2, PACKET_PING, 0);
        zab_leader_on_time(&bench.leader, &bench.fx, bench.now_us);
        bench_take(&bench);
    }

    ck_assert(bench.closed[C1 % BENCH_CONNS]);
    ck_assert(!bench.closed[C2 % BENCH_CONNS]);
    ck_assert_int_eq(bench.leader.phase, LEADER_BROADCAST);
    bench_close(&bench);
}
END_TEST

/* ---- sync as a barrier ---- */

START_TEST(test_sync_waits_for_a_round_that_began_after_it)
{
    bench_open(&bench, 5, 5, 0);
    bench_establish(&bench);
    zab_leader_sync(&bench.leader, &bench.fx, 0, 0, bench.now_us);
    bench_take(&bench);
    bench_expect(&bench, C1, PACKET_PING, zxid_make(1, 0));
    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 0);
    bench_say_packet(&bench, C1, PACKET_PING, zxid_make(1, 0));
    /* one of four followers: two of five with the leader */
    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 0);
    zab_leader_sync(&bench.leader, &bench.fx, 0, 0,
                    bench.now_us); /* arrives in the middle of the round */
    bench_say_packet(&bench, C2, PACKET_PING, zxid_make(1, 0));

    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 1);
    bench_say_packet(&bench, C1, PACKET_PING, zxid_make(1, 0));
    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 0);
    bench_say_packet(&bench, C2, PACKET_PING, zxid_make(1, 0));
    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 1);
    bench_close(&bench);
}
END_TEST

START_TEST(test_sync_waits_for_what_was_proposed_before_it)
{
    bench_open(&bench, 3, 3, 0);
    bench_establish(&bench);
    propose(1);
    zab_leader_sync(&bench.leader, &bench.fx, 0, 0, bench.now_us);
    bench_take(&bench);
    bench_say_packet(&bench, C1, PACKET_PING, zxid_make(1, 1));
    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 0);
    bench_sync(&bench);
    bench_say_packet(&bench, C1, PACKET_ACK, zxid_make(1, 1));

    ck_assert_uint_eq(zab_leader_release_syncs(&bench.leader, &bench.fx), 1);
    bench_close(&bench);
}
END_TEST

/* ---- the learner ---- */

static uint32_t leader_conn(void)
{
    return bench.dialed;
}

static void follow(int64_t epoch)
{
    struct bytes out;

    zab_learner_start(&bench.learner, &bench.fx, bench.now_us, 3, false);
    bench_take(&bench);
    zab_learner_on_opened(&bench.learner, &bench.fx, bench.now_us);
    bench_take(&bench);
    bench_expect(&bench, leader_conn(), PACKET_FOLLOWERINFO,
                 zxid_make(store_accepted_epoch(bench.store), 0));
    bytes_init(&out, &bench.heap.mem);
    wire_int_put(&out, PACKET_LEADERINFO, zxid_make(epoch, 0), WIRE_LEARNER_VERSION);
    bench_say(&bench, leader_conn(), &out, NULL);
    bytes_drop(&out);
}

static void lead_txn(enum packet_type type, int64_t zxid)
{
    struct bytes out;

    bytes_init(&out, &bench.heap.mem);
    wire_packet_put(&out, type, zxid, bench_txn(&bench, zxid));
    bench_say(&bench, leader_conn(), &out, NULL);
    bytes_drop(&out);
}

START_TEST(test_the_accepted_epoch_is_kept_before_it_is_acknowledged)
{
    struct wire_packet packet;
    int32_t epoch;

    bench_open(&bench, 1, 3, 2);
    follow(5);

    ck_assert_int_eq(store_accepted_epoch(bench.store), 5);
    ck_assert(bench_hear(&bench, leader_conn(), &packet));
    ck_assert_int_eq(packet.type, PACKET_ACKEPOCH);
    ck_assert_int_eq(packet.zxid, zxid_make(1, 2));
    ck_assert_int_eq(wire_int_decode(packet.data, &epoch), ERR_OK);
    ck_assert_int_eq(epoch, 1);
    bench_close(&bench);
}
END_TEST

START_TEST(test_an_older_leader_is_refused)
{
    bench_open(&bench, 1, 3, 2);
    store_set_accepted_epoch(bench.store, &bench.fx, 9);
    bench_take(&bench);
    follow(5);

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    ck_assert_int_eq(store_accepted_epoch(bench.store), 9);
    bench_close(&bench);
}
END_TEST

/* ZOOKEEPER-2355 and its kin: the epoch is acknowledged only when the history that it stands for is
 * durable. */
START_TEST(test_newleader_is_acknowledged_once_everything_is_durable)
{
    struct wire_packet packet;

    bench_open(&bench, 1, 3, 2);
    follow(2);
    bench_hear(&bench, leader_conn(), &packet);
    bench_say_packet(&bench, leader_conn(), PACKET_DIFF, zxid_make(1, 3));
    lead_txn(PACKET_PROPOSAL, zxid_make(1, 3));
    bench_say_packet(&bench, leader_conn(), PACKET_COMMIT, zxid_make(1, 3));
    bench_say_packet(&bench, leader_conn(), PACKET_NEWLEADER, zxid_make(2, 0));
    ck_assert(!bench_hear(&bench, leader_conn(), &packet));
    ck_assert_int_eq(store_current_epoch(bench.store), 1);
    bench_sync(&bench);

    ck_assert_int_eq(store_current_epoch(bench.store), 2);
    bench_expect(&bench, leader_conn(), PACKET_ACK, zxid_make(2, 0));
    bench_close(&bench);
}
END_TEST

static void follow_until_active(void)
{
    struct wire_packet packet;

    bench_open(&bench, 1, 3, 2);
    follow(2);
    bench_hear(&bench, leader_conn(), &packet);
    bench_say_packet(&bench, leader_conn(), PACKET_DIFF, zxid_make(1, 2));
    bench_say_packet(&bench, leader_conn(), PACKET_NEWLEADER, zxid_make(2, 0));
    bench_expect(&bench, leader_conn(), PACKET_ACK, zxid_make(2, 0));
    bench_say_packet(&bench, leader_conn(), PACKET_UPTODATE, -1);
    bench_expect(&bench, leader_conn(), PACKET_ACK, zxid_make(2, 0));
    ck_assert_int_eq(bench.learner.phase, LEARNER_ACTIVE);
}

/* Zab, DSN'11, broadcast phase: a follower acknowledges a proposal only once it is durable. */
START_TEST(test_follower_acks_only_after_sync)
{
    struct wire_packet packet;

    follow_until_active();
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 1));
    ck_assert(!bench_hear(&bench, leader_conn(), &packet));
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 2)); /* waits for the next write */
    bench_sync(&bench);

    bench_expect(&bench, leader_conn(), PACKET_ACK, zxid_make(2, 1));
    ck_assert(!bench_hear(&bench, leader_conn(), &packet));
    bench_sync(&bench);
    bench_sync(&bench);
    bench_expect(&bench, leader_conn(), PACKET_ACK, zxid_make(2, 2));
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_gap_in_the_proposals_ends_following)
{
    follow_until_active();
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 1));
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 3));

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    ck_assert_int_eq(history_last_zxid(&bench.history), zxid_make(2, 1));
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_commit_out_of_order_ends_following)
{
    follow_until_active();
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 1));
    lead_txn(PACKET_PROPOSAL, zxid_make(2, 2));
    bench_say_packet(&bench, leader_conn(), PACKET_COMMIT, zxid_make(2, 2));

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    ck_assert_int_eq(history_commit_zxid(&bench.history), zxid_make(1, 2));
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_malformed_proposal_is_never_logged)
{
    struct bytes out;

    follow_until_active();
    bytes_init(&out, &bench.heap.mem);
    wire_packet_put(&out, PACKET_PROPOSAL, zxid_make(2, 1),
                    span_text("no transaction at all, but long enough for a header"));
    bench_say(&bench, leader_conn(), &out, NULL);
    bytes_drop(&out);

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    ck_assert_int_eq(store_appended_zxid(bench.store), zxid_make(1, 2));
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_silent_leader_is_left)
{
    follow_until_active();
    bench.now_us += 4900000;
    zab_learner_on_time(&bench.learner, &bench.fx, bench.now_us);
    ck_assert_int_eq(bench.learner.phase, LEARNER_ACTIVE);
    bench.now_us += 200000;
    zab_learner_on_time(&bench.learner, &bench.fx, bench.now_us);

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    bench_close(&bench);
}
END_TEST

START_TEST(test_a_leader_that_does_not_listen_is_tried_five_times)
{
    bench_open(&bench, 1, 3, 0);
    zab_learner_start(&bench.learner, &bench.fx, bench.now_us, 3, false);
    bench_take(&bench);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(bench.learner.phase, LEARNER_CONNECT);
        zab_learner_on_closed(&bench.learner, &bench.fx, bench.now_us);
        bench.now_us += 100000;
        zab_learner_on_time(&bench.learner, &bench.fx, bench.now_us);
        bench_take(&bench);
    }

    ck_assert_int_eq(bench.learner.phase, LEARNER_LEFT);
    bench_close(&bench);
}
END_TEST

Suite *suite_zab(void)
{
    Suite *suite = suite_create("zab");
    TCase *discovery = tcase_create("discovery");
    TCase *sync = tcase_create("sync");
    TCase *broadcast = tcase_create("broadcast");
    TCase *learner = tcase_create("learner");

    tcase_add_test(discovery, test_the_epoch_is_above_every_accepted_one_of_a_quorum);
    tcase_add_test(discovery, test_an_epoch_accepted_before_does_not_count_twice);
    tcase_add_test(discovery, test_a_follower_with_a_later_history_is_not_led);
    tcase_add_test(discovery, test_a_voter_that_accepted_a_later_epoch_ends_the_leadership);
    tcase_add_test(discovery, test_an_observer_is_never_counted);
    tcase_add_test(sync, test_a_follower_that_lacks_some_gets_a_diff);
    tcase_add_test(sync, test_a_follower_with_a_tail_of_its_own_is_truncated);
    tcase_add_test(sync, test_a_follower_that_is_too_far_behind_gets_the_tree);
    tcase_add_test(broadcast, test_commit_needs_a_quorum_that_has_logged);
    tcase_add_test(broadcast, test_commits_are_in_order_and_one_ack_speaks_for_those_before);
    tcase_add_test(broadcast, test_an_ack_of_what_was_never_proposed_ends_the_connection);
    tcase_add_test(broadcast, test_the_counter_is_never_reused);
    tcase_add_test(broadcast, test_a_leader_without_its_quorum_retires);
    tcase_add_test(broadcast, test_silent_followers_are_dropped_after_sync_limit);
    tcase_add_test(broadcast, test_sync_waits_for_a_round_that_began_after_it);
    tcase_add_test(broadcast, test_sync_waits_for_what_was_proposed_before_it);
    tcase_add_test(learner, test_the_accepted_epoch_is_kept_before_it_is_acknowledged);
    tcase_add_test(learner, test_an_older_leader_is_refused);
    tcase_add_test(learner, test_newleader_is_acknowledged_once_everything_is_durable);
    tcase_add_test(learner, test_follower_acks_only_after_sync);
    tcase_add_test(learner, test_a_gap_in_the_proposals_ends_following);
    tcase_add_test(learner, test_a_commit_out_of_order_ends_following);
    tcase_add_test(learner, test_a_malformed_proposal_is_never_logged);
    tcase_add_test(learner, test_a_silent_leader_is_left);
    tcase_add_test(learner, test_a_leader_that_does_not_listen_is_tried_five_times);
    suite_add_tcase(suite, discovery);
    suite_add_tcase(suite, sync);
    suite_add_tcase(suite, broadcast);
    suite_add_tcase(suite, learner);
    return suite;
}
