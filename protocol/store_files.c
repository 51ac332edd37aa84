/* store_files.c - which files there are, and the effects on them. */
#include "base/ensure.h"
#include "protocol/store_state.h"

static struct sorted *store_table(struct store *store, enum store_kind kind)
{
    switch (kind) {
    case FILE_LOG:
        return &store->logs;
    case FILE_SNAPSHOT:
        return &store->snapshots;
    case FILE_SCRAP:
        return &store->scraps;
    }
    UNREACHABLE();
}

enum file_dir store_file_dir(const struct store_file *file)
{
    return file->kind == FILE_LOG ? DIR_LOG : DIR_DATA;
}

struct span store_file_name(const struct store_file *file)
{
    return span_make(file->name, file->name_len);
}

static void store_name_file(struct store_file *file)
{
    struct text text;

    text_init(&text, file->name, sizeof(file->name));
    text_str(&text, file->kind == FILE_LOG ? "log." : "snapshot.");
    text_hex(&text, (uint64_t)file->zxid);
    text_str(&text, file->kind == FILE_SCRAP ? ".tmp" : "");
    file->name_len = (uint32_t)text.len;
    ENSURE(!text.cut);
}

struct store_file *store_file_find(struct store *store, enum store_kind kind, int64_t zxid)
{
    return sorted_find(store_table(store, kind), (uint64_t)zxid);
}

struct store_file *store_file_put(struct store *store, enum store_kind kind, int64_t zxid)
{
    struct store_file *file = store_file_find(store, kind, zxid);

    ENSURE(zxid >= 0);
    if (file != NULL) {
        return file;
    }
    file = mem_get(store->mem, sizeof(*file));
    if (file == NULL) {
        return NULL;
    }
    *file = (struct store_file){.kind = kind, .zxid = zxid};
    store_name_file(file);
    if (sorted_put(store_table(store, kind), (uint64_t)zxid, file) != ERR_OK) {
        mem_put(store->mem, file, sizeof(*file));
        return NULL;
    }
    return file;
}

struct store_file *store_file_down(struct store *store, enum store_kind kind, int64_t zxid)
{
    uint64_t key;
    void *file;

    if (zxid < 0 || !sorted_seek_down(store_table(store, kind), (uint64_t)zxid, &key, &file)) {
        return NULL;
    }
    return file;
}

struct store_file *store_file_up(struct store *store, enum store_kind kind, int64_t zxid)
{
    uint64_t key;
    void *file;

    ENSURE(zxid >= 0);
    if (!sorted_seek(store_table(store, kind), (uint64_t)zxid, &key, &file)) {
        return NULL;
    }
    return file;
}

void store_file_drop(struct store *store, struct store_file *file)
{
    void *taken = sorted_take(store_table(store, file->kind), (uint64_t)file->zxid);

    ENSURE(taken == file);
    if (store->log == file) {
        store->log = NULL;
    }
    mem_put(store->mem, file, sizeof(*file));
}

void store_files_drop(struct store *store)
{
    static const enum store_kind kinds[] = {FILE_LOG, FILE_SNAPSHOT, FILE_SCRAP};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct store_file *file;

        while ((file = store_file_up(store, kinds[i], 0)) != NULL) {
            store_file_drop(store, file);
        }
        sorted_drop(store_table(store, kinds[i]));
    }
}

/* The zxid in `name` when it is exactly what we would call such a file, else -1. */
static int64_t store_parse_name(struct span name, enum store_kind kind)
{
    struct store_file probe = {.kind = kind};
    size_t head = kind == FILE_LOG ? 4 : 9;
    size_t tail = kind == FILE_SCRAP ? 4 : 0;
    uint64_t zxid;

    if (name.len <= head + tail ||
        text_parse_hex(span_make(name.at + head, name.len - head - tail), &zxid) != ERR_OK ||
        zxid > INT64_MAX) {
        return -1;
    }
    probe.zxid = (int64_t)zxid;
    store_name_file(&probe);
    return span_equal(name, store_file_name(&probe)) ? probe.zxid : -1;
}

bool store_files_boot(struct store *store, const struct input *in)
{
    static const enum store_kind kinds[] = {FILE_LOG, FILE_SNAPSHOT, FILE_SCRAP};

    for (uint32_t i = 0; i < in->boot.count; i++) {
        const struct file_view *view = &in->boot.files[i];

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            struct store_file shape = {.kind = kinds[k]};
            int64_t zxid = store_parse_name(view->name, kinds[k]);

            if (zxid < 0 || view->dir != store_file_dir(&shape)) {
                continue;
            }
            struct store_file *file = store_file_put(store, kinds[k], zxid);

            if (file == NULL) {
                return false;
            }
            file->size = view->size;
            file->durable = view->size;
        }
    }
    return true;
}

uint64_t store_emit_read(struct store *store, struct fx *fx, struct store_file *file,
                         uint64_t offset)
{
    uint64_t tag = store_tag(store);

    fx_read(fx, store_file_dir(file), store_file_name(file), offset, STORE_PIECE_BYTES, tag);
    return tag;
}

uint64_t store_emit_remove(struct store *store, struct fx *fx, struct store_file *file)
{
    uint64_t tag = store_tag(store);

    file->repair = REPAIR_ERASE;
    fx_remove(fx, store_file_dir(file), store_file_name(file), tag);
    return tag;
}

uint64_t store_emit_cut(struct store *store, struct fx *fx, struct store_file *file, uint64_t size)
{
    uint64_t tag = store_tag(store);

    file->repair = REPAIR_CUT;
    file->cut = size;
    fx_truncate(fx, store_file_dir(file), store_file_name(file), size, tag);
    return tag;
}

void store_file_was_cut(struct store_file *file)
{
    ENSURE(file->repair == REPAIR_CUT);
    file->repair = REPAIR_NONE;
    file->size = file->size < file->cut ? file->size : file->cut;
    file->durable = file->size;
}

bool store_file_at(const struct store *store, uint32_t index, struct file_view *view)
{
    const struct sorted *tables[] = {&store->scraps, &store->snapshots, &store->logs};
    uint64_t left = index;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        uint64_t key = 0;
        void *value;

        if (left >= tables[i]->count) {
            left -= tables[i]->count;
            continue;
        }
        for (uint64_t from = 0; sorted_seek(tables[i], from, &key, &value); from = key + 1) {
            if (left-- == 0) {
                const struct store_file *file = value;

                *view = (struct file_view){
                    .dir = store_file_dir(file), .name = store_file_name(file), .size = file->size};
                return true;
            }
        }
    }
    return false;
}
