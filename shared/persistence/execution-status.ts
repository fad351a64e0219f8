import type { RunStatus } from '../engine/state.ts';

/** A run's status with a pause for a status of its own. */
export type ExecutionStatus = RunStatus | 'PAUSED';
