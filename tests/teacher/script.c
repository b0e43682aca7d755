/* SPDX-License-Identifier: MIT */
#include "tests/teacher/script.h"

#include <ctype.h>

#include "base/nearest.h"
#include "base/opt_value.h"

enum { WORD_MAX = 63, STATUS_LEAST = 200, STATUS_MOST = 999, EVERY_MS = 10 };

struct range {
    uint64_t first, last;
};

/* Either ranges or, with `every` > 0, the multiples of it. */
struct script_line {
    struct range *ranges;
    size_t n_ranges;
    uint64_t every;
    struct step step;
};

static const struct step ordinary = {.status = 200, .retry_after_ms = -1};

/* ---- what there is --------------------------------------------------------------------
 */

#define BIT(kind) (1u << (kind))

enum {
    SHAPED = BIT(STEP_REPLY) | BIT(STEP_DRIP) | BIT(STEP_CUT),
    BROKEN = BIT(STEP_RESET) | BIT(STEP_CLOSE) | BIT(STEP_HANG) | BIT(STEP_KILL),
    PLAYED = SHAPED | BROKEN | BIT(STEP_BOMB),
};

struct what {
    const char *name;
    enum step_kind kind;
    bool amount; /* a number of bytes follows */
};

static const struct what whats[] = {
    {"drip", STEP_DRIP, true},    {"cut", STEP_CUT, true},
    {"bomb", STEP_BOMB, true},    {"reset", STEP_RESET, false},
    {"close", STEP_CLOSE, false}, {"hang", STEP_HANG, false},
    {"kill", STEP_KILL, false},   {"refuse", STEP_REFUSE, false},
};

enum with_type { WITH_TIME, WITH_SIZE, WITH_TEXT, WITH_HEADER, WITH_FLAG };

struct with {
    const char *name;
    enum with_type type;
    size_t offset;  /* in struct step */
    unsigned kinds; /* that take it */
};

