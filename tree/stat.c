#include "tree/stat.h"

void stat_write(struct bytes *out, const struct zk_stat *stat)
{
    if (!bytes_reserve(out, STAT_BYTES)) {
        return;
    }
    bytes_i64(out, stat->czxid);
    bytes_i64(out, stat->mzxid);
    bytes_i64(out, stat->ctime);
    bytes_i64(out, stat->mtime);
    bytes_i32(out, stat->version);
    bytes_i32(out, stat->cversion);
    bytes_i32(out, stat->aversion);
    bytes_i64(out, stat->ephemeral_owner);
    bytes_i32(out, stat->data_length);
    bytes_i32(out, stat->num_children);
    bytes_i64(out, stat->pzxid);
}

void stat_read(struct reader *in, struct zk_stat *stat)
{
    stat->czxid = reader_i64(in);
    stat->mzxid = reader_i64(in);
    stat->ctime = reader_i64(in);
    stat->mtime = reader_i64(in);
    stat->version = reader_i32(in);
    stat->cversion = reader_i32(in);
    stat->aversion = reader_i32(in);
    stat->ephemeral_owner = reader_i64(in);
    stat->data_length = reader_i32(in);
    stat->num_children = reader_i32(in);
    stat->pzxid = reader_i64(in);
}

void stat_stored_write(struct bytes *out, const struct stat_stored *stat)
{
    if (!bytes_reserve(out, STAT_STORED_BYTES)) {
        return;
    }
    bytes_i64(out, stat->czxid);
    bytes_i64(out, stat->mzxid);
    bytes_i64(out, stat->ctime);
    bytes_i64(out, stat->mtime);
    bytes_i32(out, stat->version);
    bytes_i32(out, stat->cversion);
    bytes_i32(out, stat->aversion);
    bytes_i64(out, stat->ephemeral_owner);
    bytes_i64(out, stat->pzxid);
}

void stat_stored_read(struct reader *in, struct stat_stored *stat)
{
    stat->czxid = reader_i64(in);
    stat->mzxid = reader_i64(in);
    stat->ctime = reader_i64(in);
    stat->mtime = reader_i64(in);
    stat->version = reader_i32(in);
    stat->cversion = reader_i32(in);
    stat->aversion = reader_i32(in);
    stat->ephemeral_owner = reader_i64(in);
    stat->pzxid = reader_i64(in);
}
