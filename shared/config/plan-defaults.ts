import type { PlanDefaults } from '../definition/compile-plan.ts';
import { limits } from './limits.ts';

/** What holds for workflows that say nothing, where the deployment says nothing either; design §3 and §4. */
export const planDefaults: PlanDefaults = {
  defaultTimeoutMs: 60_000,
  longStopMs: 3_600_000,
  pickUpMs: 60_000,
  maxPayloadBytes: limits.maxPayloadBytes,
  maxStepsPerRun: limits.maxStepsPerRun,
  maxRunDepth: limits.maxRunDepth,
  maxMapItems: limits.maxMapItems,
  runTimeoutMs: null,
  retry: [
    {
      maxAttempts: 3,
      initialIntervalMs: 1_000,
      backoffRate: 2,
      maxIntervalMs: 60_000,
      jitter: 'full',
      codes: null,
    },
  ],
};
