/* err.h - every way in which a function of ours can fail, declared once.
 *
 * Wire numbers (ZooKeeper's KeeperException codes) are not here: they are translated at the codec
 * (tree/code.h). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MAP(X)                         \
    X(OK, "ok")                            \
    X(MEMORY, "out of memory")             \
    X(SHORT, "ends too early")             \
    X(LONG, "longer than its limit")       \
    X(FORMAT, "malformed")                 \
    X(MAGIC, "wrong magic number")         \
    X(CHECKSUM, "checksum does not match") \
    X(VERSION, "unknown version")          \
    X(MISSING, "does not exist")           \
    X(EXISTS, "exists already")            \
    X(RANGE, "out of range")               \
    X(IO, "input/output error")            \
    X(NO_SPACE, "no space left on device") \
    X(REFUSED, "refused")                  \
    X(UNKNOWN, "unknown name")             \
    X(ORDER, "out of order")

enum err {
#define X(name, text) ERR_##name,
    ERR_MAP(X)
#undef X
    ERR_COUNT
};

/* A short lower-case phrase, never NULL. */
const char *err_text(enum err err);

#endif
