import { apart } from '../application/error-policy.ts';
import { deadLetterOf } from '../kafka/dead-letter-of.ts';
import type { MskRecord } from '../kafka/msk-event.ts';
import type { OutgoingRecord } from '../kafka/producer.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { DeadlineExtension } from '../persistence/agent-calls.ts';
import { type AnsweredCall, resultOf } from './agent-result.ts';
import { allDone } from './concurrency.ts';
import { MicroBatcher } from './micro-batcher.ts';
import type { AgentBridgePorts, Invocation } from './ports.ts';

type OutboundPorts = Pick<
  AgentBridgePorts,
  'publish' | 'extendDeadlines' | 'countDeadLetters' | 'topics' | 'clock' | 'warn'
>;

/** An answer is precious, an agent would have to be called again for it: so long is tried to hand it on. */
const MAX_PATIENCE_MS = 10_000;
const PAUSE_MS = 200;

/** What one invocation hands on: answers and dead letters to Kafka, acceptances to the database, each as soon as it is there. */
export class Outbound {
  readonly #ports: OutboundPorts;
  readonly #invocation: Invocation;
  readonly #records: MicroBatcher<OutgoingRecord>;
  readonly #extensions: MicroBatcher<DeadlineExtension>;
  readonly #refused: MskRecord[] = [];

  constructor(ports: OutboundPorts, invocation: Invocation) {
    this.#ports = ports;
    this.#invocation = invocation;
    this.#records = new MicroBatcher((records) =>
      this.#persist('publish answers of agents', () =>
        apart(records, workOf(ports.publish), (record, { reason }) => this.#publishInstead(record, reason)),
      ),
    );
    this.#extensions = new MicroBatcher((extensions) =>
      this.#persist('extend the time of agents', () =>
        apart(extensions, workOf(ports.extendDeadlines), ({ runId, stepExecutionId }, { reason: error }) => {
          // Its deadline stays as it was.
          const of = { run_id: runId, step_execution_id: stepExecutionId };
          ports.warn('The time of an agent that accepted could not be extended', { ...of, error });
          return [];
        }),
      ),
    );
  }

  publish(record: OutgoingRecord): void {
    this.#records.add(record);
  }

  /** A dead letter. */
  refuse(record: MskRecord, reason: string): void {
    const { topics, clock } = this.#ports;
    this.#refused.push(record);
    this.publish(deadLetterOf(record, reason, topics.deadLetter, clock()));
  }

  answer(task: AgentTask, outcome: AnsweredCall): void {
    const { topics, clock } = this.#ports;
    const result = resultOf(task, outcome, clock());
    this.publish({ topic: topics.results, key: task.run_id, value: result });
  }

  /** The agent will call back: the step stays open for what is left of its time. */
  accepted({ run_id, step_execution_id }: AgentTask, deadlineInMs: number): void {
    this.#extensions.add({ stepExecutionId: step_execution_id, runId: run_id, deadlineInMs, accepted: true });
  }

  /** @throws the first error of what could not be handed on. */
  async drain(): Promise<void> {
    await allDone([this.#records.drain(), this.#extensions.drain()]);
    // All at once: they are not refused in the order of their offsets.
    if (this.#refused.length > 0) {
      await this.#persist('count dead letters', () => this.#ports.countDeadLetters(this.#refused));
    }
  }

  /** An answer that cannot be written: its attempt is told so. */
  async #publishInstead(record: OutgoingRecord, reason: string): Promise<[]> {
    const { publish, warn } = this.#ports;
    const { output_data: _output, logs: _logs, ...value } = record.value;
    warn('A record could not be written', { topic: record.topic, key: record.key, error: reason });
    if (value.message_type !== 'agent_result') return [];
    const error = {
      code: 'UNSTORABLE',
      message: 'The answer of the agent could not be written',
      retryable: false,
    };
    await publish([{ ...record, value: { ...value, status: 'failed', error } }]);
    return [];
  }

  async #persist(what: string, work: () => Promise<unknown>): Promise<void> {
    const giveUpAt = this.#ports.clock() + Math.min(MAX_PATIENCE_MS, this.#invocation.remainingMs() - 1_000);
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (this.#ports.clock() + PAUSE_MS > giveUpAt) throw error;
        this.#ports.warn(`Could not ${what}, trying again`, {
          error: (error as Error).message,
        });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }
}

function workOf<Item>(work: (items: readonly Item[]) => Promise<unknown>) {
  return async (items: readonly Item[]): Promise<[]> => {
    await work(items);
    return [];
  };
}
