import { eventually } from '../support/eventually.ts';
import type { RunView } from '../support/run-client.ts';
import { KEPT_SECONDS } from './release-world.ts';
import type { Situation } from './situations/situation.ts';
import type { Stage } from './stage.ts';

/** Brings a run so far. @returns its id */
export async function begin(stage: Stage, situation: Situation): Promise<string> {
  const runId = await stage.start(situation.workflows(stage), situation.variables ?? {});
  await situation.begin?.(stage, runId);
  const { open, passes } = situation;
  if (!passes || stage.seconds >= KEPT_SECONDS) {
    await eventually(
      `${situation.name} as ${JSON.stringify(open)}`,
      () => stage.attempts(runId),
      (seen) => JSON.stringify(seen.toSorted()) === JSON.stringify(open.toSorted()),
    );
  }
  return runId;
}

export interface Played {
  readonly name: string;
  readonly outcome: Partial<RunView>;
  readonly attempts: readonly string[];
}

/** Does what the run needs, and says what came of it. */
export async function end(stage: Stage, situation: Situation, runId: string): Promise<Played> {
  await situation.end?.(stage, runId);
  const run = await eventually(
    `${situation.name} as ${situation.outcome.status}`,
    () => stage.client.findRun(runId),
    ({ status, completed_at }) => status === situation.outcome.status && completed_at !== null,
  );
  const keys = Object.keys(situation.outcome) as (keyof RunView)[];
  return {
    name: situation.name,
    outcome: Object.fromEntries(keys.map((key) => [key, run[key]])),
    attempts: (await stage.attempts(runId)).toSorted(),
  };
}

/** What {@link end} is to say. */
export function expected({ name, outcome, attempts }: Situation): Played {
  return { name, outcome, attempts: attempts.toSorted() };
}
