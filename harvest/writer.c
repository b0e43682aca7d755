/* SPDX-License-Identifier: MIT */
#include "harvest/writer.h"

#include <assert.h>
#include <stdlib.h>

#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    ROOM_FLIGHTS = 2048,
    ROOM_BYTES = 64 << 20,
    TAKE_MOST = 4096,
};

struct list {
    struct flight *first, **last;
    size_t n, bytes;
};

struct batch {
    struct list intents, records;
    size_t want;
};

struct writer {
    uv_loop_t *loop;
    uv_work_t work;
    struct writer_conf conf;
    struct batch filling, writing;
    bool busy, exhausted;
    int64_t last_taken; /* request id */
    struct job **jobs;  /* taken by the batch being written */
    size_t n_jobs, taken;
    struct err err; /* of the batch being written */
    int rc;
    bool failed;
    struct list lost;
};

static void list_init(struct list *list)
{
    *list = (struct list){0};
    list->last = &list->first;
}

static void list_append(struct list *list, struct flight *flight)
{
    flight->next = NULL;
    *list->last = flight;
    list->last = &flight->next;
    list->n++;
    list->bytes += flight->body.n;
}

static struct flight *list_pop(struct list *list)
{
    struct flight *flight = list->first;
    if (flight == NULL)
        return NULL;
    list->first = flight->next;
    if (list->first == NULL)
        list->last = &list->first;
    list->n--;
    list->bytes -= flight->body.n;
    return flight;
}

static void batch_init(struct batch *batch)
{
    list_init(&batch->intents);
    list_init(&batch->records);
    batch->want = 0;
}

static void list_move(struct list *to, struct list *from)
{
    struct flight *flight;
    while ((flight = list_pop(from)) != NULL)
        list_append(to, flight);
}

struct writer *writer_new(struct uv_loop_s *loop, const struct writer_conf *conf)
{
    struct writer *writer = mem_new(sizeof *writer);
    writer->loop = loop;
    writer->conf = *conf;
    writer->work.data = writer;
    batch_init(&writer->filling);
    batch_init(&writer->writing);
    list_init(&writer->lost);
    writer->jobs = mem_array(TAKE_MOST, sizeof(struct job *));
    return writer;
}

void writer_free(struct writer *writer)
{
    assert(!writer->busy && writer->lost.n == 0);
    free(writer->jobs);
    free(writer);
}

bool writer_has_room(const struct writer *writer)
{
    const struct batch *filling = &writer->filling, *writing = &writer->writing;
    size_t flights = filling->intents.n + filling->records.n + writing->records.n;
    return !writer->failed && flights < ROOM_FLIGHTS &&
           filling->records.bytes + writing->records.bytes < ROOM_BYTES;
}

void writer_intend(struct writer *writer, struct flight *flight)
{
    list_append(writer->failed ? &writer->lost : &writer->filling.intents, flight);
}

void writer_record(struct writer *writer, struct flight *flight)
{
    list_append(writer->failed ? &writer->lost : &writer->filling.records, flight);
}

void writer_want(struct writer *writer, size_t n)
{
    assert(!writer_wants(writer));
    writer->filling.want = n < TAKE_MOST ? n : TAKE_MOST;
}

bool writer_wants(const struct writer *writer)
{
    return writer->filling.want > 0 || writer->writing.want > 0;
}

bool writer_exhausted(const struct writer *writer)
{
    return writer->exhausted;
}

bool writer_idle(const struct writer *writer)
{
    return !writer->busy && writer->filling.intents.n == 0 &&
           writer->filling.records.n == 0 && writer->filling.want == 0;
}

const struct err *writer_failed(const struct writer *writer)
{
    return writer->failed ? &writer->err : NULL;
}

struct flight *writer_give_back(struct writer *writer)
{
    return list_pop(&writer->lost);
}

void writer_retry(struct writer *writer)
{
    struct flight *flight;
    struct list records;
    list_init(&records);
    list_move(&records, &writer->lost);
    writer->failed = false;
    writer->err = (struct err){0};
    while ((flight = list_pop(&records)) != NULL) {
        if (flight->ended_ms != 0)
            list_append(&writer->filling.records, flight);
        else
            list_append(&writer->lost, flight);
    }
}

