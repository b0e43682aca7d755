/* SPDX-License-Identifier: MIT */
/* Plays every tests/unit/crawl/NAME.script and compares with what the file itself expects:
 *
 *   #: SETTING VALUE    jobs, concurrency, rpm, attempts, max-wait, timeout, latency (ms), hold
 *   #= RESULT VALUE     answered, failed, ambiguous, retries, pauses, sent, billed, distinct,
 *                       unfinished, stop, early, most-in-flight, most-in-minute; took A..B (ms)
 *
 * and thousands of scripts made of seeds, of which only the invariants are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/replay.h"

static const struct replay_conf plain = {
    .crawl = {.pacer = {.concurrency = 4},
              .attempts = 3,
              .max_wait_ms = 300000,
              .seed = 1},
    .jobs = 10,
    .timeout_ms = 600000,
    .latency_ms = 100,
};

static void set(struct replay_conf *conf, const char *name, long long value)
{
    struct {
        const char *name;
        int64_t *place;
    } const settings[] = {
        {"jobs", &conf->jobs},
        {"concurrency", &conf->crawl.pacer.concurrency},
        {"rpm", &conf->crawl.pacer.rpm},
        {"attempts", &conf->crawl.attempts},
        {"max-wait", &conf->crawl.max_wait_ms},
        {"timeout", &conf->timeout_ms},
        {"latency", &conf->latency_ms},
    };
    if (strcmp(name, "hold") == 0) {
        conf->crawl.hold_ambiguous = value != 0;
        return;
    }
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(name, settings[i].name) == 0) {
            *settings[i].place = value;
            return;
        }
    fail_msg("unknown setting '%s'", name);
}

static uint64_t get(const struct replay_result *result, const char *name)
{
    const struct {
        const char *name;
        uint64_t value;
    } results[] = {
        {"answered", result->counts.answered},
        {"failed", result->counts.failed},
        {"ambiguous", result->counts.ambiguous},
        {"retries", result->counts.retries},
        {"pauses", result->counts.pauses},
        {"sent", result->sent},
        {"billed", result->billed},
        {"distinct", result->distinct},
        {"unfinished", result->unfinished},
        {"stop", result->stop},
        {"early", result->early},
        {"most-in-flight", result->most_in_flight},
        {"most-in-minute", result->most_in_minute},
    };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (strcmp(name, results[i].name) == 0)
            return results[i].value;
    fail_msg("unknown result '%s'", name);
    return 0;
}

static void configure(const char *text, struct replay_conf *conf)
{
    char name[64];
    long long value;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "#: %63s %lld", name, &value) == 2)
            set(conf, name, value);
        if (*line == '\0')
            break;
    }
}

static void expect(const char *path, const char *text, const struct replay_result *result)
{
    char name[64];
    unsigned long long least, most;
    unsigned checked = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "#= took %llu..%llu", &least, &most) == 2) {
            if (result->took_ms < least || result->took_ms > most)
                fail_msg("%s: took %llu ms, expected %llu..%llu", path,
                         (unsigned long long)result->took_ms, least, most);
            checked++;
        } else if (sscanf(line, "#= %63s %llu", name, &least) == 2) {
            if (get(result, name) != least)
                fail_msg("%s: %s is %llu, expected %llu", path, name,
                         (unsigned long long)get(result, name), least);
            checked++;
        }
        if (*line == '\0')
            break;
    }
    if (checked == 0)
        fail_msg("%s expects nothing", path);
}

static void play_file(const char *path)
{
    struct buf text;
    struct arena arena = {0};
    struct script script;
    struct err err = {0};
    struct replay_conf conf = plain;
    struct replay_result first, second;
    buf_init(&text, 1 << 20);
    if (file_read(path, 1 << 20, &text, &err) != 0 ||
        script_parse(buf_view(&text), path, &arena, &script, &err) != 0)
        fail_msg("%s: %s %s", path, err.what, err.where);
    configure(text.p, &conf);
    replay_run(&conf, &script, &first);
    expect(path, text.p, &first);
    replay_run(&conf, &script, &second);
    assert_memory_equal(&first, &second, sizeof first); /* bit for bit */
    arena_clear(&arena);
    buf_clear(&text);
}

