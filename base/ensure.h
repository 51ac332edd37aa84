/* ensure.h - assertions, always compiled in.
 *
 * They are for our own mistakes only: input of a peer, a client, a disk or a user is checked and
 * answered. The simulator installs a hook so that a failed assertion in a simulated process becomes
 * a finding of that world and not the end of the program. The hook is the one mutable global of
 * base. */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#define ENSURE(condition)                                  \
    do {                                                   \
        if (__builtin_expect(!(condition), 0)) {           \
            ensure_failed(#condition, __FILE__, __LINE__); \
        }                                                  \
    } while (0)

/* Marks a place that cannot be reached, as after a complete switch. */
#define UNREACHABLE() ensure_failed("unreachable", __FILE__, __LINE__)

/* Called before the program aborts; may longjmp away. */
typedef void ensure_hook(void *context, const char *condition, const char *file, int line);

/* Install `hook` (NULL for none); at most one at a time. */
void ensure_set_hook(ensure_hook *hook, void *context);

/* Calls the hook; prints and aborts when there is none or it returns. */
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#endif
