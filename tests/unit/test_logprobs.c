/* SPDX-License-Identifier: MIT */
/* Distributions in every spelling, compared with jansson's tree of the same text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "harvest/teacher.h"
#include "harvest/teacher/logprobs.h"

struct result {
    struct arena arena;
    struct track track;
    unsigned flags;
    bool understood;
    bool valid; /* the text is JSON to its end */
};

static struct result read_text(struct span text)
{
    struct result result = {.understood = true};
    struct scan scan;
    scan_init(&scan, text);
    logprobs_read(&scan, &result.arena, &result.track, &result.flags, &result.understood);
    result.valid = scan_done(&scan);
    return result;
}

/* ---- single cases ---- */

#define TWO(a, b) "[{" a "},{" b "}]"
#define E         "\"token\":\"a\",\"logprob\":-1.5"

static void test_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned positions;
        bool understood, odd;
    } rows[] = {
        {"[]", 0, true, false},
        {"null", 0, false, false},
        {"{\"a\":[1]}", 0, false, false},
        {TWO(E, E), 2, true, false},
        {TWO(E ",\"bytes\":null", E ",\"bytes\":[1, 2]"), 2, true, false},
        {TWO(E ",\"id\":5", E ",\"id\":0"), 2, true, false},
        {TWO(E ",\"top_logprobs\":[{" E "}]", E ",\"top_logprobs\":[]"), 2, true, false},
        {"[{\"token\":\"a\",\"logprob\":0}]", 1, true, false},
        {"[{\"token\":\"a\",\"logprob\":-9999}]", 1, true, false},
        {"[{\"token\":\"a\",\"logprob\":null}]", 1, true, true},
        {"[{\"token\":\"a\",\"logprob\":0.1}]", 1, true, true},
        {"[{\"token\":\"a\",\"logprob\":-1e999}]", 1, false, true},
        {"[{\"token\":\"a\",\"logprob\":\"-1\"}]", 1, false, false},
        {"[{\"token\":null,\"logprob\":-1}]", 1, false, false},
        {"[{\"token\":\"a\"}]", 1, false, false},
        {"[{\"logprob\":-1}]", 1, false, false},
        {"[{}]", 1, false, false},
        {"[1,{" E "},null]", 1, false, false},
        {TWO(E, E ",\"text_offset\":3"), 2, false, false},
        {TWO(E, E ",\"bytes\":null"), 2, false, false},
        {TWO(E ",\"id\":5", E), 2, false, false},
        {TWO(E ",\"id\":5", E ",\"id\":null"), 2, false, false},
        {TWO(E ",\"id\":5", E ",\"id\":-1"), 2, false, false},
        {TWO(E ",\"id\":5", E ",\"id\":1.0"), 2, false, false},
        {TWO(E ",\"token_id\":5", E ",\"token_id\":6"), 2, false, false},
        {TWO(E ",\"top_logprobs\":[{" E "}]", E), 2, false, false},
        {TWO(E ",\"top_logprobs\":null", E ",\"top_logprobs\":null"), 2, false, false},
        {"[{" E ",\"token\":\"b\"}]", 1, false, false},
        {"[{" E ",\"top_logprobs\":[{" E ",\"bytes\":[]}]}]", 1, false, false},
        {"[{" E ",\"top_logprobs\":[{" E ",\"top_logprobs\":[]}]}]", 1, false, false},
        {"[{" E ",\"top_logprobs\":[{" E "},{" E ",\"x\":1},{" E "}]}]", 1, false, false},
        {"[{" E ",\"top_logprobs\":[{" E "},3,{" E "}]}]", 1, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_text(span_of(rows[i].text));
        bool odd = (r.flags & FLAG_ODD_LOGPROBS) != 0;
        assert_true(r.valid);
        if (r.track.positions != rows[i].positions ||
            r.understood != rows[i].understood || odd != rows[i].odd)
            fail_msg("%s: %u positions, %s, %s", rows[i].text, r.track.positions,
                     r.understood ? "understood" : "not understood",
                     odd ? "odd" : "even");
        if (rows[i].text[0] == '[')
            assert_true(span_is(r.track.array, rows[i].text));
        arena_clear(&r.arena);
    }
}

