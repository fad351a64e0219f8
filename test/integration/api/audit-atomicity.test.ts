import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { changesSomething } from '../../../functions/api/http/accounting.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import type { ApiRequest } from '../../support/api-event.ts';
import { dataPipeline } from './api-harness.ts';
import { openRunHarness, type RunHarness } from './run-harness.ts';

/*
 * No change without its audit record, and no record without its change: every call that changes something, with the database
 * refusing the one or the other.
 */

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  await execute(`create function break_down() returns trigger language plpgsql as
    $$ begin raise exception 'broken by the test'; end $$`);
});
afterAll(() => api?.close());

/** What calls change. Each is changed by one of them at least. */
const tables = [
  'workflows',
  'workflow_versions',
  'workflow_grants',
  'workflow_runs',
  'step_executions',
  'outbox',
  'idempotency_keys',
  'agents',
  'api_keys',
  'signals',
];
const execute = (sql: string) => api.engine.database.execute(sql);
afterEach(async () => {
  for (const table of ['audit_log', ...tables]) await execute(`drop trigger if exists breaking on ${table}`);
});

const refuseRecords = () =>
  execute('create trigger breaking before insert on audit_log for each row execute function break_down()');

/** Every row is written, and the commit fails. */
async function failCommits(): Promise<void> {
  for (const table of tables) {
    await execute(`create constraint trigger breaking after insert or update or delete on ${table}
      deferrable initially deferred for each row execute function break_down()`);
  }
}

async function stateOf(changed: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    changed.map(async (table) => {
      const { text } = await api.engine.database.one<{ text: string }>(
        `select coalesce(string_agg(t::text, chr(10) order by t::text), '') as text from ${table} t`,
      );
      return `${table}\n${text}`;
    }),
  );
  return texts.join('\n\n');
}

async function recordsOf(action: string): Promise<string[]> {
  const rows = await api.engine.database.many<{ resource: string }>(
    'select resource from audit_log where action = $1 order by id',
    [action],
  );
  return rows.map(({ resource }) => resource);
}

async function ask(method: string, path: string, body?: unknown) {
  const answer = await api.as('ann')({ method, path, body });
  expect(answer.status).toBeLessThan(300);
  return answer.body;
}

let names = 0;
const definition = () => ({ ...dataPipeline, name: `w${names++}` });
const workflow = async (): Promise<string> => (await ask('POST', '/api/v1/workflows', definition())).id;
const agent = async (): Promise<string> =>
  (await ask('POST', '/api/v1/agents', { name: `a${names++}`, url: 'https://agents.example.com/' })).id;
const apiKey = async (): Promise<string> => (await ask('POST', '/api/v1/api-keys', { name: 'k' })).id;
const executionOf = (runId: string) => runId.slice('run-'.length);

interface Change {
  readonly request: ApiRequest;
  /** What the record names; absent where the request makes it. */
  readonly resource?: string;
}

async function callback(path = '', body: unknown = {}): Promise<Change> {
  const runId = await api.startedRun();
  await api.pickUp(runId);
  const attempt = await api.openAttempt(runId);
  const token = api.engine.tokens.callbackToken(attempt);
  const request = { method: 'POST', path: `/api/v1/callbacks/${attempt}/${token}${path}`, body };
  return { request, resource: runId };
}

