-- +goose Up
-- What is known of an attempt's answer without a word of it, as tuples. '' = nobody looked.
CREATE TABLE outputs (
    id       INTEGER PRIMARY KEY,
    stop     TEXT NOT NULL,
    empty    TEXT NOT NULL,
    refusal  TEXT NOT NULL,
    repaired TEXT NOT NULL,
    args     TEXT NOT NULL, -- are there arguments of tool calls that are no JSON object?
    language TEXT NOT NULL,
    passed   TEXT NOT NULL, -- checks, by commas
    UNIQUE (stop, empty, refusal, repaired, args, language, passed)
);
-- said is the tuple; 0 = no answer was seen, or the row is older than this table, and the other three say nothing.
ALTER TABLE attempts ADD COLUMN said INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN tools INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN broken INTEGER NOT NULL DEFAULT 0;

DROP VIEW ledger;
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
       a.notes,
       o.stop, iif(a.said, a.bytes, NULL) AS answer_bytes, iif(a.said, a.tools, NULL) AS tool_calls,
       iif(o.args <> '', a.broken, NULL) AS broken_calls, o.empty, o.refusal, o.repaired, o.language, o.passed
FROM attempts a
         JOIN callers c ON c.id = a.caller
         JOIN targets t ON t.id = a.target
         JOIN served s ON s.id = a.served
         JOIN manners m ON m.id = a.manner
         LEFT JOIN outputs o ON o.id = a.said;
