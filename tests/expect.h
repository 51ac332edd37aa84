/* expect.h - a cheap assertion for loops: libcheck's own writes to a pipe each time, this one only
 * on failure. */
#ifndef TESTS_EXPECT_H
#define TESTS_EXPECT_H

#include <check.h>

#define EXPECT(condition)                           \
    do {                                            \
        if (!(condition)) {                         \
            ck_abort_msg("not so: %s", #condition); \
        }                                           \
    } while (0)

#endif
