/* SPDX-License-Identifier: MIT */
#include "base/opt.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "base/opt_value.h"

enum { NAME_BYTES = 128, TEXT_BYTES = 1024 };

static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' &&
           (*a == *b || (*a == '-' && *b == '_') || (*a == '_' && *b == '-')))
        a++, b++;
    return *a == *b;
}

bool opt_in_scope(const struct opt_row *row, const char *scope)
{
    if (scope == NULL)
        return true;
    size_t n = strlen(scope);
    for (const char *p = strstr(row->scopes, scope); p != NULL;
         p = strstr(p + 1, scope)) {
        if (p > row->scopes && p[-1] == ' ' && p[n] == ' ')
            return true;
    }
    return false;
}

const struct opt_row *opt_find(const struct opt_set *set, const char *scope,
                               const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (same_name(set->rows[i].name, name) && opt_in_scope(&set->rows[i], scope))
            return &set->rows[i];
    }
    return NULL;
}

const char *opt_nearest(const struct opt_set *set, const char *scope, const char *name)
{
    struct nearest near = {.given = name};
    for (size_t i = 0; i < set->n; i++) {
        if (opt_in_scope(&set->rows[i], scope))
            nearest_offer(&near, set->rows[i].name);
    }
    return near.found;
}

void opt_add_name(struct buf *out, const struct opt_row *row, enum opt_origin origin)
{
    buf_text(out, origin == ORIGIN_ENV ? "HARVEST_" : origin == ORIGIN_FILE ? "" : "--");
    for (const char *p = row->name; *p != '\0'; p++) {
        if (origin == ORIGIN_ENV)
            buf_byte(out, *p == '-' ? '_' : (char)toupper((unsigned char)*p));
        else
            buf_byte(out, *p == '-' && origin == ORIGIN_FILE ? '_' : *p);
    }
}

static int refuse_value(const struct opt_row *row, const char *text,
                        enum opt_origin origin, struct err *err)
{
    struct buf name, expected;
    buf_init(&name, NAME_BYTES);
    buf_init(&expected, TEXT_BYTES);
    opt_add_name(&name, row, origin);
    opt_value_expected(&expected, row);
    if (row->type == OPT_TEXT || row->type == OPT_CHOICE || text[0] != '\0')
        err_set(err, ERR_USAGE, "'%s' takes %s, not '%.100s'", buf_view(&name).p,
                buf_view(&expected).p, text);
    else
        err_set(err, ERR_USAGE, "'%s' takes %s, and nothing was given", buf_view(&name).p,
                buf_view(&expected).p);
    buf_clear(&expected);
    buf_clear(&name);
    return -1;
}

static bool is_owned_text(const struct opt_row *row)
{
    return row->type == OPT_TEXT || row->type == OPT_CHOICE || row->type == OPT_MAP;
}

static void store_value(const struct opt_row *row, void *member, const char *text,
                        const union opt_value *value)
{
    if (row->type == OPT_FLAG) {
        *(bool *)member = value->flag;
    } else if (row->type == OPT_REAL) {
        *(double *)member = value->real;
    } else if (is_owned_text(row)) {
        char **owned = member;
        char *copy = mem_str(text); /* before the free: text may be the old value */
        free(*owned);
        *owned = copy;
    } else {
        *(int64_t *)member = value->whole;
    }
}

int opt_put(const struct opt_set *set, const struct opt_row *row, const char *text,
            enum opt_origin origin, unsigned line, struct err *err)
{
    size_t i = (size_t)(row - set->rows);
    assert(i < set->n && origin != ORIGIN_NONE);
    union opt_value value = {0};
    if (!opt_value_parse(row, text, &value))
        return refuse_value(row, text, origin, err);
    if (set->sources[i].origin > origin)
        return 0;
    store_value(row, (char *)set->values + row->offset, text, &value);
    set->sources[i] = (struct opt_source){origin, line};
    return 0;
}

/* ---- command line ---------------------------------------------------------------- */

struct words {
    const struct opt_set *set;
    const char *scope;
    char **argv;
    int argc, at;
};

/* "'--format' belongs to: export" */
static void say_where_it_belongs(const struct opt_row *row, struct err *err)
{
    struct buf commands;
    buf_init(&commands, TEXT_BYTES);
    for (const char *p = row->scopes; *p != '\0';) {
        p += strspn(p, " ");
        struct span word = {p, strcspn(p, " ")};
        p += word.n;
        if (word.n > 0 && !span_is(word, "env") && !span_is(word, "config") &&
            !span_is(word, "teacher"))
            buf_format(&commands, " %.*s", (int)word.n, word.p);
    }
    err_why(err, "'--%s' is an option of:%s", row->name, buf_view(&commands).p);
    buf_clear(&commands);
}

static int refuse_unknown(const struct words *words, const char *name, struct err *err)
{
    err_set(err, ERR_USAGE, "unknown option '--%.60s' for 'harvest %s'", name,
            words->scope);
    const struct opt_row *row = opt_find(words->set, NULL, name);
    if (row != NULL)
        say_where_it_belongs(row, err);
    const char *near = opt_nearest(words->set, words->scope, name);
    if (row == NULL && near != NULL)
        return err_fix(err, "did you mean '--%s'?", near);
    return err_fix(err, "'harvest %s --help' lists the options", words->scope);
}

