/* Life and death of processes, and the one place where their code runs. */
#include "base/ensure.h"
#include "base/rand.h"
#include "sim/world.h"

static struct sim_process *process_at(struct sim *sim, uint32_t process)
{
    ENSURE(process < sim->process_count);
    return sim->processes[process];
}

static enum sim_verdict process_tell(struct sim *sim, enum sim_at at, uint32_t process)
{
    struct sim_event event = {.at = at, .process = process, .peer = SIM_NONE};

    return sim_watched(sim, at) ? sim_tell(sim, &event) : SIM_GO;
}

/* ---- steps ---- */
/* What an input is worth in the fingerprint. Bytes of streams and datagrams were mixed in as
 * effects. */
static uint64_t process_content(const struct input *in)
{
    switch (in->kind) {
    case IN_BOOT: {
        uint64_t sum = in->boot.seed;

        for (uint32_t i = 0; i < in->boot.count; i++) {
            const struct file_view *file = &in->boot.files[i];

            sum = hash_u64(sim_hash(file->name), sum + file->size + (uint64_t)file->dir);
            sum = hash_u64(sim_hash(file->bytes), sum);
        }
        return sum;
    }
    case IN_WAKE:
        return 0;
    case IN_LISTENING:
        return ((uint64_t)in->listening.listener << 32) | (uint64_t)in->listening.err;
    case IN_OPENED:
        return sim_hash(in->opened.peer) + in->opened.conn;
    case IN_DRAINED:
        return in->drained.conn;
    case IN_BYTES:
        return ((uint64_t)in->bytes.conn << 32) + in->bytes.span.len;
    case IN_CLOSED:
        return ((uint64_t)in->closed.conn << 32) | (uint64_t)in->closed.err;
    case IN_POST:
        return ((uint64_t)in->post.from << 32) + in->post.span.len;
    case IN_DONE:
        return (in->done.tag << 8) + (uint64_t)in->done.err;
    case IN_DATA:
        return sim_hash(in->data.span) + (in->data.tag << 8) + (uint64_t)in->data.err;
    case IN_ASK:
        return sim_hash(in->ask.span) + in->ask.tag;
    }
    UNREACHABLE();
}

void sim_wake_set(struct sim *sim, struct sim_process *p, uint64_t mono_us)
{
    p->wake_mono_us = mono_us;
    if (mono_us == WAKE_NEVER) {
        p->wake_due_us = UINT64_MAX;
        return;
    }
    p->wake_due_us = sim_clock_due(p, mono_us);
    if (p->wake_due_us < sim->now_us) {
        p->wake_due_us = sim->now_us;
    }
    /* A later wish waits for the entry that exists; an earlier one outdates it. */
    if (p->wake_token == 0 || p->wake_due_us < p->wake_armed_us) {
        p->wake_armed_us = p->wake_due_us;
        sim_arm(sim, &p->wake_token, p->wake_due_us, SOURCE_WAKE, p->index);
    }
}

void sim_wake_due(struct sim *sim, struct sim_process *p)
{
    struct input in = {.kind = IN_WAKE};

    p->wake_token = 0;
    if (!p->up || p->wake_due_us == UINT64_MAX) {
        return;
    }
    if (p->wake_due_us > sim->now_us) {
        p->wake_armed_us = p->wake_due_us;
        sim_arm(sim, &p->wake_token, p->wake_due_us, SOURCE_WAKE, p->index);
        return;
    }
    if (!sim_takes_input(p)) {
        p->wake_armed_us = sim->now_us;
        sim_hold(sim, p, &p->wake_token, SOURCE_WAKE, p->index);
        return;
    }
    sim_step(sim, p, &in, NULL);
}

void sim_step(struct sim *sim, struct sim_process *p, struct input *in, struct sim_end *end)
{
    in->mono_us = sim_clock_mono(p, sim->now_us);
    in->wall_ms = sim_clock_wall_ms(p, in->mono_us);
    sim->counts.events++;
    sim->counts.inputs++;
    sim_mix(sim, (uint32_t)in->kind, p->index, process_content(in));
    if (sim_traces(sim, SIM_TRACE_FULL)) {
        sim_trace_input(sim, p, in);
    }
    fx_clear(&sim->fx);
    sim->stepping = p;
    sim->last_stepped = p->index;
    p->ops->step(p->self, in, &sim->fx);
    sim->stepping = NULL;
    if (__builtin_expect(sim->fx.failed, 0)) {
        sim_full(sim);
    }
    sim_wake_set(sim, p, sim->fx.wake_us);
    if (end != NULL) {
        uint32_t side;
        struct sim_conn *conn = sim_conn_of(end, &side);

        sim_way_took(sim, conn, 1 - side, sim->fx.taken);
    }
    if (sim->fx.count > 0) {
        sim_carry_out(sim, p, &sim->fx, 0);
    }
}

