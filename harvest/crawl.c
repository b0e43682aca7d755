/* SPDX-License-Identifier: MIT */
#include "harvest/crawl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MOST_MS = 30000,
    BACKOFF_DOUBLINGS = 6, /* 500 ms, 1 s, … 30 s */
};

struct queue {
    struct job *first, **last;
    size_t n;
};

struct crawl {
    struct crawl_conf conf;
    struct pacer pacer;
    struct queue ready, done;
    struct heap backoff;
    size_t flying, jobs;
    struct crawl_counts counts;
    enum crawl_stop stop;
    enum reason stop_reason;
    int64_t asked_wait_ms;
    enum reason pause_reason;
    unsigned trouble; /* pauses in a row without an answer in between */
    bool unreachable; /* since unreachable_since */
    uint64_t unreachable_since;
    uint64_t random;
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){0};
    queue->last = &queue->first;
}

static void queue_append(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
    queue->n++;
}

static void queue_prepend(struct queue *queue, struct job *job)
{
    job->next = queue->first;
    if (queue->first == NULL)
        queue->last = &job->next;
    queue->first = job;
    queue->n++;
}

static struct job *queue_pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->n--;
    return job;
}

struct job *crawl_job_new(void)
{
    return mem_new(sizeof(struct job));
}

void crawl_job_free(struct job *job)
{
    if (job == NULL)
        return;
    arena_clear(&job->arena);
    free(job);
}

struct crawl *crawl_new(const struct crawl_conf *conf)
{
    struct crawl *crawl = mem_new(sizeof *crawl);
    crawl->conf = *conf;
    crawl->random = conf->seed;
    pacer_init(&crawl->pacer, &conf->pacer);
    queue_init(&crawl->ready);
    queue_init(&crawl->done);
    return crawl;
}

void crawl_free(struct crawl *crawl)
{
    if (crawl == NULL)
        return;
    struct job *job;
    while ((job = queue_pop(&crawl->ready)) != NULL)
        crawl_job_free(job);
    while ((job = queue_pop(&crawl->done)) != NULL)
        crawl_job_free(job);
    while ((job = (struct job *)heap_peek(&crawl->backoff)) != NULL) {
        heap_remove(&crawl->backoff, &job->wake);
        crawl_job_free(job);
    }
    heap_clear(&crawl->backoff);
    free(crawl);
}

/* Every change of state goes through here, so that the counts cannot drift. */
static void job_move(struct crawl *crawl, struct job *job, enum job_state to)
{
    static const bool legal[][JOB_DONE + 1] = {
        [JOB_READY] = {[JOB_FLYING] = true},
        [JOB_FLYING] = {[JOB_LANDED] = true, [JOB_READY] = true},
        [JOB_LANDED] = {[JOB_READY] = true, [JOB_BACKOFF] = true, [JOB_DONE] = true},
        [JOB_BACKOFF] = {[JOB_READY] = true},
        [JOB_DONE] = {false},
    };
    assert(legal[job->state][to]);
    crawl->flying -= job->state == JOB_FLYING;
    crawl->flying += to == JOB_FLYING;
    job->state = to;
}

void crawl_add(struct crawl *crawl, struct job *job)
{
    assert(job->state == JOB_READY);
    job->resent = job->todo.was_ambiguous;
    crawl->jobs++;
    crawl->counts.added++;
    queue_append(&crawl->ready, job);
}

size_t crawl_waiting(const struct crawl *crawl)
{
    return crawl->ready.n + crawl->backoff.n;
}

size_t crawl_flying(const struct crawl *crawl)
{
    return crawl->flying;
}

size_t crawl_jobs(const struct crawl *crawl)
{
    return crawl->jobs;
}

static void wake_sleepers(struct crawl *crawl, uint64_t now)
{
    struct heap_node *node;
    while ((node = heap_peek(&crawl->backoff)) != NULL && node->at <= now) {
        struct job *job = (struct job *)node;
        heap_remove(&crawl->backoff, node);
        job_move(crawl, job, JOB_READY);
        queue_append(&crawl->ready, job);
    }
}

