/* The directory of a disk: files by directory and name, and changes of it that are not durable yet.
 */
#include "base/ensure.h"
#include "sim/world.h"

static int directory_compare(const struct sim_file *file, enum file_dir dir, struct span name)
{
    if (file->dir != dir) {
        return file->dir < dir ? -1 : 1;
    }
    return span_compare(span_make(file->name, file->name_len), name);
}

/* The first file that is not before (dir, name). */
static uint32_t directory_seek(const struct sim_store *disk, enum file_dir dir, struct span name)
{
    uint32_t low = 0;
    uint32_t high = disk->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (directory_compare(disk->files[middle], dir, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sim_file *sim_file_find(struct sim_store *disk, enum file_dir dir, struct span name)
{
    struct sim_file *last = disk->last;
    uint32_t at;

    if (last != NULL && last->dir == dir && last->name_len == name.len &&
        memcmp(last->name, name.at, name.len) == 0) {
        return last;
    }
    at = directory_seek(disk, dir, name);
    if (at == disk->count || directory_compare(disk->files[at], dir, name) != 0) {
        return NULL;
    }
    disk->last = disk->files[at];
    return disk->last;
}

void sim_file_name(struct sim_file *file, const char *name, uint32_t len)
{
    ENSURE(!file->linked);
    ENSURE(len <= SIM_FILE_NAME_MAX);
    memcpy(file->name, name, len);
    file->name[len] = '\0';
    file->name_len = len;
}

struct sim_file *sim_file_make(struct sim *sim, enum file_dir dir, struct span name)
{
    struct sim_file *file = sim_get_zero(sim, sizeof(*file));

    file->dir = dir;
    sim_file_name(file, (const char *)name.at, (uint32_t)name.len);
    ring_init(&file->writes, sim->mem, sizeof(struct sim_write));
    return file;
}

/* Give it back unless something still refers to it. */
void sim_file_free(struct sim *sim, struct sim_file *file)
{
    if (file->refs > 0) {
        return;
    }
    ENSURE(!file->linked);
    sim_file_settle(sim, file, file->writes.tail);
    ring_drop(&file->writes);
    sim_put(sim, file->at, file->room);
    sim_put(sim, file, sizeof(*file));
}

void sim_file_link(struct sim *sim, struct sim_store *disk, struct sim_file *file)
{
    uint32_t at = directory_seek(disk, file->dir, span_make(file->name, file->name_len));

    ENSURE(!file->linked);
    if (disk->count == disk->room) {
        uint32_t room = disk->room == 0 ? 8 : disk->room * 2;
        struct sim_file **grown = sim_get(sim, room * sizeof(struct sim_file *));

        if (disk->count > 0) {
            memcpy(grown, disk->files, disk->count * sizeof(struct sim_file *));
        }
        sim_put(sim, disk->files, disk->room * sizeof(struct sim_file *));
        disk->files = grown;
        disk->room = room;
    }
    memmove(&disk->files[at + 1], &disk->files[at], (disk->count - at) * sizeof(struct sim_file *));
    disk->files[at] = file;
    disk->count++;
    file->linked = true;
    file->refs++;
}

/* The caller looks after the file: its reference by the directory is gone. */
void sim_file_unlink(struct sim_store *disk, struct sim_file *file)
{
    uint32_t at = directory_seek(disk, file->dir, span_make(file->name, file->name_len));

    ENSURE(file->linked && disk->files[at] == file);
    disk->count--;
    memmove(&disk->files[at], &disk->files[at + 1], (disk->count - at) * sizeof(struct sim_file *));
    disk->last = NULL;
    file->linked = false;
    file->refs--;
}

/* ---- changes that can be undone ---- */
static void directory_forget(struct sim *sim, struct sim_file *file)
{
    if (file != NULL) {
        file->refs--;
        sim_file_free(sim, file);
    }
}

void sim_moves_settle(struct sim *sim, struct sim_store *disk, uint64_t mark)
{
    while (disk->moves.head < mark && ring_count(&disk->moves) > 0) {
        struct sim_move move = *(const struct sim_move *)ring_at(&disk->moves, 0);

        ring_pop(&disk->moves);
        directory_forget(sim, move.file);
        directory_forget(sim, move.old);
    }
}

/* Put a file back under its name. A newer file of that name could exist only because of the change
 * that is undone. */
static void directory_restore(struct sim *sim, struct sim_store *disk, struct sim_file *file)
{
    struct sim_file *newer = sim_file_find(disk, file->dir, span_make(file->name, file->name_len));

    if (newer != NULL) {
        sim_file_unlink(disk, newer);
        sim_file_free(sim, newer);
    }
    sim_file_link(sim, disk, file);
}

/* Undo the newest change. */
void sim_move_undo(struct sim *sim, struct sim_store *disk, struct sim_move *move)
{
    if (move->file->linked) {
        sim_file_unlink(disk, move->file);
    }
    if (move->kind == FX_RENAME) {
        sim_file_name(move->file, move->from, move->from_len);
    }
    if (move->kind != FX_REPLACE) {
        directory_restore(sim, disk, move->file);
    }
    if (move->old != NULL) {
        directory_restore(sim, disk, move->old);
    }
    directory_forget(sim, move->file);
    directory_forget(sim, move->old);
}

/* ---- from outside ---- */
struct file_view sim_file_view(const struct sim_file *file)
{
    bool whole = file->size <= BOOT_FILE_MAX;

    return (struct file_view){
        .dir = file->dir,
        .whole = whole,
        .name = span_make(file->name, file->name_len),
        .size = file->size,
        .bytes = span_make(whole ? file->at : NULL, whole ? file->size : 0),
    };
}

bool sim_file_at(const struct sim *sim, uint32_t process, uint32_t index, struct file_view *view)
{
    const struct sim_store *disk;

    ENSURE(process < sim->process_count);
    disk = &sim->processes[process]->disk;
    if (index >= disk->count) {
        return false;
    }
    *view = sim_file_view(disk->files[index]);
    view->whole = true;
    view->bytes = span_make(disk->files[index]->at, disk->files[index]->size);
    return true;
}

static void directory_drop(struct sim *sim, struct sim_store *disk, struct sim_file *file)
{
    sim_file_unlink(disk, file);
    sim_file_free(sim, file);
}

enum err sim_file_put(struct sim *sim, uint32_t process, enum file_dir dir, struct span name,
                      struct span bytes)
{
    struct sim_store *disk;
    struct sim_file *file;

    ENSURE(process < sim->process_count);
    if (name.len == 0 || name.len > SIM_FILE_NAME_MAX) {
        return ERR_RANGE;
    }
    disk = &sim->processes[process]->disk;
    file = sim_file_find(disk, dir, name);
    if (file != NULL) {
        directory_drop(sim, disk, file);
    }
    file = sim_file_make(sim, dir, name);
    sim_file_resize(sim, file, bytes.len);
    if (bytes.len > 0) {
        memcpy(file->at, bytes.at, bytes.len);
    }
    file->entry_durable = true;
    sim_file_link(sim, disk, file);
    return ERR_OK;
}

enum err sim_file_remove(struct sim *sim, uint32_t process, enum file_dir dir, struct span name)
{
    struct sim_file *file;

    ENSURE(process < sim->process_count);
    file = sim_file_find(&sim->processes[process]->disk, dir, name);
    if (file == NULL) {
        return ERR_MISSING;
    }
    directory_drop(sim, &sim->processes[process]->disk, file);
    return ERR_OK;
}

enum err sim_file_rot(struct sim *sim, uint32_t process, enum file_dir dir, struct span name,
                      uint64_t offset)
{
    struct sim_file *file;

    ENSURE(process < sim->process_count);
    file = sim_file_find(&sim->processes[process]->disk, dir, name);
    if (file == NULL) {
        return ERR_MISSING;
    }
    if (offset >= file->size) {
        return ERR_RANGE;
    }
    file->at[offset] ^= 1;
    return ERR_OK;
}

void sim_disk_wipe(struct sim *sim, uint32_t process)
{
    struct sim_store *disk;

    ENSURE(process < sim->process_count);
    disk = &sim->processes[process]->disk;
    while (disk->count > 0) {
        directory_drop(sim, disk, disk->files[disk->count - 1]);
    }
    sim_moves_settle(sim, disk, UINT64_MAX);
}
