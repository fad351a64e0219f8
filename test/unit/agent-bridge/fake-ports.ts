import { hashOf } from '../../../shared/agent-bridge/agent-speeds.ts';
import type { AgentBridgePorts, HandedTasks } from '../../../shared/agent-bridge/ports.ts';
import type { AgentCall } from '../../../shared/agents/agent-call.ts';
import type { RegistryLookup } from '../../../shared/agents/agent-registry.ts';
import type { CallOutcome } from '../../../shared/agents/call-outcome.ts';
import { createTokens } from '../../../shared/agents/tokens.ts';
import type { JsonObject } from '../../../shared/engine/json.ts';
import type { MskEvent, MskRecord } from '../../../shared/kafka/msk-event.ts';
import type { OutgoingRecord } from '../../../shared/kafka/producer.ts';
import type { AgentTask } from '../../../shared/messages/messages.ts';
import type {
  AgentSpeed,
  AttemptCall,
  DeadlineExtension,
  StoredAgent,
  StoredSpeed,
} from '../../../shared/persistence/agent-calls.ts';
import type { DeadLetterSource } from '../../../shared/persistence/dead-letter-counts.ts';

export const tokens = createTokens(Buffer.alloc(32, 7));
export const T0 = Date.UTC(2026, 0, 1);
export const plenty = { remainingMs: () => 840_000 };

export const ECHO_URL = 'http://agent.test/echo';

/** How quick the agent at that address was when somebody called it a minute ago. */
export function speedOf(address: string, averageMs = 100): StoredSpeed {
  return { addressHash: hashOf(address), averageMs, ageMs: 60_000 };
}

export const storedAgent: StoredAgent = {
  kind: 'http',
  address: ECHO_URL,
  owner: null,
  timeoutSeconds: null,
  secretEncrypted: null,
  previousSecretEncrypted: null,
};

/** Everything around the bridge, in memory. A test sets what differs. */
export class FakePorts implements AgentBridgePorts {
  readonly kind: AgentBridgePorts['kind'] = 'http';
  readonly topics = { results: 'results.topic', deadLetter: 'workflow.dead-letter' };
  readonly tokens = tokens;
  readonly publicUrl = 'https://stepline.test';
  now = T0;
  readonly attempts = new Map<string, AttemptCall>();
  readonly loads: string[][] = [];
  readonly called: AgentCall[] = [];
  readonly published: OutgoingRecord[][] = [];
  readonly extended: DeadlineExtension[][] = [];
  readonly handed: HandedTasks[] = [];
  readonly speeds: AgentSpeed[] = [];
  speedsError: () => Error | null = () => null;
  readonly warnings: string[] = [];
  answer: (call: AgentCall) => CallOutcome | Promise<CallOutcome> = ({ body }) => ({
    status: 'completed',
    output: { echo: body.input_data },
    logs: null,
  });
  publishError: () => Error | null = () => null;
  extendError: () => Error | null = () => null;
  invokeError: () => Error | null = () => null;
  lookupRegistry: ((name: string) => Promise<RegistryLookup>) | null = null;
  invokeSelf: AgentBridgePorts['invokeSelf'] = async (handed) => {
    const error = this.invokeError();
    if (error) throw error;
    this.handed.push(handed);
  };

  checkAddress: AgentBridgePorts['checkAddress'] = () => null;

  readonly clock = () => this.now;
  readonly readSecret = (encrypted: Buffer) => encrypted.toString();
  readonly warn = (message: string) => {
    this.warnings.push(message);
  };
  readonly loadCalls = async (ids: readonly string[]) => {
    this.loads.push([...ids]);
    return this.attempts;
  };
  readonly callAgent = async (call: AgentCall) => {
    this.called.push(call);
    return this.answer(call);
  };
  readonly publish = async (records: readonly OutgoingRecord[]) => {
    const error = this.publishError();
    if (error) throw error;
    this.published.push([...records]);
  };
  readonly saveSpeeds = async (speeds: readonly AgentSpeed[]) => {
    const error = this.speedsError();
    if (error) throw error;
    this.speeds.push(...speeds);
  };
  readonly counted: DeadLetterSource[] = [];
  readonly countDeadLetters = async (letters: readonly DeadLetterSource[]) => {
    this.counted.push(...letters);
  };
  readonly extendDeadlines = async (extensions: readonly DeadlineExtension[]) => {
    const error = this.extendError();
    if (error) throw error;
    this.extended.push([...extensions]);
  };

  /** A running attempt of an agent in the table that is known to be quick, and its task. */
  task(id: string, attempt: Partial<AttemptCall> = {}, task: Partial<AgentTask> = {}): AgentTask {
    this.attempts.set(id, {
      stepExecutionId: id,
      runId: `run-${id}`,
      runStatus: 'RUNNING',
      attemptStatus: 'RUNNING',
      accepted: false,
      timeoutMs: null,
      agentName: 'echo',
      agent: storedAgent,
      speed: speedOf(attempt.agent?.address ?? ECHO_URL),
      ...attempt,
    });
    return {
      message_type: 'agent_task',
      run_id: `run-${id}`,
      step_execution_id: id,
      step_id: 'extract',
      agent_name: 'echo',
      attempt: 2,
      input_data: { source: id },
      idempotency_key: `run-${id}:extract:1`,
      deadline: '2026-01-01T01:00:00.000Z',
      result_token: tokens.resultToken(id),
      timestamp: '2026-01-01T00:00:00.000Z',
      ...task,
    };
  }

  /** The values of what was published to the topic, in order. */
  messages(topic: string): JsonObject[] {
    return this.published
      .flat()
      .filter((record) => record.topic === topic)
      .map(({ value }) => value);
  }
}

export function eventOf(...values: readonly unknown[]): MskEvent {
  const records = values.map((value, offset): MskRecord => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return {
      topic: 'orchestrator.tasks.http',
      partition: 3,
      offset,
      timestamp: T0,
      timestampType: 'CREATE_TIME',
      key: Buffer.from('key').toString('base64'),
      value: Buffer.from(text).toString('base64'),
      headers: [],
    };
  });
  return { eventSource: 'aws:kafka', records: { 'orchestrator.tasks.http-3': records } };
}
