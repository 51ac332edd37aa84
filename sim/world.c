/* Opening a world, its processes, its taps and the loop over its events. */
#include "sim/world.h"
#include "base/ensure.h"
#include "sim/journal.h"

#define WORLD_PROCESS_BYTES (16ull << 20)
#define WORLD_POOL_ROOM     16u
#define WORLD_INSTANT_MAX   1000000u /* scheduled things after which an instant counts as endless */

/* ---- memory ---- */
void sim_full(struct sim *sim)
{
    sim_fault(sim, SIM_NONE, "memory of the world", span_text("used up"));
    if (sim->landing != NULL) {
        longjmp(*sim->landing, 1);
    }
    ensure_failed("the world has memory left", __FILE__, __LINE__);
}

void *sim_get(struct sim *sim, size_t size)
{
    void *at = mem_get(sim->mem, size);

    if (at == NULL) {
        sim_full(sim);
    }
    return at;
}

void *sim_get_zero(struct sim *sim, size_t size)
{
    void *at = sim_get(sim, size);

    memset(at, 0, size);
    return at;
}

void sim_put(struct sim *sim, void *at, size_t size)
{
    mem_put(sim->mem, at, size);
}

void *sim_ring_push(struct sim *sim, struct ring *ring)
{
    void *item = ring_push(ring);

    if (item == NULL) {
        sim_full(sim);
    }
    return item;
}

/* ---- opening ---- */
struct sim *sim_open(const struct sim_options *options)
{
    uint64_t process_bytes =
        options->process_bytes == 0 ? WORLD_PROCESS_BYTES : options->process_bytes;
    struct arena *arena = arena_open(options->elsewhere, process_bytes, options->fill);
    struct sim *sim;

    if (arena == NULL) {
        return NULL;
    }
    sim = mem_get_zero(arena_world_mem(arena), sizeof(*sim));
    if (sim == NULL) {
        arena_close(arena, 0);
        return NULL;
    }
    sim->arena = arena;
    sim->mem = arena_world_mem(arena);
    sim->options = *options;
    sim->options.process_bytes = process_bytes;
    heap_init(&sim->heap, sim->mem);
    fx_init(&sim->fx, sim->mem);
    sim->conn_free = UINT32_MAX;
    sim->parcel_free = UINT32_MAX;
    sim->verdict_kind = SIM_KILL;
    sim->last_stepped = SIM_NONE;
    sim->process_room = WORLD_POOL_ROOM;
    sim->processes = sim_get(sim, WORLD_POOL_ROOM * sizeof(*sim->processes));
    sim->conn_room = WORLD_POOL_ROOM;
    sim->conns = sim_get(sim, WORLD_POOL_ROOM * sizeof(*sim->conns));
    sim->parcel_room = WORLD_POOL_ROOM;
    sim->parcels = sim_get(sim, WORLD_POOL_ROOM * sizeof(*sim->parcels));
    sim_link_default(&sim->link_default);
    if (options->seed != 0) {
        sim->cells = sim_get_zero(sim, SIM_CELLS * sizeof(*sim->cells));
        sim->link_default.delay_min_us = 200;
        sim->link_default.delay_max_us = 2000;
    }
    sim->link_self = sim->link_default;
    sim_set_trace(sim, options->trace);
    sim->asked = sim->options;
    if (options->journal != NULL) {
        sim_journal_open(options->journal, sim);
    }
    return sim;
}

void sim_close(struct sim *sim)
{
    if (sim != NULL) {
        ENSURE(sim->landing == NULL);
        arena_close(sim->arena, sim->process_count);
    }
}

/* ---- processes ---- */
/* A process asked for more than its memory: unwind as from a failed assertion. */
static void world_exhausted(void *context)
{
    struct sim *sim = context;

    if (sim->stepping != NULL && sim->landing != NULL) {
        sim_fault(sim, sim->stepping->index, "memory", span_text("the process used up its memory"));
        longjmp(*sim->landing, 1);
    }
}

