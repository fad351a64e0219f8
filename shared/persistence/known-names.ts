import type { NameQueries } from '../application/find-missing-names.ts';
import type { Names } from '../definition/warnings/names-of-nothing.ts';
import type { Statements } from './database.ts';

interface NameRow {
  kind: 'agent' | 'workflow';
  name: string;
}

/** What definitions name, as a run's owner finds it: agents of their own and everybody's, and their own workflows. */
export function createKnownNames(database: Statements): NameQueries {
  return {
    async findMissing(owner, { agents, workflows }) {
      // For each name one row by a whole key: an `or` would read every agent of that name.
      const rows = await database.many<NameRow>(
        `select 'agent' as kind, asked.name
           from unnest($2::text[]) as asked (name)
          where not exists (select from agents a where a.name = asked.name and a.owner = $1)
            and not exists (select from agents a where a.name = asked.name and a.owner is null)
         union all
         select 'workflow', asked.name
           from unnest($3::text[]) as asked (name)
          where not exists (select from workflows w where w.owner = $1 and w.name = asked.name and w.archived_at is null)`,
        [owner, agents, workflows],
      );
      return namesOf(rows);
    },
    async listNames(owner, limit) {
      const rows = await database.many<NameRow>(
        `(select 'agent' as kind, name from agents where owner = $1 order by name limit $2)
         union
         (select 'agent', name from agents where owner is null order by name limit $2)
         union all
         (select 'workflow', name from workflows where owner = $1 and archived_at is null order by name limit $2)`,
        [owner, limit],
      );
      return namesOf(rows);
    },
  };
}

function namesOf(rows: readonly NameRow[]): Names {
  const ofKind = (kind: NameRow['kind']) => rows.flatMap((row) => (row.kind === kind ? [row.name] : []));
  return { agents: ofKind('agent'), workflows: ofKind('workflow') };
}