static const struct with withs[] = {
    {"delay", WITH_TIME, offsetof(struct step, delay_ms), PLAYED},
    {"every", WITH_TIME, offsetof(struct step, every_ms), BIT(STEP_DRIP)},
    {"after", WITH_SIZE, offsetof(struct step, after), BROKEN},
    {"retry-after", WITH_TEXT, offsetof(struct step, retry_after), BIT(STEP_REPLY)},
    {"location", WITH_TEXT, offsetof(struct step, location), BIT(STEP_REPLY)},
    {"message", WITH_TEXT, offsetof(struct step, message), BIT(STEP_REPLY)},
    {"body", WITH_TEXT, offsetof(struct step, body), SHAPED | BROKEN},
    {"header", WITH_HEADER, 0, PLAYED},
    {"chunked", WITH_FLAG, offsetof(struct step, chunked), SHAPED},
    {"gzip", WITH_FLAG, offsetof(struct step, gzip), BIT(STEP_BOMB)},
    {"closing", WITH_FLAG, offsetof(struct step, closing),
     BIT(STEP_REPLY) | BIT(STEP_DRIP)},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- words ----------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line, which is shortened by it; n == 0: no more. */
static struct span next_word(struct span *line)
{
    const char *p = line->p, *end = line->p + line->n;
    while (p < end && is_blank(*p))
        p++;
    const char *begin = p;
    if (p < end && *p == '#')
        p = begin = end;
    for (bool quoted = false; p < end && (quoted || !is_blank(*p)); p++)
        quoted ^= *p == '"';
    *line = (struct span){p, (size_t)(end - p)};
    return (struct span){begin, (size_t)(p - begin)};
}

/* Reads digits at the start; false: there are none, or too many of them. */
static bool take_number(struct span *word, uint64_t *number)
{
    size_t n = 0;
    *number = 0;
    for (; n < word->n && isdigit((unsigned char)word->p[n]) && n < 18; n++)
        *number = *number * 10 + (uint64_t)(word->p[n] - '0');
    bool over = n < word->n && isdigit((unsigned char)word->p[n]);
    word->p += n;
    word->n -= n;
    return n > 0 && !over;
}

static bool is_number(struct span word, uint64_t *number)
{
    return take_number(&word, number) && word.n == 0;
}

static bool read_value(struct span word, enum opt_type type, int64_t *value)
{
    char text[WORD_MAX + 1];
    const struct opt_row row = {.name = "", .type = type};
    union opt_value parsed;
    if (word.n > WORD_MAX || memchr(word.p, '\0', word.n) != NULL)
        return false;
    memcpy(text, word.p, word.n);
    text[word.n] = '\0';
    if (!opt_value_parse(&row, text, &parsed))
        return false;
    *value = parsed.whole;
    return true;
}

static int complain(struct span word, const char *about, const char *suggestion,
                    struct err *err)
{
    int shown = word.n > WORD_MAX ? WORD_MAX : (int)word.n;
    if (word.n == 0)
        return err_set(err, ERR_USAGE, "%s is missing", about);
    err_set(err, ERR_USAGE, "'%.*s' is no %s", shown, word.p, about);
    if (suggestion != NULL)
        err_fix(err, "did you mean '%s'?", suggestion);
    return -1;
}

/* ---- which ----------------------------------------------------------------------------
 */

static bool take_range(struct span *word, struct range *range)
{
    if (!take_number(word, &range->first) || range->first == 0)
        return false;
    range->last = range->first;
    if (word->n > 0 && word->p[0] == '-') {
        word->p++;
        word->n--;
        range->last = UINT64_MAX;
        if (word->n > 0 && word->p[0] != ',' &&
            (!take_number(word, &range->last) || range->last < range->first))
            return false;
    }
    if (word->n == 0)
        return true;
    bool more = word->p[0] == ',' && word->n > 1;
    word->p++;
    word->n--;
    return more;
}

static int parse_which(struct span *rest, struct arena *arena, struct script_line *line,
                       struct err *err)
{
    struct span word = next_word(rest), left = word;
    if (span_is(word, "every")) {
        word = next_word(rest);
        if (!is_number(word, &line->every) || line->every == 0)
            return complain(word, "number of requests", NULL, err);
        return 0;
    }
    size_t most = 1;
    for (size_t i = 0; i < word.n; i++)
        most += word.p[i] == ',';
    line->ranges = arena_alloc(arena, most * sizeof *line->ranges);
    if (span_is(word, "*")) {
        line->ranges[line->n_ranges++] = (struct range){1, UINT64_MAX};
        return 0;
    }
    while (left.n > 0)
        if (!take_range(&left, &line->ranges[line->n_ranges++]))
            return complain(word, "list of requests", NULL, err);
    return 0;
}

/* ---- what -----------------------------------------------------------------------------
 */

static int parse_amount(const struct what *what, struct span *rest, struct step *step,
                        struct err *err)
{
    struct span word = next_word(rest);
    if (!read_value(word, OPT_SIZE, &step->amount) ||
        (what->kind == STEP_DRIP && step->amount == 0))
        return complain(word, "number of bytes", NULL, err);
    return 0;
}

static int parse_what(struct span *rest, struct step *step, struct err *err)
{
    struct span word = next_word(rest);
    uint64_t status;
    if (is_number(word, &status)) {
        if (status < STATUS_LEAST || status > STATUS_MOST)
            return complain(word, "status", NULL, err);
        step->status = (int)status;
        return 0;
    }
    char text[WORD_MAX + 1] = "";
    if (word.n <= WORD_MAX)
        memcpy(text, word.p, word.n);
    struct nearest near = {.given = text};
    for (size_t i = 0; i < COUNT(whats); i++) {
        nearest_offer(&near, whats[i].name);
        if (!span_is(word, whats[i].name))
            continue;
        step->kind = whats[i].kind;
        step->every_ms = step->kind == STEP_DRIP ? EVERY_MS : 0;
        return whats[i].amount ? parse_amount(&whats[i], rest, step, err) : 0;
    }
    return complain(word, "status or step", near.found, err);
}

/* ---- with -----------------------------------------------------------------------------
 */

/* Splits NAME=VALUE or NAME="VALUE"; a word without '=' has an absent value. */
static bool split_word(struct span word, struct span *name, struct span *value)
{
    const char *sign = memchr(word.p, '=', word.n);
    *name = word;
    *value = (struct span){NULL, 0};
    if (sign == NULL)
        return memchr(word.p, '"', word.n) == NULL;
    name->n = (size_t)(sign - word.p);
    *value = (struct span){sign + 1, word.n - name->n - 1};
    if (value->n > 0 && value->p[0] == '"') {
        if (value->n < 2 || value->p[value->n - 1] != '"')
            return false;
        *value = (struct span){value->p + 1, value->n - 2};
    }
    return memchr(value->p, '"', value->n) == NULL;
}

static bool add_header(struct step *step, struct span value)
{
    const char *colon = memchr(value.p, ':', value.n);
    if (colon == NULL || colon == value.p || step->n_headers == STEP_HEADERS_MAX)
        return false;
    step->headers[step->n_headers++] = value;
    return true;
}

static bool set_with(struct step *step, const struct with *with, struct span value)
{
    void *member = (char *)step + with->offset;
    if (with->type == WITH_FLAG) {
        *(bool *)member = true;
        return value.p == NULL;
    }
    if (value.n == 0)
        return false;
    switch (with->type) {
    case WITH_TIME:
        return read_value(value, OPT_DURATION, member);
    case WITH_SIZE:
        return read_value(value, OPT_SIZE, member);
    case WITH_HEADER:
        return add_header(step, value);
    default:
        *(struct span *)member = value;
        return true;
    }
}

static int parse_with(struct span word, struct step *step, struct err *err)
{
    struct span name, value;
    char text[WORD_MAX + 1] = "";
    if (!split_word(word, &name, &value))
        return complain(word, "well quoted word", NULL, err);
    if (name.n <= WORD_MAX)
        memcpy(text, name.p, name.n);
    struct nearest near = {.given = text};
    for (size_t i = 0; i < COUNT(withs); i++) {
        nearest_offer(&near, withs[i].name);
        if (!span_is(name, withs[i].name))
            continue;
        if ((withs[i].kinds & BIT(step->kind)) == 0)
            return err_set(err, ERR_USAGE, "'%s' does not go with this step", text);
        if (!set_with(step, &withs[i], value))
            return complain(word, "value it can have", NULL, err);
        return 0;
    }
    return complain(name, "known word here", near.found, err);
}

static int check_step(struct step *step, struct err *err)
{
    uint64_t seconds;
    step->retry_after_ms = -1;
    if (step->retry_after.p != NULL && is_number(step->retry_after, &seconds) &&
        seconds < INT64_MAX / 1000)
        step->retry_after_ms = (int64_t)seconds * 1000;
    if (step->message.p != NULL && (step->status / 100 == 2 || step->body.p != NULL))
        return err_set(err, ERR_USAGE, "'message' goes into the body of an error");
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------
 */

static int parse_line(struct span rest, struct arena *arena, struct script_line *line,
                      struct err *err)
{
    line->step.status = ordinary.status;
    if (parse_which(&rest, arena, line, err) != 0 ||
        parse_what(&rest, &line->step, err) != 0)
        return -1;
    for (struct span word; (word = next_word(&rest)).n > 0;)
        if (parse_with(word, &line->step, err) != 0)
            return -1;
    return check_step(&line->step, err);
}

int script_parse(struct span text, const char *name, struct arena *arena,
                 struct script *script, struct err *err)
{
    size_t most = 1, n = 0;
    unsigned number = 0;
    for (size_t i = 0; i < text.n; i++)
        most += text.p[i] == '\n';
    struct script_line *lines = arena_new(arena, most * sizeof *lines);
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        struct span line = {text.p, end != NULL ? (size_t)(end - text.p) : text.n};
        size_t taken = line.n + (end != NULL);
        struct span peek = line;
        text.p += taken;
        text.n -= taken;
        number++;
        if (next_word(&peek).n == 0)
            continue;
        lines[n].step.line = number;
        if (parse_line(line, arena, &lines[n++], err) != 0)
            return err_where(err, "%s:%u", name, number);
    }
    *script = (struct script){lines, n};
    return 0;
}

static bool is_for(const struct script_line *line, uint64_t request)
{
    if (line->every > 0)
        return request % line->every == 0;
    for (size_t i = 0; i < line->n_ranges; i++)
        if (request >= line->ranges[i].first && request <= line->ranges[i].last)
            return true;
    return false;
}

const struct step *script_find(const struct script *script, uint64_t request)
{
    for (size_t i = 0; i < script->n; i++)
        if (is_for(&script->lines[i], request))
            return &script->lines[i].step;
    return &ordinary;
}

const struct step *script_step(const struct script *script, size_t line)
{
    return &script->lines[line].step;
}
