/* A zoo.cfg from anywhere: parsed or refused with a reason, never more; nothing leaks. */
#include "base/ensure.h"
#include "protocol/config.h"
#include "tests/fuzz/fuzz.h"

static void check_config(struct config *config)
{
    struct config_error error;
    char at[128];
    struct text text;

    ENSURE(config->min_session_ms <= config->max_session_ms);
    ENSURE(config->tick_ms > 0);
    ENSURE(config->other_count <= CONFIG_KEYS_MAX);
    ENSURE(config->standalone || config->membership.voter_count > 0);
    for (uint32_t i = 0; i < config->other_count; i++) {
        ENSURE(config->others[i].line > 0);
    }
    text_init(&text, at, sizeof(at));
    config_client_address(config, &text);
    if (config_set_id(config, span_text("1"), &error) == ERR_OK && !config->standalone) {
        ENSURE(config_own(config)->sid == 1);
        ENSURE(config->init_ticks > 0 && config->sync_ticks > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_error error = {.why = ""};
    struct mem_heap heap;
    struct config config;
    char at[512];
    struct text text;

    mem_heap_init(&heap, UINT64_C(16) << 20);
    if (config_parse(&config, &heap.mem, span_make(data, size), &error) == ERR_OK) {
        check_config(&config);
        config_drop(&config);
    } else {
        ENSURE(error.why[0] != '\0');
        text_init(&text, at, sizeof(at));
        config_error_print(&error, &text);
        ENSURE(text.len > 0);
    }
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
