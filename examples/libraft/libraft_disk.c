#include "examples/libraft/libraft_disk.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "examples/libraft/libraft_wire.h"

/* A record of the log:
 *
 *     u32 length of the data   u64 index   u64 term   u8 type   data   u64 hash of all before it
 */
#define RECORD_HEAD 21u
#define RECORD_MORE 29u /* than its data */

void libraft_disk_init(struct libraft_disk *disk, struct mem *mem)
{
    *disk = (struct libraft_disk){.mem = mem, .first = 1};
    bytes_init(&disk->log, mem);
    bytes_init(&disk->snapshot, mem);
}

struct record {
    uint64_t index, term;
    uint8_t type;
    struct span data;
    size_t size;
};

/* The record at `offset`; false when there is no whole and undamaged one. */
static bool record_read(struct span log, uint64_t offset, struct record *record)
{
    struct reader reader;
    uint32_t len;
    uint64_t sum;

    if (offset >= log.len) {
        return false;
    }
    reader_init(&reader, span_make(log.at + offset, log.len - offset), READER_MAX_DEFAULT);
    len = reader_u32(&reader);
    record->index = reader_u64(&reader);
    record->term = reader_u64(&reader);
    record->type = reader_u8(&reader);
    if (len > LIBRAFT_DATA_MAX) {
        return false;
    }
    record->data = reader_raw(&reader, len);
    sum = reader_u64(&reader);
    record->size = (size_t)len + RECORD_MORE;
    return reader.err == ERR_OK && record->type >= RAFT_COMMAND && record->type <= RAFT_CHANGE &&
           sum == hash_bytes(span_make(log.at + offset, RECORD_HEAD + len), 0);
}

static bool offsets_reserve(struct libraft_disk *disk)
{
    uint32_t more = disk->room == 0 ? 64 : disk->room * 2;
    uint64_t *grown;

    if (disk->count < disk->room) {
        return true;
    }
    grown = mem_grow(disk->mem, disk->offsets, disk->room * sizeof(*disk->offsets),
                     more * sizeof(*disk->offsets));
    if (grown == NULL) {
        return false;
    }
    disk->offsets = grown;
    disk->room = more;
    return true;
}

enum err libraft_disk_read_log(struct libraft_disk *disk, struct span file)
{
    struct record record;
    uint64_t offset = 0;
    uint64_t last_term = 0;

    ENSURE(disk->count == 0);
    while (record_read(file, offset, &record)) {
        if (record.index == 0 || record.term < last_term ||
            (disk->count > 0 && record.index != disk->first + disk->count)) {
            break;
        }
        if (!offsets_reserve(disk)) {
            return ERR_MEMORY;
        }
        disk->first = disk->count == 0 ? record.index : disk->first;
        disk->offsets[disk->count++] = offset;
        offset += record.size;
        last_term = record.term;
    }
    bytes_raw(&disk->log, file.at, offset);
    return disk->log.failed ? ERR_MEMORY : ERR_OK;
}

/* ---- term and vote ---- */

void libraft_disk_write_term(const struct libraft_disk *disk, struct bytes *out)
{
    bytes_u64(out, disk->term);
    bytes_u64(out, disk->vote);
    bytes_u64(out, hash_u64(disk->term, disk->vote));
}

enum err libraft_disk_read_term(struct libraft_disk *disk, struct span file)
{
    struct reader reader;
    uint64_t sum;

    reader_init(&reader, file, READER_MAX_DEFAULT);
    disk->term = reader_u64(&reader);
    disk->vote = reader_u64(&reader);
    sum = reader_u64(&reader);
    if (reader_finish(&reader) != ERR_OK) {
        return ERR_FORMAT;
    }
    disk->has_term = true;
    return sum == hash_u64(disk->term, disk->vote) ? ERR_OK : ERR_CHECKSUM;
}

/* ---- the log ---- */

enum err libraft_disk_append(struct libraft_disk *disk, const struct raft_entry *entry)
{
    size_t start = disk->log.len;

