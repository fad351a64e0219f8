/** What the price of a step depends on and no template says. Durations are of warm invocations at the deployed memory. */
export const assumptions = {
  stepsOfARun: 10,
  /** Of an HTTP agent, which the bridge waits for. */
  agentMs: 100,
  /** Of one that answers at once, which the executor waits for. */
  quickAgentMs: 20,
  /** One executor invocation: what it costs however many records it has, and what each adds. */
  executorBaseMs: 15,
  executorMsOfAStep: 0.5,
  bridgeBaseMs: 15,
  apiMs: 30,
  /** Disk requests of Aurora for a step, commits included. */
  databaseRequestsAtBatchOne: 8,
  databaseRequestsAtBatchHundred: 2,
  /** Of all records of a step together. */
  kafkaBytesOfAStep: 4_096,
  /** A Step Functions task for each step; Standard counts a transition for each, and two for the run. */
  expressMemoryGib: 0.0625,
} as const;
