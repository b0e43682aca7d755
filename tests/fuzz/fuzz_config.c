/* SPDX-License-Identifier: MIT */
/* fuzz_config: any bytes as harvest.yaml. What is accepted gives a teacher or an error with a
 * text, and params that are canonical JSON. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "harvest/config.h"
#include "harvest/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_teacher(const struct config *config)
{
    struct teacher_conf teacher;
    struct err err = {0};
    if (config_teacher(config, &teacher, &err) != 0) {
        assert(err.code == ERR_USAGE && err.what[0] != '\0');
        return;
    }
    struct arena arena = {0};
    struct span again;
    if (teacher.params != NULL) {
        int result = json_canonical(span_of(teacher.params), &arena, &again, NULL);
        assert(result == 0 && span_is(again, teacher.params));
    }
    if (teacher.url != NULL) {
        char *url = url_normalise(teacher.url, NULL);
        assert(url != NULL && span_is(span_of(url), teacher.url));
        free(url);
    }
    arena_clear(&arena);
    teacher_conf_clear(&teacher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("config", 0), n_words = 0;
    ssize_t written = write(fd, data, size);
    assert(written == (ssize_t)size);
    char command[] = "run", option[] = "--config";
    char *path = mem_format("/proc/self/fd/%d", fd);
    char *argv[] = {command, option, path, NULL};
    struct config config;
    struct err err = {0};
    if (config_load(&config, command, 3, argv, &n_words, &err) == 0) {
        check_teacher(&config);
        for (size_t i = 0; i < config.n_teachers; i++) {
            free(config.teacher);
            config.teacher = mem_str(config.teachers[i].name);
            check_teacher(&config);
        }
        config_clear(&config);
    } else {
        assert(err.code == ERR_USAGE && err.what[0] != '\0');
    }
    free(path);
    close(fd);
    return 0;
}