void sim_give(struct sim *sim, struct sim_process *p, struct input *in, bool of_sync)
{
    if (!sim_takes_input(p)) {
        bool data = in->kind == IN_DATA;
        struct sim_parcel *parcel = sim_parcel_make(sim, data ? PARCEL_DATA : PARCEL_DONE, p->index,
                                                    data ? in->data.span : span_make(NULL, 0));

        ENSURE(data || in->kind == IN_DONE);
        parcel->tag = data ? in->data.tag : in->done.tag;
        parcel->err = data ? in->data.err : in->done.err;
        parcel->of_sync = of_sync;
        sim_hold(sim, p, &parcel->token, SOURCE_PARCEL, parcel->index);
        return;
    }
    if (of_sync && sim_watched(sim, SIM_AT_SYNCED)) {
        struct effect effect = {.kind = FX_SYNC, .b = in->done.tag};
        struct sim_event event = {
            .at = SIM_AT_SYNCED, .process = p->index, .peer = SIM_NONE, .effect = &effect};
        enum sim_verdict verdict = sim_tell(sim, &event);

        if (verdict == SIM_CRASH_BEFORE) {
            sim_doom(sim, p, sim->verdict_kind);
        }
        if (!p->up || verdict == SIM_DROP) {
            return;
        }
        sim_step(sim, p, in, NULL);
        if (verdict == SIM_CRASH_AFTER && p->up) {
            sim_doom(sim, p, sim->verdict_kind);
        }
        return;
    }
    sim_step(sim, p, in, NULL);
}

bool sim_allow(struct sim *sim, struct sim_process *p, enum sim_at at, const struct effect *effect)
{
    struct sim_event event = {
        .at = at, .process = p->index, .peer = SIM_NONE, .effect = effect, .bytes = effect->bytes};
    enum sim_verdict verdict = sim_watched(sim, at) ? sim_tell(sim, &event) : SIM_GO;

    if (verdict == SIM_CRASH_BEFORE || verdict == SIM_CRASH_AFTER) {
        sim_doom(sim, p, sim->verdict_kind);
    }
    return verdict != SIM_CRASH_BEFORE;
}

void sim_replace_done(struct sim *sim, struct sim_process *p, enum err err)
{
    struct fx *rest = p->rest;
    uint64_t tag = p->rest_tag;

    if (p->paused) {
        p->replaced = true;
        p->replace_err = err;
        return;
    }
    p->replaced = false;
    p->barrier = false;
    p->rest = NULL;
    if (p->replace_doom != 0) {
        enum sim_crash_kind kind = (enum sim_crash_kind)(p->replace_doom - 1);

        p->rest = rest;
        sim_doom(sim, p, kind);
        return;
    }
    if (tag != 0 || err != ERR_OK) {
        struct sim_parcel *parcel = sim_parcel_make(sim, PARCEL_DONE, p->index, span_make(NULL, 0));

        parcel->tag = tag;
        parcel->err = err;
        sim_parcel_send(sim, parcel, sim->now_us);
    }
    if (err == ERR_OK) {
        sim_carry_out(sim, p, rest, p->rest_from);
    }
    fx_drop(rest);
    sim_put(sim, rest, sizeof(*rest));
    sim_release(sim, p);
}

/* ---- life ---- */
/* Nothing of this incarnation is left but what the disk decides on later. */
static void process_bury(struct sim *sim, struct sim_process *p)
{
    p->up = false;
    p->self = NULL;
    p->doom = 0;
    p->barrier = false;
    p->replaced = false;
    p->replace_doom = 0;
    p->paused = false;
    p->wake_token = 0;
    p->wake_due_us = UINT64_MAX;
    p->listener_count = 0;
    if (p->rest != NULL) {
        fx_drop(p->rest);
        sim_put(sim, p->rest, sizeof(*p->rest));
        p->rest = NULL;
    }
    sim_unhold(sim, p);
    arena_reset(sim->arena, p->index, sim->options.fill);
}

static void process_crash(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind)
{
    bool reborn = p->reborn;

    sim->counts.crashes++;
    sim->counts.events++;
    sim_mix(sim, 100 + (uint32_t)kind, p->index, 0);
    if (sim_traces(sim, SIM_TRACE_ROLES)) {
        sim_trace_life(sim, p, "crash", kind == SIM_POWER ? "power" : "kill");
    }
    (void)process_tell(sim, SIM_AT_CRASH, p->index);
    p->reborn = false;
    p->power_off = kind == SIM_POWER;
    process_bury(sim, p);
    sim_stream_died(sim, p, kind);
    sim_store_crash(sim, p, kind);
    if (reborn) {
        sim_start(sim, p->index);
    }
}

