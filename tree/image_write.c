#include "base/ensure.h"
#include "base/sums.h"
#include "tree/digest.h"
#include "tree/image.h"
#include "tree/walk.h"

#define IMAGE_MAGIC   0x5a4b534eu /* "ZKSN" */
#define IMAGE_VERSION 2

struct image_writer {
    struct mem *mem;
    struct walk *walk;
    struct image_options options;
    bool begun, done;
    uint32_t adler; /* of everything written so far */
    int64_t zxid;
    uint64_t digest;
};

enum err image_writer_make(struct tree *tree, const struct image_options *options,
                           struct image_writer **made)
{
    struct image_writer *writer = mem_get_zero(tree->mem, sizeof(*writer));
    enum err err;

    if (writer == NULL) {
        return ERR_MEMORY;
    }
    writer->mem = tree->mem;
    writer->options = *options;
    writer->adler = 1;
    writer->zxid = tree->zxid;
    writer->digest = tree->digest;
    if (tree->options.digest_off) {
        writer->options.no_digest = true;
    }
    err = walk_make(tree, &writer->walk);
    if (err != ERR_OK) {
        mem_put(writer->mem, writer, sizeof(*writer));
        return err;
    }
    *made = writer;
    return ERR_OK;
}

void image_writer_drop(struct image_writer *writer)
{
    if (writer != NULL) {
        walk_drop(writer->walk);
        mem_put(writer->mem, writer, sizeof(*writer));
    }
}

int64_t image_writer_zxid(const struct image_writer *writer)
{
    return writer->zxid;
}

uint64_t image_writer_digest(const struct image_writer *writer)
{
    return writer->digest;
}

/* Checksum of all that was written, and its end mark. */
static void image_seal(struct image_writer *writer, struct bytes *out, size_t from)
{
    if (!out->failed) {
        size_t start = out->len;

        writer->adler = sums_adler32(writer->adler, bytes_tail(out, from));
        bytes_u64(out, writer->adler);
        bytes_ustring(out, span_make("/", 1));
        writer->adler = sums_adler32(writer->adler, bytes_tail(out, start));
    }
}

static void image_write_seals(struct image_writer *writer, struct bytes *out, size_t from)
{
    image_seal(writer, out, from);
    if (!writer->options.no_digest) {
        from = out->len;
        bytes_i64(out, writer->zxid);
        bytes_i32(out, DIGEST_VERSION);
        /* A tree that nothing was applied to: Apache has no digest of a transaction then. */
        bytes_u64(out, writer->zxid == 0 ? 0 : writer->digest);
        image_seal(writer, out, from);
    }
    if (!writer->options.no_zxid) {
        from = out->len;
        bytes_i64(out, writer->zxid);
        image_seal(writer, out, from);
    }
}

enum err image_write(struct image_writer *writer, struct bytes *out, size_t about, bool *done)
{
    bool file = writer->options.form == IMAGE_FILE;
    size_t from = out->len;
    enum err err;

    ENSURE(!writer->done);
    if (!writer->begun && file) {
        bytes_u32(out, IMAGE_MAGIC);
        bytes_i32(out, IMAGE_VERSION);
        bytes_i64(out, -1);
    }
    writer->begun = true;
    err = walk_step(writer->walk, out, from + about);
    if (err != ERR_OK) {
        return err;
    }
    writer->done = writer->walk->phase == WALK_END;
    if (file && writer->done) {
        image_write_seals(writer, out, from);
    } else if (file) {
        writer->adler = sums_adler32(writer->adler, bytes_tail(out, from));
    }
    if (out->failed) {
        return ERR_MEMORY;
    }
    *done = writer->done;
    return ERR_OK;
}
