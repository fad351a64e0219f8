import { ApiAnswerError, type ApiClient } from '../api-client.ts';

export interface AgentsToRegister {
  /** Of HTTP agents, by name. */
  readonly urls: Readonly<Record<string, string>>;
  /** Of Lambda agents, by name. */
  readonly functionArns: Readonly<Record<string, string>>;
  /** What calls of HTTP agents are signed with. */
  readonly secret: string;
}

/** Registers the agents, or says where they are now: their port is another one at each start. */
export async function registerAgents(
  api: ApiClient,
  { urls, functionArns, secret }: AgentsToRegister,
): Promise<void> {
  const register = async (name: string, settings: object) => {
    try {
      await api.post('/api/v1/agents', { name, ...settings });
    } catch (error) {
      if (!(error instanceof ApiAnswerError) || error.status !== 409) throw error;
      await api.put(`/api/v1/agents/${name}`, settings);
    }
  };
  await Promise.all([
    ...Object.entries(urls).map(([name, url]) => register(name, { kind: 'http', url, secret })),
    ...Object.entries(functionArns).map(([name, function_arn]) =>
      register(name, { kind: 'lambda', function_arn }),
    ),
  ]);
}
