/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "prompts/prompts.h"
#include "tests/unit/scratch.h"

static int enter(void **state)
{
    return scratch_make(state) != 0 || chdir(*state) != 0;
}

static int leave(void **state)
{
    return chdir("/") != 0 || scratch_remove(state) != 0;
}

static void write_bytes(const char *path, const char *p, size_t n)
{
    assert_int_equal(file_publish(path, (struct span){p, n}, NULL), 0);
}

static void add_span(struct buf *out, char mark, struct span span)
{
    if (span.p != NULL)
        buf_format(out, " %c=%.*s", mark, (int)span.n, span.p);
}

/* All prompts of a file, one a line: "SOURCE:LINE MESSAGES i=ID p=PARAMS d=METADATA". */
static int read_all(const char *path, const char *reader, bool skip, struct buf *out,
                    struct err *err)
{
    struct prompts *prompts;
    if (prompts_open(&path, 1, reader, skip, &prompts, err) != 0)
        return -1;
    struct prompt prompt;
    bool more = true;
    int result;
    while ((result = prompts_next(prompts, &prompt, &more, err)) == 0 && more) {
        buf_format(out, "%s:%d %.*s", prompt.source, (int)prompt.line,
                   (int)prompt.messages.n, prompt.messages.p);
        add_span(out, 'i', prompt.id);
        add_span(out, 'p', prompt.params);
        add_span(out, 'd', prompt.metadata);
        buf_byte(out, '\n');
    }
    if (prompts_skipped(prompts) > 0)
        buf_format(out, "skipped %d: %s\n", (int)prompts_skipped(prompts),
                   prompts_first_skipped(prompts)->where);
    prompts_close(prompts);
    return result;
}

static void expect_all(const char *path, const char *reader, bool skip,
                       const char *wanted)
{
    struct buf out;
    struct err err = {0};
    buf_init(&out, 1 << 20);
    if (read_all(path, reader, skip, &out, &err) != 0)
        fail_msg("%s: %s, %s", path, err.what, err.where);
    assert_string_equal(buf_view(&out).p, wanted);
    buf_clear(&out);
}

/* ---- what is read ----------------------------------------------------------------------- */

static void test_text(void **state)
{
    (void)state;
    static const char bytes[] = "\xef\xbb\xbf"
                                "first\r\n\n   \t\n  kept  \nq \"x\" \\ \t\x01\n\xc3\xa9";
    write_bytes("a.txt", bytes, sizeof bytes - 1);
    expect_all(
        "a.txt", NULL, false,
        "a.txt:1 [{\"content\":\"first\",\"role\":\"user\"}]\n"
        "a.txt:4 [{\"content\":\"  kept  \",\"role\":\"user\"}]\n"
        "a.txt:5 [{\"content\":\"q \\\"x\\\" \\\\ \\t\\u0001\",\"role\":\"user\"}]\n"
        "a.txt:6 [{\"content\":\"\xc3\xa9\",\"role\":\"user\"}]\n");
}

struct row {
    const char *json, *wanted; /* behind "f.jsonl:1 " */
};

