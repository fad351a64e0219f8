import type { Json } from '../engine/json.ts';
import type { Agent } from './agent.ts';
import type { CallOutcome } from './call-outcome.ts';

/** One call of an agent, by whatever way it is reached. */
export interface AgentCall {
  /** A call is signed with its secrets where calls of its kind are. */
  readonly agent: Pick<Agent, 'name' | 'address' | 'owner' | 'secrets'>;
  /** For everything from the connection to the answer's last byte. */
  readonly timeoutMs: number;
  /** After so long, where that is less, the call is given up without an outcome: it will be made again elsewhere. */
  readonly patienceMs?: number | undefined;
  /** Said instead of the usual sentence when the time is over. */
  readonly timeoutMessage?: string | undefined;
  /** Stable over the attempts of one step visit. */
  readonly idempotencyKey: string;
  readonly body: {
    readonly run_id: string;
    readonly step_execution_id: string;
    readonly step_id: string;
    readonly attempt: number;
    readonly input_data: Json;
    readonly callback_url: string;
  };
}

export interface AgentCaller {
  /** Never rejects. */
  call(call: AgentCall): Promise<CallOutcome>;
  close(): Promise<void>;
}

/** A longer timer would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
