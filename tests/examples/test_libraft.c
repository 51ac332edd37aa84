/* The adapter of libraft: its bytes, its files, its first steps. Built only with the library. */
#include "base/mem.h"
#include "base/rand.h"
#include "examples/libraft/libraft.h"
#include "examples/libraft/libraft_server.h"
#include "examples/libraft/libraft_wire.h"
#include "tests/expect.h"

static struct mem *fresh_heap(void)
{
    static struct mem_heap heap;

    raft_heap_set_default();
    mem_heap_init(&heap, UINT64_MAX);
    return &heap.mem;
}

static void entry_set(struct raft_entry *entry, raft_term term, unsigned short type,
                      const char *data)
{
    memset(entry, 0, sizeof(*entry));
    entry->term = term;
    entry->type = type;
    entry->buf.len = strlen(data);
    entry->buf.base = raft_malloc(entry->buf.len + 1);
    memcpy(entry->buf.base, data, entry->buf.len + 1);
}

static void message_drop(struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    }
    if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    }
}

/* Encode, decode, encode again: the same bytes. Every part of them is refused without a leak. */
static void round_trip(const struct raft_message *message)
{
    struct mem *mem = fresh_heap();
    struct raft_message back;
    struct bytes first;
    struct bytes second;

    bytes_init(&first, mem);
    bytes_init(&second, mem);
    libraft_wire_encode(message, &first);
    EXPECT(!first.failed);
    EXPECT(libraft_wire_decode(bytes_span(&first), &back) == ERR_OK);
    EXPECT(back.type == message->type);
    libraft_wire_encode(&back, &second);
    EXPECT(span_equal(bytes_span(&first), bytes_span(&second)));
    message_drop(&back);
    for (size_t cut = 0; cut < first.len; cut++) {
        EXPECT(libraft_wire_decode(span_make(first.at, cut), &back) != ERR_OK);
    }
    bytes_u8(&first, 0);
    EXPECT(libraft_wire_decode(bytes_span(&first), &back) != ERR_OK);
    bytes_drop(&first);
    bytes_drop(&second);
}

START_TEST(test_append_entries_survive_their_bytes)
{
    struct raft_entry entries[3];
    struct raft_message message = {.type = RAFT_IO_APPEND_ENTRIES};

    raft_heap_set_default();
    entry_set(&entries[0], 3, RAFT_COMMAND, "first");
    entry_set(&entries[1], 3, RAFT_BARRIER, "");
    entry_set(&entries[2], 4, RAFT_CHANGE, "third one");
    message.append_entries = (struct raft_append_entries){.term = 4,
                                                          .prev_log_index = 108,
                                                          .prev_log_term = 2,
                                                          .leader_commit = 107,
                                                          .entries = entries,
                                                          .n_entries = 3};
    round_trip(&message);
    message.append_entries.n_entries = 0;
    round_trip(&message);
    for (uint32_t i = 0; i < 3; i++) {
        raft_free(entries[i].buf.base);
    }
}
END_TEST

START_TEST(test_entries_share_one_batch)
{
    struct mem *mem = fresh_heap();
    struct raft_entry entries[2];
    struct raft_message message = {.type = RAFT_IO_APPEND_ENTRIES};
    struct raft_message back;
    struct bytes bytes;

    entry_set(&entries[0], 1, RAFT_COMMAND, "ab");
    entry_set(&entries[1], 1, RAFT_COMMAND, "cde");
    message.append_entries.entries = entries;
    message.append_entries.n_entries = 2;
    bytes_init(&bytes, mem);
    libraft_wire_encode(&message, &bytes);
    EXPECT(libraft_wire_decode(bytes_span(&bytes), &back) == ERR_OK);

    EXPECT(back.append_entries.entries[0].batch == back.append_entries.entries[1].batch);
    EXPECT(memcmp(back.append_entries.entries[1].buf.base, "cde", 3) == 0);
    EXPECT(back.append_entries.entries[1].buf.len == 3);
    message_drop(&back);
    bytes_drop(&bytes);
    raft_free(entries[0].buf.base);
    raft_free(entries[1].buf.base);
}
END_TEST

