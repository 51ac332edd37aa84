/* Trace lines: fixed columns, built from name tables and numbers, so that wording cannot break a
 * test.
 *
 *     time         process  what       peer     name and fields
 *     12.345678    s1       send       s2       PROPOSAL zxid=0x100000001 len=40
 *
 * Level roles has life and death and the notes marked `role`; messages adds every note and the
 * essential records that are sent; full adds every record, input and effect. */
#include "base/ensure.h"
#include "sim/world.h"

#define TRACE_LINE_MAX  512u
#define TRACE_BYTES_MAX 48u /* of content that has no record */

struct trace_line {
    char at[TRACE_LINE_MAX];
    struct text text;
};

/* Spaces up to column `column`, one at least. */
static void trace_pad(struct text *text, size_t column)
{
    do {
        text_char(text, ' ');
    } while (text->len < column && !text->cut);
}

static void trace_begin(const struct sim *sim, struct trace_line *line, uint32_t process,
                        const char *what, uint32_t peer)
{
    struct text *text = &line->text;

    text_init(text, line->at, sizeof(line->at));
    text_u64(text, sim->now_us / 1000000);
    text_char(text, '.');
    text_padded(text, (int64_t)(sim->now_us % 1000000), 6);
    trace_pad(text, 13);
    text_str(text, process == SIM_NONE ? "-" : sim->processes[process]->name);
    trace_pad(text, 22);
    text_str(text, what);
    trace_pad(text, 33);
    text_str(text, peer < sim->process_count ? sim->processes[peer]->name : "-");
    trace_pad(text, 42);
}

static void trace_end(struct sim *sim, struct trace_line *line)
{
    struct text *text = &line->text;

    while (text->len > 0 && text->at[text->len - 1] == ' ') {
        text->at[--text->len] = '\0';
    }
    sim->options.trace_line(sim->options.trace_context, span_make(text->at, text->len));
}

static bool trace_ends_in(const char *name, const char *tail)
{
    size_t len = strlen(name);
    size_t tail_len = strlen(tail);

    return len >= tail_len && strcmp(name + len - tail_len, tail) == 0;
}

/* A space, unless one is there. */
static void trace_gap(struct text *text)
{
    if (text->len > 0 && text->at[text->len - 1] != ' ') {
        text_char(text, ' ');
    }
}

static void trace_field(struct text *text, const char *name, uint64_t value)
{
    if (name == NULL || name[0] == '\0') {
        return;
    }
    trace_gap(text);
    text_str(text, name);
    text_char(text, '=');
    if (trace_ends_in(name, "zxid") || trace_ends_in(name, "epoch") ||
        trace_ends_in(name, "session") || trace_ends_in(name, "hash") ||
        trace_ends_in(name, "digest")) {
        text_str(text, "0x");
        text_hex(text, value);
    } else {
        text_i64(text, (int64_t)value);
    }
}

static void trace_bytes(struct text *text, const char *name, struct span bytes)
{
    trace_gap(text);
    text_str(text, name);
    text_str(text, "=\"");
    text_quoted(text,
                span_make(bytes.at, bytes.len < TRACE_BYTES_MAX ? bytes.len : TRACE_BYTES_MAX));
    text_char(text, '"');
    if (bytes.len > TRACE_BYTES_MAX) {
        trace_field(text, "len", bytes.len);
    }
}

void sim_trace_life(struct sim *sim, const struct sim_process *p, const char *what,
                    const char *detail)
{
    struct trace_line line;

    trace_begin(sim, &line, p->index, what, SIM_NONE);
    text_str(&line.text, detail);
    trace_end(sim, &line);
}

void sim_trace_record(struct sim *sim, const struct sim_event *event, const char *what)
{
    const struct sim_record *record = event->record;
    struct trace_line line;

    if (!record->essential && !sim_traces(sim, SIM_TRACE_FULL)) {
        return;
    }
    trace_begin(sim, &line, event->process, what, event->peer);
    text_str(&line.text, record->name);
    for (uint32_t i = 0; i < record->field_count && i < SIM_FIELDS_MAX; i++) {
        trace_field(&line.text, record->fields[i].name, (uint64_t)record->fields[i].value);
    }
    trace_field(&line.text, "len", event->bytes.len);
    if (event->at == SIM_AT_SEND && event->arrival_us == UINT64_MAX) {
        text_str(&line.text, " held");
    }
    trace_end(sim, &line);
}

static const struct sim_note *trace_note(const struct sim *sim, uint32_t kind)
{
    for (uint32_t i = 0; i < sim->note_count; i++) {
        if (sim->notes[i].kind == kind) {
            return &sim->notes[i];
        }
    }
    return NULL;
}

static void trace_effect_note(struct sim *sim, const struct sim_process *p,
                              const struct effect *effect)
{
    const struct sim_note *note = trace_note(sim, effect->id);
    struct trace_line line;

    if (sim->options.trace == SIM_TRACE_ROLES && (note == NULL || !note->role)) {
        return;
    }
    trace_begin(sim, &line, p->index, "note", SIM_NONE);
    if (note == NULL) {
        text_u64(&line.text, effect->id);
        trace_field(&line.text, "a", effect->a);
        trace_field(&line.text, "b", effect->b);
        trace_field(&line.text, "c", effect->c);
    } else {
        text_str(&line.text, note->word);
        trace_field(&line.text, note->a, effect->a);
        trace_field(&line.text, note->b, effect->b);
        trace_field(&line.text, note->c, effect->c);
    }
    if (effect->bytes.len > 0) {
        bool named = note != NULL && note->bytes != NULL && note->bytes[0] != '\0';

        trace_bytes(&line.text, named ? note->bytes : "bytes", effect->bytes);
    }
    trace_end(sim, &line);
}

