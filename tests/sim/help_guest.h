/* help_guest.h - a scriptable guest for tests of the world: each process runs a function of the
 * test. */
#ifndef TESTS_SIM_HELP_GUEST_H
#define TESTS_SIM_HELP_GUEST_H

#include "sim/sim.h"

/* What a guest remembers of its inputs, and what it does with them. */
struct guest_state {
    struct mem *mem;
    uint32_t role; /* from the configuration: index of a function in the test */
    uint64_t number[8];
    uint64_t bytes_in;
    uint64_t opened, closed, drained, posts, wakes, asks, boots, done, data, listening;
    enum err last_err;
    uint32_t conn; /* the connection opened last */
    uint64_t last_mono_us;
    int64_t last_wall_ms;
    struct bytes seen; /* everything received on streams */
};

typedef void guest_fn(struct guest_state *self, const struct input *in, struct fx *fx);
/* Add a process that runs `fn`; the world is told nothing else. */
uint32_t guest_add(struct sim *sim, const char *name, guest_fn *fn);
const struct guest_state *guest_at(const struct sim *sim, uint32_t process);
/* A world with the given seed. */
struct sim *guest_world(uint64_t seed);

#endif
