/* SPDX-License-Identifier: MIT */
#include "store/pack.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "tests/unit/tokens.h"

enum { JSON_MAX = 64 << 20 };

static const unsigned LLAMA = SHAPE_ID | SHAPE_BYTES | SHAPE_TOP;
static const unsigned OPENAI = SHAPE_BYTES | SHAPE_TOP;

/* A track, its JSON, and what came back from packing it. */
struct trip {
    struct arena arena;
    struct buf json, packed;
    struct track track, back;
    struct columns columns;
    enum pack_values form;
};

static void trip_start(struct trip *trip)
{
    *trip = (struct trip){0};
    buf_init(&trip->json, JSON_MAX);
    buf_init(&trip->packed, JSON_MAX);
    buf_reserve(&trip->json, 32 << 20);
}

static void trip_end(struct trip *trip)
{
    arena_clear(&trip->arena);
    buf_clear(&trip->json);
    buf_clear(&trip->packed);
}

/* Numbers tokens as a vocabulary would, by looking through those that came before. */
static void number_tokens(struct trip *trip, const struct logprob **vocabulary)
{
    struct columns *c = &trip->columns;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->token_at[c->positions]; i++) {
        const struct logprob *t = c->token_entries[i];
        uint32_t k = 0;
        while (k < n && !(vocabulary[k]->id == t->id &&
                          span_equal(vocabulary[k]->token, t->token) &&
                          span_equal(vocabulary[k]->bytes, t->bytes)))
            k++;
        vocabulary[k] = t;
        n += k == n;
        c->tokens[i] = k * 997 % (1 << 22); /* spread out, as in a large vocabulary */
    }
}

static void go(struct trip *trip)
{
    struct track *track = &trip->track, *back = &trip->back;
    columns_of(track, &trip->arena, &trip->columns);
    uint32_t n = trip->columns.token_at[track->positions], *numbers;
    const struct logprob **vocabulary = mem_array(n, sizeof *vocabulary);
    number_tokens(trip, vocabulary);
    columns_pack(&trip->columns, &trip->arena, &trip->packed, &trip->form);

    struct columns columns;
    assert_int_equal(columns_unpack(buf_view(&trip->packed), &trip->arena, &columns), 0);
    columns_track(&columns, &trip->arena, back, &numbers);
    for (uint32_t i = 0; i < back->first[back->positions]; i++) {
        const struct logprob *token = NULL;
        for (uint32_t k = 0; k < n && token == NULL; k++)
            if (k * 997 % (1 << 22) == numbers[i])
                token = vocabulary[k];
        assert_non_null(token);
        back->entries[i].id = token->id;
        back->entries[i].token = token->token;
        back->entries[i].bytes = token->bytes;
    }
    free(vocabulary);
}

