/* SPDX-License-Identifier: MIT */
#include "harvest/config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/opt_value.h"
#include "base/yaml.h"
#include "harvest/config_rows.h"
#include "prompts/prompts.h"

static const char default_file[] = "harvest.yaml";

/* ---- the rows, from doc/options.txt ---------------------------------------------- */

#define ROW(owner, name, letter, type, field, ...)                                       \
    {name, letter, type, offsetof(struct owner, field), __VA_ARGS__},

static const struct opt_row rows[] = {
#define OPT(...) ROW(config, __VA_ARGS__)
#define TEACHER_OPT(...)
#include "harvest/options.inc"
#undef OPT
#undef TEACHER_OPT
};

static const struct opt_row teacher_rows[] = {
#define OPT(...)
#define TEACHER_OPT(...) ROW(teacher_conf, __VA_ARGS__)
#include "harvest/options.inc"
#undef OPT
#undef TEACHER_OPT
};

/* A stanza whose type is not that of its member must not compile. */
#define KIND_OF_MEMBER(owner, field)                                                     \
    _Generic(((struct owner *)NULL)->field, bool : 1, int64_t : 2, double : 3, char * : 4)
#define KIND_OF(type)                                                                    \
    ((type) == OPT_FLAG                                                ? 1               \
     : (type) == OPT_REAL                                              ? 3               \
     : (type) == OPT_TEXT || (type) == OPT_CHOICE || (type) == OPT_MAP ? 4               \
                                                                       : 2)
#define CHECK(owner, name, type, field)                                                  \
    _Static_assert(KIND_OF(type) == KIND_OF_MEMBER(owner, field), name);
#define OPT(name, letter, type, field, ...)         CHECK(config, name, type, field)
#define TEACHER_OPT(name, letter, type, field, ...) CHECK(teacher_conf, name, type, field)
#include "harvest/options.inc"
#undef OPT
#undef TEACHER_OPT

enum {
    ROWS = sizeof rows / sizeof rows[0],
    TEACHER_ROWS = sizeof teacher_rows / sizeof rows[0]
};

const struct opt_row *config_rows(size_t *n)
{
    *n = ROWS;
    return rows;
}

const struct opt_row *config_teacher_rows(size_t *n)
{
    *n = TEACHER_ROWS;
    return teacher_rows;
}

/* The engine writes through a set only what its caller asks it to put: reading through
 * one made of a const struct is fine. */
struct opt_set config_set(const struct config *config)
{
    return (struct opt_set){rows, ROWS, (void *)config, config->sources};
}

struct opt_set config_teacher_set(const struct teacher_conf *teacher)
{
    return (struct opt_set){teacher_rows, TEACHER_ROWS, (void *)teacher,
                            teacher->sources};
}

void config_teacher_init(struct teacher_conf *teacher)
{
    *teacher = (struct teacher_conf){.temperature = NAN, .top_logprobs = -1};
    teacher->sources = mem_array(TEACHER_ROWS, sizeof *teacher->sources);
}

const char *config_file_name(const struct config *config)
{
    return config->file != NULL ? config->file : default_file;
}

/* ---- harvest.yaml ---------------------------------------------------------------- */

/* A mapping whose keys are options: the top level or a stanza. */
struct section {
    struct opt_set set;
    const char *scope; /* of the rows that may be keys here */
    const char *file;
    const char *path; /* put before keys: "teachers.qwen." */
};

static int place(const struct section *section, const struct yaml_node *node,
                 struct err *err)
{
    return err_where(err, "%s:%u, %s%.100s", section->file, node->line, section->path,
                     node->key);
}

/* Tells what a key that is known elsewhere is good for. */
static void say_where_key_belongs(const struct section *section, const char *key,
                                  struct err *err)
{
    struct opt_set any = {rows, ROWS, NULL, NULL};
    struct opt_set stanza = {teacher_rows, TEACHER_ROWS, NULL, NULL};
    if (opt_find(&stanza, NULL, key) != NULL)
        err_why(err, "it belongs into a teacher's stanza below 'teachers:'");
    else if (opt_find(&any, "config", key) != NULL)
        err_why(err, "it belongs to the top level of the file, not to a teacher");
    else if (opt_find(&any, NULL, key) != NULL)
        err_why(err, "'--%s' is for the command line only", key);
    else
        err_why(err, "%s has no such setting",
                section->path[0] ? "a teacher" : "the file");
}

/* Files like this one are shared and committed. */
static bool is_credential(const char *key)
{
    static const char *const names[] = {"key",   "api_key",      "api-key", "apikey",
                                        "token", "bearer_token", "secret",  "password"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(key, names[i]) == 0)
            return true;
    }
    return false;
}

