#include "help_store_case.h"

#include <stdio.h>
#include <stdlib.h>

struct rig *rig;
struct mem_heap case_heap;

void case_begin(void)
{
    mem_heap_init(&case_heap, UINT64_MAX);
    rig = rig_make();
}

void case_end(void)
{
    rig_drop(rig);
    ck_assert_uint_eq(case_heap.mem.used_bytes, 0);
}

int64_t case_zxid(int64_t epoch, uint32_t counter)
{
    return zxid_make(epoch, counter);
}

void case_append(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_append(rig);
    }
    rig_idle(rig);
}

void case_start(uint32_t count)
{
    rig_boot(rig);
    rig_set_epoch(rig, 1);
    case_append(count);
}

void case_start_three_files(void)
{
    case_start(3);
    case_restart();
    rig_check(rig, "three files");
    case_append(3);
    case_restart();
    rig_check(rig, "three files");
    case_append(3);
    rig_kill(rig);
}

void case_restart(void)
{
    rig_kill(rig);
    disk_power_loss(rig->disk, DISK_LOSE);
    rig_boot(rig);
}

void case_expect_refused(const char *file, const char *why)
{
    ck_assert_int_eq(store_state(rig->store), STORE_REFUSED);
    ck_assert_msg(strstr(store_why(rig->store), file) != NULL, "%s", store_why(rig->store));
    ck_assert_msg(strstr(store_why(rig->store), why) != NULL, "%s", store_why(rig->store));
    ck_assert(rig->bits & STORE_GAVE_UP);
}

struct span case_file(enum file_dir dir, const char *name)
{
    struct disk_file *file = disk_find(rig->disk, dir, name);

    ck_assert_msg(file != NULL, "%s is missing", name);
    return span_make(file->at, file->len);
}

void case_put_vector(enum file_dir dir, const char *name)
{
    char path[512];
    uint8_t *at = malloc(1 << 20);
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "%s/tests/vectors/disk/%s", SOURCE_DIR, name);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    len = fread(at, 1, 1 << 20, file);
    fclose(file);
    disk_put(rig->disk, dir, name, span_make(at, len));
    free(at);
}

void case_damage(enum file_dir dir, const char *name, size_t offset)
{
    struct span span = case_file(dir, name);
    uint8_t *copy = malloc(span.len);

    memcpy(copy, span.at, span.len);
    ck_assert_uint_lt(offset, span.len);
    copy[offset] ^= 0x55;
    disk_put(rig->disk, dir, name, span_make(copy, span.len));
    free(copy);
}

void case_resize(enum file_dir dir, const char *name, size_t len)
{
    struct span span = case_file(dir, name);
    uint8_t *copy = calloc(1, len + 1);

    memcpy(copy, span.at, span.len < len ? span.len : len);
    disk_put(rig->disk, dir, name, span_make(copy, len));
    free(copy);
}

void case_put_part(enum file_dir dir, const char *name, const struct bytes *whole, size_t len)
{
    ck_assert_uint_le(len, whole->len);
    disk_put(rig->disk, dir, name, span_make(whole->at, len));
}

void case_erase(enum file_dir dir, const char *name)
{
    struct effect list = {.kind = FX_REMOVE, .id = (uint32_t)dir, .name = span_text(name)};
    struct fx fx = {.list = &list, .count = 1};
    struct input in;

    (void)case_file(dir, name);
    disk_run(rig->disk, &fx);
    while (disk_answer(rig->disk, &in)) {
    }
}

TCase *case_add(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, case_begin, case_end);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}