struct job *crawl_start(struct crawl *crawl, uint64_t now)
{
    if (crawl->stop != CRAWL_GOES_ON)
        return NULL;
    wake_sleepers(crawl, now);
    if (crawl->ready.n == 0 || pacer_wait(&crawl->pacer, now) != 0)
        return NULL;
    pacer_start(&crawl->pacer, now);
    struct job *job = queue_pop(&crawl->ready);
    job_move(crawl, job, JOB_FLYING);
    return job;
}

uint64_t crawl_wake(struct crawl *crawl, uint64_t now)
{
    if (crawl->stop != CRAWL_GOES_ON)
        return PACER_REPLY;
    uint64_t wait = PACER_REPLY;
    const struct heap_node *node = heap_peek(&crawl->backoff);
    if (crawl->ready.n > 0)
        wait = 0;
    else if (node != NULL)
        wait = node->at > now ? node->at - now : 0;
    if (wait == PACER_REPLY)
        return wait;
    uint64_t pace = pacer_wait(&crawl->pacer, now);
    return pace > wait ? pace : wait;
}

void crawl_landed(struct crawl *crawl, struct job *job)
{
    job_move(crawl, job, JOB_LANDED);
    pacer_end(&crawl->pacer);
}

void crawl_recall(struct crawl *crawl, struct job *job)
{
    job_move(crawl, job, JOB_READY);
    pacer_end(&crawl->pacer);
    queue_prepend(&crawl->ready, job);
}

enum outcome crawl_verdict(const struct crawl *crawl, const struct job *job,
                           enum outcome outcome)
{
    if (outcome == OUTCOME_RETRY && job->attempts + 1 >= crawl->conf.attempts)
        return OUTCOME_FAILED;
    return outcome;
}

static void finish(struct crawl *crawl, struct job *job, enum outcome outcome,
                   enum reason reason)
{
    job->outcome = outcome;
    job->reason = reason;
    job_move(crawl, job, JOB_DONE);
    queue_append(&crawl->done, job);
}

static void stop(struct crawl *crawl, enum crawl_stop why, enum reason reason)
{
    if (crawl->stop != CRAWL_GOES_ON)
        return;
    crawl->stop = why;
    crawl->stop_reason = reason;
}

/* xorshift64* (Vigna, 2014): jitter wants no better. */
static uint64_t next_random(struct crawl *crawl)
{
    uint64_t x = crawl->random ? crawl->random : 0x9e3779b97f4a7c15u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    crawl->random = x;
    return x * 0x2545f4914f6cdd1du;
}

/* Equal jitter: half of the delay is certain, so that a storm of retries is spread
 * without any of them coming at once. */
static uint64_t backoff_ms(struct crawl *crawl, unsigned times)
{
    uint64_t full = (uint64_t)BACKOFF_FIRST_MS
                    << (times < BACKOFF_DOUBLINGS ? times : BACKOFF_DOUBLINGS);
    full = full < BACKOFF_MOST_MS ? full : BACKOFF_MOST_MS;
    return full / 2 + next_random(crawl) % (full / 2 + 1);
}

static void sleep_job(struct crawl *crawl, struct job *job, uint64_t until)
{
    job_move(crawl, job, JOB_BACKOFF);
    heap_insert(&crawl->backoff, &job->wake, until);
}

static void ready_again(struct crawl *crawl, struct job *job)
{
    job_move(crawl, job, JOB_READY);
    queue_prepend(&crawl->ready, job);
}

/* Keeps everything for this teacher back. Many replies of one episode may ask for it at
 * once: only a pause that starts after the last one ended counts as one more. */
static void pause_teacher(struct crawl *crawl, enum reason reason, int64_t asked_ms,
                          uint64_t now)
{
    bool fresh = crawl->pacer.paused_until <= now;
    if (fresh)
        crawl->counts.pauses++;
    uint64_t wait = 0;
    if (asked_ms >= 0)
        wait = (uint64_t)asked_ms;
    else if (fresh)
        wait = backoff_ms(crawl, crawl->trouble);
    if (fresh)
        crawl->trouble++;
    crawl->pause_reason = reason;
    pacer_pause(&crawl->pacer, now + wait);
}

