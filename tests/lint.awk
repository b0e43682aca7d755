# SPDX-License-Identifier: MIT
# lint.awk: the gates of tests/lint.sh that look at lines. POSIX awk, run in the top folder;
# -v gate=NAME chooses one, each place that breaks it is printed as file:line: words.

function folder(path) { sub(/\/.*/, "", path); return path }
function extension(path) { sub(/.*\./, "", path); return path }
function complain(line, words) { print FILENAME ":" line ": " words }

# The code of a C line: comments, strings and characters blanked out.
function code(line,    out, at)
{
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "\"\"", line)
    gsub(/'[^']*'/, "''", line)
    out = ""
    while (line != "") {
        if (commented) {
            at = index(line, "*/")
            if (!at)
                return out
            line = substr(line, at + 2)
            commented = 0
        } else {
            at = index(line, "/*")
            if (!at)
                return out line
            out = out substr(line, 1, at - 1) " "
            line = substr(line, at + 2)
            commented = 1
        }
    }
    return out
}

BEGIN {
    # Who may include whom, as DESIGN's arrows: what is not here points the wrong way.
    may["base"] = " base "
    may["prompts"] = " base prompts "
    may["store"] = " base store "
    may["export"] = " base store export "
    may["harvest"] = " base prompts store export harvest "
    may["tests"] = " base prompts store export harvest tests "
    # Foreign headers and the only product files that know them; tests/ may use any.
    home["sqlite3.h"] = "^store/"
    home["zstd.h"] = "^store/"
    home["zdict.h"] = "^store/"
    home["curl/"] = "^harvest/transport[a-z_]*\\.c$"
    home["uv.h"] = "^harvest/(run|transport|writer)[a-z_]*\\.c$"
    home["yaml.h"] = "^base/yaml\\.c$"
    home["openssl/"] = "^base/hash\\.c$"
    home["xxhash.h"] = "^base/hash\\.c$"
    banned = "(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|system|popen)"
}

FNR == 1 { commented = 0; started = 0; includes = 0; indent = -1 }

gate == "includes" && /^#include "/ {
    split($0, quoted, "\"")
    to = quoted[2]
    own = FILENAME
    sub(/\.c$/, ".h", own)
    if (++includes > 1 && to == own)
        complain(FNR, "its own header does not come first")
    if (!(folder(to) in may))
        complain(FNR, "'" to "' is not named from the top folder")
    else if (index(may[folder(FILENAME)], " " folder(to) " ") == 0)
        complain(FNR, folder(FILENAME) "/ may not include '" to "'")
}
gate == "includes" && /^#include </ { includes++ }

gate == "foreign" && /^#include </ && folder(FILENAME) != "tests" {
    split($0, parts, /[<>]/)
    for (name in home)
        if (index(parts[2], name) == 1 && FILENAME !~ home[name])
            complain(FNR, "<" parts[2] "> belongs to " home[name])
}

# A function ends in C and sh with the brace in column 1, in Python with the last line that
# is deeper than its def.
function too_long(last)
{
    if (started && last - started + 1 > 60)
        complain(started, "function of " (last - started + 1) " lines")
    started = 0
}
gate == "functions" && extension(FILENAME) != "py" {
    if (/^\{/ || /^[a-z_]+\(\) *\{/)
        started = FNR
    else if (/^function .*\{$/)
        started = FNR
    else if (/^\}/)
        too_long(FNR)
}
gate == "functions" && extension(FILENAME) == "py" && /[^ ]/ {
    match($0, /^ */)
    if (started && RLENGTH <= indent)
        too_long(deepest)
    if (!started && /^ *(async )?def /) {
        started = FNR
        indent = RLENGTH
    }
    deepest = FNR
}

gate == "files" { lines[FILENAME] = FNR }
END {
    for (name in lines)
        if (lines[name] > 600)
            print name ":1: file of " lines[name] " lines"
}

gate == "banned" {
    line = code($0)
    if (match(line, "(^|[^A-Za-z0-9_.>])" banned " *\\("))
        complain(FNR, "banned function in: " substr(line, RSTART, RLENGTH))
}

gate == "exceptions" && /clang-format off|GCC diagnostic ignored|NOLINT|no[_]sanitize/ {
    complain(FNR, "takes an exception: " $0)
}

gate == "licence" && FNR <= 2 && /SPDX-License-Identifier: MIT/ { licensed[FILENAME] = 1 }
END {
    if (gate == "licence")
        for (i = 1; i < ARGC; i++)
            if (ARGV[i] !~ /=/ && !(ARGV[i] in licensed))
                print ARGV[i] ":1: no SPDX line on top"
}
