import type { ApiRequest, ApiResponse } from '../../support/api-event.ts';
import { type ApiHarness, dataPipeline, type HarnessOptions, openApiHarness } from './api-harness.ts';

/** The API with a workflow of ann's, and the step-executor's part in the hands of the test. */
export interface RunHarness extends ApiHarness {
  readonly workflowId: string;
  execute(body?: unknown, workflowId?: string): ApiRequest;
  /** @returns the run_id. */
  startedRun(body?: unknown): Promise<string>;
  /** The run enters its start step. */
  pickUp(runId: string): Promise<void>;
  /** The run's one open attempt. */
  openAttempt(runId: string): Promise<string>;
  /** The open attempt's agent answers, or fails. */
  settle(runId: string, failed?: boolean): Promise<void>;
}

export async function openRunHarness(options: HarnessOptions): Promise<RunHarness> {
  const api = await openApiHarness({ ...options, withTopics: true });
  const { database, processBatch } = api.engine;
  const made = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
  const ownWorkflowId: string = made.body.id;
  const execute = (body?: unknown, workflowId = ownWorkflowId): ApiRequest => ({
    method: 'POST',
    path: `/api/v1/workflows/${workflowId}/execute`,
    body,
  });
  const openAttempt = async (runId: string) => {
    const row = await database.one<{ step_execution_id: string }>(
      `select step_execution_id from step_executions where run_id = $1 and status in ('PENDING', 'RUNNING')`,
      [runId],
    );
    return row.step_execution_id;
  };
  return {
    ...api,
    workflowId: ownWorkflowId,
    execute,
    openAttempt,
    async startedRun(body = { input_data: { source_url: 's3://bucket/data.csv' } }) {
      const { body: answer } = await api.as('ann')(execute(body));
      return answer.run_id;
    },
    async pickUp(runId) {
      await processBatch([{ runId, event: { type: 'execution_requested' } }]);
    },
    async settle(runId, failed = false) {
      const stepExecutionId = await openAttempt(runId);
      const outcome = failed
        ? ({ status: 'failed', error: { code: 'BROKEN', message: 'It broke', retryable: false } } as const)
        : ({ status: 'completed', output: { rows: 3 } } as const);
      await processBatch([
        {
          runId,
          event: { type: 'agent_answered', stepExecutionId, attempt: null, logs: ['one line'], outcome },
        },
      ]);
    },
  };
}

export function codeOf({ status, body }: ApiResponse): [number, string] {
  return [status, body.error_code];
}
