import type { AgentExamples } from '../application/dry-run/dry-run.ts';
import type { Json } from '../engine/json.ts';
import type { Statements } from './database.ts';

interface ExampleRow {
  name: string;
  example_output: Json;
  is_too_large: boolean;
}

/** Example outputs as a run's owner sees the agents: their own come before everybody's (design §4, Agents). */
export function createAgentExamples(database: Statements): AgentExamples {
  return {
    async loadExamples(owner, names, maxBytes) {
      // For each name one row by the whole index. Their sizes are added up before one of them is read.
      const rows = await database.many<ExampleRow>(
        `with agent as (
           select asked.name, found.id, sum(found.example_output_bytes) over () as total_bytes
             from unnest($1::text[]) as asked (name)
            cross join lateral (
              (select id, example_output_bytes, 0 as place from agents where name = asked.name and owner = $2)
               union all
              (select id, example_output_bytes, 1 from agents where name = asked.name and owner is null)
               order by place limit 1
            ) as found
         )
         select agent.name, agent.total_bytes > $3 as is_too_large,
                case when agent.total_bytes <= $3 then a.example_output end as example_output
           from agent join agents a on a.id = agent.id
          where a.example_output_bytes is not null`,
        [names, owner, maxBytes],
      );
      if (rows.some(({ is_too_large }) => is_too_large)) return null;
      return new Map(rows.map(({ name, example_output }) => [name, example_output]));
    },
  };
}
