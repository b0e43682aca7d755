/* SPDX-License-Identifier: MIT */
/* What openai-chat makes of every captured reply, compared whole with NAME.expect, and its
 * distributions compared number for number with a walk over jansson's tree. */
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

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "tests/unit/captured.h"

/* ---- a decoded reply as text ---- */

static void put_plain(struct buf *out, const char *name, struct span text)
{
    buf_format(out, "%s ", name);
    if (text.p == NULL)
        buf_byte(out, '-');
    else
        json_add_string(out, text);
    buf_byte(out, '\n');
}

/* Raw JSON, in one spelling. */
static void put_raw(struct buf *out, const char *name, struct span raw)
{
    struct arena arena = {0};
    struct span text = SPAN_LITERAL("-");
    if (raw.p != NULL)
        assert_int_equal(json_canonical(raw, &arena, &text, NULL), 0);
    buf_format(out, "%s %.*s\n", name, (int)text.n, text.p);
    arena_clear(&arena);
}

static void put_bits(struct buf *out, unsigned bits, const char *const *names)
{
    const char *comma = "";
    for (unsigned i = 0; names[i] != NULL; i++)
        if ((bits >> i & 1) != 0) {
            buf_format(out, "%s%s", comma, names[i]);
            comma = ",";
        }
    if (comma[0] == '\0')
        buf_byte(out, '-');
}

static void put_entry(struct buf *out, const char *name, const struct logprob *entry)
{
    buf_format(out, "%s \"%.*s\" %.17g id %lld bytes %.*s\n", name, (int)entry->token.n,
               entry->token.p, entry->value, (long long)entry->id, (int)entry->bytes.n,
               entry->bytes.p);
}

static void put_track(struct buf *out, const char *name, const struct track *track)
{
    static const char *const styles[] = {"f32", "short", NULL};
    static const char *const shapes[] = {"id", "bytes", "top", NULL};
    if (track->positions == 0)
        return;
    uint32_t n = track->first[track->positions];
    buf_format(out, "track %s positions %u entries %u style ", name, track->positions, n);
    put_bits(out, track->style, styles);
    buf_text(out, " shape ");
    put_bits(out, track->shape, shapes);
    buf_byte(out, '\n');
    put_entry(out, "first", &track->entries[0]);
    put_entry(out, "last", &track->entries[n - 1]);
    double sum = 0;
    long long ids = 0, bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += track->entries[i].value;
        ids += track->entries[i].id;
        struct span list = track->entries[i].bytes;
        bytes += list.n > 2; /* numbers are commas and one */
        for (size_t k = 0; k < list.n; k++)
            bytes += list.p[k] == ',';
    }
    buf_format(out, "sum %.17g ids %lld bytes %lld\n", sum, ids, bytes);
}

static void put_answer(struct buf *out, const struct answer *answer)
{
    buf_format(out, "choice %d %s\nflags ", answer->index, finish_name(answer->finish));
    size_t before = out->n;
    flags_add(out, answer->flags);
    buf_text(out, out->n == before ? "-\n" : "\n");
    buf_format(out, "understood %s\n", answer->understood ? "yes" : "no");
    put_raw(out, "content", answer->content);
    put_raw(out, "reasoning", answer->reasoning);
    put_raw(out, "refusal", answer->refusal);
    put_raw(out, "tool_calls", answer->tool_calls);
    for (int i = 0; i < TRACKS; i++)
        put_track(out, track_title(i), &answer->tracks[i]);
}

static void put_decoded(struct buf *out, const struct decoded *decoded)
{
    buf_format(out, "outcome %s\nreason %s\n", outcome_name(decoded->outcome),
               reason_name(decoded->reason));
    put_plain(out, "note", decoded->note);
    put_plain(out, "model", decoded->model);
    put_plain(out, "fingerprint", decoded->fingerprint);
    put_plain(out, "request_id", decoded->request_id);
    buf_format(out, "usage %lld %lld %lld %lld\n", (long long)decoded->usage.prompt,
               (long long)decoded->usage.completion, (long long)decoded->usage.cached,
               (long long)decoded->usage.reasoning);
    for (size_t i = 0; i < decoded->n_answers; i++)
        put_answer(out, &decoded->answers[i]);
}

/* ---- the same distributions by jansson ---- */

static void check_entry(const struct logprob *entry, json_t *value)
{
    double number = json_number_value(json_object_get(value, "logprob"));
    assert_memory_equal(&entry->value, &number, sizeof number);
    json_t *token =
        json_loadb(entry->token.p - 1, entry->token.n + 2, JSON_DECODE_ANY, NULL);
    assert_true(json_equal(token, json_object_get(value, "token")));
    json_decref(token);
    json_t *bytes = json_loadb(entry->bytes.p, entry->bytes.n, JSON_DECODE_ANY, NULL);
    assert_true(json_equal(bytes, json_object_get(value, "bytes")));
    json_decref(bytes);
    json_t *id = json_object_get(value, "id");
    if (id != NULL)
        assert_int_equal(entry->id, json_integer_value(id));
}

static void check_track(const struct track *track, json_t *list)
{
    assert_int_equal(track->positions, json_array_size(list));
    json_t *whole = json_loadb(track->array.p, track->array.n, 0, NULL);
    assert_true(json_equal(whole, list));
    json_decref(whole);
    for (uint32_t i = 0; i < track->positions; i++) {
        json_t *chosen = json_array_get(list, i);
        json_t *top = json_object_get(chosen, "top_logprobs");
        uint32_t at = track->first[i];
        assert_int_equal(track->first[i + 1] - at, 1 + json_array_size(top));
        check_entry(&track->entries[at], chosen);
        for (uint32_t k = 0; k < json_array_size(top); k++)
            check_entry(&track->entries[at + 1 + k], json_array_get(top, k));
    }
}

static void check_tracks(const struct captured *captured, const struct decoded *decoded)
{
    json_t *root = json_loadb(captured->reply.body.p, captured->reply.body.n, 0, NULL);
    assert_non_null(root);
    json_t *choices = json_object_get(root, "choices");
    assert_int_equal(decoded->n_answers, json_array_size(choices));
    for (size_t i = 0; i < decoded->n_answers; i++) {
        json_t *choice = json_array_get(choices, i);
        assert_int_equal(json_integer_value(json_object_get(choice, "index")), i);
        json_t *list = json_object_get(json_object_get(choice, "logprobs"), "content");
        const struct track *track = &decoded->answers[i].tracks[TRACK_CONTENT];
        if (list == NULL)
            assert_int_equal(track->positions, 0);
        else
            check_track(track, list);
    }
    json_decref(root);
}

/* ---- the cases ---- */

static void test_reply(void **state)
{
    const char *name = *state;
    struct captured captured;
    struct decoded decoded;
    captured_load(name, &captured);
    captured_decode(&captured, &decoded);
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    put_decoded(&text, &decoded);
    struct span expect =
        captured_read(&captured.arena, "tests/unit/replies", name, ".expect");
    assert_string_equal(buf_view(&text).p, expect.p);
    if (decoded.outcome == OUTCOME_ANSWERED)
        check_tracks(&captured, &decoded);
    buf_clear(&text);
    captured_clear(&captured);
}

int main(void)
{
    struct arena arena = {0};
    size_t n;
    char **names = captured_names(&arena, &n);
    struct CMUnitTest *tests = arena_new(&arena, n * sizeof *tests);
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = test_reply, .initial_state = names[i]};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = _cmocka_run_group_tests("replies", tests, n, NULL, NULL);
    arena_clear(&arena);
    return n == 0 ? 1 : failed;
}
