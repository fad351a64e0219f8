import type { Json, JsonObject } from '../../shared/engine/json.ts';

/** What a run does. */
export interface Shape {
  readonly name: string;
  /** Agent steps of one run. */
  readonly steps: number;
  readonly input: JsonObject;
  /** What the agent answers; its input by default. */
  readonly answer?: (input: Json) => Json;
  /** `start_step` and `steps`, all of one agent. */
  definition(agentName: string): JsonObject;
}

export const STEPS = 5;

const input = { message: 'a message of an ordinary length' };

/**
 * One agent step after the other, each with what the one before brought.
 * @param passedOn the fields that go from step to step
 */
export function sequenceOf(count: number, passedOn: readonly string[] = ['message']): Shape {
  return {
    name: `sequence of ${count}`,
    steps: count,
    input,
    definition(agent_name) {
      const steps = Array.from({ length: count }, (_, i) => {
        const from = i === 0 ? '$.workflow_input' : `$.s${i}.output_data`;
        const input_mapping = Object.fromEntries(passedOn.map((field) => [field, `${from}.${field}`]));
        const next_step = i + 1 < count ? `s${i + 2}` : null;
        return [`s${i + 1}`, { agent_name, next_step, input_mapping }];
      });
      return { start_step: 's1', steps: Object.fromEntries(steps) };
    },
  };
}

export function parallelOf(width: number): Shape {
  return {
    name: `parallel of ${width}`,
    steps: width,
    input,
    definition(agent_name) {
      const step = { agent_name, input_mapping: { message: '$.workflow_input.message' } };
      const branches = Array.from({ length: width }, (_, i) => [
        `b${i}`,
        { start_step: `s${i}`, steps: { [`s${i}`]: step } },
      ]);
      const all = { type: 'parallel', branches: Object.fromEntries(branches) };
      return { start_step: 'all', steps: { all } };
    },
  };
}

export function mapOf(items: number): Shape {
  return {
    name: `map of ${items}`,
    steps: items,
    input: { items: Array.from({ length: items }, (_, i) => i) },
    definition: (agent_name) => ({
      start_step: 'each',
      steps: {
        each: {
          type: 'map',
          items: '$.workflow_input.items',
          max_concurrency: 100,
          start_step: 'work',
          steps: { work: { agent_name, input_mapping: { message: '$.item' } } },
        },
      },
    }),
  };
}

/** One step again and again, which counts to `times`; a sequence of that length would not be accepted. */
export function loopOf(times: number): Shape {
  return {
    name: `loop of ${times}`,
    steps: times,
    input: { n: 0 },
    answer: (input) => ({ n: (input as { n: number }).n + 1 }),
    definition: (agent_name) => ({
      start_step: 'count',
      steps: {
        count: {
          agent_name,
          input_mapping: { n: '$.variables.n' },
          assign: { n: '$.output.n' },
          next_step: 'enough',
        },
        enough: {
          type: 'choice',
          choices: [{ variable: '$.count.output_data.n', numeric_less_than: times, next_step: 'count' }],
          default_next_step: 'end',
        },
        end: { type: 'succeed' },
      },
    }),
  };
}
