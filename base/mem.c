#include "base/mem.h"

#include "base/ensure.h"

#include <string.h>

void *mem_get(struct mem *mem, size_t size)
{
    void *at;

    ENSURE(size > 0);
    ENSURE(mem->used_bytes <= mem->limit_bytes);
    mem->get_count++;
    if (size > mem->limit_bytes - mem->used_bytes || mem->get_count == mem->fail_at) {
        return NULL;
    }
    at = mem->get(mem, size);
    if (at != NULL) {
        mem->used_bytes += size;
    }
    return at;
}

void *mem_get_zero(struct mem *mem, size_t size)
{
    void *at = mem_get(mem, size);

    if (at != NULL) {
        memset(at, 0, size);
    }
    return at;
}

void mem_put(struct mem *mem, void *at, size_t size)
{
    if (at == NULL) {
        return;
    }
    ENSURE(size > 0 && size <= mem->used_bytes);
    mem->used_bytes -= size;
    mem->put(mem, at, size);
}

void *mem_grow(struct mem *mem, void *at, size_t size_old, size_t size_new)
{
    void *fresh = mem_get(mem, size_new);

    if (fresh == NULL || at == NULL) {
        return fresh;
    }
    memcpy(fresh, at, size_old < size_new ? size_old : size_new);
    mem_put(mem, at, size_old);
    return fresh;
}