uint32_t sim_add(struct sim *sim, const char *name, const struct process_ops *ops,
                 struct span config)
{
    struct sim_process *p = sim_get_zero(sim, sizeof(*p));
    uint8_t *copy = config.len == 0 ? NULL : sim_get(sim, config.len);

    ENSURE(strlen(name) <= SIM_NAME_MAX);
    if (sim->process_count == sim->process_room) {
        uint32_t room = sim->process_room * 2;
        struct sim_process **grown = sim_get(sim, room * sizeof(*grown));

        memcpy(grown, sim->processes, sim->process_count * sizeof(*grown));
        sim_put(sim, sim->processes, sim->process_room * sizeof(*grown));
        sim->processes = grown;
        sim->process_room = room;
    }
    if (config.len > 0) {
        memcpy(copy, config.at, config.len);
    }
    p->config = span_make(copy, config.len);
    p->ops = ops;
    p->index = sim->process_count;
    p->name_len = (uint32_t)strlen(name);
    memcpy(p->name, name, p->name_len);
    p->mem = arena_add(sim->arena, p->index, sim->options.fill, world_exhausted, sim);
    if (p->mem == NULL) {
        sim_full(sim);
    }
    p->wake_due_us = UINT64_MAX;
    p->wake_mono_us = WAKE_NEVER;
    list_init(&p->ends);
    ring_init(&p->held, sim->mem, sizeof(struct sim_held));
    sim_clock_init(p);
    sim_store_init(sim, p);
    sim->processes[sim->process_count++] = p;
    sim_pairs_grow(sim);
    return p->index;
}

uint32_t sim_count(const struct sim *sim)
{
    return sim->process_count;
}

static struct sim_process *world_process(const struct sim *sim, uint32_t process)
{
    ENSURE(process < sim->process_count);
    return sim->processes[process];
}

const char *sim_name(const struct sim *sim, uint32_t process)
{
    return world_process(sim, process)->name;
}

uint32_t sim_find(const struct sim *sim, struct span name)
{
    for (uint32_t i = 0; i < sim->process_count; i++) {
        const struct sim_process *p = sim->processes[i];

        if (p->name_len == name.len && span_equal(span_make(p->name, p->name_len), name)) {
            return i;
        }
    }
    return SIM_NONE;
}

bool sim_is_up(const struct sim *sim, uint32_t process)
{
    return world_process(sim, process)->up;
}

const void *sim_self(const struct sim *sim, uint32_t process)
{
    const struct sim_process *p = world_process(sim, process);

    return p->up ? p->self : NULL;
}

uint32_t sim_incarnation(const struct sim *sim, uint32_t process)
{
    return world_process(sim, process)->incarnation;
}

void sim_ask(struct sim *sim, uint32_t process, uint64_t tag, struct span span)
{
    if (world_process(sim, process)->up) {
        struct sim_parcel *parcel = sim_parcel_make(sim, PARCEL_ASK, process, span);

        parcel->tag = tag;
        sim_parcel_send(sim, parcel, sim->now_us);
    }
}

/* ---- taps and tables ---- */
void sim_set_codec(struct sim *sim, uint32_t port, const struct sim_codec *codec)
{
    for (uint32_t i = 0; i < sim->port_count; i++) {
        if (sim->ports[i].port == port) {
            sim->ports[i].codec = codec;
            return;
        }
    }
    ENSURE(sim->port_count < SIM_CODECS_MAX);
    sim->ports[sim->port_count++] = (struct sim_port){.port = port, .codec = codec};
}

const struct sim_codec *sim_codec_find(const struct sim *sim, uint32_t port)
{
    for (uint32_t i = 0; i < sim->port_count; i++) {
        if (sim->ports[i].port == port) {
            return sim->ports[i].codec;
        }
    }
    return NULL;
}

void sim_add_tap(struct sim *sim, uint32_t mask, sim_tap *tap, void *context)
{
    ENSURE(sim->tap_count < SIM_TAPS_MAX);
    sim->taps[sim->tap_count++] =
        (struct sim_tap_entry){.mask = mask, .tap = tap, .context = context};
    sim->tap_mask |= mask;
}

