/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harvest/url.h"

static void test_normalise(void **state)
{
    (void)state;
    static const struct {
        const char *url, *normal, *origin;
    } cases[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"HTTPS://API.Example.com/v1/", "https://api.example.com",
         "https://api.example.com"},
        {"http://h:80/", "http://h", "http://h"},
        {"https://h:443/Pre/v1//", "https://h/Pre", "https://h"},
        {"https://h:80", "https://h:80", "https://h:80"},
        {"http://[::1]:8000/v1", "http://[::1]:8000", "http://[::1]:8000"},
        {"http://[FE80::1%25eth0]", "http://[fe80::1%25eth0]", "http://[fe80::1%25eth0]"},
        {"http://h/v1/chat/completions", "http://h", "http://h"},
        {"http://h/api/v1/completions/", "http://h/api", "http://h"},
        {"http://h/v10", "http://h/v10", "http://h"},
        {"http://h/xv1", "http://h/xv1", "http://h"},
        {"http://a_b.c-d", "http://a_b.c-d", "http://a_b.c-d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        char *url = url_normalise(cases[i].url, &err);
        if (url == NULL)
            fail_msg("%s: %s", cases[i].url, err.what);
        assert_string_equal(url, cases[i].normal);
        assert_true(span_is(url_origin(url), cases[i].origin));
        char *again = url_normalise(url, NULL);
        assert_string_equal(again, url);
        free(again);
        free(url);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "http:// or https://"},
        {"localhost:8080", "http:// or https://"},
        {"ftp://h", "http:// or https://"},
        {"file:///etc/passwd", "http:// or https://"},
        {"http://", "host is missing"},
        {"http:///v1", "host is missing"},
        {"http://:80", "host is missing"},
        {"http://a b", "a character that addresses do not have"},
        {"http://h/\n", "a character"},
        {"http://h\\evil", "a character"},
        {"http://h\xc3\xa9", "a character"},
        {"http://h?x=1", "goes on behind the path"},
        {"http://h/v1#x", "goes on behind the path"},
        {"http://h:", "port"},
        {"http://h:0", "port"},
        {"http://h:65536", "port"},
        {"http://h:99999999999999999999", "port"},
        {"http://h:8x", "port"},
        {"http://[::1", "host is missing or misspelt"},
        {"http://::1", "host is missing or misspelt"},
        {"http://[]", "host is missing or misspelt"},
        {"http://[::1]x", "host is missing or misspelt"},
        {"http://h*", "host is missing or misspelt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        char *url = url_normalise(cases[i][0], &err);
        if (url != NULL || strstr(err.why, cases[i][1]) == NULL)
            fail_msg("%s: %s | %s", cases[i][0], url, err.why);
        assert_int_equal(err.code, ERR_USAGE);
    }
}

/* A password typed into an address must not be shown again. */
static void test_password(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "https://me:sesame@h/v1",
        "https://me:sesame@h/?x",
        "me:sesame@h",
        "http://me:ses/ame@h",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        assert_null(url_normalise(cases[i], &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_null(strstr(err.what, "ses"));
        assert_string_equal(err.why, "");
        assert_non_null(strstr(err.fix, "key_file"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_password),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