const changes: Record<string, () => Promise<Change>> = {
  registerWorkflow: async () => ({
    request: { method: 'POST', path: '/api/v1/workflows', body: definition() },
  }),
  replaceWorkflow: async () => {
    const id = await workflow();
    return { request: { method: 'PUT', path: `/api/v1/workflows/${id}`, body: definition() }, resource: id };
  },
  deleteWorkflow: async () => {
    const id = await workflow();
    return { request: { method: 'DELETE', path: `/api/v1/workflows/${id}` }, resource: id };
  },
  putPermission: async () => ({
    request: {
      method: 'PUT',
      path: `/api/v1/workflows/${await workflow()}/permissions`,
      body: { user_id: 'val' },
    },
  }),
  grantPermission: async () => ({
    request: {
      method: 'POST',
      path: `/api/v1/workflows/${await workflow()}/permissions`,
      body: { user_id: 'val' },
    },
  }),
  revokePermission: async () => {
    const path = `/api/v1/workflows/${await workflow()}/permissions`;
    const { id } = await ask('PUT', path, { user_id: 'val' });
    return { request: { method: 'DELETE', path: `${path}/${id}` }, resource: id };
  },
  executeWorkflow: async () => ({
    request: { ...api.execute({}), headers: { 'Idempotency-Key': `k${names++}` } },
  }),
  executeOwnWorkflow: async () => ({
    request: { method: 'POST', path: `/api/workflows/${api.workflowId}/execute` },
  }),
  cancelRun: async () => {
    const runId = await api.startedRun();
    return { request: { method: 'POST', path: `/api/v1/runs/${runId}/cancel` }, resource: runId };
  },
  cancelExecution: async () => {
    const runId = await api.startedRun();
    const path = `/api/v1/workflows/executions/${executionOf(runId)}/cancel`;
    return { request: { method: 'POST', path }, resource: runId };
  },
  cancelOwnExecution: async () => {
    const runId = await api.startedRun();
    const path = `/api/workflows/executions/${executionOf(runId)}/cancel`;
    return { request: { method: 'POST', path }, resource: runId };
  },
  retryRun: async () => {
    const runId = await api.startedRun();
    await ask('POST', `/api/v1/runs/${runId}/cancel`);
    return { request: { method: 'POST', path: `/api/v1/runs/${runId}/retry` }, resource: runId };
  },
  pauseRun: async () => {
    const runId = await api.startedRun();
    return { request: { method: 'POST', path: `/api/v1/runs/${runId}/pause` }, resource: runId };
  },
  resumeRun: async () => {
    const runId = await api.startedRun();
    await ask('POST', `/api/v1/runs/${runId}/pause`);
    return { request: { method: 'POST', path: `/api/v1/runs/${runId}/resume` }, resource: runId };
  },
  sendSignal: async () => {
    const runId = await api.startedRun();
    return { request: { method: 'POST', path: `/api/v1/runs/${runId}/signals/go` }, resource: runId };
  },
  pauseWorkflow: async () => {
    const id = await workflow();
    return { request: { method: 'POST', path: `/api/v1/workflows/${id}/pause` }, resource: id };
  },
  resumeWorkflow: async () => {
    const id = await workflow();
    await ask('POST', `/api/v1/workflows/${id}/pause`);
    return { request: { method: 'POST', path: `/api/v1/workflows/${id}/resume` }, resource: id };
  },
  cancelRuns: async () => {
    const workflowId = await workflow();
    const runId = (await ask('POST', `/api/v1/workflows/${workflowId}/execute`)).run_id;
    const body = { filter: { workflow_id: workflowId } };
    return { request: { method: 'POST', path: '/api/v1/runs/bulk-cancel', body }, resource: runId };
  },
  registerAgent: async () => ({
    request: {
      method: 'POST',
      path: '/api/v1/agents',
      body: { name: `a${names++}`, url: 'https://agents.example.com/' },
    },
  }),
  updateAgent: async () => {
    const id = await agent();
    const body = { url: 'https://agents.example.com/other' };
    return { request: { method: 'PUT', path: `/api/v1/agents/${id}`, body }, resource: id };
  },
  deleteAgent: async () => {
    const id = await agent();
    return { request: { method: 'DELETE', path: `/api/v1/agents/${id}` }, resource: id };
  },
  createApiKey: async () => ({
    request: { method: 'POST', path: '/api/v1/api-keys', body: { name: 'k' } },
  }),
  revokeApiKey: async () => {
    const id = await apiKey();
    return { request: { method: 'DELETE', path: `/api/v1/api-keys/${id}` }, resource: id };
  },
  completeCallback: () => callback(),
  failCallback: () => callback('/fail', { message: 'No' }),
};

it('every call that changes something is here', () => {
  const operations = allRoutes.filter(changesSomething).map(({ operationId }) => operationId);
  expect(Object.keys(changes).sort()).toEqual(operations.sort());
});

/** What these ask of a run is decided by the engine, which keeps a fault to its run. */
const DECIDED = new Set([
  'cancelRun',
  'cancelExecution',
  'cancelOwnExecution',
  'cancelRuns',
  'retryRun',
  'pauseRun',
  'resumeRun',
  'sendSignal',
  'completeCallback',
  'failCallback',
]);

