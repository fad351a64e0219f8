/** What `decide` will read of a run for one event, beside the attempts that the event is about. */
export interface Needs {
  /** By path. */
  readonly joins: readonly string[];
  /** By id. */
  readonly attempts: readonly string[];
  readonly workflowInput: boolean;
  /** Scopes, each with its own variables where it has any; '' has at least what the run began with. */
  readonly variables: readonly string[];
  /** Scopes, each with the error that was caught in it last. */
  readonly errors: readonly string[];
  /** Scopes, each with what it had of both before that time, in epoch milliseconds. */
  readonly earlier: readonly { readonly scope: string; readonly before: number }[];
  /** The latest completed output of each. */
  readonly outputs: readonly StepInScope[];
  /** How often each was visited. */
  readonly visits: readonly StepInScope[];
  /** Scopes of map items, each with its input. */
  readonly children: readonly string[];
  /** Joins whose children's outputs are gathered. */
  readonly gathered: readonly string[];
  /** Joins of which every open attempt inside is needed, at any depth. */
  readonly openWithin: readonly string[];
  /** Names, each with the earliest signal that nobody took. */
  readonly signalNames: readonly string[];
  readonly signalIds: readonly string[];
  readonly workflows: readonly { readonly name: string; readonly version: number | null }[];
  /** Scopes that wait since a retry, each with all that lets it go on: its last attempts, joins and unfinished children, at any depth. */
  readonly resuming: readonly string[];
  /** Every child that began and did not complete: for a retry. */
  readonly unfinishedChildren: boolean;
}

export interface StepInScope {
  readonly scope: string;
  readonly stepId: string;
}

export const NO_NEEDS: Needs = {
  joins: [],
  attempts: [],
  workflowInput: false,
  variables: [],
  errors: [],
  earlier: [],
  outputs: [],
  visits: [],
  children: [],
  gathered: [],
  openWithin: [],
  signalNames: [],
  signalIds: [],
  workflows: [],
  resuming: [],
  unfinishedChildren: false,
};

export function together(a: Needs, b: Needs): Needs {
  return {
    joins: [...a.joins, ...b.joins],
    attempts: [...a.attempts, ...b.attempts],
    workflowInput: a.workflowInput || b.workflowInput,
    variables: [...a.variables, ...b.variables],
    errors: [...a.errors, ...b.errors],
    earlier: [...a.earlier, ...b.earlier],
    outputs: [...a.outputs, ...b.outputs],
    visits: [...a.visits, ...b.visits],
    children: [...a.children, ...b.children],
    gathered: [...a.gathered, ...b.gathered],
    openWithin: [...a.openWithin, ...b.openWithin],
    resuming: [...a.resuming, ...b.resuming],
    signalNames: [...a.signalNames, ...b.signalNames],
    signalIds: [...a.signalIds, ...b.signalIds],
    workflows: [...a.workflows, ...b.workflows],
    unfinishedChildren: a.unfinishedChildren || b.unfinishedChildren,
  };
}
