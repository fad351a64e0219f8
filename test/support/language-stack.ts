import { expect } from 'vitest';
import {
  type ChangeRun,
  createChangeRun,
  type RetryGiven,
  type RunChanged,
} from '../../shared/application/change-run.ts';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import type { Json } from '../../shared/engine/json.ts';
import { createAgentCalls } from '../../shared/persistence/agent-calls.ts';
import { auditEntry } from './audit-entry.ts';
import type { RunView } from './run-client.ts';
import { type RunStack, type RunStackOptions, startRunStack } from './run-stack.ts';
import type { RunWorld } from './run-world.ts';

/** A run stack, what may be asked of its runs from outside, and how a run with branches, items and visits looks. */
export interface LanguageStack extends RunStack {
  /** Registers a workflow of these steps and executes it. @returns the run's id. */
  start(name: string, definition: Steps, inputData?: object): Promise<string>;
  /** As `start`, to the run's end. */
  run(name: string, definition: Steps, inputData?: object): Promise<RunView & { readonly runId: string }>;
  signal(runId: string, name: string, payload: Json, id?: string): Promise<RunChanged>;
  pause(runId: string): Promise<RunChanged>;
  resume(runId: string): Promise<RunChanged>;
  cancel(runId: string): Promise<RunChanged>;
  retry(runId: string, given?: RetryGiven): Promise<RunChanged>;
}

export interface Steps {
  readonly start_step: string;
  readonly steps: object;
  readonly timeout_seconds?: number;
}

export async function startLanguageStack(options: RunStackOptions): Promise<LanguageStack> {
  const stack = await startRunStack(options);
  const services = createEngineServices(stack.environment, 'operator');
  const changeRun: ChangeRun = createChangeRun(services.decideBatch, createAgentCalls(services.database));
  const start: LanguageStack['start'] = async (name, definition, inputData) =>
    stack.client.execute(await stack.client.createWorkflow({ name, ...definition }), inputData);
  return {
    ...stack,
    start,
    async run(name, definition, inputData) {
      const runId = await start(name, definition, inputData);
      return { runId, ...(await stack.client.ended(runId)) };
    },
    signal: (runId, name, payload, id = crypto.randomUUID()) =>
      changeRun.signal(runId, { name, id, payload }, auditEntry),
    pause: (runId) => changeRun.pause(runId, auditEntry),
    resume: (runId) => changeRun.resume(runId, auditEntry),
    cancel: (runId) => changeRun.cancel(runId, { by: 'ann', reason: null }, auditEntry),
    retry: (runId, given = {}) => changeRun.retry(runId, given, auditEntry),
    async close() {
      await services.close();
      await stack.close();
    },
  };
}

interface AttemptRow {
  readonly scope: string;
  readonly step_id: string;
  readonly visit: number;
  readonly attempt: number;
  readonly status: string;
  readonly error_code: string | null;
}

/** The attempts of a run, oldest first, as `[<scope>/]<step> [visit n] [attempt n] <STATUS> [<code>]`. */
export async function attemptsOf({ database }: Pick<RunWorld, 'database'>, runId: string): Promise<string[]> {
  const rows = await database.many<AttemptRow>(
    `select scope, step_id, visit, attempt, status, error_code
       from step_executions where run_id = $1 order by created_at, id`,
    [runId],
  );
  return rows.map(({ scope, step_id, visit, attempt, status, error_code }) =>
    [
      scope === '' ? step_id : `${scope}/${step_id}`,
      ...(visit > 1 ? [`visit ${visit}`] : []),
      ...(attempt > 1 ? [`attempt ${attempt}`] : []),
      status,
      ...(error_code === null ? [] : [error_code]),
    ].join(' '),
  );
}

/** Every run has ended, no step completed twice in one visit, and nothing waits for anything. */
export async function expectNothingLeft({ database }: Pick<RunWorld, 'database'>): Promise<void> {
  const left = () =>
    database.many(
      `select 'outbox' as what, id::text as id, null as status from outbox
       union all
       select 'run', run_id, status from workflow_runs where status in ('PENDING', 'RUNNING') or wake_at is not null
       union all
       select 'attempt', run_id || ' ' || scope || ' ' || step_id, status
         from step_executions where status in ('PENDING', 'RUNNING') or wake_at is not null`,
    );
  await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  expect(
    await database.many(
      `select run_id, scope, step_id, visit from step_executions
        where status = 'COMPLETED' group by run_id, scope, step_id, visit having count(*) > 1`,
    ),
  ).toEqual([]);
}
