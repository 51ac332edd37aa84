/* zk_history.c - `history s1 epoch=1 zxid=8`: what lies on the disk of a server before the start.
 *
 * The files are written through the functions of the store, the tree and its images. Transaction
 * (e,c) creates the node /h<e>-<c> with the data "e:c", in every file alike, so that equal
 * prefixes agree. A history is a list of epochs with their last counters, "1:8,2:3": eight
 * transactions of epoch 1, then three of epoch 2. Which transaction of epoch 1 the first one of
 * epoch 2 follows is the same for all servers: whoever says otherwise is refused, since an epoch
 * has one leader, and that leader began with one history. */
#include "base/hash.h"
#include "protocol/store_log.h"
#include "sim/zk/zk_guest.h"
#include "sim/zk/zk_tables.h"
#include "tree/digest.h"
#include "tree/image.h"

#define HISTORY_TXNS_MAX 1000000
#define HISTORY_TIME_MS  1000000000000 /* 2001-09-09; one millisecond a transaction */

enum history_param {
    HISTORY_WHO,
    HISTORY_ZXID,
    HISTORY_EPOCH,
    HISTORY_ACCEPTED,
    HISTORY_TAIL,
    HISTORY_SNAPSHOT,
    HISTORY_PARAMS
};
static const struct guest_param history_params[] = {
    [HISTORY_WHO] = {.name = "WHO", .kind = GUEST_ROLE},
    [HISTORY_ZXID] = {.name = "zxid",
                      .kind = GUEST_WORD,
                      .flags = GUEST_KEYED,
                      .standard = "0",
                      .help = "last one: COUNTER, or EPOCH:COUNTER,... for several epochs"},
    [HISTORY_EPOCH] = {.name = "epoch",
                       .kind = GUEST_NUMBER,
                       .flags = GUEST_KEYED,
                       .help = "currentEpoch; that of the last zxid without it"},
    [HISTORY_ACCEPTED] = {.name = "accepted",
                          .kind = GUEST_NUMBER,
                          .flags = GUEST_KEYED,
                          .help = "acceptedEpoch; as epoch without it"},
    [HISTORY_TAIL] = {.name = "tail",
                      .kind = GUEST_NUMBER,
                      .flags = GUEST_KEYED,
                      .standard = "0",
                      .help = "so many more proposals that reached this server"},
    [HISTORY_SNAPSHOT] = {.name = "snapshot",
                          .kind = GUEST_WORD,
                          .flags = GUEST_KEYED,
                          .help = "EPOCH:COUNTER of a snapshot; the log begins behind it"},
};
_Static_assert(sizeof(history_params) / sizeof(history_params[0]) == HISTORY_PARAMS, "");

/* One server's disk while it is written. */
struct past {
    struct zk_run *zk;
    struct tree *tree;
    struct tree_result result;
    struct bytes log;      /* file */
    struct bytes image;    /* of the snapshot */
    struct bytes txn;      /* scratch */
    int64_t log_first;     /* zxid of its first record, 0 none yet */
    int64_t last;          /* zxid reached */
    int64_t snapshot;      /* wanted */
    int64_t snapshot_done; /* written: -1 not yet */
    int64_t count;         /* transactions so far: their time */
};

/* ---- parts of the parameters ---- */

static bool take_number(struct span *rest, int64_t *number)
{
    size_t len = 0;
    uint64_t value;

    while (len < rest->len && rest->at[len] >= '0' && rest->at[len] <= '9') {
        len++;
    }
    if (text_parse_u64(span_make(rest->at, len), &value) != ERR_OK || value > UINT32_MAX) {
        return false;
    }
    *number = (int64_t)value;
    *rest = span_make(rest->at + len, rest->len - len);
    return true;
}

static bool take_char(struct span *rest, char c)
{
    if (rest->len == 0 || rest->at[0] != (uint8_t)c) {
        return false;
    }
    *rest = span_make(rest->at + 1, rest->len - 1);
    return true;
}

/* The next `E:C` of a list; a lone `C` belongs to `epoch`. */
static bool take_zxid(struct span *rest, int64_t epoch, int64_t *zxid)
{
    int64_t first;
    int64_t counter;

    if (!take_number(rest, &first)) {
        return false;
    }
    if (!take_char(rest, ':')) {
        *zxid = zxid_make(epoch, (uint32_t)first);
        return true;
    }
    if (first > INT32_MAX || !take_number(rest, &counter)) {
        return false;
    }
    *zxid = zxid_make(first, (uint32_t)counter);
    return true;
}

/* ---- writing ---- */

static enum err write_snapshot(struct past *past)
{
    struct image_options options = {.form = IMAGE_FILE,
                                    .no_digest = !past->zk->config.digest_enabled,
                                    .no_zxid = !past->zk->config.serialize_last_zxid ||
                                               past->zk->config.compat == CONFIG_COMPAT_38};
    struct image_writer *writer;
    bool done = false;
    enum err err = image_writer_make(past->tree, &options, &writer);

