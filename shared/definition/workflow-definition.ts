import * as z from 'zod';
import { limits } from '../config/limits.ts';
import { atMostCharacters } from '../validation/characters.ts';
import { valueAt } from '../validation/known-fields.ts';
import { nearestName } from '../validation/nearest-name.ts';
import { type RetryDefinition, retry } from './retry-policy.ts';
import { name, seconds } from './step-fields.ts';
import type { ExpressionFinder } from './step-type.ts';
import { type AgentDefinition, agentExpressions, agentSchema } from './steps/agent.ts';
import { type ChoiceDefinition, choiceExpressions, choiceSchema } from './steps/choice.ts';
import { type FailDefinition, failExpressions, failSchema } from './steps/fail.ts';
import { type MapDefinition, mapExpressions, mapSchema } from './steps/map.ts';
import { type ParallelDefinition, parallelExpressions, parallelSchema } from './steps/parallel.ts';
import { type PassDefinition, passExpressions, passSchema } from './steps/pass.ts';
import { type SignalDefinition, signalExpressions, signalSchema } from './steps/signal.ts';
import { type SucceedDefinition, succeedExpressions, succeedSchema } from './steps/succeed.ts';
import { type WaitDefinition, waitExpressions, waitSchema } from './steps/wait.ts';
import { type WorkflowStepDefinition, workflowExpressions, workflowSchema } from './steps/workflow.ts';

/*
 * The sources' step format (api-executor-integration): `start_step`, and `steps` by id, each of a type (`agent` when absent) with
 * that type's fields and `next_step`. One front end of the engine's plan. Each type has its fields, and what they compile to, in a
 * file of steps/; this is where they come together.
 */

/** What expressions and paths begin with: a step of that name could not be told from it. */
const RESERVED_IDS = ['workflow_input', 'variables', 'item', 'index', 'error', 'output'];

export type StepDefinition =
  | AgentDefinition
  | ChoiceDefinition
  | ParallelDefinition<StepDefinitions>
  | MapDefinition<StepDefinitions>
  | WaitDefinition
  | SignalDefinition
  | WorkflowStepDefinition
  | PassDefinition
  | SucceedDefinition
  | FailDefinition;

/** By id. */
export interface StepDefinitions {
  readonly [id: string]: StepDefinition;
}

const stepsInside: z.ZodType<StepDefinitions> = z.lazy(() => steps);

const types = [
  agentSchema,
  choiceSchema,
  parallelSchema(stepsInside),
  mapSchema(stepsInside),
  waitSchema,
  signalSchema,
  workflowSchema,
  passSchema,
  succeedSchema,
  failSchema,
] as const;

const typeNames = types.flatMap(({ shape }) => {
  const { type } = shape;
  return [...(type instanceof z.ZodOptional ? type.unwrap() : type).values];
});

const step = z
  .discriminatedUnion('type', types, {
    error: ({ code, input }) => (code === 'invalid_union' ? unknownType(valueAt(input, 'type')) : undefined),
  })
  .meta({ id: 'WorkflowStep' });

function unknownType(type: unknown): string {
  const nearest = typeof type === 'string' ? nearestName(type, typeNames) : null;
  return `expected one of the types ${typeNames.join(', ')}${nearest === null ? '' : `, did you mean "${nearest}"?`}`;
}

const steps = z
  .record(
    name
      .refine(
        (id) => !RESERVED_IDS.includes(id),
        `expected another id than ${RESERVED_IDS.slice(0, -1).join(', ')} or ${RESERVED_IDS.at(-1)}`,
      )
      .meta({ not: { enum: RESERVED_IDS } }),
    step,
    { error: 'expected an object of steps by id' },
  )
  .overwrite((byId) =>
    Object.fromEntries(
      Object.entries(byId).map(([id, step]) => [id, step.id === undefined ? withId(step, id) : step]),
    ),
  )
  // Their number is checked before anything else is read (`parse-definition.ts`).
  .meta({
    id: 'WorkflowSteps',
    description: "By id; an id is a step's own in the whole workflow.",
    minProperties: 1,
    maxProperties: limits.maxStepsPerDefinition,
  });

/** A step that does not say its id gets it where it is stored in definitions since the first: before what comes last. */
function withId<Step extends object>(step: Step, id: string): Step {
  const last = ['next_step', 'input_mapping', 'retry'];
  const fields = Object.entries(step);
  const isLast = ([field]: [string, unknown]) => last.includes(field);
  const ordered = [...fields.filter((field) => !isLast(field)), ['id', id], ...fields.filter(isLast)];
  return Object.fromEntries(ordered);
}

export const workflowDefinition = z.strictObject({
  name: name.describe('Unique per owner: registering it again adds a version.'),
  description: z
    .string({ error: 'expected text' })
    .check(atMostCharacters(4_000))
    .nullish()
    .describe('For people.'),
  start_step: name.describe('The id of the first step.'),
  steps,
  retry: retry.optional().describe('For agent steps that have none of their own.'),
  timeout_seconds: seconds.optional().describe('How long a run may take; longer fails it with TIMEOUT.'),
  steps_per_invocation: z
    .int()
    .min(1)
    .max(limits.maxStepsPerInvocation)
    .optional()
    .describe(
      'How many steps of a run one invocation may carry out one after the other where agents answer at once; the deployment has a maximum.',
    ),
});

/** A step as it is stored and shown: `normalise` has filled in what may be left out. */
export const storedStep = step;

/** As stored and sent: every step carries its `id`, and its `next_step` and `input_mapping` where its type has them. */
export interface WorkflowDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly start_step: string;
  readonly steps: StepDefinitions;
  readonly retry?: RetryDefinition;
  readonly timeout_seconds?: number;
  readonly steps_per_invocation?: number;
}

/** In the order in which it is stored: a definition that is registered again is known by its text. */
export function normalise({
  name,
  description,
  start_step,
  steps,
  retry,
  timeout_seconds,
  steps_per_invocation,
}: z.infer<typeof workflowDefinition>): WorkflowDefinition {
  return {
    name,
    description: description ?? null,
    start_step,
    steps,
    ...(retry && { retry }),
    ...(timeout_seconds !== undefined && { timeout_seconds }),
    ...(steps_per_invocation !== undefined && { steps_per_invocation }),
  };
}

const expressionFinders = new Map<unknown, ExpressionFinder>([
  [undefined, agentExpressions],
  ['agent', agentExpressions],
  ['choice', choiceExpressions],
  ['parallel', parallelExpressions],
  ['map', mapExpressions],
  ['wait', waitExpressions],
  ['signal', signalExpressions],
  ['workflow', workflowExpressions],
  ['pass', passExpressions],
  ['succeed', succeedExpressions],
  ['fail', failExpressions],
]);

/** What entering a step of a type evaluates; nothing for what is no type. */
export function expressionsOf(type: unknown): ExpressionFinder {
  return expressionFinders.get(type) ?? (() => []);
}

/** The steps inside a step, scope by scope. */
export function stepsWithin(step: StepDefinition): readonly StepDefinitions[] {
  switch (step.type) {
    case 'parallel':
      return Object.values(step.branches).map(({ steps }) => steps);
    case 'map':
      return [step.steps];
    default:
      return [];
  }
}
