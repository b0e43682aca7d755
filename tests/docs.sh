#!/bin/sh
# SPDX-License-Identifier: MIT
# docs: help, manual and completions say what the program does. TAP; srcdir and builddir
# come from make check.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
builddir=${builddir:-.}
harvest=$builddir/harvest/harvest
options=$srcdir/doc/options.txt
commands=$(sed -n 's/^COMMAND(\([a-z]*\),.*/\1/p' "$builddir/harvest/commands.inc")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

# point WHAT: the places that are wrong stand in $work/wrong.
point() {
    n=$((n + 1))
    if [ -s "$work/wrong" ]; then
        echo "not ok $n - $1"
        sed 's/^/# /' "$work/wrong"
    else
        echo "ok $n - $1"
    fi
    : > "$work/wrong"
}

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2 is not installed"
}

wrong() {
    echo "$*" >> "$work/wrong"
}

# "NAME LETTER SCOPES…" of each stanza; "-" for no letter.
stanzas() {
    awk '/^name: / { name = $2; letter = "-" } /^letter: / { letter = $2 }
         /^scopes: / { sub(/^scopes: */, ""); print name, letter, $0 }' "$options"
}

# has_word TEXTFILE WORD: it stands there with no letter or '-' on either side.
has_word() {
    grep -q -e "^$2\$" -e "^$2[^a-z_-]" -e "[^a-zA-Z_-]$2\$" -e "[^a-zA-Z_-]$2[^a-z_-]" "$1"
}

: > "$work/wrong"

# ---- --help -------------------------------------------------------------------------------
for command in $commands; do
    "$harvest" "$command" --help > "$work/help.$command" || wrong "$command --help: exit $?"
    "$harvest" help "$command" | cmp -s - "$work/help.$command" ||
        wrong "help $command differs from $command --help"
    stanzas | while read -r name letter scopes; do
        case " $scopes " in
        *" $command "* | *" all "*)
            has_word "$work/help.$command" "--$name" || wrong "$command --help: no --$name"
            [ "$letter" = - ] || has_word "$work/help.$command" "-$letter" ||
                wrong "$command --help: no -$letter"
            ;;
        *)
            ! has_word "$work/help.$command" "--$name" ||
                wrong "$command --help: --$name, which is not its own"
            ;;
        esac
    done
done
point "every option is in the help of its commands"

"$harvest" help > "$work/help"
for command in $commands help; do
    grep -q "^  $command " "$work/help" || wrong "harvest help: no $command"
done
"$harvest" --help | cmp -s - "$work/help" || wrong "--help differs from help"
point "every command is in the help"

for file in "$work"/help*; do
    # Bytes that continue a UTF-8 character take no column.
    tr -d '\200-\277' < "$file" | awk -v f="${file##*/}" 'length($0) > 80 { print f ": " $0 }' \
        >> "$work/wrong"
done
point "help fits into 80 columns"

"$harvest" --version > "$work/version" || wrong "--version: exit $?"
for library in curl jansson libuv libyaml OpenSSL SQLite zstd; do
    grep -q "$library  *[0-9]*\.[0-9]" "$work/version" || wrong "--version: no $library"
done
point "the version names the libraries"

# ---- wrong usage --------------------------------------------------------------------------
# refused EXIT TEXT WORD…: that exit status, nothing on stdout, TEXT on stderr.
refused() {
    status=$1 text=$2
    shift 2
    "$harvest" "$@" > "$work/out" 2> "$work/err"
    got=$?
    [ $got -eq "$status" ] || wrong "harvest $*: exit $got instead of $status"
    [ ! -s "$work/out" ] || wrong "harvest $*: output on stdout"
    grep -q -e "$text" "$work/err" || wrong "harvest $*: no '$text' in: $(cat "$work/err")"
}
refused 2 "a command is missing"
refused 2 "did you mean 'harvest status'?" statsu
refused 2 "did you mean 'harvest export'?" help exprot
refused 2 "'harvest help' lists the commands" zzzzzzz
refused 2 "options follow the command" --limit 5 run x.txt
refused 2 "did you mean '--limit'?" run --limt 5 x.txt
refused 2 "'--output' is an option of: export" run --output x
refused 2 '^{"type":"error","code":2,"what":' run --json --limit many
point "wrong usage is refused with a suggestion"

if [ -c /dev/full ]; then
    "$harvest" --help > /dev/full 2> "$work/err"
    [ $? -eq 8 ] || wrong "--help on a full disk: not exit 8"
    point "lost output is an error"
else
    skip "lost output is an error" /dev/full
fi

