/* A copy of the whole world, and the sum of its logical state. */
#include "base/digest.h"
#include "base/ensure.h"
#include "sim/world.h"

#include <stdlib.h>

struct sim_image {
    const struct sim *sim; /* the only world it can be loaded into */
    uint32_t process_count;
    uint8_t bytes[];
};

/* The image lies outside of the world, in memory of the program. */
struct sim_image *sim_save(const struct sim *sim)
{
    size_t bytes = arena_image_bytes(sim->arena, sim->process_count);
    struct sim_image *image = malloc(sizeof(*image) + bytes);

    ENSURE(sim->stepping == NULL && sim->current == NULL);
    if (image != NULL) {
        image->sim = sim;
        image->process_count = sim->process_count;
        arena_save(sim->arena, sim->process_count, image->bytes);
    }
    return image;
}

void sim_load(struct sim *sim, const struct sim_image *image)
{
    jmp_buf *landing = sim->landing;
    struct sim_options options = sim->options;

    ENSURE(image->sim == sim);
    ENSURE(sim->stepping == NULL && sim->current == NULL);
    arena_load(sim->arena, image->process_count, image->bytes);
    /* How the world is watched is not part of it. */
    sim->landing = landing;
    sim->options.trace = options.trace;
    sim->options.trace_line = options.trace_line;
    sim->options.trace_context = options.trace_context;
}

void sim_image_drop(struct sim_image *image)
{
    free(image);
}

/* ---- digest ---- */
static void digest_file(struct digest *digest, const struct sim_file *file)
{
    digest_u64(digest, (uint64_t)file->dir);
    digest_span(digest, span_make(file->name, file->name_len));
    digest_span(digest, span_make(file->at, file->size));
    digest_u64(digest, file->entry_durable);
    for (uint64_t i = 0; i < ring_count(&file->writes); i++) {
        const struct sim_write *write = ring_at(&file->writes, i);

        digest_u64(digest, write->truncates);
        digest_u64(digest, write->offset);
        digest_u64(digest, write->len);
    }
}

/* Times count from now: what is overdue is all the same. */
static uint64_t digest_due(const struct sim *sim, uint64_t due_us)
{
    return due_us == UINT64_MAX ? UINT64_MAX : (due_us > sim->now_us ? due_us - sim->now_us : 0);
}

static void digest_process(const struct sim *sim, const struct sim_process *p,
                           struct digest *digest)
{
    digest_u64(digest, p->index);
    digest_u64(digest, p->up);
    digest_u64(digest, p->paused);
    digest_u64(digest, p->barrier);
    digest_u64(digest, p->power_off);
    digest_u64(digest, digest_due(sim, p->wake_due_us));
    if (p->up && p->self != NULL && p->ops->digest != NULL) {
        p->ops->digest(p->self, sim_clock_mono(p, sim->now_us), digest);
    }
    for (uint32_t i = 0; i < p->disk.count; i++) {
        digest_file(digest, p->disk.files[i]);
    }
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const struct ring *jobs = &p->disk.lanes[lane].jobs;

        for (uint64_t i = 0; i < ring_count(jobs); i++) {
            const struct sim_job *job = ring_at(jobs, i);

            digest_u64(digest, digest_due(sim, job->due_us));
            digest_u64(digest, (uint64_t)job->kind);
            digest_u64(digest, (uint64_t)job->err);
            digest_u64(digest, job->tag);
        }
    }
}

/* Sent and not yet taken; a way that nothing was ever sent on has no buffer. */
static struct span way_waiting(const struct sim_way *way)
{
    if (way->sent == way->taken) {
        return span_make(NULL, 0);
    }
    return span_make(way->at + (way->taken - way->start), way->sent - way->taken);
}

/* Connections in the order in which each dialer opened them. */
static void digest_streams(const struct sim *sim, const struct sim_process *p,
                           struct digest *digest)
{
    for (struct list *at = p->ends.next; at != &p->ends; at = at->next) {
        uint32_t side;
        const struct sim_conn *conn = sim_conn_of(LIST_ITEM(at, struct sim_end, link), &side);
        const struct sim_way *way = &conn->ways[1 - side];

        digest_u64(digest, conn->ends[side].number);
        digest_u64(digest, conn->ends[1 - side].process);
        digest_u64(digest, conn->ends[side].usable);
        digest_u64(digest, conn->ends[side].throttled);
        digest_span(digest, way_waiting(way));
        for (uint32_t i = 0; i < way->segment_count; i++) {
            const struct sim_segment *segment = sim_way_segment(way, i);

            digest_u64(digest, digest_due(sim, segment->due_us));
            digest_u64(digest, segment->end - way->taken);
            digest_u64(digest, (uint64_t)segment->mark);
        }
    }
}

/* Datagrams and other parcels on their way, in no order: their sums are added. */
static uint64_t digest_parcels(const struct sim *sim)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < sim->heap.count; i++) {
        const struct heap_item *item = &sim->heap.at[i];
        const struct sim_parcel *parcel;
        struct digest one = {0};

        if ((item->payload >> 32) != SOURCE_PARCEL) {
            continue;
        }
        parcel = sim->parcels[(uint32_t)item->payload];
        if (parcel->token != item->tie || parcel->kind == PARCEL_CALL) {
            continue;
        }
        digest_u64(&one, (uint64_t)parcel->kind);
        digest_u64(&one, digest_due(sim, item->due));
        digest_u64(&one, parcel->process);
        digest_u64(&one, parcel->id);
        digest_u64(&one, parcel->tag);
        digest_span(&one, span_make(parcel->bytes, parcel->len));
        sum += one.sum;
    }
    return sum;
}

uint64_t sim_digest(const struct sim *sim)
{
    struct digest digest = {0};

    for (uint32_t i = 0; i < sim->process_count; i++) {
        digest_process(sim, sim->processes[i], &digest);
        digest_streams(sim, sim->processes[i], &digest);
    }
    digest_u64(&digest, digest_parcels(sim));
    return digest.sum;
}