static const struct row rows[] = {
    {"{\"prompt\":\"x\"}", "[{\"content\":\"x\",\"role\":\"user\"}]"},
    {" \t{ \"prompt\" : \"x\" , \"id\":\"7\" } ",
     "[{\"content\":\"x\",\"role\":\"user\"}] i=7"},
    {"{\"id\":-12,\"prompt\":\"x\"}", "[{\"content\":\"x\",\"role\":\"user\"}] i=-12"},
    {"{\"id\":0,\"prompt\":\"x\"}", "[{\"content\":\"x\",\"role\":\"user\"}] i=0"},
    {"{\"id\":9223372036854775807,\"prompt\":\"x\"}",
     "[{\"content\":\"x\",\"role\":\"user\"}] i=9223372036854775807"},
    {"{\"prompt\":\"a\\nb\\/\\u00e9\\ud83d\\ude00\\u0001\",\"id\":\"\\\"\"}",
     "[{\"content\":\"a\\nb/\xc3\xa9\xf0\x9f\x98\x80\\u0001\",\"role\":\"user\"}] i=\""},
    {"{\"prompt\":\"\\ufffd\"}", "[{\"content\":\"\xef\xbf\xbd\",\"role\":\"user\"}]"},
    {"{\"pr\\u006fmpt\":\"x\"}", "[{\"content\":\"x\",\"role\":\"user\"}]"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "[{\"content\":\"x\",\"role\":\"user\"}]"},
    {"{\"messages\":[ {\"content\":\"\",\"role\":\"system\"} , "
     "{\"role\":\"us\\u0065r\",\"content\":"
     "\"\\\"\"} ]}",
     "[{\"content\":\"\",\"role\":\"system\"},{\"content\":\"\\\"\",\"role\":\"user\"}]"},
    {"{\"messages\":[{\"role\":\"user\",\"name\":\"z\",\"content\":[{\"type\":\"text\","
     "\"text\":\"x\"}]"
     "},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]},{\"role\":\"tool\"}]"
     "}",
     "[{\"content\":[{\"text\":\"x\",\"type\":\"text\"}],\"name\":\"z\",\"role\":"
     "\"user\"},"
     "{\"content\":null,\"role\":\"assistant\",\"tool_calls\":[]},{\"role\":\"tool\"}]"},
    {"{\"prompt\":\"x\",\"metadata\":{\"b\":1.50,\"a\":{\"}\":\"{\\\"\"}},\"id\":null}",
     "[{\"content\":\"x\",\"role\":\"user\"}] d={\"a\":{\"}\":\"{\\\"\"},\"b\":1.5}"},
    {"{\"prompt\":\"x\",\"metadata\":{}}",
     "[{\"content\":\"x\",\"role\":\"user\"}] d={}"},
    {"{\"prompt\":\"x\",\"messages\":null,\"metadata\":null,\"params\":null}",
     "[{\"content\":\"x\",\"role\":\"user\"}]"},
    {"{\"prompt\":\"x\",\"params\":{\"top_p\":0.9,\"seed\":3}}",
     "[{\"content\":\"x\",\"role\":\"user\"}] p={\"seed\":3,\"top_p\":0.9}"},
    {"{\"prompt\":\"x\",\"params\":{}}", "[{\"content\":\"x\",\"role\":\"user\"}]"},
};

/* Every row is read twice: as it is, which is the direct way for plain ones, and with an
 * empty params in front, which makes it go through jansson. Both must agree. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *wanted = mem_format("f.jsonl:1 %s\n", rows[i].wanted);
        scratch_write("f.jsonl", rows[i].json);
        expect_all("f.jsonl", NULL, false, wanted);
        if (strstr(rows[i].json, "params") == NULL) {
            char *careful =
                mem_format("{\"params\":{},%s", strchr(rows[i].json, '{') + 1);
            scratch_write("f.jsonl", careful);
            expect_all("f.jsonl", NULL, false, wanted);
            free(careful);
        }
        free(wanted);
    }
}

static void test_choice_of_reader(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"content\":\"{\\\"prompt\\\":\\\"x\\\"}\",\"role\":\"user\"}]";
    static const char json[] = "[{\"content\":\"x\",\"role\":\"user\"}]";
    static const struct {
        const char *name, *reader, *wanted;
    } cases[] = {
        {"a.jsonl", NULL, json},     {"a.NDJSON", "auto", json},
        {"a.txt", NULL, text},       {"a.jsonl", "text", text},
        {"a.txt", "jsonl", json},    {"a", NULL, json},
        {"a.b/c", NULL, json},       {"a.json", NULL, json},
        {"a.jsonl.txt", NULL, text}, {".jsonl/x.txt", NULL, text},
    };
    assert_int_equal(mkdir("a.b", 0700) | mkdir(".jsonl", 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *wanted = mem_format("%s:3 %s\n", cases[i].name, cases[i].wanted);
        scratch_write(cases[i].name, "\n  \n{\"prompt\":\"x\"}\n");
        expect_all(cases[i].name, cases[i].reader, false, wanted);
        free(wanted);
    }
}

/* ---- what is refused -------------------------------------------------------------------- */

