-- SPDX-License-Identifier: MIT
-- The schema of a store, version 1. What each table and column means: doc/SCHEMA.md.
-- Applied in one transaction by migrate.c, together with application_id and user_version.

-- ---- who is asked, in which form, under which terms ----

CREATE TABLE teacher(
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL,
    wire TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE(identity, wire, model)
) STRICT;

CREATE TABLE terms(
    id INTEGER PRIMARY KEY,
    licence TEXT,
    terms_url TEXT,
    terms_date TEXT,
    training TEXT,
    basis TEXT
) STRICT;

CREATE TABLE form(
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    params TEXT NOT NULL,
    system TEXT
) STRICT;

CREATE TABLE run(
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    exit_code INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    answers INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0
) STRICT;

-- ---- what is asked ----

CREATE TABLE prompt(
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    prompt_id TEXT,
    params TEXT,
    metadata TEXT,
    messages ANY NOT NULL
) STRICT;

CREATE TABLE request(
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    prompt INTEGER NOT NULL REFERENCES prompt(id),
    teacher INTEGER NOT NULL REFERENCES teacher(id),
    form INTEGER NOT NULL REFERENCES form(id),
    kind INTEGER NOT NULL,
    sample INTEGER NOT NULL,
    edition INTEGER NOT NULL,
    base INTEGER REFERENCES request(id)
) STRICT;

CREATE INDEX request_edition ON request(base, edition) WHERE base IS NOT NULL;

-- ---- what came of it ----

