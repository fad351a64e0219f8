/** Where an agent is and how it is called: a row of `agents`, or an answer of the registry. */
export interface Agent {
  readonly name: string;
  readonly kind: AgentKind;
  /** http: URL; lambda: function name or ARN; kafka: topic. */
  readonly address: string;
  /** How long it may take; null leaves it to the deployment's default. A step's own timeout comes first. */
  readonly timeoutSeconds: number | null;
  /** Decrypted; calls are signed with it. Null: they are not signed. */
  readonly secret: string | null;
}

export type AgentKind = 'http' | 'lambda' | 'kafka';