struct refusal {
    const char *json, *what, *where, *why, *fix;
};

static const struct refusal refusals[] = {
    {"{\"prompt\":\"x\"", "not valid JSON", "f.jsonl:1:", "", "--invalid=skip"},
    {"{\"prompt\":x}", "not valid JSON", "f.jsonl:1:11", "", ""},
    {"{\"prompt\":\"x\"} {}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{\"prompt\":\"x\",\"prompt\":\"x\"}", "not valid JSON", "f.jsonl:1:", "duplicate",
     ""},
    {"{\"prompt\":\"\\ud800\"}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{\"prompt\":\"a\\u0000b\"}", "not valid JSON", "f.jsonl:1:", "\\u0000", ""},
    {"{\"prompt\":\"\\q\"}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{\"prompt\":\"x\",}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{,\"prompt\":\"x\"}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{\"id\":01,\"prompt\":\"x\"}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"{\"prompt\":\"x\",\"metadata\":{\"a\":1,\"a\":2}}", "not valid JSON",
     "f.jsonl:1:", "duplicate", ""},
    {"{\"prompt\":\"x\",\"metadata\":{]}}", "not valid JSON", "f.jsonl:1:", "", ""},
    {"[\"x\"]", "a row must be an object, not a list", "f.jsonl:1:1", "", ""},
    {"\"x\"", "must be an object, not a string", "f.jsonl:1:1", "", ""},
    {"{}", "a row without 'prompt' and 'messages'", "f.jsonl:1:1", "",
     "write {\"prompt\""},
    {"{\"promt\":\"x\"}", "unknown member 'promt'", "f.jsonl:1:10", "a row has id",
     "did you mean 'prompt'?"},
    {"{\"prompt\":\"x\",\"weight\":3}", "unknown member 'weight'", "f.jsonl:1:24", "",
     "data of your own goes into 'metadata'"},
    {"{\"prompt\":7}", "'prompt' must be a string, not a number", "f.jsonl:1:11", "", ""},
    {"{\"prompt\":\"\"}", "'prompt' is empty", "f.jsonl:1:11", "", ""},
    {"{\"prompt\":\"x\",\"messages\":[]}", "not both", "f.jsonl:1:", "", ""},
    {"{\"messages\":[]}", "'messages' is empty", "f.jsonl:1:13", "", ""},
    {"{\"messages\":{}}", "'messages' must be a list of objects, not an object",
     "f.jsonl:1:13", "", ""},
    {"{\"messages\":[7]}", "'messages[0]' must be an object, not a number",
     "f.jsonl:1:13", "", ""},
    {"{\"messages\":[{\"content\":\"x\"}]}", "'messages[0]' has no 'role'",
     "f.jsonl:1:13", "", ""},
    {"{\"messages\":[{\"role\":\"\",\"content\":\"x\"}]}",
     "'messages[0].role' must be a string", "f.jsonl:1:13", "", ""},
    {"{\"messages\":[{\"role\":\"u\",\"content\":\"x\"},{\"role\":\"u\",\"content\":4}]}",
     "'messages[1].content' must be a string or a list, not a number", "f.jsonl:1:13", "",
     ""},
    {"{\"id\":1.5,\"prompt\":\"x\"}",
     "'id' must be a string or a whole number, not a number", "f.jsonl:1:7", "", ""},
    {"{\"id\":1e3,\"prompt\":\"x\"}", "'id' must be", "f.jsonl:1:7", "", ""},
    {"{\"id\":\"\",\"prompt\":\"x\"}", "'id' is empty", "f.jsonl:1:7", "", ""},
    {"{\"id\":true,\"prompt\":\"x\"}", "not true or false", "f.jsonl:1:7", "", ""},
    {"{\"prompt\":\"x\",\"params\":[]}", "'params' must be an object, not a list",
     "f.jsonl:1:24", "", ""},
    {"{\"prompt\":\"x\",\"params\":{\"n\":2}}", "'params' cannot have 'n'",
     "f.jsonl:1:24", "--samples", ""},
    {"{\"prompt\":\"x\",\"params\":{\"model\":\"m\"}}", "cannot have 'model'",
     "f.jsonl:1:24", "--model", ""},
    {"{\"prompt\":\"x\",\"params\":{\"stream\":false}}", "cannot have 'stream'",
     "f.jsonl:1:24", "", ""},
    {"{\"prompt\":\"x\",\"params\":{\"messages\":[]}}", "cannot have 'messages'",
     "f.jsonl:1:24", "", ""},
    {"{\"metadata\":\"s\",\"prompt\":\"x\"}",
     "'metadata' must be an object, not a string", "f.jsonl:1:13", "", ""},
};

static bool fits(const struct err *err, const struct refusal *refusal)
{
    return err->code == ERR_USAGE && strstr(err->what, refusal->what) != NULL &&
           strncmp(err->where, refusal->where, strlen(refusal->where)) == 0 &&
           strstr(err->why, refusal->why) != NULL &&
           strstr(err->fix, refusal->fix) != NULL;
}

static void expect_refusal(const char *path, const char *reader,
                           const struct refusal *refusal)
{
    struct buf out;
    struct err err = {0};
    buf_init(&out, 1 << 20);
    int result = read_all(path, reader, false, &out, &err);
    buf_clear(&out);
    if (result != -1 || !fits(&err, refusal))
        fail_msg("%s %s: %s | %s | %s | %s", path, refusal->json, err.what, err.where,
                 err.why, err.fix);
}

/* A bad line is an error with its place, and is left out where that is asked for. */
static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char *text = mem_format("%s\n{\"prompt\":\"good\"}\n", refusals[i].json);
        scratch_write("f.jsonl", text);
        expect_refusal("f.jsonl", NULL, &refusals[i]);
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(read_all("f.jsonl", NULL, true, &out, NULL), 0);
        const char *good =
            "f.jsonl:2 [{\"content\":\"good\",\"role\":\"user\"}]\nskipped 1: ";
        assert_memory_equal(buf_view(&out).p, good, strlen(good));
        buf_clear(&out);
        free(text);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        struct refusal refusal;
    } cases[] = {
        {SPAN_LITERAL("ok\nab\xff"
                      "c\n"),
         {"", "not valid UTF-8", "b.txt:2:3", "byte 0xff at offset 5", "--invalid=skip"}},
        {SPAN_LITERAL("ok\na\0b\n"),
         {"", "a NUL byte", "b.txt:2:2", "byte 0x00 at offset 4", ""}},
        {SPAN_LITERAL("\xef\xbb\xbf"
                      "a\xc0\x80\n"),
         {"", "not valid UTF-8", "b.txt:1:2", "byte 0xc0 at offset 4", ""}},
        {SPAN_LITERAL("\xed\xa0\x80\n"), {"", "not valid UTF-8", "b.txt:1:1", "", ""}},
        {SPAN_LITERAL("cut \xc3"), {"", "not valid UTF-8", "b.txt:1:5", "", ""}},
        {SPAN_LITERAL("\xff\xfeh\0i\0\n\0"),
         {"", "not valid UTF-8", "b.txt:1:1", "", "iconv"}},
        {SPAN_LITERAL("\x1f\x8b\x08\0"),
         {"", "not valid UTF-8", "b.txt:1:2", "", "zcat"}},
        {SPAN_LITERAL("\x28\xb5\x2f\xfd"),
         {"", "not valid UTF-8", "b.txt:1:2", "", "zstdcat"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_bytes("b.txt", cases[i].bytes.p, cases[i].bytes.n);
        expect_refusal("b.txt", NULL, &cases[i].refusal);
    }
    write_bytes("b.txt", cases[0].bytes.p, cases[0].bytes.n);
    expect_all(
        "b.txt", NULL, true,
        "b.txt:1 [{\"content\":\"ok\",\"role\":\"user\"}]\nskipped 1: b.txt:2:3\n");
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text; /* NULL: not written */
        struct refusal refusal;
    } cases[] = {
        {"missing.txt",
         NULL,
         {"", "cannot read the prompts 'missing.txt'", "", "", "spelling"}},
        {".", NULL, {"", "the prompts '.' are a directory", "", "", "./*.jsonl"}},
        {"empty.txt", "", {"", "the prompts 'empty.txt' are empty", "", "", ""}},
        {"blank.txt", "\n \n\r\n", {"", "there is no prompt in 'blank.txt'", "", "", ""}},
        {"t.csv",
         "id,prompt\n",
         {"", "cannot tell what the prompts in 't.csv' are", "", "'.csv'",
          "--input text"}},
        {"t.json", "[\n{}]\n", {"", "cannot tell", "", "'.json'", "--input text"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].text != NULL)
            scratch_write(cases[i].path, cases[i].text);
        expect_refusal(cases[i].path, NULL, &cases[i].refusal);
    }
    const struct refusal unknown = {"", "no format of prompts named 'json'", "", "",
                                    "did you mean 'jsonl'?"};
    expect_refusal("blank.txt", "json", &unknown);
    scratch_write("f.jsonl", "{\n}\n");
    struct err err = {0};
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(read_all("f.jsonl", NULL, true, &out, &err), -1);
    assert_string_equal(err.what, "there is no prompt in 'f.jsonl'");
    assert_non_null(strstr(err.why, "f.jsonl:1:"));
    buf_clear(&out);
    if (geteuid() != 0) {
        assert_int_equal(chmod("blank.txt", 0), 0);
        const struct refusal closed = {"", "Permission denied", "", "", "permissions"};
        expect_refusal("blank.txt", NULL, &closed);
    }
}