# ---- the manual ---------------------------------------------------------------------------
manual=$builddir/doc/harvest.1
# As plain words: no font changes, '-' as it is typed.
sed -e 's/\\f[BIRP]//g' -e 's/\\-/-/g' -e 's/\\(aq/'\''/g' "$manual" > "$work/manual"
stanzas | while read -r name letter scopes; do
    key=$(echo "$name" | tr - _)
    variable=HARVEST_$(echo "$key" | tr a-z A-Z)
    if [ "$scopes" = teacher ]; then
        has_word "$work/manual" "$key:" || wrong "manual: no $key:"
    else
        has_word "$work/manual" "--$name" || wrong "manual: no --$name"
    fi
    case " $scopes " in *" env "*)
        has_word "$work/manual" "$variable" || wrong "manual: no $variable" ;;
    esac
    case " $scopes " in *" config "* | *" teacher "*)
        has_word "$work/manual" "$key" || wrong "manual: no key $key" ;;
    esac
done
for command in $commands; do
    grep -q "^\.SS harvest $command " "$work/manual" || wrong "manual: no section on $command"
done
for status in 0 1 2 3 4 5 6 7 8 9 10 11 12 130 143; do
    sed -n '/^\.SH EXIT STATUS/,/^\.SH FILES/p' "$work/manual" |
        grep -q "^\.BR* .*\b$status\b" || wrong "manual: no exit status $status"
done
! grep -n '@[A-Z]*@' "$work/manual" >> "$work/wrong"
point "the manual has every option, command and exit status"

if command -v man > /dev/null; then
    MANWIDTH=80 man -l --warnings "$manual" 2>> "$work/wrong" > "$work/formatted"
    grep -q '^EXIT STATUS' "$work/formatted" || wrong "man shows nothing"
    point "man has no complaint about the manual"
else
    skip "man has no complaint about the manual" man
fi

# ---- completions --------------------------------------------------------------------------
# completes WANTED WORD…: bash would offer WANTED for the last word.
completes() {
    wanted=$1
    shift
    got=$(bash -c 'set -u; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _harvest
                   echo "${COMPREPLY[*]-}"' "$builddir/doc/harvest.bash" harvest "$@")
    case " $got " in
    *" $wanted "*) ;;
    *) wrong "harvest $*: offers '$got', not '$wanted'" ;;
    esac
}
if command -v bash > /dev/null; then
    completes run r
    completes status ''
    completes export help e
    completes --limit run --l
    completes --samples run prompts.txt --
    completes "text" run --input t
    completes "auto text jsonl" run --input = ''
    completes "jsonl" run --input = js
    completes "$builddir/doc/harvest.bash" run "$builddir/doc/harvest.b"
    completes "$builddir/doc" export --output "$builddir/do"
    case $(bash -c 'source "$0"; complete -p harvest' "$builddir/doc/harvest.bash") in
    *"-F _harvest harvest") ;;
    *) wrong "harvest has no completion" ;;
    esac
    stanzas | while read -r name letter scopes; do
        for command in $commands; do
            case " $scopes " in
            *" $command "* | *" all "*) completes "--$name" "$command" "--$name" ;;
            esac
        done
    done
    point "bash completes commands, options, choices and files"
else
    skip "bash completes commands, options, choices and files" bash
fi

if command -v zsh > /dev/null; then
    zsh -f -n "$builddir/doc/_harvest" 2>> "$work/wrong"
    point "zsh reads its completion"
else
    skip "zsh reads its completion" zsh
fi

if command -v fish > /dev/null; then
    HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work \
        fish -N -c "source '$builddir/doc/harvest.fish'; complete -C 'harvest run --inp'" \
        > "$work/fish" 2>> "$work/wrong"
    grep -q '^--input' "$work/fish" || wrong "fish does not complete --input"
    point "fish completes options"
else
    skip "fish completes options" fish
fi

# ---- the maker of all of them -------------------------------------------------------------
sources=
for command in $commands; do
    sources="$sources harvest/cmd_$command.c"
done
for awk in mawk gawk original-awk busybox; do
    if ! command -v $awk > /dev/null; then
        skip "$awk makes the same" $awk
        continue
    fi
    [ $awk != busybox ] || awk="busybox awk"
    for pair in rows:harvest/options.inc commands:harvest/commands.inc bash:doc/harvest.bash \
        zsh:doc/_harvest fish:doc/harvest.fish; do
        # shellcheck disable=SC2086
        (cd "$srcdir" && $awk -f doc/options.awk -v to="${pair%%:*}" doc/options.txt $sources) |
            cmp -s - "$builddir/${pair#*:}" || wrong "$awk makes another ${pair#*:}"
    done
    point "$awk makes the same"
done

echo "1..$n"