enum sim_verdict sim_tell(struct sim *sim, struct sim_event *event)
{
    static const uint8_t strength[] = {
        [SIM_GO] = 0, [SIM_DROP] = 1, [SIM_CRASH_AFTER] = 2, [SIM_CRASH_BEFORE] = 3};
    enum sim_verdict verdict = SIM_GO;

    event->now_us = sim->now_us;
    for (uint32_t i = 0; i < sim->tap_count; i++) {
        if ((sim->taps[i].mask & (1u << event->at)) != 0) {
            enum sim_verdict one = sim->taps[i].tap(sim->taps[i].context, sim, event);

            verdict = strength[one] > strength[verdict] ? one : verdict;
        }
    }
    return verdict;
}

void sim_crash_verdict_kind(struct sim *sim, enum sim_crash_kind kind)
{
    sim->verdict_kind = kind;
}

void sim_set_notes(struct sim *sim, const struct sim_note *notes, uint32_t count)
{
    sim->notes = notes;
    sim->note_count = count;
}

void sim_set_trace(struct sim *sim, enum sim_trace level)
{
    sim->options.trace = sim->options.trace_line == NULL ? SIM_TRACE_NONE : level;
}

void sim_journal_trace(struct sim *sim, void (*line)(void *context, struct span line),
                       void *context)
{
    sim->options.trace_line = line == NULL ? sim->asked.trace_line : line;
    sim->options.trace_context = line == NULL ? sim->asked.trace_context : context;
    sim_set_trace(sim, line == NULL ? sim->asked.trace : SIM_TRACE_FULL);
}

/* ---- time ---- */
uint64_t sim_now(const struct sim *sim)
{
    return sim->now_us;
}

void sim_schedule(struct sim *sim, uint64_t due_us, sim_call *fn, void *context, uint64_t argument)
{
    struct sim_parcel *parcel = sim_parcel_make(sim, PARCEL_CALL, SIM_NONE, span_make(NULL, 0));

    parcel->fn = fn;
    parcel->context = context;
    parcel->tag = argument;
    sim_parcel_send(sim, parcel, due_us);
}

/* The source of a popped item, unless the item is outdated. */
static void world_handle(struct sim *sim, const struct heap_item *item)
{
    uint32_t index = (uint32_t)item->payload;

    switch ((enum sim_source)(item->payload >> 32)) {
    case SOURCE_WAY: {
        struct sim_conn *conn = sim->conns[index / 2];

        if (conn->ways[index % 2].token == item->tie) {
            sim_way_due(sim, conn, index % 2);
        }
        return;
    }
    case SOURCE_WAKE:
        if (sim->processes[index]->wake_token == item->tie) {
            sim_wake_due(sim, sim->processes[index]);
        }
        return;
    case SOURCE_LANE:
        if (sim->processes[index / LANES]->disk.lanes[index % LANES].token == item->tie) {
            sim_lane_due(sim, sim->processes[index / LANES], index % LANES);
        }
        return;
    case SOURCE_PARCEL:
        if (sim->parcels[index]->token == item->tie) {
            sim_parcel_due(sim, sim->parcels[index]);
        }
        return;
    }
}

/* So much was scheduled in one instant that it will never end. */
static void world_stands_still(struct sim *sim)
{
    sim_fault(sim, sim->last_stepped, "time stands still",
              span_text("a million things were scheduled without a microsecond passing"));
}

