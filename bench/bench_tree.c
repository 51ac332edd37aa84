/* bench_tree - what operations on the tree cost, from a thousand nodes to a million, and a node's
 * memory.
 *
 * Usage: bench_tree [most nodes]. Prints tab-separated lines: nodes, operation, ns of CPU time each
 * (or bytes). Small trees are made many times over. Transactions are encoded before the clock
 * starts; decoding is part of what is measured. */
#include "base/rand.h"
#include "tree/image.h"
#include "tree/tree.h"
#include "tree/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NAME_LEN 10u
#define DATA_LEN 8u
#define ENOUGH   500000u /* nodes made in all, per size */

struct bench {
    struct mem_heap heap;
    struct tree *tree;
    struct tree_result result;
    struct bytes bytes; /* encoded transactions */
    size_t *starts;
    uint64_t count;
    int64_t zxid;
};

static uint64_t now_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_tree: %s\n", what);
        exit(1);
    }
}

/* One directory for every 1,000 nodes. */
static struct span path_of(uint64_t number, char *room, size_t size)
{
    int len;

    if (number % 1000 == 0) {
        len = snprintf(room, size, "/dir%06llu", (unsigned long long)(number / 1000));
    } else {
        len = snprintf(room, size, "/dir%06llu/node%06llu", (unsigned long long)(number / 1000),
                       (unsigned long long)(number % 1000));
    }
    return span_make(room, (size_t)len);
}

static void add_txn(struct bench *bench, int32_t type, uint64_t number)
{
    char room[64];
    struct txn txn = {.header = {.client_id = 1, .zxid = ++bench->zxid, .time = bench->zxid}};
    struct txn_data data = {.span = span_text("01234567")};

    txn.header.type = type;
    txn.has_digest = true;
    txn.digest_version = 2;
    if (type == OP_CREATE) {
        txn.create = (struct txn_create){.path = path_of(number, room, sizeof(room)),
                                         .data = data,
                                         .acl = acl_open(),
                                         .parent_cversion = -1};
    } else if (type == OP_SET_DATA) {
        txn.set = (struct txn_set_data){
            .path = path_of(number, room, sizeof(room)), .data = data, .version = 1};
    } else {
        txn.path = path_of(number, room, sizeof(room));
    }
    bench->starts[bench->count++] = bench->bytes.len;
    txn_encode(&bench->bytes, &txn);
    bench->starts[bench->count] = bench->bytes.len;
    must(!bench->bytes.failed, "out of memory");
}

static void run_txns(struct bench *bench)
{
    for (uint64_t i = 0; i < bench->count; i++) {
        struct span span =
            span_make(bench->bytes.at + bench->starts[i], bench->starts[i + 1] - bench->starts[i]);
        struct txn txn;

        must(txn_decode(span, &txn) == ERR_OK, "decoding failed");
        must(tree_apply(bench->tree, &txn, &bench->result) == ERR_OK, "out of memory");
        must(bench->result.code == ZK_OK, "a transaction failed");
    }
    bench->count = 0;
    bytes_clear(&bench->bytes);
}

/* Sums over the rounds of one size. */
static struct {
    const char *what;
    uint64_t ns, count;
} sums[16];

static void report(const char *what, uint64_t ns, uint64_t count)
{
    size_t i = 0;

    while (sums[i].what != NULL && strcmp(sums[i].what, what) != 0) {
        i++;
    }
    sums[i].what = what;
    sums[i].ns += ns;
    sums[i].count += count;
}

static void print_sums(uint64_t nodes)
{
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]) && sums[i].what != NULL; i++) {
        (void)printf("%llu\t%s\t%llu\n", (unsigned long long)nodes, sums[i].what,
                     (unsigned long long)(sums[i].ns / sums[i].count));
        sums[i].what = NULL;
        sums[i].ns = 0;
        sums[i].count = 0;
    }
    (void)fflush(stdout);
}

/* `count` transactions of one type on nodes drawn at random, or on all in order. */
static void measure(struct bench *bench, const char *what, int32_t type, uint64_t nodes)
{
    uint64_t count = type == OP_SET_DATA && nodes > 200000 ? 200000 : nodes;
    struct rand rand;
    uint64_t start;

    rand_init(&rand, 1);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = type == OP_SET_DATA ? rand_below(&rand, nodes) : i;

        /* Directories go last. */
        if (type != OP_DELETE || number % 1000 != 0) {
            add_txn(bench, type, number);
        }
    }
    count = bench->count;
    start = now_ns();
    run_txns(bench);
    report(what, now_ns() - start, count);
}

static void measure_get(struct bench *bench, uint64_t nodes)
{
    uint64_t count = 200000;
    char(*paths)[32] = malloc(count * sizeof(*paths));
    struct span *spans = malloc(count * sizeof(*spans));
    struct rand rand;
    uint64_t start;
    int64_t sum = 0;

    must(paths != NULL && spans != NULL, "out of memory");
    rand_init(&rand, 2);
    for (uint64_t i = 0; i < count; i++) {
        spans[i] = path_of(rand_below(&rand, nodes), paths[i], sizeof(paths[i]));
    }
    start = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        const struct node *node = tree_find(bench->tree, spans[i]);
        struct zk_stat stat;

        must(node != NULL, "a node is missing");
        node_stat(node, &stat);
        sum += stat.mzxid + node_data(node).at[0];
    }
    must(sum != 0, "nothing was read");
    report("get", now_ns() - start, count);
    free(paths);
    free(spans);
}