static int refuse_key(const struct section *section, const struct yaml_node *node,
                      struct err *err)
{
    err_set(err, ERR_USAGE, "unknown key '%.100s'", node->key);
    place(section, node, err);
    if (is_credential(node->key)) {
        err_why(err, "a credential is not written into this file");
        return err_fix(err,
                       "put it into a file of its own and name that as 'key_file', or "
                       "name an environment variable as 'key_env'");
    }
    say_where_key_belongs(section, node->key, err);
    struct nearest near = {.given = node->key};
    for (size_t i = 0; i < section->set.n; i++) {
        if (opt_in_scope(&section->set.rows[i], section->scope))
            nearest_offer(&near, section->set.rows[i].name);
    }
    if (section->path[0] == '\0')
        nearest_offer(&near, "teachers");
    if (near.found == NULL)
        return err_fix(err, "harvest(1) lists the keys under CONFIGURATION");
    struct opt_row row = {.name = near.found};
    struct buf name;
    buf_init(&name, 128);
    opt_add_name(&name, &row, ORIGIN_FILE);
    err_fix(err, "did you mean '%s'?", buf_view(&name).p);
    buf_clear(&name);
    return -1;
}

/* NULL, or what the node is instead of what the row takes. */
static const char *find_mismatch(const struct opt_row *row, const struct yaml_node *node)
{
    bool number =
        row->type == OPT_COUNT || row->type == OPT_REAL || row->type == OPT_FLAG;
    if (row->type == OPT_MAP)
        return node->kind == YAML_SCALAR     ? "a single value"
               : node->kind == YAML_SEQUENCE ? "a list"
                                             : NULL;
    if (node->kind != YAML_SCALAR)
        return node->kind == YAML_MAPPING ? "a mapping" : "a list";
    if (yaml_is_null(node))
        return "nothing";
    return number && !node->plain ? "a text in quotes" : NULL;
}

static int refuse_type(const struct opt_row *row, const struct yaml_node *node,
                       const char *instead, struct err *err)
{
    struct buf expected;
    buf_init(&expected, 1024);
    opt_value_expected(&expected, row);
    err_set(err, ERR_USAGE, "'%s' takes %s, not %s", node->key, buf_view(&expected).p,
            instead);
    buf_clear(&expected);
    return -1;
}

/* "top-logprobs" and "top_logprobs" are one key. */
static int check_twice(const struct section *section, const struct opt_row *row,
                       const struct yaml_node *first, const struct yaml_node *node,
                       struct err *err)
{
    for (; first != node; first = first->next) {
        if (opt_find(&section->set, section->scope, first->key) == row) {
            err_set(err, ERR_USAGE, "key '%s' comes twice", node->key);
            return err_why(err, "it was given before in line %u", first->line);
        }
    }
    return 0;
}

/* The same members are refused here as in a prompt's params. */
static int check_params(const struct section *section, const struct yaml_node *params,
                        struct err *err)
{
    for (const struct yaml_node *node = params->child; node != NULL; node = node->next) {
        const char *refusal = prompt_param_refusal(node->key);
        if (refusal == NULL)
            continue;
        err_set(err, ERR_USAGE, "'params' cannot have '%s'", node->key);
        err_where(err, "%s:%u, %sparams.%s", section->file, node->line, section->path,
                  node->key);
        return err_why(err, "%s", refusal);
    }
    return 0;
}

static int put_node(const struct section *section, const struct opt_row *row,
                    const struct yaml_node *node, struct err *err)
{
    const char *mismatch = find_mismatch(row, node);
    if (mismatch != NULL)
        return refuse_type(row, node, mismatch, err);
    if (row->type != OPT_MAP)
        return opt_put(&section->set, row, node->text, ORIGIN_FILE, node->line, err);
    if (check_params(section, node, err) != 0)
        return -1;
    struct buf json;
    buf_init(&json, 8 * YAML_MAX);
    int result = yaml_add_json(node, section->file, &json, err);
    if (result == 0)
        result =
            opt_put(&section->set, row, buf_view(&json).p, ORIGIN_FILE, node->line, err);
    buf_clear(&json);
    return result;
}

static int read_section(const struct section *section, const struct yaml_node *mapping,
                        struct err *err)
{
    bool top = section->path[0] == '\0';
    for (const struct yaml_node *node = mapping->child; node != NULL; node = node->next) {
        if (top && strcmp(node->key, "teachers") == 0)
            continue;
        const struct opt_row *row = opt_find(&section->set, section->scope, node->key);
        if (row == NULL)
            return refuse_key(section, node, err);
        if (check_twice(section, row, mapping->child, node, err) != 0 ||
            put_node(section, row, node, err) != 0)
            return place(section, node, err);
    }
    return 0;
}

