import type { EnvironmentName } from '../config/environments.ts';
import { assumptions } from './assumptions.ts';
import { prices } from './prices.ts';
import type { Templates } from './templates.ts';

/** Of a million steps, by what takes it. */
export interface StepCost {
  readonly what: string;
  readonly dollars: number;
}

const MILLION = 1_000_000;

/**
 * @param batch of the executor and of the bridge alike, and that the load fills it: batching never waits
 * @param caller of the agents
 */
export function millionSteps(
  environment: EnvironmentName,
  templates: Templates,
  batch: number,
  caller: 'bridge' | 'executor',
): StepCost[] {
  const { executorBaseMs, executorMsOfAStep, quickAgentMs } = assumptions;
  const { stepsOfARun, kafkaBytesOfAStep } = assumptions;
  const gibOf = (name: string) => templates.memoryOf(`stepline-${environment}-${name}`);
  const invocations = MILLION / batch;
  const runs = MILLION / stepsOfARun;
  const hasFirewall = templates.count('AWS::WAFv2::WebACL') > 0;
  return [
    {
      what: 'Step executor',
      dollars: lambda(
        invocations,
        gibOf('step-executor'),
        executorBaseMs + batch * executorMsOfAStep + (caller === 'executor' ? quickAgentMs : 0),
      ),
    },
    {
      what: 'HTTP bridge, while agents answer',
      dollars:
        caller === 'executor'
          ? 0
          : lambda(invocations, gibOf('http-bridge'), assumptions.bridgeBaseMs + assumptions.agentMs),
    },
    {
      what: 'API, one request for each run',
      dollars:
        lambda(runs, gibOf('api'), assumptions.apiMs) +
        (runs / MILLION) *
          (prices.restApiMillionRequests + (hasFirewall ? prices.firewallMillionRequests : 0)),
    },
    {
      what: 'Aurora’s disk requests',
      dollars: databaseRequests(batch) * prices.auroraMillionRequests,
    },
    {
      what: 'Kafka’s records',
      dollars: ((MILLION * kafkaBytesOfAStep) / 1024 ** 3) * prices.brokerIngestGib,
    },
  ];
}

export function sumOf(costs: readonly { readonly dollars: number }[]): number {
  return costs.reduce((sum, { dollars }) => sum + dollars, 0);
}

/** Standard: a transition for each step, and one into and one out of each run. */
export function millionStandardSteps(): number {
  const transitions = 1 + 2 / assumptions.stepsOfARun;
  return transitions * prices.stepFunctionsMillionTransitions;
}

/** Express: a request for each run, and memory for as long as its agents take. */
export function millionExpressSteps(): number {
  const { agentMs, expressMemoryGib, stepsOfARun } = assumptions;
  const gibSeconds = MILLION * (agentMs / 1_000) * expressMemoryGib;
  return (
    prices.stepFunctionsExpressMillionRequests / stepsOfARun +
    gibSeconds * prices.stepFunctionsExpressGibSecond
  );
}

function lambda(invocations: number, gib: number, ms: number): number {
  return (
    (invocations / MILLION) * prices.lambdaMillionRequests +
    invocations * gib * (ms / 1_000) * prices.lambdaGibSecond
  );
}

/** Between the two that are assumed, by the commits that a batch saves. */
function databaseRequests(batch: number): number {
  const { databaseRequestsAtBatchOne: one, databaseRequestsAtBatchHundred: hundred } = assumptions;
  return hundred + ((one - hundred) * (1 / batch - 0.01)) / 0.99;
}