static bool same_bits(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void check_equal(const struct track *a, const struct track *b)
{
    assert_int_equal(a->positions, b->positions);
    assert_int_equal(a->style, b->style);
    assert_int_equal(a->shape, b->shape);
    for (uint32_t i = 0; i <= a->positions; i++)
        assert_int_equal(a->first[i], b->first[i]);
    for (uint32_t i = 0; i < a->first[a->positions]; i++) {
        assert_true(same_bits(a->entries[i].value, b->entries[i].value));
        assert_true(a->entries[i].id == b->entries[i].id);
        assert_true(span_equal(a->entries[i].token, b->entries[i].token));
        assert_true(span_equal(a->entries[i].bytes, b->entries[i].bytes));
    }
}

/* jansson's equality of reals is that of numbers: -0.0 and 0.0 are told apart by dumping. */
static void check_json(const struct track *track, struct span original)
{
    struct buf text;
    buf_init(&text, JSON_MAX);
    buf_byte(&text, '[');
    track_add_json(track, &text);
    buf_byte(&text, ']');
    json_t *a = json_loadb(text.p, text.n, 0, NULL);
    json_t *b = json_loadb(original.p, original.n, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(json_equal(a, b));
    char *dump_a = json_dumps(a, JSON_SORT_KEYS), *dump_b = json_dumps(b, JSON_SORT_KEYS);
    assert_string_equal(dump_a, dump_b);
    free(dump_a);
    free(dump_b);
    json_decref(a);
    json_decref(b);
    buf_clear(&text);
}

/* ---- whole trips ---- */

struct trip_case {
    const char *name;
    struct tokens_spec spec;
    int form; /* of the values; -1: any */
};

static const struct trip_case cases[] = {
    {"llama.cpp", {1, 30, 20, TOKENS_F32, LLAMA, 0, 0, 0, 0}, VALUES_F32},
    {"vllm", {2, 30, 20, TOKENS_BF16, OPENAI, 0, 0, 0, 0}, VALUES_LATTICE},
    {"openai", {3, 30, 20, TOKENS_BF16_SHORT, OPENAI, 0, 0, 0, 0}, VALUES_LATTICE},
    {"old openai", {4, 30, 5, TOKENS_F32_SHORT, OPENAI, 0, 0, 0, 0}, VALUES_F32},
    {"doubles", {5, 30, 5, TOKENS_F64, OPENAI, 0, 0, 0, 0}, VALUES_F64},
    {"one position", {6, 1, 20, TOKENS_BF16, LLAMA, 0, 0, 0, 0}, VALUES_LATTICE},
    {"no alternatives", {7, 40, 0, TOKENS_F32, LLAMA, 0, 0, 0, 0}, VALUES_F32},
    {"none, not even the list", {8, 9, 0, TOKENS_BF16, SHAPE_ID, 0, 0, 0, 0}, VALUES_F32},
    {"one alternative", {9, 40, 1, TOKENS_F32_SHORT, SHAPE_TOP, 0, 0, 0, 0}, -1},
    {"chosen outside", {10, 40, 3, TOKENS_F32, LLAMA, 0, 1, 0, 0}, VALUES_F32},
    {"chosen outside, lattice",
     {11, 40, 3, TOKENS_BF16, OPENAI, 0, 1, 0, 0},
     VALUES_LATTICE},
    {"ragged", {12, 60, 30, TOKENS_F32, LLAMA, 1, 1, 0, 0}, VALUES_F32},
    {"ragged lattice",
     {13, 60, 30, TOKENS_BF16_SHORT, OPENAI, 1, 1, 0, 0},
     VALUES_LATTICE},
    {"odd float32", {14, 60, 20, TOKENS_F32, LLAMA, 0, 0, 1, 0}, -1},
    {"odd lattice", {15, 60, 20, TOKENS_BF16, LLAMA, 1, 1, 1, 0}, -1},
    {"odd short", {16, 60, 5, TOKENS_F32_SHORT, LLAMA, 1, 1, 1, 0}, -1},
    {"odd doubles", {17, 60, 20, TOKENS_F64, LLAMA, 1, 1, 1, 0}, VALUES_F64},
    {"respelt", {18, 30, 20, TOKENS_BF16, OPENAI, 0, 0, 0, 1}, VALUES_LATTICE},
    {"many tokens", {19, 700, 20, TOKENS_BF16, OPENAI, 0, 0, 0, 0}, VALUES_LATTICE},
    {"many alternatives", {20, 6, 199, TOKENS_F32, LLAMA, 1, 0, 0, 0}, VALUES_F32},
};

static void test_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trip trip;
        trip_start(&trip);
        print_message("# %s\n", cases[i].name);
        tokens_make(&cases[i].spec, &trip.json, &trip.arena, &trip.track);
        go(&trip);
        check_equal(&trip.track, &trip.back);
        check_json(&trip.back, trip.track.array);
        if (cases[i].form >= 0)
            assert_int_equal(trip.form, cases[i].form);
        trip_end(&trip);
    }
}

/* ---- particular values ---- */

/* The values as alternatives of one position, the first of them chosen, and then each as
 * the lone value of its own. */
static void check_values(const double *values, uint32_t n, unsigned style,
                         enum pack_values form)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    struct trip trip;
    trip_start(&trip);
    uint32_t entries_n = 1 + n + n;
    struct logprob *entries = arena_new(&trip.arena, entries_n * sizeof *entries);
    uint32_t *first = arena_new(&trip.arena, (n + 2) * sizeof *first);
    for (uint32_t i = 0; i < entries_n; i++) {
        entries[i].value = i == 0 ? values[0] : values[(i - 1) % n];
        entries[i].token = (struct span){&letters[i % 26], 1};
        entries[i].id = -1;
    }
    for (uint32_t i = 0; i <= n; i++)
        first[i + 1] = 1 + n + i;
    trip.track = (struct track){
        .entries = entries, .first = first, .positions = n + 1, .style = style};
    go(&trip);
    check_equal(&trip.track, &trip.back);
    assert_int_equal(trip.form, form);
    trip_end(&trip);
}

