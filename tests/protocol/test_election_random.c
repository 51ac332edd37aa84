/* Elections under thousands of delivery orders, losses, restarts and cuts. */
#include "help_cluster.h"
#include "tests/expect.h"

#include <check.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define MS     UINT64_C(1000)

/* What the world knows of an election, beyond what any server does. */
struct record {
    int64_t round;
    int64_t leader;
    uint32_t deciders; /* bits of who decided for it in this round */
};

static struct cluster cluster;
static struct record records[4096];
static uint32_t record_count;
static uint64_t run_seed;

static struct record *record_of(int64_t round, int64_t leader)
{
    for (uint32_t i = 0; i < record_count; i++) {
        if (records[i].round == round && records[i].leader == leader) {
            return &records[i];
        }
    }
    EXPECT(record_count < 4096);
    records[record_count] = (struct record){.round = round, .leader = leader};
    return &records[record_count++];
}

#define CHECK_SEED(condition)                                                                \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            ck_abort_msg("seed %llu: not so: %s", (unsigned long long)run_seed, #condition); \
        }                                                                                    \
    } while (0)

static uint32_t quorum_of(const struct cluster *world)
{
    return world->membership.voter_count / 2 + 1;
}

/* EP-16 and: no two leaders are each chosen by a quorum in one round. */
static void check_result(struct cluster *world, uint32_t id)
{
    const struct cluster_server *server = &world->servers[id];
    const struct vote *vote = &server->result;
    struct record *record = record_of(vote->round, vote->leader);
    bool votes = membership_is_voter(&world->membership, (int64_t)id);

    CHECK_SEED(membership_is_voter(&world->membership, vote->leader));
    CHECK_SEED((vote->leader == (int64_t)id) == (server->election.state == VOTE_LEADING));
    CHECK_SEED(votes || server->election.state == VOTE_OBSERVING);
    if (votes) {
        record->deciders |= 1u << id;
    }
    for (uint32_t i = 0; i < record_count; i++) {
        CHECK_SEED(&records[i] == record || records[i].round != vote->round ||
                   (uint32_t)__builtin_popcount(records[i].deciders) < quorum_of(world) ||
                   (uint32_t)__builtin_popcount(record->deciders) < quorum_of(world));
    }
}

static void open_world(uint64_t seed, uint32_t count, uint32_t observers)
{
    run_seed = seed;
    record_count = 0;
    cluster_open(&cluster, count, observers, seed);
    cluster.on_result = check_result;
}

/* Everybody starts within 50 ms, messages take up to 40 ms: all choose the best vote there is, in
 * round 1. */
START_TEST(test_all_choose_the_best_when_messages_are_timely)
{
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        uint32_t count = 1 + (uint32_t)(seed % CLUSTER_MAX);
        uint32_t observers = (uint32_t)(seed / 16 % ((count + 1) / 2));
        struct vote best = {.leader = 0, .zxid = -9, .epoch = -9};

        open_world(seed, count, observers);
        cluster.delay_min_us = 1;
        cluster.delay_max_us = 40 * MS;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t id =
                1 + (i * 5 + (uint32_t)seed) % count; /* 5 may divide count: start the rest */

            while (cluster.servers[id].up) {
                id = 1 + id % count;
            }
            cluster_start(&cluster, id, (int64_t)rand_below(&cluster.rand, 3),
                          (int64_t)rand_below(&cluster.rand, 3));
            cluster_run(&cluster, rand_below(&cluster.rand, 50 * MS / count + 1));
            if (membership_is_voter(&cluster.membership, (int64_t)id) &&
                election_is_better(&cluster.membership, &cluster.servers[id].own, &best)) {
                best = cluster.servers[id].own;
            }
        }
        cluster_run(&cluster, 5 * SECOND);
        CHECK_SEED(cluster_leader(&cluster) == (uint32_t)best.leader);
        for (uint32_t id = 1; id <= count; id++) {
            CHECK_SEED(cluster.servers[id].results == 1);
            CHECK_SEED(cluster.servers[id].result.zxid == best.zxid);
        }
        cluster_close(&cluster);
    }
}
END_TEST

/* What discovery does for an election: a leader without a quorum of followers, and a follower whose
 * leader does not lead, look again. */
static bool disagree(uint32_t id)
{
    const struct cluster_server *server = &cluster.servers[id];
    uint32_t followers = 0;

    if (!server->up || server->looking || cluster.now_us - server->result_us < SECOND) {
        return false;
    }
    if (server->result.leader != (int64_t)id) {
        const struct cluster_server *leader = &cluster.servers[server->result.leader];

        return !leader->up || leader->election.state != VOTE_LEADING ||
               cluster.cut[id][server->result.leader];
    }
    for (uint32_t other = 1; other <= cluster.count; other++) {
        const struct cluster_server *follower = &cluster.servers[other];

        followers += follower->up && !follower->looking && !cluster.cut[id][other] &&
                             follower->result.leader == (int64_t)id &&
                             membership_is_voter(&cluster.membership, (int64_t)other)
                         ? 1
                         : 0;
    }
    return followers < quorum_of(&cluster);
}