static void measure_image(struct bench *bench, uint64_t nodes)
{
    struct image_options options = {.form = IMAGE_FILE};
    struct tree_options tree_options = {.hash_seed = 2};
    struct image_writer *writer;
    struct tree *loaded = tree_make_bare(&bench->heap.mem, &tree_options);
    struct image_reader *reader =
        image_reader_make(&bench->heap.mem, loaded, IMAGE_FILE, READER_MAX_DEFAULT);
    struct bytes image;
    uint64_t start = now_ns();
    bool done = false;
    size_t taken;

    bytes_init(&image, &bench->heap.mem);
    must(image_writer_make(bench->tree, &options, &writer) == ERR_OK, "no image");
    while (!done) {
        must(image_write(writer, &image, IMAGE_PIECE, &done) == ERR_OK, "image failed");
    }
    image_writer_drop(writer);
    report("image-write", now_ns() - start, nodes);
    start = now_ns();
    must(image_reader_feed(reader, bytes_span(&image), &taken, &done) == ERR_OK, "reading failed");
    must(image_reader_end(reader, bench->zxid) == ERR_OK, "reading failed");
    report("image-read", now_ns() - start, nodes);
    must(tree_digest(loaded) == tree_digest(bench->tree), "digests differ");
    image_reader_drop(reader);
    bytes_drop(&image);
    tree_drop(loaded);
}

/* The slowest single create: growth must not show. In a region, as malloc now and then takes a long
 * time to sort what was freed. */
static void measure_worst(struct bench *bench, uint64_t nodes)
{
    struct tree_options options = {.hash_seed = 1};
    size_t size = (1u << 20) + nodes * 320;
    void *base =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    struct tree *tree;
    uint64_t worst = 0;

    must(base != MAP_FAILED, "out of memory");
    tree = tree_make(mem_region_mem(mem_region_init(base, size, 0)), &options);
    for (uint64_t i = 0; i < nodes; i++) {
        add_txn(bench, OP_CREATE, i);
    }
    for (uint64_t i = 0; i < bench->count; i++) {
        struct span span =
            span_make(bench->bytes.at + bench->starts[i], bench->starts[i + 1] - bench->starts[i]);
        uint64_t start = now_ns();
        struct txn txn;

        must(txn_decode(span, &txn) == ERR_OK, "decoding failed");
        must(tree_apply(tree, &txn, &bench->result) == ERR_OK, "out of memory");
        start = now_ns() - start;
        worst = start > worst ? start : worst;
    }
    bench->count = 0;
    bytes_clear(&bench->bytes);
    (void)munmap(base, size);
    report("create-worst", worst, 1);
}

static void measure_watches(uint64_t count)
{
    struct mem_heap heap;
    struct watch_table *table;
    struct watch_hits hits;
    char room[64];
    uint64_t start = now_ns();

    mem_heap_init(&heap, UINT64_MAX);
    table = watch_make(&heap.mem, 1);
    watch_hits_init(&hits, &heap.mem);
    for (uint64_t i = 0; i < count; i++) {
        must(watch_add(table, (uint32_t)(1 + i % 1000), path_of(i, room, sizeof(room)),
                       WATCH_DATA) == ERR_OK,
             "out of memory");
    }
    report("watch-add", now_ns() - start, count);
    report("bytes-per-watch", heap.mem.used_bytes, count);
    start = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        must(watch_fire(table, EVENT_DATA_CHANGED, path_of(i, room, sizeof(room)), &hits) == ERR_OK,
             "out of memory");
        must(hits.count == 1, "a watch did not fire");
    }
    report("watch-fire", now_ns() - start, count);
    watch_hits_drop(&hits);
    watch_drop(table);
}

static void run(uint64_t nodes)
{
    struct tree_options options = {.hash_seed = 1};
    static struct bench bench;
    uint64_t before;

    bench = (struct bench){0};
    mem_heap_init(&bench.heap, UINT64_MAX);
    bytes_init(&bench.bytes, &bench.heap.mem);
    bench.starts = malloc((nodes + 1) * sizeof(*bench.starts));
    must(bench.starts != NULL, "out of memory");
    bench.tree = tree_make(&bench.heap.mem, &options);
    must(bench.tree != NULL, "out of memory");
    tree_result_init(&bench.result, &bench.heap.mem);
    before = bench.heap.mem.used_bytes;
    measure(&bench, "create", OP_CREATE, nodes);
    report("bytes-per-node",
           bench.heap.mem.used_bytes - bench.bytes.room - before - nodes * (NAME_LEN + DATA_LEN),
           nodes);
    measure_get(&bench, nodes);
    measure(&bench, "set", OP_SET_DATA, nodes);
    measure_image(&bench, nodes);
    measure(&bench, "delete", OP_DELETE, nodes);
    measure_worst(&bench, nodes);
    tree_drop(bench.tree);
    tree_result_drop(&bench.result);
    bytes_drop(&bench.bytes);
    free(bench.starts);
    measure_watches(nodes);
}

int main(int argc, char **argv)
{
    uint64_t most = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;

    (void)printf("nodes\twhat\tns or bytes\n");
    for (uint64_t nodes = 1000; nodes <= most; nodes *= 10) {
        for (uint64_t round = 0; round == 0 || round * nodes < ENOUGH; round++) {
            run(nodes);
        }
        print_sums(nodes);
    }
    return 0;
}