static void every_script_ends_as_it_says(void **state)
{
    (void)state;
    const char *top = getenv("srcdir");
    char *pattern = mem_format("%s/tests/unit/crawl/*.script", top != NULL ? top : ".");
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        play_file(found.gl_pathv[i]);
    assert_true(found.gl_pathc >= 10);
    globfree(&found);
    free(pattern);
}

/* A script of a seed: up to a dozen lines of anything that can happen. */
static void write_script(unsigned seed, struct buf *text)
{
    static const char *const what[] = {
        "429 retry-after=1",
        "429",
        "503 retry-after=3",
        "500",
        "502 delay=2s",
        "reset",
        "close",
        "cut 30",
        "hang",
        "refuse",
        "200 delay=5s",
        "400",
        "429 retry-after=7",
        "504",
        "drip 5 every=20ms",
    };
    srand(seed);
    int lines = rand() % 12;
    for (int i = 0; i < lines; i++) {
        int from = rand() % 80 + 1;
        buf_format(text, "%d-%d %s\n", from, from + rand() % 15,
                   what[(size_t)rand() % (sizeof what / sizeof what[0])]);
    }
}

static void check_invariants(unsigned seed, const struct replay_conf *conf,
                             const struct replay_result *r)
{
    uint64_t jobs = (uint64_t)conf->jobs;
    uint64_t ended = r->counts.answered + r->counts.failed + r->counts.ambiguous;
    bool fine = ended + r->unfinished == jobs;
    fine = fine && (r->stop != CRAWL_GOES_ON || r->unfinished == 0);
    fine = fine && r->most_in_flight <= (uint64_t)conf->crawl.pacer.concurrency;
    fine = fine && (conf->crawl.pacer.rpm == 0 ||
                    r->most_in_minute <= (uint64_t)conf->crawl.pacer.rpm);
    fine = fine && r->early == 0;
    /* What is ambiguous is sent at most once more, and never when held. */
    fine = fine && r->billed - r->distinct <= r->counts.retries;
    fine = fine && (!conf->crawl.hold_ambiguous || r->billed == r->distinct);
    if (!fine)
        fail_msg("seed %u breaks an invariant: ended %llu of %llu, unfinished %llu, "
                 "stop %d, in flight %llu, in a minute %llu, early %llu, billed %llu of "
                 "%llu",
                 seed, (unsigned long long)ended, (unsigned long long)jobs,
                 (unsigned long long)r->unfinished, r->stop,
                 (unsigned long long)r->most_in_flight,
                 (unsigned long long)r->most_in_minute, (unsigned long long)r->early,
                 (unsigned long long)r->billed, (unsigned long long)r->distinct);
}

static void invariants_hold_for_every_seed(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct buf text;
        struct arena arena = {0};
        struct script script;
        struct err err = {0};
        struct replay_conf conf = plain;
        struct replay_result result;
        buf_init(&text, 1 << 16);
        write_script(seed, &text);
        conf.jobs = 1 + rand() % 60;
        conf.crawl.pacer.concurrency = 1 + rand() % 16;
        conf.crawl.pacer.rpm = rand() % 3 == 0 ? 1 + rand() % 120 : 0;
        conf.crawl.hold_ambiguous = rand() % 2;
        conf.crawl.seed = seed;
        assert_int_equal(script_parse(buf_view(&text), "seed", &arena, &script, &err), 0);
        replay_run(&conf, &script, &result);
        check_invariants(seed, &conf, &result);
        arena_clear(&arena);
        buf_clear(&text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_ends_as_it_says),
        cmocka_unit_test(invariants_hold_for_every_seed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("crawl", tests, NULL, NULL);
}
