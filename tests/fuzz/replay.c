/* replay.c - runs a fuzz target without a fuzzer: a smoke test that any compiler can build.
 *
 * fuzz_NAME_replay DIRECTORY COUNT    every file of the directory, then COUNT mutations of them
 * fuzz_NAME_replay FILE...            these files
 *
 * Mutations are drawn from a fixed seed, so that a run can be repeated. The input that ends the
 * program is left in the file crash-input of the current directory. */
#include "base/ensure.h"
#include "base/rand.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef TERRARIUM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define FILES_MAX      4096u
#define SIZE_MAX_INPUT (1u << 20)
/* A mutation may make an input this much longer. */
#define SIZE_MORE 4096u

struct input_file {
    uint8_t *at;
    size_t size;
};

static struct input_file files[FILES_MAX];
static uint32_t files_count;
static struct input_file current;

static void leave_input(void)
{
    int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0) {
        ssize_t written = write(fd, current.at, current.size);

        (void)written;
        close(fd);
    }
}

static void leave_input_on(int signal_number)
{
    leave_input();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* A copy of the exact size, so that sanitizers see a read past the end. */
static void run(const uint8_t *at, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);

    ENSURE(copy != NULL);
    if (size > 0) {
        memcpy(copy, at, size);
    }
    current = (struct input_file){.at = copy, .size = size};
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static bool load(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input_file *input = &files[files_count];

    if (file == NULL || files_count == FILES_MAX) {
        return false;
    }
    input->at = malloc(SIZE_MAX_INPUT);
    ENSURE(input->at != NULL);
    input->size = fread(input->at, 1, SIZE_MAX_INPUT, file);
    input->at = realloc(input->at, input->size == 0 ? 1 : input->size);
    ENSURE(input->at != NULL);
    fclose(file);
    files_count++;
    return true;
}

static bool load_directory(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);

    if (count < 0) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            load(name);
        }
        free(names[i]);
    }
    free(names);
    return true;
}

/* Numbers that sit at borders, as bytes to write over a field; big-endian. */
static uint64_t border(struct rand *rand)
{
    static const uint64_t values[] = {
        0,          1,           UINT64_MAX,          UINT64_MAX - 1,      INT32_MAX, 0x80000000u,
        UINT32_MAX, UINT16_MAX,  INT64_MAX,           (uint64_t)1 << 63,   0xfffff,   2097150,
        0x7f,       0xffffffffe, 0x0000000100000000u, 0xfffffffe00000000u, 16,        255,
    };

    return values[rand_below(rand, sizeof(values) / sizeof(values[0]))];
}

static size_t mutate_once(struct rand *rand, uint8_t *at, size_t size)
{
    size_t where = size == 0 ? 0 : (size_t)rand_below(rand, size);
    size_t run_len =
        size == 0 ? 0 : 1 + (size_t)rand_below(rand, size - where < 64 ? size - where : 64);
    uint64_t value;

    switch (rand_below(rand, 7)) {
    case 0: /* flip a bit */
        if (size > 0) {
            at[where] ^= (uint8_t)(1u << rand_below(rand, 8));
        }
        return size;
    case 1: /* a border value over a field */
        value = border(rand);
        for (size_t i = (size_t)1 << rand_below(rand, 4); i-- > 0 && where < size; value >>= 8) {
            if (where + i < size) {
                at[where + i] = (uint8_t)value;
            }
        }
        return size;
    case 2: /* remove a run */
        memmove(at + where, at + where + run_len, size - where - run_len);
        return size - run_len;
    case 3: /* double a run */
        memmove(at + where + run_len, at + where, size - where);
        return size + run_len;
    case 4: /* end early */
        return where;
    case 5: /* noise */
        for (size_t i = 0; i < run_len; i++) {
            at[where + i] = (uint8_t)rand_next(rand);
        }
        return size;
    default: /* more at the end */
        for (size_t i = 0; i < 16; i++) {
            at[size + i] = (uint8_t)rand_next(rand);
        }
        return size + 16;
    }
}

static void run_mutations(uint32_t count)
{
    uint8_t *at = malloc(SIZE_MAX_INPUT + SIZE_MORE);
    struct rand rand;

    ENSURE(at != NULL);
    rand_init(&rand, 1);
    for (uint32_t i = 0; i < count; i++) {
        struct input_file none = {.size = 0};
        const struct input_file *from =
            files_count == 0 ? &none : &files[rand_below(&rand, files_count)];
        size_t size = from->size;

        if (size > 0) {
            memcpy(at, from->at, size);
        }
        for (uint64_t steps = 1 + rand_below(&rand, 8); steps > 0; steps--) {
            size = mutate_once(&rand, at, size);
        }
        run(at, size);
    }
    free(at);
}

int main(int argc, char **argv)
{
    struct stat status;
    uint32_t mutations = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIRECTORY COUNT | FILE...\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, leave_input_on);
    signal(SIGALRM, leave_input_on);
#ifdef TERRARIUM_ASAN
    __sanitizer_set_death_callback(leave_input);
#else
    signal(SIGSEGV, leave_input_on);
#endif
    if (argc == 3 && (stat(argv[1], &status) != 0 || S_ISDIR(status.st_mode))) {
        load_directory(argv[1]);
        mutations = (uint32_t)strtoul(argv[2], NULL, 10);
    } else {
        for (int i = 1; i < argc; i++) {
            if (!load(argv[i])) {
                fprintf(stderr, "%s: cannot read %s\n", argv[0], argv[i]);
                return 2;
            }
        }
    }
    run(NULL, 0);
    for (uint32_t i = 0; i < files_count; i++) {
        run(files[i].at, files[i].size);
    }
    run_mutations(mutations);
    printf("%u files, %u mutations\n", files_count, mutations);
    for (uint32_t i = 0; i < files_count; i++) {
        free(files[i].at);
    }
    return 0;
}
