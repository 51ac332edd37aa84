#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A loop over seeds shared by processes: job i of n plays every n-th seed. All stop at the least
 * seed that failed, and those that play smaller ones go on until they have passed it; so it is
 * found whatever n is. */

#define JOBS_MAX 256u

struct board { /* shared by all jobs */
    _Atomic uint64_t least_failed;
    struct cli_tally tallies[JOBS_MAX]; /* each written by one job; read when it has ended, or to
                                           show progress */
};

static void job_play(struct run *run, const struct cli_seeds *seeds, struct board *board,
                     uint32_t job)
{
    struct cli_tally *tally = &board->tallies[job];

    for (uint64_t seed = seeds->first + job; seed <= seeds->last && seed >= seeds->first;
         seed += seeds->jobs) {
        const struct run_options options = {.seed = seed,
                                            .stop_at_failure = true,
                                            .elsewhere = seeds->elsewhere,
                                            .fill = seeds->fill};
        uint64_t least = atomic_load(&board->least_failed);
        struct run_report report;

        if (!seeds->keep_going && seed > least) {
            break;
        }
        run_play(run, &options, &report);
        cli_tally_add(tally, seed, &report);
        while (report.result != RUN_GOOD && seed < least &&
               !atomic_compare_exchange_weak(&board->least_failed, &least, seed)) {
        }
    }
}

static void show(const struct cli_seeds *seeds, const struct board *board, uint64_t start_us)
{
    struct cli_tally sum = {.worst = RUN_GOOD};

    for (uint32_t i = 0; i < seeds->jobs; i++) {
        cli_tally_join(&sum, &board->tallies[i]);
    }
    cli_tally_show(seeds, &sum, start_us);
}

/* Wait for every job; false when one of them broke. */
static bool jobs_wait(const struct cli_seeds *seeds, const struct board *board, uint32_t count,
                      uint64_t start_us)
{
    bool good = true;

    while (count > 0) {
        int status = 0;
        pid_t ended = waitpid(-1, &status, seeds->progress ? WNOHANG : 0);
        const struct timespec moment = {.tv_nsec = 100000000};

        if (ended > 0) {
            count--;
            good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        } else if (ended == 0) {
            show(seeds, board, start_us);
            nanosleep(&moment, NULL);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return good;
}

void cli_jobs_play(struct run *run, const struct cli_seeds *seeds, struct cli_tally *tally)
{
    struct board *board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t start_us = cli_wall_us();
    uint32_t started = 0;
    bool good = board != MAP_FAILED;

    fflush(stdout);
    if (good) {
        atomic_store(&board->least_failed, UINT64_MAX);
    }
    for (; good && started < seeds->jobs; started++) {
        pid_t child = fork();

        if (child == 0) {
            job_play(run, seeds, board, started);
            _exit(0);
        }
        if (child < 0) {
            good = false;
            break;
        }
    }
    if (board == MAP_FAILED) {
        cli_error("--jobs", "out of memory");
        tally->worst = RUN_DEFECT;
        return;
    }
    good = jobs_wait(seeds, board, started, start_us) && good;
    for (uint32_t i = 0; i < started; i++) {
        cli_tally_join(tally, &board->tallies[i]);
    }
    if (!good) {
        cli_error("--jobs", "a job broke off");
        tally->worst = RUN_DEFECT;
    }
    munmap(board, sizeof(*board));
}
