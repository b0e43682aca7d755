/* SPDX-License-Identifier: MIT */
/* command: export
 * args: -o DIR
 * help: publish a dataset of the answers
 *
 * Writes the answers of the store to DIR as `data/train-00000-of-0000N.jsonl`, with a
 * `manifest.json` that has the size and the SHA-256 of every file. DIR is filled beside
 * its place and put there in one step, so that a reader finds the old dataset or the new
 * one and never a part; a DIR that holds anything but a dataset of harvest is refused.
 * Files that somebody has added to the old dataset are kept in `DIR.kept-1`.
 *
 * The same store and the same options give the same bytes: rows are ordered by their
 * keys, and no time, no run and no identifier of the server is in them.
 *
 * Every row has these columns, never null, of one type in every row of every dataset:
 *
 *   key            the request's key, 64 hexadecimal digits
 *   prompt_id      the id of the prompt, or the first 16 digits of its hash
 *   sample         number of the sample, from 0
 *   teacher        identity of the teacher
 *   finish_reason  stop, length, tool_calls, content_filter, other or none
 *   metadata       the prompt's metadata, as JSON text
 *   messages       the conversation: a list of role and content
 *
 * `messages` begins with the system prompt of the run, if there was one, and ends with
 * the teacher's answer. Reasoning that came apart from the answer stands in front of it as
 * `<think>`, a line break, the reasoning, a line break, `</think>` and an empty line. Text
 * parts of a content that is a list are joined with line breaks. What needs more than a
 * role and a text (tool calls, images, names) is counted as structured and left out.
 *
 * With `--logprobs` there are also:
 *
 *   tokens             text of each token of the answer
 *   token_ids          its number in the vocabulary, or -1
 *   token_bytes        its bytes as hexadecimal digits, empty if the teacher gave none
 *   token_logprobs     its log-probability
 *   top_tokens         for each token, the alternatives in the teacher's order
 *   top_token_ids
 *   top_token_bytes
 *   top_logprobs
 *   logprobs_complete  false if the teacher left tokens out of its list
 *
 * The numbers read back to exactly those that the teacher gave. A log-probability that it
 * gave as null or as infinite is -9999.0 and is counted. A token without alternatives has
 * itself as its only one. Answers without log-probabilities are left out and counted. The
 * text of a token that a server has named by its number alone is empty.
 *
 * Answers cut off by a token limit, refused ones, empty ones, and rows whose messages and
 * answer equal those of an earlier row are left out and counted, unless `--keep` is given.
 *
 * In Python, `datasets.load_dataset("DIR")` reads it. Readers that guess types take a
 * `prompt_id` for a time when all of them look like dates. pyarrow.json.read_json needs a
 * `block_size` larger than the longest row.
 *
 * Example: harvest export -o dataset
 * Example: harvest export --logprobs --prompts prompts.txt -o dataset */

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "export/export.h"
#include "harvest/cmd.h"
#include "harvest/console.h"
#include "harvest/figures.h"
#include "prompts/prompts.h"

static int select_all(struct store *store, struct prompts *prompts, struct err *err)
{
    for (;;) {
        struct prompt prompt;
        unsigned char hash[SHA256_BYTES];
        bool more;
        if (prompts_next(prompts, &prompt, &more, err) != 0)
            return -1;
        if (!more)
            return 0;
        prompt_hash(&prompt, hash);
        if (store_select(store, hash, err) != 0)
            return -1;
    }
}

static int select_prompts(struct store *store, const struct config *config,
                          uint64_t *skipped, struct err *err)
{
    const char *path = config->prompts;
    struct prompts *prompts;
    bool skip = strcmp(config->invalid, "skip") == 0;
    if (prompts_open(&path, 1, config->input, skip, &prompts, err) != 0)
        return -1;
    int result = select_all(store, prompts, err);
    *skipped = prompts_skipped(prompts);
    prompts_close(prompts);
    return result;
}

