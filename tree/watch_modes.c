#include "tree/watch_modes.h"

#include "base/ensure.h"

#define IN_DATA  (WATCH_DATA | WATCH_PERSISTENT_DATA | WATCH_RECURSIVE)
#define IN_CHILD (WATCH_CHILD | WATCH_PERSISTENT_CHILD | WATCH_RECURSIVE_CHILD)

/* WatchManager.addWatch of 3.8, for each of the two tables. */
static uint32_t replace(uint32_t modes, uint32_t more)
{
    if ((more & WATCH_DATA) != 0) {
        modes = (modes & ~(uint32_t)IN_DATA) | WATCH_DATA;
    }
    if ((more & WATCH_CHILD) != 0) {
        modes = (modes & ~(uint32_t)IN_CHILD) | WATCH_CHILD;
    }
    if ((more & WATCH_PERSISTENT) != 0) {
        modes = WATCH_PERSISTENT_DATA | WATCH_PERSISTENT_CHILD;
    }
    if ((more & WATCH_RECURSIVE) != 0) {
        modes = WATCH_RECURSIVE | WATCH_RECURSIVE_CHILD;
    }
    return modes;
}

uint32_t watch_modes_add(uint32_t modes, uint32_t more, bool one_mode)
{
    return one_mode ? replace(modes, more) : modes | more;
}

uint32_t watch_modes_of_type(enum watch_type type, bool one_mode)
{
    switch (type) {
    case WATCH_TYPE_CHILDREN:
        return one_mode ? IN_CHILD : WATCH_CHILD;
    case WATCH_TYPE_DATA:
        return one_mode ? IN_DATA : WATCH_DATA;
    case WATCH_TYPE_ANY:
        return IN_DATA | IN_CHILD | WATCH_PERSISTENT;
    case WATCH_TYPE_PERSISTENT:
        return WATCH_PERSISTENT;
    case WATCH_TYPE_RECURSIVE:
        return WATCH_RECURSIVE;
    }
    UNREACHABLE();
}

uint64_t watch_modes_count(uint32_t modes)
{
    uint64_t count = (modes & WATCH_PERSISTENT) != 0 ? 2u : 0u;

    for (uint32_t bit = WATCH_DATA; bit <= WATCH_RECURSIVE_CHILD; bit <<= 1) {
        count += bit != WATCH_PERSISTENT && (modes & bit) != 0 ? 1u : 0u;
    }
    return count;
}