static void run_with_discovery(uint64_t duration_us)
{
    uint64_t until_us = cluster.now_us + duration_us;

    while (cluster.now_us < until_us) {
        cluster_run(&cluster, 100 * MS);
        for (uint32_t id = 1; id <= cluster.count; id++) {
            if (disagree(id)) {
                cluster_look(&cluster, id);
            }
        }
    }
}

/* A server that dies forgets its round, and with it that it decided. */
static void stop(uint32_t id)
{
    cluster_stop(&cluster, id);
    for (uint32_t i = 0; i < record_count; i++) {
        records[i].deciders &= ~(1u << id);
    }
}

/* One fault or recovery, drawn. */
static void disturb(void)
{
    uint32_t id = 1 + (uint32_t)rand_below(&cluster.rand, cluster.count);
    uint32_t other = 1 + (uint32_t)rand_below(&cluster.rand, cluster.count);

    switch (rand_below(&cluster.rand, 6)) {
    case 0:
        stop(id);
        break;
    case 1:
    case 2:
        if (!cluster.servers[id].up) {
            cluster_start(&cluster, id, (int64_t)rand_below(&cluster.rand, 3),
                          (int64_t)rand_below(&cluster.rand, 3));
        }
        break;
    case 3: /* one way only */
        cluster.cut[id][other] = id != other;
        break;
    case 4:
        cluster.cut[id][other] = false;
        break;
    default:
        cluster.lose_ppm = (uint32_t)rand_below(&cluster.rand, 600000);
        break;
    }
}

/* Losses, cuts and restarts; then all is well again, and within a bounded time everybody agrees. */
START_TEST(test_agreement_returns_after_faults)
{
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        uint32_t count = 3 + (uint32_t)(seed % 5);
        uint32_t observers = (uint32_t)(seed / 8 % 3);

        open_world(seed, count, observers < count - 1 ? observers : 0);
        cluster.delay_min_us = 100;
        cluster.delay_max_us = 100 + rand_below(&cluster.rand, 400 * MS);
        for (int i = 0; i < 30; i++) {
            disturb();
            run_with_discovery(rand_below(&cluster.rand, SECOND));
        }
        cluster.lose_ppm = 0;
        cluster.delay_max_us = 50 * MS;
        for (uint32_t id = 1; id <= count; id++) {
            for (uint32_t other = 1; other <= count; other++) {
                cluster.cut[id][other] = false;
            }
        }
        for (uint32_t id = 1; id <= count; id++) {
            if (!cluster.servers[id].up) {
                cluster_start(&cluster, id, 0, 0);
            }
        }
        for (int i = 0; cluster_leader(&cluster) == 0 && i < 90; i++) {
            run_with_discovery(SECOND);
        }
        CHECK_SEED(cluster_leader(&cluster) != 0);
        cluster_close(&cluster);
    }
}
END_TEST

/* A voter that says anything, in any state, to everybody: nobody crashes, the honest majority of
 * five still only chooses voters, and never by less than a quorum of statements. */
START_TEST(test_a_lying_voter_is_survived)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        open_world(seed, 5, 0);
        cluster.delay_min_us = 100;
        cluster.delay_max_us = 20 * MS;
        for (uint32_t id = 1; id <= 4; id++) {
            cluster_start(&cluster, id, 1, (int64_t)id);
        }
        for (int i = 0; i < 200; i++) {
            uint32_t to = 1 + (uint32_t)rand_below(&cluster.rand, 4);
            struct wire_vote lie = {
                .form = VOTE_FULL,
                .state = (enum vote_state)rand_below(&cluster.rand, 4),
                .leader = (int64_t)rand_below(&cluster.rand, 8),
                .zxid = (int64_t)rand_below(&cluster.rand, 6) - 2,
                .election_epoch = (int64_t)rand_below(&cluster.rand, 6) - 1,
                .peer_epoch = (int64_t)rand_below(&cluster.rand, 4),
                .version = (int32_t)rand_below(&cluster.rand, 3),
            };
            int64_t from = rand_below(&cluster.rand, 8) == 0 ? 77 : 5;

            if (from == 77) {
                /* Not in the membership: answered, but the mailbox has no such server. */
                fx_clear(&cluster.fx);
                election_on_notification(&cluster.servers[to].election, &cluster.fx, cluster.now_us,
                                         from, &lie);
                CHECK_SEED(cluster.servers[to].election.out.count == 1);
                election_out_clear(&cluster.servers[to].election);
            } else {
                cluster_give(&cluster, to, from, &lie);
            }
            cluster_run(&cluster, rand_below(&cluster.rand, 30 * MS));
        }
        for (int i = 0; i < 30; i++) {
            run_with_discovery(SECOND);
        }
        cluster_close(&cluster);
    }
}
END_TEST

Suite *suite_election_random(void);
Suite *suite_election_random(void)
{
    Suite *suite = suite_create("election_random");
    TCase *tcase = tcase_create("election_random");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_all_choose_the_best_when_messages_are_timely);
    tcase_add_test(tcase, test_agreement_returns_after_faults);
    tcase_add_test(tcase, test_a_lying_voter_is_survived);
    suite_add_tcase(suite, tcase);
    return suite;
}