static void test_ids(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        int64_t id;
    } rows[] = {
        {E, -1},
        {E ",\"id\":49151", 49151},
        {E ",\"id\": 7 ", 7},
        {E ",\"token_id\":12", 12},
        {E ",\"id\":\"3\"", -1},
        {E ",\"id\":01234567890123456", -1},
        {E ",\"id\":999999999999999999", 999999999999999999},
        {E ",\"id\":9999999999999999999", -1},
        {"\"token\":\"token_id:230\",\"logprob\":-1", 230},
        {"\"token\":\"token_id:230\",\"logprob\":-1,\"id\":4", 4},
        {"\"token\":\"token_id:\",\"logprob\":-1", -1},
        {"\"token\":\"token_id:2x\",\"logprob\":-1", -1},
        {"\"token\":\"a token_id:2\",\"logprob\":-1", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf text;
        buf_init(&text, 1000);
        buf_format(&text, "[{%s,\"top_logprobs\":[{%s},{%s}]}]", rows[i].entry,
                   rows[i].entry, rows[i].entry);
        struct result r = read_text(buf_view(&text));
        if (r.valid)
            for (int k = 0; k < 3; k++)
                if (r.track.entries[k].id != rows[i].id)
                    fail_msg("%s: %lld", buf_view(&text).p,
                             (long long)r.track.entries[k].id);
        assert_int_equal(r.valid, strstr(rows[i].entry, ":01") == NULL);
        arena_clear(&r.arena);
        buf_clear(&text);
    }
}

/* ---- any spelling ---- */

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 2685821657736338717u;
}

struct style {
    const char *space, *colon;
    int order[4]; /* of token, logprob, bytes, id; negative: none from there on */
    bool wild;    /* odd values, members out of order, more members */
};

static void add_value(struct buf *text, int member, uint64_t *seed, bool wild)
{
    static const char *const tokens[] = {"\" the\"",
                                         "\"\"",
                                         "\"\\n\\\"\"",
                                         "\"\xe4\xbd\xa0\xe5\xa5\xbd\"",
                                         "\"na\xc3\xafve\"",
                                         "\"\\u00e9\"",
                                         "\"a token that is longer than others\"",
                                         "\"token_id:77\""};
    static const char *const bytes[] = {"[]",
                                        "[32,116,104,101]",
                                        "null",
                                        "[0]",
                                        "[240,159,145,140,32,10,9,8,7,6,5,4,3,2,1]",
                                        "[ 1, 2 ]"};
    static const char *const wilds[] = {"null",  "{}",   "[[1,[2]]]",
                                        "\"x\"", "true", "-0.5e1"};
    uint64_t r = next(seed);
    if (wild && r % 37 == 0)
        buf_text(text, wilds[r / 64 % 6]);
    else if (member == 0)
        buf_text(text, tokens[r / 64 % 8]);
    else if (member == 1)
        buf_format(text, "%.*g", 3 + (int)(r / 64 % 15), -(double)(r >> 40) / 999983.0);
    else if (member == 2)
        buf_text(text, bytes[r / 64 % 6]);
    else
        buf_format(text, "%u", (unsigned)(r / 64 % 50000));
}

static void add_entry(struct buf *text, const struct style *style, uint64_t *seed,
                      int depth)
{
    static const char *const names[] = {"token", "logprob", "bytes", "id"};
    int order[4];
    memcpy(order, style->order, sizeof order);
    if (style->wild && next(seed) % 5 == 0)
        order[1] = style->order[0], order[0] = style->order[1];
    buf_byte(text, '{');
    const char *comma = "";
    for (int i = 0; i < 4 && order[i] >= 0; i++) {
        if (style->wild && next(seed) % 23 == 0)
            continue;
        buf_format(text, "%s\"%s\"%s", comma, names[order[i]], style->colon);
        add_value(text, order[i], seed, style->wild);
        comma = style->space;
    }
    if (style->wild && next(seed) % 17 == 0)
        buf_format(text, "%s\"extra\"%s{\"a\":[1,2]}", comma, style->colon);
    if (depth == 0) {
        buf_format(text, "%s\"top_logprobs\"%s[", comma, style->colon);
        for (uint64_t k = 0, n = next(seed) % 6; k < n; k++) {
            buf_text(text, k > 0 ? style->space : "");
            add_entry(text, style, seed, 1);
        }
        buf_byte(text, ']');
    }
    buf_byte(text, '}');
}

