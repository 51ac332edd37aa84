/* help_vectors.h - reads the text files of tests/vectors line by line. */
#ifndef TESTS_PROTOCOL_HELP_VECTORS_H
#define TESTS_PROTOCOL_HELP_VECTORS_H

#include "base/bytes.h"

#include <stdio.h>

struct vectors {
    FILE *file;
    int line_number;
    char *comment;      /* the last line that began with '#', without "# " */
    uint32_t conn;      /* cN: N, or 0 for a line without prefix */
    bool sent;          /* cN> */
    bool eof;           /* cN< EOF */
    struct bytes bytes; /* what the line holds */
};

/* Open SOURCE_DIR/tests/vectors/NAME; the test fails when that is not possible. */
void vectors_open(struct vectors *vectors, struct mem *mem, const char *name);
/* The next line that is not a comment; false at the end. */
bool vectors_next(struct vectors *vectors);
void vectors_close(struct vectors *vectors);

/* Fail the test unless `got` equals `want`, showing both as hex. */
void vectors_expect(const struct vectors *vectors, struct span got, struct span want);

#endif
