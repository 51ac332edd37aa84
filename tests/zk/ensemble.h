/* ensemble.h - a small ensemble in a world, for tests in C (scenario files do the rest). */
#ifndef TESTS_ZK_ENSEMBLE_H
#define TESTS_ZK_ENSEMBLE_H

#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "protocol/server.h"
#include "sim/sim.h"

#define ENSEMBLE_MAX  7u
#define ENSEMBLE_TAGS 4096u

struct ensemble_world {
    struct sim *sim;
    uint32_t servers; /* processes 0 .. servers-1 are s1, s2, ... */
    uint32_t client;  /* process */
    bool answered[ENSEMBLE_TAGS];
    int32_t code[ENSEMBLE_TAGS];
    int64_t zxid[ENSEMBLE_TAGS];
    uint64_t next_tag;
    bool print; /* notes to stdout, to look at a failure */
};

/* Servers s1.. and a client c1 that knows them all, in a world with this seed (0 = none); all
 * started. */
void ensemble_open(struct ensemble_world *world, uint32_t servers, uint64_t seed,
                   const char *extra_config);
void ensemble_close(struct ensemble_world *world);
/* Run for `ms` of world time. */
void ensemble_run(struct ensemble_world *world, uint64_t ms);
/* The process that leads and serves, or SIM_NONE. */
uint32_t ensemble_leader(const struct ensemble_world *world);
void ensemble_view(const struct ensemble_world *world, uint32_t process, struct server_view *view);
/* Ask c1 to create or set; the tag of the operation. */
uint64_t ensemble_create(struct ensemble_world *world, const char *path, const char *data);
uint64_t ensemble_set(struct ensemble_world *world, const char *path, const char *data);
/* Whether every server that is up serves, at one zxid, with one digest. */
bool ensemble_converged(const struct ensemble_world *world);

#endif
