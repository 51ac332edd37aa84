#include "base/list.h"

#include <check.h>

struct thing {
    int number;
    struct list link;
};

static int sum_of(struct list *list)
{
    int sum = 0;

    for (struct list *at = list->next; at != list; at = at->next) {
        sum = sum * 10 + LIST_ITEM(at, struct thing, link)->number;
    }
    return sum;
}

START_TEST(test_items_stand_in_the_order_of_pushing)
{
    struct list list;
    struct thing things[3] = {{.number = 1}, {.number = 2}, {.number = 3}};

    list_init(&list);
    ck_assert(list_empty(&list));
    for (int i = 0; i < 3; i++) {
        list_push(&list, &things[i].link);
    }
    ck_assert_int_eq(sum_of(&list), 123);
    list_take(&things[1].link);
    ck_assert_int_eq(sum_of(&list), 13);
    list_take(&things[1].link);
    ck_assert_int_eq(sum_of(&list), 13);
    list_push(&list, &things[1].link);
    ck_assert_int_eq(sum_of(&list), 132);
    for (int i = 0; i < 3; i++) {
        list_take(&things[i].link);
    }

    ck_assert(list_empty(&list));
}
END_TEST

Suite *suite_list(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");

    tcase_add_test(tcase, test_items_stand_in_the_order_of_pushing);
    suite_add_tcase(suite, tcase);
    return suite;
}
