/* One server line: host:quorumPort:electionPort[:role][|..][;[clientHost:]clientPort]. */
#include "base/ensure.h"
#include "protocol/properties.h"
#include "protocol/quorum.h"

/* Where a line is being taken apart, and where its strings go. */
struct line_parser {
    struct span rest;  /* not yet read */
    struct text *text; /* what the member's spans lie in */
    const char *why;   /* first fault, or NULL */
    bool has_role;
    enum member_role role;
};

static bool line_fail(struct line_parser *parser, const char *why)
{
    if (parser->why == NULL) {
        parser->why = why;
    }
    return false;
}

/* A backslash would be an escape when the printed line is read again. */
static bool line_is_host_byte(uint8_t c, bool in_brackets)
{
    if (c <= ' ' || c == 0x7f || c == '[' || c == ']' || c == ';' || c == '|' || c == '\\') {
        return false;
    }
    return c != ':' || in_brackets;
}

/* A host name or address; IPv6 in brackets, which are dropped. */
static bool line_host(struct line_parser *parser, struct span *host)
{
    struct span *rest = &parser->rest;
    bool in_brackets = rest->len > 0 && rest->at[0] == '[';
    size_t from = in_brackets ? 1 : 0;
    size_t len = 0;

    while (from + len < rest->len && line_is_host_byte(rest->at[from + len], in_brackets)) {
        len++;
    }
    if (len == 0) {
        return line_fail(parser, "has an empty or malformed host");
    }
    *host = span_make(rest->at + from, len);
    from += len;
    if (in_brackets) {
        if (from == rest->len || rest->at[from] != ']') {
            return line_fail(parser, "has no ] behind an address in brackets");
        }
        from++;
    }
    rest->at += from;
    rest->len -= from;
    return true;
}

static bool line_skip(struct line_parser *parser, char c)
{
    if (parser->rest.len == 0 || parser->rest.at[0] != (uint8_t)c) {
        return false;
    }
    parser->rest.at++;
    parser->rest.len--;
    return true;
}

/* The bytes up to the next of ":;|". */
static struct span line_word(struct line_parser *parser)
{
    struct span word = span_make(parser->rest.at, 0);

    while (word.len < parser->rest.len && parser->rest.at[word.len] != ':' &&
           parser->rest.at[word.len] != ';' && parser->rest.at[word.len] != '|') {
        word.len++;
    }
    parser->rest.at += word.len;
    parser->rest.len -= word.len;
    return word;
}

static bool line_port(struct line_parser *parser, uint16_t *port)
{
    uint64_t value;

    if (text_parse_u64(line_word(parser), &value) != ERR_OK || value == 0 || value > UINT16_MAX) {
        return line_fail(parser, "has a port that is not a number in 1..65535");
    }
    *port = (uint16_t)value;
    return true;
}

/* Letters of either case, blanks around allowed: as Apache does. */
static bool line_word_is(struct span word, const char *name)
{
    word = properties_trim(word);
    if (word.len != strlen(name)) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.at[i];

        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c + ('a' - 'A'));
        }
        if (c != (uint8_t)name[i]) {
            return false;
        }
    }
    return true;
}

static bool line_role(struct line_parser *parser)
{
    struct span word = line_word(parser);
    enum member_role role;

    if (line_word_is(word, "participant")) {
        role = MEMBER_PARTICIPANT;
    } else if (line_word_is(word, "observer")) {
        role = MEMBER_OBSERVER;
    } else {
        return line_fail(parser, "has a role that is neither participant nor observer");
    }
    if (parser->has_role && parser->role != role) {
        return line_fail(parser, "gives its addresses different roles");
    }
    parser->has_role = true;
    parser->role = role;
    return true;
}

/* Append "host:port"; the span lies in the text. */
static struct span line_print_address(struct text *text, struct span host, uint16_t port)
{
    const char *from = text->at + text->len;
    bool in_brackets = host.len > 0 && memchr(host.at, ':', host.len) != NULL;

