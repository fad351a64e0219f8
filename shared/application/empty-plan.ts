import type { Plan } from '../engine/plan.ts';

/** For a run that has none: it ends, and does nothing else. */
export const EMPTY_PLAN: Plan = {
  startStep: '',
  steps: new Map(),
  timeoutMs: null,
  settings: {
    defaultTimeoutMs: 0,
    longStopMs: 0,
    pickUpMs: 0,
    maxPayloadBytes: 0,
    maxStepsPerRun: 0,
    maxRunDepth: 0,
    maxMapItems: 0,
  },
};
