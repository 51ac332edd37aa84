/* The disk of a process: files as the process sees them, and what is not durable yet.
 *
 * The model is the write list of SQLite's crash tests. What a process reads is always the newest;
 * each file remembers its writes that no finished sync covers, oldest first, each with what is
 * needed to undo it. A crash decides about each of them (loss.c). Completions come in order within
 * a lane: one lane for changes and syncs, one for reads. */
#include "base/ensure.h"
#include "sim/world.h"

#define DISK_ROOM_FIRST 256u

void sim_store_init(struct sim *sim, struct sim_process *p)
{
    struct sim_store *disk = &p->disk;

    sim_disk_default(&disk->set);
    if (sim->options.seed != 0) {
        disk->set.sync_min_us = 200;
        disk->set.sync_max_us = 4000;
    }
    ring_init(&disk->moves, sim->mem, sizeof(struct sim_move));
    for (uint32_t i = 0; i < LANES; i++) {
        ring_init(&disk->lanes[i].jobs, sim->mem, sizeof(struct sim_job));
    }
}

void sim_disk_default(struct sim_disk *disk)
{
    *disk = (struct sim_disk){
        .sync_min_us = 1000,
        .sync_max_us = 1000,
        .read_us = 100,
        .keep_ppm = 0,
        .tear_ppm = 0,
    };
}

static struct sim_process *disk_process(const struct sim *sim, uint32_t process)
{
    ENSURE(process < sim->process_count);
    return sim->processes[process];
}

static void disk_arm(struct sim *sim, struct sim_process *p, uint32_t index)
{
    struct sim_lane *lane = &p->disk.lanes[index];
    const struct sim_job *job = ring_at(&lane->jobs, 0);

    if (job != NULL && !lane->waiting && lane->token == 0) {
        sim_arm(sim, &lane->token, job->due_us, SOURCE_LANE, p->index * LANES + index);
    }
}

void sim_set_disk(struct sim *sim, uint32_t process, const struct sim_disk *disk)
{
    struct sim_process *p = disk_process(sim, process);

    ENSURE(disk->sync_min_us <= disk->sync_max_us);
    p->disk.set = *disk;
    for (uint32_t i = 0; i < LANES && !disk->stall; i++) {
        p->disk.lanes[i].waiting = false;
        disk_arm(sim, p, i);
    }
}

void sim_get_disk(const struct sim *sim, uint32_t process, struct sim_disk *disk)
{
    *disk = disk_process(sim, process)->disk.set;
}

/* ---- content ---- */
static void disk_reserve(struct sim *sim, struct sim_file *file, uint64_t size)
{
    if (size > file->room) {
        uint64_t room = file->room == 0 ? DISK_ROOM_FIRST : file->room * 2;
        uint8_t *grown;

        while (room < size) {
            room *= 2;
        }
        grown = sim_get(sim, room);
        if (file->size > 0) {
            memcpy(grown, file->at, file->size);
        }
        sim_put(sim, file->at, file->room);
        file->at = grown;
        file->room = room;
    }
}

void sim_file_resize(struct sim *sim, struct sim_file *file, uint64_t size)
{
    disk_reserve(sim, file, size);
    if (size > file->size) {
        memset(file->at + file->size, 0, size - file->size);
    }
    file->size = size;
}

void sim_file_settle(struct sim *sim, struct sim_file *file, uint64_t mark)
{
    while (file->writes.head < mark && ring_count(&file->writes) > 0) {
        const struct sim_write *write = ring_at(&file->writes, 0);

        if (write->saved != NULL) {
            sim_put(sim, write->saved, write->len);
        }
        ring_pop(&file->writes);
    }
    file->entry_durable = true;
}

