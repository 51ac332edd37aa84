#include "protocol/client_state.h"

#include "base/text.h"

#define DEFAULT_TIMEOUT_MS 6000u
#define DEFAULT_QUEUE_MAX  10000u
#define QUEUE_MAX          (1u << 20)
#define TIMEOUT_MAX_MS     (24u * 3600 * 1000)
#define CHROOT_MAX         1024u

/* Cut the part before the next byte of `marks` off *rest; false at the end. */
static bool client_config_cut(struct span *rest, const char *marks, struct span *part)
{
    size_t len = 0;

    if (rest->len == 0) {
        return false;
    }
    while (len < rest->len && (rest->at[len] == 0 || strchr(marks, rest->at[len]) == NULL)) {
        len++;
    }
    *part = span_make(rest->at, len);
    len += len < rest->len ? 1 : 0;
    rest->at += len;
    rest->len -= len;
    return true;
}

/* Does "name", "name:port", "[v6]" or "[v6]:port" lack its port? */
static bool client_host_lacks_port(struct span host)
{
    size_t i = host.len;

    while (i > 0 && host.at[i - 1] != ':' && host.at[i - 1] != ']') {
        i--;
    }
    return i == 0 || host.at[i - 1] == ']';
}

static enum err client_config_hosts(struct client_config *config, struct span value)
{
    struct span part;

    while (client_config_cut(&value, ",", &part)) {
        struct client_host *host = &config->hosts[config->host_count];
        struct text text;

        if (part.len == 0) {
            return ERR_FORMAT;
        }
        if (config->host_count == CLIENT_HOSTS_MAX) {
            return ERR_LONG;
        }
        text_init(&text, host->text, sizeof host->text);
        text_span(&text, part);
        text_str(&text, client_host_lacks_port(part) ? ":2181" : "");
        if (text.cut) {
            return ERR_LONG;
        }
        host->len = (uint32_t)text.len;
        config->host_count++;
    }
    return config->host_count == 0 ? ERR_FORMAT : ERR_OK;
}

/* hosts=a:1,b:2/chroot */
static enum err client_config_connect(struct client_config *config, struct mem *mem,
                                      struct span value)
{
    struct span chroot;
    size_t len = 0;

    if (config->hosts != NULL) {
        return ERR_EXISTS;
    }
    while (len < value.len && value.at[len] != '/') {
        len++;
    }
    chroot = span_make(value.at + len, value.len - len);
    while (chroot.len > 0 && chroot.at[chroot.len - 1] == '/') {
        chroot.len--;
    }
    if (chroot.len > CHROOT_MAX) {
        return ERR_LONG;
    }
    config->hosts = mem_get_zero(mem, CLIENT_HOSTS_MAX * sizeof *config->hosts);
    if (config->hosts == NULL) {
        return ERR_MEMORY;
    }
    if (chroot.len > 0) {
        config->chroot = mem_get(mem, chroot.len);
        if (config->chroot == NULL) {
            return ERR_MEMORY;
        }
        memcpy(config->chroot, chroot.at, chroot.len);
        config->chroot_len = (uint32_t)chroot.len;
    }
    return client_config_hosts(config, span_make(value.at, len));
}

static enum err client_config_number(struct span value, uint32_t max, uint32_t *number)
{
    uint64_t parsed;
    enum err err = text_parse_u64(value, &parsed);

    if (err != ERR_OK) {
        return err;
    }
    if (parsed == 0 || parsed > max) {
        return ERR_RANGE;
    }
    *number = (uint32_t)parsed;
    return ERR_OK;
}

/* One of two words. */
static enum err client_config_choice(struct span value, const char *no, const char *yes,
                                     bool *chosen)
{
    if (!span_is(value, no) && !span_is(value, yes)) {
        return ERR_UNKNOWN;
    }
    *chosen = span_is(value, yes);
    return ERR_OK;
}

static enum err client_config_word(struct client_config *config, struct mem *mem, struct span word)
{
    struct span value = word;
    struct span key = wire_empty();

    (void)client_config_cut(&value, "=", &key);
    if (span_is(key, "hosts")) {
        return client_config_connect(config, mem, value);
    }
    if (span_is(key, "timeout")) {
        return client_config_number(value, TIMEOUT_MAX_MS, &config->timeout_ms);
    }
    if (span_is(key, "queue")) {
        return client_config_number(value, QUEUE_MAX, &config->queue_max);
    }
    if (span_is(key, "order")) {
        return client_config_choice(value, "shuffle", "fixed", &config->fixed_order);
    }
    if (span_is(key, "start")) {
        return client_config_choice(value, "boot", "ask", &config->start_by_ask);
    }
    if (span_is(key, "reopen")) {
        return client_config_choice(value, "no", "yes", &config->reopen);
    }
    if (span_is(key, "readonly")) {
        return client_config_choice(value, "no", "yes", &config->read_only);
    }
    return ERR_UNKNOWN;
}

enum err client_config_read(struct client_config *config, struct mem *mem, struct span text)
{
    struct span word;
    enum err err = ERR_OK;

    *config =
        (struct client_config){.timeout_ms = DEFAULT_TIMEOUT_MS, .queue_max = DEFAULT_QUEUE_MAX};
    while (err == ERR_OK && client_config_cut(&text, " \t\r\n", &word)) {
        if (word.len > 0) {
            err = client_config_word(config, mem, word);
        }
    }
    if (err == ERR_OK && config->hosts == NULL) {
        err = ERR_MISSING;
    }
    return err;
}
