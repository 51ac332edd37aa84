#include "cli/cli.h"

#include "base/mem.h"
#include "sim/plot.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool gnuplot_run(const char *script)
{
    char program[] = "gnuplot";
    char *argv[] = {program, (char *)(uintptr_t)script, NULL};
    pid_t child;
    int status;
    int err = posix_spawnp(&child, program, NULL, NULL, argv, environ);

    if (err != 0) {
        fprintf(stderr,
                "terrarium: --plot: gnuplot cannot be run (%s): install the package gnuplot-nox\n",
                strerror(err));
        return false;
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            cli_error("--plot", strerror(errno));
            return false;
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        cli_error("--plot", "gnuplot failed (see above)");
        return false;
    }
    return true;
}

bool cli_plot(const char *path, const struct run *run, const struct run_report *report)
{
    const char *directory = getenv("TMPDIR");
    char script[512];
    const char *dot = strrchr(path, '.');
    struct mem_heap heap;
    struct bytes out;
    bool good;
    int file;

    if (dot == NULL || (strcmp(dot, ".svg") != 0 && strcmp(dot, ".png") != 0)) {
        cli_error("--plot", "expected a name that ends in .svg or .png");
        return false;
    }
    if (report->record == NULL || report->defect[0] != 0) {
        cli_error("--plot", "there was no run to draw");
        return false;
    }
    snprintf(script, sizeof(script), "%s/terrarium-plot-XXXXXX",
             directory == NULL ? P_tmpdir : directory);
    file = mkstemp(script);
    if (file < 0) {
        cli_error(script, strerror(errno));
        return false;
    }
    close(file);
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    plot_script(run, report, strcmp(dot, ".svg") == 0 ? PLOT_SVG : PLOT_PNG, path, &out);
    good = !out.failed && cli_write(script, bytes_span(&out)) && gnuplot_run(script);
    bytes_drop(&out);
    unlink(script);
    return good;
}
