/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "harvest/credential.h"

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static int temporary_folder(void **state)
{
    char *folder = mem_str("/tmp/harvest-credential-XXXXXX");
    *state = folder;
    return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int remove_folder(void **state)
{
    unlink("key");
    int rc = chdir("/") != 0 || rmdir(*state) != 0 ? -1 : 0;
    free(*state);
    return rc;
}

static void no_source_is_no_credential(void **state)
{
    (void)state;
    struct credential *credential = (void *)1;
    struct err err = {0};
    assert_int_equal(credential_load(NULL, NULL, &credential, &err), 0);
    assert_null(credential);
}

static void a_file_of_its_owner_is_read(void **state)
{
    (void)state;
    struct credential *credential;
    struct err err = {0};
    write_file("key", " \tsk-abc-123 \r\n", 0600);
    assert_int_equal(credential_load("key", NULL, &credential, &err), 0);
    assert_string_equal(credential_header(credential),
                        "Authorization: Bearer sk-abc-123");
    credential_free(credential);
}

static void bad_files_are_refused_without_their_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } cases[] = {
        {"sk-secret", 0644, "can be read by others (mode 644)"},
        {"sk-secret", 0640, "can be read by others (mode 640)"},
        {" \n", 0600, "holds no key"},
        {"sk-secret\r\nX-Evil: 1", 0600, "a byte that no key has, at 9"},
        {"sk-secret\xc3\xa4", 0600, "a byte that no key has, at 9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credential *credential = NULL;
        struct err err = {0};
        write_file("key", cases[i].text, cases[i].mode);
        assert_int_equal(credential_load("key", NULL, &credential, &err), -1);
        assert_int_equal(err.code, ERR_CREDENTIAL);
        assert_non_null(strstr(err.what, cases[i].says));
        assert_null(strstr(err.what, "secret"));
        assert_null(credential);
    }
}

static void a_missing_file_and_variable_are_named(void **state)
{
    (void)state;
    struct credential *credential;
    struct err err = {0};
    assert_int_equal(credential_load("nowhere", NULL, &credential, &err), -1);
    assert_non_null(strstr(err.what, "'nowhere'"));
    err = (struct err){0};
    assert_int_equal(credential_load(NULL, "HARVEST_NO_SUCH", &credential, &err), -1);
    assert_non_null(strstr(err.what, "'HARVEST_NO_SUCH'"));
}

static void a_variable_is_unset_and_wiped(void **state)
{
    (void)state;
    struct credential *credential;
    struct err err = {0};
    setenv("HARVEST_TEST_KEY", "sk-from-env", 1);
    const char *place = getenv("HARVEST_TEST_KEY");
    assert_int_equal(credential_load(NULL, "HARVEST_TEST_KEY", &credential, &err), 0);
    assert_string_equal(credential_header(credential),
                        "Authorization: Bearer sk-from-env");
    assert_null(getenv("HARVEST_TEST_KEY"));
    assert_int_equal(place[0], 0);
    credential_free(credential);
}

static void a_quoted_key_is_overwritten(void **state)
{
    (void)state;
    struct credential *credential;
    struct err err = {0};
    char text[] = "bad key sk-quoted-1 and sk-quoted-1! not sk-quoted-2";
    write_file("key", "sk-quoted-1", 0600);
    assert_int_equal(credential_load("key", NULL, &credential, &err), 0);
    credential_scrub(credential, text, strlen(text));
    assert_string_equal(text, "bad key *********** and ***********! not sk-quoted-2");
    credential_scrub(credential, NULL, 0);
    credential_scrub(NULL, text, strlen(text));
    credential_free(credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_source_is_no_credential),
        cmocka_unit_test(a_file_of_its_owner_is_read),
        cmocka_unit_test(bad_files_are_refused_without_their_text),
        cmocka_unit_test(a_missing_file_and_variable_are_named),
        cmocka_unit_test(a_variable_is_unset_and_wiped),
        cmocka_unit_test(a_quoted_key_is_overwritten),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("credential", tests, temporary_folder,
                                       remove_folder);
}
