#include "tree/index.h"

#include "base/ensure.h"
#include "base/hash.h"

#define INDEX_FIRST_LOG2   6u  /* buckets of segment 0 */
#define INDEX_SEGMENT_LOG2 12u /* of the large segments */
#define INDEX_SMALL        (1u << INDEX_SEGMENT_LOG2)
/* Segments 0 to 6 hold the buckets below INDEX_SMALL. */
#define INDEX_SMALL_SEGMENTS (INDEX_SEGMENT_LOG2 - INDEX_FIRST_LOG2 + 1)
#define INDEX_BUCKETS_MAX    (1u << 31)
#define INDEX_ROOM_FIRST     8u

static uint32_t index_log2(uint32_t value)
{
    return 31u - (uint32_t)__builtin_clz(value);
}

/* Segment of a bucket, and its place there. */
static inline uint32_t index_segment(uint32_t bucket, uint32_t *place)
{
    uint32_t log2;

    if (bucket >= INDEX_SMALL) {
        *place = bucket & (INDEX_SMALL - 1);
        return INDEX_SMALL_SEGMENTS + (bucket >> INDEX_SEGMENT_LOG2) - 1;
    }
    if (bucket < (1u << INDEX_FIRST_LOG2)) {
        *place = bucket;
        return 0;
    }
    log2 = index_log2(bucket);
    *place = bucket - (1u << log2);
    return log2 - INDEX_FIRST_LOG2 + 1;
}

static size_t index_segment_bytes(uint32_t segment)
{
    uint32_t log2 = INDEX_SEGMENT_LOG2;

    if (segment < INDEX_SMALL_SEGMENTS) {
        log2 = segment == 0 ? INDEX_FIRST_LOG2 : INDEX_FIRST_LOG2 + segment - 1;
    }
    return sizeof(struct index_link *) << log2;
}

static inline struct index_link **index_bucket(const struct index *index, uint32_t bucket)
{
    uint32_t place;
    uint32_t segment = index_segment(bucket, &place);

    return &index->segments[segment][place];
}

static inline struct index_link **index_bucket_of(const struct index *index, uint32_t hash)
{
    uint32_t bucket = hash & ((2u << index->level) - 1);

    if (bucket >= index->bucket_count) {
        bucket = hash & ((1u << index->level) - 1);
    }
    return index_bucket(index, bucket);
}

/* Room for one more bucket. */
static bool index_add_segment(struct index *index)
{
    struct index_link **segment;

    if (index->segment_count == index->segment_room) {
        uint32_t room = index->segment_room == 0 ? INDEX_ROOM_FIRST : index->segment_room * 2;
        struct index_link ***segments =
            mem_grow(index->mem, index->segments, index->segment_room * sizeof(*segments),
                     room * sizeof(*segments));

        if (segments == NULL) {
            return false;
        }
        index->segments = segments;
        index->segment_room = room;
    }
    segment = mem_get(index->mem, index_segment_bytes(index->segment_count));
    if (segment == NULL) {
        return false;
    }
    index->segments[index->segment_count++] = segment;
    return true;
}

enum err index_init(struct index *index, struct mem *mem, uint64_t seed)
{
    *index = (struct index){.mem = mem, .seed = seed, .level = INDEX_FIRST_LOG2};
    if (!index_add_segment(index)) {
        index_drop(index);
        return ERR_MEMORY;
    }
    index->bucket_count = 1u << INDEX_FIRST_LOG2;
    memset(index->segments[0], 0, index_segment_bytes(0));
    return ERR_OK;
}

void index_drop(struct index *index)
{
    while (index->segment_count > 0) {
        index->segment_count--;
        mem_put(index->mem, index->segments[index->segment_count],
                index_segment_bytes(index->segment_count));
    }
    if (index->segments != NULL) {
        mem_put(index->mem, index->segments, index->segment_room * sizeof(*index->segments));
    }
    *index = (struct index){.mem = index->mem};
}

uint32_t index_hash(const struct index *index, struct span key)
{
    return (uint32_t)hash_bytes(key, index->seed);
}

struct index_link *index_first(const struct index *index, uint32_t hash)
{
    return *index_bucket_of(index, hash);
}

/* One bucket more: take from its twin what belongs there now. */
static void index_split(struct index *index)
{
    uint32_t place;
    struct index_link **from = index_bucket(index, index->bucket_count - (1u << index->level));
    struct index_link **into;
    struct index_link *link = *from;
    uint32_t bit = 1u << index->level;

    if (index_segment(index->bucket_count, &place) == index->segment_count &&
        !index_add_segment(index)) {
        return; /* longer chains until there is memory */
    }
    into = index_bucket(index, index->bucket_count);
    while (link != NULL) {
        if ((link->hash & bit) != 0) {
            *into = link;
            into = &link->next;
        } else {
            *from = link;
            from = &link->next;
        }
        link = link->next;
    }
    *from = NULL;
    *into = NULL;
    index->bucket_count++;
    if (index->bucket_count == 2 * bit) {
        index->level++;
    }
}

/* One bucket less: its nodes go back to its twin. */
static void index_merge(struct index *index)
{
    uint32_t place;
    struct index_link **into;
    struct index_link *link;

    index->bucket_count--;
    if (index->bucket_count < 1u << index->level) {
        index->level--;
    }
    into = index_bucket(index, index->bucket_count - (1u << index->level));
    link = *index_bucket(index, index->bucket_count);
    while (*into != NULL) {
        into = &(*into)->next;
    }
    *into = link;
    if (index_segment(index->bucket_count, &place) + 1 == index->segment_count && place == 0) {
        index->segment_count--;
        mem_put(index->mem, index->segments[index->segment_count],
                index_segment_bytes(index->segment_count));
    }
}

void index_put(struct index *index, struct index_link *link)
{
    struct index_link **bucket = index_bucket_of(index, link->hash);

    link->next = *bucket;
    *bucket = link;
    index->count++;
    if (index->count > index->bucket_count && index->bucket_count < INDEX_BUCKETS_MAX) {
        index_split(index);
    }
}

void index_take(struct index *index, struct index_link *link)
{
    struct index_link **at = index_bucket_of(index, link->hash);

    while (*at != link) {
        ENSURE(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    index->count--;
    /* Two at a time, as the number of buckets follows at half the number of nodes. */
    for (uint32_t i = 0; i < 2; i++) {
        if (index->count < index->bucket_count / 2 &&
            index->bucket_count > 1u << INDEX_FIRST_LOG2) {
            index_merge(index);
        }
    }
}
