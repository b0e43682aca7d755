/* SPDX-License-Identifier: MIT */
#include "harvest/teacher/logprobs.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    ENTRY_BYTES = 64,     /* text that an entry takes, or less: first guess of how many */
    FIRST_POSITIONS = 64, /* grow by doubling */
    STEPS = 6,            /* members of an alternative and its end */
    STEP_BYTES = 16,
    ID_DIGITS = 18,
    ANY_SHAPE = 1 << 3, /* beside enum track_shape: no entry was seen yet */
};

enum member {
    MEMBER_UNKNOWN,
    MEMBER_TOKEN,
    MEMBER_LOGPROB,
    MEMBER_BYTES,
    MEMBER_ID,
    MEMBER_TOP,
    MEMBER_TOKEN_ID,
    MEMBER_END, /* of the object */
};

enum level { CHOSEN, ALTERNATIVE, LEVELS };

/* The text in front of a value, as in `,"logprob":`, and what the value is. */
struct step {
    uint64_t text[2], mask[2];
    size_t n;
    enum member member;
};

/* How a server spells its alternatives, learnt from one of them: the next one is likely to
 * differ in its values only. */
struct spelling {
    struct step steps[STEPS];
    unsigned n;
    bool usable; /* whole, and of members that are understood */
};

struct reading {
    struct scan *scan;
    struct arena *arena;
    struct track *track;
    size_t n, cap, positions_cap;
    struct spelling spelling;
    unsigned shapes[LEVELS]; /* enum track_shape that all entries have */
    bool understood, odd;
};

/* ---- room ---------------------------------------------------------------------------- */

static void *grow(struct arena *arena, const void *old, size_t used, size_t size)
{
    void *p = arena_alloc(arena, size);
    if (used > 0)
        memcpy(p, old, used);
    return p;
}

static size_t add_entry(struct reading *r)
{
    if (r->n == r->cap) {
        size_t size = sizeof *r->track->entries;
        r->cap *= 2;
        r->track->entries = grow(r->arena, r->track->entries, r->n * size, r->cap * size);
    }
    return r->n++;
}

static void add_position(struct reading *r)
{
    struct track *track = r->track;
    if (track->positions + 1 == r->positions_cap) {
        size_t used = (track->positions + 1) * sizeof *track->first;
        r->positions_cap *= 2;
        track->first = grow(r->arena, track->first, used, used * 2);
    }
    track->first[++track->positions] = (uint32_t)r->n;
}

static void make_room(struct reading *r)
{
    size_t rest = (size_t)(r->scan->end - r->scan->at);
    r->cap = rest / ENTRY_BYTES + FIRST_POSITIONS;
    r->track->entries = arena_alloc(r->arena, r->cap * sizeof *r->track->entries);
    r->positions_cap = FIRST_POSITIONS;
    r->track->first = arena_alloc(r->arena, FIRST_POSITIONS * sizeof *r->track->first);
    r->track->first[0] = 0;
}

/* ---- values -------------------------------------------------------------------------- */

static void skip(struct reading *r)
{
    r->understood = false;
    scan_value(r->scan, NULL);
}

static void read_token(struct reading *r, struct logprob *entry)
{
    struct span literal;
    if (scan_next(r->scan) != SCAN_STRING)
        skip(r);
    else if (scan_string(r->scan, &literal))
        entry->token = (struct span){literal.p + 1, literal.n - 2};
}

static inline void take_number(struct reading *r, const struct number *number,
                               struct logprob *entry)
{
    entry->value = number->value;
    r->track->style &= number->style;
    r->odd |= !(number->value <= 0 && number->value >= -DBL_MAX);
    r->understood &= isfinite(number->value) != 0;
}