    if (err != ERR_OK) {
        return err;
    }
    bytes_clear(&past->image);
    while (err == ERR_OK && !done) {
        err = image_write(writer, &past->image, IMAGE_PIECE, &done);
    }
    image_writer_drop(writer);
    past->snapshot_done = tree_zxid(past->tree);
    return err;
}

static void txn_fill(const struct past *past, struct txn *txn, struct text *path, struct text *data,
                     int64_t zxid)
{
    text_str(path, "/h");
    text_i64(path, zxid_epoch(zxid));
    text_char(path, '-');
    text_u64(path, zxid_counter(zxid));
    zk_text_zxid(data, zxid);
    *txn = (struct txn){
        .header = {.client_id = 1,
                   .cxid = (int32_t)(zxid_counter(zxid) & INT32_MAX),
                   .zxid = zxid,
                   .time = HISTORY_TIME_MS + past->count,
                   .type = OP_CREATE},
        .create = {.path = span_make(path->at, path->len),
                   .data = {.span = span_make(data->at, data->len)},
                   .acl = acl_open(),
                   .parent_cversion = tree_find(past->tree, span_text("/"))->cversion + 1},
    };
}

/* The ledger learns of it; false when it knows another one. */
static bool txn_register(struct past *past, const struct txn *txn)
{
    struct zk_txn *entry = zk_ledger_put(&past->zk->ledger, txn->header.zxid);
    uint64_t hash = hash_bytes(bytes_span(&past->txn), 0);

    if (entry == NULL) {
        return false;
    }
    if (entry->hash != 0 && entry->hash != hash) {
        return false;
    }
    entry->hash = hash;
    entry->session = txn->header.client_id;
    entry->cxid = txn->header.cxid;
    entry->type = txn->header.type;
    entry->has_digest = true;
    entry->digest = tree_digest(past->tree);
    return true;
}

static enum err write_txn(struct past *past, int64_t zxid)
{
    char path_room[48];
    char data_room[48];
    struct text path;
    struct text data;
    struct txn txn;
    enum err err;

    text_init(&path, path_room, sizeof(path_room));
    text_init(&data, data_room, sizeof(data_room));
    past->count++;
    txn_fill(past, &txn, &path, &data, zxid);
    err = tree_apply(past->tree, &txn, &past->result);
    if (err != ERR_OK) {
        return err;
    }
    txn.has_digest = past->zk->config.digest_enabled;
    txn.digest_version = DIGEST_VERSION;
    txn.digest = tree_digest(past->tree);
    bytes_clear(&past->txn);
    txn_encode(&past->txn, &txn);
    if (past->txn.failed || !txn_register(past, &txn)) {
        return past->txn.failed ? ERR_MEMORY : ERR_ORDER;
    }
    past->last = zxid;
    if (zxid == past->snapshot) {
        return write_snapshot(past);
    }
    if (zxid > past->snapshot) {
        if (past->log_first == 0) {
            past->log_first = zxid;
            log_put_header(&past->log);
        }
        log_put_record(&past->log, bytes_span(&past->txn));
    }
    return past->log.failed ? ERR_MEMORY : ERR_OK;
}

/* All transactions of one epoch up to `last`. */
static enum err write_epoch(struct past *past, int64_t last)
{
    struct zk_epoch *epoch = zk_ledger_put_epoch(&past->zk->ledger, zxid_epoch(last));
    enum err err = ERR_OK;

    if (epoch == NULL) {
        return ERR_MEMORY;
    }
    if (zxid_counter(last) > HISTORY_TXNS_MAX - past->count) {
        return ERR_LONG;
    }
    if (epoch->has_base && epoch->base != past->last) {
        return ERR_ORDER;
    }
    epoch->has_base = true;
    epoch->base = past->last;
    for (int64_t zxid = zxid_make(zxid_epoch(last), 1); err == ERR_OK && zxid <= last; zxid++) {
        err = write_txn(past, zxid);
    }
    return err;
}

/* The whole list, and the tail behind it. */
static enum err write_txns(struct past *past, const struct guest_value *values)
{
    struct span rest = values[HISTORY_ZXID].text;
    int64_t epoch = values[HISTORY_EPOCH].given ? values[HISTORY_EPOCH].number : 1;
    enum err err = ERR_OK;
    int64_t zxid = 0;

