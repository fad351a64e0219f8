import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { NewRun } from '../../../shared/application/start-run.ts';
import { openDatabase } from '../../../shared/persistence/database.ts';
import { createNewRuns } from '../../../shared/persistence/new-runs.ts';
import { publishedEntries } from '../../../shared/persistence/outbox.ts';
import { recordStatements } from '../../support/recording-database.ts';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const withKey = (key: string, body: unknown, path = api.execute().path) => ({
  method: 'POST',
  path,
  body,
  headers: { 'Idempotency-Key': key },
});
/** A run of ann's workflow about to be inserted. */
function newRun(
  id: string,
  version: { readonly id: string; readonly version: number },
  idempotency: NonNullable<NewRun['idempotency']>,
): NewRun {
  return {
    id,
    runId: `run-${id}`,
    workflowId: 'wf-data-pipeline-1',
    workflowName: 'data-pipeline',
    workflowDefinitionId: api.workflowId,
    versionId: version.id,
    version: version.version,
    owner: 'ann',
    triggeredBy: 'ann',
    inputData: input.input_data,
    variables: undefined,
    communityId: null,
    metadata: null,
    createdAt: new Date(),
    wakeAt: new Date(),
    request: { id, messages: [] },
    idempotency,
  };
}

const input = { input_data: { a: 1, b: { c: [1, 2], d: null } } };

describe('Idempotency-Key', () => {
  it('gives the same run for the same request, also after it closed', async () => {
    const ask = () => api.as('ann')(withKey('k1', input));
    const first = await ask();
    expect(first.status).toBe(202);
    expect(await ask()).toMatchObject({
      status: 202,
      body: first.body,
      headers: { Location: first.headers.Location },
    });
    const cancelled = await api.as('ann')({
      method: 'POST',
      path: `/api/v1/runs/${first.body.run_id}/cancel`,
    });
    expect(cancelled.status).toBe(200);
    expect((await ask()).body).toEqual(first.body);
    const reordered = '{"input_data": {"b": {"d": null, "c": [1, 2]}, "a": 1}}';
    expect((await api.as('ann')(withKey('k1', reordered))).body).toEqual(first.body);
  });

  it('refuses another request with 409', async () => {
    await api.as('ann')(withKey('k2', input));
    const { body: other } = await api.as('ann')({
      method: 'POST',
      path: '/api/v1/workflows',
      body: { ...dataPipeline, name: 'another' },
    });
    for (const request of [
      withKey('k2', { input_data: { a: 2 } }),
      withKey('k2', { ...input, metadata: {} }),
      withKey('k2', {}),
      withKey('k2', input, `/api/v1/workflows/${other.id}/execute`),
    ]) {
      const answer = await api.as('ann')(request);
      expect(codeOf(answer)).toEqual([409, 'CONFLICT']);
      expect(answer.body.details).toEqual({ reason: 'IDEMPOTENCY_KEY_REUSED' });
    }
  });

  it('is the caller’s own', async () => {
    await api.as('ann')({
      method: 'PUT',
      path: `/api/v1/workflows/${api.workflowId}/permissions`,
      body: { user_id: 'eli', can_execute: true },
    });
    const anns = await api.as('ann')(withKey('k3', input));
    const elis = await api.as('eli')(withKey('k3', input));
    expect([elis.status, elis.body.run_id === anns.body.run_id]).toEqual([202, false]);
  });

  it('is 1 to 255 characters', async () => {
    for (const key of ['', 'x'.repeat(256), 'a\tb']) {
      const answer = await api.as('ann')(withKey(key, input));
      expect(answer.status).toBe(400);
      expect(answer.body.details[0].path).toBe('Idempotency-Key');
    }
    expect((await api.as('ann')(withKey('x'.repeat(255), input))).status).toBe(202);
  });

  it('starts a run each time where it is absent', async () => {
    const runs = [await api.startedRun(), await api.startedRun()];
    expect(new Set(runs).size).toBe(2);
  });

  it('whose time ends while it is looked at starts a new run', async () => {
    const first = await api.as('ann')(withKey('ending', input));
    const { database } = api.engine;
    const version = await database.one<{ id: string; version: number }>(
      'select workflow_version_id as id, version from workflow_runs where run_id = $1',
      [first.body.run_id],
    );
    const run = newRun('11111111-0000-7000-8000-000000000001', version, {
      userId: 'ann',
      key: 'ending',
      request: JSON.stringify({
        communityId: null,
        inputData: input.input_data,
        metadata: null,
        workflowId: api.workflowId,
      }),
    });
    const runs = createNewRuns(database, publishedEntries(database));
    const other = openDatabase({ url: api.databaseUrl, maxConnections: 2 });
    try {
      const { inserting } = await other.transaction(async (ending) => {
        await ending.execute(`delete from idempotency_keys where key = 'ending'`);
        const inserting = runs.insert(run);
        const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%start_run%'`;
        await expect.poll(() => other.many(waiting)).toHaveLength(1);
        return { inserting };
      });
      expect(await inserting).toBeNull();
    } finally {
      await other.close();
    }
    expect((await api.as('ann')(withKey('ending', input))).body.run_id).toBe(run.runId);
  });

  it('answers as before where the run itself has been removed', async () => {
    const first = await api.as('ann')(withKey('gone', input));
    await api.engine.database.execute('delete from workflow_runs where run_id = $1', [first.body.run_id]);
    const again = await api.as('ann')(withKey('gone', input));
    expect([again.status, again.body.run_id, again.body.data.execution_id]).toEqual([
      202,
      first.body.run_id,
      first.body.data.execution_id,
    ]);
  });

  it('a hundred at once through four Lambdas: one run, one record, one answer', async () => {
    const environments = await Promise.all(Array.from({ length: 4 }, () => api.another()));
    try {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) => environments[n % 4]!.as('ann')(withKey('everywhere', input))),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(202));
      expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
      const records = await api.engine.database.many('select from audit_log where resource = $1', [
        answers[0]!.body.run_id,
      ]);
      expect(records).toHaveLength(1);
    } finally {
      await Promise.all(environments.map((environment) => environment.close()));
    }
  });

  it('a hundred at once on twenty connections: one run', async () => {
    const { body: template } = await api.as('ann')(api.execute(input));
    const database = openDatabase({ url: api.databaseUrl, maxConnections: 20 });
    try {
      const version = await database.one<{ id: string; version: number }>(
        'select workflow_version_id as id, version from workflow_runs where run_id = $1',
        [template.run_id],
      );
      const claim = { userId: 'ann', key: 'a hundred', request: 'the same' };
      const runOf = (n: number) =>
        newRun(`00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, version, claim);
      const recording = recordStatements(database);
      const runs = createNewRuns(recording, publishedEntries(recording));
      const earlier = await Promise.all(Array.from({ length: 100 }, (_, n) => runs.insert(runOf(n))));
      expect(earlier.filter((one) => one === null)).toHaveLength(1);
      expect(recording.recorded).toHaveLength(100);
      const winner = runOf(earlier.indexOf(null)).runId;
      expect(new Set(earlier.map((one) => one?.runId ?? winner))).toEqual(new Set([winner]));
      const stored = await database.many(
        `select r.run_id from workflow_runs r join outbox o on o.id = r.id where r.run_id like 'run-00000000-%'`,
      );
      expect(stored).toEqual([{ run_id: winner }]);
      recording.forget();
      const { idempotency: _none, ...withoutKey } = runOf(1_000);
      expect(await runs.insert(withoutKey)).toBeNull();
      expect(recording.recorded).toHaveLength(1);
    } finally {
      await database.close();
    }
  });
});
