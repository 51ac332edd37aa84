/* What a crash leaves on a disk.
 *
 *     KILL    the machine lives: of each file, a drawn prefix of the writes that were not durable
 * is kept (all without a seed); they are as little durable as before POWER   each write is kept,
 * torn or lost on its own; changes of the directory are kept up to a drawn one, as a journal keeps
 * them; a file that was never synced may vanish
 *
 * Writes are undone from the newest back to the durable state, their bytes set aside, and those
 * that survive are done again, so that a hole in the middle reads as zeros. */
#include "base/ensure.h"
#include "sim/world.h"

#define LOSS_SECTOR 512u

/* What to do again. */
struct loss_redo {
    bool truncates;
    uint64_t offset;
    uint64_t len;
    uint8_t *bytes; /* of an append */
};

static uint64_t loss_key(const struct sim_file *file)
{
    return sim_hash(span_make(file->name, file->name_len)) + (uint64_t)file->dir;
}

/* Undo the newest write of the file. */
static void loss_undo(struct sim *sim, struct sim_file *file)
{
    struct sim_write write =
        *(const struct sim_write *)ring_at(&file->writes, ring_count(&file->writes) - 1);

    ring_pop_back(&file->writes);
    sim_file_resize(sim, file, write.offset);
    if (write.truncates) {
        sim_file_resize(sim, file, write.offset + write.len);
        memcpy(file->at + write.offset, write.saved, write.len);
        sim_put(sim, write.saved, write.len);
    }
}

static void loss_kill_file(struct sim *sim, const struct sim_process *p, struct sim_file *file)
{
    uint64_t count = ring_count(&file->writes);
    uint64_t draw = sim_draw_next(sim, DRAW_KILL, p->index, loss_key(file));
    uint64_t kept = sim->options.seed == 0 ? count : sim_draw_range(sim, draw, 0, count);

    while (ring_count(&file->writes) > kept) {
        loss_undo(sim, file);
    }
    file->broken = false;
}

/* Put [from, end) of an append back, at least a hole of zeros before it. */
static void loss_write(struct sim *sim, struct sim_file *file, const struct loss_redo *redo,
                       uint64_t from, uint64_t end)
{
    if (end > from) {
        if (file->size < redo->offset + end) {
            sim_file_resize(sim, file, redo->offset + end);
        }
        memcpy(file->at + redo->offset + from, redo->bytes + from, end - from);
    }
}

/* A torn append: a first part of it, ending at a sector or inside one; or some of its sectors. */
static void loss_tear(struct sim *sim, struct sim_file *file, const struct loss_redo *redo,
                      uint64_t draw)
{
    uint64_t how = sim_draw_more(draw, DRAW_TEAR_HOW) % 4;
    uint64_t cut = sim->options.seed == 0
                       ? redo->len / 2
                       : sim_draw_range(sim, sim_draw_more(draw, DRAW_TEAR_AT), 0, redo->len - 1);
    uint64_t sector = (redo->offset + cut) / LOSS_SECTOR * LOSS_SECTOR;

    if (sim->options.seed == 0 || how == 0) {
        loss_write(sim, file, redo, 0, cut);
        return;
    }
    if (how == 1) {
        loss_write(sim, file, redo, 0, sector > redo->offset ? sector - redo->offset : 0);
        return;
    }
    if (how == 2) {
        /* The size arrived, the rest of the bytes did not. */
        loss_write(sim, file, redo, 0, cut);
        if (file->size < redo->offset + redo->len) {
            sim_file_resize(sim, file, redo->offset + redo->len);
        }
        return;
    }
    for (uint64_t from = 0; from < redo->len;) {
        uint64_t end = LOSS_SECTOR - (redo->offset + from) % LOSS_SECTOR + from;

        end = end < redo->len ? end : redo->len;
        if (hash_u64(draw, from) % 2 == 0) {
            loss_write(sim, file, redo, from, end);
        }
        from = end;
    }
}