/* All inputs are looked at before the first prompt is read. */
static void test_several(void **state)
{
    (void)state;
    const char *const paths[] = {"a.txt", "b.jsonl", "missing.txt"};
    struct prompts *prompts = NULL;
    struct prompt prompt;
    bool more = true;
    struct err err = {0};
    scratch_write("a.txt", "one\n");
    scratch_write("b.jsonl", "{\"prompt\":\"two\"}\n{\"prompt\":\"three\"}");
    assert_int_equal(prompts_open(paths, 3, NULL, false, &prompts, &err), -1);
    assert_non_null(strstr(err.what, "missing.txt"));
    assert_int_equal(prompts_open(paths, 2, NULL, false, &prompts, NULL), 0);
    int n = 0;
    while (prompts_next(prompts, &prompt, &more, NULL) == 0 && more)
        assert_string_equal(prompt.source, n++ == 0 ? "a.txt" : "b.jsonl");
    assert_int_equal(n, 3);
    assert_false(more);
    assert_int_equal(prompts_next(prompts, &prompt, &more, NULL),
                     0); /* stays at the end */
    assert_false(more);
    prompts_close(prompts);
    const char *const twice[] = {"-", "-"};
    err = (struct err){0};
    assert_int_equal(prompts_open(twice, 2, NULL, false, &prompts, &err), -1);
    assert_string_equal(err.what, "standard input ('-') is named twice");
}

