/* SPDX-License-Identifier: MIT */
#include "prompts/prompts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "prompts/lines.h"

#define X(name) extern const struct reader name;
#include "prompts/readers.inc"
#undef X

static const struct reader *const readers[] = {
#define X(name) &name,
#include "prompts/readers.inc"
#undef X
};

enum { READERS = sizeof readers / sizeof readers[0], CLOSED = -1 };

struct input {
    char *path, *name; /* as given; as shown */
    int fd;            /* CLOSED for files, which are opened when their turn comes */
};

struct prompts {
    struct input *inputs;
    size_t n_inputs, at; /* at: the one being read */
    const struct reader *asked,
        *reader; /* asked for; of this input, NULL: not known yet */
    bool skip_invalid, started;
    struct lines lines;
    struct arena arena;
    uint64_t found; /* prompts in this input */
    uint64_t skipped;
    struct err cause, first_skipped; /* of the line being read; of the first left out */
};

/* ---- what readers use ------------------------------------------------------------------ */

int reader_refuse(const struct reader_line *line, size_t byte, struct err *err,
                  const char *format, ...)
{
    char what[sizeof err->what];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    err_set(err, ERR_USAGE, "%s", what);
    return err_where(err, "%s:%llu:%zu", line->source, (unsigned long long)line->number,
                     byte + 1);
}

struct span reader_user_message(struct span text, struct arena *arena)
{
    static const struct span head = SPAN_LITERAL("[{\"content\":");
    static const struct span tail = SPAN_LITERAL(",\"role\":\"user\"}]");
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    /* Room for all of it at once, unless much has to be escaped. */
    buf_reserve(&out, head.n + text.n + text.n / 8 + tail.n + 16);
    buf_span(&out, head);
    json_add_string(&out, text);
    buf_span(&out, tail);
    struct span messages = arena_span(arena, buf_view(&out));
    buf_clear(&out);
    return messages;
}

const char *prompt_param_refusal(const char *name)
{
    static const char *const refusals[][2] = {
        {"messages",
         "the prompt itself is given as 'prompt' or 'messages' beside 'params'"},
        {"model",
         "answers belong to the model asked for: use --model or 'model' of a teacher"},
        {"n", "every answer is a request of its own: use --samples"},
        {"stream", "replies are stored as they are, whole: leave it out"},
        {"stream_options", "replies are stored as they are, whole: leave it out"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strcmp(refusals[i][0], name) == 0)
            return refusals[i][1];
    }
    return NULL;
}

/* ---- opening --------------------------------------------------------------------------- */

static int find_reader(const char *name, const struct reader **reader, struct err *err)
{
    *reader = NULL;
    if (name == NULL || strcmp(name, "auto") == 0)
        return 0;
    struct nearest near = {.given = name};
    for (size_t i = 0; i < READERS; i++) {
        if (strcmp(readers[i]->name, name) == 0)
            *reader = readers[i];
        nearest_offer(&near, readers[i]->name);
    }
    if (*reader != NULL)
        return 0;
    err_set(err, ERR_USAGE, "no format of prompts named '%.60s'", name);
    return near.found == NULL ? -1 : err_fix(err, "did you mean '%s'?", near.found);
}

static const char *suffix_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash == NULL ? path : slash, '.');
    return dot == NULL ? "" : dot;
}

/* Is the suffix one of " .a .b "? */
static bool is_listed(const char *list, const char *suffix)
{
    size_t n = strlen(suffix);
    for (; *list != '\0'; list++) {
        if (n > 1 && list[0] == ' ' && strncasecmp(list + 1, suffix, n) == 0 &&
            list[1 + n] == ' ')
            return true;
    }
    return false;
}

static int refuse_open(const struct input *input, struct err *err)
{
    err_set(err, ERR_USAGE, "cannot read the prompts '%s': %s", input->path,
            strerror(errno));
    if (errno == ENOENT)
        return err_fix(err, "check the spelling; relative names start at the current "
                            "directory");
    return errno == EACCES ? err_fix(err, "check the owner and permissions of the file")
                           : -1;
}

