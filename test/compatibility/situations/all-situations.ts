import { agentAnswers } from './agent-answers.ts';
import { containers } from './containers.ts';
import { inFlight, leftBehind } from './in-flight.ts';
import type { Situation } from './situation.ts';
import { steered } from './steered.ts';
import { timeAndSignals } from './time-and-signals.ts';

/** Of all types of steps together, and side by side. */
export const liveSituations: readonly Situation[] = [
  ...agentAnswers,
  ...timeAndSignals,
  ...containers,
  ...steered,
];

/** Those too that are there only when a world stops. */
export const keptSituations: readonly Situation[] = [...liveSituations, ...inFlight, leftBehind];
