import { eventually } from './eventually.ts';

export interface RunView {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly status: string;
  readonly input_data: unknown;
  readonly output_data: unknown;
  readonly error_message: string | null;
  readonly error_code: string | null;
  readonly error_step_id: string | null;
  readonly error_attempt: number | null;
  readonly sequence: number;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly cancelled_by: string | null;
}

export interface StepView {
  readonly step_execution_id: string;
  readonly step_id: string;
  readonly agent_name: string;
  readonly status: string;
  readonly attempt: number;
  readonly input_data: unknown;
  readonly output_data: unknown;
  readonly error_message: string | null;
  readonly error_code: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly completed_at: string | null;
}

export interface Asked {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Instead of the client's own. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered<T> {
  readonly status: number;
  /** From JSON, or the text of what is not. */
  readonly body: T;
}

export interface RunClient {
  send<T = Record<string, unknown>>(method: string, path: string, asked?: Asked): Promise<Answered<T>>;
  /** @returns its id. */
  createWorkflow(definition: object): Promise<string>;
  /** @returns the run's id. */
  execute(workflowId: string, inputData?: object): Promise<string>;
  findRun(runId: string): Promise<RunView>;
  findSteps(runId: string): Promise<StepView[]>;
  /** The run, once it is as asked. */
  runWhen(runId: string, isSeen: (run: RunView) => boolean, withinMs?: number): Promise<RunView>;
  /** The attempts, once they are as asked. */
  stepsWhen(runId: string, isSeen: (steps: StepView[]) => boolean, withinMs?: number): Promise<StepView[]>;
  /** The run, once it has ended. */
  ended(runId: string, withinMs?: number): Promise<RunView>;
}

const ENDS = ['COMPLETED', 'FAILED', 'CANCELLED'];

/** The API as its clients see it, over HTTP. */
export function createRunClient(url: string, ownHeaders: Readonly<Record<string, string>>): RunClient {
  const send = async <T>(method: string, path: string, { body, headers = ownHeaders }: Asked = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const isJson = response.headers.get('content-type')?.includes('json');
    return { status: response.status, body: (isJson ? await response.json() : await response.text()) as T };
  };
  const succeed = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await send<T>(method, path, { body });
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const findRun = async (runId: string) =>
    (await succeed<{ data: RunView }>('GET', `/api/v1/runs/${runId}`)).data;
  const findSteps = async (runId: string) =>
    (await succeed<{ data: StepView[] }>('GET', `/api/v1/runs/${runId}/steps`)).data;
  const runWhen: RunClient['runWhen'] = (runId, isSeen, withinMs) =>
    eventually(`run ${runId}`, () => findRun(runId), isSeen, withinMs);
  return {
    send,
    createWorkflow: async (definition) =>
      (await succeed<{ id: string }>('POST', '/api/v1/workflows', definition)).id,
    execute: async (workflowId, inputData = {}) =>
      (
        await succeed<{ run_id: string }>('POST', `/api/v1/workflows/${workflowId}/execute`, {
          input_data: inputData,
        })
      ).run_id,
    findRun,
    findSteps,
    runWhen,
    stepsWhen: (runId, isSeen, withinMs) =>
      eventually(`steps of ${runId}`, () => findSteps(runId), isSeen, withinMs),
    ended: (runId, withinMs) => runWhen(runId, ({ status }) => ENDS.includes(status), withinMs),
  };
}