/* Decide about one write and do it again as far as it survives. */
static void loss_redo(struct sim *sim, const struct sim_process *p, struct sim_file *file,
                      const struct loss_redo *redo)
{
    const struct sim_disk *set = &p->disk.set;
    uint64_t draw = sim_draw_next(sim, DRAW_KEEP, p->index, loss_key(file) ^ redo->offset);
    bool keep = sim_draw_ppm(sim, draw, set->keep_ppm);

    if (!keep && sim_draw_ppm(sim, sim_draw_more(draw, DRAW_TEAR), set->tear_ppm)) {
        if (!redo->truncates && redo->len > 0) {
            loss_tear(sim, file, redo, draw);
        }
        return;
    }
    if (!keep) {
        return;
    }
    if (redo->truncates) {
        if (file->size > redo->offset) {
            sim_file_resize(sim, file, redo->offset);
        }
        return;
    }
    loss_write(sim, file, redo, 0, redo->len);
}

static void loss_power_file(struct sim *sim, const struct sim_process *p, struct sim_file *file)
{
    uint64_t count = ring_count(&file->writes);
    struct loss_redo *redos = count == 0 ? NULL : sim_get(sim, count * sizeof(*redos));

    for (uint64_t i = count; i > 0; i--) {
        const struct sim_write *write = ring_at(&file->writes, i - 1);
        struct loss_redo *redo = &redos[i - 1];

        *redo = (struct loss_redo){
            .truncates = write->truncates, .offset = write->offset, .len = write->len};
        if (!write->truncates && write->len > 0) {
            redo->bytes = sim_get(sim, write->len);
            memcpy(redo->bytes, file->at + write->offset, write->len);
        }
        loss_undo(sim, file);
    }
    for (uint64_t i = 0; i < count; i++) {
        loss_redo(sim, p, file, &redos[i]);
        sim_put(sim, redos[i].bytes, redos[i].len);
    }
    sim_put(sim, redos, count * sizeof(*redos));
    file->broken = false;
}

/* Changes of the directory: the first `kept` survive. */
static void loss_moves(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind)
{
    struct sim_store *disk = &p->disk;
    uint64_t count = ring_count(&disk->moves);
    uint64_t kept = 0;

    if (kind == SIM_KILL) {
        uint64_t draw = sim_draw_next(sim, DRAW_KILL, p->index, 0);

        kept = sim->options.seed == 0 ? count : sim_draw_range(sim, draw, 0, count);
    } else {
        while (kept < count && sim_draw_ppm(sim, sim_draw_next(sim, DRAW_KEEP, p->index, kept),
                                            disk->set.keep_ppm)) {
            kept++;
        }
    }
    while (ring_count(&disk->moves) > kept) {
        struct sim_move move =
            *(const struct sim_move *)ring_at(&disk->moves, ring_count(&disk->moves) - 1);

        ring_pop_back(&disk->moves);
        sim_move_undo(sim, disk, &move);
    }
    if (kind == SIM_POWER) {
        sim_moves_settle(sim, disk, UINT64_MAX);
    }
}

/* Nothing that was asked for will be answered. */
static void loss_jobs(struct sim *sim, struct sim_store *disk)
{
    for (uint32_t i = 0; i < LANES; i++) {
        struct sim_lane *lane = &disk->lanes[i];

        while (ring_count(&lane->jobs) > 0) {
            struct sim_job job = *(const struct sim_job *)ring_at(&lane->jobs, 0);

            ring_pop(&lane->jobs);
            if (job.bytes != NULL) {
                sim_put(sim, job.bytes, job.len);
            }
            if (job.file != NULL) {
                job.file->refs--;
                sim_file_free(sim, job.file);
            }
        }
        lane->token = 0;
        lane->waiting = false;
        lane->last_due_us = 0;
    }
}

void sim_store_crash(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind)
{
    struct sim_store *disk = &p->disk;

    loss_jobs(sim, disk);
    loss_moves(sim, p, kind);
    for (uint32_t i = 0; i < disk->count;) {
        struct sim_file *file = disk->files[i];

        if (kind == SIM_KILL) {
            loss_kill_file(sim, p, file);
        } else if (!file->entry_durable &&
                   !sim_draw_ppm(sim, sim_draw_next(sim, DRAW_KEEP, p->index, ~loss_key(file)),
                                 disk->set.keep_ppm)) {
            sim_file_unlink(disk, file);
            sim_file_free(sim, file);
            continue;
        } else {
            loss_power_file(sim, p, file);
            file->entry_durable = true;
        }
        i++;
    }
}
