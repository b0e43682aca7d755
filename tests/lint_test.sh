#!/bin/sh
# SPDX-License-Identifier: MIT
# lint_test: does every gate of tests/lint.sh close? Each is shown one violation, planted into
# a copy of the tree, and must name the file it is in; the clean copy must pass.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
CC=${CC:-cc}
number=0
bad=0

(cd "$srcdir" && find base prompts store export harvest tests -type f |
    grep -E '\.(c|h|sh|awk)$' | tar -cf - .clang-format -T -) | tar -xf - -C "$copy"
chmod -R u+w "$copy"
: > "$copy/config.h"

result() { # STATUS NAME
    number=$((number + 1))
    if [ "$1" = 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        sed 's/^/# /' "$copy/report"
        bad=1
    fi
}

lint() { (cd "$copy" && srcdir=. builddir=. CC=$CC sh tests/lint.sh "$1") > "$copy/report" 2>&1; }

passes() { # GATE [FILE TEXT]
    status=0
    [ $# = 1 ] || printf '%s\n%s\n' "$spdx" "$3" > "$copy/$2"
    lint "$1" || status=1
    [ $# = 1 ] || rm "$copy/$2"
    result $status "$1 passes what is clean"
}

closes() { # GATE FILE NAME TEXT
    status=1
    printf '%s\n%s\n' "$spdx" "$4" > "$copy/$2"
    if ! lint "$1" && grep -q "^# $2[: ]" "$copy/report"; then
        status=0
    fi
    rm "$copy/$2"
    result $status "$1 stops $3"
}

links() { # STATUS NAME C-TEXT: what the gate on globals says of an object file
    status=1
    echo "$3" | $CC -x c -c -o "$copy/base/planted.o" -
    if lint globals; then
        [ "$1" = 1 ] || status=0
    elif grep -q '^# base/planted.o writable: ' "$copy/report"; then
        [ "$1" = 0 ] || status=0
    fi
    rm "$copy/base/planted.o"
    result $status "globals and $2"
}

many() { # COUNT LINE
    awk -v n="$1" -v line="$2" 'BEGIN { for (i = 0; i < n; i++) print line }'
}

spdx='/* SPDX-License-Identifier: MIT */'
for gate in includes foreign functions files banned names licence; do
    passes $gate
done
closes includes base/planted.c 'an include that points the wrong way' '#include "store/store.h"'
closes includes harvest/planted.c 'a product file that knows a test' '#include "tests/planted.h"'
closes includes base/planted.c 'an include not named from the top' '#include "buf.h"'
closes includes base/planted.c 'an own header that comes late' '#include <stdio.h>

#include "base/planted.h"'
for foreign in sqlite3.h curl/curl.h uv.h zstd.h yaml.h openssl/evp.h xxhash.h; do
    closes foreign export/planted.c "<$foreign> outside of its module" "#include <$foreign>"
done
passes functions base/planted.c "int planted(int x)
{
$(many 58 '    x++;')
}"
closes functions base/planted.c 'a function of 61 lines' "int planted(int x)
{
$(many 59 '    x++;')
}"
closes functions tests/planted.sh 'a shell function of 61 lines' "planted() {
$(many 59 '    true')
}"
closes functions tests/planted.py 'a Python function of 61 lines' "def planted():
$(many 60 '    pass')
x = 1"
closes files store/planted.c 'a file of 601 lines' "$(many 600 'x;')"
for call in 'strcpy(a, b)' 'sprintf (a, "x")' 'x = atoi(a)' 'system("ls")'; do
    closes banned prompts/planted.c "$call" "    $call;"
done
passes banned base/planted.c \
    '/* strcpy(a, b) */ char *a = "sprintf(x)"; my_system(a); ops->system(a);'
closes names base/json_util.c 'a file that is called util' ''
closes names base/helpers.h 'a file that is called helpers' ''
closes exceptions base/planted.c 'formatting switched off' '/* clang-format off */'
closes headers base/planted.h 'a header that needs another before it' '#pragma once
size_t planted(void);'
closes format base/planted.c 'formatting of another kind' 'int   planted ( void );'
spdx=
closes licence base/planted.c 'a file without its licence' 'int planted(void);'

links 0 'a table of constants' 'static const char *const names[] = {"a", "b"};
    const char *name(int i) { return names[i]; }'
links 1 'a variable' 'int count = 1;'
links 1 'a common variable' 'int count;'
links 1 'a static variable' 'int next(void) { static int count; return ++count; }'
links 1 'a variable of each thread' '_Thread_local int count;'
links 1 'a pointer that can be moved' 'const char *name = "x";'
echo "1..$number"
exit $bad