static int read_stanza(struct config *config, const struct yaml_node *node,
                       struct err *err)
{
    if (node->kind != YAML_MAPPING) {
        err_set(err, ERR_USAGE, "the teacher '%.100s' must be a mapping of settings",
                node->key);
        err_where(err, "%s:%u, teachers.%.100s", config_file_name(config), node->line,
                  node->key);
        return err_fix(err,
                       "indent its settings below it: '  url: http://127.0.0.1:8080'");
    }
    config->teachers =
        mem_grow(config->teachers, config->n_teachers + 1, sizeof *config->teachers);
    struct teacher_conf *teacher = &config->teachers[config->n_teachers++];
    config_teacher_init(teacher);
    teacher->name = mem_str(node->key);
    teacher->line = node->line;
    char *path = mem_format("teachers.%.100s.", node->key);
    struct section section = {config_teacher_set(teacher), NULL, config_file_name(config),
                              path};
    int result = read_section(&section, node, err);
    free(path);
    return result;
}

static int read_teachers(struct config *config, const struct yaml_node *root,
                         struct err *err)
{
    const struct yaml_node *teachers = root->child;
    while (teachers != NULL && strcmp(teachers->key, "teachers") != 0)
        teachers = teachers->next;
    if (teachers == NULL || yaml_is_null(teachers))
        return 0;
    if (teachers->kind != YAML_MAPPING) {
        err_set(err, ERR_USAGE, "'teachers' must be a mapping of names to settings");
        return err_where(err, "%s:%u, teachers", config_file_name(config),
                         teachers->line);
    }
    for (const struct yaml_node *node = teachers->child; node != NULL;
         node = node->next) {
        if (read_stanza(config, node, err) != 0)
            return -1;
    }
    return 0;
}

static int read_root(struct config *config, const struct yaml_node *root, struct err *err)
{
    if (root->kind != YAML_MAPPING) {
        err_set(err, ERR_USAGE, "the configuration must be a mapping of keys to values");
        return err_where(err, "%s:%u", config_file_name(config), root->line);
    }
    struct section top = {config_set(config), "config", config_file_name(config), ""};
    if (read_section(&top, root, err) != 0)
        return -1;
    return read_teachers(config, root, err);
}

static int read_file(struct config *config, struct err *err)
{
    const char *name = config_file_name(config);
    if (config->file == NULL && access(name, F_OK) != 0 && errno == ENOENT)
        return 0;
    struct buf text;
    buf_init(&text, YAML_MAX);
    struct err cause = {0};
    if (file_read(name, YAML_MAX, &text, &cause) != 0) {
        err_set(err, ERR_USAGE, "%s", cause.what);
        char where[256];
        config_where(config, NULL, "config", where, sizeof where);
        if (config->file != NULL)
            err_where(err, "%s", where);
        buf_clear(&text);
        return err_fix(err, "%s", cause.fix);
    }
    struct arena arena = {0};
    struct yaml_node *root = NULL;
    int result = yaml_parse(buf_view(&text), name, &arena, &root, err);
    if (result == 0 && root != NULL)
        result = read_root(config, root, err);
    arena_clear(&arena);
    buf_clear(&text);
    return result;
}

/* ---- outside --------------------------------------------------------------------- */

int config_load(struct config *config, const char *command, int argc, char **argv,
                int *n_words, struct err *err)
{
    *config = (struct config){.temperature = NAN, .top_logprobs = -1};
    config->sources = mem_array(ROWS, sizeof *config->sources);
    struct opt_set set = config_set(config);
    int result = opt_argv(&set, command, argc, argv, n_words, err);
    if (result == 0 && !config->help && !config->version) {
        result = opt_environment(&set, command, err);
        if (result == 0)
            result = read_file(config, err);
    }
    if (result == 0)
        result = opt_defaults(&set, err);
    if (result != 0)
        config_clear(config);
    return result;
}

void config_clear(struct config *config)
{
    if (config->sources != NULL) {
        struct opt_set set = config_set(config);
        opt_clear(&set);
    }
    for (size_t i = 0; i < config->n_teachers; i++)
        teacher_conf_clear(&config->teachers[i]);
    free(config->teachers);
    free(config->sources);
    *config = (struct config){0};
}

void teacher_conf_clear(struct teacher_conf *teacher)
{
    if (teacher->sources != NULL) {
        struct opt_set set = config_teacher_set(teacher);
        opt_clear(&set);
    }
    free(teacher->name);
    free(teacher->sources);
    *teacher = (struct teacher_conf){0};
}

bool config_is_set(const struct config *config, const char *option)
{
    struct opt_set set = config_set(config);
    return opt_is_set(&set, option);
}
