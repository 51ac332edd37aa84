#include "tree/digest.h"

#include "base/sums.h"
#include "tree/path.h"

#define DIGEST_STAT_BYTES 60u

static void digest_put_u32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof(value));
}

static void digest_put_u64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof(value));
}

uint32_t digest_text(struct span path, struct span data)
{
    return sums_crc32(sums_crc32(0, path_canonical(path)), data);
}

uint32_t digest_finish(uint32_t text_crc, const struct stat_stored *stat)
{
    uint8_t bytes[DIGEST_STAT_BYTES];

    /* Not the order of a snapshot file: pzxid comes third. */
    digest_put_u64(bytes, (uint64_t)stat->czxid);
    digest_put_u64(bytes + 8, (uint64_t)stat->mzxid);
    digest_put_u64(bytes + 16, (uint64_t)stat->pzxid);
    digest_put_u64(bytes + 24, (uint64_t)stat->ctime);
    digest_put_u64(bytes + 32, (uint64_t)stat->mtime);
    digest_put_u32(bytes + 40, (uint32_t)stat->version);
    digest_put_u32(bytes + 44, (uint32_t)stat->cversion);
    digest_put_u32(bytes + 48, (uint32_t)stat->aversion);
    digest_put_u64(bytes + 52, (uint64_t)stat->ephemeral_owner);
    return sums_crc32(text_crc, span_make(bytes, sizeof(bytes)));
}

uint64_t digest_node(struct span path, struct span data, const struct stat_stored *stat)
{
    return path_undigested(path) ? 0 : digest_finish(digest_text(path, data), stat);
}