    text_str(text, in_brackets ? "[" : "");
    text_span(text, host);
    text_str(text, in_brackets ? "]:" : ":");
    text_u64(text, port);
    return span_make(from, (size_t)(text->at + text->len - from));
}

static bool line_address(struct line_parser *parser, struct member_address *address)
{
    struct span host;

    if (!line_host(parser, &host)) {
        return false;
    }
    if (!line_skip(parser, ':') || !line_port(parser, &address->quorum_port)) {
        return line_fail(parser, "needs host:quorumPort:electionPort");
    }
    if (!line_skip(parser, ':') || !line_port(parser, &address->election_port)) {
        return line_fail(parser, "needs host:quorumPort:electionPort");
    }
    if (address->quorum_port == address->election_port) {
        return line_fail(parser, "uses one port for quorum and election");
    }
    if (line_skip(parser, ':') && !line_role(parser)) {
        return false;
    }
    address->host = host; /* still in the builder; moved by line_finish */
    return true;
}

/* [host:]port behind the semicolon. */
static bool line_client(struct line_parser *parser, struct member *member)
{
    struct span host = span_text("0.0.0.0");
    struct span whole = parser->rest;
    uint16_t port;

    if (memchr(whole.at, ':', whole.len) != NULL) {
        if (!line_host(parser, &host)) {
            return false;
        }
        if (!line_skip(parser, ':')) {
            return line_fail(parser, "has a malformed client address");
        }
    }
    if (!line_port(parser, &port)) {
        return false;
    }
    member->client = line_print_address(parser->text, host, port);
    return true;
}

static void line_sort_addresses(struct member *member)
{
    for (uint32_t i = 1; i < member->address_count; i++) {
        struct member_address address = member->addresses[i];
        uint32_t to = i;

        while (to > 0 && span_compare(address.host, member->addresses[to - 1].host) < 0) {
            member->addresses[to] = member->addresses[to - 1];
            to--;
        }
        member->addresses[to] = address;
    }
}

/* Print the canonical line and the addresses to dial. */
static void line_finish(struct line_parser *parser, struct member *member)
{
    struct text *text = parser->text;
    const char *from = text->at + text->len;

    for (uint32_t i = 0; i < member->address_count; i++) {
        struct member_address *address = &member->addresses[i];

        text_str(text, i == 0 ? "" : "|");
        address->quorum = line_print_address(text, address->host, address->quorum_port);
        text_char(text, ':');
        text_u64(text, address->election_port);
    }
    text_str(text, member->role == MEMBER_OBSERVER ? ":observer" : ":participant");
    if (member->client.len > 0) {
        text_char(text, ';');
        text_span(text, member->client);
    }
    member->line = span_make(from, (size_t)(text->at + text->len - from));
    for (uint32_t i = 0; i < member->address_count; i++) {
        struct member_address *address = &member->addresses[i];
        bool in_brackets = address->quorum.at[0] == '[';

        address->election = line_print_address(text, address->host, address->election_port);
        address->host = span_make(address->election.at + (in_brackets ? 1 : 0), address->host.len);
    }
}

const char *member_parse(struct member *member, struct span value, struct text *text)
{
    struct line_parser parser = {.rest = value, .text = text};

    do {
        if (member->address_count == MEMBER_ADDRESSES_MAX) {
            return "has more than 4 addresses";
        }
        if (!line_address(&parser, &member->addresses[member->address_count])) {
            return parser.why;
        }
        member->address_count++;
    } while (line_skip(&parser, '|'));
    if (line_skip(&parser, ';') && !line_client(&parser, member)) {
        return parser.why;
    }
    if (parser.rest.len > 0) {
        return "has text behind its end";
    }
    member->role = parser.has_role ? parser.role : MEMBER_PARTICIPANT;
    line_sort_addresses(member);
    line_finish(&parser, member);
    ENSURE(!text->cut);
    return NULL;
}

size_t member_text_max(size_t len)
{
    /* The canonical line, the election addresses and the client address: each at most the line and
     * what it may leave out. Numbers do not grow. */
    return 4 * len + 80;
}
