/* banned.h - what base, tree and protocol may not call; included before every file of them
 * (-include).
 *
 * The headers come first, then each function is declared once more as unavailable: a use is an
 * error under gcc and clang, while fields, types and variables may still be called `time` or
 * `free`. Whoever needs one of these needs a handle instead: struct mem, struct input, struct fx,
 * struct rand, text.h. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* clang-tidy would report each repeated declaration; the compilers have checked the uses before. */
#ifndef __clang_analyzer__

#define BANNED __attribute__((unavailable("not in the core; see base/banned.h")))

/* Memory comes from struct mem. */
BANNED void *malloc(size_t size);
BANNED void *calloc(size_t count, size_t size);
BANNED void *realloc(void *at, size_t size);
BANNED void free(void *at);
BANNED char *strdup(const char *text);
BANNED char *strndup(const char *text, size_t len);

/* Time comes with the input. */
BANNED time_t time(time_t *out);
BANNED clock_t clock(void);
BANNED int clock_gettime(clockid_t id, struct timespec *out);
BANNED struct tm *localtime(const time_t *at);
BANNED struct tm *localtime_r(const time_t *at, struct tm *out);
BANNED struct tm *gmtime(const time_t *at);
BANNED time_t mktime(struct tm *tm);
BANNED size_t strftime(char *at, size_t room, const char *format, const struct tm *tm);
BANNED unsigned int sleep(unsigned int seconds);
BANNED int usleep(useconds_t us);
BANNED int nanosleep(const struct timespec *want, struct timespec *left);

/* Chance comes from a seed. */
BANNED int rand(void);
BANNED void srand(unsigned int seed);
BANNED int rand_r(unsigned int *seed);
BANNED long random(void);
BANNED void srandom(unsigned int seed);
BANNED double drand48(void);
BANNED long lrand48(void);

/* The order of equal items would be the library's choice. */
BANNED void qsort(void *base, size_t count, size_t size, int (*order)(const void *, const void *));

/* The environment, the process and its end belong to the driver. */
BANNED char *getenv(const char *name);
BANNED char *setlocale(int category, const char *locale);
BANNED int system(const char *command);
BANNED __attribute__((noreturn)) void exit(int status);
BANNED __attribute__((noreturn)) void _exit(int status);
BANNED __attribute__((noreturn)) void abort(void);
BANNED int atexit(void (*function)(void));
BANNED int raise(int signal_number);
BANNED pid_t getpid(void);
BANNED pid_t fork(void);

/* Files and the terminal are reached by effects; texts are printed by text.h, parsed by its
 * parsers. */
BANNED FILE *fopen(const char *path, const char *mode);
BANNED int fclose(FILE *file);
BANNED size_t fread(void *at, size_t size, size_t count, FILE *file);
BANNED size_t fwrite(const void *at, size_t size, size_t count, FILE *file);
BANNED int fflush(FILE *file);
BANNED int printf(const char *format, ...);
BANNED int fprintf(FILE *file, const char *format, ...);
BANNED int vfprintf(FILE *file, const char *format, va_list list);
BANNED int puts(const char *text);
BANNED int fputs(const char *text, FILE *file);
BANNED int fputc(int c, FILE *file);
BANNED int sprintf(char *at, const char *format, ...);
BANNED int snprintf(char *at, size_t room, const char *format, ...);
BANNED int vsnprintf(char *at, size_t room, const char *format, va_list list);
BANNED int sscanf(const char *text, const char *format, ...);
BANNED void perror(const char *text);
BANNED ssize_t read(int fd, void *at, size_t len);
BANNED ssize_t write(int fd, const void *at, size_t len);
BANNED int close(int fd);
BANNED int unlink(const char *path);
BANNED long strtol(const char *text, char **end, int base);
BANNED unsigned long strtoul(const char *text, char **end, int base);
BANNED double strtod(const char *text, char **end);
BANNED char *strtok(char *text, const char *separators);
BANNED char *strerror(int number);

#undef BANNED

/* The C library defines these inline, so it is too late for an attribute. */
#pragma GCC poison atoi atol atoll vprintf putchar

#endif /* __clang_analyzer__ */

#endif
