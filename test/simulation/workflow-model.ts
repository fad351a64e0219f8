import type { Json, JsonObject } from '../../shared/engine/json.ts';
import type { Random } from '../support/random.ts';
import { KAFKA_AGENT, REGISTRY_AGENT, TABLE_AGENT } from './topics.ts';

/** A sequence of steps whose every input and output can be told beforehand: what the fault-free run comes to. */
export interface WorkflowModel {
  readonly definition: object;
  readonly stepIds: readonly string[];
  /** The step whose agent fails for good until somebody heals it, or null. */
  readonly brokenStep: string | null;
  /** Each step reads the run's input alone: they may come in any order. */
  readonly isFree: boolean;
}

export interface FaultFreeRun {
  readonly inputs: ReadonlyMap<string, Json>;
  readonly output: Json;
}

export function drawWorkflow(random: Random, name: string): WorkflowModel {
  const stepIds = Array.from({ length: 1 + random.int(8) }, (_, i) => `step-${i + 1}`);
  const isFree = random.chance(0.3);
  const steps = stepIds.map((id, i) => {
    const before = isFree || i === 0 ? '$.workflow_input.n' : `$['${stepIds[i - 1]}'].output_data.n`;
    // Some steps read far back, which is then loaded and not brought by the event.
    const further =
      isFree || i === 0 || random.chance(0.5)
        ? '$.workflow_input.n'
        : `$['${stepIds[random.int(i)]}'].output_data.n`;
    const step = {
      agent_name: random.pick([TABLE_AGENT, TABLE_AGENT, KAFKA_AGENT, REGISTRY_AGENT]),
      next_step: stepIds[i + 1] ?? null,
      input_mapping: { step: id, before, further },
      ...(random.chance(0.3) && { timeout_seconds: 1 + random.int(100) }),
    };
    return [id, step] as const;
  });
  const retry = { max_attempts: 100, initial_interval_ms: 1_000, max_interval_ms: 30_000, backoff_rate: 2 };
  return {
    definition: { name, start_step: stepIds[0], steps: Object.fromEntries(steps), retry },
    stepIds,
    brokenStep: random.chance(0.3) ? random.pick(stepIds) : null,
    isFree,
  };
}

/** The same steps in another order. */
export function reordered(workflow: WorkflowModel, random: Random): WorkflowModel {
  const { name, retry, steps } = workflow.definition as {
    name: string;
    retry: object;
    steps: Record<string, object>;
  };
  const left = [...workflow.stepIds];
  const stepIds = workflow.stepIds.map(() => left.splice(random.int(left.length), 1)[0] as string);
  const inOrder = stepIds.map((id, i) => [id, { ...steps[id], next_step: stepIds[i + 1] ?? null }] as const);
  const definition = { name, start_step: stepIds[0], steps: Object.fromEntries(inOrder), retry };
  return { ...workflow, definition, stepIds };
}

/** What an agent answers, whenever and however often it is asked. */
export function answerTo(input: JsonObject): JsonObject {
  const { before, further, step } = input as { before: number; further: number; step: string };
  return { n: (before * 31 + further * 7 + step.length) % 1_000_003, by: step };
}

export function faultFree({ definition, stepIds }: WorkflowModel, n: number): FaultFreeRun {
  const { steps } = definition as { steps: Record<string, { input_mapping: Record<string, string> }> };
  const inputs = new Map<string, Json>();
  const outputs = new Map<string, JsonObject>();
  const valueAt = (path: string) => {
    const stepId = /^\$\['(.*)'\]/.exec(path)?.[1];
    return stepId === undefined ? n : (outputs.get(stepId)?.n as number);
  };
  let output: Json = null;
  for (const id of stepIds) {
    const { before = '', further = '' } = steps[id]?.input_mapping ?? {};
    const input = { step: id, before: valueAt(before), further: valueAt(further) };
    inputs.set(id, input);
    output = answerTo(input);
    outputs.set(id, output as JsonObject);
  }
  return { inputs, output };
}
