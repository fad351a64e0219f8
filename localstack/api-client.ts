/** An answer of the API that is not a success. */
export class ApiAnswerError extends Error {
  readonly code = 'API_ANSWER';
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

export interface ApiClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  delete<T>(path: string): Promise<T>;
}

export function apiClient(url: string, apiKey: string): ApiClient {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      headers: { 'x-api-key': apiKey, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new ApiAnswerError(`${method} ${path}: ${response.status} ${text}`, response.status);
    return (text === '' ? null : JSON.parse(text)) as T;
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    delete: (path) => call('DELETE', path),
  };
}

export interface RunAnswer {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly status: 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
  readonly output_data: unknown;
  readonly error_message: string | null;
  readonly created_at: string;
  readonly completed_at: string | null;
}

export interface StepAnswer {
  readonly step_execution_id: string;
  readonly step_id: string;
  readonly agent_name: string;
  readonly status: string;
  readonly attempt: number;
  readonly input_data: unknown;
  readonly output_data: unknown;
  readonly error_message: string | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
}

export async function getRun(api: ApiClient, runId: string): Promise<RunAnswer> {
  return (await api.get<{ data: RunAnswer }>(`/api/v1/runs/${runId}`)).data;
}

export async function getSteps(api: ApiClient, runId: string): Promise<readonly StepAnswer[]> {
  return (await api.get<{ data: readonly StepAnswer[] }>(`/api/v1/runs/${runId}/steps`)).data;
}
