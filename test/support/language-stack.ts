import { expect } from 'vitest';
import type { Json } from '../../shared/engine/json.ts';
import { eventually } from './eventually.ts';
import type { RunView } from './run-client.ts';
import { type RunStack, type RunStackOptions, startRunStack } from './run-stack.ts';
import type { RunWorld } from './run-world.ts';

export { attemptsOf } from './attempts-of.ts';

/**
 * A run stack, and what is asked of its runs. What changes a run says how it was answered: the status, and the run's own, or why it
 * was refused: `200 PAUSED`, `409 RUN_OPEN`.
 */
export interface LanguageStack extends RunStack {
  /** Registers a workflow of these steps and executes it. @returns the run's id. */
  start(name: string, definition: Steps, inputData?: object): Promise<string>;
  /** As `start`, to the run's end. */
  run(name: string, definition: Steps, inputData?: object): Promise<RunView & { readonly runId: string }>;
  signal(runId: string, name: string, payload: Json, id?: string): Promise<string>;
  pause(runId: string): Promise<string>;
  resume(runId: string): Promise<string>;
  cancel(runId: string): Promise<string>;
  retry(runId: string, given?: RetryBody): Promise<string>;
}

export interface Steps {
  readonly start_step: string;
  readonly steps: object;
  readonly timeout_seconds?: number;
}

export interface RetryBody {
  readonly from_step?: string;
  readonly from_scope?: string;
  readonly input_data?: Json;
  readonly version?: number;
}

export async function startLanguageStack(options: RunStackOptions): Promise<LanguageStack> {
  const stack = await startRunStack(options);
  const start: LanguageStack['start'] = async (name, definition, inputData) =>
    stack.client.execute(await stack.client.createWorkflow({ name, ...definition }), inputData);
  const change = async (runId: string, what: string, body: object = {}) => {
    const answer = await stack.client.send<ChangeAnswer>('POST', `/api/v1/runs/${runId}/${what}`, { body });
    const { status, details } = answer.body;
    return [answer.status, status ?? details?.reason].filter((word) => word !== undefined).join(' ');
  };
  return {
    ...stack,
    start,
    async run(name, definition, inputData) {
      const runId = await start(name, definition, inputData);
      return { runId, ...(await stack.client.ended(runId)) };
    },
    signal: (runId, name, payload, id) => change(runId, `signals/${name}`, { payload, id }),
    pause: (runId) => change(runId, 'pause'),
    resume: (runId) => change(runId, 'resume'),
    cancel: (runId) => change(runId, 'cancel'),
    retry: (runId, given) => change(runId, 'retry', given),
  };
}

interface ChangeAnswer {
  readonly status?: string;
  readonly details?: { readonly reason?: string };
}

/** Every run has ended, no step completed twice in one visit unless that was asked for, and nothing waits for anything. */
export async function expectNothingLeft({ database }: Pick<RunWorld, 'database'>): Promise<void> {
  await eventually(
    'nothing left',
    () =>
      database.many(
        `select 'outbox' as what, id::text as id, null as status from outbox
         union all
         select 'run', run_id, status from workflow_runs where status in ('PENDING', 'RUNNING') or wake_at is not null
         union all
         select 'attempt', run_id || ' ' || scope || ' ' || step_id, status
           from step_executions where status in ('PENDING', 'RUNNING') or wake_at is not null`,
      ),
    (left) => left.length === 0,
  );
  expect(
    await database.many(
      `select run_id, scope, step_id, visit from step_executions join workflow_runs using (run_id)
        where step_executions.status = 'COMPLETED' and retried_at is null
        group by run_id, scope, step_id, visit having count(*) > 1`,
    ),
  ).toEqual([]);
}
