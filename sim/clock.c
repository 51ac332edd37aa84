/* The two clocks of a process: straight lines over world time, bent when somebody sets them.
 *
 *     mono(now) = base_mono + (now - base) * (1,000,000 + rate_ppm) / 1,000,000
 *     wall(now) = base_wall + (mono(now) - base_mono)
 *
 * Each process starts its monotonic clock somewhere else, so that one who compares those of two
 * hosts is found out. Changing the offset moves the wall clock by the difference; what it drifted
 * stays. */
#include "base/ensure.h"
#include "sim/world.h"

#define CLOCK_MILLION 1000000
#define CLOCK_APART   1000000000u /* between the monotonic clocks of two processes */

__extension__ typedef __int128 clock_wide;

void sim_clock_init(struct sim_process *p)
{
    p->base_us = 0;
    p->base_mono_us = (uint64_t)(p->index + 1) * CLOCK_APART;
    p->base_wall_us = (int64_t)SIM_WALL_START_MS * 1000;
}

uint64_t sim_clock_mono(const struct sim_process *p, uint64_t now_us)
{
    uint64_t passed_us = now_us - p->base_us;

    if (p->clock.rate_ppm != 0) {
        passed_us =
            (uint64_t)((clock_wide)passed_us * (CLOCK_MILLION + p->clock.rate_ppm) / CLOCK_MILLION);
    }
    return p->base_mono_us + passed_us;
}

int64_t sim_clock_wall_ms(const struct sim_process *p, uint64_t mono_us)
{
    int64_t wall_us = p->base_wall_us + (int64_t)(mono_us - p->base_mono_us);

    return wall_us >= 0 ? (int64_t)((uint64_t)wall_us / 1000) : -((-wall_us + 999) / 1000);
}

uint64_t sim_clock_due(const struct sim_process *p, uint64_t mono_us)
{
    clock_wide ahead_us;
    clock_wide rate = CLOCK_MILLION + p->clock.rate_ppm;

    if (mono_us <= p->base_mono_us) {
        return p->base_us;
    }
    if (p->clock.rate_ppm == 0) {
        ahead_us = mono_us - p->base_mono_us;
    } else {
        /* The least t with t * rate / million >= ahead, rounded down. */
        ahead_us = ((clock_wide)(mono_us - p->base_mono_us) * CLOCK_MILLION + rate - 1) / rate;
    }
    return ahead_us > (clock_wide)(UINT64_MAX - 1 - p->base_us) ? UINT64_MAX
                                                                : p->base_us + (uint64_t)ahead_us;
}

void sim_set_clock(struct sim *sim, uint32_t process, const struct sim_clock *clock)
{
    struct sim_process *p;
    uint64_t mono_us;

    ENSURE(process < sim->process_count);
    ENSURE(clock->rate_ppm >= -500000 && clock->rate_ppm <= 1000000);
    p = sim->processes[process];
    mono_us = sim_clock_mono(p, sim->now_us);
    p->base_wall_us += (int64_t)(mono_us - p->base_mono_us);
    p->base_wall_us += (clock->offset_ms - p->clock.offset_ms) * 1000;
    p->base_us = sim->now_us;
    p->base_mono_us = mono_us;
    p->clock = *clock;
    if (p->up) {
        sim_wake_set(sim, p, p->wake_mono_us);
    }
}
