/* How fast the world runs real ensembles: quiet ones, ones under load, and whole failover runs.
 *
 *   quiet     five servers, no client: events a second, simulated seconds a second
 *   load      five servers, 8 clients with 32 set requests each in flight: events and writes a
 * second failover  five servers, 60 simulated seconds, tickTime 2000, one client at 10 writes a
 * second, the leader dies once and comes back: runs a minute
 *
 * Trace off, real codecs, real files on a simulated disk. Usage: bench_ensemble
 * [quiet|load|failover [N]]; a line of tab-separated figures each. The same worlds with every check
 * on are measured by `terrarium sim run bench/ensemble_*.scn --seeds`. */
#include "base/ensure.h"
#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "protocol/server.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVERS     5u
#define CLIENTS     8u
#define OUTSTANDING 32u

static uint8_t ask_memory[4096];
static size_t ask_len;
static uint64_t answers;
static bool loading;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void prepare_ask(void)
{
    struct mem_heap heap;
    struct bytes ask;
    uint8_t data[100];

    memset(data, 'x', sizeof data);
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&ask, &heap.mem);
    client_ask_set(&ask, span_text("/n"), span_make(data, sizeof data), -1);
    ENSURE(ask.len <= sizeof ask_memory);
    memcpy(ask_memory, ask.at, ask.len);
    ask_len = ask.len;
    bytes_drop(&ask);
}

static void create_n(struct sim *sim, uint32_t client)
{
    struct mem_heap heap;
    struct bytes ask;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&ask, &heap.mem);
    client_ask_create(&ask, span_text("/n"), span_text("0"), MODE_PERSISTENT);
    sim_ask(sim, client, 1, bytes_span(&ask));
    bytes_drop(&ask);
}

static enum sim_verdict on_answer(void *context, struct sim *sim, const struct sim_event *event)
{
    (void)context;
    answers += 1;
    if (loading) {
        sim_ask(sim, event->process, event->effect->b, span_make(ask_memory, ask_len));
    }
    return SIM_GO;
}

static struct sim *open_world(uint64_t seed, uint32_t clients)
{
    struct sim_options options = {.seed = seed, .fill = 0xa5};
    struct sim *sim = sim_open(&options);
    char config[2048];
    char name[16];
    int length =
        snprintf(config, sizeof config, "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/d\n");

    ENSURE(sim != NULL);
    for (uint32_t i = 1; i <= SERVERS; i++) {
        length += snprintf(config + length, sizeof config - (size_t)length,
                           "server.%u=s%u:2888:3888;2181\n", i, i);
    }
    for (uint32_t i = 1; i <= SERVERS; i++) {
        snprintf(config + length, sizeof config - (size_t)length, "myid=%u\n", i);
        snprintf(name, sizeof name, "s%u", i);
        sim_add(sim, name, &server_ops, span_text(config));
    }
    for (uint32_t i = 1; i <= clients; i++) {
        snprintf(name, sizeof name, "c%u", i);
        snprintf(config, sizeof config,
                 "timeout=8000 hosts=s1:2181,s2:2181,s3:2181,s4:2181,s5:2181");
        sim_add(sim, name, &client_ops, span_text(config));
    }
    sim_add_tap(sim, 1u << SIM_AT_ANSWER, on_answer, NULL);
    for (uint32_t i = 0; i < SERVERS + clients; i++) {
        sim_start(sim, i);
    }
    return sim;
}

static uint32_t find_leader(struct sim *sim)
{
    for (uint32_t i = 0; i < SERVERS; i++) {
        struct server_view view;
        if (sim_self(sim, i) == NULL) {
            continue;
        }
        server_get_view(sim_self(sim, i), &view);
        if (view.role == ROLE_LEADING && view.serving) {
            return i;
        }
    }
    return SIM_NONE;
}

