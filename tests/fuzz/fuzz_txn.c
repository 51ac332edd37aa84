/* Any bytes as a transaction: what is accepted is written back, read again, and applied. */
#include "base/ensure.h"
#include "tests/fuzz/fuzz.h"
#include "tree/tree.h"

static struct mem_heap heap;

/* Reading what was written gives the same bytes again. The first reading may differ from the input
 * in one thing: a boolean that is neither 0 nor 1. */
static void round_trip(const struct txn *txn)
{
    struct bytes once;
    struct bytes twice;
    struct txn again;

    bytes_init(&once, &heap.mem);
    bytes_init(&twice, &heap.mem);
    txn_encode(&once, txn);
    ENSURE(txn_decode(bytes_span(&once), &again) == ERR_OK);
    txn_encode(&twice, &again);
    ENSURE(span_equal(bytes_span(&once), bytes_span(&twice)));
    ENSURE(again.header.type == txn->header.type && again.has_digest == txn->has_digest);
    bytes_drop(&once);
    bytes_drop(&twice);
}

static void apply(const struct txn *txn)
{
    struct tree_options options = {.hash_seed = 1, .extended_types = true};
    struct tree *tree = tree_make(&heap.mem, &options);
    struct tree_result result;

    tree_result_init(&result, &heap.mem);
    for (int i = 0; i < 2; i++) {
        ENSURE(tree_apply(tree, txn, &result) == ERR_OK);
    }
    tree_result_drop(&result);
    tree_drop(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txn txn;
    struct txn_header header;
    struct span span = span_make(data, size);

    mem_heap_init(&heap, UINT64_MAX);
    if (txn_decode(span, &txn) == ERR_OK) {
        ENSURE(txn_decode_header(span, &header) == ERR_OK && header.zxid == txn.header.zxid);
        ENSURE(txn_path(&txn).len <= size);
        round_trip(&txn);
        apply(&txn);
    }
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
