/* SPDX-License-Identifier: MIT */
/* conn: connections of the fake teacher; reads requests, carries out plans. */
#pragma once

#include <uv.h>

#include "tests/teacher/desk.h"

struct conn;

struct server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    struct desk *desk;
    const char *kill_pid_file; /* who is killed by the step `kill`; NULL: nobody */
    struct conn *conns;
    uint64_t connections; /* so far */
    char input[64 << 10]; /* what one read brings; used by all */
};

/* Listens on an address of this machine; *port becomes the real one when it was 0. */
int server_listen(struct server *server, const char *host, int *port, struct err *err);

/* Closes everything; the loop ends when it is done. */
void server_close(struct server *server);