CREATE TABLE intent(
    attempt INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    request INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt(
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    request INTEGER NOT NULL,
    teacher INTEGER NOT NULL,
    terms INTEGER,
    sent_ms INTEGER NOT NULL,
    took_ms INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    status INTEGER NOT NULL,
    curl_code INTEGER NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    model INTEGER,
    fingerprint INTEGER,
    request_id TEXT,
    note TEXT,
    limits INTEGER NOT NULL,
    size INTEGER,
    cuts BLOB,
    dict INTEGER,
    body BLOB
) STRICT;

CREATE INDEX attempt_request ON attempt(request);

CREATE TABLE serves(
    attempt INTEGER NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY(attempt, request)
) STRICT, WITHOUT ROWID;

CREATE INDEX serves_request ON serves(request);

CREATE TABLE answer(
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    choice INTEGER NOT NULL,
    finish INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    tracks INTEGER NOT NULL,
    spans BLOB NOT NULL
) STRICT;

CREATE TABLE failed(
    request INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL
) STRICT;

CREATE TABLE ambiguous(
    request INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    allowed INTEGER NOT NULL
) STRICT;

-- ---- packed parts ----

CREATE TABLE track(
    id INTEGER PRIMARY KEY,
    teacher INTEGER NOT NULL,
    positions INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE vocab(
    teacher INTEGER NOT NULL,
    n INTEGER NOT NULL,
    token_id INTEGER,
    token TEXT NOT NULL,
    bytes TEXT,
    PRIMARY KEY(teacher, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE dict(
    id INTEGER PRIMARY KEY,
    teacher INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE name(
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- ---- for people with sqlite3 or Datasette ----

CREATE TABLE word(
    noun TEXT NOT NULL,
    value INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY(noun, value)
) STRICT, WITHOUT ROWID;

CREATE VIEW prompts AS
SELECT p.id,
    coalesce(p.prompt_id, substr(lower(hex(p.hash)), 1, 16)) AS prompt_id,
    lower(hex(p.hash)) AS hash,
    p.params,
    p.metadata,
    CASE typeof(p.messages) WHEN 'text' THEN p.messages END AS messages,
    (SELECT count(*) FROM request r WHERE r.prompt = p.id) AS requests
FROM prompt p;

CREATE VIEW requests AS
SELECT r.id,
    lower(hex(r.key)) AS key,
    CASE
        WHEN EXISTS(SELECT 1 FROM answer a WHERE a.id = r.id) THEN 'answered'
        WHEN EXISTS(SELECT 1 FROM failed f WHERE f.request = r.id) THEN 'failed'
        WHEN EXISTS(SELECT 1 FROM intent i WHERE i.request = r.id)
          OR EXISTS(SELECT 1 FROM intent i JOIN serves s ON s.attempt = i.attempt
                    WHERE s.request = r.id) THEN 'in flight'
        WHEN EXISTS(SELECT 1 FROM ambiguous m WHERE m.request = r.id AND NOT m.allowed)
          THEN 'ambiguous'
        ELSE 'planned'
    END AS state,
    (SELECT w.name FROM word w WHERE w.noun = 'kind' AND w.value = r.kind) AS kind,
    r.prompt,
    coalesce(p.prompt_id, substr(lower(hex(p.hash)), 1, 16)) AS prompt_id,
    t.name AS teacher,
    t.model,
    r.sample,
    r.edition,
    f.params,
    f.system
FROM request r
JOIN prompt p ON p.id = r.prompt
JOIN teacher t ON t.id = r.teacher
JOIN form f ON f.id = r.form;

CREATE VIEW attempts AS
SELECT a.id,
    a.run,
    a.request,
    t.name AS teacher,
    datetime(a.sent_ms / 1000, 'unixepoch') AS sent,
    a.took_ms,
    (SELECT w.name FROM word w WHERE w.noun = 'outcome' AND w.value = a.outcome) AS outcome,
    (SELECT w.name FROM word w WHERE w.noun = 'reason' AND w.value = a.reason) AS reason,
    a.status,
    a.curl_code,
    a.prompt_tokens,
    a.completion_tokens,
    a.cached_tokens,
    a.reasoning_tokens,
    (SELECT n.text FROM name n WHERE n.id = a.model) AS model,
    (SELECT n.text FROM name n WHERE n.id = a.fingerprint) AS fingerprint,
    a.request_id,
    a.note,
    a.size AS body_bytes,
    length(a.body) AS stored_bytes
FROM attempt a
LEFT JOIN teacher t ON t.id = a.teacher;

CREATE VIEW answers AS
SELECT r.id AS request,
    lower(hex(r.key)) AS key,
    coalesce(p.prompt_id, substr(lower(hex(p.hash)), 1, 16)) AS prompt_id,
    r.sample,
    r.edition,
    t.name AS teacher,
    t.model AS model_asked,
    (SELECT n.text FROM name n WHERE n.id = m.model) AS model_served,
    a.attempt,
    a.choice,
    (SELECT w.name FROM word w WHERE w.noun = 'finish' AND w.value = a.finish)
        AS finish_reason,
    (SELECT group_concat(w.name) FROM word w
        WHERE w.noun = 'flag' AND (w.value & a.flags) <> 0) AS flags,
    m.prompt_tokens,
    m.completion_tokens,
    (SELECT group_concat(w.name) FROM word w
        WHERE w.noun = 'track' AND (1 << w.value & a.tracks) <> 0) AS logprobs,
    l.licence,
    l.training
FROM answer a
JOIN request r ON r.id = a.id
JOIN prompt p ON p.id = r.prompt
JOIN attempt m ON m.id = a.attempt
JOIN teacher t ON t.id = m.teacher
LEFT JOIN terms l ON l.id = m.terms;

CREATE VIEW runs AS
SELECT r.id,
    r.command,
    r.version,
    datetime(r.started_ms / 1000, 'unixepoch') AS started,
    datetime(r.ended_ms / 1000, 'unixepoch') AS ended,
    r.exit_code,
    r.attempts,
    r.answers,
    r.prompt_tokens,
    r.completion_tokens,
    r.cached_tokens,
    r.reasoning_tokens
FROM run r;

CREATE VIEW teachers AS
SELECT t.id,
    t.name,
    t.identity,
    t.wire,
    t.model,
    (SELECT count(*) FROM request r WHERE r.teacher = t.id) AS requests,
    (SELECT count(*) FROM request r JOIN answer a ON a.id = r.id
        WHERE r.teacher = t.id) AS answers
FROM teacher t;