static int open_input(struct input *input, struct err *err)
{
    if (strcmp(input->path, "-") == 0)
        input->fd = STDIN_FILENO;
    else
        input->fd = open(input->path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (input->fd < 0 || fstat(input->fd, &status) != 0)
        return refuse_open(input, err);
    if (S_ISDIR(status.st_mode)) {
        err_set(err, ERR_USAGE, "the prompts '%s' are a directory", input->path);
        return err_fix(err, "name the files in it, such as %s/*.jsonl", input->path);
    }
    if (S_ISREG(status.st_mode) && status.st_size == 0)
        return err_set(err, ERR_USAGE, "the prompts '%s' are empty", input->name);
    return 0;
}

static void close_input(struct input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    input->fd = CLOSED;
}

/* Opens an input to see that it can be. Files are closed again, for there may be more of
 * them than descriptors; a pipe that is closed would break its writer. */
static int check_input(struct input *input, struct err *err)
{
    if (open_input(input, err) != 0)
        return -1;
    struct stat status;
    if (fstat(input->fd, &status) == 0 && S_ISREG(status.st_mode))
        close_input(input);
    return 0;
}

static int add_inputs(struct prompts *prompts, const char *const *paths, size_t n,
                      struct err *err)
{
    bool has_stdin = false;
    for (size_t i = 0; i < n; i++) {
        bool is_stdin = strcmp(paths[i], "-") == 0;
        if (is_stdin && has_stdin)
            return err_set(err, ERR_USAGE, "standard input ('-') is named twice");
        has_stdin = has_stdin || is_stdin;
        struct input *input = &prompts->inputs[prompts->n_inputs++];
        input->path = mem_str(paths[i]);
        input->name = mem_str(is_stdin ? "stdin" : paths[i]);
        input->fd = CLOSED;
        if (check_input(input, err) != 0)
            return -1;
    }
    return 0;
}

int prompts_open(const char *const *paths, size_t n, const char *reader,
                 bool skip_invalid, struct prompts **prompts, struct err *err)
{
    const struct reader *asked;
    if (find_reader(reader, &asked, err) != 0)
        return -1;
    struct prompts *made = mem_new(sizeof *made);
    made->inputs = mem_array(n, sizeof *made->inputs);
    made->asked = asked;
    made->skip_invalid = skip_invalid;
    if (add_inputs(made, paths, n, err) != 0) {
        prompts_close(made);
        return -1;
    }
    *prompts = made;
    return 0;
}

void prompts_close(struct prompts *prompts)
{
    if (prompts == NULL)
        return;
    for (size_t i = 0; i < prompts->n_inputs; i++) {
        close_input(&prompts->inputs[i]);
        free(prompts->inputs[i].path);
        free(prompts->inputs[i].name);
    }
    free(prompts->inputs);
    lines_clear(&prompts->lines);
    arena_clear(&prompts->arena);
    free(prompts);
}

/* ---- one line -------------------------------------------------------------------------- */

/* What the first bytes of a file that is no UTF-8 tell about it. */
static const char *guess_encoding(struct span text)
{
    if (text.n >= 2 &&
        (memcmp(text.p, "\xff\xfe", 2) == 0 || memcmp(text.p, "\xfe\xff", 2) == 0))
        return "it looks like UTF-16: iconv -f UTF-16 -t UTF-8 FILE | harvest run -";
    if (text.n >= 2 && memcmp(text.p, "\x1f\x8b", 2) == 0)
        return "it is compressed: zcat FILE | harvest run -";
    if (text.n >= 4 && memcmp(text.p, "\x28\xb5\x2f\xfd", 4) == 0)
        return "it is compressed: zstdcat FILE | harvest run -";
    return NULL;
}

static int refuse_byte(const struct reader_line *line, size_t byte, struct err *err)
{
    unsigned char value = (unsigned char)line->text.p[byte];
    reader_refuse(line, byte, err,
                  value == 0 ? "a NUL byte in the prompts"
                             : "the prompts are not valid UTF-8");
    err_why(err, "byte 0x%02x at offset %llu of the input", value,
            (unsigned long long)(line->offset + byte));
    const char *guess = line->number == 1 ? guess_encoding(line->text) : NULL;
    if (guess != NULL)
        return err_fix(err, "%s", guess);
    return err_fix(err, "mend the line, or leave such lines out with --invalid=skip");
}

static int check_bytes(const struct reader_line *line, struct err *err)
{
    size_t good = utf8_valid_prefix(line->text);
    const char *nul = good == 0 ? NULL : memchr(line->text.p, '\0', good);
    if (nul != NULL)
        good = (size_t)(nul - line->text.p);
    return good == line->text.n ? 0 : refuse_byte(line, good, err);
}

static size_t count_blanks(struct span text)
{
    size_t i = 0;
    while (i < text.n && (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')))
        i++;
    return i;
}

/* By suffix, else by the first byte of the first line that is not blank. */
static int choose_reader(struct prompts *prompts, char first, struct err *err)
{
    const struct input *input = &prompts->inputs[prompts->at];
    const char *suffix = suffix_of(input->path);
    prompts->reader = prompts->asked;
    for (size_t i = 0; i < READERS && prompts->reader == NULL; i++) {
        if (is_listed(readers[i]->suffixes, suffix))
            prompts->reader = readers[i];
    }
    if (prompts->reader != NULL)
        return 0;
    if (first != '{' &&
        is_listed(" .json .csv .tsv .parquet .arrow .xlsx .gz .zst .xz .bz2"
                  " .zip .yaml .yml .xml .html .pdf ",
                  suffix)) {
        err_set(err, ERR_USAGE, "cannot tell what the prompts in '%s' are", input->name);
        err_why(err, "'%s' is not a format that is read, and its lines are no JSON",
                suffix);
        return err_fix(err, "--input text takes each line as a prompt");
    }
    return find_reader(first == '{' ? "jsonl" : "text", &prompts->reader, err);
}

/* A line as readers get it, checked. */
static int check_line(const struct prompts *prompts, const struct line *raw,
                      struct reader_line *line, struct err *err)
{
    *line = (struct reader_line){raw->text, prompts->lines.number, raw->offset,
                                 prompts->lines.name};
    if (raw->too_long) {
        reader_refuse(line, PROMPT_MAX, err, "a line of more than %d bytes", PROMPT_MAX);
        return err_fix(err, "prompts are one a line: is this a file of another kind?");
    }
    if (line->number == 1 && line->text.n >= 3 &&
        memcmp(line->text.p, "\xef\xbb\xbf", 3) == 0) {
        line->text = (struct span){line->text.p + 3, line->text.n - 3};
        line->offset += 3;
    }
    return check_bytes(line, err);
}

/* ---- the stream ------------------------------------------------------------------------ */

static int start_input(struct prompts *prompts, struct err *err)
{
    struct input *input = &prompts->inputs[prompts->at];
    if (input->fd == CLOSED && open_input(input, err) != 0)
        return -1;
    lines_start(&prompts->lines, input->fd, input->name, PROMPT_MAX);
    prompts->started = true;
    prompts->reader = NULL;
    prompts->found = 0;
    return 0;
}

static int end_input(struct prompts *prompts, struct err *err)
{
    struct input *input = &prompts->inputs[prompts->at++];
    close_input(input);
    prompts->started = false;
    if (prompts->found > 0)
        return 0;
    err_set(err, ERR_USAGE, "there is no prompt in '%s'", input->name);
    if (prompts->skipped > 0)
        err_why(err, "invalid lines were left out; the first is %s: %s",
                prompts->first_skipped.where, prompts->first_skipped.what);
    return -1;
}

/* Counts an invalid line when that is wanted; -1: it is an error. */
static int take_invalid(struct prompts *prompts, struct err *err)
{
    if (!prompts->skip_invalid) {
        if (err != NULL && err->code == ERR_NONE)
            *err = prompts->cause;
        return -1;
    }
    if (prompts->skipped++ == 0)
        prompts->first_skipped = prompts->cause;
    prompts->cause = (struct err){0};
    return 0;
}

/* Makes the prompt of a line; *made stays false for a line that holds none. */
static int take_line(struct prompts *prompts, const struct line *raw,
                     struct prompt *prompt, bool *made, struct err *err)
{
    struct err *cause = &prompts->cause; /* 2 KiB: not cleared anew for every line */
    struct reader_line line;
    if (check_line(prompts, raw, &line, cause) != 0)
        return take_invalid(prompts, err);
    size_t blanks = count_blanks(line.text);
    if (blanks == line.text.n)
        return 0;
    if (prompts->reader == NULL && choose_reader(prompts, line.text.p[blanks], err) != 0)
        return -1;
    arena_reset(&prompts->arena);
    *prompt = (struct prompt){.source = line.source, .line = line.number};
    if (prompts->reader->parse(&line, &prompts->arena, prompt, cause) != 0)
        return take_invalid(prompts, err);
    prompts->found++;
    *made = true;
    return 0;
}

int prompts_next(struct prompts *prompts, struct prompt *prompt, bool *more,
                 struct err *err)
{
    while (prompts->at < prompts->n_inputs) {
        if (!prompts->started && start_input(prompts, err) != 0)
            return -1;
        struct line line;
        if (lines_next(&prompts->lines, &line, more, err) != 0)
            return -1;
        if (!*more) {
            if (end_input(prompts, err) != 0)
                return -1;
            continue;
        }
        bool made = false;
        if (take_line(prompts, &line, prompt, &made, err) != 0)
            return -1;
        if (made)
            return 0;
    }
    *more = false;
    return 0;
}

uint64_t prompts_skipped(const struct prompts *prompts)
{
    return prompts->skipped;
}

const struct err *prompts_first_skipped(const struct prompts *prompts)
{
    return prompts->skipped > 0 ? &prompts->first_skipped : NULL;
}

void prompt_hash(const struct prompt *prompt, unsigned char hash[SHA256_BYTES])
{
    struct sha256 *sha = sha256_new();
    sha256_add_part(sha, prompt->messages);
    sha256_add_part(sha, prompt->params);
    sha256_end(sha, hash);
    sha256_free(sha);
}
