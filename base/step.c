#include "base/step.h"

#include "base/ensure.h"

#define FX_ROOM_FIRST  16u
#define FX_ROOM_MAX    (1u << 24)
#define FX_CHUNK_FIRST 4096u
/* What one chunk may keep between steps; a larger one goes back at fx_clear. */
#define FX_CHUNK_KEEP (1u << 18)
#define FX_TOTAL_KEEP (1u << 20)

/* Copies never move, so a chunk that is too small is followed by another and not replaced. */
struct fx_chunk {
    struct fx_chunk *next;
    size_t room; /* of `at` */
    uint8_t at[];
};

void fx_init(struct fx *fx, struct mem *mem)
{
    *fx = (struct fx){.wake_us = WAKE_NEVER, .mem = mem};
    bytes_init(&fx->out, mem);
}

static void fx_free_chunk(struct fx *fx, struct fx_chunk *chunk)
{
    mem_put(fx->mem, chunk, sizeof(*chunk) + chunk->room);
}

/* A step that copied a lot shall not hold memory for ever: oversized chunks go, and the rest stays
 * up to a total. */
static void fx_trim(struct fx *fx)
{
    struct fx_chunk **link = &fx->chunks;
    size_t kept = 0;

    while (*link != NULL) {
        struct fx_chunk *chunk = *link;

        if (chunk->room > FX_CHUNK_KEEP || kept + chunk->room > FX_TOTAL_KEEP) {
            *link = chunk->next;
            fx_free_chunk(fx, chunk);
        } else {
            kept += chunk->room;
            link = &chunk->next;
        }
    }
}

void fx_clear(struct fx *fx)
{
    fx->wake_us = WAKE_NEVER;
    fx->taken = 0;
    fx->count = 0;
    fx->failed = false;
    fx->out.len = 0;
    fx->out.failed = false;
    if (__builtin_expect(fx->out.room > FX_CHUNK_KEEP, 0)) {
        bytes_drop(&fx->out);
    }
    if (__builtin_expect(fx->chunk != fx->chunks, 0) ||
        (fx->chunk != NULL && fx->chunk->room > FX_CHUNK_KEEP)) {
        fx_trim(fx);
    }
    fx->chunk = fx->chunks;
    fx->chunk_len = 0;
}

void fx_drop(struct fx *fx)
{
    while (fx->chunks != NULL) {
        struct fx_chunk *chunk = fx->chunks;

        fx->chunks = chunk->next;
        fx_free_chunk(fx, chunk);
    }
    if (fx->list != NULL) {
        mem_put(fx->mem, fx->list, fx->room * sizeof(*fx->list));
    }
    bytes_drop(&fx->out);
    fx_init(fx, fx->mem);
}

struct bytes *fx_out(struct fx *fx)
{
    fx->failed = fx->failed || fx->out.failed;
    bytes_clear(&fx->out);
    return &fx->out;
}

/* Go on with a chunk that has room for `len`: the next one, or a new one put in before it. */
static bool fx_next_chunk(struct fx *fx, size_t len)
{
    struct fx_chunk **link = fx->chunk == NULL ? &fx->chunks : &fx->chunk->next;
    size_t room = fx->chunk == NULL ? FX_CHUNK_FIRST : fx->chunk->room * 2;
    struct fx_chunk *chunk = *link;

    if (chunk == NULL || chunk->room < len) {
        if (len > SIZE_MAX / 2) {
            return false;
        }
        if (room > FX_CHUNK_KEEP) {
            room = FX_CHUNK_KEEP;
        }
        if (room < len) {
            room = len;
        }
        chunk = mem_get(fx->mem, sizeof(*chunk) + room);
        if (chunk == NULL) {
            return false;
        }
        chunk->next = *link;
        chunk->room = room;
        *link = chunk;
    }
    fx->chunk = chunk;
    fx->chunk_len = 0;
    return true;
}

/* A place for a copy that does not fit the chunk; NULL when memory ran out. */
static uint8_t *fx_make_room(struct fx *fx, size_t len)
{
    if (!fx_next_chunk(fx, len)) {
        fx->failed = true;
        return NULL;
    }
    fx->chunk_len = len;
    return fx->chunk->at;
}

/* Inlined into every emitter, with fx_store: each call of a 64-byte struct by value costs more than
 * the work itself. */
