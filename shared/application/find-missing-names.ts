import { LRUCache } from 'lru-cache';
import { type Names, namesIn, namesOfNothing } from '../definition/warnings/names-of-nothing.ts';
import type { Warning } from '../definition/warnings/warning.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Viewer } from './permissions.ts';
import type { Clock } from './ports/publishing.ts';

export interface NameQueries {
  /** Of these names, those that runs of this owner find nothing by: of their own, or, of agents, everybody's. */
  findMissing(owner: string, names: Names): Promise<Names>;
  /** What there is to choose from, at most so many of each. @param owner null: only what is everybody's */
  listNames(owner: string | null, limit: number): Promise<Names>;
}

/** Who is asked for agents that are not registered here. Never rejects. */
export interface AskedRegistry {
  lookup(agentName: string): Promise<{ readonly status: 'found' | 'unknown' | 'unavailable' }>;
}

export interface MissingNamesRequest {
  /** Whose workflow it is: its runs use the owner's agents. */
  readonly owner: string;
  readonly definition: WorkflowDefinition;
  /** Of a stored definition: where nothing was missing, it is not looked at again for a minute. */
  readonly versionId?: string;
  /** How long an agent registry may take; what it has not said by then is not told. */
  readonly patienceMs: number;
}

/**
 * Warnings of what a workflow's steps name and that is not there. It is a courtesy beside an answer about something else, which has
 * been done: it never rejects, and says nothing where it cannot tell.
 */
export type FindMissingNames = (viewer: Viewer, request: MissingNamesRequest) => Promise<readonly Warning[]>;

export interface MissingNamesDeps {
  readonly names: NameQueries;
  /** Null where the deployment has none. */
  readonly registry: AskedRegistry | null;
  readonly clock: Clock;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly onError: (error: unknown) => void;
}

const COMPLETE_FOR_MS = 60_000;
const MAX_KEPT = 10_000;
/** A registry is asked for no more names than that by one request. */
const MAX_ASKED = 20;
/** Of an owner's agents, of everybody's and of workflows: among more no near one is looked for (nearest-name.ts). */
const MAX_LISTED = 250;

export function createFindMissingNames({
  names,
  registry,
  clock,
  sleep,
  onError,
}: MissingNamesDeps): FindMissingNames {
  const completeUntil = new LRUCache<string, number>({ max: MAX_KEPT });

  /** Null: nothing is missing. */
  async function find(
    viewer: Viewer,
    { owner, definition, patienceMs }: MissingNamesRequest,
  ): Promise<readonly Warning[] | null> {
    const named = namesIn(definition);
    if (isNone(named)) return null;
    const unregistered = await names.findMissing(owner, named);
    if (isNone(unregistered)) return null;
    const agents = await unknownToRegistry(unregistered.agents, patienceMs);
    const missing = { agents, workflows: unregistered.workflows };
    if (isNone(missing)) return [];
    // What is another's own is not told by a hint.
    const maySee = viewer.isAdmin || viewer.userId === owner;
    return namesOfNothing(definition, missing, await names.listNames(maySee ? owner : null, MAX_LISTED));
  }

  async function unknownToRegistry(
    agents: readonly string[],
    patienceMs: number,
  ): Promise<readonly string[]> {
    if (registry === null || agents.length === 0) return agents;
    const unknown = new Set<string>();
    const asked = agents.slice(0, MAX_ASKED).map(async (name) => {
      const { status } = await registry.lookup(name);
      if (status === 'unknown') unknown.add(name);
    });
    await Promise.race([Promise.all(asked), sleep(patienceMs)]);
    return agents.filter((name) => unknown.has(name));
  }

  return async (viewer, request) => {
    const { versionId } = request;
    const until = versionId === undefined ? undefined : completeUntil.get(versionId);
    if (until !== undefined && until > clock.now()) return [];
    try {
      const warnings = await find(viewer, request);
      if (warnings !== null) return warnings;
      if (versionId !== undefined) completeUntil.set(versionId, clock.now() + COMPLETE_FOR_MS);
    } catch (error) {
      onError(error);
    }
    return [];
  };
}

function isNone({ agents, workflows }: Names): boolean {
  return agents.length + workflows.length === 0;
}
