/* Keyed draws: what is drawn depends on what it is for, not on what was drawn before.
 *
 * The nth occurrence of a key is counted in a table of cells by hash. Two keys that share a cell
 * share its count, so deleting a message can move the draws of one in 8,192 others; in return a
 * count costs one access and the table never grows. */
#include "base/rand.h"
#include "sim/world.h"

static uint64_t draw_cell(enum sim_draw_kind kind, uint64_t who, uint64_t key)
{
    return hash_u64(key ^ (who << 32) ^ (who >> 32), kind);
}

uint64_t sim_draw_peek(const struct sim *sim, enum sim_draw_kind kind, uint64_t who, uint64_t key)
{
    uint64_t cell = draw_cell(kind, who, key);

    return sim->cells == NULL
               ? 0
               : rand_keyed(sim->options.seed, cell, who, sim->cells[cell % SIM_CELLS]);
}

uint64_t sim_draw_next(struct sim *sim, enum sim_draw_kind kind, uint64_t who, uint64_t key)
{
    uint64_t draw = sim_draw_peek(sim, kind, who, key);

    if (sim->cells != NULL) {
        sim->cells[draw_cell(kind, who, key) % SIM_CELLS]++;
    }
    return draw;
}

uint64_t sim_draw_range(const struct sim *sim, uint64_t draw, uint64_t least, uint64_t most)
{
    if (sim->options.seed == 0 || most <= least) {
        return least;
    }
    return least + rand_scale(draw, most - least + 1);
}

uint64_t sim_draw(struct sim *sim, uint64_t kind, uint64_t who, uint64_t nth)
{
    return rand_keyed(sim->options.seed ^ DRAW_WORLD, kind, who, nth);
}
