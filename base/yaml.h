/* SPDX-License-Identifier: MIT */
/* yaml: a configuration file as a small tree with line numbers.
 *
 * What is taken is the part of YAML 1.2 that means the same to everybody: one document of
 * mappings, sequences and scalars. Anchors, aliases, tags, merge keys, further documents
 * and keys that come twice are errors, with file and line. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { YAML_MAX = 1 << 20 }; /* bytes in one file */

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE };

struct yaml_node {
    enum yaml_kind kind;
    unsigned line;                  /* from 1; in a mapping, of the key */
    const char *key;                /* in a mapping, else NULL */
    const char *text;               /* of a scalar */
    bool plain;                     /* a scalar without quotes or block style */
    struct yaml_node *child, *next; /* first of a mapping or sequence; behind this one */
};

/* The tree lives in the arena. *root is NULL when there is no document or an empty one.
 * name is for errors, which are ERR_USAGE. */
int yaml_parse(struct span text, const char *name, struct arena *arena,
               struct yaml_node **root, struct err *err);

/* A plain scalar that stands for null: null, ~ or nothing at all. */
bool yaml_is_null(const struct yaml_node *node);

/* Appends the node as canonical JSON, see base/json.h. Plain scalars are read by the core
 * schema of YAML 1.2 (yes and no are texts, 0o17 and 0x1f integers), others are texts.
 * Fails for numbers that JSON has not: .inf, .nan and what does not fit. */
int yaml_add_json(const struct yaml_node *node, const char *name, struct buf *out,
                  struct err *err);

const char *yaml_library_version(void); /* of libyaml, for --version */
