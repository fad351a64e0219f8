import type { Statements } from './database.ts';
import type { Parameters } from './sql.ts';

/**
 * Runs `r` with all of the words in one error or one attempt's log lines. `plainto_tsquery` takes any text: it has no operators,
 * so none that is wrong and none, such as a negation, that the indexes of words cannot answer. What has the words is found first
 * and once: beside each run that is looked at it would be found again.
 */
export function mentions(words: string, parameters: Parameters): string {
  const query = `plainto_tsquery('simple', words_of(${parameters.add(words)}))`;
  return `r.run_id in (with found as materialized (
    select s.run_id from step_executions s
     where (s.error_message is not null or s.logs is not null)
       and searchable_words(s.error_code, s.error_message, s.logs) @@ ${query}
    union all
    select f.run_id from workflow_runs f
     where f.error_message is not null and searchable_words(f.error_code, f.error_message, null) @@ ${query}
    ) select run_id from found)`;
}

/** Where a list is asked for: by words, of `searches`, whose statements have a time limit, since the words decide what they take. */
export function databaseOf(
  filter: { readonly mentions?: string | undefined },
  database: Statements,
  searches: Statements,
): Statements {
  return filter.mentions === undefined ? database : searches;
}
