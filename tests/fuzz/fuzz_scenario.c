/* Scenario files: reading never fails in another way than with a message, and what is read and
 * printed reads the same again. */
#include "base/ensure.h"
#include "sim/scenario.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/help_pulse.h"

static const struct guest *const guests[] = {&pulse_guest};

static void print(const struct scenario *scenario, struct bytes *out)
{
    scenario_print(scenario, out);
    ENSURE(!out->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario *first = NULL;
    struct scenario *second = NULL;
    struct mem_heap heap;
    struct bytes once;
    struct bytes twice;
    enum err err;

    if (size > 20000) {
        return 0;
    }
    err = scenario_parse("fuzz.scn", span_make(data, size), guests, 1, &first);
    ENSURE(first != NULL);
    ENSURE((err == ERR_OK) == (first->error_count == 0));
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&once, &heap.mem);
    bytes_init(&twice, &heap.mem);
    scenario_explain(first, &once);
    bytes_clear(&once);
    if (err == ERR_OK) {
        print(first, &once);
        ENSURE(scenario_parse("fuzz.scn", bytes_span(&once), guests, 1, &second) == ERR_OK);
        print(second, &twice);
        ENSURE(span_equal(bytes_span(&once), bytes_span(&twice)));
        ENSURE(first->name_count == second->name_count);
        ENSURE(first->problem_count == second->problem_count);
    }
    bytes_drop(&once);
    bytes_drop(&twice);
    scenario_drop(first);
    scenario_drop(second);
    return 0;
}
