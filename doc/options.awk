# SPDX-License-Identifier: MIT
# Makes everything about options and commands out of doc/options.txt and the comments at
# the top of the commands' sources. POSIX awk: runs on mawk, gawk and the one true awk.
#
#   awk -v to=WHAT [-v head=doc/harvest.1.in -v version=V] -f options.awk options.txt CMD.c…
#
# WHAT is rows, commands, man, bash, zsh or fish.

function fail(text)
{
    print FILENAME ":" FNR ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

function has(list, word)
{
    return index(" " list " ", " " word " ") > 0
}

# Every `from` in text becomes `to`; awks differ in what a backslash in gsub's second
# argument means, index has no such doubts.
function replace(text, from, to,    at, out)
{
    while ((at = index(text, from)) > 0) {
        out = out substr(text, 1, at - 1) to
        text = substr(text, at + length(from))
    }
    return out text
}

# ---- reading ---------------------------------------------------------------------------

FNR == 1 { state = "between" }

FILENAME ~ /\.txt$/ && state == "between" && /^[a-z]+:/ {
    state = "head"
    n_options++
}
FILENAME ~ /\.txt$/ && state == "head" && /^$/ { state = "prose"; next }
FILENAME ~ /\.txt$/ && state == "head" {
    colon = index($0, ":")
    key = substr($0, 1, colon - 1)
    value = substr($0, colon + 1)
    sub(/^ +/, "", value)
    if (!has("name letter type field arg choices range default scopes group help", key))
        fail("unknown line '" key "'")
    option[n_options, key] = value
    given[n_options, key] = 1
    next
}
FILENAME ~ /\.txt$/ && /^%%$/ { state = "between"; next }
FILENAME ~ /\.txt$/ && state == "prose" { prose["o" n_options] = prose["o" n_options] $0 "\n" }

FILENAME ~ /\.c$/ && FNR > 1 && state == "between" && /^\/\* command: / {
    state = "head"
    n_commands++
    command[n_commands, "name"] = $3
    next
}
FILENAME ~ /\.c$/ && (state == "head" || state == "prose") {
    line = $0
    last = sub(/ *\*\/ *$/, "", line)
    sub(/^ \* ?/, "", line)
    if (state == "head" && line == "")
        state = "prose"
    else if (state == "head" && line ~ /^(args|help):/) {
        value = substr(line, 6)
        sub(/^ +/, "", value)
        command[n_commands, substr(line, 1, 4)] = value
    } else if (state == "head" && !last)
        fail("expected 'args:' or 'help:'")
    else if (state == "prose")
        prose["c" n_commands] = prose["c" n_commands] line "\n"
    if (last)
        state = "done"
}

# ---- checks ----------------------------------------------------------------------------

function check_option(i,    n, words, j, type)
{
    type = option[i, "type"]
    FNR = option[i, "name"] # shown in place of the line
    if (!has("flag count real size duration text choice map", type))
        fail("unknown type '" type "'")
    if (option[i, "field"] == "" || option[i, "help"] == "" || option[i, "group"] == "")
        fail("field, help and group are needed")
    if ((type != "flag") != (option[i, "arg"] != ""))
        fail("all but flags have an arg")
    if ((type == "choice") != (option[i, "choices"] != ""))
        fail("choices belong to type choice, and are needed there")
    n = split(option[i, "scopes"], words, " ")
    for (j = 1; j <= n; j++)
        if (!has("all config teacher env", words[j]) && !has(command_names, words[j]))
            fail("unknown scope '" words[j] "'")
    if (n == 0)
        fail("no scopes")
}

function scopes_of(i,    scopes)
{
    scopes = " " option[i, "scopes"] " "
    if (has(scopes, "all"))
        sub(/ all /, " " command_names " ", scopes)
    return scopes
}

# ---- C ---------------------------------------------------------------------------------

function c_text(text)
{
    text = replace(replace(text, "\\", "\\\\"), "\"", "\\\"")
    return "\"" replace(text, "\n", "\\n") "\""
}

function c_field(i, key)
{
    return ((i, key) in given) ? c_text(option[i, key]) : "NULL"
}

function put_row(macro, i,    letter)
{
    letter = option[i, "letter"] == "" ? "0" : "'" option[i, "letter"] "'"
    print macro "(" c_field(i, "name") ", " letter ", OPT_" toupper(option[i, "type"]) \
        ", " option[i, "field"] ", " c_field(i, "arg") ", " c_field(i, "choices") \
        ", " c_field(i, "range") ", " c_field(i, "default") ", " c_field(i, "help") \
        ", " c_field(i, "group") ", " c_text(scopes_of(i)) ")"
}

function put_rows(    i, scopes)
{
    for (i = 1; i <= n_options; i++) {
        if (option[i, "scopes"] != "teacher")
            put_row("OPT", i)
        if (has(option[i, "scopes"], "teacher"))
            put_row("TEACHER_OPT", i)
    }
}

# The `Example: ` lines of some prose, one a line.
function examples_in(text,    n, lines, i, found)
{
    n = split(text, lines, "\n")
    for (i = 1; i <= n; i++)
        if (lines[i] ~ /^Example: /)
            found = found (found == "" ? "" : "\n") substr(lines[i], 10)
    return found
}

function put_commands(    i)
{
    for (i = 1; i <= n_commands; i++)
        print "COMMAND(" command[i, "name"] ", " c_text(command[i, "args"]) ", " \
            c_text(command[i, "help"]) ", " c_text(examples_in(prose["c" i])) ")"
}

# ---- the man page ----------------------------------------------------------------------

function roff_plain(text)
{
    text = replace(replace(text, "\\", "\\e"), "-", "\\-")
    text = replace(replace(text, "^", "\\(ha"), "~", "\\(ti")
    return replace(text, "…", "...")
}

# Running text: `x` in bold; nothing at the start of a line is taken for a request.
function roff(text,    n, parts, i, out)
{
    n = split(text, parts, "`")
    for (i = 1; i <= n; i++)
        out = out (i % 2 ? roff_plain(parts[i]) : "\\fB" roff_code(parts[i]) "\\fR")
    if (n % 2 == 0) # a ` opened here is closed on the next line
        fail("unpaired ` in: " text)
    return (out ~ /^[.']/ ? "\\&" : "") out
}

function roff_code(text)
{
    return replace(roff_plain(text), "'", "\\(aq")
}

function put_prose(text, paragraph,    n, lines, i, code)
{
    n = split(text, lines, "\n")
    while (n > 0 && lines[n] == "")
        n--
    for (i = 1; i <= n; i++) {
        is_code = lines[i] ~ /^(  |Example: )/
        if (is_code && !code)
            print paragraph "\n.EX"
        if (!is_code && code)
            print ".EE"
        if (is_code) {
            sub(/^Example: /, "  ", lines[i])
            print "\\&" roff_code(lines[i])
        } else if (lines[i] == "")
            print paragraph
        else
            print roff(lines[i])
        code = is_code
    }
    if (code)
        print ".EE"
}

# "`a\nb`" over two lines would need state; join such lines first.
function joined(text,    n, lines, i, out, open)
{
    n = split(text, lines, "\n")
    for (i = 1; i <= n; i++) {
        copy = lines[i]
        if (gsub(/`/, "", copy) % 2)
            open = !open
        out = out lines[i] (i == n ? "" : open ? " " : "\n")
    }
    return out
}

function key_of(name)
{
    gsub(/-/, "_", name)
    return name
}

function variable_of(name)
{
    return "HARVEST_" toupper(key_of(name))
}

function put_facts(i,    scopes, text, n, words, j, names)
{
    scopes = option[i, "scopes"]
    text = option[i, "choices"]
    if (text != "") {
        gsub(/\|/, "`, `", text)
        print ".br\n" roff("One of `" text "`.")
    }
    if ((i, "default") in given)
        print ".br\n" roff("Default: `" option[i, "default"] "`.")
    n = split(scopes, words, " ")
    for (j = 1; j <= n; j++)
        if (!has("all config teacher env", words[j]))
            names = names (names == "" ? "" : ", ") "`" words[j] "`"
    if (names != "")
        print ".br\n" roff("Commands: " names ".")
    text = has(scopes, "config") ? "Configuration: `" key_of(option[i, "name"]) "`" : ""
    if (text != "" && has(scopes, "teacher"))
        text = text ", also in a teacher stanza"
    if (has(scopes, "env"))
        text = text (text == "" ? "Environment: `" : ". Environment: `") \
            variable_of(option[i, "name"]) "`"
    if (text != "")
        print ".br\n" roff(text ".")
}

function put_man_option(i,    title)
{
    title = option[i, "letter"] == "" ? "" : "`-" option[i, "letter"] "`, "
    title = title "`--" option[i, "name"] "`"
    title = roff(title)
    if (option[i, "arg"] != "")
        title = title "=\\fI" roff_plain(option[i, "arg"]) "\\fR"
    print ".TP\n" title
    print roff(toupper(substr(option[i, "help"], 1, 1)) substr(option[i, "help"], 2) ".")
    put_facts(i)
    if (prose["o" i] != "") {
        print ".IP"
        put_prose(joined(prose["o" i]), ".IP")
    }
}

function put_man_options(    i, j, seen, group)
{
    for (i = 1; i <= n_options; i++) {
        group = option[i, "group"]
        if (group in seen || option[i, "scopes"] == "teacher")
            continue
        seen[group] = 1
        print ".SS " group
        for (j = i; j <= n_options; j++)
            if (option[j, "group"] == group)
                put_man_option(j)
    }
}

function put_man_teacher(    i, arg)
{
    for (i = 1; i <= n_options; i++) {
        if (option[i, "scopes"] != "teacher")
            continue
        print ".TP\n" roff("`" key_of(option[i, "name"]) ":`") " \\fI" \
            roff_plain(option[i, "arg"]) "\\fR"
        print roff(toupper(substr(option[i, "help"], 1, 1)) substr(option[i, "help"], 2) ".")
        put_facts(i)
        if (prose["o" i] != "") {
            print ".IP"
            put_prose(joined(prose["o" i]), ".IP")
        }
    }
}

# Names of the options with a scope, as one paragraph.
function put_man_names(scope, as_variable,    i, text, name)
{
    for (i = 1; i <= n_options; i++) {
        if (!has(option[i, "scopes"], scope))
            continue
        name = option[i, "name"]
        text = text (text == "" ? "" : ",\n") "`" \
            (as_variable ? variable_of(name) : key_of(name)) "`"
    }
    put_prose(text ".", ".PP")
}

function put_man_commands(    i)
{
    for (i = 1; i <= n_commands; i++) {
        print ".SS " roff("harvest " command[i, "name"] " [OPTION]… " command[i, "args"])
        print roff(toupper(substr(command[i, "help"], 1, 1)) \
            substr(command[i, "help"], 2) ".")
        if (prose["c" i] != "") {
            print ".PP"
            put_prose(joined(prose["c" i]), ".PP")
        }
    }
}

function put_man_synopsis(    i)
{
    for (i = 1; i <= n_commands; i++) {
        print ".br"
        print roff("`harvest " command[i, "name"] "` [`OPTION`]… " command[i, "args"])
    }
}

function put_man(    line, got)
{
    while ((got = (getline line < head)) > 0) {
        if (line == "@OPTIONS@")
            put_man_options()
        else if (line == "@COMMANDS@")
            put_man_commands()
        else if (line == "@SYNOPSIS@")
            put_man_synopsis()
        else if (line == "@TEACHER@")
            put_man_teacher()
        else if (line == "@KEYS@")
            put_man_names("config", 0)
        else if (line == "@STANZA@")
            put_man_names("teacher", 0)
        else if (line == "@VARIABLES@")
            put_man_names("env", 1)
        else {
            gsub(/@VERSION@/, version, line)
            print line
        }
    }
    if (got < 0)
        fail("cannot read " head)
}

# ---- completions -----------------------------------------------------------------------

# What completes a value: "files", "directories", a list of words, or "" for nothing.
function values_of(i,    list)
{
    if (option[i, "choices"] != "") {
        list = option[i, "choices"]
        gsub(/\|/, " ", list)
        return list
    }
    if (option[i, "arg"] == "DIR")
        return "directories"
    return option[i, "arg"] == "FILE" || option[i, "arg"] == "PATH" ? "files" : ""
}

function takes_files(c)
{
    return command[c, "args"] ~ /PROMPTS|FILE/
}

function put_bash_values(    i, names, values)
{
    for (i = 1; i <= n_options; i++) {
        if (option[i, "type"] == "flag" || option[i, "scopes"] == "teacher")
            continue
        names = "--" option[i, "name"] \
            (option[i, "letter"] == "" ? "" : " | -" option[i, "letter"])
        values = values_of(i)
        print "    " names ")"
        if (values == "files" || values == "directories")
            print "        compopt -o filenames 2> /dev/null\n        _harvest_words " \
                (values == "files" ? "-f" : "-d")
        else if (values != "")
            print "        _harvest_words -W '" values "'"
        print "        return\n        ;;"
    }
}

function put_bash(    c, i, list)
{
    print "# SPDX-License-Identifier: MIT"
    print "# Completion of harvest(1) for bash. Made from doc/options.txt.\n"
    print "_harvest_words()\n{\n    mapfile -t COMPREPLY < <(compgen \"$@\" -- \"$cur\")\n}\n"
    print "_harvest()\n{"
    print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}"
    print "    COMPREPLY=()"
    print "    # '=' breaks words: \"--format=js\" arrives as three of them."
    print "    if [[ $cur == = ]]; then"
    print "        cur="
    print "    elif [[ $prev == = && $COMP_CWORD -gt 2 ]]; then"
    print "        prev=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    fi"
    print "    if ((COMP_CWORD == 1)); then"
    print "        _harvest_words -W '" command_names " help --help --version'"
    print "        return\n    fi"
    print "    case $prev in"
    put_bash_values()
    print "    esac"
    print "    case ${COMP_WORDS[1]} in"
    for (c = 1; c <= n_commands; c++) {
        list = ""
        for (i = 1; i <= n_options; i++)
            if (has(scopes_of(i), command[c, "name"]))
                list = list (list == "" ? "" : " ") "--" option[i, "name"]
        print "    " command[c, "name"] ")"
        print "        if [[ $cur == -* ]]; then"
        print "            _harvest_words -W '" list "'"
        if (takes_files(c))
            print "        else\n            compopt -o filenames 2> /dev/null\n" \
                "            _harvest_words -f"
        print "        fi\n        ;;"
    }
    print "    help)\n        _harvest_words -W '" command_names "'\n        ;;"
    print "    esac\n}\n\ncomplete -F _harvest harvest"
}

function zsh_text(text)
{
    text = replace(replace(text, "'", "'\\''"), ":", "\\:")
    return replace(replace(text, "[", "\\["), "]", "\\]")
}

function zsh_option(i,    name, values, action)
{
    name = option[i, "name"]
    if (option[i, "type"] != "flag") {
        values = values_of(i)
        action = values == "files" ? "_files" : values == "directories" ? "_files -/" \
            : values == "" ? " " : "(" values ")"
        action = ":" zsh_text(option[i, "arg"]) ":" action
        if (option[i, "letter"] != "")
            return "'(-" option[i, "letter"] " --" name ")'{-" option[i, "letter"] "+,--" \
                name "=}'[" zsh_text(option[i, "help"]) "]" action "'"
        return "'--" name "=[" zsh_text(option[i, "help"]) "]" action "'"
    }
    if (option[i, "letter"] != "")
        return "'(-" option[i, "letter"] " --" name ")'{-" option[i, "letter"] ",--" name \
            "}'[" zsh_text(option[i, "help"]) "]'"
    return "'--" name "[" zsh_text(option[i, "help"]) "]'"
}

function put_zsh(    c, i)
{
    print "#compdef harvest"
    print "# SPDX-License-Identifier: MIT"
    print "# Completion of harvest(1) for zsh. Made from doc/options.txt.\n"
    print "local -a harvest_commands\nharvest_commands=("
    for (c = 1; c <= n_commands; c++)
        print "    '" command[c, "name"] ":" zsh_text(command[c, "help"]) "'"
    print "    'help:show help on a command'\n)\n"
    print "if (( CURRENT == 2 )); then"
    print "    _describe -t commands command harvest_commands"
    print "    _values -w option '--help[show help]' '--version[show the version]'"
    print "    return\nfi\n"
    print "local harvest_command=$words[2]\nshift words\n(( CURRENT-- ))\n"
    print "case $harvest_command in"
    for (c = 1; c <= n_commands; c++) {
        print command[c, "name"] ")\n    _arguments -s \\"
        for (i = 1; i <= n_options; i++)
            if (has(scopes_of(i), command[c, "name"]))
                print "        " zsh_option(i) " \\"
        print "        " (takes_files(c) ? "'*:file:_files'" : "'*: : '") "\n    ;;"
    }
    print "help)\n    _describe -t commands command harvest_commands\n    ;;\nesac"
}

function fish_text(text)
{
    return "'" replace(replace(text, "\\", "\\\\"), "'", "\\'") "'"
}

function put_fish(    c, i, scopes, n, words, j, names, values, line)
{
    print "# SPDX-License-Identifier: MIT"
    print "# Completion of harvest(1) for fish. Made from doc/options.txt.\n"
    print "complete -c harvest -f"
    for (c = 1; c <= n_commands; c++) {
        print "complete -c harvest -n __fish_use_subcommand -a " command[c, "name"] \
            " -d " fish_text(command[c, "help"])
        if (takes_files(c))
            print "complete -c harvest -n '__fish_seen_subcommand_from " \
                command[c, "name"] "' -F"
    }
    print "complete -c harvest -n __fish_use_subcommand -a help -d 'show help on a command'"
    print "complete -c harvest -n __fish_use_subcommand -l version -d 'show the version'"
    print "complete -c harvest -n __fish_use_subcommand -l help -d 'show help'"
    print "complete -c harvest -n '__fish_seen_subcommand_from help' -a '" command_names "'"
    for (i = 1; i <= n_options; i++) {
        if (option[i, "scopes"] == "teacher")
            continue
        n = split(scopes_of(i), words, " ")
        names = ""
        for (j = 1; j <= n; j++)
            if (has(command_names, words[j]))
                names = names " " words[j]
        line = "complete -c harvest -n '__fish_seen_subcommand_from" names "' -l " \
            option[i, "name"]
        if (option[i, "letter"] != "")
            line = line " -s " option[i, "letter"]
        values = values_of(i)
        if (values == "files")
            line = line " -r -F"
        else if (values == "directories")
            line = line " -x -a '(__fish_complete_directories)'"
        else if (option[i, "type"] != "flag")
            line = line " -x" (values == "" ? "" : " -a '" values "'")
        print line " -d " fish_text(option[i, "help"])
    }
}

# ---- writing ---------------------------------------------------------------------------

END {
    if (failed)
        exit 1
    for (i = 1; i <= n_commands; i++)
        command_names = command_names (i == 1 ? "" : " ") command[i, "name"]
    for (i = 1; i <= n_options; i++)
        check_option(i)
    if (to == "rows")
        put_rows()
    else if (to == "commands")
        put_commands()
    else if (to == "man")
        put_man()
    else if (to == "bash")
        put_bash()
    else if (to == "zsh")
        put_zsh()
    else if (to == "fish")
        put_fish()
    else
        fail("to=" to " is not known")
}