/* The value behind `--x`: the next word, unless it looks like another option. */
static const char *next_value(struct words *words, const struct opt_row *row,
                              struct err *err)
{
    const char *next = words->at + 1 < words->argc ? words->argv[words->at + 1] : NULL;
    if (next == NULL || (next[0] == '-' && next[1] == '-')) {
        err_set(err, ERR_USAGE, "'--%s' needs a value: --%s=%s", row->name, row->name,
                row->arg);
        return NULL;
    }
    words->at++;
    return next;
}

static int put_long(struct words *words, char *word, struct err *err)
{
    char *equals = strchr(word, '=');
    const char *value = NULL;
    if (equals != NULL) {
        *equals = '\0';
        value = equals + 1;
    }
    const struct opt_set *set = words->set;
    const struct opt_row *row = opt_find(set, words->scope, word);
    if (row == NULL && strncmp(word, "no-", 3) == 0) {
        row = opt_find(set, words->scope, word + 3);
        if (row != NULL && row->type == OPT_FLAG && value == NULL)
            return opt_put(set, row, "false", ORIGIN_ARGV, 0, err);
        row = NULL;
    }
    if (row == NULL)
        return refuse_unknown(words, word, err);
    if (value == NULL)
        value = row->type == OPT_FLAG ? "true" : next_value(words, row, err);
    return value == NULL ? -1 : opt_put(set, row, value, ORIGIN_ARGV, 0, err);
}

static const struct opt_row *find_letter(const struct words *words, char letter)
{
    for (size_t i = 0; i < words->set->n; i++) {
        const struct opt_row *row = &words->set->rows[i];
        if (row->letter == letter && opt_in_scope(row, words->scope))
            return row;
    }
    return NULL;
}

/* "-qv", "-n5", "-n 5" */
static int put_letters(struct words *words, const char *letters, struct err *err)
{
    for (; *letters != '\0'; letters++) {
        const struct opt_row *row = find_letter(words, *letters);
        if (row == NULL) {
            err_set(err, ERR_USAGE, "unknown option '-%c' for 'harvest %s'", *letters,
                    words->scope);
            return err_fix(err, "'harvest %s --help' lists the options", words->scope);
        }
        if (row->type != OPT_FLAG) {
            const char *value =
                letters[1] != '\0' ? letters + 1 : next_value(words, row, err);
            return value == NULL ? -1
                                 : opt_put(words->set, row, value, ORIGIN_ARGV, 0, err);
        }
        if (opt_put(words->set, row, "true", ORIGIN_ARGV, 0, err) != 0)
            return -1;
    }
    return 0;
}

int opt_argv(const struct opt_set *set, const char *scope, int argc, char **argv,
             int *n_words, struct err *err)
{
    struct words words = {.set = set, .scope = scope, .argv = argv, .argc = argc};
    int kept = 0;
    bool options = true;
    for (words.at = 1; words.at < argc; words.at++) {
        char *word = argv[words.at];
        int failed = 0;
        if (!options || word[0] != '-' || word[1] == '\0')
            argv[++kept] = word;
        else if (strcmp(word, "--") == 0)
            options = false;
        else if (word[1] == '-')
            failed = put_long(&words, word + 2, err);
        else
            failed = put_letters(&words, word + 1, err);
        if (failed)
            return -1;
    }
    *n_words = kept;
    return 0;
}

/* ---- the other sources ----------------------------------------------------------- */

int opt_environment(const struct opt_set *set, const char *scope, struct err *err)
{
    struct buf name;
    buf_init(&name, NAME_BYTES);
    int result = 0;
    for (size_t i = 0; i < set->n && result == 0; i++) {
        const struct opt_row *row = &set->rows[i];
        if (!opt_in_scope(row, "env") || !opt_in_scope(row, scope))
            continue;
        buf_reset(&name);
        opt_add_name(&name, row, ORIGIN_ENV);
        const char *text = getenv(buf_view(&name).p);
        if (text != NULL && text[0] != '\0')
            result = opt_put(set, row, text, ORIGIN_ENV, 0, err);
    }
    if (result != 0)
        err_where(err, "environment variable %s", buf_view(&name).p);
    buf_clear(&name);
    return result;
}

int opt_defaults(const struct opt_set *set, struct err *err)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct opt_row *row = &set->rows[i];
        if (row->value != NULL && set->sources[i].origin == ORIGIN_NONE &&
            opt_put(set, row, row->value, ORIGIN_DEFAULT, 0, err) != 0)
            return -1;
    }
    return 0;
}

void opt_clear(const struct opt_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (!is_owned_text(&set->rows[i]))
            continue;
        char **owned = (char **)(void *)((char *)set->values + set->rows[i].offset);
        free(*owned);
        *owned = NULL;
    }
}

bool opt_is_set(const struct opt_set *set, const char *name)
{
    const struct opt_row *row = opt_find(set, NULL, name);
    assert(row != NULL);
    return set->sources[row - set->rows].origin > ORIGIN_DEFAULT;
}