/* Lines that fall on every place of the reading window, from a pipe that gives them bit by
 * bit; standard input is one too. */
static void test_stdin(void **state)
{
    (void)state;
    enum { LINES = 3000 };
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        FILE *out = fdopen(ends[1], "w");
        setvbuf(out, NULL, _IOFBF, 977);
        for (int i = 0; i < LINES; i++)
            fprintf(out, "%0*d\r\n", i % 700 + 1, i);
        fclose(out);
        _exit(0);
    }
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    const char *path = "-";
    struct prompts *prompts;
    struct prompt prompt;
    bool more = true;
    assert_int_equal(prompts_open(&path, 1, "auto", false, &prompts, NULL), 0);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(prompts_next(prompts, &prompt, &more, NULL), 0);
        assert_true(more);
        char *wanted =
            mem_format("[{\"content\":\"%0*d\",\"role\":\"user\"}]", i % 700 + 1, i);
        assert_true(span_is(prompt.messages, wanted));
        assert_string_equal(prompt.source, "stdin");
        free(wanted);
    }
    assert_int_equal(prompts_next(prompts, &prompt, &more, NULL), 0);
    assert_false(more);
    prompts_close(prompts);
    waitpid(child, NULL, 0);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* A line of 100 MB (a hole in the file) is refused without being held in memory. */
