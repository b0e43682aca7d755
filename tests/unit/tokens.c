/* SPDX-License-Identifier: MIT */
#include "tests/unit/tokens.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/number.h"

enum { VOCABULARY = 50000, CANDIDATES_MAX = 200 };

struct maker {
    const struct tokens_spec *spec;
    struct buf *json;
    struct track *track;
    uint64_t state;
    uint32_t at; /* entries made */
};

/* One candidate at a position: which word, and how likely. */
struct candidate {
    uint32_t word;
    double value;
};

static uint64_t next(struct maker *m)
{
    m->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = m->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(struct maker *m)
{
    return (double)((next(m) >> 11) + 1) / 9007199254740993.0;
}

/* ---- numbers ---- */

static float to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* Descending logits, then log-probabilities as softmax in float32 has them. */
static void make_values(struct maker *m, struct candidate *candidates, uint32_t n)
{
    bool bf16 = m->spec->numbers == TOKENS_BF16 || m->spec->numbers == TOKENS_BF16_SHORT;
    float logits[CANDIDATES_MAX], logit = (float)(14 + 10 * uniform(m));
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        logits[i] = bf16 ? to_bf16(logit) : logit;
        sum += exp((double)(logits[i] - logits[0]));
        logit -= (float)((i == 0 ? 4.0 : 0.5) * -log(uniform(m)));
    }
    float total = (float)log(sum * (1.0 + 0.1 * uniform(m)));
    for (uint32_t i = 0; i < n; i++) {
        float value = (logits[i] - logits[0]) - total;
        candidates[i].value = m->spec->numbers == TOKENS_F64
                                  ? (double)value * (1 + 1e-9 * uniform(m))
                                  : (double)value;
    }
}

static double odd_value(uint64_t which, double usual)
{
    switch (which % 12) {
    case 0:
        return NAN;
    case 1:
        return -9999.0;
    case 2:
        return 0.0;
    case 3:
        return -0.0;
    case 4:
        return (double)-FLT_MAX;
    case 5:
        return 1.5; /* more likely than certain: seen */
    default:
        return usual;
    }
}

/* Prints the value and says what its reader would make of the text. */
static double print_value(struct maker *m, double value)
{
    enum tokens_numbers numbers = m->spec->numbers;
    size_t start = m->json->n;
    if (isnan(value)) {
        buf_text(m->json, "null");
        return value;
    }
    if (numbers == TOKENS_F32_SHORT || numbers == TOKENS_BF16_SHORT)
        number_add_f32(m->json, (float)value);
    else
        number_add_f64(m->json, value);
    struct number read;
    const char *end =
        number_read((struct span){m->json->p + start, m->json->n - start}, &read);
    assert(end == m->json->p + m->json->n);
    m->track->style &= read.style;
    return read.value;
}

/* ---- words ---- */

/* Frequent words have small numbers; some are spelt with escapes. */
static uint32_t make_word(struct maker *m)
{
    return (uint32_t)(pow(VOCABULARY, uniform(m)) - 1);
}

static void spell(uint32_t word, char text[16], unsigned char bytes[16], size_t *n)
{
    *n = 0;
    if (word % 3 != 0)
        bytes[(*n)++] = ' ';
    for (uint32_t rest = word + 1; rest != 0; rest /= 26)
        bytes[(*n)++] = (unsigned char)('a' + rest % 26);
    if (word % 50 == 7)
        bytes[(*n)++] = '\n';
    size_t length = 0;
    for (size_t i = 0; i < *n; i++) {
        if (bytes[i] == '\n')
            text[length++] = '\\';
        text[length++] = bytes[i] == '\n' ? 'n' : (char)bytes[i];
    }
    text[length] = '\0';
}

static struct span since(const struct buf *json, size_t start)
{
    return (struct span){json->p + start, json->n - start};
}

