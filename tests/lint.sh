#!/bin/sh
# SPDX-License-Identifier: MIT
# lint: the gates that no compiler keeps. One TAP point a gate, with the places that break it.
# There is no list of exceptions: what does not fit is changed.
#
#   tests/lint.sh [GATE…]        srcdir and builddir come from make check
set -eu
LC_ALL=C
export LC_ALL
builddir=$(cd "${builddir:-.}" && pwd)
cd "${srcdir:-.}"

CC=${CC:-cc}
gates=${*:-includes foreign functions files names banned exceptions licence headers globals format}

# Every file of ours by its kind, in the folders that hold code.
files() {
    set -- "$@" -false
    for folder in base prompts store export harvest tests doc; do
        [ ! -d "$folder" ] || find "$folder" '(' "$@" ')' -type f
    done | sort
}
c_files() { files -name '*.[ch]' -o; }
scripts() {
    files -name '*.sh' -o -name '*.py' -o -name '*.awk' -o -name '*.lua' -o
    for file in quickstart autogen.sh .ci/run; do
        [ ! -f "$file" ] || echo "$file"
    done
}
sources() {
    c_files
    scripts
    files -name '*.sql' -o -name '*.yaml' -o
    for file in configure.ac Makefile.am; do
        [ ! -f "$file" ] || echo "$file"
    done
}

lines_gate() { # GATE FILES…
    gate=$1
    shift
    [ $# -gt 0 ] || { echo "no files to look at in $(pwd)"; return; }
    awk -v gate="$gate" -f tests/lint.awk "$@"
}

gate_includes() { lines_gate includes $(c_files); }
gate_foreign() { lines_gate foreign $(c_files); }
gate_functions() { lines_gate functions $(c_files) $(scripts); }
gate_files() { lines_gate files $(c_files) $(scripts); }
gate_banned() { lines_gate banned $(c_files); }
gate_exceptions() { lines_gate exceptions $(c_files) $(scripts | grep -v '^tests/lint'); }
gate_licence() { lines_gate licence $(sources); }

# A name should say what a file holds; these hold whatever was left over.
gate_names() {
    sources | grep -E '(^|[/_-])(util|utils|misc|common|helper|helpers)([_.-][^/]*)?$' |
        sed 's/$/:1: the name does not say what it holds/'
}

gate_headers() {
    for header in $(files -name '*.h' -o); do
        echo "#include \"$header\"" |
            $CC -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -I"$builddir" -I. \
                -include "$builddir/config.h" -x c - 2>&1 |
            sed "s|^|$header: |"
    done
}

# Whatever can be written and outlives a function shows in these sections of an object file.
# Tables of constant addresses are in .data.rel.ro; the instruments' own symbols are theirs.
gate_globals() {
    objects=$(cd "$builddir" && for folder in base prompts store export harvest tests; do
        [ ! -d "$folder" ] || find "$folder" -name '*.o'
    done | sort)
    [ -n "$objects" ] || { echo "no object files in $builddir"; return; }
    (cd "$builddir" && objdump -t $objects) | awk '
        /file format/ { file = $1; sub(/:$/, "", file) }
        NF >= 4 && $(NF - 2) ~ /^(\.bss|\.data|\.tbss|\.tdata|\*COM\*)(\..*)?$/ &&
        $(NF - 2) !~ /^\.data\.rel\.ro/ && $(NF - 1) !~ /^0+$/ &&
        $NF !~ /^(__odr_asan|__gcov|\.?_*asan|\.LASAN)/ { print file " writable: " $NF }'
}

gate_format() {
    formatter=
    for name in clang-format-14 clang-format; do
        case $($name --version 2>/dev/null) in
        *'version 14.'*) formatter=$name && break ;;
        esac
    done
    [ -n "$formatter" ] || { echo 'SKIP clang-format 14 is not installed'; return; }
    $formatter --dry-run -Werror $(c_files) 2>&1 | grep -E 'error:' | sort -u
}

# shellcheck disable=SC2086 # the gates are words
set -- $gates
echo "1..$#"
number=0
failed=0
for gate in "$@"; do
    number=$((number + 1))
    # What a tool says on its error output breaks the gate too: it may not have looked.
    found=$(gate_"$gate" 2>&1 || true)
    case $found in
    '') echo "ok $number - $gate" ;;
    SKIP*) echo "ok $number - $gate # $found" ;;
    *)
        echo "not ok $number - $gate"
        echo "$found" | head -n 40 | sed 's/^/# /'
        failed=1
        ;;
    esac
done
exit $failed
