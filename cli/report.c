#include "cli/cli.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long llu;

/* ---- the timeline ---- */

static enum cli_colour line_colour(const struct run_line *line)
{
    if (line->words.len >= 8 && memcmp(line->words.at, "VIOLATED", 8) == 0) {
        return CLI_RED;
    }
    switch (line->level) {
    case GUEST_SAY_ROLE:
        return CLI_BOLD;
    case GUEST_SAY_FAULT:
        return line->words.len >= 11 && memcmp(line->words.at, "as expected", 11) == 0 ? CLI_GREEN
                                                                                       : CLI_YELLOW;
    case GUEST_SAY_CLIENT:
        return CLI_BLUE;
    case GUEST_SAY_DETAIL:
        return CLI_GREY;
    }
    UNREACHABLE();
}

void cli_tell(void *context, const struct run_line *line)
{
    const struct cli_timeline *timeline = context;

    if (line->level == GUEST_SAY_DETAIL && !timeline->details) {
        return;
    }
    fprintf(timeline->out, "%4llu.%06llu  %-*s %s%.*s%s\n", (llu)(line->at_us / 1000000),
            (llu)(line->at_us % 1000000), (int)timeline->name_width,
            line->process == SIM_NONE ? "--" : line->name,
            cli_colour(timeline->out, line_colour(line)), (int)line->words.len,
            (const char *)line->words.at, cli_colour(timeline->out, CLI_PLAIN));
}

/* ---- verdicts ---- */

static const char *mark_word(enum run_mark mark)
{
    switch (mark) {
    case RUN_UNREACHED:
        return "not reached";
    case RUN_OPEN:
        return "open";
    case RUN_HELD:
        return "held";
    case RUN_FAILED:
        return "VIOLATED";
    case RUN_SKIPPED:
        return "skipped";
    case RUN_SEEN:
        return "seen";
    case RUN_UNSEEN:
        return "not seen";
    }
    UNREACHABLE();
}

static enum cli_colour mark_colour(enum run_mark mark)
{
    switch (mark) {
    case RUN_HELD:
    case RUN_SEEN:
        return CLI_GREEN;
    case RUN_FAILED:
        return CLI_RED;
    case RUN_UNREACHED:
    case RUN_OPEN:
    case RUN_SKIPPED:
    case RUN_UNSEEN:
        return CLI_YELLOW;
    }
    UNREACHABLE();
}

static void print_head(FILE *out, const struct scn_line *line)
{
    char room[48];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_span(&text, line->tokens[0].text);
    if (line->kind == SCN_WITHIN) {
        text_char(&text, ' ');
        scenario_print_time(&text, (int64_t)line->time_us);
    }
    fprintf(out, "%s expect %.*s", room, (int)line->condition.words.len,
            (const char *)line->condition.words.at);
}

static const char *result_word(const struct run_report *report)
{
    switch (report->result) {
    case RUN_GOOD:
        return report->inverted ? "fails-as-it-must" : "holds";
    case RUN_VIOLATED:
        return "VIOLATED";
    case RUN_NO_PROGRESS:
        return "NO-PROGRESS";
    case RUN_DEFECT:
        return "DEFECT";
    }
    UNREACHABLE();
}

