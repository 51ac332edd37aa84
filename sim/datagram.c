/* Datagrams: lost, doubled, overtaken; never cut or merged. */
#include "base/ensure.h"
#include "sim/world.h"

/* What the codec of port 0 makes of a datagram; false when it makes nothing of it. */
static bool post_cut(struct sim *sim, struct span bytes, struct sim_record *record)
{
    const struct sim_codec *codec = sim_codec_find(sim, 0);
    void *state = NULL;
    size_t len;

    if (codec == NULL) {
        return false;
    }
    if (codec->state_bytes > 0) {
        state = sim_get_zero(sim, codec->state_bytes);
    }
    *record = (struct sim_record){.name = ""};
    len = codec->cut(state, true, bytes, record);
    if (codec->state_bytes > 0) {
        sim_put(sim, state, codec->state_bytes);
    }
    return len > 0 && len <= bytes.len;
}

static void post_send(struct sim *sim, const struct sim_process *p, const struct effect *effect,
                      uint64_t due_us)
{
    struct sim_parcel *parcel = sim_parcel_make(sim, PARCEL_POST, effect->id, effect->bytes);

    parcel->id = p->index;
    sim_parcel_send(sim, parcel, due_us);
}

void sim_post(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    struct sim_record record = {.name = "?", .essential = true};
    struct sim_pair *pair;
    struct sim_fate fate;
    uint64_t due_us;

    if (effect->id >= sim->process_count) {
        return;
    }
    pair = sim_pair_at(sim, p->index, effect->id);
    if (sim->port_count > 0 && (sim_link_draws(sim, &pair->link) || sim_watched(sim, SIM_AT_SEND) ||
                                sim_traces(sim, SIM_TRACE_MESSAGES))) {
        (void)post_cut(sim, effect->bytes, &record);
    }
    sim_fate_post(sim, p->index, effect->id, record.key, &fate);
    due_us = sim->now_us + fate.delay_us;
    if (!fate.reordered && due_us < pair->post_due_us) {
        due_us = pair->post_due_us;
    }
    if (sim_watched(sim, SIM_AT_SEND) || sim_traces(sim, SIM_TRACE_MESSAGES)) {
        struct sim_event event = {
            .at = SIM_AT_SEND,
            .now_us = sim->now_us,
            .process = p->index,
            .peer = effect->id,
            .arrival_us = pair->link.cut || fate.lost ? UINT64_MAX : due_us,
            .record = &record,
            .bytes = effect->bytes,
        };
        enum sim_verdict verdict = SIM_GO;

        if (sim_traces(sim, SIM_TRACE_MESSAGES)) {
            sim_trace_record(sim, &event, "send");
        }
        if (sim_watched(sim, SIM_AT_SEND)) {
            verdict = sim_tell(sim, &event);
        }
        if (verdict == SIM_CRASH_BEFORE || verdict == SIM_CRASH_AFTER) {
            sim_doom(sim, p, sim->verdict_kind);
        }
        if (verdict == SIM_CRASH_BEFORE || verdict == SIM_DROP) {
            return;
        }
        pair = sim_pair_at(sim, p->index, effect->id); /* a tap may have added a process */
    }
    if (pair->link.cut || fate.lost) {
        return;
    }
    if (!fate.reordered) {
        pair->post_due_us = due_us;
    }
    sim->counts.messages++;
    sim->counts.message_bytes += effect->bytes.len;
    post_send(sim, p, effect, due_us);
    if (fate.doubled) {
        post_send(sim, p, effect, sim->now_us + fate.double_delay_us);
    }
}

void sim_post_due(struct sim *sim, struct sim_parcel *parcel)
{
    struct sim_process *p = sim->processes[parcel->process];
    struct span bytes = span_make(parcel->bytes, parcel->len);
    struct input in = {.kind = IN_POST, .post = {.from = parcel->id, .span = bytes}};
    enum sim_verdict verdict = SIM_GO;

    if (sim_pair_at(sim, parcel->id, p->index)->link.cut) {
        return;
    }
    if (sim_watched(sim, SIM_AT_RECEIVE)) {
        struct sim_record record = {.name = "?", .essential = true};
        struct sim_event event = {
            .at = SIM_AT_RECEIVE,
            .process = p->index,
            .peer = parcel->id,
            .record = &record,
            .bytes = bytes,
        };

        (void)post_cut(sim, bytes, &record);
        verdict = sim_tell(sim, &event);
        if (verdict == SIM_CRASH_BEFORE) {
            sim_doom(sim, p, sim->verdict_kind);
        }
        if (verdict == SIM_DROP || !p->up || !sim_takes_input(p)) {
            return;
        }
    }
    sim_step(sim, p, &in, NULL);
    if (verdict == SIM_CRASH_AFTER && p->up) {
        sim_doom(sim, p, sim->verdict_kind);
    }
}
