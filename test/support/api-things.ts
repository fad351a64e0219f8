import { randomUUID } from 'node:crypto';
import { eventually } from './eventually.ts';
import type { RunStack } from './run-stack.ts';

/** One of each that requests are about, of the user ann's. */
export interface ApiThings {
  readonly workflowId: string;
  /** RUNNING: its agent said that it would call back. */
  readonly runId: string;
  readonly executionId: string;
  /** CANCELLED. */
  readonly endedRunId: string;
  readonly endedExecutionId: string;
  readonly agentName: string;
  readonly apiKeyId: string;
  readonly permissionId: string;
  /** Of the running run's open attempt. */
  readonly callbackUrl: string;
}

const AGENT = 'calls-back-later';
export const COMMUNITY = 123;

/** To be called once before `makeApiThings`. */
export function addSlowAgent(stack: Pick<RunStack, 'addAgent'>): Promise<void> {
  return stack.addAgent(AGENT, () => ({ status: 202 }));
}

/** Things of their own at each call, so that what one request changes no other finds changed. */
export async function makeApiThings({
  client,
  agents,
}: Pick<RunStack, 'client' | 'agents'>): Promise<ApiThings> {
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await client.send<MadeAnswer>(method, path, body === undefined ? {} : { body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  };
  const name = randomUUID();
  const definition = {
    name,
    start_step: 'step1',
    steps: { step1: { agent_name: AGENT, input_mapping: { message: '$.workflow_input.message' } } },
  };
  const { id: workflowId } = await send('POST', '/api/v1/workflows', definition);
  const path = `/api/v1/workflows/${workflowId}`;
  const body = { variables: { message: 'Hello' }, community_id: COMMUNITY };
  const ended = await send('POST', `${path}/execute`, body);
  await send('POST', `/api/v1/runs/${ended.run_id}/cancel`);
  const running = await send('POST', `${path}/execute`, body);
  const permission = await send('PUT', `${path}/permissions`, { user_id: 'val' });
  const agent = { name: `agent-${name}`, url: 'https://agents.example.com/' };
  await send('POST', '/api/v1/agents', agent);
  const apiKey = await send('POST', '/api/v1/api-keys', { name });
  const call = await eventually(
    'the call of the agent',
    async () => agents.callsOf(AGENT).find(({ body }) => body.run_id === running.run_id),
    (found) => found !== undefined,
  );
  await client.stepsWhen(running.run_id, ([step]) => step?.status === 'RUNNING');
  return {
    workflowId,
    runId: running.run_id,
    executionId: running.data.execution_id,
    endedRunId: ended.run_id,
    endedExecutionId: ended.data.execution_id,
    agentName: agent.name,
    apiKeyId: apiKey.id,
    permissionId: permission.id,
    callbackUrl: call?.body.callback_url ?? '',
  };
}

interface MadeAnswer {
  readonly id: string;
  readonly run_id: string;
  readonly data: { readonly execution_id: string };
}
