#include "protocol/metrics.h"

#include "base/ensure.h"

#define METRIC_EXACT 8u /* values below are steps of their own */

static const struct metric_sizes sizes_none = {.last = -1, .min = -1, .max = -1};

void metrics_reset(struct metrics *metrics)
{
    *metrics = (struct metrics){.now_us = metrics->now_us,
                                .wall_ms = metrics->wall_ms,
                                .responses = sizes_none,
                                .proposals = sizes_none};
}

/* 8, 10, 12, 14 | 16, 20, 24, 28 | 32, 40, ...: the two bits behind the highest one. */
uint32_t metric_step(uint64_t value)
{
    uint32_t top; /* the highest bit */
    uint32_t step;

    if (value < METRIC_EXACT) {
        return (uint32_t)value;
    }
    top = 63u - (uint32_t)__builtin_clzll(value);
    step = METRIC_EXACT + 4u * (top - 3u) + (uint32_t)(value >> (top - 2u) & 3u);
    return step < METRIC_STEPS ? step : METRIC_STEPS - 1u;
}

uint64_t metric_step_value(uint32_t step)
{
    ENSURE(step < METRIC_STEPS);
    if (step < METRIC_EXACT) {
        return step;
    }
    return (uint64_t)(4u + (step - METRIC_EXACT) % 4u) << ((step - METRIC_EXACT) / 4u + 1u);
}

uint64_t metric_spread_percentile(const struct metric_spread *spread, uint32_t per_mille)
{
    uint64_t count = spread->summary.count;
    uint64_t rank = count / 1000u * per_mille + (count % 1000u * per_mille + 999u) / 1000u;
    uint64_t seen = 0;

    ENSURE(per_mille <= 1000);
    for (uint32_t step = 0; step < METRIC_STEPS && count > 0; step++) {
        seen += spread->steps[step];
        if (seen >= rank && seen > 0) {
            uint64_t value = metric_step_value(step);
            uint64_t least = value > spread->summary.min ? value : spread->summary.min;

            /* Everybody else is in an earlier step: the greatest of all is in this one. */
            return seen == count ? spread->summary.max : least;
        }
    }
    return 0;
}

uint64_t metric_summary_average(const struct metric_summary *summary)
{
    uint64_t whole;
    uint64_t rest;

    if (summary->count == 0) {
        return 0;
    }
    whole = summary->sum / summary->count;
    rest = summary->sum % summary->count;
    return whole * 10000u + (rest * 10000u + summary->count / 2u) / summary->count;
}

/* ---- names ---- */

#define METRIC_NAMED(name, text) {text, METRIC_##name},
#define METRIC_ZERO(text)        {text, -1},

static const struct metric_name counters[] = {METRIC_COUNTER_MAP(METRIC_NAMED, METRIC_ZERO)};
static const struct metric_name summaries[] = {METRIC_SUMMARY_MAP(METRIC_NAMED, METRIC_ZERO)};
static const struct metric_name spreads[] = {METRIC_SPREAD_MAP(METRIC_NAMED, METRIC_ZERO)};

const struct metric_name *metric_counter_name(uint32_t n)
{
    return n < sizeof(counters) / sizeof(counters[0]) ? &counters[n] : NULL;
}

const struct metric_name *metric_summary_name(uint32_t n)
{
    return n < sizeof(summaries) / sizeof(summaries[0]) ? &summaries[n] : NULL;
}

const struct metric_name *metric_spread_name(uint32_t n)
{
    return n < sizeof(spreads) / sizeof(spreads[0]) ? &spreads[n] : NULL;
}
