#include "tree/path.h"

#include "base/ensure.h"

/* Length in bytes of the character at the start of `rest` if a path may hold it, else 0.
 *
 * Java tests UTF-16 units after decoding: what is malformed has become U+FFFD, and a character
 * beyond U+FFFF is two surrogates. Both are among the refused, so that every sequence of four bytes
 * is out. */
static size_t path_char(struct span rest)
{
    uint8_t first = rest.at[0];
    uint32_t code;

    if (first < 0x80) {
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        if (rest.len < 2 || (rest.at[1] & 0xc0) != 0x80) {
            return 0;
        }
        code = ((uint32_t)(first & 0x1f) << 6) | (rest.at[1] & 0x3fu);
        return code > 0x9f ? 2 : 0;
    }
    if ((first & 0xf0) != 0xe0 || rest.len < 3 || (rest.at[1] & 0xc0) != 0x80 ||
        (rest.at[2] & 0xc0) != 0x80) {
        return 0;
    }
    code = ((uint32_t)(first & 0x0f) << 12) | ((uint32_t)(rest.at[1] & 0x3f) << 6) |
           (rest.at[2] & 0x3fu);
    if (code < 0x800 || (code >= 0xd800 && code <= 0xf8ff) || code >= 0xfff0) {
        return 0;
    }
    return 3;
}

/* The component that ends before `end`, which began at `start`. */
static bool path_component_valid(struct span path, size_t start, size_t end)
{
    size_t len = end - start;

    if (len == 0) {
        return false;
    }
    if (len <= 2 && path.at[start] == '.' && path.at[end - 1] == '.') {
        return false;
    }
    return true;
}

bool path_valid(struct span path)
{
    size_t start = 1;
    size_t at = 1;

    if (path.len == 0 || path.at[0] != '/') {
        return false;
    }
    if (path.len == 1) {
        return true;
    }
    while (at < path.len) {
        size_t len;

        if (path.at[at] == '/') {
            if (!path_component_valid(path, start, at)) {
                return false;
            }
            start = at + 1;
        }
        len = path_char(span_make(path.at + at, path.len - at));
        if (len == 0) {
            return false;
        }
        at += len;
    }
    ENSURE(at == path.len);
    return path_component_valid(path, start, at);
}

bool path_plausible(struct span path)
{
    return path.len > 0 && memchr(path.at, '/', path.len) != NULL &&
           memchr(path.at, 0, path.len) == NULL;
}

bool path_split(struct span path, struct span *parent, struct span *name)
{
    size_t start = path.len;

    while (start > 0 && path.at[start - 1] != '/') {
        start--;
    }
    if (start == 0 || start == path.len) {
        return false;
    }
    *parent = span_make(path.at, start - 1);
    *name = span_make(path.at + start, path.len - start);
    return true;
}

struct span path_parent(struct span path)
{
    struct span parent;
    struct span name;

    if (!path_split(path, &parent, &name) || parent.len == 0) {
        return span_text("/");
    }
    return parent;
}

struct span path_canonical(struct span path)
{
    return path.len == 1 && path.at[0] == '/' ? span_make(path.at, 0) : path;
}

bool path_covers(struct span ancestor, struct span path)
{
    ancestor = path_canonical(ancestor);
    if (path.len < ancestor.len ||
        (ancestor.len > 0 && memcmp(path.at, ancestor.at, ancestor.len) != 0)) {
        return false;
    }
    return ancestor.len == 0 || path.len == ancestor.len || path.at[ancestor.len] == '/';
}

bool path_special(struct span path)
{
    return span_is(path, "/") || span_is(path, PATH_ZOOKEEPER) || span_is(path, PATH_QUOTA) ||
           span_is(path, PATH_CONFIG);
}

bool path_undigested(struct span path)
{
    static const char below[] = PATH_ZOOKEEPER "/";

    return path.len >= sizeof(below) - 1 && memcmp(path.at, below, sizeof(below) - 1) == 0;
}