    while (err == ERR_OK && rest.len > 0) {
        if (!take_zxid(&rest, epoch, &zxid) ||
            (rest.len > 0 && (!take_char(&rest, ',') || rest.len == 0))) {
            return ERR_FORMAT;
        }
        if (rest.len == 0) {
            zxid += values[HISTORY_TAIL].number;
        }
        if (zxid_epoch(zxid) <= zxid_epoch(past->last) && past->last != 0) {
            return ERR_ORDER;
        }
        if (zxid_counter(zxid) > 0) {
            err = write_epoch(past, zxid);
        }
    }
    return err;
}

static enum err put_epoch(struct past *past, uint32_t process, const char *name, int64_t epoch)
{
    char digits[24];
    struct text text;

    text_init(&text, digits, sizeof(digits));
    text_i64(&text, epoch);
    return sim_file_put(past->zk->run->sim, process, DIR_DATA, span_text(name),
                        span_make(digits, text.len));
}

static enum err put_file(struct past *past, uint32_t process, enum file_dir dir, const char *kind,
                         int64_t zxid, const struct bytes *bytes)
{
    char name[48];
    struct text text;

    text_init(&text, name, sizeof(name));
    text_str(&text, kind);
    text_hex(&text, (uint64_t)zxid);
    return sim_file_put(past->zk->run->sim, process, dir, span_make(name, text.len),
                        bytes_span(bytes));
}

static enum err put_disk(struct past *past, uint32_t process, const struct guest_value *values)
{
    struct zk_server *server = &past->zk->servers[process];
    int64_t current =
        values[HISTORY_EPOCH].given ? values[HISTORY_EPOCH].number : zxid_epoch(past->last);
    int64_t accepted = values[HISTORY_ACCEPTED].given ? values[HISTORY_ACCEPTED].number : current;
    enum err err;

    if (current < zxid_epoch(past->last) || accepted < current || accepted > INT32_MAX) {
        return ERR_RANGE;
    }
    err = put_file(past, process, DIR_DATA, "snapshot.", past->snapshot_done, &past->image);
    if (err == ERR_OK && past->log.len > 0) {
        err = put_file(past, process, DIR_LOG, "log.", past->log_first, &past->log);
    }
    if (err == ERR_OK) {
        err = put_epoch(past, process, "acceptedEpoch", accepted);
    }
    if (err == ERR_OK) {
        err = put_epoch(past, process, "currentEpoch", current);
    }
    server->accepted = accepted;
    server->current = current;
    server->accepted_durable = accepted;
    server->current_durable = current;
    server->durable = past->last;
    server->promised = past->last;
    return err;
}

static enum err write_disk(struct zk_run *zk, uint32_t process, const struct guest_value *values)
{
    struct mem *mem = zk->run->mem;
    struct tree_options options = {.digest_off = !zk->config.digest_enabled,
                                   .extended_types = zk->config.extended_types,
                                   .emulate_353 = zk->config.emulate_353_ttl};
    struct past past = {.zk = zk, .snapshot_done = -1, .tree = tree_make(mem, &options)};
    struct span snapshot = values[HISTORY_SNAPSHOT].text;
    enum err err = ERR_OK;

    if (past.tree == NULL) {
        return ERR_MEMORY;
    }
    if (values[HISTORY_SNAPSHOT].given &&
        (!take_zxid(&snapshot, values[HISTORY_EPOCH].given ? values[HISTORY_EPOCH].number : 1,
                    &past.snapshot) ||
         snapshot.len > 0)) {
        return ERR_FORMAT;
    }
    tree_result_init(&past.result, mem);
    past.result.quiet = true;
    bytes_init(&past.log, mem);
    bytes_init(&past.image, mem);
    bytes_init(&past.txn, mem);
    if (past.snapshot == 0) {
        err = write_snapshot(&past);
    }
    if (err == ERR_OK) {
        err = write_txns(&past, values);
    }
    if (err == ERR_OK) {
        err = past.snapshot_done < 0 ? ERR_MISSING : put_disk(&past, process, values);
    }
    tree_result_drop(&past.result);
    tree_drop(past.tree);
    return err;
}

static enum err run_history(struct guest_run *run, const struct guest_call *call)
{
    const struct guest_set *set = &call->values[HISTORY_WHO].set;
    enum err err = ERR_OK;

    for (uint32_t p = guest_set_next(set, 0); err == ERR_OK && p != SIM_NONE;
         p = guest_set_next(set, p + 1)) {
        err = guest_is_client(run, p) ? ERR_RANGE : write_disk(run->state, p, call->values);
    }
    return err;
}

const struct guest_verb zk_setups[] = {
    {"history", GUEST_ON_NONE, false, false, history_params, HISTORY_PARAMS,
     "{WHO} has a log up to zxid {zxid}, {tail} more proposals[, in epoch {epoch}][, and has "
     "accepted epoch {accepted}][, with a snapshot at {snapshot}]",
     run_history},
};
_Static_assert(sizeof(zk_setups) / sizeof(zk_setups[0]) == ZK_SETUPS, "zk_tables.h knows how many");
