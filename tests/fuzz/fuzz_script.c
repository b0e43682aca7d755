/* SPDX-License-Identifier: MIT */
/* fuzz_script: any bytes as a script. What is accepted gives every request a step that a
 * player can play; what is not is told with its line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/teacher/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Spans lie in the text, which ends where the allocation does. */
static void check_span(struct span text, struct span part)
{
    if (part.p == NULL)
        return;
    assert(part.n > 0 && part.p >= text.p && part.p + part.n <= text.p + text.n);
}

static void check_step(struct span text, const struct step *step)
{
    assert(step->kind <= STEP_REFUSE && step->status >= 200 && step->status <= 999);
    assert(step->amount >= 0 && step->after >= 0 && step->delay_ms >= 0);
    assert(step->kind != STEP_DRIP || step->amount > 0);
    assert(step->retry_after_ms >= -1 && step->n_headers <= STEP_HEADERS_MAX);
    const struct span parts[] = {step->retry_after, step->location, step->message,
                                 step->body};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        check_span(text, parts[i]);
    for (size_t i = 0; i < step->n_headers; i++)
        check_span(text, step->headers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct script script;
    struct err err = {0};
    char *copy = mem_copy(data, size);
    struct span text = {copy, size};
    if (script_parse(text, "script", &arena, &script, &err) == 0) {
        for (size_t i = 0; i < script.n; i++)
            check_step(text, script_step(&script, i));
        for (uint64_t i = 1; i < 20; i++)
            check_step(text, script_find(&script, i));
        check_step(text, script_find(&script, UINT64_MAX));
    } else {
        assert(err.code == ERR_USAGE && err.what[0] != '\0' && err.where[0] != '\0');
    }
    arena_clear(&arena);
    free(copy);
    return 0;
}
