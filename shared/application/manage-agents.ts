import type { Json } from '../engine/json.ts';
import type { AuditEntry } from './audit.ts';
import { codeOf } from './error-policy.ts';
import type { Page, PageRequest } from './page.ts';
import type { Viewer } from './permissions.ts';

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
  /** Until when the secret before signs as well; null: it does not. */
  readonly previousSecretUntil: Date | null;
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
  /** Null where the agent has none. */
  maybeFindSecret(id: string): Promise<Buffer | null>;
  /** Null where the viewer may not manage such an agent. */
  updateAgent(
    viewer: Viewer,
    id: string,
    settings: AgentSettings & SecretChange,
    audit: AuditEntry,
  ): Promise<AgentDetails | null>;
  deleteAgent(viewer: Viewer, id: string, audit: AuditEntry): Promise<boolean>;
}

export interface SecretChange {
  /** Undefined keeps the one that is there; null: the agent has none from now on. */
  readonly secretEncrypted: Buffer | null | undefined;
  /** How long from now the secret before signs as well. Undefined leaves it as it is. */
  readonly overlapSeconds: number | undefined;
}

export interface AgentSecrets {
  generate(): string;
  encrypt(secret: string): Buffer;
  isSame(encrypted: Buffer, secret: string): boolean;
}

export interface AgentRequest extends AgentSettings {
  /** Undefined: a new agent gets one made for it, an existing one keeps its own. */
  readonly secret: string | undefined;
  readonly secretOverlapSeconds: number | undefined;
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

/** A receiver is told its new secret by hand, and not everywhere at once. */
const OVERLAP_SECONDS = 86_400;

/**
 * What an admin registers is everybody's; a user's own is only theirs, and of kind http, since lambda and kafka agents are
 * reached with the deployment's own rights (design §4).
 */
export function createManageAgents(agents: Agents, secrets: AgentSecrets): ManageAgents {
  return {
    async register(caller, name, { secret: given, secretOverlapSeconds: _, ...settings }, audit) {
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
    async update(caller, { id, kind: kindBefore }, request, audit) {
      const { secret: given, secretOverlapSeconds, ...settings } = request;
      if (!isKindPermitted(caller, settings)) return { ok: false, code: 'KIND_NOT_PERMITTED' };
      // An agent of another kind has no secret to keep when it becomes one of kind http.
      const made = given === undefined && kindBefore !== 'http' && isSigned(settings);
      const secret = made ? secrets.generate() : given;
      const isOther = secret !== undefined && !(await isSecretOf(id, secret));
      const secretEncrypted = !isSigned(settings) ? null : isOther ? secrets.encrypt(secret) : undefined;
      const overlapSeconds = secretOverlapSeconds ?? (isOther ? OVERLAP_SECONDS : undefined);
      const change = { secretEncrypted, overlapSeconds };
      const agent = await agents.updateAgent(caller, id, { ...settings, ...change }, audit);
      if (!agent) return { ok: false, code: 'UNKNOWN_AGENT' };
      return { ok: true, agent, secret: made ? (secret ?? null) : null };
    },
  };

  /** The same request once more must not take the secret before for gone. */
  async function isSecretOf(id: string, secret: string): Promise<boolean> {
    const encrypted = await agents.maybeFindSecret(id);
    return encrypted !== null && secrets.isSame(encrypted, secret);
  }
}

function isKindPermitted(caller: Viewer, { kind }: AgentSettings): boolean {
  return caller.isAdmin || kind === 'http';
}

/** Lambda lets in whom IAM allows, and a kafka agent's topic whom the cluster does: their calls need no signature. */
function isSigned({ kind }: AgentSettings): boolean {
  return kind === 'http';
}
