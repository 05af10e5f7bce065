-- S1's batch metrics, written by hand for DuckDB: the oracle of the fold. $log is the log, $size the attempts of a batch.
WITH lines AS (
  SELECT row_number() OVER () AS place, line
  FROM read_csv($log, columns = {'line': 'VARCHAR'}, delim = E'\x1f', header = false, quote = '', escape = '',
                auto_detect = false, strict_mode = false, parallel = false, max_line_size = 10000000)
),
rows AS (
  SELECT place, line::JSON AS j FROM lines WHERE json_valid(line) AND json_type(line) = 'OBJECT'
),
fields AS (
  SELECT place,
    COALESCE(CASE WHEN json_type(j, '$.run_id') NOT IN ('NULL') THEN j ->> '$.run_id' END, '') AS run,
    CASE WHEN json_type(j, '$.persona_id') <> 'NULL' THEN j ->> '$.persona_id' END AS persona,
    CASE WHEN json_type(j, '$.stage') = 'VARCHAR' THEN j ->> '$.stage' END AS stage,
    CASE WHEN json_type(j, '$.status') = 'VARCHAR' THEN j ->> '$.status' END AS status,
    CASE WHEN json_type(j, '$.opening_move') = 'VARCHAR' THEN j ->> '$.opening_move' END AS opening,
    CASE WHEN json_type(j, '$.attempt') IN ('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR') THEN TRY_CAST(j ->> '$.attempt' AS BIGINT) END AS attempt,
    CASE WHEN json_type(j, '$.latency_ms') IN ('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR') THEN TRY_CAST(j ->> '$.latency_ms' AS DOUBLE) END AS told,
    CASE WHEN abs(told) <= 9007199254740992 THEN told END AS latency,
    CASE WHEN json_type(j, '$.prompt_tokens') IN ('UBIGINT', 'BIGINT', 'VARCHAR') THEN TRY_CAST(j ->> '$.prompt_tokens' AS BIGINT) END AS prompt,
    CASE WHEN json_type(j, '$.completion_tokens') IN ('UBIGINT', 'BIGINT', 'VARCHAR') THEN TRY_CAST(j ->> '$.completion_tokens' AS BIGINT) END AS completion,
    CASE WHEN json_type(j, '$.repairs') = 'ARRAY' THEN list_filter((j -> '$.repairs')::VARCHAR[], lambda r: r IS NOT NULL) END AS repairs,
    CASE WHEN json_type(j, '$.anchors_used') = 'ARRAY' THEN list_filter((j -> '$.anchors_used')::VARCHAR[], lambda a: a IS NOT NULL) END AS anchors,
    CASE WHEN json_type(j, '$.validator_scores') = 'OBJECT' THEN j -> '$.validator_scores' END AS scores
  FROM rows
),
attempts AS (
  SELECT *, (row_number() OVER (PARTITION BY run ORDER BY place) - 1) // $size AS batch
  FROM fields
  WHERE COALESCE(persona, stage, status, opening, attempt::VARCHAR, latency::VARCHAR, prompt::VARCHAR, completion::VARCHAR) IS NOT NULL
     OR repairs IS NOT NULL OR anchors IS NOT NULL OR scores IS NOT NULL
),
base AS (
  SELECT run, batch, count(*) AS n, count(DISTINCT persona) AS personas,
    count(*) FILTER (status = 'success') AS success,
    count(*) FILTER (status IN ('success', 'repair')) AS success_or_repaired,
    count(*) FILTER (len(repairs) > 0) AS repaired,
    count(latency) AS latency_n, avg(latency) AS latency_mean, quantile_disc(latency, 0.95) AS latency_p95,
    stddev_samp(latency) AS latency_deviation,
    COALESCE(sum(prompt), 0) AS prompt_tokens, COALESCE(sum(completion), 0) AS completion_tokens,
    count(persona) - count(DISTINCT CASE WHEN persona IS NOT NULL THEN (persona, stage, attempt) END) AS duplicates
  FROM attempts GROUP BY run, batch
),
repaired AS (
  SELECT run, batch, map_from_entries(list((kind, times))) AS repairs FROM (
    SELECT run, batch, kind, count(*) AS times FROM (SELECT run, batch, unnest(repairs) AS kind FROM attempts) GROUP BY ALL
  ) GROUP BY run, batch
),
opened AS (
  SELECT run, batch, map_from_entries(list((opening, times))) AS openings,
    -sum(times / total * ln(times / total)) AS opening_entropy
  FROM (
    SELECT run, batch, opening, count(*) AS times, sum(count(*)) OVER (PARTITION BY run, batch) AS total
    FROM attempts WHERE opening IS NOT NULL GROUP BY run, batch, opening
  ) GROUP BY run, batch
),
anchored AS (
  SELECT run, batch, count(DISTINCT anchor) AS anchors, count(*) AS anchor_mentions
  FROM (SELECT run, batch, unnest(anchors) AS anchor FROM attempts) GROUP BY run, batch
),
scored AS (
  SELECT run, batch, map_from_entries(list((validator, (times, mean, deviation)))) AS scores FROM (
    SELECT run, batch, validator, count(*) AS times, avg(score) AS mean, stddev_samp(score) AS deviation FROM (
      SELECT run, batch, validator,
        CASE WHEN json_type(scores -> ('$."' || validator || '"')) IN ('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR')
             THEN TRY_CAST(scores ->> ('$."' || validator || '"') AS DOUBLE) END AS score
      FROM (SELECT run, batch, scores, unnest(json_keys(scores)) AS validator FROM attempts)
    ) WHERE score IS NOT NULL AND isfinite(score) GROUP BY run, batch, validator
  ) GROUP BY run, batch
)
SELECT * FROM base LEFT JOIN repaired USING (run, batch) LEFT JOIN opened USING (run, batch)
  LEFT JOIN anchored USING (run, batch) LEFT JOIN scored USING (run, batch) ORDER BY run, batch