START_TEST(test_small_messages_survive_their_bytes)
{
    struct raft_message message = {.type = RAFT_IO_APPEND_ENTRIES_RESULT};

    message.append_entries_result =
        (struct raft_append_entries_result){.term = 5, .rejected = 9, .last_log_index = 122};
    round_trip(&message);
    message = (struct raft_message){.type = RAFT_IO_REQUEST_VOTE};
    message.request_vote = (struct raft_request_vote){.term = 6,
                                                      .candidate_id = 2,
                                                      .last_log_index = 7,
                                                      .last_log_term = 5,
                                                      .disrupt_leader = true,
                                                      .pre_vote = false};
    round_trip(&message);
    message = (struct raft_message){.type = RAFT_IO_REQUEST_VOTE_RESULT};
    message.request_vote_result = (struct raft_request_vote_result){
        .term = 6, .vote_granted = true, .pre_vote = raft_tribool_false};
    round_trip(&message);
    message = (struct raft_message){.type = RAFT_IO_TIMEOUT_NOW};
    message.timeout_now =
        (struct raft_timeout_now){.term = 8, .last_log_index = 3, .last_log_term = 2};
    round_trip(&message);
}
END_TEST

START_TEST(test_snapshots_survive_their_bytes)
{
    struct raft_message message = {.type = RAFT_IO_INSTALL_SNAPSHOT};
    struct raft_install_snapshot *args = &message.install_snapshot;
    char data[] = "state";

    raft_heap_set_default();
    args->term = 3;
    args->last_index = 50;
    args->last_term = 2;
    args->conf_index = 1;
    raft_configuration_init(&args->conf);
    EXPECT(raft_configuration_add(&args->conf, 1, "s1", RAFT_VOTER) == 0);
    EXPECT(raft_configuration_add(&args->conf, 2, "s2", RAFT_SPARE) == 0);
    args->data = (struct raft_buffer){.base = data, .len = 5};
    round_trip(&message);
    raft_configuration_close(&args->conf);
}
END_TEST

START_TEST(test_impossible_fields_are_refused)
{
    struct mem *mem = fresh_heap();
    struct raft_message back;
    struct bytes bytes;

    bytes_init(&bytes, mem);
    bytes_u8(&bytes, 9); /* no such type */
    EXPECT(libraft_wire_decode(bytes_span(&bytes), &back) == ERR_FORMAT);
    bytes_clear(&bytes);
    bytes_u8(&bytes, RAFT_IO_APPEND_ENTRIES);
    bytes_fill(&bytes, 0, 32);
    bytes_u32(&bytes, 0xffffffff); /* more entries than bytes */
    bytes_fill(&bytes, 0, 64);
    EXPECT(libraft_wire_decode(bytes_span(&bytes), &back) != ERR_OK);
    bytes_clear(&bytes);
    bytes_u8(&bytes, RAFT_IO_REQUEST_VOTE_RESULT);
    bytes_u64(&bytes, 1);
    bytes_u8(&bytes, 7); /* no truth */
    bytes_u8(&bytes, 0);
    EXPECT(libraft_wire_decode(bytes_span(&bytes), &back) == ERR_FORMAT);
    bytes_drop(&bytes);
}
END_TEST

/* ---- files ---- */

static void disk_fill(struct libraft_disk *disk, struct mem *mem, uint32_t count)
{
    libraft_disk_init(disk, mem);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry;

        entry_set(&entry, 1 + i / 3, RAFT_COMMAND, i % 2 == 0 ? "even" : "odd one");
        EXPECT(libraft_disk_append(disk, &entry) == ERR_OK);
        raft_free(entry.buf.base);
    }
}

static void disk_drop(struct libraft_disk *disk)
{
    bytes_drop(&disk->log);
    bytes_drop(&disk->snapshot);
    mem_put(disk->mem, disk->offsets, disk->room * sizeof(*disk->offsets));
}

