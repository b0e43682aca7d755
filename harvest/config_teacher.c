/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "harvest/config.h"
#include "harvest/config_rows.h"
#include "harvest/url.h"

enum { WHERE_BYTES = 512 };

/* ---- where a setting came from --------------------------------------------------- */

static const struct teacher_conf *find_stanza(const struct config *config,
                                              const char *name)
{
    for (size_t i = 0; i < config->n_teachers; i++) {
        if (name != NULL && strcmp(config->teachers[i].name, name) == 0)
            return &config->teachers[i];
    }
    return NULL;
}

/* A resolved teacher's setting may have come from the top level of the file. */
static bool is_from_stanza(const struct config *config,
                           const struct teacher_conf *teacher, size_t row)
{
    const struct teacher_conf *stanza = find_stanza(config, teacher->name);
    return stanza != NULL && stanza->sources[row].line == teacher->sources[row].line;
}

static void add_stanza(struct buf *out, const struct config *config,
                       const struct teacher_conf *teacher)
{
    if (teacher == NULL || teacher->name == NULL)
        buf_text(out, "command line");
    else
        buf_format(out, "%s:%u, teachers.%s", config_file_name(config), teacher->line,
                   teacher->name);
}

static void add_place(struct buf *out, const struct config *config,
                      const struct teacher_conf *teacher, const char *key)
{
    struct opt_set set = teacher ? config_teacher_set(teacher) : config_set(config);
    const struct opt_row *row = opt_find(&set, NULL, key);
    assert(row != NULL);
    size_t i = (size_t)(row - set.rows);
    const struct opt_source *source = &set.sources[i];
    switch (source->origin) {
    case ORIGIN_ARGV:
        opt_add_name(out, row, ORIGIN_ARGV);
        buf_text(out, " on the command line");
        return;
    case ORIGIN_ENV:
        buf_text(out, "environment variable ");
        opt_add_name(out, row, ORIGIN_ENV);
        return;
    case ORIGIN_FILE:
        buf_format(out, "%s:%u, ", config_file_name(config), source->line);
        if (teacher != NULL && is_from_stanza(config, teacher, i))
            buf_format(out, "teachers.%s.", teacher->name);
        opt_add_name(out, row, ORIGIN_FILE);
        return;
    case ORIGIN_DEFAULT:
    case ORIGIN_NONE:
        add_stanza(out, config, teacher);
        return;
    }
}

void config_where(const struct config *config, const struct teacher_conf *teacher,
                  const char *key, char *text, size_t size)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    if (key == NULL)
        add_stanza(&out, config, teacher);
    else
        add_place(&out, config, teacher, key);
    snprintf(text, size, "%s", buf_view(&out).p);
    buf_clear(&out);
}

static int fail_at(const struct config *config, const struct teacher_conf *teacher,
                   const char *key, struct err *err)
{
    char where[WHERE_BYTES];
    config_where(config, teacher, key, where, sizeof where);
    return err_where(err, "%s", where);
}

/* ---- which stanza ---------------------------------------------------------------- */

static void list_stanzas(const struct config *config, struct err *err)
{
    struct buf names;
    buf_init(&names, 400);
    for (size_t i = 0; i < config->n_teachers; i++)
        buf_format(&names, "%s%s", i == 0 ? "" : ", ", config->teachers[i].name);
    if (config->n_teachers == 0)
        err_why(err, "%s names no teachers", config_file_name(config));
    else
        err_why(err, "%s has: %s%s", config_file_name(config), buf_view(&names).p,
                names.overflowed ? ", …" : "");
    buf_clear(&names);
}

static int refuse_name(const struct config *config, struct err *err)
{
    err_set(err, ERR_USAGE, "no teacher named '%.100s'", config->teacher);
    fail_at(config, NULL, "teacher", err);
    list_stanzas(config, err);
    struct nearest near = {.given = config->teacher};
    for (size_t i = 0; i < config->n_teachers; i++)
        nearest_offer(&near, config->teachers[i].name);
    if (near.found != NULL)
        return err_fix(err, "did you mean '--teacher %s'?", near.found);
    return err_fix(err, "add it below 'teachers:' in %s", config_file_name(config));
}

