/* A membership text from a peer: refused, or printed in a form that parses to itself, and whose
 * quorums meet. */
#include "base/ensure.h"
#include "protocol/quorum.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct membership *membership, struct mem *mem)
{
    struct membership again;
    struct bytes first;
    struct bytes second;

    bytes_init(&first, mem);
    bytes_init(&second, mem);
    membership_print(membership, &first);
    ENSURE(!first.failed);
    ENSURE(membership_parse(&again, mem, bytes_span(&first), NULL) == ERR_OK);
    membership_print(&again, &second);
    ENSURE(span_equal(bytes_span(&first), bytes_span(&second)));
    ENSURE(membership_equal(membership, &again));
    again.version = membership->version + 1;
    ENSURE(membership_equal(membership, &again));
    membership_drop(&again);
    bytes_drop(&first);
    bytes_drop(&second);
}

static void check_quorums(const struct membership *membership, size_t size)
{
    /* Any set and its complement: not both are quorums. */
    uint64_t bits = (uint64_t)size * UINT64_C(0x9e3779b97f4a7c15);

    ENSURE(!membership_has_quorum(membership, 0));
    for (uint32_t i = 0; i < 8; i++) {
        ENSURE(!membership_has_quorum(membership, bits) ||
               !membership_has_quorum(membership, ~bits));
        bits = bits >> 7 | bits << 57;
    }
    for (uint32_t i = 0; i < membership->count; i++) {
        const struct member *member = &membership->members[i];

        ENSURE(membership_index(membership, member->sid) == i);
        ENSURE(i == 0 || membership->members[i - 1].sid < member->sid);
        ENSURE(membership_is_voter(membership, member->sid) ==
               (member->role == MEMBER_PARTICIPANT));
        ENSURE(member->address_count >= 1 && member->address_count <= MEMBER_ADDRESSES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_error error = {.why = ""};
    struct membership membership;
    struct mem_heap heap;

    mem_heap_init(&heap, UINT64_C(16) << 20);
    if (membership_parse(&membership, &heap.mem, span_make(data, size), &error) == ERR_OK) {
        check_round_trip(&membership, &heap.mem);
        check_quorums(&membership, size);
        membership_drop(&membership);
    } else {
        ENSURE(error.why[0] != '\0');
    }
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