void cli_report_verdicts(FILE *out, const struct scenario *scenario,
                         const struct run_report *report)
{
    for (uint32_t i = 0; i < report->verdict_count; i++) {
        const struct run_verdict *verdict = &report->verdicts[i];

        fprintf(out, "  %s%-11s%s", cli_colour(out, mark_colour(verdict->mark)),
                mark_word(verdict->mark), cli_colour(out, CLI_PLAIN));
        fprintf(out, " line %-3u ", verdict->line->number);
        print_head(out, verdict->line);
        if (verdict->mark == RUN_HELD || verdict->mark == RUN_SEEN || verdict->mark == RUN_FAILED) {
            fprintf(out, "  at %llu.%06llu", (llu)(verdict->at_us / 1000000),
                    (llu)(verdict->at_us % 1000000));
        }
        fprintf(out, "%s%s\n", verdict->why[0] != 0 ? ": " : "", verdict->why);
    }
    if (report->found) {
        fprintf(out, "  %s%s%s %s at %llu.%06llu: %s\n", cli_colour(out, CLI_RED),
                report->finding.assertion ? "ASSERTION" : "VIOLATED", cli_colour(out, CLI_PLAIN),
                report->finding.check == NULL ? "" : report->finding.check,
                (llu)(report->finding.at_us / 1000000), (llu)(report->finding.at_us % 1000000),
                report->finding.why);
    }
    for (uint32_t i = 0; i < report->noop_count; i++) {
        fprintf(out, "  no effect   line %-3u %s\n", report->noops[i].line, report->noops[i].why);
    }
    if (report->stuck_line != 0) {
        fprintf(out, "  %swaits still%s line %u: what it waits for never came\n",
                cli_colour(out, CLI_YELLOW), cli_colour(out, CLI_PLAIN), report->stuck_line);
    }
    if (report->defect[0] != 0) {
        fprintf(out, "  %s: %s\n", scenario->file, report->defect);
    }
    if (scenario->must != NULL && !report->inverted) {
        fprintf(out, "  %sVIOLATED%s    line %-3u must fail %.*s: it did not\n",
                cli_colour(out, CLI_RED), cli_colour(out, CLI_PLAIN), scenario->must->number,
                (int)scenario->must->target.len, (const char *)scenario->must->target.at);
    }
}

void cli_report_closing(FILE *out, const char *name, const struct run_report *report,
                        uint64_t wall_us)
{
    char seed[32] = "-";

    if (report->seed != 0) {
        snprintf(seed, sizeof(seed), "%llu", (llu)report->seed);
    }
    fprintf(out,
            "%s %s%s%s seed %s, %llu.%06llu s simulated, %llu events, %llu.%03llu ms, fingerprint "
            "%016llx\n",
            name, cli_colour(out, report->result == RUN_GOOD ? CLI_GREEN : CLI_RED),
            result_word(report), cli_colour(out, CLI_PLAIN), seed, (llu)(report->sim_us / 1000000),
            (llu)(report->sim_us % 1000000), (llu)report->counts.events, (llu)(wall_us / 1000),
            (llu)(wall_us % 1000), (llu)report->fingerprint);
}

void cli_report_seeds(FILE *out, const char *name, const struct cli_seeds *seeds,
                      const struct cli_seeds_result *result)
{
    const struct run_report word = {.result = result->worst};
    bool good = result->worst == RUN_GOOD && result->unseen == 0;

    if (result->unseen > 0 && result->worst == RUN_GOOD) {
        fprintf(out, "  %snot seen%s    line %u: no seed made it come true\n",
                cli_colour(out, CLI_RED), cli_colour(out, CLI_PLAIN), result->unseen_line);
    }
    fprintf(out,
            "%s %s%s%s seeds %llu..%llu (%llu failed), %llu.%06llu s simulated, %llu events, "
            "%llu.%03llu ms, "
            "fingerprint %016llx\n",
            name, cli_colour(out, good ? CLI_GREEN : CLI_RED),
            result->unseen > 0 && result->worst == RUN_GOOD ? "VIOLATED" : result_word(&word),
            cli_colour(out, CLI_PLAIN), (llu)seeds->first,
            (llu)(result->failed > 0 && !seeds->keep_going ? result->first_failed : seeds->last),
            (llu)result->failed, (llu)(result->sim_us / 1000000), (llu)(result->sim_us % 1000000),
            (llu)result->counts.events, (llu)(result->wall_us / 1000),
            (llu)(result->wall_us % 1000), (llu)result->fingerprint);
}

/* ---- JSON ---- */