static void test_long_lines(void **state)
{
    (void)state;
    enum { LONG = 100 << 20 };
    int fd = open("long.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ftruncate(fd, LONG), 0);
    assert_int_equal(pwrite(fd, "first\n", 6, 0), 6);
    assert_int_equal(pwrite(fd, "\nlast\n", 6, LONG), 6);
    close(fd);
    long before = peak_kib();
    const struct refusal refusal = {"", "a line of more than 16777216 bytes",
                                    "long.txt:2:", "", "one a line"};
    expect_refusal("long.txt", NULL, &refusal);
    expect_all("long.txt", NULL, true,
               "long.txt:1 [{\"content\":\"first\",\"role\":\"user\"}]\n"
               "long.txt:3 [{\"content\":\"last\",\"role\":\"user\"}]\n"
               "skipped 1: long.txt:2:16777217\n");
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
    assert_in_range(peak_kib() - before, 0, 48 << 10);
#else
    (void)before;
#endif
}

/* One byte less than too long is fine, with either end. */
static void test_longest_line(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", ""};
    struct buf line;
    buf_init(&line, PROMPT_MAX + 16);
    for (size_t i = 0; i < 3; i++) {
        buf_reset(&line);
        buf_reserve(&line, PROMPT_MAX);
        memset(line.p, 'x', PROMPT_MAX);
        line.n = PROMPT_MAX;
        buf_text(&line, ends[i]);
        write_bytes("max.txt", line.p, line.n);
        const char *path = "max.txt";
        struct prompts *prompts;
        struct prompt prompt;
        bool more = false;
        assert_int_equal(prompts_open(&path, 1, NULL, false, &prompts, NULL), 0);
        assert_int_equal(prompts_next(prompts, &prompt, &more, NULL), 0);
        assert_true(more);
        assert_int_equal(prompt.messages.n,
                         PROMPT_MAX + strlen("[{\"content\":\"\",\"role\":\"user\"}]"));
        assert_int_equal(prompts_next(prompts, &prompt, &more, NULL), 0);
        assert_false(more);
        prompts_close(prompts);
    }
    buf_clear(&line);
}

static void test_hash(void **state)
{
    (void)state;
    const struct prompt one = {.messages = SPAN_LITERAL("[1]"),
                               .params = SPAN_LITERAL("{}"),
                               .id = SPAN_LITERAL("a")};
    const struct prompt same = {.messages = SPAN_LITERAL("[1]"),
                                .params = SPAN_LITERAL("{}"),
                                .metadata = SPAN_LITERAL("{\"a\":1}")};
    const struct prompt moved = {.messages = SPAN_LITERAL("[1]{}"),
                                 .params = SPAN_LITERAL("")};
    const struct prompt bare = {.messages = SPAN_LITERAL("[1]")};
    unsigned char a[SHA256_BYTES], b[SHA256_BYTES];
    prompt_hash(&one, a);
    prompt_hash(&same, b);
    assert_memory_equal(a, b, SHA256_BYTES);
    prompt_hash(&moved, b);
    assert_memory_not_equal(a, b, SHA256_BYTES);
    prompt_hash(&bare, b);
    assert_memory_not_equal(a, b, SHA256_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, enter, leave),
        cmocka_unit_test_setup_teardown(test_rows, enter, leave),
        cmocka_unit_test_setup_teardown(test_choice_of_reader, enter, leave),
        cmocka_unit_test_setup_teardown(test_refusals, enter, leave),
        cmocka_unit_test_setup_teardown(test_bytes, enter, leave),
        cmocka_unit_test_setup_teardown(test_files, enter, leave),
        cmocka_unit_test_setup_teardown(test_several, enter, leave),
        cmocka_unit_test_setup_teardown(test_stdin, enter, leave),
        cmocka_unit_test_setup_teardown(test_long_lines, enter, leave),
        cmocka_unit_test_setup_teardown(test_longest_line, enter, leave),
        cmocka_unit_test(test_hash),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("prompts", tests, NULL, NULL);
}
