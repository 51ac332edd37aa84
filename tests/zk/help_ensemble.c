#include "zk/ensemble.h"

#include "protocol/notes.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *note_word(uint32_t kind)
{
    switch (kind) {
#define X(name, word, a, b, c, bytes) \
    case NOTE_##name:                 \
        return word;
        NOTE_MAP(X)
#undef X
    default:
        return "?";
    }
}

static enum sim_verdict ensemble_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    struct ensemble_world *world = context;
    const struct effect *effect = event->effect;

    if (event->at == SIM_AT_ANSWER) {
        struct client_answer answer;
        ck_assert_uint_lt(effect->b, ENSEMBLE_TAGS);
        ck_assert_int_eq(client_answer_decode(effect->bytes, &answer), ERR_OK);
        world->answered[effect->b] = true;
        world->code[effect->b] = answer.code;
        world->zxid[effect->b] = answer.zxid;
    } else if (event->at == SIM_AT_NOTE && world->print) {
        printf("%10.3f %s %s a=%" PRIx64 " b=%" PRIx64 " c=%" PRIx64 " %.*s\n",
               (double)event->now_us / 1e6, sim_name(sim, event->process), note_word(effect->id),
               effect->a, effect->b, effect->c, (int)effect->bytes.len,
               (const char *)effect->bytes.at);
    } else if (event->at == SIM_AT_HALT && world->print) {
        printf("%s halts: %.*s\n", sim_name(sim, event->process), (int)effect->bytes.len,
               (const char *)effect->bytes.at);
    }
    return SIM_GO;
}

void ensemble_open(struct ensemble_world *world, uint32_t servers, uint64_t seed,
                   const char *extra_config)
{
    struct sim_options options = {.seed = seed, .fill = 0xa5};
    char config[4096];
    char name[16];
    int length =
        snprintf(config, sizeof config,
                 "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/data\n%s\n", extra_config);

    memset(world, 0, sizeof *world);
    world->print = getenv("ENSEMBLE_PRINT") != NULL;
    world->sim = sim_open(&options);
    world->servers = servers;
    world->next_tag = 1;
    ck_assert_ptr_nonnull(world->sim);
    for (uint32_t i = 1; i <= servers; i++) {
        length += snprintf(config + length, sizeof config - (size_t)length,
                           "server.%u=s%u:2888:3888;2181\n", i, i);
    }
    for (uint32_t i = 1; i <= servers; i++) {
        snprintf(config + length, sizeof config - (size_t)length, "myid=%u\n", i);
        snprintf(name, sizeof name, "s%u", i);
        ck_assert_uint_eq(sim_add(world->sim, name, &server_ops, span_text(config)), i - 1);
    }
    length = snprintf(config, sizeof config, "timeout=8000\norder=fixed\nhosts=s1:2181");
    for (uint32_t i = 2; i <= servers; i++) {
        length += snprintf(config + length, sizeof config - (size_t)length, ",s%u:2181", i);
    }
    world->client = sim_add(world->sim, "c1", &client_ops, span_text(config));
    sim_add_tap(world->sim, 1u << SIM_AT_NOTE | 1u << SIM_AT_ANSWER | 1u << SIM_AT_HALT,
                ensemble_tap, world);
    for (uint32_t i = 0; i <= servers; i++) {
        sim_start(world->sim, i);
    }
}

void ensemble_close(struct ensemble_world *world)
{
    struct sim_finding finding;

    if (sim_get_finding(world->sim, &finding)) {
        ck_abort_msg("%s at %" PRIu64 " us in process %u: %s", finding.check, finding.at_us,
                     finding.process, finding.why);
    }
    sim_close(world->sim);
}

void ensemble_run(struct ensemble_world *world, uint64_t ms)
{
    sim_run(world->sim, sim_now(world->sim) + ms * 1000);
}

void ensemble_view(const struct ensemble_world *world, uint32_t process, struct server_view *view)
{
    const void *self = sim_self(world->sim, process);

    memset(view, 0, sizeof *view);
    if (self != NULL) {
        server_get_view(self, view);
    }
}

uint32_t ensemble_leader(const struct ensemble_world *world)
{
    for (uint32_t i = 0; i < world->servers; i++) {
        struct server_view view;
        ensemble_view(world, i, &view);
        if (view.role == ROLE_LEADING && view.serving) {
            return i;
        }
    }
    return SIM_NONE;
}

static uint64_t ensemble_ask(struct ensemble_world *world, struct bytes *ask)
{
    uint64_t tag = world->next_tag++;

    sim_ask(world->sim, world->client, tag, bytes_span(ask));
    bytes_drop(ask);
    return tag;
}

uint64_t ensemble_create(struct ensemble_world *world, const char *path, const char *data)
{
    struct mem_heap heap;
    struct bytes ask;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&ask, &heap.mem);
    client_ask_create(&ask, span_text(path), span_text(data), MODE_PERSISTENT);
    return ensemble_ask(world, &ask);
}

uint64_t ensemble_set(struct ensemble_world *world, const char *path, const char *data)
{
    struct mem_heap heap;
    struct bytes ask;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&ask, &heap.mem);
    client_ask_set(&ask, span_text(path), span_text(data), -1);
    return ensemble_ask(world, &ask);
}

bool ensemble_converged(const struct ensemble_world *world)
{
    int64_t zxid = -1;
    uint64_t digest = 0;

    for (uint32_t i = 0; i < world->servers; i++) {
        struct server_view view;
        if (!sim_is_up(world->sim, i)) {
            continue;
        }
        ensemble_view(world, i, &view);
        if (!view.serving || view.tree == NULL) {
            return false;
        }
        if (zxid != -1 && (tree_zxid(view.tree) != zxid || tree_digest(view.tree) != digest)) {
            return false;
        }
        zxid = tree_zxid(view.tree);
        digest = tree_digest(view.tree);
    }
    return zxid != -1;
}