static const char *trace_dir(uint32_t dir)
{
    static const char *const names[] = {"data", "log", "conf"};

    return dir < sizeof(names) / sizeof(names[0]) ? names[dir] : "?";
}

static void trace_file(struct text *text, const struct effect *effect)
{
    text_str(text, trace_dir(effect->id));
    text_char(text, '/');
    text_quoted(text, effect->name);
    if (effect->kind == FX_READ || effect->kind == FX_APPEND || effect->kind == FX_TRUNCATE) {
        trace_field(text, "at", effect->a);
    }
    trace_field(text, "tag", effect->b);
    if (effect->kind == FX_READ) {
        trace_field(text, "len", effect->c);
    }
    if (effect->kind == FX_APPEND || effect->kind == FX_REPLACE) {
        trace_field(text, "len", effect->bytes.len);
        trace_field(text, "hash", sim_hash(effect->bytes));
    }
    if (effect->kind == FX_RENAME) {
        trace_bytes(text, "to", effect->bytes);
    }
}

static void trace_other(struct text *text, const struct effect *effect)
{
    switch (effect->kind) {
    case FX_LISTEN:
    case FX_DIAL:
        trace_field(text, "id", effect->id);
        trace_bytes(text, "address", effect->bytes);
        return;
    case FX_UNLISTEN:
    case FX_CLOSE:
    case FX_THROTTLE:
        trace_field(text, "id", effect->id);
        trace_field(text, "a", effect->a);
        return;
    case FX_SEND:
        trace_field(text, "id", effect->id);
        trace_field(text, "len", effect->bytes.len);
        trace_field(text, "hash", sim_hash(effect->bytes));
        return;
    case FX_POST:
        trace_bytes(text, "bytes", effect->bytes);
        return;
    case FX_ANSWER:
        trace_field(text, "tag", effect->b);
        trace_bytes(text, "bytes", effect->bytes);
        return;
    case FX_HALT:
        trace_field(text, "code", effect->a);
        trace_bytes(text, "why", effect->bytes);
        return;
    case FX_READ:
    case FX_APPEND:
    case FX_SYNC:
    case FX_TRUNCATE:
    case FX_RENAME:
    case FX_REPLACE:
    case FX_REMOVE:
        trace_file(text, effect);
        return;
    case FX_NOTE:
        return;
    }
    UNREACHABLE();
}

void sim_trace_effect(struct sim *sim, const struct sim_process *p, const struct effect *effect)
{
    struct trace_line line;

    if (effect->kind == FX_NOTE) {
        trace_effect_note(sim, p, effect);
        return;
    }
    if (effect->kind != FX_HALT && !sim_traces(sim, SIM_TRACE_FULL)) {
        return;
    }
    trace_begin(sim, &line, p->index, fx_kind_name(effect->kind),
                effect->kind == FX_POST ? effect->id : SIM_NONE);
    trace_other(&line.text, effect);
    trace_end(sim, &line);
}

static void trace_boot(struct text *text, const struct input *in)
{
    trace_field(text, "hash", in->boot.seed);
    for (uint32_t i = 0; i < in->boot.count; i++) {
        text_char(text, ' ');
        text_str(text, trace_dir((uint32_t)in->boot.files[i].dir));
        text_char(text, '/');
        text_quoted(text, in->boot.files[i].name);
        trace_field(text, "size", in->boot.files[i].size);
    }
}

void sim_trace_input(struct sim *sim, const struct sim_process *p, const struct input *in)
{
    struct trace_line line;
    struct text *text = &line.text;
    char what[16];
    struct text name;

    text_init(&name, what, sizeof(what));
    text_char(&name, '>');
    text_str(&name, in_kind_name(in->kind));
    trace_begin(sim, &line, p->index, what, in->kind == IN_POST ? in->post.from : SIM_NONE);
    switch (in->kind) {
    case IN_BOOT:
        trace_boot(text, in);
        break;
    case IN_WAKE:
        break;
    case IN_LISTENING:
        trace_field(text, "listener", in->listening.listener);
        trace_field(text, "err", (uint64_t)in->listening.err);
        break;
    case IN_OPENED:
        trace_field(text, "conn", in->opened.conn);
        trace_bytes(text, "peer", in->opened.peer);
        break;
    case IN_DRAINED:
        trace_field(text, "conn", in->drained.conn);
        break;
    case IN_BYTES:
        trace_field(text, "conn", in->bytes.conn);
        trace_field(text, "len", in->bytes.span.len);
        trace_field(text, "hash", sim_hash(in->bytes.span));
        break;
    case IN_CLOSED:
        trace_field(text, "conn", in->closed.conn);
        text_char(text, ' ');
        text_str(text, err_text(in->closed.err));
        break;
    case IN_POST:
        trace_bytes(text, "bytes", in->post.span);
        break;
    case IN_DONE:
        trace_field(text, "tag", in->done.tag);
        trace_field(text, "err", (uint64_t)in->done.err);
        break;
    case IN_DATA:
        trace_field(text, "tag", in->data.tag);
        trace_field(text, "err", (uint64_t)in->data.err);
        trace_field(text, "len", in->data.span.len);
        trace_field(text, "hash", sim_hash(in->data.span));
        break;
    case IN_ASK:
        trace_field(text, "tag", in->ask.tag);
        trace_bytes(text, "bytes", in->ask.span);
        break;
    }
    trace_end(sim, &line);
}