describe.each(Object.entries(changes))('%s', (operationId, prepare) => {
  const code = DECIDED.has(operationId) ? 'EXECUTION_ERROR' : 'INTERNAL_ERROR';
  const action = operationId.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const send = (request: ApiRequest) =>
    request.path.includes('/callbacks/') ? api.send(request) : api.as('ann')(request);

  it.each([
    ['a record that cannot be written', refuseRecords],
    ['a commit that fails after the change', failCommits],
  ])('%s leaves neither change nor record', async (_what, breakDatabase) => {
    const { request } = await prepare();
    const before = await stateOf([...tables, 'audit_log']);
    await breakDatabase();
    const linesBefore = api.lines.length;
    const { status, body } = await send(request);
    expect([status, body.error_code]).toEqual([500, code]);
    expect(await stateOf([...tables, 'audit_log'])).toBe(before);
    const lines = api.lines.slice(linesBefore).join('\n');
    expect(lines).not.toContain(' AUDIT ');
    expect(lines).toContain(`action=${action} result=${code}`);
  });

  it('leaves both where nothing breaks', async () => {
    const { request, resource } = await prepare();
    const [before, records] = [await stateOf(tables), await recordsOf(action)];
    const { status, body } = await send(request);
    expect(status).toBeLessThan(300);
    expect(await stateOf(tables)).not.toBe(before);
    const named = resource ?? body.run_id ?? body.id ?? `run-${body.execution_id}`;
    expect(await recordsOf(action)).toEqual([...records, named]);
  });
});

describe('what turns out to change nothing leaves no record and no AUDIT line:', () => {
  it.each<[what: string, prepare: () => Promise<ApiRequest>]>([
    [
      'a count of what would be cancelled',
      async () => ({
        method: 'POST',
        path: '/api/v1/runs/bulk-cancel',
        body: { filter: { workflow_id: api.workflowId }, dry_run: true },
      }),
    ],
    [
      'a filter that finds nothing to cancel',
      async () => ({
        method: 'POST',
        path: '/api/v1/runs/bulk-cancel',
        body: { filter: { workflow_id: await workflow() } },
      }),
    ],
    [
      'a key that is revoked again',
      async () => {
        const path = `/api/v1/api-keys/${await apiKey()}`;
        await ask('DELETE', path);
        return { method: 'DELETE', path };
      },
    ],
    [
      'a run that is paused again',
      async () => {
        const path = `/api/v1/runs/${await api.startedRun()}/pause`;
        await ask('POST', path);
        return { method: 'POST', path };
      },
    ],
    [
      'a run that is resumed and was not paused',
      async () => ({ method: 'POST', path: `/api/v1/runs/${await api.startedRun()}/resume` }),
    ],
    [
      'a signal that has come before',
      async () => {
        const path = `/api/v1/runs/${await api.startedRun()}/signals/go`;
        await ask('POST', path, { id: 'one' });
        return { method: 'POST', path, body: { id: 'one' } };
      },
    ],
    [
      'a workflow that is paused again',
      async () => {
        const path = `/api/v1/workflows/${await workflow()}/pause`;
        await ask('POST', path);
        return { method: 'POST', path };
      },
    ],
    [
      'an execution that is asked for again',
      async () => {
        const request = { ...api.execute({}), headers: { 'Idempotency-Key': 'again' } };
        await api.as('ann')(request);
        return request;
      },
    ],
  ])('%s', async (_what, prepare) => {
    const request = await prepare();
    const [state, lines] = [await stateOf([...tables, 'audit_log']), api.lines.length];
    expect((await api.as('ann')(request)).status).toBeLessThan(300);
    expect(await stateOf([...tables, 'audit_log'])).toBe(state);
    expect(api.lines.slice(lines).join('\n')).not.toContain(' AUDIT ');
  });
});

it('a paused workflow has a record, and each run that was paused with it', async () => {
  const workflowId = await workflow();
  const runs: string[] = [];
  for (let n = 0; n < 3; n++)
    runs.push((await ask('POST', `/api/v1/workflows/${workflowId}/execute`)).run_id);
  await ask('POST', `/api/v1/workflows/${workflowId}/pause`);
  const records = await recordsOf('pause_workflow');
  expect(records.slice(-4).sort()).toEqual([workflowId, ...runs].sort());
});

it('a cancelled run has a record of its own, also where many are cancelled at once', async () => {
  const workflowId = await workflow();
  const runs: string[] = [];
  for (let n = 0; n < 3; n++)
    runs.push((await ask('POST', `/api/v1/workflows/${workflowId}/execute`)).run_id);
  await ask('POST', '/api/v1/runs/bulk-cancel', { filter: { workflow_id: workflowId } });
  const records = await recordsOf('cancel_runs');
  expect(records.slice(-3).sort()).toEqual(runs.sort());
});