static void world_events(struct sim *sim, uint64_t until_us, uint64_t limit)
{
    uint64_t end =
        limit > UINT64_MAX - sim->counts.events ? UINT64_MAX : sim->counts.events + limit;

    while (!sim->found && !sim->stopped && sim->counts.events < end) {
        const struct heap_item *top = heap_peek(&sim->heap);
        struct heap_item item;
        uint64_t events = sim->counts.events;

        if (top == NULL || top->due > until_us) {
            if (until_us != UINT64_MAX && until_us > sim->now_us) {
                sim->now_us = until_us;
            }
            return;
        }
        (void)heap_pop(&sim->heap, &item);
        if (item.due != sim->now_us) {
            sim->now_us = item.due;
            sim->instant_start = sim->tie;
        }
        world_handle(sim, &item);
        if (__builtin_expect(sim->tie - sim->instant_start > WORLD_INSTANT_MAX, 0)) {
            world_stands_still(sim);
        }
        if (__builtin_expect(sim->options.journal != NULL, 0) && sim->counts.events != events) {
            sim_journal_event(sim->options.journal, sim);
        }
    }
}

/* A failed assertion inside a process unwinds to the loop; elsewhere it is ours and ends the
 * program. */
static void world_hook(void *context, const char *condition, const char *file, int line)
{
    struct sim *sim = context;
    char why[256];
    struct text text;

    if (sim->stepping == NULL || sim->landing == NULL) {
        return;
    }
    while (strncmp(file, "../", 3) == 0) {
        file += 3;
    }
    text_init(&text, why, sizeof(why));
    text_str(&text, file);
    text_char(&text, ':');
    text_u64(&text, (uint64_t)line);
    text_str(&text, ": ");
    text_str(&text, condition);
    sim_fault(sim, sim->stepping->index, "assertion", span_make(text.at, text.len));
    longjmp(*sim->landing, 1);
}

void sim_set_hook(struct sim *sim)
{
    ensure_set_hook(world_hook, sim);
}

/* What is left of an unwound step: the process that failed is dead. */
static void world_land(struct sim *sim)
{
    if (sim->stepping != NULL) {
        sim->stepping->up = false;
        sim->stepping->self = NULL;
    }
    sim->stepping = NULL;
    sim->current = NULL;
}

/* Handle events until `limit` of them are done, the world stops, or none is due; the count. */
static uint64_t world_loop(struct sim *sim, uint64_t until_us, uint64_t limit)
{
    jmp_buf landing;
    uint64_t before = sim->counts.events;

    ENSURE(sim->landing == NULL);
    sim_set_hook(sim);
    sim->landing = &landing;
    if (_setjmp(landing) == 0) {
        world_events(sim, until_us, limit);
    } else {
        world_land(sim);
        if (sim->options.journal != NULL) {
            sim_journal_event(sim->options.journal, sim);
        }
    }
    sim->landing = NULL;
    ensure_set_hook(NULL, NULL);
    return sim->counts.events - before;
}

bool sim_next(struct sim *sim, uint64_t until_us)
{
    return world_loop(sim, until_us, 1) > 0;
}

void sim_run(struct sim *sim, uint64_t until_us)
{
    sim->stopped = false;
    (void)world_loop(sim, until_us, UINT64_MAX);
}

void sim_stop(struct sim *sim)
{
    sim->stopped = true;
}

/* ---- results ---- */
void sim_get_counts(const struct sim *sim, struct sim_counts *counts)
{
    *counts = sim->counts;
}

uint64_t sim_fingerprint(const struct sim *sim)
{
    return sim->fingerprint;
}

static void world_find(struct sim *sim, uint32_t process, const char *check, struct span why)
{
    struct text text;

    if (sim->found) {
        return;
    }
    sim->found = true;
    sim->finding.check = check;
    sim->finding.at_us = sim->now_us;
    sim->finding.process = process;
    text_init(&text, sim->finding.why, sizeof(sim->finding.why));
    text_span(&text, why);
}

void sim_fail(struct sim *sim, const char *check, struct span why)
{
    world_find(sim, sim->current == NULL ? SIM_NONE : sim->current->index, check, why);
}

void sim_fault(struct sim *sim, uint32_t process, const char *check, struct span why)
{
    if (!sim->found) {
        world_find(sim, process, check, why);
        sim->finding.assertion = true;
    }
}

bool sim_get_finding(const struct sim *sim, struct sim_finding *finding)
{
    if (sim->found) {
        *finding = sim->finding;
    }
    return sim->found;
}
