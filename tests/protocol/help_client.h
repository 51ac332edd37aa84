/* help_client.h - a client on a bench: inputs made by hand, effects read by hand. */
#ifndef TESTS_PROTOCOL_HELP_CLIENT_H
#define TESTS_PROTOCOL_HELP_CLIENT_H

#include "protocol/client.h"
#include "protocol/client_ask.h"

#define MS 1000u

extern struct mem *bench_mem;        /* of the client */
extern struct mem_heap bench_driver; /* of everything else */
extern struct fx bench_fx;           /* of the last step */
extern struct bytes bench_scratch;
extern void *bench_client;
extern uint64_t bench_now_us;

void bench_setup(void);
/* Take the memory of clients from a region, for tests that leave clients behind. */
void bench_use_region(void);
void bench_step(struct input in);
void bench_boot_seed(const char *config, uint64_t seed);
void bench_boot(const char *config);
/* The n-th effect of this kind (and id, unless 0) in the last step, or NULL. */
const struct effect *bench_find(enum fx_kind kind, uint32_t id, uint32_t nth);
uint32_t bench_dialed(const char *host);
/* Let time pass to the wake-up that was asked for. */
void bench_wake(void);
void bench_opened(uint32_t conn);
void bench_closed(uint32_t conn);
void bench_receive(uint32_t conn, struct span span);
void bench_ask(uint64_t tag, const struct wire_request *request);
void bench_ask_path(uint64_t tag, int32_t op, const char *path);
void bench_ask_watch(uint64_t tag, int32_t op, const char *path);
/* The payload of the n-th frame that was sent in the last step. */
struct span bench_sent(uint32_t nth);
/* The n-th frame sent is this request; returns it. */
struct wire_request bench_sent_request(uint32_t nth, int32_t xid, int32_t type);
struct wire_connect bench_sent_connect(void);
void bench_reply_connected(uint32_t conn, int64_t session, int32_t timeout_ms);
void bench_add_reply(const struct wire_reply_header *header, const struct wire_reply *reply);
void bench_reply(uint32_t conn, int32_t xid, int64_t zxid, const struct wire_reply *record);
void bench_reply_error(uint32_t conn, int32_t xid, int32_t code);
void bench_event(uint32_t conn, int32_t type, const char *path);
/* The answer to the ask with this tag in the last step: its code, and the rest in *answer. */
int32_t bench_answered(uint64_t tag, struct client_answer *answer);
void bench_expect_note(uint32_t kind, uint64_t a, const char *text);
/* A connected client with session 0x55. */
uint32_t bench_connect_with(const char *config);
uint32_t bench_connect_plain(void);
/* After a loss: wait, dial, open. */
uint32_t bench_redial(void);
struct zk_stat bench_sample_stat(void);

#endif
