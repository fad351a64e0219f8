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
  const agents = [
    ...Object.entries(urls).map(([name, url]) => ({ name, kind: 'http', url, secret })),
    ...Object.entries(functionArns).map(([name, function_arn]) => ({ name, kind: 'lambda', function_arn })),
  ];
  const known = await everybodysAgents(api);
  // One after another: several at a time would each start another process of the API.
  for (const { name, ...settings } of agents) {
    if (known.has(name) || !(await isNew(() => api.post('/api/v1/agents', { name, ...settings }))))
      await api.put(`/api/v1/agents/${name}`, settings);
  }
}

/** A page of them, which spares most restarts a refusal for each agent. */
async function everybodysAgents(api: ApiClient): Promise<ReadonlySet<string>> {
  const { data } = await api.get<{ data: readonly { name: string; owner: string | null }[] }>(
    '/api/v1/agents?limit=1000',
  );
  return new Set(data.flatMap(({ name, owner }) => (owner === null ? [name] : [])));
}

async function isNew(register: () => Promise<unknown>): Promise<boolean> {
  try {
    await register();
    return true;
  } catch (error) {
    if (error instanceof ApiAnswerError && error.status === 409) return false;
    throw error;
  }
}