static void read_logprob(struct reading *r, struct logprob *entry)
{
    struct number number;
    enum scan_type type = scan_next(r->scan);
    if (type == SCAN_NUMBER && scan_number(r->scan, &number)) {
        take_number(r, &number, entry);
    } else if (type == SCAN_NULL) {
        scan_value(r->scan, NULL);
        r->odd = true;
    } else {
        skip(r);
    }
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Reads the digits at p; NULL: none, or too many. */
static inline const char *whole_number(const char *p, const char *end, int64_t *number)
{
    const char *start = p;
    int64_t value = 0;
    for (; p < end && p - start < ID_DIGITS && is_digit(*p); p++)
        value = value * 10 + (*p - '0');
    if (p == start || (p < end && is_digit(*p)) || (*start == '0' && p - start > 1))
        return NULL;
    *number = value;
    return p;
}

static void read_id(struct reading *r, struct logprob *entry)
{
    struct span raw = {0};
    if (!scan_value(r->scan, &raw))
        return;
    const char *end = raw.p + raw.n;
    r->understood &= whole_number(raw.p, end, &entry->id) == end;
}

/* ---- entries ------------------------------------------------------------------------- */

static void read_top(struct reading *r, enum level level);

static enum member member_of(struct span key)
{
    static const struct {
        struct span key;
        enum member member;
    } rows[] = {
        {SPAN_LITERAL("\"token\""), MEMBER_TOKEN},
        {SPAN_LITERAL("\"logprob\""), MEMBER_LOGPROB},
        {SPAN_LITERAL("\"bytes\""), MEMBER_BYTES},
        {SPAN_LITERAL("\"id\""), MEMBER_ID},
        {SPAN_LITERAL("\"top_logprobs\""), MEMBER_TOP},
        {SPAN_LITERAL("\"token_id\""), MEMBER_TOKEN_ID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_equal(key, rows[i].key))
            return rows[i].member;
    return MEMBER_UNKNOWN;
}

static void read_member(struct reading *r, enum level level, enum member member,
                        struct logprob *entry)
{
    switch (member) {
    case MEMBER_TOKEN:
        read_token(r, entry);
        return;
    case MEMBER_LOGPROB:
        read_logprob(r, entry);
        return;
    case MEMBER_BYTES:
        scan_value(r->scan, &entry->bytes);
        return;
    case MEMBER_ID:
        read_id(r, entry);
        return;
    case MEMBER_TOKEN_ID:
        read_id(r, entry);
        r->understood = false;
        return;
    case MEMBER_TOP:
        read_top(r, level);
        return;
    case MEMBER_UNKNOWN:
    case MEMBER_END:
        skip(r);
        return;
    }
}

/* vLLM's spelling of a token by its id. */
static int64_t id_in_token(struct span token)
{
    static const char prefix[] = "token_id:";
    const size_t n = sizeof prefix - 1;
    if (token.n <= n || memcmp(token.p, prefix, n) != 0)
        return -1;
    int64_t id;
    const char *end = token.p + token.n;
    return whole_number(token.p + n, end, &id) == end ? id : -1;
}

static inline void keep_entry(struct reading *r, size_t at, struct logprob *entry)
{
    if (entry->id < 0)
        entry->id = id_in_token(entry->token);
    r->track->entries[at] = *entry;
}

static inline bool at_step(const char *p, const char *end, const struct step *step)
{
    uint64_t w[2];
    if ((size_t)(end - p) < sizeof w)
        return false;
    memcpy(w, p, sizeof w);
    return (((w[0] ^ step->text[0]) & step->mask[0]) |
            ((w[1] ^ step->text[1]) & step->mask[1])) == 0;
}

/* Reads the value at p as read_member does, if it is of the plain kind. Returns the byte
 * after it, or NULL. */
static inline const char *read_plain(struct reading *r, const char *p, enum member member,
                                     struct logprob *entry)
{
    const char *end = r->scan->end, *from = p;
    struct number number;
    switch (member) {
    case MEMBER_TOKEN:
        if (*p != '"')
            return NULL;
        p = scan_plain(p + 1, end);
        if (p == end || *p != '"')
            return NULL;
        entry->token = (struct span){from + 1, (size_t)(p - from - 1)};
        return p + 1;
    case MEMBER_LOGPROB:
        p = number_read((struct span){p, (size_t)(end - p)}, &number);
        if (p != NULL)
            take_number(r, &number, entry);
        return p;
    case MEMBER_BYTES:
        p = scan_numbers(p, end);
        if (p != NULL)
            entry->bytes = (struct span){from, (size_t)(p - from)};
        return p;
    case MEMBER_ID:
        return whole_number(p, end, &entry->id);
    default:
        return NULL;
    }
}

/* Reads an alternative that is spelt as the last one, values aside. False: it is not, and
 * nothing was read; or an error, which the scan knows of. What the values of one that is
 * given up leave behind in `r` they leave behind again when they are read once more. */
static bool read_alike(struct reading *r)
{
    if (!r->spelling.usable)
        return false;
    struct scan *scan = r->scan;
    const char *start = scan->at, *p = start;
    struct logprob entry = {.id = -1, .value = NAN};
    for (const struct step *step = r->spelling.steps; at_step(p, scan->end, step);
         step++) {
        p += step->n;
        if (step->member == MEMBER_END) {
            scan->at = p;
            keep_entry(r, add_entry(r), &entry);
            return true;
        }
        const char *next = read_plain(r, p, step->member, &entry);
        if (next == NULL) { /* escapes, other scripts, white space, null, … */
            scan->at = p;
            scan->depth++; /* for the brace that was moved over as text */
            read_member(r, ALTERNATIVE, step->member, &entry);
            scan->depth--;
            next = scan->at;
        }
        p = next;
    }
    if (scan->error == NULL)
        scan->at = start;
    return false;
}

/* Compares the members that an entry has with those of the entries before. */
static void check_shape(struct reading *r, enum level level, unsigned seen)
{
    const unsigned needed = 1u << MEMBER_TOKEN | 1u << MEMBER_LOGPROB;
    unsigned shape = ((seen >> MEMBER_ID & 1) != 0 ? SHAPE_ID : 0) |
                     ((seen >> MEMBER_BYTES & 1) != 0 ? SHAPE_BYTES : 0) |
                     ((seen >> MEMBER_TOP & 1) != 0 ? SHAPE_TOP : 0);
    unsigned *known = &r->shapes[level];
    if (*known == ANY_SHAPE)
        *known = shape;
    r->understood &= (seen & needed) == needed && shape == *known;
}

/* Notes the text from `from` to where the scan stands as the way to the next value. */
static void learn(struct reading *r, const char *from, enum member member)
{
    struct spelling *spelling = &r->spelling;
    size_t n = (size_t)(r->scan->at - from);
    bool known = member == MEMBER_TOKEN || member == MEMBER_LOGPROB ||
                 member == MEMBER_BYTES || member == MEMBER_ID || member == MEMBER_END;
    if (spelling->n == STEPS || n > STEP_BYTES || !known) {
        spelling->n = STEPS; /* no use: give up on this one */
        return;
    }
    struct step *step = &spelling->steps[spelling->n++];
    *step = (struct step){.n = n, .member = member};
    memcpy(step->text, from, n);
    memset(step->mask, 0xff, n);
    spelling->usable = member == MEMBER_END;
}

/* Reads an entry member by member. False, with nothing read: no object comes next. */
static bool read_entry(struct reading *r, enum level level)
{
    if (scan_next(r->scan) != SCAN_OBJECT)
        return false;
    const char *from = r->scan->at;
    bool learning = level == ALTERNATIVE;
    if (learning)
        r->spelling = (struct spelling){0};
    scan_object(r->scan);
    size_t at = add_entry(r);
    struct logprob entry = {.id = -1, .value = NAN};
    struct span key;
    unsigned seen = 0;
    while (scan_key(r->scan, &key)) {
        enum member member = member_of(key);
        if (learning)
            learn(r, from, member);
        r->understood &= (seen >> member & 1) == 0;
        seen |= 1u << member;
        read_member(r, level, member, &entry);
        from = r->scan->at;
    }
    if (learning)
        learn(r, from, MEMBER_END);
    check_shape(r, level, seen);
    keep_entry(r, at, &entry);
    return true;
}

static void read_top(struct reading *r, enum level level)
{
    if (level != CHOSEN || scan_next(r->scan) != SCAN_ARRAY) {
        skip(r);
        return;
    }
    scan_array(r->scan);
    while (scan_item(r->scan))
        if (!read_alike(r) && !read_entry(r, ALTERNATIVE))
            skip(r);
}

void logprobs_read(struct scan *scan, struct arena *arena, struct track *track,
                   unsigned *flags, bool *understood)
{
    struct reading r = {.scan = scan,
                        .arena = arena,
                        .track = track,
                        .shapes = {ANY_SHAPE, ANY_SHAPE},
                        .understood = true};
    *track = (struct track){.style = NUMBER_F32 | NUMBER_F32_SHORT};
    if (scan_next(scan) != SCAN_ARRAY) {
        scan_value(scan, NULL);
        *understood = false;
        return;
    }
    const char *start = scan->at;
    make_room(&r);
    scan_array(scan);
    while (scan_item(scan)) {
        if (read_entry(&r, CHOSEN))
            add_position(&r);
        else
            skip(&r);
    }
    if (r.shapes[ALTERNATIVE] != ANY_SHAPE)
        r.understood &= r.shapes[ALTERNATIVE] == (r.shapes[CHOSEN] & ~SHAPE_TOP);
    track->shape = r.shapes[CHOSEN] == ANY_SHAPE ? 0 : r.shapes[CHOSEN];
    track->array = (struct span){start, (size_t)(scan->at - start)};
    *flags |= r.odd ? FLAG_ODD_LOGPROBS : 0;
    *understood &= r.understood;
}
