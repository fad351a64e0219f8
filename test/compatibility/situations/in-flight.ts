import type { TopicName } from '../../../shared/config/topics.ts';
import { eventually } from '../../support/eventually.ts';
import type { Situation } from './situation.ts';

/** A run whose next record is in Kafka, and nobody has read it. */
export interface InFlight extends Situation {
  readonly held: TopicName;
}

const echo = (name: string, message: string) => [
  { name, start_step: 'ask', steps: { ask: { agent_name: 'echo', input_mapping: { message } } } },
];

/**
 * What is under way when consumers stop, in the order in which topics are held: each comes about while those before it are held
 * already, so the last record of a run's way first.
 */
export const inFlight: readonly InFlight[] = [
  {
    name: 'has-its-answer-in-kafka',
    held: 'results',
    workflows: () => echo('has-its-answer-in-kafka', 'answered'),
    async begin({ calls }, runId) {
      await eventually(
        'the call',
        () => calls.filter(({ run_id }) => run_id === runId),
        ({ length }) => length === 1,
      );
    },
    open: ['ask RUNNING'],
    outcome: { status: 'COMPLETED', output_data: { message: 'answered' } },
    attempts: ['ask COMPLETED'],
  },
  {
    name: 'has-its-task-in-kafka',
    held: 'httpTasks',
    workflows: () => echo('has-its-task-in-kafka', 'asked'),
    open: ['ask RUNNING'],
    outcome: { status: 'COMPLETED', output_data: { message: 'asked' } },
    attempts: ['ask COMPLETED'],
  },
  {
    name: 'has-its-step-in-kafka',
    held: 'stepRequests',
    workflows: () => [
      {
        name: 'has-its-step-in-kafka',
        start_step: 'all',
        steps: {
          all: {
            type: 'parallel',
            branches: { a: { start_step: 'a-1', steps: { 'a-1': { type: 'pass', result: 1 } } } },
          },
        },
      },
    ],
    open: ['all RUNNING', 'all#1/a/a-1 PENDING'],
    outcome: { status: 'COMPLETED', output_data: { a: 1 } },
    attempts: ['all COMPLETED', 'all#1/a/a-1 COMPLETED'],
  },
  {
    name: 'has-its-request-in-kafka',
    held: 'executionRequests',
    workflows: () => echo('has-its-request-in-kafka', 'requested'),
    open: [],
    outcome: { status: 'COMPLETED', output_data: { message: 'requested' } },
    attempts: ['ask COMPLETED'],
  },
];

/** Its request is in the outbox: Kafka was away, and the timekeeper has not looked. */
export const leftBehind: Situation = {
  name: 'is-left-behind',
  workflows: () => echo('is-left-behind', 'left behind'),
  open: [],
  outcome: { status: 'COMPLETED', output_data: { message: 'left behind' } },
  attempts: ['ask COMPLETED'],
};
