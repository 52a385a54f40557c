-- As it stood, entry by entry: whether one was in the book at a moment. And from what of the catalog periods were worked out.
-- depends: 0086_true_ups 0088_by_month

-- migrate: apply

-- By its offset, as docs/decisions/as-of.md says: `moment` is one of `moments`, null = now, when all are. Of a partition that
-- the moment does not know nothing was there.
CREATE FUNCTION booked_by(moment timestamptz, of_partition int, of_offset bigint, recorded timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT moment IS NULL OR coalesce((
        SELECT recorded < coalesce((SELECT c.ended_at FROM closed_accounts c
                WHERE c.partition = of_partition AND n.account > 0
                ORDER BY c.ended_at OFFSET greatest(n.account - 1, 0) LIMIT 1), '-infinity')
            OR of_offset < n.next_offset AND recorded < coalesce((SELECT c.ended_at FROM closed_accounts c
                WHERE c.partition = of_partition ORDER BY c.ended_at OFFSET n.account LIMIT 1), 'infinity')
        FROM moments m CROSS JOIN unnest(m.partitions, m.accounts, m.next_offsets) AS n (partition, account, next_offset)
        WHERE m.at = moment AND n.partition = of_partition
    ), false)
$$;

-- `spent_as_of` reads entries by the month of their recording, too: what it reads them from has that day. It stays when this is
-- rolled back, and goes with 0088.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'entry_sums'::regclass AND attname = 'recorded_on') THEN
        EXECUTE 'CREATE OR REPLACE VIEW entry_sums WITH (security_invoker = true) AS '
            || replace(pg_get_viewdef('entry_sums'::regclass), 'END AS corrected', 'END AS corrected, e.recorded_on');
    END IF;
END
$do$;

-- The entries of the catalog, beside prices, that a tenant's periods follow from, as a digest; '' = not known. Another version
-- with the same ones changes no period by itself.
ALTER TABLE true_up_marks ADD COLUMN basis text NOT NULL DEFAULT '';

-- migrate: rollback

ALTER TABLE true_up_marks DROP COLUMN basis;
DROP FUNCTION booked_by(timestamptz, int, bigint, timestamptz);
