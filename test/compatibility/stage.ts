import type { Json, JsonObject } from '../../shared/engine/json.ts';
import type { AgentResult, AgentTask } from '../../shared/messages/messages.ts';
import type { AgentBehaviour } from '../support/agent-server.ts';
import { attemptsOf } from '../support/attempts-of.ts';
import { eventually } from '../support/eventually.ts';
import type { RunClient } from '../support/run-client.ts';
import type { RunWorld } from '../support/run-world.ts';
import { openTopicReader } from '../support/topic-reader.ts';

/** A call of an agent. */
export interface Call {
  readonly run_id: string;
  readonly step_execution_id: string;
  readonly input_data: Json;
  readonly callback_url: string;
  /** By its callback; others have answered at once. */
  readonly answers_later: boolean;
}

/** Where situations are played: what a user and an agent do, whichever release serves them. */
export interface Stage {
  readonly world: RunWorld;
  readonly client: RunClient;
  /** How long what ends by itself takes. */
  readonly seconds: number;
  /** Every call of an agent in this world, and those from before it was restored. */
  readonly calls: readonly Call[];
  /** Registers the workflows and executes the last one for the community. @returns the run's id */
  start(workflows: readonly NamedWorkflow[], variables: JsonObject): Promise<string>;
  /** @throws where the answer is no success */
  post(path: string, body?: object): Promise<void>;
  /** What agents are to answer in a run, once they have been asked so often. */
  asked(runId: string, count: number): Promise<Call[]>;
  callBack(asked: Call | undefined, body: JsonObject, suffix?: '' | '/fail'): Promise<void>;
  /** As an agent that speaks Kafka. */
  answerTask(runId: string, output: Json): Promise<void>;
  attempts(runId: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface NamedWorkflow extends JsonObject {
  readonly name: string;
}

/** What runs are executed for: the lists' counts are kept by community. */
export const COMMUNITY = 7;

export const agentTopicOf = (topicPrefix: string) => `agent.${topicPrefix}later`;

interface StageOptions {
  readonly seconds: number;
  readonly callsBefore?: readonly Call[];
}

export async function openStage(world: RunWorld, options: StageOptions): Promise<Stage> {
  const { client } = world;
  const { seconds, callsBefore = [] } = options;
  const calls = [...callsBefore];
  answerAs(world, (call) => void calls.push(call));
  const tasks = await openTopicReader<AgentTask>(
    world.environment.kafkaBrokers,
    agentTopicOf(world.variables.KAFKA_TOPIC_PREFIX ?? ''),
  );
  const post: Stage['post'] = async (path, body = {}) => {
    const answer = await client.send('POST', path, { body });
    if (answer.status >= 300)
      throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  return {
    world,
    client,
    seconds,
    calls,
    async start(workflows, variables) {
      let workflowId = '';
      for (const workflow of workflows) workflowId = await client.createWorkflow(workflow);
      const path = `/api/v1/workflows/${workflowId}/execute`;
      const body = { variables, community_id: COMMUNITY };
      const answer = await client.send<{ run_id: string }>('POST', path, { body });
      if (answer.status !== 202)
        throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body.run_id;
    },
    post,
    asked: (runId, count) =>
      eventually(
        `${count} calls in ${runId}`,
        () => calls.filter((call) => call.run_id === runId && call.answers_later),
        ({ length }) => length >= count,
      ),
    async callBack(asked, body, suffix = '') {
      if (asked === undefined) throw new Error('Nobody was asked that');
      // The API may have been at another address when it was asked.
      const url = world.url + new URL(asked.callback_url).pathname + suffix;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`);
    },
    async answerTask(runId, output_data) {
      const [task] = await tasks.when(({ value }) => value.run_id === runId, 1);
      const { step_execution_id, attempt, result_token } = task!.value;
      const answer = { run_id: runId, step_execution_id, attempt, result_token, output_data };
      await world.produce('results', runId, {
        message_type: 'agent_result',
        status: 'completed',
        ...answer,
      } satisfies AgentResult);
    },
    attempts: (runId) => attemptsOf(world, runId),
    close: () => tasks.close(),
  };
}

/** What each agent does depends on the call alone: it may come after the world was restored. */
function answerAs({ agents, lambda }: RunWorld, record: (call: Call) => void): void {
  const behaviours: Record<string, AgentBehaviour> = {
    echo: ({ body }) => ({ body: body.input_data }),
    later: () => ({ status: 202 }),
    unstable: ({ body }) => (body.attempt === 1 ? { status: 503 } : { body: body.input_data }),
    refusing: ({ body }) =>
      body.attempt === 1 ? { status: 400, body: { code: 'REFUSED', message: 'No' } } : { body: 'accepted' },
  };
  for (const [name, behaviour] of Object.entries(behaviours)) {
    agents.on(name, (call) => {
      record({ ...kept(call.body), answers_later: name === 'later' });
      return behaviour(call);
    });
  }
  lambda.add('function', (event) => {
    record({ ...kept(event), answers_later: false });
    return event.input_data;
  });
  lambda.add('function-later', (event) => {
    record({ ...kept(event), answers_later: true });
    return { accepted: event.callback_url };
  });
}

function kept({ run_id, step_execution_id, input_data, callback_url }: Omit<Call, 'answers_later'>) {
  return { run_id, step_execution_id, input_data, callback_url };
}

/** To be registered once in a world; a restored one has them. */
export async function registerAgents(
  { addAgent, addLambdaAgent, database }: RunWorld,
  topic: string,
): Promise<void> {
  for (const name of ['echo', 'later', 'unstable', 'refusing']) await addAgent(name);
  for (const name of ['function', 'function-later']) await addLambdaAgent(name);
  await database.execute(
    `insert into agents (id, name, kind, address) values (gen_random_uuid(), 'by-kafka', 'kafka', $1)`,
    [topic],
  );
}
