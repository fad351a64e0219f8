import type { Json } from '../engine/json.ts';
import type { AuditEntry } from './audit.ts';
import { codeOf } from './error-code.ts';
import type { Page, PageRequest } from './page.ts';
import type { Viewer } from './viewer.ts';

export type AgentKind = 'http' | 'lambda' | 'kafka';

export interface RegisteredAgent {
  readonly id: string;
  /** Null: everybody's. */
  readonly owner: string | null;
  readonly name: string;
  readonly kind: AgentKind;
  /** http: URL; lambda: function name or ARN; kafka: topic. */
  readonly address: string;
  readonly timeoutSeconds: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** With what may be too large for a list of agents. */
export interface AgentDetails extends RegisteredAgent {
  /** What a dry run takes for its answer; null: none is known. */
  readonly exampleOutput: Json;
}

export interface AgentSettings {
  readonly kind: AgentKind;
  readonly address: string;
  readonly timeoutSeconds: number | null;
  readonly exampleOutput: Json;
}

export interface Agents {
  /** @throws with `code` UNIQUE_VIOLATION where the owner has one of that name. */
  insertAgent(
    agent: AgentSettings & {
      readonly owner: string | null;
      readonly name: string;
      readonly secretEncrypted: Buffer | null;
    },
    audit: AuditEntry,
  ): Promise<AgentDetails>;
  /** By id or by name; of several, the viewer's own comes first, then everybody's. */
  maybeFindAgent(viewer: Viewer, idOrName: string): Promise<AgentDetails | null>;
  /** By name, own and everybody's. */
  listAgents(
    viewer: Viewer,
    filter: { readonly kind?: AgentKind | undefined },
    page: PageRequest,
  ): Promise<Page<RegisteredAgent>>;
  /** `secretEncrypted` undefined keeps the one that is there. Null where the viewer may not manage such an agent. */
  updateAgent(
    viewer: Viewer,
    id: string,
    settings: AgentSettings & { readonly secretEncrypted: Buffer | null | undefined },
    audit: AuditEntry,
  ): Promise<AgentDetails | null>;
  deleteAgent(viewer: Viewer, id: string, audit: AuditEntry): Promise<boolean>;
}

export interface AgentSecrets {
  generate(): string;
  encrypt(secret: string): Buffer;
}

export interface AgentRequest extends AgentSettings {
  /** Undefined: a new agent gets one made for it, an existing one keeps its own. */
  readonly secret: string | undefined;
}

export type ManagedAgent =
  /** `secret` is there when it was made here: it is shown this once. */
  | { readonly ok: true; readonly agent: AgentDetails; readonly secret: string | null }
  | { readonly ok: false; readonly code: 'NAME_TAKEN' | 'KIND_NOT_PERMITTED' | 'UNKNOWN_AGENT' };

export interface ManageAgents {
  register(caller: Viewer, name: string, request: AgentRequest, audit: AuditEntry): Promise<ManagedAgent>;
  update(
    caller: Viewer,
    agent: RegisteredAgent,
    request: AgentRequest,
    audit: AuditEntry,
  ): Promise<ManagedAgent>;
}

/**
 * What an admin registers is everybody's; a user's own is only theirs, and of kind http, since lambda and kafka agents are
 * reached with the deployment's own rights (design §4).
 */
export function createManageAgents(agents: Agents, secrets: AgentSecrets): ManageAgents {
  return {
    async register(caller, name, { secret: given, ...settings }, audit) {
      if (!isKindPermitted(caller, settings)) return { ok: false, code: 'KIND_NOT_PERMITTED' };
      const secret = isSigned(settings) ? (given ?? secrets.generate()) : null;
      const secretEncrypted = secret === null ? null : secrets.encrypt(secret);
      try {
        const owner = caller.isAdmin ? null : caller.userId;
        const agent = await agents.insertAgent({ ...settings, owner, name, secretEncrypted }, audit);
        return { ok: true, agent, secret: given === undefined ? secret : null };
      } catch (error) {
        if (codeOf(error) === 'UNIQUE_VIOLATION') return { ok: false, code: 'NAME_TAKEN' };
        throw error;
      }
    },
    async update(caller, { id, kind: kindBefore }, { secret: given, ...settings }, audit) {
      if (!isKindPermitted(caller, settings)) return { ok: false, code: 'KIND_NOT_PERMITTED' };
      // An agent of another kind has no secret to keep when it becomes one of kind http.
      const made = given === undefined && kindBefore !== 'http' && isSigned(settings);
      const secret = made ? secrets.generate() : given;
      const kept = secret === undefined ? undefined : secrets.encrypt(secret);
      const secretEncrypted = isSigned(settings) ? kept : null;
      const agent = await agents.updateAgent(caller, id, { ...settings, secretEncrypted }, audit);
      if (!agent) return { ok: false, code: 'UNKNOWN_AGENT' };
      return { ok: true, agent, secret: made ? (secret ?? null) : null };
    },
  };
}

function isKindPermitted(caller: Viewer, { kind }: AgentSettings): boolean {
  return caller.isAdmin || kind === 'http';
}

/** Lambda lets in whom IAM allows, and a kafka agent's topic whom the cluster does: their calls need no signature. */
function isSigned({ kind }: AgentSettings): boolean {
  return kind === 'http';
}
