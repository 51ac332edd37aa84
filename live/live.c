/* live.c - the loop: inputs in, effects out. */
#include "live/live.h"

#include "base/ensure.h"
#include "live/live_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* An input that waits for the end of the present step, or (`offer`) untaken bytes of a connection.
 */
struct live_waiting {
    bool offer;
    uint32_t number;
    struct input in;
};

const char *live_directory(const struct live *live, uint32_t dir)
{
    return live->options->directories[dir];
}

void live_log(struct live *live, const char *level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (live->options->log != NULL && len > 0) {
        live->options->log(live->options->context, level,
                           span_make(text, len < (int)sizeof text ? (size_t)len : sizeof text - 1));
    }
}

/* ---- clocks ---- */

static uint64_t live_mono_us(const struct live *live)
{
    return (uv_hrtime() - live->start_ns) / 1000 + 1;
}

static int64_t live_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- effects ---- */

static void live_halt(struct live *live, int code)
{
    live->halted = true;
    live->code = code;
    uv_stop(&live->loop);
}

/* False: the rest of the list is dropped. */
static bool live_replace(struct live *live, const struct effect *effect)
{
    char path[512];
    enum err err;
    struct input in = {.kind = IN_DONE};

    snprintf(path, sizeof path, "%s/%.*s", live_directory(live, effect->id), (int)effect->name.len,
             (const char *)effect->name.at);
    err = disk_replace(path, effect->bytes);
    if (err != ERR_OK || effect->b != 0) {
        in.done.tag = effect->b;
        in.done.err = err;
        live_later(live, &in);
    }
    return err == ERR_OK;
}

static bool live_do(struct live *live, const struct effect *effect)
{
    switch (effect->kind) {
    case FX_LISTEN:
        net_listen(live, effect->id, effect->bytes);
        return true;
    case FX_UNLISTEN:
        net_unlisten(live, effect->id);
        return true;
    case FX_DIAL:
        net_dial(live, effect->id, effect->bytes);
        return true;
    case FX_SEND:
        net_send(live, effect);
        return true;
    case FX_CLOSE:
        net_close(live, effect->id, effect->a == 1);
        return true;
    case FX_THROTTLE:
        net_throttle(live, effect->id, effect->a == 1);
        return true;
    case FX_REPLACE:
        net_flush(live); /* what was sent before must not wait for the disk */
        return live_replace(live, effect);
    case FX_READ:
    case FX_APPEND:
    case FX_SYNC:
    case FX_TRUNCATE:
    case FX_RENAME:
    case FX_REMOVE:
        disk_take(&live->disk, effect);
        return true;
    case FX_NOTE:
        if (live->options->note != NULL) {
            live->options->note(live->options->context, effect);
        }
        return true;
    case FX_HALT:
        live_log(live, "ERROR", "%.*s", (int)effect->bytes.len, (const char *)effect->bytes.at);
        live_halt(live, (int)effect->a);
        return false;
    case FX_POST:
    case FX_ANSWER:
        return true;
    }
    UNREACHABLE();
}

static void live_on_wake(uv_timer_t *timer)
{
    struct input in = {.kind = IN_WAKE};

    live_give(timer->data, &in);
}

static void live_set_wake(struct live *live, uint64_t now_us)
{
    uint64_t wake_us = live->fx.wake_us;

    if (wake_us == WAKE_NEVER) {
        uv_timer_stop(&live->wake);
        return;
    }
    uv_update_time(&live->loop);
    uv_timer_start(&live->wake, live_on_wake,
                   wake_us <= now_us ? 0 : (wake_us - now_us + 999) / 1000, 0);
}

void live_give(struct live *live, struct input *in)
{
    uint64_t taken;

    if (live->halted) {
        return;
    }
    ENSURE(!live->stepping);
    live->stepping = true;
    in->mono_us = live_mono_us(live);
    in->wall_ms = live_wall_ms();
    fx_clear(&live->fx);
    live->options->ops->step(live->self, in, &live->fx);
    if (live->fx.failed) {
        live_log(live, "ERROR", "out of memory");
        live_halt(live, 1);
        return;
    }
    taken = live->fx.taken;
    for (uint32_t i = 0; i < live->fx.count && !live->halted; i++) {
        if (!live_do(live, &live->fx.list[i])) {
            break;
        }
    }
    live->stepping = false;
    live->fx.taken = taken;
    live_set_wake(live, in->mono_us);
}

/* ---- what effects bring on ---- */

static void live_on_idle(uv_idle_t *idle)
{
    struct live *live = idle->data;

    for (uint64_t count = ring_count(&live->later); count > 0 && !live->halted; count--) {
        struct live_waiting waiting = *(struct live_waiting *)ring_at(&live->later, 0);
        ring_pop(&live->later);
        if (waiting.offer) {
            net_offer_number(live, waiting.number);
        } else {
            live_give(live, &waiting.in);
        }
    }
    if (ring_count(&live->later) == 0) {
        uv_idle_stop(idle);
    }
}

static void live_queue(struct live *live, const struct live_waiting *waiting)
{
    struct live_waiting *place = ring_push(&live->later);

    ENSURE(place != NULL);
    *place = *waiting;
    uv_idle_start(&live->idle, live_on_idle);
}

void live_later(struct live *live, const struct input *in)
{
    live_queue(live, &(struct live_waiting){.in = *in});
}

void live_offer_later(struct live *live, uint32_t number)
{
    live_queue(live, &(struct live_waiting){.offer = true, .number = number});
}

static void live_on_turn(uv_prepare_t *prepare)
{
    net_flush(prepare->data);
}