static int choose_stanza(const struct config *config, const struct teacher_conf **stanza,
                         struct err *err)
{
    *stanza = NULL;
    if (config->teacher != NULL && config->teacher[0] != '\0') {
        *stanza = find_stanza(config, config->teacher);
        return *stanza == NULL ? refuse_name(config, err) : 0;
    }
    if (config->n_teachers == 1)
        *stanza = &config->teachers[0];
    if (config->n_teachers < 2 || config->url != NULL)
        return 0;
    err_set(err, ERR_USAGE, "which teacher is to be asked?");
    list_stanzas(config, err);
    return err_fix(err, "choose one: --teacher %s", config->teachers[0].name);
}

/* ---- putting it together --------------------------------------------------------- */

static bool is_text(const struct opt_row *row)
{
    return row->type == OPT_TEXT || row->type == OPT_CHOICE || row->type == OPT_MAP;
}

/* Copies one setting; both rows come from one stanza of doc/options.txt, so types agree.
 */
static void copy_setting(const struct opt_set *from, size_t i, const struct opt_set *to,
                         size_t j)
{
    const void *source = (const char *)from->values + from->rows[i].offset;
    void *target = (char *)to->values + to->rows[j].offset;
    if (is_text(&to->rows[j]))
        *(char **)target = mem_str(*(char *const *)source);
    else if (to->rows[j].type == OPT_REAL)
        *(double *)target = *(const double *)source;
    else if (to->rows[j].type == OPT_FLAG)
        *(bool *)target = *(const bool *)source;
    else
        *(int64_t *)target = *(const int64_t *)source;
    to->sources[j] = from->sources[i];
}

/* argv and environment, then the stanza, then the top level of the file and defaults. */
static int merge(const struct config *config, const struct teacher_conf *stanza,
                 struct teacher_conf *teacher, struct err *err)
{
    struct opt_set outer = config_set(config), to = config_teacher_set(teacher);
    for (size_t j = 0; j < to.n; j++) {
        const struct opt_row *row = opt_find(&outer, NULL, to.rows[j].name);
        size_t i = row == NULL ? 0 : (size_t)(row - outer.rows);
        bool strong = row != NULL && outer.sources[i].origin >= ORIGIN_ENV;
        if (!strong && stanza != NULL && stanza->sources[j].origin != ORIGIN_NONE) {
            struct opt_set inner = config_teacher_set(stanza);
            copy_setting(&inner, j, &to, j);
        } else if (row != NULL) {
            copy_setting(&outer, i, &to, j);
        }
    }
    return opt_defaults(&to, err);
}

static void drop_empty_texts(struct teacher_conf *teacher)
{
    struct opt_set set = config_teacher_set(teacher);
    for (size_t i = 0; i < set.n; i++) {
        char **text = (char **)(void *)((char *)set.values + set.rows[i].offset);
        if (is_text(&set.rows[i]) && *text != NULL && (*text)[0] == '\0') {
            free(*text);
            *text = NULL;
        }
    }
}

/* ---- checks ---------------------------------------------------------------------- */

static int normalise_url(const struct config *config, struct teacher_conf *teacher,
                         struct err *err)
{
    if (teacher->url == NULL)
        return 0;
    char *url = url_normalise(teacher->url, err);
    if (url == NULL)
        return fail_at(config, teacher, "url", err);
    free(teacher->url);
    teacher->url = url;
    return 0;
}

static enum opt_origin origin_of(const struct teacher_conf *teacher, const char *key)
{
    struct opt_set set = config_teacher_set(teacher);
    return set.sources[opt_find(&set, NULL, key) - set.rows].origin;
}

/* What the file says the address is, whatever overrides it now. */
static const char *address_in_file(const struct teacher_conf *stanza)
{
    return stanza->url != NULL && stanza->url[0] != '\0' ? stanza->url : NULL;
}

