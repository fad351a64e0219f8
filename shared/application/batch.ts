import type { DefinitionProblem } from '../definition/parse-definition.ts';
import { mustComeFirst } from '../engine/decide.ts';
import type { RefusalCode } from '../engine/effects.ts';
import type { EngineEvent } from '../engine/event.ts';
import type { Json } from '../engine/json.ts';
import type { RunStatus } from '../engine/state.ts';
import type { AuditEntry } from './audit.ts';
import type { Fault } from './error-policy.ts';

/** An event about one run. */
export interface BatchItem {
  readonly runId: string;
  readonly event: EngineEvent;
  /** The plan that an execution request carries: for a run that another producer inserted without one. */
  readonly inlinePlan?: Json;
  /** What reading that plan has changed of it: then it is not taken. */
  readonly inlinePlanLosses?: readonly DefinitionProblem[];
  /** Whoever sent it has shown nothing: it is for a run that has no owner, such as another producer inserts, or a child that nobody waits for. */
  readonly onlyOfNobody?: true;
  /** Decided by this version of the run's workflow from then on, where what it did is compatible: for a retry. */
  readonly version?: VersionChange;
  /** Who asked for it by a call: stored with what is decided, and not where it is refused. */
  readonly audit?: AuditEntry;
}

export interface VersionChange {
  readonly versionId: string;
  readonly number: number;
  /** `wf-<name>-<version>`. */
  readonly workflowId: string;
}

/** What became of an item. Refusals are normal: records come more than once, and late. */
export type Outcome =
  | {
      readonly outcome: 'decided';
      readonly status: RunStatus;
      /** The item could not be decided, or what it led to not be saved: its attempt failed for it, or its run. */
      readonly fault?: Fault;
    }
  | { readonly outcome: 'refused'; readonly code: RefusalCode | 'NO_PLAN' }
  | { readonly outcome: 'unknown_run' }
  /** It asks for what only the run's owner may, and comes from nobody. */
  | { readonly outcome: 'unauthorised' }
  /** Steps that completed are not the same in the other version, or not in it. */
  | { readonly outcome: 'incompatible'; readonly stepIds: readonly string[] }
  /** The database refuses a value of this item: a call's, or one of which nothing else could be made. */
  | { readonly outcome: 'value_refused'; readonly reason: string }
  /** A defect of ours, kept to the one item; and its run could not be ended for it. */
  | { readonly outcome: 'defect'; readonly reason: string };

/** A batch in as many transactions as it needs, nearly always one: cut before an event that must come first of its run. */
export function roundsOf(items: readonly BatchItem[]): BatchItem[][] {
  const rounds: BatchItem[][] = [];
  let runs = new Set<string>();
  for (const item of items) {
    if (rounds.length === 0 || (mustComeFirst(item.event) && runs.has(item.runId))) {
      rounds.push([]);
      runs = new Set();
    }
    rounds.at(-1)?.push(item);
    runs.add(item.runId);
  }
  return rounds;
}
