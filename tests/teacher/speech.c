/* SPDX-License-Identifier: MIT */
#include "tests/teacher/speech.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/number.h"

enum {
    CREATED = 1795319896,
    ID_FIRST = 300,
    ID_STEP = 37,
    CHARACTERS_A_TOKEN = 4,
    LONGEST_WORD = 16
};

/* A token is one of these; its id is ID_FIRST + ID_STEP * its place. */
#define W(text)                                                                          \
    {                                                                                    \
        text, sizeof(text) - 1                                                           \
    }

static const struct span words[] = {
    W(" the"),     W(" rain"),       W(" falls"),   W(" over"),    W(" Zürich"),
    W(" and"),     W(" a"),          W(" naïve"),   W(" child"),   W(" counts"),
    W(" every"),   W(" drop"),       W(" as"),      W(" if"),      W(" it"),
    W(" were"),    W(","),           W("."),        W("!"),        W("?"),
    W(" é"),       W(" model"),      W(" answers"), W(" which"),   W(" nobody"),
    W(" has"),     W(" asked"),      W(" for"),     W(" yet"),     W(" morning"),
    W(" lantern"), W(" lighthouse"), W(" train"),   W(" library"), W(" river"),
    W(" stone"),   W(" wind"),       W(" 雨"),      W("の音"),     W(" 👌"),
    W(" —"),       W(" \"quoted\""), W("\n"),       W("\n\n"),     W("\t"),
    W(" back\\"),  W("slash/"),      W(" <b>"),     W(" &amp;"),   W("</b>"),
    W(" {x}"),     W(" [y]"),        W(" e\u0301"), W(" Straße"),  W(" ﬁ"),
    W(" ١٢"),      W(" שלום"),       W("\u2028"),   W(" \x1b[1m"), W("\x7f"),
    W("\x01"),     W(" 3.14"),       W(" -0"),      W(" 1e9"),
};

#undef W

enum { WORDS = sizeof words / sizeof words[0], COMMON = 37, ODD_ONE_IN = 8 };

/* SplitMix64 (Steele, Lea, Flood 2014): each state gives a good number. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Mostly one of the COMMON words, which come first. */
static unsigned draw_word(uint64_t *state)
{
    uint64_t drawn = draw(state);
    uint64_t range = drawn % ODD_ONE_IN == 0 ? WORDS : COMMON;
    return (unsigned)(drawn / ODD_ONE_IN % range);
}

static float draw_unit(uint64_t *state)
{
    return (float)(draw(state) >> 40) * 0x1p-24f;
}

/* ---- one token ------------------------------------------------------------------------ */

struct voice {
    const struct speech *speech;
    const struct question *question;
    struct buf *out;
};

static unsigned word_id(unsigned word)
{
    return ID_FIRST + ID_STEP * word;
}

/* Replies are written a hundred thousand times a second: no printf on the way. */
static void add_number(struct buf *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    buf_add(out, digits + at, sizeof digits - at);
}

static void add_bytes(struct buf *out, struct span text)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < text.n; i++) {
        if (i > 0)
            buf_byte(out, ',');
        add_number(out, (unsigned char)text.p[i]);
    }
    buf_byte(out, ']');
}

/* What an entry of a list of distributions says of a token. Asked for ids, vLLM spells the
 * token `token_id:N`, and the bytes of an alternative are those of that spelling. */
static void add_entry(const struct voice *voice, unsigned word, float logprob,
                      bool chosen)
{
    char spelt[24];
    struct span bytes = words[word], token = bytes;
    if (voice->question->tokens_as_ids && voice->speech->server == SERVER_VLLM) {
        int n = snprintf(spelt, sizeof spelt, "token_id:%u", word_id(word));
        token = (struct span){spelt, (size_t)n};
        bytes = chosen ? bytes : token;
    }
    buf_byte(voice->out, '{');
    if (voice->speech->server == SERVER_LLAMACPP) {
        buf_text(voice->out, "\"id\":");
        add_number(voice->out, word_id(word));
        buf_byte(voice->out, ',');
    }
    buf_text(voice->out, "\"token\":");
    json_add_string(voice->out, token);
    buf_text(voice->out, ",\"logprob\":");
    number_add_f64(voice->out, (double)logprob);
    buf_text(voice->out, ",\"bytes\":");
    add_bytes(voice->out, bytes);
}

/* The chosen word and its alternatives, most likely first; most often the chosen word is
 * the first of them, sometimes it is not among them. */
static void add_distribution(const struct voice *voice, unsigned word, uint64_t seed)
{
    enum { USUAL = 4, RANKS = 8, SURE = 16 };
    float logprobs[WORDS + RANKS];
    uint64_t state = seed;
    int64_t rank = draw(&state) % USUAL != 0 ? 0 : (int64_t)(draw(&state) % RANKS);
    int64_t top = voice->question->top < WORDS ? voice->question->top : WORDS;
    logprobs[0] = draw(&state) % SURE == 0 ? -0.0f : -0.5f * draw_unit(&state);
    for (int64_t i = 1; i < top || i <= rank; i++)
        logprobs[i] = logprobs[i - 1] - 0.01f - 0.6f * draw_unit(&state);
    add_entry(voice, word, logprobs[rank], true);
    buf_text(voice->out, ",\"top_logprobs\":[");
    unsigned other = word;
    for (int64_t i = 0; i < top; i++) {
        if (i != rank)
            other = (other + 1) % WORDS;
        buf_text(voice->out, i == 0 ? "" : ",");
        add_entry(voice, i == rank ? word : other, logprobs[i], false);
        buf_byte(voice->out, '}');
    }
    buf_text(voice->out, "]}");
}

