#include "tree/acl_scheme.h"

#include "base/text.h"

#define IP_MAX 16u /* bytes of an IPv6 address */

enum acl_scheme {
    SCHEME_NONE,
    SCHEME_IP,
    SCHEME_DIGEST,
    SCHEME_X509,
    SCHEME_SASL
};

/* The provider of a scheme, SCHEME_NONE when it is not loaded. */
static enum acl_scheme acl_scheme_of(struct span scheme, const struct acl_policy *policy)
{
    if (span_is(scheme, "ip")) {
        return SCHEME_IP;
    }
    if (span_is(scheme, "digest") && !policy->digest_disabled) {
        return SCHEME_DIGEST;
    }
    if (span_is(scheme, "x509") && policy->x509) {
        return SCHEME_X509;
    }
    if (span_is(scheme, "sasl") && policy->sasl) {
        return SCHEME_SASL;
    }
    return SCHEME_NONE;
}

/* Offset of the first `c` in `span`, or its length. */
static size_t acl_scheme_find(struct span span, uint8_t c)
{
    const uint8_t *at = span.len == 0 ? NULL : memchr(span.at, c, span.len);

    return at == NULL ? span.len : (size_t)(at - span.at);
}

/* -- addresses -- */

/* Dotted quad; 0 bytes when it is none. */
static size_t ip_parse_v4(struct span text, uint8_t out[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        size_t end = acl_scheme_find(text, '.');
        uint64_t value;

        if ((end == text.len) != (i == 3) || end > 3 ||
            text_parse_u64(span_make(text.at, end), &value) != ERR_OK || value > 255) {
            return 0;
        }
        out[i] = (uint8_t)value;
        text =
            end == text.len ? span_make(NULL, 0) : span_make(text.at + end + 1, text.len - end - 1);
    }
    return 4;
}

/* What an IPv6 text holds so far: `count` bytes, of which those from `gap` on go to the end. */
struct ip_v6 {
    uint8_t at[IP_MAX];
    uint32_t count;
    uint32_t gap; /* IP_MAX + 1: no "::" yet */
};

/* One group between colons; the last may be a dotted quad. */
static bool ip_parse_group(struct ip_v6 *v6, struct span group, bool last)
{
    uint64_t value;

    if (last && acl_scheme_find(group, '.') < group.len) {
        if (v6->count > IP_MAX - 4 || ip_parse_v4(group, v6->at + v6->count) == 0) {
            return false;
        }
        v6->count += 4;
        return true;
    }
    if (v6->count > IP_MAX - 2 || group.len > 4 || text_parse_hex(group, &value) != ERR_OK) {
        return false;
    }
    v6->at[v6->count++] = (uint8_t)(value >> 8);
    v6->at[v6->count++] = (uint8_t)value;
    return true;
}

/* Colon form, "::" once; 0 bytes when it is none. */
static size_t ip_parse_v6(struct span text, uint8_t out[IP_MAX])
{
    struct ip_v6 v6 = {.gap = IP_MAX + 1};
    size_t at = 0;
    uint32_t tail;

    if (text.len >= 2 && text.at[0] == ':' && text.at[1] == ':') {
        v6.gap = 0;
        at = 2;
    }
    while (at < text.len) {
        struct span rest = span_make(text.at + at, text.len - at);
        size_t end = acl_scheme_find(rest, ':');

        if (!ip_parse_group(&v6, span_make(rest.at, end), end == rest.len)) {
            return 0;
        }
        at += end;
        if (at == text.len) {
            break;
        }
        at++;
        if (at == text.len) {
            return 0; /* a single colon at the end */
        }
        if (text.at[at] == ':') {
            if (v6.gap <= IP_MAX) {
                return 0;
            }
            v6.gap = v6.count;
            at++;
        }
    }
    if (v6.gap > IP_MAX) {
        memcpy(out, v6.at, IP_MAX);
        return v6.count == IP_MAX ? IP_MAX : 0;
    }
    if (v6.count > IP_MAX - 2) {
        return 0; /* "::" stands for at least one group */
    }
    tail = v6.count - v6.gap;
    memset(out, 0, IP_MAX);
    memcpy(out, v6.at, v6.gap);
    memcpy(out + IP_MAX - tail, v6.at + v6.gap, tail);
    return IP_MAX;
}

static size_t ip_parse(struct span text, uint8_t out[IP_MAX])
{
    return acl_scheme_find(text, ':') < text.len ? ip_parse_v6(text, out) : ip_parse_v4(text, out);
}

