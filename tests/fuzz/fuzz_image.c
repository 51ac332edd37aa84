/* Any bytes as an image. The first byte says in which form and in what pieces it comes. A file's
 * sums would stop everything, so a file is taken apart, and its first sum put right. */
#include "base/ensure.h"
#include "base/sums.h"
#include "tests/fuzz/fuzz.h"
#include "tree/digest.h"
#include "tree/image.h"
#include "tree/node.h"

#include <stdlib.h>
#include <string.h>

static struct mem_heap heap;

static uint64_t digest_of(const struct tree *tree)
{
    const struct node *root = tree_find(tree, span_make(NULL, 0));
    uint64_t sum = 0;
    uint64_t count = 0;
    struct bytes path;

    bytes_init(&path, &heap.mem);
    for (const struct node *node = root; node != NULL; node = tree_next(root, node)) {
        struct stat_stored stat;

        bytes_clear(&path);
        node_path(node, true, &path);
        ENSURE(tree_find(tree, bytes_span(&path)) == node);
        node_stat_stored(node, &stat);
        sum += digest_node(bytes_span(&path), node_data(node), &stat);
        count++;
    }
    ENSURE(count == tree_node_count(tree));
    bytes_drop(&path);
    return sum;
}

static struct tree *load(struct span image, enum image_form form, size_t piece)
{
    struct tree_options options = {.hash_seed = piece, .extended_types = true};
    struct tree *tree = tree_make_bare(&heap.mem, &options);
    struct image_reader *reader = image_reader_make(&heap.mem, tree, form, 4096);
    enum err err = ERR_OK;
    bool done = false;
    size_t at = 0;

    while (err == ERR_OK && at < image.len && !done) {
        size_t len = image.len - at < piece ? image.len - at : piece;
        uint8_t *copy = malloc(len);
        size_t taken = 0;

        memcpy(copy, image.at + at, len);
        err = image_reader_feed(reader, span_make(copy, len), &taken, &done);
        free(copy);
        at += taken;
    }
    if (err == ERR_OK) {
        err = image_reader_end(reader, 7);
    }
    image_reader_drop(reader);
    if (err != ERR_OK) {
        tree_drop(tree);
        return NULL;
    }
    return tree;
}

static void write_and_read(struct tree *tree, enum image_form form, size_t piece)
{
    struct image_options options = {.form = form};
    struct image_writer *writer;
    struct bytes image;
    struct tree *again;
    bool done = false;

    bytes_init(&image, &heap.mem);
    ENSURE(image_writer_make(tree, &options, &writer) == ERR_OK);
    while (!done) {
        ENSURE(image_write(writer, &image, piece, &done) == ERR_OK);
    }
    image_writer_drop(writer);
    again = load(bytes_span(&image), form, piece);
    ENSURE(again != NULL);
    ENSURE(tree_digest(again) == tree_digest(tree));
    ENSURE(tree_session_count(again) == tree_session_count(tree));
    ENSURE(tree_node_count(again) == tree_node_count(tree));
    tree_drop(again);
    bytes_drop(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {.at = data, .left = size};
    uint8_t how = fuzz_u8(&fuzz);
    size_t piece = 1u + how / 2u * 7u;
    struct bytes image;
    struct tree *tree;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&image, &heap.mem);
    bytes_raw(&image, fuzz.at, fuzz.left);
    if (how % 2 == 1) {
        uint32_t sum = sums_adler32(1, bytes_span(&image));

        bytes_u64(&image, sum);
        bytes_ustring(&image, span_text("/"));
    }
    tree = load(bytes_span(&image), how % 2 == 1 ? IMAGE_FILE : IMAGE_STREAM, piece);
    if (tree != NULL) {
        ENSURE(digest_of(tree) == tree_digest(tree));
        write_and_read(tree, IMAGE_FILE, piece);
        write_and_read(tree, IMAGE_STREAM, piece);
        tree_drop(tree);
    }
    bytes_drop(&image);
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
