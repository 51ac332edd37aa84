/* Links: what may happen to a segment or a datagram between two hosts, and what does. */
#include "base/ensure.h"
#include "sim/world.h"

void sim_link_default(struct sim_link *link)
{
    *link = (struct sim_link){.delay_min_us = 500, .delay_max_us = 500, .retransmit_us = 200000};
}

/* Room for the newest process, its links as the default is. */
void sim_pairs_grow(struct sim *sim)
{
    uint32_t newest = sim->process_count - 1;

    if (newest >= sim->pair_room) {
        uint32_t room = sim->pair_room == 0 ? 8 : sim->pair_room * 2;
        struct sim_pair *pairs = sim_get(sim, (size_t)room * room * sizeof(*pairs));

        for (uint32_t from = 0; from < newest; from++) {
            memcpy(&pairs[(size_t)from * room], &sim->pairs[(size_t)from * sim->pair_room],
                   newest * sizeof(*pairs));
        }
        sim_put(sim, sim->pairs, (size_t)sim->pair_room * sim->pair_room * sizeof(*pairs));
        sim->pairs = pairs;
        sim->pair_room = room;
    }
    for (uint32_t i = 0; i < newest; i++) {
        *sim_pair_at(sim, i, newest) = (struct sim_pair){.link = sim->link_default};
        *sim_pair_at(sim, newest, i) = (struct sim_pair){.link = sim->link_default};
    }
    *sim_pair_at(sim, newest, newest) = (struct sim_pair){.link = sim->link_self};
}

static void link_replace(struct sim *sim, uint32_t from, uint32_t to, const struct sim_link *link)
{
    struct sim_link *old = &sim_pair_at(sim, from, to)->link;
    bool waited = old->cut || old->stall;
    bool stalls = link->stall && !old->stall;

    *old = *link;
    if (stalls) {
        sim_stream_stall(sim, from, to);
    }
    if (waited) {
        sim_stream_heal(sim, from, to);
    }
}

void sim_set_link(struct sim *sim, uint32_t from, uint32_t to, const struct sim_link *link)
{
    ENSURE(from == SIM_ALL || from < sim->process_count);
    ENSURE(to == SIM_ALL || to < sim->process_count);
    ENSURE(link->delay_min_us <= link->delay_max_us);
    if (from == SIM_ALL && to == SIM_ALL) {
        sim->link_default = *link;
    }
    for (uint32_t i = from == SIM_ALL ? 0 : from; i < sim->process_count; i++) {
        for (uint32_t j = to == SIM_ALL ? 0 : to; j < sim->process_count; j++) {
            if (i != j || (from == i && to == j)) {
                link_replace(sim, i, j, link);
            }
            if (to != SIM_ALL) {
                break;
            }
        }
        if (from != SIM_ALL) {
            break;
        }
    }
}

void sim_get_link(const struct sim *sim, uint32_t from, uint32_t to, struct sim_link *link)
{
    if (from >= sim->process_count || to >= sim->process_count) {
        *link = sim->link_default;
    } else {
        *link = sim_pair_at(sim, from, to)->link;
    }
}

static uint64_t link_who(uint32_t from, uint32_t to)
{
    return ((uint64_t)from << 32) | to;
}

void sim_fate_stream(struct sim *sim, uint32_t from, uint32_t to, uint64_t key, uint64_t len,
                     struct sim_fate *fate)
{
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;
    uint64_t base;

    *fate = (struct sim_fate){.delay_us = link->delay_min_us};
    if (!sim_link_draws(sim, link)) {
        fate->delay_us += link->lose_ppm >= 1000000 ? link->retransmit_us : 0;
        fate->chop_at = link->chop_ppm >= 1000000 ? len / 2 : 0;
        fate->reset = link->reset_ppm >= 1000000;
        return;
    }
    base = sim_draw_next(sim, DRAW_LINK, link_who(from, to), key);
    fate->delay_us = sim_draw_range(sim, base, link->delay_min_us, link->delay_max_us);
    if (sim_draw_ppm(sim, sim_draw_more(base, DRAW_LOSE), link->lose_ppm)) {
        fate->delay_us += link->retransmit_us;
    }
    if (len > 1 && sim_draw_ppm(sim, sim_draw_more(base, DRAW_CHOP), link->chop_ppm)) {
        fate->chop_at = sim_draw_range(sim, sim_draw_more(base, DRAW_CHOP_AT), 1, len - 1);
        fate->chop_delay_us =
            sim_draw_range(sim, sim_draw_more(base, DRAW_CHOP_DELAY), 0, link->delay_max_us);
    }
    fate->reset = sim_draw_ppm(sim, sim_draw_more(base, DRAW_RESET), link->reset_ppm);
}

uint64_t sim_fate_delay(const struct sim *sim, uint32_t from, uint32_t to, uint64_t key)
{
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;
    uint64_t base;

    if (!sim_link_draws(sim, link)) {
        return link->delay_min_us + (link->lose_ppm >= 1000000 ? link->retransmit_us : 0);
    }
    base = sim_draw_peek(sim, DRAW_LINK, link_who(from, to), key);
    return sim_draw_range(sim, base, link->delay_min_us, link->delay_max_us) +
           (sim_draw_ppm(sim, sim_draw_more(base, DRAW_LOSE), link->lose_ppm) ? link->retransmit_us
                                                                              : 0);
}

void sim_fate_post(struct sim *sim, uint32_t from, uint32_t to, uint64_t key, struct sim_fate *fate)
{
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;
    uint64_t base = 0;

    *fate = (struct sim_fate){.delay_us = link->delay_min_us};
    if (link->delay_min_us == link->delay_max_us &&
        (link->lose_ppm | link->double_ppm | link->reorder_ppm) == 0) {
        return;
    }
    if (sim->options.seed != 0) {
        base = sim_draw_next(sim, DRAW_POST, link_who(from, to), key);
    }
    fate->delay_us = sim_draw_range(sim, base, link->delay_min_us, link->delay_max_us);
    fate->lost = sim_draw_ppm(sim, sim_draw_more(base, DRAW_LOSE), link->lose_ppm);
    fate->doubled = sim_draw_ppm(sim, sim_draw_more(base, DRAW_DOUBLE), link->double_ppm);
    fate->double_delay_us = sim_draw_range(sim, sim_draw_more(base, DRAW_DOUBLE_DELAY),
                                           link->delay_min_us, 4ull * link->delay_max_us);
    fate->reordered = sim_draw_ppm(sim, sim_draw_more(base, DRAW_REORDER), link->reorder_ppm);
    if (fate->reordered) {
        fate->delay_us += sim_draw_range(sim, sim_draw_more(base, DRAW_REORDER_DELAY),
                                         link->delay_max_us, 10ull * link->delay_max_us);
    }
}

uint64_t sim_link_delay(struct sim *sim, uint32_t from, uint32_t to, uint64_t kind)
{
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;

    if (sim->options.seed == 0 || link->delay_min_us == link->delay_max_us) {
        return link->delay_min_us;
    }
    return sim_draw_range(sim, sim_draw_next(sim, (enum sim_draw_kind)kind, link_who(from, to), 0),
                          link->delay_min_us, link->delay_max_us);
}
