import pg from 'pg';
import { MIGRATION_LOCK } from './migrate.ts';

type Privilege = 'select' | 'insert' | 'update' | 'delete';
type Grants = Readonly<Record<string, readonly Privilege[]>>;

const read = ['select'] as const;
const append = ['select', 'insert'] as const;
/** `select … for update` asks for `update` too. */
const change = ['select', 'update'] as const;
const write = ['select', 'insert', 'update'] as const;
/** Rows are locked before they are deleted, which asks for `update`. */
const purge = ['select', 'update', 'delete'] as const;
const all = ['select', 'insert', 'update', 'delete'] as const;

/**
 * What the functions may do that decide about runs: the API does too, where it cancels, retries or takes an answer. The engine's
 * statements are database functions, which run with their caller's rights.
 */
const engine = {
  workflow_runs: write,
  step_executions: write,
  scopes: write,
  scope_children: write,
  scope_data: all,
  scope_history: write,
  signals: write,
  workflows: read,
  workflow_versions: append,
  outbox: all,
  agents: read,
  agent_speeds: read,
} satisfies Grants;

const bridge = {
  workflow_runs: change,
  step_executions: change,
  agents: read,
  agent_speeds: write,
  dead_letter_counts: write,
} satisfies Grants;

/** Each function's database user, and what it may do with which table. A table that is not named here is the owner's alone. */
export const databaseRoles: Readonly<Record<string, Grants>> = {
  stepline_api: {
    ...engine,
    workflows: write,
    agents: all,
    api_keys: write,
    workflow_grants: all,
    idempotency_keys: append,
    rate_limits: write,
    audit_log: append,
    run_counts: read,
    labelled_workflows: read,
    closed_run_counts: read,
    dead_letter_counts: read,
    timekeeper_tick: read,
  },
  stepline_step_executor: { ...engine, agent_speeds: write, dead_letter_counts: write },
  stepline_http_bridge: bridge,
  stepline_lambda_bridge: bridge,
  stepline_timekeeper: {
    workflow_runs: change,
    step_executions: change,
    outbox: purge,
    workflows: read,
    workflow_versions: read,
    agents: read,
    agent_speeds: read,
    timekeeper_tick: change,
    rate_limits: purge,
    idempotency_keys: purge,
    closed_run_counts: purge,
    labelled_workflows: ['select', 'delete'],
  },
};

/** Functions that have their definer's rights, and who may call them. All others have their caller's. */
export const definersFunctions: Readonly<Record<string, readonly string[]>> = {
  'make_partitions(integer, integer)': ['stepline_timekeeper'],
  'remove_old_runs(integer, integer)': ['stepline_timekeeper'],
  'purge_audit_log(integer, integer)': ['stepline_timekeeper'],
  // By save_runs.
  'count_runs(counted_run[], counted_run[])': ['stepline_api', 'stepline_step_executor'],
};

/**
 * A frozen Lambda must let go of what it has locked, and a statement that nobody waits for any more must end: before the API, which
 * has 28 seconds, and so as an answer.
 */
const TIMEOUTS = {
  statement_timeout: '25s',
  idle_in_transaction_session_timeout: '15s',
  lock_timeout: '10s',
} as const;

/**
 * Makes the functions' users and gives each what it needs and nothing beside. Idempotent: what an earlier deployment granted and
 * this one does not is taken away. Users belong to the whole server, their rights to this database. On RDS they authenticate by
 * IAM and have no password.
 */
export async function ensureDatabaseRoles(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const isRds = (await client.query("select 1 from pg_roles where rolname = 'rds_iam'")).rowCount === 1;
    for (const [role, grants] of Object.entries(databaseRoles)) {
      await client.query(statementsFor(role, grants, isRds).join(';\n'));
    }
    await client.query(callStatements().join(';\n'));
    await client.query('commit');
  } finally {
    await client.end();
  }
}

function statementsFor(role: string, grants: Grants, isRds: boolean): string[] {
  return [
    // Another database's deployment on this server may make it in the same moment.
    `do $$ begin create role ${role} login; exception when duplicate_object or unique_violation then null; end $$`,
    ...(isRds ? [`grant rds_iam to ${role}`] : []),
    ...Object.entries(TIMEOUTS).map(([setting, value]) => `alter role ${role} set ${setting} = '${value}'`),
    `revoke all on all tables in schema public from ${role}`,
    `grant usage on schema public to ${role}`,
    ...Object.entries(grants).map(
      ([table, privileges]) => `grant ${privileges.join(', ')} on ${table} to ${role}`,
    ),
  ];
}

/** Postgres lets everybody call a function that nobody has said otherwise of. */
function callStatements(): string[] {
  return Object.entries(definersFunctions).flatMap(([signature, callers]) => [
    `revoke execute on function ${signature} from public, ${Object.keys(databaseRoles).join(', ')}`,
    `grant execute on function ${signature} to ${callers.join(', ')}`,
  ]);
}
