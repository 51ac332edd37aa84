/* The total order of events, and the parcels that are due at some time. */
#include "base/ensure.h"
#include "sim/world.h"

#define PARCEL_NONE       UINT32_MAX
#define PARCEL_KEEP_BYTES 4096u /* what a free parcel may keep for the next one */

static uint64_t event_payload(enum sim_source source, uint32_t index)
{
    return ((uint64_t)source << 32) | index;
}

static void event_push(struct sim *sim, uint64_t *token, uint64_t due_us, uint64_t payload)
{
    struct heap_item item = {.due = due_us, .tie = ++sim->tie, .payload = payload};

    *token = item.tie;
    if (heap_push(&sim->heap, item) != ERR_OK) {
        sim_full(sim);
    }
}

void sim_arm(struct sim *sim, uint64_t *token, uint64_t due_us, enum sim_source source,
             uint32_t index)
{
    event_push(sim, token, due_us < sim->now_us ? sim->now_us : due_us,
               event_payload(source, index));
}

void sim_hold(struct sim *sim, struct sim_process *p, uint64_t *token, enum sim_source source,
              uint32_t index)
{
    struct sim_held *held = sim_ring_push(sim, &p->held);

    *token = ++sim->tie;
    held->token = *token;
    held->payload = event_payload(source, index);
}

/* Where the source remembers its token; NULL when the source is gone. */
static uint64_t *event_token(struct sim *sim, uint64_t payload)
{
    uint32_t index = (uint32_t)payload;

    switch ((enum sim_source)(payload >> 32)) {
    case SOURCE_WAKE:
        return &sim->processes[index]->wake_token;
    case SOURCE_LANE:
        return &sim->processes[index / LANES]->disk.lanes[index % LANES].token;
    case SOURCE_WAY:
        return &sim->conns[index / 2]->ways[index % 2].token;
    case SOURCE_PARCEL:
        return &sim->parcels[index]->token;
    }
    UNREACHABLE();
}

void sim_release(struct sim *sim, struct sim_process *p)
{
    while (sim_takes_input(p) && ring_count(&p->held) > 0) {
        struct sim_held held = *(const struct sim_held *)ring_at(&p->held, 0);
        uint64_t *token = event_token(sim, held.payload);

        ring_pop(&p->held);
        if (*token == held.token) {
            event_push(sim, token, sim->now_us, held.payload);
            if ((held.payload >> 32) == SOURCE_WAKE) {
                p->wake_armed_us = sim->now_us;
            } else if ((held.payload >> 32) == SOURCE_WAY) {
                sim->conns[(uint32_t)held.payload / 2]->ways[held.payload % 2].armed_us =
                    sim->now_us;
            }
        }
    }
}

void sim_unhold(struct sim *sim, struct sim_process *p)
{
    while (ring_count(&p->held) > 0) {
        struct sim_held held = *(const struct sim_held *)ring_at(&p->held, 0);
        uint32_t index = (uint32_t)held.payload;
        uint64_t *token = event_token(sim, held.payload);

        ring_pop(&p->held);
        if (*token != held.token) {
            continue;
        }
        *token = 0;
        if ((held.payload >> 32) == SOURCE_PARCEL) {
            sim_parcel_drop(sim, sim->parcels[index]);
        } else if ((held.payload >> 32) == SOURCE_WAY) {
            /* The sender may live on: let it find out that nobody is there. */
            sim_way_arm(sim, sim->conns[index / 2], index % 2);
        }
    }
}

/* ---- parcels ---- */
static struct sim_parcel *parcel_new(struct sim *sim)
{
    struct sim_parcel *parcel;

    if (sim->parcel_free != PARCEL_NONE) {
        parcel = sim->parcels[sim->parcel_free];
        sim->parcel_free = parcel->next_free;
        return parcel;
    }
    if (sim->parcel_count == sim->parcel_room) {
        uint32_t room = sim->parcel_room * 2;
        struct sim_parcel **grown = sim_get(sim, room * sizeof(*grown));

        memcpy(grown, sim->parcels, sim->parcel_count * sizeof(*grown));
        sim_put(sim, sim->parcels, sim->parcel_room * sizeof(*grown));
        sim->parcels = grown;
        sim->parcel_room = room;
    }
    parcel = sim_get_zero(sim, sizeof(*parcel));
    parcel->index = sim->parcel_count;
    sim->parcels[sim->parcel_count++] = parcel;
    return parcel;
}

struct sim_parcel *sim_parcel_make(struct sim *sim, enum parcel_kind kind, uint32_t process,
                                   struct span bytes)
{
    struct sim_parcel *parcel = parcel_new(sim);