START_TEST(test_a_log_is_read_up_to_its_first_damage)
{
    struct mem *mem = fresh_heap();
    struct libraft_disk disk;
    struct libraft_disk again;

    disk_fill(&disk, mem, 7);
    for (size_t cut = 0; cut <= disk.log.len; cut++) {
        uint32_t whole = 0;

        while (whole < disk.count &&
               (whole + 1 < disk.count ? disk.offsets[whole + 1] : disk.log.len) <= cut) {
            whole++;
        }
        libraft_disk_init(&again, mem);
        EXPECT(libraft_disk_read_log(&again, span_make(disk.log.at, cut)) == ERR_OK);
        EXPECT(again.count == whole);
        EXPECT(again.log.len == (whole == disk.count ? disk.log.len : disk.offsets[whole]));
        disk_drop(&again);
    }
    for (size_t at = 0; at < disk.log.len; at++) {
        disk.log.at[at] ^= 1;
        libraft_disk_init(&again, mem);
        EXPECT(libraft_disk_read_log(&again, bytes_span(&disk.log)) == ERR_OK);
        EXPECT(again.count < disk.count);
        disk_drop(&again);
        disk.log.at[at] ^= 1;
    }
    disk_drop(&disk);
}
END_TEST

START_TEST(test_truncating_and_trimming_keep_the_rest)
{
    struct mem *mem = fresh_heap();
    struct libraft_disk disk;
    struct libraft_disk again;

    disk_fill(&disk, mem, 9);
    libraft_disk_truncate(&disk, 8);
    EXPECT(disk.count == 7);
    libraft_disk_trim(&disk, 4);
    EXPECT(disk.first == 4 && disk.count == 4);
    EXPECT(libraft_disk_term_of(&disk, 3) == 0);
    EXPECT(libraft_disk_term_of(&disk, 4) == 2);
    EXPECT(libraft_disk_term_of(&disk, 7) == 3);
    EXPECT(libraft_disk_term_of(&disk, 8) == 0);
    libraft_disk_init(&again, mem);
    EXPECT(libraft_disk_read_log(&again, bytes_span(&disk.log)) == ERR_OK);
    EXPECT(again.first == 4 && again.count == 4);
    libraft_disk_trim(&disk, 20);
    EXPECT(disk.first == 20 && disk.count == 0 && disk.log.len == 0);
    disk_drop(&again);
    disk_drop(&disk);
}
END_TEST

START_TEST(test_entries_come_back_as_they_were)
{
    struct mem *mem = fresh_heap();
    struct libraft_disk disk;
    struct raft_entry *entries;
    size_t count;

    disk_fill(&disk, mem, 5);
    EXPECT(libraft_disk_entries(&disk, 2, &entries, &count) == ERR_OK);
    EXPECT(count == 4);
    EXPECT(entries[0].term == 1 && entries[0].buf.len == 7);
    EXPECT(memcmp(entries[0].buf.base, "odd one", 7) == 0);
    EXPECT(entries[3].term == 2 && memcmp(entries[3].buf.base, "even", 4) == 0);
    raft_free(entries[0].batch);
    raft_free(entries);
    EXPECT(libraft_disk_entries(&disk, 6, &entries, &count) == ERR_OK);
    EXPECT(count == 0 && entries == NULL);
    disk_drop(&disk);
}
END_TEST

START_TEST(test_a_snapshot_file_is_checked)
{
    struct mem *mem = fresh_heap();
    struct libraft_disk disk;
    struct libraft_disk again;
    char state[] = "0123456789";
    struct raft_buffer buf = {.base = state, .len = 10};
    struct raft_snapshot snapshot = {
        .index = 30, .term = 4, .configuration_index = 1, .bufs = &buf, .n_bufs = 1};
    struct raft_snapshot *back;

    raft_configuration_init(&snapshot.configuration);
    EXPECT(raft_configuration_add(&snapshot.configuration, 3, "s3", RAFT_VOTER) == 0);
    libraft_disk_init(&disk, mem);
    EXPECT(libraft_disk_put_snapshot(&disk, &snapshot) == ERR_OK);
    libraft_disk_init(&again, mem);
    EXPECT(libraft_disk_read_snapshot(&again, bytes_span(&disk.snapshot)) == ERR_OK);
    EXPECT(libraft_disk_get_snapshot(&again, &back) == ERR_OK);
    EXPECT(back->index == 30 && back->term == 4 && back->n_bufs == 1);
    EXPECT(back->configuration.n == 1 && back->configuration.servers[0].id == 3);
    EXPECT(back->bufs[0].len == 10 && memcmp(back->bufs[0].base, state, 10) == 0);
    for (size_t at = 0; at < disk.snapshot.len; at++) {
        disk.snapshot.at[at] ^= 4;
        EXPECT(libraft_disk_read_snapshot(&again, bytes_span(&disk.snapshot)) == ERR_CHECKSUM);
        disk.snapshot.at[at] ^= 4;
    }
    raft_configuration_close(&back->configuration);
    raft_free(back->bufs[0].base);
    raft_free(back->bufs);
    raft_free(back);
    raft_configuration_close(&snapshot.configuration);
    disk_drop(&again);
    disk_drop(&disk);
}
END_TEST

