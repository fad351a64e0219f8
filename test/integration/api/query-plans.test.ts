import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createAgentExamples } from '../../../shared/persistence/agent-examples.ts';
import { createAgents } from '../../../shared/persistence/agents.ts';
import { createApiKeys } from '../../../shared/persistence/api-keys.ts';
import { createAuditLog } from '../../../shared/persistence/audit-log.ts';
import { readBacklog, readBacklogSizes } from '../../../shared/persistence/backlog.ts';
import { type Database, openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { createCountDeadLetters } from '../../../shared/persistence/dead-letter-counts.ts';
import { createExecutionQueries, type NumberedPage } from '../../../shared/persistence/execution-queries.ts';
import { createKnownNames } from '../../../shared/persistence/known-names.ts';
import { createNodeQueries } from '../../../shared/persistence/node-queries.ts';
import { removeOldIdempotencyKeys } from '../../../shared/persistence/purge.ts';
import { createRunBatches } from '../../../shared/persistence/run-batches.ts';
import { createRunQueries } from '../../../shared/persistence/run-queries.ts';
import { createWorkflowGrants } from '../../../shared/persistence/workflow-grants.ts';
import { createWorkflowMetrics } from '../../../shared/persistence/workflow-metrics.ts';
import { createWorkflows } from '../../../shared/persistence/workflows.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

const ROWS = 100_000;
let fresh: FreshDatabase;
let database: Database;

beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url });
  await database.execute(
    `insert into workflows (id, owner, name, latest_version, created_at)
     select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n % 50, 'w' || n, 1, now() - n * interval '1 second'
     from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into workflow_versions (id, workflow_id, version, definition, content_hash)
     select gen_random_uuid(), id, 1, '{}', '' from workflows`,
  );
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, owner, created_at, started_at, completed_at, community_id, error_message)
     select 'run' || n, 'wf-a-1', 'a', '00000000-0000-7000-8000-' || lpad((n % 100)::text, 12, '0'),
            case n % 1000 when 0 then 'FAILED' when 1 then 'RUNNING' else 'COMPLETED' end, 'user' || n % 50, now() - n * interval '1 second',
            now() - n * interval '1 second', case when n % 1000 <> 1 then now() end, n % 3,
            case n % 1000 when 0 then 'Step "s" failed: Refused by bucket ' || n end
     from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, error_message, logs)
     select 'run' || n, 'step' || n, 's', 's', 'a', 'COMPLETED', case n % 1000 when 0 then 'Refused by bucket ' || n end,
            case n % 10 when 3 then jsonb_build_array('read rows of file' || n) end
     from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into agents (id, owner, name, kind, address)
     select gen_random_uuid(), 'user' || n % 50, 'agent' || n, 'http', '' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into api_keys (id, key_hash, prefix, name, user_id)
     select gen_random_uuid(), sha256(n::text::bytea), '', '', 'user' || n % 50 from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into workflow_grants (id, workflow_id, user_id, community_id, can_view, can_execute, granted_by)
     select gen_random_uuid(), id, case n % 2 when 0 then 'user' || n % 5000 end, case n % 2 when 1 then n % 5000 end, true, false, ''
     from (select id, row_number() over () as n from workflows) w`,
  );
  await database.execute(
    `insert into audit_log (id, at, user_id, action, result)
     select gen_random_uuid(), now() - n * interval '1 second', 'user' || n % 50, 'x', 'SUCCESS' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into outbox (id, messages) select gen_random_uuid(), '[]' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into idempotency_keys (user_id, key, request_hash, run_id, created_at)
     select 'user' || n % 50, n::text, '', 'run' || n, now() - n * interval '1 minute' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into signals (run_id, id, name, received_at)
     select 'run' || n, 'signal' || n, 'go', now() from generate_series(1, ${ROWS}) n`,
  );
  // As autovacuum does: an index alone answers only where it is known that all see its rows.
  await database.execute('vacuum (analyze)');
  // Filling takes a minute where others are at work too.
}, 600_000);
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});

/** Runs `work` on a database that explains statements instead of answering them. */
async function plansOf(work: (statements: Statements) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = [];
  const explain = async (sql: string, values?: readonly unknown[]) => {
    const rows = await database.many<{ 'QUERY PLAN': string }>(`explain ${sql}`, values);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
  };
  await work({
    many: async (sql, values) => {
      await explain(sql, values);
      return [];
    },
    maybeOne: async (sql, values) => {
      await explain(sql, values);
      return null;
    },
    one: async (sql, values) => {
      await explain(sql, values);
      throw new Error('explained statements answer nothing');
    },
    execute: async (sql, values) => {
      await explain(sql, values);
      return 0;
    },
  });
  return plans;
}

const user = { userId: 'user7', isAdmin: false, communities: [7, 9] };
const admin = { userId: 'root', isAdmin: true, communities: [] };
const id = '00000000-0000-7000-8000-000000000007';
const first = { after: null, limit: 100 };
const later = { after: { key: '2026-01-01T00:00:00.000000Z', id }, limit: 100 };
const ofWorkflow = { workflowId: id, communityId: 1 };
const byStart: NumberedPage = { page: 3, perPage: 20, sortBy: 'start_time', sortOrder: 'desc' };
const aDay = { startedAfter: '2026-01-01T00:00:00Z', startedBefore: '2026-01-02T00:00:00Z' };
const metricsOf = createWorkflowMetrics;
const metricsRange = { workflowId: id, ...aDay };
const plainPage = { limit: 20, offset: 40 };
const laterName = { after: { key: 'agent5', id }, limit: 100 };

describe('on 100,000 rows no statement reads a whole table', () => {
  it.each<[what: string, work: (statements: Statements) => Promise<unknown>]>([
    ['a key', (s) => createApiKeys(s).maybeFindApiKey(Buffer.alloc(32))],
    ['a use of a key', (s) => createApiKeys(s).recordApiKeyUse(id)],
    ['a key to manage', (s) => createApiKeys(s).maybeFindManagedApiKey(user, id)],
    ['keys', (s) => createApiKeys(s).listApiKeys('user7', later)],
    ['a key to revoke', (s) => createApiKeys(s).revokeApiKey(user, id, auditEntry)],
    ['a workflow to execute', (s) => createWorkflows(s).maybeFindExecutable(user, id)],
    ['a workflow', (s) => createWorkflows(s).maybeFindWorkflow(user, id)],
    ['rights on a workflow', (s) => createWorkflows(s).maybeFindRights(user, id)],
    ['rights on a run', (s) => createRunQueries(s).maybeFindRunRights(user, 'run7')],
    ['audit records', (s) => createAuditLog(s).list(user, {}, later)],
    ['all audit records', (s) => createAuditLog(s).list(admin, {}, first)],
    ['permissions', (s) => createWorkflowGrants(s).listGrants(id, later)],
    ['a permission to revoke', (s) => createWorkflowGrants(s).deleteGrant(id, id, auditEntry)],
    ['a workflow to archive', (s) => createWorkflows(s).archiveWorkflow(user, id, auditEntry)],
    ['a version of a workflow', (s) => createWorkflows(s).maybeFindVersion(id, null)],
    ['a workflow to pause', (s) => createWorkflows(s).setPaused(user, id, true, auditEntry)],
    ['workflows', (s) => createWorkflows(s).listWorkflows(user, {}, first)],
    ['workflows, later', (s) => createWorkflows(s).listWorkflows(user, {}, later)],
    ['workflows of a name', (s) => createWorkflows(s).listWorkflows(user, { name: 'w7' }, first)],
    ['all workflows', (s) => createWorkflows(s).listWorkflows(admin, {}, first)],
    ['a run', (s) => createRunQueries(s).maybeFindRun(user, 'run7')],
    ["a run's status", (s) => createRunQueries(s).maybeFindRunStatus(user, 'run7')],
    ['runs', (s) => createRunQueries(s).listRuns(user, {}, first)],
    ['runs, later', (s) => createRunQueries(s).listRuns(user, {}, later)],
    ['failed runs', (s) => createRunQueries(s).listRuns(user, { statuses: ['FAILED'] }, first)],
    ['runs of a workflow', (s) => createRunQueries(s).listRuns(user, { workflowId: id }, first)],
    ['all runs', (s) => createRunQueries(s).listRuns(admin, {}, first)],
    ['all runs, later', (s) => createRunQueries(s).listRuns(admin, {}, later)],
    ['all open runs', (s) => createRunQueries(s).listRuns(admin, { statuses: ['RUNNING'] }, first)],
    [
      'all failed runs',
      (s) => createRunQueries(s).listRuns(admin, { statuses: ['FAILED', 'CANCELLED'] }, first),
    ],
    ['steps', (s) => createRunQueries(s).readSteps('run7', { after: null, limit: 1_001 })],
    ['steps, later', (s) => createRunQueries(s).readSteps('run7', later)],
    ['a signal', (s) => createRunQueries(s).hasSignal('run7', 'signal7')],
    ['all paused runs', (s) => createRunQueries(s).listRuns(admin, { statuses: ['PAUSED'] }, first)],
    [
      'open runs to pause',
      (s) => createRunBatches(s).findOpenRunsOf(id, { isHeld: false, after: id, limit: 500 }),
    ],
    ['an attempt', (s) => createRunQueries(s).maybeFindAttempt('step7')],
    ['an execution', (s) => createExecutionQueries(s).maybeFindExecution(user, id, 'visible')],
    ['one’s own execution', (s) => createExecutionQueries(s).maybeFindExecution(user, id, 'own')],
    ['an execution’s run', (s) => createExecutionQueries(s).maybeFindExecutionRun(user, id, 'visible')],
    ['executions', (s) => createExecutionQueries(s).listExecutions(user, ofWorkflow, {}, byStart)],
    [
      'executions of a status',
      (s) => createExecutionQueries(s).listExecutions(admin, ofWorkflow, { statuses: ['FAILED'] }, byStart),
    ],
    ['executions of a day', (s) => createExecutionQueries(s).listExecutions(user, ofWorkflow, aDay, byStart)],
    [
      'executions by status',
      (s) => createExecutionQueries(s).listExecutions(user, ofWorkflow, {}, { ...byStart, sortBy: 'status' }),
    ],
    [
      'executions by their time',
      (s) =>
        createExecutionQueries(s).listExecutions(
          user,
          ofWorkflow,
          {},
          { ...byStart, sortBy: 'execution_time' },
        ),
    ],
    ['one’s own executions', (s) => createExecutionQueries(s).listOwnExecutions(user, {}, plainPage)],
    [
      'one’s own of a workflow and day',
      (s) =>
        createExecutionQueries(s).listOwnExecutions(
          user,
          { ...aDay, workflowId: id, statuses: ['COMPLETED'] },
          plainPage,
        ),
    ],
    ['runs of a day', (s) => createRunQueries(s).listRuns(user, aDay, first)],
    ['runs by their ids', (s) => createRunBatches(s).findRuns(user, ['run7', id])],
    [
      'open runs to cancel',
      (s) => createRunBatches(s).findOpenRuns(user, { workflowId: id, ...aDay }, 1_000),
    ],
    ['nodes', (s) => createNodeQueries(s).readNodes('run7', 1_000)],
    [
      'metrics',
      (s) =>
        createNodeQueries(s)
          .readNodeMetrics('run7')
          .catch(() => null),
    ],
    [
      'logs',
      (s) =>
        createNodeQueries(s).readLogs(
          'run7',
          { stepType: 'ai', stepName: 's', hasError: true, text: 'x' },
          plainPage,
        ),
    ],
    ['open runs, waiting and due', (s) => readBacklog(s).catch(() => null)],
    ['how many are open', (s) => readBacklogSizes(s).catch(() => null)],
    [
      'metrics of a workflow',
      (s) =>
        metricsOf(s)
          .readRunMetrics(user, metricsRange)
          .catch(() => null),
    ],
    [
      'metrics of a version',
      (s) =>
        metricsOf(s)
          .readRunMetrics(admin, { ...metricsRange, version: 1 })
          .catch(() => null),
    ],
    ['the slowest steps', (s) => metricsOf(s).readSlowestSteps(user, metricsRange)],
    ['runs that mention a word', (s) => createRunQueries(s).listRuns(user, { mentions: 'file7' }, first)],
    [
      'all runs that mention a word',
      (s) => createRunQueries(s).listRuns(admin, { mentions: 'file7' }, first),
    ],
    [
      'open runs that mention a word',
      (s) => createRunBatches(s).findOpenRuns(user, { mentions: 'file7' }, 1_000),
    ],
    [
      'executions that mention a word',
      (s) => createExecutionQueries(s).listExecutions(user, ofWorkflow, { mentions: 'file7' }, byStart),
    ],
    [
      'one’s own executions that mention a word',
      (s) => createExecutionQueries(s).listOwnExecutions(user, { mentions: 'file7' }, plainPage),
    ],
    ['old idempotency keys', (s) => removeOldIdempotencyKeys(s, { keepDays: 7, atMost: 1_000 })],
    [
      'the count of a dead letter',
      (s) => createCountDeadLetters(s)([{ topic: 'results.topic', partition: 0, offset: 1 }]),
    ],
    ['an agent by name', (s) => createAgents(s).maybeFindAgent(user, 'agent7')],
    ['an agent by id', (s) => createAgents(s).maybeFindAgent(user, id)],
    ['agents', (s) => createAgents(s).listAgents(user, {}, laterName)],
    ['all agents', (s) => createAgents(s).listAgents(admin, {}, first)],
    [
      'the examples of agents',
      (s) => createAgentExamples(s).loadExamples('user7', ['agent7', 'agent57', 'agent8'], 1_000),
    ],
    [
      'names that definitions have and nobody else',
      (s) =>
        createKnownNames(s).findMissing('user7', { agents: ['agent7', 'agnt57'], workflows: ['w7', 'none'] }),
    ],
    ['the names of an owner’s agents and workflows', (s) => createKnownNames(s).listNames('user7', 250)],
    ['an agent to delete', (s) => createAgents(s).deleteAgent(user, id, auditEntry)],
  ])('%s', async (_what, work) => {
    const plans = await plansOf(work);
    expect(plans).toHaveLength(1);
    // The first has one row, and no month has runs, for those are another producer’s.
    expect(plans[0]).not.toMatch(/Seq Scan on (?!timekeeper_tick|audit_log_default|\w+_\d{4}_\d\d )/);
    expect(plans[0]).toMatch(/Index/);
  });

  it.each<[what: string, filter: { mentions: string }, viewer: typeof user]>([
    ['a user’s', { mentions: 'refused bucket 7000' }, user],
    ['an admin’s', { mentions: 'refused bucket 7000' }, admin],
  ])('%s search reads the indexes of words', async (_what, filter, viewer) => {
    const [plan] = await plansOf((s) => createRunQueries(s).listRuns(viewer, filter, first));
    expect(plan).toContain('Bitmap Index Scan on step_executions_default_searchable_words_idx');
    expect(plan).toContain('Bitmap Index Scan on workflow_runs_default_searchable_words_idx');
  });

  it('an index alone answers for the metrics of a workflow', async () => {
    const [plan] = await plansOf((s) =>
      metricsOf(s)
        .readRunMetrics(user, metricsRange)
        .catch(() => null),
    );
    expect(plan).toMatch(
      /Index Only Scan Backward using workflow_runs_default_workflow_definition_id_begun_at\w+ on workflow_runs_default/,
    );
  });
});