static void put_bytes(struct maker *m, struct logprob *entry, const unsigned char *bytes,
                      size_t n)
{
    buf_text(m->json, "\"bytes\":");
    size_t start = m->json->n;
    buf_byte(m->json, '[');
    for (size_t i = 0; i < n; i++)
        buf_format(m->json, "%s%d", i == 0 ? "" : ",", bytes[i]);
    buf_byte(m->json, ']');
    entry->bytes = since(m->json, start);
    buf_byte(m->json, ',');
}

/* Opens the entry's object and leaves it open. */
static void put_entry(struct maker *m, const struct candidate *candidate, bool respelt)
{
    struct logprob *entry = &m->track->entries[m->at++];
    unsigned char bytes[16];
    char text[16];
    size_t n;
    spell(candidate->word, text, bytes, &n);
    entry->id = -1;
    buf_byte(m->json, '{');
    if ((m->spec->shape & SHAPE_ID) != 0) {
        entry->id = candidate->word;
        buf_format(m->json, "\"id\":%u,", candidate->word);
    }
    buf_text(m->json, "\"token\":\"");
    size_t start = m->json->n;
    buf_text(m->json, text);
    entry->token = since(m->json, start);
    buf_text(m->json, "\",");
    if ((m->spec->shape & SHAPE_BYTES) != 0)
        put_bytes(m, entry, bytes, respelt ? 0 : n);
    buf_text(m->json, "\"logprob\":");
    entry->value = print_value(m, candidate->value);
}

/* ---- positions ---- */

static uint32_t make_candidates(struct maker *m, struct candidate *candidates)
{
    const struct tokens_spec *spec = m->spec;
    uint32_t n = spec->alternatives;
    if (spec->ragged)
        n = (uint32_t)(next(m) % (spec->alternatives + 1));
    make_values(m, candidates, n + 1); /* one more, for a chosen token outside */
    for (uint32_t i = 0; i <= n; i++) {
        candidates[i].word = make_word(m);
        if (spec->odd)
            candidates[i].value = odd_value(next(m), candidates[i].value);
    }
    return n;
}

static void put_position(struct maker *m, uint32_t i)
{
    const struct tokens_spec *spec = m->spec;
    struct candidate candidates[CANDIDATES_MAX];
    uint32_t n = make_candidates(m, candidates);
    uint32_t chosen =
        (spec->outside && i % 3 == 0) || n == 0 ? n : (uint32_t)(next(m) % 3) % n;
    m->track->first[i] = m->at;
    buf_text(m->json, i == 0 ? "" : ",");
    put_entry(m, &candidates[chosen], spec->respelt);
    if ((spec->shape & SHAPE_TOP) != 0)
        buf_text(m->json, ",\"top_logprobs\":[");
    for (uint32_t k = 0; k < n; k++) {
        buf_text(m->json, k == 0 ? "" : ",");
        put_entry(m, &candidates[k], false);
        buf_byte(m->json, '}');
    }
    buf_text(m->json, (spec->shape & SHAPE_TOP) != 0 ? "]}" : "}");
}

void tokens_make(const struct tokens_spec *spec, struct buf *json, struct arena *arena,
                 struct track *track)
{
    assert(spec->alternatives < CANDIDATES_MAX);
    size_t most = (size_t)spec->positions * (spec->alternatives + 1);
    *track = (struct track){
        .entries = arena_new(arena, most * sizeof *track->entries),
        .first = arena_new(arena, (spec->positions + 1) * sizeof *track->first),
        .positions = spec->positions,
        .style = NUMBER_F32 | NUMBER_F32_SHORT,
        .shape = spec->shape,
    };
    struct maker maker = {
        .spec = spec, .json = json, .track = track, .state = spec->seed};
    char *place = json->p;
    size_t start = json->n;
    buf_byte(json, '[');
    for (uint32_t i = 0; i < spec->positions; i++)
        put_position(&maker, i);
    buf_byte(json, ']');
    track->first[spec->positions] = maker.at;
    track->array = since(json, start);
    assert(place == json->p && place != NULL);
}
