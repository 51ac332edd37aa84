#include "sim/help_guest.h"

#include "base/ensure.h"

static void *guest_make(struct mem *mem, struct span config)
{
    struct guest_state *self = mem_get_zero(mem, sizeof(*self) + sizeof(guest_fn *));

    if (self != NULL) {
        self->mem = mem;
        bytes_init(&self->seen, mem);
        memcpy(self + 1, config.at, sizeof(guest_fn *));
    }
    return self;
}

static void guest_count(struct guest_state *self, const struct input *in)
{
    self->last_mono_us = in->mono_us;
    self->last_wall_ms = in->wall_ms;
    switch (in->kind) {
    case IN_BOOT:
        self->boots++;
        break;
    case IN_WAKE:
        self->wakes++;
        break;
    case IN_LISTENING:
        self->listening++;
        self->last_err = in->listening.err;
        break;
    case IN_OPENED:
        self->opened++;
        self->conn = in->opened.conn;
        break;
    case IN_DRAINED:
        self->drained++;
        break;
    case IN_BYTES:
        self->bytes_in += in->bytes.span.len;
        break;
    case IN_CLOSED:
        self->closed++;
        self->last_err = in->closed.err;
        break;
    case IN_POST:
        self->posts++;
        break;
    case IN_DONE:
        self->done++;
        self->last_err = in->done.err;
        break;
    case IN_DATA:
        self->data++;
        self->last_err = in->data.err;
        break;
    case IN_ASK:
        self->asks++;
        break;
    }
}

static void guest_step(void *context, const struct input *in, struct fx *fx)
{
    struct guest_state *self = context;
    guest_fn *fn;

    guest_count(self, in);
    memcpy(&fn, self + 1, sizeof(fn));
    if (in->kind == IN_BYTES) {
        fx->taken = in->bytes.span.len;
    }
    fn(self, in, fx);
    if (in->kind == IN_BYTES && fx->taken > 0) {
        bytes_raw(&self->seen, in->bytes.span.at, (size_t)fx->taken);
    }
}

static const struct process_ops guest_ops = {
    .name = "guest", .make = guest_make, .step = guest_step};

uint32_t guest_add(struct sim *sim, const char *name, guest_fn *fn)
{
    return sim_add(sim, name, &guest_ops, span_make(&fn, sizeof(fn)));
}

const struct guest_state *guest_at(const struct sim *sim, uint32_t process)
{
    return sim_self(sim, process);
}

struct sim *guest_world(uint64_t seed)
{
    const struct sim_options options = {.seed = seed, .process_bytes = 8u << 20, .fill = 0xa5};
    struct sim *sim = sim_open(&options);

    ENSURE(sim != NULL);
    return sim;
}