static int refuse_origin(const struct config *config, const struct teacher_conf *teacher,
                         struct span home, struct err *err)
{
    err_set(err, ERR_USAGE, "the key of teacher '%s' does not go to %s", teacher->name,
            teacher->url);
    fail_at(config, teacher, "url", err);
    err_why(err, "a key goes to the origin of its own stanza only, here %.*s",
            (int)home.n, home.p);
    return err_fix(err, "give that address a stanza of its own below 'teachers:' in %s",
                   config_file_name(config));
}

/* A key must not leave for an address that was not written beside it. */
static int check_key(const struct config *config, const struct teacher_conf *stanza,
                     const struct teacher_conf *teacher, struct err *err)
{
    if (teacher->key_file == NULL && teacher->key_env == NULL)
        return 0;
    const char *address = address_in_file(stanza);
    if (address == NULL && origin_of(teacher, "url") != ORIGIN_FILE) {
        err_set(err, ERR_USAGE, "teacher '%s' has a key but no url", teacher->name);
        fail_at(config, teacher, NULL, err);
        err_why(err, "a key goes to the origin of its own stanza only");
        return err_fix(err, "add the teacher's 'url:' to its stanza");
    }
    if (address == NULL || origin_of(teacher, "url") == ORIGIN_FILE)
        return 0;
    char *home = url_normalise(address, err);
    if (home == NULL)
        return fail_at(config, stanza, "url", err);
    int result = 0;
    if (!span_equal(url_origin(home), url_origin(teacher->url)))
        result = refuse_origin(config, teacher, url_origin(home), err);
    free(home);
    return result;
}

/* ~/ is the home directory, as in a shell; other relative paths start at the file. */
static void resolve_key_file(const struct config *config, struct teacher_conf *teacher)
{
    const char *path = teacher->key_file;
    if (path == NULL || path[0] == '/')
        return;
    char *full = NULL;
    const char *home = getenv("HOME"), *file = config_file_name(config);
    const char *slash = strrchr(file, '/');
    if (path[0] == '~' && path[1] == '/' && home != NULL)
        full = mem_format("%s/%s", home, path + 2);
    else if (path[0] != '~' && slash != NULL)
        full = mem_format("%.*s/%s", (int)(slash - file), file, path);
    if (full == NULL)
        return;
    free(teacher->key_file);
    teacher->key_file = full;
}

static int check_date(const struct config *config, const struct teacher_conf *teacher,
                      struct err *err)
{
    const char *date = teacher->terms_date, *form = "9999-19-39"; /* largest digits */
    bool good = date == NULL || strlen(date) == strlen(form);
    for (size_t i = 0; date != NULL && good && form[i] != '\0'; i++)
        good = form[i] == '-' ? date[i] == '-'
                              : isdigit((unsigned char)date[i]) && date[i] <= form[i];
    if (good)
        return 0;
    err_set(err, ERR_USAGE, "'terms_date' takes a date as YYYY-MM-DD, not '%.60s'", date);
    return fail_at(config, teacher, "terms_date", err);
}

int config_teacher(const struct config *config, struct teacher_conf *teacher,
                   struct err *err)
{
    const struct teacher_conf *stanza;
    if (choose_stanza(config, &stanza, err) != 0)
        return -1;
    struct teacher_conf made;
    config_teacher_init(&made);
    if (stanza != NULL) {
        made.name = mem_str(stanza->name);
        made.line = stanza->line;
    }
    int result = merge(config, stanza, &made, err);
    drop_empty_texts(&made);
    if (result == 0)
        result = normalise_url(config, &made, err);
    if (result == 0)
        result = check_key(config, stanza, &made, err);
    if (result == 0)
        result = check_date(config, &made, err);
    if (result != 0) {
        teacher_conf_clear(&made);
        return -1;
    }
    resolve_key_file(config, &made);
    *teacher = made;
    return 0;
}
