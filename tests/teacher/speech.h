/* SPDX-License-Identifier: MIT */
/* speech: answers that a question alone determines.
 *
 * Two runs must export the same bytes whatever happened to them on the way, so an answer
 * is drawn from a small vocabulary by a generator seeded with the messages; sampling
 * parameters and seeds change nothing. The vocabulary has what breaks careless clients:
 * characters of several bytes, escapes, control characters. The distributions are invented
 * likewise: float32 values, printed as the doubles they are, as vLLM and llama.cpp do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "tests/teacher/question.h"

enum server { SERVER_OPENAI, SERVER_VLLM, SERVER_LLAMACPP };

struct speech {
    enum server server; /* whose peculiarities to imitate */
    const char *model;  /* that answers */
    size_t size;        /* bytes an answer has, give or take a token */
};

/* Appends the body of a reply. `number` goes into its id; `take` tells apart answers to the
 * same question (0 but for a teacher that varies). */
void speech_add(const struct speech *speech, const struct question *question,
                uint64_t number, uint64_t take, struct buf *body);

/* Appends the body of an error in the form OpenAI gives it. code NULL: null. */
void speech_add_error(struct buf *body, const char *type, const char *code,
                      struct span message);

/* Appends the reply to GET /v1/models. */
void speech_add_models(struct buf *body, const char *const *models, size_t n,
                       const char *owner);