static void judge_later(struct crawl *crawl, struct job *job, enum reason reason,
                        int64_t asked_ms, uint64_t now)
{
    if (asked_ms > crawl->conf.max_wait_ms) {
        crawl->asked_wait_ms = asked_ms;
        stop(crawl, CRAWL_WAIT, reason);
    }
    pause_teacher(crawl, reason, asked_ms, now);
    ready_again(crawl, job);
}

static void judge_unsent(struct crawl *crawl, struct job *job, enum reason reason,
                         uint64_t now)
{
    if (!crawl->unreachable) {
        crawl->unreachable = true;
        crawl->unreachable_since = now;
    }
    if (now - crawl->unreachable_since >= (uint64_t)crawl->conf.max_wait_ms)
        stop(crawl, CRAWL_UNREACHABLE, reason);
    pause_teacher(crawl, reason, -1, now);
    ready_again(crawl, job);
}

static void judge_ambiguous(struct crawl *crawl, struct job *job, enum reason reason,
                            uint64_t now)
{
    if (crawl->conf.hold_ambiguous || job->resent) {
        crawl->counts.ambiguous++;
        finish(crawl, job, OUTCOME_AMBIGUOUS, reason);
        return;
    }
    job->resent = true;
    crawl->counts.retries++;
    sleep_job(crawl, job, now + backoff_ms(crawl, 0));
}

static void judge_retry(struct crawl *crawl, struct job *job, int64_t asked_ms,
                        uint64_t now)
{
    uint64_t wait = backoff_ms(crawl, (unsigned)job->attempts);
    if (asked_ms > (int64_t)wait)
        wait = (uint64_t)(asked_ms < crawl->conf.max_wait_ms ? asked_ms
                                                             : crawl->conf.max_wait_ms);
    job->attempts++;
    crawl->counts.retries++;
    sleep_job(crawl, job, now + wait);
}

void crawl_judge(struct crawl *crawl, struct job *job, enum outcome outcome,
                 enum reason reason, int64_t retry_after_ms, uint64_t now)
{
    if (outcome != OUTCOME_UNSENT)
        crawl->unreachable = false;
    switch (outcome) {
    case OUTCOME_ANSWERED:
        crawl->trouble = 0;
        crawl->counts.answered++;
        finish(crawl, job, outcome, reason);
        break;
    case OUTCOME_LATER:
        judge_later(crawl, job, reason, retry_after_ms, now);
        break;
    case OUTCOME_UNSENT:
        judge_unsent(crawl, job, reason, now);
        break;
    case OUTCOME_AMBIGUOUS:
        judge_ambiguous(crawl, job, reason, now);
        break;
    case OUTCOME_RETRY:
        judge_retry(crawl, job, retry_after_ms, now);
        break;
    case OUTCOME_HOLD:
        stop(crawl, CRAWL_HELD, reason);
        ready_again(crawl, job);
        break;
    default:
        crawl->counts.failed++;
        finish(crawl, job, OUTCOME_FAILED, reason);
        break;
    }
}

struct job *crawl_done(struct crawl *crawl)
{
    struct job *job = queue_pop(&crawl->done);
    crawl->jobs -= job != NULL;
    return job;
}

void crawl_stop(struct crawl *crawl)
{
    stop(crawl, CRAWL_ASKED, REASON_NONE);
}

enum crawl_stop crawl_stopped(const struct crawl *crawl)
{
    return crawl->stop;
}

enum reason crawl_stop_reason(const struct crawl *crawl)
{
    return crawl->stop_reason;
}

int64_t crawl_asked_wait_ms(const struct crawl *crawl)
{
    return crawl->asked_wait_ms;
}

uint64_t crawl_paused_until(const struct crawl *crawl, enum reason *reason)
{
    *reason = crawl->pause_reason;
    return crawl->pacer.paused_until;
}

const struct crawl_counts *crawl_count(const struct crawl *crawl)
{
    return &crawl->counts;
}
