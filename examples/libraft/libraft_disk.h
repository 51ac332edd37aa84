/* libraft_disk.h - the three files of a libraft server, and what a crash may have left of them.
 *
 *     term      term and vote; small, replaced as a whole. It is there once the server is set up.
 *     log       entries one behind the other, each with its index and a checksum
 *     snapshot  the newest snapshot with its configuration; replaced as a whole
 *
 * The bytes of `log` and `snapshot` are mirrored in memory, so that a truncation knows its offset
 * and trimming writes what is left without reading. Nothing here emits effects: libraft_io.c does.
 */
#ifndef EXAMPLES_LIBRAFT_DISK_H
#define EXAMPLES_LIBRAFT_DISK_H

#include "base/bytes.h"

#include <raft.h>

#define LIBRAFT_FILE_TERM     "term"
#define LIBRAFT_FILE_LOG      "log"
#define LIBRAFT_FILE_SNAPSHOT "snapshot"

struct libraft_disk {
    struct mem *mem;
    struct bytes log;      /* all of the file, valid records only */
    uint64_t *offsets;     /* of record i in `log` */
    uint32_t count, room;  /* records */
    uint64_t first;        /* index of record 0; of the next one when count is 0 */
    struct bytes snapshot; /* all of the file; empty when there is none */
    uint64_t term, vote;
    bool has_term; /* else the server was never set up */
};

void libraft_disk_init(struct libraft_disk *disk, struct mem *mem);

/* Take over what the files hold. Records behind the first one that is torn, damaged or out of order
 * are left out; the caller cuts the file to disk->log.len. Errors: ERR_MEMORY. */
enum err libraft_disk_read_log(struct libraft_disk *disk, struct span file);
/* Errors: ERR_FORMAT or ERR_CHECKSUM for a file that cannot be ours, ERR_MEMORY. */
enum err libraft_disk_read_term(struct libraft_disk *disk, struct span file);
enum err libraft_disk_read_snapshot(struct libraft_disk *disk, struct span file);

/* What the file `term` must hold now. */
void libraft_disk_write_term(const struct libraft_disk *disk, struct bytes *out);

/* One record more, for the next index. Errors: ERR_MEMORY. */
enum err libraft_disk_append(struct libraft_disk *disk, const struct raft_entry *entry);
/* Forget index `from` and all behind it. */
void libraft_disk_truncate(struct libraft_disk *disk, uint64_t from);
/* Forget all before index `from`: the file must be replaced by what is left. An index past the end
 * leaves an empty log that continues there. */
void libraft_disk_trim(struct libraft_disk *disk, uint64_t from);

/* The file `snapshot` for this snapshot, also kept as mirror. Errors: ERR_MEMORY. */
enum err libraft_disk_put_snapshot(struct libraft_disk *disk, const struct raft_snapshot *snapshot);
/* The mirror as libraft wants it, from raft_malloc. Errors: ERR_MISSING, ERR_MEMORY. */
enum err libraft_disk_get_snapshot(const struct libraft_disk *disk,
                                   struct raft_snapshot **snapshot);
/* Index and term of the snapshot; 0 without one. */
void libraft_disk_snapshot_last(const struct libraft_disk *disk, uint64_t *index, uint64_t *term);

/* All records from index `from` on as libraft wants them, in one batch from raft_malloc; NULL for
 * none. Errors: ERR_MEMORY. */
enum err libraft_disk_entries(const struct libraft_disk *disk, uint64_t from,
                              struct raft_entry **entries, size_t *count);
/* Is a record with this data (hash_bytes, seed 0) among the appended bytes? */
bool libraft_disk_holds(struct span appended, uint64_t hash);
/* Term of a record, 0 when there is none. */
uint64_t libraft_disk_term_of(const struct libraft_disk *disk, uint64_t index);

#endif