static void live_on_signal(uv_signal_t *signal, int number)
{
    struct live *live = signal->data;

    live_log(live, "INFO", "stopping on signal %d", number);
    live_halt(live, 0);
}

/* ---- boot ---- */

struct live_files {
    struct file_view *views;
    uint32_t count, room;
};

/* The bytes of a small file, NULL when it cannot be read. */
static uint8_t *live_read_file(const char *path, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = bytes != NULL && fd >= 0 && read(fd, bytes, size) == (ssize_t)size;

    if (fd >= 0) {
        close(fd);
    }
    if (!whole) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static void live_drop_files(struct live_files *files)
{
    for (uint32_t i = 0; i < files->count; i++) {
        free((void *)(uintptr_t)files->views[i].name.at);
        free((void *)(uintptr_t)files->views[i].bytes.at);
    }
    free(files->views);
}

static void live_add_file(struct live_files *files, enum file_dir dir, const char *directory,
                          const char *name)
{
    char path[1024];
    struct stat status;
    struct file_view view = {.dir = dir};

    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    if (files->count == files->room) {
        files->room = files->room == 0 ? 64 : files->room * 2;
        files->views = realloc(files->views, files->room * sizeof *files->views);
        ENSURE(files->views != NULL);
    }
    view.name = span_text(strdup(name));
    view.size = (uint64_t)status.st_size;
    if (view.size <= BOOT_FILE_MAX) {
        uint8_t *bytes = live_read_file(path, view.size);

        if (bytes != NULL) {
            view.whole = true;
            view.bytes = span_make(bytes, view.size);
        }
    }
    files->views[files->count++] = view;
}

static int live_compare(const void *a, const void *b)
{
    const struct file_view *x = a;
    const struct file_view *y = b;

    return x->dir != y->dir ? (int)x->dir - (int)y->dir : span_compare(x->name, y->name);
}

static bool live_list(struct live *live, struct live_files *files)
{
    for (uint32_t dir = DIR_DATA; dir <= DIR_CONF; dir++) {
        const char *path = live_directory(live, dir);
        DIR *stream;
        struct dirent *entry;

        if (path == NULL) {
            continue;
        }
        if (disk_make_directory(path) != ERR_OK || (stream = opendir(path)) == NULL) {
            live_log(live, "ERROR", "%s: %s", path, strerror(errno));
            return false;
        }
        while ((entry = readdir(stream)) != NULL) {
            live_add_file(files, (enum file_dir)dir, path, entry->d_name);
        }
        closedir(stream);
    }
    if (files->count > 0) {
        qsort(files->views, files->count, sizeof *files->views, live_compare);
    }
    return true;
}

static bool live_boot(struct live *live)
{
    struct live_files files = {0};
    struct input in = {.kind = IN_BOOT};

    if (!live_list(live, &files)) {
        live_drop_files(&files);
        return false;
    }
    in.boot.files = files.views;
    in.boot.count = files.count;
    if (uv_random(NULL, NULL, &in.boot.seed, sizeof in.boot.seed, 0, NULL) != 0) {
        in.boot.seed = uv_hrtime();
    }
    live_give(live, &in);
    live_drop_files(&files);
    return true;
}

/* ---- running ---- */

static void live_open(struct live *live)
{
    static const int numbers[2] = {SIGINT, SIGTERM};

    uv_loop_init(&live->loop);
    live->start_ns = uv_hrtime();
    mem_heap_init(&live->memory, UINT64_MAX);
    mem_heap_init(&live->own, UINT64_MAX);
    fx_init(&live->fx, &live->own.mem);
    map_init(&live->conns, &live->own.mem, 0);
    ring_init(&live->later, &live->own.mem, sizeof(struct live_waiting));
    list_init(&live->all);
    list_init(&live->dirty);
    list_init(&live->listeners);
    live->next_accepted = CONN_ACCEPTED;
    uv_timer_init(&live->loop, &live->wake);
    uv_idle_init(&live->loop, &live->idle);
    uv_prepare_init(&live->loop, &live->turn);
    live->wake.data = live;
    live->idle.data = live;
    live->turn.data = live;
    uv_prepare_start(&live->turn, live_on_turn);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&live->loop, &live->signals[i]);
        live->signals[i].data = live;
        uv_signal_start(&live->signals[i], live_on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

static void live_shut(struct live *live)
{
    net_stop(live);
    disk_stop(&live->disk);
    uv_close((uv_handle_t *)&live->wake, NULL);
    uv_close((uv_handle_t *)&live->idle, NULL);
    uv_close((uv_handle_t *)&live->turn, NULL);
    uv_close((uv_handle_t *)&live->signals[0], NULL);
    uv_close((uv_handle_t *)&live->signals[1], NULL);
    uv_run(&live->loop, UV_RUN_DEFAULT);
    uv_loop_close(&live->loop);
    ring_drop(&live->later);
    map_drop(&live->conns);
    fx_drop(&live->fx);
}

int live_run(const struct live_options *options)
{
    struct live *live = calloc(1, sizeof *live);
    int code;

    if (live == NULL) {
        return 1;
    }
    live->options = options;
    live_open(live);
    live->self = options->ops->make(&live->memory.mem, options->config);
    if (live->self == NULL || disk_start(&live->disk, live) != 0) {
        live_log(live, "ERROR", "out of memory");
        return 1;
    }
    if (!live_boot(live)) {
        live->halted = true;
        live->code = 3;
    }
    if (!live->halted) {
        uv_run(&live->loop, UV_RUN_DEFAULT);
    }
    code = live->code;
    live_shut(live);
    free(live);
    return code;
}
