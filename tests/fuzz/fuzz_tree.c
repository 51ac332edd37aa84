/* A program of transactions against the model of tests/tree, with up to three images on the way. */
#include "base/ensure.h"
#include "tests/fuzz/fuzz.h"

/* The helpers of tests/tree, without libcheck. */
#define TESTS_EXPECT_H
#define EXPECT                        ENSURE
#define ck_assert_msg(condition, ...) ENSURE(condition)
#define SOURCE_DIR                    "."
#include "tests/tree/help_model.c"
#include "tests/tree/help_tree.c"

#define SHOTS 3u

struct shot {
    struct image_writer *writer;
    struct bytes image;
    struct bytes text;
    enum image_form form;
};

static struct mem_heap heap;
static struct model model;
static struct shot shots[SHOTS];

static void expect_equal(const struct bytes *a, const struct bytes *b)
{
    if (!span_equal(bytes_span(a), bytes_span(b))) {
        (void)fprintf(stderr, "%.*s\n-- differs from\n%.*s\n", (int)a->len, (const char *)a->at,
                      (int)b->len, (const char *)b->at);
    }
    ENSURE(span_equal(bytes_span(a), bytes_span(b)));
}

static void shot_drop(struct shot *shot)
{
    image_writer_drop(shot->writer);
    shot->writer = NULL;
    bytes_drop(&shot->image);
    bytes_drop(&shot->text);
}

static void shot_begin(struct shot *shot, struct tree *tree, uint8_t how)
{
    struct image_options options = {.form = how % 2 == 0 ? IMAGE_FILE : IMAGE_STREAM};

    if (image_writer_make(tree, &options, &shot->writer) != ERR_OK) {
        shot->writer = NULL;
        return;
    }
    shot->form = options.form;
    bytes_init(&shot->image, &heap.mem);
    bytes_init(&shot->text, &heap.mem);
    help_describe_image(tree, &shot->text);
}

static void shot_go_on(struct shot *shot, uint8_t how)
{
    bool done = false;

    if (how == 255) {
        shot_drop(shot);
        return;
    }
    ENSURE(image_write(shot->writer, &shot->image, how * 4u, &done) == ERR_OK);
    if (done) {
        struct bytes text;
        enum err err;
        struct tree *loaded =
            help_load(&heap.mem, bytes_span(&shot->image), 1u + how, shot->form, &err);

        ENSURE(loaded != NULL);
        bytes_init(&text, &heap.mem);
        help_describe_image(loaded, &text);
        expect_equal(&text, &shot->text);
        help_check(loaded);
        bytes_drop(&text);
        tree_drop(loaded);
        shot_drop(shot);
    }
}

static void shoot(struct tree *tree, struct help_random *random)
{
    uint8_t how = (uint8_t)below(random, 256);
    struct shot *shot = &shots[how % SHOTS];

    if (shot->writer == NULL) {
        shot_begin(shot, tree, how);
    } else {
        shot_go_on(shot, (uint8_t)below(random, 256));
    }
}

static void compare(const struct tree *tree)
{
    struct bytes want;
    struct bytes got;

    bytes_init(&want, &heap.mem);
    bytes_init(&got, &heap.mem);
    model_describe(&model, &want);
    help_describe(tree, &got);
    expect_equal(&want, &got);
    bytes_drop(&want);
    bytes_drop(&got);
    help_check(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct help_random random = {.model = &model, .script = data, .script_left = size};
    struct tree_options options = {.hash_seed = size, .extended_types = true};
    struct tree_result result;
    struct bytes bytes;
    struct tree *tree;

    mem_heap_init(&heap, UINT64_MAX);
    rand_init(&random.rand, 1);
    model_init(&model);
    tree = tree_make(&heap.mem, &options);
    tree_result_init(&result, &heap.mem);
    bytes_init(&bytes, &heap.mem);
    while (random.script_left > 0) {
        struct txn txn;

        help_random_txn(&random, &bytes);
        ENSURE(txn_decode(bytes_span(&bytes), &txn) == ERR_OK);
        ENSURE(tree_apply(tree, &txn, &result) == ERR_OK);
        model_apply(&model, &txn);
        ENSURE(result.code == model.code && result.trigger_count == model.trigger_count);
        shoot(tree, &random);
    }
    compare(tree);
    for (uint32_t i = 0; i < SHOTS; i++) {
        if (shots[i].writer != NULL) {
            shot_drop(&shots[i]);
        }
    }
    bytes_drop(&bytes);
    tree_result_drop(&result);
    tree_drop(tree);
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
