/* An ensemble of the real servers in a world: it elects, serves, fails over, catches up. */
#include "zk/ensemble.h"

#include <check.h>

static struct ensemble_world world;

START_TEST(test_three_servers_elect_the_largest_id)
{
    ensemble_open(&world, 3, 0, "");
    ensemble_run(&world, 3000);

    ck_assert_uint_eq(ensemble_leader(&world), 2);
    ck_assert(ensemble_converged(&world));
    ensemble_close(&world);
}
END_TEST

START_TEST(test_a_write_reaches_every_server)
{
    ensemble_open(&world, 3, 0, "");
    ensemble_run(&world, 3000);
    uint64_t tag = ensemble_create(&world, "/a", "1");
    ensemble_run(&world, 1000);

    ck_assert(world.answered[tag]);
    ck_assert_int_eq(world.code[tag], 0);
    ck_assert(ensemble_converged(&world));
    for (uint32_t i = 0; i < 3; i++) {
        struct server_view view;
        ensemble_view(&world, i, &view);
        ck_assert_ptr_nonnull(tree_find(view.tree, span_text("/a")));
    }
    ensemble_close(&world);
}
END_TEST

START_TEST(test_a_new_leader_takes_over_and_the_old_one_follows)
{
    ensemble_open(&world, 5, 7, "");
    ensemble_run(&world, 4000);
    uint32_t old = ensemble_leader(&world);
    ck_assert_uint_ne(old, SIM_NONE);
    uint64_t before = ensemble_create(&world, "/before", "1");
    ensemble_run(&world, 1000);
    sim_crash(world.sim, old, SIM_POWER);
    ensemble_run(&world, 15000);
    uint64_t after = ensemble_create(&world, "/after", "1");
    ensemble_run(&world, 15000);
    sim_start(world.sim, old);
    ensemble_run(&world, 10000);

    ck_assert_uint_ne(ensemble_leader(&world), SIM_NONE);
    ck_assert_uint_ne(ensemble_leader(&world), old);
    ck_assert_int_eq(world.code[before], 0);
    ck_assert(world.answered[after]);
    ck_assert_int_eq(world.code[after], 0);
    ck_assert(ensemble_converged(&world));
    ensemble_close(&world);
}
END_TEST

START_TEST(test_a_thousand_writes_in_flight)
{
    ensemble_open(&world, 3, 11, "");
    ensemble_run(&world, 4000);
    ensemble_create(&world, "/n", "0");
    for (int i = 0; i < 1000; i++) {
        ensemble_set(&world, "/n", "x");
    }
    ensemble_run(&world, 20000);

    for (uint64_t tag = 1; tag < world.next_tag; tag++) {
        ck_assert(world.answered[tag]);
        ck_assert_int_eq(world.code[tag], 0);
        ck_assert(tag == 1 || world.zxid[tag] == world.zxid[tag - 1] + 1);
    }
    ck_assert(ensemble_converged(&world));
    ensemble_close(&world);
}
END_TEST

START_TEST(test_one_server_alone)
{
    ensemble_open(&world, 1, 0, "clientPort=2181");
    ensemble_run(&world, 3000);
    uint64_t tag = ensemble_create(&world, "/a", "1");
    ensemble_run(&world, 1000);
    struct server_view view;
    ensemble_view(&world, 0, &view);

    ck_assert_int_eq(view.role, ROLE_STANDALONE);
    ck_assert(world.answered[tag]);
    ck_assert_int_eq(world.code[tag], 0);
    ensemble_close(&world);
}
END_TEST

START_TEST(test_an_ensemble_of_one)
{
    ensemble_open(&world, 1, 0, "standaloneEnabled=false");
    ensemble_run(&world, 3000);
    uint64_t tag = ensemble_create(&world, "/a", "1");
    ensemble_run(&world, 1000);

    ck_assert_uint_eq(ensemble_leader(&world), 0);
    ck_assert(world.answered[tag]);
    ck_assert_int_eq(world.code[tag], 0);
    ensemble_close(&world);
}
END_TEST

Suite *suite_ensemble(void)
{
    Suite *suite = suite_create("ensemble");
    TCase *tcase = tcase_create("ensemble");

    tcase_add_test(tcase, test_three_servers_elect_the_largest_id);
    tcase_add_test(tcase, test_a_write_reaches_every_server);
    tcase_add_test(tcase, test_a_new_leader_takes_over_and_the_old_one_follows);
    tcase_add_test(tcase, test_a_thousand_writes_in_flight);
    tcase_add_test(tcase, test_one_server_alone);
    tcase_add_test(tcase, test_an_ensemble_of_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
