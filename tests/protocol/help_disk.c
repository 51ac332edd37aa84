#include "help_disk.h"

#include <check.h>
#include <stdlib.h>

static struct mem_heap disk_heap;

struct disk *disk_make(void)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    ck_assert_ptr_nonnull(disk);
    mem_heap_init(&disk_heap, UINT64_MAX);
    bytes_init(&disk->data, &disk_heap.mem);
    return disk;
}

static struct disk_file *image_find(struct disk_image *image, enum file_dir dir, const char *name)
{
    for (uint32_t i = 0; i < image->count; i++) {
        if (image->files[i].dir == dir && strcmp(image->files[i].name, name) == 0) {
            return &image->files[i];
        }
    }
    return NULL;
}

static struct disk_file *image_make(struct disk_image *image, enum file_dir dir, const char *name)
{
    struct disk_file *file = image_find(image, dir, name);

    if (file == NULL) {
        ck_assert_uint_lt(image->count, DISK_FILES_MAX);
        file = &image->files[image->count++];
        *file = (struct disk_file){.dir = dir};
        strcpy(file->name, name);
    }
    return file;
}

static void image_remove(struct disk_image *image, enum file_dir dir, const char *name)
{
    struct disk_file *file = image_find(image, dir, name);

    if (file != NULL) {
        free(file->at);
        *file = image->files[--image->count];
    }
}

static void file_set(struct disk_file *file, const void *at, size_t len)
{
    uint8_t *copy = malloc(len + 1);

    ck_assert_ptr_nonnull(copy);
    if (len > 0) {
        memcpy(copy, at, len);
    }
    free(file->at);
    file->at = copy;
    file->len = len;
}

static void file_size(struct disk_file *file, size_t len)
{
    uint8_t *at = realloc(file->at, len + 1);

    ck_assert_ptr_nonnull(at);
    if (len > file->len) {
        memset(at + file->len, 0, len - file->len);
    }
    file->at = at;
    file->len = len;
}

static void image_apply(struct disk_image *image, const struct disk_change *change, size_t keep,
                        bool zeros)
{
    struct disk_file *file = image_find(image, change->dir, change->name);

    switch (change->kind) {
    case FX_APPEND:
        file = image_make(image, change->dir, change->name);
        if (file->len < change->offset + keep) {
            file_size(file, change->offset + keep);
        }
        if (!zeros && keep > 0) {
            memcpy(file->at + change->offset, change->at, keep);
        }
        return;
    case FX_TRUNCATE:
        if (file != NULL && file->len > change->offset) {
            file_size(file, change->offset);
        }
        return;
    case FX_RENAME:
        if (file != NULL) {
            struct disk_file *to = image_make(image, change->dir, change->to);

            file = image_find(image, change->dir, change->name);
            file_set(to, file->at, file->len);
            image_remove(image, change->dir, change->name);
        }
        return;
    case FX_REMOVE:
        image_remove(image, change->dir, change->name);
        return;
    default:
        ck_abort_msg("not a change");
    }
}

/* Of an append whose length is there, write the sectors with this parity. */
static void image_sectors(struct disk_image *image, const struct disk_change *change,
                          uint64_t parity)
{
    struct disk_file *file = image_find(image, change->dir, change->name);

    for (size_t i = 0; i < change->len; i++) {
        if ((change->offset + i) / 512 % 2 == parity) {
            file->at[change->offset + i] = change->at[i];
        }
    }
}

void disk_put(struct disk *disk, enum file_dir dir, const char *name, struct span bytes)
{
    file_set(image_make(&disk->seen, dir, name), bytes.at, bytes.len);
    file_set(image_make(&disk->safe, dir, name), bytes.at, bytes.len);
}

struct disk_file *disk_find(struct disk *disk, enum file_dir dir, const char *name)
{
    return image_find(&disk->seen, dir, name);
}

static void image_clear(struct disk_image *image)
{
    while (image->count > 0) {
        free(image->files[--image->count].at);
    }
}

static void disk_forget(struct disk *disk)
{
    for (uint32_t i = 0; i < disk->open_count; i++) {
        free(disk->open[i].at);
    }
    disk->open_count = 0;
    disk->due_head = disk->due_tail = 0;
}

void disk_drop(struct disk *disk)
{
    disk_forget(disk);
    image_clear(&disk->seen);
    image_clear(&disk->safe);
    bytes_drop(&disk->data);
    free(disk);
}

/* True when the power goes now. */
static bool disk_event(struct disk *disk)
{
    if (disk->crashed) {
        return true;
    }
    disk->events++;
    disk->crashed = disk->crash_at != 0 && disk->events == disk->crash_at;
    return disk->crashed;
}

