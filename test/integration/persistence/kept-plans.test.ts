import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Changes } from '../../../shared/application/ports.ts';
import type { Attempt, Run } from '../../../shared/engine/state.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { loadAgentRoutes } from '../../../shared/persistence/agent-routes.ts';
import { openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { loadAttempts } from '../../../shared/persistence/load-attempts.ts';
import { loadRunData } from '../../../shared/persistence/load-run-data.ts';
import { lockRuns } from '../../../shared/persistence/lock-runs.ts';
import { createOutbox } from '../../../shared/persistence/outbox.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';
import { type RecordingDatabase, recordStatements } from '../../support/recording-database.ts';
import { readsDuring } from '../../support/table-reads.ts';

/*
 * Postgres keeps a function's plans for the connection: those of a connection that was opened on a new deployment's empty tables
 * still serve it when the tables have grown, until they are analysed. Each function must look up its keys by then too.
 */

const ROWS = 100_000;
/** Enough for Postgres to have settled on a plan: it tries five times what another plan would cost, unless it is told not to. */
const CALLS = 8;
/** A look-up of one key touches a few blocks of each index, an index of so many rows has hundreds. */
const FEW_BLOCKS = 100;

const idOf = (n: number, kind = 0) => `0000000${kind}-0000-7000-8000-${String(n).padStart(12, '0')}`;
const FILL = [
  `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner, input_data, variables, wake_at)
   select 'run-' || n, 'wf-a-1', 'a', case when n % 2 = 0 then 'RUNNING' else 'COMPLETED' end, 'user' || n, '1', '{}', now()
     from generate_series($1::int, $2::int) n`,
  // The second of each run's two attempts is open.
  `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status, output_data, wake_at)
   select id, id::text, 'run-' || n, 'step' || kind, 'a', 'theirs', case when kind = 0 then 'COMPLETED' else 'RUNNING' end, '1', now()
     from (select n, kind, ('0000000' || kind || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid as id
             from generate_series($1::int, $2::int) n, generate_series(0, 1) kind) as attempts`,
  `insert into outbox (id, messages)
   select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '[]' from generate_series($1::int, $2::int) n`,
  // Every other one is everybody's, the others are so many users' of one name.
  `insert into agents (id, owner, name, kind, address)
   select gen_random_uuid(), case when n % 2 = 0 then 'user' || n end, case when n % 2 = 0 then 'theirs' else 'agent' || n end, 'http', '' from generate_series($1::int, $2::int) n`,
];
const TABLES = ['workflow_runs', 'step_executions', 'outbox', 'agents'];

function runOf(n: number, given: Partial<Run>): Run {
  return {
    runId: `run-${n}`,
    status: 'RUNNING',
    sequence: 1,
    startedAt: 0,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    retriedAt: null,
    wakeAt: null,
    ...given,
  };
}

function attemptOf(stepExecutionId: string, given: Partial<Attempt> = {}): Attempt {
  return {
    stepExecutionId,
    stepId: 'b',
    scope: '',
    visit: 1,
    attempt: 1,
    policyAttempt: 1,
    status: 'RUNNING',
    inputData: { n: 1 },
    outputData: null,
    error: null,
    logs: null,
    createdAt: 0,
    startedAt: 0,
    completedAt: null,
    timeoutMs: 1_000,
    dueAt: null,
    deadlineAt: 1_000,
    acceptedAt: null,
    republishedAt: null,
    wakeAt: 1_000,
    ...given,
  };
}

const save =
  (changes: (n: number) => Partial<Changes>): Call =>
  (statements, n) => {
    const nothing = { advanced: [], changed: [], opened: [], started: [], closed: [], audited: [] };
    return saveChanges(statements, { ...nothing, ...changes(n) }, { id: uuidv7(), messages: [] });
  };

/** About the n-th row. */
type Call = (statements: Statements, n: number) => Promise<unknown>;

const ATTEMPTS = { ids: [], withInput: [], openOf: [], lastOf: [] };
const DATA = { inputsOf: [], variablesOf: [], outputs: [] };
const CALL_OF: Record<string, Call> = {
  'lock_runs: a run': (statements, n) => lockRuns(statements, [`run-${n}`]),
  'load_attempts: by id': (statements, n) =>
    loadAttempts(statements, { ...ATTEMPTS, ids: [idOf(n)], withInput: [idOf(n)] }),
  'load_attempts: those open': (statements, n) =>
    loadAttempts(statements, { ...ATTEMPTS, openOf: [`run-${n}`] }),
  'load_attempts: the last one': (statements, n) =>
    loadAttempts(statements, { ...ATTEMPTS, lastOf: [`run-${n}`] }),
  'load_run_data: an input': (statements, n) => loadRunData(statements, { ...DATA, inputsOf: [`run-${n}`] }),
  'load_run_data: variables': (statements, n) =>
    loadRunData(statements, { ...DATA, variablesOf: [`run-${n}`] }),
  'load_run_data: an output': (statements, n) =>
    loadRunData(statements, { ...DATA, outputs: [{ runId: `run-${n}`, stepId: 'step0' }] }),
  'load_agent_routes: a user’s agent': (statements, n) =>
    loadAgentRoutes(statements, [{ owner: `user${n}`, name: 'theirs' }]),
  'load_agent_routes: everybody’s': (statements, n) =>
    loadAgentRoutes(statements, [{ owner: null, name: `agent${n + 1}` }]),
  'load_agent_calls: a call': (statements, n) => createAgentCalls(statements).loadCalls([idOf(n, 1)]),
  'save_decisions: closed': save((n) => ({ closed: [attemptOf(idOf(n, 1), { status: 'COMPLETED' })] })),
  'save_decisions: started': save((n) => ({ started: [attemptOf(idOf(n + 2, 1))] })),
  'save_decisions: opened': save((n) => ({
    opened: [
      { runId: `run-${n}`, stepName: 'b', agentName: 'b', stepType: 'agent', attempt: attemptOf(uuidv7()) },
    ],
  })),
  'save_decisions: advanced': save((n) => ({ advanced: [{ runId: `run-${n}`, sequence: 1 }] })),
  'save_decisions: changed': save((n) => ({
    changed: [{ run: runOf(n, { sequence: 2, status: 'COMPLETED' }), versionId: null }],
  })),
  'remove_outbox: an entry': (statements, n) => createOutbox(statements).remove([idOf(n)]),
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
  let fresh: FreshDatabase;
  let connection: RecordingDatabase;
  let pid: number;
  const pidOf = async () => (await connection.one<{ pid: number }>('select pg_backend_pid() as pid')).pid;
  beforeAll(async () => {
    fresh = await createFreshDatabase(inject('databaseUrl'));
    connection = recordStatements(openDatabase({ url: fresh.url }));
    pid = await pidOf();
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
    for (const sql of CONTROLS) await other.execute(sql);
    const controls = ['falls_in', 'reads_an_index'].map((name) => callOf(name));
    for (let i = 0; i < CALLS; i++)
      for (const call of [...Object.values(CALL_OF), ...controls]) await tried(connection, call);
    // The pool ends a connection that is idle for long, and its plans with it.
    const kept = setInterval(() => void connection.many('select 1'), 1_000);
    await fill(rows + 1, ROWS).finally(() => clearInterval(kept));
    // What this one read must not be counted later.
    await other.many('select pg_stat_force_next_flush()');
    await other.close();
  });
  afterAll(async () => {
    await connection?.close();
    await fresh?.drop();
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

  it('(and it is still the same connection)', async () => {
    expect(await pidOf()).toBe(pid);
  });

  it('(and every function is among them)', async () => {
    const functions = await connection.many<{ name: string }>(
      `select proname as name from pg_proc
        where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype
          and proname not in ('refuse_stale', 'falls_in', 'reads_an_index') order by proname`,
    );
    const called = new Set(Object.keys(CALL_OF).map((name) => name.split(':')[0]));
    expect(functions.map(({ name }) => name)).toEqual([...called].sort());
    connection.forget();
    for (const [name, call] of Object.entries(CALL_OF)) {
      await tried(connection, call);
      expect(connection.recorded.pop()?.sql).toContain(`${name.split(':')[0]}($1`);
    }
  });
});

/** Leaves nothing but the plans. A key that is not there yet is refused where it is written. */
async function tried(connection: RecordingDatabase, call: Call): Promise<void> {
  const undo = new Error('Undone');
  const work = connection.transaction(async (statements) => {
    await call(statements, 2);
    throw undo;
  });
  await work.catch((error: Error & { code?: string }) => {
    if (error !== undo && error.code !== 'STALE_DECISION') throw error;
  });
}