static void json_string(FILE *out, struct span span)
{
    fputc('"', out);
    for (size_t i = 0; i < span.len; i++) {
        uint8_t c = span.at[i];

        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

static void json_seconds(FILE *out, const char *name, uint64_t us)
{
    fprintf(out, ",\"%s\":%llu.%06llu", name, (llu)(us / 1000000), (llu)(us % 1000000));
}

static uint64_t per_second(uint64_t count, uint64_t wall_us)
{
    return wall_us == 0 ? 0 : count * 1000 / (wall_us / 1000 + 1);
}

static void json_finding(FILE *out, const char *name, const struct run_report *report)
{
    const char *kind = "expectation";
    const char *check = "";

    if (report->found) {
        kind = report->finding.assertion ? "assertion" : "check";
        check = report->finding.check == NULL ? "" : report->finding.check;
    } else if (report->result == RUN_NO_PROGRESS) {
        kind = "progress";
    } else if (report->result == RUN_DEFECT) {
        kind = "defect";
        check = report->defect;
    } else {
        for (uint32_t i = 0; i < report->verdict_count; i++) {
            if (report->verdicts[i].mark == RUN_FAILED) {
                fprintf(out, "{\"kind\":\"expectation\",\"check\":");
                json_string(out, report->verdicts[i].line->condition.words);
                fprintf(out, ",\"seed\":%llu,\"file\":", (llu)report->seed);
                json_string(out, span_text(name));
                fprintf(out, "}");
                return;
            }
        }
    }
    fprintf(out, "{\"kind\":\"%s\",\"check\":", kind);
    json_string(out, span_text(check));
    fprintf(out, ",\"seed\":%llu,\"file\":", (llu)report->seed);
    json_string(out, span_text(name));
    fprintf(out, "}");
}

void cli_json_run(FILE *out, const char *name, const struct scenario *scenario,
                  const struct run_report *report, uint64_t wall_us)
{
    (void)scenario;
    fprintf(out, "{\"file\":");
    json_string(out, span_text(name));
    fprintf(out, ",\"verdict\":\"%s\",\"exit\":%d,\"seed\":%llu,\"events\":%llu,\"messages\":%llu",
            result_word(report), (int)report->result, (llu)report->seed, (llu)report->counts.events,
            (llu)report->counts.messages);
    json_seconds(out, "sim_seconds", report->sim_us);
    json_seconds(out, "wall_seconds", wall_us);
    fprintf(out, ",\"events_per_second\":%llu,\"fingerprint\":\"%016llx\",\"expectations\":[",
            (llu)per_second(report->counts.events, wall_us), (llu)report->fingerprint);
    for (uint32_t i = 0; i < report->verdict_count; i++) {
        const struct run_verdict *verdict = &report->verdicts[i];

        fprintf(out, "%s{\"line\":%u,\"verdict\":\"%s\",\"condition\":", i == 0 ? "" : ",",
                verdict->line->number, mark_word(verdict->mark));
        json_string(out, verdict->line->condition.words);
        json_seconds(out, "at", verdict->at_us);
        if (verdict->why[0] != 0) {
            fprintf(out, ",\"why\":");
            json_string(out, span_text(verdict->why));
        }
        fprintf(out, "}");
    }
    fprintf(out, "],\"findings\":[");
    if (report->found || report->result != RUN_GOOD) {
        json_finding(out, name, report);
    }
    fprintf(out, "]}\n");
}

void cli_json_add(struct cli_json_sum *sum, const char *name, const struct run_report *report,
                  uint64_t wall_us)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory;

    sum->seeds++;
    sum->events += report->counts.events;
    sum->messages += report->counts.messages;
    sum->sim_us += report->sim_us;
    sum->wall_us += wall_us;
    if (report->result == RUN_GOOD) {
        return;
    }
    memory = open_memstream(&text, &len);
    if (memory == NULL) {
        return;
    }
    json_finding(memory, name, report);
    fclose(memory);
    if (sum->findings.len > 0) {
        bytes_u8(&sum->findings, ',');
    }
    bytes_raw(&sum->findings, text, len);
    free(text);
}

void cli_json_summary(FILE *out, const struct cli_json_sum *sum)
{
    fprintf(out, "{\"summary\":true,\"seeds\":%llu,\"events\":%llu,\"messages\":%llu",
            (llu)sum->seeds, (llu)sum->events, (llu)sum->messages);
    json_seconds(out, "sim_seconds", sum->sim_us);
    json_seconds(out, "wall_seconds", sum->wall_us);
    fprintf(out, ",\"events_per_second\":%llu,\"findings\":[%.*s],\"probes\":[]}\n",
            (llu)per_second(sum->events, sum->wall_us), (int)sum->findings.len,
            (const char *)sum->findings.at);
}
