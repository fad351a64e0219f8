import * as z from 'zod';
import type { Mock, Mocks } from '../../../shared/application/dry-run/mocked-agents.ts';
import type { ExecutableWorkflow } from '../../../shared/application/start-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import type { PlanStep } from '../../../shared/engine/plan.ts';
import { atMostCharacters } from '../../../shared/validation/characters.ts';
import { createHints } from '../../../shared/validation/nearest-name.ts';
import type { Problem } from '../http/api-error.ts';
import type { BodySpec } from '../http/route.ts';
import type { ApiServices } from '../services.ts';
import { boundedText, goesIn, json, oversizedFields } from './request-fields.ts';
import { findFormProblems, runInput } from './run-input.ts';

const ONE_OF = 'expected {output} or {error}';
const expectedText = 'expected text';

const mockError = z.strictObject(
  {
    code: boundedText(255).describe('What retry policies match.'),
    message: z.string({ error: expectedText }).check(atMostCharacters(limits.maxErrorMessageLength)),
    retryable: z.boolean({ error: 'expected true or false' }).default(true),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'expected {code, message, retryable?}' : undefined) },
);

const mock = z
  .strictObject({
    output: json.optional().describe('Any JSON, null too.'),
    error: mockError.optional(),
    logs: z
      .array(z.string({ error: expectedText }).check(atMostCharacters(limits.maxLogLineLength)), {
        error: 'expected a list of lines',
      })
      .max(limits.maxLogLines, `expected at most ${limits.maxLogLines} lines`)
      .optional(),
  })
  .refine((given) => Object.hasOwn(given, 'output') !== Object.hasOwn(given, 'error'), ONE_OF);

const mocks = z.record(
  z.string(),
  z.union([mock, z.array(mock).min(1, 'expected at least one answer')], {
    error: `${ONE_OF}, or a list of them`,
  }),
  { error: 'expected an object of answers by step id' },
);

const dryRunSchema = z.strictObject({
  ...runInput,
  mocks: mocks
    .nullish()
    .describe(
      "What steps' agents answer, by step id, in whatever branch or item: one list for all calls, in the order in which they are made, the last answer for all later ones. For a step that waits for a signal: its payload as `output`; for one that starts a workflow: what its run comes to.",
    ),
});

type DryRunBody = z.infer<typeof dryRunSchema>;

export const dryRunBody: BodySpec<DryRunBody, ExecutableWorkflow> = {
  schema: dryRunSchema,
  // The mocks, one of input_data and variables, metadata, and room for the rest.
  maxBytes: limits.maxMocksBytes + 3 * limits.maxPayloadBytes,
  isOptional: true,
  whereTo: goesIn('input_data'),
  findProblems: (given, services, workflow) => [
    ...findFormProblems(given),
    ...findMockProblems(given, services, workflow),
  ],
  findOversized: ({ input_data, variables, metadata, mocks }) =>
    oversizedFields({ input_data, variables, metadata, ...outputsOf(mocks) }),
};

export function mocksOf({ mocks }: DryRunBody): Mocks {
  return new Map(Object.entries(mocks ?? {}).map(([stepId, given]) => [stepId, [given].flat().map(mockOf)]));
}

function mockOf({ output, error, logs: given }: z.infer<typeof mock>): Mock {
  const logs = given ?? null;
  return error === undefined
    ? { outcome: { status: 'completed', output: output ?? null }, logs }
    : { outcome: { status: 'failed', error }, logs };
}

function findMockProblems(given: unknown, { dryRun }: ApiServices, workflow: ExecutableWorkflow): Problem[] {
  if (!isJsonObject(given) || !isJsonObject(given.mocks)) return [];
  const steps = dryRun.stepsOf(workflow);
  const unknown = Object.keys(given.mocks).filter((id) => !steps.has(id));
  const hintOf = createHints();
  const problems = unknown.map((id): Problem => {
    const hint = hintOf(id, steps.keys());
    return { path: `mocks.${id}`, message: `expected the id of a step of this workflow${hint}` };
  });
  for (const [id, answers] of Object.entries(given.mocks))
    problems.push(...answersProblems(id, answers, steps.get(id)));
  const count = Object.values(given.mocks).reduce<number>(
    (sum, answers) => sum + (Array.isArray(answers) ? answers.length : 1),
    0,
  );
  if (count > limits.maxMocks) {
    problems.push({
      path: 'mocks',
      message: `expected at most ${limits.maxMocks} answers in all, got ${count}`,
    });
  }
  return problems;
}

/** Whom a step asks decides what it can be answered. */
function answersProblems(id: string, answers: unknown, step: PlanStep | undefined): Problem[] {
  if (!step || 'agentName' in step || 'workflow' in step) return [];
  if (!('signal' in step)) {
    const message = 'expected a step that asks an agent, waits for a signal or starts a workflow';
    return [{ path: `mocks.${id}`, message }];
  }
  const message = 'expected {output}: a signal brings a payload, and does not fail';
  const isFailure = (answer: unknown) => isJsonObject(answer) && Object.hasOwn(answer, 'error');
  return Array.isArray(answers)
    ? answers.flatMap((answer, i) => (isFailure(answer) ? [{ path: `mocks.${id}.${i}`, message }] : []))
    : isFailure(answers)
      ? [{ path: `mocks.${id}`, message }]
      : [];
}

/** By where they stand in the body. */
function outputsOf(mocks: DryRunBody['mocks']): Record<string, unknown> {
  const entries = Object.entries(mocks ?? {}).flatMap(([stepId, given]) =>
    Array.isArray(given)
      ? given.map(({ output }, i) => [`mocks.${stepId}.${i}.output`, output] as const)
      : [[`mocks.${stepId}.output`, given.output] as const],
  );
  return Object.fromEntries(entries);
}
