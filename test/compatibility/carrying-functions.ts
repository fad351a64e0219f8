/** What a deployment needs to carry runs and to be deployed; nothing else of a release meets another one's rows and records. */
export const carryingFunctions = [
  'api',
  'step-executor',
  'http-bridge',
  'lambda-bridge',
  'timekeeper',
  'migrate',
] as const;

export type CarryingFunction = (typeof carryingFunctions)[number];
