import type { CallOutcome } from '../agents/call-outcome.ts';
import { deadLetterOf } from '../kafka/dead-letter-of.ts';
import type { MskRecord } from '../kafka/msk-event.ts';
import type { OutgoingRecord } from '../kafka/producer.ts';
import type { AgentError, AgentResult, AgentTask } from '../messages/messages.ts';
import type { DeadlineExtension } from '../persistence/agent-calls.ts';
import { allDone } from './all-done.ts';
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
      this.#persist('publish answers of agents', () => ports.publish(records)),
    );
    this.#extensions = new MicroBatcher((extensions) =>
      this.#persist('extend the time of agents', () => ports.extendDeadlines(extensions)),
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

  answer(task: AgentTask, outcome: Extract<CallOutcome, { status: 'completed' | 'failed' }>): void {
    const { topics, clock } = this.#ports;
    const settled =
      outcome.status === 'completed' ? { output_data: outcome.output } : { error: jsonOf(outcome.error) };
    const result = {
      message_type: 'agent_result',
      run_id: task.run_id,
      step_execution_id: task.step_execution_id,
      attempt: task.attempt,
      status: outcome.status,
      ...settled,
      ...(outcome.logs && { logs: [...outcome.logs] }),
      result_token: task.result_token,
      timestamp: new Date(clock()).toISOString(),
    } satisfies AgentResult;
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

function jsonOf({ retry_after_ms, ...error }: AgentError) {
  return { ...error, ...(retry_after_ms !== undefined && { retry_after_ms }) };
}
