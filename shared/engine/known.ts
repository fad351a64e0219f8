import type { AttemptsAbout } from './attempts-of.ts';
import { type Needs, NO_NEEDS } from './needs.ts';
import type { Known, Readable } from './readable.ts';
import { isWithin } from './scope-path.ts';
import { stepKey, workflowKey } from './state.ts';

/** For states that hold all that there is. */
export const EVERYTHING: Known = new (class implements Known {
  has(): boolean {
    return true;
  }
})();
export const NOTHING_KNOWN: Known = new (class implements Known {
  has(): boolean {
    return false;
  }
})();

/** A decision reads what was not loaded for it: `needs` are what would have loaded it, where that is told by needs. */
export class NotLoadedError extends Error {
  readonly code = 'NOT_LOADED';
  readonly needs: Needs | null;

  constructor(what: Readable, key: string) {
    super(`The decision reads ${what}${key === '' ? '' : ` ${JSON.stringify(key)}`}, which was not loaded`);
    this.needs = needsFor(what, key);
  }
}

/** What was asked for, collected. */
class Asked implements Known {
  readonly #asked = new Set<string>();
  readonly #resuming: string[] = [];

  add(what: Readable, keys: Iterable<string>): this {
    for (const key of keys) this.#asked.add(`${what} ${key}`);
    return this;
  }

  addNeeds(needs: Needs): this {
    const keysOf = (steps: Needs['visits']) => steps.map(({ scope, stepId }) => stepKey(scope, stepId));
    if (needs.workflowInput) this.add('workflowInput', ['']);
    if (needs.unfinishedChildren) this.add('unfinishedChildren', ['']);
    return this.add('joins', needs.joins)
      .add('attempts', needs.attempts)
      .add('variables', needs.variables)
      .add('errors', needs.errors)
      .add(
        'earlier',
        needs.earlier.map(({ scope }) => scope),
      )
      .add('outputs', keysOf(needs.outputs))
      .add('visits', keysOf(needs.visits))
      .add('children', needs.children)
      .add('gathered', needs.gathered)
      .add('openWithin', needs.openWithin)
      .addResuming(needs.resuming)
      .add('untakenSignals', needs.signalNames)
      .add('signals', needs.signalIds)
      .add(
        'workflows',
        needs.workflows.map(({ name, version }) => workflowKey(name, version)),
      );
  }

  /** What is inside is known with it. */
  addResuming(scopes: readonly string[]): this {
    this.#resuming.push(...scopes);
    if (scopes.length > 0) this.add('unfinishedChildren', ['']);
    return this.add('resuming', scopes).add('children', scopes);
  }

  has(what: Readable, key: string): boolean {
    if (this.#asked.has(`${what} ${key}`)) return true;
    if (what !== 'joins') return false;
    return this.#asked.has('joins *') || this.#resuming.some((scope) => isWithin(key, scope));
  }
}

/** What is known of a run when that much was asked for each of the events. */
export function knownOf(
  asked: Iterable<{
    readonly attempts?: AttemptsAbout;
    readonly joins?: 'all' | readonly string[];
    readonly needs?: Needs | undefined;
  }>,
): Known {
  const known = new Asked();
  for (const { attempts, joins, needs } of asked) {
    if (attempts) {
      known.add(
        'attempts',
        [attempts.id, attempts.parentId].filter((id) => id !== null),
      );
      if (attempts.open) known.add('openAttempts', ['']);
      if (attempts.last) known.add('lastAttempts', ['']);
      if (attempts.last || attempts.lastAtTop) known.add('lastAtTop', ['']);
      if (attempts.waitingFor !== null) known.add('waitingAttempts', [attempts.waitingFor]);
      if (attempts.step !== null) {
        const { scope, stepId } = attempts.step;
        known.add('stepAttempts', [stepKey(scope ?? '*', stepId)]);
      }
    }
    if (joins) known.add('joins', joins === 'all' ? ['*'] : joins);
    if (needs) known.addNeeds(needs);
  }
  return known;
}

function needsFor(what: Readable, key: string): Needs | null {
  const needs = (some: Partial<Needs>): Needs => ({ ...NO_NEEDS, ...some });
  switch (what) {
    case 'workflowInput':
    case 'unfinishedChildren':
      return needs({ [what]: true });
    case 'attempts':
    case 'joins':
    case 'variables':
    case 'errors':
    case 'children':
    case 'gathered':
    case 'openWithin':
    case 'resuming':
      return needs({ [what]: [key] });
    case 'outputs':
    case 'visits': {
      // A scope's path has no line break: its ids are percent-encoded.
      const end = key.indexOf('\n');
      return needs({ [what]: [{ scope: key.slice(0, end), stepId: key.slice(end + 1) }] });
    }
    case 'signals':
      return needs({ signalIds: [key] });
    case 'untakenSignals':
      return needs({ signalNames: [key] });
    case 'workflows': {
      const end = key.indexOf(' ');
      const version = key.slice(0, end);
      return needs({
        workflows: [{ name: key.slice(end + 1), version: version === 'latest' ? null : Number(version) }],
      });
    }
    default:
      return null;
  }
}
