import type { Json, JsonObject } from '../../../shared/engine/json.ts';
import type { NamedWorkflow, Stage } from '../stage.ts';

/** A run that one release brings so far, and another one may have to end. */
export interface Situation {
  readonly name: string;
  /** In the order in which they are registered; the last one is executed. */
  readonly workflows: (stage: Pick<Stage, 'seconds'>) => readonly NamedWorkflow[];
  readonly variables?: JsonObject;
  /** What is done in the run before it is as it is to be. */
  readonly begin?: (stage: Stage, runId: string) => Promise<void>;
  /** The attempts by then, in any order. */
  readonly open: readonly string[];
  /** `open` ends by itself, soon where a stage's time is short. */
  readonly passes?: true;
  /** What somebody does for it to end. Absent: nothing is needed. */
  readonly end?: (stage: Stage, runId: string) => Promise<void>;
  readonly outcome: Outcome;
  /** All its attempts when it has ended, in any order: what was done before is not done again. */
  readonly attempts: readonly string[];
  /** How runs have ended for it, where it is not once as the outcome says: its children too, and before a retry. */
  readonly closings?: readonly string[];
}

export type Outcome =
  | { readonly status: 'COMPLETED'; readonly output_data: Json }
  | { readonly status: 'FAILED'; readonly error_code: string }
  | { readonly status: 'CANCELLED' };
