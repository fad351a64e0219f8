import type { BehaviourOf, Behaviours, StepBehaviour } from '../flow.ts';
import type { PlanStep } from '../plan.ts';
import { agent } from './agent.ts';
import { choice } from './choice.ts';
import { fail } from './fail.ts';
import { map } from './map.ts';
import { parallel } from './parallel.ts';
import { pass } from './pass.ts';
import { signal } from './signal.ts';
import { succeed } from './succeed.ts';
import { wait } from './wait.ts';
import { workflow } from './workflow.ts';

const behaviours: Behaviours = {
  agent,
  choice,
  parallel,
  map,
  wait,
  signal,
  workflow,
  pass,
  succeed,
  fail,
};

export const behaviourOf: BehaviourOf = (step: PlanStep) =>
  // A behaviour only gets steps of its own type.
  behaviours[step.type] as StepBehaviour;