    if (entry->buf.len > LIBRAFT_DATA_MAX) {
        return ERR_LONG;
    }
    if (!offsets_reserve(disk)) {
        return ERR_MEMORY;
    }
    bytes_u32(&disk->log, (uint32_t)entry->buf.len);
    bytes_u64(&disk->log, disk->first + disk->count);
    bytes_u64(&disk->log, entry->term);
    bytes_u8(&disk->log, (uint8_t)entry->type);
    bytes_raw(&disk->log, entry->buf.base, entry->buf.len);
    bytes_u64(&disk->log, disk->log.failed ? 0 : hash_bytes(bytes_tail(&disk->log, start), 0));
    if (disk->log.failed) {
        return ERR_MEMORY;
    }
    disk->offsets[disk->count++] = start;
    return ERR_OK;
}

void libraft_disk_truncate(struct libraft_disk *disk, uint64_t from)
{
    if (from < disk->first) {
        from = disk->first;
    }
    if (from < disk->first + disk->count) {
        disk->count = (uint32_t)(from - disk->first);
        disk->log.len = disk->offsets[disk->count];
    }
}

void libraft_disk_trim(struct libraft_disk *disk, uint64_t from)
{
    uint64_t drop;
    uint64_t cut;

    if (from <= disk->first) {
        return;
    }
    drop = from - disk->first;
    if (drop >= disk->count) {
        disk->count = 0;
        disk->first = from;
        bytes_clear(&disk->log);
        return;
    }
    cut = disk->offsets[drop];
    for (uint64_t i = drop; i < disk->count; i++) {
        disk->offsets[i - drop] = disk->offsets[i] - cut;
    }
    disk->count -= (uint32_t)drop;
    disk->first = from;
    bytes_consume(&disk->log, cut);
}

uint64_t libraft_disk_term_of(const struct libraft_disk *disk, uint64_t index)
{
    struct record record;

    if (index < disk->first || index >= disk->first + disk->count ||
        !record_read(bytes_span(&disk->log), disk->offsets[index - disk->first], &record)) {
        return 0;
    }
    return record.term;
}

bool libraft_disk_holds(struct span appended, uint64_t hash)
{
    struct record record;

    for (uint64_t offset = 0; record_read(appended, offset, &record); offset += record.size) {
        if (hash_bytes(record.data, 0) == hash) {
            return true;
        }
    }
    return false;
}

enum err libraft_disk_entries(const struct libraft_disk *disk, uint64_t from,
                              struct raft_entry **entries, size_t *count)
{
    uint64_t skip = from > disk->first ? from - disk->first : 0;
    struct raft_entry *list;
    uint8_t *batch;
    size_t used = 0;

    *entries = NULL;
    *count = 0;
    if (skip >= disk->count) {
        return ERR_OK;
    }
    list = raft_malloc((disk->count - skip) * sizeof(*list));
    batch = raft_malloc(disk->log.len - disk->offsets[skip]);
    if (list == NULL || batch == NULL) {
        raft_free(list);
        raft_free(batch);
        return ERR_MEMORY;
    }
    for (uint64_t i = skip; i < disk->count; i++) {
        struct raft_entry *entry = &list[i - skip];
        struct record record;
        bool whole = record_read(bytes_span(&disk->log), disk->offsets[i], &record);

        ENSURE(whole); /* it was when it came into the mirror */
        memset(entry, 0, sizeof(*entry));
        entry->term = record.term;
        entry->type = record.type;
        entry->batch = batch;
        entry->buf.base = batch + used;
        entry->buf.len = record.data.len;
        if (record.data.len > 0) {
            memcpy(entry->buf.base, record.data.at, record.data.len);
        }
        used += record.data.len;
    }
    *entries = list;
    *count = disk->count - skip;
    return ERR_OK;
}

/* ---- snapshots ---- */