static void test_values(void **state)
{
    (void)state;
    const double plain[] = {0.0,     -0.0,    NAN,   -9999.0,     -3.4028234663852886e38,
                            -1e-45f, 1.5,     -0.25, 3.0f / 7.0f, -3.4028234663852886e38,
                            -0.0,    -1e-30f, 100.0, -100.0,      -17.0f / 3.0f};
    uint32_t n = sizeof plain / sizeof plain[0];
    check_values(plain, n, NUMBER_F32, VALUES_F32);
    check_values(plain, n, 0, VALUES_F64);
    const double infinite[] = {-INFINITY, INFINITY, -1.1, NAN, 1e300, -5e-324};
    check_values(infinite, 6, 0, VALUES_F64);
    /* A style that does not hold is found out. */
    const double lie[] = {-0.1, -0.2, -0.3};
    check_values(lie, 3, NUMBER_F32, VALUES_F64);
    /* As printed: neither is a float32. */
    const double printed[] = {-0.1, -0.3172, -1.319, -16.5, -1e-45, NAN, -3.4028235e+38};
    check_values(printed, 7, NUMBER_F32_SHORT, VALUES_F32);
}

/* Values that OpenAI and vLLM have published lie on a grid. */
static void test_published(void **state)
{
    (void)state;
    const double openai[] = {-0.0009114635, -7.000911, -19.875912};
    const double vllm[] = {0.0, -23.125, -24.125};
    check_values(openai, 3, NUMBER_F32_SHORT, VALUES_LATTICE);
    check_values(vllm, 3, NUMBER_F32, VALUES_LATTICE);
}

/* ---- size ---- */

/* A lattice has to pay: these bounds are above what is measured by a tenth. */
static void test_smaller(void **state)
{
    (void)state;
    size_t sizes[2];
    const enum tokens_numbers numbers[] = {TOKENS_F32, TOKENS_BF16};
    for (int i = 0; i < 2; i++) {
        struct trip trip;
        struct tokens_spec spec = {.seed = 5,
                                   .positions = 300,
                                   .alternatives = 20,
                                   .numbers = numbers[i],
                                   .shape = OPENAI};
        trip_start(&trip);
        tokens_make(&spec, &trip.json, &trip.arena, &trip.track);
        go(&trip);
        sizes[i] = trip.packed.n / spec.positions;
        trip_end(&trip);
    }
    assert_in_range(sizes[0], 60, 140); /* two bytes of token and four of value each */
    assert_in_range(sizes[1], 60, 105); /* two and two */
}

/* ---- damage ---- */

/* Cut off anywhere, and with any one byte changed, it is refused or read; never a crash. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].spec.positions > 60)
            continue;
        struct trip trip;
        trip_start(&trip);
        tokens_make(&cases[i].spec, &trip.json, &trip.arena, &trip.track);
        go(&trip);
        size_t n = trip.packed.n;
        for (size_t at = 0; at < n; at += 1 + at / 64) {
            struct arena arena = {0};
            struct columns columns;
            char *bytes =
                mem_copy(trip.packed.p, n); /* a heap block of exactly its size */
            assert_int_equal(columns_unpack((struct span){bytes, at}, &arena, &columns),
                             -1);
            bytes[at] ^= (char)(1 << at % 8);
            columns_unpack((struct span){bytes, n}, &arena, &columns);
            bytes[at] = (char)0xff;
            columns_unpack((struct span){bytes, n}, &arena, &columns);
            free(bytes);
            arena_clear(&arena);
        }
        trip_end(&trip);
    }
}

/* Counts that differ widely are walked in time that goes with their number. */
static void test_lopsided(void **state)
{
    (void)state;
    enum { LONE = 200000, MANY = 200000 };
    struct trip trip;
    trip_start(&trip);
    struct logprob *entries = arena_new(&trip.arena, (LONE + MANY) * sizeof *entries);
    uint32_t *first = arena_new(&trip.arena, (LONE + 2) * sizeof *first);
    for (uint32_t i = 0; i < LONE + MANY; i++) {
        entries[i].token = SPAN_LITERAL("x");
        entries[i].value = -1.0 / (i + 1);
    }
    for (uint32_t i = 0; i <= LONE; i++)
        first[i] = i;
    first[LONE + 1] = LONE + MANY;
    trip.track =
        (struct track){.entries = entries, .first = first, .positions = LONE + 1};
    go(&trip);
    check_equal(&trip.track, &trip.back);
    trip_end(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trips),     cmocka_unit_test(test_values),
        cmocka_unit_test(test_published), cmocka_unit_test(test_smaller),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_lopsided),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
