/* disk.c - file effects on a thread of their own: strictly in order, appends to one file joined,
 * one fdatasync for all of them. */
#include "base/ensure.h"
#include "live/live_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_JOIN_BYTES (4u << 20)

enum err disk_err(int number)
{
    switch (number) {
    case 0:
        return ERR_OK;
    case ENOENT:
        return ERR_MISSING;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EEXIST:
        return ERR_EXISTS;
    default:
        return ERR_IO;
    }
}

static enum err disk_sync_directory(const char *path)
{
    char directory[512];
    char *slash;
    int fd;
    int result;

    snprintf(directory, sizeof directory, "%s", path);
    slash = strrchr(directory, '/');
    ENSURE(slash != NULL);
    *slash = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return disk_err(errno);
    }
    result = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return disk_err(result);
}

enum err disk_make_directory(const char *path)
{
    char part[512];

    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1;; at++) {
        if (*at == '/' || *at == '\0') {
            char end = *at;
            *at = '\0';
            if (mkdir(part, 0777) != 0 && errno != EEXIST) {
                return disk_err(errno);
            }
            *at = end;
            if (end == '\0') {
                return ERR_OK;
            }
        }
    }
}

static int disk_write_all(int fd, const uint8_t *at, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t written = pwrite(fd, at, len, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return errno;
        }
        at += written;
        len -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

enum err disk_replace(const char *path, struct span bytes)
{
    char scratch[520];
    int fd;
    int number;

    snprintf(scratch, sizeof scratch, "%s.tmp", path);
    fd = open(scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return disk_err(errno);
    }
    number = disk_write_all(fd, bytes.at, bytes.len, 0);
    if (number == 0 && fsync(fd) != 0) {
        number = errno;
    }
    close(fd);
    if (number == 0 && rename(scratch, path) != 0) {
        number = errno;
    }
    return number == 0 ? disk_sync_directory(path) : disk_err(number);
}

/* ---- the thread ---- */

static void disk_forget(struct disk *disk)
{
    if (disk->open_fd >= 0) {
        close(disk->open_fd);
        disk->open_fd = -1;
        disk->open_path[0] = '\0';
    }
}

static int disk_open(struct disk *disk, const char *path)
{
    if (disk->open_fd >= 0 && strcmp(disk->open_path, path) == 0) {
        return disk->open_fd;
    }
    disk_forget(disk);
    disk->open_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (disk->open_fd >= 0) {
        snprintf(disk->open_path, sizeof disk->open_path, "%s", path);
    }
    return disk->open_fd;
}

static int disk_sync(struct disk *disk, const struct disk_job *job)
{
    int fd = disk_open(disk, job->path);

    if (fd < 0) {
        return errno;
    }
    if (fdatasync(fd) != 0) {
        int number = errno;
        disk_forget(disk);
        return number;
    }
    return disk_sync_directory(job->path) == ERR_OK ? 0 : EIO;
}

static int disk_read(struct disk_job *job)
{
    int fd = open(job->path, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    int number = 0;

    if (fd < 0) {
        return errno;
    }
    while (got < job->size) {
        ssize_t part = pread(fd, job->bytes + got, job->size - got, (off_t)(job->offset + got));
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part < 0) {
            number = errno;
            break;
        }
        if (part == 0) {
            break;
        }
        got += (size_t)part;
    }
    close(fd);
    job->len = got;
    return number;
}

static int disk_truncate(struct disk *disk, const struct disk_job *job)
{
    int fd;

    disk_forget(disk);
    fd = disk_open(disk, job->path);
    if (fd < 0 || ftruncate(fd, (off_t)job->size) != 0 || fsync(fd) != 0) {
        return errno;
    }
    return 0;
}

static int disk_do(struct disk *disk, struct disk_job *job)
{
    int fd;

    switch (job->kind) {
    case FX_APPEND:
        fd = disk_open(disk, job->path);
        return fd < 0 ? errno : disk_write_all(fd, job->bytes, job->len, job->offset);
    case FX_SYNC:
        return disk_sync(disk, job);
    case FX_READ:
        return disk_read(job);
    case FX_TRUNCATE:
        return disk_truncate(disk, job);
    case FX_RENAME:
        disk_forget(disk);
        if (rename(job->path, job->to) != 0) {
            return errno;
        }
        return disk_sync_directory(job->to) == ERR_OK ? 0 : EIO;
    case FX_REMOVE:
        disk_forget(disk);
        if (unlink(job->path) != 0 && errno != ENOENT) {
            return errno;
        }
        return disk_sync_directory(job->path) == ERR_OK ? 0 : EIO;
    default:
        UNREACHABLE();
    }
}

static void disk_main(void *argument)
{
    struct disk *disk = argument;

    uv_mutex_lock(&disk->mutex);
    for (;;) {
        struct disk_job *job;
        while (list_empty(&disk->waiting) && !disk->stopping) {
            uv_cond_wait(&disk->wanted, &disk->mutex);
        }
        if (list_empty(&disk->waiting)) {
            break;
        }
        job = LIST_ITEM(disk->waiting.next, struct disk_job, link);
        list_take(&job->link);
        uv_mutex_unlock(&disk->mutex);
        job->err = disk_err(disk_do(disk, job));
        uv_mutex_lock(&disk->mutex);
        list_push(&disk->done, &job->link);
        uv_async_send(&disk->finished);
    }
    uv_mutex_unlock(&disk->mutex);
    disk_forget(disk);
}

/* ---- the loop's side ---- */

static void disk_free(struct disk_job *job)
{
    free(job->bytes);
    free(job);
}

static void disk_answer(struct disk *disk, struct disk_job *job)
{
    struct input in = {.kind = IN_DONE};

    if (job->kind == FX_READ) {
        in.kind = IN_DATA;
        in.data.tag = job->tag;
        in.data.err = job->err;
        in.data.span = span_make(job->bytes, job->err == ERR_OK ? job->len : 0);
    } else {
        in.done.tag = job->tag;
        in.done.err = job->err;
    }
    if (job->kind == FX_READ || job->tag != 0 || job->err != ERR_OK) {
        live_give(disk->live, &in);
    }
}

static void disk_on_finished(uv_async_t *async)
{
    struct disk *disk = async->data;
    struct list done;

    list_init(&done);
    uv_mutex_lock(&disk->mutex);
    while (!list_empty(&disk->done)) {
        struct list *link = disk->done.next;
        list_take(link);
        list_push(&done, link);
    }
    uv_mutex_unlock(&disk->mutex);
    while (!list_empty(&done)) {
        struct disk_job *job = LIST_ITEM(done.next, struct disk_job, link);
        list_take(&job->link);
        disk_answer(disk, job);
        disk_free(job);
    }
}

int disk_start(struct disk *disk, struct live *live)
{
    disk->live = live;
    disk->open_fd = -1;
    list_init(&disk->waiting);
    list_init(&disk->done);
    uv_mutex_init(&disk->mutex);
    uv_cond_init(&disk->wanted);
    disk->finished.data = disk;
    uv_async_init(&live->loop, &disk->finished, disk_on_finished);
    return uv_thread_create(&disk->thread, disk_main, disk);
}

void disk_stop(struct disk *disk)
{
    uv_mutex_lock(&disk->mutex);
    disk->stopping = true;
    uv_cond_signal(&disk->wanted);
    uv_mutex_unlock(&disk->mutex);
    uv_thread_join(&disk->thread);
    for (struct list *link = disk->done.next; link != &disk->done;) {
        struct disk_job *job = LIST_ITEM(link, struct disk_job, link);

        link = link->next;
        disk_free(job);
    }
    list_init(&disk->done);
    uv_close((uv_handle_t *)&disk->finished, NULL);
    uv_mutex_destroy(&disk->mutex);
    uv_cond_destroy(&disk->wanted);
}

/* Append behind the last waiting append of the same file; true when it was joined. */
static bool disk_join(struct disk *disk, const struct effect *effect, const char *path)
{
    struct disk_job *last;
    uint8_t *grown;

    if (effect->b != 0 || list_empty(&disk->waiting)) {
        return false;
    }
    last = LIST_ITEM(disk->waiting.prev, struct disk_job, link);
    if (last->kind != FX_APPEND || last->tag != 0 || strcmp(last->path, path) != 0 ||
        last->offset + last->len != effect->a || last->len + effect->bytes.len > DISK_JOIN_BYTES) {
        return false;
    }
    grown = realloc(last->bytes, last->len + effect->bytes.len);
    if (grown == NULL) {
        return false;
    }
    memcpy(grown + last->len, effect->bytes.at, effect->bytes.len);
    last->bytes = grown;
    last->len += effect->bytes.len;
    return true;
}

static void disk_name(const struct disk *disk, char *path, uint32_t dir, struct span name)
{
    snprintf(path, 512, "%s/%.*s", live_directory(disk->live, dir), (int)name.len,
             (const char *)name.at);
}

void disk_take(struct disk *disk, const struct effect *effect)
{
    struct disk_job *job = calloc(1, sizeof *job);

    ENSURE(job != NULL);
    job->kind = effect->kind;
    job->tag = effect->b;
    job->offset = effect->a;
    job->size = effect->kind == FX_READ ? effect->c : effect->a;
    disk_name(disk, job->path, effect->id, effect->name);
    if (effect->kind == FX_RENAME) {
        disk_name(disk, job->to, effect->id, effect->bytes);
    }
    uv_mutex_lock(&disk->mutex);
    if (effect->kind == FX_APPEND && disk_join(disk, effect, job->path)) {
        uv_mutex_unlock(&disk->mutex);
        free(job);
        return;
    }
    if (effect->kind == FX_APPEND) {
        job->len = effect->bytes.len;
        job->bytes = malloc(job->len == 0 ? 1 : job->len);
        ENSURE(job->bytes != NULL);
        memcpy(job->bytes, effect->bytes.at, job->len);
    } else if (effect->kind == FX_READ) {
        job->bytes = malloc(job->size == 0 ? 1 : job->size);
        ENSURE(job->bytes != NULL);
    }
    list_push(&disk->waiting, &job->link);
    uv_cond_signal(&disk->wanted);
    uv_mutex_unlock(&disk->mutex);
}