static inline __attribute__((always_inline)) struct span fx_keep(struct fx *fx, struct span span)
{
    uint8_t *at;

    if (span.len == 0) {
        return span_make(NULL, 0);
    }
    if (__builtin_expect(fx->chunk != NULL && span.len <= fx->chunk->room - fx->chunk_len, 1)) {
        at = fx->chunk->at + fx->chunk_len;
        fx->chunk_len += span.len;
    } else {
        at = fx_make_room(fx, span.len);
        if (at == NULL) {
            return span_make(NULL, 0);
        }
    }
    memcpy(at, span.at, span.len);
    return span_make(at, span.len);
}

struct span fx_copy(struct fx *fx, struct span span)
{
    return fx_keep(fx, span);
}

static bool fx_widen(struct fx *fx)
{
    uint32_t room = fx->room == 0 ? FX_ROOM_FIRST : fx->room * 2;
    struct effect *list;

    if (fx->room >= FX_ROOM_MAX) {
        return false;
    }
    list = mem_grow(fx->mem, fx->list, fx->room * sizeof(*list), room * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    fx->list = list;
    fx->room = room;
    return true;
}

/* The place of a new effect, or NULL. What was encoded without memory must not go out: see
 * fx->failed. */
static inline struct effect *fx_slot(struct fx *fx)
{
    if (__builtin_expect(fx->out.failed, 0)) {
        fx->failed = true;
    }
    if (__builtin_expect(fx->count == fx->room, 0) && !fx_widen(fx)) {
        fx->failed = true;
    }
    return fx->failed ? NULL : &fx->list[fx->count++];
}

static inline __attribute__((always_inline)) void fx_store(struct fx *fx, struct effect effect)
{
    struct effect *slot = fx_slot(fx);

    if (slot != NULL) {
        *slot = effect;
    }
}

void fx_emit(struct fx *fx, struct effect effect)
{
    fx_store(fx, effect);
}

void fx_wake(struct fx *fx, uint64_t at_us)
{
    if (at_us < fx->wake_us) {
        fx->wake_us = at_us;
    }
}

void fx_listen(struct fx *fx, uint32_t listener, struct span address)
{
    ENSURE(listener > 0);
    fx_store(fx, (struct effect){
                     .kind = FX_LISTEN,
                     .id = listener,
                     .bytes = fx_keep(fx, address),
                 });
}

void fx_unlisten(struct fx *fx, uint32_t listener)
{
    fx_store(fx, (struct effect){.kind = FX_UNLISTEN, .id = listener});
}

void fx_dial(struct fx *fx, uint32_t conn, struct span address)
{
    ENSURE(conn < CONN_ACCEPTED);
    fx_store(fx, (struct effect){
                     .kind = FX_DIAL,
                     .id = conn,
                     .bytes = fx_keep(fx, address),
                 });
}

void fx_send(struct fx *fx, uint32_t conn, struct span bytes)
{
    fx_store(fx, (struct effect){.kind = FX_SEND, .id = conn, .bytes = fx_keep(fx, bytes)});
}

void fx_send_lent(struct fx *fx, uint32_t conn, struct span lent)
{
    fx_store(fx, (struct effect){.kind = FX_SEND, .id = conn, .bytes = lent});
}

void fx_tell_drained(struct fx *fx, uint32_t conn)
{
    fx_store(fx, (struct effect){.kind = FX_SEND, .id = conn, .a = 1});
}

void fx_close(struct fx *fx, uint32_t conn, bool abort)
{
    fx_store(fx, (struct effect){.kind = FX_CLOSE, .id = conn, .a = abort ? 1 : 0});
}

void fx_throttle(struct fx *fx, uint32_t conn, bool stop)
{
    fx_store(fx, (struct effect){.kind = FX_THROTTLE, .id = conn, .a = stop ? 1 : 0});
}

void fx_post(struct fx *fx, uint32_t process, struct span bytes)
{
    fx_store(fx, (struct effect){
                     .kind = FX_POST,
                     .id = process,
                     .bytes = fx_keep(fx, bytes),
                 });
}

void fx_read(struct fx *fx, enum file_dir dir, struct span name, uint64_t offset, uint64_t length,
             uint64_t tag)
{
    fx_store(fx, (struct effect){
                     .kind = FX_READ,
                     .id = (uint32_t)dir,
                     .name = fx_keep(fx, name),
                     .a = offset,
                     .b = tag,
                     .c = length,
                 });
}

void fx_append_lent(struct fx *fx, enum file_dir dir, struct span name, uint64_t offset,
                    struct span lent, uint64_t tag)
{
    fx_store(fx, (struct effect){
                     .kind = FX_APPEND,
                     .id = (uint32_t)dir,
                     .name = fx_keep(fx, name),
                     .a = offset,
                     .b = tag,
                     .bytes = lent,
                 });
}

void fx_sync(struct fx *fx, enum file_dir dir, struct span name, uint64_t tag)
{
    fx_store(fx, (struct effect){
                     .kind = FX_SYNC,
                     .id = (uint32_t)dir,
                     .name = fx_keep(fx, name),
                     .b = tag,
                 });
}

void fx_truncate(struct fx *fx, enum file_dir dir, struct span name, uint64_t size, uint64_t tag)
{
    fx_store(fx, (struct effect){
                     .kind = FX_TRUNCATE,
                     .id = (uint32_t)dir,
                     .name = fx_keep(fx, name),
                     .a = size,
                     .b = tag,
                 });
}

void fx_rename(struct fx *fx, enum file_dir dir, struct span from, struct span to, uint64_t tag)
{
    struct span old_name = fx_keep(fx, from);
    struct span new_name = fx_keep(fx, to);

    fx_store(fx, (struct effect){
                     .kind = FX_RENAME,
                     .id = (uint32_t)dir,
                     .name = old_name,
                     .b = tag,
                     .bytes = new_name,
                 });
}

void fx_replace(struct fx *fx, enum file_dir dir, struct span name, struct span bytes, uint64_t tag)
{
    struct span name_copy = fx_keep(fx, name);
    struct span bytes_copy = fx_keep(fx, bytes);

    fx_store(fx, (struct effect){
                     .kind = FX_REPLACE,
                     .id = (uint32_t)dir,
                     .name = name_copy,
                     .b = tag,
                     .bytes = bytes_copy,
                 });
}

void fx_remove(struct fx *fx, enum file_dir dir, struct span name, uint64_t tag)
{
    fx_store(fx, (struct effect){
                     .kind = FX_REMOVE,
                     .id = (uint32_t)dir,
                     .name = fx_keep(fx, name),
                     .b = tag,
                 });
}

void fx_answer(struct fx *fx, uint64_t tag, struct span bytes)
{
    fx_store(fx, (struct effect){.kind = FX_ANSWER, .b = tag, .bytes = fx_keep(fx, bytes)});
}

void fx_note(struct fx *fx, uint32_t kind, uint64_t a, uint64_t b, uint64_t c, struct span bytes)
{
    fx_store(fx, (struct effect){
                     .kind = FX_NOTE,
                     .id = kind,
                     .a = a,
                     .b = b,
                     .c = c,
                     .bytes = fx_keep(fx, bytes),
                 });
}

void fx_halt(struct fx *fx, uint64_t code, struct span why)
{
    fx_store(fx, (struct effect){.kind = FX_HALT, .a = code, .bytes = fx_keep(fx, why)});
}

const char *in_kind_name(enum in_kind kind)
{
    switch (kind) {
    case IN_BOOT:
        return "boot";
    case IN_WAKE:
        return "wake";
    case IN_LISTENING:
        return "listening";
    case IN_OPENED:
        return "opened";
    case IN_DRAINED:
        return "drained";
    case IN_BYTES:
        return "bytes";
    case IN_CLOSED:
        return "closed";
    case IN_POST:
        return "post";
    case IN_DONE:
        return "done";
    case IN_DATA:
        return "data";
    case IN_ASK:
        return "ask";
    }
    UNREACHABLE();
}

const char *fx_kind_name(enum fx_kind kind)
{
    switch (kind) {
    case FX_LISTEN:
        return "listen";
    case FX_UNLISTEN:
        return "unlisten";
    case FX_DIAL:
        return "dial";
    case FX_SEND:
        return "send";
    case FX_CLOSE:
        return "close";
    case FX_THROTTLE:
        return "throttle";
    case FX_POST:
        return "post";
    case FX_READ:
        return "read";
    case FX_APPEND:
        return "append";
    case FX_SYNC:
        return "sync";
    case FX_TRUNCATE:
        return "truncate";
    case FX_RENAME:
        return "rename";
    case FX_REPLACE:
        return "replace";
    case FX_REMOVE:
        return "remove";
    case FX_ANSWER:
        return "answer";
    case FX_NOTE:
        return "note";
    case FX_HALT:
        return "halt";
    }
    UNREACHABLE();
}
