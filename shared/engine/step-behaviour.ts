import type { RefusalCode } from './decision.ts';
import type { AgentAnswered } from './event.ts';
import type { Flow } from './flow.ts';
import type { Needs } from './needs.ts';
import type { PlanStep } from './plan.ts';
import type { Attempt, Signal } from './state.ts';

/**
 * What the attempts of one type of step do: one file for each in steps/. An attempt is RUNNING when `start` gets it; whatever a
 * behaviour does not know, does not happen to its steps.
 */
export interface StepBehaviour<Step extends PlanStep = PlanStep> {
  /** Its branches or items run in scopes of their own. */
  readonly opensScopes?: true;
  /** What it starts is given an input, made once: further attempts have the same, unless a retry brings another. */
  readonly takesInput?: true;
  /** Settles at once, or asks for what will settle it. */
  start(flow: Flow, step: Step, attempt: Attempt): void;
  /** An agent's answer, or a child run's. */
  answered?(flow: Flow, step: Step, attempt: Attempt, event: AgentAnswered): void;
  /** The timekeeper's clock has come to `at`. */
  woken?(flow: Flow, step: Step, attempt: Attempt, at: number): RefusalCode | null;
  /** A request for a step that is under way: what it waited for may be there. */
  requested?(flow: Flow, step: Step, attempt: Attempt): RefusalCode | null;
  signalled?(flow: Flow, step: Step, attempt: Attempt, signal: Signal): void;
  /** It is being cancelled: so is what it asked for. */
  cancelled?(flow: Flow, step: Step, attempt: Attempt): void;
  /** The latest attempt did not complete, and its run goes on. False: it is tried anew like any other. */
  resumed?(flow: Flow, step: Step, attempt: Attempt): boolean;
  /** A branch or item of it has ended, and the step is not over. */
  childEnded?(flow: Flow, step: Step, joinPath: string): void;
  /** What starting it needs beside what its expressions read. */
  needsToStart?(step: Step): Partial<Needs>;
  /** The first steps of its branches or items. */
  opens?(step: Step): readonly string[];
  /** The steps that it may lead to beside `next` and its catch clauses. */
  leadsTo?(step: Step): readonly string[];
}