static void name_copy(char *to, struct span name)
{
    ck_assert_uint_lt(name.len, DISK_NAME_MAX);
    if (name.len > 0) {
        memcpy(to, name.at, name.len);
    }
    to[name.len] = '\0';
}

static void disk_change(struct disk *disk, const struct effect *effect, const char *name,
                        enum err *err)
{
    struct disk_file *file = image_find(&disk->seen, (enum file_dir)effect->id, name);
    struct disk_change *change;

    ck_assert_uint_lt(disk->open_count, DISK_OPEN_MAX);
    if (*err != ERR_OK && !disk->fail_in_part) {
        return;
    }
    if (effect->kind == FX_APPEND) {
        ck_assert_uint_eq(effect->a, file == NULL ? 0 : file->len);
    } else if (file == NULL) {
        *err = ERR_MISSING;
        return;
    }
    change = &disk->open[disk->open_count++];
    *change = (struct disk_change){
        .kind = effect->kind,
        .serial = disk->serial,
        .dir = (enum file_dir)effect->id,
        .offset = effect->a,
    };
    strcpy(change->name, name);
    if (effect->kind == FX_APPEND) {
        change->len = *err == ERR_OK ? effect->bytes.len : effect->bytes.len / 2;
        change->at = malloc(change->len + 1);
        memcpy(change->at, effect->bytes.at, change->len);
    } else if (effect->kind == FX_RENAME) {
        name_copy(change->to, effect->bytes);
    }
    image_apply(&disk->seen, change, change->len, false);
}

static bool disk_is_file_effect(enum fx_kind kind)
{
    return kind >= FX_READ && kind <= FX_REMOVE;
}

void disk_run(struct disk *disk, const struct fx *fx)
{
    for (uint32_t i = 0; i < fx->count; i++) {
        const struct effect *effect = &fx->list[i];
        struct disk_answer answer = {.effect = *effect};

        if (!disk_is_file_effect(effect->kind)) {
            continue;
        }
        if (disk_event(disk)) {
            return;
        }
        disk->serial++;
        answer.serial = disk->serial;
        name_copy(answer.name, effect->name);
        if (disk->fail_nth != 0 && effect->kind == disk->fail_kind &&
            ++disk->fail_seen == disk->fail_nth) {
            answer.err = ERR_IO;
        }
        if (effect->kind == FX_REPLACE) {
            if (answer.err == ERR_OK || disk->fail_in_part) {
                file_set(image_make(&disk->seen, (enum file_dir)effect->id, answer.name),
                         effect->bytes.at, effect->bytes.len);
            }
            if (answer.err == ERR_OK) {
                file_set(image_make(&disk->safe, (enum file_dir)effect->id, answer.name),
                         effect->bytes.at, effect->bytes.len);
            }
        } else if (effect->kind != FX_READ && effect->kind != FX_SYNC) {
            disk_change(disk, effect, answer.name, &answer.err);
        }
        ck_assert_uint_lt(disk->due_tail, DISK_OPEN_MAX);
        disk->due[disk->due_tail++] = answer;
        if (effect->kind == FX_REPLACE && answer.err != ERR_OK) {
            return; /* the rest of the list is dropped */
        }
    }
}

static bool change_is_move(const struct disk_change *change)
{
    return change->kind == FX_RENAME || change->kind == FX_REMOVE;
}

/* Whether `answer` makes the change durable. */
static bool disk_covers(const struct disk_answer *answer, const struct disk_change *change)
{
    bool dir = change->dir == (enum file_dir)answer->effect.id;
    bool same = dir && strcmp(change->name, answer->name) == 0;

    if (change->serial == answer->serial) {
        return true;
    }
    if (change->serial > answer->serial || !dir) {
        return false;
    }
    /* An entry becomes durable with its directory, and so with every earlier change of that. */
    return change_is_move(change) ? answer->effect.kind != FX_TRUNCATE
                                  : same && answer->effect.kind == FX_SYNC;
}

/* What was appended behind the place of a cut is gone with it, durable or not. */
static void disk_clip(const struct disk_answer *answer, struct disk_change *change)
{
    if (answer->effect.kind == FX_TRUNCATE && change->kind == FX_APPEND &&
        change->serial < answer->serial && change->dir == (enum file_dir)answer->effect.id &&
        strcmp(change->name, answer->name) == 0 &&
        change->offset + change->len > answer->effect.a) {
        change->len = change->offset < answer->effect.a ? answer->effect.a - change->offset : 0;
        change->offset = change->len == 0 ? answer->effect.a : change->offset;
    }
}

