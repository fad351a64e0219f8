/** The functions that a deployment consists of; in its account each has a prefix of the deployment's. */
export const functionNames = [
  'api',
  'step-executor',
  'http-bridge',
  'lambda-bridge',
  'timekeeper',
  'migrate',
  'redrive',
] as const;

export type FunctionName = (typeof functionNames)[number];

/**
 * What all of them are called in the account of one of them.
 * @param functionName of any, as Lambda tells it (`stepline-dev-api`); locally they have no prefix
 */
export function ownFunctionsOf(functionName: string): ReadonlySet<string> {
  const own = functionNames.find((name) => functionName === name || functionName.endsWith(`-${name}`));
  const prefix = own === undefined ? '' : functionName.slice(0, -own.length);
  return new Set(functionNames.map((name) => prefix + name));
}
