import type * as z from 'zod';
import { AGENT_TOPIC_PREFIX, type TopicName, topicsFor } from '../config/topics.ts';
import { version } from '../config/version.ts';
import { type JsonSchema, jsonSchemaOf } from '../documents/json-schema.ts';
import { type MessageType, messageExamples } from './message-examples.ts';
import {
  agentResult,
  agentTask,
  cancellationRequest,
  deadLetter,
  executionRequest,
  monitoringUpdate,
  retryRequest,
  stepRequest,
  wake,
} from './messages.ts';

const DESCRIPTION = [
  'Every record on Kafka, as JSON. Delivery is at least once, and order is kept for each run where the key is its `run_id`.',
  'What does not parse is put on the dead-letter topic. Fields that a reader does not know are to be let through.',
  'Topics are as they are named by default: KAFKA_EXECUTION_TOPIC and KAFKA_CANCELLATION_TOPIC rename two of them,',
  'KAFKA_TOPIC_PREFIX stands before all but those of agents.',
].join(' ');

interface Message {
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly key: string;
}

const byRun = 'The `run_id`.';
const byAttempt = 'The `step_execution_id`, so that a wide fan-out spreads over the partitions.';

const messages: Readonly<Record<MessageType, Message>> = {
  execution_request: { summary: 'Begin a PENDING run.', schema: executionRequest, key: byRun },
  cancellation_request: {
    summary: 'Close a run and its open steps.',
    schema: cancellationRequest,
    key: byRun,
  },
  step_request: {
    summary: "Enter the PENDING attempt that the sender's decision inserted.",
    schema: stepRequest,
    key: byRun,
  },
  retry_request: {
    summary: 'A parent run goes on, and a child that failed is to go on with it.',
    schema: retryRequest,
    key: 'The `run_id` of the child.',
  },
  wake: {
    summary: 'Something of this run is due; without a `step_execution_id` it is the run itself.',
    schema: wake,
    key: byRun,
  },
  agent_task: { summary: 'What an agent is to do.', schema: agentTask, key: byAttempt },
  agent_result: { summary: 'How an attempt ended.', schema: agentResult, key: byRun },
  monitoring_update: {
    summary: 'What a decision has led to: the transitions of a run and its steps.',
    schema: monitoringUpdate,
    key: byRun,
  },
  dead_letter: {
    summary: 'A record that cannot be dealt with, as it came, with its coordinates and the reason.',
    schema: deadLetter,
    key: '`<topic>-<partition>-<offset>` of the record.',
  },
};

type Action = 'send' | 'receive';

interface Channel {
  readonly description: string;
  readonly messages: readonly MessageType[];
  /** What Stepline does there. */
  readonly actions: readonly Action[];
}

const both: readonly Action[] = ['send', 'receive'];

const channels: Readonly<Record<TopicName | 'agentTasks', Channel>> = {
  executionRequests: {
    description: 'The API asks, or another producer that inserted a run; the step-executor begins.',
    messages: ['execution_request'],
    actions: both,
  },
  cancellationRequests: {
    description: 'Of the API, of other producers, and of parents to child runs.',
    messages: ['cancellation_request'],
    actions: both,
  },
  stepRequests: {
    description:
      'Steps that no answer of an agent leads to, child runs that go on, and what the timekeeper finds due.',
    messages: ['step_request', 'retry_request', 'wake'],
    actions: both,
  },
  results: {
    description:
      'The bridges answer here for the agents that they call; agents that speak Kafka answer themselves.',
    messages: ['agent_result'],
    actions: both,
  },
  httpTasks: {
    description: 'For agents that are called over HTTP.',
    messages: ['agent_task'],
    actions: both,
  },
  lambdaTasks: {
    description: 'For agents that are Lambda functions.',
    messages: ['agent_task'],
    actions: both,
  },
  agentTasks: {
    description: 'For an agent that speaks Kafka: its own topic, as it was registered.',
    messages: ['agent_task'],
    actions: ['send'],
  },
  monitoringUpdates: {
    description: 'Every decision with all its transitions, for whoever watches.',
    messages: ['monitoring_update'],
    actions: ['send'],
  },
  deadLetter: {
    description: 'What could not be dealt with, for people; a redrive puts it back where it came from.',
    messages: ['dead_letter'],
    actions: both,
  },
  onFailure: {
    description:
      'What an event source mapping has given up, as Lambda writes it; a redrive puts it back where it came from.',
    messages: [],
    actions: ['receive'],
  },
};

/** AsyncAPI 3.0 of the records on Kafka, from the schemas that validate them. */
export function asyncApiDocument() {
  const addresses = {
    ...topicsFor({
      prefix: '',
      executionTopic: 'workflow.execution.requests',
      cancellationTopic: 'workflow.cancellation.requests',
    }),
    agentTasks: `${AGENT_TOPIC_PREFIX}{name}`,
  };
  const names = Object.keys(channels) as (keyof typeof channels)[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Stepline',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      names.map((name) => {
        const { description, messages: types } = channels[name];
        return [
          name,
          {
            address: addresses[name],
            description,
            messages: Object.fromEntries(
              types.map((type) => [type, { $ref: `#/components/messages/${type}` }]),
            ),
            ...(name === 'agentTasks' && {
              parameters: { name: { description: "The rest of the agent's topic." } },
            }),
          },
        ];
      }),
    ),
    operations: Object.fromEntries(
      names.flatMap((name) =>
        channels[name].actions.map((action) => [
          `${action}${name[0]!.toUpperCase()}${name.slice(1)}`,
          { action, channel: { $ref: `#/channels/${name}` } },
        ]),
      ),
    ),
    components: { messages: Object.fromEntries(Object.entries(messages).map(presentMessage)) },
  };
}

function presentMessage([name, { summary, schema, key }]: [string, Message]) {
  return [
    name,
    {
      name,
      summary,
      payload: payloadOf(schema),
      bindings: { kafka: { key: { type: 'string', description: key }, bindingVersion: '0.5.0' } },
      examples: [{ payload: messageExamples[name as MessageType] }],
    },
  ] as const;
}

/** What is taken, not what is given on: fields that are not named may be there. */
function payloadOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...payload } = jsonSchemaOf(schema, 'input');
  return payload;
}