void sim_doom(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind)
{
    if (!p->up) {
        return;
    }
    if (sim->current == p) {
        /* The worse kind wins. */
        p->doom = p->doom > (uint8_t)kind + 1 ? p->doom : (uint8_t)((uint8_t)kind + 1);
    } else {
        process_crash(sim, p, kind);
    }
}

void sim_crash(struct sim *sim, uint32_t process, enum sim_crash_kind kind)
{
    struct sim_process *p = process_at(sim, process);

    if (p->up) {
        sim_doom(sim, p, kind);
    } else if (kind == SIM_POWER && !p->power_off) {
        /* The process was dead, now the machine goes too, and with it what was not synced. */
        p->power_off = true;
        sim_store_crash(sim, p, kind);
    }
}

/* Run `make` with the same net under it as a step. self is NULL when it gave up or failed an
 * assertion. */
static void process_make(struct sim *sim, struct sim_process *p)
{
    jmp_buf *outer = sim->landing;
    struct sim_process *stepping = sim->stepping;
    jmp_buf landing;

    p->self = NULL;
    sim_set_hook(sim);
    sim->landing = &landing;
    sim->stepping = p;
    if (_setjmp(landing) == 0) {
        p->self = p->ops->make(p->mem, p->config);
    }
    sim->stepping = stepping;
    sim->landing = outer;
    if (outer == NULL) {
        ensure_set_hook(NULL, NULL);
    }
}

void sim_start(struct sim *sim, uint32_t process)
{
    struct sim_process *p = process_at(sim, process);

    if (p->up) {
        p->reborn = p->doom != 0;
        return;
    }
    p->incarnation++;
    p->power_off = false;
    p->next_accepted = 0;
    p->up = true;
    p->wake_mono_us = WAKE_NEVER;
    process_make(sim, p);
    sim_parcel_send(sim, sim_parcel_make(sim, PARCEL_BOOT, p->index, span_make(NULL, 0)),
                    sim->now_us);
}

void sim_boot(struct sim *sim, struct sim_process *p)
{
    struct input in = {.kind = IN_BOOT};
    struct file_view *views = NULL;
    uint32_t count = p->disk.count;

    if (p->self == NULL) {
        const struct effect effect = {
            .kind = FX_HALT, .a = 1, .bytes = span_text("the configuration cannot run")};

        sim_halt(sim, p, &effect);
        return;
    }
    if (sim_traces(sim, SIM_TRACE_ROLES)) {
        sim_trace_life(sim, p, "start", "");
    }
    (void)process_tell(sim, SIM_AT_START, p->index);
    if (!p->up) {
        return;
    }
    if (count > 0) {
        views = sim_get(sim, count * sizeof(*views));
    }
    for (uint32_t i = 0; i < count; i++) {
        views[i] = sim_file_view(p->disk.files[i]);
    }
    in.boot.files = views;
    in.boot.count = count;
    in.boot.seed = rand_keyed(sim->options.seed, DRAW_BOOT, p->index, p->incarnation);
    sim_step(sim, p, &in, NULL);
    sim_put(sim, views, count * sizeof(*views));
}

void sim_halt(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    if (sim_traces(sim, SIM_TRACE_ROLES)) {
        sim_trace_effect(sim, p, effect);
    }
    (void)sim_allow(sim, p, SIM_AT_HALT, effect);
    if (p->doom == 0 && p->up) {
        process_bury(sim, p);
        sim_stream_died(sim, p, SIM_KILL);
        if (p->reborn) {
            p->reborn = false;
            sim_start(sim, p->index);
        }
    }
}

void sim_pause(struct sim *sim, uint32_t process)
{
    struct sim_process *p = process_at(sim, process);

    if (p->up && !p->paused) {
        p->paused = true;
        sim_mix(sim, 110, process, 0);
        if (sim_traces(sim, SIM_TRACE_ROLES)) {
            sim_trace_life(sim, p, "pause", "");
        }
        (void)process_tell(sim, SIM_AT_PAUSE, process);
    }
}

void sim_resume(struct sim *sim, uint32_t process)
{
    struct sim_process *p = process_at(sim, process);

    if (!p->up || !p->paused) {
        return;
    }
    p->paused = false;
    sim_mix(sim, 111, process, 0);
    if (sim_traces(sim, SIM_TRACE_ROLES)) {
        sim_trace_life(sim, p, "resume", "");
    }
    (void)process_tell(sim, SIM_AT_RESUME, process);
    if (p->replaced) {
        /* In the order of events, not inside the caller: a parcel leads back here. */
        sim_parcel_send(sim, sim_parcel_make(sim, PARCEL_REPLACED, process, span_make(NULL, 0)),
                        sim->now_us);
        return;
    }
    sim_release(sim, p);
}
