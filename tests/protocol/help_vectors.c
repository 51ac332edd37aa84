#include "protocol/help_vectors.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 65536

void vectors_open(struct vectors *vectors, struct mem *mem, const char *name)
{
    char path[512];

    *vectors = (struct vectors){.comment = calloc(1, LINE_MAX_BYTES)};
    ck_assert_ptr_nonnull(vectors->comment);
    snprintf(path, sizeof path, "%s/tests/vectors/%s", SOURCE_DIR, name);
    vectors->file = fopen(path, "r");
    ck_assert_msg(vectors->file != NULL, "cannot open %s", path);
    bytes_init(&vectors->bytes, mem);
}

void vectors_close(struct vectors *vectors)
{
    fclose(vectors->file);
    free(vectors->comment);
    bytes_drop(&vectors->bytes);
}

static uint8_t hex_digit(int c)
{
    ck_assert(isxdigit(c));
    return (uint8_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
}

static void vectors_parse(struct vectors *vectors, const char *line)
{
    size_t len = strcspn(line, "\n");

    vectors->conn = 0;
    vectors->sent = false;
    vectors->eof = false;
    bytes_clear(&vectors->bytes);
    if (line[0] == 'c' && isdigit((unsigned char)line[1])) {
        char *end;

        vectors->conn = (uint32_t)strtoul(line + 1, &end, 10);
        vectors->sent = *end == '>';
        len -= (size_t)(end + 2 - line);
        line = end + 2;
    }
    if (strncmp(line, "EOF", 3) == 0) {
        vectors->eof = true;
        return;
    }
    ck_assert_msg(len % 2 == 0, "line %d: odd number of digits", vectors->line_number);
    for (size_t i = 0; i < len; i += 2) {
        bytes_u8(&vectors->bytes, (uint8_t)(hex_digit(line[i]) << 4 | hex_digit(line[i + 1])));
    }
}

bool vectors_next(struct vectors *vectors)
{
    static char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof line, vectors->file) != NULL) {
        vectors->line_number++;
        if (line[0] == '#') {
            snprintf(vectors->comment, LINE_MAX_BYTES, "%s", line + (line[1] == ' ' ? 2 : 1));
        } else if (line[0] != '\n') {
            vectors_parse(vectors, line);
            return true;
        }
    }
    return false;
}

static void print_hex(char *out, size_t room, struct span span)
{
    size_t len = 0;

    out[0] = 0;
    for (size_t i = 0; i < span.len && len + 3 < room; i++) {
        len += (size_t)snprintf(out + len, room - len, "%02x", span.at[i]);
    }
}

void vectors_expect(const struct vectors *vectors, struct span got, struct span want)
{
    static char a[8192];
    static char b[8192];

    if (!span_equal(got, want)) {
        print_hex(a, sizeof a, got);
        print_hex(b, sizeof b, want);
        ck_abort_msg("line %d: %sgot  %s\nwant %s", vectors->line_number, vectors->comment, a, b);
    }
}
