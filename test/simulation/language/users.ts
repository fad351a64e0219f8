import type { EngineEvent, RetryRequested } from '../../../shared/engine/event.ts';
import { isOpenRun } from '../../../shared/engine/state.ts';
import { isEverSent, payloadOf } from '../engine/workflow-model.ts';
import { AUDIT, type World } from '../world.ts';
import type { Families, Liberties } from './families.ts';

const MAX_COMMANDS = 8;

/** Who asks for things while runs are under way: by calls of the API, which may die and are repeated then. */
export class Users {
  /** Runs that somebody asked to be cancelled. */
  readonly cancelled = new Set<string>();
  readonly #world: World;
  readonly #families: Families;
  readonly #liberties: Liberties;
  readonly #signals: { readonly runId: string; readonly id: string; readonly name: string }[] = [];
  #commands = 0;

  constructor(world: World, families: Families, liberties: Liberties) {
    this.#world = world;
    this.#families = families;
    this.#liberties = liberties;
  }

  /** @param about that run, where it is one that may be asked for that */
  async command(about?: string): Promise<void> {
    const { mayCommand, mayRace } = this.#liberties;
    const drawn = this.#world.random.int(12);
    // Whether that one may begin is being decided.
    const isBeginning = about !== undefined && this.#runOf(about).status !== 'RUNNING';
    if (drawn === 11 || (isBeginning && drawn > 6)) await this.#pauseOrResumeWorkflow(about);
    else if (drawn === 10) await this.#signalsAtOnce(about);
    else if (drawn < 3) await this.#pauseOrResume(about);
    else if (drawn < 6) await this.#signal(about);
    else if (mayCommand && drawn < 8) await this.#cancelOrRetry(about);
    else if (mayRace && drawn < 10) await this.#goBack(about);
  }

  /** In the calm: signals that are waited for, and cancelled runs that have not come to their outcome. */
  async finish(): Promise<boolean> {
    const waitedFor = this.#signalsWaitedFor();
    for (const [runId, name] of waitedFor) await this.#send(runId, name, this.#world.id());
    if (waitedFor.length > 0) return true;
    return this.#liberties.mayCommand && !this.#liberties.mayRace && this.#retryCancelled();
  }