static void check_entry(const struct logprob *entry, const json_t *value)
{
    json_t *token = json_object_get(value, "token"),
           *bytes = json_object_get(value, "bytes");
    json_t *number = json_object_get(value, "logprob"),
           *id = json_object_get(value, "id");
    if (json_is_string(token)) {
        json_t *same =
            json_loadb(entry->token.p - 1, entry->token.n + 2, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(same, token));
        json_decref(same);
    } else {
        assert_null(entry->token.p);
    }
    if (json_is_number(number))
        assert_true(entry->value == json_number_value(number));
    else
        assert_true(isnan(entry->value));
    if (bytes == NULL)
        assert_null(entry->bytes.p);
    else {
        json_t *same = json_loadb(entry->bytes.p, entry->bytes.n, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(same, bytes));
        json_decref(same);
    }
    bool spelt =
        json_is_string(token) && strcmp(json_string_value(token), "token_id:77") == 0;
    assert_int_equal(entry->id, json_is_integer(id) ? json_integer_value(id)
                                : spelt             ? 77
                                                    : -1);
}

/* Members of an entry as bits; -1: it has others, or of another type. */
static int shape_of(const json_t *value, bool chosen)
{
    json_t *token = json_object_get(value, "token"),
           *number = json_object_get(value, "logprob");
    json_t *id = json_object_get(value, "id");
    bool has_bytes = json_object_get(value, "bytes") != NULL;
    size_t members = 2 + (id != NULL) + has_bytes + chosen;
    if (!json_is_string(token) || !(json_is_number(number) || json_is_null(number)) ||
        (id != NULL && !json_is_integer(id)) || json_object_size(value) != members)
        return -1;
    return (id != NULL ? SHAPE_ID : 0) | (has_bytes ? SHAPE_BYTES : 0);
}

static void check_all(const struct result *r, struct span text)
{
    json_t *list = json_loadb(text.p, text.n, 0, NULL);
    assert_non_null(list);
    assert_int_equal(r->track.positions, json_array_size(list));
    bool understood = true;
    int first = -2;
    for (uint32_t i = 0; i < r->track.positions; i++) {
        json_t *chosen = json_array_get(list, i);
        json_t *top = json_object_get(chosen, "top_logprobs");
        const struct logprob *entry = &r->track.entries[r->track.first[i]];
        assert_int_equal(r->track.first[i + 1] - r->track.first[i],
                         1 + json_array_size(top));
        check_entry(entry, chosen);
        int shape = shape_of(chosen, true);
        first = first == -2 ? shape : first;
        understood &= shape >= 0 && shape == first;
        for (size_t k = 0; k < json_array_size(top); k++) {
            check_entry(entry + 1 + k, json_array_get(top, k));
            understood &= shape_of(json_array_get(top, k), false) == first;
        }
    }
    if (r->understood != understood)
        fail_msg("%sunderstood: %.*s", understood ? "not " : "", (int)text.n, text.p);
    if (understood && r->track.positions > 0)
        assert_int_equal(r->track.shape, first | SHAPE_TOP);
    json_decref(list);
}

static void test_spellings(void **state)
{
    (void)state;
    static const struct style styles[] = {
        {",", ":", {0, 1, 2, -1}, false},
        {",", ":", {3, 0, 2, 1}, false},
        {", ", ": ", {0, 1, 2, -1}, false},
        {",\n  ", " : ", {0, 2, 1, 3}, false},
        {",", ":", {0, 1, -1, -1}, false},
        {",", ":", {1, 0, 2, -1}, false},
        {",         ", ":     ", {0, 1, 2, 3}, false},
        {",", ":", {0, 1, 2, -1}, true},
        {", ", ": ", {3, 0, 2, 1}, true},
    };
    uint64_t seed = 424242;
    for (int round = 0; round < 60; round++)
        for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
            struct buf text;
            buf_init(&text, SIZE_MAX / 2);
            buf_byte(&text, '[');
            for (uint64_t k = 0, n = next(&seed) % 90; k < n; k++) {
                buf_text(&text, k > 0 ? styles[i].space : "");
                add_entry(&text, &styles[i], &seed, 0);
            }
            buf_byte(&text, ']');
            char *copy = mem_copy(text.p, text.n); /* without a byte behind it */
            struct result r = read_text((struct span){copy, text.n});
            assert_true(r.valid);
            check_all(&r, (struct span){copy, text.n});
            arena_clear(&r.arena);
            free(copy);
            buf_clear(&text);
        }
}