static void bench_quiet(uint64_t seconds)
{
    struct sim *sim = open_world(1, 0);
    struct sim_counts before;
    struct sim_counts after;
    double began;
    double took;

    sim_run(sim, 5000000);
    ENSURE(find_leader(sim) != SIM_NONE);
    sim_get_counts(sim, &before);
    began = now_s();
    sim_run(sim, 5000000 + seconds * 1000000);
    took = now_s() - began;
    sim_get_counts(sim, &after);
    printf("quiet\tevents/s\t%.0f\tsimulated seconds/s\t%.0f\tevents\t%" PRIu64 "\n",
           (double)(after.events - before.events) / took, (double)seconds / took,
           after.events - before.events);
    sim_close(sim);
}

static void bench_load(uint64_t milliseconds)
{
    struct sim *sim = open_world(1, CLIENTS);
    struct sim_counts before;
    struct sim_counts after;
    uint64_t answers_before;
    double began;
    double took;

    sim_run(sim, 5000000);
    create_n(sim, SERVERS);
    sim_run(sim, 6000000);
    loading = true;
    for (uint32_t i = 0; i < CLIENTS * OUTSTANDING; i++) {
        sim_ask(sim, SERVERS + i % CLIENTS, 2 + i, span_make(ask_memory, ask_len));
    }
    sim_run(sim, 6500000);
    sim_get_counts(sim, &before);
    answers_before = answers;
    began = now_s();
    sim_run(sim, 6500000 + milliseconds * 1000);
    took = now_s() - began;
    sim_get_counts(sim, &after);
    printf("load\tevents/s\t%.0f\twrites/s\t%.0f\tevents/write\t%.1f\tmessages/s\t%.0f\tsimulated "
           "s\t%.1f\n",
           (double)(after.events - before.events) / took, (double)(answers - answers_before) / took,
           (double)(after.events - before.events) / (double)(answers - answers_before),
           (double)(after.messages - before.messages) / took, (double)milliseconds / 1000);
    loading = false;
    sim_close(sim);
}

static void on_write_due(struct sim *sim, void *context, uint64_t number)
{
    (void)context;
    sim_ask(sim, SERVERS, 2 + number, span_make(ask_memory, ask_len));
}

static void on_crash_due(struct sim *sim, void *context, uint64_t ignored)
{
    uint32_t leader = find_leader(sim);

    (void)ignored;
    if (leader != SIM_NONE) {
        *(uint32_t *)context = leader;
        sim_crash(sim, leader, SIM_KILL);
    }
}

static void on_restart_due(struct sim *sim, void *context, uint64_t ignored)
{
    (void)ignored;
    sim_start(sim, *(uint32_t *)context);
}

static void bench_failover(uint64_t runs)
{
    struct sim_counts counts;
    uint64_t events = 0;
    double began = now_s();
    double took;

    answers = 0;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        uint32_t dead = 0;
        struct sim *sim = open_world(seed, 1);
        sim_run(sim, 1000000);
        create_n(sim, SERVERS);
        for (uint64_t i = 0; i < 590; i++) {
            sim_schedule(sim, 1000000 + i * 100000, on_write_due, NULL, i);
        }
        sim_schedule(sim, 30000000, on_crash_due, &dead, 0);
        sim_schedule(sim, 40000000, on_restart_due, &dead, 0);
        sim_run(sim, 60000000);
        sim_get_counts(sim, &counts);
        events += counts.events;
        sim_close(sim);
    }
    took = now_s() - began;
    printf("failover\truns/core-minute\t%.0f\tms/run\t%.2f\tevents/s\t%.0f\tevents/"
           "run\t%.0f\tanswers/run\t%.0f\n",
           (double)runs / took * 60, took / (double)runs * 1000, (double)events / took,
           (double)events / (double)runs, (double)answers / (double)runs);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

    prepare_ask();
    if (which[0] == '\0' || strcmp(which, "quiet") == 0) {
        bench_quiet(count > 0 ? count : 50000);
    }
    if (which[0] == '\0' || strcmp(which, "load") == 0) {
        bench_load(count > 0 ? count : 10000);
    }
    if (which[0] == '\0' || strcmp(which, "failover") == 0) {
        bench_failover(count > 0 ? count : 300);
    }
    return 0;
}