  /** In the calm: nothing else moves a paused run, and its timers fire for ever. */
  async goOn(): Promise<boolean> {
    this.#world.store.pausedWorkflows.clear();
    const paused = this.#families.openRuns().filter((runId) => this.#isPaused(runId));
    for (const runId of paused) {
      const { heldBy } = this.#runOf(runId);
      if (heldBy !== 'run')
        await this.#world.call('resume all', runId, (changeRun) =>
          changeRun.changeAll([runId], { type: 'resume_requested', by: 'workflow' }, AUDIT),
        );
      if (heldBy !== 'workflow') await this.#ask('resume', runId);
    }
    return paused.length > 0;
  }

  async #retryCancelled(): Promise<boolean> {
    const cancelled = this.#families.all.filter(({ runId }) => this.#runOf(runId).status === 'CANCELLED');
    for (const { runId } of cancelled) await this.#retry(runId, {});
    return cancelled.length > 0;
  }

  async #pauseOrResume(about?: string): Promise<void> {
    const runId = about ?? this.#world.random.pick(this.#families.runIds());
    await this.#ask(this.#isPaused(runId) ? 'resume' : 'pause', runId);
  }

  /** With those of its open runs that are found: some may begin at that moment. */
  async #pauseOrResumeWorkflow(about?: string): Promise<void> {
    const { random, store } = this.#world;
    const runId = about ?? random.pick(this.#families.runIds());
    const id = store.runs.get(runId)?.definitionId;
    if (!id) return;
    const isPaused = !store.pausedWorkflows.delete(id);
    if (isPaused) store.pausedWorkflows.set(id, true);
    this.#world.count('workflow paused or resumed');
    for (const each of this.#families.openRuns()) {
      const isOverlooked = random.chance(this.#runOf(each).status === 'PENDING' ? 0.5 : 0.3);
      if (store.runs.get(each)?.definitionId !== id || isOverlooked) continue;
      const what = isPaused ? 'pause' : 'resume';
      await this.#world.call(`${what} all`, each, (changeRun) =>
        changeRun.changeAll([each], { type: `${what}_requested`, by: 'workflow' }, AUDIT),
      );
    }
  }

  #ask(what: 'pause' | 'resume', runId: string): Promise<void> {
    return this.#world.call(what, runId, (changeRun) =>
      changeRun.change(runId, { type: `${what}_requested` }, AUDIT),
    );
  }

  /** One that somebody waits for, or may; or one that came before. */
  async #signal(about?: string): Promise<void> {
    const { random } = this.#world;
    if (this.#signals.length > 0 && random.chance(0.2)) {
      const { runId, name, id } = random.pick(this.#signals);
      await this.#send(runId, name, id);
      return;
    }
    const names = this.#signalNames(about);
    if (names.length === 0) return;
    const [runId, name] = random.pick(names);
    await this.#send(runId, name, this.#world.id());
  }

  /** Those that somebody waits for, or may. */
  #signalNames(about?: string): (readonly [runId: string, name: string])[] {
    const open = this.#families.openRuns();
    const early = open.flatMap((runId) => {
      const { versionId } = this.#world.store.runs.get(runId)!;
      const steps = [...(this.#families.plans.get(versionId ?? '')?.steps.values() ?? [])];
      return steps.flatMap((step) => (step.type === 'signal' ? [[runId, step.signal] as const] : []));
    });
    const names = [...this.#signalsWaitedFor(), ...early].filter(([, name]) => isEverSent(name));
    const ofRun = names.filter(([runId]) => runId === about);
    return ofRun.length > 0 ? ofRun : names;
  }

  #signalsWaitedFor(): (readonly [runId: string, name: string])[] {
    return [...this.#world.store.attempts.values()].flatMap(({ runId, attempt }) => {
      const { status, signalName } = attempt;
      return status === 'RUNNING' && signalName !== null && isEverSent(signalName)
        ? [[runId, signalName] as const]
        : [];
    });
  }

  async #send(runId: string, name: string, id: string): Promise<void> {
    this.#signals.push({ runId, name, id });
    const signal = { type: 'signal_received', name, signalId: id, payload: payloadOf(name) } as const;
    await this.#world.call(`signal ${name} ${id}`, runId, (changeRun) =>
      changeRun.change(runId, signal, AUDIT),
    );
  }

  /** Several of one run in one batch. */
  async #signalsAtOnce(about?: string): Promise<void> {
    const { random } = this.#world;
    const names = this.#signalNames(about);
    if (names.length === 0) return;
    const [runId] = random.pick(names);
    const ofRun = names.filter(([of]) => of === runId);
    const events = Array.from({ length: 2 + random.int(3) }, (): EngineEvent => {
      const [, name] = random.pick(ofRun);
      return { type: 'signal_received', name, signalId: this.#world.id(), payload: payloadOf(name) };
    });
    await this.#world.callBatch('signals at once', runId, events);
  }

  async #cancelOrRetry(about?: string): Promise<void> {
    if (this.#commands++ > MAX_COMMANDS) return;
    const runId = this.#anyRun(about);
    if (!isOpenRun(this.#runOf(runId))) {
      await this.#retry(runId, {});
      return;
    }
    this.cancelled.add(runId);
    await this.#world.call('cancel', runId, (changeRun) => {
      this.#world.cancellable.add(runId);
      return changeRun.change(runId, { type: 'cancellation_requested', by: 'ann', reason: null }, AUDIT);
    });
  }

  async #goBack(about?: string): Promise<void> {
    if (this.#commands++ > MAX_COMMANDS) return;
    const { random, store } = this.#world;
    const runId = this.#anyRun(about);
    const reached = store.attemptsOf(runId);
    if (isOpenRun(this.#runOf(runId)) || reached.length === 0) return;
    const { stepId: fromStep, scope } = random.pick(reached);
    const fromScope = random.chance(0.5) ? scope : null;
    const edited = random.chance(0.3) ? { inputData: { edited: random.int(100) } } : {};
    await this.#retry(runId, { fromStep, fromScope, ...edited });
  }

  async #retry(runId: string, given: Omit<RetryRequested, 'type'>): Promise<void> {
    const row = this.#world.store.runs.get(runId)!;
    const [owner, name] = (row.versionId ?? '').split('/');
    const newer = { versionId: `${owner}/${name}/2`, number: 2, workflowId: `wf-${name}-2` };
    const version = this.#world.random.chance(0.2) ? newer : undefined;
    const what = `retry ${JSON.stringify({ ...given, ...(version && { version }) })}`;
    await this.#world.call(what, runId, (changeRun) => {
      this.#world.retried.add(runId);
      return changeRun.change(runId, { type: 'retry_requested', ...given }, AUDIT, version);
    });
  }

  /** A child that somebody else cancels is its parent's failure. */
  #anyRun(about = ''): string {
    const { random } = this.#world;
    const runIds = this.#liberties.mayRace
      ? this.#families.runIds()
      : this.#families.all.map(({ runId }) => runId);
    return runIds.includes(about) ? about : random.pick(runIds);
  }

  #runOf(runId: string) {
    return this.#world.store.runs.get(runId)!.run;
  }

  #isPaused(runId: string): boolean {
    return this.#runOf(runId).pausedAt !== null;
  }
}