/* ---- jobs ---- */
static void disk_job(struct sim *sim, struct sim_process *p, uint32_t index, struct sim_job job)
{
    struct sim_lane *lane = &p->disk.lanes[index];

    if (job.due_us < lane->last_due_us) {
        job.due_us = lane->last_due_us;
    }
    lane->last_due_us = job.due_us;
    job.incarnation = p->incarnation;
    if (job.file != NULL) {
        job.file->refs++;
    }
    *(struct sim_job *)sim_ring_push(sim, &lane->jobs) = job;
    disk_arm(sim, p, index);
}

/* When a change or sync of the file is done. */
static uint64_t disk_due(struct sim *sim, const struct sim_process *p, const struct effect *effect)
{
    const struct sim_disk *set = &p->disk.set;
    uint64_t draw = 0;

    if (sim->options.seed != 0 && set->sync_min_us != set->sync_max_us) {
        draw = sim_draw_next(sim, DRAW_SYNC, p->index, sim_hash(effect->name) + effect->id);
    }
    return sim->now_us + sim_draw_range(sim, draw, set->sync_min_us, set->sync_max_us);
}

static void disk_append(struct sim *sim, struct sim_process *p, const struct effect *effect,
                        struct sim_file *file)
{
    const struct sim_disk *set = &p->disk.set;
    enum err err = set->eio ? ERR_IO : (set->full ? ERR_NO_SPACE : ERR_OK);
    struct sim_write *write;

    if (file == NULL && err == ERR_OK) {
        file = sim_file_make(sim, (enum file_dir)effect->id, effect->name);
        sim_file_link(sim, &p->disk, file);
    }
    if (file != NULL && effect->a != file->size) {
        if (!file->broken) {
            sim_fault(sim, p->index, "step contract",
                      span_text("an append is not at the end of its file"));
            return;
        }
        err = err == ERR_OK ? ERR_IO : err; /* it builds on an append that failed */
    } else if (file != NULL) {
        file->broken = err != ERR_OK;
    }
    if (file != NULL && err == ERR_OK) {
        disk_reserve(sim, file, file->size + effect->bytes.len);
        if (effect->bytes.len > 0) {
            memcpy(file->at + file->size, effect->bytes.at, effect->bytes.len);
        }
        write = sim_ring_push(sim, &file->writes);
        write->offset = file->size;
        write->len = effect->bytes.len;
        file->size += effect->bytes.len;
    }
    if (err != ERR_OK || effect->b != 0) {
        disk_job(sim, p, LANE_WRITE,
                 (struct sim_job){.due_us = sim->now_us + set->read_us,
                                  .kind = FX_APPEND,
                                  .err = err,
                                  .tag = effect->b});
    }
}

static void disk_sync(struct sim *sim, struct sim_process *p, const struct effect *effect,
                      struct sim_file *file)
{
    enum err err = p->disk.set.eio ? ERR_IO : ERR_OK;

    if (file == NULL) {
        err = err == ERR_OK ? ERR_MISSING : err;
    } else if (file->broken) {
        err = ERR_IO;
    }
    disk_job(sim, p, LANE_WRITE,
             (struct sim_job){.due_us = disk_due(sim, p, effect),
                              .kind = FX_SYNC,
                              .err = err,
                              .tag = effect->b,
                              .mark = file == NULL ? 0 : file->writes.tail,
                              .file = file});
}

static void disk_truncate(struct sim *sim, struct sim_process *p, const struct effect *effect,
                          struct sim_file *file)
{
    enum err err = p->disk.set.eio ? ERR_IO : ERR_OK;

    if (file == NULL) {
        err = err == ERR_OK ? ERR_MISSING : err;
    } else if (effect->a > file->size) {
        err = err == ERR_OK ? ERR_RANGE : err;
    } else if (err == ERR_OK && effect->a < file->size) {
        struct sim_write *write = sim_ring_push(sim, &file->writes);

        write->truncates = true;
        write->offset = effect->a;
        write->len = file->size - effect->a;
        write->saved = sim_get(sim, write->len);
        memcpy(write->saved, file->at + effect->a, write->len);
        file->size = effect->a;
    }
    if (file != NULL && err == ERR_OK) {
        file->broken = false;
    }
    disk_job(sim, p, LANE_WRITE,
             (struct sim_job){.due_us = disk_due(sim, p, effect),
                              .kind = FX_TRUNCATE,
                              .err = err,
                              .tag = effect->b,
                              .mark = file == NULL ? 0 : file->writes.tail,
                              .file = file});
}

