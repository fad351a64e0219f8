import { isJsonObject, type Json } from '../../../shared/engine/json.ts';
import { type Attempt, stepKey } from '../../../shared/engine/state.ts';
import { keyOf, type RunRow } from '../../support/memory-tables.ts';
import { interpret, outputKey } from '../engine/interpreter.ts';
import { CODES } from '../engine/workflow-model.ts';
import type { World } from '../world.ts';
import type { Families, Liberties } from './families.ts';
import type { Users } from './users.ts';

/** The engine's, the agents' and the workflows' own. */
const ALLOWED_CODES = new Set([
  ...CODES,
  ...['F0', 'F1', 'F2', 'CANCELLED', 'DATA_LIMIT', 'EXPRESSION_ERROR', 'HEARTBEAT_TIMEOUT', 'NESTING_LIMIT'],
  ...['NO_CHOICE_MATCHED', 'STEP_LIMIT', 'TIMEOUT', 'TOLERATED_FAILURES_EXCEEDED', 'WORKFLOW_NOT_FOUND'],
]);

/** I6: what each run came to is what the interpreter says, or, where chance or a user had a part in it, what may be. */
export class Outcomes {
  readonly #world: World;
  readonly #families: Families;
  readonly #users: Users;
  readonly #liberties: Liberties;

  constructor(world: World, families: Families, users: Users, liberties: Liberties) {
    this.#world = world;
    this.#families = families;
    this.#users = users;
    this.#liberties = liberties;
  }

  check(): void {
    for (const row of this.#world.store.runs.values()) {
      this.#checkAllowed(row);
      if (this.#isDisturbed(row)) this.#world.count('disturbed');
      else this.#checkExpected(row);
    }
  }

  #checkAllowed({ run: { runId, status, error } }: RunRow): void {
    if (status === 'CANCELLED' && !this.#users.cancelled.has(runId) && !this.#isLeftByParent(runId))
      throw new Error(`I6: ${runId} is cancelled, and nobody asked for it`);
    if (status === 'FAILED' && !ALLOWED_CODES.has(error?.code ?? ''))
      throw new Error(`I6: ${runId} failed with ${JSON.stringify(error)}`);
    if (status === 'FAILED' && error?.stepId) {
      const { scope, attempts } = { scope: '', attempts: this.#world.store.attemptsOf(runId) };
      const toBlame = attempts.some(
        (each) => each.scope === scope && each.stepId === error.stepId && each.status === 'FAILED',
      );
      if (!toBlame) throw new Error(`I6: ${runId} blames ${error.stepId}, which did not fail`);
    }
  }

  #checkExpected(row: RunRow): void {
    const { runId } = row.run;
    const { agents, models } = this.#families.familyOf(runId);
    const expected = interpret(this.#families.modelOf(runId), row.inputData, { workflows: models, agents });
    if (expected.isRace) {
      this.#world.count('race');
      return;
    }
    this.#world.count(`expected: ${expected.end.ok ? 'COMPLETED' : expected.end.code}`);
    const { run } = row;
    const end =
      run.status === 'COMPLETED'
        ? { ok: true, output: run.outputData }
        : { ok: false, code: run.error?.code ?? run.status };
    mustBe(`I6: ${runId} came to`, end, expected.end);
    const given = isJsonObject(row.inputData) ? row.inputData : {};
    const { store } = this.#world;
    const variables = store.data.get(keyOf(runId, ''))?.variables ?? given;
    mustBe(`I6: the variables of ${runId} are`, variables, expected.variables);
    // A run that was retried may have made more attempts, and so a container more visits.
    if (run.retriedAt !== null) return;
    for (const { status, scope, stepId, visit, outputData } of store.attemptsOf(runId)) {
      const output = expected.outputs.get(outputKey(scope, stepId, visit));
      if (status === 'COMPLETED' && output !== undefined)
        mustBe(`I6: ${runId} ${stepKey(scope, stepId)} came to`, outputData, output);
    }
  }

  /** It was cancelled, or time cut something short, in it or in a run that it waited for. */
  #isDisturbed({ run }: RunRow): boolean {
    if (this.#liberties.mayRace || run.status === 'CANCELLED') return true;
    const { store } = this.#world;
    return store.attemptsOf(run.runId).some((attempt) => {
      if (this.#hasTimedOut(run.runId, attempt)) return true;
      const child = attempt.childRunId === null ? undefined : store.runs.get(attempt.childRunId);
      return child !== undefined && attempt.status !== 'CANCELLED' && this.#isDisturbed(child);
    });
  }

  #hasTimedOut(runId: string, attempt: Attempt): boolean {
    if (attempt.error?.code !== 'TIMEOUT') return false;
    const { versionId } = this.#world.store.runs.get(runId)!;
    const type = this.#families.plans.get(versionId ?? '')?.steps.get(attempt.stepId)?.type;
    if (type !== 'agent') return false;
    const outcome = this.#families.outcomeOf(runId, attempt);
    return outcome.status === 'completed' || outcome.code !== 'TIMEOUT';
  }

  /** Whoever waited for it was cancelled, or waits no more. */
  #isLeftByParent(runId: string): boolean {
    return [...this.#world.store.attempts.values()].some(
      ({ attempt }) =>
        attempt.childRunId === runId && (attempt.status === 'CANCELLED' || attempt.error?.code === 'TIMEOUT'),
    );
  }
}

function mustBe(what: string, is: unknown, expected: unknown): void {
  const [one, other] = [canonical(is), canonical(expected)];
  if (one !== other) throw new Error(`${what} ${one}, and not ${other}`);
}

/** JSON with the fields of objects in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: Json) =>
    isJsonObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  );
}
