import * as z from 'zod';
import type { VersionChange } from '../../../shared/application/batch.ts';
import type { RunRefusal } from '../../../shared/application/change-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import type { RetryRequested } from '../../../shared/engine/event.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import type { RunRights } from '../../../shared/persistence/run-queries.ts';
import { createHints } from '../../../shared/validation/nearest-name.ts';
import { type ApiError, badRequest } from '../http/api-error.ts';
import { refusalError } from '../http/refusal-error.ts';
import type { BodySpec } from '../http/route.ts';
import type { ApiServices } from '../services.ts';
import { boundedText, isGiven, json, oversizedFields } from './request-fields.ts';

/** Of a scope's path, which names all the steps and branches around. */
const MAX_SCOPE_LENGTH = 4_096;
const MAX_VERSION = 999_999_999;
const VERSION = 'expected a version of the workflow, or "latest"';

const schema = z.strictObject({
  from_step: boundedText(limits.maxNameLength)
    .nullish()
    .describe('The id of a step that the run has come to, completed or not. Default: where it ended.'),
  from_scope: boundedText(MAX_SCOPE_LENGTH)
    .nullish()
    .describe(
      'Which branch or item of `from_step`: its `scope` in `/steps`, or one around it. Default: the one that it ran in last.',
    ),
  input_data: json.optional().describe("Instead of what the step's mapping makes."),
  version: z
    .union([z.int(VERSION).min(1, VERSION).max(MAX_VERSION, VERSION), z.literal('latest', VERSION)], {
      error: VERSION,
    })
    .nullish()
    .describe(
      "Goes on with another version of the run's workflow, which has what the run has done as it was. Default: the run's own.",
    ),
});

export type RetryBody = z.infer<typeof schema>;

export const retryBody: BodySpec<RetryBody, RunRights> = {
  schema,
  // The input, and room for the rest.
  maxBytes: 2 * limits.maxPayloadBytes,
  isOptional: true,
  findProblems: (given) => {
    if (!isJsonObject(given)) return [];
    return isGiven(given, 'from_scope') && !isGiven(given, 'from_step')
      ? [{ path: 'from_step', message: 'expected the id of a step, since from_scope is given' }]
      : [];
  },
  findOversized: ({ input_data }) => oversizedFields({ input_data }),
};

/** @throws ApiError 400: no such version, or no such step in it */
export async function readRetry(
  { from_step, from_scope, input_data, version: asked }: RetryBody,
  { workflowId, versionId }: RunRights,
  services: Pick<ApiServices, 'workflows' | 'findPlan'>,
): Promise<{ readonly retry: RetryRequested; readonly version: VersionChange | undefined }> {
  const version =
    asked === undefined || asked === null ? undefined : await findVersion(asked, workflowId, services);
  const plan =
    typeof from_step === 'string' ? await services.findPlan(version?.versionId ?? versionId) : null;
  if (plan && typeof from_step === 'string' && !plan.steps.has(from_step)) {
    const hint = createHints()(from_step, plan.steps.keys());
    throw badRequest([{ path: 'from_step', message: `expected the id of a step of this workflow${hint}` }]);
  }
  const retry: RetryRequested = {
    type: 'retry_requested',
    fromStep: from_step ?? null,
    fromScope: from_scope ?? null,
    ...(input_data !== undefined && input_data !== null && { inputData: input_data }),
  };
  return { retry, version };
}

async function findVersion(
  asked: number | 'latest',
  workflowId: string | null,
  { workflows }: Pick<ApiServices, 'workflows'>,
): Promise<VersionChange> {
  const latest = workflowId === null ? null : await workflows.maybeFindVersion(workflowId, null);
  if (!latest || workflowId === null) {
    throw badRequest([
      { path: 'version', message: 'expected none: the run is of no workflow with versions' },
    ]);
  }
  if (asked === 'latest' || asked === latest.number) return latest;
  const found = await workflows.maybeFindVersion(workflowId, asked);
  if (found) return found;
  const message = `${VERSION}; the latest is ${latest.number}`;
  throw badRequest([{ path: 'version', message }]);
}

/** Why the run does not go on, as an answer. */
export function retryRefusal(refusal: RunRefusal, { from_step, from_scope }: RetryBody): ApiError {
  const code = refusal.outcome === 'refused' ? refusal.code : null;
  if (code === 'INPUT_NOT_TAKEN') {
    const where = typeof from_step === 'string' ? `step "${from_step}"` : 'the step where the run ended';
    return badRequest([{ path: 'input_data', message: `expected none: ${where} takes no input` }]);
  }
  if (code !== 'STEP_NOT_REACHED') return refusalError(refusal);
  return badRequest([
    typeof from_scope === 'string'
      ? { path: 'from_scope', message: `expected a scope in which the run has come to step "${from_step}"` }
      : { path: 'from_step', message: 'expected a step that the run has come to' },
  ]);
}