/* `answer` says that something is durable. */
static void disk_settle(struct disk *disk, const struct disk_answer *answer)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < disk->open_count; i++) {
        struct disk_change *change = &disk->open[i];

        disk_clip(answer, change);
        if (disk_covers(answer, change)) {
            image_apply(&disk->safe, change, change->len, false);
            free(change->at);
        } else {
            disk->open[kept++] = *change;
        }
    }
    disk->open_count = kept;
}

bool disk_answer(struct disk *disk, struct input *in)
{
    struct disk_answer answer;

    if (disk->due_head == disk->due_tail || disk_event(disk)) {
        return false;
    }
    answer = disk->due[disk->due_head++];
    if (disk->due_head == disk->due_tail) {
        disk->due_head = disk->due_tail = 0;
    }
    *in = (struct input){.kind = IN_DONE, .mono_us = disk->events};
    if (answer.effect.kind == FX_READ) {
        struct disk_file *file =
            image_find(&disk->seen, (enum file_dir)answer.effect.id, answer.name);
        uint64_t offset = answer.effect.a;

        in->kind = IN_DATA;
        in->data.tag = answer.effect.b;
        in->data.err = answer.err != ERR_OK ? answer.err : file == NULL ? ERR_MISSING : ERR_OK;
        bytes_clear(&disk->data);
        if (in->data.err == ERR_OK && offset < file->len) {
            uint64_t left = file->len - offset;

            bytes_raw(&disk->data, file->at + offset,
                      left < answer.effect.c ? left : answer.effect.c);
        }
        in->data.span = bytes_span(&disk->data);
        return true;
    }
    if (answer.err == ERR_OK && answer.effect.kind != FX_APPEND) {
        disk_settle(disk, &answer);
    }
    in->done.tag = answer.effect.b;
    in->done.err = answer.err;
    return true;
}

void disk_kill(struct disk *disk)
{
    disk->due_head = disk->due_tail = 0;
    disk->crashed = false;
    disk->crash_at = 0;
}

void disk_power_loss(struct disk *disk, enum disk_loss loss)
{
    for (uint32_t i = 0; i < disk->open_count; i++) {
        struct disk_change *change = &disk->open[i];
        bool write = change->kind == FX_APPEND;

        switch (loss) {
        case DISK_LOSE:
            break;
        case DISK_KEEP:
            image_apply(&disk->safe, change, change->len, false);
            break;
        case DISK_TEAR:
            image_apply(&disk->safe, change, change->len / 2, false);
            break;
        case DISK_TEAR_HEAD:
            image_apply(&disk->safe, change, write && change->len > 7 ? 7 : change->len, false);
            break;
        case DISK_ZEROS:
            image_apply(&disk->safe, change, change->len, write);
            break;
        case DISK_SECTORS:
        case DISK_SECTORS2:
            image_apply(&disk->safe, change, change->len, write);
            if (write) {
                image_sectors(&disk->safe, change, loss == DISK_SECTORS ? 0 : 1);
            }
            break;
        case DISK_ALTERNATE:
        case DISK_ALTERNATE2:
            if ((i % 2 == 1) == (loss == DISK_ALTERNATE)) {
                image_apply(&disk->safe, change, change->len, false);
            }
            break;
        case DISK_LOSS_COUNT:
            ck_abort();
        }
    }
    disk_forget(disk);
    image_clear(&disk->seen);
    for (uint32_t i = 0; i < disk->safe.count; i++) {
        struct disk_file *file = &disk->safe.files[i];

        file_set(image_make(&disk->seen, file->dir, file->name), file->at, file->len);
    }
    disk->crashed = false;
    disk->crash_at = 0;
}

void disk_boot(struct disk *disk, struct input *in, struct file_view **views)
{
    *views = calloc(disk->seen.count + 1, sizeof(**views));
    for (uint32_t i = 0; i < disk->seen.count; i++) {
        struct disk_file *file = &disk->seen.files[i];

        (*views)[i] = (struct file_view){
            .dir = file->dir,
            .name = span_text(file->name),
            .size = file->len,
            .whole = file->len <= BOOT_FILE_MAX,
            .bytes =
                file->len <= BOOT_FILE_MAX ? span_make(file->at, file->len) : span_make(NULL, 0),
        };
    }
    *in = (struct input){.kind = IN_BOOT};
    in->boot.files = *views;
    in->boot.count = disk->seen.count;
    in->boot.seed = 7;
}