/* ---- steps ---- */

static _Alignas(16) uint8_t memory[4u << 20];

START_TEST(test_a_fresh_server_writes_its_term_last)
{
    struct mem *mem = mem_region_mem(mem_region_init(memory, sizeof(memory), 0x77));
    struct libraft_config config = {.id = 1,
                                    .servers = 3,
                                    .election_ms = 1000,
                                    .heartbeat_ms = 100,
                                    .snapshot_entries = 10,
                                    .trailing_entries = 1};
    struct input boot = {.kind = IN_BOOT, .mono_us = 5, .boot = {.seed = 6}};
    struct bytes bytes;
    struct fx fx;
    void *self;

    bytes_init(&bytes, mem);
    libraft_config_write(&config, &bytes);
    self = libraft_ops.make(mem, bytes_span(&bytes));
    EXPECT(self != NULL);
    fx_init(&fx, mem);
    fx_clear(&fx);
    libraft_ops.step(self, &boot, &fx);

    EXPECT(fx.count >= 2);
    EXPECT(fx.list[0].kind == FX_REPLACE && span_is(fx.list[0].name, LIBRAFT_FILE_LOG));
    EXPECT(fx.list[1].kind == FX_REPLACE && span_is(fx.list[1].name, LIBRAFT_FILE_TERM));
    EXPECT(fx.wake_us > 5 && fx.wake_us <= 100006);
}
END_TEST

START_TEST(test_a_configuration_that_cannot_run_is_refused)
{
    struct mem *mem = mem_region_mem(mem_region_init(memory, sizeof(memory), 0x77));
    struct libraft_config config = {
        .id = 4, .servers = 3, .election_ms = 1000, .heartbeat_ms = 100};
    struct bytes bytes;

    bytes_init(&bytes, mem);
    libraft_config_write(&config, &bytes);
    EXPECT(libraft_ops.make(mem, bytes_span(&bytes)) == NULL);
    EXPECT(libraft_ops.make(mem, span_make(bytes.at, 7)) == NULL);
}
END_TEST

Suite *suite_libraft(void)
{
    Suite *suite = suite_create("libraft");
    TCase *wire = tcase_create("wire");
    TCase *disk = tcase_create("disk");
    TCase *steps = tcase_create("steps");

    tcase_add_test(wire, test_append_entries_survive_their_bytes);
    tcase_add_test(wire, test_entries_share_one_batch);
    tcase_add_test(wire, test_small_messages_survive_their_bytes);
    tcase_add_test(wire, test_snapshots_survive_their_bytes);
    tcase_add_test(wire, test_impossible_fields_are_refused);
    tcase_add_test(disk, test_a_log_is_read_up_to_its_first_damage);
    tcase_add_test(disk, test_truncating_and_trimming_keep_the_rest);
    tcase_add_test(disk, test_entries_come_back_as_they_were);
    tcase_add_test(disk, test_a_snapshot_file_is_checked);
    tcase_add_test(steps, test_a_fresh_server_writes_its_term_last);
    tcase_add_test(steps, test_a_configuration_that_cannot_run_is_refused);
    suite_add_tcase(suite, wire);
    suite_add_tcase(suite, disk);
    suite_add_tcase(suite, steps);
    return suite;
}
