import type { AgentKind } from '../application/manage-agents.ts';

/** Where an agent is and how it is called: a row of `agents`, or an answer of the registry. */
export interface Agent {
  readonly name: string;
  readonly kind: AgentKind;
  /** http: URL; lambda: function name or ARN; kafka: topic. */
  readonly address: string;
  /** Who registered it for themselves; null: it is everybody's, from an admin or the registry. */
  readonly owner: string | null;
  /** How long it may take; null leaves it to the deployment's default. A step's own timeout comes first. */
  readonly timeoutSeconds: number | null;
  /** Decrypted; calls are signed with each. None: they are not signed. */
  readonly secrets: readonly string[];
}
