/* Carry out the effects of a step, in order; a crash cuts the list exactly where it happens. */
#include "base/ensure.h"
#include "sim/world.h"

/* A replace is a barrier: what stands behind it waits, and so does the process. */
static void effect_wait(struct sim *sim, struct sim_process *p, struct fx *fx, uint32_t next)
{
    struct fx *rest = sim_get(sim, sizeof(*rest));

    *rest = *fx;
    fx_init(fx, sim->mem);
    p->rest = rest;
    p->rest_from = next;
}

/* Carry out one effect. */
static void effect_do(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    switch (effect->kind) {
    case FX_SEND: {
        struct sim_conn *conn;
        uint32_t side;

        if (sim_end_find(sim, p, effect->id, &conn, &side) == NULL) {
            return;
        }
        if (effect->bytes.len > 0) {
            sim_way_send(sim, conn, side, effect->bytes);
        }
        if (effect->a == 1) {
            sim_way_tell_drained(sim, conn, side);
        }
        return;
    }
    case FX_NOTE:
        (void)sim_allow(sim, p, SIM_AT_NOTE, effect);
        return;
    case FX_ANSWER:
        (void)sim_allow(sim, p, SIM_AT_ANSWER, effect);
        return;
    case FX_POST:
        sim_post(sim, p, effect);
        return;
    case FX_LISTEN:
        sim_stream_listen(sim, p, effect);
        return;
    case FX_UNLISTEN:
        sim_stream_unlisten(p, effect->id);
        return;
    case FX_DIAL:
        sim_stream_dial(sim, p, effect);
        return;
    case FX_CLOSE:
        sim_stream_close(sim, p, effect->id, effect->a != 0);
        return;
    case FX_THROTTLE:
        sim_stream_throttle(sim, p, effect->id, effect->a != 0);
        return;
    case FX_READ:
    case FX_APPEND:
    case FX_SYNC:
    case FX_TRUNCATE:
    case FX_RENAME:
    case FX_REPLACE:
    case FX_REMOVE:
        sim_store_effect(sim, p, effect);
        return;
    case FX_HALT:
        sim_halt(sim, p, effect);
        return;
    }
    UNREACHABLE();
}

/* What an effect is worth in the fingerprint. */
static uint64_t effect_content(const struct effect *effect)
{
    uint64_t sum = effect->id;

    if (effect->bytes.len > 0) {
        sum += hash_bytes(effect->bytes, 0);
    }
    if (effect->kind != FX_SEND && effect->kind != FX_POST) {
        sum = hash_u64(sum + effect->a, effect->b + (effect->c << 32));
        if (effect->name.len > 0) {
            sum += hash_bytes(effect->name, 1);
        }
    }
    return sum;
}

void sim_carry_out(struct sim *sim, struct sim_process *p, struct fx *fx, uint32_t from)
{
    const struct sim_process *outer = sim->current;

    ENSURE(outer == NULL);
    sim->current = p;
    for (uint32_t i = from; i < fx->count; i++) {
        const struct effect *effect = &fx->list[i];

        sim_mix(sim, 32 + (uint32_t)effect->kind, p->index, effect_content(effect));
        if (sim_traces(sim, SIM_TRACE_ROLES)) {
            sim_trace_effect(sim, p, effect);
        }
        effect_do(sim, p, effect);
        if (__builtin_expect(p->doom != 0 || !p->up || sim->found, 0)) {
            break;
        }
        if (__builtin_expect(p->barrier, 0)) {
            effect_wait(sim, p, fx, i + 1);
            break;
        }
    }
    sim->current = NULL;
    if (__builtin_expect(p->doom != 0, 0)) {
        sim_doom(sim, p, (enum sim_crash_kind)(p->doom - 1));
    }
}
