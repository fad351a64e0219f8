import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { apiErrorOf } from '../../../functions/api/http/api-error-of.ts';
import { limitTime, SearchTooBroadError } from '../../../shared/persistence/limit-time.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

/* `q`, on the list of each face: words in errors and in agents' log lines, of what the caller may see. */

let api: RunHarness;
let failed: string;
let logged: string;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  failed = await runWith(null, {
    code: 'BUCKET_AWAY',
    message: 'Bücket s3://données/x refused "me": a 50% quota',
  });
  logged = await runWith([
    'Read 317 rows\nof C:\\new\\table.csv',
    'and an <ümlaut>',
    '{"nested": "jsonish"}',
  ]);
});
afterAll(() => api?.close());

async function runWith(
  logs: readonly string[] | null,
  error?: { code: string; message: string },
): Promise<string> {
  const { body } = await api.as('ann')(api.execute({ variables: { a: 1 }, community_id: 1 }));
  const runId: string = body.run_id;
  await api.pickUp(runId);
  const outcome = error
    ? ({ status: 'failed', error: { ...error, retryable: false } } as const)
    : ({ status: 'completed', output: 1 } as const);
  const stepExecutionId = await api.openAttempt(runId);
  const event = { type: 'agent_answered', stepExecutionId, attempt: null, logs, outcome } as const;
  const [decided] = await api.engine.processBatch([{ runId, event }]);
  expect(decided).toMatchObject({ outcome: 'decided' });
  return runId;
}

const faces: Record<string, (q: string) => string> = {
  runs: (q) => `/api/v1/runs?q=${encodeURIComponent(q)}`,
  executions: (q) =>
    `/api/v1/workflows/${api.workflowId}/executions?community_id=1&q=${encodeURIComponent(q)}`,
  plain: (q) => `/api/workflows/executions?q=${encodeURIComponent(q)}`,
};

async function found(face: string, q: string, userId = 'ann'): Promise<string[]> {
  const { status, body } = await api.as(userId)({ path: faces[face]!(q) });
  expect(status, JSON.stringify(body)).toBe(200);
  const rows: Record<string, string>[] = face === 'plain' ? body : body.data;
  const ids = rows.map((row) => row.run_id ?? `run-${row.execution_id ?? row.id}`);
  if (face === 'executions') expect(body.meta.pagination.total).toBe(ids.length);
  return ids;
}

describe.each(Object.keys(faces))('q on the list of %s', (face) => {
  it.each<[q: string, which: 'failed' | 'logged' | 'none']>([
    ['refused', 'failed'],
    ['REFUSED quota', 'failed'],
    ['bucket_away', 'failed'],
    ['bücket', 'failed'],
    ['données', 'failed'],
    ['50% "me"', 'failed'],
    ['s3://données/x', 'failed'],
    ['317 rows', 'logged'],
    ['table', 'logged'],
    ['table.csv', 'logged'],
    ['rows of', 'logged'],
    ['ümlaut', 'logged'],
    ['nested jsonish', 'logged'],
    ['317 refused', 'none'],
    ['nothing of it', 'none'],
    // What other searches take for operators are spaces here.
    ["refused'; drop table workflow_runs --", 'none'],
    ['refused & quota', 'failed'],
    ['!refused', 'failed'],
    ['-refused', 'failed'],
    ['(refused | (', 'failed'],
    ['refused:* <-> quota \\', 'failed'],
  ])('%s', async (q, which) => {
    const expected = { failed: [failed], logged: [logged], none: [] }[which];
    expect(await found(face, q)).toEqual(expected);
  });

  it('finds nothing of others', async () => {
    if (face === 'executions') {
      const answer = await api.as('sam')({ path: faces[face]!('refused') });
      expect(codeOf(answer)).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    } else expect(await found(face, 'refused', 'sam')).toEqual([]);
  });

  it.each([
    ['nothing', '', 'at least one character'],
    ['no word', '&&& "" --', 'at least one letter or digit'],
    ['too much', 'a'.repeat(256), 'at most 255 characters'],
    ['U+0000', 'a\u0000', 'without U+0000'],
  ])('is refused of %s', async (_what, q, message) => {
    const { status, body } = await api.as('ann')({ path: faces[face]!(q) });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain(message);
  });
});

it('an attempt of whatever error and logs an agent sends is stored, and found by its beginning', async () => {
  const words = (line: number) =>
    Array.from({ length: 200 }, (_, i) => `w${line}x${i}`)
      .join(' ')
      .slice(0, 2_000);
  const huge = Array.from({ length: 100 }, (_, line) => words(line));
  // Each a word of its own, compound, or an address in whole and in parts: what makes the most of a tsvector.
  const wide = Array.from({ length: 100 }, (_, line) =>
    Array.from({ length: 600 }, (_, i) => String.fromCodePoint(0x20000 + line * 600 + i))
      .join(' ')
      .slice(0, 2_000),
  );
  const compound = huge.map((line) => line.replaceAll(' ', '-'));
  const addresses = huge.map((line) => line.replaceAll(' ', '.example.com/'));
  const escapes = Array.from({ length: 100 }, () => '\\"\n\t\u0001'.repeat(400));
  for (const logs of [huge, wide, compound, addresses, escapes]) await runWith(logs);
  expect(await found('runs', 'w0x7')).toHaveLength(3);
  expect(await found('runs', 'w99x7')).toEqual([]);
});

it('a search that takes too long is refused, and the connection serves on', async () => {
  const searches = limitTime(api.engine.database, 1_000);
  await expect(searches.many('select pg_sleep(60)')).rejects.toThrow(SearchTooBroadError);
  expect(await searches.one('select 1 as one')).toEqual({ one: 1 });
  expect(await api.engine.database.one('show statement_timeout')).toEqual({ statement_timeout: '0' });
  const error = apiErrorOf(new SearchTooBroadError('too long'));
  expect([error.code, error.details]).toEqual([
    'BAD_REQUEST',
    [{ path: 'q', message: 'expected words that fewer errors and logs have' }],
  ]);
});

it('the same words choose what is cancelled', async () => {
  const { body } = await api.as('ann')({
    method: 'POST',
    path: '/api/v1/runs/bulk-cancel',
    body: { filter: { q: '317 rows' }, dry_run: true },
  });
  expect(body.data).toMatchObject({ dry_run: true, matched: 1 });
});

it('a run whose error is of no step is found by it', async () => {
  const runId = await api.startedRun();
  await api.engine.database.execute(
    `update workflow_runs set error_message = 'The plan is unreadable' where run_id = $1`,
    [runId],
  );
  expect(await found('runs', 'unreadable plan')).toEqual([runId]);
});