static void disk_read(struct sim *sim, struct sim_process *p, const struct effect *effect,
                      const struct sim_file *file)
{
    struct sim_job job = {
        .due_us = sim->now_us + p->disk.set.read_us,
        .kind = FX_READ,
        .tag = effect->b,
        .err = p->disk.set.eio ? ERR_IO : (file == NULL ? ERR_MISSING : ERR_OK),
    };

    if (job.err == ERR_OK && effect->a < file->size) {
        job.len = file->size - effect->a < effect->c ? file->size - effect->a : effect->c;
    }
    if (job.len > 0) {
        job.bytes = sim_get(sim, job.len);
        memcpy(job.bytes, file->at + effect->a, job.len);
    }
    disk_job(sim, p, LANE_READ, job);
}

/* A change of the directory: seen at once, durable when its job is done. */
static void disk_move(struct sim *sim, struct sim_process *p, const struct effect *effect,
                      struct sim_file *file)
{
    struct sim_store *disk = &p->disk;
    enum err err = disk->set.eio ? ERR_IO : ERR_OK;
    struct span to = effect->kind == FX_RENAME ? effect->bytes : effect->name;
    struct sim_move *move;

    if (err == ERR_OK && effect->kind != FX_REPLACE && file == NULL) {
        err = ERR_MISSING;
    }
    if (err == ERR_OK && effect->kind == FX_REPLACE && disk->set.full) {
        err = ERR_NO_SPACE;
    }
    if (err == ERR_OK && !(effect->kind == FX_RENAME && span_equal(to, effect->name))) {
        struct sim_file *old =
            effect->kind == FX_RENAME ? sim_file_find(disk, (enum file_dir)effect->id, to) : file;

        move = sim_ring_push(sim, &disk->moves);
        move->kind = effect->kind;
        move->old = effect->kind == FX_REMOVE ? NULL : old;
        if (old != NULL) {
            sim_file_unlink(disk, old);
        }
        if (effect->kind == FX_REPLACE) {
            file = sim_file_make(sim, (enum file_dir)effect->id, to);
            sim_file_resize(sim, file, effect->bytes.len);
            if (effect->bytes.len > 0) {
                memcpy(file->at, effect->bytes.at, effect->bytes.len);
            }
            file->entry_durable = true;
            sim_file_link(sim, disk, file);
        } else if (effect->kind == FX_RENAME) {
            sim_file_unlink(disk, file);
            move->from_len = file->name_len;
            memcpy(move->from, file->name, sizeof(move->from));
            sim_file_name(file, (const char *)to.at, (uint32_t)to.len);
            sim_file_link(sim, disk, file);
        }
        move->file = file;
        file->refs++;
        if (move->old != NULL) {
            move->old->refs++;
        }
    }
    disk_job(sim, p, LANE_WRITE,
             (struct sim_job){.due_us = disk_due(sim, p, effect),
                              .kind = effect->kind,
                              .err = err,
                              .tag = effect->b,
                              .mark = disk->moves.tail,
                              .file = effect->kind == FX_RENAME && err == ERR_OK ? file : NULL});
}

/* "Right after" a replace is when it is durable: the crash waits for that. */
static bool disk_allow_replace(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    uint8_t doom = p->doom;
    bool allowed = sim_allow(sim, p, SIM_AT_REPLACE, effect);

    p->replace_doom = 0;
    if (allowed && p->doom != doom) {
        p->replace_doom = p->doom;
        p->doom = doom;
    }
    return allowed;
}