/* ---- one answer ----------------------------------------------------------------------- */

struct answer_text {
    struct buf words; /* a byte each */
    struct buf text;
    bool cut; /* by max_tokens */
};

static void compose(const struct voice *voice, uint64_t seed, struct answer_text *answer)
{
    int64_t most = voice->question->max_tokens;
    buf_init(&answer->words, SIZE_MAX / 2);
    buf_init(&answer->text, SIZE_MAX / 2);
    buf_reserve(&answer->text, voice->speech->size + LONGEST_WORD);
    buf_reserve(&answer->words, voice->speech->size / CHARACTERS_A_TOKEN);
    while (answer->text.n < voice->speech->size) {
        answer->cut = most > 0 && answer->words.n == (uint64_t)most;
        if (answer->cut)
            break;
        unsigned word = draw_word(&seed);
        buf_byte(&answer->words, (char)word);
        buf_span(&answer->text, words[word]);
    }
}

static void add_logprobs(const struct voice *voice, const struct answer_text *answer,
                         uint64_t seed)
{
    if (voice->question->top < 0) {
        buf_text(voice->out, ",\"logprobs\":null");
        return;
    }
    buf_text(voice->out, ",\"logprobs\":{\"content\":[");
    for (size_t i = 0; i < answer->words.n; i++) {
        buf_text(voice->out, i == 0 ? "" : ",");
        add_distribution(voice, (unsigned char)answer->words.p[i], seed + i);
    }
    buf_text(voice->out, "]}");
}

static void add_ids(const struct voice *voice, const struct answer_text *answer)
{
    if (!voice->question->return_ids || voice->speech->server != SERVER_VLLM)
        return;
    buf_text(voice->out, ",\"token_ids\":[");
    for (size_t i = 0; i < answer->words.n; i++) {
        if (i > 0)
            buf_byte(voice->out, ',');
        add_number(voice->out, word_id((unsigned char)answer->words.p[i]));
    }
    buf_byte(voice->out, ']');
}

/* Returns the tokens it has. */
static uint64_t add_choice(const struct voice *voice, int64_t index, uint64_t seed)
{
    struct answer_text answer = {.cut = false};
    compose(voice, seed, &answer);
    buf_format(
        voice->out,
        "{\"index\":%" PRId64 ",\"message\":{\"role\":\"assistant\",\"content\":", index);
    json_add_string(voice->out, buf_view(&answer.text));
    buf_text(voice->out, ",\"refusal\":null}");
    add_logprobs(voice, &answer, ~seed);
    buf_text(voice->out, ",\"finish_reason\":");
    buf_text(voice->out, answer.cut ? "\"length\"" : "\"stop\"");
    add_ids(voice, &answer);
    buf_byte(voice->out, '}');
    uint64_t tokens = answer.words.n;
    buf_clear(&answer.words);
    buf_clear(&answer.text);
    return tokens;
}

void speech_add(const struct speech *speech, const struct question *question,
                uint64_t number, uint64_t take, struct buf *body)
{
    const struct voice voice = {speech, question, body};
    uint64_t prompt = question->size / CHARACTERS_A_TOKEN + 1, completion = 0;
    buf_format(body,
               "{\"id\":\"chatcmpl-%016" PRIx64 "\",\"object\":\"chat.completion\","
               "\"created\":%d,\"model\":",
               number, CREATED);
    json_add_string(body, span_of(speech->model));
    buf_text(body, ",\"choices\":[");
    for (int64_t i = 0; i < question->n; i++) {
        uint64_t seed = question->seed + take * QUESTION_N_MAX + (uint64_t)i;
        buf_text(body, i == 0 ? "" : ",");
        completion += add_choice(&voice, i, draw(&seed));
    }
    buf_text(body, "],\"system_fingerprint\":\"fake-1\",\"usage\":{\"prompt_tokens\":");
    add_number(body, prompt);
    buf_text(body, ",\"completion_tokens\":");
    add_number(body, completion);
    buf_text(body, ",\"total_tokens\":");
    add_number(body, prompt + completion);
    buf_text(body, ",\"prompt_tokens_details\":{\"cached_tokens\":");
    add_number(body, prompt / 2);
    buf_text(body, "}}}");
}

void speech_add_error(struct buf *body, const char *type, const char *code,
                      struct span message)
{
    buf_text(body, "{\"error\":{\"message\":");
    json_add_string(body, message);
    buf_text(body, ",\"type\":");
    json_add_string(body, span_of(type));
    buf_text(body, ",\"param\":null,\"code\":");
    if (code != NULL)
        json_add_string(body, span_of(code));
    else
        buf_text(body, "null");
    buf_text(body, "}}");
}

void speech_add_models(struct buf *body, const char *const *models, size_t n,
                       const char *owner)
{
    buf_text(body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        buf_text(body, i == 0 ? "{\"id\":" : ",{\"id\":");
        json_add_string(body, span_of(models[i]));
        buf_format(body, ",\"object\":\"model\",\"created\":%d,\"owned_by\":", CREATED);
        json_add_string(body, span_of(owner));
        buf_byte(body, '}');
    }
    buf_text(body, "]}");
}