/* ---- on the pool
 * ------------------------------------------------------------------------- */

static struct todo *next_job(void *arg, struct arena **arena)
{
    struct writer *writer = arg;
    struct job *job = crawl_job_new();
    writer->jobs[writer->n_jobs++] = job;
    *arena = &job->arena;
    return &job->todo;
}

static int write_rows(struct writer *writer, struct err *err)
{
    const struct writer_conf *conf = &writer->conf;
    struct batch *batch = &writer->writing;
    for (struct flight *f = batch->records.first; f != NULL; f = f->next) {
        flight_decode(conf->route, f);
        if (flight_record(conf->route, f, conf->store, err) != 0)
            return -1;
    }
    int64_t now = clock_wall_ms();
    for (struct flight *f = batch->intents.first; f != NULL; f = f->next) {
        f->sent_ms = now;
        if (store_sent(conf->store, conf->route->run, f->request, now, &f->attempt,
                       err) != 0)
            return -1;
    }
    return 0;
}

static int take_jobs(struct writer *writer, struct err *err)
{
    if (writer->writing.want == 0)
        return 0;
    if (store_take(writer->conf.store, writer->last_taken, writer->writing.want, next_job,
                   writer, &writer->taken, err) != 0)
        return -1;
    if (writer->taken > 0)
        writer->last_taken = writer->jobs[writer->taken - 1]->todo.request;
    return 0;
}

static int write_batch(struct writer *writer, struct err *err)
{
    struct batch *batch = &writer->writing;
    if (batch->records.n + batch->intents.n > 0) {
        if (store_begin(writer->conf.store, err) != 0)
            return -1;
        if (write_rows(writer, err) != 0 || store_commit(writer->conf.store, err) != 0) {
            store_rollback(writer->conf.store);
            return -1;
        }
    }
    return take_jobs(writer, err);
}

static void on_pool(uv_work_t *work)
{
    struct writer *writer = work->data;
    writer->n_jobs = writer->taken = 0;
    writer->rc = write_batch(writer, &writer->err);
}

/* ---- back on the loop
 * -------------------------------------------------------------------- */

static void hand_jobs(struct writer *writer)
{
    size_t want = writer->writing.want;
    writer->writing.want = 0;
    for (size_t i = 0; i < writer->n_jobs; i++) {
        if (i < writer->taken && !writer->failed)
            writer->conf.on_job(writer->conf.arg, writer->jobs[i]);
        else
            crawl_job_free(writer->jobs[i]);
    }
    if (want > 0 && writer->taken < want)
        writer->exhausted = true;
}

static void on_written(uv_work_t *work, int status)
{
    struct writer *writer = work->data;
    const struct writer_conf *conf = &writer->conf;
    assert(status == 0);
    (void)status;
    writer->busy = false;
    writer->failed = writer->rc != 0;
    if (writer->failed) {
        list_move(&writer->lost, &writer->writing.records);
        list_move(&writer->lost, &writer->writing.intents);
        list_move(&writer->lost, &writer->filling.records);
        list_move(&writer->lost, &writer->filling.intents);
        writer->filling.want = 0;
    }
    hand_jobs(writer);
    struct flight *flight;
    while ((flight = list_pop(&writer->writing.intents)) != NULL)
        conf->on_intended(conf->arg, flight);
    while ((flight = list_pop(&writer->writing.records)) != NULL)
        conf->on_recorded(conf->arg, flight);
    conf->on_written(conf->arg);
}

void writer_kick(struct writer *writer)
{
    struct batch *filling = &writer->filling;
    if (writer->busy || writer->failed ||
        filling->intents.n + filling->records.n + filling->want == 0)
        return;
    writer->busy = true;
    list_move(&writer->writing.intents, &filling->intents);
    list_move(&writer->writing.records, &filling->records);
    writer->writing.want = filling->want;
    filling->want = 0;
    int rc = uv_queue_work(writer->loop, &writer->work, on_pool, on_written);
    assert(rc == 0);
    (void)rc;
}
