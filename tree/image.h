/* image.h - a tree as bytes: snapshot files, and the stream that a leader sends after SNAP.
 *
 * Writing takes many short calls while transactions go on being applied, and still the image is
 * exact at the zxid of image_writer_make: what is about to change is written first, as it was. Up
 * to IMAGE_WALKS writers run at the same time on one tree, each with its own zxid.
 *
 * Reading takes chunks of any size and builds a bare tree; Apache's fuzzy files are read as they
 * are (replay of the log completes them). Source: Apache FileSnap, DataTree.serialize,
 * SerializeUtils; docs/tree.md, "Images". */
#ifndef TREE_IMAGE_H
#define TREE_IMAGE_H

#include "base/bytes.h"
#include "tree/tree.h"

#define IMAGE_WALKS 8u
#define IMAGE_PIECE 65536u /* a usual size of one call's output */

enum image_form {
    IMAGE_FILE,  /* FileHeader, sums, seals */
    IMAGE_STREAM /* neither; the mark "BenWasHere" that follows it is the caller's */
};

struct image_options {
    enum image_form form;
    bool no_digest; /* leave seal 2 out (zookeeper.digest.enabled=false) */
    bool no_zxid;   /* leave seal 3 out (zookeeper.snapshot...
                       serializeLastProcessedZxid.enabled=false) */
};

struct image_writer;

/* Start an image of the tree as it is now. Memory comes from the tree's. Errors: ERR_MEMORY;
 * ERR_REFUSED when IMAGE_WALKS walks are under way (given up ones included, which end after a
 * while: try later). */
enum err image_writer_make(struct tree *tree, const struct image_options *options,
                           struct image_writer **made);
/* Give up or, after the end, give back. NULL is allowed. */
void image_writer_drop(struct image_writer *writer);
/* Append about `about` bytes (at least one node, so a large node makes it more); *done is set with
 * the last ones. A call also ends early after many nodes without output: zero bytes do not mean the
 * end. Errors: ERR_MEMORY; ERR_REFUSED when the tree has been dropped. Only image_writer_drop may
 * follow. */
enum err image_write(struct image_writer *writer, struct bytes *out, size_t about, bool *done);
/* What the image is exact at. */
int64_t image_writer_zxid(const struct image_writer *writer);
uint64_t image_writer_digest(const struct image_writer *writer);

struct image_reader;

/* Fill `tree`, which must be bare. `max_len` limits one string or buffer. Memory comes from `mem`.
 * NULL when it ran out. The tree stays the caller's, who drops it after a failure. */
struct image_reader *image_reader_make(struct mem *mem, struct tree *tree, enum image_form form,
                                       uint32_t max_len);
void image_reader_drop(struct image_reader *reader);
/* Take bytes in order. *taken tells how many were used: less than all only at the end of a stream,
 * where *done is set (of a file, image_reader_end decides). Errors: ERR_MAGIC, ERR_FORMAT,
 * ERR_LONG, ERR_CHECKSUM, ERR_MEMORY; the reader is then of no more use. */
enum err image_reader_feed(struct image_reader *reader, struct span bytes, size_t *taken,
                           bool *done);
/* The file has ended: check what is left, set the tree's zxid to `zxid` (that of the file's name or
 * of the SNAP packet) and complete the tree. Needed for both forms. Errors: ERR_SHORT when the
 * image is not complete, ERR_FORMAT, ERR_CHECKSUM, ERR_MEMORY. */
enum err image_reader_end(struct image_reader *reader, int64_t zxid);

/* What seal 2 of a file said; false without one. Txns up to *zxid may not fit the recorded digests:
 * the file is fuzzy when *zxid is beyond its name. */
bool image_reader_digest(const struct image_reader *reader, int64_t *zxid, uint64_t *digest);

#endif
