/* SPDX-License-Identifier: MIT */
#include "export/export.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/sample.h"
#include "tests/unit/scratch.h"

#define GOOD .outcome = OUTCOME_ANSWERED, .finish = FINISH_STOP

static const struct sample samples[] = {
    {.prompt = "plain", .id = "p1", .answer = "One.", GOOD, .positions = 3, .top = 2},
    {.prompt = "unnamed", .answer = "caf\\u00e9 \\ud800", GOOD, .positions = 2, .top = 2},
    {.prompt = "meta",
     .id = "p3",
     .metadata = "{\"a\":[1,null]}",
     .answer = "Three.",
     GOOD},
    {.prompt = "twice", .id = "p4", .answer = "Same \\u0041.", GOOD, .positions = 2},
    {.prompt = "twice",
     .id = "p4",
     .answer = "Same A.",
     GOOD,
     .number = 1,
     .positions = 2},
    {.prompt = "twice",
     .id = "p4",
     .answer = "Other.",
     GOOD,
     .number = 2,
     .positions = 1},
    {.prompt = "odd",
     .id = "p5",
     .answer = "Odd",
     GOOD,
     .positions = 1,
     .top = 1,
     .odd = true,
     .flags = FLAG_ODD_LOGPROBS},
    {.prompt = "cut",
     .id = "p6",
     .answer = "Cut o",
     .outcome = OUTCOME_ANSWERED,
     .finish = FINISH_LENGTH},
    {.prompt = "refused", .id = "p7", .answer = "No.", GOOD, .flags = FLAG_REFUSAL},
    {.prompt = "empty", .id = "p8", .answer = "", GOOD, .flags = FLAG_EMPTY},
    {.prompt = "tool",
     .id = "p9",
     .tool_calls = "[{\"id\":\"c1\"}]",
     .outcome = OUTCOME_ANSWERED,
     .finish = FINISH_TOOL_CALLS},
    {.prompt = "planned", .id = "p10"},
    {.prompt = "failed",
     .id = "p11",
     .outcome = OUTCOME_FAILED,
     .reason = REASON_REQUEST},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

struct place {
    char *top, *store;
    char *shelf, *out; /* the dataset and the directory it is in */
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    void *top;
    *state = place;
    if (scratch_make(&top) != 0)
        return -1;
    place->top = top;
    place->store = mem_format("%s/h.db", place->top);
    place->shelf = mem_format("%s/shelf", place->top);
    place->out = mem_format("%s/set", place->shelf);
    mkdir(place->shelf, 0777);
    sample_store(place->store, samples, SAMPLES);
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    void *top = place->top;
    free(place->store);
    free(place->out);
    free(place->shelf);
    free(place);
    return scratch_remove(&top);
}

static struct export_options make_options(const struct place *place)
{
    return (struct export_options){
        .dir = place->out,
        .format = "jsonl",
        .shard_bytes = 1 << 20,
        .version = "1.2.3",
    };
}

static struct export_counts run(const struct place *place,
                                const struct export_options *options)
{
    struct err err = {0};
    struct export_counts counts;
    struct store *store = sample_open(place->store);
    if (export_run(store, options, &counts, &err) != 0)
        fail_msg("%s: %s", err.what, err.why);
    store_close(store);
    return counts;
}

static char *read_below(const char *directory, const char *name)
{
    char *path = mem_format("%s/%s", directory, name), *text = scratch_read(path);
    if (text == NULL)
        fail_msg("cannot read %s", path);
    free(path);
    return text;
}

static json_t *read_manifest(const char *directory)
{
    char *text = read_below(directory, "manifest.json");
    json_t *manifest = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(manifest);
    free(text);
    return manifest;
}

/* All shards, after their sizes and digests were held against the manifest. */
static char *read_rows(const char *directory)
{
    json_t *manifest = read_manifest(directory), *shard;
    struct sha256 *sha = sha256_new();
    struct buf all;
    size_t i, rows = 0;
    buf_init(&all, 1 << 24);
    json_array_foreach(json_object_get(manifest, "shards"), i, shard)
    {
        unsigned char digest[SHA256_BYTES];
        char hex[SHA256_HEX + 1];
        char *text =
            read_below(directory, json_string_value(json_object_get(shard, "name")));
        size_t n = strlen(text);
        assert_int_equal(n, json_integer_value(json_object_get(shard, "bytes")));
        rows += (size_t)json_integer_value(json_object_get(shard, "rows"));
        sha256_add(sha, text, n);
        sha256_end(sha, digest);
        hex_encode(digest, sizeof digest, hex);
        assert_string_equal(hex, json_string_value(json_object_get(shard, "sha256")));
        buf_add(&all, text, n);
        free(text);
    }
    sha256_free(sha);
    assert_int_equal(rows, json_integer_value(json_object_get(manifest, "rows")));
    assert_int_equal(all.n, json_integer_value(json_object_get(manifest, "bytes")));
    json_decref(manifest);
    return buf_take(&all);
}

/* The row of a prompt, to be released; NULL: it is not there. */
static json_t *find_row(const char *rows, const char *id)
{
    for (const char *end; *rows != '\0'; rows = end + 1) {
        end = strchr(rows, '\n');
        json_t *row =
            json_loadb(rows, (size_t)(end - rows), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(row);
        if (strcmp(json_string_value(json_object_get(row, "prompt_id")), id) == 0)
            return row;
        json_decref(row);
    }
    return NULL;
}

static void expect_text(const json_t *row, const char *name, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(row, name)), expected);
}

