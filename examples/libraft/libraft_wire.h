/* libraft_wire.h - libraft's messages as bytes, field by field.
 *
 * The library's own encoder is private and belongs to its socket code, so the guest has one of its
 * own: a type, then big-endian fields, then entries, each with its length. What arrives is not
 * trusted. */
#ifndef EXAMPLES_LIBRAFT_WIRE_H
#define EXAMPLES_LIBRAFT_WIRE_H

#include "base/bytes.h"
#include "sim/guest.h"

#include <raft.h>

/* Bytes of an entry's data, of a snapshot's data, and of one address. */
#define LIBRAFT_DATA_MAX    32768u
#define LIBRAFT_ADDRESS_MAX 64u

/* Append `message` to `out`; the receiver learns the sender from the datagram. */
void libraft_wire_encode(const struct raft_message *message, struct bytes *out);

/* The message in `span`. What it needs beyond the struct comes from raft_malloc and becomes
 * libraft's when the message is handed to it: entries share one batch, as libraft wants it.
 * server_id and server_address are left to the caller.
 * Errors: ERR_SHORT, ERR_LONG, ERR_FORMAT, ERR_MEMORY; nothing is held then. */
enum err libraft_wire_decode(struct span span, struct raft_message *message);

/* Servers of a configuration: id, role, address. Used by messages and by the snapshot file. */
void libraft_wire_put_configuration(struct bytes *out, const struct raft_configuration *conf);
enum err libraft_wire_get_configuration(struct reader *reader, struct raft_configuration *conf);

/* How the world describes a message; field names in libraft_records. */
extern const struct sim_codec libraft_codec;
#define LIBRAFT_RECORDS 6u
extern const struct guest_record libraft_records[LIBRAFT_RECORDS];

/* Does the message carry an entry whose data has this hash (hash_bytes with seed 0)? */
bool libraft_wire_carries(struct span span, uint64_t hash);

#endif
