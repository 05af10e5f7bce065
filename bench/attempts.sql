-- S1's batch metrics in one pass, as DuckDB reads an attempt log best: types are given, and the log has one run.
WITH attempts AS (
  SELECT *, (row_number() OVER () - 1) // 1000 AS batch
  FROM read_json($log, format = 'newline_delimited', columns = {
    ts: 'TIMESTAMP', run_id: 'VARCHAR', persona_id: 'VARCHAR', stage: 'VARCHAR', attempt: 'BIGINT', status: 'VARCHAR',
    latency_ms: 'BIGINT', prompt_tokens: 'BIGINT', completion_tokens: 'BIGINT', repairs: 'VARCHAR[]',
    validator_scores: 'STRUCT(trait_leak DOUBLE, opening_variation DOUBLE, pollyanna DOUBLE, anchor_specificity DOUBLE)',
    opening_move: 'VARCHAR', anchors_used: 'VARCHAR[]'})
)
SELECT run_id, batch, count(*), count(DISTINCT persona_id), count(DISTINCT (persona_id, stage, attempt)),
  count(*) FILTER (status = 'success'), histogram(status), histogram(stage), count(*) FILTER (len(repairs) > 0),
  list_aggregate(flatten(list(repairs)), 'histogram'), avg(latency_ms), quantile_disc(latency_ms, 0.95),
  stddev_samp(latency_ms), sum(prompt_tokens), sum(completion_tokens), min(ts), max(ts),
  avg(validator_scores.trait_leak), avg(validator_scores.opening_variation), avg(validator_scores.pollyanna),
  avg(validator_scores.anchor_specificity), stddev_samp(validator_scores.trait_leak),
  stddev_samp(validator_scores.opening_variation), stddev_samp(validator_scores.pollyanna),
  stddev_samp(validator_scores.anchor_specificity), histogram(opening_move), entropy(opening_move),
  len(list_distinct(flatten(list(anchors_used)))), len(flatten(list(anchors_used)))
FROM attempts GROUP BY run_id, batch ORDER BY run_id, batch