static void expect_messages(const json_t *row, const char *expected)
{
    char *text = json_dumps(json_object_get(row, "messages"), JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_counts(const struct export_counts *counts,
                          const uint64_t expected[CHOICES])
{
    uint64_t sum = 0;
    for (int i = 0; i < CHOICES; i++) {
        if (counts->choices[i] != expected[i])
            fail_msg("%s: %d", choice_name(i), (int)counts->choices[i]);
        sum += expected[i];
    }
    assert_int_equal(counts->read, sum);
}

/* ---- rows ---- */

#define SYSTEM "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
#define TURNS(prompt, answer)                                                            \
    SYSTEM "{\"role\":\"user\",\"content\":\"" prompt                                    \
           "\"},{\"role\":\"assistant\",\"content\":\"" answer "\"}]"

static void test_rows(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    struct export_counts counts = run(place, &options);
    expect_counts(&counts, (uint64_t[CHOICES]){6, 1, 1, 1, 1, 0, 1});
    assert_int_equal(counts.shards, 1);
    char *rows = read_rows(place->out), key[SHA256_HEX + 1] = "";
    assert_int_equal(counts.bytes, strlen(rows));
    for (const char *at = rows; *at != '\0'; at = strchr(at, '\n') + 1) {
        assert_memory_equal(at, "{\"key\":\"", 8);
        assert_true(memcmp(at + 8, key, SHA256_HEX) > 0); /* in their order */
        memcpy(key, at + 8, SHA256_HEX);
    }
    json_t *row = find_row(rows, "p3");
    expect_text(row, "metadata", "{\"a\":[1,null]}");
    expect_text(row, "teacher", "smol");
    expect_text(row, "finish_reason", "stop");
    expect_messages(row, TURNS("meta", "Three."));
    assert_int_equal(json_object_size(row), 7);
    json_decref(row);
    row = find_row(rows, "p1");
    expect_text(row, "metadata", "{}");
    json_decref(row);
    assert_non_null(strstr(rows, TURNS("unnamed", "caf\xc3\xa9 \xef\xbf\xbd")));
    assert_non_null(strstr(rows, TURNS("twice", "Same A.")));
    assert_non_null(strstr(rows, TURNS("twice", "Other.")));
    static const char *const absent[] = {"p6", "p7", "p8", "p9", "p10", "p11"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(find_row(rows, absent[i]));
    free(rows);
}

static void test_keep(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    options.keep = true;
    struct export_counts counts = run(place, &options);
    expect_counts(&counts, (uint64_t[CHOICES]){10, 0, 0, 0, 1, 0, 0});
    char *rows = read_rows(place->out);
    json_t *row = find_row(rows, "p6");
    expect_text(row, "finish_reason", "length");
    expect_messages(row, TURNS("cut", "Cut o"));
    json_decref(row);
    row = find_row(rows, "p8");
    expect_messages(row, TURNS("empty", ""));
    json_decref(row);
    free(rows);
}

static void expect_numbers(const json_t *list, int position, int entry, int n)
{
    assert_int_equal(json_array_size(list), n);
    for (int i = 0; i < n; i++) {
        double value = json_real_value(json_array_get(list, (size_t)i));
        assert_true(value == sample_logprob(position, entry + i));
    }
}

static void test_logprobs(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    options.logprobs = true;
    struct export_counts counts = run(place, &options);
    expect_counts(&counts, (uint64_t[CHOICES]){5, 1, 1, 1, 1, 1, 1});
    assert_int_equal(counts.floored, 1);
    char *rows = read_rows(place->out);
    assert_null(find_row(rows, "p3")); /* has none */
    json_t *row = find_row(rows, "p1"), *top = json_object_get(row, "top_logprobs");
    for (int i = 0; i < 3; i++) {
        expect_numbers(json_array_get(top, (size_t)i), i, 1, 2);
        const json_t *chosen = json_object_get(row, "token_logprobs");
        assert_true(json_real_value(json_array_get(chosen, (size_t)i)) ==
                    sample_logprob(i, 0));
    }
    char *ids = json_dumps(json_object_get(row, "top_token_ids"), JSON_COMPACT);
    assert_string_equal(ids, "[[1,2],[101,102],[201,202]]");
    free(ids);
    char *bytes = json_dumps(json_object_get(row, "token_bytes"), JSON_COMPACT);
    assert_string_equal(bytes, "[\"74302e30\",\"74312e30\",\"74322e30\"]");
    free(bytes);
    json_decref(row);
    row = find_row(rows, "p5");
    top = json_array_get(json_object_get(row, "top_logprobs"), 0);
    assert_true(json_real_value(json_array_get(top, 0)) == LOGPROB_FLOOR);
    json_decref(row);
    json_t *manifest = read_manifest(place->out);
    size_t n;
    export_columns(&n);
    assert_int_equal(json_array_size(json_object_get(manifest, "columns")), n);
    assert_int_equal(json_integer_value(json_object_get(manifest, "floored_logprobs")),
                     1);
    json_decref(manifest);
    free(rows);
}

static void test_selected(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    options.only_selected = true;
    struct err err = {0};
    struct export_counts counts;
    struct store *store = sample_open(place->store);
    struct arena arena = {0};
    struct row row;
    bool answered;
    int64_t request;
    size_t n;
    assert_int_equal(store_find(store, SPAN_LITERAL("p1"), &request, 1, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(store_row(store, request, &arena, &row, &answered, &err), 0);
    assert_int_equal(export_run(store, &options, &counts, &err), -1);
    assert_int_equal(err.code, ERR_USAGE); /* no prompt was named yet */
    err = (struct err){0};
    assert_int_equal(store_select(store, row.prompt_hash, &err), 0);
    assert_int_equal(export_run(store, &options, &counts, &err), 0);
    arena_clear(&arena);
    store_close(store);
    expect_counts(&counts, (uint64_t[CHOICES]){1});
    char *rows = read_rows(place->out);
    json_t *found = find_row(rows, "p1");
    assert_non_null(found);
    json_decref(found);
    free(rows);
}

/* ---- the dataset ---- */

static void test_manifest(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    run(place, &options);
    char *text = read_below(place->out, "manifest.json");
    static const char head[] =
        "{\n  \"type\": \"harvest-dataset\",\n  \"v\": 1,\n  \"tool\": \"harvest "
        "1.2.3\",\n"
        "  \"options\": {\"format\": \"jsonl\", \"logprobs\": false, \"keep\": false, "
        "\"prompts\": \"all\", \"shard_size\": 1048576},\n  \"rows\": 6,\n";
    assert_memory_equal(text, head, sizeof head - 1);
    static const char *const parts[] = {
        "\"answers\": 11,",
        "\"left_out\": {\"truncated\": 1, \"refused\": 1, \"empty\": 1, \"structured\": "
        "1, "
        "\"no_logprobs\": 0, \"duplicates\": 1}",
        "{\"teacher\": \"smol\", \"license\": \"Apache-2.0\", \"training\": \"allowed\", "
        "\"rows\": 6}",
        "{\"name\": \"messages\", \"type\": \"list<struct<role: string, content: "
        "string>>\"}",
        "{\"name\": \"data/train-00000-of-00001.jsonl\", \"rows\": 6, \"bytes\": ",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("%s is not in %s", parts[i], text);
    free(text);
}

static void test_same_bytes(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    options.shard_bytes = 500; /* several shards */
    options.logprobs = true;
    struct export_counts counts = run(place, &options);
    assert_true(counts.shards > 1);
    char *rows = read_rows(place->out), *text = read_below(place->out, "manifest.json");
    run(place, &options);
    char *again = read_rows(place->out),
         *text_again = read_below(place->out, "manifest.json");
    assert_string_equal(rows, again);
    assert_string_equal(text, text_again);
    char *names = scratch_names(place->shelf);
    assert_string_equal(names, "set ");
    free(names);
    free(text_again);
    free(again);
    free(text);
    free(rows);
}

/* The order in which answers came leaves no trace. */
static void test_order_of_arrival(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    options.keep = options.logprobs = true;
    run(place, &options);
    char *rows = read_rows(place->out), *text = read_below(place->out, "manifest.json");
    struct sample turned[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        turned[i] = samples[SAMPLES - 1 - i];
    sample_store(place->store, turned, SAMPLES / 2);
    sample_add(place->store, turned + SAMPLES / 2, SAMPLES - SAMPLES / 2);
    run(place, &options);
    char *again = read_rows(place->out),
         *text_again = read_below(place->out, "manifest.json");
    assert_string_equal(rows, again);
    assert_string_equal(text, text_again);
    free(text_again);
    free(again);
    free(text);
    free(rows);
}

static void expect_error(struct place *place, const struct export_options *options,
                         enum err_code code, const char *why)
{
    struct err err = {0};
    struct export_counts counts;
    struct store *store = sample_open(place->store);
    assert_int_equal(export_run(store, options, &counts, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(err.why, why);
    store_close(store);
}

static void test_no_rows(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    run(place, &options);
    char *rows = read_rows(place->out);
    sample_store(place->store, &samples[11], 1);
    expect_error(place, &options, ERR_USAGE, "the store has no answers yet");
    sample_store(place->store, &samples[7], 2);
    expect_error(place, &options, ERR_USAGE,
                 "all of 2 answers are left out: 1 truncated, 1 refused");
    char *again = read_rows(place->out), *names = scratch_names(place->shelf);
    assert_string_equal(rows, again);
    assert_string_equal(names, "set ");
    free(names);
    free(again);
    free(rows);
}

static void test_refused_directory(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    char *notes = mem_format("%s/notes.txt", place->shelf);
    scratch_write(notes, "mine");
    options.dir = place->shelf;
    expect_error(place, &options, ERR_USAGE, "");
    char *names = scratch_names(place->shelf);
    assert_string_equal(names, "notes.txt ");
    free(names);
    free(notes);
}

/* The limit on a file's size stands for a disk that is full. */
static void fill_disk(const struct place *place, const struct export_options *options)
{
    struct err err = {0};
    struct export_counts counts;
    const struct rlimit limit = {50000, 50000};
    struct store *store = sample_open(place->store);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int result = export_run(store, options, &counts, &err);
    _exit(result == -1 && err.code == ERR_STORAGE && err.fix[0] != '\0' ? 0 : 1);
}

static void test_full(void **state)
{
    struct place *place = *state;
    struct export_options options = make_options(place);
    run(place, &options);
    char *rows = read_rows(place->out), *answer = mem_new(60001);
    memset(answer, 'x', 60000);
    const struct sample large = {.prompt = "large", .answer = answer, GOOD};
    sample_add(place->store, &large, 1);
    int status;
    pid_t child = fork();
    if (child == 0)
        fill_disk(place, &options);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *after = read_rows(place->out), *names = scratch_names(place->shelf);
    assert_string_equal(rows, after);
    assert_string_equal(names, "set ");
    free(names);
    free(after);
    free(answer);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_logprobs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_selected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_arrival, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
