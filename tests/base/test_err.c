#include "base/ensure.h"
#include "base/err.h"

#include <check.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

START_TEST(test_every_error_has_its_own_text)
{
    for (int a = 0; a < ERR_COUNT; a++) {
        ck_assert_str_ne(err_text((enum err)a), "");
        for (int b = 0; b < a; b++) {
            ck_assert_str_ne(err_text((enum err)a), err_text((enum err)b));
        }
    }
    ck_assert_str_eq(err_text(ERR_OK), "ok");
    ck_assert_str_eq(err_text(ERR_CHECKSUM), "checksum does not match");
}
END_TEST

struct seen {
    jmp_buf back;
    const char *condition;
    int line;
};

static void seen_note(void *context, const char *condition, const char *file, int line)
{
    struct seen *seen = context;

    ck_assert_ptr_nonnull(strstr(file, "test_err.c"));
    seen->condition = condition;
    seen->line = line;
    longjmp(seen->back, 1);
}

START_TEST(test_a_hook_may_leave_a_failed_assertion)
{
    struct seen seen = {.condition = NULL};

    ensure_set_hook(seen_note, &seen);
    if (setjmp(seen.back) == 0) {
        ENSURE(1 + 1 == 3);
        ck_abort_msg("came back");
    }
    ensure_set_hook(NULL, NULL);

    ck_assert_str_eq(seen.condition, "1 + 1 == 3");
    ck_assert_int_gt(seen.line, 0);
}
END_TEST

START_TEST(test_without_a_hook_the_program_aborts)
{
    ENSURE(1 + 1 == 3);
}
END_TEST

static void returning_hook(void *context, const char *condition, const char *file, int line)
{
    (void)context;
    (void)condition;
    (void)file;
    (void)line;
}

START_TEST(test_a_hook_that_returns_does_not_save_the_program)
{
    ensure_set_hook(returning_hook, NULL);
    UNREACHABLE();
}
END_TEST

START_TEST(test_a_condition_is_evaluated_once)
{
    int count = 0;

    ENSURE(++count == 1);

    ck_assert_int_eq(count, 1);
}
END_TEST

Suite *suite_err(void)
{
    Suite *suite = suite_create("err");
    TCase *tcase = tcase_create("err");

    tcase_add_test(tcase, test_every_error_has_its_own_text);
    tcase_add_test(tcase, test_a_hook_may_leave_a_failed_assertion);
    tcase_add_test_raise_signal(tcase, test_without_a_hook_the_program_aborts, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_a_hook_that_returns_does_not_save_the_program, SIGABRT);
    tcase_add_test(tcase, test_a_condition_is_evaluated_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
