#include "protocol/metrics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Every value lies in its step, and steps follow each other without a gap. */
START_TEST(test_steps_are_ordered)
{
    static const uint64_t values[] = {0, 1, 7, 8, 9, 10, 15, 16, 31, 32, 1000, 65535, 1000000};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint32_t step = metric_step(values[i]);

        ck_assert_uint_le(metric_step_value(step), values[i]);
        ck_assert_uint_gt(metric_step_value(step + 1), values[i]);
    }
    for (uint32_t step = 0; step + 1 < METRIC_STEPS; step++) {
        ck_assert_uint_eq(metric_step(metric_step_value(step)), step);
        ck_assert_uint_lt(metric_step_value(step), metric_step_value(step + 1));
        ck_assert_uint_eq(metric_step(metric_step_value(step + 1) - 1), step);
    }
    ck_assert_uint_eq(metric_step(UINT64_MAX), METRIC_STEPS - 1);
}
END_TEST

static struct metrics metrics;

START_TEST(test_percentiles)
{
    const struct metric_spread *spread = &metrics.spreads[METRIC_READ_MS];

    metrics_reset(&metrics);
    ck_assert_uint_eq(metric_spread_percentile(spread, 500), 0);
    for (uint64_t i = 0; i < 990; i++) {
        metrics_spread(&metrics, METRIC_READ_MS, i % 3);
    }
    for (uint64_t i = 0; i < 10; i++) {
        metrics_spread(&metrics, METRIC_READ_MS, 300 + i);
    }

    ck_assert_uint_eq(metric_spread_percentile(spread, 330), 0);
    ck_assert_uint_eq(metric_spread_percentile(spread, 500), 1);
    ck_assert_uint_eq(metric_spread_percentile(spread, 990), 2);
    ck_assert_uint_eq(metric_spread_percentile(spread, 991), 309); /* the last step: its maximum */
    ck_assert_uint_eq(metric_spread_percentile(spread, 1000), 309);
    ck_assert_uint_eq(spread->summary.count, 1000);
    ck_assert_uint_eq(spread->summary.min, 0);
}
END_TEST

START_TEST(test_averages_round_half_up_to_four_digits)
{
    static const struct {
        uint64_t count, sum, want;
    } rows[] = {{0, 0, 0},
                {3, 9, 30000},
                {202, 170, 8416},
                {8, 37, 46250},
                {3, 2, 6667},
                {32, 1, 313 /* .03125 */},
                {1, UINT64_C(1) << 40, 10995116277760000}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct metric_summary summary = {.count = rows[i].count, .sum = rows[i].sum};

        ck_assert_uint_eq(metric_summary_average(&summary), rows[i].want);
    }
}
END_TEST

START_TEST(test_counting_without_metrics_is_harmless)
{
    metrics_count(NULL, METRIC_COMMITS, 1);
    metrics_add(NULL, METRIC_FSYNC_MS, 1);
    metrics_spread(NULL, METRIC_READ_MS, 1);
    metrics_spread_since(NULL, METRIC_READ_MS, 1);
    ck_assert_uint_eq(metrics_ms_since(NULL, 1), 0);
    ck_assert_uint_eq(metrics_now_us(NULL), 0);
}
END_TEST

START_TEST(test_times_of_other_clocks)
{
    metrics_reset(&metrics);
    metrics.wall_ms = 1000;
    metrics.now_us = 5999;

    metrics_spread_since(&metrics, METRIC_PROPAGATION_MS, 990);
    metrics_spread_since(&metrics, METRIC_PROPAGATION_MS, 1001); /* its clock is ahead of ours */

    ck_assert_uint_eq(metrics.spreads[METRIC_PROPAGATION_MS].summary.count, 1);
    ck_assert_uint_eq(metrics.spreads[METRIC_PROPAGATION_MS].summary.sum, 10);
    ck_assert_uint_eq(metrics_ms_since(&metrics, 2000), 3);
    ck_assert_uint_eq(metrics_ms_since(&metrics, 7000), 0);
}
END_TEST

/* A name that two tables, or a table twice, gave would hide one of them in every dashboard. */
START_TEST(test_names_are_unique)
{
    const char *names[512];
    uint32_t count = 0;
    const struct metric_name *(*const tables[])(uint32_t) = {
        metric_counter_name, metric_summary_name, metric_spread_name};
    static const int32_t sizes[] = {METRIC_COUNTERS, METRIC_SUMMARIES, METRIC_SPREADS};

    for (uint32_t t = 0; t < 3; t++) {
        int32_t next = 0;
        const struct metric_name *name;

        for (uint32_t i = 0; (name = tables[t](i)) != NULL; i++) {
            for (uint32_t j = 0; j < count; j++) {
                ck_assert_str_ne(names[j], name->text);
            }
            names[count++] = name->text;
            if (name->index >= 0) {
                ck_assert_int_eq(name->index, next);
                next++;
            }
        }
        ck_assert_int_eq(next, sizes[t]);
    }
}
END_TEST

Suite *suite_metrics(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_test(tcase, test_steps_are_ordered);
    tcase_add_test(tcase, test_percentiles);
    tcase_add_test(tcase, test_averages_round_half_up_to_four_digits);
    tcase_add_test(tcase, test_counting_without_metrics_is_harmless);
    tcase_add_test(tcase, test_times_of_other_clocks);
    tcase_add_test(tcase, test_names_are_unique);
    suite_add_tcase(suite, tcase);
    return suite;
}
