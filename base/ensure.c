#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

/* The one mutable global of base: a failed assertion has no handle that could lead to its world. */
static struct {
    ensure_hook *hook;
    void *context;
} ensure_global;

void ensure_set_hook(ensure_hook *hook, void *context)
{
    ensure_global.hook = hook;
    ensure_global.context = context;
}

void ensure_failed(const char *condition, const char *file, int line)
{
    if (ensure_global.hook != NULL) {
        ensure_global.hook(ensure_global.context, condition, file, line);
    }
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
