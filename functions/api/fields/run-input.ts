import { isJsonObject } from '../../../shared/engine/json.ts';
import type { Problem } from '../http/api-error.ts';
import { communityId, isGiven, jsonObject } from './request-fields.ts';

/** What a run starts with, for real or as a test. */
export const runInput = {
  input_data: jsonObject.nullish().describe('What mappings read as `$.workflow_input`.'),
  variables: jsonObject.nullish().describe('Instead of `input_data`, with `community_id`.'),
  community_id: communityId
    .nullish()
    .describe('One of the communities of the key or token, unless an admin asks.'),
  metadata: jsonObject.nullish().describe('Kept with the run as it is.'),
};

/** The two forms of the body: `input_data`, or `variables` with the community that they are for. */
export function findFormProblems(json: unknown): Problem[] {
  if (!isJsonObject(json)) return [];
  if (!isGiven(json, 'variables')) return [];
  const problems: Problem[] = [];
  if (isGiven(json, 'input_data')) {
    problems.push({ path: 'variables', message: 'expected either input_data or variables, not both' });
  }
  if (!isGiven(json, 'community_id')) {
    problems.push({ path: 'community_id', message: 'expected a whole number, since variables are given' });
  }
  return problems;
}