static void print_json(const struct config *config, const struct export_counts *counts)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    buf_text(&out, "{\"type\":\"export\",\"v\":1,\"output\":");
    json_add_string(&out, span_of(config->output));
    buf_format(&out,
               ",\"rows\":%" PRIu64 ",\"shards\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"answers\":%" PRIu64 ",\"left_out\":{",
               counts->choices[CHOICE_TAKE], counts->shards, counts->bytes, counts->read);
    for (int i = CHOICE_TAKE + 1; i < CHOICES; i++)
        buf_format(&out, "%s\"%s\":%" PRIu64, i > CHOICE_TAKE + 1 ? "," : "",
                   choice_name(i), counts->choices[i]);
    buf_format(&out, "},\"floored_logprobs\":%" PRIu64 ",\"kept\":", counts->floored);
    json_add_string(&out, span_of(counts->kept));
    buf_text(&out, "}\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_clear(&out);
}

static void say_skipped(const struct config *config, uint64_t skipped)
{
    struct console console;
    console_init(&console, config->quiet, config->verbose, config->json);
    if (skipped > 0)
        console_warn(&console, "%" PRIu64 " invalid line%s of '%s' left out", skipped,
                     skipped == 1 ? "" : "s", config->prompts);
}

static void say_left_out(struct console *console, const struct export_counts *counts)
{
    static const char *const words[CHOICES] = {
        [CHOICE_TRUNCATED] = "truncated",
        [CHOICE_REFUSED] = "refused",
        [CHOICE_EMPTY] = "empty",
        [CHOICE_STRUCTURED] = "structured (more than role and text)",
        [CHOICE_NO_LOGPROBS] = "without log-probabilities",
        [CHOICE_DUPLICATE] = "duplicate",
    };
    struct buf line;
    buf_init(&line, 1 << 12);
    for (int i = CHOICE_TAKE + 1; i < CHOICES; i++) {
        if (counts->choices[i] == 0)
            continue;
        buf_text(&line, line.n > 0 ? ", " : "left out: ");
        figures_add_count(&line, counts->choices[i]);
        buf_format(&line, " %s", words[i]);
    }
    if (line.n > 0)
        console_notice(console, "%s", line.p);
    buf_clear(&line);
}

static void say_summary(const struct config *config, const struct export_counts *counts)
{
    struct console console;
    console_init(&console, config->quiet, config->verbose, config->json);
    struct buf line;
    buf_init(&line, 1 << 16);
    figures_add_count(&line, counts->choices[CHOICE_TAKE]);
    buf_format(&line, " row%s in ", counts->choices[CHOICE_TAKE] == 1 ? "" : "s");
    figures_add_count(&line, counts->shards);
    buf_format(&line, " shard%s, ", counts->shards == 1 ? "" : "s");
    figures_add_bytes(&line, counts->bytes);
    console_notice(&console, "%s, in '%s'", line.p, config->output);
    say_left_out(&console, counts);
    if (counts->floored > 0)
        console_notice(&console,
                       "%" PRIu64 " log-probabilities that are null or infinite are %.1f",
                       counts->floored, LOGPROB_FLOOR);
    if (counts->kept[0] != '\0')
        console_warn(&console, "the old dataset held files of others: they are in '%s'",
                     counts->kept);
    console_notice(&console, "next: datasets.load_dataset(\"%s\") in Python",
                   config->output);
    buf_clear(&line);
}

static int check_call(const struct call *call, struct err *err)
{
    if (call->n_words > 0) {
        err_set(err, ERR_USAGE, "export: '%s' is no option", call->words[0]);
        return err_fix(err, "harvest export -o DIR; --prompts FILE chooses by prompts");
    }
    if (call->config->output != NULL)
        return 0;
    err_set(err, ERR_USAGE, "export: no directory given");
    return err_fix(err, "harvest export -o DIR");
}

command_run cmd_export;

int cmd_export(const struct call *call, struct err *err)
{
    const struct config *config = call->config;
    struct store *store;
    struct export_counts counts;
    if (check_call(call, err) != 0 ||
        store_open(config->store, STORE_READ, &store, err) != 0)
        return -1;
    const struct export_options options = {
        .dir = config->output,
        .format = config->format,
        .shard_bytes = config->shard_size,
        .logprobs = config->logprobs,
        .keep = config->keep,
        .only_selected = config->prompts != NULL,
        .version = PACKAGE_VERSION,
    };
    uint64_t skipped = 0;
    int result =
        config->prompts == NULL ? 0 : select_prompts(store, config, &skipped, err);
    say_skipped(config, skipped);
    if (result == 0)
        result = export_run(store, &options, &counts, err);
    store_close(store);
    if (result != 0)
        return -1;
    if (config->json)
        print_json(config, &counts);
    say_summary(config, &counts);
    return 0;
}