    if (bytes.len > parcel->room) {
        sim_put(sim, parcel->bytes, parcel->room);
        parcel->bytes = NULL;
        parcel->room = 0;
        parcel->bytes = sim_get(sim, bytes.len);
        parcel->room = (uint32_t)bytes.len;
    }
    if (bytes.len > 0) {
        memcpy(parcel->bytes, bytes.at, bytes.len);
    }
    parcel->len = (uint32_t)bytes.len;
    parcel->kind = kind;
    parcel->process = process;
    parcel->incarnation = process < sim->process_count ? sim->processes[process]->incarnation : 0;
    parcel->id = 0;
    parcel->err = ERR_OK;
    parcel->tag = 0;
    parcel->of_sync = false;
    return parcel;
}

void sim_parcel_send(struct sim *sim, struct sim_parcel *parcel, uint64_t due_us)
{
    sim_arm(sim, &parcel->token, due_us, SOURCE_PARCEL, parcel->index);
}

void sim_parcel_drop(struct sim *sim, struct sim_parcel *parcel)
{
    parcel->token = 0;
    if (parcel->room > PARCEL_KEEP_BYTES) {
        sim_put(sim, parcel->bytes, parcel->room);
        parcel->bytes = NULL;
        parcel->room = 0;
    }
    parcel->next_free = sim->parcel_free;
    sim->parcel_free = parcel->index;
}

/* Give the input that the parcel stands for. */
static void parcel_give(struct sim *sim, struct sim_process *p, struct sim_parcel *parcel)
{
    struct span span = span_make(parcel->bytes, parcel->len);
    struct input in;

    if (parcel->kind == PARCEL_LISTENING) {
        in.kind = IN_LISTENING;
        in.listening.listener = parcel->id;
        in.listening.err = parcel->err;
    } else if (parcel->kind == PARCEL_ASK) {
        in.kind = IN_ASK;
        in.ask.tag = parcel->tag;
        in.ask.span = span;
    } else if (parcel->kind == PARCEL_DATA) {
        in.kind = IN_DATA;
        in.data.tag = parcel->tag;
        in.data.err = parcel->err;
        in.data.span = span;
    } else if (parcel->kind == PARCEL_DONE) {
        in.kind = IN_DONE;
        in.done.tag = parcel->tag;
        in.done.err = parcel->err;
    } else {
        in.kind = IN_CLOSED;
        in.closed.conn = parcel->id;
        in.closed.err = ERR_REFUSED;
    }
    sim_give(sim, p, &in, parcel->of_sync);
}

/* What concerns a connection that may be gone by now. */
static void parcel_conn(struct sim *sim, struct sim_process *p, const struct sim_parcel *parcel)
{
    struct sim_conn *conn;
    uint32_t side;
    struct sim_end *end = sim_end_find(sim, p, parcel->id, &conn, &side);

    if (end == NULL) {
        return;
    }
    if (parcel->kind == PARCEL_OFFER) {
        end->offering = false;
        sim_way_offer(sim, conn, 1 - side);
    } else if (end->usable) {
        struct input in = {.kind = IN_DRAINED, .drained.conn = end->number};

        sim_step(sim, p, &in, NULL);
    }
}

void sim_parcel_due(struct sim *sim, struct sim_parcel *parcel)
{
    struct sim_process *p;

    if (parcel->kind == PARCEL_CALL) {
        sim_call *fn = parcel->fn;
        void *context = parcel->context;
        uint64_t argument = parcel->tag;

        sim_parcel_drop(sim, parcel);
        sim->counts.events++;
        fn(sim, context, argument);
        return;
    }
    p = sim->processes[parcel->process];
    if (!p->up || (parcel->kind != PARCEL_POST && parcel->incarnation != p->incarnation)) {
        sim_parcel_drop(sim, parcel);
        return;
    }
    if (!sim_takes_input(p) && parcel->kind != PARCEL_REPLACED) {
        sim_hold(sim, p, &parcel->token, SOURCE_PARCEL, parcel->index);
        return;
    }
    parcel->token = 0;
    if (parcel->kind == PARCEL_BOOT) {
        sim_boot(sim, p);
    } else if (parcel->kind == PARCEL_REPLACED) {
        if (p->replaced) {
            sim_replace_done(sim, p, p->replace_err);
        }
    } else if (parcel->kind == PARCEL_POST) {
        sim_post_due(sim, parcel);
    } else if (parcel->kind == PARCEL_DRAINED || parcel->kind == PARCEL_OFFER) {
        parcel_conn(sim, p, parcel);
    } else {
        parcel_give(sim, p, parcel);
    }
    sim_parcel_drop(sim, parcel);
}
