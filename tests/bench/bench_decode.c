/* SPDX-License-Identifier: MIT */
/* bench_decode: one reply with log-probabilities, taken apart by the codec and by a walk
 * over the jansson tree, in turns.
 *
 *   bench_decode BODY-FILE [ROUNDS]
 *
 * Prints `name value unit`, medians of processor time: for one reply, for one token of it
 * with its alternatives, and as a rate. Both have to come to the same number of entries and,
 * added up in the same order, the same sum. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "harvest/teacher.h"

enum { BATCH = 20 };

struct sum {
    size_t positions, entries;
    double values;
};

static struct sum decode_codec(struct span body)
{
    const struct codec *codec = codec_find("openai-chat");
    struct ask ask = {.model = span_of("smol"),
                      .messages = span_of("[]"),
                      .params = span_of("{\"logprobs\":true,\"top_logprobs\":20}")};
    struct reply reply = {.status = 200, .headers = span_of(""), .body = body};
    struct decoded decoded = {0};
    struct arena arena = {0};
    struct sum sum = {0};
    codec->decode(&reply, &ask, &arena, &decoded);
    if (decoded.outcome == OUTCOME_ANSWERED) {
        const struct track *track = &decoded.answers[0].tracks[TRACK_CONTENT];
        sum.positions = track->positions;
        for (uint32_t i = 0; i < track->positions; i++)
            for (uint32_t k = track->first[i]; k < track->first[i + 1];
                 k++, sum.entries++)
                sum.values += track->entries[k].value;
    }
    arena_clear(&arena);
    return sum;
}

static void add_entry(struct sum *sum, const json_t *entry)
{
    sum->entries++;
    sum->values += json_real_value(json_object_get(entry, "logprob"));
    if (json_string_value(json_object_get(entry, "token")) == NULL ||
        json_array_size(json_object_get(entry, "bytes")) > 64)
        sum->entries = 0; /* looks at what a user of the tree would look at */
}

static struct sum decode_jansson(struct span body)
{
    struct sum sum = {0};
    json_t *root = json_loadb(body.p, body.n, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    json_t *content = json_object_get(json_object_get(choice, "logprobs"), "content");
    size_t i, k;
    json_t *entry, *other;
    json_array_foreach(content, i, entry)
    {
        add_entry(&sum, entry);
        json_array_foreach(json_object_get(entry, "top_logprobs"), k, other)
            add_entry(&sum, other);
    }
    json_decref(root);
    return sum;
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double time_one(struct sum (*decode)(struct span), struct span body,
                       struct sum *sum)
{
    double started = cpu_us();
    for (int i = 0; i < BATCH; i++)
        *sum = decode(body);
    return (cpu_us() - started) / BATCH;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct buf body = {.max = 64 << 20};
    if (argc < 2 || file_read(argv[1], body.max, &body, &err) != 0) {
        fprintf(stderr, "usage: bench_decode BODY-FILE [ROUNDS]\n");
        return 2;
    }
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
    double *ours = mem_array(rounds, sizeof *ours),
           *trees = mem_array(rounds, sizeof *trees);
    struct span span = {body.p, body.n};
    struct sum a = {0}, b = {0};
    for (size_t i = 0; i < rounds; i++) {
        ours[i] = time_one(decode_codec, span, &a);
        trees[i] = time_one(decode_jansson, span, &b);
    }
    if (a.positions == 0 || a.entries != b.entries || a.values != b.values) {
        fprintf(stderr, "bench_decode: %zu entries, sum %.17g; jansson %zu, %.17g\n",
                a.entries, a.values, b.entries, b.values);
        return 1;
    }
    qsort(ours, rounds, sizeof *ours, by_value);
    qsort(trees, rounds, sizeof *trees, by_value);
    double median = ours[rounds / 2];
    printf("decode.codec %.1f us\n", median);
    printf("decode.codec.token %.0f ns\n", median * 1e3 / (double)a.positions);
    printf("decode.codec.rate %.0f MB/s\n", (double)span.n / median);
    printf("decode.jansson %.1f us\n", trees[rounds / 2]);
    printf("decode.jansson.rate %.1f MB/s\n", (double)span.n / trees[rounds / 2]);
    free(ours);
    free(trees);
    free(body.p);
    return 0;
}
