import { readdir } from 'node:fs/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { NO_ATTEMPTS } from '../../../shared/application/attempt-query.ts';
import type { AttemptQuery, Changes } from '../../../shared/application/ports/run-store.ts';
import type { NewRun } from '../../../shared/application/start-run.ts';
import { type Needs, NO_NEEDS } from '../../../shared/engine/needs.ts';
import type { Attempt, Child, Run, Signal } from '../../../shared/engine/state.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { loadAgentRoutes } from '../../../shared/persistence/agent-routes.ts';
import { openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { loadAttempts } from '../../../shared/persistence/load-attempts.ts';
import { loadJoins } from '../../../shared/persistence/load-joins.ts';
import { loadRunData } from '../../../shared/persistence/load-run-data.ts';
import { loadRuns } from '../../../shared/persistence/load-runs.ts';
import { insertRun } from '../../../shared/persistence/new-runs.ts';
import { createOutbox } from '../../../shared/persistence/outbox.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import { attempt, join, run } from '../../support/engine-states.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';
import { type OwnPostgres, startOwnPostgres } from '../../support/own-postgres.ts';
import { type RecordingDatabase, recordStatements } from '../../support/recording-database.ts';
import { readsDuring } from '../../support/table-reads.ts';

/*
 * Postgres keeps a function's plans for the connection: those of a connection that was opened on a new deployment's empty tables
 * still serve it when the tables have grown, until they are analysed. Each function must look up its keys by then too.
 */

const ROWS = 50_000;
const PART = 10_000;
const FILL_TIMEOUT_MS = 600_000;
/** Enough for Postgres to have settled on a plan: it tries five times what another plan would cost, unless it is told not to. */
const CALLS = 8;
/** A look-up of one key touches a few blocks of each index, an index of so many rows has hundreds. */
const FEW_BLOCKS = 100;

const idOf = (n: number, kind = 0) => `0000000${kind}-0000-7000-8000-${String(n).padStart(12, '0')}`;
const FILL = [
  `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, owner, input_data, variables, wake_at)
   select 'run-' || n, 'wf-a-1', 'a', '00000000-0000-7000-8000-' || lpad(n::text, 12, '0'), case when n % 2 = 0 then 'RUNNING' else 'COMPLETED' end, 'user' || n % 50, '1', '{}', now()
     from generate_series($1::int, $2::int) n`,
  // The second of each run's two attempts is open.
  `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status, output_data, wake_at, scope, signal_name)
   select id, id::text, 'run-' || n, 'step' || kind, 'a', 'agent' || n, case when kind = 0 then 'COMPLETED' else 'RUNNING' end, '1', now(),
          case when kind = 0 then '' else 'map#' || n || '/0' end, case when kind = 1 then 'go' end
     from (select n, kind, ('0000000' || kind || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid as id
             from generate_series($1::int, $2::int) n, generate_series(0, 1) kind) as attempts`,
  `insert into outbox (id, messages)
   select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '[]' from generate_series($1::int, $2::int) n`,
  // One in two is everybody's; each name is there once, but one that fifty users have.
  `insert into agents (id, owner, name, kind, address)
   select gen_random_uuid(), case when n % 2 = 0 then 'user' || n % 50 end, 'agent' || n, 'http', '' from generate_series($1::int, $2::int) n`,
  `insert into workflows (id, owner, name, latest_version)
   select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n, 'w' || n, 1 from generate_series($1::int, $2::int) n`,
  `insert into workflow_versions (id, workflow_id, version, definition, content_hash)
   select id, id, 1, '{}', '' from workflows
    where id between ('00000000-0000-7000-8000-' || lpad($1::int::text, 12, '0'))::uuid
                 and ('00000000-0000-7000-8000-' || lpad($2::int::text, 12, '0'))::uuid`,
  // Each run has a join with two items, of which one did not complete, what they set, and two signals.
  `insert into scopes (run_id, path, step_id, step_execution_id, total, needed, tolerated, started, completed, failed, output_bytes, is_over)
   select 'run-' || n, 'map#' || n, 'map', '00000001-0000-7000-8000-' || lpad(n::text, 12, '0'), 10, 10, 0, 2, 0, 0, 0, false
     from generate_series($1::int, $2::int) n`,
  `insert into scope_children (run_id, path, child, index, status, input)
   select 'run-' || n, 'map#' || n, child, child, case when child = 0 then 'COMPLETED' else 'PENDING' end, '1'
     from generate_series($1::int, $2::int) n, generate_series(0, 1) child`,
  `insert into scope_data (run_id, scope, variables, error)
   select 'run-' || n, 'map#' || n || '/0', '{}', '{}' from generate_series($1::int, $2::int) n`,
  `insert into signals (run_id, id, name, payload, received_at)
   select 'run-' || n, 's' || case when kind = 0 then '' else kind::text end, 'go', '1', now()
     from generate_series($1::int, $2::int) n, generate_series(0, 1) kind`,
  `insert into api_keys (id, key_hash, prefix, name, user_id)
   select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n::text::bytea, '', '', 'user' || n from generate_series($1::int, $2::int) n`,
  `insert into workflow_grants (id, workflow_id, user_id, can_view, can_execute, granted_by)
   select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
          'other', true, true, 'user' || n from generate_series($1::int, $2::int) n`,
  `insert into idempotency_keys (user_id, key, request_hash, run_id)
   select 'user' || n, 'k', '', 'run-00000000-0000-7000-8000-' || lpad(n::text, 12, '0') from generate_series($1::int, $2::int) n`,
];
/** Runs of these names are in no month. */
const TABLES = [
  'workflow_runs_default',
  'step_executions_default',
  'outbox',
  'agents',
  'workflows',
  'workflow_versions',
  'scopes_default',
  'scope_children_default',
  'scope_data_default',
  'signals_default',
  'api_keys',
  'workflow_grants',
  'idempotency_keys',
];

const runOf = (n: number, given: Partial<Run>) => run({ runId: `run-${n}`, sequence: 1, ...given });
const attemptOf = (stepExecutionId: string, given: Partial<Attempt> = {}) =>
  attempt({ stepExecutionId, stepId: 'b', ...given });
const pathOf = (n: number) => `map#${n}`;
const joinOf = (n: number) =>
  join({ path: pathOf(n), stepId: 'map', stepExecutionId: idOf(n, 1), total: 10, needed: 10 });
const childOf = (n: number): Child => ({
  scope: `${pathOf(n)}/0`,
  index: 0,
  status: 'COMPLETED',
  nextWaiting: null,
  input: null,
  output: 1,
  error: null,
});
const signalOf = (id: string): Signal => ({ id, name: 'go', payload: 1, receivedAt: 0, takenBy: idOf(1, 1) });

const aboutRun = (n: number) => ({ runIds: [`run-${n}`], woken: [], attempts: NO_ATTEMPTS });
const AS_IT_WAS = { was: 0, statusWas: 'RUNNING', workflowWasPaused: null } as const;
const save =
  (changes: (n: number) => Partial<Changes>): Call =>
  (statements, n) =>
    saveChanges(statements, { ...NO_CHANGES, ...changes(n) }, { id: uuidv7(), messages: [] });

const start =
  (given: (statements: Statements, n: number) => Promise<Partial<NewRun>>): Call =>
  async (statements, n) => {
    const id = uuidv7();
    const run = {
      id,
      runId: `run-${id}`,
      workflowId: 'wf-w-1',
      workflowName: 'w',
      workflowDefinitionId: idOf(n),
      versionId: idOf(n),
      version: 1,
      owner: `user${n}`,
      triggeredBy: `user${n}`,
      inputData: 1,
      variables: undefined,
      communityId: null,
      metadata: null,
      createdAt: new Date(),
      wakeAt: new Date(),
      request: { id, messages: [] },
      audit: auditEntry,
      ...(await given(statements, n)),
    };
    await insertRun(statements, run, [idOf(n)]);
  };

/** What they look at is a month, and no key: partitions.test.ts. */
const OF_MONTHS = new Set(['make_partitions', 'purge_audit_log', 'remove_old_runs']);

/** About the n-th row. */
type Call = (statements: Statements, n: number) => Promise<unknown>;

const attempts =
  (query: (n: number) => Partial<AttemptQuery>): Call =>
  (statements, n) =>
    loadAttempts(statements, { ...NO_ATTEMPTS, ...query(n) });
const data =
  (needs: (n: number) => Partial<Needs>): Call =>
  (statements, n) =>
    loadRunData(statements, [{ runId: `run-${n}`, owner: `user${n}`, needs: { ...NO_NEEDS, ...needs(n) } }]);
const CALL_OF: Record<string, Call> = {
  'load_runs: a run': (statements, n) => loadRuns(statements, aboutRun(n)),
  'load_runs: a run that has ended': (statements, n) => loadRuns(statements, aboutRun(n + 1)),
  'load_runs: a run and an attempt': (statements, n) =>
    loadRuns(statements, { ...aboutRun(n), attempts: { ...NO_ATTEMPTS, ids: [idOf(n, 1)] } }),
  'workflow_is_paused: a workflow': (statements, n) =>
    statements.one('select workflow_is_paused($1)', [idOf(n)]),
  'load_attempts: a parent': attempts((n) => ({ parents: [idOf(n)], withInput: [idOf(n)] })),
  'load_attempts: those open': attempts((n) => ({ openOf: [`run-${n}`] })),
  'load_attempts: those open in a join': attempts((n) => ({
    openWithin: [{ runId: `run-${n}`, path: pathOf(n) }],
  })),
  'load_attempts: a container': attempts((n) => ({
    containers: [{ runId: `run-${n}`, path: pathOf(n) }],
  })),
  'load_attempts: all containers': attempts((n) => ({
    containers: [{ runId: `run-${n}`, path: null }],
  })),
  'load_attempts: who waits for a signal': attempts((n) => ({
    waiting: [{ runId: `run-${n}`, name: 'go', count: 1 }],
  })),
  'load_attempts: the last ones': attempts((n) => ({ lastOf: [`run-${n}`] })),
  'load_attempts: the last of a step': attempts((n) => ({
    steps: [{ runId: `run-${n}`, scope: null, stepId: 'step1' }],
  })),
  'load_attempts: the last of a step in a scope': attempts((n) => ({
    steps: [{ runId: `run-${n}`, scope: `${pathOf(n)}/0`, stepId: 'step1' }],
  })),
  'load_joins: one': (statements, n) =>
    loadJoins(statements, { paths: [{ runId: `run-${n}`, path: pathOf(n) }], allOf: [], within: [] }),
  'load_joins: all': (statements, n) => loadJoins(statements, { paths: [], allOf: [`run-${n}`], within: [] }),
  'load_joins: within a scope': (statements, n) =>
    loadJoins(statements, { paths: [], allOf: [], within: [{ runId: `run-${n}`, scope: `${pathOf(n)}/0` }] }),
  'load_run_data: an input': data(() => ({ workflowInput: true })),
  'load_run_data: variables': data(() => ({ variables: [''] })),
  'load_run_data: variables of a scope': data((n) => ({ variables: [`${pathOf(n)}/0`] })),
  'load_run_data: an error': data(() => ({ errors: [''] })),
  'load_run_data: an output': data(() => ({ outputs: [{ scope: '', stepId: 'step0' }] })),
  'load_run_data: an output in a scope': data((n) => ({
    outputs: [{ scope: `${pathOf(n)}/0`, stepId: 'step1' }],
  })),
  'load_run_data: visits': data((n) => ({ visits: [{ scope: `${pathOf(n)}/0`, stepId: 'step1' }] })),
  'load_run_data: a child': data((n) => ({ children: [`${pathOf(n)}/0`] })),
  'load_run_data: unfinished children': data(() => ({ unfinishedChildren: true })),
  'load_run_data: gathered outputs': data((n) => ({ gathered: [pathOf(n)] })),
  'load_run_data: a signal': data(() => ({ signalIds: ['s'] })),
  'load_run_data: an untaken signal': data(() => ({ signalNames: ['go'] })),
  'load_run_data: a workflow': data((n) => ({ workflows: [{ name: `w${n}`, version: null }] })),
  'load_run_data: a version of a workflow': data((n) => ({ workflows: [{ name: `w${n}`, version: 1 }] })),
  'load_agent_routes: a user’s agent': (statements, n) =>
    loadAgentRoutes(statements, [{ owner: `user${n % 50}`, name: `agent${n}` }]),
  'load_agent_routes: everybody’s': (statements, n) =>
    loadAgentRoutes(statements, [{ owner: null, name: `agent${n + 1}` }]),
  'load_attempt_calls: a call': (statements, n) => createAgentCalls(statements).loadCalls([idOf(n, 1)]),
  'save_runs: closed': save((n) => ({
    closed: [{ ...attemptOf(idOf(n, 1), { status: 'COMPLETED' }), runId: `run-${n}` }],
  })),
  'save_runs: continued': save((n) => ({
    continued: [{ ...attemptOf(idOf(n + 2, 1)), runId: `run-${n + 2}` }],
  })),
  'save_runs: opened': save((n) => ({
    opened: [
      { runId: `run-${n}`, stepName: 'b', agentName: 'b', stepType: 'agent', attempt: attemptOf(uuidv7()) },
    ],
  })),
  'save_runs: advanced': save((n) => ({
    advanced: [{ runId: `run-${n}`, was: 0, sequence: 0, stepsStarted: 2 }],
  })),
  'save_runs: changed': save((n) => ({
    changed: [
      { run: runOf(n, { sequence: 0, status: 'COMPLETED', completedAt: 1 }), ...AS_IT_WAS, versionId: null },
    ],
  })),
  'save_runs: a join opened': save((n) => ({
    joins: [{ runId: `run-${n}`, join: { ...joinOf(n), path: 'other' }, before: null }],
  })),
  'save_runs: a join counted on': save((n) => ({
    joins: [{ runId: `run-${n}`, join: { ...joinOf(n), completed: 1 }, before: joinOf(n) }],
  })),
  'save_runs: children': save((n) => ({ children: [{ runId: `run-${n}`, child: childOf(n) }] })),
  'save_runs: variables': save((n) => ({
    data: [{ runId: `run-${n}`, scope: '', since: n, variables: { n }, isWhole: n % 2 === 0 }],
  })),
  'save_runs: a signal kept': save((n) => ({
    signalsKept: [{ runId: `run-${n}`, signal: signalOf('other') }],
  })),
  'save_runs: a signal taken': save((n) => ({
    signalsTaken: [{ runId: `run-${n}`, signal: signalOf('s') }],
  })),
  'save_runs: a run started': save((n) => ({
    runsStarted: [
      {
        childRunId: `run-${uuidv7()}`,
        workflow: { workflowId: idOf(n), versionId: idOf(n), name: 'w', version: 1 },
        inputData: 1,
        depth: 1,
        parentRunId: `run-${n}`,
        parentStepExecutionId: idOf(n, 1),
        createdAt: 0,
        wakeAt: 0,
      },
    ],
  })),
  'start_run: by what is remembered': start(async (statements, n) => {
    const versionOf = async (table: string) => {
      const sql = `select xmin::text as version from ${table} where id = $1`;
      const row = await statements.maybeOne<{ version: string }>(sql, [idOf(n)]);
      return { id: idOf(n), version: row?.version ?? '0' };
    };
    return {
      grounds: {
        apiKey: await versionOf('api_keys'),
        workflow: await versionOf('workflows'),
        grant: await versionOf('workflow_grants'),
      },
    };
  }),
  'start_run: a key that is free': start(async (_, n) => ({
    idempotency: { userId: `user${n}`, key: uuidv7(), request: '' },
  })),
  'start_run: a key that is taken': start(async (_, n) => ({
    idempotency: { userId: `user${n}`, key: 'k', request: '' },
  })),
  'remove_outbox: an entry': (statements, n) => createOutbox(statements).remove([idOf(n)]),
  'settle_outbox: a part of an entry': (statements, n) =>
    createOutbox(statements).settle([{ id: idOf(n), published: '10', retryInMs: 1_000, isRefused: true }]),
};

/** A function that leaves its plan to chance, and one whose plan is never the look-up of a key. */
const CONTROLS = [
  `create function falls_in(asked uuid) returns bigint language plpgsql
   as $$ begin return (select count(*) from outbox where id = asked); end $$`,
  `create function reads_an_index(asked uuid) returns bigint language plpgsql set enable_seqscan = off
   as $$ begin return (select count(*) from outbox where id is distinct from asked); end $$`,
];
const callOf =
  (name: string): Call =>
  (statements, n) =>
    statements.many(`select ${name}($1)`, [idOf(n)]);

describe.each([
  { tables: 'empty', rows: 0 },
  { tables: 'small', rows: 4 },
])('a connection that began on $tables tables', ({ rows }) => {
  let server: OwnPostgres;
  let fresh: FreshDatabase;
  let connection: RecordingDatabase;
  beforeAll(async () => {
    server = await startOwnPostgres(inject('postgresOptions'));
    fresh = await createFreshDatabase(server.url);
    connection = recordStatements(openDatabase({ url: fresh.url }));
    const other = openDatabase({ url: fresh.url });
    // What is analysed is planned anew: it must not happen by itself.
    for (const table of TABLES) await other.execute(`alter table ${table} set (autovacuum_enabled = false)`);
    const fill = async (from: number, to: number) => {
      for (const sql of FILL) await other.execute(sql, [from, to]);
    };
    if (rows > 0) {
      await fill(1, rows);
      await other.execute('vacuum analyze');
    }
    const backend = async () => (await connection.one<{ pid: number }>('select pg_backend_pid() as pid')).pid;
    const first = await backend();
    for (const sql of CONTROLS) await other.execute(sql);
    const controls = ['falls_in', 'reads_an_index'].map((name) => callOf(name));
    // The controls first: what the others write and undo makes tables larger.
    for (const calls of [controls, Object.values(CALL_OF)])
      for (let i = 0; i < CALLS; i++) for (const call of calls) await tried(connection, call);
    // A connection that is idle for ten seconds is replaced, and its plans are gone.
    const inUse = setInterval(() => void backend().catch(() => {}), 1_000);
    for (let from = rows + 1; from <= ROWS; from += PART) {
      await fill(from, Math.min(from + PART - 1, ROWS));
      expect(await backend()).toBe(first);
    }
    clearInterval(inUse);
    // What this one read must not be counted later.
    await other.many('select pg_stat_force_next_flush()');
    await other.close();
  }, FILL_TIMEOUT_MS);
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  it.each(Object.entries(CALL_OF))('%s, by its key, when they have grown', async (_, call) => {
    const { wholeTables, blocks } = await readsDuring(connection, () => call(connection, ROWS / 2));
    expect(wholeTables).toEqual([]);
    expect(blocks).toBeGreaterThan(0);
    expect(blocks).toBeLessThan(FEW_BLOCKS);
  });

  it('(and what reads whole tables or indexes is seen)', async () => {
    const fallsIn = await readsDuring(connection, () => callOf('falls_in')(connection, ROWS / 2));
    // Postgres takes a table that was never filled for one of ten pages, where an index is worth its while.
    expect(fallsIn.wholeTables).toEqual(rows === 0 ? [] : ['outbox']);
    const readsAnIndex = await readsDuring(connection, () => callOf('reads_an_index')(connection, ROWS / 2));
    expect(readsAnIndex.wholeTables).toEqual([]);
    expect(readsAnIndex.blocks).toBeGreaterThan(FEW_BLOCKS);
  });

  it('(and every function is among them)', async () => {
    const files = await readdir(new URL('../../../shared/persistence/functions/', import.meta.url));
    const functions = files
      .map((file) => file.replace('.sql', ''))
      .filter((name) => !OF_MONTHS.has(name))
      .sort();
    const called = new Set(Object.keys(CALL_OF).map((name) => name.split(':')[0]));
    expect(functions).toEqual([...called].sort());
    connection.forget();
    for (const [name, call] of Object.entries(CALL_OF)) {
      await tried(connection, call);
      expect(connection.recorded.pop()?.sql).toContain(`${name.split(':')[0]}($1`);
    }
  });
});

const REFUSED = ['STALE_DECISION', 'RUNS_MOVED_ON', 'CONSTRAINT_VIOLATION'];

/** Leaves nothing but the plans. A key that is not there yet is refused where it is written. */
async function tried(connection: RecordingDatabase, call: Call): Promise<void> {
  const undo = new Error('Undone');
  const work = connection.transaction(async (statements) => {
    await call(statements, 2);
    throw undo;
  });
  await work.catch((error: Error & { code?: string }) => {
    if (error !== undo && !REFUSED.includes(error.code ?? '')) throw error;
  });
}
