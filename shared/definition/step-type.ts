import type { Json, JsonObject } from '../engine/json.ts';
import type { PlanStep, StepBase } from '../engine/plan.ts';

/** What a step has of its own type, compiled. */
export type OwnPart<Step extends PlanStep> = Omit<Step, keyof StepBase>;

/** Something in a step that entering it evaluates. */
export interface FoundExpression {
  /** Dotted from the step. */
  readonly at: string;
  readonly value: Json;
  /** A condition looks at one value, and may ask whether it is there at all. */
  readonly isCondition: boolean;
}

/** Finds them in a step of a type, as far as they can be told of one that may have anything wrong with it. */
export type ExpressionFinder = (step: JsonObject) => readonly FoundExpression[];

/** For a type whose expressions are whole fields. */
export function expressionsIn(...fields: readonly string[]): ExpressionFinder {
  return (step) =>
    fields.flatMap((at) => {
      const value = Object.hasOwn(step, at) ? step[at] : undefined;
      return value === undefined ? [] : [{ at, value, isCondition: false }];
    });
}
