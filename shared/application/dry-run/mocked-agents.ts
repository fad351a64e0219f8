import type { Effect } from '../../engine/effects.ts';
import type { AgentOutcome } from '../../engine/event.ts';
import type { Json } from '../../engine/json.ts';

/** What somebody is asked for, on behalf of a step. */
export type MockedCall = Pick<Extract<Effect, { type: 'dispatch_task' }>, 'stepId' | 'inputData'> & {
  /** Null: it is no agent that is asked. */
  readonly agentName: string | null;
};

/** What a step's agent is to answer. */
export interface Mock {
  readonly outcome: AgentOutcome;
  readonly logs: readonly string[] | null;
}

/** By step id: one answer for each call in turn, of which the last stands for all later calls. */
export type Mocks = ReadonlyMap<string, readonly Mock[]>;

/** Where an answer comes from: the request, the agent's registered example, or the task's own input. */
export type OutputSource = 'mock' | 'example' | 'echo';

export interface MockedAnswer extends Mock {
  readonly source: OutputSource;
}

/** Stands for every agent of a dry run. */
export class MockedAgents {
  readonly #mocks: Mocks;
  readonly #examples: ReadonlyMap<string, Json>;
  readonly #calls = new Map<string, number>();

  /** @param examples by agent name */
  constructor(mocks: Mocks, examples: ReadonlyMap<string, Json>) {
    this.#mocks = mocks;
    this.#examples = examples;
  }

  answer({ stepId, agentName, inputData }: MockedCall): MockedAnswer {
    const mocks = this.#mocks.get(stepId) ?? [];
    const call = this.#calls.get(stepId) ?? 0;
    this.#calls.set(stepId, call + 1);
    const mock = mocks[Math.min(call, mocks.length - 1)];
    if (mock !== undefined) return { ...mock, source: 'mock' };
    const example = agentName === null ? undefined : this.#examples.get(agentName);
    return example === undefined ? completed(inputData, 'echo') : completed(example, 'example');
  }

  hasMock(stepId: string): boolean {
    return this.#mocks.has(stepId);
  }

  /** The mocked steps whose agent was never called. */
  unusedMocks(): string[] {
    return [...this.#mocks.keys()].filter((stepId) => !this.#calls.has(stepId));
  }
}

function completed(output: Json, source: OutputSource): MockedAnswer {
  return { outcome: { status: 'completed', output }, logs: null, source };
}