void sim_store_effect(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    struct sim_file *file;

    if (effect->name.len == 0 || effect->name.len > SIM_FILE_NAME_MAX ||
        (effect->kind == FX_RENAME &&
         (effect->bytes.len == 0 || effect->bytes.len > SIM_FILE_NAME_MAX)) ||
        effect->id > DIR_CONF) {
        sim_fault(sim, p->index, "step contract", span_text("not the name of a file"));
        return;
    }
    if ((effect->kind == FX_APPEND && !sim_allow(sim, p, SIM_AT_APPEND, effect)) ||
        (effect->kind == FX_SYNC && !sim_allow(sim, p, SIM_AT_SYNC, effect)) ||
        (effect->kind == FX_REPLACE && !disk_allow_replace(sim, p, effect))) {
        return;
    }
    file = sim_file_find(&p->disk, (enum file_dir)effect->id, effect->name);
    if (effect->kind == FX_APPEND) {
        disk_append(sim, p, effect, file);
    } else if (effect->kind == FX_SYNC) {
        disk_sync(sim, p, effect, file);
    } else if (effect->kind == FX_READ) {
        disk_read(sim, p, effect, file);
    } else if (effect->kind == FX_TRUNCATE) {
        disk_truncate(sim, p, effect, file);
    } else {
        disk_move(sim, p, effect, file);
        if (effect->kind == FX_REPLACE) {
            p->barrier = true;
            p->rest_tag = effect->b;
        }
    }
}

/* ---- completion ---- */
/* What becomes durable with a job. */
static void disk_settle(struct sim *sim, struct sim_process *p, const struct sim_job *job)
{
    if (job->err != ERR_OK || p->disk.set.lie) {
        return;
    }
    if (job->kind == FX_SYNC || job->kind == FX_TRUNCATE) {
        sim_file_settle(sim, job->file, job->mark);
    } else if (job->kind == FX_RENAME || job->kind == FX_REPLACE || job->kind == FX_REMOVE) {
        sim_moves_settle(sim, &p->disk, job->mark);
        if (job->file != NULL) {
            job->file->entry_durable = true;
        }
    }
}

static void disk_tell(struct sim *sim, struct sim_process *p, const struct sim_job *job)
{
    struct input in;

    if (job->kind == FX_READ) {
        in.kind = IN_DATA;
        in.data.tag = job->tag;
        in.data.err = job->err;
        in.data.span = span_make(job->bytes, job->len);
        sim_give(sim, p, &in, false);
        return;
    }
    if (job->kind == FX_SYNC && job->err == ERR_OK) {
        sim->counts.syncs++;
    }
    if (job->kind == FX_REPLACE) {
        sim->counts.events++;
        sim_replace_done(sim, p, job->err);
        return;
    }
    if (job->tag == 0 && job->err == ERR_OK) {
        sim->counts.events++;
        return;
    }
    in.kind = IN_DONE;
    in.done.tag = job->tag;
    in.done.err = job->err;
    sim_give(sim, p, &in, job->kind == FX_SYNC && job->err == ERR_OK);
}

void sim_lane_due(struct sim *sim, struct sim_process *p, uint32_t index)
{
    struct sim_lane *lane = &p->disk.lanes[index];
    struct sim_job job;

    lane->token = 0;
    if (ring_count(&lane->jobs) == 0) {
        return;
    }
    if (p->disk.set.stall) {
        lane->waiting = true;
        return;
    }
    job = *(const struct sim_job *)ring_at(&lane->jobs, 0);
    ring_pop(&lane->jobs);
    disk_arm(sim, p, index);
    disk_settle(sim, p, &job);
    if (p->up && job.incarnation == p->incarnation) {
        disk_tell(sim, p, &job);
    }
    if (job.bytes != NULL) {
        sim_put(sim, job.bytes, job.len);
    }
    if (job.file != NULL) {
        job.file->refs--;
        sim_file_free(sim, job.file);
    }
}
