/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The leak checker attaches to its own process as a debugger does. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_LEAK_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_LEAK_CHECKER 1
#endif
#endif
#ifndef UNDER_LEAK_CHECKER
#define UNDER_LEAK_CHECKER 0
#endif

void process_protect(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (!UNDER_LEAK_CHECKER)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