/* ---- distributions that are missing ---- */

static void test_short(void **state)
{
    (void)state;
    static const struct {
        const char *content, *tokens, *finish, *usage;
        bool is_short;
    } rows[] = {
        {"ab", "a,b", "length", "\"completion_tokens\":2", false},
        {"ab", "a,b", "length", "\"completion_tokens\":3", true},
        {"ab", "a,b", "stop", "\"completion_tokens\":2", false},
        {"ab", "a,b", "stop", "\"completion_tokens\":3",
         false}, /* the end is not listed */
        {"ab", "a,b", "stop", "\"completion_tokens\":4", true},
        {"ab", "a,b,<end>", "stop", "\"completion_tokens\":3", false},
        {"ab", "a,b,<end>", "stop", "\"completion_tokens\":4", true}, /* it is listed */
        {"ab", "a,b,", "stop", "\"completion_tokens\":4", true},
        {"ab", "a,b", "stop", "\"total_tokens\":9", false},
        {"ab", "a,b", "length",
         "\"completion_tokens\":9,\"completion_tokens_details\":{\"reasoning_tokens\":7}",
         false},
        {"ab", "a,b", "length",
         "\"completion_tokens\":10,\"completion_tokens_details\":{\"reasoning_tokens\":"
         "7}",
         true},
        {"ab", "x,a,b", "length", /* the reasoning is in the list */
         "\"completion_tokens\":3,\"completion_tokens_details\":{\"reasoning_tokens\":1}",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf body;
        buf_init(&body, 10000);
        buf_format(
            &body,
            "{\"choices\":[{\"message\":{\"content\":\"%s\"},\"finish_reason\":\"%s\","
            "\"logprobs\":{\"content\":[",
            rows[i].content, rows[i].finish);
        const char *comma = "";
        for (const char *p = rows[i].tokens;; p += strcspn(p, ",") + 1) {
            buf_format(&body, "%s{\"token\":\"%.*s\",\"logprob\":-1}", comma,
                       (int)strcspn(p, ","), p);
            comma = ",";
            if (p[strcspn(p, ",")] == '\0')
                break;
        }
        buf_format(&body, "]}}],\"usage\":{%s}}", rows[i].usage);
        struct ask ask = {.messages = span_of("[]"),
                          .params = span_of("{\"logprobs\":true}")};
        struct reply reply = {.status = 200, .body = buf_view(&body)};
        struct decoded decoded;
        struct arena arena = {0};
        codec_find("openai-chat")->decode(&reply, &ask, &arena, &decoded);
        assert_int_equal(decoded.outcome, OUTCOME_ANSWERED);
        if (decoded.answers[0].flags != (rows[i].is_short ? FLAG_SHORT_LOGPROBS : 0))
            fail_msg("row %zu: %x", i, decoded.answers[0].flags);
        arena_clear(&arena);
        buf_clear(&body);
    }
}

static void test_tracks(void **state)
{
    (void)state;
    static const char body[] =
        "{\"choices\":[{\"message\":{\"content\":\"a\",\"reasoning_content\":\"bb\"},"
        "\"finish_reason\":\"stop\",\"logprobs\":{\"content\":[{" E "}],"
        "\"reasoning_content\":[{" E "},{" E "}],\"refusal\":[{" E ",\"id\":9}],"
        "\"tokens\":[\"x\"]}}],\"usage\":{\"completion_tokens\":5}}";
    struct ask ask = {.messages = span_of("[]")};
    struct reply reply = {.status = 200, .body = span_of(body)};
    struct decoded decoded;
    struct arena arena = {0};
    codec_find("openai-chat")->decode(&reply, &ask, &arena, &decoded);
    const struct track *tracks = decoded.answers[0].tracks;
    assert_int_equal(tracks[TRACK_CONTENT].positions, 1);
    assert_int_equal(tracks[TRACK_REASONING].positions, 2);
    assert_int_equal(tracks[TRACK_REFUSAL].positions, 1);
    assert_int_equal(tracks[TRACK_REFUSAL].entries[0].id, 9);
    assert_int_equal(tracks[TRACK_PROMPT].positions, 0);
    assert_true(decoded.answers[0].understood);
    assert_int_equal(decoded.answers[0].flags, 0);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_spellings),  cmocka_unit_test(test_short),
        cmocka_unit_test(test_tracks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("logprobs", tests, NULL, NULL);
}