enum err libraft_disk_put_snapshot(struct libraft_disk *disk, const struct raft_snapshot *snapshot)
{
    struct bytes *out = &disk->snapshot;
    size_t len = 0;

    for (unsigned i = 0; i < snapshot->n_bufs; i++) {
        len += snapshot->bufs[i].len;
    }
    if (len > LIBRAFT_DATA_MAX) {
        return ERR_LONG;
    }
    bytes_clear(out);
    bytes_u64(out, snapshot->index);
    bytes_u64(out, snapshot->term);
    bytes_u64(out, snapshot->configuration_index);
    libraft_wire_put_configuration(out, &snapshot->configuration);
    bytes_u32(out, (uint32_t)len);
    for (unsigned i = 0; i < snapshot->n_bufs; i++) {
        bytes_raw(out, snapshot->bufs[i].base, snapshot->bufs[i].len);
    }
    bytes_u64(out, out->failed ? 0 : hash_bytes(bytes_span(out), 0));
    return out->failed ? ERR_MEMORY : ERR_OK;
}

enum err libraft_disk_read_snapshot(struct libraft_disk *disk, struct span file)
{
    struct reader reader;
    struct span body;

    if (file.len < sizeof(uint64_t)) {
        return ERR_FORMAT;
    }
    body = span_make(file.at, file.len - sizeof(uint64_t));
    reader_init(&reader, span_make(file.at + body.len, sizeof(uint64_t)), READER_MAX_DEFAULT);
    if (reader_u64(&reader) != hash_bytes(body, 0)) {
        return ERR_CHECKSUM;
    }
    bytes_clear(&disk->snapshot);
    bytes_raw(&disk->snapshot, file.at, file.len);
    return disk->snapshot.failed ? ERR_MEMORY : ERR_OK;
}

void libraft_disk_snapshot_last(const struct libraft_disk *disk, uint64_t *index, uint64_t *term)
{
    struct reader reader;

    reader_init(&reader, bytes_span(&disk->snapshot), READER_MAX_DEFAULT);
    *index = reader_u64(&reader);
    *term = reader_u64(&reader);
}

/* Where the configuration stands in the file. */
static enum err snapshot_parts(struct reader *reader, struct raft_snapshot *made)
{
    uint32_t len;
    struct span data;

    made->index = reader_u64(reader);
    made->term = reader_u64(reader);
    made->configuration_index = reader_u64(reader);
    if (libraft_wire_get_configuration(reader, &made->configuration) != ERR_OK) {
        return reader->err;
    }
    len = reader_u32(reader);
    data = reader_raw(reader, len);
    made->bufs = raft_malloc(sizeof(*made->bufs));
    if (made->bufs == NULL) {
        return ERR_MEMORY;
    }
    made->n_bufs = 1;
    made->bufs[0].len = data.len;
    made->bufs[0].base = raft_malloc(data.len + 1);
    if (made->bufs[0].base == NULL) {
        return ERR_MEMORY;
    }
    if (data.len > 0) {
        memcpy(made->bufs[0].base, data.at, data.len);
    }
    return reader->err;
}

enum err libraft_disk_get_snapshot(const struct libraft_disk *disk, struct raft_snapshot **snapshot)
{
    struct raft_snapshot *made;
    struct reader reader;
    enum err err;

    if (disk->snapshot.len == 0) {
        return ERR_MISSING;
    }
    made = raft_malloc(sizeof(*made));
    if (made == NULL) {
        return ERR_MEMORY;
    }
    memset(made, 0, sizeof(*made));
    reader_init(&reader, bytes_span(&disk->snapshot), READER_MAX_DEFAULT);
    err = snapshot_parts(&reader, made);
    if (err != ERR_OK) {
        if (made->bufs != NULL) {
            raft_free(made->bufs[0].base);
            raft_free(made->bufs);
        }
        raft_configuration_close(&made->configuration);
        raft_free(made);
        return err;
    }
    *snapshot = made;
    return ERR_OK;
}
