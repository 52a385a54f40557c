-- Parts of statements that read `entries e` with what corrections of it leave unsaid.

-- name: stated_event
-- What an entry is about: its own event, or the last that was stated before it.
coalesce(e.event, (
    SELECT s.event FROM entries s
    WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
        AND s.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on
    ORDER BY s.seq DESC LIMIT 1))

-- name: reversed_lines
-- An entry's own lines, or a reversal's: those of what it reverses.
coalesce(e.lines, (
    SELECT s.lines FROM entries s
    WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq = e.seq - 1
        AND s.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on))