/* "address" or "address/bits": the address and how many leading bits count. */
static size_t ip_parse_range(struct span text, uint8_t out[IP_MAX], uint32_t *bits)
{
    size_t slash = acl_scheme_find(text, '/');
    size_t len = ip_parse(span_make(text.at, slash), out);
    uint64_t value = len * 8;

    if (len == 0) {
        return 0;
    }
    if (slash < text.len &&
        text_parse_u64(span_make(text.at + slash + 1, text.len - slash - 1), &value) != ERR_OK) {
        return 0;
    }
    if (value > len * 8) {
        return 0;
    }
    *bits = (uint32_t)value;
    return len;
}

static bool ip_match(struct span mine, struct span wanted)
{
    uint8_t address[IP_MAX];
    uint8_t range[IP_MAX];
    uint32_t bits = 0;
    size_t len = ip_parse_range(wanted, range, &bits);

    if (len == 0 || ip_parse(mine, address) != len) {
        return false;
    }
    if (bits / 8 > 0 && memcmp(address, range, bits / 8) != 0) {
        return false;
    }
    return bits % 8 == 0 ||
           ((uint32_t)(address[bits / 8] ^ range[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* -- ids -- */

/* "user:hash": two parts, where empty ones at the end do not count (Java's split). */
static bool digest_id_valid(struct span id)
{
    size_t colon = acl_scheme_find(id, ':');
    size_t end;

    if (colon >= id.len) {
        return false;
    }
    for (end = id.len; end > 0 && id.at[end - 1] == ':'; end--) {
    }
    if (end <= colon + 1) {
        return false;
    }
    return acl_scheme_find(span_make(id.at + colon + 1, end - colon - 1), ':') == end - colon - 1;
}

/* A distinguished name: comma-separated parts of the form type=value. */
static bool x509_id_valid(struct span id)
{
    while (true) {
        size_t end = 0;
        size_t equals;

        while (end < id.len && id.at[end] != ',') {
            end += id.at[end] == '\\' && end + 1 < id.len ? 2 : 1; /* an escaped comma */
        }
        equals = acl_scheme_find(span_make(id.at, end), '=');
        if (equals == 0 || equals >= end) {
            return false;
        }
        if (end == id.len) {
            return true;
        }
        id = span_make(id.at + end + 1, id.len - end - 1);
    }
}

/* service[/host]@realm, or any text without '@'. */
static bool sasl_id_valid(struct span id)
{
    size_t at = acl_scheme_find(id, '@');
    size_t slash;
    struct span host;
    struct span realm;

    if (at == id.len) {
        return true;
    }
    realm = span_make(id.at + at + 1, id.len - at - 1);
    if (acl_scheme_find(realm, '@') < realm.len || acl_scheme_find(realm, '/') < realm.len) {
        return false;
    }
    slash = acl_scheme_find(span_make(id.at, at), '/');
    if (slash == at) {
        return true;
    }
    host = span_make(id.at + slash + 1, at - slash - 1);
    return acl_scheme_find(host, '/') == host.len;
}

bool acl_id_valid(struct span scheme, struct span id, const struct acl_policy *policy)
{
    uint8_t address[IP_MAX];
    uint32_t bits = 0;

    switch (acl_scheme_of(scheme, policy)) {
    case SCHEME_NONE:
        return false;
    case SCHEME_IP:
        return ip_parse_range(id, address, &bits) != 0;
    case SCHEME_DIGEST:
        return digest_id_valid(id);
    case SCHEME_X509:
        return x509_id_valid(id);
    case SCHEME_SASL:
        return sasl_id_valid(id);
    }
    return false;
}

bool acl_scheme_match(struct span scheme, struct span mine, struct span wanted,
                      const struct acl_policy *policy)
{
    switch (acl_scheme_of(scheme, policy)) {
    case SCHEME_NONE:
        return false;
    case SCHEME_IP:
        return ip_match(mine, wanted);
    case SCHEME_DIGEST:
        return span_equal(mine, wanted);
    case SCHEME_X509:
        return span_equal(mine, wanted) ||
               (policy->x509_super.len > 0 && span_equal(mine, policy->x509_super));
    case SCHEME_SASL:
        return span_equal(mine, wanted) || span_is(mine, "super") ||
               (policy->any_sasl.len > 0 && span_equal(wanted, policy->any_sasl));
    }
    return false;
}

bool acl_scheme_proves(struct span scheme, const struct acl_policy *policy)
{
    switch (acl_scheme_of(scheme, policy)) {
    case SCHEME_NONE:
    case SCHEME_IP:
        return false;
    case SCHEME_DIGEST:
    case SCHEME_X509:
    case SCHEME_SASL:
        return true;
    }
    return false;
}
