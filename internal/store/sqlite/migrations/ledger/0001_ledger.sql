-- +goose Up
-- Low-cardinality words are kept once, as tuples: a row of attempts names them by small integers.
CREATE TABLE targets (
    id         INTEGER PRIMARY KEY,
    deployment TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    dialect    TEXT    NOT NULL,
    wire_id    TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    tier       TEXT    NOT NULL,
    hosting    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    layer      INTEGER NOT NULL,
    layer_name TEXT    NOT NULL,
    UNIQUE (deployment, provider, dialect, wire_id, model, tier, hosting, region, layer, layer_name)
);
CREATE TABLE callers (
    id       INTEGER PRIMARY KEY,
    key_id   TEXT NOT NULL,
    team     TEXT NOT NULL,
    use_case TEXT NOT NULL,
    workflow TEXT NOT NULL,
    agent    TEXT NOT NULL,
    UNIQUE (key_id, team, use_case, workflow, agent)
);
CREATE TABLE served (
    id          INTEGER PRIMARY KEY,
    model       TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    UNIQUE (model, fingerprint)
);
-- How an attempt was made and ended. corrects is '' for an attempt's own row.
CREATE TABLE manners (
    id         INTEGER PRIMARY KEY,
    route      TEXT    NOT NULL,
    dialect    TEXT    NOT NULL,
    class      TEXT    NOT NULL,
    class_rank INTEGER NOT NULL,
    purpose    TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    price_row  TEXT    NOT NULL,
    budget     TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    settlement TEXT    NOT NULL,
    corrects   TEXT    NOT NULL,
    verdict    TEXT    NOT NULL,
    check_name TEXT    NOT NULL,
    err        TEXT    NOT NULL,
    UNIQUE (route, dialect, class, class_rank, purpose, rule, price_row, budget, outcome, settlement, corrects, verdict,
            check_name, err)
);

-- One wide row an attempt. Rows are never changed. Amounts are nano-dollars, clocks microseconds since start.
CREATE TABLE attempts (
    lsn            INTEGER PRIMARY KEY,
    call           BLOB    NOT NULL, -- UUIDv7
    n              INTEGER NOT NULL,
    flags          INTEGER NOT NULL, -- bits: final, stream, judge, raw context, five needs; answers asked for from bit 16
    start          INTEGER NOT NULL, -- of the call, ns since 1970
    booked         INTEGER NOT NULL, -- ms since 1970, never falls with lsn
    caller         INTEGER NOT NULL,
    target         INTEGER NOT NULL,
    served         INTEGER NOT NULL,
    manner         INTEGER NOT NULL,
    session        TEXT    NOT NULL,
    prompt         INTEGER NOT NULL, -- tokens, estimated from above before sending
    max_out        INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    cost           INTEGER NOT NULL,
    held           INTEGER NOT NULL,
    baseline       INTEGER NOT NULL,
    lines          BLOB    NOT NULL, -- priced meters: their amounts add up to cost
    sent           INTEGER NOT NULL,
    ttf            INTEGER NOT NULL,
    first_byte     INTEGER NOT NULL,
    accepted       INTEGER NOT NULL,
    ended          INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    notes          TEXT    NOT NULL
);
CREATE INDEX attempts_call ON attempts (call);

-- Attempts begun whose end is not in attempts yet. manner is the one that a presumed row would have.
CREATE TABLE intents (
    lsn     INTEGER PRIMARY KEY,
    call    BLOB    NOT NULL,
    n       INTEGER NOT NULL,
    flags   INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    at      INTEGER NOT NULL, -- ns since 1970
    caller  INTEGER NOT NULL,
    target  INTEGER NOT NULL,
    manner  INTEGER NOT NULL,
    session TEXT    NOT NULL,
    held    INTEGER NOT NULL
);

-- Counters: what the rows and adjustments of a node add up to, by the quarter of an hour in which the calls started.
CREATE TABLE spent (
    node TEXT    NOT NULL,
    slot INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    PRIMARY KEY (node, slot)
) WITHOUT ROWID;

-- A node may have spent up to nano in the period [first, past), slots.
CREATE TABLE ceilings (
    node  TEXT    NOT NULL,
    first INTEGER NOT NULL, -- s since 1970
    past  INTEGER NOT NULL,
    nano  INTEGER NOT NULL,
    PRIMARY KEY (node, first)
) WITHOUT ROWID;

-- Money that counts as spent without a row.
CREATE TABLE adjustments (
    lsn    INTEGER PRIMARY KEY,
    node   TEXT    NOT NULL,
    at     INTEGER NOT NULL, -- ns since 1970
    nano   INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    booked INTEGER NOT NULL
);

-- clean: 1 = the last process closed the ledger.
CREATE TABLE marks (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    clean INTEGER NOT NULL
);
INSERT INTO marks (id, clean) VALUES (1, 1);

-- For people: the rows with their words.
CREATE VIEW ledger AS
SELECT a.lsn, lower(hex(a.call)) AS call, a.n, a.flags & 1 AS final,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.start / 1e9, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.booked / 1e3, 'unixepoch') AS booked,
       c.key_id, c.team, c.use_case, c.workflow, c.agent, a.session,
       m.route, m.class, m.purpose, t.layer, t.layer_name, t.deployment, t.provider, t.model, t.tier, t.region,
       s.model AS served, s.fingerprint, m.rule, m.price_row, m.budget, m.outcome, m.settlement, m.corrects,
       m.verdict, m.check_name, a.reason, m.err,
       a.input, a.cache_read, a.cache_write_5m, a.cache_write_1h, a.output, a.reasoning,
       a.cost AS cost_nano, a.held AS held_nano, a.baseline AS baseline_nano,
       a.sent AS sent_us, a.ttf AS ttf_us, a.first_byte AS first_byte_us, a.accepted AS accepted_us, a.ended AS ended_us,
       a.notes
FROM attempts a
         JOIN callers c ON c.id = a.caller
         JOIN targets t ON t.id = a.target
         JOIN served s ON s.id = a.served
         JOIN manners m ON m.id = a.manner;
