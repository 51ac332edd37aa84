#include "sim/twice.h"

#include "base/ensure.h"
#include "sim/journal.h"

#include <stdlib.h>

#define TWICE_FILL_FIRST  0x00u
#define TWICE_FILL_SECOND 0xdbu
#define TWICE_BEFORE      6u /* events that are shown before the one that differs */
#define TWICE_LINES_MAX   256u
#define TWICE_LINE_BYTES  256u
#define TWICE_ROOM_FIRST  65536u
#define TWICE_ROOM_MAX    (1ull << 28) /* events; what comes later is not compared */

enum twice_mode {
    TWICE_RECORD,
    TWICE_COMPARE,
    TWICE_SHOW
};

/* The newest lines of one run. */
struct twice_lines {
    char at[TWICE_LINES_MAX][TWICE_LINE_BYTES];
    uint64_t count;
};

struct sim_journal {
    enum twice_mode mode;
    uint32_t *marks; /* of the first run, one an event */
    uint64_t count, room;
    uint64_t seen;    /* events of this run so far */
    uint64_t differs; /* first event that differs, from 1; 0 none */
    uint64_t differs_us;
    bool failed;
    struct twice_lines *lines;
};

static void twice_line(void *context, struct span line)
{
    struct twice_lines *lines = context;
    struct text text;

    text_init(&text, lines->at[lines->count % TWICE_LINES_MAX], TWICE_LINE_BYTES);
    text_span(&text, line);
    lines->count++;
}

static void twice_record(struct sim_journal *journal, uint32_t mark)
{
    if (journal->count == journal->room) {
        uint64_t room = journal->room == 0 ? TWICE_ROOM_FIRST : journal->room * 2;
        uint32_t *grown;

        if (journal->room >= TWICE_ROOM_MAX) {
            return;
        }
        grown = realloc(journal->marks, room * sizeof(*grown));
        if (grown == NULL) {
            journal->failed = true;
            return;
        }
        journal->marks = grown;
        journal->room = room;
    }
    journal->marks[journal->count++] = mark;
}

static void twice_compare(struct sim_journal *journal, uint32_t mark, uint64_t now_us)
{
    uint64_t event = journal->seen - 1;

    if (journal->differs == 0 && event < TWICE_ROOM_MAX &&
        (event >= journal->count || journal->marks[event] != mark)) {
        journal->differs = event + 1;
        journal->differs_us = now_us;
    }
}

/* Trace on before the event that differs, off behind it. */
static void twice_show(struct sim_journal *journal, struct sim *sim)
{
    if (journal->seen + 1 + TWICE_BEFORE >= journal->differs && journal->seen < journal->differs) {
        sim_journal_trace(sim, twice_line, journal->lines);
    } else {
        sim_journal_trace(sim, NULL, NULL);
    }
}

void sim_journal_open(struct sim_journal *journal, struct sim *sim)
{
    if (journal->mode == TWICE_SHOW) {
        twice_show(journal, sim);
    }
}

void sim_journal_event(struct sim_journal *journal, struct sim *sim)
{
    uint64_t print = sim_fingerprint(sim);
    uint32_t mark = (uint32_t)(print ^ (print >> 32));

    journal->seen++;
    switch (journal->mode) {
    case TWICE_RECORD:
        twice_record(journal, mark);
        break;
    case TWICE_COMPARE:
        twice_compare(journal, mark, sim_now(sim));
        break;
    case TWICE_SHOW:
        twice_show(journal, sim);
        break;
    }
}

static bool twice_once(twice_play *play, void *context, struct sim_journal *journal,
                       enum twice_mode mode, bool second)
{
    const struct sim_options how = {
        .elsewhere = second,
        .fill = second ? TWICE_FILL_SECOND : TWICE_FILL_FIRST,
        .journal = journal,
    };

    journal->mode = mode;
    journal->seen = 0;
    return play(context, &how) && !journal->failed;
}

static const char *twice_line_at(const struct twice_lines *lines, uint64_t i)
{
    uint64_t first = lines->count > TWICE_LINES_MAX ? lines->count - TWICE_LINES_MAX : 0;

    return first + i < lines->count ? lines->at[(first + i) % TWICE_LINES_MAX] : NULL;
}

static void twice_put(char *at, const struct twice_lines *lines, uint64_t from, uint64_t to)
{
    struct text text;

    text_init(&text, at, TWICE_TEXT_MAX);
    for (uint64_t i = from; i < to; i++) {
        const char *line = twice_line_at(lines, i);

        if (line == NULL) {
            break;
        }
        text_str(&text, line);
        text_char(&text, '\n');
    }
}

/* Where the lines of the two runs part. */
static void twice_tell(const struct twice_lines lines[2], struct twice_report *report)
{
    uint64_t same = 0;

    for (;; same++) {
        const char *first = twice_line_at(&lines[0], same);
        const char *second = twice_line_at(&lines[1], same);

        if (first == NULL || second == NULL || strcmp(first, second) != 0) {
            break;
        }
    }
    twice_put(report->before, &lines[0], same > 12 ? same - 12 : 0, same);
    twice_put(report->first, &lines[0], same, same + 8);
    twice_put(report->second, &lines[1], same, same + 8);
}

static enum twice_result twice_explain(twice_play *play, void *context, struct sim_journal *journal,
                                       struct twice_report *report)
{
    struct twice_lines *lines = calloc(2, sizeof(*lines));
    bool played = lines != NULL;

    report->event = journal->differs;
    report->at_us = journal->differs_us;
    for (uint32_t second = 0; second < 2 && played; second++) {
        journal->lines = &lines[second];
        played = twice_once(play, context, journal, TWICE_SHOW, second == 1);
    }
    if (played) {
        twice_tell(lines, report);
    }
    free(lines);
    return played ? TWICE_DIFFERENT : TWICE_FAILED;
}

enum twice_result twice_run(twice_play *play, void *context, struct twice_report *report)
{
    struct sim_journal journal = {0};
    enum twice_result result = TWICE_FAILED;

    *report = (struct twice_report){0};
    if (twice_once(play, context, &journal, TWICE_RECORD, false)) {
        report->events = journal.seen;
        if (twice_once(play, context, &journal, TWICE_COMPARE, true)) {
            if (journal.differs == 0 && journal.seen < journal.count) {
                journal.differs = journal.seen + 1; /* the second run ends too early */
            }
            result =
                journal.differs == 0 ? TWICE_SAME : twice_explain(play, context, &journal, report);
        }
    }
    free(journal.marks);
    return result;
}

static void twice_indent(struct text *text, const char *mark, const char *lines)
{
    while (*lines != '\0') {
        const char *end = strchr(lines, '\n');
        size_t len = end == NULL ? strlen(lines) : (size_t)(end - lines);

        text_str(text, mark);
        text_span(text, span_make(lines, len));
        text_char(text, '\n');
        lines += len + (end == NULL ? 0 : 1);
    }
}

void twice_print(const struct twice_report *report, struct text *text)
{
    text_str(text, "event ");
    text_u64(text, report->event);
    text_str(text, " of ");
    text_u64(text, report->events);
    text_str(text, " differs, at ");
    text_u64(text, report->at_us / 1000000);
    text_char(text, '.');
    text_padded(text, (int64_t)(report->at_us % 1000000), 6);
    text_str(text, " s\n");
    twice_indent(text, "  ", report->before);
    twice_indent(text, "1 ", report->first);
    twice_indent(text, "2 ", report->second);
}
